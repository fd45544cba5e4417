"""Somebody is in a meeting and withholds who they are."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.policy import Policy
from monitor.model.roster import Joined, RosterChange, Verdict


class AnonymousParticipant:
    """Admitted without a usable identity; one alert a leg, since nothing tells two such legs apart.

    In the place of `uninvited-participant`. It is high where the meeting is marked above the policy's default.
    """

    info: ClassVar = RuleInfo(
        name="anonymous-participant",
        severities=(Severity.MEDIUM, Severity.HIGH),
        attack="T1133",
        summary="somebody is admitted without a usable identity; high when the meeting is classified",
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At the join."""
        if isinstance(change, Joined) and change.participant.verdict is Verdict.ANONYMOUS:
            who = change.participant
            marking = who.occurrence.classification if who.occurrence else ""
            default = self.policy.rank_of(self.policy.default_classification)
            classified = self.policy.rank_of(marking) > max(default, 0)
            severity = Severity.HIGH if classified else Severity.MEDIUM
            yield about(who, severity, f"somebody anonymous joined {title_of(who)}")
