"""The alert rules ask for nothing that the daemon does not export: each name, each value of a label."""

import re
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.catalogue.entries import catalogue
from monitor.detections import rule_infos
from monitor.model.alerts import RuleInfo, Severity
from monitor.outputs.metrics import Metrics
from tests.corpus import ROOT
from tests.daemon.stage import Daemon, daemon, intruder_by_sip, mirror

SERIES = re.compile(r"(?<![\w:])(?P<name>(?:joinwatch_|process_)\w+)(?:\{(?P<labels>[^{}]*)\})?")
MATCHER = re.compile(r'(?P<label>\w+)(?P<way>=~|!~|!=|=)"(?P<value>[^"]*)"')
BY_NODE_EXPORTER = "joinwatch_fetch_"
"""From the fetchers' textfile: `monitor.fetch.runs` writes it."""

Page = Mapping[str, list[dict[str, str]]]


def page_of(text: str) -> Page:
    """The labels of each series, by its name."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


def expressions() -> dict[str, str]:
    """Each expression of the shipped rules, without its comments."""
    found = {}
    for path in (ROOT / "deploy" / "prometheus").glob("*.rules.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                lines = (line for line in rule["expr"].splitlines() if not line.lstrip().startswith("#"))
                name = f"{rule.get('alert', rule.get('record'))} {rule.get('labels', {}).get('severity', '')}"
                found[name] = "\n".join(lines)
    return found


def unknown_in(expr: str, page: Page) -> list[str]:
    """What it asks for and the page does not have."""
    wrong = []
    for found in SERIES.finditer(expr):
        name = found["name"]
        if name.startswith(BY_NODE_EXPORTER):
            continue
        if name not in page:
            wrong.append(name)
            continue
        for matcher in MATCHER.finditer(found["labels"] or ""):
            label = matcher["label"]
            if label in ("job", "instance"):
                continue
            values = {labels.get(label, "") for labels in page[name]}
            for value in matcher["value"].split("|") if "~" in matcher["way"] else [matcher["value"]]:
                if value not in values:
                    wrong.append(f'{name}{{{label}="{value}"}}')
    return wrong


@pytest.mark.slow
def test_the_daemon_exports_whatever_they_ask_for(tmp_path: Path) -> None:
    sinks = {"url": "http://127.0.0.1:1/", "kind": "alertmanager"}
    with mirror("truth") as port, daemon(tmp_path, [port.near], **{"sinks.soc": sinks}) as running:
        port.send([frame for _, frame in intruder_by_sip("truth", "eve")])
        running.wait(running.alerts, "an alert")
        running.wait(lambda: running.metric('joinwatch_work_total{what="sip_messages"}'), "counts of the stages")
        time.sleep(1.0)
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    page = page_of(text)
    wrong = {name: unknown for name, expr in expressions().items() if (unknown := unknown_in(expr, page))}
    assert not wrong
    assert len(expressions()) > 40


@pytest.mark.slow
def test_a_new_life_counts_anew_and_knows_what_was(tmp_path: Path) -> None:
    """What the cases called `restart` take for granted."""
    series = '{rule="uninvited-participant",severity="high"}'
    names = ("joinwatch_alerts_total", "joinwatch_alert_last_timestamp_seconds", "joinwatch_alerts_active")

    def now(running: Daemon) -> list[float | None]:
        return [running.metric(f"{name}{series}") for name in names] + [running.metric("process_start_time_seconds")]

    with mirror("life") as port, daemon(tmp_path, [port.near]) as running:
        assert now(running)[:3] == [0.0, 0.0, 0.0]
        port.send([frame for _, frame in intruder_by_sip("life", "eve")])
        running.wait(lambda: now(running)[0] == 1.0, "a count")
        before = now(running)
        time.sleep(1.1)  # so long do two births differ at least
        running.kill("serve")
        running.wait(lambda: (now(running)[1] or 0) > 0, "what was remembered")
        after = now(running)
    assert before[0] == 1.0
    assert after[0] == 0.0
    assert after[1] == before[1]
    assert after[2] == before[2] == 1.0
    assert (after[3] or 0) > (before[3] or 0)


def test_a_name_or_label_that_is_not_there_is_found() -> None:
    page = page_of('joinwatch_x_total{what="a"} 1\njoinwatch_x_total{what="b"} 1\n')
    assert unknown_in('increase(joinwatch_x_total{what=~"a|b"}[5m])', page) == []
    assert unknown_in('increase(joinwatch_x_total{what=~"a|c"}[5m])', page) == ['joinwatch_x_total{what="c"}']
    assert unknown_in("joinwatch_y > 0 and joinwatch_x_total", page) == ["joinwatch_y"]


def test_a_new_rule_falls_through_to_the_alert_for_unknown_ones() -> None:
    """The daemon of tomorrow: its rule is a label that only `other-detection` matches."""
    metrics = Metrics(rules=[*rule_infos(), RuleInfo(name="new", severities=(Severity.LOW,), attack="", summary="")])
    rules_there = {labels["rule"] for labels in page_of(metrics.text().decode())["joinwatch_alerts_total"]}
    other = next(expr for name, expr in expressions().items() if name.startswith("JoinwatchOtherDetection"))
    known = set(re.findall(r'rule!~"([^"]*)"', other)[0].split("|"))
    assert rules_there - known == {"new", "other"}
    assert known == {entry.name for entry in catalogue().detections}


def test_the_fetchers_write_what_is_asked_of_them(tmp_path: Path) -> None:
    from monitor.fetch.runs import Outcome, write_textfile

    write_textfile(tmp_path / "fetch.prom", "people", Outcome(entries=1))
    page = page_of((tmp_path / "fetch.prom").read_text(encoding="utf-8"))
    asked = {
        found["name"]
        for expr in expressions().values()
        for found in SERIES.finditer(expr)
        if found["name"].startswith(BY_NODE_EXPORTER)
    }
    assert asked
    assert asked <= set(page)
