"""serve: what decoders say comes in; memory, journal and metrics go out. It never sees a packet.

Order is everything for whoever may die at any moment. An event is in memory before it is judged, and only then told to
be taken; a record is in the journal before memory says that it is. So what was not taken is sent again, what was not
said is said, and what the journal has is never said twice.
"""

import gc
import select
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from monitor.daemon.anew import Anew
from monitor.daemon.channel import Channel, Closed
from monitor.daemon.connections import Decoders
from monitor.daemon.correlate import Correlator, Sayings
from monitor.daemon.ledger import Ledger, Place
from monitor.daemon.lock import Lock
from monitor.daemon.memory import Memory
from monitor.daemon.messages import FromDecode, Moved, Resume, Said, Taken, Used
from monitor.daemon.privacy import note_suppressions
from monitor.daemon.reading import First, Read, Reading
from monitor.daemon.retention import Retention
from monitor.daemon.standing import Standing, mistakes_of, reload_line
from monitor.daemon.totals import Totals
from monitor.daemon.vitals import START_SECONDS, Vitals, fates_of
from monitor.model.accounts import Accounts, accounts_of
from monitor.model.alerts import Alert
from monitor.model.calls import SignallingEvent
from monitor.model.evidence import HOUR
from monitor.model.oddities import Oddity
from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import RetentionSettings
from monitor.model.summary import CaptureReport, Summary
from monitor.model.suppressions import Suppressions, mark_of
from monitor.outputs.audit import Audit
from monitor.outputs.metrics import Metrics
from monitor.outputs.records import KINDS, moment_of, object_of
from monitor.pipeline import Expected, Record

STEP_SECONDS = 0.05
LOCK_SECONDS = 30.0
"""An earlier life may still be ending, or `joinwatch forget` be at work."""
MAX_SAID = 20
"""Mistakes that the log names one by one; the journal has more."""


class Serve:
    """The loop of serve."""

    def __init__(
        self,
        socket_path: str,
        state: Path,
        load: Callable[[], Expected],
        metrics: Metrics,
        vitals: Vitals | None = None,
        *,
        keeping: RetentionSettings | None = None,
        audit: Audit | None = None,
        digest: Callable[[], str] = lambda: "",
        hide: Callable[[Record], Record] | None = None,
        suppressions: Callable[[], Suppressions] = Suppressions,
        needs_restart: Callable[[], Sequence[str]] = tuple,
        say: Callable[[str], None] = lambda _: None,
        last: "Callable[[], First | None]" = lambda: None,
        taken: "Callable[[First], None]" = lambda _: None,
    ) -> None:
        """`load` reads the lists; raises `ConfigError`, as where another has this state folder. It is called from
        another thread, except at the start. `needs_restart` names what it did not take.

        `hide` gives each record the pseudonyms under which it is told; `digest` is how the audit log names the lists.
        `last` gives the lists to begin with when those on disk are broken, if there are any; `taken` is told
        those that have come into force.
        """
        self._audit = audit
        settings = keeping or RetentionSettings()
        try:
            self._lock = Lock(state, patience=LOCK_SECONDS)
        except BlockingIOError as error:
            expected = "a state folder for each daemon"
            raise ConfigError(
                [Problem(file=str(state), line=0, found=str(error.strerror), expected=expected)]
            ) from None
        self._hide = hide
        self._reading = Reading(load, suppressions, digest)
        self._needs_restart, self._say = needs_restart, say
        self.metrics = metrics
        self.vitals = vitals or Vitals()
        self._anew: Anew | None = None
        """Lists that were read and are not in force yet."""
        self.memory = Memory(state / "memory.db", settings.memory_hours * HOUR)
        self.ledger = Ledger(state / "journal")
        self.retention = Retention(state, self.ledger, self.memory, settings, audit)
        self.sayings = Sayings(self.memory.said())
        for said in self.ledger.since(Place.of(self.memory.fact("journal"))):
            self.sayings.revise(said, time.time_ns())
        self._taken = taken
        first = self._begin(last)
        self.expected, self.suppressions = first.expected, first.suppressions
        self._lists = self._reading.told(self.expected)
        self._decoders = Decoders(socket_path)
        self._moves: deque[Moved] = deque()
        """Jumps of the clock that memory could not follow yet."""
        self._urgent = False
        self._totals = Totals()
        self.trouble = ""
        """Why nothing can be written down at the moment; empty when all is well."""
        self.correlator: Correlator
        self.standing: Standing
        self._rebuild()
        self.vitals.started()
        if first.at is not None:
            self.vitals.reloaded = first.at
        self._note_down("start", "done" if first.at is None else "with the lists of before", first.digest)
        if first.at is None:
            self._taken(first)

    def step(self, seconds: float = STEP_SECONDS) -> None:
        """Wait for something to do, at most so long, and do it."""
        by_descriptor = {decoder.fileno(): decoder for decoder in self._decoders}
        seconds = 0 if self._anew and not self.ledger.is_full else seconds
        for ready in select.select([self._decoders.fileno(), *by_descriptor], [], [], seconds)[0]:
            if ready in by_descriptor:
                self._hear(by_descriptor[ready])
            else:
                self._welcome()
        self._grant()
        self._write_down()
        self._keep()
        self._pulse()

    def wish_reload(self) -> "Future[Sequence[Problem]]":
        """Have this loop reload, soon; a promise of what is wrong with the lists. For any thread."""
        return self._reading.wish()

    def try_reload(self) -> Sequence[Problem]:
        """Reload now if the lists are good; what is wrong with them if they are not."""
        self.vitals.beat(START_SECONDS)
        if problems := self._take_lists(self._reading.now()):
            return problems
        while self._anew is not None:
            self._judge_anew(self._anew)
        return ()

    def _begin(self, last: Callable[[], First | None]) -> First:
        """The lists to start with: those on disk, or else the last that were in force. Raises `ConfigError`."""
        read = self._reading.now()
        if read.anew is not None:
            return First(read.anew.expected, read.anew.suppressions, read.digest)
        kept = last()
        if kept is None:
            raise ConfigError(read.problems)
        self.metrics.reload_succeeded = False
        self.ledger.write(reload_line(time.time_ns(), mistakes_of(read.problems, hidden=self._hide is not None), ()))
        self._say_mistakes(read.problems)
        return kept

    def _take_lists(self, read: Read) -> Sequence[Problem]:
        """Begin to judge by what was read; or say what is wrong with it, and nothing has changed."""
        self.vitals.beat(START_SECONDS)
        problems, needs = read.problems, () if read.problems else tuple(self._needs_restart())
        self.ledger.write(reload_line(time.time_ns(), mistakes_of(problems, hidden=self._hide is not None), needs))
        before = self._anew
        if read.anew is None:
            self.metrics.reload_succeeded = False
            if before is not None:
                before.is_newest = False
            self._say_mistakes(problems)
            self._note_down("reload", f"refused: {len(problems)} mistakes", read.digest)
            return problems
        self._anew = read.anew
        if before is not None:  # its lists were never in force, and who waited for them gets these
            self._anew.wishes += before.wishes
            self.standing.take_over(before.standing)
        for name in needs:
            self._say(f"{name} has changed in the configuration: restart joinwatch to take that")
        return ()

    def _say_mistakes(self, problems: Sequence[Problem]) -> None:
        """In the log, and of people nothing."""
        for problem in problems[:MAX_SAID]:
            self._say(problem.for_log)
        more = len(problems) - MAX_SAID
        self._say((f"{more} more mistakes; " if more > 0 else "") + "the lists of before stay in use")

    def _judge_anew(self, anew: Anew) -> None:
        """A slice of what is remembered, under the lists to come; when that was all, they take over."""
        if self.ledger.is_full or not anew.go_on(self.memory, self._tell):
            return
        self._anew = None
        before, now = self.standing, self.correlator.now
        anew.correlator.lossy = self.correlator.lossy
        for record in anew.correlator.advance(now):
            self._tell(record, anew)
        self.expected, self.suppressions, self._lists = anew.expected, anew.suppressions, anew.lists
        self.correlator, self.standing = anew.correlator, anew.standing
        for said in self.standing.lines_after(before, now):
            if said.get("withdrawn") and self.memory.counts["memory_evicted"]:
                continue  # Perhaps it is only not remembered why it was one.
            self.sayings.revise(said, now)
            self.ledger.write(said)
            if said.get("withdrawn"):
                self.metrics.withdraw(said["id"])
        self.metrics.stand(anew.stands.values())
        self._urgent = True
        self._write_down()
        self._decoders.answer_all(self._lists)
        self._note_down("reload", "taken", anew.digest)
        self._taken(First(anew.expected, anew.suppressions, anew.digest))
        self.metrics.reload_succeeded = anew.is_newest
        self.vitals.reloaded = time.time()
        self._say("the lists were read anew")
        for wish in anew.wishes:
            wish.set_result(())
        # The lists and stages of before are full of circles. Those of now are not set aside as at the start: legs that
        # hold themselves are among them.
        gc.unfreeze()
        gc.collect()

    @property
    def counts(self) -> dict[str, int]:
        """Totals of everybody."""
        return {**self._totals.all, **self.correlator.counts, **self.memory.counts}

    def close(self) -> None:
        """The last words."""
        self._write_down()
        self._note_down("stop")
        self._decoders.close()
        self.ledger.close()
        self.memory.close()
        self._lock.close()

    def _grant(self) -> None:
        """Who has wished for a reload gets one: all who wait, the same. Files are read beside this loop."""
        found = self._reading.found()
        if found is not None:
            read, granted = found
            problems = self._take_lists(read)
            if not problems and self._anew is not None:
                self._anew.wishes += granted
            else:
                for wish in granted:
                    wish.set_result(problems)
        if self._anew is not None:
            self._judge_anew(self._anew)

    def _note_down(self, action: str, result: str = "done", digest: str | None = None) -> None:
        """What this daemon did, under which lists, into the audit log; on a full disk it goes on without."""
        if self._audit is not None:
            try:
                self._audit.add(action, f"lists {self._reading.digest() if digest is None else digest}", result=result)
                note_suppressions(self._audit, self.memory, self.suppressions)
            except OSError as error:
                self.trouble = f"audit: {error.strerror}"
            except sqlite3.Error as error:
                self.trouble = f"memory: {error}"

    def _keep(self) -> None:
        """Nothing longer than it may be kept; what memory was asked to forget was never there."""
        if self.retention.step(self.correlator.now or time.time_ns()):
            self.sayings = Sayings(self.memory.said())
            self._rebuild()

    def _pulse(self) -> None:
        """How this is, for whoever asks."""
        vitals = self.vitals
        vitals.beat()
        vitals.trouble = self.trouble
        vitals.packet_time = self.correlator.now
        vitals.queued = self._decoders.queued
        vitals.remembered = self.memory.held

    def _rebuild(self) -> None:
        """The stages anew, from all that is remembered, under the lists of now."""
        self.metrics.forget_present()
        self.correlator = Correlator(self.expected)
        self.standing = Standing(self.expected.policy.limits.alerts)
        # The stages of before are full of circles; their memory is for those of now. What the lists hold stays as it
        # is, and need not be looked through again.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._judge(self.memory.events())
        if self._anew is not None:
            self._anew.begin()
        self._write_down()

    def _welcome(self) -> None:
        decoder = self._decoders.welcome()
        if decoder is not None:
            self.vitals.welcome()
            calls, keypads = self.memory.going_on()
            self._decoders.answer(decoder, self._lists, Resume(calls=calls, keypads=keypads))

    def _hear(self, decoder: Channel[FromDecode]) -> None:
        try:
            for message in decoder.receive():
                match message:
                    case Said():
                        self._take(decoder, message)
                    case Moved():
                        self._moves.append(message)
                        self._move()
        except Closed:
            self._decoders.part(decoder)
            self.vitals.part()

    def _move(self) -> None:
        """What was remembered in a wrong time, into the right one; as soon as there is room on the disk."""
        while self._moves:
            first = self._moves[0]
            try:
                self.memory.move(first.by, first.begin, first.end)
            except sqlite3.Error as error:
                if self.memory.is_damaged(error):
                    raise
                self.trouble = f"memory: {error}"
                return
            self._moves.popleft()
            self._rebuild()

    def _take(self, decoder: Channel[FromDecode], said: Said) -> None:
        reports = (said.counts or {}).get("hep_received", 0)
        self.vitals.hear(said.decoder, said.traffic, reports)
        self.correlator.lossy = said.lossy
        if said.number:
            self._decoders.waiting.setdefault(decoder, deque()).append(said)
        self._remember(decoder)
        if not self._decoders.waiting.get(decoder):  # else time would overtake what waits
            for record in self.correlator.advance(said.now):
                self._tell(record)
        if said.counts is not None:
            self._totals.take(said.decoder, said.counts)
        if said.traffic is not None:
            traffic = self.vitals.traffic.values()
            self.metrics.take_traffic(sum(one.received for one in traffic), sum(one.dropped for one in traffic))
            self.metrics.write(self._summary())
            self.metrics.take_reports(self.counts)
        if said.used is not None:
            self.vitals.used |= {"decode": said.used, "capture": said.capture_used or Used()}
        if said.sizes is not None:
            self._decoders.take_sizes(decoder, said.sizes)
            self.metrics.take_sizes(self.sizes, self.expected.policy.limits)

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, of all decoders together and of this process."""
        return {**self._decoders.sizes, **self.correlator.sizes}

    def _summary(self) -> Summary:
        """What the decoders counted, and where the packets went that they took."""
        fates = [fates_of(one) for one in self.vitals.traffic.values()]
        wanted = sum(taken for taken, _, _ in fates)
        filtered = sum(filtered for _, filtered, _ in fates)
        counts = self.counts
        wanted += counts.get("hep_received", 0)
        live = CaptureReport(capture="", frames=wanted + filtered, wanted=wanted)
        # A decoder tells its counts a little after it took its first packets.
        accounts = accounts_of((live,), counts) if "datagrams" in counts else Accounts()
        return Summary(at=self.correlator.now, captures=(), counts=counts, accounts=accounts)

    def _remember(self, decoder: Channel[FromDecode]) -> None:
        """Events into memory, then through the stages; what cannot be kept now waits, and so does its sender."""
        waiting = self._decoders.waiting.get(decoder)
        while waiting and not self.ledger.is_full:
            first = waiting[0]
            try:
                events = [event for event in first.events if not isinstance(event, Oddity)]
                new = self.memory.add(events, first.calls, first.keypads, first.over)
            except sqlite3.Error as error:
                if self.memory.is_damaged(error):
                    raise  # the next life begins it anew
                self.trouble = f"memory: {error}"
                return
            waiting.popleft()
            for event in new:
                self.metrics.write(event)
            self._judge(new)
            for oddity in first.events:
                if isinstance(oddity, Oddity):
                    self._tell(oddity)
            self._decoders.answer(decoder, Taken(number=first.number))

    def _judge(self, events: Iterable[SignallingEvent]) -> None:
        for event in events:
            self.vitals.beat()
            for record in self.correlator.feed(event):
                self._tell(record)

    def _tell(self, record: Record, anew: Anew | None = None) -> None:
        """The record to everybody, unless it was said before: then only to who must know how things are.

        What is judged `anew` is how things are once that takes over.
        """
        by = anew or self
        quiet = self._suppressed(record, by) if isinstance(record, Alert) else None
        if self._hide is not None:
            record = self._hide(record)
        said = object_of(record, by.correlator.now) if isinstance(record, KINDS["replay"]) else None
        is_new = said is None or self.sayings.is_new(said, moment_of(record))
        if said is not None:
            said = said if quiet is None else said | {"suppressed": quiet}
            by.standing.take(said, is_new=is_new)
        if is_new:
            if said is not None:
                self.ledger.write(said)
                self._urgent = self._urgent or isinstance(record, Alert)
            if quiet is None or not isinstance(record, Alert):
                self.metrics.write(record)
            else:
                self.metrics.suppress(record)
        elif quiet is None and anew is None:
            self.metrics.restore(record)
        if anew is not None and quiet is None:
            anew.note(record)

    def _suppressed(self, alert: Alert, by: "Serve | Anew") -> dict[str, Any] | None:
        """What the journal says of who keeps this alert quiet, and why; none when it is told."""
        said = object_of(alert, by.correlator.now) if by.suppressions.entries else None
        found = by.suppressions.of(said) if said is not None else None
        return None if found is None else mark_of(found)

    def _write_down(self) -> None:
        """The journal first, then that it has it. An alert is on the disk itself."""
        self.trouble = ""
        self._move()
        for decoder in list(self._decoders.waiting):
            self._remember(decoder)
            if not self._decoders.waiting[decoder]:
                del self._decoders.waiting[decoder]
        if not self.ledger.flush(durable=self._urgent):
            self.trouble = f"journal: {self.ledger.trouble}"
            return
        self.trouble = self.trouble or self.retention.trouble
        self._urgent = False
        self.sayings.turn(self.correlator.now, self.memory.sayings_kept, self._stands)
        rows = self.sayings.unwritten()
        try:
            if rows:
                self.memory.say(rows, str(self.ledger.place))
            self.memory.prune(self.correlator.now, self.correlator.present.values())
        except sqlite3.Error as error:
            if self.memory.is_damaged(error):
                raise
            self.sayings.unwritten_again(rows)
            self.trouble = f"memory: {error}"

    def _stands(self, name: str) -> bool:
        """Whether a participant or an alert of that id stands, under the lists of now or those to come."""
        return self.standing.has(name) or (self._anew is not None and self._anew.standing.has(name))
