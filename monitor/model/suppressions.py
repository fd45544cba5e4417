"""What an organisation has decided not to be told for a while: by whom, why, until when. The journal keeps it all."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. What it names must all be so of an alert; at least one thing is named."""

    line: int
    """Of the file, where it begins."""
    owner: str
    """Who answers for it."""
    reason: str
    """Why nobody needs to be told."""
    until: date
    """The last day on which it counts, in UTC."""
    ticket: str = ""
    """Where the decision is written down."""
    rule: str | None = None
    """Its name, as `joinwatch rules` has it."""
    subject: str | None = None
    """As the journal has it: `tel:+31205550123`."""
    subject_prefix: str | None = None
    """How it begins: `tel:+3120555`."""
    meeting: str | None = None
    """The UID of its series, or its name on the platform: `number:27311234567`."""
    platform: str | None = None
    """Its name, as `joinwatch platforms` has it."""

    @property
    def ends(self) -> datetime:
        """The moment from which it counts no more."""
        return datetime(self.until.year, self.until.month, self.until.day, tzinfo=UTC) + timedelta(days=1)

    def is_expired(self, at: datetime) -> bool:
        """Whether it counted once."""
        return at >= self.ends

    def verdicts(self, said: dict[str, Any]) -> Iterator[tuple[str, bool]]:
        """Everything it asks of an alert of the journal, in words, and whether it is so."""
        meeting = said.get("meeting") or {}
        subject = str(said.get("subject", ""))
        if self.rule is not None:
            yield f"rule = {self.rule}", said.get("rule") == self.rule
        if self.subject is not None:
            yield f"subject = {self.subject}", subject == self.subject
        if self.subject_prefix is not None:
            yield f"subject begins with {self.subject_prefix}", subject.startswith(self.subject_prefix)
        if self.meeting is not None:
            yield f"meeting = {self.meeting}", self.meeting in (meeting.get("uid"), meeting.get("key"))
        if self.platform is not None:
            yield f"platform = {self.platform}", meeting.get("platform") == self.platform

    def matches(self, said: dict[str, Any]) -> bool:
        """Whether it is about this alert, expired or not."""
        return all(is_so for _, is_so in self.verdicts(said))


class Suppressions(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, in the order of their file: the first that counts is the one that is named."""

    entries: tuple[Suppression, ...] = ()

    def of(self, said: dict[str, Any]) -> Suppression | None:
        """The one that keeps this alert of the journal from being told; by the time at which it was said."""
        at = moment_of(said)
        return next((one for one in self.entries if not one.is_expired(at) and one.matches(said)), None)

    def expired(self, at: datetime) -> Sequence[Suppression]:
        """Those that count no more."""
        return [one for one in self.entries if one.is_expired(at)]


def mark_of(one: Suppression) -> dict[str, Any]:
    """What the journal says of it, beside the alert."""
    mark = {"line": one.line, "owner": one.owner, "reason": one.reason, "until": one.until.isoformat()}
    return mark | ({"ticket": one.ticket} if one.ticket else {})


def moment_of(said: dict[str, Any]) -> datetime:
    """When a line of the journal was said."""
    try:
        return datetime.fromisoformat(str(said.get("time", ""))).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # Nothing counts then: what cannot be understood is told.
