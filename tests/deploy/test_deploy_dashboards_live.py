"""The dashboards' queries on a real Prometheus, which scrapes a daemon with a short day behind it; and on promtool."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from deploy.grafana.generator import queries
from deploy.grafana.pictures.compose import picture
from deploy.grafana.pictures.theme import DARK
from deploy.grafana.proof import grafana
from deploy.grafana.proof.grafana import Answer, Span
from deploy.grafana.proof.prometheus import PLACES, Prometheus, program, prometheus
from tests.corpus import ROOT
from tests.daemon.stage import Daemon, needs_root

DAY_SECONDS = 5.0
ROLES = {"capture", "decode", "serve"}
DASHBOARDS = grafana.read()
PNG = b"\x89PNG\r\n\x1a\n"


class Proof(NamedTuple):
    """Who was asked, and about when."""

    prometheus: Prometheus
    span: Span
    daemon: Daemon

    def ask(self, dashboard: str, panel: int) -> list[Answer]:
        """With bars as narrow as the scrapes, for the day is short."""
        (found,) = [one for one in grafana.panels(DASHBOARDS[dashboard]) if one["id"] == panel]
        return grafana.ask({**found, "interval": "1s"}, self.prometheus, self.span)


def _scraped(asked: Prometheus) -> tuple[float, ...]:
    """Alerts and joins, by the newest scrape."""
    names = ("joinwatch_alerts_total", "joinwatch_joins_total")
    return tuple(float(one["value"][1]) for name in names for one in asked.instant(f"sum({name})", time.time()))


def _told(daemon: Daemon) -> tuple[float, ...]:
    """The same, by the journal."""
    journal = daemon.journal()
    return tuple(float(len({one["id"] for one in journal if one["type"] == kind})) for kind in ("alert", "join"))


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    needs_root()
    if program() is None:
        pytest.skip("there is no Prometheus: make counterparts")
    from deploy.grafana.proof.story import INSTANCE, on_stage

    folder = tmp_path_factory.mktemp("day")
    with (
        on_stage(folder / "daemon", DAY_SECONDS, "jwdash") as (daemon, day),
        prometheus(folder / "prometheus", daemon.port, INSTANCE, 1, ROOT / "deploy" / "prometheus") as asked,
    ):
        daemon.start()
        begun = asked.wait()
        day.play()
        time.sleep(1.1)
        daemon.wait(lambda: _scraped(asked) == _told(daemon), "a scrape with all alerts")
        yield Proof(asked, Span(begun - 1, time.time(), 1.0), daemon)


def test_every_query_of_every_panel_gives_data(proof: Proof) -> None:
    silent = [
        f"{name} {panel['title']}: {answer.expr}"
        for name, dashboard in DASHBOARDS.items()
        for panel in grafana.panels(dashboard)
        for answer in proof.ask(name, panel["id"])
        if not answer.series
    ]
    assert silent == []


def test_marks_are_where_things_happened(proof: Proof) -> None:
    begun = proof.prometheus.instant('process_start_time_seconds{job="joinwatch"} * 1000', proof.span.end)
    for dashboard in DASHBOARDS.values():
        found = {mark["name"]: series for mark, series in grafana.marks(dashboard, proof.prometheus, proof.span)}
        (serve,) = next(series for name, series in found.items() if "anew" in name)
        assert serve["values"][-1][1] == begun[0]["value"][1]
    marks = grafana.marks(DASHBOARDS["incident"], proof.prometheus, proof.span)
    alerts = {one["metric"]["rule"] for mark, series in marks if mark["name"] == "Alerts" for one in series}
    assert {"uninvited-participant", "meeting-enumeration"} <= alerts <= {rule for rule, _ in proof.daemon.alerts()}


def test_numbers_are_those_of_the_journal(proof: Proof) -> None:
    journal = proof.daemon.journal()
    raised = {one["id"] for one in journal if one["type"] == "alert"}
    (table, *_) = proof.ask("meetings", 10)
    assert sum(float(one["value"][1]) for one in table.series) == len(raised)
    joined = {one["id"] for one in journal if one["type"] == "join"}
    (joins,) = proof.ask("meetings", 5)
    assert float(joins.series[0]["value"][1]) == len(joined)


def test_every_alert_is_an_exemplar_that_leads_to_the_journal(proof: Proof) -> None:
    (bars,) = proof.ask("incident", 5)
    found = {
        exemplar["labels"]["alert_id"]
        for series in proof.prometheus.exemplars(bars.expr, proof.span.begin, proof.span.end)
        for exemplar in series["exemplars"]
    }
    assert found
    assert found <= {one["id"] for one in proof.daemon.journal() if one["type"] == "alert"}


def test_what_broke_that_day_is_seen(proof: Proof) -> None:
    states = {answer.legend: [value for _, value in answer.series[0]["values"]] for answer in proof.ask("sensor", 3)}
    assert "0" in states["lists are new"], "a calendar was broken"
    assert states["lists are new"][-1] == "1", "and mended"
    assert "0" in states["loses nothing"], "nobody read for a moment"
    assert "1" in states["reached"]
    read = proof.prometheus.instant('joinwatch_frames_total{class="decoded"}', proof.span.end)
    assert float(read[0]["value"][1]) > 100
    offered = proof.prometheus.instant('joinwatch_events_total{kind="call_offered"}', proof.span.end)
    assert float(offered[0]["value"][1]) > 10


def test_a_sensor_that_is_not_there_cannot_be_trusted(proof: Proof) -> None:
    (panel,) = [one for one in grafana.panels(DASHBOARDS["meetings"]) if one["id"] == 1]
    expr = panel["targets"][0]["expr"]
    asked = grafana.filled_in(expr, proof.span, 1.0, {"instance": "nobody"})
    assert proof.prometheus.instant(asked, proof.span.end)[0]["value"][1] == "0"


def test_other_programs_of_that_prometheus_are_no_sensors(proof: Proof) -> None:
    jobs = {one["metric"]["job"] for one in proof.prometheus.instant("process_resident_memory_bytes", proof.span.end)}
    assert jobs == {"joinwatch", "prometheus"}
    (memory,) = proof.ask("sensor", 40)
    assert [one["metric"]["instance"] for one in memory.series] == ["sensor-1"] * len(ROLES)
    assert {one["metric"]["role"] for one in memory.series} == ROLES
    expressions = [
        answer.expr
        for dashboard in DASHBOARDS.values()
        for panel in grafana.panels(dashboard)
        for answer in grafana.ask(panel, proof.prometheus, proof.span)
    ]
    assert not [expr for expr in expressions if 'job=~"joinwatch"' not in expr]


def test_an_incident_can_be_narrowed_to_a_rule(proof: Proof) -> None:
    (panel,) = [one for one in grafana.panels(DASHBOARDS["incident"]) if one["id"] == 1]
    answers = grafana.ask(panel, proof.prometheus, proof.span, {"rule": "uninvited-participant", "severity": "high"})
    assert {one["metric"]["rule"] for answer in answers for one in answer.series} == {"uninvited-participant"}


def test_a_picture_is_drawn(proof: Proof) -> None:
    drawn = picture(DASHBOARDS["incident"], proof.prometheus, proof.span, "All", DARK)
    assert drawn.startswith(PNG)
    assert 20_000 < len(drawn) < 300_000


# Bars: whole numbers at every scrape interval


EVENTS = (7, 7, 9, 25, 26, 27, 28, 41, 49, 51, 55)
"""Minutes in which an alert was raised; two in one of them."""
MINUTES = 72
FIRST = 33
"""The minute in which a second sensor is first scraped: two alerts were raised before that, in two seconds."""
OFFSET = 7
"""Seconds: Prometheus scrapes each target at moments of its own, so that no edge of a bar is one of them."""
RESTART = 50
"""The minute in which the counter begins anew."""


def samples(scrape: int) -> str:
    """A counter that grows with the events, scraped so often, and falls to zero with the restart."""
    values = []
    for second in range(0, MINUTES * 60, scrape):
        minute = second / 60
        since = RESTART if minute >= RESTART else -1
        values.append(sum(since < event <= minute for event in EVENTS))
    return " ".join(map(str, values))


def births(scrape: int) -> str:
    """When the process began that is scraped."""
    return " ".join(str(RESTART * 60 if at >= RESTART * 60 else -9999) for at in range(0, MINUTES * 60, scrape))


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("scrape", [15, 30, 60])
def test_a_bar_counts_each_event_once(tmp_path: Path, scrape: int, step: int) -> None:
    promtool = shutil.which("promtool", path=PLACES)
    if promtool is None:
        pytest.skip("there is no promtool: make counterparts")
    span = Span(0.0, MINUTES * 60.0, float(scrape))
    expr = grafana.filled_in(queries.counted("joinwatch_alerts_total", by="rule"), span, step * 60.0, {})
    cases: list[dict[str, Any]] = []
    for end in range(2 * step, MINUTES, step):
        count = sum(end - step < event <= end for event in EVENTS)
        expected = [{"labels": f'{{rule="{queries.NOTHING}"}}', "value": 0}]
        if count:
            expected.append({"labels": '{rule="pin-bypass"}', "value": count})
        if end - step < FIRST <= end:
            expected.append({"labels": '{rule="unscheduled-meeting"}', "value": 2})
        cases.append({"expr": expr, "eval_time": f"{end * 60 + OFFSET}s", "exp_samples": expected})
    sensor = '{job="joinwatch", instance="a"}'
    series = f'joinwatch_alerts_total{sensor[:-1]}, rule="pin-bypass", severity="high"}}'
    newcomer = 'joinwatch_alerts_total{job="joinwatch", instance="b", rule="unscheduled-meeting", severity="low"}'
    document = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": f"{scrape}s",
                "input_series": [
                    {"series": series, "values": samples(scrape)},
                    {"series": f"process_start_time_seconds{sensor}", "values": births(scrape)},
                    {"series": newcomer, "values": f"_x{FIRST * 60 // scrape} 2x100"},
                    {
                        "series": 'process_start_time_seconds{job="joinwatch", instance="b"}',
                        "values": f"_x{FIRST * 60 // scrape} {FIRST * 60 - 2}x100",
                    },
                ],
                "promql_expr_test": cases,
            }
        ],
    }
    path = tmp_path / "bars.test.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
