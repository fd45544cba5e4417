"""Claims → `Identity`: who a leg is, by whom it is vouched for, in the order of trust.

P-Asserted-Identity from a trusted trunk (RFC 3325: it counts inside the trust domain only), then Remote-Party-ID with
`screen=yes` from one, then From. A header that the caller can write never outranks one that the network wrote.
"""

from collections.abc import Iterable, Sequence

from monitor.meetings.stir import stir_of
from monitor.model.calls import CallAnswered, CallOffered, Claims
from monitor.model.evidence import Evidence, Fact
from monitor.model.invitations import Address, NumberText
from monitor.model.networks import Networks
from monitor.model.roster import Identity, Stir, Trust

ANONYMOUS = "anonymous"
NO_NAMES = frozenset({"", ANONYMOUS, "unavailable", "unknown", "restricted", "private", "withheld"})
"""User parts that name nobody: RFC 3261 and 3323, and the habits of gateways."""

RANK = {trust: rank for rank, trust in enumerate(Trust)}


def names_nobody(uri: str) -> bool:
    """Whether a URI is one of the forms that mean *anonymous* (RFC 3323, section 4.1.1.3, and `.invalid`, RFC 2606)."""
    scheme, _, rest = uri.partition(":")
    if not rest:
        return True
    body = rest.split(";", 1)[0]
    user, at, host = body.rpartition("@")
    if not at:
        user, host = (body, "") if scheme.lower() == "tel" else ("", body)
    return user.split(":", 1)[0].lower() in NO_NAMES or host.lower().rstrip(".").endswith(".invalid")


def address_of(uri: str, number_text: NumberText) -> Address | None:
    """A URI in the one spelling that the house compares; none when it names nobody."""
    if names_nobody(uri):
        return None
    number = number_text(uri)
    if number:
        return number
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in {"sip", "sips"}:
        return None
    user, _, host = rest.split(";", 1)[0].split("?", 1)[0].rpartition("@")
    name = user.split(":", 1)[0].lower()
    where = host.lower().rstrip(".")
    if not where.startswith("["):
        where = where.split(":", 1)[0]
    return f"sip:{name}@{where}"


def is_whole(subject: Address) -> bool:
    """Whether an address names somebody wherever it is read: a whole number or `user@domain`, and no extension."""
    if not subject.startswith("sip:"):
        return subject != ANONYMOUS
    user, _, host = subject[4:].rpartition("@")
    numeric = (part.isascii() and part.isdecimal() for part in (user, host.replace(".", "")))
    return not any(numeric) and not host.startswith("[")


def presentation_restricted(claims: Claims) -> bool:
    """Whether the caller asked not to be shown (RFC 3323, 4.2; RFC 3325, 9.3), or the network says so."""
    return bool({"id", "user", "header"}.intersection(claims.privacy)) or any(
        party.privacy not in {"", "off", "none"} for party in claims.remote_party
    )


class Identities:
    """Resolves claims, knowing whose word counts."""

    def __init__(
        self, trusted_trunks: Sequence[str], number_text: NumberText, hep_senders: Sequence[str] | None = None
    ) -> None:
        self.trusted = Networks(trusted_trunks)
        self.reporters = Networks(hep_senders or ())
        self.number_text = number_text

    def trusts(self, claims: Claims, evidence: Evidence) -> bool:
        """Whether a trusted trunk sent these claims: seen on the wire, or told by an agent that the policy names.

        Any other report (HEP) may be forged, the trunk's address in it too.
        """
        told_by = evidence.reported_by
        return claims.sent_from in self.trusted and (not told_by or told_by in self.reporters)

    def resolve(self, offered: CallOffered) -> Identity:
        """Who the calling side is."""
        claims = offered.caller
        asserted, trust = self._vouched(claims) if self.trusts(claims, offered.evidence) else (None, Trust.NONE)
        claimed = address_of(claims.uri, self.number_text)
        restricted = presentation_restricted(claims)
        if asserted is None and claimed is not None and not restricted:
            asserted, trust = claimed, Trust.CLAIMED
        return Identity(
            subject=asserted or ANONYMOUS,
            trust=trust if asserted else Trust.NONE,
            display=claims.display,
            claimed=claimed,
            restricted=restricted or claimed is None,
        )

    def _vouched(self, claims: Claims) -> tuple[Address | None, Trust]:
        """What a trusted trunk says. A number is preferred to a name: directories and invitations have numbers."""
        addresses = [a for uri in claims.asserted if (a := address_of(uri, self.number_text))]
        for address in addresses:
            if address.startswith("tel:"):
                return address, Trust.ASSERTED
        if addresses:
            return addresses[0], Trust.ASSERTED
        for party in claims.remote_party:
            if party.screen and (screened := address_of(party.uri, self.number_text)):
                return screened, Trust.SCREENED
        return None, Trust.NONE

    def caller(self, offers: Iterable[CallOffered]) -> tuple[Identity, Fact]:
        """Who calls, by the best vouched for of what its hops and halves say, and the frame that says so."""
        known = ((self.resolve(offered), offered) for offered in offers)
        identity, offered = min(known, key=lambda pair: RANK[pair[0].trust])
        return identity, self._told(identity, offered.caller, offered.evidence)

    def stir(self, offers: Iterable[CallOffered]) -> Stir | None:
        """What STIR says of the caller, when a trusted trunk passed it on."""
        told = (stir_of(o.caller, self.number_text) for o in offers if self.trusts(o.caller, o.evidence))
        return next(filter(None, told), None)

    def callee(self, answered: CallAnswered, offered: CallOffered) -> tuple[Identity, Fact]:
        """Who answered a call that the bridge made: what the network asserts in the answer, else the number called.

        Where the call was sent on to (`History-Info`) counts from a trusted trunk only: anybody who answers may write
        the number of somebody invited there.
        """
        claims, trusted = answered.callee, self.trusts(answered.callee, answered.evidence)
        asserted, trust = self._vouched(claims) if trusted else (None, Trust.NONE)
        forwarded = (address_of(hop.uri, self.number_text) for hop in claims.history if trusted)
        # A request within the call goes to a device; who was called stands in To.
        uris = (offered.addressed_to, offered.target) if offered.partial else (offered.target, offered.addressed_to)
        called = next(filter(None, (address_of(uri, self.number_text) for uri in uris)), None)
        subject = asserted or next(filter(None, forwarded), None) or called
        identity = Identity(
            subject=subject or ANONYMOUS,
            trust=trust if asserted else Trust.CLAIMED if subject else Trust.NONE,
            display=claims.display,
            claimed=called,
        )
        if asserted or not subject:
            return identity, self._told(identity, claims, answered.evidence)
        fact = f"{subject} is the number that was called, and nobody vouches for who answered"
        return identity, Fact(fact=fact, evidence=(offered.evidence, answered.evidence))

    def _told(self, identity: Identity, claims: Claims, evidence: Evidence) -> Fact:
        how = {
            Trust.ASSERTED: f"the trusted trunk {claims.sent_from} asserts {identity.subject}",
            Trust.SCREENED: f"the trusted trunk {claims.sent_from} has screened {identity.subject}",
            Trust.CLAIMED: f"{identity.subject} is what the caller claims to be, and nobody vouches for it",
            Trust.NONE: "no usable identity: the caller is withheld or unknown",
        }[identity.trust]
        return Fact(fact=how, evidence=(evidence,))
