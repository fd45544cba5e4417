"""Joins that tricks with packets hide: each is found, and it is said where the bytes can be read in two ways."""

from pathlib import Path

import pytest

from monitor.model.alerts import Alert
from monitor.model.oddities import Oddity, Reason
from monitor.model.readings import call_of, name_of, reading_of
from monitor.model.roster import Joined
from monitor.pipeline import Record, Replay, captures_of
from tests.scenarios import evasions, expected_of, label_of
from tests.scenarios import name_of as id_of

each_evasion = pytest.mark.parametrize("capture", evasions(), ids=id_of)


class Kept:
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        """Nothing to do."""


def replayed(capture: Path) -> list[Record]:
    kept = Kept()
    pipeline = Replay(captures_of([capture]), expected_of(capture), [kept])
    pipeline.run()
    pipeline.finish()
    return kept.records


@each_evasion
def test_a_trick_hides_nobody(capture: Path) -> None:
    label = label_of(capture)
    records = replayed(capture)
    joined = [record for record in records if isinstance(record, Joined)]
    found = {(join.participant.identity.subject, join.participant.verdict.value) for join in joined}
    assert found == {(join["subject"], join["verdict"]) for join in label["joins"]}
    alerts = {(alert.rule, alert.severity.value, alert.subject) for alert in records if isinstance(alert, Alert)}
    assert alerts == {(alert["rule"], alert["severity"], alert["subject"]) for alert in label.get("alerts", ())}
    conflicts = [record for record in records if isinstance(record, Oddity) and record.reason is Reason.CONFLICT]
    assert bool(conflicts) == label["ambiguous"]
    for join in joined:
        evidence = [each for fact in join.participant.facts for each in fact.evidence]
        if not label["ambiguous"]:
            assert not any(each.ambiguous for each in evidence)
        elif reading_of(join.participant.call) > 1:
            assert all(each.ambiguous for each in evidence)


def test_there_are_many_tricks_and_honest_twins() -> None:
    names = [capture.name for capture in evasions()]
    twins = [name for name in names if name.startswith("benign-")]
    assert len(names) - len(twins) >= 60
    assert len(twins) >= 5
    assert sum(capture.stat().st_size for capture in evasions()) < 1024 * 1024


def test_a_reading_has_a_name_of_its_own() -> None:
    name = name_of("a@192.0.2.1", 3)
    assert (call_of(name), reading_of(name)) == ("a@192.0.2.1", 3)
    assert (call_of("a@192.0.2.1"), reading_of("a@192.0.2.1")) == ("a@192.0.2.1", 1)
    assert reading_of("a (reading x)") == 1
