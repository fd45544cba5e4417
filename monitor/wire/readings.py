"""Streams that can be read in two ways, for two copies of the same bytes differ.

Which copy an endpoint took nobody can tell from outside: systems differ in it, and a copy with a wrong checksum or too
small a TTL never arrived. So both are followed: the first copy of each byte as `StreamData`; the last copy of each as
`OtherReading`, from some way before the first difference until some way behind the last.
"""

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.packets import Flow, OtherReading
from monitor.wire.pieces import Seen

MAX_PAYLOADS = 16  # remembered of one stream before they are looked through
MAX_WINDOW = 16 * 1024  # bytes of them kept then: a message that is still on its way is hardly ever larger
MAX_STRETCH = 64 * 1024  # bytes followed in two readings, from their start to their end
MAX_TOLD = 1024 * 1024  # bytes told of one stream's other readings without a pause
PAUSE: Nanoseconds = SECOND  # after so much


def trim(recent: list[bytes]) -> None:
    """Makes one of the latest payloads of a stream, or forgets the oldest."""
    if sum(map(len, recent)) > MAX_WINDOW:
        del recent[: len(recent) // 2]
    else:
        recent[:] = [b"".join(recent)]


class Reading:
    """One stretch of a stream in both readings, which are equally long and end at the same place."""

    __slots__ = ("flow", "given", "origin", "other", "paused", "shifted", "told", "told_at")

    def __init__(self, flow: Flow, origin: int, given: bytes) -> None:
        self.flow = flow
        self.origin = origin
        """The place where both begin."""
        self.given = bytearray(given)
        self.other = bytearray(given)
        self.told = 0
        """Bytes told, all together."""
        self.told_at: Nanoseconds = 0
        self.paused = False
        """Something has changed that is not told yet."""
        self.shifted = False
        """The other reading lacks a byte, so places in it mean nothing."""

    def amend(self, place: int, copy: bytes) -> bool:
        """Puts a copy into the other reading, where it differs from what was given; true when that changes it."""
        if self.shifted:
            self.other, self.shifted = bytearray(self.given), False
        start = place - self.origin
        before = self.other[start : start + len(copy)]
        first = self.given[start : start + len(copy)]
        after = bytes([old if new == same else new for old, same, new in zip(before, first, copy, strict=True)])
        self.other[start : start + len(copy)] = after
        return after != before

    def leave_out(self, place: int) -> None:
        """Leaves a byte out of the other reading."""
        self.other = bytearray(self.given)
        del self.other[place - self.origin]
        self.shifted = True

    def tell(self, seen: Seen) -> tuple[OtherReading, ...]:
        """Both texts from their start; nothing for a while when too much was told already."""
        self.paused = self.told > MAX_TOLD and abs(seen[0] - self.told_at) < PAUSE
        if self.paused:
            return ()
        self.told += len(self.given)
        self.told_at = seen[0]
        return (OtherReading(*seen, self.flow, bytes(self.given), bytes(self.other), True),)

    def go_on(self, content: bytes, seen: Seen) -> tuple[OtherReading, ...]:
        """The next bytes, of which there is but one reading so far."""
        self.given += content
        self.other += content
        if self.paused:
            return self.tell(seen)
        return (OtherReading(*seen, self.flow, content, content, False),)
