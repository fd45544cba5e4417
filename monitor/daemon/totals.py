"""What all decoders have counted, those of before included: each begins at zero, and totals must not go back."""

from collections import Counter
from collections.abc import Mapping

MAX_LIVES = 128
"""More than are heard at once, so that those longest silent are gone."""


class Rising:
    """A count that somebody else keeps, and who may begin anew; the total goes on."""

    def __init__(self, begun: int = 0) -> None:
        """What was counted before, up to `begun`, is not of interest."""
        self._latest = begun
        self.total = 0

    def take(self, count: int) -> None:
        """So much it is now."""
        self.total += count - (self._latest if count >= self._latest else 0)
        self._latest = count


class Totals:
    """The counts of each decoder by its name; of those that are long gone, their sum."""

    def __init__(self) -> None:
        self._lives: dict[str, Mapping[str, int]] = {}
        self._before: Counter[str] = Counter()

    def take(self, decoder: str, counts: Mapping[str, int]) -> None:
        """What this decoder has counted since it began."""
        self._lives.pop(decoder, None)
        self._lives[decoder] = counts
        if len(self._lives) > MAX_LIVES:
            self._before.update(self._lives.pop(next(iter(self._lives))))

    @property
    def all(self) -> dict[str, int]:
        """Everything together."""
        total = self._before.copy()
        for counts in self._lives.values():
            total.update(counts)
        return dict(total)
