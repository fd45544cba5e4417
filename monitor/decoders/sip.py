"""SIP (RFC 3261) on UDP and TCP: finds its messages in packets and hands them to the calls."""

from collections.abc import Iterable, Sequence
from typing import Final

from monitor.decoders.decoder import MINE, NOT_MINE, NOTHING, UNSURE, Decoded, Verdict, Widen, oddity_of
from monitor.decoders.losses import Losses
from monitor.decoders.media import MediaAddresses
from monitor.decoders.sip_aside import Heeds, SipAside
from monitor.decoders.sip_calls import SipCalls
from monitor.decoders.sip_message import SIP_HEADS, SipMessage, looks_like_sip, read_message
from monitor.decoders.sip_readings import SipReadings
from monitor.decoders.sip_stream import SipFraming
from monitor.model.asks import Ask
from monitor.model.evidence import Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed
from monitor.model.packets import (
    Datagram,
    Flow,
    OtherReading,
    Packet,
    StreamData,
    StreamEnd,
    StreamGap,
    destination_port_of,
    source_port_of,
)
from monitor.model.resumed import CallSaved

PORTS: Final = (5060, 5061, 5062, 5080)
"""Where SIP is without being looked for: RFC 3261, 19.1.2, and what FreeSWITCH and many SBCs use beside it."""

ASK: Final = Ask(protocol="sip", udp_ports=PORTS, tcp_ports=PORTS, udp_heads=SIP_HEADS, tcp_heads=SIP_HEADS)

ENOUGH: Final = 512
"""Bytes of a stream's beginning that must suffice to tell whether it is SIP."""

MAX_WIDENED = 64
"""TCP ports beside `PORTS` on which SIP was found and whose streams are asked for as a whole."""

_ANSWER: Final = b"SIP/2.0 "
_KEEP_ALIVE: Final = b"\r\n"
_ASCII: Final = 0x7F
_HEADS: Final = frozenset(SIP_HEADS)


class Sip:
    """The decoder of SIP: one state for all its calls, one reader for each stream."""

    def __init__(
        self,
        addresses: MediaAddresses,
        widen: Widen | None = None,
        heeds: Heeds | None = None,
        losses: Losses | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._calls = SipCalls(addresses, widen, losses, limits)
        self._aside = SipAside(self._calls, heeds, limits) if heeds is not None else None
        read = self._calls.read if self._aside is None else self._aside.read
        self._readings = SipReadings(read, self._aside, self._calls.counts, self._calls.knows, limits)
        self._read = self._readings.read
        self._doubted = self._readings.names
        self._take = self.take
        self._is_settled = self._aside.is_settled if self._aside is not None else None
        self._widen = widen
        self._widened = set(PORTS)
        self.counts = self._calls.counts
        self.counts |= {"sip_messages": 0, "sip_malformed": 0}

    @property
    def sizes(self) -> dict[str, int]:
        """How full each of its tables is."""
        aside = self._aside.sizes if self._aside is not None else {"calls_aside": 0, "calls_aside_bytes": 0}
        return self._calls.sizes | aside | self._readings.sizes

    def probe(self, head: bytes) -> Verdict:
        """By content, for SIP is on any port: a start line with `SIP/2.0`, or at least its beginning and `SIP/`."""
        if head and head[0] > _ASCII:
            return NOT_MINE
        if head.startswith(b"SIP/2.0 ") or looks_like_sip(head):
            return MINE
        line, found, _ = head.lstrip(_KEEP_ALIVE)[:ENOUGH].partition(b"\n")
        if line[:4] in _HEADS and b"SIP/" in line:
            return MINE
        # A start line may come in pieces; what is no token at its beginning never becomes one.
        unsure = not found and len(head) < ENOUGH and (not line or line[:1].isalpha())
        return UNSURE if unsure else NOT_MINE

    def datagram(self, packet: Datagram) -> Sequence[Decoded] | None:
        """One datagram is one message (RFC 3261, 18.3)."""
        payload = packet.payload
        # Most messages are answers, and need not be asked more.
        if not (payload.startswith(_ANSWER) or looks_like_sip(payload)) and self.probe(payload) is not MINE:
            return None
        settled = self._is_settled is not None and self._is_settled(payload, packet)
        if settled and not (self._doubted and self._readings.doubts(payload)):
            self.counts["sip_messages"] += 1
            return NOTHING
        try:
            message = read_message(payload, datagram=True)
        except Malformed as error:
            self.counts["sip_malformed"] += 1
            return (oddity_of(packet, "sip", error),)
        return self.take(message, packet)

    def take(self, message: SipMessage, packet: Packet) -> Sequence[Decoded]:
        """One message, however it came."""
        self.counts["sip_messages"] += 1
        try:
            return self._read(message, packet)
        except Malformed as error:
            self.counts["sip_malformed"] += 1
            return (oddity_of(packet, "sip", error),)

    def other(self, packet: OtherReading) -> Sequence[Decoded]:
        """What a stream says in another reading."""
        return self._readings.stream(packet)

    def saved(self, call: str) -> CallSaved | None:
        """The call as it is now, for another decoder; none when it is over or unknown."""
        return self._calls.saved(call)

    def resume(self, saved: CallSaved) -> None:
        """Go on with a call that another decoder has read so far."""
        self._calls.resume(saved)

    def wake_at(self, flow: Flow) -> tuple[Decoded, ...]:
        """What a call has to say that was of no interest before media was seen that may be its keys."""
        return NOTHING if self._aside is None else self._aside.wake_at(flow)

    def stream(self, packet: StreamData) -> "SipStream":
        """A reader for one direction of a TCP connection; other connections to that port are wanted whole, too."""
        flow = packet.flow
        port = source_port_of(flow) if packet.payload.startswith(b"SIP/") else destination_port_of(flow)
        if self._widen is not None and port not in self._widened and len(self._widened) < MAX_WIDENED:
            self._widened.add(port)
            self._widen(Ask(protocol="sip", tcp_ports=(port,)))
        return SipStream(self)

    def advance(self, at: Nanoseconds) -> Iterable[Decoded]:
        """Ends calls that were silent for too long."""
        if self._aside is not None:
            self._aside.advance(at)
        ended = self._calls.advance(at)
        self._readings.advance(at)
        return ended


class SipStream:
    """One direction of one TCP connection that speaks SIP."""

    def __init__(self, sip: Sip) -> None:
        self._sip = sip
        self._framing = SipFraming()
        self.held = 0
        """Bytes of a message that is not whole yet."""

    def feed(self, packet: StreamData) -> Iterable[Decoded]:
        """What the messages that these bytes complete have to say."""
        return self._take(self._framing.feed(packet.payload), packet)

    def gap(self, packet: StreamGap) -> Iterable[Decoded]:
        """What could still be read before the gap."""
        return self._take(self._framing.gap(packet.lost), packet)

    def close(self, packet: StreamEnd) -> Iterable[Decoded]:
        """What could still be read before the end."""
        return self._take(self._framing.close(), packet)

    def _take(self, read: Iterable[SipMessage | Malformed], packet: Packet) -> Iterable[Decoded]:
        self.held = self._framing.held
        take = self._sip.take
        found: Sequence[Decoded] = NOTHING
        for one in read:
            said = take(one, packet) if isinstance(one, SipMessage) else (oddity_of(packet, "sip", one),)
            if said:
                found = [*found, *said]
        return found
