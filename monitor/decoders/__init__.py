"""What was said in each protocol: packets come in, signalling events go out.

The table of contents: a protocol is one file with a `Decoder` in it, and one line in `decoders_of`. Those that carry
media are told of it through one `MediaAddresses`. A packet goes to the first that knows its bytes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from monitor.decoders import rtp_events, sip
from monitor.decoders.decoder import MINE, NOTHING, UNSURE, Decoded, Decoder, Stream, Widen
from monitor.decoders.losses import Losses
from monitor.decoders.media import MediaAddresses
from monitor.decoders.sip_aside import Heeds
from monitor.model.asks import Ask
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.packets import Datagram, Flow, OtherReading, Packet, StreamData, StreamEnd, StreamGap

ASKS: Final[tuple[Ask, ...]] = (sip.ASK, rtp_events.ASK)
"""What the packet filter must let through."""

MAX_STREAMS = 16_384
"""Directions of TCP connections that are followed; the one that was silent longest is forgotten first."""

MAX_HEAD = 512
"""Bytes of a stream's beginning that are kept until some decoder knows it."""

__all__ = ["ASKS", "Decoded", "Decoders"]


def decoders_of(widen: Widen | None, heeds: Heeds | None = None, losses: Losses | None = None) -> tuple[Decoder, ...]:
    """One decoder for each protocol, most frequent first."""
    addresses, losses = MediaAddresses(), losses or Losses()
    calls = sip.Sip(addresses, widen, heeds, losses)
    return (calls, rtp_events.RtpEvents(addresses, calls.wake_at, losses))


class Decoders:
    """Gives each packet to the decoder of its protocol, by content and never by port alone."""

    def __init__(self, widen: Widen | None = None, heeds: Heeds | None = None) -> None:
        """`widen` asks the packet filter for more; `heeds` says which calls matter, and without it all do."""
        self.losses = Losses()
        self._decoders = decoders_of(widen, heeds, self.losses)
        self._readers = tuple(decoder.datagram for decoder in self._decoders)
        """Of datagrams; found once, for they are asked for every packet."""
        self._streams: OrderedDict[Flow, Stream | bytes] = OrderedDict()
        """A reader, or the first bytes of a stream that nobody knows yet."""
        self._next: Nanoseconds = 0
        self._own = {
            "conversations": 0,
            "conversations_evicted": 0,
            "datagrams_unknown": 0,
            "segments_known": 0,
            "segments_unknown": 0,
        }

    @property
    def counts(self) -> dict[str, int]:
        """Totals since the start, by name."""
        merged = {**self._own, "packets_missed": self.losses.missed_ever}
        for decoder in self._decoders:
            merged |= decoder.counts
        return merged

    def feed(self, packet: Packet) -> Iterable[Decoded]:
        """What this packet has to say."""
        if packet.at >= self._next:
            return [*self._advance(packet.at), *self.feed(packet)]
        if isinstance(packet, Datagram):
            for read in self._readers:
                said = read(packet)
                if said is not None:
                    return said
            self._own["datagrams_unknown"] += 1
            return NOTHING
        if isinstance(packet, OtherReading):
            return [said for decoder in self._decoders for said in decoder.other(packet)]
        return self._stream(packet)

    def finish(self) -> Iterable[Decoded]:
        """There are no more packets. Calls that go on then have not ended, so nothing is said of them."""
        self._streams.clear()
        return NOTHING

    def _stream(self, packet: StreamData | StreamGap | StreamEnd) -> Iterable[Decoded]:
        if isinstance(packet, StreamData):
            return self._stream_data(packet)
        stream = self._streams.get(packet.flow)
        if isinstance(packet, StreamEnd):
            self._streams.pop(packet.flow, None)
            unknown = stream is None or isinstance(stream, bytes)
            self._own["segments_unknown" if unknown else "segments_known"] += packet.segments
            return NOTHING if stream is None or isinstance(stream, bytes) else stream.close(packet)
        if stream is None or isinstance(stream, bytes):
            # What was unknown before a gap may be known behind it.
            self._streams.pop(packet.flow, None)
            return NOTHING
        return stream.gap(packet)

    def _advance(self, at: Nanoseconds) -> Iterator[Decoded]:
        self._next = at + SECOND
        for decoder in self._decoders:
            yield from decoder.advance(at)

    def _stream_data(self, packet: StreamData) -> Iterable[Decoded]:
        stream = self._streams.get(packet.flow)
        if stream is None or isinstance(stream, bytes):
            return self._probe(packet, stream or b"")
        self._streams.move_to_end(packet.flow)
        return stream.feed(packet)

    def _probe(self, packet: StreamData, before: bytes) -> Iterable[Decoded]:
        """Finds a reader for a stream by its first bytes; a stream that nobody knows is tried anew with each packet,
        for a capture that began in the middle of it shows a first message sooner or later.
        """
        whole = packet if not before else packet._replace(payload=before + packet.payload)
        unsure = False
        for decoder in self._decoders:
            verdict = decoder.probe(whole.payload)
            if verdict is MINE:
                stream = decoder.stream(whole)
                if stream is not None:
                    self._remember(packet.flow, stream)
                    return stream.feed(whole)
            unsure = unsure or verdict is UNSURE
        if unsure and len(whole.payload) < MAX_HEAD:
            self._remember(packet.flow, whole.payload)
        else:
            self._streams.pop(packet.flow, None)
        return NOTHING

    def _remember(self, flow: Flow, stream: Stream | bytes) -> None:
        if not isinstance(stream, bytes):
            self._own["conversations"] += 1
        if flow not in self._streams and len(self._streams) >= MAX_STREAMS:
            self._streams.popitem(last=False)
            self._own["conversations_evicted"] += 1
        self._streams[flow] = stream
