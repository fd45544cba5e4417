"""What stands still: numbers, tables, bars beside each other, a few lines of text; as pieces of SVG."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import Any

from deploy.grafana.pictures.fields import Field, config_of
from deploy.grafana.pictures.theme import FONT, Theme
from deploy.grafana.pictures.values import mapped, step_colour, written
from deploy.grafana.proof.grafana import Answer

LETTER = 0.56
"""How wide a letter is on the average, of its height."""
LINE = 26.0
Size = tuple[float, float]


def text(x: float, y: float, words: str, size: float, colour: str, *, anchor: str = "start", weight: int = 400) -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size:.1f}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="{anchor}" xml:space="preserve">{escape(words)}</text>'
    )


def box(x: float, y: float, width: float, height: float, colour: str, *, round_: float = 2, more: str = "") -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}" rx="{round_}" '
        f'fill="{colour}" {more}/>'
    )


def cut(words: str, width: float, size: float) -> str:
    """As much of it as has room."""
    most = int(width / (size * LETTER))
    return words if len(words) <= most else words[: max(1, most - 1)].rstrip() + "…"


def numbers(panel: Mapping[str, Any], fields: Sequence[Field], theme: Theme, size: Size) -> str:
    """Large numbers beside each other."""
    if not fields:
        return text(size[0] / 2, size[1] / 2, "No data", 16, theme.weak, anchor="middle")
    options = panel["options"]
    solid = options.get("colorMode") == "background_solid"
    named = options.get("textMode") == "value_and_name"
    if options.get("textMode") == "name":
        return text(
            size[0] / 2, size[1] / 2 + 8, ", ".join(field.name for field in fields), 24, theme.text, anchor="middle"
        )
    width = size[0] / len(fields)
    letters = [(mapped(field.last, config_of(panel, field.name)) or _plain(panel, field))[0] for field in fields]
    largest = min(size[1] * (0.42 if named else 0.5), 46.0)
    high = min(largest, *((width - 14) / (max(2, len(words)) * 0.62) for words in letters))
    pieces = []
    for place, (field, words) in enumerate(zip(fields, letters, strict=True)):
        _, name = mapped(field.last, config_of(panel, field.name)) or _plain(panel, field)
        colour, x = theme.colour(name), width * place
        if solid and name != "transparent":
            pieces.append(box(x + 2, 0, width - 4, size[1], colour, round_=3))
            colour = theme.on(colour)
        title_colour = colour if solid else theme.text
        if options.get("graphMode") == "area" and len(field.points) > 1:
            pieces.append(_spark(field, theme.colour(name), x, width, size[1]))
        middle = size[1] / 2 + high * 0.36 + (8 if named else 0)
        if named:
            size_of_name = min(12.5, (width - 6) / (len(field.name) * LETTER))
            name_at = middle - high - 2
            pieces.append(text(x + width / 2, name_at, field.name, size_of_name, title_colour, anchor="middle"))
        pieces.append(text(x + width / 2, middle, words, high, colour, anchor="middle", weight=500))
    return "".join(pieces)


def _plain(panel: Mapping[str, Any], field: Field) -> tuple[str, str]:
    config = config_of(panel, field.name)
    return written(field.last, config.get("unit", "short"), config.get("decimals")), field.colour


def _spark(field: Field, colour: str, x: float, width: float, height: float) -> str:
    most = max(value for _, value in field.points) or 1.0
    begin, end = field.points[0][0], field.points[-1][0]
    room = height * 0.42
    dots = [(x + width * (at - begin) / (end - begin or 1), height - room * value / most) for at, value in field.points]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in dots)
    return (
        f'<polygon points="{x:.1f},{height:.1f} {line} {x + width:.1f},{height:.1f}" fill="{colour}" opacity="0.15"/>'
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
    )


def gauges(panel: Mapping[str, Any], fields: Sequence[Field], theme: Theme, size: Size) -> str:
    """A bar for each."""
    largest = config_of(panel).get("max") or max((field.last for field in fields), default=1) or 1
    high = min(30.0, size[1] / max(1, len(fields)))
    left, right = size[0] * 0.34, 96.0
    pieces = []
    for place, field in enumerate(fields):
        config = config_of(panel, field.name)
        y = place * high
        words, name = mapped(field.last, config) or (
            written(field.last, config.get("unit", "short"), config.get("decimals")),
            step_colour(field.last, config),
        )
        room = size[0] - left - right
        pieces += [
            text(left - 8, y + high / 2 + 4, cut(field.name, left - 12, 12), 12, theme.text, anchor="end"),
            box(left, y + 4, room, high - 8, theme.grid),
            box(left, y + 4, room * min(1, field.last / largest), high - 8, theme.colour(name)),
            text(left + room + 8, y + high / 2 + 4, words, 12, theme.colour(name)),
        ]
    return "".join(pieces)


def table(panel: Mapping[str, Any], answers: Sequence[Answer], theme: Theme, size: Size, now: float) -> str:
    """Lines and columns, merged by their labels as Grafana does it."""
    (organized,) = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    names = organized["renameByName"]
    columns = [names.get(name, name) for name in sorted(organized["indexByName"], key=organized["indexByName"].get)]
    lines = _merged(answers, names)
    if not lines:
        words = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        return text(size[0] / 2, size[1] / 2, words, 13, theme.weak, anchor="middle")
    (by, *_) = [entry["displayName"] for entry in panel["options"]["sortBy"]]
    lines.sort(key=lambda line: float(line.get(by, 0)), reverse=True)
    widths = _widths(panel, columns, size[0])
    pieces, x = [], 0.0
    for column, width in zip(columns, widths, strict=True):
        config = config_of(panel, column)
        anchor = "middle" if config.get("custom.align") == "center" else "start"
        at = x + (width / 2 if anchor == "middle" else 8)
        pieces.append(text(at, 16, column, 12, theme.weak, anchor=anchor, weight=500))
        for place, line in enumerate(lines):
            y = LINE * (place + 1)
            if y + LINE > size[1]:
                break
            words, ground = _cell(line.get(column), config, now)
            if ground:
                pieces.append(box(x + 2, y + 1, width - 4, LINE - 3, theme.colour(ground)))
            colour = theme.on(theme.colour(ground)) if ground else theme.text
            link = ' text-decoration="underline"' if config.get("links") else ""
            piece = text(at, y + 16, cut(words, width - 10, 12.5), 12.5, colour, anchor=anchor)
            pieces.append(piece.replace("<text ", f"<text{link} ", 1))
            pieces.append(box(x, y - 1, width, 1, theme.grid, round_=0))
        x += width
    return "".join(pieces)


def _merged(answers: Sequence[Answer], names: Mapping[str, str]) -> list[dict[str, Any]]:
    lines: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for answer in answers:
        for series in answer.series:
            labels = {key: value for key, value in series["metric"].items() if key != "__name__"}
            told = {names.get(label, label): value for label, value in labels.items()}
            line = lines.setdefault(tuple(sorted(labels.items())), told)
            name = names.get(f"Value #{answer.ref}") or names["Value"]
            line[name] = float(series["value"][1])
    return list(lines.values())


def _widths(panel: Mapping[str, Any], columns: Sequence[str], whole: float) -> list[float]:
    fixed = {column: config_of(panel, column).get("custom.width") for column in columns}
    least = {column: config_of(panel, column).get("custom.minWidth") or 60 for column in columns}
    rest = whole - sum(width for width in fixed.values() if width)
    share = sum(least[column] for column in columns if not fixed[column]) or 1
    return [float(fixed[column] or rest * least[column] / share) for column in columns]


def _cell(value: Any, config: Mapping[str, Any], now: float) -> tuple[str, str]:
    if value is None:
        return "", ""
    coloured = (config.get("custom.cellOptions") or {}).get("type") == "color-background"
    if (found := mapped(value, config)) is not None:
        return found[0], found[1] if coloured else ""
    if isinstance(value, str):
        return value, ""
    return written(value, config.get("unit", "short"), config.get("decimals"), now), ""


def paragraphs(panel: Mapping[str, Any], theme: Theme, size: Size) -> str:
    """A numbered list, as Markdown has it: links and what is strong keep their words alone."""
    pieces, y = [], 16.0
    for line in panel["options"]["content"].splitlines():
        line = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).replace("`", "")
        number, _, rest = line.partition(". ")
        strong, _, plain = rest.removeprefix("**").partition("**")
        pieces.append(text(4, y, f"{number}.", 12.5, theme.weak))
        for place, words in enumerate(_wrapped(f"{strong} {plain.replace('*', '').strip()}", size[0] - 24, 12.5)):
            piece = text(24, y, words, 12.5, theme.text)
            bold = f'<tspan font-weight="700">{escape(strong)}</tspan>'
            pieces.append(piece.replace(escape(strong), bold, 1) if place == 0 else piece)
            y += 18
        y += 6
    return "".join(pieces)


def _wrapped(words: str, width: float, size: float) -> list[str]:
    most = int(width / (size * 0.52))
    return wrap(words, most)
