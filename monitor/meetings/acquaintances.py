"""Who is in, or on their way in, and could be a user of a roster: found by name, and the nameless by their meeting."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from monitor.meetings.admissions import Admissions
from monitor.meetings.identities import ANONYMOUS
from monitor.meetings.legs import Leg
from monitor.model.limits import Limits
from monitor.model.meetings import MeetingRef
from monitor.model.roster import Participant, Trust

MAX_PER_NAME = 8

MAX_NAMELESS = 64
"""Anonymous participants of one meeting who are looked at."""


class Acquaintances:
    """People of whom their calls tell."""

    def __init__(self, admissions: Admissions, limits: Limits) -> None:
        self._limits = limits
        self.admissions = admissions
        self.counts = {"callers_waiting_evicted": 0, "nameless_meetings_evicted": 0}
        self._present = admissions.presence.roster.get
        self._callers: OrderedDict[str, dict[str, Leg]] = OrderedDict()
        """Who has been answered and is not in yet, by subject."""
        self._nameless: OrderedDict[tuple[str, str], dict[str, None]] = OrderedDict()
        """Ids of participants without identity, by meeting: the only ones whom no name finds."""

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {"callers_waiting": len(self._callers), "nameless_meetings": len(self._nameless)}

    def expire(self) -> None:
        """Forgets whose call is over, or who is in, and the nameless who are gone."""
        legs = self.admissions.legs
        for subject, waiting in list(self._callers.items()):
            for name in [name for name, leg in waiting.items() if leg not in legs or leg.participant is not None]:
                del waiting[name]
            if not waiting:
                del self._callers[subject]
        for place, known in list(self._nameless.items()):
            for name in [name for name in known if self._present(name) is None]:
                del known[name]
            if not known:
                del self._nameless[place]

    def hear(self, leg: Leg) -> None:
        """A call to a meeting, or to the voice of a bridge, was answered."""
        if leg.participant is not None or leg.answered is None:
            return
        subject = self.admissions.guests.identity_of(leg)[0].subject
        legs = self._callers.setdefault(subject, {})
        legs[leg.name] = leg
        self._callers.move_to_end(subject)
        if len(legs) > MAX_PER_NAME:
            del legs[next(iter(legs))]
        if len(self._callers) > self._limits.callers_waiting:
            self._callers.popitem(last=False)
            self.counts["callers_waiting_evicted"] += 1

    def meet(self, participant: Participant) -> None:
        """Somebody is in; without identity they are remembered for rosters that tell of somebody anonymous."""
        if participant.identity.trust is not Trust.NONE:
            return
        place = (participant.meeting.platform, participant.meeting.key)
        known = self._nameless.setdefault(place, {})
        known[participant.id] = None
        self._nameless.move_to_end(place)
        if len(known) > MAX_NAMELESS:
            del known[next((name for name in known if self._present(name) is None), next(iter(known)))]
        if len(self._nameless) > self._limits.nameless_meetings:
            self._nameless.popitem(last=False)
            self.counts["nameless_meetings_evicted"] += 1

    def like(self, guest: Participant) -> Iterator[Participant]:
        """Those in the same meeting, under any of its names, who have the same name, or like this one none."""
        refs = dict.fromkeys((guest.meeting, *(guest.occurrence.refs if guest.occurrence else ())))
        for ref in refs:
            if guest.identity.trust is Trust.NONE:
                nameless = self._nameless.get((ref.platform, ref.key), {})
                yield from filter(None, map(self._present, list(nameless)))
            else:
                yield from self.admissions.presence.roster.twins_of(replace(guest, meeting=ref))

    def by_call(self, calls: Iterable[str]) -> Participant | None:
        """Who is in by one of these calls."""
        for call in calls:
            leg = self.admissions.legs.get(call)
            known = leg.party.participant if leg is not None else None
            if known is not None and (latest := self._present(known.id)) is not None:
                return latest
        return None

    def caller(self, guest: Participant, calls: Iterable[str], meeting: MeetingRef) -> Leg | None:
        """A call that was answered, is not in, and may be theirs."""
        legs = self.admissions.legs
        named = (leg for call in calls if (leg := legs.get(call)) is not None)
        subject = guest.identity.subject if guest.identity.trust is not Trust.NONE else ANONYMOUS
        for leg in (*named, *self._callers.get(subject, {}).values()):
            elsewhere = leg.meeting is not None and leg.meeting != meeting
            if leg in legs and leg.participant is None and leg.answered is not None and not elsewhere:
                return leg
        return None
