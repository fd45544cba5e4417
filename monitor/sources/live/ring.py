"""A packet socket with a ring that the kernel fills and we read: AF_PACKET with TPACKET_V3 (packet(7), packet_mmap).

The kernel's filter keeps media away; what passes it lies in *blocks* of memory that both sides see, so no byte is
copied until Python takes a frame out. A block goes back to the kernel when it was dealt with and not before: whoever
reads the ring may die, and the next reader of the same socket finds what was not finished. Several blocks may be taken
before the first is given back; they go back in their order.

The constants are those of <linux/if_packet.h>, <linux/filter.h> and <asm-generic/socket.h>.
"""

import ctypes
import fcntl
import mmap
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import NamedTuple, Self

from monitor.model.evidence import SECOND
from monitor.model.packets import Frame

SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 1, 5, 6, 10
PACKET_TIMESTAMP, PACKET_FANOUT = 17, 18
PACKET_MR_PROMISC = 1
SIOCGIFHWADDR = 0x8927
SO_ATTACH_FILTER = 26
TPACKET_V3 = 2
ETH_P_ALL = 3
SOF_TIMESTAMPING_RAW_HARDWARE = 1 << 6
FANOUT_HASH, FANOUT_FLAG_DEFRAG = 0, 0x8000

STATUS_USER = 1 << 0
STATUS_VLAN_VALID, STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
STATUS_RAW_HARDWARE = 1 << 31
KERNEL = b"\0\0\0\0"

FRAME_ALIGNMENT = 16
RETIRE_MILLISECONDS = 20
"""A block that is not full goes to the reader after so long: an upper bound of the delay, far below the goal's 100."""
MAX_SNAPLEN = 256 * 1024
BLOCK_BYTES = 128 * 1024
"""Large enough for any frame, and small, for a block goes out of use with the first packet in it after `RETIRE`: a ring
of 512 blocks holds a trickle for ten seconds, in which a decoder that died is replaced."""
RING_BYTES = 64 * 1024 * 1024
DOT1Q = 0x8100

LINKS = {1: 1, 772: 1, 65534: 12, 768: 12, 769: 12, 778: 12, 512: 9}
"""ARPHRD of an interface → LINKTYPE of its frames: Ethernet, loopback, then raw IP (tun, tunnels), and PPP."""
NOTHING: Sequence[Frame] = ()
Instruction = tuple[int, int, int, int]
"""Of classic BPF: code, jump if true, jump if false, operand."""

_block = Struct("=II IIII Q").unpack_from  # version, private, status, packets, first, bytes, sequence number
_packet = Struct("=IIIIIIHHIIH").unpack_from
_packet_head = 12  # what <linux/if_packet.h> puts before the address of the link layer
_membership = Struct("=iHH8s").pack
_request = Struct("=7I").pack
_statistics = Struct("=III").unpack
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


class Ring:
    """One packet socket and its ring."""

    def __init__(
        self,
        sock: socket.socket,
        interface: str,
        size: int = RING_BYTES,
        block: int = BLOCK_BYTES,
        link: int | None = None,
        promiscuous: bool = True,
    ) -> None:
        """A socket whose ring is set up (`opened`), perhaps by another process, which may have passed it on.

        `link` is told where the interface cannot be asked.
        """
        self.socket = sock
        self.interface = interface
        self.number = 0
        """Of the frame that was taken last; counts from 1, and on from what the reader before was told."""
        self.finished = 0
        """Frames in blocks that were given back, by this reader."""
        self._size, self._block_bytes, self._promiscuous = size, block, promiscuous
        self._ring = mmap.mmap(sock.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._view = memoryview(self._ring)
        self._block = self._oldest()
        self._taken: deque[tuple[int, int]] = deque()
        """Blocks that were not given back, and the frames in each, in their order."""
        self.link = link_of(interface) if link is None else link

    @classmethod
    def opened(
        cls,
        interface: str,
        program_for: Callable[[int], Iterable[Instruction]],
        *,
        size: int = RING_BYTES,
        block: int = BLOCK_BYTES,
        promiscuous: bool = True,
        fanout: int | None = None,
    ) -> Self:
        """A new ring; raises `RingError`. Needs CAP_NET_RAW, for as long as this takes and no longer.

        `program_for` gives the filter for a link type; it is in place before the socket is bound, so that nothing
        unwanted ever enters. `fanout` names a group of sockets among which the kernel deals out flows.
        """
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            needed = "capturing needs CAP_NET_RAW: run it as a service, or once as root"
            raise RingError(f"{interface}: {needed}") from None
        try:
            return cls._set_up(sock, interface, program_for, size, block, promiscuous, fanout)
        except OSError as error:
            sock.close()
            raise RingError(f"{interface}: {error.strerror}") from None
        except RingError:
            sock.close()
            raise

    @classmethod
    def _set_up(
        cls,
        sock: socket.socket,
        interface: str,
        program_for: Callable[[int], Iterable[Instruction]],
        size: int,
        block: int,
        promiscuous: bool,
        fanout: int | None,
    ) -> Self:
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        ring = _request(block, size // block, 2048, size // 2048, RETIRE_MILLISECONDS, 0, 0)
        sock.setsockopt(SOL_PACKET, PACKET_RX_RING, ring)
        attach(sock, program_for(link_of(interface)))
        sock.setsockopt(SOL_PACKET, PACKET_TIMESTAMP, SOF_TIMESTAMPING_RAW_HARDWARE)  # where the adapter makes any
        sock.bind((interface, ETH_P_ALL))
        if promiscuous:
            be_promiscuous(sock, interface)
        if fanout is not None:
            how = FANOUT_HASH | FANOUT_FLAG_DEFRAG
            sock.setsockopt(SOL_PACKET, PACKET_FANOUT, how << 16 | fanout & 0xFFFF)
        return cls(sock, interface, size, block, promiscuous=promiscuous)

    def fileno(self) -> int:
        """For a selector: readable when a block is ready, or the interface went away."""
        return self.socket.fileno()

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
        """The first of the blocks that were taken is the kernel's again, with those behind it that hold nothing."""
        while self._taken:
            block, frames = self._taken.popleft()
            start = block * self._block_bytes
            self._view[start + 8 : start + 12] = KERNEL
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
        """The kernel's number of the block to be taken next: they count up, whoever reads."""
        return int(_block(self._view, self._block * self._block_bytes)[6])

    def attach(self, program: Iterable[Instruction]) -> None:
        """Another filter from here on; what is in the ring stays."""
        attach(self.socket, program)

    def statistics(self) -> Statistics:
        """The kernel's counts since the last call: reading resets them (packet(7))."""
        return Statistics(*_statistics(self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12)))

    def trouble(self) -> str:
        """What the kernel reports of the socket: `ENETDOWN` when the interface went down; empty when all is well."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return os.strerror(code) if code else ""

    def bind_again(self) -> bool:
        """After the interface was gone: whether it is there again. Needs no privilege, for the socket is open."""
        try:
            self.socket.bind((self.interface, ETH_P_ALL))
            if self._promiscuous:
                be_promiscuous(self.socket, self.interface)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """The socket is closed, and the ring is gone with it."""
        self._view.release()
        self._ring.close()
        self.socket.close()

    def _oldest(self) -> int:
        """The block to begin with: the first that waits, by its number; after another reader it may be any."""
        heads = [_block(self._view, index * self._block_bytes) for index in range(self.blocks)]
        waiting = [(head[6], index) for index, head in enumerate(heads) if head[2] & STATUS_USER]
        if not waiting:
            return max((head[6], index) for index, head in enumerate(heads))[1]  # what the kernel has opened last
        number, index = min(waiting)
        while True:  # The one before may have become ready behind our back, while we looked at the others.
            before = (index - 1) % self.blocks
            head = _block(self._view, before * self._block_bytes)
            if not head[2] & STATUS_USER or head[6] != number - 1:
                return index
            number, index = head[6], before


def be_promiscuous(sock: socket.socket, interface: str) -> None:
    """Frames for anybody, as a mirror port gives them; for as long as the socket lives (packet(7))."""
    index = socket.if_nametoindex(interface)
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, _membership(index, PACKET_MR_PROMISC, 0, b""))


def attach(sock: socket.socket, program: Iterable[Instruction]) -> None:
    """Give the kernel a filter in classic BPF for this socket."""
    instructions = list(program)
    code = b"".join(Struct("=HBBI").pack(*instruction) for instruction in instructions)
    held = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, Struct("@HP").pack(len(instructions), ctypes.addressof(held)))


def link_of(interface: str) -> int:
    """The LINKTYPE of an interface's frames; raises `RingError` for one that is not there, or cannot be read."""
    name = interface.encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:  # any socket can ask
        try:
            answer = fcntl.ioctl(asker, SIOCGIFHWADDR, name[:15].ljust(40, b"\0"))
        except OSError:
            raise RingError(f"{interface}: there is no such interface") from None
    (kind,) = Struct("=H").unpack_from(answer, 16)
    if kind not in LINKS:
        raise RingError(f"{interface}: interfaces of hardware type {kind} cannot be read; Ethernet, loopback, tun can")
    return LINKS[kind]
