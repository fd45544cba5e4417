"""Which occurrence of a meeting does a join belong to, and who is on its list?"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.model.evidence import MINUTE, SECOND, Nanoseconds
from monitor.model.invitations import Address, Calendar, Directory, Occurrence, Person, addresses_of
from monitor.model.meetings import MeetingRef
from monitor.model.policy import Policy
from monitor.model.roster import Identity

OVERRUN = 10 * MINUTE
"""A meeting may run so far into the next one under the same number: who comes back to it is not in the next one yet."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Occurrences:
    """The calendar as a join needs it."""

    def __init__(self, calendar: Calendar, directory: Directory, policy: Policy) -> None:
        self.calendar = calendar
        self.directory = directory
        self.zone = ZoneInfo(policy.timezone)
        self.early = policy.rules.early_minutes * MINUTE
        self.late = policy.rules.late_minutes * MINUTE
        self._most = policy.limits.guest_lists
        self._lists: OrderedDict[str, frozenset[Address]] = OrderedDict()
        self.lists_evicted = 0

    @property
    def lists(self) -> int:
        """Lists of who is invited that are worked out."""
        return len(self._lists)

    def local_date(self, at: Nanoseconds) -> date:
        """The date on the walls of the organisation."""
        return (EPOCH + timedelta(seconds=at // SECOND)).astimezone(self.zone).date()

    def fitting(self, meeting: MeetingRef, at: Nanoseconds, identity: Identity | None = None) -> Occurrence | None:
        """The occurrence at this moment, with the grace before and after; else the nearest of the same local date.

        Under one number meetings may follow one another without a pause, or lie within one that lasts the whole day.
        Then somebody belongs to the one that expects them: they are early for the next, or late for one that runs
        over by a few minutes. Nobody in particular belongs to the one that goes on, the shortest first.
        """
        candidates = self.calendar.around(meeting, at)
        on_now = [o for o in candidates if o.start - self.early <= at <= o.end + self.late]
        if on_now:
            return min(on_now, key=lambda o: (not self._is_for(o, at, identity), _distance(o, at), *_order(o)))
        today = self.local_date(at)
        same_date = [o for o in candidates if self.local_date(o.start) <= today <= self.last_date(o)]
        return min(same_date, key=lambda o: (_distance(o, at), *_order(o)), default=None)

    def last_date(self, occurrence: Occurrence) -> date:
        """The last local date of an occurrence: one that ends at midnight, like a whole day, is not on the next."""
        return self.local_date(max(occurrence.start, occurrence.end - 1))

    def running(self, meeting: MeetingRef, at: Nanoseconds) -> list[Occurrence]:
        """What takes place at this very moment under that name, by start."""
        return [o for o in self.calendar.around(meeting, at) if o.start <= at < o.end]

    def _is_for(self, occurrence: Occurrence, at: Nanoseconds, identity: Identity | None) -> bool:
        return identity is not None and at <= occurrence.end + OVERRUN and self.expects(occurrence, identity)

    def demands_pin(self, meeting: MeetingRef, occurrence: Occurrence | None) -> bool:
        """Whether the invitation has a numeric PIN."""
        return occurrence.has_pin if occurrence else self.calendar.knows_pin(meeting, "") is not None

    def series(self, meeting: MeetingRef) -> Sequence[str]:
        """UIDs of every series with this name."""
        return self.calendar.series_of(meeting)

    def people(self, address: Address | None) -> tuple[Person, ...]:
        """Who of the directory has this address."""
        return tuple(sorted(self.directory.people_with(address), key=_by_name)) if address else ()

    def expects(self, occurrence: Occurrence, identity: Identity) -> bool:
        """Whether the identity is an address of organizer, attendee, delegate or room of this very occurrence."""
        expected = self._expected(occurrence)
        subject = identity.subject
        if subject in expected:
            return True
        if subject.startswith("sip:") and "mailto:" + subject[4:] in expected:
            # Organisations commonly give an address of record the spelling of the mail address.
            return True
        return any(
            address in expected for person in self.directory.people_with(subject) for address in person.addresses
        )

    def _expected(self, occurrence: Occurrence) -> frozenset[Address]:
        known = self._lists.get(occurrence.id)
        if known is None:
            known = addresses_of(occurrence.invitees, self.directory)
            if len(self._lists) >= self._most:
                self._lists.popitem(last=False)
                self.lists_evicted += 1
            self._lists[occurrence.id] = known
        return known


def _by_name(person: Person) -> tuple[str, tuple[Address, ...]]:
    return person.name, person.addresses


def _order(occurrence: Occurrence) -> tuple[int, int, str]:
    return occurrence.end - occurrence.start, occurrence.start, occurrence.uid


def _distance(occurrence: Occurrence, at: Nanoseconds) -> int:
    """How far a moment lies outside the occurrence; 0 inside."""
    return max(occurrence.start - at, at - occurrence.end, 0)
