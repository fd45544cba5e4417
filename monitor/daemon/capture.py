"""capture: opens the packet sockets while it may, gives up every privilege, and hands the rings to decoders.

It reads no packet. It keeps the sockets open, so that a ring outlives the decoder that died reading it, sees whether
interfaces are there, and tells what they received in all.
"""

import select
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from monitor.daemon.channel import Channel, Closed, listening
from monitor.daemon.messages import Alive, Received, Rings, RingTold
from monitor.daemon.page import Page
from monitor.sources.live.ring import BLOCK_BYTES, Ring

LOOK_SECONDS = 1.0
"""How often interfaces are looked at."""
STATISTICS = Path("/sys/class/net")


class Capture:
    """The rings of every interface, and the decoder that reads them."""

    def __init__(self, interfaces: Sequence[str], path: str, *, ring_bytes: int, promiscuous: bool = True) -> None:
        """Opens everything that needs a privilege; raises `RingError`."""
        from monitor.decoders import ASKS
        from monitor.sources.filters import Filters

        filters = Filters(ASKS)
        self._rings = [
            Ring.opened(name, lambda link: filters.program(link) or (), size=ring_bytes, promiscuous=promiscuous)
            for name in interfaces
        ]
        self._told = tuple(
            RingTold(interface=ring.interface, link=ring.link, size=ring_bytes, block=BLOCK_BYTES)
            for ring in self._rings
        )
        self._page = Page.made()
        self._listener = listening(path)
        self._decoder: Channel[Alive] | None = None
        self._begun = self._totals()
        self._indices = {name: _index_of(name) for name in interfaces}
        self._looked = 0.0
        self.alive = time.monotonic()
        """When a decoder last gave a sign of life."""

    def fileno(self) -> int:
        """For a selector: somebody connects."""
        return self._listener.fileno()

    @property
    def rings(self) -> tuple[int, ...]:
        """The descriptors of the packet sockets."""
        return tuple(ring.fileno() for ring in self._rings)

    def step(self, seconds: float) -> None:
        """Wait for something to do, at most so long, and do it."""
        descriptors = [self._listener.fileno(), *([self._decoder.fileno()] if self._decoder else [])]
        for ready in select.select(descriptors, [], [], seconds)[0]:
            if ready == descriptors[0]:
                self._welcome()
            else:
                self._listen()
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()

    def close(self) -> None:
        """Nothing is captured any more."""
        for ring in self._rings:
            ring.close()
        self._listener.close()

    def _welcome(self) -> None:
        """A new decoder: it gets everything, and the one before is gone."""
        sock, _ = self._listener.accept()
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = Channel(sock, Alive)
        self.alive = time.monotonic()
        descriptors = [ring.fileno() for ring in self._rings]
        try:
            self._decoder.send_descriptors(Rings(rings=self._told), [*descriptors, self._page])
            self._look()
        except (Closed, OSError):
            self._lose()

    def _listen(self) -> None:
        try:
            if self._decoder is not None and self._decoder.receive():
                self.alive = time.monotonic()
        except Closed:
            self._lose()

    def _lose(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    def _look(self) -> None:
        """Whether interfaces are there, up, and what they received since the start."""
        down = []
        for ring in self._rings:
            index = _index_of(ring.interface)
            if index and index != self._indices[ring.interface] and ring.bind_again():
                self._indices[ring.interface] = index
            elif index and ring.trouble():
                ring.bind_again()
            if not index or not _is_up(ring.interface):
                down.append(ring.interface)
        totals = self._totals()
        packets = {name: max(0, total - self._begun.get(name, 0)) for name, total in totals.items()}
        if self._decoder is not None:
            try:
                self._decoder.send(Received(packets=packets, down=tuple(down)))
            except Closed:
                self._lose()

    def _totals(self) -> dict[str, int]:
        return {ring.interface: _received(ring.interface) for ring in self._rings}


def _received(interface: str) -> int:
    try:
        return int((STATISTICS / interface / "statistics" / "rx_packets").read_text())
    except (OSError, ValueError):
        return 0


def _is_up(interface: str) -> bool:
    try:
        return (STATISTICS / interface / "operstate").read_text().strip() in ("up", "unknown")
    except OSError:
        return False


def _index_of(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0
