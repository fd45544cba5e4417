"""What a daemon begins with when the lists on disk are broken, and that there is something then."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import msgspec

from monitor.daemon.last_lists import LastLists
from monitor.daemon.lists import Lists, expected_by
from monitor.daemon.quiet import Quiet
from monitor.daemon.serve import First
from monitor.model.problems import ConfigError
from monitor.model.settings import Settings
from monitor.pipeline import load_expected


class Beginning:
    """The copy of the lists, seen from serve."""

    def __init__(self, state: Path, lists: Lists, digest: Callable[[], str], say: Callable[[str], None]) -> None:
        """`digest` is that of the lists as they are on disk."""
        self._copy = LastLists(state)
        self._lists, self._digest, self._say = lists, digest, say

    def last(self, settings: Settings, quiet: Quiet) -> First | None:
        """The lists that were in force last; none when there are none, or this version cannot read them."""
        kept = self._copy.load(settings)
        if kept is None:
            return None
        try:
            expected, suppressions = expected_by(kept.settings), quiet.load(kept.settings.suppressions)
        except ConfigError:
            self._say("the lists that were in force last cannot be read either")
            return None
        return First(expected, suppressions, kept.digest, kept.at)

    def with_good_policy(self, settings: Settings) -> Settings:
        """These settings, or with the policy that was in force last when the one that they name is broken."""
        try:
            load_expected(policy_file=Path(settings.policy) if settings.policy else None)
        except ConfigError:
            kept = self._copy.load(settings)
            return msgspec.structs.replace(settings, policy=kept.settings.policy) if kept else settings
        return settings

    def keep(self, digest: str) -> None:
        """Lists of that digest have come into force: copy them, beside all other work."""
        settings = self._lists.settings
        Thread(target=self._keep, args=(settings, digest), name="keeping", daemon=True).start()

    def _keep(self, settings: Settings, digest: str) -> None:
        try:
            self._copy.keep(settings, digest, self._digest)
        except OSError as error:
            with suppress(OSError):
                self._say(f"the lists could not be kept for the next start: {error.strerror}")
