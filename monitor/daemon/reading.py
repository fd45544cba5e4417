"""The lists as they are on disk: read on a thread of their own when somebody wishes it, taken by serve's loop."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from secrets import token_bytes
from threading import Thread
from typing import NamedTuple, cast

from monitor.daemon.anew import Anew, Wish
from monitor.daemon.lists import of_bug, read_by
from monitor.daemon.messages import Lists, Meeting
from monitor.model.meetings import MeetingRef
from monitor.model.problems import ConfigError, Problem
from monitor.model.suppressions import Suppressions
from monitor.pipeline import Expected


class Read(NamedTuple):
    """The lists, or what is wrong with them."""

    anew: Anew | None
    digest: str
    problems: Sequence[Problem] = ()


class First(NamedTuple):
    """Lists in force: those that it starts with, or has taken since."""

    expected: Expected
    suppressions: Suppressions
    digest: str
    at: float | None = None
    """When they came into force, by the wall clock, if they are not those on disk."""


class Reading:
    """Reads one time after the other, for all who wait."""

    def __init__(
        self, load: Callable[[], Expected], suppressions: Callable[[], Suppressions], digest: Callable[[], str]
    ) -> None:
        """The first two raise `ConfigError`; `digest` is how the audit log names the lists."""
        self._load, self._load_suppressions, self.digest = load, suppressions, digest
        self._key = token_bytes(32)
        self._wishes: deque[Wish] = deque()
        self._granted: list[Wish] = []
        self._coming: Future[Read] | None = None

    def wish(self) -> Wish:
        """A promise of what is wrong with the lists. For any thread."""
        made: Wish = Future()
        self._wishes.append(made)
        return made

    def found(self) -> tuple[Read, list[Wish]] | None:
        """What was read meanwhile, and for whom; else begins to read, if somebody wishes it."""
        if self._coming is not None and self._coming.done():
            read, granted = self._coming.result(), self._granted
            self._coming, self._granted = None, []
            return read, granted
        if self._wishes and self._coming is None:
            self._granted = [self._wishes.popleft() for _ in range(len(self._wishes))]
            self._coming = Future()
            Thread(target=self._read_for, args=(self._coming,), name="lists", daemon=True).start()
        return None

    def wait(self, seconds: float) -> None:
        """Until what is being read was read."""
        if self._coming is not None:
            self._coming.result(seconds)

    def now(self) -> Read:
        """For any thread: it changes nothing here."""
        digest = ""
        with suppress(OSError):  # a folder that may not be read is among the mistakes
            digest = self.digest()
        try:
            expected, suppressions = read_by(self._load, self._load_suppressions)
        except ConfigError as error:
            return Read(None, digest, error.problems)
        expected = cast(Expected, expected)
        return Read(Anew(expected, cast(Suppressions, suppressions), self.told(expected), digest), digest)

    def _read_for(self, coming: Future[Read]) -> None:
        """A bug here must not leave everybody waiting for ever."""
        try:
            read = self.now()
        except Exception as error:
            read = Read(None, "", of_bug(error).problems)
        coming.set_result(read)

    def told(self, expected: Expected) -> Lists:
        """What decoders must know of these: names of meetings, and digests of PINs under a key of this life."""
        named: dict[MeetingRef, set[bytes] | None] = {}
        for ref, pins in expected.calendar.named():
            known = named.setdefault(ref, None)
            if pins:
                named[ref] = (known or set()) | {pin.digest(self._key) for pin in pins}
        return Lists(
            policy=expected.policy,
            access_numbers=dict(expected.access_numbers),
            meetings=tuple(
                Meeting(ref=ref, pins=None if pins is None else tuple(sorted(pins))) for ref, pins in named.items()
            ),
            key=self._key,
        )
