"""capture: opens the packet sockets while it may, gives up every privilege, and hands the rings to decoders.

It reads no packet. It keeps the sockets open, so that a ring outlives the decoder that died reading it, sees whether
interfaces are there, and tells what they received in all. Where somebody keeps descriptors for it, as systemd does, a
ring outlives even this process, and goes on filling until the next one finds it.
"""

import select
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.daemon.channel import Channel, Closed, listening
from monitor.daemon.kept import Kept, name_of
from monitor.daemon.messages import Alive, Received, Rings, RingTold
from monitor.daemon.notify import Notify
from monitor.daemon.page import Page
from monitor.sources.hep import sockets_of
from monitor.sources.live.ring import BLOCK_BYTES, Instruction, Ring, RingError

LOOK_SECONDS = 1.0
"""How often interfaces are looked at."""
STATISTICS = Path("/sys/class/net")
PAGE = "page"
"""The name of the page of progress in somebody's keeping."""
HEP = ("hep-udp", "hep-tcp")
"""The same of the sockets to which capture agents send."""


class Capture:
    """The rings of every interface, and the decoder that reads them."""

    def __init__(
        self,
        interfaces: Sequence[str],
        path: str,
        *,
        ring_bytes: int,
        promiscuous: bool = True,
        hep: tuple[str, int] | None = None,
        notify: Notify | None = None,
    ) -> None:
        """Opens everything that needs a privilege; raises `RingError`, or `ConfigError` for `hep`, the address and port
        to which capture agents send. `notify` leads to whoever keeps it all open.
        """
        self._notify, kept = notify or Notify(), Kept()
        self._rings = [
            self._kept_ring(kept, name, ring_bytes, promiscuous) or self._new_ring(name, ring_bytes, promiscuous)
            for name in interfaces
        ]
        self._told = tuple(
            RingTold(interface=ring.interface, link=ring.link, size=ring_bytes, block=BLOCK_BYTES)
            for ring in self._rings
        )
        self._agents = self._agents_at(kept, *hep) if hep else ()
        page = kept.take(PAGE)
        self._page = Page.made() if page is None else page
        self._notify.keep(PAGE, self._page)
        for name in kept.close():
            self._notify.forget(name)
        self._listener = listening(path)
        self._decoder: Channel[Alive] | None = None
        self._begun = self._totals()
        self._indices = {name: _index_of(name) for name in interfaces}
        self._looked = 0.0
        self.alive = time.monotonic()
        """When a decoder last gave a sign of life."""

    def _new_ring(self, interface: str, size: int, promiscuous: bool) -> Ring:
        ring = Ring.opened(interface, _program, size=size, promiscuous=promiscuous)
        self._notify.keep(_name_of(interface, size, promiscuous), ring.fileno())
        return ring

    def _kept_ring(self, kept: Kept, interface: str, size: int, promiscuous: bool) -> Ring | None:
        """The ring of an earlier life, with all that came since; none when nobody kept one like it."""
        name = _name_of(interface, size, promiscuous)
        descriptor = kept.take(name)
        if descriptor is None:
            return None
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, fileno=descriptor)
        try:
            ring = Ring(sock, interface, size, promiscuous=promiscuous)
            ring.attach(_program(ring.link))
            ring.trouble()
            ring.bind_again()
        except (OSError, RingError):
            sock.close()
            self._notify.forget(name)
            return None
        return ring

    def _agents_at(self, kept: Kept, address: str, port: int) -> tuple[socket.socket, ...]:
        """Where capture agents send to; that of an earlier life, with what has come since, where somebody kept it."""
        names = [name_of(name, address, port) for name in HEP]
        held = [kept.take(name) for name in names]
        known = [socket.socket(fileno=descriptor) for descriptor in held if descriptor is not None]
        if len(known) == len(HEP):
            return tuple(known)
        for sock in known:
            sock.close()
        made = sockets_of(address, port)
        for name, sock in zip(names, made, strict=True):
            self._notify.keep(name, sock.fileno())
        return made

    def fileno(self) -> int:
        """For a selector: somebody connects."""
        return self._listener.fileno()

    @property
    def mute(self) -> tuple[int, ...]:
        """The descriptors on which nothing shall ever be sent: packet sockets, and those that agents send to."""
        return (*(ring.fileno() for ring in self._rings), *(sock.fileno() for sock in self._agents))

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
        for sock in self._agents:
            sock.close()
        self._listener.close()

    def _welcome(self) -> None:
        """A new decoder: it gets everything, and the one before is gone."""
        sock, _ = self._listener.accept()
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = Channel(sock, Alive)
        self.alive = time.monotonic()
        rings = [ring.fileno() for ring in self._rings]
        agents = [sock.fileno() for sock in self._agents]
        try:
            told = Rings(rings=self._told, hep=bool(agents))
            self._decoder.send_descriptors(told, [*rings, self._page, *agents])
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


def _program(link: int) -> Iterable[Instruction]:
    """What the kernel lets through until a decoder asks for more."""
    from monitor.decoders import ASKS
    from monitor.sources.filters import Filters

    return Filters(ASKS).program(link) or ()


def _name_of(interface: str, size: int, promiscuous: bool) -> str:
    """How its ring is called while somebody keeps it: another size would be another ring."""
    return name_of("ring", interface, size, BLOCK_BYTES, "promiscuous" if promiscuous else "own")


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
