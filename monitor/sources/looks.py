"""Looks at how the frames of a capture are wrapped, so that the packet filter can tell media inside tunnels as well.

The first look takes every frame of a capture's beginning; later ones each sixteenth that the filter lets through, for a
tunnel may begin at any time. A look that comes late, or is wrong, costs time and never a frame.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from monitor.model.layouts import Layout

LayoutOf: TypeAlias = Callable[[int, bytes], Layout | None]
"""How a frame is wrapped, from its link type and its bytes; none if it is not, or in no way that a filter can tell."""

FIRST_FRAMES: Final = 512
FIRST_BYTES: Final = 4 * 1024 * 1024
"""Where the first look ends, whichever comes first."""
AGAIN: Final = 16
"""Of so many frames that were let through, one is looked at later."""
NEEDED: Final = 8
"""Frames let through in vain before their layout is put into the filter."""
MAX_LAYOUTS: Final = 8
"""In the filter of one link type: each makes it longer for every frame that is in a tunnel."""
MAX_SEEN: Final = 256
"""Layouts counted for one link type. A mirror has a few; who sends others must not fill our memory."""


class FirstLook:
    """How far the look at the beginning of one capture has come."""

    def __init__(self, *, frames: int = FIRST_FRAMES) -> None:
        self.frames = 0
        """Frames looked at, which are the first ones of the capture."""
        self.envelopes: Counter[str] = Counter()
        """In how many of them each kind was."""
        self._most = frames
        self._bytes = 0

    @property
    def goes_on(self) -> bool:
        """Whether the next frame belongs to it."""
        return self.frames < self._most and self._bytes < FIRST_BYTES

    def add(self, data: bytes, envelopes: Sequence[str]) -> None:
        """The next frame, and the envelopes found around what is in it."""
        self.frames += 1
        self._bytes += len(data)
        self.envelopes.update(set(envelopes))


class Layouts:
    """Those that were seen, and of them the few that are worth their place in the filter; by link type."""

    def __init__(self) -> None:
        self._seen: dict[int, Counter[Layout]] = {}
        self._chosen: dict[int, list[Layout]] = {}

    def chosen(self, link: int) -> Sequence[Layout]:
        """The most frequent first."""
        seen = self._seen.get(link, Counter())
        return sorted(self._chosen.get(link, ()), key=lambda layout: -seen[layout])

    def has(self, link: int, layout: Layout) -> bool:
        """Whether it is one of the chosen."""
        return layout in self._chosen.get(link, ())

    def add(self, link: int, layout: Layout) -> bool:
        """One more frame of that layout, for which it is or would be of use; whether it is chosen now for the first.

        When there are enough, it takes the place of the rarest as soon as it was seen twice as often.
        """
        seen, chosen = self._seen.setdefault(link, Counter()), self._chosen.setdefault(link, [])
        if layout not in seen and len(seen) >= MAX_SEEN:
            self._seen[link] = seen = Counter({kept: seen[kept] for kept in chosen})
        seen[layout] += 1
        if layout in chosen or seen[layout] < NEEDED:
            return False
        if len(chosen) >= MAX_LAYOUTS:
            rarest = min(chosen, key=seen.__getitem__)
            if seen[layout] < 2 * seen[rarest]:
                return False
            chosen.remove(rarest)
        chosen.append(layout)
        return True
