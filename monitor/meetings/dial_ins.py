"""Somebody types at the voice of a bridge: when are they in?

At the last key after which the call lives on for 20 s without another key. Where that leaves a choice:

* Whoever goes on pressing keys that answer no question of the bridge (`*6`) is in after three minutes all the same.
* When a caller who seemed admitted answers one more question (another number, or the PIN that was still asked for),
  they were not in before: they leave, or their join is told anew.
* Where so much is lost that the bridge's hanging up may be as well, whoever did not enter what it asks for is in when
  the call shows that it lives on: by a key, or by its end.
* When the capture ends before the 20 s have passed, nobody knows, and nothing is told.
"""

from collections.abc import Iterator

from monitor.meetings.admissions import Admissions
from monitor.meetings.legs import MAX_SLOTS, Leg, Stage, told
from monitor.model.calls import KeyPressed
from monitor.model.evidence import MINUTE, SECOND, Nanoseconds
from monitor.model.meetings import MeetingRef, SlotState
from monitor.model.roster import RosterChange

KEY_LIMIT: Nanoseconds = 3 * MINUTE
"""Nobody is kept waiting longer by their own keys: no bridge listens so long to somebody who answers nothing."""


class DialIns:
    """Follows the keys of every dial-in to its admission."""

    def __init__(self, admissions: Admissions, patience: Nanoseconds) -> None:
        self.admissions = admissions
        self.patience = patience

    def press(self, leg: Leg, event: KeyPressed) -> Iterator[RosterChange]:
        """One more key in a call that leads to the voice of a bridge."""
        yield from self.living(leg, event.at)
        party = leg.party
        if party.voice is None:
            party.voice = leg
        if party.voice is not leg or (party.participant is not None and not self._still_asked(leg, event)):
            return
        leg.dial_in = True
        leg.frayed = leg.frayed or event.partial
        leg.keys_at, leg.keys_seen = max(event.at, leg.keys_at), event.evidence
        self.admissions.legs.move(leg, max(leg.stage, Stage.TALKING))
        if (event.attempt, event.meeting) != (leg.attempt, leg.meeting):
            yield from self._go_on_to(leg, event)
        yield from self._answer_bridge(leg, event)
        if leg.meeting is not None:
            leg.due = min(leg.keys_at + self.patience, leg.asked_at + max(self.patience, KEY_LIMIT))
            self._await(leg)

    def _still_asked(self, leg: Leg, event: KeyPressed) -> bool:
        """Whether keys show that the bridge had not let them in, though it seemed so: they answer what it asks."""
        who = leg.participant
        if who is None or not leg.dial_in:
            return False
        if event.attempt > leg.attempt and event.meeting is not None:
            return True
        return len(event.slots) > len(leg.slots) < MAX_SLOTS and who.demands_pin and not leg.has_right_pin

    def _go_on_to(self, leg: Leg, event: KeyPressed) -> Iterator[RosterChange]:
        """Another meeting number, or the first: the one before was in vain."""
        if leg.participant is not None:
            yield self.admissions.presence.leave(leg.participant, event.at, self.admissions.now, event.evidence)
            leg.participant = leg.party.participant = None
            leg.party.admitted = False
            self.admissions.legs.move(leg, Stage.TALKING)
        if leg.meeting is not None and not self.admissions.guests.is_misread(leg, leg.meeting):
            yield self.admissions.tried(leg, leg.meeting, event.at)
        leg.restart(event.attempt, event.meeting)
        leg.asked_at = leg.keys_at
        if event.meeting is not None:
            doubt = ", as far as its keys were seen" if leg.frayed else ""
            leg.note(f"entered the meeting number {event.meeting.value}{doubt}", event.evidence)

    def _answer_bridge(self, leg: Leg, event: KeyPressed) -> Iterator[RosterChange]:
        """The groups of keys that are new."""
        for position in range(len(leg.slots), min(len(event.slots), MAX_SLOTS)):
            slot = event.slots[position]
            leg.asked_at = leg.keys_at
            leg.note(told(slot, position + 1), event.evidence)
            if slot.state is SlotState.WRONG and leg.meeting is not None:
                yield self.admissions.guests.pin_refused(leg, leg.meeting, event.at, self.admissions.now, slot.length)
        leg.slots = event.slots[:MAX_SLOTS]

    def _await(self, leg: Leg) -> None:
        if not leg.timed:
            leg.timed = True
            self.admissions.later(leg.due, leg, self._admit)

    def _admit(self, leg: Leg, at: Nanoseconds) -> Iterator[RosterChange]:
        leg.timed = False
        if not leg.due or leg.meeting is None:
            return
        if leg.due > at:
            self._await(leg)
            return
        if self.admissions.guests.is_misread(leg, leg.meeting):
            leg.due = 0
            return
        if self.admissions.lossy() and self._may_be_refused(leg, leg.meeting):
            leg.held = True
            self.admissions.counts["held_joins"] += 1
            return
        yield from self._let_in(leg, leg.meeting)

    def living(self, leg: Leg, at: Nanoseconds) -> Iterator[RosterChange]:
        """The call shows that it lived on: so they are in for whom that was not certain."""
        if leg.held and leg.meeting is not None and at >= leg.due:
            yield from self._let_in(leg, leg.meeting)

    def _may_be_refused(self, leg: Leg, meeting: MeetingRef) -> bool:
        """Whether it would be no wonder if the bridge had hung up: what it asks for was not entered, as far as seen."""
        occurrences = self.admissions.guests.occurrences
        if not occurrences.series(meeting):
            return True
        return not leg.has_right_pin and occurrences.demands_pin(meeting, occurrences.fitting(meeting, leg.keys_at))

    def _let_in(self, leg: Leg, meeting: MeetingRef) -> Iterator[RosterChange]:
        waited = leg.due - leg.keys_at == self.patience
        since = "key" if waited else "answer to the bridge"
        seconds = (self.patience if waited else leg.due - leg.asked_at) // SECOND
        leg.note(f"the call lived on for {seconds} s after the last {since}", leg.keys_seen)
        joined_at = leg.keys_at if waited else leg.asked_at
        yield from self.admissions.join(leg, meeting, joined_at, self.admissions.now, leg.keys_seen)
