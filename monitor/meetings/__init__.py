"""Who is in which meeting now? Signalling events come in, changes of the roster go out.

A leg is *admitted* (RULES): a direct call at its answer; a dial-in at the last key after which the call lives on for
20 s without another key and without being hung up; a call that the bridge makes, when it is answered. Time is the
time of the events: the pipeline calls `advance` when it has passed `due`.

Where that leaves a choice:

* Whoever goes on pressing keys that answer no question of the bridge (`*6`) is in after three minutes all the same.
* When a caller who seemed admitted answers one more question (another number, or the PIN that was still asked for),
  they were not in before: they leave, or their join is told anew.
* When the capture ends before the 20 s have passed, nobody knows, and nothing is told. Who is in then has not left.
* A call that nobody was seen to answer within ten minutes was tried in vain.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from monitor.meetings.guests import Guests
from monitor.meetings.identities import RANK, Identities, Networks
from monitor.meetings.legs import MAX_SLOTS, Leg, Legs, Stage, told
from monitor.meetings.links import Links
from monitor.meetings.occurrences import Occurrences
from monitor.meetings.presence import Presence
from monitor.meetings.strangers import WAITING, Strangers
from monitor.meetings.timers import Timers
from monitor.meetings.transfers import Transfers
from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    DialInReached,
    KeyPressed,
    MeetingNamed,
    SignallingEvent,
)
from monitor.model.evidence import MINUTE, SECOND, Evidence, Nanoseconds
from monitor.model.invitations import Calendar, Directory, NumberText
from monitor.model.meetings import MeetingRef, SlotState
from monitor.model.policy import Policy
from monitor.model.roster import Joined, Participant, RosterChange, Trust

KEY_LIMIT: Nanoseconds = 3 * MINUTE
"""Nobody is kept waiting longer by their own keys: no bridge listens so long to somebody who answers nothing."""

OVERRULED: Nanoseconds = 32 * SECOND
"""A refusal stands when no answer has overruled it by then (timer B of RFC 3261, 17.1.1.2)."""

REORDERED: Nanoseconds = SECOND
"""An INVITE may stand this much later in a capture than its own answer."""

RefsOf = Callable[[str], tuple[MeetingRef, ...]]


class Meetings:
    """Follows every call to a meeting from its offer to its end."""

    def __init__(
        self,
        calendar: Calendar,
        directory: Directory,
        policy: Policy,
        number_text: NumberText,
        refs_of: RefsOf = lambda _uri: (),
    ) -> None:
        external = Networks(policy.site.external_trunks)
        identities = Identities(policy.site.trusted_trunks, number_text)
        self.occurrences = Occurrences(calendar, directory, policy)
        self.guests = Guests(self.occurrences, identities, external, number_text)
        self.bridges = frozenset(policy.site.bridges)
        self.refs_of = refs_of
        self.patience = policy.rules.admission_seconds * SECOND
        self._counts = dict.fromkeys(("legs", "joins", "attempts", "linked_legs", "replaced_legs"), 0)
        self._now: Nanoseconds = 0
        self._legs = Legs()
        self._links = Links(identities, external, number_text)
        self._strangers = Strangers()
        self._timers = Timers()
        self._presence = Presence(self.occurrences, self._timers, (policy.rules.duplicate_overlap_seconds,))
        self._transfers = Transfers(self._legs, number_text)

    @property
    def due(self) -> Nanoseconds:
        """When `advance` has something to say; the pipeline compares it with the time of each packet."""
        return self._timers.due

    @property
    def counts(self) -> dict[str, int]:
        """What was followed, and what had to be forgotten."""
        return {
            **self._counts,
            "leaves": self._presence.left,
            "evicted_legs": self._legs.evicted,
            "evicted_calls": self._strangers.evicted,
        }

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────

    def feed(self, event: SignallingEvent) -> Iterable[RosterChange]:
        """What this event changes. Deadlines that have passed must have been heard first (`advance`)."""
        self._now = max(self._now, event.at)
        match event:
            case CallOffered():
                return self._offered(event)
            case MeetingNamed():
                return self._named(event)
            case DialInReached():
                return self._reached(event)
            case CallAnswered():
                return self._answered(event)
            case KeyPressed():
                return self._pressed(event)
            case CallRefused():
                return self._refused(event)
            case CallEnded():
                return self._ended(event)
            case CallForwarded():
                return self._forwarded(event)

    def _offered(self, event: CallOffered) -> Iterable[RosterChange]:
        known = self._legs.get(event.call)
        if known is not None and self._is_same(known, event):
            known.hear(event)
            return self._admit_direct(known)
        tried = () if known is None else self._renamed(known)
        if self._takes_a_place(event) or self._called_by_bridge(event):
            return tried
        self._strangers.offered(event)
        return tried

    def _is_same(self, leg: Leg, event: CallOffered) -> bool:
        """Whether an offer is the same call on its next hop, with credentials, or in full after its answer."""
        if leg.redirected or (leg.is_rebuilt and len(leg.offers) == 1 and leg.participant is None):
            return True
        other_target = event.caller.sent_from == leg.offered.caller.sent_from and event.target != leg.offered.target
        return leg.answered is None and not other_target

    def _renamed(self, leg: Leg) -> Iterable[RosterChange]:
        """Another call begins under the Call-ID of one that was not seen to end."""
        if leg.participant is not None:
            self._legs.rename(leg, leg.participant.id)
            return ()
        self._legs.remove(leg)
        return self._over(leg, leg.offered.at, leg.offered.evidence, "another call took its Call-ID")

    def _called_by_bridge(self, event: CallOffered) -> bool:
        refs = self.refs_of(event.caller.uri) if event.caller.sent_from in self.bridges else ()
        if refs:
            leg = self._leg_of(event)
            leg.by_bridge, leg.meeting = True, refs[0]
            leg.note(f"the bridge {event.caller.sent_from} calls out", event.evidence)
        return bool(refs)

    def _takes_a_place(self, event: CallOffered) -> bool:
        """Whether a call is made to take another one's place: then it is a leg from the start."""
        replaced = self._transfers.replaced_by(event)
        if replaced is not None:
            leg = self._leg_of(event)
            leg.takes_place_of = replaced
            leg.note("called to take over a call that leads into the meeting", event.evidence)
            return True
        asked = self._transfers.asked_for(event)
        if asked is not None and (former := asked[0].participant) is not None:
            leg = self._leg_of(event)
            leg.by_bridge, leg.meeting = True, former.meeting
            leg.note(f"{former.identity.subject} had them called into the meeting", asked[1], event.evidence)
            return True
        return False

    def _named(self, event: MeetingNamed) -> Iterable[RosterChange]:
        leg = self._aimed(event.call)
        if leg is None or leg.meeting == event.meeting or leg.participant is not None or leg.by_bridge:
            return ()
        leg.meeting, leg.dial_in = event.meeting, False
        leg.note(f"called the meeting {event.meeting.platform} {event.meeting.key}", event.evidence)
        return self._admit_direct(leg)

    def _reached(self, event: DialInReached) -> Iterable[RosterChange]:
        leg = self._aimed(event.call)
        if leg is not None and not leg.dial_in and leg.participant is None and not leg.by_bridge:
            leg.dial_in, leg.meeting = True, None
            leg.note(f"called the access number of {event.platform}", event.evidence)
        return ()

    def _answered(self, event: CallAnswered) -> Iterable[RosterChange]:
        leg = self._legs.get(event.call)
        if leg is None:
            self._strangers.answered(event)
            return ()
        if leg.answered is not None:
            return ()
        self._pick_up(leg, event)
        if leg.takes_place_of is not None:
            return self._take_over(leg, leg.takes_place_of)
        return self._admit_direct(leg)

    def _pick_up(self, leg: Leg, event: CallAnswered) -> None:
        leg.answered, leg.refused = event, False
        leg.party.take(leg)
        self._legs.move(leg, max(leg.stage, Stage.TALKING))
        leg.note("the call was answered", event.evidence)

    def _pressed(self, event: KeyPressed) -> Iterator[RosterChange]:
        leg = self._aimed(event.call)
        if leg is None or leg.by_bridge:
            return
        party = leg.party
        if party.voice is None:
            party.voice = leg
        if party.voice is not leg or (party.participant is not None and not self._still_asked(leg, event)):
            return
        leg.dial_in = True
        leg.keys_at, leg.keys_seen = max(event.at, leg.keys_at), event.evidence
        self._legs.move(leg, max(leg.stage, Stage.TALKING))
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
            yield self._presence.leave(leg.participant, event.at, self._now, event.evidence)
            leg.participant = leg.party.participant = None
            leg.party.admitted = False
            self._legs.move(leg, Stage.TALKING)
        if leg.meeting is not None:
            yield self._tried(leg, leg.meeting, event.at)
        leg.restart(event.attempt, event.meeting)
        leg.asked_at = leg.keys_at
        if event.meeting is not None:
            leg.note(f"entered the meeting number {event.meeting.value}", event.evidence)

    def _answer_bridge(self, leg: Leg, event: KeyPressed) -> Iterator[RosterChange]:
        """The groups of keys that are new."""
        for position in range(len(leg.slots), min(len(event.slots), MAX_SLOTS)):
            slot = event.slots[position]
            leg.asked_at = leg.keys_at
            leg.note(told(slot, position + 1), event.evidence)
            if slot.state is SlotState.WRONG and leg.meeting is not None:
                yield self.guests.pin_refused(leg, leg.meeting, event.at, self._now, slot.length)
        leg.slots = event.slots[:MAX_SLOTS]

    def _refused(self, event: CallRefused) -> Iterable[RosterChange]:
        # A redirect is no refusal: the caller goes on to the contact under the same Call-ID (RFC 3261, 8.1.3.4).
        if event.status < 400:
            return ()
        self._strangers.over(event.call)
        leg = self._legs.get(event.call)
        if leg is None or leg.answered is not None or leg.refused:
            return ()
        # A later 2xx overrules it (another fork, or another bridge of a cluster), so the leg stays a while.
        leg.refused = True
        self._legs.move(leg, Stage.RINGING)
        self._later(event.at + OVERRULED, leg, self._expire)
        return self._over(leg, event.at, event.evidence, f"refused with {event.status}")

    def _ended(self, event: CallEnded) -> Iterator[RosterChange]:
        self._strangers.over(event.call)
        leg = self._legs.get(event.call)
        if leg is None:
            return
        self._legs.remove(leg)
        # A back-to-back agent hangs up both halves: the participant is gone when the first one is.
        gone = leg.party.participant
        if gone is None:
            yield from self._over(leg, event.at, event.evidence, "the call ended before anybody was admitted")
            return
        leg.party.lose(leg)
        if not leg.replaced and self._presence.holds(gone):
            leg.party.participant = None
            yield self._presence.leave(gone, event.at, self._now, event.evidence)

    def _forwarded(self, event: CallForwarded) -> Iterable[RosterChange]:
        leg = self._legs.get(event.call)
        if leg is not None and event.how == "redirect":
            leg.redirected = True
        elif event.how == "transfer":
            self._transfers.ask(event)
        return ()

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """Everything that became certain by the passing of time until `at`, in the order of its time."""
        for when, say in self._timers.passed(at):
            self._now = max(self._now, when)
            yield from say(when)

    def finish(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """The capture ends: what is certain by its last packet. Who is still there has not left."""
        yield from self.advance(at)
        for leg in self._legs:
            if leg.is_rebuilt:
                yield from self._admit_late(leg, at)

    def _later(self, when: Nanoseconds, leg: Leg, say: Callable[[Leg, Nanoseconds], Iterator[RosterChange]]) -> None:
        self._timers.set(when, partial(say, leg), partial(self._legs.__contains__, leg))

    def _expire(self, leg: Leg, _at: Nanoseconds) -> Iterator[RosterChange]:
        """Nobody was seen to answer, for longer than anything rings."""
        if leg.stage is Stage.RINGING:
            self._legs.remove(leg)
            if not leg.refused:
                yield from self._over(leg, leg.offered.at, leg.offered.evidence, "nobody was seen to answer")

    # ── admission ────────────────────────────────────────────────────────────────────────────────────────────────

    def _admit_direct(self, leg: Leg) -> Iterable[RosterChange]:
        answered = leg.answered
        if answered is None or leg.meeting is None or leg.dial_in or leg.participant is not None:
            return ()
        if leg.is_rebuilt and len(leg.party.offers) == 1:
            # The INVITE itself may come a moment later, and says better who calls.
            self._later(self._now + REORDERED, leg, self._admit_late)
            return ()
        return self._join(leg, leg.meeting, answered.at, self._now, answered.evidence)

    def _admit_late(self, leg: Leg, at: Nanoseconds) -> Iterator[RosterChange]:
        if leg.answered and leg.meeting and not leg.dial_in and leg.participant is None:
            yield from self._join(leg, leg.meeting, leg.answered.at, at, leg.answered.evidence)

    def _await(self, leg: Leg) -> None:
        if not leg.timed:
            leg.timed = True
            self._later(leg.due, leg, self._admit_dial_in)

    def _admit_dial_in(self, leg: Leg, at: Nanoseconds) -> Iterator[RosterChange]:
        leg.timed = False
        if not leg.due or leg.meeting is None:
            return
        if leg.due > at:
            self._await(leg)
            return
        waited = leg.due - leg.keys_at == self.patience
        since = "key" if waited else "answer to the bridge"
        seconds = (self.patience if waited else leg.due - leg.asked_at) // SECOND
        leg.note(f"the call lived on for {seconds} s after the last {since}", leg.keys_seen)
        joined_at = leg.keys_at if waited else leg.asked_at
        yield from self._join(leg, leg.meeting, joined_at, self._now, leg.keys_seen)

    def _take_over(self, leg: Leg, former: Leg) -> Iterable[RosterChange]:
        """A call is answered that takes another one's place in the meeting (RFC 3891): of the same person, or not."""
        leg.takes_place_of = None
        party, was = former.party, former.party.participant
        meeting = was.meeting if was else former.meeting
        if meeting is None or (was is None and not former.by_bridge):
            return self._admit_direct(leg)
        former.replaced = True
        self._counts["replaced_legs"] += 1
        if was is not None and self._is_person(was, leg):
            party.take(leg)
            leg.participant = was
            self._legs.move(leg, Stage.INSIDE)
            return ()
        for other in [other for other in party.legs if other is not former]:
            party.lose(other)
            leg.party.take(other)
        leg.meeting, leg.dial_in = meeting, former.dial_in
        return self._take_seat(leg, meeting, was)

    def _take_seat(self, leg: Leg, meeting: MeetingRef, was: Participant | None) -> Iterator[RosterChange]:
        answered = leg.answered
        assert answered is not None  # noqa: S101 - a place is taken at the answer
        if was is not None and self._presence.holds(was):
            yield self._presence.leave(was, answered.at, self._now, answered.evidence)
        yield from self._join(leg, meeting, answered.at, self._now, answered.evidence)

    def _is_person(self, was: Participant, leg: Leg) -> bool:
        identity, _ = self.guests.identity_of(leg)
        people = self.occurrences.people(identity.subject)
        same = identity.subject == was.identity.subject or any(person in was.people for person in people)
        # No worse vouched for than who was there, or it would do to claim to be them.
        return same and identity.trust is not Trust.NONE and RANK[identity.trust] <= RANK[was.identity.trust]

    def _join(
        self, leg: Leg, meeting: MeetingRef, joined_at: Nanoseconds, at: Nanoseconds, evidence: Evidence
    ) -> Iterator[RosterChange]:
        party = leg.party
        if party.participant is not leg.participant:
            return  # by another leg of the same call
        anew = leg.participant is not None
        participant = self.guests.participant_of(leg, meeting, joined_at)
        leg.participant = party.participant = participant
        party.admitted = True
        leg.due = 0
        self._legs.move(leg, Stage.INSIDE)
        self._counts["joins"] += not anew
        yield Joined(at=at, evidence=evidence, participant=participant)
        self._presence.enter(participant, at, evidence)

    # ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _over(self, leg: Leg, at: Nanoseconds, evidence: Evidence, why: str) -> Iterator[RosterChange]:
        """A leg is over that admitted nobody. While another leg of the same call lives on, nothing was in vain yet."""
        leg.due = 0
        party = leg.party
        party.lose(leg)
        if leg.meeting is not None and not leg.by_bridge:
            leg.note(why, evidence)
            party.spent = (leg, leg.meeting)
        if party.legs:
            for other in party.legs:
                self._links.expect(other, at)  # the agent may try its next way
        elif not party.admitted and party.spent is not None:
            (spent, meeting), party.spent = party.spent, None
            yield self._tried(spent, meeting, at)

    def _tried(self, leg: Leg, meeting: MeetingRef, at: Nanoseconds) -> RosterChange:
        self._counts["attempts"] += 1
        return self.guests.tried(leg, meeting, at, self._now)

    # ── legs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _aimed(self, call: str) -> Leg | None:
        """The leg of a call that turns out to go to a meeting."""
        leg = self._legs.get(call)
        said = () if leg is not None else self._strangers.over(call)
        for event in said:
            if isinstance(event, CallAnswered):
                if leg is not None:
                    self._pick_up(leg, event)
            elif leg is None:
                leg = self._leg_of(event)
            else:
                leg.hear(event)
        return leg

    def _leg_of(self, offered: CallOffered) -> Leg:
        leg = Leg(offered)
        first = self._links.first_half(leg)
        if first is not None:
            first.party.take(leg)
            self._counts["linked_legs"] += 1
        gone = self._legs.add(leg)
        if gone is not None:
            self._forget(gone)
        self._links.expect(leg, offered.at)
        self._later(offered.at + WAITING, leg, self._expire)
        self._counts["legs"] += 1
        return leg

    def _forget(self, leg: Leg) -> None:
        """There was no more room for a leg: what became of it is not known."""
        leg.party.lose(leg)
        if leg.participant is not None and not leg.party.legs:
            self._presence.forget(leg.participant)
