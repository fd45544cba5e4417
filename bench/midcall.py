"""A capture that begins in mid-call: who of those present, and not invited, is named, and is anything else said?

`python -m bench.midcall [STORIES]` prints the table of docs/robustness.md. Exit code 1 when the goal is missed: 90 % of
the uninvited who are present are named, everybody is marked partial, and there is no false alert.
"""

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from monitor.pipeline import Expected, load_expected
from pcaps.stories.midcall import MidCall, Present, stories

WORLD = Path(__file__).parents[1] / "pcaps" / "scenarios" / "world"
STORIES = 100
GOAL = 0.9
ALERTS = {"uninvited-participant", "anonymous-participant"}
"""What the uninvited raise. Everything else is false here."""


class Score(NamedTuple):
    """What came of one capture."""

    present: tuple[Present, ...]
    named: tuple[Present, ...]
    """Those of the uninvited who have a join of their own, marked partial, and an alert."""
    not_marked: int
    """Joins of people who were there before that do not say so."""
    false_alerts: tuple[tuple[str, str], ...]
    """Rule and subject."""


def expected() -> Expected:
    """The calendar, directory and policy that all scenarios share."""
    return load_expected([WORLD / "meetings"], [WORLD / "directory.vcf"], WORLD / "policy.toml")


def score_of(story: MidCall, known: Expected, folder: Path) -> Score:
    """Replays a capture, and compares."""
    capture = folder / f"{story.name}.pcap"
    capture.write_bytes(story.capture)
    records = _records_of(capture, known)
    joins = [record for record in records if record["type"] == "join"]
    alerts = {(record["rule"], record["subject"]) for record in records if record["type"] == "alert"}
    partial = Counter(join["subject"] for join in joins if join.get("partial"))
    alerted = Counter(subject for rule, subject in alerts if rule in ALERTS)
    uninvited = [one for one in story.present if not one.is_invited]
    named = tuple(one for one in uninvited if partial[one.subject] and alerted[one.subject])
    subjects = {one.subject for one in uninvited}
    return Score(
        present=story.present,
        named=named,
        not_marked=sum(not join.get("partial") for join in joins),
        false_alerts=tuple(sorted(a for a in alerts if a[0] not in ALERTS or a[1] not in subjects)),
    )


def _records_of(capture: Path, known: Expected) -> list[dict[str, Any]]:
    from io import BytesIO

    from monitor.outputs.journal import Journal
    from monitor.pipeline import Replay, captures_of

    sink = BytesIO()
    journal = Journal(sink)
    replay = Replay(captures_of([capture]), known, [journal])
    replay.run()
    replay.finish()
    journal.close()
    return [msgspec.json.decode(line) for line in sink.getvalue().splitlines()]


def scores(count: int) -> tuple[list[Score], list[Score]]:
    """Attacks and twins."""
    known = expected()
    attacks: list[Score] = []
    twins: list[Score] = []
    with TemporaryDirectory() as folder:
        for attack, twin in stories(count):
            attacks.append(score_of(attack, known, Path(folder)))
            twins.append(score_of(twin, known, Path(folder)))
    return attacks, twins


def share(named: int, present: int) -> str:
    """`45 of 48 (94 %)`."""
    return f"{named} of {present} ({100 * named / present:.0f} %)" if present else "none"


def main(arguments: list[str]) -> int:
    """Prints the table."""
    count = int(arguments[0]) if arguments else STORIES
    attacks, twins = scores(count)
    present = Counter(one.way for score in attacks for one in score.present if not one.is_invited)
    named = Counter(one.way for score in attacks for one in score.named)
    rows = [
        ("present uninvited participants named", share(named.total(), present.total())),
        ("… where the bridge tells somebody the roster", share(named["roster"], present["roster"])),
        ("… without a roster, in by SIP", share(named["sip"], present["sip"])),
        ("… without a roster, in by telephone", share(named["telephone"], present["telephone"])),
        ("joins of people who were there before, not marked partial", str(sum(s.not_marked for s in attacks + twins))),
        ("false alerts in the attacks", str(sum(len(s.false_alerts) for s in attacks))),
        ("alerts in the benign twins", str(sum(len(s.false_alerts) for s in twins))),
    ]
    print(f"| {count} stories and their twins | |\n|---|---|")
    print("\n".join(f"| {what} | {value} |" for what, value in rows))
    for score in (*attacks, *twins):
        for rule, subject in score.false_alerts:
            print(f"false: {rule} {subject}", file=sys.stderr)
    false = any(s.not_marked or s.false_alerts for s in (*attacks, *twins))
    return int(false or named.total() < GOAL * present.total())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
