"""Days in seconds: what the daemon holds after a week is what it held after half of it, and nothing is said twice.

Packets say what time it is, so a week of calls is a loop. Every table is made so small that the first days fill it.
"""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from bench.traffic import Call
from monitor.daemon import memory as module
from monitor.daemon.channel import Channel, connected
from monitor.daemon.correlate import Sayings
from monitor.daemon.ledger import Place, lines_since
from monitor.daemon.memory import Memory
from monitor.daemon.messages import Said, ToDecode
from monitor.daemon.serve import Serve
from monitor.daemon.standing import Standing
from monitor.daemon.totals import MAX_LIVES, Totals
from monitor.detections import rule_infos
from monitor.meetings.timers import Timers
from monitor.model.calls import CallEnded, SignallingEvent
from monitor.model.evidence import DAY, HOUR, MINUTE, SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Expected, Signals, load_expected
from pcaps.stories.town import BRIDGE, SITE
from tests.daemon.stage import NUMBER, lists_of_now
from tests.daemon.test_daemon_clock import Silent
from tests.daemon.weight import weight_of

NOW = 1_750_000_000 * SECOND
FEW = 100
"""Entries of a table: the least that a policy may ask for."""
CALLERS = 200
"""More than tables hold, and fewer than spellings of numbers are remembered of, which is 65,536."""
CALLS_A_DAY = 48
LEVEL = 1.03
"""Dictionaries grow in steps."""


@pytest.fixture
def expected(tmp_path: Path) -> Expected:
    """The lists of now, and small tables."""
    lists = tmp_path / "lists"
    lists_of_now(lists)
    with (lists / "policy.toml").open("a", encoding="utf-8") as policy:
        policy.write(f"[limits]\nalerts = {FEW}\ncampaigns = {FEW}\n")
    return load_expected([lists / "now.ics"], [lists / "people.csv"], lists / "policy.toml")


class Line:
    """Calls on a trunk, by one after the other, decoded as they come."""

    def __init__(self, expected: Expected, target: str = f"sip:{NUMBER}@{SITE}") -> None:
        self.signals = Signals(Silent(), expected)
        self._target = target
        self._count = 0

    def call(self, at: Nanoseconds) -> Iterator[SignallingEvent]:
        """One of half a minute, from its beginning to its end."""
        self._count += 1
        caller = f"sip:visitor{self._count % CALLERS}@elsewhere.example"
        lasts = 30 * SECOND
        call = Call(n=self._count, at=at, caller=caller, target=self._target, callee=BRIDGE.ip, lasts=lasts)
        for place, (when, raw) in enumerate(call.datagrams()):
            for event in self.signals.events_of(Frame(when, "if", self._count * 8 + place, 1, raw, len(raw))):
                assert not isinstance(event, Oddity)
                yield event


class Life:
    """One serve and one decoder."""

    def __init__(self, folder: Path, expected: Expected) -> None:
        (folder / "state").mkdir(exist_ok=True)
        place = str(folder / "events.sock")
        metrics = Metrics(rules=rule_infos(), limits=Limits(known_alerts=FEW))
        self.serve = Serve(place, folder / "state", lambda: expected, metrics)
        self._decoder: Channel[ToDecode] = Channel(connected(place), ToDecode)
        self._number = 0

    def say(self, at: Nanoseconds, *events: SignallingEvent) -> None:
        """The decoder says so."""
        self._number += bool(events)
        self._decoder.send(Said(decoder="one", number=self._number if events else 0, now=at, events=events))
        self.serve.step(0)
        self._decoder.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()
        self.serve.close()


def test_serve_holds_after_eight_days_what_it_held_after_five(tmp_path: Path, expected: Expected) -> None:
    line = Line(expected)
    weights: list[tuple[float, int]] = []
    files: list[tuple[float, int]] = []
    with Life(tmp_path, expected) as life:
        for number in range(8 * CALLS_A_DAY):
            at = NOW + number * DAY // CALLS_A_DAY
            for event in line.call(at):
                life.say(event.at, event)
            life.say(at + MINUTE)
            if not number % 6:
                weights.append((number / CALLS_A_DAY, weight_of(life.serve)))
                files.append((number / CALLS_A_DAY, (tmp_path / "state" / "memory.db").stat().st_size))
        assert life.serve.correlator.sizes["alerts"] == FEW  # the table was full
        assert life.serve.memory.held < 26 * 2 * 4 + 10
    for sizes, level in ((weights, LEVEL), (files, 1.1)):
        earlier = [size for day, size in sizes if 3 <= day < 5.5]
        later = [size for day, size in sizes if day >= 5.5]
        assert max(later) <= max(earlier) * level


def test_a_leak_would_be_seen(tmp_path: Path, expected: Expected) -> None:
    with Life(tmp_path, expected) as life:
        before = weight_of(life.serve)
        assert weight_of(life.serve) == before
        life.serve.sayings.revise({"type": "leave", "id": "a" * before}, NOW)
        assert weight_of(life.serve) > before * 1.9


@pytest.mark.parametrize("target", [f"sip:{NUMBER}@{SITE}", "sip:+31205550199@192.0.2.40;user=phone"])
def test_decoders_hold_after_six_hours_what_they_held_after_three(expected: Expected, target: str) -> None:
    line = Line(expected, target)
    weights = []
    for number in range(6 * 120):
        list(line.call(NOW + number * 30 * SECOND))
        if not number % 24:
            weights.append(weight_of(line.signals))
    assert max(weights[15:]) <= max(weights[:15]) * LEVEL


def test_what_is_over_is_freed_without_being_looked_for(tmp_path: Path, expected: Expected) -> None:
    """Circles would wait until Python looks for them, which on a calm day takes hours."""
    line = Line(expected)
    with Life(tmp_path, expected) as life:
        gc.collect()
        gc.disable()
        try:
            for number in range(100):
                for event in line.call(NOW + number * MINUTE):
                    life.say(event.at, event)
            assert gc.collect() < 100
        finally:
            gc.enable()


def test_who_stays_for_days_is_told_once_however_often_lists_change(tmp_path: Path, expected: Expected) -> None:
    """A room that is never hung up: what was said of it must be known for longer than that of others."""
    first = [event for event in Line(expected).call(NOW) if not isinstance(event, CallEnded)]
    with Life(tmp_path, expected) as life:
        for event in first:
            life.say(event.at, event)
        for hour in range(1, 24 * 5):
            life.say(NOW + hour * HOUR)
            if not hour % 40:
                assert life.serve.try_reload() == ()
    with Life(tmp_path, expected) as again:
        again.say(NOW + 5 * DAY)
    lines = [said for _, said in lines_since(tmp_path / "state" / "journal", Place(0, 0))]
    joins = Counter(said["id"] for said in lines if said["type"] == "join")
    alerts = Counter((said["id"], said["count"]) for said in lines if said["type"] == "alert")
    assert list(joins.values()) == [1]
    assert alerts
    assert set(alerts.values()) == {1}


def test_what_was_said_is_known_for_two_turns_and_not_for_ever() -> None:
    sayings, standing = Sayings({}), Standing()
    gone, here = {"type": "leave", "id": "gone"}, {"type": "join", "id": "here", "verdict": "invited", "subject": "x"}
    assert sayings.is_new(gone, NOW)
    assert sayings.is_new(here, NOW)
    standing.take(here, is_new=True)
    sayings.unwritten()
    for turn in range(10):
        sayings.turn(NOW + turn * DAY, DAY, standing.has)
        assert sayings.is_new(here, NOW) is False
        if turn < 2:
            assert len(sayings) == 2
    assert len(sayings) == 1
    assert sayings.is_new(gone, NOW)


def test_what_still_stands_is_remembered_anew_in_time() -> None:
    sayings = Sayings({"join here invited x": 0, "join gone invited x": 0})
    for turn in range(3):
        assert sayings.unwritten() == []
        sayings.turn(NOW + turn * DAY, DAY, lambda name: name == "here")
    assert sayings.unwritten() == [("join here invited x", NOW + 2 * DAY, 0)]
    assert len(sayings) == 1


def test_a_flood_is_not_all_remembered_to_have_been_said() -> None:
    sayings, standing = Sayings({}, most=FEW), Standing()
    here = {"type": "join", "id": "here", "verdict": "invited", "subject": "x"}
    standing.take(here, is_new=sayings.is_new(here, NOW))
    for number in range(50 * FEW):
        assert sayings.is_new({"type": "leave", "id": f"p{number}"}, NOW)
        sayings.turn(NOW, DAY, standing.has)
        sayings.unwritten()
        assert len(sayings) <= FEW + 1
    assert not sayings.is_new(here, NOW)


def test_of_a_flood_memory_keeps_the_latest_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAYINGS", FEW)
    with Memory(tmp_path / "memory.db") as memory:
        memory.say([(f"leave p{number}", NOW, 0) for number in range(5 * FEW)], "")
        memory.prune(NOW, ())
        assert set(memory.said()) == {f"leave p{number}" for number in range(4 * FEW, 5 * FEW)}
        assert memory.counts["sayings_evicted"] == 4 * FEW


def test_of_a_flood_memory_keeps_the_latest_calls_to_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Expected
) -> None:
    monkeypatch.setattr(module, "MAX_GOING_ON", 10)
    line = Line(expected)
    with Memory(tmp_path / "memory.db") as memory:
        for number in range(30):
            event = next(line.call(NOW + number * SECOND))
            saved = line.signals.decoders.saved(event.call)
            assert saved is not None
            memory.add([event], calls=[saved])
        names = [saved.call for saved in memory.going_on()[0]]
        memory.prune(NOW, ())
        assert [saved.call for saved in memory.going_on()[0]] == names[-10:]
        assert memory.counts["memory_calls_evicted"] == 20
        for _ in range(100):  # of another there is news again and again
            memory.add([], calls=memory.going_on()[0][-1:])
        memory.prune(NOW + HOUR, ())
        assert [saved.call for saved in memory.going_on()[0]] == names[-10:]


def test_who_has_left_stands_nowhere() -> None:
    standing = Standing()
    empty = weight_of(standing)
    for number in range(1000):
        said = {"id": f"p{number}", "verdict": "uninvited", "subject": "x"}
        standing.take({"type": "join", **said}, is_new=True)
        standing.take({"type": "leave", **said}, is_new=True)
        assert not standing.has(f"p{number}")
    assert weight_of(standing) < empty + 10_000


def test_decoders_that_die_every_second_are_added_up() -> None:
    totals = Totals()
    for number in range(1000):
        totals.take(f"decoder {number}", {"frames": 1})
        totals.take(f"decoder {number}", {"frames": 3, "oddities": 1})
        totals.take("another", {"frames": number})  # which lives on
    assert totals.all == {"frames": 3999, "oddities": 1000}
    assert weight_of(totals) < MAX_LIVES * 1000


def test_deadlines_that_matter_no_more_are_swept_out_with_whom_they_hold() -> None:
    timers, living = Timers(), {"late"}
    for number in range(1000):
        timers.set(NOW + number, lambda _: iter(()), lambda: False)
    timers.set(NOW + DAY, lambda _: iter(()), lambda: "late" in living)
    timers.sweep()
    assert (len(timers), timers.due) == (1, NOW + DAY)
    living.clear()
    timers.sweep()
    assert (len(timers), list(timers.passed(NOW + 2 * DAY))) == (0, [])
