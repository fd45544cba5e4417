"""Capture files: paths come in, the frames that decoders ask for go out in the order of time, and what was damaged.

libpcap reads and filters in C whatever it can; a walker of our own goes along for frame numbers and exact times, and
goes on alone where libpcap cannot: in compressed captures, on standard input, past damage, between link types.
"""

import os
import stat
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from heapq import heappop, heappush, heapreplace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from monitor.model.asks import Ask
from monitor.model.evidence import Nanoseconds
from monitor.model.packets import Frame
from monitor.model.problems import ConfigError, Problem
from monitor.model.summary import CaptureReport, Damage
from monitor.sources.compression import Gunzip, Plain, Readable, Unzstd, unpacked
from monitor.sources.filters import Filters
from monitor.sources.looks import AGAIN, FirstLook, LayoutOf
from monitor.sources.order import SAMPLE, in_order, is_disordered
from monitor.sources.pcap import MAGICS, Pcap
from monitor.sources.savefile import CHUNK_BYTES, MAX_FRAME_BYTES, Walker

STANDARD_INPUT = "-"
MAGIC_BYTES = 4
FOREIGN = {b"XCP\0": "NetXRay", b"TRSN": "Sniffer", b"RTSS": "NetMon", b"GMBU": "NetMon", b"snoo": "snoop"}
"""First bytes of captures that other programs write."""
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
"""The type of a section header block, a palindrome in either byte order."""
EXPECTED = "a capture (pcap or pcapng; plain, gzip or zstd)"
EXPECTED_PATH = "a capture or a folder with captures"


class NotCapture(Exception):
    """A file that holds something else."""


class Capture:
    """One capture: read once from start to end, by libpcap where it can and by a walker of our own."""

    def __init__(
        self,
        path: str,
        name: str,
        *,
        begins: Nanoseconds = 0,
        disordered: bool = False,
        stdin: BinaryIO | None = None,
    ) -> None:
        self.path = path
        self.name = name
        self.begins = begins
        """The time of its first frame; 0 when unknown."""
        self.disordered = disordered
        """Its first frames are not in the order of time."""
        self._stdin = stdin
        status = Path(path).stat() if path != STANDARD_INPUT else None
        self.is_file = status is not None and stat.S_ISREG(status.st_mode)
        self.size = status.st_size if status and self.is_file else None
        self._walker: Walker | None = None
        self._stream: Plain | Gunzip | Unzstd | None = None
        self._unseen: Counter[int] = Counter()
        self._look = FirstLook()

    @property
    def consumed(self) -> int:
        """Bytes of the file read so far."""
        return self._stream.consumed if self._stream else 0

    @property
    def report(self) -> CaptureReport:
        """What was read so far."""
        walker = self._walker
        blind = tuple(
            self._harm(f"link type {link} cannot be filtered: {count} frames were not looked into")
            for link, count in sorted(self._unseen.items())
        )
        empty = (self._harm("is empty"),) if self._stream and not walker else ()
        return CaptureReport(
            capture=self.name,
            frames=walker.number if walker else 0,
            wanted=walker.wanted if walker else 0,
            unreadable=self._unseen.total(),
            dropped_by_system=walker.dropped_by_system if walker else 0,
            dropped_by_interface=walker.dropped_by_interface if walker else 0,
            cut=walker.cut if walker else 0,
            first=walker.first if walker else None,
            last=walker.last if walker else None,
            damage=(walker.damage if walker else empty) + blind,
            envelopes=dict(sorted(self._look.envelopes.items())),
        )

    def check(self) -> Frame | None:
        """The first frame by time, if there is any; raises `NotCapture` or `OSError` where there can be none."""
        with self._opened() as file:
            walker = self._walker_of(unpacked(file))
            first = list(islice(walker.frames(lambda *_: True), SAMPLE)) if walker else []
            self.disordered = is_disordered(first)
            return min(first, key=attrgetter("at"), default=None)

    def frames(self, filters: Filters) -> Generator[Frame, None, None]:
        """The frames that the filters want: in the capture's own order, or by time where that is none."""
        # One generator around another costs every frame, so there are as few of them as can be.
        frames = self._frames(filters)
        return in_order(frames) if self.disordered else frames

    def _frames(self, filters: Filters) -> Generator[Frame, None, None]:
        with ExitStack() as opened:
            try:  # again, for standard input was not checked, and a file may have changed
                self._stream = unpacked(opened.enter_context(self._opened()), seekable=self.is_file)
                self._walker = walker = self._walker_of(self._stream)
            except (NotCapture, OSError) as error:
                raise ConfigError([_problem(self.name, error)]) from None
            if walker is None:
                return
            frames = opened.enter_context(closing(self._walked(walker, filters)))
            if not filters.looks:
                yield from frames
            for frame in frames:
                if frame.number > self._look.frames:
                    filters.look(frame.link, frame.data, frame.length)
                yield frame
                yield from islice(frames, AGAIN - 1)

    def _walked(self, walker: Walker, filters: Filters) -> Generator[Frame, None, None]:
        """The wanted frames: those that libpcap gives, as far as it can, and then those that the walker finds alone."""
        look = self._look = FirstLook() if filters.looks else FirstLook(frames=0)

        def judge(number: int, link: int, data: bytes, length: int) -> bool:
            if look.goes_on and number > look.frames:
                look.add(data, filters.look(link, data, length))
            program = filters.program(link)
            if program is None:
                self._unseen[link] += 1
            return program is not None and filters.wants(program, data, length)

        if self._stream and self._stream.seekable:
            with filters.follow(str(Path(self.path).absolute()), look, judge) as followed:
                if followed is not None:
                    snap_bytes, frames = followed
                    walker.limit = min(MAX_FRAME_BYTES, snap_bytes)
                    yield from walker.follow(frames)

        def passes(link: int, count: int) -> bool:
            if not look.goes_on and filters.program(link) is None:
                self._unseen[link] += count
            return not look.goes_on

        yield from walker.frames(lambda link, data, length: judge(walker.number, link, data, length), passes)

    @contextmanager
    def _opened(self) -> Iterator[Readable]:
        if self.path == STANDARD_INPUT:
            # Unbuffered, so that a pipe's frames are given as they come.
            yield self._stdin or os.fdopen(0, "rb", buffering=0, closefd=False)
            return
        with Path(self.path).open("rb", buffering=0) as file:
            yield file

    def _walker_of(self, stream: Plain | Gunzip | Unzstd) -> Walker | None:
        """What walks through a capture of that format; none when it is empty."""
        head = b""
        while len(head) < MAGIC_BYTES and (more := stream.read(CHUNK_BYTES)):
            head += more
        if head[:MAGIC_BYTES] in MAGICS:
            return Pcap(self.name, stream, head)
        if head.startswith(PCAPNG_MAGIC):
            from monitor.sources.pcapng import Pcapng  # only where a capture needs it: start-up time matters

            return Pcapng(self.name, stream, head)
        if head:
            raise NotCapture(head[:MAGIC_BYTES])
        return None

    def _harm(self, what: str) -> Damage:
        return Damage(capture=self.name, frame=0, offset=0, what=what)


class Captures:
    """Every frame that is asked for, of all the captures, in the order of time."""

    def __init__(
        self,
        paths: Iterable[str | Path],
        asks: Iterable[Ask],
        layout_of: LayoutOf | None = None,
        *,
        stdin: BinaryIO | None = None,
    ) -> None:
        """Paths of captures and of folders with captures, and `-` for standard input, which is `stdin` if given.

        `layout_of` tells how a frame is wrapped; without it, what is in a tunnel passes as a whole.

        Raises `ConfigError` when any of them cannot be read.
        """
        found = _Found(stdin)
        for path in paths:
            found.add(str(path))
        if found.problems:
            raise ConfigError(found.problems)
        self._captures = found.captures()
        self._filters = Filters(asks, layout_of)

    @property
    def reports(self) -> tuple[CaptureReport, ...]:
        """What was read of each capture so far, in the order given."""
        return tuple(capture.report for capture in self._captures)

    def progress(self) -> tuple[int, int | None]:
        """Bytes read so far, and in all; none when nobody can know."""
        sizes = [capture.size for capture in self._captures]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        return sum(capture.consumed for capture in self._captures), total

    def widen(self, ask: Ask) -> None:
        """Let through what this asks for, too, from here on.

        Of several captures, the next frame of each was looked for before: what that passed over stays unseen.
        """
        self._filters.widen(ask)

    def __iter__(self) -> Iterator[Frame]:
        if len(self._captures) == 1:
            return self._captures[0].frames(self._filters)
        return self._merged()

    def _merged(self) -> Iterator[Frame]:
        """All by time, ties by the order given; each capture is opened no sooner than its first frame is due."""
        waiting = sorted(((capture.begins, order) for order, capture in enumerate(self._captures)), reverse=True)
        heap: list[tuple[Nanoseconds, int, Frame, Generator[Frame, None, None]]] = []
        with ExitStack() as opened:
            while waiting or heap:
                while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
                    _, order = waiting.pop()
                    frames = opened.enter_context(closing(self._captures[order].frames(self._filters)))
                    for frame in islice(frames, 1):
                        heappush(heap, (frame.at, order, frame, frames))
                if heap:
                    _, order, frame, frames = heap[0]
                    yield frame
                    after = next(frames, None)
                    if after is None:
                        heappop(heap)
                    else:
                        heapreplace(heap, (after.at, order, after, frames))


class _Found:
    """The captures that the operator's paths lead to, each once, and what is wrong with the paths."""

    def __init__(self, stdin: BinaryIO | None) -> None:
        self._stdin = stdin
        self._paths: dict[str, str] = {}
        self._begins: dict[str, Nanoseconds] = {}
        self._disordered: set[str] = set()
        self.problems: list[Problem] = []

    def captures(self) -> list[Capture]:
        """In the order given, each under a name of its own."""
        names = _names_of([*self._paths.values()])
        return [
            Capture(
                path, name, begins=self._begins.get(real, 0), disordered=real in self._disordered, stdin=self._stdin
            )
            for (real, path), name in zip(self._paths.items(), names, strict=True)
        ]

    def add(self, path: str) -> None:
        """A path that the operator names."""
        if path == STANDARD_INPUT:
            self._paths[path] = path
        elif Path(path).is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                found = "a folder that may not be read"
                self.problems.append(Problem(file=path, line=0, found=found, expected="permission to list and read it"))
                return
            before = len(self._paths)
            seen = sum(self._add_file(inner, named=False) for inner in _files_in(path))
            if not seen and len(self._paths) == before:
                found = "a folder without captures"
                self.problems.append(Problem(file=path, line=0, found=found, expected=EXPECTED_PATH))
        else:
            self._add_file(path, named=True)

    def _add_file(self, path: str, *, named: bool) -> bool:
        """Whether this is a capture; that it is none is wrong only of one that was named."""
        try:
            capture = Capture(path, path)
            if capture.is_file:
                first = capture.check()
                real = os.path.realpath(path)
                self._begins[real] = first.at if first else 0
                if capture.disordered:
                    self._disordered.add(real)
            elif not named:
                return False
        except (NotCapture, OSError) as error:
            if named or isinstance(error, OSError):
                self.problems.append(_problem(path, error))
            return False
        self._paths.setdefault(os.path.realpath(path), path)
        return True


def _problem(path: str, error: NotCapture | OSError) -> Problem:
    """Why that is not read, as its operator can mend it."""
    match error:
        case NotCapture(args=(bytes(magic),)) if magic in FOREIGN:
            expected = f"{EXPECTED}; `editcap -F pcapng` of Wireshark makes one of it"
            return Problem(file=path, line=0, found=f"a capture in the format of {FOREIGN[magic]}", expected=expected)
        case NotCapture():
            return Problem(file=path, line=0, found="no capture", expected=EXPECTED)
        case FileNotFoundError():
            return Problem(file=path, line=0, found="no such file", expected=EXPECTED_PATH)
        case _:
            return Problem(file=path, line=0, found=f"cannot be read ({error.strerror})", expected=EXPECTED_PATH)


def _files_in(folder: str) -> list[str]:
    """Every file in a folder and the folders in it, sorted."""
    return sorted(str(Path(root, name)) for root, _, names in os.walk(folder) for name in names)


def _names_of(paths: Sequence[str]) -> list[str]:
    """File names; where two are equal, with as many of their folders as tell them apart."""
    names = [_tail_of(path, 1) for path in paths]
    for parts in range(2, max((len(Path(path).parts) for path in paths), default=0) + 1):
        twice = {name for name, count in Counter(names).items() if count > 1}
        names = [_tail_of(path, parts) if name in twice else name for path, name in zip(paths, names, strict=True)]
    return names


def _tail_of(path: str, parts: int) -> str:
    return "/".join(Path(path).parts[-parts:]) if path != STANDARD_INPUT else "stdin"
