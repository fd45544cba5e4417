"""Lists that change under a daemon at work: a broken one keeps the old, a good one judges anew who is there now."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from monitor.daemon.lists import Lists
from monitor.daemon.serve import Serve
from monitor.daemon.watching import LONGEST_SECONDS, Watching
from monitor.detections import rule_infos
from monitor.outputs.metrics import Metrics
from monitor.platforms import known_platforms
from monitor.sources.settings import load_settings
from tests.corpus import ROOT
from tests.daemon.stage import Daemon, daemon, intruder_by_sip, lists_of_now, mirror

SCHEMA = Draft202012Validator(msgspec.json.decode((ROOT / "monitor" / "outputs" / "journal.schema.json").read_bytes()))
MALLORY = "sip:mallory@elsewhere.example"
UNINVITED = "uninvited-participant"
BEGINS = "DTSTART:2"
"""How the meeting's begin is written, and no time zone's."""
SOON = 5.0
"""Seconds in which a good list takes effect."""


class World:
    """A serve of our own, with real lists, and neither decoder nor network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lists = lists_of_now(folder / "lists")
        self.calendar, self.people = folder / "lists" / "now.ics", folder / "lists" / "people.csv"
        self.policy, self.config = folder / "lists" / "policy.toml", folder / "joinwatch.toml"
        self.config.write_text(
            "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in lists.items())
            + f'state = "{folder / "state"}"\nruntime = "{folder / "run"}"\n[capture]\ninterfaces = ["eth1"]\n',
            encoding="utf-8",
        )
        self.log: list[str] = []
        self.lists = Lists(self.config, load_settings(self.config))
        self.metrics = Metrics(rules=rule_infos(), platforms=known_platforms())
        for name in ("run", "state"):
            (folder / name).mkdir()
        self.serve = Serve(
            str(folder / "run" / "events.sock"),
            folder / "state",
            self.lists.load,
            self.metrics,
            needs_restart=lambda: self.lists.needs_restart,
            say=self.log.append,
        )

    def reloads(self) -> list[dict[str, Any]]:
        """What the journal says of them."""
        self.serve.step(0)
        files = sorted((self.folder / "state" / "journal").glob("*.jsonl"))
        lines = [msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines()]
        return [line for line in lines if line["type"] == "reload"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.serve.close()


def _broken(world: World, chance: random.Random) -> tuple[Path, str, int]:
    """One of the files with one of its lines spoilt: which, how it was, and which line."""
    file, spoil = chance.choice(
        [
            (world.calendar, "DTSTART:2026-99-99"),
            (world.calendar, "DTEND"),
            (world.people, "Anna de Vries,no address at all,"),
            (world.people, "Bram Bakker,bram@ministry.example,number twelve"),
            (world.policy, "[rules]]"),
            (world.policy, 'no_such_key = "1"'),
            (world.config, "[capture"),
            (world.config, "no_such_key = 1"),
        ]
    )
    good = file.read_text(encoding="utf-8")
    lines = good.splitlines()
    name = spoil.split(":")[0]
    if file == world.calendar:
        at = max(n for n, line in enumerate(lines) if line.startswith(f"{name}:"))
        lines[at] = spoil
    elif file == world.people:
        at = chance.randrange(1, len(lines))
        lines[at] = spoil
    else:
        at = 0
        lines.insert(0, spoil)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file, good, at + 1


def test_two_hundred_broken_reloads_keep_the_old_lists_and_name_file_and_line(world: World) -> None:
    chance = random.Random(4)
    kept = world.serve.expected
    for _ in range(200):
        file, good, line = _broken(world, chance)
        problems = world.serve.try_reload()
        assert any(problem.file == str(file) and problem.line == line for problem in problems), (file, line, problems)
        assert world.serve.expected is kept
        assert not world.metrics.reload_succeeded
        assert any(said.startswith(f"{file}:{line}: ") for said in world.log)
        file.write_text(good, encoding="utf-8")
        world.log.clear()
    assert world.serve.try_reload() == ()
    assert world.metrics.reload_succeeded
    assert world.serve.expected is not kept
    said = world.reloads()
    assert [one["successful"] for one in said] == [False] * 200 + [True]
    assert all(one["mistakes"][0]["line"] for one in said[:200])
    for one in said:
        SCHEMA.validate(one)


def test_what_stands_in_a_list_of_people_is_never_in_the_log(world: World) -> None:
    world.people.write_text("name,email,phone\nSecret Person,,twelve\n", encoding="utf-8")
    assert world.serve.try_reload()
    assert world.reloads()[0]["mistakes"][0]["found"] == "number `twelve`"
    assert not any("Secret" in line or "twelve" in line for line in world.log)


def test_a_bug_in_a_reader_is_a_refused_reload_and_no_death(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RecursionError("Secret Person")

    monkeypatch.setattr(world.serve._reading, "_load", fail)
    kept = world.serve.expected
    (problem,) = world.serve.try_reload()
    assert (problem.found, world.serve.expected) == ("RecursionError", kept)


def test_a_changed_interface_is_said_to_need_a_restart(world: World) -> None:
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace('["eth1"]', '["eth2"]'), encoding="utf-8")
    assert world.serve.try_reload() == ()
    assert world.reloads()[0]["needs_restart"] == ["capture"]
    assert "capture has changed in the configuration: restart joinwatch to take that" in world.log


def test_another_calendar_in_the_configuration_is_taken_and_watched(world: World) -> None:
    other = world.folder / "lists" / "other.ics"
    other.write_bytes(world.calendar.read_bytes())
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("now.ics", "other.ics"), encoding="utf-8")
    assert world.serve.try_reload() == ()
    assert other in list(world.lists.paths())


def test_files_are_read_beside_the_loop_and_taken_in_it(world: World) -> None:
    wish, kept = world.serve.wish_reload(), world.serve.expected
    end = time.monotonic() + 20
    while not wish.done() and time.monotonic() < end:
        assert world.serve.expected is kept
        world.serve.step(0.01)
    assert wish.result(0) == ()
    assert world.serve.expected is not kept


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _changing(file: Path, how: Callable[[Path], None]) -> None:
    """Surely another file than before, however coarse the file system's clock."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    how(file)
    if file.exists():
        os.utime(file, ns=(before + 10**9, before + 10**9))


def test_a_change_is_taken_when_nothing_has_changed_for_a_second(tmp_path: Path) -> None:
    file, clock = tmp_path / "a.ics", Clock()
    file.write_text("one", encoding="ascii")
    watching = Watching(lambda: [tmp_path], clock)
    assert not watching.is_due()
    for text in ("o", "other", "another"):
        _changing(file, lambda path, text=text: path.write_text(text, encoding="ascii"))  # type: ignore[misc]
        assert not watching.is_due()
        clock.now += 0.5
    clock.now += 0.6
    assert watching.is_due()
    assert not watching.is_due()


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.rename(path.with_name("c.ics")), id="renamed"),
        pytest.param(lambda path: path.chmod(0o600), id="permissions"),
        pytest.param(lambda path: (path.parent / "new.vcf").touch(), id="one more"),
    ],
)
def test_a_folder_is_watched(tmp_path: Path, how: Callable[[Path], None]) -> None:
    file, clock = tmp_path / "deep" / "a.ics", Clock()
    file.parent.mkdir()
    file.write_text("one", encoding="ascii")
    file.chmod(0o644)
    watching = Watching(lambda: [tmp_path], clock)
    how(file)
    assert not watching.is_due()
    clock.now += 1.1
    assert watching.is_due()


def test_what_an_editor_leaves_in_a_folder_does_not_count(tmp_path: Path) -> None:
    clock = Clock()
    watching = Watching(lambda: [tmp_path, tmp_path / "nowhere"], clock)
    (tmp_path / ".a.ics.swp").write_text("x", encoding="ascii")
    clock.now += 2
    assert not watching.is_due()


def test_changes_without_end_are_taken_now_and_then(tmp_path: Path) -> None:
    file, clock = tmp_path / "a.ics", Clock()
    file.write_text("0", encoding="ascii")
    watching = Watching(lambda: [file], clock)
    taken = 0
    for size in range(int(LONGEST_SECONDS * 2.5 / 0.5)):
        file.write_text("x" * size, encoding="ascii")
        taken += watching.is_due()
        clock.now += 0.5
    assert taken == 2


def _write(file: Path, text: str) -> float:
    """As careful editors do: another file takes its place. When that was."""
    draft = file.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8", newline="")
    draft.replace(file)
    return time.monotonic()


def _of(running: Daemon, kind: str) -> list[dict[str, Any]]:
    return [said for said in running.journal() if said["type"] == kind]


def test_who_is_invited_after_all_is_alerted_no_more_and_who_is_taken_off_is(tmp_path: Path) -> None:
    active = f'joinwatch_alerts_active{{rule="{UNINVITED}",severity="high"}}'
    with mirror("jwd3a") as port, daemon(tmp_path, [port.near]) as running:
        calendar = tmp_path / "lists" / "now.ics"
        without = calendar.read_bytes().decode()
        invited = without.replace("END:VEVENT", f"ATTENDEE:{MALLORY}\r\nEND:VEVENT")
        port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
        running.wait(running.alerts, "an alert")
        assert running.alerts() == [(UNINVITED, MALLORY)]
        assert running.metric(active) == 1

        changed = _write(calendar, invited)
        running.wait(lambda: running.metric(active) == 0, "an alert less")
        assert time.monotonic() - changed < SOON
        first, withdrawn = _of(running, "alert")
        assert withdrawn == {**first, "time": withdrawn["time"], "withdrawn": "the lists were changed"}
        assert [join["verdict"] for join in _of(running, "join")] == ["uninvited", "invited"]
        assert running.metric('joinwatch_participants_active{verdict="invited"}') == 1

        changed = _write(calendar, without)
        running.wait(lambda: running.metric(active) == 1, "the alert again")
        assert time.monotonic() - changed < SOON
        assert ["withdrawn" in alert for alert in _of(running, "alert")] == [False, True, False]
        assert [join["verdict"] for join in _of(running, "join")] == ["uninvited", "invited", "uninvited"]

        running.kill("serve")
        running.wait(lambda: running.metric(active) == 1, "another life of serve")
        assert len(_of(running, "alert")) == 3
        assert [one["successful"] for one in _of(running, "reload")] == [True, True]
        for said in running.journal():
            SCHEMA.validate(said)


def test_broken_calendars_under_a_live_daemon_blind_it_never(tmp_path: Path) -> None:
    last = "joinwatch_config_last_reload_successful"
    with mirror("jwd3b") as port, daemon(tmp_path, [port.near]) as running:
        calendar = tmp_path / "lists" / "now.ics"
        good = calendar.read_bytes().decode()
        for count in range(10):
            _write(calendar, good.replace(BEGINS, f"DTSTART:nonsense-{count}"))
            os.kill(running.pid, signal.SIGHUP)
            running.wait(lambda told=f"nonsense-{count}": told in str(_of(running, "reload")), "a refused reload")
        assert running.metric(last) == 0
        port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
        running.wait(running.alerts, "an alert under the lists of before")
        _write(calendar, good)
        running.wait(lambda: running.metric(last) == 1, "a good reload")
        reloads = _of(running, "reload")
        assert [one["successful"] for one in reloads] == [False] * (len(reloads) - 1) + [True]
        assert all(one["mistakes"][0]["file"] == str(calendar) for one in reloads[:-1])
        spoilt = next(n for n, line in enumerate(good.split("\r\n"), 1) if line.startswith(BEGINS))
        assert {one["mistakes"][0]["line"] for one in reloads[:-1]} == {spoilt}
        assert running.alerts() == [(UNINVITED, MALLORY)]
        assert "nonsense" not in running.log.read_text(encoding="utf-8")
