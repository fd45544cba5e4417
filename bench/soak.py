"""`make soak`: the daemon for an hour under mixed load, and whether its memory stays level; writes docs/soak.md.

What comes over the mirror port is what an enterprise sends: TLS, QUIC, DNS, HTTP and media that the filter keeps out,
ordinary calls, people who are invited, and every few seconds somebody who is not, by SIP or by telephone with keys.
Meanwhile it is scraped every 15 s and told to reload every 5 minutes, and in the first half a decoder is killed with
-9 every 10 minutes; in the second half everybody lives on, so that a leak would show. Every intruder must be alerted,
once.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from bench.traffic import SECOND, TRUNK, Call, Direction, Ends, Timed, pressed
from bench.workloads import _noise
from pcaps.stories.town import ACCESS, BRIDGE, NUMBERS, SITE
from tests.daemon.stage import NUMBER, Daemon, mirror

PBX = "192.0.2.40"
TICK = SECOND // 20
NOISE, MEDIA = 30, 10
"""Frames in each tick that no decoder wants: 600 and 200 in a second."""
CALLS = 4
"""Ordinary calls in a second; seven messages each."""
INVITED_SECONDS, INTRUDER_SECONDS = 15, 6
SAMPLE_SECONDS, SCRAPE_SECONDS, RELOAD_SECONDS, KILL_SECONDS = 10, 15, 300, 600
ROLES = ("capture", "decode", "serve")
LEVEL_KIBIBYTES = 1024
"""In an hour, of one process: less is level."""
LEAST_KIBIBYTES = 512
"""In half a run, however short: a few pages are no slope."""
KIBIBYTES_PER_EVENT = 1.0
"""What serve may keep besides for each event that it must remember for 26 hours."""


class Load:
    """Frames of now, for ever: each call is a new one."""

    def __init__(self, begun: int, seconds: float) -> None:
        self.packets = self.calls = 0
        self.intruders: set[str] = set()
        """Their subjects."""
        self._begun, self._end = begun, begun + int(seconds * SECOND)
        self._random = Random("soak")
        self._noise = [frame for _, frame in _noise(20_000, 10)]
        ends = Ends(TRUNK, PBX, 16_384, 16_386)
        self._media = [Direction(ends, 8, self._random) for _ in range(4)]
        self._waiting: list[Timed] = []
        self._made: Iterator[tuple[int, Sequence[Timed]]] = self._calls()
        self._next = next(self._made)

    def frames(self, now: int) -> Iterator[bytes]:
        """Everything that was due until now: one tick."""
        for _ in range(NOISE):
            yield self._noise[self._random.randrange(len(self._noise))]
        for n in range(MEDIA):
            yield self._media[n % len(self._media)].packet()
        while self._next[0] <= now:
            for frame in self._next[1]:
                heappush(self._waiting, frame)
            self._next = next(self._made, (self._end + 10**18, ()))
        while self._waiting and self._waiting[0][0] <= now:
            yield heappop(self._waiting)[1]

    def _calls(self) -> Iterator[tuple[int, Sequence[Timed]]]:
        """When each call begins, and its frames. The last minute has none that begin, so that all come to their end."""
        plans: list[tuple[int, int, int]] = [
            (self._begun, SECOND // CALLS, 0),
            (self._begun + SECOND, INVITED_SECONDS * SECOND, 1),
            (self._begun + 3 * SECOND, INTRUDER_SECONDS * SECOND, 2),
        ]
        heapify(plans)
        people, made = [NUMBERS[who] for who in ("anna", "bram", "carla")], Counter[int]()
        last = self._end - min(60 * SECOND, (self._end - self._begun) // 2)
        while plans[0][0] < last:
            at, step, kind = heappop(plans)
            heappush(plans, (at + step, step, kind))
            n, self.calls = made[kind], self.calls + 1
            made[kind] += 1
            if kind == 0:
                caller, target = f"+3120555{5000 + n % 2000}", f"sip:+3120555{7000 + n % 2000}@{PBX};user=phone"
                yield at, list(self._call(at, caller, target, PBX, 20).datagrams())
            elif kind == 1:
                yield at, list(self._call(at, people[n % 3], f"sip:{NUMBER}@{SITE}", BRIDGE.ip, 20).datagrams())
            else:
                yield at, self._intruder(at, n)

    def _intruder(self, at: int, n: int) -> list[Timed]:
        """Half of them by SIP, the others dial in and enter the number and `#`."""
        if n % 2 == 0:
            caller = f"sip:visitor{n}@elsewhere.example"
            self.intruders.add(caller)
            return list(self._call(at, caller, f"sip:{NUMBER}@{SITE}", BRIDGE.ip, 25).datagrams())
        caller = f"+4930231{25_000 + n // 2 % 1000}"
        self.intruders.add(f"tel:{caller}")
        call = self._call(at, caller, f"sip:{ACCESS}@{BRIDGE.ip};user=phone", BRIDGE.ip, 25)
        port = call.media_port
        ends = Ends(TRUNK, BRIDGE.ip, port, port + 2)
        return [*call.datagrams(), *pressed(call, f"{NUMBER}##", n, ends)]

    def _call(self, at: int, caller: str, target: str, callee: str, seconds: int) -> Call:
        n = at // 1000 % 2**31 * 8 + self.calls % 8
        port = 20_000 + 8 * (self.calls % 4000)
        lasts = seconds * SECOND
        return Call(n=n, at=at, caller=caller, target=target, callee=callee, lasts=lasts, media_port=port)


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
    found["journal"] = sum(path.stat().st_size for path in (state / "journal").glob("*"))
    return found


def scraped(daemon: Daemon) -> dict[str, float]:
    """Every series of a scrape."""
    with suppress(OSError):
        text = urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}/metrics", timeout=10).read().decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}
    return {}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs (Theil and Sen): no single jump makes it."""
    thin = points[:: max(1, len(points) // 200)]
    slopes = [(y2 - y1) / (x2 - x1) for n, (x1, y1) in enumerate(thin) for x2, y2 in thin[n + 1 :] if x2 > x1]
    return median(slopes) if slopes else 0.0


class Soak:
    """One run, from its start to its verdict."""

    def __init__(self, daemon: Daemon, seconds: float, log: Path) -> None:
        self.daemon, self.seconds, self.log = daemon, seconds, log
        self.samples: list[dict[str, Any]] = []
        self.scrapes: list[dict[str, float]] = []
        self.missed = self.reloads = self.refused = self.kills = 0
        self._due = {name: every for name, every in self._plan().items() if every}

    def _plan(self) -> dict[str, float]:
        short = self.seconds / 3600
        return {
            "sample": max(1.0, SAMPLE_SECONDS * min(1.0, short * 6)),
            "scrape": max(1.0, SCRAPE_SECONDS * min(1.0, short * 6)),
            "reload": max(10.0, RELOAD_SECONDS * min(1.0, short)),
            "kill": max(10.0, KILL_SECONDS * min(1.0, short)),
        }

    def run(self, send: Any) -> Load:
        """The load, at the pace of the clock."""
        begun, wall = time.monotonic(), time.time_ns()
        load = Load(wall, self.seconds)
        every = self._plan()
        tick = 0
        while (passed := time.monotonic() - begun) < self.seconds:
            frames = list(load.frames(wall + int(passed * SECOND)))
            send(frames)
            load.packets += len(frames)
            for what, due in self._due.items():
                if passed >= due:
                    self._due[what] += every[what]
                    getattr(self, f"_{what}")(passed)
            tick += 1
            time.sleep(max(0.0, begun + tick * TICK / SECOND - time.monotonic()))
        return load

    def _sample(self, passed: float) -> None:
        found = {"at": round(passed, 1), **sample(self.daemon)}
        self.samples.append(found)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        print(f"\r{passed:.0f} of {self.seconds:.0f} s", end="", file=sys.stderr, flush=True)

    def _scrape(self, passed: float) -> None:
        found = scraped(self.daemon)
        self.missed += not found
        if found:
            self.scrapes.append({"at": passed, **found})

    def _reload(self, _: float) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.daemon.port}/-/reload", method="POST")
        self.reloads += 1
        try:
            urllib.request.urlopen(request, timeout=30).read()
        except OSError:
            self.refused += 1

    def _kill(self, passed: float) -> None:
        if passed < self.seconds / 2:
            self.daemon.kill("decode")
            self.kills += 1


def judged(soak: Soak, load: Load, events: int) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each process, and everything that is wrong."""
    half = [one for one in soak.samples if one["at"] >= soak.seconds / 2]
    hours = (half[-1]["at"] - half[0]["at"]) / 3600 if len(half) > 1 else 1.0
    rows, wrong = [], []
    for role in ROLES:
        of = [(one["at"], one[role]) for one in half if role in one]
        whole = [one[role] for one in soak.samples if role in one]
        grows = slope([(at / 3600, one["anon"]) for at, one in of])
        allowed = max(LEVEL_KIBIBYTES, LEAST_KIBIBYTES / hours) + (
            KIBIBYTES_PER_EVENT * events / hours if role == "serve" else 0
        )
        fds, threads = slope([(at / 3600, one["fds"]) for at, one in of]), {one["threads"] for _, one in of}
        cpu = (of[-1][1]["cpu"] - of[0][1]["cpu"]) / (of[-1][0] - of[0][0]) if len(of) > 1 else 0.0
        rows.append(
            {
                "process": role,
                "rss": (of[0][1]["rss"], of[-1][1]["rss"], max(one["rss"] for one in whole)),
                "pss": of[-1][1]["pss"],
                "slope": grows,
                "allowed": allowed,
                "fds": sorted({one["fds"] for _, one in of}),
                "threads": sorted(threads),
                "cpu": cpu,
            }
        )
        if grows > allowed:
            wrong.append(f"{role} grows by {grows:.0f} KiB/h")
        if abs(fds) > 0.5:
            wrong.append(f"{role}'s open files grow")
        if len({one["pid"] for _, one in of}) > 1:
            wrong.append(f"{role} was not one process in the second half")
    journal = soak.daemon.journal()
    said = Counter(
        (line["subject"], line["count"])
        for line in journal
        if line["type"] == "alert" and line["rule"] == "uninvited-participant"
    )
    subjects = {subject for subject, _ in said}
    for text, who in {
        "not alerted": load.intruders - subjects,
        "alerted though invited": subjects - load.intruders,
        "alerted twice": {subject for (subject, _), count in said.items() if count > 1},
    }.items():
        if who:
            wrong.append(f"{len(who)} {text}: {', '.join(sorted(who)[:3])}")
    for text, count in {"scrapes missed": soak.missed, "reloads refused": soak.refused}.items():
        if count:
            wrong.append(f"{count} {text}")
    if soak.scrapes and (dropped := _total(soak.scrapes[-1], 'fate="dropped"')):
        wrong.append(f"{dropped:.0f} packets dropped")
    return rows, wrong


def _total(scrape: dict[str, float], words: str) -> float:
    return sum(
        value for name, value in scrape.items() if name.startswith("joinwatch_interface_packets") and words in name
    )


def report(soak: Soak, load: Load, rows: list[dict[str, Any]], wrong: list[str], events: int) -> str:
    """docs/soak.md."""
    last = soak.scrapes[-1] if soak.scrapes else {}
    first, end = soak.samples[0], soak.samples[-1]
    alerts = Counter(line["rule"] for line in soak.daemon.journal() if line["type"] == "alert")
    lags = sorted(one.get("joinwatch_event_lag_seconds", 0.0) for one in soak.scrapes)
    table = [
        "| process | RSS, middle → end (most) | PSS at end | anonymous memory grows by | level is | open files "
        "| threads | of one core |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['process']} | {row['rss'][0] / 1024:.1f} → {row['rss'][1] / 1024:.1f} ({row['rss'][2] / 1024:.1f})"
            f" MiB | {row['pss'] / 1024:.1f} MiB | {row['slope']:.0f} KiB/h | below {row['allowed']:.0f} KiB/h"
            f" | {_range(row['fds'])} | {_range(row['threads'])} | {row['cpu']:.1%} |"
            for row in rows
        ),
    ]
    fates = {fate: _total(last, f'fate="{fate}"') for fate in ("taken", "filtered", "dropped")}
    every = [
        "| time | capture | decode | serve | memory.db | journal |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one['at'] / 60:.0f} min | "
            + " | ".join(f"{one[role]['rss'] / 1024:.1f} MiB" if role in one else "–" for role in ROLES)
            + f" | {one['memory.db'] / 2**20:.1f} MiB | {one['journal'] / 2**20:.2f} MiB |"
            for one in soak.samples[:: max(1, len(soak.samples) // 12)]
        ),
    ]
    return "\n".join(
        [
            "# An hour of mixed load" if soak.seconds >= 3600 else f"# {soak.seconds:.0f} seconds of mixed load",
            "",
            "Written by `make soak`; `bench/soak.py` says what the load is and why. The verdict: "
            + ("**level**." if not wrong else "**not level**: " + "; ".join(wrong) + "."),
            "",
            f"{load.packets:,} packets in {soak.seconds:.0f} s ({load.packets / soak.seconds:.0f}/s), among them "
            f"{load.calls:,} calls; {len(load.intruders)} intruders, each alerted once as uninvited unless said "
            f"otherwise above; all alerts: {', '.join(f'{count} {rule}' for rule, count in sorted(alerts.items()))}. "
            f"{soak.kills} × kill -9 of the decoder in the first half, {soak.reloads} reloads, "
            f"{len(soak.scrapes)} scrapes. Of what the interface received the kernel's filter kept out "
            f"{fates['filtered']:,.0f}, decoders took {fates['taken']:,.0f}, and {fates['dropped']:,.0f} were dropped. "
            f"Packet time behind the clock at a scrape: median {median(lags) if lags else 0:.2f} s, "
            f"most {lags[-1] if lags else 0:.2f} s.",
            "",
            "*Level* means: over the second half, in which nobody is killed, the median of all slopes between two "
            "samples (Theil–Sen) of a process's anonymous memory is below 1 MiB an hour, and no open file is added. "
            f"serve may besides keep {KIBIBYTES_PER_EVENT:.0f} KiB for each event, for it knows for 26 hours who was "
            f"in which meeting and what was said; {events:,} events came in the second half. Below that age nothing "
            "can be forgotten, so its growth in the first day is no leak, and it ends with the day.",
            "",
            *table,
            "",
            "RSS of capture and decode has the ring of 64 MiB in it, which both see; ring and program are shared, "
            "and PSS counts them once.",
            "",
            f"memory.db went from {first['memory.db'] / 2**20:.1f} to {end['memory.db'] / 2**20:.1f} MiB, the journal "
            f"from {first['journal'] / 2**20:.2f} to {end['journal'] / 2**20:.2f} MiB.",
            "",
            *every,
            "",
        ]
    )


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]}–{values[-1]}"


def run(seconds: float, folder: Path, out: Path) -> int:
    """The whole of it; the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    with mirror("jws") as port:
        daemon = Daemon(folder, [port.near], serve={"reload": True}, capture={"ring_mebibytes": 64}).start()
        try:
            soak = Soak(daemon, seconds, folder / "samples.jsonl")
            load = soak.run(port.send)
            with suppress(BaseException):
                daemon.wait(lambda: len({who for _, who in daemon.alerts()}) >= len(load.intruders), "every alert", 20)
        finally:
            daemon.stop()
    middle = [one for one in soak.scrapes if one["at"] >= seconds / 2]
    held = [one.get("joinwatch_memory_events", 0.0) for one in middle] or [0.0]
    rows, wrong = judged(soak, load, int(held[-1] - held[0]))
    text = report(soak, load, rows, wrong, int(held[-1] - held[0]))
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemon and its interfaces go, too
    if options.folder is not None:
        return run(options.seconds, options.folder, options.out)
    with tempfile.TemporaryDirectory() as folder:
        return run(options.seconds, Path(folder), options.out)


if __name__ == "__main__":
    sys.exit(main())
