"""The soak's verdict on runs that are made up: what is level, what leaks, and what was said wrongly."""

from pathlib import Path
from typing import Any

import pytest

from bench.soak import live_before
from bench.soak_verdict import ROLES, Run, judged, report, slope
from monitor.daemon.ledger import Place, lines_since
from monitor.daemon.serve import Serve
from monitor.outputs.metrics import Metrics
from monitor.pipeline import load_expected
from tests.daemon.stage import Daemon

HOUR = 3600.0


def run_of(grows: dict[str, float] | None = None, **changes: Any) -> Run:
    """An hour, in which each role grows by so many KiB; samples and the rest as they are when all is well."""
    samples = []
    for second in range(10, 3600, 10):
        one: dict[str, Any] = {"at": float(second), "memory.db": 5_000_000, "journal": second * 100, "lines": second}
        for place, role in enumerate(ROLES):
            anon = 20_000 + int((grows or {}).get(role, 0) * second / HOUR) + second // 10 % 3 * 40
            one[role] = {
                "pid": 100 + place, "rss": anon + 9000, "anon": anon, "pss": anon, "fds": 9, "threads": 1,
                "cpu": second / 100,
            }  # fmt: skip
        samples.append(one)
    run = Run(seconds=HOUR, samples=samples, intruders={"sip:a", "sip:b"}, packets=1000, calls=10, reloads=12)
    run.journal = [alert(subject) for subject in sorted(run.intruders)]
    run.scrapes = [{"at": 1.0, 'joinwatch_interface_packets_total{fate="taken"}': 5.0}]
    for name, value in changes.items():
        setattr(run, name, value)
    return run


def alert(subject: str, count: int = 1) -> dict[str, Any]:
    """A line of the journal."""
    return {"type": "alert", "rule": "uninvited-participant", "subject": subject, "count": count}


def test_what_stays_as_it_is_is_level() -> None:
    rows, wrong = judged(run_of())
    assert wrong == []
    assert [row["process"] for row in rows] == list(ROLES)
    assert "**level**" in report(run_of(), rows, wrong)


@pytest.mark.parametrize("role", ROLES)
def test_what_grows_by_two_mebibytes_an_hour_is_not(role: str) -> None:
    rows, wrong = judged(run_of({role: 2 * 1024 + 900}))
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{role} grows by ")
    assert "**not level**" in report(run_of(), rows, wrong)


def test_serve_may_keep_a_little_of_each_line() -> None:
    grown = {"serve": 1024.0 + 800}
    assert judged(run_of(grown))[1] == []  # 3,600 lines an hour
    silent = run_of(grown)
    for one in silent.samples:
        one["lines"] = 7
    assert judged(silent)[1][0].startswith("serve grows")


def test_a_single_jump_is_no_slope() -> None:
    points = [(float(x), 100.0 if x < 50 else 900.0) for x in range(60)]
    assert slope(points) == 0.0
    assert slope([(float(x), 3.0 * x) for x in range(60)]) == pytest.approx(3.0)


def changed(key: str, value: Any, role: str = "") -> Run:
    """A run in whose second half something is different, more and more."""
    run = run_of()
    for number, one in enumerate(run.second_half):
        (one[role] if role else one)[key] = value(number)
    return run


@pytest.mark.parametrize(
    ("run", "wrong"),
    [
        (changed("fds", lambda n: 9 + n, "decode"), "decode's open files grow"),
        (changed("pid", lambda n: 100 + n, "capture"), "capture was not one process in the second half"),
        (changed("memory.db", lambda n: 5_000_000 + n * 10_000), "memory.db grows"),
        (run_of(journal=[alert("sip:a")]), "1 not alerted: sip:b"),
        (run_of(journal=[alert("sip:a"), alert("sip:b"), alert("sip:b")]), "1 alerted twice: sip:b"),
        (
            run_of(journal=[alert(who) for who in ("sip:a", "sip:b", "sip:c")]),
            "1 alerted though invited, or gone before: sip:c",
        ),
        (run_of(missed=2), "2 scrapes missed"),
        (run_of(refused=3), "3 reloads refused"),
        (run_of(scrapes=[{"at": 1.0, 'joinwatch_interface_packets_total{fate="dropped"}': 4.0}]), "4 packets dropped"),
        (run_of(samples=[]), "nothing was measured in the second half"),
    ],
)
def test_whatever_is_wrong_is_said(run: Run, wrong: str) -> None:
    assert judged(run)[1] == [wrong]


def test_who_was_not_there_is_said() -> None:
    run = run_of()
    for one in run.samples:
        del one["decode"]
    assert judged(run)[1] == ["nobody was decode"]


def test_the_page_has_a_row_and_a_line_for_each_process() -> None:
    run = run_of()
    text = report(run, *judged(run))
    for role in ROLES:
        assert sum(line.startswith(f"| {role} |") for line in text.splitlines()) == 1
        assert any(line.startswith(f"    {role}") and "MiB" in line for line in text.splitlines())


def test_before_it_begins_it_has_lived(tmp_path: Path) -> None:
    """Alerts are in its journal, and a memory beside it; a life over the same state says nothing of it again."""
    daemon = Daemon(tmp_path, [])
    lines = live_before(daemon, 120)
    journal = [said for _, said in lines_since(tmp_path / "state" / "journal", Place(0, 0))]
    assert len(journal) == lines > 20
    assert len([said for said in journal if said["type"] == "alert"]) >= 10
    lists = tmp_path / "lists"
    expected = load_expected([lists / "now.ics"], [lists / "people.csv"], lists / "policy.toml")
    serve = Serve(str(tmp_path / "sock"), tmp_path / "state", lambda: expected, Metrics())
    serve.step(0)
    held = serve.memory.held
    serve.close()
    assert held > 50
    assert len(daemon.journal()) == lines
