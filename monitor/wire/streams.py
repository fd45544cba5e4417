"""Puts TCP segments in order, each direction of a connection for itself (RFC 9293, section 3.4 and 3.10.7.4).

In: segments, as they come. Out: `StreamData` in order, each byte once; `StreamGap` for bytes that will not come;
`StreamEnd`. What arrives behind a hole waits. A hole is given up when the receiver has acknowledged what is behind it
(it has the bytes, the capture does not), when five seconds have passed, when too much waits, or when nothing more
will come. Records carry the time and number of the frame that brought their bytes, not of the one that freed them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from monitor.model.evidence import MINUTE, SECOND, Evidence, Nanoseconds
from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Flow, StreamData, StreamEnd, StreamGap, reverse_of
from monitor.wire.pieces import Piece, Pieces, Seen
from monitor.wire.tcp import ACK, FIN, RST, SYN, Segment, near

MAX_FLOWS = 32_768  # directions remembered; 1 KiB each at most without what waits
MAX_WEIGHT = 16 * 1024 * 1024  # bytes waiting in all flows
MAX_FLOW_WEIGHT = 1024 * 1024  # bytes waiting in one: a larger receive window is no habit of signalling
MAX_FLOW_PIECES = 512  # waiting in one, so that a segment that overlaps all of them costs little
MAX_OPENING = 64 * 1024  # bytes kept of a start in mid-stream
IDLE: Nanoseconds = 10 * MINUTE  # keep-alives come every two minutes (RFC 5626, section 4.4.1)
HOLE_LIFE: Nanoseconds = 5 * SECOND
# Mirrors put packets in another order than they were sent: an acknowledgement may come before what it acknowledges.
SKEW: Nanoseconds = SECOND // 20
SKEW_FRAMES = 64
WINDOW = 1024 * 1024  # A segment that far behind is no retransmission: it is of another connection.

COUNTS = (
    "streams",
    "streams_begun_in_the_middle",
    "stream_bytes",
    "stream_gaps",
    "stream_gap_bytes",
    "stream_conflicts",
    "streams_expired",
    "streams_evicted",
    "segments",
    "segments_reordered",
    "segments_repeated",
)

Given: TypeAlias = StreamData | StreamGap | StreamEnd | Oddity
_NOTHING: Sequence[Given] = ()
_stream_data = tuple.__new__  # A named tuple's own constructor costs 0.1 µs more.


class _Half:
    """One direction of a connection, from its SYN or first payload on.

    Places count on without wrapping; the first is the sequence number that began it.
    """

    __slots__ = (
        "acked",
        "fin",
        "first",
        "flow",
        "next",
        "opening",
        "over",
        "peer",
        "pieces",
        "plain",
        "seen",
        "weight",
    )

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.peer: _Half | None = None
        self.seen: Seen = (0, "", 0)
        """The last frame of this direction."""
        self.acked: int | None = None
        """The last acknowledgement number of the other direction."""
        self.weight = 0
        """What of this is in the sum over all."""
        self.begin(0, in_the_middle=False)

    def begin(self, place: int, in_the_middle: bool) -> None:
        """Starts anew at this place: with the first connection of these ports, or with the next."""
        self.first = place
        self.next = place
        """Of the next byte to give."""
        self.pieces = Pieces()
        """What waits behind holes."""
        self.opening = Pieces() if in_the_middle else None
        """What was given since a start in mid-stream, while something earlier may still come late."""
        self.fin: Piece | None = None
        """A piece of no bytes behind the last one."""
        self.over = False
        self.plain = not in_the_middle
        """The usual case: nothing waits, and it is not over."""

    def rewind(self, place: int, in_the_middle: bool) -> None:
        """What was given since the start in mid-stream waits again, behind this earlier place."""
        given, waiting, fin = self.opening or Pieces(), self.pieces, self.fin
        self.begin(place, in_the_middle)
        for piece in waiting:
            given.put(*piece)
        self.pieces, self.fin = given, fin

    @property
    def hole(self) -> Piece | None:
        """What waits behind the first hole: a piece, or the end."""
        if self.pieces and (self.fin is None or self.pieces[0].start < self.fin.start):
            return self.pieces[0]
        return self.fin


class Streams:
    """All directions of all connections."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._halves: OrderedDict[Flow, _Half] = OrderedDict()
        """In the order of their last frames."""
        self._waiting: dict[Flow, _Half] = {}
        """Those with something that time will free."""
        self._weight = 0

    def feed(self, seen: Seen, flow: Flow, segment: Segment) -> Sequence[Given]:
        """What this segment adds to its stream."""
        sequence, acknowledged, flags, payload, lost = segment
        self._counts["segments"] += 1
        half = self._halves.get(flow)
        if half is None:
            return self._first(seen, flow, segment)
        half.seen = seen
        self._halves.move_to_end(flow)
        if flags & ACK and half.peer is not None:
            half.peer.acked = acknowledged
        if half.plain and sequence == half.next & 0xFFFF_FFFF and not flags & (SYN | FIN | RST) and not lost:
            if not payload:
                return _NOTHING
            half.next += len(payload)
            self._counts["stream_bytes"] += len(payload)
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
            if half.opening and _has_settled(half.opening[0].seen, seen):
                half.opening = None
                self._drain(half, out)
            while (hole := half.hole) is not None and _is_lost(half, hole, seen):
                self._give_up(half, hole, out)
            self._settle(half, out)
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
                self._end(peer, seen, out)
                self._settle(peer, out)
        if segment.flags & RST or not (segment.payload or segment.flags & SYN):
            return out
        while len(self._halves) >= MAX_FLOWS:
            self._counts["streams_evicted"] += 1
            self._remove(next(iter(self._halves.values())), out)
        half = self._halves[flow] = _Half(flow)
        half.seen = seen
        half.peer = self._halves.get(reverse_of(flow))
        if half.peer is not None:
            half.peer.peer = half
        self._begin(half, segment)
        self._place(half, segment, out)
        self._settle(half, out)
        self._relieve(out)
        return out

    def _begin(self, half: _Half, segment: Segment) -> None:
        synchronises = bool(segment.flags & SYN)
        half.begin(segment.sequence + synchronises, in_the_middle=not synchronises)
        self._counts["streams"] += 1
        self._counts["streams_begun_in_the_middle"] += not synchronises

    def _place(self, half: _Half, segment: Segment, out: list[Given]) -> None:
        """Puts the segment where it belongs, and gives what is now in order."""
        start = near(segment.sequence + bool(segment.flags & SYN), half.next)
        if segment.flags & SYN:
            self._synchronise(half, segment, start, out)
            start = near(start, half.next)
        if segment.flags & RST:
            self._reset(half, start, out)
            return
        if half.over or start < half.next - WINDOW:
            if not segment.payload or half.next - WINDOW <= start < half.next:
                return  # late, of a stream that is over
            self._end(half, half.seen, out)
            self._begin(half, segment)
            start = half.next
        if half.opening and half.first - MAX_OPENING < start < half.first and len(segment.payload) > 1:
            # Not the keep-alive of RFC 9293, section 3.8.4, which repeats one byte.
            self._rewind(half, start, True, out)
        self._put(half, start, segment.payload, out)
        end = start + len(segment.payload)
        self._drain(half, out)
        if segment.lost and half.next == end and not half.over:
            # Cut by the snap length, as its retransmission would be; but part of it may wait already.
            waiting = half.pieces[0].start if half.pieces else end + segment.lost
            self._give_gap(half, min(end + segment.lost, waiting), half.seen, out)
        if segment.flags & FIN and half.fin is None and not half.over:
            half.fin = Piece(end + segment.lost, b"", half.seen)
        self._drain(half, out)

    def _put(self, half: _Half, start: int, payload: bytes, out: list[Given]) -> None:
        """Gives what is next, keeps what is behind a hole, drops what was given."""
        if start < half.next:
            self._counts["segments_repeated"] += bool(payload)
            payload = payload[half.next - start :]
            start = half.next
        if not payload:
            return
        if start == half.next and not half.pieces:
            self._give(half, Piece(start, payload, half.seen), out)
            return
        self._counts["segments_reordered"] += start > half.next
        if half.pieces.put(start, payload, half.seen):
            self._counts["stream_conflicts"] += 1
            out.append(_conflict(half.seen))

    def _synchronise(self, half: _Half, segment: Segment, start: int, out: list[Given]) -> None:
        """A SYN of a direction that has begun: again, late, or of the next connection with these ports."""
        if start == half.first:
            half.opening = None
        elif half.opening and half.first - MAX_OPENING < start < half.first:
            self._rewind(half, start, False, out)
        else:
            self._end(half, half.seen, out)
            self._begin(half, segment)

    def _rewind(self, half: _Half, start: int, in_the_middle: bool, out: list[Given]) -> None:
        """The stream began earlier than it seemed: what was given so far is ended, and given again in order."""
        out.append(StreamEnd(*half.seen, half.flow))
        half.rewind(start, in_the_middle)

    def _reset(self, half: _Half, start: int, out: list[Given]) -> None:
        """Both directions are over. A number outside the window is a forgery, or late (RFC 9293, 3.10.7.4)."""
        if half.over or not half.next <= start < half.next + WINDOW:
            return
        peer, seen = half.peer, half.seen
        self._end(half, seen, out)
        if peer is not None:
            self._end(peer, seen, out)
            self._settle(peer, out)

    def _drain(self, half: _Half, out: list[Given]) -> None:
        """Gives what waits no longer, and the end, unless the start is still in doubt."""
        while half.pieces and half.pieces[0].start == half.next:
            self._give(half, half.pieces.take(), out)
        if half.fin is not None and half.next >= half.fin.start and half.opening is None:
            self._close(half, half.fin.seen, out)

    def _give(self, half: _Half, piece: Piece, out: list[Given]) -> None:
        out.append(StreamData(*piece.seen, half.flow, piece.content))
        half.next = piece.end
        self._counts["stream_bytes"] += len(piece.content)
        if half.opening is not None:
            half.opening.put(*piece)

    def _give_gap(self, half: _Half, until: int, seen: Seen, out: list[Given]) -> None:
        out.append(StreamGap(*seen, half.flow, until - half.next))
        self._counts["stream_gaps"] += 1
        self._counts["stream_gap_bytes"] += until - half.next
        half.next = until

    def _give_up(self, half: _Half, hole: Piece, out: list[Given]) -> None:
        """The first hole stays one."""
        half.opening = None
        if hole.start > half.next:
            self._give_gap(half, hole.start, hole.seen, out)
        self._drain(half, out)

    def _end(self, half: _Half, seen: Seen, out: list[Given]) -> None:
        """Gives what waits, then the end, unless it was given."""
        while (hole := half.hole) is not None:
            self._give_up(half, hole, out)
        if not half.over:
            self._close(half, seen, out)

    def _close(self, half: _Half, seen: Seen, out: list[Given]) -> None:
        out.append(StreamEnd(*seen, half.flow))
        half.over = True
        half.pieces = Pieces()
        half.opening = half.fin = None

    def _remove(self, half: _Half, out: list[Given]) -> None:
        self._end(half, half.seen, out)
        self._settle(half, out)
        del self._halves[half.flow]
        if half.peer is not None:
            half.peer.peer = None

    def _settle(self, half: _Half, out: list[Given]) -> None:
        """Keeps the books after a change, and the limits of one flow."""
        while half.pieces.weight > MAX_FLOW_WEIGHT or len(half.pieces) > MAX_FLOW_PIECES:
            self._give_up(half, half.pieces[0], out)
        if half.opening is not None and half.opening.weight > MAX_OPENING:
            half.opening = None
        weight = half.pieces.weight + (half.opening.weight if half.opening is not None else 0)
        self._weight += weight - half.weight
        half.weight = weight
        waits = bool(half.pieces or half.opening is not None or half.fin is not None)
        half.plain = not (waits or half.over)
        if waits:
            self._waiting[half.flow] = half
        else:
            self._waiting.pop(half.flow, None)

    def _relieve(self, out: list[Given]) -> None:
        """When too much waits in all, the flows that have waited longest wait no more."""
        while self._weight > MAX_WEIGHT:
            half = next(iter(self._waiting.values()))
            half.opening = None
            while (hole := half.hole) is not None:
                self._give_up(half, hole, out)
            self._settle(half, out)


def _has_settled(then: Seen, now: Seen) -> bool:
    """Whatever a mirror put in another order has come by now."""
    if abs(now[0] - then[0]) < SKEW:
        return False
    return now[1] != then[1] or abs(now[2] - then[2]) >= SKEW_FRAMES


def _is_lost(half: _Half, hole: Piece, now: Seen) -> bool:
    """The bytes before this piece will not come."""
    if abs(now[0] - hole.seen[0]) >= HOLE_LIFE:
        return True
    acknowledged = half.acked is not None and near(half.acked, hole.start) >= hole.start
    return acknowledged and _has_settled(hole.seen, now)


def _conflict(seen: Seen) -> Oddity:
    return Oddity(
        at=seen[0],
        evidence=Evidence(capture=seen[1], frame=seen[2]),
        protocol="tcp",
        reason=Reason.CONFLICT,
        what="segments overlap with different bytes",
    )
