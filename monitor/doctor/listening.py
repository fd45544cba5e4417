"""Frames for the samples: of capture files, and of interfaces for some seconds. Nothing is ever sent."""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from monitor.doctor.contents import Content
from monitor.doctor.hearing import Ear, Hearing
from monitor.doctor.samples import Sample
from monitor.model.asks import Ask
from monitor.model.evidence import Nanoseconds
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.pipeline import Expected, captures_of
from monitor.sources.live.ring import Ring

MOST_FRAMES = 200_000
"""Of each capture, for the unfiltered sample; the filtered reading goes to the end."""
EVERYTHING = ((0x06, 0, 0, 0x40000),)
"""A filter that lets all pass: `ret #262144`."""
SAMPLE_RING, EAR_RING = 8 * 1024 * 1024, 16 * 1024 * 1024
SLICE = 256
"""Frames of a block that go into the sample: what a busy interface brings beyond is not looked at."""
POLL_MILLISECONDS = 50
LONGER = 6
"""Times so long is listened while traffic comes and nobody signals: machines ask each other once a minute at least."""
ELSEWHERE_SECONDS = 2.0
MOST_ELSEWHERE = 8

Tick = Callable[[float, int, int], None]
"""Seconds so far, frames, and messages of SIP: for somebody who waits."""


def sample_of(paths: Sequence[str]) -> Sample:
    """The first frames of each capture."""
    sample = Sample()
    for path in _files(paths):
        for frame in _unfiltered(path):
            sample.add(frame)
    return sample


def hear_captures(
    paths: Sequence[str], expected: Expected, tick: Callable[[], None]
) -> tuple[Hearing, tuple[CaptureReport, ...]]:
    """Each capture to its end, as a replay reads it."""
    source = captures_of(list(paths))
    ear = Ear(source, expected)
    for count, frame in enumerate(source):
        if not count & 0x3FF:
            tick()
        ear.events_of(frame)
    return ear.finished(), tuple(source.reports)


def _files(paths: Sequence[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else (path,)


def _unfiltered(path: Path) -> Iterator[Frame]:
    from itertools import islice

    from monitor.sources.compression import unpacked
    from monitor.sources.pcap import MAGICS, Pcap
    from monitor.sources.pcapng import Pcapng
    from monitor.sources.savefile import CHUNK_BYTES

    with path.open("rb", buffering=0) as file:
        stream = unpacked(file)
        head = b""
        while len(head) < 4 and (more := stream.read(CHUNK_BYTES)):
            head += more
        if head[:4] in MAGICS:
            yield from islice(Pcap(path.name, stream, head).frames(lambda *_: True), MOST_FRAMES)
        elif head[:4] == b"\x0a\x0d\x0d\x0a":
            yield from islice(Pcapng(path.name, stream, head).frames(lambda *_: True), MOST_FRAMES)


class Wanted:
    """What the packet filter of the interfaces lets through: as the daemon's."""

    def __init__(self) -> None:
        from monitor.decoders import ASKS
        from monitor.sources.filters import Filters

        self._filters = Filters(ASKS)
        self.rings: list[Ring] = []

    @property
    def reports(self) -> Sequence[CaptureReport]:
        """An interface has no end to report at."""
        return ()

    def __iter__(self) -> Iterator[Frame]:
        return iter(())

    def program(self, link: int) -> Sequence[tuple[int, int, int, int]]:
        """The filter for frames of that link type."""
        return list(self._filters.program(link) or EVERYTHING)

    def widen(self, ask: Ask) -> None:
        """Let this through as well."""
        self._filters.widen(ask)
        for ring in self.rings:
            ring.attach(self.program(ring.link))


class Listening:
    """What came while interfaces were listened to."""

    def __init__(self) -> None:
        self.sample = Sample()
        self.hearing = Hearing()
        self.seconds = 0.0
        self.dropped = 0
        self.lag: Nanoseconds | None = None


def listen(
    interfaces: Sequence[str], seconds: float, expected: Expected, tick: Tick, *, promiscuous: bool = True
) -> Listening:
    """Some seconds of these interfaces: a sample of all frames, and all that the filter wants. Raises `RingError`."""
    heard, wanted = Listening(), Wanted()
    ear = Ear(wanted, expected)
    with ExitStack() as opened:

        def ring(name: str, size: int, program: Callable[[int], Sequence[tuple[int, int, int, int]]]) -> Ring:
            return opened.enter_context(closing(Ring.opened(name, program, size=size, promiscuous=promiscuous)))

        samples = [ring(name, SAMPLE_RING, lambda _: EVERYTHING) for name in interfaces]
        wanted.rings = [ring(name, EAR_RING, wanted.program) for name in interfaces]

        def take() -> None:
            for one in samples:
                _sample(one, heard)
            for one in wanted.rings:
                for frame in (frames := one.take()):
                    ear.events_of(frame)
                if frames:
                    one.give_back()

        def goes_on(so_far: float) -> bool:
            tick(so_far, heard.sample.frames, _sip(ear))
            heard.seconds = so_far
            silent = heard.sample.frames and not _sip(ear) and not heard.sample.contents[Content.SIP_TLS]
            return so_far < (LONGER * seconds if silent else seconds)

        _while(goes_on, [*samples, *wanted.rings], take)
        heard.dropped = sum(one.statistics().dropped for one in wanted.rings)
    heard.hearing = ear.finished()
    return heard


def sample_elsewhere(interfaces: Sequence[str], seconds: float) -> dict[str, Sample]:
    """Short samples of other interfaces; those that cannot be opened are passed over."""
    from monitor.sources.live.blocks import RingError

    found: dict[str, Listening] = {}
    with ExitStack() as opened:
        rings = []
        for name in interfaces[:MOST_ELSEWHERE]:
            try:
                rings.append(opened.enter_context(closing(Ring.opened(name, lambda _: EVERYTHING, size=SAMPLE_RING))))
            except RingError:
                continue
            found[name] = Listening()

        def take() -> None:
            for ring in rings:
                _sample(ring, found[ring.interface])

        _while(lambda so_far: so_far < min(seconds, ELSEWHERE_SECONDS), rings, take)
    return {name: heard.sample for name, heard in found.items()}


def _while(goes_on: Callable[[float], bool], rings: Sequence[Ring], take: Callable[[], None]) -> None:
    """Take what comes, until it does not go on any more; it is told the seconds so far."""
    poll = select.poll()
    for ring in rings:
        poll.register(ring, select.POLLIN)
    begun = time.monotonic()
    while goes_on(time.monotonic() - begun):
        if any(happened & ~select.POLLIN for _, happened in poll.poll(POLL_MILLISECONDS)):
            time.sleep(POLL_MILLISECONDS / 1000)  # an interface that is down has an error to tell, for ever
        take()
    take()


def _sample(ring: Ring, heard: Listening) -> None:
    frames = ring.take()
    if not frames:
        return
    for frame in frames[:SLICE]:
        heard.sample.add(frame)
    lag = time.time_ns() - frames[-1].at
    heard.lag = lag if heard.lag is None or abs(lag) < abs(heard.lag) else heard.lag
    ring.give_back()


def _sip(ear: Ear) -> int:
    return ear.hearing.requests + ear.hearing.responses
