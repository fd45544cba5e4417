"""Somebody is in a meeting by a way that its classification does not allow."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.policy import Policy
from monitor.model.roster import Joined, RosterChange


class ForbiddenJoinMethod:
    """The method is not allowed for the meeting's classification, invited or not.

    What is allowed stands in the policy's `[allowed_methods]`; a meeting without a marking, or with one that the table
    does not have, has what the default's has. Without the table nothing is forbidden.
    """

    info: ClassVar = RuleInfo(
        name="forbidden-join-method",
        severities=(Severity.HIGH,),
        attack="T1133",
        summary="somebody is admitted by a method that the meeting's classification does not allow",
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At the join."""
        if isinstance(change, Joined):
            who = change.participant
            marking = (who.occurrence and who.occurrence.classification) or self.policy.default_classification
            if self.policy.allows(who.method, marking):
                return
            why = Fact(
                fact=f"the policy does not allow joining by {who.method.words} for {marking}",
                evidence=(change.evidence,),
            )
            summary = f"{who.identity.subject} joined {title_of(who)} by {who.method.words}, which {marking} forbids"
            yield about(who, Severity.HIGH, summary, why)
