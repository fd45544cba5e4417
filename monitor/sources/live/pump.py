"""Live capture by libpcap, where there is no AF_PACKET: one process pumps frames into blocks, another reads those.

libpcap cannot hand an open interface to another process. So whoever opened it copies what the filter lets through into
shared memory, laid out as the kernel's own ring is, and looks into none of it; the reader of a `Pumped` does as the
reader of a ring does, and whoever reads on after a death finds what was not finished. Frames bear their VLAN tags, as
on the wire: where the kernel takes them off, libpcap puts them back.

When the memory is full nothing more is asked of libpcap: then its own buffer fills, and it counts what it drops.
"""

import mmap
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from monitor.model.packets import Frame
from monitor.sources.live.blocks import (
    BLOCK_BYTES,
    BLOCK_HEAD,
    PACKET_HEAD,
    RETIRE_MILLISECONDS,
    STATUS_AT,
    STATUS_USER,
    Blocks,
    Instruction,
    RingError,
    Statistics,
    shared_memory,
)

DATA_LINKS = {0: 0, 1: 1, 9: 9, 12: 12, 14: 12, 108: 108, 113: 113, 276: 276}
"""DLT of an open interface → LINKTYPE of its frames; 12 and 14 are raw IP (macOS's tunnels have 0)."""
FIRST = 48
"""Where the first packet of a block begins; as far behind its head, the bytes of a packet do."""
AT_ONCE = 2000
"""Packets that are moved before anything else is looked at."""
MICROSECONDS = 1_000_000
EVERYTHING: Sequence[Instruction] = ((0x06, 0, 0, 0x40000),)
READY = int(STATUS_USER).to_bytes(4, sys.byteorder)


class Totals(NamedTuple):
    """What libpcap knows of an interface since it was opened."""

    received: int
    """Before the filter on BSD and macOS; on Linux, behind it."""
    dropped: int
    """By its buffer, which was full."""
    missed: int
    """By the interface or its driver."""


class Pump:
    """One interface that libpcap has open, and the blocks that its frames go to."""

    def __init__(
        self,
        interface: str,
        program_for: Callable[[int], Iterable[Instruction]],
        *,
        size: int,
        block: int = BLOCK_BYTES,
        promiscuous: bool = True,
    ) -> None:
        """Opens it, for which a privilege is needed; raises `RingError`. Of `size`, half is libpcap's buffer."""
        import cypcap  # not above: it costs start-up time that others need not pay

        self._cypcap: Any = cypcap
        self.interface, self._promiscuous = interface, promiscuous
        self.block = block
        self.size = max(2, size // 2 // block) * block
        self._buffer = size - self.size
        self._totals = self._latest = Totals(0, 0, 0)
        self._pcap: Any = self._opened()
        self.link = DATA_LINKS.get(int(self._pcap.datalink()), -1)
        if self.link < 0:
            self._pcap.close()
            raise RingError(f"{interface}: its frames are of a kind that cannot be read; Ethernet, loopback, tun can")
        self._program: Sequence[Instruction] = EVERYTHING
        self.attach(program_for(self.link))
        self.memory = shared_memory(self.size, "frames")
        self._blocks = _Filling(self.memory, self.size, block)
        self._wake: socket.socket | None = None
        self._untold = 0
        """Blocks that are ready, and the reader does not know."""
        self._pending: tuple[int, int, bytes, int] | None = None
        """A packet for which there was no room."""

    def fileno(self) -> int:
        """For a selector: readable when packets are there; -1 while the interface is gone."""
        return int(self._pcap.get_selectable_fd()) if self._pcap is not None else -1

    def welcome(self) -> socket.socket:
        """What a new reader listens to, one byte for each block that is ready; there is one reader at a time."""
        if self._wake is not None:
            self._wake.close()
        self._wake, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wake.setblocking(False)
        self._untold = 0
        self._tell(self._blocks.waiting)
        return theirs

    def fill(self) -> bool:
        """Move what is there into blocks; whether there may be more at this moment. Never waits."""
        blocks, packets, moved = self._blocks, self._arriving(), 0
        for seconds, microseconds, data, length in packets:
            if not blocks.put(seconds, microseconds, data, length):
                self._pending = (seconds, microseconds, data, length)
                break
            moved += 1
            if moved == AT_ONCE:
                break
        if moved < AT_ONCE:
            blocks.finish()  # libpcap has waited for more already
        self._tell(blocks.closed)
        blocks.closed = 0
        return moved == AT_ONCE

    @property
    def wants(self) -> bool:
        """Whether there is room for what arrives."""
        return self._pending is None

    def attach(self, program: Iterable[Instruction]) -> bool:
        """Another filter from here on; whether libpcap takes it. It is set again when the interface comes back."""
        instructions = tuple(program) or EVERYTHING
        with suppress(self._cypcap.Error, ValueError, OverflowError, TypeError):
            if self._pcap is not None:
                self._pcap.setfilter(self._cypcap.BpfProgram(list(instructions)))
            self._program = instructions
            return True
        return False

    def totals(self) -> Totals:
        """What it received and lost so far, also before the interface went and came back."""
        if self._pcap is not None:
            with suppress(self._cypcap.Error):
                told = self._pcap.stats()
                latest = Totals(told.recv, told.drop, told.ifdrop)
                grown = map(_grown, self._latest, latest)
                self._totals = Totals(*(total + more for total, more in zip(self._totals, grown, strict=True)))
                self._latest = latest
        return self._totals

    def revive(self) -> bool:
        """After the interface was gone: whether it is open again. Needs the privilege that opening it needed."""
        if self._pcap is None:
            with suppress(RingError, self._cypcap.Error):
                self._pcap = self._opened()
                if DATA_LINKS.get(int(self._pcap.datalink())) == self.link:
                    self._pcap.setfilter(self._cypcap.BpfProgram(list(self._program)))
                else:
                    self._give_up()
        return self._pcap is not None

    @property
    def is_open(self) -> bool:
        """Whether the interface can be read."""
        return self._pcap is not None

    def close(self) -> None:
        """Nothing is captured any more."""
        if self._pcap is not None:
            self._pcap.close()
        if self._wake is not None:
            self._wake.close()
        self._blocks.free()

    def _opened(self) -> Any:
        cypcap = self._cypcap
        pcap = cypcap.create(self.interface)
        try:
            pcap.set_snaplen(self.block - 2 * FIRST)  # what is longer is cut, and known to be
            pcap.set_promisc(self._promiscuous)
            pcap.set_timeout(RETIRE_MILLISECONDS / 1000)
            pcap.set_buffer_size(self._buffer)
            pcap.activate()
            pcap.setnonblock(True)
        except cypcap.Error as error:
            pcap.close()
            raise RingError(f"{self.interface}: {_said(error)}") from None
        return pcap

    def _arriving(self) -> Iterator[tuple[int, int, bytes, int]]:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            yield pending
        if self._pcap is None:
            return
        packets = iter(self._pcap)
        while True:
            try:
                header, data = next(packets)
            except (self._cypcap.Error, StopIteration):
                self._give_up()
                return
            if header is None:
                return
            moment = round(header.ts * MICROSECONDS)  # of a double: exact to the microsecond, and no further
            yield moment // MICROSECONDS, moment % MICROSECONDS, data, header.len

    def _give_up(self) -> None:
        """The interface is gone."""
        self.totals()
        self._latest = Totals(0, 0, 0)
        self._pcap.close()
        self._pcap = None

    def _tell(self, blocks: int) -> None:
        """So many blocks more are ready; what the reader's socket cannot take now is told later."""
        self._untold += blocks
        if self._untold and self._wake is not None:
            try:
                self._untold -= self._wake.send(b"\0" * self._untold)
            except BlockingIOError:
                pass
            except OSError:  # nobody reads any more; the next one is told of all
                self._untold = 0


class _Filling:
    """The writer's side of the blocks."""

    def __init__(self, descriptor: int, size: int, block: int) -> None:
        self._memory = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._view = memoryview(self._memory)
        self._block_bytes, self._count = block, size // block
        self._index, self._sequence = 0, 1
        self._packets = 0
        self._at = FIRST
        self.closed = 0
        """Blocks that became ready since somebody asked last."""
        self._is_open = False
        self._begin()  # A reader that finds nothing begins with the block that was opened last.

    def put(self, seconds: int, microseconds: int, data: bytes, length: int) -> bool:
        """One frame into the block that is open; false where there is no room in any."""
        needed = (FIRST + len(data) + 15) & ~15
        if self._is_open and self._at + needed > self._block_bytes:
            self.close()
        if not self._is_open and not self._begin():
            return False
        at, nanoseconds = self._index * self._block_bytes + self._at, microseconds * 1000
        PACKET_HEAD.pack_into(self._view, at, needed, seconds, nanoseconds, len(data), length, 0, FIRST, FIRST, 0, 0, 0)
        self._view[at + FIRST : at + FIRST + len(data)] = data
        self._packets += 1
        self._at += needed
        return True

    def close(self) -> None:
        """What is in the open block is the reader's."""
        start = self._index * self._block_bytes
        BLOCK_HEAD.pack_into(self._view, start, 1, 0, 0, self._packets, FIRST, self._at, self._sequence)
        self._view[start + STATUS_AT : start + STATUS_AT + 4] = READY
        self._is_open = False
        self._index = (self._index + 1) % self._count
        self._sequence += 1
        self.closed += 1
        self._begin()

    def finish(self) -> None:
        """What came is the reader's, though there would be room for more."""
        if self._is_open and self._packets:
            self.close()

    @property
    def waiting(self) -> int:
        """Blocks that the reader has not given back."""
        return sum(self._is_ready(index) for index in range(self._count))

    def free(self) -> None:
        """The memory is left to whoever still reads it."""
        self._view.release()
        self._memory.close()

    def _is_ready(self, index: int) -> bool:
        start = index * self._block_bytes + STATUS_AT
        return bytes(self._view[start : start + 4]) == READY

    def _begin(self) -> bool:
        start = self._index * self._block_bytes
        if self._is_ready(self._index):
            return False
        BLOCK_HEAD.pack_into(self._view, start, 1, 0, 0, 0, FIRST, FIRST, self._sequence)
        self._is_open, self._packets, self._at = True, 0, FIRST
        return True


class Pumped(Blocks):
    """The reader's side, in whatever process."""

    def __init__(
        self,
        memory: int,
        wake: socket.socket,
        interface: str,
        size: int,
        block: int,
        link: int,
        ask: Callable[[Iterable[Instruction]], None],
    ) -> None:
        """`wake` is what `Pump.welcome` gave; `ask` has another filter set where the interface is open."""
        super().__init__(memory, interface, size, block, link)
        self._wake, self._ask = wake, ask
        self._wake.setblocking(False)
        self._ready = 0
        self.dropped = 0
        """By libpcap, as its process told last."""
        self.counted = 0
        """Of those, how many `statistics` has told, or that of a reader before."""

    def fileno(self) -> int:
        """For a selector: readable when a block is ready."""
        return self._wake.fileno()

    def take(self) -> Sequence[Frame]:
        """As `Blocks.take`. Only blocks that were told of are looked at: what is in them is surely there by then."""
        with suppress(OSError):
            self._ready += len(self._wake.recv(4096))
        if not self._ready:
            return ()
        before = self.block
        frames = super().take()
        self._ready -= self.block != before
        return frames

    def attach(self, program: Iterable[Instruction]) -> None:
        """Another filter, soon."""
        self._ask(program)

    def statistics(self) -> Statistics:
        """What was dropped since the last call."""
        dropped, self.counted = max(0, self.dropped - self.counted), max(self.dropped, self.counted)
        return Statistics(0, dropped, 0)

    def close(self) -> None:
        """Nothing is read any more."""
        super().close()
        self._wake.close()


def interfaces_up() -> frozenset[str]:
    """The interfaces that libpcap finds up and running."""
    import cypcap

    wanted = cypcap.PcapIfFlags.UP | cypcap.PcapIfFlags.RUNNING
    try:
        return frozenset(one.name for one in cypcap.findalldevs() if one.flags & wanted == wanted)
    except cypcap.Error:
        return frozenset()


def _grown(before: int, now: int) -> int:
    """By how much a count of 32 bits has grown, which begins anew behind its largest; one that shrank has not."""
    grown = (now - before) & 0xFFFFFFFF
    return grown if grown < 1 << 31 else 0


def _said(error: Exception) -> str:
    """What libpcap says of it, in words."""
    return str(error.args[-1]) if error.args else "it cannot be opened"
