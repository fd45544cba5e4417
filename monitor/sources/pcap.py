"""pcap, the format of libpcap and tcpdump (draft-ietf-opsawg-pcap): either byte order, micro- and nanoseconds."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from struct import Struct

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.packets import Frame
from monitor.sources.savefile import MAX_FRAME_BYTES, Passes, Stream, Unfollowable, Walker, Wants
from monitor.sources.strides import Lengths, Strides

MAGICS: dict[bytes, tuple[str, int, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    # Kuznetzov's variant of 1999: each record has the interface, protocol and packet type behind its lengths.
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
}
"""First bytes → byte order, nanoseconds in a unit of the fraction, and bytes of a record's header."""
FILE_HEADER_BYTES = 24
LINK_BITS = 0x03FF_FFFF
"""Of the field: above them stands the length of the frame check sequence."""
RAW_IP_OF_FILES = 12
"""DLT_RAW of most systems: written into files by programs that do not know LINKTYPE_RAW."""
LINKTYPE_RAW = 101


def link_of(field: int) -> int:
    """The LINKTYPE_ that a file names."""
    link = field & LINK_BITS
    return LINKTYPE_RAW if link == RAW_IP_OF_FILES else link


class Pcap(Walker):
    """One pcap file."""

    def __init__(self, capture: str, stream: Stream, head: bytes) -> None:
        self._order, self._unit, self._header_bytes = MAGICS[head[:4]]
        self._header = Struct(self._order + "IIII")
        self._link: int | None = None
        super().__init__(capture, stream, head)

    def _new_strides(self) -> Strides:
        length = Struct(self._order + "I")
        behind = self._header_bytes - 12

        def pattern_of(frame: int, _: int) -> bytes:
            return re.escape(length.pack(frame)) + b".{%d}" % (frame + behind)

        low = 8 if self._order == "<" else 11
        return Strides((low, *range(8, 12)), b".{8}", pattern_of)

    def _sample(self) -> Iterator[Lengths]:
        buffer, offset = self._buffer, self._offset
        while offset + self._header_bytes <= len(buffer):
            _, _, captured, _ = self._header.unpack_from(buffer, offset)
            size = self._header_bytes + captured
            offset += size
            if captured > self.limit or offset > len(buffer):
                return
            yield captured, size

    def _begin(self) -> int:
        """Past the file's header, whose link type is that of every frame."""
        if self._link is None:
            if not self._has(FILE_HEADER_BYTES):
                raise self._cut_short("the file's header", FILE_HEADER_BYTES)
            (field,) = Struct(self._order + "20xI").unpack_from(self._buffer, self._offset)
            self._offset += FILE_HEADER_BYTES
            self._link = link_of(field)
        return self._link

    def _frames(self, wants: Wants, passes: Passes) -> Iterator[Frame]:
        link = self._begin()
        before = -1
        unpack, ahead, unit, capture = self._header.unpack_from, self._header_bytes, self._unit, self.capture
        while self._has(ahead):
            seconds, fraction, captured, length = unpack(self._buffer, self._offset)
            if captured > MAX_FRAME_BYTES:
                raise Unfollowable(f"a frame of {captured} bytes, more than any link carries")
            size = ahead + captured
            if not self._has(size):
                raise self._cut_short("a frame", size)
            start = self._offset + ahead
            data = self._buffer[start : start + captured]
            self._offset += size
            self.number += 1
            self._last = at = seconds * SECOND + fraction * unit
            if self.first is None:
                self.first = at
            if wants(link, data, length):
                self.wanted += 1
                self.cut += length > captured
                yield Frame(at, capture, self.number, link, data, length)
            elif fraction == before and (equal := self._equal_behind(size)) and passes(link, equal):
                self._offset += equal * size
                self.number += equal
            before = fraction
        if self._offset < len(self._buffer):
            raise self._cut_short("a frame's header", ahead)

    def follow(self, wanted: Iterable[bytes]) -> Iterator[Frame]:  # one loop, few calls: it runs once for every record
        """As the base says."""
        if not self._can_begin():
            return
        link, capture, unit, limit, new = self._link, self.capture, self._unit, self.limit, tuple.__new__
        unpack, ahead, strides = self._header.unpack_from, self._header_bytes, self._strides
        buffer, offset, number, wait, barrier, last = self._buffer, self._offset, self.number, self._wait, 0, -1
        whole = len(buffer)
        for data in chain(wanted, (None,)):
            want = -1 if data is None else len(data)
            begin, before, barrier = self._base + offset, number, 0
            while True:
                captured = 0
                if (start := offset + ahead) <= whole:
                    seconds, fraction, captured, length = unpack(buffer, offset)
                    after = start + captured
                    if captured == want and buffer.startswith(data or b"", start):
                        self.number = number = number + 1
                        self._offset = offset = after
                        self._last = at = seconds * SECOND + fraction * unit
                        self._found.add(want)
                        self.wanted += 1
                        if length > captured:
                            self.cut += 1
                        last = -1
                        if self.first is None:
                            self.first = at
                        yield new(Frame, (at, capture, number, link, data, length))
                        break
                    if captured <= limit and after <= whole:
                        if wait:
                            if not number:
                                self.first = self._time_at(offset)
                            wait -= 1
                            number += 1
                            last, offset = offset, after
                            continue
                        if offset >= barrier:
                            hidden = want == captured or want in strides.frames
                            barrier = self._place_of(data, start) - ahead if hidden else whole
                        count, last, offset, wait = strides.over(buffer, offset, after - offset, barrier)
                        number += count
                        continue
                self._stand(offset, number, wait, last)
                if captured > limit or not self._read_on_fast():
                    if data is not None:
                        self._go_back(begin, before)
                    return
                buffer, offset, whole, barrier, last = self._buffer, self._offset, len(self._buffer), 0, -1

    def _can_begin(self) -> bool:
        """Whether the file's header is whole."""
        try:
            self._begin()
        except Unfollowable:
            return False
        return True

    def _time_at(self, offset: int) -> Nanoseconds | None:
        seconds, fraction, _, _ = self._header.unpack_from(self._buffer, offset)
        return int(seconds * SECOND + fraction * self._unit)
