"""Labelled captures, attacks and their benign twins: every alert and join that is listed, and no other."""

from pathlib import Path
from typing import Any

import pytest

from tests.scenarios import expected_of, journal_of, label_of, labelled, name_of, records_of

Kind = tuple[str, str, str]
"""Rule, severity and subject of an alert."""


def alerts_in(records: list[dict[str, Any]]) -> list[Kind]:
    """The last word on each alert."""
    last = {record["id"]: record for record in records if record["type"] == "alert"}
    return sorted((alert["rule"], alert["severity"], alert["subject"]) for alert in last.values())


def listed(label: dict[str, Any], found: list[Kind]) -> list[Kind]:
    """The alerts of a label. Where RULES.md leaves the subject open, whichever was named is right."""
    alerts = []
    for alert in label.get("alerts", ()):
        named = next((a[2] for a in found if a[:2] == (alert["rule"], alert["severity"])), "")
        alerts.append((alert["rule"], alert["severity"], named if alert.get("subject_is_open") else alert["subject"]))
    return sorted(alerts)


def joins_in(records: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return sorted(
        (record["joined_at"], record["subject"], record["method"], record["verdict"])
        for record in records
        if record["type"] == "join"
    )


def time_text(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("capture", labelled(), ids=name_of)
def test_a_scenario_leads_to_what_its_label_says(capture: Path) -> None:
    label = label_of(capture)
    records = records_of(journal_of(capture, expected=expected_of(capture)))
    found = alerts_in(records)
    assert found == listed(label, found)
    joins = [(time_text(j["joined_at"]), j["subject"], j["method"], j["verdict"]) for j in label.get("joins", ())]
    assert joins_in(records) == sorted(joins)


def test_there_are_attacks_and_twins_of_every_rule() -> None:
    from monitor.detections import rule_infos

    raised = {alert["rule"] for capture in labelled() for alert in label_of(capture).get("alerts", ())}
    assert raised == {info.name for info in rule_infos()}


@pytest.mark.parametrize("capture", labelled()[:3], ids=name_of)
def test_two_runs_on_one_capture_are_byte_identical(capture: Path) -> None:
    expected = expected_of(capture)
    assert journal_of(capture, expected=expected) == journal_of(capture, expected=expected_of(capture))
