"""A meeting takes place on a platform that its marking does not allow."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.policy import Policy
from monitor.model.roster import Joined, RosterChange


class ClassificationExceedsPlatform:
    """The marking ranks above the platform's limit, and someone joins; once a meeting, so nobody's fault by name.

    The limit is the platform's `max_classification` in the policy; without one nothing is told. A marking is a formal
    term in title, description, CLASS or CATEGORIES (`Stg. GEHEIM`, `Dep.V.`, `Rubricering: …`), not a word that merely
    contains one.
    """

    info: ClassVar = RuleInfo(
        name="classification-exceeds-platform",
        severities=(Severity.CRITICAL,),
        attack="",
        summary="somebody joins a meeting whose marking ranks above what its platform may be used for",
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At each join; being of the meeting makes them one."""
        if isinstance(change, Joined) and change.participant.occurrence is not None:
            who = change.participant
            platform = self.policy.platforms.get(who.meeting.platform)
            limit = platform.max_classification if platform else None
            marking = change.participant.occurrence.classification
            if limit is None or self.policy.rank_of(marking) <= self.policy.rank_of(limit):
                return
            why = Fact(
                fact=f"the invitation is marked {marking}; {who.meeting.platform} is allowed up to {limit}",
                evidence=(change.evidence,),
            )
            summary = f"{title_of(who)} is marked {marking}, above the limit of {who.meeting.platform}"
            yield about(who, Severity.CRITICAL, summary, why, of_meeting=True)
