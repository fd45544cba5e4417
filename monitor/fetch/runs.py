"""A fetcher at work: now and then it fetches, keeps what is good, and says how it went, in its log and as metrics."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Literal, NamedTuple, TypeAlias

from monitor.fetch.keeping import Form, Kept, Trouble, keep
from monitor.model.fetching import Server
from monitor.model.settings import Settings
from monitor.pipeline import load_expected

What: TypeAlias = Literal["calendars", "people"]

JITTER = 0.1
FIRST_PAUSE = 30.0
"""After a trouble; then twice as long each time, up to the interval."""
PREFACE = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//joinwatch//fetch//EN\r\nEND:VCALENDAR\r\n"
"""A calendar file without any entry is one, too."""


class Outcome(NamedTuple):
    """How one fetch went."""

    entries: int = 0
    left_out: int = 0
    changed: int = 0
    trouble: str = ""


class Fetcher:
    """One kind of list, from one server."""

    def __init__(self, what: What, settings: Settings, say: Callable[[str], None], *, accept_shrink: bool) -> None:
        self._what, self._settings, self._say = what, settings, say
        self._accept_shrink = accept_shrink
        self._random = SystemRandom()
        self._troubles = 0
        self.server: Server = settings.fetch.calendars if what == "calendars" else settings.fetch.people

    def fetch(self) -> Outcome:
        """Once: whatever is good is kept, and where there is trouble, the files are as they were."""
        kept: list[Kept] = []
        troubles: list[str] = []
        try:
            for write in self._fetched():
                try:
                    kept.append(write())
                except Trouble as error:  # of this list; the others are good
                    troubles.append(str(error))
        except Trouble as error:
            troubles.append(str(error))
        except OSError as error:
            troubles.append(f"{error.filename or 'files'}: {(error.strerror or 'cannot be written').lower()}")
        outcome = Outcome(
            sum(one.entries for one in kept),
            sum(one.left_out for one in kept),
            sum(one.changed for one in kept),
            "; ".join(troubles),
        )
        self._tell(outcome)
        if self.server.textfile:
            with suppress(OSError):
                write_textfile(Path(self.server.textfile), self._what, outcome)
        return outcome

    def run(self) -> None:
        """Again and again, until interrupted."""
        while True:
            time.sleep(self.pause_after(self.fetch()))

    def pause_after(self, outcome: Outcome) -> float:
        """Seconds until the next fetch: never at the same moment as everybody else."""
        self._troubles = self._troubles + 1 if outcome.trouble else 0
        interval = float(self.server.interval_seconds)
        if self._troubles:
            interval = min(interval, FIRST_PAUSE * 2 ** min(self._troubles - 1, 20))
        return interval * self._random.uniform(1 - JITTER, 1 + JITTER)

    def _fetched(self) -> Iterator[Callable[[], Kept]]:
        """Each list, still to be written."""
        policy = Path(self._settings.policy) if self._settings.policy else None
        if self._what == "calendars":
            from monitor.fetch.caldav import calendars_of

            calendars = Form(
                PREFACE, "", lambda text: max(0, text.count("BEGIN:VCALENDAR") - 1),
                lambda file: load_expected(meetings=[file], policy_file=policy),
            )  # fmt: skip
            folder = Path(self._settings.fetch.calendars.folder)
            # Every calendar is fetched before the first is written: a server that fails half way has changed nothing.
            for name, entries in list(calendars_of(self._settings.fetch.calendars)):
                yield partial(keep, folder / f"{name}.ics", entries, calendars, accept_shrink=self._accept_shrink)
        else:
            from monitor.fetch.ldap import HEADER, people_of

            people = Form(
                HEADER, "", lambda text: max(0, text.count("\n") - 1),
                lambda file: load_expected(directories=[file], policy_file=policy),
            )  # fmt: skip
            rows = people_of(self._settings.fetch.people, load_expected(policy_file=policy).number_text)
            yield partial(keep, Path(self._settings.fetch.people.file), rows, people, accept_shrink=self._accept_shrink)

    def _tell(self, outcome: Outcome) -> None:
        if outcome.trouble:
            self._say(f"fetch {self._what}: {outcome.trouble}; what was fetched before stays")
        else:
            changed = "changed" if outcome.changed else "as before"
            self._say(f"fetch {self._what}: {outcome.entries} entries, {changed}")
        if outcome.left_out:
            self._say(f"fetch {self._what}: {outcome.left_out} entries cannot be read and were left out")


def write_textfile(path: Path, what: What, outcome: Outcome) -> None:
    """Metrics for node_exporter; of the last success also when this is none."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    good = not outcome.trouble
    values = {
        "success": ("1 when the last fetch succeeded.", float(good)),
        "timestamp_seconds": ("When it was last tried.", time.time()),
        "success_timestamp_seconds": ("When it last succeeded; 0 when it never did.", time.time()),
        "entries": ("Meetings or people of the last success.", float(outcome.entries)),
        "left_out": ("Of them, those that could not be read.", float(outcome.left_out)),
    }
    before = _values_in(path)
    for name, (about, value) in values.items():
        full = f"joinwatch_fetch_{name}"
        keeps = not good and name in ("success_timestamp_seconds", "entries", "left_out")
        gauge = Gauge(full, about, ["list"], registry=registry)
        gauge.labels(what).set(before.get(full, 0.0) if keeps else value)
    write_to_textfile(str(path), registry)
    os.chmod(path, 0o644)  # noqa: PTH101 - node_exporter is somebody else


def _values_in(path: Path) -> dict[str, float]:
    """What the file said before."""
    found: dict[str, float] = {}
    with suppress(OSError, UnicodeDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines()[:100]:
            name, _, value = line.partition("{")
            with suppress(ValueError):
                found[name] = float(value.rpartition(" ")[2])
    return found
