"""The alert rules by promtool's word: each fires, stays silent, and outlives restarts and lost targets."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.catalogue import cases, rules
from deploy.catalogue.entries import catalogue
from tests.corpus import ROOT
from tests.deploy.rulemaking import IS_LONG, promtool, write_rules

RULES = ROOT / "deploy" / "prometheus"
TOLD = catalogue()
GOT = re.compile(r"Labels:\{(?P<labels>.*)\}\s+Annotations:\{(?P<annotations>.*)\}")


def test_they_are_rules() -> None:
    files = [str(path) for path in RULES.glob("*.rules.yml")]
    assert len(files) == 2
    checked = promtool("check", "rules", *files)
    assert checked.returncode == 0, checked.stdout
    assert "duplicate" not in checked.stdout.lower()


@pytest.mark.parametrize("interval", cases.INTERVALS)
def test_each_does_as_it_must(interval: int, tmp_path: Path) -> None:
    """In short one detection stands for all, whose rules differ in a label; and what lasts for days is left out."""
    if IS_LONG:
        files = [str(path) for path in (RULES / "tests").glob(f"scrape-{interval}s*.test.yml")]
        assert len(files) == 2
    else:
        made = rules.documents(TOLD)
        names = [write_rules(tmp_path, document, name) for name, document in made.items()]
        one = TOLD.detections[0].name
        tests = [cases.detection_test(TOLD, interval, one), cases.blindness_test(TOLD, interval, long=False)]
        document = {"rule_files": names, "evaluation_interval": "1m", "tests": tests}
        (tmp_path / "some.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        files = [str(tmp_path / "some.test.yml")]
    tested = promtool("test", "rules", *files)
    assert tested.returncode == 0, tested.stdout
    assert tested.stdout.count("SUCCESS") == len(files)


def test_each_detection_alone_is_told_alone(tmp_path: Path) -> None:
    names = [write_rules(tmp_path, document, name) for name, document in rules.documents(TOLD).items()]
    document = {"rule_files": names, "evaluation_interval": "1m", "tests": [cases.alone_test(TOLD, 60)]}
    (tmp_path / "alone.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    tested = promtool("test", "rules", str(tmp_path / "alone.test.yml"))
    assert tested.returncode == 0, tested.stdout


def test_every_rule_has_every_case() -> None:
    """Fires, silent, restart, missing; at every interval; in every severity."""
    missing = []
    for entry in TOLD.blindness:
        kinds = {case.of for case in entry.cases}
        assert kinds <= set(cases.KINDS), entry.name
        missing += [f"{entry.name}: {kind}" for kind in cases.KINDS if kind not in kinds]
        fired = {severity for case in entry.cases if case.of == "fires" for severity in case.expect}
        missing += [f"{entry.name}: {one.severity}" for one in entry.alerts if one.severity not in fired]
        quiet = [case for case in entry.cases if case.of == "silent"]
        missing += [f"{entry.name}: silence" for case in quiet if case.expect and entry.name != "watchdog"]
    assert not missing
    of_detections = {name.split("-")[0] for name in cases.DETECTION_CASES}
    assert of_detections == set(cases.KINDS)
    for interval in cases.INTERVALS:
        shipped = [path.read_text(encoding="utf-8") for path in (RULES / "tests").glob(f"scrape-{interval}s*.test.yml")]
        asked = {found for text in shipped for found in re.findall(r'ALERTS\{alertname=\\"(\w+)\\"', text)}
        assert asked == {entry.alert for entry in TOLD.entries}


@pytest.mark.parametrize("sensor", ["sensor-1:9464", "[2001:db8::1]:9464"])
@pytest.mark.parametrize("blind", [False, True], ids=["seeing", "blind"])
def test_a_detection_says_how_well_its_sensor_saw(blind: bool, sensor: str, tmp_path: Path) -> None:
    """Blindness of this sensor, of before and now; that of another is no matter."""
    entry = next(entry for entry in TOLD.detections if entry.name == "pin-bypass")
    down = "1x2 0x10 1x20" if blind else "1x32"
    here = {
        "joinwatch_alerts_total{rule='pin-bypass',severity='high'}": "0x20 1x12",
        "joinwatch_alert_last_timestamp_seconds{rule='pin-bypass',severity='high'}": "0x20 1195x12",
        "joinwatch_interface_up{interface='eth1'}": down,
        "joinwatch_journal_writable": down,
        "joinwatch_build_info": "1x32",
    }
    there = {"joinwatch_interface_up{interface='eth1'}": "0x32", "joinwatch_ready": "0x32"}
    given = cases.input_of(here, sensor, "joinwatch", 30)
    given += cases.input_of(there, "sensor-11:9464", "joinwatch", 30)
    expected = {}
    for name, text in rules.annotations_of(entry, TOLD.settings.runbooks).items():
        expected[name] = text.replace("{{ $labels.instance }}", sensor)
    for ending, language in (("", "en"), ("_nl", "nl")):
        before, behind, well = rules.BLIND[language]
        names = "JoinwatchInterfaceDown, JoinwatchJournalUnwritable"
        expected[f"blind_meanwhile{ending}"] = f"{before}{names}{behind}" if blind else well
    labels = {"rule": "pin-bypass", "severity": "high", "kind": "detection", "instance": sensor}
    document = {
        "rule_files": [str(path) for path in RULES.glob("*.rules.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "30s",
                "input_series": given,
                "alert_rule_test": [
                    {
                        "eval_time": "22m",
                        "alertname": entry.alert,
                        "exp_alerts": [{"exp_labels": {**labels, "job": "joinwatch"}, "exp_annotations": expected}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "one.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    tested = promtool("test", "rules", str(tmp_path / "one.test.yml"))
    assert tested.returncode == 0, tested.stdout


def test_no_sensor_at_all_is_told(tmp_path: Path) -> None:
    """A job that is misspelt, or not there: nothing else could say so."""
    given = [{"series": 'up{job="other",instance="x"}', "values": "1x30"}]
    asked = [cases.expectation("JoinwatchSensorVanished", "", 10, ("high",))]
    document = {
        "rule_files": [str(RULES / "joinwatch-blindness.rules.yml")],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": given, "promql_expr_test": asked}],
    }
    (tmp_path / "none.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    tested = promtool("test", "rules", str(tmp_path / "none.test.yml"))
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize(
    ("then", "instance"), [("_x30", "one"), ("1x30", "")], ids=["one sensor fewer", "as many, by another name"]
)
def test_a_sensor_may_have_a_new_name_but_not_go(then: str, instance: str, tmp_path: Path) -> None:
    """In a cluster a target's address changes with each roll-out."""
    given = []
    for name, text in {"one": "1x20 _x30", "two": "1x50", "new": f"_x20 {then}"}.items():
        given += cases.input_of({"up": text, "joinwatch_build_info": text}, name, "joinwatch", 60)
    told = [{"labels": f'{{instance="{instance}"}}', "value": 1}] if instance else []
    asked = {
        "expr": 'group by (instance) (ALERTS{alertname="JoinwatchSensorVanished",alertstate="firing"})',
        "eval_time": "40m",
        "exp_samples": told,
    }
    document = {
        "rule_files": [str(RULES / "joinwatch-blindness.rules.yml")],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": given, "promql_expr_test": [asked]}],
    }
    (tmp_path / "new.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    tested = promtool("test", "rules", str(tmp_path / "new.test.yml"))
    assert tested.returncode == 0, tested.stdout


def test_what_people_read_is_whole(tmp_path: Path) -> None:
    """No template fails or leaves a hole: promtool tells what it got where nothing was expected."""
    given: list[dict[str, str]] = []
    asked = []
    for entry in TOLD.blindness:
        for number, case in enumerate(case for case in entry.cases if case.of == "fires" and not case.long):
            given += cases.input_of(case.series, f"{entry.name}-{number}", "joinwatch", 60)
            asked.append({"eval_time": f"{case.at}m", "alertname": entry.alert, "exp_alerts": []})
    test = {"interval": "60s", "input_series": given, "alert_rule_test": asked}
    document = {
        "rule_files": [str(RULES / "joinwatch-detections.rules.yml"), str(RULES / "joinwatch-blindness.rules.yml")],
        "evaluation_interval": "1m",
        "tests": [test],
    }
    (tmp_path / "all.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    tested = promtool("test", "rules", str(tmp_path / "all.test.yml"))
    read = [found["annotations"] for found in GOT.finditer(tested.stdout)]
    assert len(read) >= len(asked)
    for annotations in read:
        assert not re.search(r"error expanding|<no value>|\{\{|\(\)|  |\s[.,:)]", annotations), annotations
