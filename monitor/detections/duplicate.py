"""One person is in one meeting twice."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.invitations import Person
from monitor.model.policy import Policy
from monitor.model.roster import Participant, RosterChange, Stayed


class DuplicateIdentity:
    """Two admitted legs of one person in one meeting overlap; an app and its "call me" audio make it low.

    A telephone that several people of the directory share may be in once for each of them.
    """

    info: ClassVar = RuleInfo(
        name="duplicate-identity",
        severities=(Severity.MEDIUM, Severity.LOW),
        attack="T1078",
        summary="two admitted legs of one person in one meeting overlap 30 s or more",
    )

    def __init__(self, policy: Policy) -> None:
        self.seconds = policy.rules.duplicate_overlap_seconds

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """When the younger leg has lasted as long as the overlap must."""
        if isinstance(change, Stayed) and change.seconds == self.seconds:
            who = change.participant
            older = [twin for twin in change.twins if (twin.joined_at, twin.id) < (who.joined_at, who.id)]
            # A shared phone or room may be in once for each of the people whose it is.
            if not older or len(older) + 1 <= len(_owners([who, *older])):
                return
            first = older[-1]
            why = Fact(
                fact=f"{who.identity.subject} is in twice at the same time, for {change.seconds} s or more",
                evidence=(change.evidence, *(e for fact in first.facts[:1] for e in fact.evidence)),
            )
            audio_beside_app = who.by_bridge or first.by_bridge
            severity = Severity.LOW if audio_beside_app else Severity.MEDIUM
            yield about(who, severity, f"{who.identity.subject} is in {title_of(who)} twice", why)


def _owners(legs: Iterable[Participant]) -> set[Person]:
    """The people of the directory whose legs these may be."""
    return {person for leg in legs for person in leg.people}
