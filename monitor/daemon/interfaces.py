"""Interfaces as capture has them open: by a ring that the kernel fills, or by libpcap where there is none.

Both are handed to decoders as open descriptors, are looked after when the interface goes and comes back, and tell what
the interface received.
"""

import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from monitor.daemon.messages import RingTold
from monitor.sources.live.blocks import BLOCK_BYTES, Instruction, RingError
from monitor.sources.live.pump import Pump, Totals, interfaces_up
from monitor.sources.live.ring import Ring

STATISTICS = Path("/sys/class/net")
NOT_HERE = "this system has no rings of the kernel's (AF_PACKET, which is Linux's): use backend = \"libpcap\""
LINUX = sys.platform == "linux"
Program = Callable[[int], Iterable[Instruction]]


class Open(Protocol):
    """One interface that is captured."""

    interface: str
    told: RingTold
    """What a decoder must know of it."""

    def fileno(self) -> int:
        """Of the packet socket; -1 where there is none at the moment."""

    def handed_out(self) -> list[int]:
        """What a decoder gets along with `told`; called once for each decoder."""

    def look(self) -> bool:
        """Whether the interface is there and up; one that came back is captured again."""

    def attach(self, program: Iterable[Instruction]) -> None:
        """Another filter, where decoders cannot set it themselves."""

    def totals(self) -> Totals | None:
        """What the interface received and lost, ever: what libpcap dropped, but not what a ring did. None while nobody
        can tell; an interface that comes back may begin at zero.
        """

    def close(self) -> None:
        """Nothing is captured any more."""


class OpenRing:
    """By AF_PACKET."""

    def __init__(self, ring: Ring, size: int) -> None:
        self.ring, self.interface = ring, ring.interface
        self.told = RingTold(interface=ring.interface, link=ring.link, size=size, block=BLOCK_BYTES)
        self._index = _index_of(ring.interface)

    @classmethod
    def new(cls, interface: str, program: Program, size: int, *, promiscuous: bool) -> "OpenRing":
        """Raises `RingError`."""
        if not LINUX:
            raise RingError(NOT_HERE)
        return cls(Ring.opened(interface, program, size=size, promiscuous=promiscuous), size)

    @classmethod
    def of(cls, descriptor: int, interface: str, program: Program, size: int, *, promiscuous: bool) -> "OpenRing":
        """The ring of an earlier life. Raises `RingError` and `OSError` when it is none any more."""
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, fileno=descriptor)
        try:
            ring = Ring(sock, interface, size, promiscuous=promiscuous)
            ring.attach(program(ring.link))
            ring.trouble()
            ring.bind_again()
        except (OSError, RingError):
            sock.close()
            raise
        return cls(ring, size)

    def fileno(self) -> int:
        """Of the packet socket."""
        return self.ring.fileno()

    def handed_out(self) -> list[int]:
        """The packet socket."""
        return [self.ring.fileno()]

    def look(self) -> bool:
        """Whether the interface is there and up; one that came back is captured again."""
        index = _index_of(self.interface)
        if index and index != self._index and self.ring.bind_again():
            self._index = index
        elif index and self.ring.trouble():
            self.ring.bind_again()
        return bool(index) and _is_up(self.interface)

    def attach(self, program: Iterable[Instruction]) -> None:
        """Decoders do so themselves."""

    def totals(self) -> Totals | None:
        """By the interface's own counts."""
        received, missed = _count(self.interface, "rx_packets"), _count(self.interface, "rx_missed_errors")
        return None if received is None else Totals(received, 0, missed or 0)

    def close(self) -> None:
        """The ring is gone, unless somebody keeps it."""
        self.ring.close()


class OpenPump:
    """By libpcap."""

    def __init__(self, pump: Pump) -> None:
        self.pump, self.interface = pump, pump.interface
        self.told = RingTold(interface=pump.interface, link=pump.link, size=pump.size, block=pump.block, pumped=True)
        self._theirs: socket.socket | None = None

    @classmethod
    def new(cls, interface: str, program: Program, size: int, *, promiscuous: bool) -> "OpenPump":
        """Raises `RingError`."""
        return cls(Pump(interface, program, size=size, promiscuous=promiscuous))

    def fileno(self) -> int:
        """What libpcap listens to."""
        return self.pump.fileno()

    def handed_out(self) -> list[int]:
        """The memory, and where its blocks are told of."""
        if self._theirs is not None:
            self._theirs.close()
        self._theirs = self.pump.welcome()
        return [self.pump.memory, self._theirs.fileno()]

    def look(self) -> bool:
        """Whether the interface is there and up; one that came back is opened again, where that is still allowed."""
        if not self.pump.revive():
            return False
        return _is_up(self.interface) if LINUX else self.interface in interfaces_up()

    def attach(self, program: Iterable[Instruction]) -> None:
        """Another filter."""
        self.pump.attach(program)

    def totals(self) -> Totals | None:
        """On Linux libpcap counts what the filter let through; what was received, the interface tells."""
        told = self.pump.totals()
        if not LINUX:
            return told
        received = _count(self.interface, "rx_packets")
        return None if received is None else told._replace(received=received)

    def close(self) -> None:
        """Nothing is captured any more."""
        self.pump.close()
        if self._theirs is not None:
            self._theirs.close()


def _count(interface: str, name: str) -> int | None:
    try:
        return int((STATISTICS / interface / "statistics" / name).read_text())
    except (OSError, ValueError):
        return None


def _is_up(interface: str) -> bool:
    try:
        return (STATISTICS / interface / "operstate").read_text().strip() in ("up", "unknown")
    except OSError:
        return False


def _index_of(interface: str) -> int:
    with suppress(OSError):
        return socket.if_nametoindex(interface)
    return 0
