"""capture: opens the packet sockets while it may, gives up every privilege, and hands the rings to decoders.

It reads no packet; where libpcap captures it copies them, unread. It keeps the sockets open, so that a ring outlives
the decoder that died reading it, sees whether interfaces are there, and tells what they received in all. Where somebody
keeps descriptors for it, as systemd does, a ring outlives even this process, and goes on filling until the next one
finds it.
"""

import select
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from monitor.daemon.channel import Channel, Closed, listening
from monitor.daemon.interfaces import LINUX, Open, OpenPump, OpenRing
from monitor.daemon.kept import Kept, name_of
from monitor.daemon.messages import Alive, Attach, FromReader, Received, Rings
from monitor.daemon.notify import Notify
from monitor.daemon.page import Page
from monitor.daemon.totals import Rising
from monitor.daemon.usage import Usage
from monitor.sources.hep import sockets_of
from monitor.sources.live.blocks import BLOCK_BYTES, Instruction, RingError

LOOK_SECONDS = 1.0
"""How often interfaces are looked at."""
PUMP_SECONDS = 0.025
"""Where libpcap captures: some systems do not say of its descriptor that a timeout has brought packets."""
PAGE = "page"
"""The name of the page of progress in somebody's keeping."""
HEP = ("hep-udp", "hep-tcp")
"""The same of the sockets to which capture agents send."""


class Capture:
    """Every interface, open, and the decoder that reads what they bring."""

    def __init__(
        self,
        interfaces: Sequence[str],
        path: str,
        *,
        ring_bytes: int,
        promiscuous: bool = True,
        backend: str | None = None,
        hep: tuple[str, int] | None = None,
        notify: Notify | None = None,
    ) -> None:
        """Opens everything that needs a privilege; raises `RingError`, or `ConfigError` for `hep`, the address and port
        to which capture agents send. `notify` leads to whoever keeps it all open.

        `backend` is `ring` or `libpcap`; by default what the system has.
        """
        self._notify, kept = notify or Notify(), Kept()
        self._pumps: list[OpenPump] = []
        self._open: list[Open] = []
        with_rings = LINUX if backend is None else backend == "ring"
        for name in interfaces:
            if with_rings:
                ring = self._kept_ring(kept, name, ring_bytes, promiscuous)
                self._open.append(ring or self._new_ring(name, ring_bytes, promiscuous))
            else:
                self._pumps.append(OpenPump.new(name, _program, ring_bytes, promiscuous=promiscuous))
        self._open += self._pumps
        self._agents = self._agents_at(kept, *hep) if hep else ()
        page = None if self._pumps else kept.take(PAGE)  # which would tell of blocks that are gone
        self._page = Page.made() if page is None else page
        if not self._pumps:
            self._notify.keep(PAGE, self._page)
        for name in kept.close():
            self._notify.forget(name)
        self._listener = listening(path)
        self._decoder: Channel[FromReader] | None = None
        self._counts = {one.interface: [Rising(count) for count in one.totals() or (0, 0, 0)] for one in self._open}
        """Of each interface: received, dropped by libpcap, missed by the interface itself."""
        self._hurries = False
        """libpcap has more at this moment."""
        self._looked = 0.0
        self._usage = Usage()
        self.alive = time.monotonic()
        """When a decoder last gave a sign of life."""

    def _new_ring(self, interface: str, size: int, promiscuous: bool) -> OpenRing:
        ring = OpenRing.new(interface, _program, size, promiscuous=promiscuous)
        self._notify.keep(_name_of(interface, size, promiscuous), ring.fileno())
        return ring

    def _kept_ring(self, kept: Kept, interface: str, size: int, promiscuous: bool) -> OpenRing | None:
        """The ring of an earlier life, with all that came since; none when nobody kept one like it."""
        name = _name_of(interface, size, promiscuous)
        descriptor = kept.take(name)
        if descriptor is not None:
            with suppress(OSError, RingError):
                return OpenRing.of(descriptor, interface, _program, size, promiscuous=promiscuous)
            self._notify.forget(name)
        return None

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
        return (*(one.fileno() for one in self._open), *(sock.fileno() for sock in self._agents))

    def step(self, seconds: float) -> None:
        """Wait for something to do, at most so long, and do it."""
        descriptors = [self._listener.fileno(), *([self._decoder.fileno()] if self._decoder else [])]
        if self._pumps:
            seconds = 0.0 if self._hurries else min(seconds, PUMP_SECONDS)
        brought = [one.fileno() for one in self._pumps if one.pump.wants and one.fileno() >= 0]
        for ready in select.select([*descriptors, *brought], [], [], seconds)[0]:
            if ready == descriptors[0]:
                self._welcome()
            elif ready in descriptors:
                self._listen()
        self._hurries = sum(one.pump.fill() for one in self._pumps) > 0
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()

    def close(self) -> None:
        """Nothing is captured any more."""
        for one in self._open:
            one.close()
        for sock in self._agents:
            sock.close()
        self._listener.close()
        self._usage.close()

    def _welcome(self) -> None:
        """A new decoder: it gets everything, and the one before is gone."""
        sock, _ = self._listener.accept()
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = Channel(sock, FromReader)
        self.alive = time.monotonic()
        opened = [descriptor for one in self._open for descriptor in one.handed_out()]
        agents = [sock.fileno() for sock in self._agents]
        try:
            told = Rings(rings=tuple(one.told for one in self._open), hep=bool(agents))
            self._decoder.send_descriptors(told, [*opened, self._page, *agents])
            self._look()
        except (Closed, OSError):
            self._lose()

    def _listen(self) -> None:
        try:
            for message in self._decoder.receive() if self._decoder is not None else ():
                match message:
                    case Alive():
                        self.alive = time.monotonic()
                    case Attach(place=place, program=program) if 0 <= place < len(self._open):
                        self._open[place].attach(program)
        except Closed:
            self._lose()

    def _lose(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    def _look(self) -> None:
        """Whether interfaces are there, up, and what they received since the start."""
        down = tuple(one.interface for one in self._open if not one.look())
        for one in self._open:
            for rising, count in zip(self._counts[one.interface], one.totals() or (), strict=False):
                rising.take(count)
        if self._decoder is None:
            return
        packets, dropped, missed = (
            {name: rising[kind].total for name, rising in self._counts.items()} for kind in range(3)
        )
        try:
            used = self._usage.now()
            self._decoder.send(Received(packets=packets, down=down, dropped=dropped, missed=missed, used=used))
        except Closed:
            self._lose()


def _program(link: int) -> Iterable[Instruction]:
    """What the kernel lets through until a decoder asks for more."""
    from monitor.decoders import ASKS
    from monitor.sources.filters import Filters

    return Filters(ASKS).program(link) or ()


def _name_of(interface: str, size: int, promiscuous: bool) -> str:
    """How its ring is called while somebody keeps it: another size would be another ring."""
    return name_of("ring", interface, size, BLOCK_BYTES, "promiscuous" if promiscuous else "own")
