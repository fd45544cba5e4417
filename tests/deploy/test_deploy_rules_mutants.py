"""The tests of the alert rules are worth something: break an expression, and they fail."""

from pathlib import Path

import pytest
import yaml

from deploy.catalogue import cases, rules
from deploy.catalogue.entries import catalogue
from tests.deploy.rulemaking import (
    IS_LONG,
    fresh,
    group_of,
    mistimed,
    mutants_of,
    promtool,
    verdicts,
    write_rules,
    write_tests,
)

TOLD = catalogue()


def test_no_broken_expression_of_blindness_passes(tmp_path: Path) -> None:
    """In short only the first name of each expression is broken, and what takes days to show is left out."""
    files: dict[str, str] = {}
    for entry in TOLD.blindness:
        whole = [rules.blindness_rule(TOLD, entry, condition) for condition in entry.alerts]
        versions = [("as it is", whole)]
        for place, rule in enumerate(whole):
            mutants = list(mutants_of(rule["expr"], entry))
            for mutant in mutants if IS_LONG else mutants[:1]:
                broken = {**rule, "expr": mutant.expr}
                versions.append((f"{place} {mutant.what}", [*whole[:place], broken, *whole[place + 1 :]]))
            for what, broken in mistimed(rule) if IS_LONG else ():
                versions.append((f"{place} {what}", [*whole[:place], broken, *whole[place + 1 :]]))
        for number, (what, listed) in enumerate(versions):
            named = f"{entry.name}-{number}"
            rule_file = write_rules(tmp_path, group_of(fresh(), *map(dict, listed)), f"{named}.rules.yml")
            for path in write_tests(tmp_path, TOLD, entry, rule_file, named):
                if IS_LONG or not path.endswith("-days.yml"):
                    files[path] = f"{entry.name}: {what}"
    ran = promtool("test", "rules", *files, seconds=540)
    found = verdicts(ran.stdout)
    assert set(found) == set(files), ran.stdout[-2000:]
    good = {path for path, what in files.items() if what.endswith(": as it is")}
    assert not [files[path] for path in good if not found[path]]
    caught = {files[path] for path in files if not found[path]}
    broken_ones = {what for path, what in files.items() if path not in good}
    assert len(broken_ones) >= (200 if IS_LONG else len(good) - 2)
    assert not sorted(broken_ones - caught - (set() if IS_LONG else _shown_by_days()))


def _shown_by_days() -> set[str]:
    """Mutants of conditions whose cases last for days."""
    return {
        f"{entry.name}: {place} {next(mutants_of(condition.expr, entry)).what}"
        for entry in TOLD.blindness
        for place, condition in enumerate(entry.alerts)
        if all(case.long for case in entry.cases if condition.severity in case.expect)
    }


@pytest.mark.parametrize("place", range(4))
def test_each_way_to_be_fresh_is_needed(place: int, tmp_path: Path) -> None:
    head, body = rules.FRESH_EXPR.split("(\n", 1)
    inside, tail = body.rsplit("\n) * 0 + 1", 1)
    terms = inside.split("\nor\n")
    assert len(terms) == 4
    kept = "\nor\n".join(terms[:place] + terms[place + 1 :])
    broken = {"record": rules.FRESH, "expr": f"{head}(\n{kept}\n) * 0 + 1{tail}"}
    assert not _passes(broken, tmp_path)


def test_the_recording_rule_as_it_is_passes(tmp_path: Path) -> None:
    assert _passes(fresh(), tmp_path)


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("joinwatch_alert_last_timestamp_seconds > 0", "joinwatch_alert_last_timestamp_seconds"),
        ("joinwatch_alerts_total[15m]", "joinwatch_alerts_total[5m]"),
        ("joinwatch_alerts_active > 0", "joinwatch_alerts_active >= 0"),
        ("present_over_time(joinwatch_build_info[10m] offset 5m)", "joinwatch_build_info"),
        ("joinwatch_alerts_total > 0 and", "joinwatch_alerts_total >= 0 and"),
        ("< 900\nor\n  # It was counted", "< 9000\nor\n  # It was counted"),
        (") * 0 + 1", ") * 0"),
    ],
)
def test_a_slip_in_the_recording_rule_is_noticed(was: str, is_now: str, tmp_path: Path) -> None:
    assert rules.FRESH_EXPR.count(was) == 1
    assert not _passes({"record": rules.FRESH, "expr": rules.FRESH_EXPR.replace(was, is_now)}, tmp_path)


def _passes(recording: dict[str, str], folder: Path) -> bool:
    """Whether every case of the detections is as it must be, with this recording rule."""
    entry = TOLD.detections[0]
    listed = [rules.detection_rule(TOLD, entry)]
    rule_file = write_rules(folder, group_of(recording, *listed), "some.rules.yml")
    document = {
        "rule_files": [rule_file],
        "evaluation_interval": "1m",
        "tests": [cases.detection_test(TOLD, 60, entry.name)],
    }
    (folder / "some.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    ran = promtool("test", "rules", str(folder / "some.test.yml"))
    assert "Unit Testing" in ran.stdout
    return ran.returncode == 0
