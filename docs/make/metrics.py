"""`docs/metrics.md`: every family of replay, daemon and fetcher, as its collector gives it, with its labels."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from docs.make.words import MADE, cell, table
from monitor.model.alerts import Severity
from monitor.outputs.metrics import Metrics
from monitor.platforms import known_platforms

if TYPE_CHECKING:
    from prometheus_client.core import Metric

METRICS_INTRO = """\
# Metrics

{made}

What `/metrics` of the daemon ([paths](http.md)), `--metrics-listen` and `--metrics-textfile` of a replay, and the
`textfile` of a fetcher tell. Every series of a closed list is there at zero from the start, so `increase()` sees the
first alert. All label values come from closed lists or from the operator's own configuration: no person, number,
address, call or meeting is in one. Times are seconds since 1970; of alerts and events they are packet time.
"""
ELSEWHERE = {
    "rule": "those of [rules](rules.md), and `other`",
    "platform": "those of `joinwatch platforms`, and `other`",
    "class": "[what became of a frame](what-it-sees.md#where-the-frames-of-a-capture-went)",
    "what": "the counts of the journal's summary, which may change with any version",
    "table": "those of [limits.md](limits.md); of `joinwatch_metrics_evictions_total` the metrics' own, `alerts` and"
    " `participants`",
    "envelope": "those of [what it sees](what-it-sees.md#envelopes)",
    "interface": "those of `[capture]`",
    "sink": "the names of `[sinks.NAME]`",
    "version": "joinwatch's own",
}
"""Where the values of a label are told, of those that have many or are the operator's."""


def metrics_page() -> str:
    """`docs/metrics.md`."""
    sections = {
        "Of the daemon and of a replay": families(),
        "Of the daemon alone": daemon_families(),
        "Of a fetcher": fetcher_families(),
    }
    found = [family for section in sections.values() for family in section]
    assert len({family.name for family in found}) == len(found)
    parts = [METRICS_INTRO.format(made=MADE)]
    for heading, section in sections.items():
        rows = [
            (f"`{_name_of(family)}`", family.type, ", ".join(f"`{label}`" for label in _labels_of(family)), about)
            for family in section
            for about in [cell(family.documentation)]
        ]
        parts.append(f"## {heading}\n\n{table(('name', 'type', 'labels', 'tells'), *rows)}\n")
    parts.append("`process_*` are the usual ones of the process that answers.\n")
    labels = sorted({label for family in found for label in _labels_of(family)})
    values = [(f"`{label}`", _values_of(label, found)) for label in labels]
    parts.append(f"## Labels\n\n{table(('label', 'values'), *values)}\n")
    return "\n".join(parts)


def families() -> list["Metric"]:
    """What is told wherever metrics are."""
    from monitor.detections import rule_infos
    from monitor.pipeline import Replay, captures_of, load_expected

    counts = Replay(captures_of([]), load_expected(), []).summary().counts
    return list(Metrics(rules=rule_infos(), platforms=known_platforms(), counts=counts).collect())


def daemon_families() -> list["Metric"]:
    """What the daemon adds, of one interface and one sink."""
    from monitor.daemon.endpoints import WebCounts
    from monitor.daemon.messages import Traffic
    from monitor.daemon.quiet import Quiet
    from monitor.daemon.spool import SinkVitals
    from monitor.daemon.vitals import Vitals
    from monitor.outputs.web import COUNTS

    vitals = Vitals(["eth1"])
    vitals.hear("decoder", {"eth1": Traffic(received=0, dropped=0, taken=0, up=True)})
    with tempfile.TemporaryDirectory() as folder:
        sinks = list(SinkVitals(Path(folder), ["soc"], Path(folder)).collect())
    web = WebCounts(lambda: dict.fromkeys(COUNTS, 0))
    return [*vitals.collect(), *web.collect(), *sinks, *Quiet(None, print).collect()]


def fetcher_families() -> list["Metric"]:
    """What a fetcher writes for node_exporter."""
    from prometheus_client.parser import text_string_to_metric_families

    from monitor.fetch.runs import Outcome, What, write_textfile

    found: dict[str, Metric] = {}
    with tempfile.TemporaryDirectory() as folder:
        for what in get_args(What):
            path = Path(folder) / f"{what}.prom"
            write_textfile(path, what, Outcome())
            for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
                found.setdefault(family.name, family).samples.extend(family.samples)
    return list(found.values())


def _name_of(family: "Metric") -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels_of(family: "Metric") -> list[str]:
    return list(dict.fromkeys(label for sample in family.samples for label in sample.labels))


def _values_of(label: str, found: Iterable["Metric"]) -> str:
    """All of them, but for labels whose values are told elsewhere or are the operator's."""
    if label in ELSEWHERE:
        return ELSEWHERE[label]
    if label == "severity":
        return ", ".join(f"`{severity}`" for severity in Severity)
    by_family = {
        _name_of(family): tuple(dict.fromkeys(sample.labels[label] for sample in family.samples))
        for family in found
        if label in _labels_of(family)
    }
    # Named for each metric where two share a label and mean different things by it.
    told = {values: f" (`{name}`)" if len(set(by_family.values())) > 1 else "" for name, values in by_family.items()}
    return "; ".join(", ".join(f"`{value}`" for value in values) + name for values, name in told.items())
