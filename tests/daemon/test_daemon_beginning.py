"""A start with broken lists: with those that were in force last, loudly; and not at all where there are none."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.daemon import last_lists
from monitor.daemon.last_lists import LastLists, forget_in
from monitor.model.settings import Settings
from monitor.pipeline import load_expected
from tests.daemon.stage import Daemon, intruder_by_sip
from tests.daemon.test_daemon_hep import hearing, reports_of, send

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
    made.wait((tmp_path / "state" / "lists" / "lists.json").exists, "a copy")
    made.stop()
    yield made
    made.stop()


def reloads(running: Daemon) -> list[dict[str, Any]]:
    return [said for said in running.journal() if said["type"] == "reload"]


@linux
def test_it_starts_with_the_lists_of_before_and_says_so(running: Daemon) -> None:
    found = list((running.folder / "state" / "lists").rglob("*"))
    assert len([path for path in found if path.is_file()]) == 5
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in found)

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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a folder, a file, and files that are no lists beside them."""
    folder = tmp_path / "calendars"
    (folder / "deep").mkdir(parents=True)
    text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    (folder / "deep" / "a.ics").write_text(text, encoding="ascii", newline="")
    (folder / "notes.txt").write_text("no list", encoding="ascii")
    people = tmp_path / "people.csv"
    people.write_text("name,email,phone\nAnna,anna@ministry.example,\n", encoding="ascii")
    (tmp_path / "state").mkdir()
    return Settings(meetings=(str(folder),), directory=(str(people),), state=str(tmp_path / "state"))


def copy_of(settings: Settings) -> LastLists:
    return LastLists(Path(settings.state))


def test_a_copy_can_be_read_as_the_lists_can(settings: Settings) -> None:
    assert copy_of(settings).load(settings) is None
    assert copy_of(settings).keep(settings, "one", lambda: "one")
    kept = copy_of(settings).load(settings)
    assert kept is not None
    assert kept.digest == "one"
    assert abs(kept.at - time.time()) < 60
    assert [path.name for path in Path(kept.settings.meetings[0]).rglob("*") if path.is_file()] == ["a.ics"]
    load_expected([Path(path) for path in kept.settings.meetings], [Path(path) for path in kept.settings.directory])
    assert msgspec.structs.replace(kept.settings, meetings=(), directory=()) == msgspec.structs.replace(
        settings, meetings=(), directory=()
    )


def test_lists_that_change_while_they_are_copied_leave_the_copy_of_before(settings: Settings) -> None:
    copy_of(settings).keep(settings, "one", lambda: "one")
    assert not copy_of(settings).keep(settings, "two", lambda: "three")
    kept = copy_of(settings).load(settings)
    assert kept is not None
    assert kept.digest == "one"
    assert not (Path(settings.state) / "lists.draft").exists()


def test_a_full_disk_leaves_the_copy_of_before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of(settings).keep(settings, "one", lambda: "one")

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(last_lists, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        copy_of(settings).keep(settings, "two", lambda: "two")
    kept = copy_of(settings).load(settings)
    assert kept is not None
    assert kept.digest == "one"


def test_a_death_between_two_copies_leaves_one(settings: Settings) -> None:
    copy_of(settings).keep(settings, "one", lambda: "one")
    state = Path(settings.state)
    (state / "lists").rename(state / "lists.before")
    kept = copy_of(settings).load(settings)
    assert kept is not None
    load_expected([Path(path) for path in kept.settings.meetings])
    assert copy_of(settings).keep(settings, "two", lambda: "two")
    assert sorted(path.name for path in state.iterdir()) == ["lists"]


def test_the_same_lists_are_not_copied_again(settings: Settings) -> None:
    copy_of(settings).keep(settings, "one", lambda: "one")
    index = Path(settings.state) / "lists" / "lists.json"
    before = index.stat().st_ino
    assert copy_of(settings).keep(settings, "one", lambda: "one")
    assert index.stat().st_ino == before


def test_a_copy_that_is_forgotten_is_gone_as_a_whole(settings: Settings) -> None:
    copy_of(settings).keep(settings, "one", lambda: "one")
    assert forget_in(Path(settings.state)) == 3
    assert copy_of(settings).load(settings) is None
    assert forget_in(Path(settings.state)) == 0
