"""SIP messages come in, calls go out: offered, answered, refused, forwarded, ended, and keys pressed in signalling.

A call is everything under one Call-ID: all its forks and all hops on which it was captured. Its dialogs are told apart
by their tags only where that matters: who speaks, and whose BYE ends what. No message is answered for twice, however
often it is retransmitted or mirrored.
"""

from collections import OrderedDict
from typing import Final

from monitor.decoders.decoder import NOTHING, Decoded, Widen, eviction_of, oddity_of
from monitor.decoders.losses import Losses
from monitor.decoders.media import OTHER, MediaAddresses, Side
from monitor.decoders.sip_address import parse_address
from monitor.decoders.sip_call import ANSWERED, OFFERED, OVER, REFUSED, UNCOUNTED, Call, CallTable, timer_of
from monitor.decoders.sip_claims import (
    asserted_in,
    branch_of,
    claims_of,
    tag_of,
    uri_of,
    uris_in,
)
from monitor.decoders.sip_head import Head
from monitor.decoders.sip_media import SipMedia
from monitor.decoders.sip_message import SipMessage
from monitor.decoders.sip_offers import broken_in, call_id_of, number_of, offered_behind, offered_in
from monitor.decoders.sip_pressed import SipKeys
from monitor.decoders.sip_resumed import resume, saved_of
from monitor.decoders.sip_rosters import PACKAGE, SipRosters
from monitor.model.calls import CallAnswered, CallEnded, CallForwarded, CallRefused, Claims
from monitor.model.evidence import MINUTE, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Reason
from monitor.model.packets import Packet, destination_of, evidence_of, reverse_of, source_of, text_of
from monitor.model.resumed import CallSaved

MAX_OFFERS = 4
"""Hops on which a call is offered anew because the network asserts another identity there."""

ANSWERABLE: Final[Nanoseconds] = MINUTE
"""A request that nobody has answered by then is not answered any more (RFC 3261, 17.1.2.2: 32 s)."""

TRYING: Final = 100
"""Tells the next hop alone that the request has come (RFC 3261, 16.2): a sixth of all messages, and no news."""

CHALLENGES: Final = frozenset({401, 407})

REFUSED_UNSEEN: Final = 0
"""The status of a refusal of which only the ACK was seen."""

ESTABLISHED: Final = frozenset({"BYE", "INFO", "UPDATE"})
"""Requests whose success proves that there is a call, even if nothing else of it was seen. PRACK and UPDATE come before
the answer, too; but then the INVITE was a moment ago."""


class SipCalls:
    """The state of every call, and what each message changes in it."""

    def __init__(
        self,
        addresses: MediaAddresses,
        widen: Widen | None = None,
        losses: Losses | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._table = CallTable(limits.calls)
        self._losses = losses or Losses()
        self._addresses = addresses
        self._media = SipMedia(addresses, widen)
        self.counts = {"calls": 0, "calls_evicted": 0, "calls_expired": 0, "requests_unplaced_evicted": 0}
        self._rosters = SipRosters(self._table, self.counts, limits.roster_subscriptions)
        self._keys = SipKeys(
            self._table, self.counts, {PACKAGE: self._rosters.read}, losses=self._losses, most=limits.subscriptions
        )
        self._told_of_eviction: Nanoseconds | None = None
        self._most_targets = limits.requests_unplaced
        self._targets: OrderedDict[str, tuple[Nanoseconds, str]] = OrderedDict()
        """Where requests go that belong to calls of which nothing else was seen, by Call-ID and tag of the sender."""
        self._readers = {
            "INVITE": self._invite,
            "ACK": self._ack,
            "BYE": self._bye,
            "REFER": self._refer,
            "UPDATE": self._in_dialog,
            "PRACK": self._in_dialog,
            "INFO": self._keyed,
            "NOTIFY": self._keyed,
            "SUBSCRIBE": self._keys.subscribe,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is."""
        return {
            "calls": len(self._table),
            "media_addresses": len(self._addresses),
            "subscriptions": self._keys.subscribed,
            "roster_subscriptions": len(self._rosters),
            "requests_unplaced": len(self._targets),
        }

    def read(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """What this message changes.

        Raises:
            Malformed: A header that is needed is broken.
        """
        status = message.status
        if status:
            return self._response(message, status, packet) if status != TRYING else NOTHING
        reader = self._readers.get(message.method)
        return reader(message, packet) if reader is not None else NOTHING

    def saved(self, call_id: str) -> CallSaved | None:
        """The call as it is now, for another decoder; none when it is over or unknown."""
        call = self._table.get(call_id)
        if call is None:
            return None
        self._media.read()
        return saved_of(call, self._addresses)

    def resume(self, saved: CallSaved) -> None:
        """Go on with a call that another decoder has read so far."""
        resume(saved, self._table, self._addresses)

    def knows(self, call_id: str) -> bool:
        """Whether there is, or a moment ago was, a call of that name."""
        return self._table.get(call_id) is not None

    def advance(self, at: Nanoseconds) -> tuple[Decoded, ...]:
        """Ends answered calls that were silent for too long, and forgets those that nobody answered."""
        self._keys.advance(at)
        self._rosters.advance(at)
        while self._targets and next(iter(self._targets.values()))[0] + ANSWERABLE < at:
            self._targets.popitem(last=False)
        for call in self._table.drop_waiting(at):
            self._media.forget(call)
        return tuple(self._expire(call, at) for call in self._table.expired(at))

    def _expire(self, call: Call, at: Nanoseconds) -> CallEnded:
        self.counts["calls_expired"] += 1
        self._media.forget(call)
        return CallEnded(at=at, evidence=call.last_evidence, call=call.id, by="unknown")

    # Requests

    def _invite(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        call_id = call_id_of(message)
        call = self._table.get(call_id)
        if call is None:
            return self._offer(message, packet)
        number = number_of(message)
        if number == call.number and packet.flow in call.hops and not call.rebuilt:
            return NOTHING
        within = bool(tag_of(message.first("to")))
        if call.state is OVER:
            # Some count on under one Call-ID: a test tool, or somebody who hides a second call behind a first.
            return NOTHING if within else self._offer(message, packet)
        if within:
            return self._in_dialog(message, packet)
        return self._once_more(call, number, message, packet)

    def _once_more(self, call: Call, number: int, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """An INVITE for a call that was offered: on its next hop, with credentials, or after a refusal."""
        same_caller = source_of(packet.flow) == source_of(call.hops[0])
        elsewhere = bool(call.target) and message.target != call.target  # of a call taken over it may not be known
        if same_caller and number > call.number and elsewhere and not call.redirected:
            # Another target by the same caller is another call, or all but the first of a search would be hidden.
            if call.state is not ANSWERED:
                return self._offer(message, packet)
            what = "an INVITE for another target under the Call-ID of a call that goes on"
            return (oddity_of(packet, "sip", Malformed(Reason.CONFLICT, 0, what)), *self._offer(message, packet))
        call.number = max(number, call.number)
        call.latest = max(number, call.latest)
        call.add_caller(tag_of(message.first("from")), packet.flow, branch_of(message.first("via")))
        odd = self._media.announce(call, "caller", message, packet)
        head = Head(message)
        asserted = asserted_in(head)
        better = bool(asserted) and asserted != call.asserted and call.state is not ANSWERED
        if not call.rebuilt and (not better or call.offers >= MAX_OFFERS):
            return odd
        # A later hop, or the INVITE with credentials, may bring what the network asserts of the caller.
        call.rebuilt = False
        call.offers += 1
        call.asserted = asserted
        return (offered_in(message, head, packet), *odd)

    def _offer(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A call begins."""
        head = Head(message)
        call_id, number, caller = call_id_of(message), number_of(message), tag_of(head.first("from"))
        call = Call(call_id, number, packet.flow, message.target, caller)
        call.branches = (branch_of(head.first("via")),)
        offered = offered_in(message, head, packet, partial=bool(tag_of(head.first("to"))))
        call.asserted = offered.caller.asserted
        evicted = self._begin(call, packet)
        return (
            *evicted,
            offered,
            *self._media.announce(call, "caller", message, packet),
            *broken_in(message, head, packet),
        )

    def _begin(self, call: Call, packet: Packet) -> tuple[Decoded, ...]:
        """Gives the call its place in the table; tells at most once a minute that there was none."""
        self.counts["calls"] += 1
        call.touch(packet.at, packet.capture, packet.number)
        former = self._table.get(call.id)
        if former is not None:
            self._media.forget(former)
            self._table.end(former)
        evicted = self._table.add(call)
        if evicted is None:
            return NOTHING
        self.counts["calls_evicted"] += 1
        self._media.forget(evicted)
        if self._told_of_eviction is not None and packet.at - self._told_of_eviction < MINUTE:
            return NOTHING
        self._told_of_eviction = packet.at
        return (eviction_of(packet, "sip", "the table of calls is full; unanswered ones are forgotten first"),)

    def _ack(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Carries the answer to an offer that came late; and shows that a call was answered whose 2xx was not seen."""
        call = self._table.waiting.get(message.call_id)
        if call is not None and call.state is OFFERED:
            to = message.first("to")
            caller, callee = tag_of(message.first("from")), tag_of(to)
            if callee and caller in call.caller_tags:
                # The ACK of a refusal belongs to the INVITE's transaction, that of a 2xx is its own (RFC 3261,
                # 17.1.1.3).
                if branch_of(message.first("via")) in call.branches:
                    return self._refused_unseen(call, packet) if number_of(message) != call.challenged else NOTHING
                callee_claims = Claims(uri=uri_of(to), sent_from=text_of(destination_of(packet.flow)))
                return self._answered(call, caller, callee, callee_claims, message.target, False, packet)
        if b"telephone-event" in message.text:
            return self._in_dialog(message, packet)
        return NOTHING

    def _in_dialog(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A request within the call that may move its media: re-INVITE, UPDATE, PRACK, ACK."""
        call = self._table.get(message.call_id)
        if call is None:
            return self._of_unseen(message, packet.at)
        call.touch(packet.at, packet.capture, packet.number)
        side = call.side_of(tag_of(message.first("from")), source_of(packet.flow))
        if side == "caller":
            call.latest = max(call.latest, number_of(message))
        return self._media.announce(call, side, message, packet)

    def _bye(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        call = self._table.get(message.call_id)
        if call is None:
            return self._of_unseen(message, packet.at)
        if call.state is OVER:
            return NOTHING
        sender = tag_of(message.first("from"))
        if call.state is ANSWERED:
            ends = call.hang_up(sender, tag_of(message.first("to")))
            if ends is None:
                what = "BYE with tags of no dialog of its call"
                return (oddity_of(packet, "sip", Malformed(Reason.CONFLICT, 0, what)),)
            if not ends:
                return NOTHING
        self._losses.note(1)
        return self._over(call, call.side_of(sender, source_of(packet.flow)), packet)

    def _of_unseen(self, message: SipMessage, at: Nanoseconds) -> tuple[Decoded, ...]:
        """A request within a call that is not known yet: until it is answered it proves nothing; then, where it went is
        where the far end is by now, such as the conference that a bridge has put its caller into.
        """
        name = f"{message.call_id} {tag_of(message.first('from'))}"
        self._targets.pop(name, None)
        if len(self._targets) >= self._most_targets:
            self._targets.popitem(last=False)
            self.counts["requests_unplaced_evicted"] += 1
        self._targets[name] = (at, message.target)
        return NOTHING

    def _over(self, call: Call, by: Side, packet: Packet) -> tuple[Decoded, ...]:
        """Somebody has hung up."""
        refused = call.state is REFUSED
        call.touch(packet.at, packet.capture, packet.number)
        self._media.forget(call)
        self._table.end(call)
        if refused:
            return NOTHING
        return (CallEnded(at=packet.at, evidence=evidence_of(packet), call=call.id, by=by),)

    def _refer(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A transfer (RFC 3515), or a focus that is asked to add or remove somebody (RFC 4579, 5.5 and 5.11)."""
        call = self._table.get(message.call_id)
        if call is None or call.state is OVER:
            return NOTHING
        side = call.side_of(tag_of(message.first("from")), source_of(packet.flow))
        to = uri_of(message.first("refer-to"))
        if not call.is_new(f"{side} {number_of(message)}") or not to:
            return NOTHING
        call.touch(packet.at, packet.capture, packet.number)
        return (
            CallForwarded(at=packet.at, evidence=evidence_of(packet), call=call.id, to=(to,), how="transfer", by=side),
        )

    def _keyed(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        return self._keys.read(message, packet)

    # Responses

    def _response(self, message: SipMessage, status: int, packet: Packet) -> tuple[Decoded, ...]:
        # By far most provisional answers say nothing that matters here: 100, 180 and 183 without description.
        if status < 200 and status != 181 and b"telephone-event" not in message.text:
            return NOTHING
        call = self._table.get(message.call_id)
        if call is not None and call.state is OVER:
            return NOTHING
        number, method = message.cseq
        if method != "INVITE":
            return self._response_within(call, number, method, message, packet)
        if status >= 300:
            if call is None:
                return self._refused_of_unseen(number, status, message, packet)
            return self._refused(call, number, status, message, packet)
        if status >= 200:
            return self._success(call, number, message, packet)
        if call is None:
            # The answer itself may be lost as well: then this description is all that leads from the keys to the call.
            call, before = self._rebuild(number, tag_of(message.first("from")), message, packet)
            return (*before, *self._media_of_answer(call, message, packet))
        if call.state is ANSWERED:
            return NOTHING
        odd = self._media_of_answer(call, message, packet)
        if status != 181 or call.forwarded:
            return odd
        call.forwarded = True
        forwarded = CallForwarded(at=packet.at, evidence=evidence_of(packet), call=call.id, to=(), how="progress")
        return (forwarded, *odd)

    def _response_within(
        self, call: Call | None, number: int, method: str, message: SipMessage, packet: Packet
    ) -> tuple[Decoded, ...]:
        """The answer to a request within a call; it tells of the request, and even of the call, that was not seen."""
        before: tuple[Decoded, ...] = NOTHING
        if call is None:
            caller, callee = tag_of(message.first("from")), tag_of(message.first("to"))
            if method not in ESTABLISHED or message.status >= 300 or not (caller and callee):
                return NOTHING
            call, before = self._rebuild(number, caller, message, packet)
            call.latest = UNCOUNTED
            claims = Claims(uri=uri_of(message.first("to")), sent_from=text_of(source_of(packet.flow)))
            before += self._answered(call, caller, callee, claims, "", False, packet)
        call.touch(packet.at, packet.capture, packet.number)
        if method == "BYE" and message.status < 300 and call.state in (OFFERED, ANSWERED):
            return (*before, *self._bye_unseen(call, message, packet))
        return (*before, *self._media_of_answer(call, message, packet)) if method in ("UPDATE", "PRACK") else before

    def _bye_unseen(self, call: Call, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Of a BYE only the answer is here, which says as much."""
        asker = tag_of(message.first("from"))
        if not call.hang_up(asker, tag_of(message.first("to"))):
            return NOTHING
        self._losses.note(1, int(call.both_ways))
        return self._over(call, call.side_of(asker, destination_of(packet.flow)), packet)

    def _media_of_answer(self, call: Call, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A response is sent by the side that its From does not name."""
        asker = call.side_of(tag_of(message.first("from")), destination_of(packet.flow))
        return self._media.announce(call, OTHER[asker], message, packet)

    def _success(self, call: Call | None, number: int, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A 2xx to an INVITE: the call's answer, one more hop or fork of it, or the answer to a re-INVITE."""
        head = Head(message)
        caller, to = tag_of(head.first("from")), head.first("to")
        before: tuple[Decoded, ...] = NOTHING
        if call is None:
            call, before = self._rebuild(number, caller, message, packet)
        timer = timer_of(head.first("session-expires"))
        if timer is not None:
            call.life = timer
        call.both_ways = call.both_ways or not call.rebuilt
        speaker = OTHER[call.side_of(caller, destination_of(packet.flow))]
        odd = self._media.announce(call, speaker, message, packet)
        if call.state is ANSWERED:
            call.touch(packet.at, packet.capture, packet.number)
            call.add_dialog(caller, tag_of(to))
            return odd
        value = head.first("contact")
        contact = uri_of(value)
        focus = "isfocus" in value.lower() and "isfocus" in parse_address(value).params
        callee = claims_of(head, "to", text_of(source_of(packet.flow)))
        return (*before, *self._answered(call, caller, tag_of(to), callee, contact, focus, packet), *odd)

    def _answered(
        self, call: Call, caller: str, callee: str, claims: Claims, contact: str, focus: bool, packet: Packet
    ) -> tuple[Decoded, ...]:
        call.touch(packet.at, packet.capture, packet.number)
        call.branches = ()
        call.add_dialog(caller, callee)
        self._table.answer(call)
        if call.media is not None:
            call.media.is_answered = True
        return (
            CallAnswered(
                at=packet.at, evidence=evidence_of(packet), call=call.id, callee=claims, contact=contact, focus=focus
            ),
        )

    def _rebuild(
        self, number: int, caller: str, message: SipMessage, packet: Packet
    ) -> tuple[Call, tuple[Decoded, ...]]:
        """The call as an answer tells of it, when the INVITE was lost, or not seen by a mirror of one direction."""
        to = uri_of(message.first("to"))
        _, target = self._targets.pop(f"{message.call_id} {caller}", (0, to))
        call = Call(message.call_id, number, reverse_of(packet.flow), target, caller)
        call.rebuilt = True
        evicted = self._begin(call, packet)
        return call, (*evicted, offered_behind(message, target, to, packet))

    def _refused_of_unseen(self, number: int, status: int, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A refusal is the only trace of an attempt: those who search for meetings leave many."""
        if status in CHALLENGES or not tag_of(message.first("to")):
            return NOTHING
        call, before = self._rebuild(number, tag_of(message.first("from")), message, packet)
        return (*before, *self._refused(call, number, status, message, packet))

    def _refused_unseen(self, call: Call, packet: Packet) -> tuple[Decoded, ...]:
        """The caller acknowledges a refusal that is not here."""
        call.state = REFUSED
        return (CallRefused(at=packet.at, evidence=evidence_of(packet), call=call.id, status=REFUSED_UNSEEN),)

    def _refused(
        self, call: Call, number: int, status: int, message: SipMessage, packet: Packet
    ) -> tuple[Decoded, ...]:
        """A final answer of 300 and more: once for each attempt, and none for a challenge or a failed re-INVITE."""
        if call.state is ANSWERED or status in CHALLENGES or number <= call.refused:
            call.challenged = number if status in CHALLENGES else call.challenged
            return NOTHING
        call.state = REFUSED
        call.refused = number
        refused = CallRefused(at=packet.at, evidence=evidence_of(packet), call=call.id, status=status)
        contacts = uris_in(Head(message), "contact") if status < 400 else ()
        if not contacts:
            return (refused,)
        call.redirected = True
        return (
            refused,
            CallForwarded(at=packet.at, evidence=evidence_of(packet), call=call.id, to=contacts, how="redirect"),
        )
