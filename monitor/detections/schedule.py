"""Somebody is in a meeting when there is none."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import MINUTE, Fact
from monitor.model.policy import Policy
from monitor.model.roster import Joined, Left, Overstayed, Participant, RosterChange, Verdict


class OutsideSchedule:
    """Joined long before the start, or still connected long after the end, of an occurrence on the same local date.

    Whoever stays on into the next meeting under the same number is part of that one when it expects them; where it does
    not, they are uninvited there. The frame of their leaving, once seen, shows how long they stayed.
    """

    info: ClassVar = RuleInfo(
        name="outside-schedule",
        severities=(Severity.LOW, Severity.HIGH),
        attack="T1133",
        summary="joined more than 30 min before the start, or there 30 min after the end; high when uninvited",
    )

    def __init__(self, policy: Policy) -> None:
        self.early = policy.rules.early_minutes
        self.counts = {"overstayed_evicted": 0}
        self._most = policy.limits.overstayed
        self._overstayed: OrderedDict[str, None] = OrderedDict()
        """Participants who stayed too long and whose leaving is waited for."""

    @property
    def sizes(self) -> dict[str, int]:
        """How full the table is."""
        return {"overstayed": len(self._overstayed)}

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At an early join, at the moment that is too late, and at the leaving after it."""
        if not isinstance(change, Joined | Left | Overstayed) or (occurrence := change.participant.occurrence) is None:
            return
        who = change.participant
        if isinstance(change, Overstayed):
            self._remember(who)
            minutes = (change.at - occurrence.end) // MINUTE
            yield self._finding(change, who, f"is still there {minutes} minutes after the end", change.at)
        elif isinstance(change, Left):
            if who.id in self._overstayed:
                del self._overstayed[who.id]
                minutes = (change.left_at - occurrence.end) // MINUTE
                yield self._finding(change, who, f"left {minutes} minutes after the end", change.left_at)
        elif who.joined_at < occurrence.start - self.early * MINUTE:
            minutes = (occurrence.start - who.joined_at) // MINUTE
            yield self._finding(change, who, f"joined {minutes} minutes before the start", who.joined_at)

    def _remember(self, who: Participant) -> None:
        self._overstayed[who.id] = None
        if len(self._overstayed) > self._most:
            self._overstayed.popitem(last=False)
            self.counts["overstayed_evicted"] += 1

    def _finding(self, change: Joined | Left | Overstayed, who: Participant, what: str, at: int) -> Finding:
        severity = Severity.LOW if who.verdict is Verdict.INVITED else Severity.HIGH
        seen = f"joined here and {what}" if isinstance(change, Overstayed) else what
        why = Fact(fact=seen, evidence=(change.evidence,))
        return about(who, severity, f"{who.identity.subject} {what}: {title_of(who)}", why, at=at)


class UnscheduledMeeting:
    """Joined a meeting without an occurrence on that local date, or one that is in no calendar. One a participant.

    Cancelled, moved and excepted dates have no occurrence. It is low, for meetings are made by telephone, too; what is
    no meeting of the calendar has no list that somebody could be missing from.
    """

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
