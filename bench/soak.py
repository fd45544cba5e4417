"""`make soak`: the daemon for an hour under mixed load, and whether its memory stays level; writes docs/soak.md.

What comes over the mirror port is what an enterprise sends: TLS, QUIC, DNS, HTTP and media that the filter keeps out,
ordinary calls, people who are invited, and every few seconds somebody who is not, by SIP or by telephone with keys.
Meanwhile it is scraped every 15 s and told to reload every 5 minutes, and in the first half a decoder is killed with
-9 every 10 minutes; in the second half everybody lives on, so that a leak would show. Every intruder must be alerted,
once.

A table that fills looks like a leak until it is full, which by default takes a day. So the daemon begins as one that
has lived for longer than it remembers: its state is made beforehand by the same load, it remembers for an hour, and
holds 256 alerts. Whatever then still grows would grow for ever.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

from bench.soak_load import TICK, Load
from bench.soak_verdict import ROLES, Run, judged, report
from bench.traffic import SECOND
from monitor.daemon.channel import Channel, connected
from monitor.daemon.messages import Said, ToDecode
from monitor.daemon.serve import Serve
from monitor.detections import rule_infos
from monitor.model.asks import Ask
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.settings import RetentionSettings
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Signals, load_expected
from tests.daemon.stage import Daemon, mirror

SAMPLE_SECONDS, SCRAPE_SECONDS, RELOAD_SECONDS, KILL_SECONDS = 10, 15, 300, 600
MEMORY_HOURS = 1
MOST_ALERTS = 256
"""So many come in a quarter of an hour."""
EARLIER = 1_000
"""The intruders of before have other names."""


class Unfiltered:
    """A source that is fed by hand."""

    reports = ()

    def __iter__(self) -> Any:
        return iter(())

    def widen(self, ask: Ask) -> None:
        """Everything comes anyway."""


def live_before(daemon: Daemon, seconds: float) -> int:
    """Its state folder, as if it had seen this load for so long until now; gives the number of lines in its journal."""
    lists = daemon.folder / "lists"
    expected = load_expected([lists / "now.ics"], [lists / "people.csv"], lists / "policy.toml")
    state, meeting_place = daemon.folder / "state", str(daemon.folder / "before.sock")
    state.mkdir(mode=0o700)
    keeping = RetentionSettings(memory_hours=MEMORY_HOURS)
    serve = Serve(meeting_place, state, lambda: expected, Metrics(rules=rule_infos()), keeping=keeping)
    channel: Channel[ToDecode] = Channel(connected(meeting_place), ToDecode)
    signals = Signals(Unfiltered(), expected)
    number = 0
    for count, (at, raw) in enumerate(
        Load(time.time_ns() - int(seconds * SECOND), seconds, first=EARLIER).signalling()
    ):
        events = signals.events_of(Frame(at, "before", count, 1, raw, len(raw)))
        if events:
            number += 1
            channel.send(Said(decoder="before", number=number, now=at, events=tuple(events)))
            serve.step(0.0)
            channel.receive()
            if any(isinstance(event, Oddity) for event in events):
                raise ValueError("there is nothing odd in this load")
    serve.step(0.0)
    serve.close()
    channel.close()
    return len(daemon.journal())


def sample(daemon: Daemon) -> dict[str, Any]:
    """What each process holds, and the files."""
    found: dict[str, Any] = {}
    for role in ROLES:
        pid = daemon.pid if role == "capture" else daemon.pid_of(role)
        with suppress(OSError, ValueError, IndexError):
            status = dict(
                line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            )
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            found[role] = {
                "pid": pid,
                "rss": int(status["VmRSS"].split()[0]),
                "anon": int(status["RssAnon"].split()[0]),
                "pss": int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]),
                "fds": len(list(Path(f"/proc/{pid}/fd").iterdir())),
                "threads": int(status["Threads"]),
                "cpu": (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK"),
            }
    state = daemon.folder / "state"
    found["memory.db"] = sum(path.stat().st_size for path in state.glob("memory.db*"))
    journal = [path.read_bytes() for path in (state / "journal").glob("*.jsonl")]
    found["journal"] = sum(map(len, journal))
    found["lines"] = sum(one.count(b"\n") for one in journal)
    return found


def scraped(daemon: Daemon) -> dict[str, float]:
    """Every series of a scrape."""
    with suppress(OSError):
        text = urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}/metrics", timeout=10).read().decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}
    return {}


class Soak:
    """One run: the load, and what is done to the daemon meanwhile."""

    def __init__(self, daemon: Daemon, seconds: float, log: Path, ended: Event) -> None:
        """`ended`: somebody wants it to end now."""
        self.daemon, self.log, self.ended = daemon, log, ended
        self.run = Run(seconds=seconds)
        self._due = self._plan()

    def _plan(self) -> dict[str, float]:
        short = self.run.seconds / 3600
        return {
            "sample": max(1.0, SAMPLE_SECONDS * min(1.0, short * 6)),
            "scrape": max(1.0, SCRAPE_SECONDS * min(1.0, short * 6)),
            "reload": max(10.0, RELOAD_SECONDS * min(1.0, short)),
            "kill": max(10.0, KILL_SECONDS * min(1.0, short)),
        }

    def send(self, send: Callable[[Sequence[bytes]], None]) -> None:
        """The load, at the pace of the clock."""
        begun, wall, seconds = time.monotonic(), time.time_ns(), self.run.seconds
        load, every, tick = Load(wall, seconds), self._plan(), 0
        while (passed := time.monotonic() - begun) < seconds and not self.ended.is_set():
            frames = list(load.frames(wall + int(passed * SECOND)))
            send(frames)
            self.run.packets += len(frames)
            for what, due in self._due.items():
                if passed >= due:
                    self._due[what] += every[what]
                    getattr(self, f"_{what}")(passed)
            tick += 1
            self.ended.wait(max(0.0, begun + tick * TICK / SECOND - time.monotonic()))
        self.run.calls, self.run.intruders = load.calls, load.intruders

    def _sample(self, passed: float) -> None:
        found = {"at": round(passed, 1), **sample(self.daemon)}
        self.run.samples.append(found)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{passed:.0f} of {self.run.seconds:.0f} s", end=end, file=sys.stderr, flush=True)

    def _scrape(self, passed: float) -> None:
        found = scraped(self.daemon)
        self.run.missed += not found
        if found:
            self.run.scrapes.append({"at": passed, **found})

    def _reload(self, _: float) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.daemon.port}/-/reload", method="POST")
        self.run.reloads += 1
        try:
            urllib.request.urlopen(request, timeout=30).read()
        except OSError:
            self.run.refused += 1

    def _kill(self, passed: float) -> None:
        if passed < self.run.seconds / 2:
            self.daemon.kill("decode")
            self.run.kills += 1


def soak(seconds: float, folder: Path, out: Path) -> int:
    """The whole of it; the exit code. What ends before its time is told, and does not become the page."""
    folder.mkdir(parents=True, exist_ok=True)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with mirror("jws") as port:
        tables: dict[str, Any] = {
            "serve": {"reload": True},
            "capture": {"ring_mebibytes": 64},
            "retention": {"memory_hours": MEMORY_HOURS},
        }
        daemon = Daemon(folder, [port.near], **tables)
        with (folder / "lists" / "policy.toml").open("a", encoding="utf-8") as policy:
            policy.write(f"[limits]\nalerts = {MOST_ALERTS}\n")
        before = live_before(daemon, min(seconds, MEMORY_HOURS * 3600) + 60)
        try:
            daemon.start()
            running = Soak(daemon, seconds, folder / "samples.jsonl", ended)
            running.send(port.send)
            run = running.run
            if not ended.is_set():
                with suppress(BaseException):
                    daemon.wait(lambda: run.intruders <= {who for _, who in daemon.alerts()}, "every alert", 20)
        finally:
            daemon.stop()
    run.journal = daemon.journal()[before:]
    rows, wrong = judged(run)
    if ended.is_set():
        wrong.append(f"it was ended after {run.samples[-1]['at'] if run.samples else 0:.0f} s")
    text = report(run, rows, wrong) if len(run.samples) > 1 else f"not level: {'; '.join(wrong)}"
    if not ended.is_set():
        out.write_text(text, encoding="utf-8")
    print("\n" + text)
    return int(bool(wrong))


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--folder", type=Path, help="where the daemon's files stay; by default they are thrown away")
    parser.add_argument("--out", type=Path, default=Path("docs/soak.md"))
    options = parser.parse_args()
    if options.folder is not None:
        return soak(options.seconds, options.folder, options.out)
    with tempfile.TemporaryDirectory() as folder:
        return soak(options.seconds, Path(folder), options.out)


if __name__ == "__main__":
    sys.exit(main())
