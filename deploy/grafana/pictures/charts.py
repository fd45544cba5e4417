"""What runs along a time line, drawn by Vega-Lite: lines, areas, bars, states; with marks where something happened."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deploy.grafana.pictures.fields import Field, Point, config_of
from deploy.grafana.pictures.theme import FONT, Theme
from deploy.grafana.pictures.values import mapped, step_colour, ticks, written
from deploy.grafana.proof.grafana import Span

NO_DATA = "#808080"
GAP = 2.5
"""Steps without a point: then the line is broken."""


class Mark(NamedTuple):
    """Something that happened at that time."""

    at: float
    colour: str


def spec_of(
    panel: Mapping[str, Any],
    fields: Sequence[Field],
    span: Span,
    theme: Theme,
    size: tuple[float, float],
    marks: Sequence[Mark],
    exemplars: Sequence[float],
) -> dict[str, Any]:
    """For Vega-Lite."""
    if panel["type"] == "state-timeline":
        layers, y = _states(panel, fields, theme)
    elif config_of(panel)["custom"].get("drawStyle") == "bars":
        layers, y = _bars(panel, fields, theme, exemplars)
    else:
        layers, y = _lines(panel, fields, theme)
    x = {
        "field": "t",
        "type": "temporal",
        "scale": {"domain": [span.begin * 1000, span.end * 1000], "type": "utc"},
        "axis": {"format": "%H:%M", "tickCount": max(3, int(size[0] // 90)), "title": None, "grid": True},
    }
    for layer in layers:
        layer["encoding"] = {"x": x, "y": y, **layer["encoding"]}
        layer["mark"]["clip"] = True
    if panel["type"] != "state-timeline":
        layers += [_rule(mark, x, theme) for mark in marks if span.begin < mark.at < span.end]
    return {
        "width": size[0],
        "height": size[1],
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 0,
        "background": None,
        "layer": layers,
        "config": _config(theme),
    }


def _config(theme: Theme) -> dict[str, Any]:
    axis = {
        "labelColor": theme.weak,
        "labelFont": FONT,
        "labelFontSize": 11,
        "gridColor": theme.grid,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    }
    return {"axis": axis, "view": {"stroke": None}, "font": FONT}


def _rule(mark: Mark, x: dict[str, Any], theme: Theme) -> dict[str, Any]:
    return {
        "data": {"values": [{"t": mark.at * 1000}]},
        "mark": {"type": "rule", "color": theme.colour(mark.colour), "strokeDash": [3, 3], "opacity": 0.75},
        "encoding": {"x": x},
    }


def _scale(panel: Mapping[str, Any], largest: float) -> dict[str, Any]:
    config = config_of(panel)
    largest = max(largest, config["custom"].get("axisSoftMax") or 0)
    unit = config.get("unit", "short")
    values = ticks(largest, unit)
    names = [written(value, unit) for value in values]
    label = f"{names}[round(datum.index * {len(values) - 1})]"
    return {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [0, max(values[-1], largest)], "nice": False},
        "axis": {"values": values, "labelExpr": label, "title": None, "grid": True},
    }


def _bars(
    panel: Mapping[str, Any], fields: Sequence[Field], theme: Theme, exemplars: Sequence[float]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    heights: dict[float, float] = {}
    rows = []
    for field in fields:
        for at, value in field.points:
            begin = heights.get(at, 0.0)
            heights[at] = begin + value
            left, right = (at - field.step * 0.95) * 1000, (at - field.step * 0.05) * 1000
            rows.append({"t": left, "u": right, "y": begin, "z": heights[at], "c": theme.colour(field.colour)})
    bars = {
        "data": {"values": rows},
        "mark": {"type": "rect", "opacity": 0.9},
        "encoding": {"x2": {"field": "u"}, "y2": {"field": "z"}, "color": {"field": "c", "scale": None}},
    }
    diamonds = {
        "data": {"values": [{"t": at * 1000, "y": 0.35} for at in exemplars]},
        "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 60, "color": theme.text},
        "encoding": {},
    }
    return [bars, *([diamonds] if exemplars else [])], _scale(panel, max(heights.values(), default=0.0))


def _lines(
    panel: Mapping[str, Any], fields: Sequence[Field], theme: Theme
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    custom = config_of(panel)["custom"]
    stacked = (custom.get("stacking") or {}).get("mode") == "normal"
    below: dict[float, float] = {}
    largest = 0.0
    layers = []
    for field in fields:
        rows = []
        for run, (at, value) in _runs(field):
            begin = below.get(at, 0.0) if stacked else 0.0
            below[at] = begin + value
            largest = max(largest, begin + value)
            rows.append({"t": at * 1000, "y": begin + value, "z": begin, "r": run})
        if not rows:
            continue
        colour = theme.colour(field.colour)
        area = {"type": "area", "color": colour, "opacity": custom.get("fillOpacity", 0) / 100}
        line = {"type": "line", "color": colour, "strokeWidth": custom["lineWidth"]}
        detail = {"field": "r"}
        layers.append({"data": {"values": rows}, "mark": area, "encoding": {"y2": {"field": "z"}, "detail": detail}})
        if custom["lineWidth"]:
            layers.append({"data": {"values": rows}, "mark": line, "encoding": {"detail": detail}})
    return layers, _scale(panel, largest)


def _runs(field: Field) -> list[tuple[int, Point]]:
    """The points, each with the number of its unbroken line."""
    found: list[tuple[int, Point]] = []
    run, before = 0, None
    for point in field.points:
        if before is not None and point[0] - before > GAP * field.step:
            run += 1
        before = point[0]
        found.append((run, point))
    return found


def _states(
    panel: Mapping[str, Any], fields: Sequence[Field], theme: Theme
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for field in fields:
        config = config_of(panel, field.name)
        for at, value in field.points:
            name = (mapped(value, config) or ("", step_colour(value, config)))[1]
            last = rows[-1] if rows else None
            if last and last["s"] == field.name and last["n"] == name and at * 1000 - last["u"] < 1:
                last["u"] = (at + field.step) * 1000
            else:
                begin, end = at * 1000, (at + field.step) * 1000
                rows.append({"t": begin, "u": end, "s": field.name, "n": name, "c": theme.colour(name)})
    bars = {
        "data": {"values": rows},
        "mark": {"type": "bar", "opacity": 0.85},
        "encoding": {"x2": {"field": "u"}, "color": {"field": "c", "scale": None}},
    }
    names = list(dict.fromkeys(field.name for field in fields))
    y = {
        "field": "s",
        "type": "nominal",
        "sort": names,
        "scale": {"paddingInner": 0.25, "paddingOuter": 0.1},
        "axis": {"title": None, "grid": False, "labelLimit": 140},
    }
    return [bars], y
