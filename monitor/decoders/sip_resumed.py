"""A call as another decoder can take it over, and a call taken over: for a decoder that follows one that has died.

What is not taken over is which requests were seen: a retransmission right after the change counts twice, which those
behind decoders bear.
"""

import re

from monitor.decoders.media import NO_TYPES, CallMedia, MediaAddresses
from monitor.decoders.sip_call import ANSWERED, OFFERED, Call, CallTable
from monitor.model.resumed import CallSaved, MediaSaved

_PLAIN = re.compile(
    r"(?i)(?:sips?|tel):(?:\+?[0-9]{1,20}|[a-z][\w.%-]{0,255})(?:@[^;?:@]{1,255}(?::[0-9]{1,5})?)?(?:;user=phone)?"
)
"""A target in which no password can be: one that holds more is not written down, and so not compared either."""
PORT_BYTES = 2
MAX_EVENTS = 4
"""Telephone-events of each side that are saved: packets of one that has begun may still come."""


def saved_of(call: Call, addresses: MediaAddresses) -> CallSaved | None:
    """The call as it is now; none when it is over, or was never more than refused."""
    if call.state not in (OFFERED, ANSWERED):
        return None
    media: tuple[MediaSaved, ...] = ()
    if call.media is not None:
        media = tuple(
            MediaSaved(
                side=one.side,
                address=place[:-PORT_BYTES],
                port=int.from_bytes(place[-PORT_BYTES:], "big"),
                events=tuple(sorted(one.events)),
                redundancy=tuple(sorted(one.redundancy)),
            )
            for place, one in addresses.announced_by(call.media)
        )
    heard = call.media.events if call.media is not None and call.media.events is not None else {}
    events = tuple((side, *one) for side, known in heard.items() for one in list(known.items())[-MAX_EVENTS:])
    return CallSaved(
        call=call.id,
        seen=call.seen,
        answered=call.state is ANSWERED,
        number=call.number,
        latest=call.latest,
        target=call.target if _PLAIN.fullmatch(call.target) else "",
        hops=call.hops,
        caller_tags=call.caller_tags,
        branches=call.branches,
        dialogs=call.dialogs,
        asserted=call.asserted,
        life=call.life,
        media=media,
        events=events,
    )


def resume(saved: CallSaved, table: CallTable, addresses: MediaAddresses) -> None:
    """Go on with this call as if it had been read from its beginning."""
    if not saved.hops or table.get(saved.call) is not None:
        return
    call = Call(saved.call, saved.number, saved.hops[0], saved.target, "")
    call.hops, call.caller_tags, call.branches = saved.hops, saved.caller_tags, saved.branches
    call.dialogs, call.asserted, call.life, call.seen = saved.dialogs, saved.asserted, saved.life, saved.seen
    call.latest = saved.latest or saved.number
    table.add(call)
    if saved.answered:
        table.answer(call)
    for one in saved.media:
        if call.media is None:
            call.media = CallMedia(call.id)
        redundancy = frozenset(one.redundancy) or NO_TYPES
        call.media.is_answered = saved.answered
        addresses.announce(call.media, one.side, one.address, one.port, frozenset(one.events), redundancy)
    if call.media is not None:
        for side, name, state in saved.events:
            # Its flags alone: what of it came since was read and told by nobody, and is not lost.
            call.media.events_by(side)[name] = state[:1]
