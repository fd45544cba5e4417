"""The journal within its room: whole files go when it is too large, and first those that every sink has read."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from monitor.daemon.ledger import SUFFIX, Place
from monitor.daemon.spool import places, sizes_in

LOOK_SECONDS = 10.0
MEBIBYTE = 1024 * 1024


class Room:
    """How large one journal may be."""

    def __init__(
        self,
        state: Path,
        mebibytes: int,
        sinks: Iterable[str],
        needed: Callable[[], Place],
        say: Callable[[str], None],
    ) -> None:
        """`needed` is from where on the daemon itself needs the journal."""
        self._state, self._most, self._sinks = state, mebibytes * MEBIBYTE, tuple(sinks)
        self._needed, self._say = needed, say
        self._looked = 0.0
        self.forced = 0
        """Files that went before every sink had read them."""

    def step(self) -> None:
        """Now and then, make room."""
        if self._most and time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            self.make()

    def make(self) -> None:
        """Take away what is too much. The file that is written stays, whatever its size."""
        sizes = sizes_in(self._state / "journal")
        too_much = sum(sizes.values()) - self._most
        if too_much <= 0:
            return
        read = places(self._state, self._sinks)
        last = min(max(sizes), self._needed().segment)
        for segment in [segment for segment in sizes if segment < last]:
            if too_much <= 0:
                return
            behind = [name for name, place in read.items() if place.segment <= segment]
            if behind:
                self.forced += 1
                names = ", ".join(behind)
                self._say(f"journal: no room; file {segment} goes, though it was not delivered to the end to: {names}")
            (self._state / "journal" / f"{segment:08d}{SUFFIX}").unlink(missing_ok=True)
            too_much -= sizes[segment]
