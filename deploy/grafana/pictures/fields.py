"""What a panel shows: each series with its name, its colour and its points, as the panel's settings have it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deploy.grafana.pictures.theme import CLASSIC, STEPS
from deploy.grafana.pictures.values import step_colour
from deploy.grafana.proof.grafana import Answer, name_of

Point = tuple[float, float]


class Field(NamedTuple):
    """One series."""

    name: str
    labels: dict[str, str]
    points: list[Point]
    colour: str
    """A name of the palette."""
    step: float
    hidden: bool = False

    @property
    def is_named(self) -> bool:
        """Whether the legend has it."""
        return not self.hidden

    @property
    def last(self) -> float:
        """Its newest value."""
        return self.points[-1][1]


def fields_of(panel: Mapping[str, Any], answers: Sequence[Answer]) -> list[Field]:
    """All series of all queries."""
    fields: list[Field] = []
    for answer in answers:
        for series in answer.series:
            labels = {key: value for key, value in series["metric"].items() if key != "__name__"}
            name = name_of(answer, labels).strip() or panel["title"]
            points = [(float(at), float(value)) for at, value in series.get("values") or [series["value"]]]
            colour = _colour(panel, name, points[-1][1], len(fields))
            hidden = bool(config_of(panel, name).get("custom.hideFrom", {}).get("legend"))
            fields.append(Field(name, labels, points, colour, answer.step, hidden))
    return fields


def config_of(panel: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """The settings of a field: those of all, and what is said for this one."""
    config = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        wanted = matcher["options"]
        if (matcher["id"] == "byName" and wanted == name) or (matcher["id"] == "byRegexp" and _matches(wanted, name)):
            config |= {entry["id"]: entry["value"] for entry in override["properties"]}
    return config


def _matches(pattern: str, name: str) -> bool:
    return re.search(pattern.strip("/"), name) is not None


def _colour(panel: Mapping[str, Any], name: str, value: float, place: int) -> str:
    config = config_of(panel, name)
    chosen = config.get("color") or {}
    if chosen.get("mode") == "fixed":
        return str(chosen["fixedColor"])
    if chosen.get("mode") == "thresholds":
        return step_colour(value, config)
    if chosen.get("mode") == "shades":
        shades = [step.format(chosen["fixedColor"]) for step in STEPS]
        return shades[(2 + place) % len(shades)]
    return CLASSIC[place % len(CLASSIC)]
