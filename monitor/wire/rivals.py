"""Fragmented packets that can be put together in two ways, for fragments differ where they overlap.

Which fragment counts differs from system to system, and some never arrive (a wrong checksum, too small a TTL). So a
packet is given as its first fragments make it (`Fragments`), and once more as its last make it, when that is another:
at once when both are known, or after a moment when the later ones came behind a whole packet of the same name.
"""

from collections import OrderedDict
from typing import NamedTuple

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed
from monitor.wire.ip import Fragment, IpPacket, whole_of
from monitor.wire.pieces import OVERHEAD, Seen

LIFE: Nanoseconds = 30 * SECOND  # as long as a receiver waits for the rest
# Fragments of one packet come one behind the other; what is not whole by then may belong to the one before.
PATIENCE: Nanoseconds = SECOND
MAX_PARTS = 1024  # of one


class _Part(NamedTuple):
    offset: int
    content: bytes
    more: bool
    protocol: int


class _Story:
    """The fragments that came under one name, the oldest first; those of a packet that was given are made one."""

    __slots__ = ("differs", "given", "last", "parts", "seen", "since")

    def __init__(self, since: Nanoseconds) -> None:
        self.since = since
        self.parts: list[_Part] = []
        self.given: bytes | None = None
        self.differs = False
        """Some part contradicts another."""
        self.seen: Seen = (0, "", 0)
        self.last: IpPacket | None = None

    @property
    def weight(self) -> int:
        return sum(len(part.content) + OVERHEAD for part in self.parts)

    def repeats(self, part: _Part) -> bool:
        """Whether a part says what the packet that was given says."""
        end = part.offset + len(part.content)
        given = self.given or b""
        return given[part.offset : end] == part.content and part.more == (end < len(given))

    def last_words(self) -> tuple[int, bytes] | None:
        """Protocol and content as the last parts make it; none while it is not whole."""
        lasts = [part.offset + len(part.content) for part in self.parts if not part.more]
        if not lasts:
            return None
        total, protocol = lasts[-1], 0
        content, there = bytearray(total), bytearray(total)
        for part in self.parts:
            cut = part.content[: max(0, total - part.offset)]
            content[part.offset : part.offset + len(cut)] = cut
            there[part.offset : part.offset + len(cut)] = b"\1" * len(cut)
            protocol = protocol if part.offset else part.protocol
        return (protocol, bytes(content)) if all(there) else None


class Rivals:
    """The other ways to put packets together."""

    def __init__(self, counts: dict[str, int], limits: Limits) -> None:
        self._counts = counts
        self._limits = limits
        self._stories: OrderedDict[bytes, _Story] = OrderedDict()
        self._doubted: dict[bytes, None] = {}
        """Those whose other reading is awaited."""
        self._weight = 0

    @property
    def sizes(self) -> dict[str, int]:
        """How full the tables are."""
        return {"fragment_readings": len(self._stories), "fragment_reading_bytes": self._weight}

    def take(
        self, seen: Seen, ip: IpPacket, part: Fragment, whole: bytes | None, differs: bool
    ) -> list[tuple[Seen, IpPacket]]:
        """Takes note of a part, and of the packet it completes, if any; gives the other way to read that."""
        story = self._stories.get(part.packet)
        if story is None:
            story = self._stories[part.packet] = _Story(seen[0])
        new = _Part(part.offset, ip.data[ip.start : ip.end], part.more, ip.protocol)
        self._weight -= story.weight
        if story.given is None or not story.repeats(new):
            story.differs |= differs or story.given is not None
            story.parts.append(new)
            story.seen, story.last = seen, ip
        others: list[tuple[Seen, IpPacket]] = []
        if whole is not None:
            others = self._other_of(story, whole) if story.given is None else []
            story.parts = [_Part(0, whole, False, ip.protocol)]
            story.given, story.differs, story.since = whole, False, seen[0]
        if story.differs:
            self._doubted[part.packet] = None
        else:
            self._doubted.pop(part.packet, None)
        self._weight += story.weight
        if len(story.parts) > MAX_PARTS:
            self._evict(part.packet)
        limits = self._limits
        while self._weight > limits.fragment_reading_bytes or len(self._stories) > limits.fragment_readings:
            self._evict(next(iter(self._stories)))
        return others

    def advance(self, at: Nanoseconds) -> list[tuple[Seen, IpPacket]]:
        """The other readings that have waited long enough."""
        others: list[tuple[Seen, IpPacket]] = []
        for name in list(self._doubted):
            story = self._stories[name]
            if abs(at - story.seen[0]) >= PATIENCE:
                others += self._other_of(story, story.given)
                del self._doubted[name]
        while self._stories:
            oldest = next(iter(self._stories))
            if abs(at - self._stories[oldest].since) < LIFE:
                break
            self._forget(oldest)
        return others

    def finish(self) -> list[tuple[Seen, IpPacket]]:
        """Nothing more will come."""
        stories = [self._stories[name] for name in self._doubted]
        self._doubted.clear()
        return [other for story in stories for other in self._other_of(story, story.given)]

    def _other_of(self, story: _Story, given: bytes | None) -> list[tuple[Seen, IpPacket]]:
        words = story.last_words() if story.differs else None
        if words is None or story.last is None or words[1] == given:
            return []
        story.differs = False
        try:
            return [(story.seen, whole_of(story.last, *words))]
        except Malformed:
            return []

    def _evict(self, name: bytes) -> None:
        self._counts["fragment_readings_evicted"] += 1
        self._forget(name)

    def _forget(self, name: bytes) -> None:
        self._weight -= self._stories.pop(name).weight
        self._doubted.pop(name, None)
