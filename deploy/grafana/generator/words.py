"""The words and colours that mean the same on every dashboard.

Colours are names of Grafana's palette, which has a shade of each for the dark and for the light theme. No meaning rests
on red against green, nor on colour alone; a test looks through the eyes of people who lack a colour.
"""

from collections import Counter
from typing import NamedTuple

from grafana_foundation_sdk.models import dashboard as model

from monitor.detections import rule_infos
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.meetings import Method

GOOD, TROUBLE, QUIET = "blue", "semi-dark-orange", "text"
SEVERITIES = {"low": "super-light-blue", "medium": "yellow", "high": "semi-dark-orange", "critical": "dark-red"}
"""From mild to bad, as the rules have them."""
VERDICTS = {
    "invited": "blue",
    "unscheduled": "super-light-blue",
    "anonymous": "yellow",
    "uninvited": "semi-dark-orange",
}
"""Each in the colour of the severity that its rule usually has."""
FATES = {"filtered": "super-light-blue", "taken": "blue", "dropped": "dark-red"}
LOSSES = {
    "ring was full (kernel)": "dark-red",
    "missing in what the mirror sent": "yellow",
    "forgotten by a full table (own)": "blue",
}
SHADES = {
    "low": ("super-light-blue", "light-blue", "dark-blue", "semi-dark-blue"),
    "medium": ("yellow", "light-yellow", "dark-yellow", "super-light-yellow"),
    "high": (
        "semi-dark-orange",
        "super-light-orange",
        "dark-orange",
        "light-orange",
        "orange",
        "light-red",
        "super-light-red",
        "red",
    ),
    "critical": ("dark-red", "semi-dark-red"),
}
"""Rules of one severity have shades of its colour, so that neighbours differ."""


def rule_colours() -> dict[str, str]:
    """Of each rule and severity that the program has, by its legend."""
    seen: Counter[str] = Counter()
    colours = {}
    for info in (*rule_infos(), RuleInfo(name="other", severities=tuple(Severity), attack="", summary="")):
        for severity in info.severities:
            shades = SHADES[severity]
            colours[f"{info.name} ({severity})"] = shades[seen[severity] % len(shades)]
            seen[severity] += 1
    return colours


def join_colours() -> dict[str, str]:
    """Of each verdict and method, by its legend."""
    return {f"{verdict} {method}": colour for verdict, colour in VERDICTS.items() for method in Method}


class Step(NamedTuple):
    """From this value on, this colour; the first has none below it."""

    value: float | None
    colour: str


NEUTRAL = (Step(None, QUIET),)
ANY_IS_TROUBLE = (Step(None, QUIET), Step(1e-9, TROUBLE))
"""Zero is well."""


def said(words: dict[str, tuple[str, str]]) -> list[model.ValueMapping]:
    """Values told in words: what stands there instead, and its colour."""
    results = {
        value: model.ValueMappingResult(text=text, color=colour, index=place)
        for place, (value, (text, colour)) in enumerate(words.items())
    }
    return [model.ValueMap(options=results)]


YES_NO = said({"1": ("yes", GOOD), "0": ("NO", TROUBLE)})
TRUST = said({"1": ("YES", GOOD), "0": ("NO", TROUBLE)})
SEVERITY_NAMES = said({name: (name, colour) for name, colour in SEVERITIES.items()})
UP_DOWN = said({"1": ("up", GOOD), "0": ("DOWN", TROUBLE)})
