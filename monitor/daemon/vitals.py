"""How the daemon is: told by serve's loop, asked by whoever scrapes or looks whether it is ready.

The loop only sets plain values, which are read on the web server's thread; nobody waits for anybody. Names in here are
those of the operator's own interfaces, and no others.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from monitor.daemon.messages import Traffic, Used
from monitor.daemon.totals import Rising
from monitor.daemon.usage import Usage
from monitor.model.evidence import SECOND, Nanoseconds

if TYPE_CHECKING:
    from prometheus_client.core import Metric

STUCK_SECONDS = 15.0
"""Without a step for so long, serve's loop hangs."""
START_SECONDS = 300.0
"""Lists and memory may be large: so long it may take to read them."""
SILENT_SECONDS = 5.0
"""A decoder gives two signs of life a second; without any for so long, nobody decodes."""
MAX_LIVES = 128
"""Decoders whose last words are kept one by one, more than there are at once; those of earlier ones are added up."""
FATES = ("taken", "filtered", "dropped")
_NONE = Traffic(received=0, dropped=0, taken=0, up=False)


class Vitals:
    """The signs of life of one serve."""

    def __init__(self, interfaces: Iterable[str] = (), alive: Callable[[], None] = lambda: None) -> None:
        """`alive` is called at each sign of life, which is often."""
        self._alive = alive
        self._interfaces = tuple(interfaces)
        self._begun = time.time()
        self._deadline = time.monotonic() + START_SECONDS
        self._heard = 0.0
        self._reports = ("", 0)
        self._latest: dict[str, Traffic] = {}
        self._counted: dict[str, tuple[Rising, Rising]] = {}
        """What each interface received and missed, by capture's count, which begins anew with it."""
        self._lives: dict[str, dict[str, Traffic]] = {}
        self._before: dict[str, Traffic] = {}
        """What decoders took and lost that are long gone."""
        self._begun_decoders = self._ended_decoders = 0
        self.traffic = self._traffic_of()
        """What became of the packets of each interface, by all decoders there were."""
        self.used = {"capture": Used(), "decode": Used()}
        """What the other processes have told of themselves last."""
        self.starting = True
        """Whether lists and memory are still being read."""
        self.trouble = ""
        """Why nothing can be written down; empty when all is well."""
        self.packet_time: Nanoseconds = 0
        self.last_packet = 0.0
        """When a packet was last taken from a ring or an agent, by the wall clock."""
        self.queued = 0
        """Events that could not be remembered yet."""
        self.remembered = 0
        """Events in memory."""
        self.reloaded = 0.0
        """When lists were last taken, by the wall clock."""

    def beat(self, seconds: float = STUCK_SECONDS) -> None:
        """The loop goes on, and will do so again within this time."""
        self._deadline = time.monotonic() + seconds
        self._alive()

    def started(self) -> None:
        """Everything was read, and the loop begins."""
        self.starting = False
        self.reloaded = time.time()
        self.beat()

    def welcome(self) -> None:
        """A decoder has come."""
        self._begun_decoders += 1

    def part(self) -> None:
        """A decoder is gone."""
        self._ended_decoders += 1

    @property
    def restarts(self) -> int:
        """Decoders that took over from another. The end of one may be heard of later than the beginning of the next."""
        return max(0, min(self._ended_decoders, self._begun_decoders - 1))

    def hear(self, decoder: str, traffic: Mapping[str, Traffic] | None, reports: int = 0) -> None:
        """A decoder gives a sign of life. It has read so many `reports` of agents."""
        self._heard = time.monotonic()
        if reports and (decoder, reports) != self._reports:
            self._reports = decoder, reports
            self.last_packet = time.time()
        if traffic is not None:
            taken = sum(one.taken for one in self._lives.pop(decoder, {}).values())
            if sum(one.taken for one in traffic.values()) > taken:
                self.last_packet = time.time()
            self._lives[decoder] = self._latest = dict(traffic)
            for name, one in traffic.items():
                received, missed = self._counted.setdefault(name, (Rising(), Rising()))
                received.take(one.received)
                missed.take(one.missed)
            if len(self._lives) > MAX_LIVES:
                self._bury(self._lives.pop(next(iter(self._lives))))
            self.traffic = self._traffic_of()

    def _bury(self, traffic: Mapping[str, Traffic]) -> None:
        for name, one in traffic.items():
            self._before[name] = _sum([self._before.get(name, _NONE), one])

    def _traffic_of(self) -> dict[str, Traffic]:
        """Made whole before anybody sees it: a scrape in the midst of it would see totals go back."""
        lives = list(self._lives.values())
        found = {}
        for name in (*self._interfaces, *(name for name in self._latest if name not in self._interfaces)):
            up = self._latest.get(name, _NONE).up
            received, missed = self._counted.get(name, (Rising(), Rising()))
            whole = _sum([self._before.get(name, _NONE), *(life[name] for life in lives if name in life)])
            found[name] = Traffic(
                received=received.total, dropped=whole.dropped, taken=whole.taken, up=up, missed=missed.total
            )
        return found

    @property
    def is_moving(self) -> bool:
        """Whether serve's loop goes on, or may still be starting."""
        return time.monotonic() < self._deadline

    def reasons(self) -> list[str]:
        """Why it is not ready; nothing when it is."""
        if self.starting:
            return ["It is starting: lists and memory are being read."]
        silence = time.monotonic() - self._heard
        return [
            *([] if self.is_moving else ["The loop that writes the journal hangs."]),
            *(["No decoder has begun yet."] if not self._heard else []),
            *([f"No decoder was heard from for {silence:.0f} s."] if self._heard and silence > SILENT_SECONDS else []),
            *(f"Interface {name} is down." for name, one in self.traffic.items() if self._heard and not one.up),
            *([f"Nothing can be written down ({self.trouble})."] if self.trouble else []),
        ]

    def collect(self) -> "Iterator[Metric]":
        """What a registry asks for at each scrape."""
        from prometheus_client.core import CounterMetricFamily as Counter
        from prometheus_client.core import GaugeMetricFamily as Gauge

        traffic = self.traffic
        up = Gauge("joinwatch_interface_up", "1 while the interface is there and up.", labels=["interface"])
        fates = Counter(
            "joinwatch_interface_packets",
            "What became of each packet that an interface received.",
            labels=["interface", "fate"],
        )
        missed = Counter(
            "joinwatch_interface_missed_packets",
            "Packets that the interface itself lost; it did not count them as received.",
            labels=["interface"],
        )
        for name, one in traffic.items():
            up.add_metric([name], one.up)
            missed.add_metric([name], one.missed)
            for fate, count in zip(FATES, fates_of(one), strict=True):
                fates.add_metric([name, fate], count)
        yield from self._processes()
        yield up
        yield fates
        yield missed
        about = "Decoders that took over from one that died, hung, or had to begin anew."
        yield Counter("joinwatch_decoder_restarts", about, self.restarts)
        seen = self.packet_time / SECOND or self._begun
        gauges: dict[str, tuple[str, float]] = {
            "event_lag_seconds": ("How far packet time is behind the clock.", max(0.0, time.time() - seen)),
            "queue_events": ("Events that could not be remembered yet.", self.queued),
            "memory_events": ("Events remembered.", self.remembered),
            "last_packet_timestamp_seconds": ("When a packet was last taken from an interface.", self.last_packet),
            "journal_writable": ("1 while journal and memory take what is written.", not self.trouble),
            "ready": ("1 when /-/ready says so.", not self.reasons()),
            "config_last_reload_success_timestamp_seconds": ("When lists were last taken.", self.reloaded),
        }
        for name, (about, value) in gauges.items():
            yield Gauge(f"joinwatch_{name}", about, float(value))

    def _processes(self) -> "Iterator[Metric]":
        """What each process uses of the machine; this one is asked at this moment."""
        from prometheus_client.core import CounterMetricFamily as Counter
        from prometheus_client.core import GaugeMetricFamily as Gauge

        memory = Gauge(
            "joinwatch_process_private_memory_bytes",
            "Memory that each process holds for itself alone: rings and libraries, which are shared, not among it.",
            labels=["role"],
        )
        cpu = Counter(
            "joinwatch_process_cpu_seconds",
            "Time of a core that each process took; begins anew with the process.",
            labels=["role"],
        )
        with closing(Usage()) as usage:
            used = {**self.used, "serve": usage.now()}
        for role, one in used.items():
            memory.add_metric([role], one.private_bytes)
            cpu.add_metric([role], one.cpu_seconds)
        yield memory
        yield cpu


def fates_of(traffic: Traffic) -> tuple[int, int, int]:
    """Taken, filtered, dropped: together, what was received."""
    return traffic.taken, max(0, traffic.received - traffic.taken - traffic.dropped), traffic.dropped


def _sum(parts: Iterable[Traffic]) -> Traffic:
    dropped = taken = 0
    for part in parts:
        dropped, taken = dropped + part.dropped, taken + part.taken
    return Traffic(received=0, dropped=dropped, taken=taken)
