"""Time that does not jump: the kernel's time stamps, corrected while nobody knows yet whether a jump is meant.

A clock may be set while the daemon runs: by an hour through a mistake, by half a century when a machine without a
battery finds its time server. Packet time then goes on as it was. Only when the clock has stayed for a while where it
jumped to, it is believed; and then everything remembered is moved by as much, for it was the old time that was wrong.
"""

from typing import NamedTuple

from monitor.model.evidence import MINUTE, SECOND, Nanoseconds

STEP: Nanoseconds = 5 * SECOND
"""Less is the slewing of a time server, and no jump."""
PATIENCE: Nanoseconds = 5 * MINUTE
"""So long a jumped clock must stay before it is believed."""


class Known(NamedTuple):
    """What one decoder after the other must know of the time."""

    offset: Nanoseconds
    """Of the wall clock to the one that nobody sets."""
    since: Nanoseconds
    """When the latest jump was, by the clock that nobody sets."""
    correction: Nanoseconds
    """Add this to what the wall clock says."""
    begun: Nanoseconds
    """When anybody first looked, by the wall clock as it was."""


class Moved(NamedTuple):
    """A jump that is believed: what was remembered between these moments happened so much later."""

    by: Nanoseconds
    begin: Nanoseconds
    end: Nanoseconds


class Clock:
    """Both clocks of the machine come in, by the caller; the right time of each time stamp goes out."""

    def __init__(self, wall: Nanoseconds, monotonic: Nanoseconds, known: Known | None = None) -> None:
        """`known` is what a clock before this one knew: jumps since then are seen."""
        self.known = known or Known(wall - monotonic, monotonic, 0, wall)
        self._wall = wall

    def look(self, wall: Nanoseconds, monotonic: Nanoseconds) -> Moved | None:
        """Called before time stamps are read. A jump, once it is believed."""
        offset, since, correction, begun = self.known
        jump = wall - monotonic - offset
        if abs(jump) > STEP:
            since, correction = monotonic, correction - jump
        self._wall = wall
        if not correction or monotonic - since < PATIENCE:
            self.known = Known(wall - monotonic, since, correction, begun)
            return None
        self.known = Known(wall - monotonic, since, 0, begun - correction)
        return Moved(-correction, begun, wall + correction)

    def right(self, at: Nanoseconds) -> Nanoseconds:
        """When it was that a packet came which was stamped with this time: before the jump, or behind it."""
        correction = self.known.correction
        if not correction:
            return at
        now = self._wall + correction
        return min(at, at + correction, key=lambda moment: abs(now - moment))

    @property
    def now(self) -> Nanoseconds:
        """The time of the latest look."""
        return self._wall + self.known.correction

    @property
    def is_doubted(self) -> bool:
        """Whether the clock has jumped and is not believed yet."""
        return self.known.correction != 0
