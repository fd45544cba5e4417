"""Somebody came in by telephone without the PIN."""

from collections.abc import Iterable
from typing import ClassVar

from monitor.detections.finding import Finding, about, title_of
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import Fact
from monitor.model.meetings import Method, SlotState
from monitor.model.policy import Policy
from monitor.model.roster import Joined, RosterChange


class PinBypass:
    """A dial-in admitted although the invitation has a numeric PIN, and `#` alone stood in its place.

    `#` for the attendee number before the right PIN is normal, and so is any other code at the end (a host's own).
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
            demanded = who.occurrence is not None and who.occurrence.has_pin and not who.by_bridge
            states = [slot.state for slot in who.slots]
            if not demanded or not states or SlotState.RIGHT in states or states[-1] is not SlotState.EMPTY:
                return
            why = Fact(
                fact="the invitation has a numeric PIN, and the call never contained it: # alone was enough",
                evidence=(change.evidence,),
            )
            yield about(who, Severity.HIGH, f"{who.identity.subject} joined {title_of(who)} without the PIN", why)
