"""Somebody is in a meeting when there is none."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import MINUTE, Fact
from monitor.model.policy import Policy
from monitor.model.roster import Joined, Overstayed, Participant, RosterChange, Verdict


class OutsideSchedule:
    """Joined long before the start, or still connected long after the end, of an occurrence on the same local date."""

    info: ClassVar = RuleInfo(
        name="outside-schedule",
        severities=(Severity.LOW, Severity.HIGH),
        attack="T1133",
        summary="joined more than 30 min before the start, or there 30 min after the end; high when uninvited",
    )

    def __init__(self, policy: Policy) -> None:
        self.early = policy.rules.early_minutes
        self.late = policy.rules.late_minutes

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At an early join, and at the moment that is too late."""
        if isinstance(change, Overstayed):
            who = change.participant
            yield self._finding(change, who, f"is still there {self.late} minutes after the end", change.at)
        elif isinstance(change, Joined) and (occurrence := change.participant.occurrence) is not None:
            who = change.participant
            if who.joined_at < occurrence.start - self.early * MINUTE:
                minutes = (occurrence.start - who.joined_at) // MINUTE
                yield self._finding(change, who, f"joined {minutes} minutes before the start", who.joined_at)

    def _finding(self, change: Joined | Overstayed, who: Participant, what: str, at: int) -> Finding:
        severity = Severity.LOW if who.verdict is Verdict.INVITED else Severity.HIGH
        why = Fact(fact=what, evidence=(change.evidence,))
        return about(who, severity, f"{who.identity.subject} {what}: {title_of(who)}", why, at=at)


class UnscheduledMeeting:
    """Joined a meeting without an occurrence on that local date, or one that is in no calendar. One a participant."""

    info: ClassVar = RuleInfo(
        name="unscheduled-meeting",
        severities=(Severity.LOW,),
        attack="T1133",
        summary="joined a meeting that does not take place on that date, or that no calendar has",
    )

    def __init__(self, policy: Policy) -> None:
        del policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At the join."""
        if isinstance(change, Joined) and change.participant.occurrence is None:
            who = change.participant
            what = "has no occurrence on this date" if who.series else "is in no calendar"
            why = Fact(fact=f"{who.meeting.platform} {who.meeting.key} {what}", evidence=(change.evidence,))
            yield about(who, Severity.LOW, f"{who.identity.subject} joined {title_of(who)}, which {what}", why)
