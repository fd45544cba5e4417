"""Savefiles, frame by frame: the plain bytes of one capture come in, its frames go out, and where it is broken.

A *walker* goes from record to record. It can ask of each frame whether it is wanted (`frames`), or follow somebody who
reads the same file faster and gives only the wanted bytes (`follow`): libpcap filters in C, but tells neither frame
numbers nor exact times, and stops at the first damage.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol

from monitor.model.evidence import Nanoseconds
from monitor.model.packets import Frame
from monitor.model.summary import Damage
from monitor.sources.strides import Lengths, Strides

CHUNK_BYTES = 256 * 1024
MAX_FRAME_BYTES = 256 * 1024
"""No link carries more in one frame; libpcap and Wireshark draw the line here too."""
MAX_DAMAGE = 100
"""Places told of one capture: one that is broken everywhere needs no more to be called broken."""
SAMPLE = 512
"""Records looked at in a chunk for their lengths."""
SHARE = SAMPLE // 4
"""A length that some wanted frames have is gone over only if so many of a sample have it."""
END_OF_TIME: Nanoseconds = (1 << 63) - 1
"""Later times are those of a broken clock."""

Wants = Callable[[int, bytes, int], bool]
"""Whether a frame is wanted: its link type, its bytes, and their number on the wire."""

Passes = Callable[[int, int], bool]
"""Whether so many more frames of a link type, equal to one that was not wanted, may be passed over unseen."""

EQUAL_BYTES = 64 * 1024
"""Compared at once where records repeat themselves."""


class Unfollowable(Exception):
    """What stands here cannot tell where the next record begins: the capture ends, for whoever reads it."""


class Stream(Protocol):
    """The plain bytes of a capture, read once from start to end."""

    @property
    def trouble(self) -> str:
        """Why they ended before their time; empty when they did not."""
        ...

    def read(self, size: int, /) -> bytes:
        """About `size` bytes; none at the end."""
        ...

    @property
    def seekable(self) -> bool:
        """Whether it can go back."""
        ...

    def seek(self, place: int, /) -> None:
        """Go on from there."""
        ...


class Walker(ABC):
    """Goes through one capture, whatever its format, and keeps count."""

    def __init__(self, capture: str, stream: Stream, head: bytes) -> None:
        """`head` holds the first bytes of the stream, already read."""
        self.capture = capture
        self.limit = MAX_FRAME_BYTES
        """Longer frames are not followed; set lower where the one who is followed cuts them."""
        self.number = 0
        """Of the last frame passed."""
        self.wanted = 0
        """Frames given."""
        self.cut = 0
        """Those of them that the snap length cut."""
        self.first: Nanoseconds | None = None
        self._stream = stream
        self._buffer = head
        self._offset = 0
        self._base = 0
        self._last: Nanoseconds | None = None
        self._damage: list[Damage] = []
        self._strides = self._new_strides()
        self._wait = 1
        """Frames to go one by one before more are tried: the first one always."""
        self._found: set[int] = set()

    @property
    def last(self) -> Nanoseconds | None:
        """The time of the last frame passed."""
        return self._last

    @property
    def dropped_by_system(self) -> int:
        """Frames that the capture says were dropped for want of room."""
        return 0

    @property
    def dropped_by_interface(self) -> int:
        """Frames that the capture says the interface dropped."""
        return 0

    @property
    def damage(self) -> tuple[Damage, ...]:
        """The places passed where the capture is broken."""
        return tuple(self._damage)

    def frames(self, wants: Wants, passes: Passes = lambda *_: False) -> Iterator[Frame]:
        """The wanted frames from here to the end, damage and all."""
        try:
            yield from self._frames(wants, passes)
        except Unfollowable as broken:
            self._harmed(str(broken))
        else:
            if self._stream.trouble:
                self._harmed(self._stream.trouble)

    @abstractmethod
    def follow(self, wanted: Iterable[bytes]) -> Iterator[Frame]:
        """The next frame that has exactly these bytes, for each in turn; behind the last, over all that are ordinary.

        Ends where the capture does, or before what only `frames` can judge: one behind the other they give all.
        """

    @abstractmethod
    def _frames(self, wants: Wants, passes: Passes) -> Iterator[Frame]: ...

    @abstractmethod
    def _new_strides(self) -> Strides: ...

    @abstractmethod
    def _sample(self) -> Iterator[Lengths]:
        """The lengths of the records from here, as far as they are ordinary and whole in the buffer."""

    @abstractmethod
    def _time_at(self, offset: int) -> Nanoseconds | None:
        """The time of the record that is whole there in the buffer."""

    def _stand(self, offset: int, number: int, wait: int, last: int) -> None:
        """Take over where a loop has come to, `last` being where the last frame's record begins, or -1."""
        self._offset, self.number, self._wait = offset, number, wait
        if last >= 0:
            self._last = self._time_at(last)

    def _go_back(self, place: int, number: int) -> None:
        """Stand at this place in the capture again, before any frame later than this number."""
        self._stream.seek(place)
        self._buffer, self._offset, self._base, self.number = b"", 0, place, number

    def _equal_behind(self, size: int) -> int:
        """How many records are equal to the one of that size that ends here, one right behind the other; or fewer.

        Millions of them fit into a small compressed file. What was compared in vain is never more than what was not.
        """
        buffer, start = self._buffer, self._offset
        end, step = start, size
        whole = start + (len(buffer) - start) // size * size
        while (step := min(step, whole - end)) and buffer[end - size : end - size + step] == buffer[end : end + step]:
            end += step
            if step < EQUAL_BYTES:
                step += step
        return (end - start) // size

    def _has(self, size: int) -> bool:
        """Whether so many bytes are in the buffer from here, reading on where they are not yet."""
        return len(self._buffer) - self._offset >= size or self._read_on(size) >= size

    def _read_on(self, size: int = 0) -> int:
        """Bytes in the buffer from here, after reading a chunk at least and, where there are as many, `size` bytes."""
        parts = [self._buffer[self._offset :]]
        held = len(parts[0])
        wanted = max(size, held + 1)
        if self._stream.seekable:  # reading the few bytes again is cheaper than copying the many behind them
            self._stream.seek(self._base + self._offset)
            parts, held = [], 0
        while held < wanted and (part := self._stream.read(max(CHUNK_BYTES, wanted - held))):
            parts.append(part)
            held += len(part)
        self._base += self._offset
        self._offset = 0
        self._buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        return held

    def _read_on_fast(self) -> bool:
        """Whether there is more to go over; learns its lengths where it is much."""
        held = len(self._buffer) - self._offset
        if self._read_on() == held:
            return False
        if len(self._buffer) >= CHUNK_BYTES and self._strides.are_poor():
            sample = list(islice(self._sample(), SAMPLE))
            rare = {frame for frame in self._found if sum(pair[0] == frame for pair in sample) < SHARE}
            self._strides.learn([pair for pair in sample if pair[0] not in rare])
            self._found.clear()
        return True

    def _place_of(self, data: bytes | None, start: int) -> int:
        """The first place in the buffer where these bytes are; its end if nowhere."""
        place = -1 if data is None else self._buffer.find(data, start)
        return place if place >= 0 else len(self._buffer)

    def _harmed(self, what: str) -> None:
        if len(self._damage) < MAX_DAMAGE:
            place = self._base + self._offset
            self._damage.append(Damage(capture=self.capture, frame=self.number, offset=place, what=what))

    def _cut_short(self, what: str, size: int) -> Unfollowable:
        """That the capture ends within something of `size` bytes."""
        held = len(self._buffer) - self._offset
        return Unfollowable(self._stream.trouble or f"ends in the middle of {what}: {held} of {size} bytes are there")
