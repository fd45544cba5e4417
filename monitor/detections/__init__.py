"""Should they be in the meeting? Changes of the roster come in, alerts go out; one rule a file.

A rule gives *findings*; here they become alerts with a name that is the same in every run and on every sensor, since
it is made of the rule, the occurrence and the subject. A later finding with the same name is the same alert, counted:
the first reasons stay, and the latest join them.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from monitor.detections.anonymous import AnonymousParticipant
from monitor.detections.bruteforce import PinBruteforce
from monitor.detections.classification import ClassificationExceedsPlatform
from monitor.detections.duplicate import DuplicateIdentity
from monitor.detections.enumeration import MeetingEnumeration
from monitor.detections.finding import Finding, Remembering, Rule
from monitor.detections.methods import ForbiddenJoinMethod
from monitor.detections.mismatch import IdentityMismatch
from monitor.detections.pin_bypass import PinBypass
from monitor.detections.schedule import OutsideSchedule, UnscheduledMeeting
from monitor.detections.uninvited import UninvitedParticipant
from monitor.model.alerts import Alert, Coverage, RuleInfo, Severity, id_of
from monitor.model.evidence import Fact
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

MAX_PASSED_OVER = 16
"""Severe alerts that are passed over when another must be forgotten."""

MAX_REASONS = 32
"""Reasons in one alert."""


def rule_infos() -> tuple[RuleInfo, ...]:
    """What each rule is, in the order of the table of contents."""
    return tuple(rule.info for rule in RULES)


class Detections:
    """All rules, and the alerts that they have raised."""

    def __init__(
        self,
        policy: Policy,
        rules: Iterable[type[Rule]] = RULES,
        *,
        coverage: Callable[[], Coverage] = lambda: Coverage.OBSERVED,
    ) -> None:
        """`coverage` tells how well the network can be seen at this moment."""
        self._coverage = coverage
        self._counts = dict.fromkeys(("alerts", "sightings", "alerts_evicted"), 0)
        self._most = policy.limits.alerts
        self._rules = [rule(policy) for rule in rules]
        self._raised: OrderedDict[str, Alert] = OrderedDict()
        self._told: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        """What was found, and what each rule that remembers had to forget."""
        counts = dict(self._counts)
        for rule in self._rules:
            if isinstance(rule, Remembering):
                counts |= rule.counts
        return counts

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        sizes = {"alerts": len(self._raised)}
        for rule in self._rules:
            if isinstance(rule, Remembering):
                sizes |= rule.sizes
        return sizes

    def judge(self, change: RosterChange) -> Iterator[Alert]:
        """What this change breaks: new alerts, and known ones that are worse now or whose count has doubled."""
        for rule in self._rules:
            for finding in rule.judge(change):
                alert, is_worse = self._counted(rule.info.name, finding)
                if is_worse or alert.count >= 2 * self._told[alert.id]:
                    self._told[alert.id] = alert.count
                    yield alert

    def finish(self) -> Iterator[Alert]:
        """The last word on each alert that was seen again after it was told."""
        for alert in self._raised.values():
            if alert.count != self._told[alert.id]:
                self._told[alert.id] = alert.count
                yield alert

    def _counted(self, rule: str, finding: Finding) -> tuple[Alert, bool]:
        """The alert with this finding in it, and whether it is new or more severe than before."""
        self._counts["sightings"] += 1
        alert = _alert_of(rule, finding, self._coverage())
        known = self._raised.pop(alert.id, None)
        if known is None:
            self._counts["alerts"] += 1
            if len(self._raised) >= self._most:
                self._evict()
            self._told[alert.id] = 0
        else:
            alert = replace(
                alert,
                subject=known.subject,
                severity=max(known.severity, alert.severity, key=lambda severity: severity.rank),
                reasons=alert.reasons if finding.is_whole else _joined(known.reasons, alert.reasons),
                first_seen=min(known.first_seen, alert.first_seen),
                last_seen=max(known.last_seen, alert.last_seen),
                count=known.count + finding.times,
            )
        self._raised[alert.id] = alert
        return alert, known is None or known.severity is not alert.severity

    def _evict(self) -> None:
        """Forgets the alert longest not seen; a severe one gets a second chance."""
        for _ in range(MAX_PASSED_OVER):
            name, alert = next(iter(self._raised.items()))
            if alert.severity.rank < Severity.HIGH.rank:
                break
            self._raised.move_to_end(name)
        gone, _ = self._raised.popitem(last=False)
        del self._told[gone]
        self._counts["alerts_evicted"] += 1


def _joined(first: tuple[Fact, ...], latest: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The reasons of the first sightings and of the latest, each once; those between give way."""
    reasons = tuple(dict.fromkeys((*first, *latest)))
    if len(reasons) <= MAX_REASONS:
        return reasons
    return (*reasons[: MAX_REASONS // 2], *reasons[-MAX_REASONS // 2 :])


def _alert_of(rule: str, finding: Finding, coverage: Coverage) -> Alert:
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
        coverage=coverage,
        first_seen=finding.at,
        last_seen=finding.at,
        count=finding.times,
    )
