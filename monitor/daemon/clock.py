"""Time that does not jump: the kernel's time stamps, corrected while nobody knows yet whether a jump is meant.

A clock may be set while the daemon runs: by an hour through a mistake, by half a century when a machine without a
battery finds its time server. Packet time then goes on as it was. Only when the clock has stayed for a while where it
jumped to, it is believed; and then everything remembered is moved by as much, for it was the old time that was wrong.
"""

from monitor.model.evidence import MINUTE, SECOND, Nanoseconds

STEP: Nanoseconds = 5 * SECOND
"""Less is the slewing of a time server, and no jump."""
PATIENCE: Nanoseconds = 5 * MINUTE
"""So long a jumped clock must stay before it is believed."""
OFTEN: Nanoseconds = SECOND // 20
"""Looked at once in so long: between two looks a jumped time stamp passes as it is."""


class Clock:
    """Both clocks of the machine come in, by the caller; what must be added to a time stamp goes out.

    That is its `correction`.
    """

    def __init__(
        self,
        wall: Nanoseconds,
        monotonic: Nanoseconds,
        known: tuple[Nanoseconds, Nanoseconds, Nanoseconds] | None = None,
    ) -> None:
        """`known` is what another has kept of its own, before this began: jumps in between are seen."""
        self._offset, self._since, self.correction = known or (wall - monotonic, monotonic, 0)

    @property
    def known(self) -> tuple[Nanoseconds, Nanoseconds, Nanoseconds]:
        """For another who goes on with it."""
        return self._offset, self._since, self.correction

    def look(self, wall: Nanoseconds, monotonic: Nanoseconds) -> Nanoseconds:
        """Called often. By how much everything remembered is to be moved, once a jump is believed; else 0."""
        offset = wall - monotonic
        jump = offset - self._offset
        if abs(jump) > STEP:
            self._since = monotonic
            self.correction -= jump
        self._offset = offset
        if self.correction and monotonic - self._since >= PATIENCE:
            moved, self.correction = -self.correction, 0
            return moved
        return 0

    @property
    def is_doubted(self) -> bool:
        """Whether the clock has jumped and is not believed yet."""
        return self.correction != 0
