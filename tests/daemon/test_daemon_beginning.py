"""A start with broken lists: with those that were in force last, loudly; and not at all where there are none."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.daemon import last_lists
from monitor.daemon.beginning import Beginning
from monitor.daemon.last_lists import LastLists, forget_in
from monitor.daemon.reading import First
from monitor.model.evidence import DAY, HOUR, SECOND
from monitor.model.suppressions import Suppression, Suppressions
from monitor.pipeline import Expected, load_expected
from pcaps.generator.calendar import Event, calendar_of
from pcaps.stories.town import ANNA, PIN, invited
from tests.daemon.stage import Daemon, intruder_by_sip, lists_of_now
from tests.daemon.test_daemon_hep import hearing, reports_of, send

NOW = time.time_ns() // SECOND * SECOND
WEEKLY, WEEKLY_PIN = "27310400022", "77812345"
LAST = "joinwatch_config_last_reload_successful"
SPOILT = {
    "now.ics": "BEGIN:VCALENDAR\r\nDTSTART\r\n",
    "people.csv": "name,email,phone\nSecret Person,,twelve\n",
    "policy.toml": "[rules]]\n",
    "quiet.toml": "[[suppression]]\n",
}
QUIET = """
[[suppression]]
owner = "soc"
reason = "a test"
until = 2099-12-31
subject = "sip:quiet@elsewhere.example"
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="the daemon needs Linux")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that was at work once, with suppressions, and has ended."""
    made = hearing(tmp_path, "127.0.0.1")
    quiet = tmp_path / "lists" / "quiet.toml"
    quiet.write_text(QUIET, encoding="utf-8")
    text = made.config.read_text(encoding="utf-8")
    made.config.write_text(f'suppressions = "{quiet}"\n{text}', encoding="utf-8")
    made.start()
    made.wait((tmp_path / "state" / "lists.kept").exists, "lists that are kept")
    made.stop()
    yield made
    made.stop()


def reloads(running: Daemon) -> list[dict[str, Any]]:
    return [said for said in running.journal() if said["type"] == "reload"]


@linux
def test_it_starts_with_the_lists_of_before_and_says_so(running: Daemon) -> None:
    kept = running.folder / "state" / "lists.kept"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PIN.encode() not in kept.read_bytes()

    files = {running.folder / "lists" / name: text for name, text in SPOILT.items()}
    good = {file: file.read_bytes() for file in files}
    for file, text in files.items():
        file.write_text(text, encoding="utf-8", newline="")
    begun = time.time()
    running.start()
    assert running.metric(LAST) == 0
    assert (running.metric("joinwatch_config_last_reload_success_timestamp_seconds") or begun) < begun
    log = running.log.read_text(encoding="utf-8")
    assert all(f"{file}:" in log for file in files)
    assert "the lists of before stay in use" in log
    assert "Secret" not in log
    running.wait(lambda: reloads(running), "a refusal in the journal")
    (refused,) = reloads(running)
    assert {mistake["file"] for mistake in refused["mistakes"]} == {str(file) for file in files}

    send(running, reports_of(intruder_by_sip("quiet", "quiet")))
    send(running, reports_of(intruder_by_sip("loud", "mallory")))
    running.wait(lambda: len(running.alerts()) > 1, "alerts under the lists of before")
    alerts = {said["subject"].split(":")[1]: said for said in running.journal() if said["type"] == "alert"}
    assert {said["rule"] for said in alerts.values()} == {"uninvited-participant"}, "and the meeting is known"
    assert ["suppressed" in alerts[f"{who}@elsewhere.example"] for who in ("quiet", "mallory")] == [True, False]

    for file, content in good.items():
        file.write_bytes(content)
    running.wait(lambda: running.metric(LAST) == 1, "good lists")
    assert [said["successful"] for said in reloads(running)] == [False, True]


@linux
def test_with_pseudonyms_and_a_broken_policy_people_stay_hidden(running: Daemon) -> None:
    key = running.folder / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    text = running.config.read_text(encoding="utf-8")
    running.config.write_text(f'pseudonyms = "{key}"\n{text}', encoding="utf-8")
    (running.folder / "lists" / "policy.toml").write_text("[rules]]\n", encoding="utf-8")
    running.start()
    send(running, reports_of(intruder_by_sip("hidden", "mallory")))
    running.wait(running.alerts, "an alert")
    assert "mallory" not in str(running.journal())


@linux
def test_the_first_start_with_a_broken_list_is_refused_with_its_line(tmp_path: Path) -> None:
    made = hearing(tmp_path, "127.0.0.1")
    calendar = tmp_path / "lists" / "now.ics"
    calendar.write_text(calendar.read_text(encoding="utf-8").replace("DTSTART:2", "DTSTART:x2"), encoding="utf-8")
    made.start(ready=False)
    made.wait(lambda: not Path(f"/proc/{made.pid}/exe").exists(), "an end")
    assert made.stop() == 2
    assert f"{calendar}:" in made.log.read_text(encoding="utf-8")


def expected_in(folder: Path) -> Expected:
    """The meeting of now, a weekly one with an exception, and the people of the example."""
    lists = lists_of_now(folder / "lists")
    event = Event(
        uid="weekly@ministry.example",
        number=WEEKLY,
        title="Weekly",
        start=f"{_date(-20)}T220000",
        end=f"{_date(-19)}T010000",
        organizer=ANNA,
        pin=WEEKLY_PIN,
        attendees=invited("bram"),
    )
    rules = f"RRULE:FREQ=WEEKLY\r\nEXDATE;TZID=Europe/Amsterdam:{_date(8)}T220000\r\nEND:VEVENT"
    weekly = calendar_of([event]).decode().replace("END:VEVENT", rules)
    (folder / "lists" / "weekly.ics").write_text(weekly, encoding="utf-8", newline="")
    return load_expected([folder / "lists"], [Path(lists["directory"][0])], Path(lists["policy"]))


def _date(days: int) -> str:
    return (datetime.fromtimestamp(NOW / SECOND, UTC) + timedelta(days=days)).strftime("%Y%m%d")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir()
    return made


def test_what_is_kept_answers_as_the_lists_do(tmp_path: Path, state: Path) -> None:
    expected = expected_in(tmp_path)
    quiet = Suppressions(entries=(Suppression(line=1, owner="soc", reason="x", until=date(2099, 1, 2), rule="r"),))
    assert LastLists(state).load() is None
    LastLists(state, lambda: NOW).keep(expected, quiet, "abc", 1000.5)
    kept = LastLists(state).load()
    assert kept is not None
    assert (kept.digest, kept.at, kept.suppressions) == ("abc", 1000.5, quiet)
    again = kept.expected
    assert (again.policy, again.access_numbers) == (expected.policy, expected.access_numbers)
    named = {ref for ref, _ in expected.calendar.named()}
    assert {ref for ref, _ in again.calendar.named()} == named
    seen = 0
    for ref in named:
        for one in (ref, msgspec.structs.replace(ref, site="")):
            assert again.calendar.series_of(one) == expected.calendar.series_of(one)
            for hours in range(-24, 29 * 24, 5):
                found = expected.calendar.around(one, NOW + hours * HOUR)
                assert again.calendar.around(one, NOW + hours * HOUR) == found
                seen += len(found)
    assert seen > 20
    for address in ("mailto:anna@ministry.example", "tel:+31205550199"):
        assert again.directory.people_with(address) == expected.directory.people_with(address)


def test_no_pin_is_kept_and_nobody_says_then_that_one_was_wrong(tmp_path: Path, state: Path) -> None:
    expected = expected_in(tmp_path)
    weekly = next(ref for ref, _ in expected.calendar.named() if ref.value == WEEKLY)
    assert expected.calendar.knows_pin(weekly, WEEKLY_PIN) is True
    LastLists(state, lambda: NOW).keep(expected, Suppressions(), "abc", 1.0)
    content = b"".join(path.read_bytes() for path in state.iterdir())
    assert WEEKLY.encode() in content
    assert WEEKLY_PIN.encode() not in content
    kept = LastLists(state).load()
    assert kept is not None
    assert kept.expected.calendar.knows_pin(weekly, WEEKLY_PIN) is None
    coming = [one for days in range(9) for one in kept.expected.calendar.around(weekly, NOW + days * DAY)]
    assert coming
    assert all(one.has_pin for one in coming)


def test_a_full_disk_leaves_what_was_kept_before(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = expected_in(tmp_path)
    LastLists(state).keep(expected, Suppressions(), "one", 1.0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said: list[str] = []
    beginning = Beginning(state, said.append)
    beginning.keep(First(expected, Suppressions(), "two"))
    end = time.monotonic() + 10
    while not said and time.monotonic() < end:
        time.sleep(0.01)
    assert said == ["the lists could not be kept for the next start: No space left on device"]
    kept = LastLists(state).load()
    assert kept is not None
    assert kept.digest == "one"


@pytest.mark.parametrize("content", [b"", b"\x80", b"no msgpack"])
def test_what_is_no_such_file_is_none(state: Path, content: bytes) -> None:
    (state / "lists.kept").write_bytes(content)
    assert LastLists(state).load() is None


def test_what_another_version_has_kept_is_left_alone(tmp_path: Path, state: Path) -> None:
    LastLists(state).keep(expected_in(tmp_path), Suppressions(), "one", 1.0)
    kept = LastLists(state).load()
    other = msgspec.structs.replace(kept, version=99)  # type: ignore[type-var]
    (state / "lists.kept").write_bytes(msgspec.msgpack.encode(other))
    assert LastLists(state).load() is None


def test_what_is_forgotten_is_gone(tmp_path: Path, state: Path) -> None:
    LastLists(state).keep(expected_in(tmp_path), Suppressions(), "one", 1.0)
    assert forget_in(state)
    assert list(state.iterdir()) == []
    assert not forget_in(state)


def test_whoever_is_forgotten_while_lists_are_written_is_in_no_file(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, fsync = last_lists._counted, os.fsync
    for name, module, was in (("_counted", last_lists, counted), ("fsync", os, fsync)):

        def forgotten(*words: Any, was: Callable[..., Any] = was) -> Any:
            forget_in(state)
            return was(*words)

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(module, name, forgotten)
            LastLists(state).keep(expected_in(tmp_path), Suppressions(), "one", 1.0)
        assert list(state.iterdir()) == []
    LastLists(state).keep(expected_in(tmp_path), Suppressions(), "one", 1.0)
    assert LastLists(state).load() is not None


def test_what_is_kept_is_made_anew_every_day_unless_it_was_forgotten(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.daemon.beginning.AGAIN_SECONDS", 0.05)
    beginning = Beginning(state, lambda _: None)
    beginning.keep(First(expected_in(tmp_path), Suppressions(), "one"))
    path = state / "lists.kept"

    def until(is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < end
            time.sleep(0.01)

    until(path.exists)
    first = LastLists(state).load()
    assert first is not None
    until(lambda: (LastLists(state).load() or first).until > first.until)
    again = LastLists(state).load()
    assert again is not None
    assert again.at == first.at, "they are in force since then"
    until(lambda: forget_in(state))
    time.sleep(0.5)
    assert list(state.iterdir()) == [], "though it was perhaps being written at that moment"
    beginning.keep(First(expected_in(tmp_path), Suppressions(), "two"))
    until(path.exists)
