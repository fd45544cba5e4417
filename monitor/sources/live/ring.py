"""A packet socket with a ring that the kernel fills and we read: AF_PACKET with TPACKET_V3 (packet(7), packet_mmap).

The kernel's filter keeps media away; what passes it lies in *blocks* of memory that both sides see, so no byte is
copied until Python takes a frame out. Linux only; elsewhere `pump` fills such blocks.

The constants are those of <linux/if_packet.h>, <linux/filter.h> and <asm-generic/socket.h>.
"""

import ctypes
import fcntl
import os
import socket
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Self

from monitor.sources.live.blocks import (
    BLOCK_BYTES,
    RETIRE_MILLISECONDS,
    RING_BYTES,
    Blocks,
    Instruction,
    RingError,
    Statistics,
)

SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 1, 5, 6, 10
PACKET_TIMESTAMP = 17
PACKET_MR_PROMISC = 1
SIOCGIFHWADDR = 0x8927
SO_ATTACH_FILTER = 26
TPACKET_V3 = 2
ETH_P_ALL = 3
SOF_TIMESTAMPING_RAW_HARDWARE = 1 << 6

LINKS = {1: 1, 772: 1, 65534: 12, 768: 12, 769: 12, 778: 12, 512: 9}
"""ARPHRD of an interface → LINKTYPE of its frames: Ethernet, loopback, then raw IP (tun, tunnels), and PPP."""

_membership = Struct("=iHH8s").pack
_request = Struct("=7I").pack
_statistics = Struct("=III").unpack


class Ring(Blocks):
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
        self._promiscuous = promiscuous
        super().__init__(sock.fileno(), interface, size, block, link_of(interface) if link is None else link)

    @classmethod
    def opened(
        cls,
        interface: str,
        program_for: Callable[[int], Iterable[Instruction]],
        *,
        size: int = RING_BYTES,
        block: int = BLOCK_BYTES,
        promiscuous: bool = True,
    ) -> Self:
        """A new ring; raises `RingError`. Needs CAP_NET_RAW, for as long as this takes and no longer.

        `program_for` gives the filter for a link type; it is in place before the socket is bound, so that nothing
        unwanted ever enters.
        """
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            needed = "capturing needs CAP_NET_RAW: run it as a service, or once as root"
            raise RingError(f"{interface}: {needed}") from None
        try:
            return cls._set_up(sock, interface, program_for, size, block, promiscuous)
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
    ) -> Self:
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        ring = _request(block, size // block, 2048, size // 2048, RETIRE_MILLISECONDS, 0, 0)
        sock.setsockopt(SOL_PACKET, PACKET_RX_RING, ring)
        attach(sock, program_for(link_of(interface)))
        sock.setsockopt(SOL_PACKET, PACKET_TIMESTAMP, SOF_TIMESTAMPING_RAW_HARDWARE)  # where the adapter makes any
        sock.bind((interface, ETH_P_ALL))
        if promiscuous:
            be_promiscuous(sock, interface)
        return cls(sock, interface, size, block, promiscuous=promiscuous)

    def fileno(self) -> int:
        """For a selector: readable when a block is ready, or the interface went away."""
        return self.socket.fileno()

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
        super().close()
        self.socket.close()


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
