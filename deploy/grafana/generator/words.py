"""The words and colours that mean the same on every dashboard.

Colours are names of Grafana's palette, which has a shade of each for the dark and for the light theme. No meaning rests
on red against green, nor on colour alone: whoever sees no colours reads the same (a test looks through their eyes).
"""

from typing import NamedTuple

from grafana_foundation_sdk.models import dashboard as model

GOOD, TROUBLE, QUIET = "blue", "semi-dark-orange", "text"
SEVERITIES = {"low": "purple", "medium": "yellow", "high": "semi-dark-orange", "critical": "dark-red"}
"""From mild to bad, as the rules have them."""
VERDICTS = {"invited": "blue", "unscheduled": "purple", "anonymous": "yellow", "uninvited": "semi-dark-orange"}
"""Each in the colour of the severity that its rule usually has."""
FATES = {"filtered": "purple", "taken": "blue", "dropped": "dark-red"}
LOSSES = {
    "ring was full (kernel)": "dark-red",
    "missing in what the mirror sent": "yellow",
    "forgotten by a full table (own)": "purple",
}


class Step(NamedTuple):
    """From this value on, this colour; the first has none below it."""

    value: float | None
    colour: str


NEUTRAL = (Step(None, QUIET),)
ANY_IS_TROUBLE = (Step(None, QUIET), Step(1e-9, TROUBLE))
"""Zero is well."""


def thresholds(steps: tuple[Step, ...]) -> model.ThresholdsConfig:
    """As a panel has them."""
    return model.ThresholdsConfig(
        mode=model.ThresholdsMode.ABSOLUTE,
        steps=[model.Threshold(value=step.value, color=step.colour) for step in steps],
    )


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
