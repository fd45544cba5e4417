"""Puts fragmented IP packets together (RFC 791, section 3.2; RFC 8200, section 4.5).

In: the `IpPacket` of a fragment. Out: the whole one, once its last hole is filled.
"""

from collections import OrderedDict

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Reason
from monitor.wire.ip import Fragment, IpPacket, whole_of
from monitor.wire.pieces import Pieces, Seen
from monitor.wire.rivals import Rivals

LIFE: Nanoseconds = 30 * SECOND  # Linux's; RFC 8200 lets a receiver wait 60 s, RFC 791 15 s.
MAX_PIECES = 1024  # in one packet: 8 bytes each is the least that the protocol can say
MAX_SIZE = 65_535  # bytes of an IP packet

COUNTS = (
    "fragments",
    "fragmented_packets",
    "fragments_joined",
    "fragments_lost",
    "fragments_expired",
    "fragments_evicted",
    "fragment_conflicts",
    "fragment_readings_evicted",
)
"""Packets joined, expired and evicted; and of single fragments those that waited, `joined` or `lost` with their packet.
"""


class _Incomplete:
    """The fragments of one packet, so far."""

    __slots__ = ("count", "pieces", "protocol", "since", "total")

    def __init__(self, since: Nanoseconds) -> None:
        self.since = since
        self.count = 0
        self.pieces = Pieces()
        self.total: int | None = None
        self.protocol = 0

    @property
    def whole(self) -> bool:
        return self.pieces.size == self.total


class Fragments:
    """All packets that are still incomplete."""

    def __init__(self, counts: dict[str, int], limits: Limits | None = None) -> None:
        self._counts = counts
        self._limits = limits or Limits()
        # Ordered: the oldest of a plain dict is found only behind all that went before it.
        self._incomplete: OrderedDict[bytes, _Incomplete] = OrderedDict()
        self._weight = 0
        self._rivals = Rivals(counts, self._limits)
        self.others: list[tuple[Seen, IpPacket]] = []
        """Packets that can be put together otherwise, until somebody takes them."""

    @property
    def sizes(self) -> dict[str, int]:
        """How full the tables are."""
        return {"fragments": len(self._incomplete), "fragment_bytes": self._weight, **self._rivals.sizes}

    def feed(self, seen: Seen, ip: IpPacket, part: Fragment) -> tuple[IpPacket | None, bool]:
        """The whole packet, if this part completes it; and whether the part contradicts an earlier one."""
        self._counts["fragments"] += 1
        _check(ip, part)
        held = self._incomplete.get(part.packet)
        if held is None:
            held = self._incomplete[part.packet] = _Incomplete(seen[0])
        held.count += 1
        before = held.pieces.weight
        conflict = _put(held, ip, part, seen)
        self._counts["fragment_conflicts"] += conflict
        self._weight += held.pieces.weight - before
        if held.whole:
            self._forget(part.packet)
            self._counts["fragmented_packets"] += 1
            self._counts["fragments_joined"] += held.count - 1
            content = b"".join([piece.content for piece in held.pieces])
            self.others += self._rivals.take(seen, ip, part, content, conflict)
            return whole_of(ip, held.protocol, content), conflict
        self.others += self._rivals.take(seen, ip, part, None, conflict)
        if len(held.pieces) > MAX_PIECES:
            self._lose(part.packet, "fragments_evicted")
        while self._weight > self._limits.fragment_bytes or len(self._incomplete) > self._limits.fragments:
            self._lose(next(iter(self._incomplete)), "fragments_evicted")
        return None, conflict

    def advance(self, at: Nanoseconds) -> None:
        """Forgets what has waited too long. The table is in the order of arrival."""
        self.others += self._rivals.advance(at)
        while self._incomplete:
            oldest = next(iter(self._incomplete))
            if abs(at - self._incomplete[oldest].since) < LIFE:
                return
            self._lose(oldest, "fragments_expired")

    def finish(self) -> None:
        """Nothing more will come."""
        self.others += self._rivals.finish()
        for packet in list(self._incomplete):
            self._lose(packet, "fragments_expired")

    def _lose(self, packet: bytes, count: str) -> None:
        self._counts[count] += 1
        self._counts["fragments_lost"] += self._incomplete[packet].count
        self._forget(packet)

    def _forget(self, packet: bytes) -> None:
        self._weight -= self._incomplete.pop(packet).pieces.weight


def _check(ip: IpPacket, part: Fragment) -> None:
    size = ip.end - ip.start
    if ip.lost:
        raise Malformed(Reason.TRUNCATED, ip.end, "fragment")
    if not size or (part.more and size % 8):
        raise Malformed(Reason.BAD_LENGTH, ip.start, "fragment that is not the last is no multiple of 8 bytes")
    if part.offset + size > MAX_SIZE:
        raise Malformed(Reason.BAD_LENGTH, ip.start, "fragment beyond the largest packet")


def _put(held: _Incomplete, ip: IpPacket, part: Fragment, seen: Seen) -> bool:
    """Adds the part; true when it contradicts what is held, in its bytes or about the packet's length."""
    content = ip.data[ip.start : ip.end]
    end = part.offset + len(content)
    if not part.more and held.total != end:
        if held.total is not None or (held.pieces and held.pieces[-1].end > end):
            return True
        held.total = end
    if held.total is not None and end > held.total:
        return True
    if part.offset == 0 and not (held.pieces and held.pieces[0].start == 0):
        held.protocol = ip.protocol
    return held.pieces.put(part.offset, content, seen)
