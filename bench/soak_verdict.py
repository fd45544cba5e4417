"""What a run of `bench/soak.py` has shown: whether memory was level, whether every alert came once, and the page."""

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from monitor import __version__

ROLES = ("capture", "decode", "serve")
LEVEL_KIBIBYTES = 1024
"""In an hour, of one process: less is level."""
LEAST_KIBIBYTES = 512
"""In half a run, however short: a few pages are no slope."""
LINE_KIBIBYTES = 0.25
"""What serve may keep of each line that it writes: that it was said, for 27 to 54 hours, and that it was counted."""
FILE_KIBIBYTES = 1024
"""By which memory.db may grow in half a run: it remembers for an hour, and that was full when the run began."""
BARS = "▁▂▃▄▅▆▇█"
BROADEST = 60


@dataclass(kw_only=True)
class Run:
    """What was done, and what was measured."""

    seconds: float
    samples: list[dict[str, Any]] = field(default_factory=list)
    scrapes: list[dict[str, float]] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    intruders: set[str] = field(default_factory=set)
    """Each must be alerted, once."""
    packets: int = 0
    calls: int = 0
    missed: int = 0
    reloads: int = 0
    refused: int = 0
    kills: int = 0

    @property
    def second_half(self) -> list[dict[str, Any]]:
        """The samples in which nobody is killed any more."""
        return [one for one in self.samples if one["at"] >= self.seconds / 2]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs (Theil and Sen): no single jump makes it."""
    thin = points[:: max(1, len(points) // 200)]
    slopes = [(y2 - y1) / (x2 - x1) for n, (x1, y1) in enumerate(thin) for x2, y2 in thin[n + 1 :] if x2 > x1]
    return median(slopes) if slopes else 0.0


def judged(run: Run) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each process, and everything that is wrong."""
    half = run.second_half
    if len(half) < 2:
        return [], ["nothing was measured in the second half"]
    rows = [row for role in ROLES if (row := _row(run, half, role))]
    wrong = [f"nobody was {role}" for role in ROLES if role not in {row["process"] for row in rows}]
    for row in rows:
        if row["slope"] > row["allowed"]:
            wrong.append(f"{row['process']} grows by {row['slope']:.0f} KiB/h")
        if abs(row["more fds"]) > 0.5:
            wrong.append(f"{row['process']}'s open files grow")
        if row["lives"] > 1:
            wrong.append(f"{row['process']} was not one process in the second half")
    if half[-1]["memory.db"] - half[0]["memory.db"] > FILE_KIBIBYTES * 1024:
        wrong.append("memory.db grows")
    wrong += _wrongly_said(run)
    for text, count in {"scrapes missed": run.missed, "reloads refused": run.refused}.items():
        if count:
            wrong.append(f"{count} {text}")
    if run.scrapes and (dropped := _packets(run.scrapes[-1], "dropped")):
        wrong.append(f"{dropped:.0f} packets dropped")
    return rows, wrong


def _row(run: Run, half: list[dict[str, Any]], role: str) -> dict[str, Any]:
    """How one process did in the second half."""
    of = [(one["at"] / 3600, one[role]) for one in half if role in one]
    if len(of) < 2:
        return {}
    hours = of[-1][0] - of[0][0]
    lines = (half[-1]["lines"] - half[0]["lines"]) / hours if role == "serve" else 0
    return {
        "process": role,
        "rss": (of[0][1]["rss"], of[-1][1]["rss"], max(one[role]["rss"] for one in run.samples if role in one)),
        "pss": of[-1][1]["pss"],
        "slope": slope([(at, one["anon"]) for at, one in of]),
        "allowed": max(LEVEL_KIBIBYTES, LEAST_KIBIBYTES / hours) + LINE_KIBIBYTES * lines,
        "fds": sorted({one["fds"] for _, one in of}),
        "more fds": slope([(at, one["fds"]) for at, one in of]),
        "threads": sorted({one["threads"] for _, one in of}),
        "cpu": (of[-1][1]["cpu"] - of[0][1]["cpu"]) / (hours * 3600),
        "lives": len({one["pid"] for _, one in of}),
    }


def _wrongly_said(run: Run) -> list[str]:
    said = Counter(
        (line["subject"], line["count"])
        for line in run.journal
        if line["type"] == "alert" and line["rule"] == "uninvited-participant"
    )
    subjects = {subject for subject, _ in said}
    mistakes = {
        "not alerted": run.intruders - subjects,
        "alerted though invited, or gone before": subjects - run.intruders,
        "alerted twice": {subject for (subject, _), count in said.items() if count > 1},
    }
    return [f"{len(who)} {text}: {', '.join(sorted(who)[:3])}" for text, who in mistakes.items() if who]


def _packets(scrape: dict[str, float], fate: str) -> float:
    return sum(
        value
        for name, value in scrape.items()
        if name.startswith("joinwatch_interface_packets") and f'fate="{fate}"' in name
    )


def report(run: Run, rows: list[dict[str, Any]], wrong: list[str]) -> str:
    """docs/soak.md."""
    return "\n\n".join([*_story(run, wrong), "\n".join(_table(rows)), *_criterion(run), "\n".join(_times(run))]) + "\n"


def _story(run: Run, wrong: list[str]) -> list[str]:
    last = run.scrapes[-1] if run.scrapes else {}
    alerts = Counter(line["rule"] for line in run.journal if line["type"] == "alert")
    lags = sorted(one.get("joinwatch_event_lag_seconds", 0.0) for one in run.scrapes) or [0.0]
    return [
        "# An hour of mixed load" if run.seconds >= 3600 else f"# {run.seconds:.0f} seconds of mixed load",
        "Written by `make soak`; `bench/soak.py` says what the load is and why. The verdict: "
        + ("**level**." if not wrong else "**not level**: " + "; ".join(wrong) + "."),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_version()}, {_machine()}.",
        f"{run.packets:,} packets in {run.seconds:.0f} s ({run.packets / run.seconds:.0f}/s), among them "
        f"{run.calls:,} calls; {len(run.intruders)} intruders, each alerted once as uninvited unless said "
        f"otherwise above; all alerts: {', '.join(f'{count} {rule}' for rule, count in sorted(alerts.items()))}. "
        f"{run.kills} × kill -9 of the decoder in the first half, {run.reloads} reloads, "
        f"{len(run.scrapes)} scrapes. Of what the interface received the kernel's filter kept out "
        f"{_packets(last, 'filtered'):,.0f}, decoders took {_packets(last, 'taken'):,.0f}, and "
        f"{_packets(last, 'dropped'):,.0f} were dropped. Packet time behind the clock at a scrape: "
        f"median {median(lags):.2f} s, most {lags[-1]:.2f} s.",
    ]


def _criterion(run: Run) -> list[str]:
    half = run.second_half or run.samples
    return [
        f"*Level* means: over the second half, in which nobody is killed, the median of all slopes between two samples "
        f"(Theil–Sen) of a process's anonymous memory is below {LEVEL_KIBIBYTES} KiB an hour, no open file is added, "
        f"and memory.db grows by less than {FILE_KIBIBYTES} KiB. Tables are full when the run begins (an hour of events"
        " and 256 alerts, made beforehand by the same load), so none of it is a table that fills. One is not: for 27 "
        f"to 54 hours serve knows of each line of its journal that it was said, so it may keep {LINE_KIBIBYTES} KiB of "
        f"each; {half[-1]['lines'] - half[0]['lines']:,} lines came in the second half.",
        "RSS of capture and decode has the ring of 64 MiB in it, which both see; ring and program are shared, and PSS "
        "counts them once.",
        "Anonymous memory from the beginning to the end, each between its least and its most:",
        "\n".join(f"    {role:8}{_drawn([one[role]['anon'] for one in run.samples if role in one])}" for role in ROLES),
    ]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    return [
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


def _times(run: Run) -> list[str]:
    unit, length = ("min", 60) if run.seconds >= 600 else ("s", 1)
    return [
        "| time | capture | decode | serve | memory.db | journal |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one['at'] / length:.0f} {unit} | "
            + " | ".join(f"{one[role]['anon'] / 1024:.1f} MiB" if role in one else "–" for role in ROLES)
            + f" | {one['memory.db'] / 2**20:.1f} MiB | {one['journal'] / 2**20:.2f} MiB |"
            for one in run.samples[:: max(1, len(run.samples) // 12)]
        ),
    ]


def _drawn(values: Sequence[float]) -> str:
    """A line of bars, and between what."""
    if not values:
        return ""
    thin = values[:: max(1, -(-len(values) // BROADEST))]
    least, most = min(values), max(values)
    step = (most - least) / (len(BARS) - 1) or 1
    bars = "".join(BARS[round((value - least) / step)] for value in thin)
    return f"{bars}  {least / 1024:.2f} to {most / 1024:.2f} MiB"


def _version() -> str:
    """Of what this was measured."""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    with suppress(OSError):
        commit = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
        return f"joinwatch {__version__}{f' ({commit})' if commit else ''}"
    return f"joinwatch {__version__}"


def _machine() -> str:
    """On what this was measured."""
    named = [line for line in _lines_of("/proc/cpuinfo") if line.startswith("model name")]
    processor = named[0].partition(":")[2].strip() if named else platform.machine()
    memory = [line.split()[1] for line in _lines_of("/proc/meminfo") if line.startswith("MemTotal")]
    gibibytes = f", {int(memory[0]) / 2**20:.0f} GiB" if memory else ""
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {processor}{gibibytes}, {system}"


def _lines_of(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]}–{values[-1]}"
