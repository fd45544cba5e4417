"""The journal of a daemon: JSON lines in numbered files, written for ever, and read again after a death.

It is the truth: what stands in it was said. Files are named by a number that only grows, and a *place* in the journal
is such a number and an offset. Whoever follows it (a sink, a shipper of logs) keeps a place, and misses nothing.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from monitor.outputs.safe import escaped_json

SEGMENT_BYTES = 64 * 1024 * 1024
SUFFIX = ".jsonl"
MAX_WAITING = 100_000
"""Lines held while the disk is full; then nothing more is taken from decoders."""
MAX_LINE = 1024 * 1024


class Place(NamedTuple):
    """A place in the journal: which file, and how far into it."""

    segment: int
    offset: int

    @classmethod
    def of(cls, text: str) -> Self:
        """As `str` gave it; the very beginning for anything else."""
        segment, _, offset = text.partition(":")
        if segment.isascii() and segment.isdecimal() and offset.isascii() and offset.isdecimal():
            return cls(int(segment), int(offset))
        return cls(0, 0)

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"


class Ledger:
    """The files in one folder, of which the last is written."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._waiting: deque[bytes] = deque()
        self._encoder = msgspec.json.Encoder()
        self.trouble = ""
        """Why lines wait: the disk is full; empty when none does."""
        self._segment = max(segments_in(folder), default=1)
        self._file = self._opened()

    @property
    def place(self) -> Place:
        """Up to where everything is on disk."""
        return Place(self._segment, self._end)

    @property
    def is_full(self) -> bool:
        """So much waits that nothing more should come."""
        return len(self._waiting) >= MAX_WAITING

    def write(self, said: dict[str, Any]) -> None:
        """Add one line, written with the next `flush`."""
        line = self._encoder.encode(said) + b"\n"
        if not line.isascii() or b"\x7f" in line:
            line = escaped_json(line[:-1].decode()).encode() + b"\n"
        self._waiting.append(line)

    def flush(self, *, durable: bool = False) -> bool:
        """Write what waits, whole lines or nothing; whether everything is on disk. `durable` survives a power cut."""
        if self._waiting:
            batch = b"".join(self._waiting)
            try:
                written = os.write(self._file, batch)
                if written < len(batch):
                    raise OSError(28, "No space left on device")
                if durable:
                    os.fdatasync(self._file)
            except OSError as error:
                self.trouble = error.strerror or "cannot be written"
                with suppress(OSError):
                    os.ftruncate(self._file, self._end)
                return False
            self._end += len(batch)
            self._waiting.clear()
            if self._end >= self._segment_bytes:
                os.close(self._file)
                self._segment += 1
                self._file = self._opened()
        self.trouble = ""
        return True

    def since(self, place: Place) -> Iterator[dict[str, Any]]:
        """Every line behind this place."""
        yield from (said for _, said in lines_since(self._folder, place))

    def close(self) -> None:
        """No more is written."""
        os.close(self._file)

    def _opened(self) -> int:
        """The last file, without the half line that a death may have left at its end."""
        path = self._folder / f"{self._segment:08d}{SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, MAX_LINE, max(0, size - MAX_LINE))
        self._end = size - (len(tail) - tail.rfind(b"\n") - 1)
        if self._end != size:
            os.ftruncate(descriptor, self._end)
        return descriptor


def segments_in(folder: Path) -> list[int]:
    """The numbers of the files that are there, in their order."""
    names = (path.stem for path in folder.glob(f"*{SUFFIX}"))
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def lines_since(folder: Path, place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every whole line behind this place, and the place behind it. What is no JSON object is passed over."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    for segment in segments_in(folder):
        if segment < place.segment:
            continue
        with (folder / f"{segment:08d}{SUFFIX}").open("rb") as file:
            at = place.offset if segment == place.segment else 0
            file.seek(at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                at += len(line)
                with suppress(msgspec.MsgspecError):
                    yield Place(segment, at), decoder.decode(line)
