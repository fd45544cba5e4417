"""decode: frames out of the rings, signalling events out to serve; no file, no network, hardly a system call.

One loop, no thread. What a block of a ring says goes to serve in one message, and the block goes back to the kernel
once serve has remembered that: whoever dies before, the next decoder reads the block again, and serve knows again what
it had. When too much is not taken, the rings are left to fill: then the kernel drops, and counts what it dropped.
"""

import gc
import importlib
import os
import pkgutil
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from monitor.daemon.channel import MAX_DESCRIPTORS, Channel, Closed, connected
from monitor.daemon.clock import Clock
from monitor.daemon.known import Known, expected_of
from monitor.daemon.messages import (
    Alive,
    Attach,
    FromCapture,
    Lists,
    Moved,
    Received,
    Resume,
    Rings,
    RingTold,
    Said,
    Taken,
    ToDecode,
    Traffic,
)
from monitor.daemon.notify import Notify
from monitor.daemon.obituary import leave_only_a_place
from monitor.daemon.page import Left, Page
from monitor.daemon.privileges import READING, confine, drop_capabilities, leave_no_core
from monitor.daemon.reports import NO_COUNTS, Reports
from monitor.daemon.usage import Usage
from monitor.daemon.wanted import Wanted
from monitor.model.calls import SignallingEvent
from monitor.model.evidence import SECOND, Evidence, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Frame
from monitor.pipeline import Signals
from monitor.sources.live.blocks import Blocks, Instruction
from monitor.sources.live.pump import Pumped

AGAIN = 16
"""Of so many frames, one is looked at for how it is wrapped."""
MAX_UNTAKEN = 10_000
"""Events that serve has not taken: then nothing more is read."""
BEAT: Nanoseconds = SECOND // 2
PULSE: Nanoseconds = SECOND // 40
"""How often packet time is told where no packet comes: whoever waits to be admitted is judged as late at most."""
BEHIND: Nanoseconds = 30 * SECOND // 1000
"""What has come so long ago was read, if nothing waits: a little more than a block of the ring may linger."""
POLL_MILLISECONDS = 25
TIDY: Nanoseconds = 30 * SECOND
"""Between two looks for circles among what is over, taken when there is nothing to read: a call holds its own parts."""


class Block(NamedTuple):
    """One block of a ring that was read and not given back."""

    told: int
    """The message that tells of it, and of all blocks before it."""
    place: int
    """Of its ring, among all."""
    sequence: int
    before: int
    frames: int


class Decode:
    """The loop of one decoder: `prepare`, then `run`."""

    def __init__(self, capture: socket.socket, serve: socket.socket, notify: Notify | None = None) -> None:
        self._notify = notify or Notify()
        self._capture: Channel[FromCapture] = Channel(capture, FromCapture, descriptors=MAX_DESCRIPTORS)
        self._serve: Channel[ToDecode] = Channel(serve, ToDecode)
        self._usage = Usage()
        self._name = f"{os.getpid()}-{time.time_ns():x}"
        self._rings: list[Blocks] = []
        self._told_before: list[int] = []
        """Of each ring, the frames of which serve was told by decoders before this one."""
        self._is_open = False
        """Whether capture has told what there is to read."""
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        """To which capture agents send, where they may."""
        self._reports: Reports | None = None
        self._known = Known()
        self._lists: Lists | None = None
        self._resumed = False
        self._signals: Signals
        self._wanted: Wanted
        self._page: Page
        self._left: Left | None = None
        self._blocks: deque[Block] = deque()
        """Those that were read and not given back, in the order in which they were read."""
        self._untaken: deque[tuple[int, int]] = deque()
        """Messages that serve has not taken: number, events."""
        self._held = 0
        self._number = 0
        self._frames = 0
        self._seen: Nanoseconds = 0
        self._interfaces = Received(packets={})
        self._is_told = False
        """Whether capture has told what the interfaces received: before that there are no accounts."""
        self._traffic: dict[str, Traffic] = {}
        self._beaten: Nanoseconds = 0
        self._told: Nanoseconds = 0
        self._tidied: Nanoseconds = 0
        self._clock = Clock(time.time_ns(), _monotonic())
        self._poll = select.poll()

    def prepare(self) -> None:
        """Wait for the rings and the lists; what comes after needs no privilege at all."""
        while not self._is_open or not self._resumed:
            ready, _, _ = select.select([self._capture.fileno(), self._serve.fileno()], [], [])
            self._listen_to(ready)
        self._poll.register(self._serve, select.POLLIN)
        self._poll.register(self._capture, select.POLLIN)
        for ring in self._rings:
            self._poll.register(ring, select.POLLIN)
        senders = self._lists.policy.site.hep_senders if self._lists else None
        if self._sockets and senders:
            self._reports = Reports(self._sockets, senders, self._page)
            self._poll.register(self._reports, select.POLLIN)
            if oddities := self._reports.inherited(self._clock.now):
                self._say(oddities)
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    @property
    def sending(self) -> tuple[int, ...]:
        """Where it writes to: the other two, and its words to whoever reads the log."""
        return (2, self._capture.fileno(), self._serve.fileno(), *self._notify.descriptors)

    @property
    def accepting(self) -> tuple[int, ...]:
        """Where capture agents connect to."""
        return (self._reports.accepting,) if self._reports else ()

    def run(self) -> None:
        """Until capture or serve is gone."""
        while True:
            self._mind_the_clock()  # also where nothing comes
            busy = False
            if self._held < MAX_UNTAKEN:
                for place, ring in enumerate(self._rings):
                    busy = self._read(place, ring) or busy
                if self._reports is not None:
                    busy = self._hear(self._reports) or busy
            self._give_back()
            self._beat(idle=not busy)
            told = self._poll.poll(0 if busy else POLL_MILLISECONDS)
            for descriptor, event in told:
                if event & select.POLLERR:  # an interface went away: asked for, the error is told no more
                    for ring in self._rings:
                        if ring.fileno() == descriptor:
                            ring.trouble()
            self._listen_to([descriptor for descriptor, _ in told])
            self._serve.flush()

    def _mind_the_clock(self) -> None:
        """What the rings' time stamps need; a jump that is believed in the end is told, and everything begun anew."""
        moved = self._clock.look(time.time_ns(), _monotonic())
        if moved is not None:
            self._serve.send(Moved(by=moved.by, begin=moved.begin, end=moved.end))
            while self._serve.waiting:  # before it is noted: who dies here, or hangs, leaves it to the next decoder
                select.select([], [self._serve.fileno()], [])
                self._serve.flush()
        self._page.clock = self._clock.known
        if moved is not None:
            raise Closed  # a fresh decoder begins in the new time

    def _read(self, place: int, ring: Blocks) -> bool:
        """One block of a ring, if one is ready."""
        sequence, block, before = ring.sequence, ring.block, ring.number
        frames = ring.take()
        if not frames:
            return False
        self._mind_the_clock()  # Behind `take`: no time stamp is younger than the look.
        if self._clock.is_doubted:
            frames = [frame._replace(at=self._clock.right(frame.at)) for frame in frames]
        page, signals, left = self._page, self._signals, self._left
        events: list[SignallingEvent | Oddity] = []
        if left is not None and (left.ring, left.block) == (place, block):
            events += self._inherit(frames[left.place] if left.place < len(frames) else None)
        for index, frame in enumerate(frames):
            page.begin(place, block, index)
            if page.suspicious and page.is_quarantined(frame.data):
                continue
            found = signals.events_of(frame)
            if found:
                events += found
        page.end()
        for frame in frames[::AGAIN]:
            self._wanted.look(frame)
        self._frames += len(frames)
        self._seen = max(self._seen, frames[-1].at)
        if events:
            self._say(events)
        self._blocks.append(Block(self._number, place, sequence, before, len(frames)))
        return True

    def _hear(self, reports: Reports) -> bool:
        """What capture agents have sent, if they have."""
        frames = reports.poll()
        if not frames:
            return False
        self._mind_the_clock()
        events: list[SignallingEvent | Oddity] = []
        for frame in reports.each(frames):
            at = self._clock.right(frame.at)
            events += self._signals.events_of(frame._replace(at=at))
            self._seen = max(self._seen, at)
        self._frames += len(frames)
        if events:
            self._say(events)
        return True

    def _give_back(self) -> None:
        """Blocks of which everything is remembered."""
        waiting = self._untaken[0][0] if self._untaken else self._number + 1
        while self._blocks and self._blocks[0].told < waiting:
            block = self._blocks.popleft()
            self._page.finish(block.place, block.sequence, block.before, block.frames)
            self._rings[block.place].give_back()

    def _inherit(self, frame: Frame | None) -> Sequence[Oddity]:
        """The decoder before died on this frame."""
        self._left = None
        if frame is None:
            return ()
        name = self._page.accuse(frame.data)
        left_alone = self._page.is_quarantined(frame.data)
        return (
            Oddity(
                at=frame.at,
                evidence=Evidence(capture=frame.capture, frame=frame.number),
                protocol="decoder",
                reason=Reason.UNSUPPORTED,
                what=f"a decoder died of a frame of {len(frame.data)} bytes, SHA-256 {name[:16]}"
                + ("; it is left alone from now on" if left_alone else ""),
            ),
        )

    def _say(self, events: Sequence[SignallingEvent | Oddity]) -> None:
        """Hand over all that a block says, in one message: what is remembered of calls is never ahead of events."""
        self._number += 1
        self._held += len(events)
        self._untaken.append((self._number, len(events)))
        names = dict.fromkeys(event.call for event in events if not isinstance(event, Oddity))
        calls = {name: self._signals.decoders.saved(name) for name in names}
        keypads = (self._signals.platforms.saved(name) for name in names)
        self._serve.send(
            Said(
                decoder=self._name,
                number=self._number,
                now=self._seen,
                events=tuple(events),
                calls=tuple(call for call in calls.values() if call is not None),
                keypads=tuple(keypad for keypad in keypads if keypad is not None),
                over=tuple(name for name, call in calls.items() if call is None),
                lossy=self._is_lossy,
            )
        )

    @property
    def _is_lossy(self) -> bool:
        """Whether so much is lost that what was not seen proves nothing: told with every look at the time, too."""
        return self._signals.decoders.losses.are_felt

    def _beat(self, *, idle: bool) -> None:
        """Signs of life to both sides. With nothing left to read, packet time is the time."""
        if idle:
            self._tidy()
            self._seen = max(self._seen, self._clock.now - BEHIND)
        now = _monotonic()
        if now - self._beaten < BEAT:
            if idle and self._seen - self._told >= PULSE:
                self._told = self._seen
                self._serve.send(Said(decoder=self._name, number=0, now=self._seen, lossy=self._is_lossy))
            return
        self._beaten, self._told = now, self._seen
        self._capture.send(Alive(frames=self._frames))
        self._notify.alive()
        signals = self._signals
        counts = {**signals.wire.counts, **signals.decoders.counts, **signals.platforms.counts, **self._wanted.counts}
        counts |= self._reports.counts if self._reports else NO_COUNTS
        for ring in self._rings if self._is_told else ():
            self._count(ring)
        self._serve.send(
            Said(
                decoder=self._name,
                number=0,
                now=self._seen,
                lossy=self._is_lossy,
                counts=counts,
                traffic=dict(self._traffic) if self._is_told else None,
                sizes=signals.sizes,
                used=self._usage.now(),
                capture_used=self._interfaces.used,
            )
        )
        for place, ring in enumerate(self._rings if self._is_told else ()):
            dropped = ring.counted if isinstance(ring, Pumped) else 0
            self._page.tell(place, self._told_before[place] + ring.finished, dropped)

    def _tidy(self) -> None:
        """Python frees circles when many objects were made, which on a calm day takes hours."""
        if _monotonic() - self._tidied >= TIDY:
            self._tidied = _monotonic()
            gc.collect()

    def _count(self, ring: Blocks) -> None:
        before = self._traffic.get(ring.interface, Traffic(received=0, dropped=0, taken=0))
        statistics = ring.statistics()
        self._traffic[ring.interface] = Traffic(
            received=self._interfaces.packets.get(ring.interface, 0),
            dropped=before.dropped + statistics.dropped,
            taken=ring.finished,
            up=ring.interface not in self._interfaces.down,
            missed=self._interfaces.missed.get(ring.interface, 0),
        )

    def _listen_to(self, ready: Sequence[int]) -> None:
        messages: list[FromCapture | ToDecode] = []
        if self._capture.fileno() in ready:
            messages += self._capture.receive()
        if self._serve.fileno() in ready:
            messages += self._serve.receive()
        for message in messages:
            match message:
                case Rings():
                    self._open(message)
                case Received():
                    self._interfaces, self._is_told = message, True
                    for ring in self._rings:
                        if isinstance(ring, Pumped):
                            ring.dropped = message.dropped.get(ring.interface, ring.dropped)
                case Lists():
                    self._learn(message)
                case Resume():
                    self._resume(message)
                case Taken():
                    while self._untaken and self._untaken[0][0] <= message.number:
                        self._held -= self._untaken.popleft()[1]

    def _open(self, rings: Rings) -> None:
        self._is_open = True
        came = self._capture.descriptors
        self._rings += [ring_of(told, came, partial(self._ask, place)) for place, told in enumerate(rings.rings)]
        self._page = Page(came.popleft())
        if rings.hep:
            udp, tcp = (socket.socket(fileno=came.popleft()) for _ in range(2))
            self._sockets = udp, tcp
        self._left = self._page.left
        self._clock = Clock(time.time_ns(), _monotonic(), self._page.clock)
        for place, ring in enumerate(self._rings):
            ring.number = self._page.number(place, ring.sequence)
            told, dropped = self._page.told(place, ring.number)
            ring.finished = ring.number - told
            self._told_before.append(told)
            if isinstance(ring, Pumped):
                ring.counted = dropped

    def _ask(self, place: int, program: Iterable[Instruction]) -> None:
        """Have capture set another filter, where the interface is open there alone."""
        self._capture.send(Attach(place=place, program=tuple(program)))

    def _resume(self, resume: Resume) -> None:
        """Go on where the decoder before has left off."""
        self._resumed = True
        for call in resume.calls:
            self._signals.decoders.resume(call)
        for keypad in resume.keypads:
            self._signals.platforms.resume(keypad)

    def _learn(self, lists: Lists) -> None:
        """The first lists make the stages; later ones change what they know."""
        self._known.learn(lists)
        if self._lists is None:
            self._wanted = Wanted(self._rings)
            self._signals = Signals(self._wanted, expected_of(lists, self._known))
        elif _stages_by(lists) != _stages_by(self._lists):
            raise Closed  # what the stages are made with has changed: a fresh decoder begins with that
        elif (lists.policy, lists.access_numbers) != (self._lists.policy, self._lists.access_numbers):
            self._signals.platforms.renew(lists.policy, lists.access_numbers)
        self._lists = lists


def ring_of(told: RingTold, came: deque[int], ask: Callable[[Iterable[Instruction]], None]) -> Blocks:
    """The ring that capture tells of, from the descriptors that came along."""
    if not told.pumped:
        from monitor.sources.live.ring import Ring  # not above: it is of Linux alone

        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, fileno=came.popleft())
        return Ring(sock, told.interface, told.size, told.block, told.link)
    memory, wake = came.popleft(), socket.socket(fileno=came.popleft())
    return Pumped(memory, wake, told.interface, told.size, told.block, told.link, ask)


def _stages_by(lists: Lists) -> tuple[Limits, tuple[str, ...] | None]:
    """What the stages of a decoder know from the start only."""
    return lists.policy.limits, lists.policy.site.hep_senders


def import_everything() -> None:
    """Whatever the stages import when they need it, and number plans that `phonenumbers` reads then: there will be no
    file to read any more.
    """
    import phonenumbers

    from monitor import decoders, platforms, wire

    for package in (decoders, platforms, wire):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    for name in ("ascii", "cp1252", "idna", "latin_1", "punycode", "unicode_escape", "utf_16", "utf_8"):
        importlib.import_module(f"encodings.{name}")
    phonenumbers.PhoneMetadata.load_all()


UNSET = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's goes on while the machine sleeps; so does macOS's, under the other name."""


def _monotonic() -> Nanoseconds:
    """A clock that nobody sets."""
    return time.clock_gettime_ns(UNSET)


def run(capture: str, serve: str) -> int:
    """The process, from its start to its end: 0 when the others are gone, else it dies as it must."""
    leave_only_a_place("decode")
    leave_no_core()
    drop_capabilities()
    import_everything()
    notify = Notify()
    try:
        decode = Decode(connected(capture), connected(serve), notify)
        decode.prepare()
        confine(READING, sending=decode.sending, accepting=decode.accepting)
        notify.ready()
        decode.run()
    except Closed:
        # At once: Python would ask each socket that it leaves for its name, which is forbidden here, and die of it.
        os._exit(0)
    return 1
