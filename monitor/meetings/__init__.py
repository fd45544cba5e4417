"""Who is in which meeting now? Signalling events come in, changes of the roster go out.

A leg is *admitted* (RULES): a direct call at its answer; a dial-in at the last key after which the call lives on for
20 s without another key and without being hung up; a call that the bridge makes, when it is answered. Time is the
time of the events: the pipeline calls `advance` when it has passed `due`.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import heapify, heappop, heappush

from monitor.meetings.identities import Identities, Networks
from monitor.meetings.legs import MAX_SLOTS, Leg, Party, told
from monitor.meetings.occurrences import Occurrences
from monitor.meetings.roster import Roster
from monitor.model.alerts import id_of
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
from monitor.model.evidence import SECOND, Evidence, Fact, Nanoseconds
from monitor.model.invitations import Calendar, Directory, NumberText, Occurrence
from monitor.model.meetings import MeetingRef, Method, SlotState
from monitor.model.policy import Policy
from monitor.model.roster import (
    Identity,
    Joined,
    Left,
    Overstayed,
    Participant,
    PinRefused,
    RosterChange,
    Stayed,
    Tried,
    Trust,
    Verdict,
)

MAX_LEGS = 50_000
"""Calls to meetings that are remembered at once; far beyond the ports of any bridge."""

MAX_STRANGERS = 50_000
"""Other calls remembered, because keys may yet show that they go to a meeting."""

MAX_RECENT = 256
"""Legs among which the other half of a call is looked for."""

LINK_SECONDS = 5
"""A back-to-back agent makes its own call this soon after the one that it serves."""

MAX_IDLE_TIMERS = 4096
"""Timers of calls that are over, before they are swept out: those that run are bounded by the legs."""

FOREVER: Nanoseconds = 1 << 63

Say = Callable[[Nanoseconds], Iterator[RosterChange]]
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
        self.occurrences = Occurrences(calendar, directory, policy)
        self.identities = Identities(policy.site.trusted_trunks, number_text)
        self.external = Networks(policy.site.external_trunks)
        self.bridges = frozenset(policy.site.bridges)
        self.refs_of = refs_of
        self.number_text = number_text
        self.patience = policy.rules.admission_seconds * SECOND
        self.stays = (policy.rules.duplicate_overlap_seconds,)
        self.roster = Roster()
        self.due: Nanoseconds = FOREVER
        """When `advance` has something to say; the pipeline compares it with the time of each packet."""
        self.counts = dict.fromkeys(("legs", "joins", "leaves", "attempts", "linked_legs", "evicted_legs"), 0)
        self._now: Nanoseconds = 0
        self._legs: dict[str, Leg] = {}
        self._waiting: dict[str, Leg] = {}
        self._strangers: dict[str, CallOffered] = {}
        self._recent: dict[str, Leg] = {}
        self._timers: list[tuple[Nanoseconds, int, Say, Leg | Participant]] = []
        self._timer_count = 0
        self._timer_limit = MAX_IDLE_TIMERS

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
                return ()

    def _offered(self, event: CallOffered) -> Iterable[RosterChange]:
        if event.caller.sent_from in self.bridges:
            refs = self.refs_of(event.caller.uri)
            if refs:
                leg = self._leg_of(event)
                leg.by_bridge = True
                leg.meeting = refs[0]
                leg.note(f"the bridge {event.caller.sent_from} calls out", event.evidence)
                return ()
        if len(self._strangers) >= MAX_STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        self._strangers[event.call] = event
        return ()

    def _named(self, event: MeetingNamed) -> Iterable[RosterChange]:
        leg = self._aimed(event.call)
        if leg is None or leg.meeting is not None:
            return ()
        leg.meeting = event.meeting
        leg.note(f"called the meeting {event.meeting.platform} {event.meeting.key}", leg.offered.evidence)
        return self._admit_direct(leg) if leg.answered else ()

    def _reached(self, event: DialInReached) -> Iterable[RosterChange]:
        leg = self._aimed(event.call)
        if leg is not None and not leg.dial_in:
            leg.dial_in = True
            leg.note(f"called the access number of {event.platform}", leg.offered.evidence)
        return ()

    def _answered(self, event: CallAnswered) -> Iterable[RosterChange]:
        leg = self._legs.get(event.call)
        if leg is None or leg.answered:
            return ()
        leg.answered = event
        leg.note("the call was answered", event.evidence)
        if leg.meeting is not None and not leg.dial_in:
            return self._admit_direct(leg)
        return ()

    def _pressed(self, event: KeyPressed) -> Iterator[RosterChange]:
        leg = self._legs.get(event.call) or self._aimed(event.call)
        if leg is None or leg.participant is not None:
            return
        party = leg.party
        if party.voice is None:
            party.voice = leg
        if party.voice is not leg or party.participant is not None:
            return
        leg.dial_in = True
        if (event.attempt, event.meeting) != (leg.attempt, leg.meeting):
            if leg.meeting is not None:
                yield self._tried(leg, leg.meeting, event.at, event.evidence)
            leg.restart(event.attempt, event.meeting)
            if event.meeting is not None:
                leg.note(f"entered the meeting number {event.meeting.value}", event.evidence)
        for position in range(len(leg.slots), min(len(event.slots), MAX_SLOTS)):
            slot = event.slots[position]
            leg.note(told(slot, position + 1), event.evidence)
            if slot.state is SlotState.WRONG and leg.meeting is not None:
                yield self._pin_refused(leg, leg.meeting, event, slot.length)
        leg.slots = event.slots[:MAX_SLOTS]
        leg.keys_at = event.at
        if leg.meeting is not None:
            leg.due = event.at + self.patience
            self._await(leg)

    def _refused(self, event: CallRefused) -> Iterator[RosterChange]:
        # A redirect is no refusal: the caller goes on to the contact under the same Call-ID (RFC 3261, 8.1.3.4).
        if event.status < 400:
            return
        self._strangers.pop(event.call, None)
        leg = self._legs.get(event.call)
        if leg is None or leg.answered:
            return
        if leg.meeting is not None and leg.participant is None and not leg.by_bridge:
            leg.note(f"refused with {event.status}", event.evidence)
            yield self._tried(leg, leg.meeting, event.at, event.evidence)
        self._forget(leg)

    def _ended(self, event: CallEnded) -> Iterator[RosterChange]:
        self._strangers.pop(event.call, None)
        leg = self._legs.get(event.call)
        if leg is None:
            return
        party = leg.party
        if leg.due and leg.meeting is not None and party.participant is None:
            leg.note("the call ended before anybody was admitted", event.evidence)
            yield self._tried(leg, leg.meeting, event.at, event.evidence)
        self._forget(leg)
        # A back-to-back agent hangs up both halves: the participant is gone when the first one is.
        gone = party.participant
        if gone is not None and self.roster.holds(gone):
            party.participant = None
            yield self._leave(gone, event.at, event.evidence)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """Everything that became certain by the passing of time until `at`, in the order of its time."""
        while self._timers and self._timers[0][0] <= at:
            when, _, say, _ = heappop(self._timers)
            self._now = max(self._now, when)
            yield from say(when)
        self.due = self._timers[0][0] if self._timers else FOREVER

    def finish(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """The capture ends: what is certain by its last packet. Who is still there has not left."""
        yield from self.advance(at)

    def _at(self, when: Nanoseconds, say: Say, owner: Leg | Participant) -> None:
        self._timer_count += 1
        if len(self._timers) > self._timer_limit:
            self._timers = [timer for timer in self._timers if self._lives(timer[3])]
            heapify(self._timers)
            self._timer_limit = 2 * len(self._timers) + MAX_IDLE_TIMERS
        heappush(self._timers, (when, self._timer_count, say, owner))
        self.due = self._timers[0][0]

    def _lives(self, owner: Leg | Participant) -> bool:
        if isinstance(owner, Leg):
            return owner.offered.call in self._legs
        return self.roster.holds(owner)

    # ── admission ────────────────────────────────────────────────────────────────────────────────────────────────

    def _admit_direct(self, leg: Leg) -> Iterator[RosterChange]:
        answered = leg.answered
        if answered is not None and leg.participant is None:
            yield from self._join(leg, answered.at, answered.at, answered.evidence)

    def _await(self, leg: Leg) -> None:
        if not leg.timed:
            leg.timed = True
            self._at(leg.due, partial(self._admit_dial_in, leg), leg)

    def _admit_dial_in(self, leg: Leg, at: Nanoseconds) -> Iterator[RosterChange]:
        leg.timed = False
        if not leg.due or leg.participant is not None:
            return
        if leg.due > at:
            self._await(leg)
            return
        last = leg.facts[-1].evidence[-1] if leg.facts and leg.facts[-1].evidence else leg.offered.evidence
        leg.note(f"the call lived on for {self.patience // SECOND} s after the last key", last)
        yield from self._join(leg, leg.keys_at, at, last)

    def _join(self, leg: Leg, joined_at: Nanoseconds, at: Nanoseconds, evidence: Evidence) -> Iterator[RosterChange]:
        party = leg.party
        if party.participant is not None or leg.meeting is None:
            return
        identity, who = self._identity_of(leg)
        occurrence = self.occurrences.fitting(leg.meeting, joined_at)
        participant = Participant(
            id=id_of("join", leg.meeting.platform, leg.meeting.key, leg.offered.call, str(leg.attempt)),
            meeting=leg.meeting,
            occurrence=occurrence,
            series=tuple(self.occurrences.series(leg.meeting)),
            identity=identity,
            people=self.occurrences.people(identity.subject),
            claimed_people=self.occurrences.people(identity.claimed) if identity.claimed != identity.subject else (),
            stir=self.identities.stir(leg.offered),
            from_outside=leg.offered.caller.sent_from in self.external,
            method=self._method_of(leg),
            verdict=self._verdict(occurrence, identity),
            joined_at=joined_at,
            call=leg.offered.call,
            origin=leg.offered.caller.sent_from,
            by_bridge=leg.by_bridge,
            slots=leg.slots,
            facts=(who, *leg.facts),
        )
        leg.participant = party.participant = participant
        leg.due = 0
        self._waiting.pop(leg.offered.call, None)
        self.roster.add(participant)
        self.counts["joins"] += 1
        yield Joined(at=at, evidence=evidence, participant=participant)
        self._watch(participant, at, evidence)

    def _watch(self, participant: Participant, at: Nanoseconds, evidence: Evidence) -> None:
        for seconds in self.stays:
            self._at(
                max(at, participant.joined_at + seconds * SECOND),
                partial(self._stayed, participant, seconds, evidence),
                participant,
            )
        if participant.occurrence is not None:
            late = participant.occurrence.end + self.occurrences.late
            self._at(max(at, late), partial(self._overstayed, participant, evidence), participant)

    def _stayed(
        self, participant: Participant, seconds: int, evidence: Evidence, at: Nanoseconds
    ) -> Iterator[RosterChange]:
        if self.roster.holds(participant):
            twins = self.roster.twins_of(participant)
            yield Stayed(at=at, evidence=evidence, participant=participant, seconds=seconds, twins=twins)

    def _overstayed(self, participant: Participant, evidence: Evidence, at: Nanoseconds) -> Iterator[RosterChange]:
        if not self.roster.holds(participant):
            return
        now_on = self.occurrences.fitting(participant.meeting, at)
        if now_on is not None and now_on != participant.occurrence and now_on.start <= at <= now_on.end:
            # The next meeting under the same number has begun: whoever stayed is in that one now.
            late = now_on.end + self.occurrences.late
            self._at(late, partial(self._overstayed, participant, evidence), participant)
            return
        yield Overstayed(at=at, evidence=evidence, participant=participant)

    def _leave(self, participant: Participant, at: Nanoseconds, evidence: Evidence) -> RosterChange:
        self.roster.remove(participant)
        self.counts["leaves"] += 1
        return Left(at=self._now, evidence=evidence, participant=participant, left_at=at)

    # ── who, how, expected or not ────────────────────────────────────────────────────────────────────────────────

    def _identity_of(self, leg: Leg) -> tuple[Identity, Fact]:
        if leg.by_bridge and leg.answered is not None:
            return self.identities.callee(leg.answered, leg.offered)
        best: tuple[Identity, Fact] | None = None
        for other in leg.party.legs:
            found = self.identities.caller(other.offered)
            if best is None or _better(found[0].trust, best[0].trust):
                best = found
        return best or self.identities.caller(leg.offered)

    def _verdict(self, occurrence: Occurrence | None, identity: Identity) -> Verdict:
        if identity.trust is Trust.NONE:
            return Verdict.ANONYMOUS
        if occurrence is None:
            return Verdict.UNSCHEDULED
        return Verdict.INVITED if self.occurrences.expects(occurrence, identity) else Verdict.UNINVITED

    def _method_of(self, leg: Leg) -> Method:
        if leg.dial_in:
            return Method.PSTN
        if leg.by_bridge:
            return Method.PSTN if self.number_text(leg.offered.target) else leg.offered.method
        return leg.offered.method

    def _tried(self, leg: Leg, meeting: MeetingRef, at: Nanoseconds, evidence: Evidence) -> RosterChange:
        identity, who = self._identity_of(leg)
        occurrence = self.occurrences.fitting(meeting, at)
        self.counts["attempts"] += 1
        return Tried(
            at=self._now,
            evidence=evidence,
            meeting=meeting,
            identity=identity,
            origin=leg.offered.caller.sent_from,
            method=self._method_of(leg),
            call=leg.offered.call,
            known=bool(self.occurrences.series(meeting)),
            expected=occurrence is not None and self.occurrences.expects(occurrence, identity),
            slots=leg.slots,
            facts=(who, *leg.facts),
        )

    def _pin_refused(self, leg: Leg, meeting: MeetingRef, event: KeyPressed, length: int) -> RosterChange:
        identity, _ = self._identity_of(leg)
        return PinRefused(
            at=self._now,
            evidence=event.evidence,
            meeting=meeting,
            occurrence=self.occurrences.fitting(meeting, event.at),
            identity=identity,
            origin=leg.offered.caller.sent_from,
            call=leg.offered.call,
            length=length,
        )

    # ── legs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _aimed(self, call: str) -> Leg | None:
        """The leg of a call that turns out to go to a meeting."""
        leg = self._legs.get(call)
        if leg is None and (offered := self._strangers.pop(call, None)) is not None:
            leg = self._leg_of(offered)
        return leg

    def _leg_of(self, offered: CallOffered) -> Leg:
        if len(self._legs) >= MAX_LEGS:
            self._evict()
        leg = Leg(offered)
        leg.party = self._party_for(leg)
        self._legs[offered.call] = self._waiting[offered.call] = leg
        self._recent[offered.call] = leg
        if len(self._recent) > MAX_RECENT:
            del self._recent[next(iter(self._recent))]
        self.counts["legs"] += 1
        return leg

    def _party_for(self, leg: Leg) -> Party:
        """The call of which this leg is the other half, if any: a back-to-back agent makes two Call-IDs of one."""
        mine = leg.offered
        for other in reversed(self._recent.values()):
            theirs = other.offered
            if mine.at - theirs.at > LINK_SECONDS * SECOND:
                break
            same_session = mine.session and mine.session == theirs.session
            if same_session or (other.answered is None and self._is_next_hop(theirs, mine)):
                other.party.legs.append(leg)
                self.counts["linked_legs"] += 1
                return other.party
        return leg.party

    def _is_next_hop(self, first: CallOffered, second: CallOffered) -> bool:
        """Whether the second call leaves the machine to which the first one went, for the same caller and number."""
        if first.sent_to != second.caller.sent_from or first.call == second.call:
            return False
        same_target = _user_of(first.target) == _user_of(second.target) or (
            (number := self.number_text(first.target)) is not None and number == self.number_text(second.target)
        )
        if not same_target:
            return False
        a, b = self.identities.resolve(first.caller), self.identities.resolve(second.caller)
        return a.subject == b.subject or a.claimed == b.claimed

    def _forget(self, leg: Leg) -> None:
        leg.due = 0
        self._legs.pop(leg.offered.call, None)
        self._waiting.pop(leg.offered.call, None)
        self._recent.pop(leg.offered.call, None)

    def _evict(self) -> None:
        """Make room: the oldest leg that was not admitted; who is known to be in a meeting stays if at all possible."""
        leg = next(iter((self._waiting or self._legs).values()))
        if leg.participant is not None:
            self.roster.remove(leg.participant)
        self._forget(leg)
        self.counts["evicted_legs"] += 1


def _user_of(uri: str) -> str:
    return uri.partition(":")[2].partition("@")[0].partition(";")[0]


def _better(one: Trust, other: Trust) -> bool:
    order = list(Trust)
    return order.index(one) < order.index(other)
