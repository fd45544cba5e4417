"""Users of a roster become records: who they are, how they came, and whether they were expected.

The bridge is trusted as far as the policy names it, and as far as it can know: the number of a call by telephone, and
the address that it called itself. What a caller by SIP wrote into `From` it only repeats, so that remains a claim.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from monitor.meetings.conferences import Conference
from monitor.meetings.guests import Guests
from monitor.meetings.identities import ANONYMOUS, address_of
from monitor.model.alerts import id_of
from monitor.model.calls import RosterSeen, RosterUser
from monitor.model.evidence import DAY, Fact, Nanoseconds
from monitor.model.invitations import Address
from monitor.model.meetings import Method
from monitor.model.networks import Networks
from monitor.model.policy import Site
from monitor.model.roster import Identity, Participant, Trust, Verdict


class Members:
    """Everything that calendar, directory and policy say of a user."""

    def __init__(self, guests: Guests, site: Site, patience: Nanoseconds) -> None:
        self.guests = guests
        self.patience = patience
        """For which a dial-in must have been silent to be in."""
        self._bridges = Networks(site.bridges)
        self._recorders = Networks(site.recorders)

    def trusts(self, event: RosterSeen) -> bool:
        """Whether the policy names the source as a bridge; and the agent that reported it, if one did."""
        told_by = event.evidence.reported_by
        return event.sent_from in self._bridges and (not told_by or told_by in self.guests.identities.reporters)

    def is_machine(self, user: RosterUser, event: RosterSeen) -> bool:
        """Whether this is the conference itself, a bridge that it was joined to, or a recorder of the organisation.

        Whoever dialled in may have written any of these names into `From`, so it is not believed of them; only the
        recorders' addresses are, of a bridge that the policy names.
        """
        uri = user.entity
        host = _host_of(uri)
        if host in self._recorders:
            return self.trusts(event)
        if any(endpoint.joined_by == "dialed-in" for endpoint in user.endpoints):
            return False
        # A bridge may well write its own address behind the number of somebody whom it called.
        at_bridge = host in self._bridges and self.guests.number_text(uri) is None
        return uri in (event.conference, *event.names) or at_bridge

    def guest_of(self, user: RosterUser, event: RosterSeen, conference: Conference, *, watched: bool) -> Participant:
        """The participant that a user is when nobody else knows them. `watched`: they were not there a moment ago."""
        meeting, occurrences = conference.meeting, self.guests.occurrences
        joined_at = _joining_of(user, event)
        addresses = self._addresses(user)
        dialed_out = any(endpoint.joined_by == "dialed-out" for endpoint in user.endpoints)
        chosen: tuple[Identity, Verdict] | None = None
        for address in addresses or (None,):
            identity = _identity(address, user, is_vouched=conference.is_trusted and dialed_out, bridge=conference)
            occurrence = occurrences.fitting(meeting, joined_at, identity)
            verdict = self.guests.verdict(occurrence, identity)
            if chosen is None or verdict is Verdict.INVITED:
                chosen = identity, verdict
            if verdict is Verdict.INVITED:
                break
        assert chosen is not None  # noqa: S101 - there is at least one address, or none at all
        identity, verdict = chosen
        occurrence = occurrences.fitting(meeting, joined_at, identity)
        listed = (
            "lists them as connected" if identity.subject == ANONYMOUS else f"lists {identity.subject} as connected"
        )
        return Participant(
            id=id_of("roster", event.sent_from, meeting.platform, meeting.key, user.entity, str(conference.arrivals)),
            meeting=meeting,
            occurrence=occurrence,
            series=tuple(occurrences.series(meeting)),
            identity=identity,
            people=occurrences.people(identity.subject),
            method=_method_of(user),
            verdict=verdict,
            joined_at=joined_at,
            call=next((endpoint.call for endpoint in user.endpoints if endpoint.call), user.entity),
            origin=event.sent_from,
            by_bridge=dialed_out,
            partial=not watched,
            demands_pin=False,
            facts=(Fact(fact=f"the bridge {event.sent_from} {listed}", evidence=(event.evidence,)),),
        )

    def _addresses(self, user: RosterUser) -> Sequence[Address]:
        """Under which they may have been invited: their own, others of theirs, and the number of a telephone."""
        devices = (e.entity for e in user.endpoints if _scheme_of(e.entity) in ("tel", "h323") or _is_phone(e.entity))
        uris = (user.entity, *user.aors, *devices)
        return tuple(dict.fromkeys(address for uri in uris if (address := self._address(uri))))

    def _address(self, uri: str) -> Address | None:
        scheme, _, rest = uri.partition(":")
        match scheme.lower():
            case "mailto":
                return f"mailto:{rest.partition('?')[0].strip().lower()}" if "@" in rest else None
            case "h323" | "im" | "pres" | "xmpp":
                return address_of(f"sip:{rest}", self.guests.number_text)
            case _:
                return address_of(uri, self.guests.number_text)


def _identity(address: Address | None, user: RosterUser, *, is_vouched: bool, bridge: Conference) -> Identity:
    if address is None:
        return Identity(subject=ANONYMOUS, trust=Trust.NONE, display=user.display, restricted=True)
    checked = is_vouched or (bridge.is_trusted and address.startswith("tel:") and _method_of(user) is Method.PSTN)
    return Identity(
        subject=address, trust=Trust.SCREENED if checked else Trust.CLAIMED, display=user.display, claimed=address
    )


def _joining_of(user: RosterUser, event: RosterSeen) -> Nanoseconds:
    """When the bridge says that they joined, if that can be; else now."""
    told = [
        e.joined_at for e in user.endpoints if e.joined_at is not None and event.at - DAY <= e.joined_at <= event.at
    ]
    return min(told, default=event.at)


def _method_of(user: RosterUser) -> Method:
    """By the device's URI, or else by the user's."""
    for uri in (*(endpoint.entity for endpoint in user.endpoints), user.entity):
        if _scheme_of(uri) == "tel" or _is_phone(uri):
            return Method.PSTN
        if _scheme_of(uri) == "h323":
            return Method.H323
    return Method.SIP


def _scheme_of(uri: str) -> str:
    return uri.partition(":")[0].lower()


def _is_phone(uri: str) -> bool:
    """A SIP URI that stands for a telephone number (RFC 3261, 19.1.6)."""
    return ";user=phone" in uri.lower()


def _host_of(uri: str) -> str:
    """The IP address after the `@`, as a policy writes it; empty for a name."""
    host = uri.rpartition("@")[2].partition(";")[0].partition("?")[0]
    host = host[1:].partition("]")[0] if host[:1] == "[" else host.partition(":")[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return ""
