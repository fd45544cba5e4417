"""The example of an Alertmanager's configuration: who is told of what, and that nothing hides a detection."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from deploy.catalogue.entries import Entry, catalogue
from tests.corpus import ROOT

FILE = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
TOLD = catalogue()
MATCHER = re.compile(r'(?P<label>\w+)(?P<way>=~|!~|!=|=)"(?P<value>[^"]*)"')


def amtool(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("amtool") is None:
        pytest.skip("there is no amtool (deploy/install-counterparts.sh)")
    return subprocess.run(["amtool", *words], capture_output=True, text=True, check=False, timeout=30)


def receiver_of(**labels: str) -> str:
    words = (f"{label}={value}" for label, value in labels.items())
    tested = amtool("config", "routes", "test", f"--config.file={FILE}", *words)
    assert tested.returncode == 0, tested.stderr
    return tested.stdout.strip()


def test_it_is_a_configuration() -> None:
    checked = amtool("check-config", str(FILE))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "JoinwatchPinBypass", "kind": "detection", "severity": "high"}, "soc-on-call"),
        (
            {"alertname": "JoinwatchClassificationExceedsPlatform", "kind": "detection", "severity": "critical"},
            "soc-on-call",
        ),
        ({"alertname": "JoinwatchAnonymousParticipant", "kind": "detection", "severity": "medium"}, "soc"),
        ({"alertname": "JoinwatchUnscheduledMeeting", "kind": "detection", "severity": "low"}, "soc-low"),
        ({"alertname": "JoinwatchInterfaceDown", "kind": "blindness", "severity": "high"}, "operators-on-call"),
        ({"alertname": "JoinwatchListsStale", "kind": "blindness", "severity": "medium"}, "operators"),
        ({"alertname": "JoinwatchFilterRefused", "kind": "blindness", "severity": "low"}, "operators"),
        ({"alertname": "JoinwatchWatchdog", "kind": "heartbeat", "severity": "none"}, "dead-mans-switch"),
        ({"alertname": "JoinwatchSinkFailing", "kind": "upkeep", "severity": "high"}, "operators-on-call"),
        ({"alertname": "JoinwatchOtherDetection", "kind": "detection", "severity": "high"}, "soc-on-call"),
        # As the daemon's own sink tells it.
        ({"alertname": "pin-bypass", "severity": "high", "platform": "webex", "alert_id": "0"}, "soc-on-call"),
        ({"alertname": "duplicate-identity", "severity": "medium", "sensor": "north"}, "soc"),
    ],
    ids=lambda value: value.get("alertname") if isinstance(value, dict) else value,
)
def test_each_goes_to_who_can_act(labels: dict[str, str], receiver: str) -> None:
    assert receiver_of(**labels) == receiver


def matches(matchers: list[str], labels: dict[str, str]) -> bool:
    """As Alertmanager has it: a label that is not there is empty."""
    for one in matchers:
        found = MATCHER.fullmatch(one)
        assert found is not None, one
        value, way = labels.get(found["label"], ""), found["way"]
        same = bool(re.fullmatch(found["value"], value)) if "~" in way else value == found["value"]
        if same == way.startswith("!"):
            return False
    return True


def inhibitions() -> list[dict[str, Any]]:
    return list(yaml.safe_load(FILE.read_text(encoding="utf-8"))["inhibit_rules"])


def labels_of(entry: Entry) -> list[dict[str, str]]:
    if entry.is_detection:
        from_prometheus = [
            {"alertname": entry.alert, "kind": "detection", "rule": entry.name, "severity": severity}
            for severity in TOLD.severities[entry.name]
        ]
        return [*from_prometheus, *({"alertname": entry.name, "severity": one["severity"]} for one in from_prometheus)]
    return [{"alertname": entry.alert, "kind": entry.kind, "severity": one.severity} for one in entry.alerts]


def test_nothing_inhibits_a_detection() -> None:
    hidden = [
        (labels, rule)
        for entry in TOLD.entries
        if entry.is_detection or entry.kind not in ("blindness", "upkeep")
        for labels in labels_of(entry)
        for rule in inhibitions()
        if matches(rule["target_matchers"], labels)
    ]
    assert not hidden


def test_every_inhibition_is_about_alerts_that_exist() -> None:
    every = [labels for entry in TOLD.blindness for labels in labels_of(entry)]
    for rule in inhibitions():
        for matchers in (rule["source_matchers"], rule["target_matchers"]):
            assert any(matches(matchers, labels) for labels in every), matchers
            for name in re.findall(r"Joinwatch\w+", " ".join(matchers)):
                assert name in {entry.alert for entry in TOLD.blindness}, name


def test_a_missing_sensor_hides_its_other_blindness_and_never_itself() -> None:
    missing = {"alertname": "JoinwatchSensorMissing", "kind": "blindness", "severity": "high"}
    rule = next(rule for rule in inhibitions() if matches(rule["source_matchers"], missing))
    assert rule["equal"] == ["job", "instance"]
    hidden = {
        entry.name
        for entry in TOLD.blindness
        if all(matches(rule["target_matchers"], labels) for labels in labels_of(entry))
    }
    everything = {entry.name for entry in TOLD.blindness if entry.kind in ("blindness", "upkeep")}
    assert hidden == everything - {"sensor-missing", "sensor-vanished"}


def test_messages_come_before_an_alert_of_the_sink_is_over() -> None:
    route = yaml.safe_load(FILE.read_text(encoding="utf-8"))["route"]
    waits = [one["group_wait"] for one in (route, *route["routes"]) if "group_wait" in one]
    assert all(int(wait.removesuffix("s")) <= 60 for wait in waits)
