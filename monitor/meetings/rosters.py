"""What bridges say of who is in (RFC 4575): whose own call was not seen comes in, and whoever is known stays one.

In a roster somebody joins with the first notification that shows them connected (RULES). Where that leaves a choice:

* Their call may be seen as well, a moment sooner or later. So they are first looked for among those who are in, by
  Call-ID, address and person, and among those who are still typing; for three seconds, before they are told.
* When their call is seen only afterwards, it becomes theirs, and nothing is told again.
* They leave when the source that named them says so, or no longer has them on a list that is complete, or tells
  nothing more. No roster ends what a call has shown, and none ends what another source has told.
* A user without any address is passed over: display names prove nothing, and tell nobody from those who are known.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import partial

from msgspec.structs import replace

from monitor.meetings.acquaintances import Acquaintances
from monitor.meetings.admissions import Admissions
from monitor.meetings.conferences import Conference, Conferences, Seat, connected, has_departed
from monitor.meetings.legs import Leg, Stage
from monitor.meetings.members import Members
from monitor.meetings.transfers import far_ends
from monitor.model.calls import RosterSeen, RosterState, RosterUser
from monitor.model.evidence import DAY, MINUTE, SECOND, Evidence, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.meetings import MeetingRef
from monitor.model.roster import Joined, Participant, RosterChange

MAX_STRANGE_SEATS = 64
"""Of a source that the policy does not name as a bridge, in one conference: what it says is only a claim."""

COUNTS = (
    "roster_joins", "roster_matches", "rosters_unplaced", "roster_users_unnamed", "roster_users_refused",
    "conferences_evicted", "roster_users_evicted", "roster_subscribers_evicted", "focuses_evicted",
)  # fmt: skip

FOCUS_LIFE: Nanoseconds = DAY
"""A conference's URI means the same meeting for so long."""

PATIENCE: Nanoseconds = 3 * SECOND
"""So long their own call may come after the roster, or be read after it."""

TYPING: Nanoseconds = 4 * MINUTE
"""So long they may still be typing at the voice of the bridge (`dial_ins.KEY_LIMIT`, and its patience)."""

LOOK_AGAIN: Nanoseconds = 5 * SECOND

BACK: Nanoseconds = 30 * SECOND
"""Somebody whose call has ended, and whom the bridge still lists after this, has come back unseen."""


class Rosters:
    """Follows every conference of which some bridge tells."""

    def __init__(self, admissions: Admissions, members: Members, limits: Limits | None = None) -> None:
        self._limits = limits = limits or Limits()
        self.admissions = admissions
        self.members = members
        self.people = Acquaintances(admissions, limits)
        self._present = admissions.presence.roster.get
        self._counts = dict.fromkeys(COUNTS, 0)
        self._conferences = Conferences(limits.conferences)
        self._seats = 0
        self._focuses: OrderedDict[str, tuple[Nanoseconds, MeetingRef]] = OrderedDict()
        self._made: dict[str, Seat] = {}
        """Participants who were made here, by id, and whose call was not seen so far."""
        self._called: dict[str, Seat] = {}
        """The same by their Call-ID, where the bridge tells it."""
        self._subscribed: OrderedDict[str, Conference] = OrderedDict()
        """By the Call-ID of each subscription, the latest first to be kept."""

    @property
    def counts(self) -> dict[str, int]:
        """What was followed, and what had to be forgotten."""
        return self._counts | self.people.counts

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {
            "conferences": len(self._conferences),
            "roster_users": self._seats,
            "roster_subscribers": len(self._subscribed),
            "focuses": len(self._focuses),
            **self.people.sizes,
        }

    def expire(self, at: Nanoseconds) -> None:
        """Forgets what is over; conferences have timers of their own."""
        while self._focuses and next(iter(self._focuses.values()))[0] + FOCUS_LIFE < at:
            self._focuses.popitem(last=False)
        self.people.expire()

    # ── what calls show ──────────────────────────────────────────────────────────────────────────────────────────

    def adopt(self, leg: Leg, participant: Participant) -> Participant | None:
        """Somebody is admitted by a call: the one of a roster whose call this is, if there is one."""
        answered = leg.answered
        if answered is not None and answered.focus and answered.contact:
            self._focuses.pop(answered.contact, None)
            if len(self._focuses) >= self._limits.focuses:
                self._focuses.popitem(last=False)
                self._counts["focuses_evicted"] += 1
            self._focuses[answered.contact] = (answered.at, participant.meeting)
        candidates: list[Participant] = [*self._awaiting(leg.offered.call)]
        if self._made:
            candidates += self.people.like(participant)
        for known in candidates:
            seat = self._made.get(known.id)
            # Who calls after they were told to be in is there twice.
            if seat is not None and (leg.offered.partial or leg.offered.at <= seat.at + PATIENCE):
                del self._made[known.id]
                self._counts["roster_matches"] += 1
                return known
        self.people.meet(participant)
        return None

    def over(self, call: str, at: Nanoseconds, evidence: Evidence) -> Iterator[RosterChange]:
        """A call ends, and with it the subscription that ran within it."""
        conference = self._subscribed.pop(call, None)
        if conference is not None and conference in self._conferences:
            yield from self._unsubscribed(conference, call, at, evidence)

    # ── what bridges tell ────────────────────────────────────────────────────────────────────────────────────────

    def see(self, event: RosterSeen) -> Iterator[RosterChange]:
        """One document."""
        meeting = event.meeting or self._meeting_of(event)
        if meeting is None:
            self._counts["rosters_unplaced"] += bool(event.users)
            return
        conference = self._conference(event, meeting)
        if event.state is RosterState.DELETED:
            yield from self._close(conference, event.at, event.evidence)
            return
        forgotten = conference.hear(event)
        if forgotten is not None:
            self._subscribed.pop(forgotten, None)
        self._subscribed[event.call] = conference
        self._subscribed.move_to_end(event.call)
        if len(self._subscribed) > self._limits.roster_subscribers:
            self._subscribed.popitem(last=False)
            self._counts["roster_subscribers_evicted"] += 1
        listed: set[str] = set()
        watched = conference.is_watched and not event.missed
        for user in event.users:
            listed.add(name := name_of(user))
            yield from self._user(conference, name, user, event, watched=watched)
        if event.state is RosterState.FULL and event.whole:
            conference.is_watched = True
            conference.departed.clear()
            for name in [name for name in conference.seats if name not in listed]:
                yield from self._unlisted(conference, name, event)
        if event.lasts == 0:
            yield from self._unsubscribed(conference, event.call, event.at, event.evidence)

    def finish(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """The capture ends: who was listed a moment ago is in."""
        for conference in self._conferences:
            for name, seat in list(conference.seats.items()):
                if seat.participant is None:
                    yield from self._settle(conference, name, seat, at, is_last=True)

    def _meeting_of(self, event: RosterSeen) -> MeetingRef | None:
        """The meeting of a conference whose URI means nothing by itself: other calls to it tell."""
        for name in (event.conference, *event.names):
            if name in self._focuses:
                return self._focuses[name][1]
        calls = (event.call, *(endpoint.call for user in event.users for endpoint in user.endpoints))
        for call in filter(None, calls):
            leg = self.admissions.legs.get(call)
            if leg is not None and leg.meeting is not None and event.sent_from in far_ends(leg):
                return leg.meeting
        return None

    def _conference(self, event: RosterSeen, meeting: MeetingRef) -> Conference:
        key = f"{event.sent_from} {meeting.platform} {meeting.key}"
        conference = self._conferences.get(key)
        if conference is None:
            if self._conferences.is_full:
                self._forget(self._conferences.first_to_go)
            conference = Conference(key, meeting, event.sent_from, is_trusted=self.members.trusts(event))
            self._expect_silence(conference, event.at)
        self._conferences.add(conference)
        return conference

    # ── one user ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _user(
        self, conference: Conference, name: str, user: RosterUser, event: RosterSeen, *, watched: bool
    ) -> Iterable[RosterChange]:
        seat = conference.seats.get(name)
        endpoints = connected(user, seat.endpoints if seat is not None else {})
        if seat is None:
            if any(endpoints.values()):
                return self._arrive(conference, name, user, endpoints, event, watched=watched)
            was_there = event.state is RosterState.PARTIAL and not conference.is_watched and has_departed(user)
            return self._depart(conference, name, user, endpoints, event) if was_there else ()
        seat.endpoints = endpoints
        if not any(endpoints.values()):
            return self._leave(conference, name, event.at, event.evidence)
        seat.listed_by.add(event.call)
        return self._still_there(conference, name, seat, event)

    def _arrive(
        self,
        conference: Conference,
        name: str,
        user: RosterUser,
        endpoints: dict[str, bool],
        event: RosterSeen,
        *,
        watched: bool,
    ) -> Iterable[RosterChange]:
        """Somebody is connected who was not."""
        if not name:
            self._counts["roster_users_unnamed"] += 1
            return ()
        if self.members.is_machine(user, event):
            return ()
        if not self._has_seat_in(conference):
            self._counts["roster_users_refused"] += 1
            return ()
        conference.arrivals += 1
        guest = self.members.guest_of(user, event, conference, watched=watched)
        calls = tuple(dict.fromkeys(endpoint.call for endpoint in user.endpoints if endpoint.call))
        seat = conference.seats[name] = Seat(guest, calls, endpoints, event)
        self._seats += 1
        known = self._recognised(conference, seat)
        if known is not None:
            self._match(conference, seat, known)
        else:
            self._later(event.at + PATIENCE, conference, name, seat)
        return ()

    def _has_seat_in(self, conference: Conference) -> bool:
        """Whether there is room for one more user; what is only claimed makes room for what a named bridge tells."""
        if not conference.is_trusted and len(conference.seats) >= MAX_STRANGE_SEATS:
            return False
        while conference.is_trusted and self._seats >= self._limits.roster_users:
            if (other := self._conferences.first_claimed) is None:
                break
            self._counts["roster_users_evicted"] += len(other.seats)
            self._forget(other)
        has_room = self._seats < self._limits.roster_users
        self._counts["roster_users_evicted"] += not has_room
        return has_room

    def _depart(
        self, conference: Conference, name: str, user: RosterUser, endpoints: dict[str, bool], event: RosterSeen
    ) -> Iterator[RosterChange]:
        """The first that is heard of somebody is that they go: so they were there. Every subscriber is told that."""
        if name in conference.departed or len(conference.departed) >= MAX_STRANGE_SEATS:
            return
        yield from self._arrive(conference, name, user, endpoints, event, watched=False)
        if name in conference.seats:
            conference.departed.add(name)
            yield from self._leave(conference, name, event.at, event.evidence)

    def _still_there(self, conference: Conference, name: str, seat: Seat, event: RosterSeen) -> Iterable[RosterChange]:
        """Listed once more: unless their call has ended meanwhile, that is no news."""
        if seat.participant is None or self._present(seat.participant.id):
            seat.missing_since = 0
        elif not seat.missing_since:
            seat.missing_since = event.at
        elif event.at - seat.missing_since >= BACK:
            conference.matched.discard(seat.participant.id)
            self._unmake(seat, seat.participant.id)
            conference.arrivals += 1
            guest = replace(seat.guest, id=f"{seat.guest.id}-{conference.arrivals}", joined_at=event.at, partial=True)
            seat.restart(guest, event)
            self._later(event.at + PATIENCE, conference, name, seat)
        return ()

    def _later(self, when: Nanoseconds, conference: Conference, name: str, seat: Seat) -> None:
        say = partial(self._settle, conference, name, seat)
        self.admissions.timers.set(when, say, lambda: conference.seats.get(name) is seat and seat.participant is None)

    def _settle(
        self, conference: Conference, name: str, seat: Seat, at: Nanoseconds, *, is_last: bool = False
    ) -> Iterator[RosterChange]:
        """By now their own call would have been seen, or it is one in which they are still typing."""
        known = self._recognised(conference, seat)
        if known is not None:
            self._match(conference, seat, known)
            return
        leg = self._caller(conference, seat)
        if leg is not None:
            if self._may_enter(conference, leg, at):
                leg.meeting = conference.meeting
                leg.note(f"the bridge {conference.source} lists them as connected", seat.evidence)
                at_answer = leg.answered.at if leg.answered is not None else seat.at
                yield from self.admissions.join(leg, conference.meeting, max(seat.at, at_answer), at, seat.evidence)
                if leg.participant is None:  # The call alone does not say who it is, but the bridge does.
                    yield from self._tell(conference, seat, at)
                    self._unmake(seat, seat.guest.id)
                    leg.participant = leg.party.participant = seat.guest
                    self.admissions.legs.move(leg, Stage.INSIDE)
                else:
                    self._match(conference, seat, leg.participant)
                return
            if not is_last and at < seat.at + TYPING:
                self._later(at + LOOK_AGAIN, conference, name, seat)
                return
            if is_last:
                return  # Of a dial-in whose keys are not over, nobody knows anything.
        yield from self._tell(conference, seat, at)

    def _tell(self, conference: Conference, seat: Seat, at: Nanoseconds) -> Iterator[RosterChange]:
        """Nobody but the roster knows them."""
        guest = seat.guest
        self._match(conference, seat, guest, is_made=True)
        self._counts["roster_joins"] += 1
        self.admissions.counts["joins"] += 1
        yield Joined(at=max(at, self.admissions.now), evidence=seat.evidence, participant=guest)
        self.admissions.presence.enter(guest, at, seat.evidence)
        self.people.meet(guest)

    def _match(self, conference: Conference, seat: Seat, known: Participant, *, is_made: bool = False) -> None:
        seat.participant, seat.is_ours = known, is_made
        conference.matched.add(known.id)
        if is_made:
            self._made[known.id] = seat
            self._called |= dict.fromkeys(seat.calls, seat)
        else:
            self._counts["roster_matches"] += 1

    def _awaiting(self, call: str) -> Iterable[Participant]:
        """The one of a roster that says so."""
        seat = self._called.get(call)
        return (seat.guest,) if seat is not None and self._present(seat.guest.id) is not None else ()

    # ── who is known ─────────────────────────────────────────────────────────────────────────────────────────────

    def _recognised(self, conference: Conference, seat: Seat) -> Participant | None:
        """Who of those that are in this user is; each of them is one user only."""
        people = self.people
        like = (known for known in people.like(seat.guest) if known.id not in conference.matched)
        return people.by_call(seat.calls) or next(like, None)

    def _caller(self, conference: Conference, seat: Seat) -> Leg | None:
        return self.people.caller(seat.guest, seat.calls, conference.meeting)

    def _may_enter(self, conference: Conference, leg: Leg, at: Nanoseconds) -> bool:
        """Whether the bridge's word lets this call in: it goes there, and no keys of it are to be waited for."""
        answered = leg.answered
        if answered is None or leg.keys_at or not (conference.is_trusted or conference.source in far_ends(leg)):
            return False
        return leg.offered.partial or at - answered.at >= self.members.patience

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _leave(self, conference: Conference, name: str, at: Nanoseconds, evidence: Evidence) -> Iterator[RosterChange]:
        """The source that named them says that they are gone."""
        seat = conference.seats.pop(name)
        self._seats -= 1
        known = seat.participant or self._recognised(conference, seat) or self._caller(conference, seat)
        if known is None:
            yield from self._tell(conference, seat, at)
        if seat.participant is None:
            return
        name = seat.participant.id
        conference.matched.discard(name)
        self._unmake(seat, name)
        who = self._present(name)
        if seat.is_ours and who is not None:
            yield self.admissions.presence.leave(who, at, max(at, self.admissions.now), evidence)

    def _unlisted(self, conference: Conference, name: str, event: RosterSeen) -> Iterable[RosterChange]:
        """A full list has them no more. Some bridges tell each subscriber another list, so every one must say so."""
        seat = conference.seats[name]
        seat.listed_by.discard(event.call)
        if any(conference.lives(subscription, event.at) for subscription in seat.listed_by):
            return ()
        return self._leave(conference, name, event.at, event.evidence)

    def _unsubscribed(
        self, conference: Conference, call: str, at: Nanoseconds, evidence: Evidence
    ) -> Iterator[RosterChange]:
        """Nothing more is told in this subscription; without any, nobody knows who is there."""
        conference.subscriptions.pop(call, None)
        self._subscribed.pop(call, None)
        if not any(conference.lives(other, at) for other in conference.subscriptions):
            yield from self._close(conference, at, evidence)

    def _close(self, conference: Conference, at: Nanoseconds, evidence: Evidence) -> Iterator[RosterChange]:
        for name in list(conference.seats):
            yield from self._leave(conference, name, at, evidence)
        self._end(conference)

    def _end(self, conference: Conference) -> None:
        """Nothing more is told of it."""
        self._conferences.remove(conference)
        for call in conference.subscriptions:
            if self._subscribed.get(call) is conference:
                del self._subscribed[call]

    def _expect_silence(self, conference: Conference, at: Nanoseconds) -> None:
        say = partial(self._look_after, conference)
        when = max((*conference.subscriptions.values(), at + MINUTE))
        self.admissions.timers.set(when, say, lambda: conference in self._conferences)

    def _look_after(self, conference: Conference, at: Nanoseconds) -> Iterator[RosterChange]:
        if any(conference.lives(subscription, at) for subscription in conference.subscriptions):
            self._expect_silence(conference, at)
        else:
            yield from self._close(conference, conference.seen_at, conference.evidence)

    def _forget(self, conference: Conference) -> None:
        """There was no more room: what becomes of these is not known."""
        self._counts["conferences_evicted"] += 1
        self._end(conference)
        self._seats -= len(conference.seats)
        for seat in conference.seats.values():
            if seat.participant is not None and self._unmake(seat, seat.participant.id):
                self.admissions.presence.forget(seat.participant)

    def _unmake(self, seat: Seat, name: str) -> bool:
        """Nobody's call is waited for any more; whether it was."""
        for call in seat.calls:
            if self._called.get(call) is seat:
                del self._called[call]
        return self._made.pop(name, None) is not None


def name_of(user: RosterUser) -> str:
    """By what a user is known in their conference: their URI, or else that of a device; empty for a mere name."""
    return user.entity or next((endpoint.entity for endpoint in user.endpoints if endpoint.entity), "")
