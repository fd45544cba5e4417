"""The invitations that the operator gives: iCalendar files (RFC 5545) in, a `Calendar` asked by meeting and time out.

Recurring meetings are counted out when somebody joins one, three days at a time, so that a thousand series without
end load as fast as a thousand single meetings.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.invitations import Calendar, NumberText, Occurrence, ReadText, Secret
from monitor.model.meetings import MeetingRef
from monitor.model.problems import ConfigError, Problem
from monitor.sources.contentlines import ICALENDAR, Mistakes, components_of, files_in
from monitor.sources.invitations import Invitation, Readers, invitation_in
from monitor.sources.markings import marked_for
from monitor.sources.moments import Zones, midnight, zone_named
from monitor.sources.series import Series, series_in

REMEMBERED = 4096
"""Days of a meeting whose occurrences are remembered: every meeting of a busy day."""

_ANSWERS = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})
"""iTIP methods (RFC 5546) that invitees send: anybody may answer an invitation, and is not invited by that."""


def load_calendars(
    paths: Sequence[Path],
    *,
    read_text: ReadText,
    number_text: NumberText,
    timezone: str,
    classifications: Sequence[str],
) -> Calendar:
    """The calendar that these files and folders of `*.ics` make; `ConfigError` with every mistake in any of them."""
    readers = Readers(read_text, number_text, marked_for(classifications))
    local = zone_named(timezone) or UTC
    problems: list[Problem] = []
    invitations: list[Invitation] = []
    for path in files_in(paths, (".ics",), problems):
        told = Mistakes(path)
        invitations.extend(_invitations_in(path, local, readers, told))
        problems.extend(told.problems)
    if problems:
        raise ConfigError(problems)
    return Invitations(series_in(invitations), local)


def _invitations_in(path: Path, local: tzinfo, readers: Readers, told: Mistakes) -> list[Invitation]:
    """Every meeting of one file; tasks, free times, journals and answers of invitees are none."""
    found: list[Invitation] = []
    for root in components_of(path, ICALENDAR, told):
        line = root.first("VERSION")
        if line and line.value.strip() == "1.0":
            told.tell(line.number, "VERSION:1.0, which is vCalendar", "VERSION:2.0: export the calendar as iCalendar")
            continue
        line = root.first("METHOD")
        method = line.value.strip().upper() if line else ""
        zones = Zones(local, root)
        for part in root.parts:
            if part.name == "VEVENT" and method not in _ANSWERS:
                invitation = invitation_in(part, method, zones, readers, told)
                if invitation:
                    found.append(invitation)
    return found


class Invitations:
    """All series, found by the names of their meetings."""

    def __init__(self, series: Sequence[Series], local: tzinfo) -> None:
        self._local = local
        self._named: dict[str, dict[str, list[Series]]] = {}
        """By platform, kind and value, then by site: `""` where the invitation tells none."""
        self._pins: dict[int, dict[MeetingRef, list[Secret]]] = {}
        for one in series:
            for ref, pins in one.refs:
                sites = self._named.setdefault(_name(ref), {})
                known = sites.setdefault(ref.site, [])
                if not known or known[-1] is not one:
                    known.append(one)
                if pins:
                    self._pins.setdefault(id(one), {}).setdefault(ref, []).extend(pins)

        @lru_cache(maxsize=REMEMBERED)
        def on(meeting: MeetingRef, day: int) -> tuple[Occurrence, ...]:
            return self._on(meeting, day)

        self._days = on

    def around(self, meeting: MeetingRef, at: Nanoseconds) -> Sequence[Occurrence]:
        """Occurrences of the meeting on the local date of `at` or the dates beside it, by start."""
        if _name(meeting) not in self._named:
            return ()
        return self._days(meeting, datetime.fromtimestamp(at // SECOND, self._local).toordinal())

    def series_of(self, meeting: MeetingRef) -> Sequence[str]:
        """UIDs of every series that has, or had, this name; empty when no calendar knows it."""
        return tuple(series.uid for series in self._with(meeting))

    def knows_pin(self, meeting: MeetingRef, digits: str) -> bool | None:
        """Whether these digits are the meeting's PIN; none when no invitation tells a PIN."""
        told = False
        for series in self._with(meeting):
            for ref, pins in self._pins.get(id(series), {}).items():
                if same_meeting(ref, meeting):
                    told = True
                    if any(pin.matches(digits) for pin in pins):
                        return True
        return False if told else None

    def named(self) -> Iterator[tuple[MeetingRef, tuple[Secret, ...]]]:
        """Every name of a meeting, and the PINs that stand beside it, in the order of the series' UIDs."""
        for sites in self._named.values():
            for named in sites.values():
                for series in named:
                    yield from series.refs

    def between(self, since: Nanoseconds, until: Nanoseconds) -> Iterator[Occurrence]:
        """Every occurrence that touches this time, of every series that has a name."""
        named = (one for sites in self._named.values() for named in sites.values() for one in named)
        first, last = (datetime.fromtimestamp(max(at, 0) // SECOND, self._local) for at in (since, until))
        for series in {id(one): one for one in named}.values():
            yield from series.between(first, last)

    def _with(self, meeting: MeetingRef) -> list[Series]:
        """Every series with this name, by UID, once."""
        sites = self._named.get(_name(meeting), {})
        found = {
            series.uid: series
            for site, named in sites.items()
            if not site or not meeting.site or site == meeting.site
            for series in named
        }
        return [found[uid] for uid in sorted(found)]

    def _on(self, meeting: MeetingRef, day: int) -> tuple[Occurrence, ...]:
        today = datetime.fromordinal(day).date()
        since = midnight(today - timedelta(days=1), self._local)
        until = midnight(today + timedelta(days=2), self._local)
        found = [
            occurrence
            for series in self._with(meeting)
            for occurrence in series.between(since, until)
            if any(same_meeting(ref, meeting) for ref in occurrence.refs)
        ]
        return tuple(sorted(found, key=lambda o: (o.start, o.end, o.uid)))


def same_meeting(one: MeetingRef, other: MeetingRef) -> bool:
    """Whether two names mean one meeting: equal, but that either may not say its site."""
    return _name(one) == _name(other) and (one.site == other.site or not one.site or not other.site)


def _name(ref: MeetingRef) -> str:
    return f"{ref.platform} {ref.kind} {ref.value}"
