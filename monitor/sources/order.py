"""Captures whose frames are not in the order of time, as programs with several queues or interfaces write them.

The order of a whole capture costs memory, and a wider filter is of use only from the next frame on; so only a capture
that shows disorder among its first frames is put in order, and no more than `BLOCK` frames ahead.
"""

from collections.abc import Generator, Iterable
from heapq import heappush, heappushpop
from itertools import islice, pairwise

from monitor.model.evidence import Nanoseconds
from monitor.model.packets import Frame

BLOCK = 64
"""Frames among which any order is put right."""
SAMPLE = 4 * BLOCK
"""First frames that are looked at."""


def is_disordered(frames: Iterable[Frame]) -> bool:
    """Whether one of the first frames is older than the one before it."""
    return any(after.at < before.at for before, after in pairwise(islice(frames, SAMPLE)))


def in_order(frames: Iterable[Frame]) -> Generator[Frame, None, None]:
    """The frames by time, and those of one moment by number, when none is more than `BLOCK` from its place."""
    waiting: list[tuple[Nanoseconds, int, Frame]] = []
    for frame in frames:
        item = (frame.at, frame.number, frame)
        if len(waiting) < BLOCK:
            heappush(waiting, item)
        else:
            yield heappushpop(waiting, item)[2]
    yield from (frame for _, _, frame in sorted(waiting))
