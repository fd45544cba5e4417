"""Calls that lead to no meeting: nearly all of a trunk, so their messages wait unread, and mostly for ever.

What is asked of an INVITE first is where it leads. If that is nowhere of interest, the few messages that later could
matter are kept as they came, and the call costs a tenth of what reading it would. When something makes the call
interesting after all (keys, a transfer, a redirect, another target), its messages are read then, in their order, and it
goes on as if it had been read all along: with the same events, from the same frames, a little later.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias

from monitor.decoders.decoder import NOTHING, Decoded, eviction_of, oddity_of
from monitor.decoders.sip_address import params_of
from monitor.decoders.sip_call import SILENT, WAITING, WAITING_ROOM
from monitor.decoders.sip_calls import CHALLENGES, SipCalls
from monitor.decoders.sip_claims import uri_of
from monitor.decoders.sip_media import places_of
from monitor.decoders.sip_message import SipMessage, usual_names
from monitor.model.evidence import MINUTE, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed
from monitor.model.packets import Flow, Packet, destination_of, reverse_of, source_of, text_of

Heeds: TypeAlias = Callable[[str, str, str, str], bool]
"""Whether a call may lead to a meeting: asked with Request-URI, To URI, and the addresses it goes from and to."""

MAX_MESSAGES = 16
"""Of one call: hops, forks and credentials. A call with more is read."""

WAKING: Final = frozenset({"INFO", "NOTIFY", "REFER", "SUBSCRIBE"})
"""Requests within a call that may carry keys, or send somebody elsewhere."""

_SELDOM_NEWS: Final = (b"ACK ", b"BYE ")

DESCRIBING: Final = frozenset({"ACK", "UPDATE", "PRACK"})
"""Requests that matter only when they describe media."""


class Kept:
    """One call that was set aside."""

    __slots__ = ("answered", "at", "bytes", "hops", "messages", "places")

    def __init__(self, at: Nanoseconds) -> None:
        self.at = at
        """When it was last heard of."""
        self.answered = False
        self.bytes = 0
        self.messages: list[tuple[SipMessage, Packet]] | None = []
        """None when the call is over: only its name is remembered, to know retransmissions."""
        self.hops: set[Flow] = set()
        self.places: list[bytes] = []
        """Media addresses by which it can be found."""


class SipAside:
    """Stands before the calls, and lets through what matters."""

    def __init__(self, calls: SipCalls, heeds: Heeds, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._calls = calls
        self._heeds = heeds
        self._counts = calls.counts
        self._open: OrderedDict[str, Kept] = OrderedDict()
        """Not answered, or over: forgotten first."""
        self._answered: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0
        self._unplaced: dict[str, None] = {}
        """Calls with descriptions whose addresses nobody has asked for yet."""
        self._places: dict[bytes, str] = {}
        self._told_of_eviction: Nanoseconds | None = None
        self._counts["calls_aside_evicted"] = 0

    @property
    def sizes(self) -> dict[str, int]:
        """How full the tables are."""
        return {"calls_aside": len(self._open) + len(self._answered), "calls_aside_bytes": self._bytes}

    def read(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """What this message changes: nothing, while its call is of no interest.

        Raises:
            Malformed: A header that is needed is broken.
        """
        status = message.status
        # By far most provisional answers say nothing that matters to anybody: 100, 180 and 183 without description.
        if 100 <= status < 200 and status != 181 and b"telephone-event" not in message.text:
            return NOTHING
        call_id = message.call_id
        kept = self._open.get(call_id) or self._answered.get(call_id)
        if kept is None:
            if message.method == "SUBSCRIBE":
                # A subscription to keys has a Call-ID of its own and names the call (RFC 4730, 3.2).
                named = params_of(message.first("event").partition(";")[2]).get("call-id", "")
                return (*self._wake(named), *self._calls.read(message, packet))
            if not call_id or self._calls.knows(call_id):
                return self._calls.read(message, packet)
            if message.method == "INVITE":
                return self._consider(call_id, message, packet)
            # Of a call that was not seen, an answer is the first that is read.
            return self._calls.read(message, packet) if not status or self._is_trace(message, packet) else NOTHING
        kept.at = packet.at
        (self._answered if kept.answered else self._open).move_to_end(call_id)
        if kept.messages is None:
            # Over. Some count on under one Call-ID: a new INVITE is a new call.
            if message.method == "INVITE" and message.cseq[0] and ";tag=" not in message.first("to"):
                self._forget(call_id)
                return self.read(message, packet)
            return NOTHING
        return self._go_on(call_id, kept, message, packet)

    def is_settled(self, payload: bytes, packet: Packet) -> bool:
        """Whether a datagram, known to be SIP, surely says nothing; most do, and need not become a message for that.

        What it cannot tell by the first bytes and the usual spelling of Call-ID and CSeq, `read` looks at.
        """
        start = payload[:9]
        if start == b"SIP/2.0 1":
            code = payload[9:12]
            return code != b"81 " and code[2:] == b" " and code[:2].isdigit() and b"telephone-event" not in payload
        if start != b"SIP/2.0 2" and start[:4] not in _SELDOM_NEWS:
            return False
        names = usual_names(payload)
        if names is None:
            return False
        call_id, method = names
        kept = self._open.get(call_id) or self._answered.get(call_id)
        if kept is None:
            return False
        if kept.messages is None:
            return True
        if start[:1] == b"B":
            kept.at = packet.at
            self._bye(call_id, kept, packet)
            return True
        return b"telephone-event" not in payload if start[:1] == b"A" else method != b"INVITE"

    def messages_of(self, call_id: str) -> list[tuple[SipMessage, Packet]]:
        """What is kept of a call; nothing of one that was read or is over."""
        kept = self._open.get(call_id) or self._answered.get(call_id)
        return kept.messages or [] if kept is not None else []

    def leads_on(self, message: SipMessage, packet: Packet) -> bool:
        """Whether this INVITE may lead to a meeting."""
        source, destination = text_of(source_of(packet.flow)), text_of(destination_of(packet.flow))
        return self._heeds(message.target, uri_of(message.first("to")), source, destination)

    def wake_at(self, flow: Flow) -> tuple[Decoded, ...]:
        """Media that may be a key flows here: reads the call that announced one end of it, if it was set aside."""
        if not (self._unplaced or self._places):
            return NOTHING
        woken = self._place_all() if self._unplaced else []
        half = (len(flow) - 4) >> 1
        for place in (flow[half:-4] + flow[-2:], flow[:half] + flow[-4:-2]):
            call_id = self._places.get(place)
            if call_id is not None:
                woken += self._wake(call_id)
        return tuple(woken)

    def advance(self, at: Nanoseconds) -> None:
        """Forgets calls of which nothing was heard for too long."""
        for table, life in ((self._open, WAITING), (self._answered, SILENT)):
            while table:
                oldest = next(iter(table))
                if table[oldest].at + life > at:
                    break
                self._forget(oldest)

    def _consider(self, call_id: str, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A new call: of interest, or to be set aside."""
        if self.leads_on(message, packet):
            return self._calls.read(message, packet)
        self._counts["calls"] += 1
        kept = self._open[call_id] = Kept(packet.at)
        self._keep(call_id, kept, message, packet)
        said: tuple[Decoded, ...] = NOTHING
        limits = self._limits
        while self._bytes > limits.calls_aside_bytes or len(self._open) + len(self._answered) > limits.calls_aside:
            said += self._evict(packet)
        return said

    def _is_trace(self, message: SipMessage, packet: Packet) -> bool:
        """Whether an answer may be the trace of a call to a meeting, or of one by its bridge."""
        if message.cseq[1] == "INVITE" and message.status < 300:
            return True  # Keys may follow, wherever it goes.
        asker, asked = text_of(destination_of(packet.flow)), text_of(source_of(packet.flow))
        to, by = uri_of(message.first("to")), uri_of(message.first("from"))
        return self._heeds(to, to, asker, asked) or self._heeds(by, by, asked, asker)

    def _go_on(self, call_id: str, kept: Kept, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """The next message of a call that was set aside."""
        if message.status:
            return self._response(call_id, kept, message, packet)
        method = message.method
        if method == "BYE":
            self._bye(call_id, kept, packet)
            return NOTHING
        if method == "INVITE":
            return self._invite_again(call_id, kept, message, packet)
        if method in WAKING:
            return (*self._wake(call_id), *self._calls.read(message, packet))
        if method in DESCRIBING and b"telephone-event" in message.text:
            return self._keep_or_wake(call_id, kept, message, packet)
        return NOTHING

    def _response(self, call_id: str, kept: Kept, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        status = message.status
        if message.cseq[1] != "INVITE":
            return NOTHING
        if 300 <= status < 400 or status == 181:
            return (*self._wake(call_id), *self._calls.read(message, packet))
        if status < 300:
            if status >= 200 and not kept.answered:
                kept.answered = True
                self._answered[call_id] = self._open.pop(call_id)
            return self._keep_or_wake(call_id, kept, message, packet)
        # A refusal may be overruled on another hop; a challenge is followed by an INVITE with credentials.
        return NOTHING if status in CHALLENGES else self._keep_or_wake(call_id, kept, message, packet)

    def _invite_again(self, call_id: str, kept: Kept, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """A retransmission, the next hop, credentials, or a re-INVITE; a new target may be of interest."""
        if kept.messages and any(message.text == known.text for known, _ in kept.messages):
            return NOTHING
        if self.leads_on(message, packet):
            return (*self._wake(call_id), *self._calls.read(message, packet))
        return self._keep_or_wake(call_id, kept, message, packet)

    def _keep_or_wake(self, call_id: str, kept: Kept, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        if kept.messages is not None and len(kept.messages) < MAX_MESSAGES:
            if not any(message.text == known.text for known, _ in kept.messages):
                self._keep(call_id, kept, message, packet)
            return NOTHING
        return (*self._wake(call_id), *self._calls.read(message, packet))

    def _keep(self, call_id: str, kept: Kept, message: SipMessage, packet: Packet) -> None:
        if kept.messages is None:
            return
        kept.messages.append((message, packet))
        kept.hops.add(packet.flow)
        kept.bytes += len(message.text)
        self._bytes += len(message.text)
        if b"telephone-event" in message.text:
            self._unplaced[call_id] = None

    def _wake(self, call_id: str) -> tuple[Decoded, ...]:
        """Reads everything that was kept of a call; from now on it is one like others."""
        kept = self._forget(call_id)
        if kept is None or kept.messages is None:
            return NOTHING
        self._counts["calls"] -= 1  # Its reader counts it.
        said: list[Decoded] = []
        for message, packet in kept.messages:
            try:
                said += self._calls.read(message, packet)
            except Malformed as error:
                said.append(oddity_of(packet, "sip", error))
        return tuple(said)

    def _place_all(self) -> list[Decoded]:
        """Finds the media addresses of all calls that have described some; one that cannot be found so is read."""
        unplaced, self._unplaced = self._unplaced, {}
        woken: list[Decoded] = []
        for call_id in unplaced:
            kept = self._open.get(call_id) or self._answered.get(call_id)
            if kept is None or kept.messages is None:
                continue
            for message, packet in kept.messages:
                places = places_of(message, packet)
                if places is None:
                    woken += self._wake(call_id)
                    break
                for place in places:
                    self._places[place] = call_id
                    kept.places.append(place)
        return woken

    def _bye(self, call_id: str, kept: Kept, packet: Packet) -> None:
        """Hung up by one of the two, nothing of it will be asked for again; a BYE from elsewhere is nobody's."""
        if packet.flow not in kept.hops and reverse_of(packet.flow) not in kept.hops:
            return
        self._drop_messages(call_id, kept)
        self._answered.pop(call_id, None)
        kept.answered = False
        self._open[call_id] = kept
        self._open.move_to_end(call_id)

    def _forget(self, call_id: str) -> Kept | None:
        kept = self._open.pop(call_id, None) or self._answered.pop(call_id, None)
        if kept is not None:
            messages = kept.messages
            self._drop_messages(call_id, kept)
            kept.messages = messages
        return kept

    def _drop_messages(self, call_id: str, kept: Kept) -> None:
        self._bytes -= kept.bytes
        kept.bytes = 0
        kept.messages = None
        self._unplaced.pop(call_id, None)
        for place in kept.places:
            if self._places.get(place) == call_id:
                del self._places[place]
        kept.places.clear()

    def _evict(self, packet: Packet) -> tuple[Decoded, ...]:
        """Makes room: the oldest call that is not answered, or the oldest where nearly all are answered."""
        self._counts["calls_aside_evicted"] += 1
        waiting, answered = len(self._open), len(self._answered)
        self._forget(next(iter(self._open if waiting * WAITING_ROOM >= waiting + answered else self._answered)))
        if self._told_of_eviction is not None and packet.at - self._told_of_eviction < MINUTE:
            return NOTHING
        self._told_of_eviction = packet.at
        return (eviction_of(packet, "sip", "too many calls that lead to no meeting; the oldest are forgotten first"),)
