"""Clocks that jump: time stamps go on as they were, until a jump is believed; then what is remembered moves along."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.daemon.clock import PATIENCE, Clock
from monitor.daemon.correlate import Correlator
from monitor.daemon.memory import Memory
from monitor.daemon.page import Page
from monitor.model.alerts import Alert
from monitor.model.calls import SignallingEvent
from monitor.model.evidence import HOUR, MINUTE, SECOND, Nanoseconds
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.roster import Joined
from monitor.pipeline import Expected, Record, Signals, load_expected
from tests.daemon.stage import intruder_by_sip, lists_of_now

NOW = 1_750_000_000 * SECOND
JUMPS = [
    pytest.param(HOUR, id="an hour ahead"),
    pytest.param(-HOUR, id="an hour back"),
    pytest.param(-NOW + SECOND, id="1970"),
    pytest.param(4_300_000_000 * SECOND - NOW, id="2106"),
]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_changes_no_time_until_it_is_believed(jump: Nanoseconds) -> None:
    clock = Clock(NOW, 0)
    assert clock.look(NOW + 10 * SECOND, 10 * SECOND) is None
    before, behind = NOW + 19 * SECOND, NOW + 20 * SECOND + jump
    assert clock.look(behind, 20 * SECOND) is None
    assert clock.is_doubted
    # In one ring lie what came just before the jump and what came just behind it.
    assert clock.right(before) == before
    assert clock.right(behind) == NOW + 20 * SECOND
    assert clock.now == NOW + 20 * SECOND
    moved = clock.look(behind + PATIENCE, 20 * SECOND + PATIENCE)
    assert moved == (jump, NOW, NOW + 20 * SECOND + PATIENCE)
    assert clock.right(behind) == behind
    assert not clock.is_doubted


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_that_is_taken_back_was_none(jump: Nanoseconds) -> None:
    clock = Clock(NOW, 0)
    clock.look(NOW + 20 * SECOND + jump, 20 * SECOND)
    assert clock.look(NOW + 30 * SECOND, 30 * SECOND) is None
    assert not clock.is_doubted
    assert clock.look(NOW + 30 * SECOND + 2 * PATIENCE, 30 * SECOND + 2 * PATIENCE) is None


def test_slewing_is_no_jump() -> None:
    clock = Clock(0, 0)
    for second in range(1, 1000):
        clock.look(second * SECOND + second * 500_000, second * SECOND)
    assert not clock.is_doubted


def test_the_next_decoder_sees_a_jump_that_nobody_saw() -> None:
    descriptor = Page.made()
    page = Page(descriptor)
    assert page.clock is None
    page.clock = Clock(NOW, 0).known
    after = Clock(NOW + HOUR + 3 * SECOND, 3 * SECOND, Page(descriptor).clock)
    after.look(NOW + HOUR + 3 * SECOND, 3 * SECOND)
    assert after.right(NOW + HOUR + 3 * SECOND) == NOW + 3 * SECOND


class Silent:
    """A source that is fed by hand."""

    reports = ()

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(())

    def widen(self, ask: object) -> None:
        """Everything comes anyway."""


def events_at(expected: Expected, *, at: Nanoseconds, name: str = "one") -> list[SignallingEvent]:
    """Somebody uninvited joins the meeting of now at that moment."""
    signals = Signals(Silent(), expected)
    frames = [
        Frame(at + int(after * SECOND), "if", number, 1, raw, len(raw))
        for number, (after, raw) in enumerate(intruder_by_sip(name, "mallory"), 1)
    ]
    found = [event for frame in frames for event in signals.events_of(frame)]
    assert not any(isinstance(event, Oddity) for event in found)
    return [event for event in found if not isinstance(event, Oddity)]


def expected_of(folder: Path) -> Expected:
    """The lists of now, loaded."""
    lists = lists_of_now(folder)
    return load_expected(
        [Path(path) for path in lists["meetings"]],
        [Path(path) for path in lists["directory"]],
        Path(lists["policy"]),
    )


def judged(expected: Expected, events: list[SignallingEvent], until: Nanoseconds) -> list[Record]:
    """What the stages say of them."""
    correlator = Correlator(expected)
    said = [record for event in events for record in correlator.feed(event)]
    return [*said, *correlator.advance(until)]


@pytest.mark.parametrize("jump", [HOUR, -HOUR, -NOW, 4_300_000_000 * SECOND - NOW])
def test_after_a_believed_jump_the_roster_is_judged_in_the_new_time(tmp_path: Path, jump: Nanoseconds) -> None:
    expected = expected_of(tmp_path / "lists")
    right = int(datetime.now(UTC).timestamp()) * SECOND
    wrong = right - jump
    events = events_at(expected, at=wrong)
    with Memory(tmp_path / "memory.db") as memory:
        assert memory.add(events) == events
        memory.move(jump, wrong - MINUTE, wrong + MINUTE)
        moved = list(memory.events())
        assert [event.at - jump for event in moved] == [event.at for event in events]
        said = judged(expected, moved, right + 5 * SECOND)
        joined = [record for record in said if isinstance(record, Joined)]
        assert [one.participant.joined_at // MINUTE for one in joined] == [right // MINUTE]
        assert [(a.rule, a.series) for a in said if isinstance(a, Alert) and a.meeting] == [
            ("uninvited-participant", "now@ministry.example")
        ]
        # What the decoder sends again in the new time is known for the same.
        assert memory.add(moved) == []


def test_what_was_remembered_before_the_wrong_time_began_is_not_moved(tmp_path: Path) -> None:
    expected = expected_of(tmp_path / "lists")
    old, new = events_at(expected, at=NOW), events_at(expected, at=SECOND, name="two")
    with Memory(tmp_path / "memory.db") as memory:
        memory.add([*old, *new])
        memory.move(NOW, 0, HOUR)
        assert [event.at for event in memory.events()][: len(old)] == [event.at for event in old]
        assert min(event.at for event in list(memory.events())[len(old) :]) > NOW
