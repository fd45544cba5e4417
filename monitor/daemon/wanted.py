"""What a decoder wants to see: the packet filters of its rings, which it renews while it works."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from monitor.model.asks import Ask
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.sources.live.blocks import Blocks

LINKTYPE_ETHERNET = 1
OUTER_TAGS = (b"\x81\x00", b"\x88\xa8")
TAGS_APART = sys.platform == "linux"
"""Whether the kernel takes the outer tag off before it filters; elsewhere it stands in the frame."""


class Wanted:
    """What the packet filter of every ring lets through: the decoders' asks, what they asked for later, and of tunnels
    only what such packets are inside, once frames in them have been looked at.
    """

    def __init__(self, rings: Sequence[Blocks]) -> None:
        from monitor.decoders import ASKS
        from monitor.sources.filters import Filters
        from monitor.wire.layers import layout_of

        self._filters = Filters(ASKS, layout_of)
        self._rings = rings
        self._attached: list[Any] = [self._filters.program(ring.link) for ring in rings]
        self.counts = {"filters_renewed": 0, "filters_refused": 0}

    @property
    def reports(self) -> Sequence[CaptureReport]:
        """Live interfaces have no end to report at."""
        return ()

    def __iter__(self) -> Iterator[Frame]:
        """Frames come block by block, from `Decode`."""
        return iter(())

    def widen(self, ask: Ask) -> None:
        """Let this through as well, as soon as the kernel has the new filter."""
        self._filters.widen(ask)
        self._renew()

    def program(self, link: int) -> Any:
        """The filter of an interface of that link type, as it is now."""
        return self._filters.program(link) or ()

    def look(self, frame: Frame) -> None:
        """How is this frame wrapped? From now and then one frame the filter learns to look into tunnels."""
        data, length = frame.data, frame.length
        if TAGS_APART and frame.link == LINKTYPE_ETHERNET and data[12:14] in OUTER_TAGS:
            # Linux's filter sees no outer tag: it was taken off before.
            data, length = data[:12] + data[16:], length - 4
        self._filters.look(frame.link, data, length)
        self._renew()

    def _renew(self) -> None:
        """Give the kernel what has changed. A filter that it finds too long changes nothing: the one before stays."""
        # The lists may come before the rings do; what those have from the start is then not known here.
        self._attached += [None] * (len(self._rings) - len(self._attached))
        for place, ring in enumerate(self._rings):
            program = self._filters.program(ring.link)
            if program is self._attached[place]:
                continue
            self._attached[place] = program
            try:
                ring.attach(program or ())
            except OSError:
                self.counts["filters_refused"] += 1
            else:
                self.counts["filters_renewed"] += 1
