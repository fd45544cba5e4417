"""The journal of a daemon: JSON lines in numbered files, written for ever, and read again after a death.

It is the truth: what stands in it was said. Files are named by a number that only grows, and a *place* in the journal
is such a number and an offset. Whoever follows it (a sink, a shipper of logs) keeps a place, and misses nothing.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import msgspec

from monitor.outputs.safe import escaped_json

SEGMENT_BYTES = 64 * 1024 * 1024
SUFFIX = ".jsonl"
MAX_WAITING = 100_000
"""Lines held while the disk is full; then nothing more is taken from decoders."""
MAX_LINE = 1024 * 1024
LINES_A_STEP = 32
ERASED = "erased"
"""The type of a line whose time is over, or whose subject was forgotten: nothing else is in it."""
_ERASED_LINE = b'{"type":"erased"'


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

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._folder

    def write(self, said: dict[str, Any]) -> None:
        """Add one line, written with the next `flush`."""
        self._waiting.append(line_of(said))

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
                self.turn()
        self.trouble = ""
        return True

    def turn(self) -> None:
        """Go on in a new file, so that the one before will not change by itself any more. Raises `OSError`."""
        if self._end:
            before, self._segment = self._file, self._segment + 1
            self._file = self._opened()
            os.close(before)

    @property
    def closed(self) -> list[int]:
        """The files that are not written any more."""
        return [segment for segment in segments_in(self._folder) if segment < self._segment]

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
                    said = decoder.decode(line)
                    if said.get("type") != ERASED:
                        yield Place(segment, at), said


def line_of(said: dict[str, Any]) -> bytes:
    """A line of the journal, its end included."""
    line = msgspec.json.encode(said)
    if not line.isascii() or b"\x7f" in line:
        line = escaped_json(line.decode()).encode()
    return line + b"\n"


Change: TypeAlias = Callable[[bytes], dict[str, Any] | None]
"""A line → what shall stand there instead; none when it may stay."""


def erased(length: int) -> dict[str, Any]:
    """What stands in the place of a line that is gone."""
    return {"type": ERASED} if length > len(line_of({"type": ERASED})) else {}


def rewrite(file: Path, change: Change) -> int:
    """Change lines of a file that nobody writes any more, each in its place and at its length; how many were changed.

    Every place in the file stays what it was, so that whoever follows the journal needs not be told. The file is
    replaced as a whole; once nothing is left in it, it goes. Raises `OSError`, and nothing has changed.
    """
    steps = rewriting(file, change)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return int(end.value)


def rewriting(file: Path, change: Change) -> Generator[None, None, int]:
    """The same in steps of some lines, for whoever has other work to do between them."""
    changed, left = 0, 0
    draft = file.with_suffix(".draft")
    try:
        with file.open("rb") as old, draft.open("wb") as new:
            os.fchmod(new.fileno(), 0o600)
            owner = os.fstat(old.fileno())
            if os.geteuid() == 0:
                os.fchown(new.fileno(), owner.st_uid, owner.st_gid)
            for number, line in enumerate(old):
                instead = change(line)
                if instead is not None:
                    changed += 1
                    line = _in_place(instead, len(line))
                left += not (line.startswith(_ERASED_LINE) or line.isspace())
                new.write(line)
                if not number % LINES_A_STEP:
                    yield
            new.flush()
            yield
            os.fsync(new.fileno())
        if not file.exists():
            return changed  # gone meanwhile, for its size
        if not left:
            file.unlink()
        elif changed:
            draft.replace(file)
        _force(file.parent)
    finally:
        draft.unlink(missing_ok=True)
    return changed


def overwrite(file: Path, change: Change) -> int:
    """The same in the file itself, for one that somebody may be adding to."""
    changed = at = 0
    with file.open("rb+", buffering=0) as both:
        for line in both.read().splitlines(keepends=True):
            instead = change(line) if line.endswith(b"\n") else None
            if instead is not None:
                changed += 1
                os.pwrite(both.fileno(), _in_place(instead, len(line)), at)
            at += len(line)
        if changed:
            os.fdatasync(both.fileno())
    return changed


def _in_place(said: dict[str, Any], length: int) -> bytes:
    """The line at that length: JSON may end in blanks. What does not fit is erased."""
    line = line_of(said)[:-1] if said else b""
    if len(line) >= length:
        line = line_of(erased(length))[:-1] if erased(length) else b""
    return line + b" " * (length - 1 - len(line)) + b"\n"


def _force(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
