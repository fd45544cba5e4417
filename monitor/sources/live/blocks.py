"""Memory that one side fills with frames, block by block, and another reads: laid out as TPACKET_V3 has it (packet(7)).

A block is the reader's once it is closed, and goes back when it was dealt with and not before: whoever reads may die,
and the next reader of the same memory finds what was not finished. Several blocks may be taken before the first is
given back; they go back in their order.
"""

import mmap
import os
import tempfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from monitor.model.evidence import SECOND
from monitor.model.packets import Frame

STATUS_USER = 1 << 0
STATUS_VLAN_VALID, STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
KERNEL = b"\0\0\0\0"
RETIRE_MILLISECONDS = 20
"""A block that is not full goes to the reader after so long: an upper bound of the delay, far below the goal's 100."""
BLOCK_BYTES = 128 * 1024
"""Large enough for any frame, and small, for a block goes out of use with the first packet in it after `RETIRE`: a ring
of 512 blocks holds a trickle for ten seconds, in which a decoder that died is replaced."""
RING_BYTES = 64 * 1024 * 1024
DOT1Q = 0x8100
NOTHING: Sequence[Frame] = ()
Instruction = tuple[int, int, int, int]
"""Of classic BPF: code, jump if true, jump if false, operand."""

BLOCK_HEAD = Struct("=II IIII Q")  # version, private, status, packets, first, bytes, sequence number
PACKET_HEAD = Struct("=IIIIIIHHIIH")  # next, seconds, nanoseconds, held, length, status, MAC, network, hash, tag, TPID
STATUS_AT, SEQUENCE_AT = 8, 24
_block = BLOCK_HEAD.unpack_from
_packet = PACKET_HEAD.unpack_from
_tag = Struct("!HH").pack


class RingError(Exception):
    """An interface that cannot be captured, and why, in words for its operator."""


class Statistics(NamedTuple):
    """What became of the packets that the filter let through, since the last look."""

    passed: int
    """Those that did not fit are among them."""
    dropped: int
    """Those that found the ring full."""
    frozen: int
    """How often the ring was full."""


def shared_memory(size: int, name: str) -> int:
    """Memory for several processes, by its descriptor; it goes with the last of them."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(f"joinwatch-{name}")
    else:  # as on macOS: a file without a name
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


class Blocks(ABC):
    """The reader's side."""

    def __init__(self, descriptor: int, interface: str, size: int, block: int, link: int) -> None:
        """`descriptor` is of the memory, which may be another process's."""
        self.interface = interface
        self.link = link
        self.number = 0
        """Of the frame that was taken last; counts from 1, and on from what the reader before was told."""
        self.finished = 0
        """Frames in blocks that were given back, by this reader."""
        self._size, self._block_bytes = size, block
        self._memory = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._view = memoryview(self._memory)
        self._block = self._oldest()
        self._taken: deque[tuple[int, int]] = deque()
        """Blocks that were not given back, and the frames in each, in their order."""

    @abstractmethod
    def fileno(self) -> int:
        """For a selector: readable when a block is ready."""

    def take(self) -> Sequence[Frame]:
        """The frames of the next block that is ready; none when there is none yet. They are ours until `give_back`."""
        start = self._block * self._block_bytes
        _, _, status, packets, first, _, _ = _block(self._view, start)
        if not status & STATUS_USER or len(self._taken) == self.blocks:
            return NOTHING
        frames: list[Frame] = []
        at, view, link, interface = start + first, self._view, self.link, self.interface
        for _ in range(packets):
            following, seconds, nanoseconds, held, length, state, mac, _, _, tci, tpid = _packet(view, at)
            data = bytes(view[at + mac : at + mac + held])
            if state & STATUS_VLAN_VALID:
                # The kernel took the outer tag off before anybody saw the frame: put it back where it was.
                data = data[:12] + _tag(tpid if state & STATUS_VLAN_TPID_VALID else DOT1Q, tci) + data[12:]
                length += 4
            self.number += 1
            frames.append(Frame(seconds * SECOND + nanoseconds, interface, self.number, link, data, length))
            at += following
        self._taken.append((self._block, packets))
        self._block = (self._block + 1) % self.blocks
        if not self._taken[0][1]:
            self.give_back()
        return frames

    def give_back(self) -> None:
        """The first of the blocks that were taken may be filled again, with those behind it that hold nothing."""
        while self._taken:
            block, frames = self._taken.popleft()
            start = block * self._block_bytes
            self._view[start + STATUS_AT : start + STATUS_AT + 4] = KERNEL
            self.finished += frames
            if not self._taken or self._taken[0][1]:
                return

    @property
    def blocks(self) -> int:
        """How many there are."""
        return self._size // self._block_bytes

    @property
    def block(self) -> int:
        """The one to be taken next, by its place in the ring."""
        return self._block

    @property
    def sequence(self) -> int:
        """The number of the block to be taken next: they count up, whoever reads."""
        return int(_block(self._view, self._block * self._block_bytes)[6])

    @abstractmethod
    def attach(self, program: Iterable[Instruction]) -> None:
        """Another filter from here on; what is in the ring stays. Raises `OSError` where it is refused."""

    @abstractmethod
    def statistics(self) -> Statistics:
        """The counts since the last call."""

    def trouble(self) -> str:
        """What is known to be wrong with the interface; empty when all is well."""
        return ""

    def close(self) -> None:
        """Nothing is read any more."""
        self._view.release()
        self._memory.close()

    def _oldest(self) -> int:
        """The block to begin with: the first that waits, by its number; after another reader it may be any."""
        heads = [_block(self._view, index * self._block_bytes) for index in range(self.blocks)]
        waiting = [(head[6], index) for index, head in enumerate(heads) if head[2] & STATUS_USER]
        if not waiting:
            return max((head[6], index) for index, head in enumerate(heads))[1]  # what has been opened last
        number, index = min(waiting)
        while True:  # The one before may have become ready behind our back, while we looked at the others.
            before = (index - 1) % self.blocks
            head = _block(self._view, before * self._block_bytes)
            if not head[2] & STATUS_USER or head[6] != number - 1:
                return index
            number, index = head[6], before
