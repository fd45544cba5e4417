"""Other lists: everything that is remembered is judged again under them, beside what goes on, in slices.

Meanwhile the lists of before are in force, and what arrives is judged by them; it is remembered, too, so the stages
under the new lists come to it in their turn. Once they have caught up they take over, all at once. What they find on
the way is said at once, if it was not said before.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeAlias

from monitor.daemon.correlate import Correlator
from monitor.daemon.memory import Memory
from monitor.daemon.messages import Lists
from monitor.daemon.standing import Standing
from monitor.model.alerts import Alert
from monitor.model.problems import Problem
from monitor.model.roster import Joined, Left
from monitor.model.suppressions import Suppressions
from monitor.pipeline import Expected, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

SLICE_SECONDS = 0.04
"""Of the loop's time, between two looks at what has arrived: far below the 100 ms from a packet to a metric."""
CHUNK = 128
"""Events read at a time."""
MAX_STANDS = 65_536
"""Participants and alerts of which metrics are told when the new lists take over."""

Wish: TypeAlias = "Future[Sequence[Problem]]"


class Anew:
    """The stages under other lists, not in force yet."""

    def __init__(self, expected: Expected, suppressions: Suppressions, lists: Lists, digest: str) -> None:
        self.expected, self.suppressions, self.lists, self.digest = expected, suppressions, lists, digest
        self.wishes: list[Wish] = []
        """Who waits for these lists to take over."""
        self.is_newest = True
        """Whether nothing has been read since; what was, then, was broken."""
        self.begin()

    def begin(self) -> None:
        """From the first event on: what is remembered is not what it was."""
        self.correlator = Correlator(self.expected)
        self.standing = Standing(self.expected.policy.limits.alerts)
        self.stands: OrderedDict[tuple[type, str], Record] = OrderedDict()
        """Who is in a meeting, and which alerts there are: the latest of each."""
        self._place = 0

    def go_on(self, memory: Memory, tell: Callable[[Record, "Anew"], None], seconds: float = SLICE_SECONDS) -> bool:
        """Judge for so long; whether everything was. Each record is told, and must be noted if it is not kept quiet."""
        end = time.monotonic() + seconds
        while True:
            events = memory.events_behind(self._place, CHUNK)
            for number, event in events:
                self._place = number
                if event is not None:
                    for record in self.correlator.feed(event):
                        tell(record, self)
            if len(events) < CHUNK:
                return True
            if time.monotonic() >= end:
                return False

    def note(self, record: Record) -> None:
        """This is how it is."""
        match record:
            case Alert():
                name = record.id
            case Joined():
                name = record.participant.id
            case Left():
                self.stands.pop((Joined, record.participant.id), None)
                return
            case _:
                return
        self.stands[type(record), name] = record
        self.stands.move_to_end((type(record), name))
        if len(self.stands) > MAX_STANDS:
            self.stands.popitem(last=False)
