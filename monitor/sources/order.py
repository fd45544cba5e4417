"""Captures whose frames are not in the order of time, as programs with several queues or interfaces write them.

The order of a whole capture costs memory, and a wider filter is of use only from the next frame on; so only a capture
that shows disorder among its first frames is put in order, and no more than `BLOCK` frames ahead.
"""

from collections.abc import Generator, Iterable
from heapq import heapify, heappushpop
from itertools import islice, pairwise, repeat

from monitor.model.packets import Frame

BLOCK = 64
"""Frames among which any order is put right."""
SAMPLE = 4 * BLOCK
"""First frames that are looked at."""


def is_disordered(frames: Iterable[Frame]) -> bool:
    """Whether one of the first frames is older than the one before it."""
    return any(after.at < before.at for before, after in pairwise(islice(frames, SAMPLE)))


def in_order(frames: Iterable[Frame]) -> Generator[Frame, None, None]:
    """The frames by time, and those of one moment by number, when none is more than `BLOCK` from its place.

    Frames of one capture compare so as they are: they begin with time, capture and number.
    """
    coming = iter(frames)
    waiting = list(islice(coming, BLOCK))
    heapify(waiting)
    yield from map(heappushpop, repeat(waiting), coming)
    yield from sorted(waiting)
