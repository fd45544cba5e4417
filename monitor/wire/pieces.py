"""Bytes that arrive out of order, with holes between them: for fragments of a datagram and segments of a stream.

This is the one place that decides which bytes stand where two pieces overlap: the first that came.
"""

from bisect import bisect_right
from typing import NamedTuple, TypeAlias

from monitor.model.evidence import Nanoseconds

Seen: TypeAlias = tuple[Nanoseconds, str, int]
"""When, in which capture, in which frame: the first three fields of every packet."""

OVERHEAD = 200
"""Bytes of memory that a piece costs beside its content: two objects, a tuple and its place in the list."""


class Piece(NamedTuple):
    """Bytes at a place, and the frame that brought them."""

    start: int
    content: bytes
    seen: Seen

    @property
    def end(self) -> int:
        """The place behind the last byte."""
        return self.start + len(self.content)


def _start_of(piece: Piece) -> int:
    return piece.start


class Pieces(list[Piece]):
    """Pieces in the order of their places, none overlapping another."""

    size: int = 0
    """Bytes of content."""

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return self.size + OVERHEAD * len(self)

    def put(self, start: int, content: bytes, seen: Seen) -> bool:
        """Fills what is still a hole; true when the rest differs from what stands there already."""
        end = start + len(content)
        first = bisect_right(self, start, key=_start_of)
        if first and self[first - 1].end > start:
            first -= 1
        fresh: list[Piece] = []
        differs = False
        place, last = start, first
        while last < len(self) and self[last].start < end:
            there = self[last]
            if place < there.start:
                fresh.append(Piece(place, content[place - start : there.start - start], seen))
                place = there.start
            until = min(there.end, end)
            if content[place - start : until - start] != there.content[place - there.start : until - there.start]:
                differs = True
            place, last = until, last + 1
        if place < end:
            fresh.append(Piece(place, content[place - start :], seen))
        if fresh:
            self[first:last] = sorted(self[first:last] + fresh)
            self.size += sum(len(piece.content) for piece in fresh)
        return differs

    def take(self) -> Piece:
        """Removes the first piece."""
        piece = self.pop(0)
        self.size -= len(piece.content)
        return piece
