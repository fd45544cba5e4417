"""Somebody came in by telephone without the PIN."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.meetings import Method, Slot, SlotState
from monitor.model.policy import Policy
from monitor.model.roster import Joined, RosterChange

SHORTEST_CODE = 4
"""Digits of the shortest code that a bridge may accept; fewer are keys pressed in the meeting."""


class PinBypass:
    """A dial-in admitted although the invitation has a numeric PIN, and `#` alone stood in its place.

    `#` for the attendee number before the right PIN is normal, and so is another code after it (a host's own). But `#`
    alone twice left the PIN empty, whatever was typed then; and a few keys after it, too few for a code, change
    nothing. Where the meeting does not take place on that date, the PIN of its series counts: a join that is only
    unscheduled for those who know it is a bypass for those who do not.
    """

    info: ClassVar = RuleInfo(
        name="pin-bypass",
        severities=(Severity.HIGH,),
        attack="T1133",
        summary="a dial-in is admitted with an empty answer where the invitation demands a PIN",
    )

    def __init__(self, policy: Policy) -> None:
        del policy

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At the join."""
        if isinstance(change, Joined) and change.participant.method is Method.PSTN:
            who = change.participant
            if not who.demands_pin or who.by_bridge or not self._left_empty(who.slots):
                return
            why = Fact(
                fact="the invitation has a numeric PIN, and the call never contained it: # alone was enough",
                evidence=(change.evidence,),
            )
            yield about(who, Severity.HIGH, f"{who.identity.subject} joined {title_of(who)} without the PIN", why)

    def _left_empty(self, slots: tuple[Slot, ...]) -> bool:
        states = [s.state for s in slots if s.state in {SlotState.EMPTY, SlotState.RIGHT} or s.length >= SHORTEST_CODE]
        if not states or SlotState.RIGHT in states:
            return False
        return states[-1] is SlotState.EMPTY or states.count(SlotState.EMPTY) > 1
