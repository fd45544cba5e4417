"""How long do they stay? From the moment when somebody is admitted to that when they are gone."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from monitor.meetings.occurrences import Occurrences
from monitor.meetings.roster import Roster
from monitor.meetings.timers import Say, Timers
from monitor.model.evidence import SECOND, Evidence, Nanoseconds
from monitor.model.roster import Left, Overstayed, Participant, RosterChange, Stayed, Verdict


class Presence:
    """Who is in, and what is to be said of it as time passes."""

    def __init__(
        self,
        occurrences: Occurrences,
        timers: Timers,
        stays: Sequence[int],
        lossy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.lossy = lossy
        self.occurrences = occurrences
        self.timers = timers
        self.stays = stays
        """Seconds of stay that rules ask for."""
        self.roster = Roster()
        self.left = 0
        self._doubted: dict[str, list[Stayed | Overstayed]] = {}
        """By participant: what is so if they are still there, which is not certain where much is lost. As large as the
        roster."""

    def holds(self, participant: Participant) -> bool:
        """Whether this participant is still there."""
        return self.roster.holds(participant)

    def enter(self, participant: Participant, at: Nanoseconds, evidence: Evidence) -> None:
        """Somebody was admitted, or is known better."""
        self.roster.add(participant)
        for seconds in self.stays:
            stayed = partial(self._stayed, participant, seconds, evidence)
            self._later(max(at, participant.joined_at + seconds * SECOND), participant, stayed)
        if participant.occurrence is not None:
            late = participant.occurrence.end + self.occurrences.late
            self._later(max(at, late), participant, partial(self._overstayed, participant, evidence))

    def leave(self, participant: Participant, at: Nanoseconds, said_at: Nanoseconds, evidence: Evidence) -> Left:
        """Somebody is gone."""
        self.forget(participant)
        self.left += 1
        return Left(at=said_at, evidence=evidence, participant=participant, left_at=max(at, participant.joined_at))

    def forget(self, participant: Participant) -> None:
        """Nothing more can be known of them."""
        self.roster.remove(participant)
        self._doubted.pop(participant.id, None)

    def proven(self, participant: Participant, left_at: Nanoseconds, said_at: Nanoseconds) -> Iterator[RosterChange]:
        """They are seen to hang up, so they were there until now, and what was doubted for that is so."""
        for change in self._doubted.pop(participant.id, ()):
            if change.at <= left_at:
                yield replace(change, at=said_at)

    def _later(self, when: Nanoseconds, participant: Participant, say: Say) -> None:
        self.timers.set(when, say, partial(self.roster.holds, participant))

    def _stayed(
        self, participant: Participant, seconds: int, evidence: Evidence, at: Nanoseconds
    ) -> Iterator[RosterChange]:
        twins = self.roster.twins_of(participant)
        stayed = Stayed(at=at, evidence=evidence, participant=participant, seconds=seconds, twins=twins)
        older = [twin for twin in twins if twin.joined_at <= participant.joined_at]
        if older and self.lossy():
            # Whoever comes back has left before, and it may be that this was not seen.
            self._doubt(older[-1], stayed)
        else:
            yield stayed

    def _doubt(self, participant: Participant, change: Stayed | Overstayed) -> None:
        self._doubted.setdefault(participant.id, []).append(change)

    def _overstayed(self, participant: Participant, evidence: Evidence, at: Nanoseconds) -> Iterator[RosterChange]:
        """Still there long after the end, unless the next meeting under the same number expects them as well."""
        others = [o for o in self.occurrences.running(participant.meeting, at) if o != participant.occurrence]
        theirs = next((o for o in others if self.occurrences.expects(o, participant.identity)), None)
        if theirs is not None:
            late = theirs.end + self.occurrences.late
            self._later(late, participant, partial(self._overstayed, participant, evidence))
            return
        if others and participant.verdict is Verdict.INVITED:
            participant = replace(participant, verdict=Verdict.UNINVITED)  # to what goes on now
        overstayed = Overstayed(at=at, evidence=evidence, participant=participant)
        if self.lossy():
            self._doubt(participant, overstayed)
        else:
            yield overstayed
