"""What a daemon begins with when the lists on disk are broken, and that there is something then."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from monitor.daemon.last_lists import LastLists
from monitor.daemon.quiet import Quiet
from monitor.daemon.reading import First
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError
from monitor.model.settings import Settings
from monitor.pipeline import load_expected

AGAIN_SECONDS = 24 * 3600.0
"""What is kept knows the meetings of a month from then on, so it is made anew now and then."""


class Beginning:
    """The lists that were in force last, seen from serve."""

    def __init__(self, state: Path, say: Callable[[str], None]) -> None:
        self._last, self._say = LastLists(state), say
        self._now: First | None = None
        self._since = 0.0
        """When these came into force, by the wall clock."""
        self._changed = Event()
        self._thread: Thread | None = None

    def last(self, quiet: Quiet) -> First | None:
        """They, as of when they came into force; none when there are none."""
        kept = self._last.load()
        if kept is None:
            return None
        quiet.take(kept.suppressions)
        return First(kept.expected, kept.suppressions, kept.digest, kept.at)

    def policy_of(self, settings: Settings) -> Policy:
        """The policy that these settings name, or when that is broken the last one. Raises `ConfigError`."""
        try:
            return load_expected(policy_file=Path(settings.policy) if settings.policy else None).policy
        except ConfigError:
            kept = self._last.load()
            if kept is None:
                raise
            return kept.policy

    def keep(self, lists: First) -> None:
        """These have come into force: for the next start, written beside all other work."""
        self._now, self._since = lists, time.time()
        self._changed.set()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="keeping", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            again = not self._changed.wait(AGAIN_SECONDS)
            self._changed.clear()
            if self._now is not None:
                self._write(self._now, again=again)

    def _write(self, lists: First, *, again: bool) -> None:
        try:
            self._last.keep(lists.expected, lists.suppressions, lists.digest, self._since, again=again)
        except Exception as error:  # also a bug of our own: the next lists shall be kept, and whoever reads this hears
            why = error.strerror if isinstance(error, OSError) else type(error).__name__
            self._say(f"the lists could not be kept for the next start: {why}")
