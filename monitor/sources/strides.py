"""Going over many records of a capture at once, at the speed of C and without a guess.

Most records of a mirror port are media, of few lengths. A pattern that says "64 records of these lengths, one behind
the other" tells in one match where the 65th begins; where it does not fit, the caller goes one record at a time.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable

LONG = 64
SHORT = 8
MAX_LENGTHS = 48
"""Alternatives of the pattern, tried one by one: more would be slower than one record at a time."""
MAX_PATTERNS = 12
"""A pattern costs milliseconds to compile, so traffic that changes all the time must not have one made each chunk."""
MAX_PATIENCE = 4096
"""Records between two tries, where the tries are in vain."""

Lengths = tuple[int, int]
"""Of a record: bytes of the frame in it, and bytes of the whole."""


class Strides:
    """The lengths of records that are frequent in one capture, and the pattern made of them."""

    def __init__(self, lead: bytes, pattern_of: Callable[[int, int], bytes]) -> None:
        """`lead` matches what stands before the lengths, `pattern_of` the rest of a record with these lengths."""
        self._lead = lead
        self._pattern_of = pattern_of
        self._seen: Counter[Lengths] = Counter()
        self._made = 0
        self._penalty = SHORT
        self._long: re.Pattern[bytes] | None = None
        self._short: re.Pattern[bytes] | None = None
        self.frames: frozenset[int] = frozenset()
        """Frames of these lengths are gone over unseen; empty while there is no pattern."""

    def learn(self, sample: Iterable[Lengths]) -> None:
        """Take these records as typical of what comes."""
        counts = Counter(sample)
        if self._made >= MAX_PATTERNS or counts.keys() <= self._seen.keys():
            return
        self._made += 1
        self._seen = Counter(dict((self._seen + counts).most_common(MAX_LENGTHS)))
        lengths = [lengths for lengths, _ in self._seen.most_common()]
        branches = b"|".join(self._pattern_of(*pair) for pair in lengths)
        record = b"()" + self._lead + b"(?:" + branches + b")"
        self._long = re.compile(b"(?s:%b){%d}+" % (record, LONG))
        self._short = re.compile(b"(?s:%b){%d}+" % (record, SHORT))
        self.frames = frozenset(frame for frame, _ in lengths)

    def over(self, buffer: bytes, offset: int, barrier: int) -> tuple[int, int, int, int]:
        """Whole records from here, none beyond the barrier.

        How many, where the last of them begins, where the next, and how many to go one by one before asking again.
        """
        if self._long is None or self._short is None:
            return 0, offset, offset, MAX_PATIENCE
        count, last = 0, offset
        while found := self._long.match(buffer, offset, barrier):
            count += LONG
            last, offset = found.start(1), found.end()
        while found := self._short.match(buffer, offset, barrier):
            count += SHORT
            last, offset = found.start(1), found.end()
        self._penalty = SHORT if count else min(2 * self._penalty, MAX_PATIENCE)
        return count, last, offset, self._penalty
