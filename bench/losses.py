"""Truth under loss: every labelled capture, damaged in every way that mirrors damage packets, and what is still found.

`python -m bench.losses` writes the table into docs/robustness.md. Exit code 1 when a promise of that page is not kept.
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from io import BytesIO
from multiprocessing import Pool
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from bench import damage
from bench.damage import Damage, Packet
from monitor.outputs.journal import Journal
from monitor.pipeline import Expected, Replay, captures_of, load_expected

ROOT = Path(__file__).parents[1]
PCAPS = ROOT / "pcaps"
PAGE = ROOT / "docs" / "robustness.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

RARE = 1_000
"""At most one in so many runs with losses raises a false alert."""

Name = tuple[str, str, str]
"""Rule, series and subject of an alert; an empty subject is any, where the rules leave it open."""


class Condition(NamedTuple):
    """One way to damage captures, and what must still be so."""

    name: str
    damage: Damage
    seeds: int
    """Draws of each capture, in the long run."""
    same: bool = False
    """The alerts must be those of the whole capture, byte for byte."""
    recall: float | None = None
    """The least share of labelled alerts; none where nothing is promised."""
    quiet: bool = False
    """There must be no false alert, or in many draws at most one in `RARE` runs."""


CONDITIONS = (
    Condition("doubled", partial(damage.copied, times=2), 10, same=True, recall=1, quiet=True),
    Condition("tripled", partial(damage.copied, times=3), 10, same=True, recall=1, quiet=True),
    Condition("before and behind a translator", damage.translated, 10, recall=1, quiet=True),
    Condition("shuffled within 64, own times", damage.shuffled, 10, same=True, recall=1, quiet=True),
    Condition("each up to 50 ms late", damage.late, 10, recall=1, quiet=True),
    Condition("1 % lost", partial(damage.lost, share=0.01), 100, recall=0.995, quiet=True),
    Condition("5 % lost", partial(damage.lost, share=0.05), 50, recall=0.98, quiet=True),
    Condition("10 % lost", partial(damage.lost, share=0.10), 50, recall=0.95, quiet=True),
    Condition("only what goes to the bridge", damage.to_bridge, 1, quiet=True),
    Condition("only what comes from the bridge", damage.from_bridge, 1, quiet=True),
    *(Condition(f"snap length {n}", partial(damage.cut, octets=n), 1, quiet=True) for n in (96, 256, 512, 1024)),
    *(
        Condition(f"the first {n} % missing", partial(damage.late_start, share=n / 100), 1, quiet=True)
        for n in (5, 10, 25, 50, 75)
    ),
)


class Score(NamedTuple):
    """What came of one damaged capture."""

    labelled: int
    missed: tuple[Name, ...]
    false: tuple[Name, ...]
    same: bool


class Scenario:
    """One labelled capture with everything that a replay of it needs."""

    def __init__(self, capture: Path) -> None:
        label, folder = tomllib.loads(capture.with_suffix(".toml").read_text(encoding="utf-8")), capture.parent
        policy = label.get("policy")
        self.name = str(capture.relative_to(PCAPS).with_suffix(""))
        self.packets = damage.read(capture)
        self.alerts = Counter(
            (alert["rule"], alert.get("uid", ""), "" if alert.get("subject_is_open") else alert["subject"])
            for alert in label.get("alerts", ())
        )
        self.expected = load_expected(
            [folder / path for path in label.get("meetings", ())],
            [folder / path for path in label.get("directory", ())],
            folder / policy if policy else None,
        )
        self.whole = contents_of(alerts_of(self.packets, self.expected))

    def score(self, packets: Sequence[Packet]) -> Score:
        """What is found in a damaged copy of it."""
        alerts = alerts_of(packets, self.expected)
        named = ((alert["rule"], _series(alert), alert["subject"]) for alert in alerts)
        found = Counter(name if name in self.alerts else _of_anybody(name, self.alerts) for name in named)
        return Score(
            labelled=self.alerts.total(),
            missed=tuple(sorted((self.alerts - found).elements())),
            false=tuple(sorted((found - self.alerts).elements())),
            same=contents_of(alerts) == self.whole,
        )


def _of_anybody(name: Name, listed: Mapping[Name, int]) -> Name:
    """The name under which it is listed, where the rules leave the subject open."""
    anybody = (*name[:2], "")
    return anybody if anybody in listed else name


def _series(alert: dict[str, Any]) -> str:
    meeting = alert["meeting"]
    return (meeting or {}).get("uid") or ""


def labelled() -> list[Path]:
    """The bundled captures of every rule's attacks and their twins, and of the incident."""
    found = (path for folder in ("incident", "scenarios") for path in PCAPS.glob(f"{folder}/**/*.pcap"))
    return sorted(path for path in found if path.with_suffix(".toml").is_file())


@cache
def scenario_of(capture: Path) -> Scenario:
    """Read once in each process."""
    return Scenario(capture)


def alerts_of(packets: Iterable[Packet], expected: Expected) -> list[dict[str, Any]]:
    """The last word on each alert, in the order of their names."""
    sink = BytesIO()
    with TemporaryDirectory() as folder:
        path = Path(folder, "damaged.pcap")
        damage.write(path, packets)
        journal = Journal(sink)
        pipeline = Replay(captures_of([path]), expected, [journal])
        pipeline.run()
        pipeline.finish()
        journal.close()
    records = (msgspec.json.decode(line) for line in sink.getvalue().splitlines() if b'"alert"' in line)
    last = {record["id"]: record for record in records if record["type"] == "alert"}
    return [last[name] for name in sorted(last)]


def contents_of(alerts: Iterable[dict[str, Any]]) -> bytes:
    """Alerts as bytes, without what another numbering of frames must change: the frames, and when each was written."""
    return msgspec.json.encode([{**_unframed(alert), "time": None} for alert in alerts])


def _unframed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unframed(inner) for key, inner in value.items() if key != "evidence"}
    return [_unframed(inner) for inner in value] if isinstance(value, list) else value


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Tally:
    """All draws of one condition, added up."""

    def __init__(self) -> None:
        self.runs = self.labelled = self.found = self.same = 0
        self.missed: Counter[tuple[str, Name]] = Counter()
        self.false: Counter[tuple[str, Name]] = Counter()

    def add(self, name: str, scores: Iterable[Score]) -> None:
        """The draws of one scenario."""
        for score in scores:
            self.runs += 1
            self.labelled += score.labelled
            self.found += score.labelled - len(score.missed)
            self.same += score.same
            self.missed.update((name, alert) for alert in score.missed)
            self.false.update((name, alert) for alert in score.false)

    @property
    def recall(self) -> float:
        """Labelled alerts found."""
        return self.found / self.labelled if self.labelled else 1.0


def _scores(job: tuple[Path, int, int]) -> tuple[int, str, list[Score]]:
    capture, number, seeds = job
    scenario, condition = scenario_of(capture), CONDITIONS[number]
    scores = [
        scenario.score(condition.damage(scenario.packets, Random(f"{condition.name} {scenario.name} {seed}")))
        for seed in range(seeds)
    ]
    return number, scenario.name, scores


def measure(
    conditions: Sequence[int], seeds: Callable[[Condition], int], *, only: str = "", processes: int = 2
) -> dict[int, Tally]:
    """All scenarios under these conditions."""
    jobs = [
        (capture, number, seeds(CONDITIONS[number]))
        for capture in labelled()
        if only in str(capture)
        for number in conditions
    ]
    tallies = {number: Tally() for number in conditions}
    with Pool(processes) as pool:
        for number, name, scores in pool.imap_unordered(_scores, jobs, chunksize=len(conditions)):
            tallies[number].add(name, scores)
    return tallies


def broken(condition: Condition, tally: Tally) -> list[str]:
    """Which promises were not kept."""
    found = []
    if condition.same and tally.same != tally.runs:
        found.append(f"{condition.name}: other alerts in {tally.runs - tally.same} of {tally.runs} runs")
    if condition.recall is not None and tally.recall < condition.recall:
        found.append(f"{condition.name}: recall {tally.recall:.2%}, promised {condition.recall:.1%}")
    if condition.quiet and tally.false.total() > tally.runs // RARE:
        found.append(f"{condition.name}: {tally.false.total()} false alerts in {tally.runs} runs")
    return found


def table(tallies: dict[int, Tally]) -> Iterator[str]:
    """As Markdown."""
    yield "| condition | runs | labelled alerts | found | recall | false alerts | alerts the same |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for number, tally in tallies.items():
        condition = CONDITIONS[number]
        same = f"{tally.same} of {tally.runs}" if condition.same else "–"
        yield (
            f"| {condition.name} | {tally.runs:,} | {tally.labelled:,} | {tally.found:,} | {tally.recall:.2%} "
            f"| {tally.false.total()} | {same} |"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, tell, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.losses", description=__doc__)
    parser.add_argument("--seeds", type=int, help="draws of each capture, instead of those of each condition")
    parser.add_argument("--only", default="", help="captures with this in their path")
    parser.add_argument("--condition", default="", help="conditions with this in their name")
    parser.add_argument("--why", action="store_true", help="also name what was missed and what was false")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args(arguments)
    numbers = [n for n, condition in enumerate(CONDITIONS) if asked.condition in condition.name]
    tallies = measure(
        numbers,
        lambda condition: min(condition.seeds, asked.seeds or condition.seeds),
        only=asked.only,
        processes=asked.processes,
    )
    lines = list(table(tallies))
    print("\n".join(lines))
    if asked.why:
        for number, tally in tallies.items():
            for kind, names in (("missed", tally.missed), ("false", tally.false)):
                for (scenario, alert), count in sorted(names.items()):
                    print(f"{CONDITIONS[number].name}: {kind} {count} × {scenario}: {' '.join(alert)}")
    if not (asked.seeds or asked.only or asked.condition):
        _write(lines)
    failures = [failure for number, tally in tallies.items() for failure in broken(CONDITIONS[number], tally)]
    print("\n".join(failures), file=sys.stderr)
    return 1 if failures else 0


def _write(lines: Sequence[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text("\n".join((before + BEGIN, "", *lines, "", END + after)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
