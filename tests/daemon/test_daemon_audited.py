"""What the audit log of a daemon has: every look, every export, every erasure, and who is kept quiet by whom."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.cli import main
from monitor.daemon.lists import Lists
from monitor.daemon.quiet import Quiet
from monitor.daemon.serve import Serve
from monitor.outputs.audit import Audit
from monitor.outputs.metrics import Metrics
from monitor.sources.settings import load_settings
from tests.daemon.receivers import alert, journal_of
from tests.daemon.stage import lists_of_now

SECRET_NUMBER = "+31205550166"
ENTRY = """
[[suppression]]
owner = "{owner}"
reason = "Secret Person asks"
until = 2099-12-31
rule = "anonymous-participant"
subject = "{subject}"
"""


class World:
    """A daemon's folder with suppressions, and its serve, in one life after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.quiet = folder / "quiet.toml"
        self.say()
        lists = lists_of_now(folder / "lists")
        self.config = folder / "joinwatch.toml"
        self.config.write_text(
            "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in lists.items())
            + f'suppressions = "{self.quiet}"\nstate = "{self.state}"\n[capture]\ninterfaces = ["eth1"]\n',
            encoding="utf-8",
        )
        self.state.mkdir()
        self.audit = Audit(self.state / "audit")
        self.audit.begin(reasons=False)

    def say(self, *subjects: str, owner: str = "soc") -> None:
        """From now on these are kept quiet."""
        text = "".join(ENTRY.format(owner=owner, subject=subject) for subject in subjects)
        self.quiet.write_text(text, encoding="utf-8")

    def life(self) -> Serve:
        lists = Lists(self.config, load_settings(self.config))
        quiet = Quiet(str(self.quiet), lambda _: None)
        place = str(self.folder / "events.sock")
        return Serve(place, self.state, lists.load, Metrics(), audit=self.audit, suppressions=quiet.load)

    def entries(self, action: str = "") -> list[dict[str, Any]]:
        return [entry for entry in self.audit.entries() if action in ("", entry["action"])]

    def run(self, *words: str) -> int:
        return main([*words, "--config", str(self.config)])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    assert made.audit.verify().broken == ()
    text = "".join(path.read_text(encoding="utf-8") for path in (made.state / "audit").glob("*.jsonl"))
    assert SECRET_NUMBER[1:] not in text
    assert "Secret" not in text


def test_each_change_of_suppressions_is_an_entry_whoever_ran_meanwhile(world: World) -> None:
    first, second = f"tel:{SECRET_NUMBER}", "sip:secret@people.example"
    serve = world.life()
    assert world.entries("suppress") == []
    world.say(first)
    assert serve.try_reload() == ()
    (entry,) = world.entries("suppress")
    known = {name: entry[name] for name in ("state", "owner", "rule", "subject", "until")}
    assert known == {
        "state": "in force",
        "owner": "soc",
        "rule": "anonymous-participant",
        "subject": world.audit.subject(first),
        "until": "2099-12-31",
    }
    world.quiet.write_text("[[suppression]]\n", encoding="utf-8")
    assert serve.try_reload()
    world.quiet.write_text("# moved down\n" + ENTRY.format(owner="soc", subject=first), encoding="utf-8")
    assert serve.try_reload() == ()
    assert world.entries("suppress") == [entry], "neither a refused one nor another line is a change"
    serve.close()

    world.say(first, second, owner="noc")  # while nobody runs
    serve = world.life()
    assert [(said["state"], said.get("owner")) for said in world.entries("suppress")[1:]] == [
        ("gone", None),
        ("in force", "noc"),
        ("in force", "noc"),
    ]
    assert world.entries("suppress")[1]["about"] == entry["about"]
    serve.close()
    assert [said["action"] for said in world.entries() if said["action"] != "suppress"] == [
        *("start", "reload", "reload", "reload", "stop", "start", "stop")
    ]


def test_each_look_at_a_daemons_alerts_and_each_erasure_is_an_entry(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    one = alert(1, time.time(), subject=f"tel:{SECRET_NUMBER}")
    journal_of(world.state, [one])
    world.say(f"tel:{SECRET_NUMBER}")
    journal = str(world.state / "journal")
    assert world.run("explain") == 0
    assert world.run("explain", one["id"], "--reason", "case 1") == 0
    assert main(["explain", one["id"], "--journal", journal]) == 0
    assert main(["suppressions", str(world.quiet), "--test", journal, "--reason", "case 2"]) in (0, 1)
    assert main(["suppressions", str(world.quiet), "--test", f"{journal}/00000001.jsonl"]) in (0, 1)
    assert SECRET_NUMBER in capsys.readouterr().out, "there was something to be seen"
    assert main(["suppressions", str(world.quiet)]) == 0, "which looks at no journal"
    assert world.run("forget", f"tel:{SECRET_NUMBER}", "--dry-run") == 0
    assert world.run("forget", f"tel:{SECRET_NUMBER}", "--yes") == 0
    assert world.run("purge", "--older-than", "1d", "--yes") == 0
    assert [(entry["action"], entry["reason"]) for entry in world.entries()] == [
        ("list alerts", ""),
        ("explain", "case 1"),
        ("explain", ""),
        ("list alerts", "case 2"),
        ("list alerts", ""),
        *[("forget", "")] * 3,
        *[("purge", "")] * 2,
    ]


def test_who_must_say_why_sees_nothing_without(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    journal_of(world.state, [alert(1, time.time(), subject=f"tel:{SECRET_NUMBER}")])
    world.say(f"tel:{SECRET_NUMBER}")
    world.audit.begin(reasons=True)
    assert main(["suppressions", str(world.quiet), "--test", str(world.state / "journal")]) == 2
    told = capsys.readouterr()
    assert SECRET_NUMBER not in told.out
    assert "demands one" in told.err
    assert world.entries() == []
