"""pcap, the format of libpcap and tcpdump (draft-ietf-opsawg-pcap): either byte order, micro- and nanoseconds."""

import re
from collections.abc import Iterator
from struct import Struct

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.packets import Frame
from monitor.sources.savefile import MAX_FRAME_BYTES, Stream, Unfollowable, Walker, Wants
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

    def _frames(self, wants: Wants) -> Iterator[Frame]:
        link = self._begin()
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
                yield Frame(at, capture, self.number, link, data, length)
        if self._offset < len(self._buffer):
            raise self._cut_short("a frame's header", ahead)

    def find(self, data: bytes | None) -> Frame | None:  # one loop, few calls: it runs once for every record
        """As the base says."""
        if self._link is None and not self._can_begin():
            return None
        self._start = (self._buffer, self._offset, self._base, self.number, len(self._damage), ())
        want = -1 if data is None else len(data)
        unpack, ahead, limit = self._header.unpack_from, self._header_bytes, self.limit
        wait, place, barrier = self._wait, -1, 0
        while True:
            buffer, offset, number = self._buffer, self._offset, self.number
            whole, captured = len(buffer), 0
            while offset + ahead <= whole:
                seconds, fraction, captured, length = unpack(buffer, offset)
                after = offset + ahead + captured
                if captured == want and data is not None and buffer.startswith(data, offset + ahead):
                    number += 1
                    at = seconds * SECOND + fraction * self._unit
                    self._offset, self.number, self._wait, self._last = after, number, wait, at
                    self._found.add(want)
                    return Frame(at, self.capture, number, self._link or 0, data, length)
                if captured > limit or after > whole:
                    break
                if wait:
                    wait -= 1
                    number += 1
                    place, offset = offset, after
                    continue
                if offset >= barrier:
                    hidden = want == captured or want in self._strides.frames
                    barrier = self._place_of(data, offset + ahead) - ahead if hidden else whole
                count, place, offset, wait = self._strides.over(buffer, offset, after - offset, barrier)
                number += count
            self._offset, self.number, self._wait = offset, number, wait
            if place >= 0:
                self._last = self._time_at(place)
            if captured > limit or not self._read_on_fast():
                return None
            place, barrier = -1, 0

    def _can_begin(self) -> bool:
        """Whether the file's header is whole."""
        try:
            self._begin()
        except Unfollowable:
            return False
        if self._has(self._header_bytes):
            self.first = self._time_at(self._offset)
        return True

    def _time_at(self, offset: int) -> Nanoseconds:
        seconds, fraction, _, _ = self._header.unpack_from(self._buffer, offset)
        return int(seconds * SECOND + fraction * self._unit)
