"""Tests for promtool, made from the catalogue: each alert fires, stays silent, and outlives restarts and lost targets,
at scrape intervals of 15, 30 and 60 s.

A series is written in minutes: `0x20 1x40` is 0 for twenty and then 1 for forty; `5+2x10` grows by 2 a minute;
`_x3` is a target that does not answer. Each case has an instance of its own, so that many fit into one test.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from deploy.catalogue.entries import Catalogue, Entry, Mistake
from deploy.catalogue.rules import HEADER

INTERVALS = (15, 30, 60)
PART = re.compile(r"(?P<begin>_|-?\d+(?:\.\d+)?)(?:\+(?P<slope>\d+(?:\.\d+)?))?x(?P<minutes>\d+)")
FOREVER = 100_000
"""Seconds: a process that began so long before the test began long ago."""
ALWAYS = {"up": "1x{minutes}", "process_start_time_seconds": f"-{FOREVER}x{{minutes}}"}
"""What is so unless a case says otherwise."""
LONG_MINUTES = 30
KINDS = ("fires", "silent", "restart", "missing")

TOTAL, LAST, ACTIVE = "joinwatch_alerts_total", "joinwatch_alert_last_timestamp_seconds", "joinwatch_alerts_active"
START, UP, BUILD = "process_start_time_seconds", "up", "joinwatch_build_info"
DETECTION_MINUTES = 60
OLD = f"-{FOREVER}"
DETECTION_CASES: dict[str, tuple[dict[str, str], dict[int, bool]]] = {
    # What the daemon exports when somebody was in for one second, at minute 20; and when an alert fires.
    "fires": (
        {TOTAL: "0x20 1x40", LAST: "0x20 1195x40", ACTIVE: "0x20 1x40"},
        {19: False, 20: True, 21: True, 33: True, 37: False},
    ),
    "silent": ({TOTAL: "0x60", LAST: "0x60", ACTIVE: "0x60"}, {1: False, 30: False, 59: False}),
    "silent-long-ago": ({TOTAL: "3x60", LAST: "30x60", ACTIVE: "0x60"}, {20: False, 59: False}),
    "fires-again": (
        {TOTAL: "0x5 1x20 2x35", LAST: "0x5 299x20 1499x35", ACTIVE: "0x5 1x20 2x35"},
        {6: True, 22: False, 25: True, 42: False},
    ),
    # Seen again, and not counted again: the same cause, still there.
    "fires-seen-again": (
        {TOTAL: "1x60", LAST: "30x30 1795x30", ACTIVE: "0x30 1x30"},
        {29: False, 31: True, 47: False},
    ),
    # It began long before it was known for what it was, as a slow campaign does: its time is old.
    "fires-late": ({TOTAL: "0x20 1x40", LAST: "0x20 60x40", ACTIVE: "0x60"}, {19: False, 21: True, 37: False}),
    "fires-clock-ahead": (
        {TOTAL: "0x20 1x40", LAST: "0x20 90000x40", ACTIVE: "0x20 1x40"},
        {19: False, 21: True, 37: False},
    ),
    "fires-clock-behind": (
        {TOTAL: "0x30 1x30", LAST: "0x30 5x30", ACTIVE: "0x30 1x30"},
        {29: False, 31: True, 47: False},
    ),
    # A new life: counts begin anew, times do not.
    "restart": (
        {
            TOTAL: "1x30 _x2 0x28",
            LAST: "60x30 _x2 60x28",
            ACTIVE: "1x30 _x2 1x28",
            START: f"{OLD}x30 _x2 1900x28",
            UP: "1x30 0x2 1x28",
            BUILD: "1x30 _x2 1x28",
        },
        {29: False, 33: False, 40: False, 47: False},
    ),
    "restart-long": (
        {
            TOTAL: "1x10 _x20 0x30",
            LAST: "60x10 _x20 60x30",
            ACTIVE: "1x10 _x20 0x30",
            START: f"{OLD}x10 _x20 1700x30",
            UP: "1x10 0x20 1x30",
            BUILD: "1x10 _x20 1x30",
        },
        {31: False, 40: False, 47: False},
    ),
    # An alert that the new life has counted before its first scrape: to Prometheus the count is as it was.
    "restart-counted": (
        {
            TOTAL: "1x30 _x2 1x28",
            LAST: "60x30 _x2 1910x28",
            ACTIVE: "1x60",
            START: f"{OLD}x30 _x2 1900x28",
            UP: "1x30 0x2 1x28",
            BUILD: "1x30 _x2 1x28",
        },
        {29: False, 33: True, 50: False},
    ),
    "restart-counted-late": (
        {
            TOTAL: "1x30 _x2 1x28",
            LAST: "60x30 _x2 70x28",
            ACTIVE: "0x60",
            START: f"{OLD}x30 _x2 1900x28",
            UP: "1x30 0x2 1x28",
            BUILD: "1x30 _x2 1x28",
        },
        {29: False, 33: True, 50: False},
    ),
    # The first life of all, with an alert before its first scrape.
    "restart-born": (
        {
            TOTAL: "_x20 1x40",
            LAST: "_x20 1195x40",
            ACTIVE: "_x20 1x40",
            START: "_x20 1190x40",
            UP: "_x20 1x40",
            BUILD: "_x20 1x40",
        },
        {21: True, 37: False},
    ),
    # The sensor dies behind the alert, as an intruder would have it.
    "missing": (
        {
            TOTAL: "0x20 1x1 _x39",
            LAST: "0x20 1195x1 _x39",
            ACTIVE: "0x20 1x1 _x39",
            START: f"{OLD}x21 _x39",
            UP: "1x21 0x39",
            BUILD: "1x21 _x39",
        },
        {21: True, 30: True, 38: False},
    ),
    "missing-scrapes": (
        {
            TOTAL: "0x19 _x4 1x37",
            LAST: "0x19 _x4 1195x37",
            ACTIVE: "0x19 _x4 1x37",
            START: f"{OLD}x19 _x4 {OLD}x37",
            UP: "1x19 0x4 1x37",
            BUILD: "1x19 _x4 1x37",
        },
        {23: True, 24: True, 40: False},
    ),
    # Prometheus itself was away, for longer than an alert is fresh.
    "missing-prometheus": (
        {
            TOTAL: "0x15 _x25 1x20",
            LAST: "0x15 _x25 1195x20",
            ACTIVE: "0x15 _x25 1x20",
            START: f"{OLD}x15 _x25 {OLD}x20",
            UP: "1x15 _x25 1x20",
            BUILD: "1x15 _x25 1x20",
        },
        {41: True, 42: True, 48: False, 55: False},
    ),
}


def values_of(text: str, interval: int) -> str:
    """A series in promtool's notation, scraped so often."""
    said: list[str] = []
    for word in text.split():
        part = PART.fullmatch(word)
        if part is None:
            raise Mistake(f"{word!r} is no part of a series")
        samples = int(part["minutes"]) * 60 // interval
        if samples == 0:
            continue
        if part["begin"] == "_":
            # A scrape that fails marks each series as gone.
            said += ["stale"] if said else ["_"]
            said += [f"_x{samples - 1}"] if samples > 1 else []
        else:
            slope = float(part["slope"] or 0) * interval / 60
            said.append(f"{part['begin']}+{slope:g}x{samples - 1}")
    return " ".join(said)


def minutes_of(series: Mapping[str, str]) -> int:
    """How long it lasts."""
    return max(sum(int(found["minutes"]) for found in PART.finditer(text)) for text in series.values())


def input_of(series: Mapping[str, str], instance: str, job: str, interval: int) -> list[dict[str, str]]:
    """The input of one case, with its instance, and with what always is."""
    minutes = minutes_of(series)
    names = {name.partition("{")[0] for name in series}
    always = {name: text.format(minutes=minutes) for name, text in ALWAYS.items() if name not in names}
    given = []
    for name, text in {**series, **always}.items():
        metric, _, labels = name.replace("'", '"').partition("{")
        inside = labels.removesuffix("}")
        own = "" if "instance=" in inside else f'job="{job}",instance="{instance}"'
        labelled = ",".join(filter(None, (own, inside)))
        given.append({"series": f"{metric}{{{labelled}}}", "values": values_of(text, interval)})
    return given


def expectation(entry_alert: str, instance: str, minute: int, severities: tuple[str, ...]) -> dict[str, Any]:
    """Which severities of this alert fire for that instance at that minute."""
    chosen = f'alertname="{entry_alert}",instance=~"{instance}|",alertstate="firing"'
    samples = [
        {"labels": f'{{alertname="{entry_alert}", severity="{severity}"}}', "value": 1} for severity in severities
    ]
    return {
        "expr": f"group by (alertname, severity) (ALERTS{{{chosen}}})",
        "eval_time": f"{minute}m",
        "exp_samples": samples,
    }


def _all_detections(told: Catalogue, only: str = "") -> list[tuple[Entry, str]]:
    listed = [entry for entry in told.detections if only in ("", entry.name)]
    return [(entry, severity) for entry in listed for severity in told.severities[entry.name]]


def detection_test(told: Catalogue, interval: int, only: str = "") -> dict[str, Any]:
    """Each case, for all detections together or this one."""
    given, expected = [], []
    of_rule = (TOTAL, LAST, ACTIVE)
    pairs = _all_detections(told, only)
    for case, (series, moments) in DETECTION_CASES.items():
        of_rules = {
            f"{metric}{{rule='{entry.name}',severity='{severity}'}}": series[metric]
            for entry, severity in pairs
            for metric in of_rule
        }
        of_all = {metric: text for metric, text in series.items() if metric not in of_rule}
        given += input_of({BUILD: f"1x{DETECTION_MINUTES}", **of_all, **of_rules}, case, told.settings.job, interval)
        for minute, fires in moments.items():
            for entry in dict.fromkeys(entry for entry, _ in pairs):
                severities = told.severities[entry.name] if fires else ()
                expected.append(expectation(entry.alert, case, minute, tuple(sorted(severities))))
    return _test(interval, given, expected)


def alone_test(told: Catalogue, interval: int) -> dict[str, Any]:
    """Each detection alone in each of its severities: then nothing else may fire."""
    given, expected = [], []
    for alone, how_bad in _all_detections(told):
        instance = f"only-{alone.name}-{how_bad}"
        series = {BUILD: "1x30"}
        for entry, severity in _all_detections(told):
            labels = f"{{rule='{entry.name}',severity='{severity}'}}"
            is_it = (entry.name, severity) == (alone.name, how_bad)
            series[TOTAL + labels] = series[ACTIVE + labels] = "0x20 1x10" if is_it else "0x30"
            series[LAST + labels] = "0x20 1195x10" if is_it else "0x30"
        given += input_of(series, instance, told.settings.job, interval)
        labels = f'{{alertname="{alone.alert}", rule="{alone.name}", severity="{how_bad}"}}'
        expected.append(
            {
                "expr": f'group by (alertname, rule, severity) (ALERTS{{kind="detection",instance="{instance}"}})',
                "eval_time": "21m",
                "exp_samples": [{"labels": labels, "value": 1}],
            }
        )
    return _test(interval, given, expected)


def blindness_test(told: Catalogue, interval: int, *, long: bool, only: str = "") -> dict[str, Any]:
    """The cases of every entry, or of this one only, side by side."""
    given, expected = [], []
    for entry in told.blindness:
        for number, case in enumerate(case for case in entry.cases if case.long is long):
            if only not in ("", entry.name):
                continue
            instance = f"{entry.name}-{number}"
            given += input_of(case.series, instance, told.settings.job, interval)
            if case.long and case.at % LONG_MINUTES:
                raise Mistake(f"{entry.name}.toml: nobody looks at minute {case.at}: take a multiple of {LONG_MINUTES}")
            expected.append(expectation(entry.alert, instance, case.at, tuple(sorted(case.expect))))
    return _test(interval, given, expected)


def _test(interval: int, given: list[dict[str, str]], expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {"interval": f"{interval}s", "input_series": given, "promql_expr_test": expected}


def as_yaml(document: Mapping[str, Any]) -> str:
    """The document as a file: a line each for what is many, as JSON, which YAML can read."""
    lines = [HEADER + f"rule_files: {json.dumps(document['rule_files'])}"]
    lines += [f"evaluation_interval: {document['evaluation_interval']}", "tests:"]
    for test in document["tests"]:
        lines += [f"- interval: {test['interval']}"]
        for part in ("input_series", "promql_expr_test"):
            lines += [f"  {part}:", *(f"  - {json.dumps(one, ensure_ascii=False)}" for one in test[part])]
    return "\n".join([*lines, ""])


def documents(told: Catalogue, rule_files: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Each file of tests, by its name."""
    files: dict[str, dict[str, Any]] = {}
    for interval in INTERVALS:
        head = {"rule_files": list(rule_files), "evaluation_interval": "1m"}
        tests = [detection_test(told, interval), alone_test(told, interval), blindness_test(told, interval, long=False)]
        files[f"scrape-{interval}s.test.yml"] = {**head, "tests": tests}
        # Days: looked at twice an hour, or the tests would take as long.
        slow = {"rule_files": list(rule_files), "evaluation_interval": f"{LONG_MINUTES}m"}
        files[f"scrape-{interval}s-days.test.yml"] = {**slow, "tests": [blindness_test(told, interval, long=True)]}
    return files
