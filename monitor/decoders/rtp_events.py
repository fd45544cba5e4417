"""Keys pressed in a call, as they travel in RTP: telephone-events (RFC 4733), alone or in redundancy (RFC 2198).

Which payload type is a telephone-event, and whose call it is, only signalling can tell: RTP without it says nothing.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

from monitor.decoders.decoder import MINE, NOT_MINE, NOTHING, Decoded, Verdict, oddity_of
from monitor.decoders.losses import Losses
from monitor.decoders.media import MAX_EVENTS, OTHER, Announced, CallMedia, MediaAddresses, Side
from monitor.model.asks import Ask
from monitor.model.calls import DigitDialled, KeySource
from monitor.model.evidence import Nanoseconds
from monitor.model.oddities import Malformed, Reason
from monitor.model.packets import Datagram, Flow, OtherReading, StreamData, evidence_of

ASK: Final = Ask(protocol="rtp", rtp_payload_bytes=(4,))

KEYS: Final = "0123456789*#ABCD"
"""RFC 4733, table 3: events 0 to 15."""

SHORTEST_STEP = 160
"""Ticks of the clock from one packet of an event to the next: 20 ms at 8000 Hz."""

HEADER_BYTES = 12
_ONCE = 5
"""Bytes that are remembered of an event of which one plain packet was seen: flags, duration, sequence number. There is
one more when there were more packets, and it means nothing else."""
_FAR = 0x8000
"""So far ahead lies what is behind (RFC 3550, A.1)."""
_PLAIN = 0x80
"""First byte of RTP without padding, header extension or CSRC."""
_END = 0x80
_LONGEST = 0xFFFF
"""Duration at which a long event is told to go on under a new timestamp (RFC 4733, 2.5.1.3)."""


def key_of(event: bytes) -> str:
    """The key that a telephone-event names (RFC 4733, 2.3); empty for one that is no key: flash, tones, signals.

    Raises:
        Malformed: The payload is too short for a telephone-event.
    """
    if len(event) < 4:
        raise Malformed(Reason.TRUNCATED, len(event), "telephone-event shorter than 4 bytes")
    return KEYS[event[0]] if event[0] < len(KEYS) else ""


def payload_of(packet: bytes) -> bytes:
    """What an RTP packet carries, behind CSRC list and header extension, without padding (RFC 3550, 5.1).

    Raises:
        Malformed: A length field points behind the end.
    """
    first = packet[0]
    start = HEADER_BYTES + 4 * (first & 0x0F)
    if first & 0x10:
        if len(packet) < start + 4:
            raise Malformed(Reason.TRUNCATED, len(packet), "RTP header extension")
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet)
    if first & 0x20:
        end -= packet[-1]
    if end < start:
        raise Malformed(Reason.BAD_LENGTH, start, "RTP header longer than its packet")
    return packet[start:end]


def blocks_of(payload: bytes, timestamp: int) -> Iterator[tuple[int, int, bytes]]:
    """The blocks of a redundant payload (RFC 2198, 3), oldest first: payload type, timestamp, content.

    Raises:
        Malformed: The block headers do not end, or tell of more bytes than there are.
    """
    heads: list[tuple[int, int, int]] = []
    at = 0
    while at < len(payload) and payload[at] & 0x80:
        word = int.from_bytes(payload[at : at + 4], "big")
        heads.append((word >> 24 & 0x7F, word >> 10 & 0x3FFF, word & 0x3FF))
        at += 4
    if at >= len(payload):
        raise Malformed(Reason.TRUNCATED, len(payload), "redundant payload without a last block")
    last = payload[at] & 0x7F
    at += 1
    for kind, offset, length in heads:
        if at + length > len(payload):
            raise Malformed(Reason.BAD_LENGTH, at, "redundant block longer than its packet")
        yield kind, (timestamp - offset) & 0xFFFFFFFF, payload[at : at + length]
        at += length
    yield last, timestamp, payload[at:]


def gap_of(before: bytes, now: bytes) -> int:
    """How many packets are missing between two of one event (flags, duration, number); -1 when one comes late.

    Some devices send sound between the packets of an event, so their sequence numbers alone do not tell: the duration
    must have grown as well.
    """
    ahead = (int.from_bytes(now[3:5], "big") - int.from_bytes(before[3:5], "big") - 1) & 0xFFFF
    grown = int.from_bytes(now[1:3], "big") - int.from_bytes(before[1:3], "big")
    if ahead >= _FAR:
        return -(grown < 0)
    return ahead if grown >= SHORTEST_STEP * (ahead + 1) else 0


def fresh_keys(packet: bytes, events: AbstractSet[int], redundancy: AbstractSet[int], known: dict[bytes, bytes]) -> str:
    """The keys that this RTP packet is the first to tell of; `known` remembers their events for the next packet.

    An event is known by SSRC and timestamp: neither a lost start, nor a lost end, nor the repetitions of either change
    that it is one. Its key counts as soon as any packet of it is seen.

    Raises:
        Malformed: The packet contradicts itself.
    """
    kind = packet[1] & 0x7F
    if kind in events:
        event = packet[12:] if packet[0] == _PLAIN else payload_of(packet)
        return _fresh(packet[4:12], event, event[1:4] + packet[2:4], known)
    if kind not in redundancy:
        return ""
    keys = ""
    for inner, timestamp, event in blocks_of(payload_of(packet), int.from_bytes(packet[4:8], "big")):
        # An empty block stands for a moment without an event: RFC 2198 needs the header all the same.
        if inner in events and event:
            keys += _fresh(timestamp.to_bytes(4, "big") + packet[8:12], event, event[1:2], known)
    return keys


def _fresh(identity: bytes, event: bytes, mark: bytes, known: dict[bytes, bytes]) -> str:
    """The key of this event, when it is one and has not been told before.

    What is remembered of its latest packet begins with its flags; of a plain one follow duration and sequence number.
    """
    if identity in known:
        known[identity] = mark
        return ""
    key = key_of(event)
    continued = _goes_on(identity, known)
    if len(known) >= MAX_EVENTS:
        for old in list(known)[: MAX_EVENTS // 2]:
            del known[old]
    known[identity] = mark
    return "" if continued else key


def _goes_on(identity: bytes, known: dict[bytes, bytes]) -> bool:
    """Whether this is the next segment of one key held so long that its duration ran over (RFC 4733, 2.5.1.3)."""
    started = int.from_bytes(identity[:4], "big")
    before = known.get(((started - _LONGEST) & 0xFFFFFFFF).to_bytes(4, "big") + identity[4:])
    return before is not None and not before[0] & _END


WakeAt: TypeAlias = Callable[[Flow], tuple[Decoded, ...]]
"""What calls that nobody has read yet have to say before the keys on this flow."""


class RtpEvents:
    """The decoder of telephone-events: finds the call of a packet by the addresses that signalling announced."""

    def __init__(
        self, addresses: MediaAddresses, wake_at: WakeAt = lambda _: NOTHING, losses: Losses | None = None
    ) -> None:
        self._addresses = addresses
        self._losses = losses or Losses()
        self._wake_at = wake_at
        self.counts = addresses.counts
        self.counts |= {"rtp_packets": 0, "rtp_keys": 0, "rtp_echoes": 0, "rtp_unannounced": 0}

    @property
    def sizes(self) -> dict[str, int]:
        """The addresses are counted where they are announced."""
        return {}

    def probe(self, head: bytes) -> Verdict:
        """RTP has version 2 in its first bits, and so has much else; the addresses decide."""
        return MINE if len(head) >= HEADER_BYTES and head[0] >> 6 == 2 else NOT_MINE

    def stream(self, packet: StreamData) -> None:
        """RTP over TCP (RFC 4571) is not read."""

    def other(self, _packet: OtherReading) -> tuple[Decoded, ...]:
        """Nor is it read otherwise."""
        return NOTHING

    def advance(self, _at: Nanoseconds) -> tuple[Decoded, ...]:
        """Nothing here outlives its call."""
        return NOTHING

    def datagram(self, packet: Datagram) -> tuple[Decoded, ...] | None:
        """The key that this packet tells of first, if any; behind what its call has to say that nobody had read yet."""
        if self.probe(packet.payload) is not MINE:
            return None
        woken = self._wake_at(packet.flow)
        return (*woken, *self._key_in(packet)) if woken else self._key_in(packet)

    def _key_in(self, packet: Datagram) -> tuple[Decoded, ...]:
        payload = packet.payload
        found = self._announced(packet.flow, payload[1] & 0x7F)
        if found is None:
            self.counts["rtp_unannounced"] += 1
            return NOTHING
        announced, side = found
        media = announced.media
        self.counts["rtp_packets"] += 1
        # By far most packets of an event repeat one that is known.
        known = media.events_by(side)
        if payload[0] == _PLAIN and payload[4:12] in known and len(payload) == 16:
            self._repeated(known, payload)
            return NOTHING
        if packet.truncated:
            return (oddity_of(packet, "rtp", Malformed(Reason.TRUNCATED, len(payload), "cut by the capture")),)
        # An event whose end nobody sent again was hardly seen: others beside it may not have been seen at all.
        frayed = bool(known) and len(next(reversed(known.values()))) == _ONCE
        try:
            keys = fresh_keys(payload, announced.events, announced.redundancy, known)
        except Malformed as error:
            return (oddity_of(packet, "rtp", error),)
        return self._dialled(packet, media, side, keys, frayed) if keys else NOTHING

    def _repeated(self, known: dict[bytes, bytes], payload: bytes) -> None:
        """One more packet of an event; those that are missing before it tell how much the mirror loses."""
        event, mark = payload[4:12], payload[13:16] + payload[2:5]
        before = known[event]
        known[event] = mark
        # The packets of an event's end are alike, and tell less.
        if mark[1:3] != before[1:3] and len(before) >= _ONCE:
            self._losses.note(1, gap_of(before, mark))

    def _dialled(self, packet: Datagram, media: CallMedia, side: Side, keys: str, frayed: bool) -> tuple[Decoded, ...]:
        """The keys as events, without those that came by another path already."""
        path = packet.flow + packet.payload[8:12]
        news = [key for key in keys if media.counts(packet.at, side, key, path)]
        self.counts["rtp_keys"] += len(news)
        self.counts["rtp_echoes"] += len(keys) - len(news)
        at, seen, via = packet.at, evidence_of(packet), KeySource.RTP
        return tuple(
            DigitDialled(at=at, evidence=seen, call=media.call, digit=key, by=side, via=via, frayed=frayed)
            for key in news
        )

    def _announced(self, flow: Flow, kind: int) -> tuple[Announced, Side] | None:
        """In which call this payload type is a telephone-event on this flow, and which side presses the key.

        The payload type is the receiver's choice, so its announcement decides; that of the sender serves where the
        receiver's was not seen. Where several calls name the receiver's address, the one that names the sender's too is
        meant, and otherwise the latest.
        """
        addresses = self._addresses
        addresses.settle()
        receivers = addresses.receivers(flow)
        if len(receivers) == 1:
            only = receivers[0]
            if kind in only.events or kind in only.redundancy:
                return only, OTHER[only.side]
        senders = addresses.senders(flow)
        latest: tuple[Announced, Side] | None = None
        for one in reversed(receivers):
            if kind in one.events or kind in one.redundancy:
                if any(other.media is one.media and other.side != one.side for other in senders):
                    return one, OTHER[one.side]
                latest = latest or (one, OTHER[one.side])
        if latest is None:
            for one in reversed(senders):
                if kind in one.events or kind in one.redundancy:
                    return one, one.side
        return latest
