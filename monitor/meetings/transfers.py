"""Calls that take another call's place in a meeting: `Replaces` (RFC 3891), and transfers by `REFER` (RFC 3515, 5589).

Both are words that anybody may write. They count only when the new call has to do with the far end of the old one: it
is answered by the machine that the old call went to, or is made by it.
"""

from collections import OrderedDict

from monitor.meetings.legs import Leg, Legs
from monitor.meetings.links import user_of
from monitor.model.calls import CallForwarded, CallOffered
from monitor.model.evidence import MINUTE, Evidence, Nanoseconds
from monitor.model.invitations import NumberText
from monitor.model.limits import Limits

PATIENCE: Nanoseconds = MINUTE
"""The bridge calls the new party this soon after it was asked to."""


class Transfers:
    """Who is about to take whose place."""

    def __init__(self, legs: Legs, number_text: NumberText, most: int = Limits().transfers) -> None:
        self.evicted = 0
        self._most = most
        self.legs = legs
        self.number_text = number_text
        self._asked: OrderedDict[str, tuple[Leg, Evidence, Nanoseconds]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._asked)

    def expire(self, at: Nanoseconds) -> None:
        """Nobody was called in."""
        while self._asked and at - next(iter(self._asked.values()))[2] > PATIENCE:
            self._asked.popitem(last=False)

    def ask(self, event: CallForwarded) -> None:
        """The far end of a call in a meeting is asked to call somebody else in."""
        leg = self.legs.get(event.call)
        if leg is None or leg.participant is None or (event.by == "callee") is not leg.by_bridge:
            return
        self.expire(event.at)
        for uri in event.to[:1]:
            name = self._name(uri)
            self._asked.pop(name, None)
            self._asked[name] = (leg, event.evidence, event.at)
        while len(self._asked) > self._most:
            self._asked.popitem(last=False)
            self.evicted += 1

    def asked_for(self, event: CallOffered) -> tuple[Leg, Evidence] | None:
        """The leg for whose place this call is made by the far end, and the frame in which it was asked to."""
        name = self._name(event.target)
        leg, evidence, at = self._asked.get(name, (None, event.evidence, 0))
        if leg is None or event.caller.sent_from not in far_ends(leg):
            return None
        del self._asked[name]
        return (leg, evidence) if event.at - at <= PATIENCE else None

    def replaced_by(self, event: CallOffered) -> Leg | None:
        """The leg whose place this call takes, when it goes to that leg's far end."""
        leg = self.legs.get(event.replaces) if event.replaces and event.replaces != event.call else None
        return leg if leg is not None and event.sent_to in far_ends(leg) else None

    def _name(self, uri: str) -> str:
        return self.number_text(uri.partition("?")[0]) or user_of(uri).lower()


def far_ends(leg: Leg) -> set[str]:
    """The addresses of the bridge's end of a call."""
    return {offered.caller.sent_from if leg.by_bridge else offered.sent_to for offered in leg.offers}
