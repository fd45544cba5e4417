"""Dates, times and time zones as calendars write them: property values in, aware times out.

Whatever is wrong raises `Wrong`, which says what was expected; the reader of the file adds where it stands.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.sources.contentlines import Component, Line, quoted

EARLIEST_YEAR, LATEST_YEAR = 1970, 2199
"""Of a meeting: a rule that begins in the year 1 would be counted through day by day."""
MAX_EXCEPTIONS = 10_000
"""Dates in one EXDATE or RDATE."""

_MOMENT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z)?)?", re.ASCII)
_DURATION = re.compile(
    r"\+?P(?:([0-9]{1,4})W|(?:([0-9]{1,5})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,8})S)?)?)", re.ASCII
)
_FORMS = "20240311T100000, 20240311T090000Z or 20240311"


class Wrong(Exception):
    """A value that means nothing."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found, self.expected = found, expected


class Moment(NamedTuple):
    """A date, or a date with its time, in its zone."""

    at: datetime
    """Aware; local midnight for a date."""
    all_day: bool = False


class Zones:
    """The time zones of one calendar: by IANA name, by Windows name, or by the rules that the file brings itself."""

    def __init__(self, local: tzinfo, calendar: Component) -> None:
        named = calendar.first("X-WR-TIMEZONE")
        self.local = (named and _known_zone(named.text.strip())) or local
        """That of times without a zone: the calendar's own, where it names one, else the policy's."""
        self._defined = {
            line.text.strip(): part
            for part in calendar.parts
            if part.name == "VTIMEZONE" and (line := part.first("TZID")) is not None
        }
        self._found: dict[str, tzinfo] = {}

    def named(self, tzid: str) -> tzinfo:
        """The zone of a TZID parameter."""
        tzid = tzid.strip()
        if tzid not in self._found:
            self._found[tzid] = self._sought(tzid)
        return self._found[tzid]

    def _sought(self, tzid: str) -> tzinfo:
        # A name that everybody knows comes first: its rules are whole, those in the file often only of one year.
        known = _known_zone(tzid)
        if known is not None:
            return known
        defined = self._defined.get(tzid)
        if defined is None:
            raise Wrong(
                f"the unknown time zone {quoted(tzid)}", "an IANA or Windows name, or a VTIMEZONE with this TZID"
            )
        location = defined.first("X-LIC-LOCATION")
        known = _known_zone(location.text.strip()) if location else None
        return known or _zone_of(defined, tzid)


def moment_of(line: Line, zones: Zones, value: str | None = None) -> Moment:
    """The date or time in a property (RFC 5545, 3.3.4 and 3.3.5)."""
    text = (line.value if value is None else value).strip()
    found = _MOMENT.fullmatch(text)
    if not found:
        raise Wrong(f"{line.name} {quoted(text)}", f"a date and time such as {_FORMS}")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise Wrong(f"{line.name} in the year {year}", f"a year from {EARLIEST_YEAR} to {LATEST_YEAR}")
    all_day = found[4] is None
    tzid = line.param("TZID")
    zone = UTC if found[7] else zones.named(tzid) if tzid and not all_day else zones.local
    try:
        # RFC 5545 knows second 60; Python does not.
        return Moment(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone), all_day)
    except ValueError:
        raise Wrong(f"{line.name} {quoted(text)}", f"a date and time that exist, such as {_FORMS}") from None


def duration_of(line: Line, value: str | None = None) -> timedelta:
    """How long (RFC 5545, 3.3.6)."""
    text = (line.value if value is None else value).strip()
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        raise Wrong(f"{line.name} {quoted(text)}", "a duration such as PT1H30M or P1D")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def moments_of(line: Line, zones: Zones) -> list[tuple[Moment, timedelta | None]]:
    """The dates of an EXDATE or RDATE, with their own duration where they are periods (RFC 5545, 3.3.9)."""
    values = line.value.split(",")
    if len(values) > MAX_EXCEPTIONS:
        raise Wrong(f"{line.name} with {len(values)} dates", f"at most {MAX_EXCEPTIONS}")
    found: list[tuple[Moment, timedelta | None]] = []
    for value in filter(str.strip, values):
        start, period, end = value.partition("/")
        moment = moment_of(line, zones, start)
        length: timedelta | None = None
        if period:
            length = duration_of(line, end) if "P" in end.upper() else moment_of(line, zones, end).at - moment.at
            if length < timedelta():
                raise Wrong(f"{line.name} {quoted(value)}", "a period that ends after it starts")
        found.append((moment, length))
    return found


@lru_cache(maxsize=1024)
def _known_zone(tzid: str) -> tzinfo | None:
    """The zone of an IANA or Windows name, also behind a product's prefix: `/mozilla.org/20050126_1/Europe/Berlin`."""
    if tzid.upper() in ("UTC", "Z", "GMT", "ETC/UTC"):
        return UTC
    names = [tzid.strip("/")]
    if tzid.startswith("/"):
        pieces = names[0].split("/")
        names += ["/".join(pieces[i:]) for i in range(1, min(len(pieces) - 1, 8))]
    for name in names:
        zone = zone_named(name)
        if zone is not None:
            return zone
    if "/" in tzid or " " not in tzid:
        return None
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    windows = WINDOWS_TO_OLSON.get(tzid.strip('"'))
    return zone_named(windows) if windows else None


def zone_named(name: str) -> ZoneInfo | None:
    """The zone with that IANA name; none when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # ValueError for `../x`, OSError for a name of a folder
        return None


def _zone_of(defined: Component, tzid: str) -> tzinfo:
    """The zone that a VTIMEZONE describes."""
    from icalendar import Timezone

    # Exchange begins its rules in 1601, and every look-up would count from there.
    text = "\r\n".join(re.sub(r"^DTSTART([^:]*):1601", r"DTSTART\1:1970", line) for line in defined.written())
    try:
        zone: tzinfo = cast(Timezone, Timezone.from_ical(text)).to_tz(lookup_tzid=False)
        zone.utcoffset(datetime(2024, 7, 1))  # noqa: DTZ001 (a zone is asked with a naive time of its own)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError):
        expected = "STANDARD or DAYLIGHT with DTSTART, TZOFFSETFROM and TZOFFSETTO"
        raise Wrong(
            f"the time zone {quoted(tzid)}, whose VTIMEZONE on line {defined.number} is broken", expected
        ) from None
    return zone


def midnight(day: date, zone: tzinfo) -> datetime:
    """When that day begins there."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)
