"""pcapng, the format of Wireshark (draft-ietf-opsawg-pcapng): sections of blocks, interfaces of several link types."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from struct import Struct
from typing import Any, NamedTuple

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.packets import Frame
from monitor.sources.pcap import link_of
from monitor.sources.savefile import END_OF_TIME, MAX_FRAME_BYTES, Passes, Stream, Unfollowable, Walker, Wants
from monitor.sources.strides import Lengths, Strides

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
PACKET = 2  # obsolete, and still in old captures
SIMPLE_PACKET = 3
INTERFACE_STATISTICS = 5
ENHANCED_PACKET = 6
MAGIC = b"\x0a\x0d\x0d\x0a"
ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
"""Byte-order magic → byte order."""
MAX_BLOCK_BYTES = 16 * 1024 * 1024
"""Wireshark reads no larger block; names and secrets of a long capture may fill a few."""
MAX_INTERFACES = 65_536
MAX_DROPPED = 2**48
"""Frames that an interface can have dropped: more is no count. Some write all bits for *unknown*."""
LEAST_BLOCK_BYTES = 12
FRAME_AT = 28
"""Where in an Enhanced Packet Block the frame begins."""
TELLING = (SECTION_HEADER, INTERFACE_DESCRIPTION)
"""Blocks that say something anew each time."""
OPTION_TSRESOL = 9
OPTION_TSOFFSET = 14
OPTION_IFDROP = 5
OPTION_OSDROP = 7


class Interface(NamedTuple):
    """What an Interface Description Block says of the packets that name it."""

    link: int
    snap_bytes: int
    """0: unlimited."""
    nanoseconds: int
    """In a tick, multiplied by `ticks`."""
    ticks: int
    offset: Nanoseconds

    def time_of(self, high: int, low: int) -> Nanoseconds:
        """A timestamp as the time that it means, as near as a sane clock can be."""
        at = ((high << 32 | low) * self.nanoseconds) // self.ticks + self.offset
        return min(max(at, 0), END_OF_TIME)


def resolution_of(field: int) -> tuple[int, int]:
    """`if_tsresol` as nanoseconds and ticks: so many of the one are so many of the other."""
    base = 2 if field & 0x80 else 10
    return SECOND, base ** (field & 0x7F)


class Pcapng(Walker):
    """One pcapng file."""

    def __init__(self, capture: str, stream: Stream, head: bytes) -> None:
        self._speak("<")
        self._interfaces: list[Interface] = []
        self._section = 0
        """Where in the capture the section begins."""
        self._dropped: dict[int, dict[tuple[int, int], int]] = {OPTION_IFDROP: {}, OPTION_OSDROP: {}}
        """By section and interface: statistics count from the start of the capturing, so the last word counts."""
        super().__init__(capture, stream, head)

    def _speak(self, order: str) -> None:
        """Read numbers in this byte order from here."""
        self._order = order
        self._low_byte = 0 if order == "<" else 3
        self._two = Struct(order + "II").unpack_from
        self._enhanced = Struct(order + "IIIIIII").unpack_from

    def _new_strides(self) -> Strides:
        number = Struct(self._order + "I")

        def pattern_of(frame: int, size: int) -> bytes:
            lengths = re.escape(number.pack(size)), re.escape(number.pack(frame))
            return b"%b.{12}%b.{%d}" % (*lengths, size - 24)

        # One byte of the frame's length will do: who looks for a frame that has the same one there is told a barrier.
        columns = (4 + self._low_byte, 20 + self._low_byte, *range(8))
        return Strides(columns, re.escape(number.pack(ENHANCED_PACKET)), pattern_of)

    def _sample(self) -> Iterator[Lengths]:
        buffer, offset = self._buffer, self._offset
        while offset + FRAME_AT <= len(buffer):
            kind, size, _, _, _, captured, _ = self._enhanced(buffer, offset)
            offset += size
            if kind != ENHANCED_PACKET or not self._is_sound(size, captured) or offset > len(buffer):
                return
            yield captured, size

    def _is_sound(self, size: int, captured: int) -> bool:
        """Whether an Enhanced Packet Block of these lengths is one that can be gone over."""
        return captured <= self.limit and captured + FRAME_AT + 4 <= size <= MAX_BLOCK_BYTES and not size & 3

    def _go_back(self, place: int, number: int, context: tuple[Any, ...] | None = None) -> None:
        """As the base does, and undo what blocks since then have told."""
        super()._go_back(place, number)
        if context is not None:
            order, self._interfaces, known, harmed = context
            del self._interfaces[known:]
            del self._damage[harmed:]
            if order != self._order:
                self._speak(order)
                self._strides = self._new_strides()

    def _frames(self, wants: Wants, passes: Passes) -> Iterator[Frame]:
        before = -1
        while self._has(1):
            place, harmed = self._base + self._offset, len(self._damage)
            frame = self._block()
            size = self._base + self._offset - place
            if frame is None:
                kind, _ = self._two(self._buffer, self._offset - size)
                if kind not in TELLING and harmed == len(self._damage):
                    self._offset += size * self._equal_behind(size)
            elif wants(frame.link, frame.data, frame.length):
                self.wanted += 1
                self.cut += frame.length > len(frame.data)
                yield frame
            elif frame.at == before and harmed == len(self._damage):
                if (equal := self._equal_behind(size)) and passes(frame.link, equal):
                    self._offset += equal * size
                    self.number += equal
            else:
                before = frame.at

    def _block(self) -> Frame | None:
        """Past one block; its frame, if it has one."""
        if not self._has(LEAST_BLOCK_BYTES):
            raise self._cut_short("a block", LEAST_BLOCK_BYTES)
        kind, size = self._two(self._buffer, self._offset)
        if kind == SECTION_HEADER:
            size = self._new_section()
        if not LEAST_BLOCK_BYTES <= size <= MAX_BLOCK_BYTES:
            raise Unfollowable(f"a block of {size} bytes, which cannot be")
        padded = size + (-size & 3)
        if not self._has(padded):
            raise self._cut_short("a block", padded)
        behind, _ = self._two(self._buffer[self._offset + padded - 4 : self._offset + padded] + bytes(4))
        if behind != size:
            self._harmed(f"a block of {size} bytes that says {behind} at its end")
        frame = None
        if kind in (ENHANCED_PACKET, PACKET, SIMPLE_PACKET):
            frame = self._packet(kind, padded)
        elif kind == INTERFACE_STATISTICS:
            self._take_statistics(self._buffer[self._offset + 8 : self._offset + padded - 4])
        elif kind == INTERFACE_DESCRIPTION:
            self._describe(self._buffer[self._offset + 8 : self._offset + padded - 4])
        self._offset += padded
        return frame

    def _new_section(self) -> int:
        """The length of the Section Header Block here, in the byte order that it sets; no interface is known yet."""
        order = ORDERS.get(self._buffer[self._offset + 8 : self._offset + 12])
        if order is None:
            raise Unfollowable("a section in no known byte order")
        if order != self._order:
            self._speak(order)
            self._strides = self._new_strides()
        self._interfaces = []
        self._section = self._base + self._offset
        _, size = self._two(self._buffer, self._offset)
        return int(size)

    def _describe(self, body: bytes) -> None:
        """One more interface, as the body of its block has it."""
        if len(body) < 8 or len(self._interfaces) >= MAX_INTERFACES:
            self._harmed("an interface too many" if len(body) >= 8 else "an interface without a link type")
            return
        link, _, snap_bytes = Struct(self._order + "HHI").unpack_from(body)
        nanoseconds, ticks, offset = 1000, 1, 0
        for code, value in self._options(body[8:]):
            if code == OPTION_TSRESOL and len(value) == 1:
                nanoseconds, ticks = resolution_of(value[0])
            elif code == OPTION_TSOFFSET and len(value) == 8:
                offset = Struct(self._order + "q").unpack(value)[0] * SECOND
        self._interfaces.append(Interface(link_of(link), snap_bytes, nanoseconds, ticks, offset))

    def _take_statistics(self, body: bytes) -> None:
        """What an interface says of frames that never came into the capture; nobody is harmed where it says nothing."""
        if len(body) < 12:
            return
        (interface,) = Struct(self._order + "I").unpack_from(body)
        for code, value in self._options(body[12:]):
            if code not in self._dropped or len(value) != 8 or interface >= len(self._interfaces):
                continue
            (count,) = Struct(self._order + "Q").unpack(value)
            dropped, key = self._dropped[code], (self._section, interface)
            if count < MAX_DROPPED and (key in dropped or len(dropped) < MAX_INTERFACES):
                dropped[key] = max(dropped.get(key, 0), count)

    @property
    def dropped_by_system(self) -> int:
        """As the statistics of all interfaces say."""
        return sum(self._dropped[OPTION_OSDROP].values())

    @property
    def dropped_by_interface(self) -> int:
        """As the statistics of all interfaces say."""
        return sum(self._dropped[OPTION_IFDROP].values())

    def _options(self, body: bytes) -> Iterator[tuple[int, bytes]]:
        """Codes and values, up to the end-of-options or to where they stop making sense."""
        head = Struct(self._order + "HH")
        offset = 0
        while offset + 4 <= len(body):
            code, size = head.unpack_from(body, offset)
            if code == 0 or offset + 4 + size > len(body):
                return
            yield code, body[offset + 4 : offset + 4 + size]
            offset += 4 + size + (-size & 3)

    def _packet(self, kind: int, size: int) -> Frame | None:
        """The frame in the block of that kind and size here; none, with the reason told, when it has none."""
        body, start = self._buffer, self._offset
        room = size - (16 if kind == SIMPLE_PACKET else FRAME_AT + 4)
        if room < 0:
            self._harmed(f"a packet block of {size} bytes, too short for a frame")
            return None
        if kind == SIMPLE_PACKET:
            (length,) = Struct(self._order + "8xI").unpack_from(body, start)
            interface, high, low, captured, data_at = 0, 0, 0, min(length, room), start + 12
            if self._interfaces and self._interfaces[0].snap_bytes:
                captured = min(captured, self._interfaces[0].snap_bytes)
        else:
            _, _, interface, high, low, captured, length = self._enhanced(body, start)
            data_at = start + FRAME_AT
            if kind == PACKET:  # 16 bits of interface, and 16 of drops
                interface, _ = Struct(self._order + "8xHH").unpack_from(body, start)
        if interface >= len(self._interfaces):
            self._harmed(f"a frame of interface {interface}, of which {len(self._interfaces)} were described")
            return None
        if captured > min(room, MAX_FRAME_BYTES):
            self._harmed(f"a frame of {captured} bytes in a block of {size}")
            return None
        origin = self._interfaces[interface]
        # A Simple Packet Block has no time; the one before it is the nearest that is known.
        at = (self._last or 0) if kind == SIMPLE_PACKET else origin.time_of(high, low)
        self.number += 1
        self._last = at
        if self.first is None:
            self.first = at
        return Frame(at, self.capture, self.number, origin.link, body[data_at : data_at + captured], length)

    def follow(self, wanted: Iterable[bytes]) -> Iterator[Frame]:  # one loop, few calls: it runs once for every block
        """As the base says."""
        new, capture, limit = tuple.__new__, self.capture, self.limit
        unpack, interfaces, strides = self._enhanced, self._interfaces, self._strides
        buffer, offset, number, wait, barrier, last = self._buffer, self._offset, self.number, self._wait, 0, -1
        whole = len(buffer)
        for data in chain(wanted, (None,)):
            want = -1 if data is None else len(data)
            begin, before, context, barrier = self._base + offset, number, None, 0
            while True:
                kind, sound = ENHANCED_PACKET, True
                if (start := offset + FRAME_AT) <= whole:
                    kind, size, interface, high, low, captured, length = unpack(buffer, offset)
                    sound = kind == ENHANCED_PACKET and captured + 32 <= size <= MAX_BLOCK_BYTES and not size & 3
                    sound = sound and captured <= limit and interface < len(interfaces)
                    after = offset + size
                    if sound and after <= whole:
                        if captured == want and buffer.startswith(data or b"", start):
                            self.number = number = number + 1
                            self._offset = offset = after
                            origin = interfaces[interface]
                            self._last = at = origin.time_of(high, low)
                            self._found.add(want)
                            self.wanted += 1
                            if length > captured:
                                self.cut += 1
                            last = -1
                            if self.first is None:
                                self.first = at
                            yield new(Frame, (at, capture, number, origin.link, data, length))
                            break
                        if wait:
                            if not number:
                                self.first = self._time_at(offset)
                            wait -= 1
                            number += 1
                            last, offset = offset, after
                            continue
                        if offset >= barrier:
                            hidden = want & 0xFF == captured & 0xFF or want in strides.frames
                            barrier = self._place_of(data, start) - FRAME_AT if hidden else whole
                        count, last, offset, wait = strides.over(buffer, offset, size, barrier)
                        number += count
                        continue
                self._stand(offset, number, wait, last)
                frame = None
                if kind != ENHANCED_PACKET:
                    context = context or (self._order, interfaces, len(interfaces), len(self._damage))
                    sound, frame = self._pass_block()
                elif sound:
                    sound = self._read_on_fast()
                if not sound:
                    if data is not None:
                        self._go_back(begin, before, context)
                    return
                unpack, interfaces, strides = self._enhanced, self._interfaces, self._strides
                buffer, offset, number, whole, barrier = self._buffer, self._offset, self.number, len(self._buffer), 0
                last = -1
                if frame is not None and frame.data == data:
                    self.wanted += 1
                    self.cut += frame.length > want
                    yield frame
                    break

    def _pass_block(self) -> tuple[bool, Frame | None]:
        """Whether there was a whole block to pass, and its frame, if it has one."""
        try:
            return True, self._block()
        except Unfollowable:
            return False, None

    def _time_at(self, offset: int) -> Nanoseconds | None:
        _, _, interface, high, low, _, _ = self._enhanced(self._buffer, offset)
        return self._interfaces[interface].time_of(high, low) if interface < len(self._interfaces) else self._last
