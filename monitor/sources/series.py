"""All invitations with one UID as one series: copies united, changes applied, occurrences counted out when asked.

`Invitation` in, `Occurrence` out. The rules of recurrence are the library's (`recurring-ical-events`).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from monitor.model.evidence import SECOND
from monitor.model.invitations import Invitee, Occurrence, Role, Secret
from monitor.model.meetings import MeetingRef
from monitor.sources.invitations import Invitation
from monitor.sources.moments import Moment

MAX_OCCURRENCES = 1000
"""Of one series in three days: more is no meeting."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_ORGANIZER = Role.ORGANIZER


class Series:
    """A meeting that takes place once or often."""

    def __init__(self, copies: Sequence[Invitation]) -> None:
        self.uid = copies[0].uid
        self.copies = tuple(copies)
        """Every invitation that was ever given with this UID: what it names stays known."""
        self._current = _current(copies)
        self._query: Any = None

    @property
    def refs(self) -> Iterator[tuple[MeetingRef, tuple[Secret, ...]]]:
        """Every name of this meeting, with the PINs that stand in the same invitation."""
        for copy in self.copies:
            for ref in copy.refs:
                yield ref, copy.pins

    def between(self, since: datetime, until: datetime) -> list[Occurrence]:
        """The occurrences that touch this time, by start."""
        found: dict[str, Occurrence] = {}
        for invitation, start, end in self._times(since, until):
            if not invitation.cancelled and start < until and (end > since or start >= since):
                occurrence = _occurrence(invitation, start, end)
                found.setdefault(occurrence.id, occurrence)
                if len(found) == MAX_OCCURRENCES:
                    break
        return sorted(found.values(), key=lambda o: (o.start, o.end))

    def _times(self, since: datetime, until: datetime) -> Iterator[tuple[Invitation, datetime, datetime]]:
        whole = next((i for i in self._current if i.recurrence is None), None)
        if whole and whole.cancelled:
            return
        if whole and len(self._current) == 1 and not whole.rules and not whole.added:
            if not any(moment.at == whole.start.at for moment in whole.left_out):
                yield whole, whole.start.at, whole.start.at + whole.length
            return
        if self._query is None:
            self._query = _query_for(self._current)
        for event in self._query.between(since, until):
            yield self._current[int(event["X-JOINWATCH-PLACE"])], event["DTSTART"].dt, event["DTEND"].dt


def series_in(invitations: Iterable[Invitation]) -> list[Series]:
    """The series that these invitations make, in the order of their UIDs: shuffled files give the same."""
    by_uid: dict[str, list[Invitation]] = {}
    for invitation in invitations:
        by_uid.setdefault(invitation.uid, []).append(invitation)
    return [Series(by_uid[uid]) for uid in sorted(by_uid)]


def _current(copies: Sequence[Invitation]) -> list[Invitation]:
    """What holds now: of the series and of each changed instance, the newest version."""
    wholes = [copy for copy in copies if copy.recurrence is None]
    whole = _newest(wholes) if wholes else None
    changes: dict[datetime, list[Invitation]] = {}
    for copy in copies:
        if copy.recurrence is not None:
            changes.setdefault(_instance(copy.recurrence, whole), []).append(copy)
    current = [] if whole is None else [whole]
    for instance in sorted(changes):
        versions = changes[instance]
        if whole is not None and all(version.uninvites for version in versions):
            # People are taken off one instance that has no list of its own: they are taken off the series' list.
            last = max(versions, key=_rank)
            versions = [msgspec.structs.replace(whole, start=last.start, sequence=last.sequence), *versions]
        newest = _newest(versions)
        current.append(msgspec.structs.replace(newest, recurrence=Moment(instance)))
    return current


def _instance(recurrence: Moment, whole: Invitation | None) -> datetime:
    """Which instance is meant, in the zone of the series; a date alone means the instance of that day."""
    if whole is None:
        return recurrence.at
    first = whole.start.at
    if recurrence.all_day and not whole.start.all_day:
        return datetime.combine(recurrence.at.date(), first.timetz())
    return recurrence.at.astimezone(first.tzinfo)


def _newest(copies: Sequence[Invitation]) -> Invitation:
    """The version that holds: by SEQUENCE, then by date. Copies of one version add up, for who forwards an invitation
    adds people that the organizer's copy does not have (RFC 5546, 2.1.5 and 3.2.2.3).
    """
    invited = [c for c in copies if not c.uninvites]
    removed = [c for c in copies if c.uninvites]
    ranked = sorted(invited or removed, key=_rank)
    newest = ranked[-1]
    same = [c for c in reversed(ranked) if c.sequence == newest.sequence]
    invitees: dict[str, Invitee] = {}
    for copy in same:
        for invitee in copy.invitees:
            invitees.setdefault(invitee.address, invitee)
    cancelled = newest.cancelled
    for cancel in removed:
        if invited and cancel.sequence >= newest.sequence:
            gone = {i.address for i in cancel.invitees if i.role is not _ORGANIZER}
            left = [a for a, i in invitees.items() if a not in gone and i.role is not _ORGANIZER]
            # RFC 5546, 3.2.5: without STATUS:CANCELLED only those named are uninvited; who names all, or nobody,
            # means the meeting.
            if gone and left:
                invitees = {a: i for a, i in invitees.items() if a not in gone}
            else:
                cancelled = True
    return msgspec.structs.replace(
        newest,
        cancelled=cancelled,
        invitees=tuple(invitees.values()),
        refs=tuple(dict.fromkeys(ref for copy in same for ref in copy.refs)),
        pins=tuple(pin for copy in same for pin in copy.pins),
        classification=newest.classification or next((c.classification for c in same if c.classification), ""),
    )


def _rank(copy: Invitation) -> tuple[int, datetime, bool, str]:
    """Which of two versions is newer; of equals the cancellation, for it answers the other.

    What follows only makes the choice independent of the order of the files.
    """
    people = ",".join(f"{i.address} {i.name}" for i in copy.invitees)
    return (
        copy.sequence,
        copy.stamp or _LONG_AGO,
        copy.cancelled,
        f"{copy.start.at.isoformat()} {copy.summary} {people}",
    )


def _occurrence(invitation: Invitation, start: datetime, end: datetime) -> Occurrence:
    return Occurrence(
        uid=invitation.uid,
        start=int(start.timestamp()) * SECOND,
        end=int(end.timestamp()) * SECOND,
        summary=invitation.summary,
        refs=invitation.refs,
        invitees=invitation.invitees,
        has_pin=bool(invitation.pins),
        classification=invitation.classification,
    )


def _query_for(invitations: Sequence[Invitation]) -> Any:
    """What counts out the occurrences; each carries the place of its invitation in the list."""
    import recurring_ical_events
    from icalendar import Calendar

    calendar = Calendar()
    zone = invitations[0].start.at.tzinfo
    for place, invitation in enumerate(invitations):
        calendar.add_component(_event_for(invitation, place, zone))
    return recurring_ical_events.of(calendar)


def _event_for(invitation: Invitation, place: int, zone: tzinfo | None) -> Any:
    """The invitation as the library wants it: every time aware and in one zone, so that instances compare."""
    from icalendar import Event
    from icalendar.prop import vDDDLists, vDDDTypes, vRecur

    start = invitation.start.at
    event = Event()
    event["UID"] = invitation.uid
    event["X-JOINWATCH-PLACE"] = str(place)
    event["DTSTART"] = vDDDTypes(start)
    event["DTEND"] = vDDDTypes(start + invitation.length)
    if invitation.recurrence is not None:
        event["RECURRENCE-ID"] = vDDDTypes(invitation.recurrence.at.astimezone(zone))
        if invitation.and_future:
            event["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
        return event
    if invitation.rules:
        event["RRULE"] = [vRecur.from_ical(rule) for rule in invitation.rules]
    if invitation.added:
        event["RDATE"] = vDDDLists([_added(moment, length, start) for moment, length in invitation.added])
    if invitation.left_out:
        event["EXDATE"] = vDDDLists([_on(moment, start) for moment in invitation.left_out])
    return event


def _added(moment: Moment, length: timedelta | None, start: datetime) -> datetime | tuple[datetime, datetime]:
    at = _on(moment, start)
    return at if length is None else (at, at + length)


def _on(moment: Moment, start: datetime) -> datetime:
    """A date of EXDATE or RDATE in the zone of the start; a date alone means the instance of that day."""
    if moment.all_day:
        return datetime.combine(moment.at.date(), start.timetz())
    return moment.at.astimezone(start.tzinfo)
