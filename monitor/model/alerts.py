"""What somebody must know: a rule that was broken, why, and where to see it."""

from enum import StrEnum
from hashlib import blake2b

import msgspec

from monitor.model.evidence import Fact, Nanoseconds
from monitor.model.invitations import Occurrence
from monitor.model.meetings import MeetingRef
from monitor.model.roster import Trust


class Severity(StrEnum):
    """How bad, low to high."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Severity).index(self)


class Coverage(StrEnum):
    """How much of a meeting can be seen from here."""

    OBSERVED = "observed"
    PARTIAL = "partial"
    BLIND = "blind"


class RuleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule is, for people: shown by `joinwatch rules`, and the closed list of metric labels."""

    name: str
    severities: tuple[Severity, ...]
    """Those that it can raise; the first is the usual one."""
    attack: str
    """MITRE ATT&CK technique; empty when none fits."""
    summary: str
    """One sentence: raised when …"""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One cause, one alert: a later sighting is the same alert with a higher `count` and a later `last_seen`."""

    id: str
    rule: str
    severity: Severity
    meeting: MeetingRef | None
    occurrence: Occurrence | None
    series: str | None = None
    """UID of the calendar series; null when no calendar knows the meeting."""
    subject: str
    summary: str
    reasons: tuple[Fact, ...]
    confidence: Trust
    """In the identity of the subject."""
    coverage: Coverage = Coverage.OBSERVED
    first_seen: Nanoseconds
    last_seen: Nanoseconds
    count: int = 1


def id_of(*parts: str) -> str:
    """A short name made of what it names: equal parts, equal id, on every machine and in every run (BLAKE2b, 64 bits).

    Parts are length-prefixed, so that no part can borrow from its neighbour.
    """
    digest = blake2b(digest_size=8)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()
