"""Prometheus' rules, made from the catalogue.

Whether an alert of a detection is *fresh* is worked out once, for all of them, by a recording rule. It must hold for
counters that start anew with each life of the daemon, for an alert that was counted before the first scrape of a life,
for clocks that differ, for campaigns that are told when their first try is long ago, and for scrapes that were missed.
"""

import re
from typing import Any

import yaml

from deploy.catalogue.entries import Catalogue, Condition, Entry

FRESH = "joinwatch:alert_fresh"
FRESH_EXPR = """\
(
  # It was seen just now. The daemon knows this also behind a restart; 0 is never.
  abs(time() - (joinwatch_alert_last_timestamp_seconds > 0)) < 900
or
  # It was counted just now, whatever the clocks say and whenever the campaign began.
  increase(joinwatch_alerts_total[15m]) > 0
or
  # A life that began just now has counted it: perhaps before its first scrape, so that no increase is seen.
  joinwatch_alerts_total > 0 and on (job, instance) abs(time() - process_start_time_seconds) < 900
or
  # Nobody had asked this daemon for ten minutes: then all that stands is news.
  joinwatch_alerts_active > 0 unless on (job, instance) present_over_time(joinwatch_build_info[10m] offset 5m)
) * 0 + 1
"""
MACRO = re.compile(r"GREW\((?P<series>[^()]*), (?P<minutes>\d+)m\)")
"""A counter that grew: between two scrapes, or in a new life before its first one."""
HEADER = "# Made by `python -m deploy.catalogue` from deploy/catalogue: change it there.\n"
BLIND_QUERY = (
    '{{- $blind := printf `group by (alertname) (present_over_time(ALERTS{kind="blindness",instance=%q}[1h])'
    ' or present_over_time(ALERTS{kind="blindness",instance=""}[1h]))`'
    ' $labels.instance | query | sortByLabel "alertname" -}}'
)
"""Ways of being blind within the hour, pending ones too; those without an instance are everybody's."""
BLIND = {
    "en": (
        "In the last hour this sensor saw less than it should: ",
        ". What it did not see is not in this alert.",
        "Nothing is known to have been missed in the last hour.",
    ),
    "nl": (
        "In het afgelopen uur zag deze sensor minder dan hij moet: ",
        ". Wat hij niet zag, staat niet in deze melding.",
        "Voor zover bekend is er het afgelopen uur niets gemist.",
    ),
}


def expanded(expr: str, told: Catalogue) -> str:
    """An expression of the catalogue as Prometheus reads it."""
    known = "|".join(entry.name for entry in told.detections)

    def grew(found: re.Match[str]) -> str:
        series, minutes = found["series"], int(found["minutes"])
        return (
            f"(increase({series}[{minutes}m]) > 0 or {series} > 0"
            f" and on (job, instance) abs(time() - process_start_time_seconds) < {minutes * 60})"
        )

    return MACRO.sub(grew, expr).replace("$JOB", told.settings.job).replace("$KNOWN", known).strip()


def blind_meanwhile(language: str) -> str:
    """The annotation of a detection that tells how well the sensor saw."""
    before, behind, well = BLIND[language]
    names = "{{ range $i, $one := $blind }}{{ if $i }}, {{ end }}{{ $one.Labels.alertname }}{{ end }}"
    return f"{BLIND_QUERY}{{{{ if $blind }}}}{before}{names}{behind}{{{{ else }}}}{well}{{{{ end }}}}"


def annotations_of(entry: Entry, base: str, severity: str = "{{ $labels.severity }}") -> dict[str, str]:
    """What whoever is called reads first. Only detections have their severity from the daemon."""
    said = {}
    for language, ending in (("en", ""), ("nl", "_nl")):
        text = entry.text(language)
        for field in ("summary", "description"):
            said[f"{field}{ending}"] = str(getattr(text, field)).strip().replace("{{ $labels.severity }}", severity)
        if entry.is_detection:
            said[f"blind_meanwhile{ending}"] = blind_meanwhile(language)
        said[f"runbook_url{ending}"] = f"{base.rstrip('/')}/{'nl/' if ending else ''}{entry.name}.md"
    return said


def detection_rule(told: Catalogue, entry: Entry) -> dict[str, Any]:
    """The rule of a detection: its severities are labels of the daemon's own."""
    return {
        "alert": entry.alert,
        "expr": f'{FRESH}{{rule="{entry.name}"}} > 0',
        "labels": {"kind": "detection"},
        "annotations": annotations_of(entry, told.settings.runbooks),
    }


def blindness_rule(told: Catalogue, entry: Entry, condition: Condition) -> dict[str, Any]:
    """The rule of a way of being blind."""
    timing = {"for": condition.wait, "keep_firing_for": condition.keep}
    return {
        "alert": entry.alert,
        "expr": expanded(condition.expr, told),
        **{key: value for key, value in timing.items() if value},
        "labels": {"severity": condition.severity, "kind": entry.kind},
        "annotations": annotations_of(entry, told.settings.runbooks, condition.severity),
    }


def documents(told: Catalogue) -> dict[str, dict[str, Any]]:
    """Each file of rules, by its name."""
    detections = [detection_rule(told, entry) for entry in told.detections]
    blindness = [blindness_rule(told, entry, condition) for entry in told.blindness for condition in entry.alerts]
    fresh = {"record": FRESH, "expr": FRESH_EXPR}
    return {
        "joinwatch-detections.rules.yml": {"groups": [{"name": "joinwatch-detections", "rules": [fresh, *detections]}]},
        "joinwatch-blindness.rules.yml": {"groups": [{"name": "joinwatch-blindness", "rules": blindness}]},
    }


class _Lines(yaml.SafeDumper):
    """Long texts as blocks, so that people can read and compare them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Lines.add_representer(str, _text)


def as_yaml(document: dict[str, Any]) -> str:
    """The document as a file."""
    return HEADER + yaml.dump(document, Dumper=_Lines, sort_keys=False, allow_unicode=True, width=1000)
