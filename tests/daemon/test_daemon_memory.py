"""The state file: of another version, deleted, damaged. The journal is the truth: nothing is said twice for it."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from monitor.daemon import memory as module
from monitor.daemon.channel import Channel, connected
from monitor.daemon.ledger import Place, lines_since
from monitor.daemon.memory import Memory
from monitor.daemon.messages import Said, ToDecode
from monitor.daemon.serve import Serve
from monitor.detections import rule_infos
from monitor.model.calls import CallEnded, SignallingEvent
from monitor.model.evidence import SECOND, Evidence
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Expected
from monitor.platforms import known_platforms
from tests.daemon.test_daemon_clock import events_at, expected_of

VERSION_1 = """
CREATE TABLE event (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, name BLOB NOT NULL UNIQUE, call TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX event_at ON event (at);
CREATE TABLE said (key TEXT PRIMARY KEY, at INTEGER NOT NULL, value INTEGER NOT NULL) STRICT;
CREATE TABLE call (name TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE keypad (name TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO fact VALUES ('version', '1'), ('journal', '1:77');
INSERT INTO said VALUES ('alert 0f', 5, 8);
"""
"""As the first version made it."""
ENDED = (
    b"\x85\xa4type\xa9CallEnded\xa2at\x07\xa8evidence\x84\xa7capture\xa4eth1\xa5frame\x03\xabreported_by\xa0\xa9ambiguous\xc2"
    b"\xa4call\xaba@192.0.2.1\xa2by\xa6caller"
)
"""A record, as it wrote one."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A state file of the first version."""
    path = tmp_path / "memory.db"
    with closing(sqlite3.connect(path)) as base:
        base.executescript(VERSION_1)
        base.execute("INSERT INTO event VALUES (1, 7, x'00', 'a@192.0.2.1', ?)", (ENDED,))
        base.commit()
    return path


def test_a_file_of_the_first_version_is_read(old: Path) -> None:
    with Memory(old) as memory:
        assert list(memory.events()) == [
            CallEnded(at=7, evidence=Evidence(capture="eth1", frame=3), call="a@192.0.2.1", by="caller")
        ]
        assert memory.said() == {"alert 0f": 8}
        assert memory.fact("journal") == "1:77"
        assert not memory.begun_anew


def test_a_file_of_the_version_before_is_brought_to_this_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERSION", 3)
    monkeypatch.setattr(module, "STEPS", {2: "UPDATE said SET value = value + 1"})
    for _ in range(2):  # once, and never again
        with Memory(old) as memory:
            assert memory.said() == {"alert 0f": 9}
            assert memory.fact("version") == "3"
            assert len(list(memory.events())) == 1


def test_a_file_of_a_newer_version_is_put_aside_and_kept(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(old)) as base:
        base.execute("UPDATE fact SET value = '2' WHERE name = 'version'")
        base.commit()
    with Memory(old) as memory:
        assert "newer" in memory.begun_anew
        assert list(memory.events()) == []
    monkeypatch.setattr(module, "VERSION", 2)
    with Memory(old.with_name("memory.db.broken")) as memory:
        assert len(list(memory.events())) == 1


def deleted(path: Path) -> None:
    """Nothing is left."""
    for file in path.parent.glob("memory.db*"):
        file.unlink()


def scribbled(path: Path) -> None:
    """Other bytes in the middle, as a dying disk gives them."""
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 9000] = Random(1).randbytes(9000)
    path.write_bytes(raw)


def truncated(path: Path) -> None:
    """The end is missing."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def nonsense(path: Path) -> None:
    """No SQLite file at all."""
    path.write_bytes(Random(2).randbytes(20_000))


DAMAGES = [deleted, scribbled, truncated, nonsense]


def life(folder: Path, expected: Expected, events: list[SignallingEvent]) -> str:
    """One life of serve, in which a decoder says these; why memory began anew."""
    serve = Serve(
        str(folder / "events.sock"),
        folder / "state",
        lambda: expected,
        Metrics(rules=rule_infos(), platforms=known_platforms()),
    )
    decoder: Channel[ToDecode] = Channel(connected(str(folder / "events.sock")), ToDecode)
    now = max(event.at for event in events) + 3 * SECOND
    for number, event in enumerate(events, 1):
        decoder.send(Said(decoder="one", number=number, now=event.at, events=(event,)))
    decoder.send(Said(decoder="one", number=0, now=now))
    for _ in range(4):
        serve.step(0)
    decoder.close()
    serve.close()
    return serve.memory.begun_anew


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])
def test_whatever_happens_to_the_state_file_no_alert_is_said_twice(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    (tmp_path / "state").mkdir()
    expected = expected_of(tmp_path / "lists")
    at = time.time_ns()
    events = [event for place in range(40) for event in events_at(expected, at=at, name=f"call {place}")]
    assert life(tmp_path, expected, events) == ""
    damage(tmp_path / "state" / "memory.db")
    assert bool(life(tmp_path, expected, events)) is (damage is not deleted)
    lines = [said for _, said in lines_since(tmp_path / "state" / "journal", Place(0, 0))]
    alerts = Counter((said["id"], said["count"]) for said in lines if said["type"] == "alert")
    joins = Counter(said["id"] for said in lines if said["type"] == "join")
    assert alerts
    assert joins
    assert set(alerts.values()) == {1}
    assert set(joins.values()) == {1}


def test_what_can_be_read_of_a_damaged_file_is_kept(tmp_path: Path) -> None:
    expected = expected_of(tmp_path / "lists")
    events = [event for place in range(60) for event in events_at(expected, at=SECOND, name=f"call {place}")]
    path = tmp_path / "memory.db"
    with Memory(path) as memory:
        memory.add(events)
    raw = bytearray(path.read_bytes())
    raw[-8000:] = Random(3).randbytes(8000)
    path.write_bytes(raw)
    with Memory(path) as memory:
        assert memory.begun_anew
        left = list(memory.events())
    assert 10 < len(left) <= len(events)
    assert left == events[: len(left)]
