"""The lists that were in force last, kept in the state folder: for a start at which those of the operator are broken.

A daemon that did not start would see nothing; one that started without the list would take everybody for uninvited. So
it goes on as if it had never ended, and says so. What is kept is what was read, and not the files: who is expected when
in the month to come, and who is who. No PIN is in it, so while it is in use nobody can say that one was wrong.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from threading import Lock
from typing import Protocol, runtime_checkable

import msgspec

from monitor.model.evidence import DAY, SECOND, Nanoseconds
from monitor.model.invitations import Calendar, Occurrence, Person, Secret
from monitor.model.meetings import MeetingRef
from monitor.model.policy import Policy
from monitor.model.suppressions import Suppressions
from monitor.pipeline import Expected
from monitor.sources.calendars import same_meeting
from monitor.sources.directories import People
from monitor.sources.moments import midnight, zone_named
from monitor.sources.numbers import number_text_for

FILE, DRAFT = "lists.kept", ".new"
VERSION = 1
BACK: Nanoseconds = 3 * DAY
"""Meetings that began so long ago may be asked for, as after a restart; see `KEPT` of memory."""
AHEAD: Nanoseconds = 31 * DAY
"""Whoever mends a list later than that will have heard of it."""
REST_SECONDS = 0.001
"""After each occurrence, for whoever has more urgent work on the other threads."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was in force."""

    version: int
    digest: str
    """Of the files, when they were read."""
    at: float
    """When they came into force, by the wall clock."""
    until: Nanoseconds
    """Up to when it knows meetings."""
    policy: Policy
    access_numbers: dict[str, str]
    named: tuple[tuple[MeetingRef, str], ...]
    """Every name of a meeting, and its series."""
    occurrences: tuple[Occurrence, ...]
    people: tuple[Person, ...]
    suppressions: Suppressions

    @property
    def expected(self) -> Expected:
        """As the stages want it."""
        number_text = number_text_for(self.policy.country_code)
        return Expected(
            policy=self.policy,
            calendar=KeptCalendar(self.named, self.occurrences, zone_named(self.policy.timezone) or UTC),
            directory=People(self.people),
            number_text=number_text,
            access_numbers=self.access_numbers,
        )


class KeptCalendar:
    """Occurrences that were counted out, asked as a calendar is."""

    def __init__(
        self, named: Iterable[tuple[MeetingRef, str]], occurrences: Iterable[Occurrence], local: tzinfo
    ) -> None:
        self._local = local
        self._series: dict[str, list[tuple[MeetingRef, str]]] = {}
        self._occurrences: dict[str, list[Occurrence]] = {}
        for ref, uid in named:
            self._series.setdefault(_name(ref), []).append((ref, uid))
        for occurrence in occurrences:
            for name in {_name(ref) for ref in occurrence.refs}:
                self._occurrences.setdefault(name, []).append(occurrence)

    def around(self, meeting: MeetingRef, at: Nanoseconds) -> Sequence[Occurrence]:
        """Occurrences of the meeting on the local date of `at` or the dates beside it, by start."""
        today = datetime.fromtimestamp(at // SECOND, self._local).date()
        since, until = (_nanoseconds(midnight(today + timedelta(days), self._local)) for days in (-1, 2))
        found = [
            one
            for one in self._occurrences.get(_name(meeting), ())
            if one.start < until
            and (one.end > since or one.start >= since)
            and any(same_meeting(ref, meeting) for ref in one.refs)
        ]
        return tuple(sorted(found, key=lambda one: (one.start, one.end, one.uid)))

    def series_of(self, meeting: MeetingRef) -> Sequence[str]:
        """UIDs of every series that has, or had, this name."""
        return tuple(sorted({uid for ref, uid in self._series.get(_name(meeting), ()) if same_meeting(ref, meeting)}))

    def knows_pin(self, meeting: MeetingRef, digits: str) -> bool | None:
        """Nobody knows: PINs are not kept."""
        del meeting, digits
        return None

    def named(self) -> Iterator[tuple[MeetingRef, tuple[Secret, ...]]]:
        """Every name of a meeting, without PINs."""
        for series in self._series.values():
            for ref, _ in series:
                yield ref, ()


@runtime_checkable
class Counted(Protocol):
    """A calendar whose occurrences can be counted out."""

    def between(self, since: Nanoseconds, until: Nanoseconds) -> Iterator[Occurrence]:
        """Every one that touches this time."""
        ...


class LastLists:
    """The file in one state folder."""

    def __init__(self, state: Path, clock: Callable[[], Nanoseconds] = time.time_ns) -> None:
        self._path, self._clock = state / FILE, clock
        self._one_at_a_time = Lock()

    def load(self) -> Kept | None:
        """What was kept; none when nothing was, or another version has written it."""
        with suppress(OSError, msgspec.MsgspecError):
            kept = msgspec.msgpack.decode(self._path.read_bytes(), type=Kept)
            return kept if kept.version == VERSION else None
        return None

    def keep(
        self, expected: Expected, suppressions: Suppressions, digest: str, at: float, *, again: bool = False
    ) -> None:
        """These lists are in force since then. Raises `OSError`, and what was kept before stays. If `again`, they are
        kept only where something still is: else it was forgotten together with somebody whom they name.

        Somebody may be forgotten meanwhile: then the draft is gone, and these lists are kept no more.
        """
        with self._one_at_a_time:
            now = self._clock()
            draft = self._path.with_suffix(DRAFT)
            draft.touch(mode=0o600)
            if again and not self._path.exists():
                draft.unlink(missing_ok=True)
                return
            named, occurrences = _counted(expected.calendar, now - BACK, now + AHEAD)
            directory = expected.directory
            kept = Kept(
                version=VERSION,
                digest=digest,
                at=at,
                until=now + AHEAD,
                policy=expected.policy,
                access_numbers=dict(expected.access_numbers),
                named=named,
                occurrences=occurrences,
                people=tuple(directory.everybody) if isinstance(directory, People) else (),
                suppressions=suppressions,
            )
            with suppress(FileNotFoundError):
                with draft.open("r+b") as file:  # which makes none
                    file.truncate()
                    file.write(msgspec.msgpack.encode(kept))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self._path)


def forget_in(state: Path) -> bool:
    """What is kept in this state folder goes, until lists come into force again; whether any was. Raises `OSError`."""
    found = False
    for path in ((state / FILE).with_suffix(DRAFT), state / FILE):  # in this order: a draft may become the other
        with suppress(FileNotFoundError):
            path.unlink()
            found = True
    return found


def _counted(
    calendar: Calendar, since: Nanoseconds, until: Nanoseconds
) -> tuple[tuple[tuple[MeetingRef, str], ...], tuple[Occurrence, ...]]:
    """The names of all meetings with their series, and the occurrences of that time, without hurry."""
    named = tuple(dict.fromkeys((ref, uid) for ref, _ in calendar.named() for uid in calendar.series_of(ref)))
    occurrences = []
    if isinstance(calendar, Counted):
        for occurrence in calendar.between(since, until):
            occurrences.append(occurrence)
            time.sleep(REST_SECONDS)
    return named, tuple(occurrences)


def _name(ref: MeetingRef) -> str:
    return f"{ref.platform} {ref.kind} {ref.value}"


def _nanoseconds(moment: datetime) -> Nanoseconds:
    return int(moment.timestamp()) * SECOND
