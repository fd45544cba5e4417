"""What Grafana would ask of Prometheus: the dashboards read, their variables filled in, their queries sent."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from deploy.grafana.proof.prometheus import JOB, Prometheus

DASHBOARDS = Path(__file__).resolve().parents[1] / "dashboards"
EVERYTHING = ".*"
"""What stands for a variable of which nothing is known."""
SCRAPES_IN_RATE = 4
PIXELS_IN_COLUMN = 45
"""Of a wide screen: Grafana asks for as many points as a panel has pixels."""
NICE_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


class Span(NamedTuple):
    """What the time picker says, in seconds since 1970; and how often Prometheus scrapes."""

    begin: float
    end: float
    scrape: float


class Answer(NamedTuple):
    """What one query of a panel gave."""

    ref: str
    legend: str
    expr: str
    series: list[Any]
    """Of Prometheus: `metric` with `values` or `value`."""
    step: float


def read() -> dict[str, dict[str, Any]]:
    """The committed dashboards, by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All that are no rows."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def targets(panel: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its queries."""
    return list(panel.get("targets") or [])


def step_of(panel: Mapping[str, Any], span: Span) -> float:
    """Seconds between two points: as many as the panel is wide, in round numbers, and not below its least."""
    least = _seconds(panel.get("interval") or f"{span.scrape}s")
    wanted = (span.end - span.begin) / (panel["gridPos"]["w"] * PIXELS_IN_COLUMN)
    rounded = next((step for step in NICE_STEPS if step >= wanted), NICE_STEPS[-1])
    return max(least, rounded)


def filled_in(expr: str, span: Span, step: float, chosen: Mapping[str, str]) -> str:
    """The query as Grafana sends it. `chosen` has values of the dashboard's variables; the others are *All*, of which
    that of the jobs is the one job of joinwatch.
    """
    whole = span.end - span.begin
    rate = max(step + span.scrape, SCRAPES_IN_RATE * span.scrape)
    values = {
        "__interval": _duration(step),
        "__interval_ms": f"{step * 1000:.0f}",
        "__rate_interval": _duration(rate),
        "__rate_interval_ms": f"{rate * 1000:.0f}",
        "__range": _duration(whole),
        "__range_s": f"{whole:.0f}",
        "__from": f"{span.begin * 1000:.0f}",
        "__to": f"{span.end * 1000:.0f}",
    }

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return values.get(name) or chosen.get(name, JOB if name == "job" else EVERYTHING)

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, expr)


def ask(
    panel: Mapping[str, Any], prometheus: Prometheus, span: Span, chosen: Mapping[str, str] | None = None
) -> list[Answer]:
    """What each query of the panel gives."""
    step = step_of(panel, span)
    answers = []
    for target in targets(panel):
        expr = filled_in(target["expr"], span, step, chosen or {})
        if target.get("instant"):
            series = prometheus.instant(expr, span.end)
        else:
            series = prometheus.over(expr, span.begin, span.end, step)
        answers.append(Answer(target["refId"], target.get("legendFormat", ""), expr, series, step))
    return answers


def marks(dashboard: Mapping[str, Any], prometheus: Prometheus, span: Span) -> list[tuple[dict[str, Any], list[Any]]]:
    """What each annotation of the dashboard gives."""
    found = []
    for annotation in dashboard["annotations"]["list"]:
        step = _seconds(annotation.get("step") or "60s")
        expr = filled_in(annotation["expr"], span, step, {})
        found.append((annotation, prometheus.over(expr, span.begin, span.end, min(step, span.scrape * 2))))
    return found


def name_of(answer: Answer, labels: Mapping[str, str]) -> str:
    """What a series is called in the legend."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), answer.legend)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms"


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    found = re.fullmatch(r"([\d.]+)(ms|s|m|h|d)", text)
    if found is None:
        raise ValueError(f"{text} is no length of time")
    return float(found[1]) * units[found[2]]
