"""Judging anew in slices: the same as in one go, whatever arrives meanwhile, and what arrives need not wait for it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.traffic import Call
from monitor.daemon import anew as slices
from monitor.daemon.channel import Channel, connected
from monitor.daemon.messages import Lists, Said, Taken, ToDecode
from monitor.daemon.serve import Serve
from monitor.detections import rule_infos
from monitor.model.calls import SignallingEvent
from monitor.model.evidence import MINUTE, SECOND, Nanoseconds
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.problems import ConfigError, Problem
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Expected, Signals, load_expected
from monitor.platforms import known_platforms
from pcaps.stories.town import BRIDGE, SITE
from tests.daemon.stage import NUMBER, lists_of_now
from tests.daemon.test_daemon_clock import Silent

VISITORS = 30
GUESTS = range(0, VISITORS, 3)
"""Visitors whom the other calendar invites."""
LATE = range(VISITORS, VISITORS + 9)
"""Those who come while everything is judged anew; the other calendar invites every third of them, too."""


def visitor(number: int) -> str:
    return f"sip:visitor{number}@elsewhere.example"


class Books:
    """Two calendars of the meeting of now: nobody of the visitors is in the one, every third in the other."""

    def __init__(self, folder: Path) -> None:
        lists = lists_of_now(folder / "lists")
        self._calendar = folder / "lists" / "now.ics"
        self._others = ([Path(lists["directory"][0])], Path(lists["policy"]))
        self._plain = self._calendar.read_bytes().decode()
        self.nobody = self._with(())
        self.guests = self._with([*GUESTS, *LATE[::3]])

    def _with(self, numbers: Sequence[int]) -> Expected:
        attendees = "".join(f"ATTENDEE:{visitor(number)}\r\n" for number in numbers)
        text = self._plain.replace("END:VEVENT", f"{attendees}END:VEVENT")
        self._calendar.write_text(text, encoding="utf-8", newline="")
        return load_expected([self._calendar], *self._others)


class World:
    """A serve whose lists are changed by hand, and a decoder that says what it is told to."""

    def __init__(self, folder: Path, books: Books, events: Sequence[SignallingEvent]) -> None:
        self.folder, self.lists = folder, books.nobody
        self.broken = False
        (folder / "state").mkdir(parents=True)
        place = str(folder / "events.sock")
        self.metrics = Metrics(rules=rule_infos(), platforms=known_platforms())
        self.serve = Serve(place, folder / "state", self._load, self.metrics)
        self._decoder: Channel[ToDecode] = Channel(connected(place), ToDecode)
        self._number = 0
        self.heard: list[ToDecode] = []
        for start in range(0, len(events), 50):
            self.say(*events[start : start + 50])

    def _load(self) -> Expected:
        if self.broken:
            raise ConfigError([Problem(file="a.ics", line=1, found="nothing", expected="something")])
        return self.lists

    def say(self, *events: SignallingEvent) -> None:
        self._number += 1
        self._decoder.send(Said(decoder="one", number=self._number, now=events[-1].at, events=events))
        self.step()

    def step(self) -> None:
        self.serve.step(0)
        self.heard += self._decoder.receive()

    def begin(self, lists: Expected) -> "slices.Wish":
        """Ask for these lists, up to the moment when everything begins to be judged by them."""
        self.lists = lists
        wish = self.serve.wish_reload()
        self.step()
        self.serve._reading.wait(10)
        self.step()
        return wish

    def finish(self, wish: "slices.Wish") -> int:
        """How many steps it took."""
        steps = 0
        while not wish.done():
            self.step()
            steps += 1
        return steps

    def journal(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "state" / "journal").glob("*.jsonl"))
        return [msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines()]

    def told(self) -> dict[str, Any]:
        """What stands, as who reads the journal has it; and what the metrics say of the moment."""
        latest: dict[str, Any] = {}
        for said in self.journal():
            match said:
                case {"type": "alert", "id": name}:
                    latest[name] = None if "withdrawn" in said else {**said, "time": ""}
                case {"type": "join", "id": name}:
                    latest[name] = said["verdict"], said["subject"]
                case {"type": "leave", "id": name}:
                    latest.pop(name)
                case _:
                    pass
        samples = self.metrics.text().decode().splitlines()
        gauges = [line for line in samples if line.startswith(("joinwatch_participants", "joinwatch_alerts_active"))]
        return {name: said for name, said in latest.items() if said is not None} | {"gauges": gauges}

    def close(self) -> None:
        self._decoder.close()
        self.serve.close()


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return Books(tmp_path_factory.mktemp("books"))


NOW = time.time_ns() // SECOND * SECOND


@pytest.fixture(scope="module")
def events(books: Books) -> dict[int, list[SignallingEvent]]:
    """Of each visitor: they come within half an hour; every second has left again."""
    signals = Signals(Silent(), books.nobody)
    found: dict[int, list[SignallingEvent]] = {}
    for number in (*range(VISITORS), *LATE):
        at: Nanoseconds = NOW - 30 * MINUTE + number * 20 * SECOND
        lasts = 5 * SECOND if number % 2 else 24 * 60 * MINUTE
        call = Call(
            n=number, at=at, caller=visitor(number), target=f"sip:{NUMBER}@{SITE}", callee=BRIDGE.ip, lasts=lasts
        )
        found[number] = [
            event
            for place, (when, raw) in enumerate(call.datagrams())
            if when <= NOW
            for event in signals.events_of(Frame(when, "if", number * 9 + place, 1, raw, len(raw)))
            if not isinstance(event, Oddity)
        ]
    return found


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few events a step, so that there are many."""
    monkeypatch.setattr(slices, "CHUNK", 2)
    monkeypatch.setattr(slices.Anew.go_on, "__defaults__", (0.0,))


@pytest.fixture
def world(tmp_path: Path, books: Books, events: dict[int, list[SignallingEvent]]) -> Iterator[World]:
    made = World(tmp_path / "sliced", books, [event for number in range(VISITORS) for event in events[number]])
    yield made
    made.close()


def alike(folder: Path, books: Books, world: World, events: dict[int, list[SignallingEvent]], last: int) -> None:
    """That world is as one in which all this was judged in one go."""
    whole = World(folder / "whole", books, [event for number in range(last) for event in events[number]])
    whole.lists = books.guests
    assert whole.serve.try_reload() == ()
    whole.step()
    assert world.told() == whole.told()
    whole.close()


def test_in_slices_it_is_the_same_as_in_one_go(
    tmp_path: Path, books: Books, world: World, events: dict[int, list[SignallingEvent]]
) -> None:
    held = world.serve.memory.held
    wish = world.begin(books.guests)
    assert world.finish(wish) >= held // 2 - 4, "a few events a step"
    assert wish.result() == ()
    world.step()
    withdrawn = [said["subject"] for said in world.journal() if "withdrawn" in said]
    assert sorted(withdrawn) == sorted(visitor(number) for number in GUESTS)
    alike(tmp_path, books, world, events, VISITORS)


def test_what_arrives_meanwhile_is_taken_at_once_and_judged_by_both(
    tmp_path: Path, books: Books, world: World, events: dict[int, list[SignallingEvent]]
) -> None:
    wish = world.begin(books.guests)
    for number in LATE:
        taken = len([message for message in world.heard if isinstance(message, Taken)])
        world.say(*events[number])
        world.step()
        assert len([message for message in world.heard if isinstance(message, Taken)]) == taken + 1
        assert not wish.done()
        # Under the lists of before nobody of them is invited; these are in force.
        assert any(said["type"] == "alert" and said["subject"] == visitor(number) for said in world.journal())
    world.finish(wish)
    world.step()
    withdrawn = {said["subject"] for said in world.journal() if "withdrawn" in said}
    assert withdrawn == {visitor(number) for number in (*GUESTS, *LATE[::3])}
    alike(tmp_path, books, world, events, LATE.stop)


def test_decoders_get_the_new_lists_when_they_are_in_force(books: Books, world: World) -> None:
    wish = world.begin(books.guests)
    before = [message for message in world.heard if isinstance(message, Lists)]
    world.finish(wish)
    world.step()
    assert len([message for message in world.heard if isinstance(message, Lists)]) == len(before) + 1
    assert world.serve.expected is books.guests


def test_lists_that_are_overtaken_by_others_leave_nothing_behind(
    tmp_path: Path, books: Books, events: dict[int, list[SignallingEvent]]
) -> None:
    world = World(tmp_path / "world", books, [event for number in range(VISITORS) for event in events[number]])
    invited = world.begin(books.guests)
    world.finish(invited)
    world.step()
    stands = world.told()
    first = world.begin(books.nobody)
    for _ in range(20):
        world.step()
    assert not first.done()
    said = [said for said in world.journal() if said["type"] == "alert"]
    again = world.begin(books.guests)
    assert not first.done(), "who asked for lists that never were in force waits for those that are"
    world.finish(again)
    assert first.result() == again.result() == ()
    world.step()
    more = [line for line in world.journal() if line["type"] == "alert"][len(said) :]
    assert any("withdrawn" in line for line in more), "what was said under lists that never were in force is taken back"
    assert world.told() == stands
    world.close()


def test_broken_lists_meanwhile_are_refused_and_seen(books: Books, world: World) -> None:
    wish = world.begin(books.guests)
    world.broken = True
    refused = world.begin(books.nobody)
    assert refused.result(0)
    assert not wish.done()
    world.finish(wish)
    assert world.serve.expected is books.guests
    assert not world.metrics.reload_succeeded, "what is on the disk now is still broken"


def test_whoever_is_forgotten_meanwhile_is_judged_no_more(books: Books, world: World) -> None:
    def stands(number: int) -> bool:
        return any(visitor(number).encode() in line for line in world.serve.standing._joins.values())

    assert stands(0)
    wish = world.begin(books.guests)
    for _ in range(20):
        world.step()
    world.serve.memory.forget(lambda value: visitor(0) in str(value))
    world.serve._rebuild()
    world.finish(wish)
    world.step()
    assert not stands(0)
    assert stands(6)
