"""What a check is."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from monitor.doctor.facts import Facts
from monitor.doctor.findings import Finding, Gravity

__all__ = ["BLIND", "DEGRADED", "HINT", "Check", "Finding", "Findings", "percent"]

Findings = Iterator[Finding]
BLIND, DEGRADED, HINT = Gravity.BLIND, Gravity.DEGRADED, Gravity.HINT


class Check(NamedTuple):
    """One cause that is looked for."""

    name: str
    """For machines, and for whoever searches the documentation."""
    judge: Callable[[Facts], Findings]
    """Its docstring is what the documentation says that it finds."""

    @property
    def finds(self) -> str:
        """One sentence: what is so when it speaks."""
        return " ".join((self.judge.__doc__ or "").split())


def percent(part: int, whole: int) -> str:
    """`12 %`; `less than 1 %` of what is hardly any."""
    share = 100 * part / max(1, whole)
    return f"{share:.0f} %" if share >= 1 or not part else "less than 1 %"
