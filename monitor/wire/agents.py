"""Capture agents and what they report (HEP3): who may, in datagrams and in TCP streams, and what comes out of it.

In: what `wire` has put in order. Out: the datagrams inside, each with `reported_by`, its sender's address, and with the
time and number of the frame that carried the report: packet time is the clock of the capture, which an agent's clock
may be far from, and which nobody who forges a report can choose. Where the two clocks differ that is told.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from struct import Struct
from typing import Final, TypeAlias

from monitor.model.asks import Ask
from monitor.model.evidence import HOUR, SECOND, Evidence, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.networks import Networks
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import (
    Datagram,
    Flow,
    Packet,
    StreamData,
    StreamEnd,
    StreamGap,
    destination_port_of,
    source_of,
    source_port_of,
    text_of,
)
from monitor.wire.hep import (
    HEAD_BYTES,
    MAGIC,
    PORTS,
    SIP,
    Key,
    Report,
    Unauthentic,
    is_old,
    length_of,
    report_of,
)

# What is wrong with an agent's reports is told anew after this, for it may go on for months.
TOLD: Nanoseconds = HOUR
MAX_CLOCK_SKEW: Nanoseconds = 5 * SECOND  # An agent sends what it sees at once, and should have its clock set.
MAX_WIDENED: Final = 16  # TCP ports beside `PORTS` where agents were found

COUNTS: Final = (
    "hep_messages",
    "hep_malformed",
    "hep_unsupported",
    "hep_unlisted",
    "hep_unauthentic",
    "hep_clock_off",
    "hep_refused",
    "hep_segments",
    "hep_streams",
    "hep_streams_evicted",
    "hep_complaints_evicted",
)

MAX_KIND: Final = 0xFF  # of chunks: those that are defined are below 0x40
_HEADS: Final = Struct("!4H").unpack_from

Given: TypeAlias = Packet | Oddity
Widen: TypeAlias = Callable[[Ask], None]


class Agents:
    """Everybody who reports."""

    def __init__(
        self,
        counts: dict[str, int],
        senders: Sequence[str] | None,
        key: Key | None = None,
        widen: Widen | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Without `senders` the reports of all are read; with a `key`, those that hold it."""
        self._limits = limits or Limits()
        self._counts = counts
        self._senders = Networks(senders) if senders is not None else None
        self._key = key
        self._widen = widen
        self._widened = set(PORTS)
        self.streams: OrderedDict[Flow, _Stream] = OrderedDict()
        """Directions of TCP connections that carry reports, the one silent longest first."""
        self._told: set[tuple[bytes, str]] = set()
        self._forget: Nanoseconds = 0

    @property
    def sizes(self) -> dict[str, int]:
        """How full the tables are."""
        return {"hep_streams": len(self.streams), "hep_complaints": len(self._told)}

    def advance(self, at: Nanoseconds) -> None:
        """After an hour what is wrong is told anew."""
        if not 0 <= self._forget - at <= TOLD:
            self._told.clear()
            self._forget = at + TOLD

    def datagram(self, outer: Datagram) -> Iterable[Given]:
        """What a datagram reports; itself when it is none of an agent's."""
        if not outer.payload.startswith(MAGIC):
            if _has_usual_port(outer.flow) and is_old(outer.payload):
                self._counts["hep_unsupported"] += 1
                self._counts["hep_refused"] += 1
                return self._tell(outer, Reason.UNSUPPORTED, "HEP of version 1 or 2")
            return (outer,)
        if self._is_listed(outer.flow):
            given = tuple(self._reported(outer, outer.payload, truncated=outer.truncated))
            self._counts["hep_refused"] += not any(isinstance(one, Datagram) for one in given)
            return given
        self._counts["hep_unlisted"] += 1
        self._counts["hep_refused"] += 1
        return self._tell(outer, Reason.UNSUPPORTED, "HEP from a sender that the policy does not list")

    def stream(self, given: Iterable[Given], begun: Flow | None = None) -> Iterator[Given]:
        """What of this is reported; the rest as it stands. `begun` is the direction whose first bytes are among it."""
        for packet in given:
            match packet:
                case StreamData():
                    if packet.flow not in self.streams and not self._opens(packet, packet.flow == begun):
                        yield packet
                    else:
                        yield from self._follow(packet)
                case StreamGap():
                    if (stream := self.streams.get(packet.flow)) is not None:
                        stream.lose()
                    yield packet
                case StreamEnd():
                    if (stream := self.streams.pop(packet.flow, None)) is not None:
                        self._counts["hep_segments"] += packet.segments
                        packet = packet._replace(segments=0)
                        if stream.waits:
                            yield self._malformed(packet, Reason.TRUNCATED, "HEP3 message at the end of a stream")
                    yield packet
                case _:
                    yield packet

    def _opens(self, packet: StreamData, begins: bool) -> bool:
        """Whether an agent's stream begins here.

        On other ports only with a stream's first bytes: a segment in the middle of SIP may begin as its sender likes.
        """
        head = packet.payload[: len(MAGIC)]
        if not (MAGIC.startswith(head) if begins else head == MAGIC and _has_usual_port(packet.flow)):
            return False
        if not self._is_listed(packet.flow):
            self._counts["hep_unlisted"] += 1
            return False
        if len(self.streams) >= self._limits.hep_streams:
            self.streams.popitem(last=False)
            self._counts["hep_streams_evicted"] += 1
        self.streams[packet.flow] = _Stream()
        self._counts["hep_streams"] += 1
        port = destination_port_of(packet.flow)
        if self._widen and port not in self._widened and len(self._widened) < len(PORTS) + MAX_WIDENED:
            self._widened.add(port)
            self._widen(Ask(protocol="hep", tcp_ports=(port,)))
        return True

    def _follow(self, packet: StreamData) -> Iterator[Given]:
        """The reports that this completes. What is no report goes on as it stands, for then this is no HEP stream."""
        stream = self.streams[packet.flow]
        self.streams.move_to_end(packet.flow)
        try:
            for message in stream.feed(packet.payload):
                yield from self._reported(packet, message)
        except Malformed as wrong:
            del self.streams[packet.flow]
            if stream.has_begun:  # else it only had a first letter of one
                yield self._malformed(packet, wrong.reason, wrong.what)
            yield packet._replace(payload=stream.rest)

    def _reported(self, outer: Datagram | StreamData, message: bytes, *, truncated: bool = False) -> Iterator[Given]:
        try:
            report = report_of(message, self._key, truncated=truncated)
        except Malformed as wrong:
            yield self._malformed(outer, Reason.TRUNCATED if truncated else wrong.reason, wrong.what)
            return
        except Unauthentic:
            self._counts["hep_unauthentic"] += 1
            yield from self._tell(outer, Reason.BAD_VALUE, "HEP without the right key")
            return
        yield from self._check_clock(outer, report)
        if report.kind != SIP:
            self._counts["hep_unsupported"] += 1
            yield from self._tell(outer, Reason.UNSUPPORTED, "HEP of something else than SIP")
            return
        self._counts["hep_messages"] += 1
        yield Datagram(
            at=outer.at,
            capture=outer.capture,
            number=outer.number,
            flow=report.flow,
            payload=report.payload,
            truncated=report.truncated,
            reported_by=text_of(source_of(outer.flow)),
            ambiguous=outer.ambiguous,
        )

    def _check_clock(self, outer: Datagram | StreamData, report: Report) -> Iterable[Oddity]:
        if report.clock is None or abs(report.clock - outer.at) <= MAX_CLOCK_SKEW:
            return ()
        self._counts["hep_clock_off"] += 1
        return self._tell(outer, Reason.CONFLICT, "the clock of a HEP agent differs by more than 5 seconds")

    def _malformed(self, packet: Packet, reason: Reason, what: str) -> Oddity:
        self._counts["hep_malformed"] += 1
        return _oddity(packet, reason, what)

    def _tell(self, packet: Packet, reason: Reason, what: str) -> Sequence[Oddity]:
        """Once an hour for each sender: an agent that is wrong is so with every message."""
        self.advance(packet.at)
        name = (source_of(packet.flow), what)
        if name in self._told:
            return ()
        if len(self._told) >= self._limits.hep_complaints:
            self._counts["hep_complaints_evicted"] += 1
            return ()
        self._told.add(name)
        return (_oddity(packet, reason, what),)

    def _is_listed(self, flow: Flow) -> bool:
        return self._senders is None or text_of(source_of(flow)) in self._senders


class _Stream:
    """One direction of a TCP connection, cut into messages."""

    __slots__ = ("_bytes", "_lost", "has_begun")

    def __init__(self) -> None:
        self.has_begun = False
        """The magic was there."""
        self._bytes = bytearray()
        self._lost = False

    @property
    def waits(self) -> bool:
        """A message has begun and is not complete."""
        return self.has_begun and bool(self._bytes) and not self._lost

    @property
    def rest(self) -> bytes:
        """What could not be cut into messages."""
        return bytes(self._bytes)

    def lose(self) -> None:
        """Bytes are missing: the next message is wherever one seems to begin."""
        self._bytes.clear()
        self._lost = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete now; `Malformed` where none can begin."""
        held = self._bytes
        held += data
        while self._found() and len(held) >= HEAD_BYTES:
            length = length_of(held, 0)
            if len(held) < length:
                return
            yield bytes(held[:length])
            del held[:length]

    def _found(self) -> bool:
        """Whether the bytes begin with a message, as far as they go. After a loss the beginning is looked for."""
        held = self._bytes
        if not self._lost:
            if not MAGIC.startswith(bytes(held[:4])):
                raise Malformed(Reason.BAD_VALUE, 0, "no HEP3 message where one should begin")
            self.has_begun = self.has_begun or len(held) >= len(MAGIC)
            return True
        place = held.find(MAGIC)
        while place >= 0 and not _is_sane(held, place):
            place = held.find(MAGIC, place + 1)
        if place < 0:
            del held[: -len(MAGIC) + 1]
            return False
        del held[:place]
        self._lost = len(held) < 2 * HEAD_BYTES
        return not self._lost


def _is_sane(held: bytearray, place: int) -> bool:
    """Whether a message may begin here: a header, and a first chunk that fits into it, as far as they can be seen."""
    if len(held) < place + 2 * HEAD_BYTES:
        return True
    length, vendor, kind, chunk = _HEADS(held, place + 4)
    return bool(vendor == 0 and kind <= MAX_KIND and HEAD_BYTES <= chunk <= length - HEAD_BYTES)


def _has_usual_port(flow: Flow) -> bool:
    return destination_port_of(flow) in PORTS or source_port_of(flow) in PORTS


def _oddity(packet: Packet, reason: Reason, what: str) -> Oddity:
    evidence = Evidence(capture=packet.capture, frame=packet.number, reported_by=text_of(source_of(packet.flow)))
    return Oddity(at=packet.at, evidence=evidence, protocol="hep", reason=reason, what=what)
