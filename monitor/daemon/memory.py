"""What the daemon must not forget when it dies: the signalling events of late, and what was said of them.

One SQLite file. Events are the state: fed anew, in their order, to fresh stages, they give the same rosters and the
same alerts, whatever version of the stages reads them; what was said before is then not said again. They hold no
secrets: `platforms` has taken those out.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Self

import msgspec

from monitor.model.calls import RosterSeen, SignallingEvent
from monitor.model.evidence import HOUR, MINUTE, Nanoseconds
from monitor.model.readings import call_of
from monitor.model.resumed import CallSaved, KeypadSaved

VERSION = 1
KEPT: Nanoseconds = 26 * HOUR
"""Events are kept so long: the longest window of a rule, and more. Those of calls that go on are kept longer."""
MAX_EVENTS = 2_000_000
"""Then the oldest go, whatever they are."""
MAX_SAYINGS = 1_000_000
"""Lines of the journal that are known to have been said: five a second for 54 hours. Then the oldest go."""
MAX_GOING_ON = 131_072
"""Calls, and keypads, that a decoder could go on with: more than it takes. Then those longest without news go."""
PRUNED: Nanoseconds = 10 * MINUTE

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, name BLOB NOT NULL UNIQUE, call TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_at ON event (at);
CREATE TABLE IF NOT EXISTS said (key TEXT PRIMARY KEY, at INTEGER NOT NULL, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS call (name TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS keypad (name TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
"""


DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
STEPS: Mapping[int, str] = {}
"""A version of the file → the SQL that makes it the next. Records need none: they only gain fields with defaults."""


class Memory:
    """The state file."""

    def __init__(self, path: Path, kept: Nanoseconds = KEPT) -> None:
        """Opens it, or begins it anew where it is none: the broken one is put aside, never thrown away."""
        self.path = path
        self._kept = kept
        self.sayings_kept = max(KEPT, kept) + HOUR
        """What was said stays at least so long, and longer than the events that would say it again."""
        self.begun_anew = ""
        """Why the file that was there could not be used; empty when it could, or there was none."""
        try:
            self._base = self._opened()
        except sqlite3.OperationalError:  # a full disk, a folder without permission: the file itself is well
            raise
        except sqlite3.DatabaseError as error:
            aside = path.with_name(path.name + ".broken")
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
            self.begun_anew = str(error)
            self._base = self._opened()
            self._salvage(aside)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[SignallingEvent] = msgspec.msgpack.Decoder(SignallingEvent)
        self._pruned: Nanoseconds = 0
        names = ("memory_evicted", "memory_unreadable", "memory_calls_evicted", "sayings_evicted")
        self.counts = dict.fromkeys(names, 0)
        (self.held,) = self._base.execute("SELECT count(*) FROM event").fetchone()
        """Events in it."""

    def _opened(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, isolation_level=None)
        try:
            return self._made_ready(base)
        except sqlite3.Error:
            base.close()
            raise

    def _made_ready(self, base: sqlite3.Connection) -> sqlite3.Connection:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute("PRAGMA secure_delete = ON")  # What is forgotten shall not stand in the file's free pages.
        (told,) = base.execute("PRAGMA quick_check(1)").fetchone()  # what is broken in the middle shows itself now
        if told != "ok":
            raise sqlite3.DatabaseError("it is damaged")
        base.execute("CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")
        found = base.execute("SELECT value FROM fact WHERE name = 'version'").fetchone()
        version = int(found[0]) if found is not None else VERSION
        if version > VERSION:
            raise sqlite3.DatabaseError(f"it was written by a newer joinwatch (version {version} of the file)")
        for older in range(version, VERSION):
            base.executescript(f"BEGIN; {STEPS.get(older, '')}; COMMIT")
        base.executescript(_SCHEMA)
        base.execute("INSERT OR REPLACE INTO fact VALUES ('version', ?)", (str(VERSION),))
        return base

    def _salvage(self, broken: Path) -> None:
        """As many events as can still be read of a damaged file of our own version: from its beginning on."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{broken}?mode=ro", uri=True)) as old:
            found = old.execute("SELECT value FROM fact WHERE name = 'version'").fetchone()
            if found is None or int(found[0]) != VERSION:
                return
            rows = old.execute("SELECT at, name, call, body FROM event ORDER BY number")
            with self._together() as base, suppress(sqlite3.DatabaseError):
                for row in rows:
                    base.execute("INSERT OR IGNORE INTO event (at, name, call, body) VALUES (?, ?, ?, ?)", row)

    def add(
        self,
        events: Iterable[SignallingEvent],
        calls: Iterable[CallSaved] = (),
        keypads: Iterable[KeypadSaved] = (),
        over: Iterable[str] = (),
    ) -> list[SignallingEvent]:
        """Remember these, in one write; the events of them that are new. Raises `sqlite3.Error` when the disk is full.

        Calls and keypads are what a decoder needs to go on with; those that are over it needs no more.
        """
        new: list[SignallingEvent] = []
        with self._together() as base:
            for event in events:
                body = self._encoder.encode(event)
                name = blake2b(body, digest_size=16).digest()
                row = (event.at, name, event.call, body)
                if base.execute("INSERT OR IGNORE INTO event (at, name, call, body) VALUES (?, ?, ?, ?)", row).rowcount:
                    new.append(event)
            rows = ((call.call, call.seen, self._encoder.encode(call)) for call in calls)
            base.executemany("INSERT OR REPLACE INTO call VALUES (?, ?, ?)", rows)
            rows = ((keypad.call, keypad.at, self._encoder.encode(keypad)) for keypad in keypads)
            base.executemany("INSERT OR REPLACE INTO keypad VALUES (?, ?, ?)", rows)
            ended = [(name,) for name in over]
            base.executemany("DELETE FROM call WHERE name = ?", ended)
            base.executemany("DELETE FROM keypad WHERE name = ?", ended)
        self.held += len(new)
        return new

    def going_on(self) -> tuple[tuple[CallSaved, ...], tuple[KeypadSaved, ...]]:
        """Calls and keypads that a new decoder goes on with."""
        calls = msgspec.msgpack.Decoder(CallSaved)
        keypads = msgspec.msgpack.Decoder(KeypadSaved)
        bodies = self._base.execute("SELECT body FROM call ORDER BY at, name").fetchall()
        others = self._base.execute("SELECT body FROM keypad ORDER BY at, name").fetchall()
        return tuple(calls.decode(body) for (body,) in bodies), tuple(keypads.decode(body) for (body,) in others)

    def move(self, by: Nanoseconds, begin: Nanoseconds, end: Nanoseconds) -> None:
        """The clock was wrong between these two moments: what is remembered of them happened so much later.

        What was remembered before, as by a machine that had the right time until it was switched off, stays.
        """
        moved = []
        for number, event in self._numbered():
            if begin <= event.at <= end:
                body = self._encoder.encode(msgspec.structs.replace(event, at=event.at + by))
                moved.append((event.at + by, body, blake2b(body, digest_size=16).digest(), number))
        calls, keypads = self.going_on()
        with self._together() as base:
            base.executemany("UPDATE OR REPLACE event SET at = ?, body = ?, name = ? WHERE number = ?", moved)
            base.execute("UPDATE said SET at = at + ? WHERE at BETWEEN ? AND ?", (by, begin, end))
            for call in calls:
                if begin <= call.seen <= end:
                    body = self._encoder.encode(msgspec.structs.replace(call, seen=call.seen + by))
                    base.execute("UPDATE call SET at = ?, body = ? WHERE name = ?", (call.seen + by, body, call.call))
            for keypad in keypads:
                if begin <= keypad.at <= end:
                    body = self._encoder.encode(msgspec.structs.replace(keypad, at=keypad.at + by))
                    row = (keypad.at + by, body, keypad.call)
                    base.execute("UPDATE keypad SET at = ?, body = ? WHERE name = ?", row)

    def events(self) -> Iterator[SignallingEvent]:
        """Everything remembered, in the order in which it came."""
        for _, event in self._numbered():
            yield event

    def events_behind(self, number: int, most: int) -> list[tuple[int, SignallingEvent | None]]:
        """So many of those that came behind the one of this number, each with its own; none for one that is damaged."""
        query = "SELECT number, body FROM event WHERE number > ? ORDER BY number LIMIT ?"
        rows = self._base.execute(query, (number, most)).fetchall()
        return [(found, self._decoded(body)) for found, body in rows]

    def _decoded(self, body: bytes) -> SignallingEvent | None:
        try:
            return self._decoder.decode(body)
        except msgspec.MsgspecError:
            return None

    def _numbered(self) -> Iterator[tuple[int, SignallingEvent]]:
        for number, body in self._base.execute("SELECT number, body FROM event ORDER BY number"):
            try:
                yield number, self._decoder.decode(body)
            except msgspec.MsgspecError:
                self.counts["memory_unreadable"] += 1

    @contextmanager
    def _together(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; raises `sqlite3.Error` when the disk is full."""
        base = self._base
        base.execute("BEGIN IMMEDIATE")
        try:
            yield base
            base.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                base.execute("ROLLBACK")
            raise

    def said(self) -> dict[str, int]:
        """What was said, by its key."""
        return dict(self._base.execute("SELECT key, value FROM said"))

    def say(self, rows: Iterable[tuple[str, Nanoseconds, int]], journal: str) -> None:
        """Remember that these were said, and how far the journal is."""
        with self._together() as base:
            base.executemany("INSERT OR REPLACE INTO said VALUES (?, ?, ?)", rows)
            base.execute("INSERT OR REPLACE INTO fact VALUES ('journal', ?)", (journal,))

    def fact(self, name: str) -> str:
        """Something written down by its name; empty when it never was."""
        found = self._base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def note(self, name: str, value: str) -> None:
        """Write something down by its name. Raises `sqlite3.Error`."""
        self._base.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def prune(self, now: Nanoseconds, open_calls: Iterable[str]) -> None:
        """Forget what is old, except of calls that go on; called often, does it now and then."""
        if abs(now - self._pruned) < PRUNED:
            return
        self._pruned = now
        self._base.execute("CREATE TEMP TABLE IF NOT EXISTS going_on (call TEXT PRIMARY KEY)")
        with self._together() as base:
            base.execute("DELETE FROM going_on")
            base.executemany("INSERT OR IGNORE INTO going_on VALUES (?)", ((call,) for call in open_calls))
            base.execute(
                "DELETE FROM event WHERE at < ? AND call NOT IN (SELECT call FROM going_on)", (now - self._kept,)
            )
            base.execute("DELETE FROM said WHERE at < ?", (now - 2 * self.sayings_kept - HOUR,))
            for table in ("call", "keypad"):
                base.execute(f"DELETE FROM {table} WHERE at < ?", (now - self._kept,))  # noqa: S608 - our own two names
            for table, most in {"said": MAX_SAYINGS, "call": MAX_GOING_ON, "keypad": MAX_GOING_ON}.items():
                (rows,) = base.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own three names
                if rows > most:
                    # What is written anew gets a new number, so the lowest are those longest without news.
                    oldest = f"SELECT rowid FROM {table} ORDER BY rowid LIMIT ?"  # noqa: S608
                    base.execute(f"DELETE FROM {table} WHERE rowid IN ({oldest})", (rows - most,))  # noqa: S608
                    self.counts["sayings_evicted" if table == "said" else "memory_calls_evicted"] += rows - most
            (held,) = base.execute("SELECT count(*) FROM event").fetchone()
            if held > MAX_EVENTS:
                self.counts["memory_evicted"] += held - MAX_EVENTS
                oldest = "SELECT number FROM event ORDER BY number LIMIT ?"
                base.execute(f"DELETE FROM event WHERE number IN ({oldest})", (held - MAX_EVENTS,))  # noqa: S608
        self.held = min(held, MAX_EVENTS)

    def forget(self, mentions: Callable[[object], bool]) -> dict[str, int]:
        """Forget every call that mentions somebody, and their line in rosters; how much of each. `sqlite3.Error`.

        A call goes as a whole: half of it would be judged as something that never was.
        """
        calls = {event.call for _, event in self._numbered() if not isinstance(event, RosterSeen) and mentions(event)}
        for table, kind in (("call", CallSaved), ("keypad", KeypadSaved)):
            decoder = msgspec.msgpack.Decoder(kind)
            rows = self._base.execute(f"SELECT name, body FROM {table}").fetchall()  # noqa: S608 - our own two names
            calls.update(name for name, body in rows if mentions(decoder.decode(body)))
        calls = {call_of(call) for call in calls}
        gone = [(number,) for number, event in self._numbered() if call_of(event.call) in calls]
        said = [(key,) for (key,) in self._base.execute("SELECT key FROM said") if mentions(key)]
        rosters = []
        for number, event in self._numbered():
            if isinstance(event, RosterSeen) and call_of(event.call) not in calls and mentions(event):
                others = tuple(user for user in event.users if not mentions(user))
                left = msgspec.structs.replace(event, users=others)
                if mentions(left):
                    left = msgspec.structs.replace(left, subject="", title="", names=(), users=others)
                body = self._encoder.encode(left)
                rosters.append((body, blake2b(body, digest_size=16).digest(), number))
        with self._together() as base:
            base.executemany("DELETE FROM event WHERE number = ?", gone)
            base.executemany("DELETE FROM said WHERE key = ?", said)
            base.executemany("UPDATE OR REPLACE event SET body = ?, name = ? WHERE number = ?", rosters)
            for table in ("call", "keypad"):
                names = [row for row in base.execute(f"SELECT name FROM {table}") if call_of(row[0]) in calls]  # noqa: S608
                base.executemany(f"DELETE FROM {table} WHERE name = ?", names)  # noqa: S608 - our own two names
        self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (self.held,) = self._base.execute("SELECT count(*) FROM event").fetchone()
        return {"calls": len(calls), "events": len(gone), "rosters": len(rosters), "sayings": len(said)}

    @staticmethod
    def mentions(path: Path, is_in: Callable[[object], bool]) -> int:
        """How many events of this file mention somebody, while another process may be writing it."""
        base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        decoder: msgspec.msgpack.Decoder[SignallingEvent] = msgspec.msgpack.Decoder(SignallingEvent)
        count = 0
        try:
            for (body,) in base.execute("SELECT body FROM event"):
                with suppress(msgspec.MsgspecError):
                    count += is_in(decoder.decode(body))
        finally:
            base.close()
        return count

    def forget_before(self, at: Nanoseconds) -> dict[str, int]:
        """Forget every event that is older; how many. Raises `sqlite3.Error`."""
        with self._together() as base:
            gone = base.execute("DELETE FROM event WHERE at < ?", (at,)).rowcount
            for table in ("call", "keypad"):
                base.execute(f"DELETE FROM {table} WHERE at < ?", (at,))  # noqa: S608 - our own two names
        self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (self.held,) = self._base.execute("SELECT count(*) FROM event").fetchone()
        return {"events": gone}

    def close(self) -> None:
        """Everything is in one file then."""
        self._base.close()

    @staticmethod
    def is_damaged(error: sqlite3.Error) -> bool:
        """Whether the file itself is broken, so that waiting for room on the disk is of no use."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
