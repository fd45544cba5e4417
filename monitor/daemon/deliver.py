"""deliver: one process for each sink. It follows the journal from its place, and notes the place behind what was taken.

The journal is the spool: nothing is copied. A line that cannot be delivered is tried again until it can, and so nothing
is lost. A death between a delivery and its note delivers that line once more, under the same id; else nothing is
doubled. One that the other side refuses, though it takes others, is put aside with the reason, and tried again later.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any

import msgspec

from monitor.daemon.ledger import Place, lines_since, segments_in
from monitor.daemon.spool import Changed, Spool, sizes_in
from monitor.outputs.sinks import Outlet, Refused, Unreachable

POLL_SECONDS = 0.25
"""How often the journal is looked at."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Between two trials: at random up to a limit that doubles from the first to the last. With the time limit of a
delivery (10 s) and what is to be delivered then, it is over within 30 s of the other side's return."""
TRIALS = 5
"""Of a line that is refused, before it is put aside."""
MAX_PASSED = 10_000
"""Lines that are read at once without one that is wanted."""
YOUNG = timedelta(hours=1)
"""A sink that is new gets what was said so shortly before."""
SHORTLY = timedelta(minutes=10)
"""Before the last delivery: so much of a journal that has lost its end is delivered once more."""
DEAD_SECONDS = 3600.0
"""How often dead letters are tried again; and at each start."""
MAX_DEAD_BYTES = 64 * 1024 * 1024
"""Then lines that are refused are counted, and no more."""
NOTE_SECONDS = 1.0
"""A place behind lines that are not wanted is noted so often."""


class Deliver:
    """The loop of one sink."""

    def __init__(
        self,
        name: str,
        state: Path,
        outlet_of: Callable[[dict[str, Any]], Outlet],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._say, self._clock = name, say, clock
        self._journal = state / "journal"
        self._spool = Spool(state, name)
        self._letters = state / f"{name}.dead.jsonl"
        self._place = Place.of(self._spool.note.place)
        self._random = SystemRandom()
        self._failed = self._refused = 0
        self._alone = 0
        """So many lines go one by one, for one of them is refused."""
        self._noted = 0.0
        self._dead_due = 0.0
        self._begin()
        self.outlet = outlet_of(self._spool.note.kept)
        self._note()

    def step(self) -> float:
        """Deliver what there is, one batch; seconds to wait before the next step. Raises `Changed`."""
        self._spool.look()
        try:
            waits = self._step()
        except Unreachable as error:
            return self._fail(error.reason, error.wait_seconds)
        if self._failed:
            self._say(f"sink {self._name}: it is back after {self._failed} trials")
            self._failed, self._spool.note.trouble = 0, ""
            self._note()
        return waits

    def close(self) -> None:
        """The last note."""
        self._note()
        self.outlet.close()

    def _begin(self) -> None:
        """A sink that is new begins near the journal's end; one whose place is not there any more says so."""
        note, sizes = self._spool.note, sizes_in(self._journal)
        if self._spool.is_new:
            end = max(sizes.items(), default=(0, 0))
            note.until, note.since = str(Place(*end)), (datetime.now(UTC) - YOUNG).isoformat()
            self._place = Place(min(sizes, default=0), 0)
        elif self._place.offset > sizes.get(self._place.segment, self._place.offset):
            # The power failed before the disk had what was delivered: what is written now stands where that stood.
            self._say(f"sink {self._name}: the journal is shorter than it was; its end is delivered once more")
            last = datetime.fromtimestamp(note.at, UTC) - SHORTLY
            note.until, note.since = str(Place(self._place.segment, sizes[self._place.segment])), last.isoformat()
            self._place = Place(self._place.segment, 0)

    def _step(self) -> float:
        if self._clock() >= self._dead_due:
            self._dead_due = self._clock() + DEAD_SECONDS
            self._revive()
        batch, places, behind = self._read()
        if batch and not self._hand_over(batch, places):
            return 0.0
        self._pass(behind)
        if self.outlet.due() <= 0:
            try:
                self.outlet.again()
            except Refused as error:
                raise Unreachable(error.reason) from None
            self._note()
        return 0.0 if batch else min(POLL_SECONDS, max(0.0, self.outlet.due()))

    def _read(self) -> tuple[list[dict[str, Any]], list[Place], Place]:
        """The next lines for this sink, the places behind them, and how far was read."""
        segments = segments_in(self._journal)
        if segments and self._place.segment > segments[-1]:
            self._say(f"sink {self._name}: the journal was begun anew; all of it is delivered")
            self._place = Place(0, 0)
        if self._place.segment and segments and self._place.segment < segments[0]:
            missed = segments[0] - self._place.segment
            self._spool.note.missed += missed
            self._say(f"sink {self._name}: {missed} files of the journal were gone before they were delivered")
            self._place = Place(segments[0], 0)
        note, until = self._spool.note, Place.of(self._spool.note.until)
        batch: list[dict[str, Any]] = []
        places: list[Place] = []
        behind = self._place
        most = 1 if self._alone else self.outlet.batch
        for count, (place, said) in enumerate(lines_since(self._journal, self._place)):
            behind = place
            is_old = place <= until and _moment(said) < _moment({"time": note.since})
            if not is_old and not said.get("suppressed") and self.outlet.wants(said):
                batch.append(said)
                places.append(place)
            if len(batch) >= most or count >= MAX_PASSED:
                return batch, places, behind
        # All was read: files that were not the last when this began are over, and need not be kept for us.
        if segments and behind.segment < segments[-1]:
            behind = Place(segments[-1], 0)
        return batch, places, behind

    def _hand_over(self, batch: Sequence[dict[str, Any]], places: Sequence[Place]) -> bool:
        """Whether all of them are dealt with; if not, one of them is refused, and they are to go one by one."""
        try:
            self.outlet.deliver(batch)
        except Unreachable as error:
            if error.done:
                self._delivered(error.done, places[error.done - 1])
            raise
        except Refused as error:
            self._spool.note.failures += 1
            if len(batch) > 1:
                self._alone = len(batch)
                return False
            self._refused += 1
            if self._refused < TRIALS:
                raise Unreachable(error.reason) from None
            self._put_aside(batch[0], error.reason)
            self._delivered(0, places[0])
        else:
            self._delivered(len(batch), places[-1])
        return True

    def _delivered(self, count: int, place: Place) -> None:
        self._place = place
        note = self._spool.note
        note.delivered += count
        note.at = time.time() if count else note.at
        note.trouble = ""
        self._refused = 0
        self._alone = max(0, self._alone - 1)
        self._note()

    def _pass(self, behind: Place) -> None:
        """What was read and not wanted is behind us."""
        if behind > self._place:
            self._place = behind
            if self._clock() - self._noted >= NOTE_SECONDS:
                self._note()
        elif Place.of(self._spool.note.place) != self._place and self._clock() - self._noted >= NOTE_SECONDS:
            self._note()

    def _fail(self, reason: str, wait_seconds: float) -> float:
        """How long to leave the other side alone."""
        note = self._spool.note
        note.failures += 1
        if not self._failed:
            self._say(f"sink {self._name}: {reason}; it is tried again, and nothing is lost")
        changed, note.trouble = note.trouble != reason, reason
        if changed or self._clock() - self._noted >= NOTE_SECONDS:
            self._note()
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failed, 10))
        self._failed += 1
        return max(self._random.uniform(0, limit), wait_seconds)

    def _note(self) -> None:
        """Where we are; on a full disk later."""
        note = self._spool.note
        note.place, note.kept = str(self._place), self.outlet.kept()
        self._noted = self._clock()
        with suppress(OSError):
            self._spool.write()

    def _put_aside(self, said: dict[str, Any], reason: str) -> None:
        """Into the file of dead letters; where it cannot be written, nothing goes on."""
        line = msgspec.json.encode({"reason": reason, "at": datetime.now(UTC).isoformat(), "line": said}) + b"\n"
        self._spool.note.dead += 1
        self._say(f"sink {self._name}: {reason}; the line is put aside in {self._letters.name}")
        try:
            if self._letters.exists() and self._letters.stat().st_size > MAX_DEAD_BYTES:
                return
            descriptor = os.open(self._letters, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._spool.note.dead -= 1
            raise Unreachable(f"dead letters cannot be written: {error.strerror}") from None

    def _revive(self) -> None:
        """Dead letters once more: perhaps they are taken now."""
        with suppress(FileNotFoundError):
            letters = self._letters.read_bytes().splitlines(keepends=True)
            kept = list(letters)
            try:
                for letter in letters:
                    try:
                        said = msgspec.json.decode(letter)["line"]
                        if not isinstance(said, dict):
                            continue
                        self.outlet.deliver([said])
                    except (Refused, msgspec.MsgspecError, KeyError, TypeError):
                        continue
                    kept.remove(letter)
                    self._spool.note.delivered += 1
            finally:
                if not kept:
                    self._letters.unlink()
                elif len(kept) < len(letters):
                    draft = self._letters.with_suffix(".new")
                    draft.write_bytes(b"".join(kept))
                    draft.replace(self._letters)


def _moment(said: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(said.get("time", ""))).timestamp()
    except ValueError:
        return 0.0


def run(name: str, config: Path, say: Callable[[str], None]) -> int:
    """The process: until ended. Raises `ConfigError`."""
    from monitor.daemon.privileges import drop_capabilities, is_orphan, leave_no_core
    from monitor.detections import rule_infos
    from monitor.outputs.sinks import outlet_of
    from monitor.sources.settings import load_settings

    leave_no_core()
    drop_capabilities()
    settings = load_settings(config)
    sink = settings.sinks[name]
    techniques = {rule.name: rule.attack for rule in rule_infos()}
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    deliver = Deliver(name, Path(settings.state), lambda kept: outlet_of(sink, techniques, kept), say)
    waits = 0.0
    while not (ended or is_orphan()):
        if waits > 0:
            time.sleep(min(waits, POLL_SECONDS))
            waits -= POLL_SECONDS
            continue
        try:
            waits = deliver.step()
        except Changed:  # the next life begins with the note as it is now, and at once
            deliver.outlet.close()
            return 0
    with suppress(Changed):
        deliver.close()
    return 0
