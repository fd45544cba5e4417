"""How far a decoder is, in memory that outlives it: so that the next one knows which frame killed it.

The page belongs to capture, which never reads it; a decoder notes on it which frame it looks into. A frame that has
killed two decoders is left alone by the third. Frames keep their numbers and times across such a death, so that what
was read twice is known for the same: hence the page has the numbers and the clock as well.
"""

import mmap
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from monitor.daemon.clock import Known
from monitor.sources.live.blocks import shared_memory

PAGE_BYTES = 4096
MAX_SUSPECTS = 64
"""Frames that killed somebody; the oldest is forgotten first."""
PATIENCE = 2
"""Deaths on one frame before it is left alone."""

MAX_RINGS, MAX_TOLD = 60, 44
"""Of so many rings the numbers go on across a death; of so many, nothing is counted twice or not at all."""

_place = Struct("=III")  # ring, block, place in it from 1; 0 when nothing is looked into
_count = Struct("=I")
_suspect = Struct("=32sI")  # digest, deaths
_ring = Struct("=QQI")  # of the block that was given back last: the kernel's number, frames before it and in it
_clock = Struct("=qqqq")
_report = Struct("=32sQ")  # of a capture agent, which is looked into: digest, or zeros when none is; its number
_dropped = Struct("=Q")  # by the kernel, of all that agents sent
_told = Struct("=II")  # of a ring, modulo 2**32: frames, and drops by libpcap, that serve was told of
_COUNT_AT, _SUSPECTS_AT, _CLOCK_AT, _RINGS_AT, _REPORT_AT, _DROPPED_AT = 16, 32, 2400, 2432, 3680, 3720
_TOLD_AT = 3744
_NO_REPORT = bytes(32)


class Left(NamedTuple):
    """The frame that the decoder before died on."""

    ring: int
    block: int
    place: int


class Page:
    """Shared memory of one decoder after the other."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, PAGE_BYTES)
        self._suspects = self._read()
        self.suspicious = bool(self._suspects)
        """Whether frames must be compared with those that killed somebody."""

    @staticmethod
    def made() -> int:
        """A new page, by its descriptor."""
        return shared_memory(PAGE_BYTES, "progress")

    def begin(self, ring: int, block: int, place: int) -> None:
        """The frame at this place in the ring's block is looked into from now on. Once a frame: nothing dear."""
        _place.pack_into(self._map, 0, ring, block, place + 1)

    def end(self) -> None:
        """Nothing is looked into."""
        _place.pack_into(self._map, 0, 0, 0, 0)

    def begin_report(self, number: int, report: bytes) -> bool:
        """What an agent sent is looked into from now on, unless it has killed too many: then it shall be left alone.

        It comes once, so that nobody can read it again: its digest must do.
        """
        name = sha256(report).digest()
        is_left_alone = self.suspicious and self._suspects.get(name, 0) >= PATIENCE
        _report.pack_into(self._map, _REPORT_AT, _NO_REPORT if is_left_alone else name, number)
        return not is_left_alone

    def end_reports(self, told: tuple[int, int]) -> None:
        """None is looked into; so many were read, and dropped by the kernel, in all."""
        number, dropped = told
        _report.pack_into(self._map, _REPORT_AT, _NO_REPORT, number)
        _dropped.pack_into(self._map, _DROPPED_AT, dropped)

    @property
    def reports(self) -> tuple[int, int]:
        """How many were read, and how many the kernel dropped, in all."""
        return int(_report.unpack_from(self._map, _REPORT_AT)[1]), int(_dropped.unpack_from(self._map, _DROPPED_AT)[0])

    def accuse_report(self) -> str:
        """Count a death on the report that the decoder before died on; its name, empty when it died of nothing such."""
        name, number = _report.unpack_from(self._map, _REPORT_AT)
        _report.pack_into(self._map, _REPORT_AT, _NO_REPORT, number)
        return self._accuse(name) if name != _NO_REPORT else ""

    @property
    def left(self) -> Left | None:
        """What the decoder before died on; none when it died of something else."""
        ring, block, place = _place.unpack_from(self._map, 0)
        return Left(ring, block, place - 1) if place else None

    def finish(self, ring: int, sequence: int, before: int, frames: int) -> None:
        """The kernel's block of that number is about to be given back; so many frames came before it."""
        if ring < MAX_RINGS:
            _ring.pack_into(self._map, _RINGS_AT + ring * _ring.size, sequence + 1, before, frames)

    def number(self, ring: int, sequence: int) -> int:
        """How many frames came before the block of that number: where a new reader begins to count."""
        if ring >= MAX_RINGS:
            return 0
        last, before, frames = _ring.unpack_from(self._map, _RINGS_AT + ring * _ring.size)
        return int(before) if last == sequence + 1 else int(before + frames)

    def tell(self, ring: int, frames: int, dropped: int) -> None:
        """Serve was told that so many frames of this ring were taken, and so many dropped by libpcap, ever."""
        if ring < MAX_TOLD:
            _told.pack_into(self._map, _TOLD_AT + ring * _told.size, frames & 0xFFFFFFFF, dropped & 0xFFFFFFFF)

    def told(self, ring: int, frames: int) -> tuple[int, int]:
        """Of so many frames, how many serve was told of, and of how many drops: who took the rest has died before."""
        if ring >= MAX_TOLD:
            return frames, 0
        told, dropped = _told.unpack_from(self._map, _TOLD_AT + ring * _told.size)
        return frames - ((frames - int(told)) & 0xFFFFFFFF), int(dropped)

    @property
    def clock(self) -> Known | None:
        """What the decoder before knew of the time; none when there was none before."""
        known = Known(*_clock.unpack_from(self._map, _CLOCK_AT))
        return known if any(known) else None

    @clock.setter
    def clock(self, known: Known) -> None:
        _clock.pack_into(self._map, _CLOCK_AT, *known)

    def accuse(self, frame: bytes) -> str:
        """Count a death on this frame; the frame's name, a digest."""
        return self._accuse(sha256(frame).digest())

    def _accuse(self, name: bytes) -> str:
        self._suspects[name] = self._suspects.pop(name, 0) + 1
        self._suspects = dict(list(self._suspects.items())[-MAX_SUSPECTS:])
        for at, (known, deaths) in enumerate(self._suspects.items()):
            _suspect.pack_into(self._map, _SUSPECTS_AT + at * _suspect.size, known, deaths)
        _count.pack_into(self._map, _COUNT_AT, len(self._suspects))
        self.suspicious = True
        return name.hex()

    def is_quarantined(self, frame: bytes) -> bool:
        """Whether this very frame has killed too many."""
        return self._suspects.get(sha256(frame).digest(), 0) >= PATIENCE

    def is_left_alone(self, name: str) -> bool:
        """The same, by the name that `accuse` gave."""
        return self._suspects.get(bytes.fromhex(name), 0) >= PATIENCE

    def _read(self) -> dict[bytes, int]:
        (count,) = _count.unpack_from(self._map, _COUNT_AT)
        places = (_SUSPECTS_AT + at * _suspect.size for at in range(min(count, MAX_SUSPECTS)))
        return dict(_suspect.unpack_from(self._map, place) for place in places)
