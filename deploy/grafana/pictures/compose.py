"""A whole dashboard as one picture: the bar above with its variables, chapters, and each panel in its place."""

import re
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import vl_convert
from PIL import Image

from deploy.grafana.pictures import boxes
from deploy.grafana.pictures.boxes import box, cut, text
from deploy.grafana.pictures.charts import Mark, spec_of
from deploy.grafana.pictures.fields import Field, fields_of
from deploy.grafana.pictures.theme import Theme
from deploy.grafana.proof import grafana
from deploy.grafana.proof.grafana import Answer, Span
from deploy.grafana.proof.prometheus import JOB, Prometheus

WIDTH, UNIT, GAP, HEAD = 1360.0, 33.0, 8.0, 84.0
"""Pixels: of the page, of one unit of height, between panels, and of the bar above."""
INSIDE, TITLE = 10.0, 32.0
LEGEND = 20.0


def picture(dashboard: Mapping[str, Any], prometheus: Prometheus, span: Span, instance: str, theme: Theme) -> bytes:
    """As PNG."""
    whole = Image.open(BytesIO(vl_convert.svg_to_png(drawn(dashboard, prometheus, span, instance, theme), scale=1.0)))
    small = BytesIO()
    # 256 colours are enough for a few flat ones, and make a quarter of the bytes.
    whole.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


def drawn(dashboard: Mapping[str, Any], prometheus: Prometheus, span: Span, instance: str, theme: Theme) -> str:
    """As SVG."""
    column = (WIDTH - GAP) / 24
    marks = _marks(dashboard, prometheus, span)
    lowest = 0.0
    pieces = []
    for number, panel in enumerate(dashboard["panels"]):
        place = panel["gridPos"]
        x, y = GAP + place["x"] * column, HEAD + place["y"] * UNIT
        width, height = place["w"] * column - GAP, place["h"] * UNIT - GAP
        lowest = max(lowest, y + height)
        if panel["type"] == "row":
            pieces.append(text(x + 4, y + 18, f"⌄  {panel['title']}", 14.5, theme.text, weight=600))
            continue
        frame = f'stroke="{theme.border}" stroke-width="1"'
        pieces.append(box(x, y, width, height, theme.panel, round_=3, more=frame))
        pieces.append(text(x + INSIDE, y + 21, cut(panel["title"], width - 16, 13), 13, theme.text, weight=600))
        inside = _panel(panel, prometheus, span, theme, (width - 2 * INSIDE, height - TITLE - INSIDE), marks)
        left, top = x + INSIDE, y + TITLE
        pieces.append(f'<g transform="translate({left:.1f},{top:.1f})">{_own_names(inside, number)}</g>')
    height = lowest + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{WIDTH:.0f}" '
        f'height="{height:.0f}">{box(0, 0, WIDTH, height, theme.canvas, round_=0)}'
        f"{_bar(dashboard, span, instance, theme)}{''.join(pieces)}</svg>"
    )


def _panel(
    panel: Mapping[str, Any],
    prometheus: Prometheus,
    span: Span,
    theme: Theme,
    size: tuple[float, float],
    marks: Sequence[Mark],
) -> str:
    if panel["type"] == "text":
        return boxes.paragraphs(panel, theme, size)
    answers = grafana.ask(panel, prometheus, span)
    if panel["type"] == "table":
        return boxes.table(panel, answers, theme, size, span.end)
    fields = fields_of(panel, answers)
    if panel["type"] == "stat":
        return boxes.numbers(panel, fields, theme, size)
    if panel["type"] == "bargauge":
        return boxes.gauges(panel, fields, theme, size)
    return _chart(panel, fields, _exemplars(panel, answers, prometheus, span), span, theme, size, marks)


def _chart(
    panel: Mapping[str, Any],
    fields: Sequence[Field],
    exemplars: Sequence[float],
    span: Span,
    theme: Theme,
    size: tuple[float, float],
    marks: Sequence[Mark],
) -> str:
    lines = _legend_lines(fields, size[0]) if panel["options"]["legend"]["showLegend"] else []
    room = len(lines) * LEGEND
    spec = spec_of(panel, fields, span, theme, (size[0], size[1] - room - 2), marks, exemplars)
    chart = re.sub(r"^.*?(?=<svg)", "", vl_convert.vegalite_to_svg(spec), flags=re.DOTALL)
    pieces = [chart]
    for number, line in enumerate(lines):
        y, x = size[1] - room + LEGEND * (number + 1) - 4, 4.0
        for field in line:
            pieces += [box(x, y - 5, 14, 4, theme.colour(field.colour)), text(x + 19, y, field.name, 12, theme.text)]
            x += _wide(field.name)
    return "".join(pieces)


def _legend_lines(fields: Sequence[Field], width: float) -> list[list[Field]]:
    lines: list[list[Field]] = [[]]
    x = 4.0
    for field in (field for field in fields if field.is_named):
        if x + _wide(field.name) > width and lines[-1]:
            lines.append([])
            x = 4.0
        lines[-1].append(field)
        x += _wide(field.name)
    return lines


def _wide(name: str) -> float:
    return len(name) * 12 * boxes.LETTER + 36


def _exemplars(panel: Mapping[str, Any], answers: Sequence[Answer], prometheus: Prometheus, span: Span) -> list[float]:
    wanted = [target["refId"] for target in grafana.targets(panel) if target.get("exemplar")]
    found = [
        float(exemplar["timestamp"])
        for answer in answers
        if answer.ref in wanted
        for series in prometheus.exemplars(answer.expr, span.begin, span.end)
        for exemplar in series["exemplars"]
    ]
    return sorted(set(found))


def _marks(dashboard: Mapping[str, Any], prometheus: Prometheus, span: Span) -> list[Mark]:
    found = set()
    for annotation, series in grafana.marks(dashboard, prometheus, span):
        for one in series:
            if annotation.get("useValueForTime"):
                found |= {Mark(float(value) / 1000, annotation["iconColor"]) for _, value in one["values"]}
            else:
                found.add(Mark(float(one["values"][0][0]), annotation["iconColor"]))
    return sorted(found)


def _bar(dashboard: Mapping[str, Any], span: Span, instance: str, theme: Theme) -> str:
    begin, end = (time.strftime("%H:%M", time.gmtime(at)) for at in (span.begin, span.end))
    pieces = [
        text(GAP + 4, 28, "Dashboards  ›  joinwatch  ›", 13, theme.weak),
        text(GAP + 180, 28, dashboard["title"], 14, theme.text, weight=600),
        text(WIDTH - GAP - 4, 28, f"{begin} to {end} UTC    ↻ {dashboard['refresh']}", 13, theme.text, anchor="end"),
    ]
    shown = {"datasource": "joinwatch", "job": JOB, "instance": instance}
    x = GAP + 0.0
    for variable in dashboard["templating"]["list"]:
        if variable.get("hide"):
            continue
        value = shown.get(variable["name"], "" if variable["type"] == "textbox" else "All")
        label = variable["label"]
        first, second = len(label) * 7.4 + 20, max(64.0, len(value) * 7.4 + 28)
        edge = f'stroke="{theme.border}" stroke-width="1"'
        pieces += [
            box(x, 44, first, 28, theme.panel, more=edge),
            text(x + 10, 62, label, 12.5, theme.text, weight=500),
            box(x + first, 44, second, 28, theme.canvas, more=edge),
            text(x + first + 10, 62, value, 12.5, theme.text),
        ]
        x += first + second + 12
    others = [name for name in ("Meetings", "Sensor", "Incident") if name not in dashboard["title"]]
    link = "   ".join(f"↗ {name}" for name in others)
    pieces.append(text(WIDTH - GAP - 4, 62, link, 12.5, theme.text, anchor="end"))
    return "".join(pieces)


def _own_names(svg: str, number: int) -> str:
    """Names inside a drawing, such as those of clips, are its own."""
    svg = re.sub(r'id="([^"]+)"', rf'id="p{number}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#p{number}-\1)", svg)
