"""Calls that go nowhere we know: remembered, because the keys pressed in one may yet show that it goes to a meeting."""

from collections import OrderedDict
from typing import TypeAlias

from monitor.model.calls import CallAnswered, CallOffered
from monitor.model.evidence import DAY, MINUTE, Nanoseconds
from monitor.model.limits import Limits

MAX_OFFERS = 4
"""Hops of one call that are remembered: each may bring another identity."""

WAITING: Nanoseconds = 10 * MINUTE
"""A call that nobody was seen to answer is forgotten after this: nothing rings so long (RFC 3261, 16.6)."""

LONGEST: Nanoseconds = DAY
"""And one whose end was not seen, after this."""

Said: TypeAlias = tuple[CallOffered | CallAnswered, ...]


class Strangers:
    """What was said so far of each call that is no leg of a meeting; those that ring push out only their own kind."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self.counts = dict.fromkeys(("strangers_ringing_evicted", "strangers_talking_evicted"), 0)
        # Ordered dicts: the oldest of a plain one is found only behind all that went before it.
        self._ringing: OrderedDict[str, Said] = OrderedDict()
        self._talking: OrderedDict[str, Said] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ringing) + len(self._talking)

    @property
    def sizes(self) -> dict[str, int]:
        """How full the tables are."""
        return {"strangers_ringing": len(self._ringing), "strangers_talking": len(self._talking)}

    def offered(self, event: CallOffered) -> None:
        """A call begins, or is seen on its next hop."""
        before = self._ringing.pop(event.call, ())
        self._talking.pop(event.call, None)
        self.expire(event.at)
        if len(self._ringing) >= self._limits.strangers_ringing:
            self._ringing.popitem(last=False)
            self.counts["strangers_ringing_evicted"] += 1
        self._ringing[event.call] = (*before[-MAX_OFFERS + 1 :], event)

    def answered(self, event: CallAnswered) -> None:
        """Somebody talks to it."""
        before = self._ringing.pop(event.call, None)
        if before is None:
            return
        if len(self._talking) >= self._limits.strangers_talking:
            self._talking.popitem(last=False)
            self.counts["strangers_talking_evicted"] += 1
        self._talking[event.call] = (*before, event)

    def over(self, call: str) -> Said:
        """The call ends, or is no stranger any more; gives what was said of it."""
        return self._ringing.pop(call, ()) or self._talking.pop(call, ())

    def expire(self, at: Nanoseconds) -> None:
        """Forgets those that nobody answered, and those of which nothing was heard for long."""
        for table, life in ((self._ringing, WAITING), (self._talking, LONGEST)):
            while table and next(iter(table.values()))[-1].at + life < at:
                table.popitem(last=False)
