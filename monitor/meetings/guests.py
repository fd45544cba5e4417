"""Legs become records: who it is, how they came, and whether they were expected."""

from monitor.meetings.identities import Identities, is_whole
from monitor.meetings.legs import Leg
from monitor.meetings.occurrences import Occurrences
from monitor.model.alerts import id_of
from monitor.model.evidence import Fact, Nanoseconds
from monitor.model.invitations import NumberText, Occurrence
from monitor.model.meetings import MeetingRef, Method
from monitor.model.networks import Networks
from monitor.model.roster import Identity, Participant, PinRefused, Tried, Trust, Verdict


class Guests:
    """Everything that calendar, directory and policy say of a leg."""

    def __init__(
        self, occurrences: Occurrences, identities: Identities, external: Networks, number_text: NumberText
    ) -> None:
        self.occurrences = occurrences
        self.identities = identities
        self.external = external
        self.number_text = number_text

    def identity_of(self, leg: Leg) -> tuple[Identity, Fact]:
        """Who it is, and what shows that."""
        if leg.by_bridge and leg.answered is not None:
            return self.identities.callee(leg.answered, leg.offered)
        return self.identities.caller(leg.party.offers)

    def is_misread(self, leg: Leg, meeting: MeetingRef) -> bool:
        """Whether a number that no calendar has may be another one, of which a key was lost."""
        return leg.frayed and not self.occurrences.series(meeting)

    def is_unknown(self, leg: Leg) -> bool:
        """Whether it cannot be known who this is: the INVITE was not seen, in which a trusted trunk asserts who calls.

        That they are anonymous, or an extension, is then only what the caller's side says; a whole number is more.
        """
        if leg.by_bridge or not leg.is_partial:
            return False
        identity, _ = self.identity_of(leg)
        vouched = identity.trust in {Trust.ASSERTED, Trust.SCREENED} or is_whole(identity.subject)
        return not vouched and any(offered.caller.sent_from in self.identities.trusted for offered in leg.party.offers)

    def participant_of(self, leg: Leg, meeting: MeetingRef, joined_at: Nanoseconds) -> Participant:
        """The one who is admitted by this leg."""
        identity, who = self.identity_of(leg)
        occurrence = self.occurrences.fitting(meeting, joined_at, identity)
        # What is said of the caller concerns the bridge itself, where the bridge calls.
        offers = () if leg.by_bridge else leg.party.offers
        return Participant(
            id=id_of("join", meeting.platform, meeting.key, leg.offered.call, str(leg.attempt)),
            meeting=meeting,
            occurrence=occurrence,
            series=tuple(self.occurrences.series(meeting)),
            identity=identity,
            people=self.occurrences.people(identity.subject),
            claimed_people=()
            if leg.by_bridge or identity.claimed == identity.subject
            else self.occurrences.people(identity.claimed),
            stir=self.identities.stir(offers),
            from_outside=any(offered.caller.sent_from in self.external for offered in offers),
            method=self.method_of(leg),
            verdict=self.verdict(occurrence, identity),
            joined_at=joined_at,
            call=leg.offered.call,
            origin=leg.offered.caller.sent_from,
            by_bridge=leg.by_bridge,
            partial=leg.is_partial or leg.frayed,
            demands_pin=self.occurrences.demands_pin(meeting, occurrence),
            slots=leg.slots,
            facts=(who, *leg.facts),
        )

    def verdict(self, occurrence: Occurrence | None, identity: Identity) -> Verdict:
        """Whether they were expected."""
        if identity.trust is Trust.NONE:
            return Verdict.ANONYMOUS
        if occurrence is None:
            return Verdict.UNSCHEDULED
        return Verdict.INVITED if self.occurrences.expects(occurrence, identity) else Verdict.UNINVITED

    def method_of(self, leg: Leg) -> Method:
        """How they came."""
        if leg.dial_in or (leg.by_bridge and self.number_text(leg.offered.target)):
            return Method.PSTN
        return leg.offered.method

    def tried(self, leg: Leg, meeting: MeetingRef, at: Nanoseconds, said_at: Nanoseconds) -> Tried:
        """The one who named a meeting and was not admitted; the leg's last fact tells why."""
        identity, who = self.identity_of(leg)
        occurrence = self.occurrences.fitting(meeting, at, identity)
        return Tried(
            at=said_at,
            evidence=leg.facts[-1].evidence[-1] if leg.facts else leg.offered.evidence,
            meeting=meeting,
            identity=identity,
            origin=leg.offered.caller.sent_from,
            method=self.method_of(leg),
            call=leg.offered.call,
            known=bool(self.occurrences.series(meeting)),
            expected=occurrence is not None and self.occurrences.expects(occurrence, identity),
            slots=leg.slots,
            facts=(who, *leg.facts),
        )

    def pin_refused(
        self, leg: Leg, meeting: MeetingRef, at: Nanoseconds, said_at: Nanoseconds, length: int
    ) -> PinRefused:
        """The one who entered what is not the PIN."""
        return PinRefused(
            at=said_at,
            evidence=leg.keys_seen,
            meeting=meeting,
            # Of whoever guesses: all guesses are at one meeting, so they name one occurrence.
            occurrence=self.occurrences.fitting(meeting, at),
            identity=self.identity_of(leg)[0],
            origin=leg.offered.caller.sent_from,
            call=leg.offered.call,
            length=length,
        )
