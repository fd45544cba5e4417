"""Who is in which meeting now? Signalling events come in, changes of the roster go out.

A leg is *admitted* (RULES): a direct call at its answer; a dial-in at the last key after which the call lives on for
20 s without another key and without being hung up; a call that the bridge makes, when it is answered. Time is the
time of the events: the pipeline calls `advance` when it has passed `due`.

Where that leaves a choice: a call that nobody was seen to answer within ten minutes was tried in vain; and when the
capture ends, who is in then has not left, and of a dial-in whose 20 s have not passed nobody knows anything.

Here is what each event means; `admissions` lets in, `dial_ins` listens to keys, `presence` watches who is in.
"""

from collections.abc import Callable, Iterable, Iterator

from monitor.meetings.admissions import Admissions
from monitor.meetings.dial_ins import DialIns
from monitor.meetings.guests import Guests
from monitor.meetings.identities import Identities
from monitor.meetings.legs import Leg
from monitor.meetings.links import Links
from monitor.meetings.members import Members
from monitor.meetings.occurrences import Occurrences
from monitor.meetings.rosters import Rosters
from monitor.meetings.strangers import Strangers
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
    RosterSeen,
    SignallingEvent,
)
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.invitations import Calendar, Directory, NumberText
from monitor.model.meetings import MeetingRef
from monitor.model.networks import Networks
from monitor.model.policy import Policy
from monitor.model.roster import RosterChange

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
        lossy: Callable[[], bool] = lambda: False,
    ) -> None:
        limits = policy.limits
        external = Networks(policy.site.external_trunks)
        identities = Identities(policy.site.trusted_trunks, number_text, policy.site.hep_senders)
        guests = Guests(Occurrences(calendar, directory, policy), identities, external, number_text)
        links = Links(identities, external, number_text, limits.halves)
        self.bridges = frozenset(policy.site.bridges)
        self.refs_of = refs_of
        self.admissions = Admissions(guests, links, (policy.rules.duplicate_overlap_seconds,), limits, lossy)
        self._legs = self.admissions.legs
        self._dial_ins = DialIns(self.admissions, policy.rules.admission_seconds * SECOND)
        self._strangers = Strangers(limits)
        self._transfers = Transfers(self._legs, number_text, limits.transfers)
        members = Members(guests, policy.site, policy.rules.admission_seconds * SECOND)
        self._rosters = Rosters(self.admissions, members, limits)
        self.admissions.adopt = self._rosters.adopt
        self.timers = self.admissions.timers
        """Whose `due` is that of the meetings, without a detour: it is compared with the time of each packet."""

    @property
    def due(self) -> Nanoseconds:
        """When `advance` has something to say."""
        return self.timers.due

    @property
    def counts(self) -> dict[str, int]:
        """What was followed, and what had to be forgotten."""
        return {
            **self.admissions.counts,
            **self._rosters.counts,
            "leaves": self.admissions.presence.left,
            "legs_evicted": self._legs.evicted,
            "halves_evicted": self.admissions.links.evicted,
            "transfers_evicted": self._transfers.evicted,
            "guest_lists_evicted": self.admissions.guests.occurrences.lists_evicted,
            **self._strangers.counts,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {
            "legs": len(self._legs),
            "halves": len(self.admissions.links),
            "transfers": len(self._transfers),
            "guest_lists": self.admissions.guests.occurrences.lists,
            **self._strangers.sizes,
            **self._rosters.sizes,
        }

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────

    def feed(self, event: SignallingEvent) -> Iterable[RosterChange]:
        """What this event changes. Deadlines that have passed must have been heard first (`advance`)."""
        self.admissions.now = max(self.admissions.now, event.at)
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
            case RosterSeen():
                return self._rosters.see(event)

    def _offered(self, event: CallOffered) -> Iterable[RosterChange]:
        known = self._legs.get(event.call)
        if known is not None and self._is_same(known, event):
            known.hear(event)
            return self.admissions.direct(known)
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
        return self.admissions.over(leg, leg.offered.at, leg.offered.evidence, "another call took its Call-ID")

    def _called_by_bridge(self, event: CallOffered) -> bool:
        refs = self.refs_of(event.caller.uri) if event.caller.sent_from in self.bridges else ()
        if refs:
            leg = self.admissions.begin(event)
            leg.by_bridge, leg.meeting = True, refs[0]
            leg.note(f"the bridge {event.caller.sent_from} calls out", event.evidence)
        return bool(refs)

    def _takes_a_place(self, event: CallOffered) -> bool:
        """Whether a call is made to take another one's place: then it is a leg from the start."""
        replaced = self._transfers.replaced_by(event)
        if replaced is not None:
            leg = self.admissions.begin(event)
            leg.takes_place_of = replaced
            leg.note("called to take over a call that leads into the meeting", event.evidence)
            return True
        asked = self._transfers.asked_for(event)
        if asked is not None and (former := asked[0].participant) is not None:
            leg = self.admissions.begin(event)
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
        return self.admissions.direct(leg)

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
        self.admissions.pick_up(leg, event)
        if leg.takes_place_of is not None:
            return self.admissions.take_over(leg, leg.takes_place_of)
        self._rosters.people.hear(leg)
        return self.admissions.direct(leg)

    def _pressed(self, event: KeyPressed) -> Iterable[RosterChange]:
        leg = self._aimed(event.call)
        return () if leg is None or leg.by_bridge else self._dial_ins.press(leg, event)

    def _refused(self, event: CallRefused) -> Iterable[RosterChange]:
        # A redirect is no refusal: the caller goes on to the contact under the same Call-ID (RFC 3261, 8.1.3.4).
        if 0 < event.status < 400:
            return ()
        self._strangers.over(event.call)
        leg = self._legs.get(event.call)
        return () if leg is None else self.admissions.refuse(leg, event)

    def _ended(self, event: CallEnded) -> Iterator[RosterChange]:
        self._strangers.over(event.call)
        leg = self._legs.get(event.call)
        if leg is not None:
            if event.by != "unknown":
                yield from self._dial_ins.living(leg, event.at)
            yield from self.admissions.end(leg, event)
        yield from self._rosters.over(event.call, event.at, event.evidence)

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
        return self.admissions.advance(at)

    def expire(self, at: Nanoseconds) -> None:
        """Forgets what can mean nothing any more; called about once a minute of packet time."""
        self.admissions.links.expire(at)
        self._transfers.expire(at)
        self._strangers.expire(at)
        self._rosters.expire(at)
        self.timers.sweep()

    def finish(self, at: Nanoseconds) -> Iterator[RosterChange]:
        """The capture ends: what is certain by its last packet. Who is still there has not left."""
        yield from self.advance(at)
        for leg in self._legs:
            if leg.is_rebuilt:
                yield from self.admissions.late(leg, at)
            elif leg.doomed:
                yield from self.admissions.expire(leg, at)
        yield from self._rosters.finish(at)

    def _aimed(self, call: str) -> Leg | None:
        """The leg of a call that turns out to go to a meeting."""
        leg = self._legs.get(call)
        said = () if leg is not None else self._strangers.over(call)
        for event in said:
            if isinstance(event, CallAnswered):
                if leg is not None:
                    self.admissions.pick_up(leg, event)
            elif leg is None:
                leg = self.admissions.begin(event)
            else:
                leg.hear(event)
        return leg
