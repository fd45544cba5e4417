"""Should they be in the meeting? Changes of the roster come in, alerts go out; one rule a file.

A rule gives *findings*; here they become alerts with a name that is the same in every run and on every sensor, since
it is made of the rule, the occurrence and the subject. A later finding with the same name is the same alert, counted.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from monitor.detections.anonymous import AnonymousParticipant
from monitor.detections.bruteforce import PinBruteforce
from monitor.detections.classification import ClassificationExceedsPlatform
from monitor.detections.duplicate import DuplicateIdentity
from monitor.detections.enumeration import MeetingEnumeration
from monitor.detections.finding import Finding, Rule
from monitor.detections.methods import ForbiddenJoinMethod
from monitor.detections.mismatch import IdentityMismatch
from monitor.detections.pin_bypass import PinBypass
from monitor.detections.schedule import OutsideSchedule, UnscheduledMeeting
from monitor.detections.uninvited import UninvitedParticipant
from monitor.model.alerts import Alert, RuleInfo, id_of
from monitor.model.policy import Policy
from monitor.model.roster import RosterChange

RULES: tuple[type[Rule], ...] = (
    UninvitedParticipant,
    AnonymousParticipant,
    ForbiddenJoinMethod,
    ClassificationExceedsPlatform,
    IdentityMismatch,
    DuplicateIdentity,
    PinBypass,
    PinBruteforce,
    MeetingEnumeration,
    OutsideSchedule,
    UnscheduledMeeting,
)
"""The table of contents: a new rule is one file and one line here."""

MAX_ALERTS = 16_384
"""Alerts remembered, so that the next sighting is known for the same; the one longest not seen is forgotten first."""

MAX_REASONS = 32
"""Reasons in one alert."""


def rule_infos() -> tuple[RuleInfo, ...]:
    """What each rule is, in the order of the table of contents."""
    return tuple(rule.info for rule in RULES)


class Detections:
    """All rules, and the alerts that they have raised."""

    def __init__(self, policy: Policy, rules: Iterable[type[Rule]] = RULES) -> None:
        self.counts = dict.fromkeys(("alerts", "sightings", "evicted_alerts"), 0)
        self._rules = [rule(policy) for rule in rules]
        self._raised: OrderedDict[str, Alert] = OrderedDict()
        self._told: dict[str, int] = {}

    def judge(self, change: RosterChange) -> Iterator[Alert]:
        """What this change breaks: new alerts, and known ones whose count has doubled since they were last told."""
        for rule in self._rules:
            for finding in rule.judge(change):
                alert = self._counted(rule.info.name, finding)
                if alert.count >= 2 * self._told.get(alert.id, 0):
                    self._told[alert.id] = alert.count
                    yield alert

    def finish(self) -> Iterator[Alert]:
        """The last word on each alert that was seen again after it was told."""
        for alert in self._raised.values():
            if alert.count != self._told[alert.id]:
                self._told[alert.id] = alert.count
                yield alert

    def _counted(self, rule: str, finding: Finding) -> Alert:
        self.counts["sightings"] += 1
        alert = _alert_of(rule, finding)
        known = self._raised.pop(alert.id, None)
        if known is None:
            self.counts["alerts"] += 1
            if len(self._raised) >= MAX_ALERTS:
                gone, _ = self._raised.popitem(last=False)
                del self._told[gone]
                self.counts["evicted_alerts"] += 1
        else:
            alert = replace(
                alert,
                subject=known.subject,
                severity=max(known.severity, alert.severity, key=lambda severity: severity.rank),
                first_seen=known.first_seen,
                last_seen=max(known.last_seen, alert.last_seen),
                count=known.count + finding.times,
            )
        self._raised[alert.id] = alert
        return alert


def _alert_of(rule: str, finding: Finding) -> Alert:
    occurrence, meeting = finding.occurrence, finding.meeting
    of_what = occurrence.id if occurrence else f"{meeting.platform} {meeting.key}" if meeting else ""
    return Alert(
        id=id_of(rule, of_what, "" if finding.of_meeting else finding.subject, finding.cause),
        rule=rule,
        severity=finding.severity,
        meeting=meeting,
        occurrence=occurrence,
        series=finding.series,
        subject=finding.subject,
        summary=finding.summary,
        reasons=finding.reasons[:MAX_REASONS],
        confidence=finding.confidence,
        first_seen=finding.at,
        last_seen=finding.at,
        count=finding.times,
    )
