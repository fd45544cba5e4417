"""Going over many records of a capture at once, at the speed of C and without a guess.

Most records of a mirror port are media, of few lengths. Where a run has one length, each byte of the length field lies
in a column, and a column is compared in one go. Where a few lengths take turns, a pattern that says "64 records of
these lengths, one behind the other" tells in one match where the 65th begins.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

RUN = 128
"""Records of one length compared in one go."""
FEW = 4
"""Records that must seem alike before it is tried."""
LONG = 64
SHORT = 8
MAX_LENGTHS = 48
"""Alternatives of the pattern, tried one by one: more would be slower than one record at a time."""
MAX_PATIENCE = 4096
"""Records gone one by one where trying more was in vain."""

Lengths = tuple[int, int]
"""Of a record: bytes of the frame in it, and bytes of the whole."""


class Strides:
    """The lengths of records that are frequent in one capture, and the pattern made of them."""

    def __init__(self, columns: Sequence[int], lead: bytes, pattern_of: Callable[[int, int], bytes]) -> None:
        """How a record tells its length.

        Two records have the same lengths if they are alike in these `columns`, places of bytes from their start; the
        first of them differs most. `lead` is a pattern for what stands before the lengths, `pattern_of` for the rest.
        """
        self._columns = columns
        self._lead = lead
        self._pattern_of = pattern_of
        self._seen: Counter[Lengths] = Counter()
        self._asked = 0
        self._due = 1
        self._patience = SHORT
        self._long: re.Pattern[bytes] | None = None
        self._short: re.Pattern[bytes] | None = None
        self.frames: frozenset[int] = frozenset()
        """Frames of these lengths are in the pattern."""

    def are_poor(self) -> bool:
        """Whether a look at what comes may help; asked once a chunk, and true ever less often, for it costs much."""
        self._asked += self._patience > SHORT
        if self._asked < self._due:
            return False
        self._due *= 2
        return True

    def learn(self, sample: Iterable[Lengths]) -> None:
        """Take these records as typical of what comes."""
        counts = Counter(sample)
        if len(counts) < 2 or counts.keys() <= self._seen.keys():
            return
        self._seen = Counter(dict((self._seen + counts).most_common(MAX_LENGTHS)))
        lengths = [lengths for lengths, _ in self._seen.most_common()]
        branches = b"|".join(self._pattern_of(*pair) for pair in lengths)
        record = b"()" + self._lead + b"(?:" + branches + b")"
        self._long = re.compile(b"(?s:%b){%d}+" % (record, LONG))
        self._short = re.compile(b"(?s:%b){%d}+" % (record, SHORT))
        self.frames = frozenset(frame for frame, _ in lengths)

    def over(self, buffer: bytes, offset: int, size: int, barrier: int) -> tuple[int, int, int, int]:
        """Past the record of that size that begins here, and past more as far as they are easy to tell.

        How many, where the last of them begins, where the next, and how many to go one by one before asking again.
        No record reaches over the barrier, except the first.
        """
        count = self._alike(buffer, offset, size, barrier)
        last = offset + (count - 1) * size
        offset = last + size
        if count < SHORT and self._long is not None and self._short is not None:
            while found := self._long.match(buffer, offset, barrier):
                count += LONG
                last, offset = found.start(1), found.end()
            while found := self._short.match(buffer, offset, barrier):
                count += SHORT
                last, offset = found.start(1), found.end()
        if count >= SHORT:
            self._patience = SHORT
            return count, last, offset, 0
        self._patience = min(2 * self._patience, MAX_PATIENCE)
        return count, last, offset, self._patience

    def _alike(self, buffer: bytes, offset: int, size: int, barrier: int) -> int:
        """How many records from here are like the first; more may follow."""
        count = min(RUN, (barrier - offset) // size)
        start = offset + self._columns[0]
        if count < FEW or len(set(buffer[start : start + FEW * size : size])) > 1:
            return 1
        for column in self._columns:
            start = offset + column
            alike = buffer[start : start + (count - 1) * size + 1 : size]
            count -= len(alike.lstrip(alike[:1]))
        return count
