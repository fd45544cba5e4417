"""Legs become participants, or are over without that: the one place where somebody is admitted."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from monitor.meetings.guests import Guests
from monitor.meetings.identities import RANK
from monitor.meetings.legs import Leg, Legs, Stage
from monitor.meetings.links import Links
from monitor.meetings.presence import Presence
from monitor.meetings.strangers import WAITING
from monitor.meetings.timers import Timers
from monitor.model.calls import CallAnswered, CallEnded, CallOffered, CallRefused
from monitor.model.evidence import SECOND, Evidence, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.meetings import MeetingRef
from monitor.model.roster import Joined, Participant, RosterChange, Trust

OVERRULED: Nanoseconds = 32 * SECOND
"""A refusal stands when no answer has overruled it by then (timer B of RFC 3261, 17.1.1.2)."""

REORDERED: Nanoseconds = SECOND
"""An INVITE may stand this much later in a capture than its own answer."""

Say = Callable[[Leg, Nanoseconds], Iterator[RosterChange]]
Adopt = Callable[[Leg, Participant], Participant | None]


def _nobody(_leg: Leg, _participant: Participant) -> None:
    return None


class Admissions:
    """Every leg from its beginning to its end, whatever way it comes in."""

    def __init__(
        self,
        guests: Guests,
        links: Links,
        stays: tuple[int, ...],
        limits: Limits,
        lossy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`lossy` tells whether so much is lost at this moment that silence proves nothing."""
        self.lossy = lossy
        self.guests = guests
        self.links = links
        self.legs = Legs(limits.legs)
        self.timers = Timers()
        self.presence = Presence(guests.occurrences, self.timers, stays, lossy)
        self.adopt: Adopt = _nobody
        """Asked at each join for somebody whom a roster has told already, and whose call this is."""
        self.now: Nanoseconds = 0
        """The latest time so far: of what is said now."""
        self.counts = dict.fromkeys(
            ("legs", "joins", "attempts", "linked_legs", "replaced_legs", "held_joins", "unknown_joins"), 0
        )

    # ── the life of a leg ────────────────────────────────────────────────────────────────────────────────────────

    def advance(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """Everything that became certain by the passing of time until `at`, in the order of its time."""
        for when, say in self.timers.passed(at):
            self.now = max(self.now, when)
            yield from say(when)

    def begin(self, offered: CallOffered) -> Leg:
        """A call leads to a meeting, or to the voice of a bridge."""
        leg = Leg(offered)
        first = self.links.first_half(leg)
        if first is not None:
            first.party.take(leg)
            self.counts["linked_legs"] += 1
        gone = self.legs.add(leg)
        if gone is not None:
            self._forget(gone)
        self.links.expect(leg, offered.at)
        self.later(offered.at + WAITING, leg, self.expire)
        self.counts["legs"] += 1
        return leg

    def pick_up(self, leg: Leg, event: CallAnswered) -> None:
        """Somebody, or a machine, answers."""
        leg.answered, leg.refused = event, False
        leg.party.take(leg)
        self.legs.move(leg, max(leg.stage, Stage.TALKING))
        leg.note("the call was answered", event.evidence)

    def later(self, when: Nanoseconds, leg: Leg, say: Say) -> None:
        """Say it then, if the leg still lives."""
        self.timers.set(when, partial(say, leg), partial(self.legs.__contains__, leg))

    def refuse(self, leg: Leg, event: CallRefused) -> Iterable[RosterChange]:
        """The call is refused. A later 2xx overrules that (another fork, or bridge), so the leg stays a while."""
        if leg.answered is not None or leg.refused:
            return ()
        if not event.status:  # the next INVITE would have shown that it was a challenge
            leg.doomed = True
            self.later(event.at + OVERRULED, leg, self.expire)
            return ()
        leg.refused = True
        self.legs.move(leg, Stage.RINGING)
        self.later(event.at + OVERRULED, leg, self.expire)
        return self.over(leg, event.at, event.evidence, f"refused with {event.status}")

    def end(self, leg: Leg, event: CallEnded) -> Iterator[RosterChange]:
        """Somebody hangs up. A back-to-back agent does so on both halves: who was in is gone with the first one."""
        self.legs.remove(leg)
        gone = leg.party.participant
        if gone is None:
            yield from self.over(leg, event.at, event.evidence, "the call ended before anybody was admitted")
            return
        leg.party.lose(leg)
        if not leg.replaced and self.presence.holds(gone):
            leg.party.participant = None
            if event.by != "unknown":
                yield from self.presence.proven(gone, event.at, self.now)
            yield self.presence.leave(gone, event.at, self.now, event.evidence)

    def expire(self, leg: Leg, _at: Nanoseconds) -> Iterator[RosterChange]:
        """Nobody was seen to answer, for longer than anything rings."""
        if leg.stage is Stage.RINGING:
            self.legs.remove(leg)
            if not leg.refused:
                yield from self.over(leg, leg.offered.at, leg.offered.evidence, "nobody was seen to answer")

    def _forget(self, leg: Leg) -> None:
        """There was no more room for a leg: what became of it is not known."""
        leg.party.lose(leg)
        if leg.participant is not None and not leg.party.legs:
            self.presence.forget(leg.participant)

    # ── admission ────────────────────────────────────────────────────────────────────────────────────────────────

    def direct(self, leg: Leg) -> Iterable[RosterChange]:
        """A call to a meeting itself, or by the bridge: at its answer."""
        answered = leg.answered
        if answered is None or leg.meeting is None or leg.dial_in or leg.participant is not None:
            return ()
        if leg.is_rebuilt and len(leg.party.offers) == 1:
            # The INVITE itself may come a moment later, and says better who calls.
            self.later(self.now + REORDERED, leg, self.late)
            return ()
        return self.join(leg, leg.meeting, answered.at, self.now, answered.evidence)

    def late(self, leg: Leg, at: Nanoseconds) -> Iterator[RosterChange]:
        """The same, when nothing better will be known of it."""
        if leg.answered and leg.meeting and not leg.dial_in and leg.participant is None:
            yield from self.join(leg, leg.meeting, leg.answered.at, at, leg.answered.evidence)

    def take_over(self, leg: Leg, former: Leg) -> Iterable[RosterChange]:
        """A call is answered that takes another one's place in the meeting (RFC 3891): of the same person, or not."""
        leg.takes_place_of = None
        party, was = former.party, former.party.participant
        meeting = was.meeting if was else former.meeting
        if meeting is None or (was is None and not former.by_bridge):
            return self.direct(leg)
        former.replaced = True
        self.counts["replaced_legs"] += 1
        if was is not None and self._is_person(was, leg):
            party.take(leg)
            leg.participant = was
            self.legs.move(leg, Stage.INSIDE)
            return ()
        for other in [other for other in party.legs if other is not former]:
            party.lose(other)
            leg.party.take(other)
        leg.meeting, leg.dial_in = meeting, former.dial_in
        return self._take_seat(leg, meeting, was)

    def _take_seat(self, leg: Leg, meeting: MeetingRef, was: Participant | None) -> Iterator[RosterChange]:
        answered = leg.answered
        assert answered is not None  # noqa: S101 - a place is taken at the answer
        if was is not None and self.presence.holds(was):
            yield self.presence.leave(was, answered.at, self.now, answered.evidence)
        yield from self.join(leg, meeting, answered.at, self.now, answered.evidence)

    def _is_person(self, was: Participant, leg: Leg) -> bool:
        identity, _ = self.guests.identity_of(leg)
        people = self.guests.occurrences.people(identity.subject)
        same = identity.subject == was.identity.subject or any(person in was.people for person in people)
        # No worse vouched for than who was there, or it would do to claim to be them.
        return same and identity.trust is not Trust.NONE and RANK[identity.trust] <= RANK[was.identity.trust]

    def join(
        self, leg: Leg, meeting: MeetingRef, joined_at: Nanoseconds, at: Nanoseconds, evidence: Evidence
    ) -> Iterator[RosterChange]:
        """Somebody is in, or known better than when they seemed to be."""
        party = leg.party
        if party.participant is not leg.participant:
            return  # by another leg of the same call
        anew = leg.participant is not None
        participant = self.guests.participant_of(leg, meeting, joined_at)
        known = None if anew else self.adopt(leg, participant)
        if known is None and self.guests.is_unknown(leg):
            self.counts["unknown_joins"] += not party.admitted
            party.admitted = True
            return
        leg.participant = party.participant = participant = known or participant
        party.admitted = True
        leg.due, leg.held = 0, False
        self.legs.move(leg, Stage.INSIDE)
        if known is not None:
            return
        self.counts["joins"] += not anew
        yield Joined(at=at, evidence=evidence, participant=participant)
        self.presence.enter(participant, at, evidence)

    def over(self, leg: Leg, at: Nanoseconds, evidence: Evidence, why: str) -> Iterator[RosterChange]:
        """A leg is over that admitted nobody. While another leg of the same call lives on, nothing was in vain yet."""
        leg.due = 0
        party = leg.party
        party.lose(leg)
        if leg.meeting is not None and not leg.by_bridge and not self.guests.is_misread(leg, leg.meeting):
            leg.note(why, evidence)
            party.spent = (leg, leg.meeting)
        if party.legs:
            for other in party.legs:
                self.links.expect(other, at)  # the agent may try its next way
        elif not party.admitted and party.spent is not None:
            (spent, meeting), party.spent = party.spent, None
            yield self.tried(spent, meeting, at)

    def tried(self, leg: Leg, meeting: MeetingRef, at: Nanoseconds) -> RosterChange:
        """Somebody named a meeting in vain."""
        self.counts["attempts"] += 1
        return self.guests.tried(leg, meeting, at, self.now)
