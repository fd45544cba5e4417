"""Somebody claims to be one person, and the network says that they are another."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.policy import Policy
from monitor.model.roster import Joined, Participant, RosterChange, Trust


class IdentityMismatch:
    """From holds a directory person's address while the asserted identity is not that person's; or STIR, as the
    trusted trunk passed it on, speaks against a directory person's number; or an inside number arrives from outside.
    An extension in From, or two numbers of one person, is none, and the PASSporT may be for either number of the call
    or any other of that person. Signatures are not verified. Of a call that the bridge makes, From, PASSporT and trunk
    are the bridge's: they say nothing of who answers.
    """

    info: ClassVar = RuleInfo(
        name="identity-mismatch",
        severities=(Severity.HIGH,),
        attack="T1656",
        summary="the claimed caller is somebody of the directory, and the network's identity is not theirs",
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At the join."""
        if not isinstance(change, Joined):
            return
        who = change.participant
        why = self._borrowed(who) or self._unattested(who) or self._inside_from_outside(who)
        if why:
            fact = Fact(fact=why, evidence=who.facts[0].evidence)
            summary = f"{who.identity.subject} joined {title_of(who)}, and may not be who it seems"
            yield about(who, Severity.HIGH, summary, fact)

    def _borrowed(self, who: Participant) -> str:
        if who.identity.trust not in {Trust.ASSERTED, Trust.SCREENED} or not who.claimed_people:
            return ""
        if set(who.people).intersection(who.claimed_people):
            return ""  # Two numbers of one person, or a shared phone of theirs.
        claimed = who.claimed_people[0].name
        return f"From claims {who.identity.claimed}, which is {claimed}'s; the network says {who.identity.subject}"

    def _unattested(self, who: Participant) -> str:
        """A number of the directory, for which the carriers do not vouch. A missing STIR header is normal."""
        stir, number = who.stir, who.identity.subject
        if stir is None:
            return ""
        theirs = {number, who.identity.claimed, *(address for person in who.people for address in person.addresses)}
        if stir.originator is not None and stir.originator not in theirs and number.startswith("tel:"):
            return f"the PASSporT is for {stir.originator}, the call is from {number}"
        if stir.failed and who.people:
            return f"{number} is {who.people[0].name}'s, and the carrier could not verify that the call is from there"
        if stir.attestation == "C" and who.people:
            return f"{number} is {who.people[0].name}'s, and the carrier attests only the gateway that it came by (C)"
        return ""

    def _inside_from_outside(self, who: Participant) -> str:
        number = who.identity.subject.removeprefix("tel:")
        inside = who.from_outside and any(number.startswith(p) for p in self.policy.site.internal_numbers)
        return f"the internal number {number} arrived by the external trunk {who.origin}" if inside else ""
