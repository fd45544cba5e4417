"""How far a long run is, for somebody who waits: a bar with rate and time left, on standard error.

No thread: who reads calls `tick` now and then, which costs next to nothing. Nothing is shown to a file or a pipe,
nor of a run that is over soon.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from monitor.outputs.page import is_terminal, wants_colour

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

Poll = Callable[[], tuple[int, int | None]]
"""Says how many bytes are done, and of how many; none where nobody knows."""
PATIENCE_SECONDS = 2.0
"""A run shorter than this needs no bar."""
INTERVAL_SECONDS = 0.2
"""Between two drawings."""


class Progress:
    """A progress bar that appears when a run takes long."""

    def __init__(
        self, poll: Poll, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._poll = poll
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._next = clock() + PATIENCE_SECONDS if is_terminal(self._stream) else float("inf")
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def tick(self) -> None:
        """Draws when it is time to."""
        now = self._clock()
        if now >= self._next:
            self._next = now + INTERVAL_SECONDS
            self._draw()

    def _draw(self) -> None:
        done, total = self._poll()
        if self._bar is None or self._task is None:
            self._bar = self._made(total)
            self._task = self._bar.add_task("reading", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)
        self._bar.refresh()

    def _made(self, total: int | None) -> "Bar":
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            FileSizeColumn,
            ProgressColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar

        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        if total is None:  # A pipe: how much is to come, nobody knows.
            columns += [FileSizeColumn(), TransferSpeedColumn()]
        else:
            columns += [BarColumn(), DownloadColumn(), TransferSpeedColumn()]
            columns += [TimeRemainingColumn(), TextColumn("left", markup=False)]
        return Bar(
            *columns,
            console=Console(file=self._stream, no_color=not wants_colour(), markup=False, emoji=False, highlight=False),
            auto_refresh=False,
            transient=True,  # The page that follows should not begin with a full bar.
            redirect_stdout=False,
            redirect_stderr=False,
            get_time=self._clock,
        )

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
        self._next = float("inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
