"""Recurrence rules (RFC 5545, 3.3.10): the RRULE of an invitation in, a rule that a library can follow out.

`Wrong` says what was expected where it cannot: because it means nothing, or because following it would take for ever.
"""

import re
from calendar import isleap, weekday
from collections.abc import Mapping
from datetime import UTC, datetime
from math import prod

from monitor.sources.contentlines import Line, quoted
from monitor.sources.moments import Moment, Wrong, Zones, moment_of

MAX_TIMES_A_DAY = 24
"""BYHOUR times BYMINUTE times BYSECOND."""

# The parts of a recurrence rule (RFC 5545, 3.3.10): what each may hold, and the words for it.
_BY_NUMBERS = {
    "BYSECOND": (0, 59, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"(?:[+-]?(?:5[0-3]|[1-4][0-9]|0?[1-9]))?(?:MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}", re.ASCII)


def rule_of(line: Line, start: Moment, zones: Zones) -> str:
    """A recurrence rule that the library can follow: valid, and its UNTIL in UTC, as times with a zone want it."""
    parts: dict[str, str] = {}
    for part in filter(None, line.value.strip().upper().rstrip(";").split(";")):
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or name in parts:
            raise Wrong(f"RRULE {quoted(part)}", "parts such as FREQ=WEEKLY;BYDAY=MO, each once")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        found = f"FREQ={quoted(parts['FREQ'])[1:-1]}" if "FREQ" in parts else "no FREQ"
        raise Wrong(f"RRULE with {found}", f"FREQ={', '.join(_FREQUENCIES[:-1])} or {_FREQUENCIES[-1]}")
    if "UNTIL" in parts and "COUNT" in parts:
        raise Wrong("RRULE with UNTIL and COUNT", "one of the two")
    for name, value in parts.items():
        if name == "UNTIL":
            parts[name] = _until(line, value, start, zones)
        elif not _is_right(name, value):
            raise Wrong(f"RRULE {quoted(f'{name}={value}')}", _right_for(name))
    _bounded(parts)
    if not _surely_occurs(parts):
        _must_occur(parts, start.at)
    return ";".join(f"{name}={value}" for name, value in parts.items() if not name.startswith("X-"))


def _is_right(name: str, value: str) -> bool:
    values = value.split(",")
    match name:
        case "FREQ":
            return True
        case "INTERVAL" | "COUNT":
            return bool(_NUMBER.fullmatch(value)) and 1 <= int(value) <= 9999
        case "WKST":
            return value in _DAYS
        case "BYDAY":
            return len(values) <= 366 and all(_DAY.fullmatch(v.strip()) for v in values)
        case _ if name in _BY_NUMBERS:
            low, high, signed = _BY_NUMBERS[name]
            return len(values) <= 366 and all(
                _NUMBER.fullmatch(v.strip()) and low <= (abs(int(v)) if signed else int(v)) <= high for v in values
            )
        case _:
            return name.startswith("X-")


def _right_for(name: str) -> str:
    match name:
        case "INTERVAL" | "COUNT":
            return f"{name} from 1 to 9999"
        case "WKST":
            return f"WKST={', '.join(_DAYS[:-1])} or {_DAYS[-1]}"
        case "BYDAY":
            return "BYDAY with days such as MO,WE or -1FR"
        case _ if name in _BY_NUMBERS:
            low, high, signed = _BY_NUMBERS[name]
            return f"{name} with numbers from {low} to {high}" + (f", or -{high} to -{low}" if signed else "")
        case _:
            return f"FREQ, INTERVAL, COUNT, UNTIL, WKST, BYDAY, {', '.join(_BY_NUMBERS)}"


def _bounded(parts: Mapping[str, str]) -> None:
    """A rule may have a meeting every hour; a thousand a day would be counted for ever."""
    times = prod(len(parts[name].split(",")) for name in ("BYHOUR", "BYMINUTE", "BYSECOND") if name in parts)
    if times > MAX_TIMES_A_DAY:
        raise Wrong(f"RRULE with {times} times a day", f"at most {MAX_TIMES_A_DAY}")
    days = [day.strip() for day in parts.get("BYDAY", "").split(",") if day]
    weeks = [abs(int(day[:-2] or 0)) for day in days]
    found = f"RRULE {quoted('BYDAY=' + parts.get('BYDAY', ''))}"
    if parts["FREQ"] in ("DAILY", "WEEKLY") and any(weeks):
        raise Wrong(found, f"days without a number, as the rule is {parts['FREQ']}")
    # The library takes "the first Friday, and every Sunday" for Sundays that are the first Friday.
    if any(weeks) and not all(weeks):
        raise Wrong(found, "days that all have a number, or none")
    if (parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts) and any(week > 5 for week in weeks):
        raise Wrong(found, "the first to the fifth such day of a month")


def _surely_occurs(parts: Mapping[str, str]) -> bool:
    """The rules of nearly all meetings, which need no looking for a first occurrence."""
    if not parts.keys() <= {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}:
        return False
    return parts["FREQ"] != "DAILY" or "INTERVAL" not in parts or "BYDAY" not in parts


def _must_occur(parts: Mapping[str, str], start: datetime) -> None:
    """A rule that no day fits would be followed to the year 9999, the last that there is, at the first question.

    So it is followed here from a year shortly before that, in which every date has its day of the week.
    """
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

    rule = ";".join(f"{k}={v}" for k, v in parts.items() if k not in ("COUNT", "UNTIL") and not k.startswith("X-"))
    alike = next(
        y
        for y in range(9932, 9960)
        if isleap(y) == isleap(start.year) and weekday(y, 1, 1) == weekday(start.year, 1, 1)
    )
    if next(iter(rrulestr(rule, dtstart=start.replace(year=alike, tzinfo=None))), None) is None:
        raise Wrong(f"RRULE {quoted(rule)}, which no day fits", "a day that exists in its months, weeks and years")


def _until(line: Line, value: str, start: Moment, zones: Zones) -> str:
    """The end of a rule in UTC. A date, or a time without zone, is meant in the zone of DTSTART (RFC 5545, 3.3.10)."""
    try:
        moment = moment_of(Line(line.number, "UNTIL", "", value), zones)
    except Wrong as wrong:
        raise Wrong(f"RRULE {quoted(f'UNTIL={value}')}", wrong.expected) from None
    last = moment.at if value.endswith("Z") else moment.at.replace(tzinfo=start.at.tzinfo)
    if moment.all_day:
        last = last.replace(hour=23, minute=59, second=59)
    return last.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
