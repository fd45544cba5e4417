"""How long anything is kept, and that it is gone then: looked after once an hour of packet time, a file at a time."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from sqlite3 import Error as MemoryTrouble

from monitor.daemon.forgetting import Forgotten, Person, before
from monitor.daemon.last_lists import forget_in
from monitor.daemon.ledger import SUFFIX, Change, Ledger, overwrite, rewriting
from monitor.daemon.memory import Memory
from monitor.daemon.requests import Answer, Forget, Purge, Request, Requests
from monitor.daemon.spool import SUFFIX as NOTE
from monitor.daemon.spool import change_note
from monitor.model.evidence import DAY, HOUR, Nanoseconds
from monitor.model.settings import RetentionSettings
from monitor.outputs.audit import Audit
from monitor.outputs.records import time_of

EVERY: Nanoseconds = HOUR
STEP_SECONDS = 0.01
"""So long other work waits at a time."""
JUMP: Nanoseconds = 7 * DAY
"""A clock that is so far ahead of the last look may be wrong: for a day nothing is erased because of it."""
TYPES = {
    "alerts": ("alert",),
    "joins": ("join", "leave"),
    "attempts": ("attempt",),
    "calls": ("call", "digits", "request", "contact"),
    "rosters": ("roster",),
    "oddities": ("oddity",),
}
"""Types of lines of the journal, by the kind that the settings name."""
KINDS = (*TYPES, "others", "memory", "audit")
ASIDE = ("memory.db.broken*", "quarantine/**/*")
"""What was put aside in the state folder: it goes when memory would have forgotten it."""
DEAD_LETTERS = "*.dead.jsonl"


class Keeping:
    """What is kept of one daemon: its journal and memory, and what lies beside them."""

    def __init__(self, state: Path, ledger: Ledger, memory: Memory) -> None:
        self._state = state
        self._ledger = ledger
        self._memory = memory
        self._oldest: dict[int, dict[str, str]] = {}
        """Of each file that was looked through, the oldest line of each type: until that is due, it is left alone."""

    def forget(self, person: Person, counts: dict[str, int]) -> Iterator[None]:
        """Forget somebody everywhere: in memory first, then a file of the journal a step.

        Raises `OSError` or `sqlite3.Error`.
        """
        forgotten = Forgotten(person)
        for name, count in self._memory.forget(forgotten.is_in).items():
            counts[f"memory {name}"] = count
        if forget_in(self._state):
            counts["kept lists"] = 1
        for path in self._aside():  # what is broken cannot be looked through
            path.unlink(missing_ok=True)
            counts["put aside"] = counts.get("put aside", 0) + 1
        yield
        self._change_notes(forgotten, counts)
        yield from self._change_all(forgotten.change(counts), counts, turn=True)
        self._change_notes(forgotten, counts)  # the sink may have been writing its own at that moment

    def purge(
        self, moments: dict[str, str], others: str, memory: Nanoseconds, counts: dict[str, int]
    ) -> Iterator[None]:
        """Erase what is older than these moments; memory from before `memory`, 0 for nothing of it."""
        if memory:
            counts["memory events"] = self._memory.forget_before(memory)["events"]
        yield
        yield from self._change_all(before(moments, others, counts), counts, turn=True)

    def retire(self, now: Nanoseconds, settings: RetentionSettings, counts: dict[str, int]) -> Iterator[None]:
        """Erase what is over its time: of files that are written no more, for the others' time will come too."""
        moments, others = moments_of(now, settings)
        for segment in self._ledger.closed:
            known = self._oldest.get(segment)
            if known is None or any(at < moments.get(kind, others) for kind, at in known.items()):
                found: dict[str, str] = {}
                with suppress(FileNotFoundError):
                    yield from rewriting(self._path(segment), before(moments, others, counts, found))
                    self._oldest[segment] = found
        self._oldest = {segment: self._oldest[segment] for segment in self._ledger.closed if segment in self._oldest}
        young = time.time() - settings.memory_hours * 3600
        for path in self._aside():
            with suppress(OSError):
                if path.stat().st_mtime < young:
                    path.unlink()
                    counts["put aside"] = counts.get("put aside", 0) + 1
        yield

    def _change_notes(self, forgotten: Forgotten, counts: dict[str, int]) -> None:
        """What sinks know of those whom they have told of."""
        for path in sorted(self._state.glob(f"*{NOTE}")):
            if change_note(path, forgotten.without):
                counts["sinks"] = counts.get("sinks", 0) + 1

    def _aside(self) -> Iterator[Path]:
        """The files that were put aside."""
        for pattern in ASIDE:
            yield from (path for path in self._state.glob(pattern) if path.is_file())

    def _path(self, segment: int) -> Path:
        return self._ledger.folder / f"{segment:08d}{SUFFIX}"

    def _change_all(self, change: Change, counts: dict[str, int], *, turn: bool) -> Iterator[None]:
        if turn:
            if not self._ledger.flush(durable=True):
                raise OSError(28, self._ledger.trouble, str(self._ledger.folder))
            self._ledger.turn()
        for segment in self._ledger.closed:
            with suppress(FileNotFoundError):  # deleted meanwhile, for its size
                yield from rewriting(self._path(segment), change)
            yield
        for path in dead_letters(self._state):
            with suppress(FileNotFoundError):
                if changed := overwrite(path, change):  # its sink may be adding to it
                    counts["dead letters"] = counts.get("dead letters", 0) + changed
            yield


class Retention:
    """Runs once an hour of packet time, and when it is asked to; in small steps between everything else."""

    def __init__(
        self, state: Path, ledger: Ledger, memory: Memory, settings: RetentionSettings, audit: Audit | None = None
    ) -> None:
        self._keeping = Keeping(state, ledger, memory)
        self._requests = Requests(state)
        self._settings = settings
        self._memory = memory
        self._audit = audit
        self._steps: Iterator[None] | None = None
        self._counts: dict[str, int] = {}
        self._looked: Nanoseconds = int(memory.fact("retention") or 0)
        self._doubted: Nanoseconds = 0
        """Since when the clock is ahead of what can be believed; 0 when it is not."""
        self._asked = ""
        """The name of the request that is being met; empty while it is only time that passes."""
        self.trouble = ""

    def step(self, now: Nanoseconds) -> bool:
        """Do a little, if there is something to do; whether memory has just forgotten something."""
        is_first = self._steps is None
        if self._steps is None:
            self._begin(now)
        if self._steps is None:
            return False
        trouble = ""
        begun = time.monotonic()
        try:
            next(self._steps)
            while not is_first and time.monotonic() - begun < STEP_SECONDS:
                next(self._steps)
            return is_first and bool(self._asked)
        except StopIteration:
            pass
        except (MemoryTrouble, OSError) as error:
            trouble = getattr(error, "strerror", "") or str(error)
        self._steps = None
        if self._asked:
            self._requests.answer(self._asked, Answer(counts=self._counts, trouble=trouble))
            return False
        self.trouble = f"retention: {trouble}" if trouble else ""
        if not trouble:
            self._end(now)
        return False

    def _begin(self, now: Nanoseconds) -> None:
        self._counts, self._asked = {}, ""
        found = self._requests.next()
        if found is not None:
            self._asked, request = found
            self._steps = meet(request, self._keeping, self._counts)
        elif now - self._looked >= EVERY and not self._is_doubtful(now):
            self._steps = self._keeping.retire(now, self._settings, self._counts)
            self._looked = now

    def _is_doubtful(self, now: Nanoseconds) -> bool:
        if self._looked and now - self._looked > JUMP:
            self._doubted = self._doubted or now
            return now - self._doubted < DAY
        self._doubted = 0
        return False

    def _end(self, now: Nanoseconds) -> None:
        try:
            self._memory.note("retention", str(now))
            if self._audit is not None:
                if self._counts:
                    self._audit.add("retention", "journal", erased=dict(sorted(self._counts.items())))
                if self._settings.audit:
                    self._audit.forget_before(time_of(now - self._settings.audit * DAY))
        except (MemoryTrouble, OSError) as error:
            self.trouble = f"retention: {error}"


def meet(request: Request, keeping: Keeping, counts: dict[str, int]) -> Iterator[None]:
    """Do what is asked for, step by step."""
    match request:
        case Forget():
            return keeping.forget(request.person, counts)
        case Purge():
            return keeping.purge(request.moments, request.others, request.memory, counts)


def moments_of(now: Nanoseconds, settings: RetentionSettings) -> tuple[dict[str, str], str]:
    """Before which moment lines of each type go, and those of other types; "" where they stay for ever."""

    def moment(days: int) -> str:
        return time_of(now - days * DAY) if days else ""

    moments = {kind: moment(getattr(settings, name)) for name, kinds in TYPES.items() for kind in kinds}
    return moments, moment(settings.others)


def dead_letters(state: Path) -> list[Path]:
    """Files of lines that a sink could not deliver."""
    return sorted(state.glob(DEAD_LETTERS))
