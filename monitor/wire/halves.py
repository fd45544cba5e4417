"""What is remembered of one direction of a TCP connection."""

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.packets import Flow
from monitor.wire.pieces import OVERHEAD, Piece, Pieces, Seen
from monitor.wire.readings import Reading
from monitor.wire.tcp import Segment, near

HOLE_LIFE: Nanoseconds = 5 * SECOND
# Mirrors put packets in another order than they were sent: an acknowledgement may come before what it acknowledges.
SKEW: Nanoseconds = SECOND // 20
SKEW_FRAMES = 64
WINDOW = 1024 * 1024  # A segment that far behind is no retransmission: it is of another connection.
MAX_RIVALS = 512  # copies that differ from what waits behind a hole
KNOWN_PAYLOADS = 2  # A direction that has said less is a stranger.


class Half:
    """One direction of a connection, from its SYN or first payload on.

    Places count on without wrapping; the first is the sequence number that began it.
    """

    __slots__ = (
        "acked",
        "before",
        "ending",
        "fin",
        "first",
        "flow",
        "late",
        "missed",
        "next",
        "opening",
        "over",
        "payloads",
        "peer",
        "pieces",
        "plain",
        "reading",
        "recent",
        "renewal",
        "rivals",
        "seen",
        "segments",
        "weight",
    )

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.peer: Half | None = None
        self.seen: Seen = (0, "", 0)
        """The last frame of this direction."""
        self.acked: int | None = None
        """The last acknowledgement number of the other direction."""
        self.weight = 0
        """What of this is in the sum over all."""
        self.segments = 0
        """That brought bytes which nobody had brought before, since the last end that was told."""
        self.payloads = 0
        """Segments with bytes, as far as that matters: a direction of one alone is a stranger."""
        self.begin(0, in_the_middle=False)

    def begin(self, place: int, in_the_middle: bool) -> None:
        """Starts anew at this place: with the first connection of these ports, or with the next."""
        self.first = place
        self.next = place
        """Of the next byte to give."""
        self.missed = (place - WINDOW, place)
        """From where to where there are bytes that were never given: before the start, and in gaps."""
        self.before = b""
        """What was given before the first gap."""
        self.late: int | None = None
        """Where the bytes that came after all went to."""
        self.pieces = Pieces()
        """What waits behind holes."""
        self.rivals: list[Piece] = []
        """Copies that differ from what waits."""
        self.recent: list[bytes] = []
        """The payloads given last; they end at `next`."""
        self.reading: Reading | None = None
        """The stretch that is read in two ways just now."""
        self.opening = Pieces() if in_the_middle else None
        """What was given since a start in mid-stream, while something earlier may still come late."""
        self.fin: Piece | None = None
        """A piece of no bytes behind the last one."""
        self.ending: Seen | None = None
        """The frame that says that it is over, which may be forged."""
        self.renewal: tuple[Segment, Seen] | None = None
        """A SYN of the next connection with these ports, which may be forged, until one of the two goes on."""
        self.over = False
        self.plain = False
        """The usual case: nothing waits, and nothing is in doubt."""

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

    @property
    def waits(self) -> bool:
        """Something is there that time will free."""
        return bool(self.pieces or self.opening is not None or self.fin is not None)

    @property
    def is_plain(self) -> bool:
        """Nothing but the next segment is to be expected."""
        known = self.payloads >= KNOWN_PAYLOADS
        return known and not (self.waits or self.over or self.ending or self.renewal or self.reading)

    @property
    def total_weight(self) -> int:
        """Bytes of memory for what waits, about."""
        waiting = self.pieces.weight + (self.opening.weight if self.opening is not None else 0)
        return waiting + sum(len(rival.content) + OVERHEAD for rival in self.rivals)

    @property
    def recent_bytes(self) -> int:
        """Bytes kept of what was given, or of what a SYN carried that is still in doubt."""
        asked = len(self.renewal[0].payload) if self.renewal is not None else 0
        return sum(map(len, self.recent)) + len(self.before) + asked

    def forget_recent(self) -> None:
        """What was given is not compared any more."""
        self.recent.clear()
        self.before = b""
        self.renewal = None

    def miss(self, until: int) -> None:
        """The bytes from here to there were not given."""
        start = self.missed[0]
        if self.missed[1] <= self.first:
            start, self.before = self.next, b"".join(self.recent)
        self.missed = (max(start, until - WINDOW), until)
        self.next = until
        self.recent.clear()


def has_settled(then: Seen, now: Seen) -> bool:
    """Whatever a mirror put in another order has come by now."""
    if abs(now[0] - then[0]) < SKEW:
        return False
    return now[1] != then[1] or abs(now[2] - then[2]) >= SKEW_FRAMES


def is_lost(half: Half, hole: Piece, now: Seen) -> bool:
    """The bytes before this piece will not come."""
    if abs(now[0] - hole.seen[0]) >= HOLE_LIFE:
        return True
    return has_acknowledged(half, hole.start) and has_settled(hole.seen, now)


def has_acknowledged(half: Half, place: int) -> bool:
    """The receiver says that it has everything before this place."""
    return half.acked is not None and near(half.acked, place) >= place
