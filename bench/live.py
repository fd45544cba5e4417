"""`make live`: the daemon on a mirror port of its own, under more than it will ever meet; writes docs/live.md.

Media at the highest rate that `tcpreplay` reaches here, SIP alone at several rates, and how long it takes from a packet
to the journal and to a scrape. Every packet is accounted for: what the sender sent, what the interface received, and
what libpcap's offline filter says of the same file must agree with what the daemon tells. Needs root (a veth pair).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from platform import machine, python_version
from statistics import quantiles
from threading import Thread
from typing import NamedTuple

from bench.workloads import make
from monitor.decoders import ASKS
from monitor.sources.filters import Filters
from tests.daemon.stage import Daemon, daemon, intruder_by_sip, lists_of_now, mirror

DATA = Path(__file__).parent / "data"
REPORT = Path(__file__).parents[1] / "docs" / "live.md"
SIP_RATES = (25_000, 50_000, 100_000)
SIP_SECONDS = 10
LARGE_RING, USUAL_RING = 1024, 64
JOINS = 200
ACTUAL = re.compile(r"Actual: (\d+) packets \(.*\) sent in ([\d.]+) seconds")
SERIES = 'joinwatch_alerts_total{rule="uninvited-participant",severity="high"}'
GOAL_MILLISECONDS = 100.0


class Run(NamedTuple):
    """What became of the packets of one replay."""

    seconds: float
    sent: int
    received: int
    wanted: int
    """By libpcap's offline filter."""
    taken: int
    filtered: int
    dropped: int
    caught_up: float
    """Seconds from the last packet until everything was read."""

    @property
    def rate(self) -> float:
        """Packets a second."""
        return self.sent / self.seconds

    @property
    def difference(self) -> int:
        """Packets that nobody accounts for."""
        return abs(self.sent - self.received) + abs(self.wanted - self.taken - self.dropped)


def wanted_in(capture: Path) -> tuple[int, int]:
    """Packets of a file, and those that the filter lets through, by libpcap offline."""
    import cypcap

    with cypcap.open_offline(str(capture)) as reader:
        packets = sum(1 for _ in reader)
    with cypcap.open_offline(str(capture)) as reader:
        reader.setfilter(Filters(ASKS).program(1))
        return packets, sum(1 for _ in reader)


def fates(running: Daemon, interface: str) -> dict[str, int]:
    """What the daemon tells of the packets of an interface."""
    series = 'joinwatch_interface_packets_total{{fate="{}",interface="{}"}}'
    other = 'joinwatch_interface_packets_total{{interface="{1}",fate="{0}"}}'
    found = {}
    for fate in ("taken", "filtered", "dropped"):
        value = running.metric(series.format(fate, interface))
        found[fate] = int(running.metric(other.format(fate, interface)) or 0 if value is None else value)
    return found


def received_by(interface: str) -> int:
    """By the interface's own count."""
    return int(Path(f"/sys/class/net/{interface}/statistics/rx_packets").read_text(encoding="ascii"))


def replay(
    capture: Path, wanted: int, packets: int, *speed: str, ring: int, seconds: float, backend: str = "ring"
) -> Run:
    """The file, again and again for so long, at that speed."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        port = stack.enter_context(mirror("jwl"))
        running = stack.enter_context(
            daemon(Path(folder), [port.near], capture={"ring_mebibytes": ring, "backend": backend})
        )
        before = received_by(port.near)
        command = [
            "tcpreplay",
            "--quiet",
            "--preload-pcap",
            f"--duration={seconds:.0f}",
            "--loop=0",
            *speed,
            "-i",
            port.far,
        ]
        told = subprocess.run([*command, str(capture)], capture_output=True, text=True, check=True).stdout
        ended = time.monotonic()
        said = ACTUAL.search(told)
        if said is None:
            raise SystemExit(f"tcpreplay said nothing of use: {told}")
        sent, lasted = int(said[1]), float(said[2])
        loops, rest = divmod(sent, packets)
        whole = wanted * loops + (wanted_among(capture, rest) if rest else 0)
        received = received_by(port.near) - before
        found, stable = fates(running, port.near), time.monotonic()
        while time.monotonic() - stable < 2.5:
            time.sleep(0.25)
            now = fates(running, port.near)
            if now != found:
                found, stable = now, time.monotonic()
    return Run(lasted, sent, received, whole, **found, caught_up=max(0.0, stable - ended))


def wanted_among(capture: Path, packets: int) -> int:
    """How many of the first packets of a file the filter lets through."""
    import cypcap

    filters = Filters(ASKS)
    program = filters.program(1)
    with cypcap.open_offline(str(capture)) as reader:
        found = 0
        for place, (header, data) in enumerate(reader):
            if place >= packets:
                break
            found += filters.wants(program, data, header.len)
        return found


def delays(count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the answer that lets somebody in to the alert: in the journal, and in a scrape."""
    sent: list[float] = []
    journal: list[float] = []
    scraped: list[float] = []
    with tempfile.TemporaryDirectory() as name, mirror("jwd") as port:
        folder = Path(name)
        with daemon(folder, [port.near], lists=lists_of_now(folder / "lists")) as running:
            file = max((folder / "state" / "journal").glob("*.jsonl"))
            calls = [[f for _, f in intruder_by_sip(f"delay {n}", f"mallory{n}")] for n in range(count)]
            watchers = [
                Thread(target=_watch, args=(lambda: _alerts_in(file), count, journal)),
                Thread(target=_watch, args=(lambda: int(running.metric(SERIES) or 0), count, scraped)),
            ]
            for watcher in watchers:
                watcher.start()
            for frames in calls:
                port.send(frames)
                sent.append(time.monotonic())
                time.sleep(0.05)
            for watcher in watchers:
                watcher.join()
    return _since(sent, journal), _since(sent, scraped)


def _since(sent: list[float], seen: list[float]) -> list[float]:
    return [1000 * (at - begun) for at, begun in zip(seen, sent, strict=False)]


def _watch(count_of: Callable[[], int], count: int, times: list[float]) -> None:
    """Notes when each alert is there; they come in the order of the joins."""
    end = time.monotonic() + 60
    while len(times) < count and time.monotonic() < end:
        there = count_of()
        times += [time.monotonic()] * (there - len(times))
        time.sleep(0.001)


def _alerts_in(file: Path) -> int:
    return file.read_bytes().count(b'"rule":"uninvited-participant"')


def row(what: str, run: Run, ring: int) -> str:
    """One line of the table."""
    return (
        f"| {what} | {ring} MiB | {run.rate:,.0f}/s | {run.sent:,} | {run.received:,} | {run.filtered:,} "
        f"| {run.taken:,} | {run.dropped:,} | {run.wanted:,} | {run.difference} | {run.caught_up:.1f} s |"
    )


def share(times: list[float], percent: int) -> float:
    """So many in a hundred took no longer."""
    return quantiles(times, n=100, method="inclusive")[percent - 1]


HEAD = (
    "| offered | ring | reached | sent | received | filtered | decoded | dropped | wanted | difference | behind |"
    "\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def report(media: list[tuple[str, Run, int]], journal: list[float], scraped: list[float]) -> str:
    """The page."""
    lines = [
        "# Live, measured",
        "",
        "Made by `make live`; do not edit. `tcpreplay` sends into one end of a veth pair, the daemon watches the",
        "other, both on the same cores: what is reached is what this machine can send while it also receives, and no",
        "limit of the daemon alone. *received* is the interface's own count; *wanted* is what libpcap's filter lets",
        "through of the same packets in the file. *difference*: packets that were sent and not received, and those",
        "that were wanted and neither decoded nor counted as dropped. *behind*: how long after the last packet",
        "everything was read.",
        "",
        HEAD,
        *(row(*one) for one in media),
        "",
        "| from the last packet of a join to its alert | p50 | p99 | most | goal (p99) |",
        "|---|---|---|---|---|",
        *(
            f"| {where} ({len(times)} joins) | {share(times, 50):.0f} ms | {share(times, 99):.0f} ms "
            f"| {max(times):.0f} ms | {GOAL_MILLISECONDS:.0f} ms |"
            for where, times in (("in the journal", journal), ("in a scrape of `/metrics`", scraped))
            if len(times) > 1
        ),
        "",
        "A block of the ring that is not full waits 20 ms; the rest is decoding, memory, judgement and the journal's",
        "way to the disk, and waiting for a core: see the load.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores with a load of {os.getloadavg()[1]:.1f}, {machine()}, "
        f"Python {python_version()}.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measures and writes the page. Exit code 1 when packets are unaccounted for, or media made wanted ones be lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seconds", type=float, default=SIP_SECONDS)
    parser.add_argument("--joins", type=int, default=JOINS)
    options = parser.parse_args(arguments)
    captures = {}
    for name in ("trunk", "signalling"):
        found = options.data / name / f"{name}.pcap"
        if not found.exists():
            make(name, found.parent)
        captures[name] = (found, *wanted_in(found))
    rows: list[tuple[str, Run, int]] = []
    trunk, packets, wanted = captures["trunk"]
    run = replay(trunk, wanted, packets, "--topspeed", ring=USUAL_RING, seconds=options.seconds)
    rows.append(("a trunk, 99 % media, at top speed", run, USUAL_RING))
    run = replay(trunk, wanted, packets, "--topspeed", ring=USUAL_RING, seconds=options.seconds, backend="libpcap")
    rows.append(("the same, by libpcap", run, USUAL_RING))
    sip, packets, wanted = captures["signalling"]
    speed = (f"--pps={SIP_RATES[0]}", "--pps-multi=20")
    run = replay(sip, wanted, packets, *speed, ring=USUAL_RING, seconds=options.seconds, backend="libpcap")
    rows.append((f"SIP alone, {SIP_RATES[0]:,}/s for {options.seconds:.0f} s, by libpcap", run, USUAL_RING))
    for rate in SIP_RATES:
        for ring in (USUAL_RING, LARGE_RING):
            run = replay(sip, wanted, packets, f"--pps={rate}", "--pps-multi=20", ring=ring, seconds=options.seconds)
            rows.append((f"SIP alone, {rate:,}/s for {options.seconds:.0f} s", run, ring))
            print(row(*rows[-1]), file=sys.stderr)
            if not run.dropped:
                break
    journal, scraped = delays(options.joins)
    text = report(rows, journal, scraped)
    REPORT.write_text(text, encoding="utf-8")
    print(text)
    return int(any(run.difference for _, run, _ in rows) or bool(rows[0][1].dropped))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
