"""How much of what was on the network the mirror does not give, as far as the packets that it gives can tell.

A packet that is missing between two others that count (RTP's sequence numbers, SIP's CSeq, an answer without its
request) is noted here, and so are those that are there; old notes count less and less.
"""

from typing import Final

MEMORY: Final = 4096
"""Packets after which what was noted so far counts half."""

FELT: Final = 0.005
"""From this share on a message that does not come may as well be lost. Below it a BYE and its answer, which say the
same, are both lost in less than one call of 40,000."""


class Losses:
    """Packets that were to be expected, and those of them that did not come."""

    __slots__ = ("missed", "missed_ever", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.missed = 0
        self.missed_ever = 0

    def note(self, seen: int, missed: int = 0) -> None:
        """So many came, and so many between them did not; less than none when one came late that was thought lost."""
        self.seen += seen
        self.missed = max(0, self.missed + missed)
        self.missed_ever = max(0, self.missed_ever + missed)
        if self.seen >= MEMORY:
            self.seen >>= 1
            self.missed >>= 1

    @property
    def are_felt(self) -> bool:
        """Whether so much is lost that what was not seen cannot be taken for what was not."""
        return self.missed > FELT * (self.seen + self.missed)
