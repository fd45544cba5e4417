"""What the doctor says: a cause, its proof, and what to do next."""

from enum import StrEnum

import msgspec


class Gravity(StrEnum):
    """How much a finding takes away, most first."""

    BLIND = "blind"
    """Nothing of it is seen, or nothing is told."""
    DEGRADED = "degraded"
    """Less is seen than could be."""
    HINT = "hint"
    """Good to know; nothing is lost by it."""

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Gravity).index(self)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One cause."""

    check: str = ""
    """The check's name: set by whoever runs it."""
    gravity: Gravity
    cause: str
    """One sentence."""
    proof: tuple[str, ...] = ()
    """What was measured."""
    next_step: str = ""
    """What to do, in a sentence."""
    lines: tuple[str, ...] = ()
    """To copy: a command, or lines of the configuration."""


class Unexamined(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be looked at, and why: silence about it means nothing."""

    what: str
    why: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the doctor has to say."""

    findings: tuple[Finding, ...]
    examined: tuple[str, ...] = ()
    """What was looked at, with its measures, in a few words each."""
    unexamined: tuple[Unexamined, ...] = ()

    @property
    def worst(self) -> Gravity | None:
        """The gravest there is; none of a set-up without findings."""
        return min((finding.gravity for finding in self.findings), key=lambda gravity: gravity.rank, default=None)
