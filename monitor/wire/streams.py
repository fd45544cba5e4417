"""Puts TCP segments in order, each direction of a connection for itself (RFC 9293, section 3.4 and 3.10.7.4).

In: segments, as they come. Out: `StreamData` in order, each byte once; `StreamGap` for bytes that will not come;
`StreamEnd`; and `OtherReading` where copies of bytes differ, or bytes come that another reading has left behind.

What arrives behind a hole waits. A hole is given up when the receiver has acknowledged what is behind it (it has the
bytes, the capture does not), when five seconds have passed, when too much waits, or when nothing more will come.
Records carry the time and number of the frame that brought their bytes, not of the one that freed them.

Nothing that one segment says is believed at once, for it may be forged and never have reached the receiver. A FIN
counts when it is acknowledged, a RST when nothing follows it, a SYN when its own connection goes on and not the old.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from monitor.model.evidence import MINUTE, Evidence, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Flow, OtherReading, StreamData, StreamEnd, StreamGap, reverse_of
from monitor.wire import readings
from monitor.wire.halves import (
    HOLE_LIFE,
    KNOWN_PAYLOADS,
    MAX_RIVALS,
    SKEW,
    SKEW_FRAMES,
    WINDOW,
    Half,
    has_acknowledged,
    has_settled,
    is_lost,
)
from monitor.wire.pieces import Piece, Pieces, Seen
from monitor.wire.readings import MAX_PAYLOADS, Reading, trim
from monitor.wire.tcp import ACK, FIN, RST, SYN, URG, Segment, near

MAX_FLOW_WEIGHT = 1024 * 1024  # bytes waiting in one: a larger receive window is no habit of signalling
MAX_FLOW_PIECES = 512  # waiting in one, so that a segment that overlaps all of them costs little
MAX_OPENING = 64 * 1024  # bytes kept of a start in mid-stream
IDLE: Nanoseconds = 10 * MINUTE  # keep-alives come every two minutes (RFC 5626, section 4.4.1)
# A message whose rest comes later than this has failed at both ends (RFC 3261, section 17: 32 s).
END_LIFE: Nanoseconds = MINUTE

__all__ = ["COUNTS", "HOLE_LIFE", "SKEW", "SKEW_FRAMES", "WINDOW", "Streams"]

COUNTS = (
    "streams",
    "streams_begun_in_the_middle",
    "stream_bytes",
    "stream_gaps",
    "stream_gap_bytes",
    "stream_conflicts",
    "stream_readings",
    "stream_readings_evicted",
    "stream_recent_evicted",
    "streams_expired",
    "streams_evicted",
    "segments",
    "segments_reordered",
    "segments_repeated",
)

Given: TypeAlias = StreamData | StreamGap | StreamEnd | OtherReading | Oddity
_NOTHING: Sequence[Given] = ()
_DOUBTFUL = SYN | FIN | RST | URG
_stream_data = tuple.__new__  # A named tuple's own constructor costs 0.1 µs more.


class Streams:
    """All directions of all connections."""

    def __init__(self, counts: dict[str, int], limits: Limits | None = None) -> None:
        self._counts = counts
        self._limits = limits or Limits()
        self._halves: OrderedDict[Flow, Half] = OrderedDict()
        """In the order of their last frames."""
        self._strangers: OrderedDict[Flow, Half] = OrderedDict()
        """Of these, those that have said little or nothing: they make room first."""
        self._waiting: dict[Flow, Half] = {}
        """Those with something that time will free."""
        self._ending: OrderedDict[Flow, Half] = OrderedDict()
        """Those that are said to be over, the longest first."""
        self._finished: list[Half] = []
        """Of these, those whose FIN may be acknowledged any moment."""
        self._readings: OrderedDict[Flow, Half] = OrderedDict()
        """Those with a stretch that is read in two ways."""
        self._weight = 0
        self._recent = 0
        """Bytes kept of what was given, when they were counted last."""
        self._counted_at = 0
        """How much had been given then: no more than what came since is kept beside them."""
        self._thin_out_at = self._limits.stream_recent_bytes

    @property
    def sizes(self) -> dict[str, int]:
        """How full the tables are."""
        given = self._counts["stream_bytes"] - self._counted_at
        return {
            "streams": len(self._halves),
            "stream_bytes": self._weight,
            "stream_recent_bytes": self._recent + given,
            "stream_readings": len(self._readings),
        }

    def feed(self, seen: Seen, flow: Flow, segment: Segment) -> Sequence[Given]:
        """What this segment adds to its stream."""
        sequence, acknowledged, flags, payload, lost, _ = segment
        self._counts["segments"] += 1
        half = self._halves.get(flow)
        if half is None:
            return self._first(seen, flow, segment)
        half.seen = seen
        self._halves.move_to_end(flow)
        if flags & ACK and half.peer is not None:
            half.peer.acked = acknowledged
        if half.plain and sequence == half.next & 0xFFFF_FFFF and not flags & _DOUBTFUL and not lost:
            if not payload:
                return _NOTHING
            half.next += len(payload)
            half.segments += 1
            total = self._counts["stream_bytes"] = self._counts["stream_bytes"] + len(payload)
            recent = half.recent
            recent.append(payload)
            if len(recent) > MAX_PAYLOADS:
                trim(recent)
            if total > self._thin_out_at:
                self._thin_out(total)
            return (_stream_data(StreamData, (*seen, flow, payload, "", False)),)
        out: list[Given] = []
        self._place(half, segment, out)
        self._settle(half, out)
        self._relieve(out)
        return out

    def begins_with(self, flow: Flow, given: Sequence[Given]) -> bool:
        """Whether the bytes of this direction that were given just now are the first that are known of it."""
        half = self._halves.get(flow)
        size = sum(len(packet.payload) for packet in given if isinstance(packet, StreamData) and packet.flow == flow)
        return half is not None and half.next - half.first <= size

    def advance(self, seen: Seen) -> Sequence[Given]:
        """What time frees: data behind holes that will not be filled, and streams that have fallen silent."""
        out: list[Given] = []
        for half in list(self._waiting.values()):
            if half.opening and has_settled(half.opening[0].seen, seen):
                half.opening = None
                self._drain(half, out)
            while (hole := half.hole) is not None and is_lost(half, hole, seen):
                self._give_up(half, hole, out)
            self._settle(half, out)
        self._close_ended(seen, out)
        while self._halves:
            half = next(iter(self._halves.values()))
            if abs(seen[0] - half.seen[0]) < IDLE:
                break
            self._counts["streams_expired"] += not half.over
            self._remove(half, out)
        return out

    def finish(self) -> Sequence[Given]:
        """Nothing more will come: everything that waits, and the end of each stream."""
        out: list[Given] = []
        while self._halves:
            self._remove(next(iter(self._halves.values())), out)
        return out

    def _first(self, seen: Seen, flow: Flow, segment: Segment) -> Sequence[Given]:
        """The first segment of a direction. An acknowledgement alone is not worth an entry."""
        out: list[Given] = []
        peer = self._halves.get(reverse_of(flow))
        if peer is not None and segment.flags & ACK:
            peer.acked = segment.acknowledged
            if segment.flags & RST and abs(near(segment.acknowledged, peer.next) - peer.next) < WINDOW:
                self._doubt(peer, seen)
                self._settle(peer, out)
        if segment.flags & RST or not (segment.payload or segment.flags & SYN):
            return out
        while len(self._halves) >= self._limits.streams:
            self._counts["streams_evicted"] += 1
            self._remove(next(iter((self._strangers or self._halves).values())), out)
        half = self._halves[flow] = self._strangers[flow] = Half(flow)
        half.seen = seen
        half.peer = self._halves.get(reverse_of(flow))
        if half.peer is not None:
            half.peer.peer = half
        self._begin(half, segment.sequence + bool(segment.flags & SYN), not segment.flags & SYN)
        self._place(half, segment, out)
        self._settle(half, out)
        self._relieve(out)
        return out

    def _begin(self, half: Half, place: int, in_the_middle: bool) -> None:
        self._forget_reading(half)
        half.begin(place, in_the_middle)
        self._ending.pop(half.flow, None)
        self._counts["streams"] += 1
        self._counts["streams_begun_in_the_middle"] += in_the_middle

    def _place(self, half: Half, segment: Segment, out: list[Given]) -> None:
        """Puts the segment where it belongs, and gives what is now in order."""
        if segment.payload:
            half.payloads += 1
            if half.renewal is not None and not segment.flags & (SYN | RST):
                self._choose(half, half.renewal, segment, out)
        start = near(segment.sequence + bool(segment.flags & SYN), half.next)
        if segment.flags & SYN:
            if self._synchronise(half, segment, start, out):
                return
            start = near(start, half.next)
        if segment.flags & RST:
            self._reset(half, start)
            return
        if half.over or start < half.next - WINDOW:
            if not segment.payload or half.next - WINDOW <= start < half.next:
                return  # late, of a stream that is over
            self._end(half, half.seen, out)
            self._begin(half, segment.sequence + bool(segment.flags & SYN), not segment.flags & SYN)
            start = half.next
        if half.opening and half.first - MAX_OPENING < start < half.first and len(segment.payload) > 1:
            # Not the keep-alive of RFC 9293, section 3.8.4, which repeats one byte.
            self._rewind(half, start, True, out)
        self._put(half, start, segment.payload, out)
        end = start + len(segment.payload)
        self._drain(half, out)
        if segment.flags & URG and segment.urgent and start < start + segment.urgent <= half.next:
            self._leave_out(half, start + segment.urgent - 1, out)
        if segment.lost and half.next == end and not half.over:
            # Cut by the snap length, as its retransmission would be; but part of it may wait already.
            waiting = half.pieces[0].start if half.pieces else end + segment.lost
            self._give_gap(half, min(end + segment.lost, waiting), half.seen, out)
        if segment.flags & FIN and half.fin is None and half.ending is None and not half.over:
            half.fin = Piece(end + segment.lost, b"", half.seen)
        self._drain(half, out)

    def _put(self, half: Half, start: int, payload: bytes, out: list[Given]) -> None:
        """Gives what is next, keeps what is behind a hole, compares what was given."""
        if start < half.next:
            self._counts["segments_repeated"] += bool(payload)
            self._compare(half, Piece(start, payload, half.seen), out)
            payload = payload[half.next - start :]
            start = half.next
        if not payload:
            return
        if half.ending is not None:
            half.ending = None
            self._ending.pop(half.flow, None)
            out.append(_conflict(half.seen, "the stream goes on behind its end"))
        if start == half.next and not half.pieces:
            half.segments += 1
            self._give(half, Piece(start, payload, half.seen), out)
            return
        self._counts["segments_reordered"] += start > half.next
        size = half.pieces.size
        differs = half.pieces.put(start, payload, half.seen)
        half.segments += half.pieces.size > size
        if differs:
            self._counts["stream_conflicts"] += 1
            out.append(_conflict(half.seen, "segments overlap with different bytes"))
            if len(half.rivals) < MAX_RIVALS:
                half.rivals.append(Piece(start, payload, half.seen))

    # Two readings

    def _compare(self, half: Half, copy: Piece, out: list[Given], *, told: bool = False) -> None:
        """Bytes of a place that was passed: given before, or never, or given with another content."""
        late, until = half.missed
        if late <= copy.start < until:
            # What the receiver waited for, while somebody made the monitor pass it over; or a capture in disorder.
            content = copy.content[: until - copy.start]
            before = half.before if copy.start == late else b""
            if copy.start != half.late:
                self._counts["stream_readings"] += 1
                if until > half.first:
                    out.append(_conflict(copy.seen, "bytes come after all that were given up for lost"))
            out.append(OtherReading(*copy.seen, half.flow, before, before + content, copy.start != half.late))
            half.late = copy.start + len(content)
            return
        known = b"".join(half.recent)
        origin = half.next - len(known)
        start, end = max(copy.start, origin), min(copy.end, half.next)
        content = copy.content[start - copy.start : end - copy.start]
        if not content or content == known[start - origin : end - origin] or _keeps_alive(half, copy):
            return
        if not told:
            self._counts["stream_conflicts"] += 1
            out.append(_conflict(copy.seen, "a retransmission has different bytes"))
        reading = self._read_otherwise(half, start, known, out)
        if reading.amend(start, content):
            out += reading.tell(copy.seen)

    def _leave_out(self, half: Half, place: int, out: list[Given]) -> None:
        """The urgent byte: many systems hand it over beside the stream and not in it (RFC 6093, section 2)."""
        known = b"".join(half.recent)
        if not half.next - len(known) <= place < half.next:
            return
        out.append(_conflict(half.seen, "a byte is urgent, so it may not be in the stream"))
        reading = self._read_otherwise(half, place, known, out)
        reading.leave_out(place)
        out += reading.tell(half.seen)

    def _read_otherwise(self, half: Half, place: int, known: bytes, out: list[Given]) -> Reading:
        """The other reading of this stretch, which is opened where there is none."""
        reading = half.reading
        if reading is not None and (place < reading.origin or len(reading.given) > readings.MAX_STRETCH):
            self._forget_reading(half, out)
            reading = half.reading
        if reading is None:
            while len(self._readings) >= self._limits.stream_readings:
                self._counts["stream_readings_evicted"] += 1
                self._forget_reading(next(iter(self._readings.values())), out)
            reading = half.reading = Reading(half.flow, half.next - len(known), known)
            self._readings[half.flow] = half
            self._counts["stream_readings"] += 1
        return reading

    def _forget_reading(self, half: Half, out: list[Given] | None = None) -> None:
        """From here on there is one reading again."""
        reading, half.reading = half.reading, None
        self._readings.pop(half.flow, None)
        if reading is not None and reading.paused and out is not None:
            reading.told = 0
            out += reading.tell(half.seen)

    # Beginnings and ends

    def _synchronise(self, half: Half, segment: Segment, start: int, out: list[Given]) -> bool:
        """A SYN of a direction that has begun: again, late, or of the next connection with these ports.

        True when that next connection must show first that there is one: an endpoint takes no SYN within a connection
        (RFC 5961, section 4), but somebody may send one for us to see.
        """
        if start == half.first:
            half.opening = None
        elif half.opening and half.first - MAX_OPENING < start < half.first:
            self._rewind(half, start, False, out)
        elif half.over or half.ending is not None:
            self._end(half, half.seen, out)
            self._begin(half, segment.sequence + 1, False)
        else:
            half.renewal = (segment, half.seen)
            self._recent += len(segment.payload)
            self._thin_out_at -= len(segment.payload)
            if segment.payload:
                out.append(OtherReading(*half.seen, half.flow, b"", segment.payload, True))
            return True
        return False

    def _choose(self, half: Half, renewal: tuple[Segment, Seen], segment: Segment, out: list[Given]) -> None:
        """Bytes have come behind a SYN: which connection goes on, the old or the next?"""
        syn, seen = renewal
        start = near(segment.sequence, half.next)
        place = syn.sequence + 1
        behind = near(segment.sequence, place) - place
        is_next = behind in (0, len(syn.payload))
        half.renewal = None
        if start == half.next or (not is_next and abs(start - half.next) < WINDOW):
            out.append(_conflict(half.seen, "a SYN within a stream that goes on"))
            return
        self._end(half, half.seen, out)
        if is_next:
            self._begin(half, place, False)
            if syn.payload:
                self._give(half, Piece(place, syn.payload, seen), out)

    def _rewind(self, half: Half, start: int, in_the_middle: bool, out: list[Given]) -> None:
        """The stream began earlier than it seemed: what was given so far is ended, and given again in order."""
        out.append(StreamEnd(*half.seen, half.flow))
        self._forget_reading(half)
        half.rewind(start, in_the_middle)

    def _reset(self, half: Half, start: int) -> None:
        """Both directions are over. A number outside the window is a forgery, or late (RFC 9293, 3.10.7.4)."""
        if half.over or not half.next <= start < half.next + WINDOW:
            return
        self._doubt(half, half.seen)
        if half.peer is not None and not half.peer.over:
            self._doubt(half.peer, half.seen)
            half.peer.plain = False

    def _doubt(self, half: Half, seen: Seen) -> None:
        """Said to be over; it is, unless it goes on."""
        if half.ending is None and not half.over:
            half.ending = seen
            self._ending[half.flow] = half

    def _close_ended(self, now: Seen, out: list[Given]) -> None:
        """The ends that are believed by now: acknowledged ones, and those behind which nothing came."""
        unsure = []
        for half in self._finished:
            if half.ending is None:
                continue
            if has_acknowledged(half, half.next + 1):
                self._close(half, half.ending, out)
                self._settle(half, out)
            elif abs(now[0] - half.ending[0]) < HOLE_LIFE:
                unsure.append(half)
        self._finished = unsure
        while self._ending:
            half = next(iter(self._ending.values()))
            seen = half.ending or half.seen
            if abs(now[0] - seen[0]) < END_LIFE:
                return
            self._close(half, seen, out)
            self._settle(half, out)

    # What is given

    def _drain(self, half: Half, out: list[Given]) -> None:
        """Gives what waits no longer, and the end, unless the start is still in doubt."""
        while half.pieces and half.pieces[0].start == half.next:
            self._give(half, half.pieces.take(), out)
        if half.fin is not None and half.next >= half.fin.start and half.opening is None:
            self._doubt(half, half.fin.seen)
            self._finished.append(half)
            half.fin = None

    def _give(self, half: Half, piece: Piece, out: list[Given]) -> None:
        doubtful = any(rival.start < piece.end and piece.start < rival.end for rival in half.rivals)
        out.append(StreamData(*piece.seen, half.flow, piece.content, ambiguous=doubtful))
        half.next = piece.end
        self._counts["stream_bytes"] += len(piece.content)
        half.recent.append(piece.content)
        if len(half.recent) > MAX_PAYLOADS:
            trim(half.recent)
        if half.opening is not None:
            half.opening.put(*piece)
        if half.reading is not None:
            out += half.reading.go_on(piece.content, piece.seen)
            if len(half.reading.given) > readings.MAX_STRETCH:
                self._forget_reading(half, out)
        if half.rivals:
            passed = [rival for rival in half.rivals if rival.end <= half.next]
            half.rivals = [rival for rival in half.rivals if rival.end > half.next]
            for rival in passed:
                self._compare(half, rival, out, told=True)

    def _give_gap(self, half: Half, until: int, seen: Seen, out: list[Given]) -> None:
        self._forget_reading(half, out)
        out.append(StreamGap(*seen, half.flow, until - half.next))
        self._counts["stream_gaps"] += 1
        self._counts["stream_gap_bytes"] += until - half.next
        half.miss(until)

    def _give_up(self, half: Half, hole: Piece, out: list[Given]) -> None:
        """The first hole stays one."""
        half.opening = None
        if hole.start > half.next:
            self._give_gap(half, hole.start, hole.seen, out)
        self._drain(half, out)

    def _end(self, half: Half, seen: Seen, out: list[Given]) -> None:
        """Gives what waits, then the end, unless it was given."""
        while (hole := half.hole) is not None:
            self._give_up(half, hole, out)
        if not half.over:
            self._close(half, half.ending or seen, out)

    def _close(self, half: Half, seen: Seen, out: list[Given]) -> None:
        self._forget_reading(half, out)
        out.append(StreamEnd(*seen, half.flow, half.segments))
        half.segments = 0
        self._ending.pop(half.flow, None)
        half.over = True
        half.pieces = Pieces()
        half.rivals = []
        half.opening = half.fin = half.ending = half.renewal = None

    def _remove(self, half: Half, out: list[Given]) -> None:
        self._end(half, half.seen, out)
        self._settle(half, out)
        del self._halves[half.flow]
        self._strangers.pop(half.flow, None)
        self._recent -= half.recent_bytes
        if not self._halves:
            self._recent, self._counted_at = 0, self._counts["stream_bytes"]
        if half.peer is not None:
            half.peer.peer = None

    # The books

    def _settle(self, half: Half, out: list[Given]) -> None:
        """Keeps the books after a change, and the limits of one flow."""
        while half.pieces.weight > MAX_FLOW_WEIGHT or len(half.pieces) > MAX_FLOW_PIECES:
            self._give_up(half, half.pieces[0], out)
        if half.opening is not None and half.opening.weight > MAX_OPENING:
            half.opening = None
        weight = half.total_weight
        self._weight += weight - half.weight
        half.weight = weight
        half.plain = half.is_plain
        if half.payloads >= KNOWN_PAYLOADS:
            self._strangers.pop(half.flow, None)
        if half.waits:
            self._waiting[half.flow] = half
        else:
            self._waiting.pop(half.flow, None)

    def _relieve(self, out: list[Given]) -> None:
        """When too much waits in all, the flows that have waited longest wait no more."""
        while self._weight > self._limits.stream_bytes and self._waiting:
            half = next(iter(self._waiting.values()))
            half.opening = None
            while (hole := half.hole) is not None:
                self._give_up(half, hole, out)
            self._settle(half, out)
        if self._counts["stream_bytes"] > self._thin_out_at:
            self._thin_out(self._counts["stream_bytes"])

    def _thin_out(self, total: int) -> None:
        """Forgets what was given, but of the streams that were heard of last."""
        room = self._limits.stream_recent_bytes // 2
        kept = 0
        for half in reversed(self._halves.values()):
            size = half.recent_bytes
            if kept + size <= room:
                kept += size
            elif size:
                half.forget_recent()
                self._counts["stream_recent_evicted"] += 1
        self._recent, self._counted_at = kept, total
        self._thin_out_at = total + room


def _keeps_alive(half: Half, copy: Piece) -> bool:
    """One byte of any content, to see whether the other end is still there (RFC 9293, section 3.8.4).

    It repeats a byte that was acknowledged; where that direction is not seen, any such byte is taken for one.
    """
    if len(copy.content) != 1 or copy.end != half.next:
        return False
    return has_acknowledged(half, half.next) if half.acked is not None else bool(half.peer is None)


def _conflict(seen: Seen, what: str) -> Oddity:
    return Oddity(
        at=seen[0],
        evidence=Evidence(capture=seen[1], frame=seen[2]),
        protocol="tcp",
        reason=Reason.CONFLICT,
        what=what,
    )
