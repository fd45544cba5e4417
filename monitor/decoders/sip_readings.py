"""SIP that can be read in two ways: copies of a message differ, and nobody can tell which of them was received.

Both are followed. A call of which a message differs goes on as it was read first, and once more under a name of its
own, as it looks with the other copy in its place: what came before is read again, what comes later is read for both.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import Final, TypeAlias

from monitor.decoders.decoder import NOTHING, Decoded, oddity_of
from monitor.decoders.sip_aside import SipAside
from monitor.decoders.sip_call import SWEEP
from monitor.decoders.sip_claims import branch_of, tag_of
from monitor.decoders.sip_message import SipMessage, usual_names
from monitor.decoders.sip_stream import SipFraming
from monitor.model.evidence import MINUTE, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Reason
from monitor.model.packets import Datagram, Flow, OtherReading, Packet, StreamData
from monitor.model.readings import name_of, reading_of

MAX_MESSAGES = 64
"""Of one call."""

MAX_READINGS = 8
"""Other ways to read one call; the latest holds every difference so far."""

SILENT: Final[Nanoseconds] = 10 * MINUTE
"""A connection on which nothing is said for so long is over."""

Read: TypeAlias = Callable[[SipMessage, Packet], tuple[Decoded, ...]]
Kept: TypeAlias = tuple[SipMessage, Packet]

_CONTENT: Final = frozenset({"INVITE", "INFO"})
"""Requests whose copies are compared wherever they come from: who calls whom, and keys."""


class SipReadings:
    """Stands before the calls, keeps what it may have to read again, and reads what is in doubt for both sides."""

    def __init__(
        self,
        read: Read,
        aside: SipAside | None,
        counts: dict[str, int],
        knows: Callable[[str], bool] = bool,
        limits: Limits | None = None,
    ) -> None:
        """`knows` tells whether there is, or was a moment ago, a call of that name."""
        self._read = read
        self._aside = aside
        self._knows = knows
        self._limits = limits or Limits()
        self._counts = counts
        names = ("calls_read_otherwise", "calls_kept_evicted", "calls_doubted_evicted", "streams_doubted_evicted")
        self._counts |= dict.fromkeys(names, 0)
        self._swept: Nanoseconds = 0
        self._kept: OrderedDict[str, list[Kept]] = OrderedDict()
        self._bytes = 0
        self.names: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        """The names of a call's other readings, by its Call-ID."""
        self._pairs: OrderedDict[Flow, _Pair] = OrderedDict()

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is."""
        return {
            "calls_kept": len(self._kept),
            "calls_kept_bytes": self._bytes,
            "calls_doubted": len(self.names),
            "streams_doubted": len(self._pairs),
        }

    def advance(self, at: Nanoseconds) -> None:
        """Once a minute forgets what was kept of calls, and of streams, that are over."""
        if abs(at - self._swept) < SWEEP:
            return
        self._swept = at
        for call_id in [call_id for call_id in self._kept if not self._knows(call_id)]:
            self._forget(call_id)
        for call_id in [name for name, ways in self.names.items() if not any(map(self._knows, (name, *ways)))]:
            del self.names[call_id]
        for flow in [flow for flow, pair in self._pairs.items() if abs(at - pair.at) >= SILENT]:
            del self._pairs[flow]

    def read(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """What this message changes, in each reading of its call.

        Raises:
            Malformed: A header that is needed is broken.
        """
        if 100 <= message.status < 200:
            return self._read(message, packet)
        method, call_id = message.method, message.call_id
        doubtful = type(packet) is Datagram and packet.ambiguous
        compared = doubtful or method in _CONTENT
        if not compared and call_id not in self._kept and call_id not in self.names:
            return self._read(message, packet)  # of a call that leads to no meeting: nearly all
        ways = self._messages_of(call_id) or call_id in self.names
        if compared and ways and (rivals := self._rivals_of(message, packet, doubtful)) is not None:
            what = Malformed(Reason.CONFLICT, 0, "copies of one request differ")
            return (*self.otherwise(message, packet, rivals), oddity_of(packet, "sip", what)) if rivals else NOTHING
        said = self._read(message, packet)
        kept = self._kept.get(call_id)
        if kept is not None:
            self._keep(kept, message, packet)
        elif method == "INVITE" and (self._aside is None or not self._aside.messages_of(call_id)):
            self._keep(self._begin(call_id), message, packet)
        for name in self.names.get(call_id, ()) if self.names else ():
            said = (*said, *self._read_for(name, message, packet))
        return said

    def doubts(self, payload: bytes) -> bool:
        """Whether a message, which the call's first reading needs no more, may be one that another reading needs."""
        usual = usual_names(payload)
        return usual is None or usual[0] in self.names

    def otherwise(self, message: SipMessage, packet: Packet, instead_of: Collection[bytes]) -> tuple[Decoded, ...]:
        """A message as another copy has it, in place of one of those texts."""
        call_id = message.call_id
        names = self.names.get(call_id, ())
        ways = [self._messages_of(name) for name in (*reversed(names), call_id)]
        if not any(ways):
            return self.read(message, packet)  # of a call that only this reading has
        if any(message.text == known.text for way in ways for known, _ in way):
            return NOTHING
        way = next((way for way in ways if any(known.text in instead_of for known, _ in way)), ways[-1])
        name = self._named(call_id, names)
        said: list[Decoded] = []
        placed = False
        for known, seen in way[:]:
            if known.text not in instead_of and not _same_place(known, seen, message, packet):
                said += self._read_for(name, known, seen)
            elif not placed:
                placed = True
                said += self._read_for(name, message, packet)
        return tuple(said) if placed else (*said, *self._read_for(name, message, packet))

    def stream(self, packet: OtherReading) -> tuple[Decoded, ...]:
        """The next bytes of a stream in both readings; what both say was read when the first was."""
        pair = self._pairs.get(packet.flow)
        if packet.begins:
            pair = self._pairs[packet.flow] = _Pair()
            self._pairs.move_to_end(packet.flow)
            if len(self._pairs) > self._limits.streams_doubted:
                self._pairs.popitem(last=False)
                self._counts["streams_doubted_evicted"] += 1
        if pair is None:
            return NOTHING
        pair.at = packet.at
        said: list[Decoded] = []
        for message in pair.feed(packet):
            try:
                said += self.otherwise(message, packet, pair.texts)
            except Malformed as error:
                said.append(oddity_of(packet, "sip", error))
        if pair.is_over:
            del self._pairs[packet.flow]
        return tuple(said)

    def _rivals_of(self, message: SipMessage, packet: Packet, doubtful: bool) -> Collection[bytes] | None:
        """The copies on the same hop that this message contradicts; none of them, if it is known; None if it is new."""
        call_id = message.call_id
        ways = [(name, self._messages_of(name)) for name in (call_id, *self.names.get(call_id, ()))]
        rivals: set[bytes] = set()
        for name, way in ways:
            for known, seen in way:
                if _same_place(known, seen, message, packet):
                    if known.text == message.text:
                        return None if name == call_id else ()
                    if doubtful or _contradict(known, message) or self._leads_astray(known, message, packet):
                        rivals.add(known.text)
        return rivals or None

    def _leads_astray(self, known: SipMessage, message: SipMessage, packet: Packet) -> bool:
        """Whether a call that led nowhere leads to a meeting all at once, which is a fork or a trick: both are read."""
        aside = self._aside
        astray = aside is not None and known.target != message.target and bool(aside.messages_of(message.call_id))
        return astray and aside is not None and aside.leads_on(message, packet)

    def _messages_of(self, call_id: str) -> list[Kept]:
        if call_id in self._kept:
            return self._kept[call_id]
        return self._aside.messages_of(call_id) if self._aside is not None else []

    def _read_for(self, name: str, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """The same message as one of that reading's call."""
        if isinstance(packet, Datagram | StreamData):
            packet = packet._replace(ambiguous=True)
        self._keep(self._kept.get(name) or self._begin(name), message, packet)
        return self._read(message.under(name), packet)

    def _named(self, call_id: str, names: tuple[str, ...]) -> str:
        """A name for one more reading."""
        self._counts["calls_read_otherwise"] += 1
        name = name_of(call_id, reading_of(names[-1]) + 1 if names else 2)
        for old in names[: len(names) + 1 - MAX_READINGS]:
            self._forget(old)
        self.names[call_id] = (*names, name)[-MAX_READINGS:]
        self.names.move_to_end(call_id)
        if len(self.names) > self._limits.calls_doubted:
            self._counts["calls_doubted_evicted"] += 1
            _, olds = self.names.popitem(last=False)
            for old in olds:
                self._forget(old)
        return name

    def _begin(self, call_id: str) -> list[Kept]:
        kept = self._kept[call_id] = []
        limits = self._limits
        while len(self._kept) > limits.calls_kept or (self._bytes > limits.calls_kept_bytes and len(self._kept) > 1):
            self._counts["calls_kept_evicted"] += 1
            self._forget(next(iter(self._kept)))
        return kept

    def _keep(self, kept: list[Kept], message: SipMessage, packet: Packet) -> None:
        if len(kept) < MAX_MESSAGES:
            kept.append((message, packet))
            self._bytes += len(message.text)

    def _forget(self, call_id: str) -> None:
        self._bytes -= sum(len(message.text) for message, _ in self._kept.pop(call_id, ()))


class _Pair:
    """Both readings of one stretch of a stream."""

    __slots__ = ("_given", "_other", "at", "texts")

    def __init__(self) -> None:
        self.at: Nanoseconds = 0
        """When it was last heard of."""
        self._given = SipFraming()
        self._other = SipFraming()
        self.texts: set[bytes] = set()
        """The messages of the reading that is given as the stream."""

    def feed(self, packet: OtherReading) -> list[SipMessage]:
        """The messages that only the other reading has."""
        self.texts |= {message.text for message in _messages_in(self._given.feed(packet.given))}
        return [m for m in _messages_in(self._other.feed(packet.other)) if m.text not in self.texts]

    @property
    def is_over(self) -> bool:
        """Both are between messages: what follows is the same for both."""
        return self._given.is_between and self._other.is_between


def _messages_in(read: Iterable[SipMessage | Malformed]) -> list[SipMessage]:
    return [one for one in read if not isinstance(one, Malformed)]


def _same_place(known: SipMessage, seen: Packet, message: SipMessage, packet: Packet) -> bool:
    """Whether two messages can only stand in one another's place: one request, or its answer, on one hop."""
    alike = known.method == message.method and known.status == message.status and seen.flow == packet.flow
    return alike and _cseq_of(known) == _cseq_of(message)


def _cseq_of(message: SipMessage) -> tuple[int, str]:
    try:
        return message.cseq
    except Malformed:
        return 0, message.method


def _contradict(one: SipMessage, two: SipMessage) -> bool:
    """Whether two requests on one hop under one CSeq differ in what no retransmission and no fork may change.

    A retransmission is equal (RFC 3261, section 17.1.1.2); a fork has another target and another branch.
    """
    if one.method == "INFO":
        return one.body != two.body
    if tag_of(two.first("to")):
        return False  # Within the dialog both sides ask, each under its own numbers.
    if any(one.first(name) != two.first(name) for name in ("from", "to")):
        return True
    if branch_of(one.first("via")) != branch_of(two.first("via")):
        return False
    named = ("p-asserted-identity", "remote-party-id")
    return one.target != two.target or any(one.first(name) != two.first(name) for name in named)
