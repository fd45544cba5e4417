"""What was said in each protocol: packets come in, signalling events go out.

The table of contents: a protocol is one file with a `Decoder` in it, and one line in `decoders_of`. Those that carry
media are told of it through one `MediaAddresses`. A packet goes to the first that knows its bytes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from monitor.decoders import rtp_events, sip
from monitor.decoders.decoder import MINE, NOTHING, UNSURE, Decoded, Decoder, Resumable, Stream, Widen
from monitor.decoders.losses import Losses
from monitor.decoders.media import MediaAddresses
from monitor.decoders.sip_aside import Heeds
from monitor.model.asks import Ask
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.packets import Datagram, Flow, OtherReading, Packet, StreamData, StreamEnd, StreamGap
from monitor.model.resumed import CallSaved

ASKS: Final[tuple[Ask, ...]] = (sip.ASK, rtp_events.ASK)
"""What the packet filter must let through."""

MAX_HEAD = 512
"""Bytes of a stream's beginning that are kept until some decoder knows it."""

__all__ = ["ASKS", "Decoded", "Decoders"]


def decoders_of(
    widen: Widen | None, heeds: Heeds | None = None, losses: Losses | None = None, limits: Limits | None = None
) -> tuple[Decoder, ...]:
    """One decoder for each protocol, most frequent first."""
    limits, losses = limits or Limits(), losses or Losses()
    addresses = MediaAddresses(limits.media_addresses)
    calls = sip.Sip(addresses, widen, heeds, losses, limits)
    return (calls, rtp_events.RtpEvents(addresses, calls.wake_at, losses))


class Decoders:
    """Gives each packet to the decoder of its protocol, by content and never by port alone."""

    def __init__(self, widen: Widen | None = None, heeds: Heeds | None = None, limits: Limits | None = None) -> None:
        """`widen` asks the packet filter for more; `heeds` says which calls matter, and without it all do."""
        self.losses = Losses()
        self._limits = limits or Limits()
        self._decoders = decoders_of(widen, heeds, self.losses, self._limits)
        self._readers = tuple(decoder.datagram for decoder in self._decoders)
        """Of datagrams; found once, for they are asked for every packet."""
        self._streams: OrderedDict[Flow, Stream | bytes] = OrderedDict()
        """A reader, or the first bytes of a stream that nobody knows yet; the one longest silent first."""
        self._held: OrderedDict[Flow, int] = OrderedDict()
        """Bytes of messages that are not whole, the one longest so first."""
        self._held_bytes = 0
        self._next: Nanoseconds = 0
        self._own = {
            "conversations": 0,
            "conversations_evicted": 0,
            "conversation_bytes_evicted": 0,
            "datagrams_unknown": 0,
            "segments_known": 0,
            "segments_unknown": 0,
        }

    def saved(self, call: str) -> CallSaved | None:
        """A call as it is now, for the decoder after this one; none when it is over or unknown."""
        found = (decoder.saved(call) for decoder in self._decoders if isinstance(decoder, Resumable))
        return next((saved for saved in found if saved is not None), None)

    def resume(self, saved: CallSaved) -> None:
        """Go on with a call of the decoder before this one."""
        for decoder in self._decoders:
            if isinstance(decoder, Resumable):
                decoder.resume(saved)

    @property
    def counts(self) -> dict[str, int]:
        """Totals since the start, by name."""
        merged = {**self._own, "packets_missed": self.losses.missed_ever}
        for decoder in self._decoders:
            merged |= decoder.counts
        return merged

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        sizes = {"conversations": len(self._streams), "conversation_bytes": self._held_bytes}
        for decoder in self._decoders:
            sizes |= decoder.sizes
        return sizes

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
        if isinstance(packet, StreamData):
            return self._stream_data(packet)
        if isinstance(packet, OtherReading):
            return [said for decoder in self._decoders for said in decoder.other(packet)]
        return self._stream(packet)

    def finish(self) -> Iterable[Decoded]:
        """There are no more packets. Calls that go on then have not ended, so nothing is said of them."""
        self._streams.clear()
        self._held.clear()
        self._held_bytes = 0
        return NOTHING

    def _stream(self, packet: StreamGap | StreamEnd) -> Iterable[Decoded]:
        stream = self._streams.get(packet.flow)
        if isinstance(packet, StreamEnd):
            self._drop(packet.flow)
            unknown = stream is None or isinstance(stream, bytes)
            self._own["segments_unknown" if unknown else "segments_known"] += packet.segments
            return NOTHING if stream is None or isinstance(stream, bytes) else stream.close(packet)
        if stream is None or isinstance(stream, bytes):
            # What was unknown before a gap may be known behind it.
            self._drop(packet.flow)
            return NOTHING
        said = stream.gap(packet)
        self._hold(packet.flow, stream.held)
        return said

    def _advance(self, at: Nanoseconds) -> Iterator[Decoded]:
        self._next = at + SECOND
        for decoder in self._decoders:
            yield from decoder.advance(at)

    def _stream_data(self, packet: StreamData) -> Iterable[Decoded]:
        stream = self._streams.get(packet.flow)
        if stream is None or isinstance(stream, bytes):
            return self._probe(packet, stream or b"")
        self._streams.move_to_end(packet.flow)
        said = stream.feed(packet)
        if stream.held or packet.flow in self._held:
            self._hold(packet.flow, stream.held)
        return said

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
                    said = stream.feed(whole)
                    self._hold(packet.flow, stream.held)
                    return said
            unsure = unsure or verdict is UNSURE
        if unsure and len(whole.payload) < MAX_HEAD:
            self._remember(packet.flow, whole.payload)
        else:
            self._drop(packet.flow)
        return NOTHING

    def _remember(self, flow: Flow, stream: Stream | bytes) -> None:
        if not isinstance(stream, bytes):
            self._own["conversations"] += 1
        if flow not in self._streams and len(self._streams) >= self._limits.conversations:
            self._drop(next(iter(self._streams)))
            self._own["conversations_evicted"] += 1
        self._streams[flow] = stream

    def _hold(self, flow: Flow, held: int) -> None:
        """Keeps the books of what is not whole; when it is too much, forgets what has been so longest."""
        before = self._held.get(flow, 0)
        if held == before:
            return
        self._held_bytes += held - before
        if not held:
            del self._held[flow]
            return
        self._held[flow] = held
        while self._held_bytes > self._limits.conversation_bytes:
            self._drop(next(iter(self._held)))
            self._own["conversation_bytes_evicted"] += 1

    def _drop(self, flow: Flow) -> None:
        self._streams.pop(flow, None)
        self._held_bytes -= self._held.pop(flow, 0)
