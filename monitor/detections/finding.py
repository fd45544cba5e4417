"""What a rule gives: everything of an alert but its name, count and dates."""

from collections.abc import Iterable
from typing import ClassVar, Protocol, runtime_checkable

import msgspec

from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact, Nanoseconds
from monitor.model.invitations import Occurrence
from monitor.model.meetings import MeetingRef
from monitor.model.policy import Policy
from monitor.model.roster import Participant, RosterChange, Trust


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One sighting of a broken rule."""

    severity: Severity
    at: Nanoseconds
    """When it happened: of a join, the moment of the join."""
    subject: str
    summary: str
    reasons: tuple[Fact, ...]
    confidence: Trust
    meeting: MeetingRef | None = None
    occurrence: Occurrence | None = None
    series: str | None = None
    cause: str = ""
    """What tells two causes with the same subject apart; empty when rule, occurrence and subject do."""
    of_meeting: bool = False
    """The alert is about the meeting, once: whoever is named is only the first who showed it."""
    times: int = 1
    """How many sightings this is."""
    is_whole: bool = False
    """Its reasons tell the whole story so far, and take the place of those told before."""


class Rule(Protocol):
    """One rule of RULES.md; a file, and a line in the table of contents."""

    info: ClassVar[RuleInfo]

    def __init__(self, policy: Policy) -> None: ...

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """What this change of a roster breaks."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A rule that remembers more than one change, and must forget some when there are too many."""

    counts: dict[str, int]
    """What it had to forget, by table."""

    @property
    def sizes(self) -> dict[str, int]:
        """How full each of its tables is, by its name in `Limits`."""
        ...


def about(
    participant: Participant,
    severity: Severity,
    summary: str,
    *facts: Fact,
    at: Nanoseconds | None = None,
    cause: str = "",
    of_meeting: bool = False,
) -> Finding:
    """A finding about one participant: its reasons are what the rule says, then what the leg has shown.

    Two anonymous legs are two causes: nothing tells them apart but their calls.
    """
    if participant.identity.trust is Trust.NONE and not of_meeting:
        cause = cause or participant.call
    return Finding(
        severity=severity,
        at=participant.joined_at if at is None else at,
        subject=participant.identity.subject,
        summary=summary,
        reasons=(*facts, *participant.facts),
        confidence=participant.identity.trust,
        meeting=participant.meeting,
        occurrence=participant.occurrence,
        series=participant.occurrence.uid if participant.occurrence else next(iter(participant.series), None),
        cause=cause,
        of_meeting=of_meeting,
    )


def title_of(participant: Participant) -> str:
    """The meeting as people call it: its title, else its number."""
    if participant.occurrence is not None and participant.occurrence.summary:
        return f"“{participant.occurrence.summary}”"
    return f"{participant.meeting.platform} {participant.meeting.value}"
