"""Whether the operator's files have changed on disk: looked at by their names, sizes and times, never opened.

Who writes a file writes it in steps, and who copies a folder copies it for a while. So what has changed is taken when
nothing more changes for a moment; and when it goes on and on, now and then as it is.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

LOOK_SECONDS = 0.5
SETTLED_SECONDS = 1.0
"""So long nothing may have changed."""
LONGEST_SECONDS = 30.0
"""Of one change after the other: then the files are taken as they are, and again when it is over."""
MAX_FILES = 100_000
"""Beyond, changes are not seen; /-/reload and SIGHUP still work."""
SUFFIXES = (".ics", ".vcf", ".csv")
"""Of files that count in a folder: what an editor leaves beside them does not."""

Look: TypeAlias = dict[str, tuple[int, int, int, int]]
"""Size, times and inode of each file."""


class Watching:
    """Files and folders, and how they were when they were taken last."""

    def __init__(self, paths: Callable[[], Iterable[Path]], clock: Callable[[], float] = time.monotonic) -> None:
        """Made before the files are read first: what changes while they are is a change. `paths` may change, too."""
        self._paths, self._clock = paths, clock
        self._taken = self._seen = look_at(paths())
        self._since = self._changed = clock()

    def is_due(self) -> bool:
        """Whether something has changed that should be taken now; from then on it was."""
        now, seen = self._clock(), look_at(self._paths())
        if seen != self._seen:
            if self._seen == self._taken:
                self._since = now
            self._seen, self._changed = seen, now
        if seen == self._taken:
            return False
        if now - self._changed < SETTLED_SECONDS and now - self._since < LONGEST_SECONDS:
            return False
        self._taken, self._since = seen, now
        return True

    def run(self, wish: Callable[[], object]) -> None:
        """For a thread of its own, as long as the process lives."""
        while True:
            time.sleep(LOOK_SECONDS)
            if self.is_due():
                wish()


def look_at(paths: Iterable[Path]) -> Look:
    """How the files are at this moment; those that are not there, or may not be seen, are left out."""
    found: Look = {}
    for path in paths:
        for file in _files_of(path):
            with suppress(OSError):
                told = os.stat(file)  # noqa: PTH116 - a hundred thousand times
                found[file] = (told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino)
            if len(found) >= MAX_FILES:
                return found
    return found


def _files_of(path: Path) -> Iterator[str]:
    if not os.path.isdir(path):  # noqa: PTH112 - false where it may not be seen
        yield str(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            if name.lower().endswith(SUFFIXES):
                yield f"{folder}/{name}"
