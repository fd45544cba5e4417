"""Somebody is in a meeting whose invitation does not name them."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.policy import Policy
from monitor.model.roster import Joined, RosterChange, Verdict


class UninvitedParticipant:
    """Admitted, not anonymous, and no address of organizer, attendee, delegate or room of this occurrence.

    What counts is who the network says they are; a display name proves nothing. Somebody whom the bridge's roster alone
    names is judged in the same way. One date of a series may have a list of its own. Where the meeting does not take
    place on that date, or no calendar has it, nobody can be on its list: `unscheduled-meeting` tells that.
    """

    info: ClassVar = RuleInfo(
        name="uninvited-participant",
        severities=(Severity.HIGH,),
        attack="T1133",
        summary="somebody is admitted whose identity is on no list of this occurrence",
    )

    def __init__(self, policy: Policy) -> None:
        del policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At the join."""
        if isinstance(change, Joined) and change.participant.verdict is Verdict.UNINVITED:
            who = change.participant
            known = ", ".join(person.name for person in who.people[:3])
            listed = len(who.occurrence.invitees) if who.occurrence else 0
            why = Fact(
                fact=f"{who.identity.subject} {f'({known}) ' if known else ''}is none of the {listed} invited",
                evidence=who.facts[0].evidence or (change.evidence,),
            )
            yield about(who, Severity.HIGH, f"{who.identity.subject} joined {title_of(who)} uninvited", why)
