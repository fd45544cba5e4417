"""How much is remembered at most: one field a table, with what happens when it is full.

Whatever grows with what comes from the wire stands here, so that nobody can fill the machine's memory from outside. The
rule for all of them: what is known good is kept, and strangers wait; of those the one longest without a sign of life is
forgotten first, and counted under `<table>_evicted`. `docs/limits.md` is made of these docstrings.
"""

from typing import Annotated, get_type_hints

import msgspec

Entries = Annotated[int, msgspec.Meta(ge=100, le=100_000_000)]
Octets = Annotated[int, msgspec.Meta(ge=1024 * 1024, le=1024 * 1024 * 1024 * 1024)]

MIB = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The size of every table, as the policy's `[limits]` may have it."""

    # wire

    recent_packets: Entries = 65_536
    """Packets of the last moment, by which copies are known, in each of two generations.

    Life: 50 to 100 ms.
    Full: the older generation is forgotten at once; a copy of one of these counts as a packet.
    """
    fragments: Entries = 4_096
    """IP packets of which fragments are missing.

    Life: 30 s.
    Full: the oldest is forgotten.
    """
    fragment_bytes: Octets = 8 * MIB
    """Bytes of these fragments, all together.

    Life: as their packet.
    Full: the oldest packet is forgotten.
    """
    streams: Entries = 32_768
    """Directions of TCP connections.

    Life: 10 minutes of silence.
    Full: one on which nothing was said yet, the oldest of them; then the one longest silent.
    """
    stream_bytes: Octets = 16 * MIB
    """Bytes that wait behind holes, all together.

    Life: 5 s.
    Full: the direction that waits longest waits no more, and its holes are told as gaps.
    """
    stream_recent_bytes: Octets = 32 * MIB
    """Bytes of streams that were given, and are kept to be compared with what comes again, all together.

    Life: as the direction.
    Full: the older half is forgotten, of the directions longest silent; copies of those bytes are not compared.
    """
    stream_readings: Entries = 256
    """Directions of TCP connections that are followed in two readings, since copies of their bytes differ.

    Life: 64 KiB behind the first difference, or that of the connection.
    Full: the one longest in doubt has one reading from there on, that of the first copies.
    """
    fragment_readings: Entries = 4_096
    """Fragmented packets, whole or not, that may yet be put together in another way.

    Life: 30 s.
    Full: the oldest is forgotten, and has one reading only.
    """
    fragment_reading_bytes: Octets = 8 * MIB
    """Bytes of these packets, all together.

    Life: as their packet.
    Full: as `fragment_readings`.
    """
    hep_streams: Entries = 256
    """TCP connections of capture agents, each with at most one report of 64 KiB that is not whole yet.

    Life: that of the connection.
    Full: the one longest without a report is forgotten, and found again at its next report.
    """
    hep_complaints: Entries = 1_024
    """What was told of an agent whose reports are not read, so that it is told once an hour.

    Life: an hour.
    Full: no more is told until the hour is over; all of it is counted.
    """

    # decoders

    conversations: Entries = 16_384
    """Directions of TCP connections whose protocol is known, or not known yet.

    Life: that of the connection.
    Full: the one longest without a whole message is forgotten.
    """
    conversation_bytes: Octets = 32 * MIB
    """Bytes of messages that are not whole yet, all together.

    Life: that of the connection.
    Full: the conversation longest without a whole message loses what was held; it is read on from its next start line.
    """
    calls: Entries = 32_768
    """SIP calls that are read, since they may lead to a meeting.

    Life: 10 minutes unanswered or over; answered, as long as their session timer says, or 4 hours of silence.
    Full: the oldest that nobody has answered, or that is over; then the answered one longest silent.
    """
    calls_aside: Entries = 65_536
    """SIP calls that lead to no meeting, unread.

    Life: 10 minutes unanswered or over; 4 hours of silence answered.
    Full: the oldest that nobody has answered, or that is over; then the answered one longest silent.
    """
    calls_aside_bytes: Octets = 48 * MIB
    """Bytes of their messages, all together.

    Life: as their call.
    Full: as `calls_aside`.
    """
    media_addresses: Entries = 131_072
    """Addresses at which calls want their media.

    Life: that of the call.
    Full: the oldest address is forgotten; of a call that is answered, last.
    """
    subscriptions: Entries = 4_096
    """Subscriptions to the keys of a call, in a dialog of their own.

    Life: that of the call; 10 minutes while there is none.
    Full: the oldest is forgotten.
    """
    roster_subscriptions: Entries = 4_096
    """Subscriptions to rosters whose last document is remembered, so that each is read once.

    Life: a day without news.
    Full: the one longest without news is forgotten; its last document, sent again, is read again.
    """
    requests_unplaced: Entries = 4_096
    """Requests within calls that were not seen, whose answer is awaited.

    Life: a minute.
    Full: the oldest is forgotten.
    """
    calls_kept: Entries = 1_024
    """Calls to meetings whose messages are kept, in case one of them must be read anew.

    Life: that of the call.
    Full: the one heard of first is forgotten: a later copy of its messages that differs is read in its place only.
    """
    calls_kept_bytes: Octets = 8 * MIB
    """Bytes of their messages, all together.

    Life: as their call.
    Full: as `calls_kept`.
    """
    calls_doubted: Entries = 256
    """Calls that are read in more than one way, since copies of their messages differ.

    Life: that of the call.
    Full: the one longest without a new reading goes on as its first copies have it.
    """
    streams_doubted: Entries = 256
    """Directions of TCP connections whose messages are read in two ways.

    Life: until both readings are between messages again, or that of the connection.
    Full: the one that began first goes on in one reading.
    """

    # platforms

    dial_ins_offered: Entries = 32_768
    """Calls to a bridge's voice that nobody has answered.

    Life: 6 hours.
    Full: the oldest is forgotten.
    """
    dial_ins: Entries = 65_536
    """Calls to a bridge's voice that were answered, or in which a key was pressed.

    Life: 6 hours without a key.
    Full: the one longest without a key is forgotten.
    """
    dial_ins_elsewhere: Entries = 16_384
    """Calls to unknown numbers in which keys are pressed.

    Life: 6 hours without a key.
    Full: the one longest without a key is forgotten.
    """

    # meetings

    legs: Entries = 24_576
    """Calls into meetings.

    Life: 10 minutes unanswered; else that of the call.
    Full: the oldest that only rings; then the oldest that is answered; then whoever was admitted first.
    """
    strangers_ringing: Entries = 16_384
    """Calls that lead nowhere known and are unanswered.

    Life: 10 minutes.
    Full: the oldest is forgotten.
    """
    strangers_talking: Entries = 32_768
    """Calls that lead nowhere known and are answered.

    Life: that of the call, and a day at most.
    Full: the oldest is forgotten.
    """
    halves: Entries = 8_192
    """Names under which the other half of a call through a back-to-back agent is waited for, in each of two tables.

    Life: 5 s; 3 minutes where it only rings, or its offer was not seen.
    Full: the oldest is forgotten.
    """
    transfers: Entries = 1_024
    """Transfers of somebody in a meeting that are under way.

    Life: a minute.
    Full: the oldest is forgotten.
    """
    guest_lists: Entries = 2_048
    """Lists of who is invited to an occurrence, worked out.

    Life: the run; it is only the calendar's, kept at hand.
    Full: the oldest is worked out anew when it is asked for.
    """

    conferences: Entries = 4_096
    """Conferences of which a bridge tells a roster, one for each source.

    Life: that of the subscriptions to it; an hour and a minute without news.
    Full: one of a source that the policy does not name, the one longest silent of them; then the one longest silent.
    """
    roster_users: Entries = 20_000
    """Users on these rosters, all together; of a source that the policy does not name, 64 of one conference.

    Life: as long as the roster has them.
    Full: conferences of unnamed sources make room for one that is named; else who comes then is not taken up.
    """
    roster_subscribers: Entries = 16_384
    """Subscriptions whose end is known by that of the call in which they run.

    Life: that of the conference.
    Full: the oldest is forgotten; its end is not noticed before its time is over.
    """
    focuses: Entries = 4_096
    """URIs of conferences that were learned from the answers of their bridge.

    Life: a day.
    Full: the oldest is forgotten; a roster that names only this URI finds no meeting.
    """
    callers_waiting: Entries = 8_192
    """Names of callers who were answered and are not in yet, by which a roster finds their call.

    Life: that of their calls, until they are in.
    Full: the oldest is forgotten, and told by the roster alone.
    """
    nameless_meetings: Entries = 4_096
    """Meetings with participants without identity, up to 64 of each, whom no name finds.

    Life: as long as one of them is in.
    Full: the one longest without a new one is forgotten; a roster's nameless user may be told beside the call.
    """

    # detections

    alerts: Entries = 16_384
    """Alerts, so that the next sighting is known for the same.

    Life: the run.
    Full: the least severe goes first, of these the one longest not seen; seen again it is told as new, by the same id.
    """
    sources: Entries = 8_192
    """Sources of failed tries.

    Life: the window of the rule, a day.
    Full: one with a single try, the longest silent; then the one longest silent.
    """
    tried_numbers: Entries = 16_384
    """Meeting numbers tried in vain, in which neighbours are looked for.

    Life: 7 days.
    Full: the oldest is forgotten.
    """
    campaigns: Entries = 8_192
    """Whose campaign a source is part of.

    Life: the run.
    Full: the oldest is forgotten; its next find is told as a campaign of its own.
    """
    guessed_meetings: Entries = 4_096
    """Meetings whose PIN was entered wrongly.

    Life: the window of the rule, an hour.
    Full: one below the number that raises the alert, the longest quiet; then the longest quiet.
    """
    overstayed: Entries = 4_096
    """Participants who are told to be in long after the end.

    Life: the run.
    Full: the oldest is forgotten.
    """

    # outputs

    known_alerts: Entries = 65_536
    """Alerts that metrics have counted, so that each counts once.

    Life: the run.
    Full: the oldest is forgotten; seen again it counts again.
    """
    known_participants: Entries = 65_536
    """Participants who are in, for the gauges.

    Life: their stay.
    Full: the oldest is no longer counted as present.
    """
    page_participants: Entries = 20_000
    """Participants on the page that a replay ends with.

    Life: the run.
    Full: the oldest is only counted; the journal has everybody.
    """
    page_alerts: Entries = 10_000
    """Alerts on that page.

    Life: the run.
    Full: a new one is only counted; the journal has them all.
    """


BOUNDS: dict[str, tuple[int, int]] = {
    name: (meta.ge or 0, meta.le or 0)
    for name, hint in get_type_hints(Limits, include_extras=True).items()
    for meta in hint.__metadata__
}
"""The least and the most that each may be."""
