"""Values as Grafana writes them: units, words in their place, and the colour that they have."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

BYTES = ("B", "KiB", "MiB", "GiB")
THOUSANDS = ("", " K", " Mil", " Bil")
AGES = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def written(value: float, unit: str, decimals: int | None = None, now: float = 0.0) -> str:
    """A number in its unit."""
    if math.isnan(value):
        return "No data"
    match unit:
        case "percentunit":
            return _plain(value * 100, 1 if decimals is None else decimals) + "%"
        case "bytes":
            return _scaled(value, 1024, tuple(f" {name}" for name in BYTES), decimals)
        case "s":
            return _seconds(value)
        case "pps":
            return _scaled(value, 1000, (" p/s", " kp/s", " Mp/s"), decimals)
        case "dateTimeFromNow":
            return _ago(now - value / 1000)
        case _:
            return _scaled(value, 1000, THOUSANDS, decimals)


def mapped(value: float | str, config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Words that stand for the value, and their colour."""
    key = value if isinstance(value, str) else _plain(value, 0)
    for mapping in config.get("mappings") or []:
        if (found := mapping["options"].get(key)) is not None:
            return found.get("text", key), found.get("color", "text")
    return None


def step_colour(value: float, config: Mapping[str, Any]) -> str:
    """By the thresholds."""
    colour = "text"
    for step in (config.get("thresholds") or {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return colour


def ticks(largest: float, unit: str, count: int = 4) -> list[float]:
    """Round values from 0 to beyond the largest."""
    base = 1024 if unit == "bytes" else 10
    if largest <= 0:
        return [0.0, 1.0]
    raw = largest / count
    power = base ** math.floor(math.log(raw, base))
    nice: Sequence[float] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if base == 1024 else (1, 2, 2.5, 5, 10)
    step = power * next(one for one in nice if one * power >= raw * 0.999)
    if unit == "short" and largest >= 1:
        step = max(1.0, math.ceil(step))
    return [step * n for n in range(math.ceil(largest / step - 0.001) + 1)]


def _plain(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _scaled(value: float, base: int, names: Sequence[str], decimals: int | None) -> str:
    place = 0
    while abs(value) >= base and place < len(names) - 1:
        value, place = value / base, place + 1
    digits = decimals if decimals is not None else (0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)
    return _plain(value, max(digits, 1) if place else digits) + names[place]


def _seconds(value: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "mins")):
        if abs(value) >= size:
            return f"{_plain(value / size, 1)} {name}"
    return f"{_plain(value * 1000, 0)} ms" if abs(value) < 1 else f"{_plain(value, 1)} s"


def _ago(seconds: float) -> str:
    for size, name in AGES:
        count = round(seconds / size)
        if seconds >= size and count:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
