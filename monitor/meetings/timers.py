"""What will become certain by the passing of time alone: deadlines, in the order of packet time."""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

from monitor.model.evidence import Nanoseconds
from monitor.model.roster import RosterChange

MAX_IDLE = 4096
"""Deadlines that no longer matter, before they are swept out: those that do are bounded by the legs."""

FOREVER: Nanoseconds = 1 << 63

Say = Callable[[Nanoseconds], Iterator[RosterChange]]
Lives = Callable[[], bool]


class Timers:
    """Deadlines, each with what is to be said then, and whether it still matters."""

    def __init__(self) -> None:
        self.due: Nanoseconds = FOREVER
        """The first deadline of all."""
        self._heap: list[tuple[Nanoseconds, int, Say, Lives]] = []
        self._count = 0
        self._limit = MAX_IDLE

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, when: Nanoseconds, say: Say, lives: Lives) -> None:
        """Say it then. Of two deadlines at one moment the one that was set first is heard first."""
        if len(self._heap) > self._limit:
            self.sweep()
            # A deadline holds its leg: those of the dead must not be many.
            self._limit = len(self._heap) + len(self._heap) // 4 + MAX_IDLE
        self._count += 1
        heappush(self._heap, (when, self._count, say, lives))
        self.due = self._heap[0][0]

    def sweep(self) -> None:
        """Forget those that matter no more, and whom they hold."""
        self._heap = [timer for timer in self._heap if timer[3]()]
        heapify(self._heap)
        self.due = self._heap[0][0] if self._heap else FOREVER

    def passed(self, at: Nanoseconds) -> Iterator[tuple[Nanoseconds, Say]]:
        """The deadlines until `at` that still matter, one by one: what one says may set another."""
        while self._heap and self._heap[0][0] <= at:
            when, _, say, lives = heappop(self._heap)
            if lives():
                yield when, say
        self.due = self._heap[0][0] if self._heap else FOREVER
