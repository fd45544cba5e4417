"""The day in which nobody does anything wrong holds what it promises, and nothing that would be an alert."""

from collections import Counter
from itertools import islice

import pytest

from bench.day import HOURS, WRONG_PINS, Day, expected_on_the_day, frames, number_at
from bench.traffic import Call
from bench.workloads import BRIDGE, MEETINGS, PIN, Truth

NUMBERS = {number_at(hour, group) for hour in HOURS for group in range(MEETINGS)}


@pytest.fixture(scope="module")
def day() -> tuple[Truth, list[tuple[Call, str]]]:
    truth = Truth()
    return truth, list(Day(truth).calls())


def test_there_are_ten_thousand_joins(day: tuple[Truth, list[tuple[Call, str]]]) -> None:
    truth, calls = day
    assert truth.joins >= 10_000
    assert truth.alerts == {}
    assert truth.calls == len(calls) == len({call.n for call, _ in calls})


def test_wrong_pins_stay_below_what_an_alert_needs(day: tuple[Truth, list[tuple[Call, str]]]) -> None:
    wrong = Counter(
        next(group for group in keys.split("#") if group in NUMBERS) for _, keys in day[1] if "#85772689#" in keys
    )
    assert wrong
    assert max(wrong.values()) <= WRONG_PINS


def test_whoever_dials_in_enters_the_pin_or_is_the_host(day: tuple[Truth, list[tuple[Call, str]]]) -> None:
    dialled = [keys for call, keys in day[1] if call.callee == BRIDGE and keys]
    assert all(f"#{PIN}#" in keys or keys.endswith("##4321#") for keys in dialled)
    assert any(keys.startswith("*01*") for keys in dialled)
    assert any(keys.split("#")[0] not in NUMBERS for keys in dialled if keys[0] != "*")


def test_frames_come_in_the_order_of_time() -> None:
    times = [at for at, _ in islice(frames(Truth()), 5_000)]
    assert times == sorted(times)


def test_every_meeting_has_an_invitation() -> None:
    files = expected_on_the_day()
    assert {f"meetings/{number}.ics" for number in NUMBERS} <= files.keys()
