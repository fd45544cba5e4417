"""Somebody who was planted in every corner of the state folder of a daemon at work, and is forgotten."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from monitor.daemon.spool import Changed, Note, Spool, change_note, note_in
from tests.corpus import ROOT
from tests.daemon.receivers import Receiver
from tests.daemon.stage import Daemon, intruder_by_sip
from tests.daemon.test_daemon_hep import hearing, reports_of, send

SCHEMA = Draft202012Validator(msgspec.json.decode((ROOT / "monitor" / "outputs" / "journal.schema.json").read_bytes()))
linux = pytest.mark.skipif(sys.platform != "linux", reason="the daemon needs Linux")


def cli(running: Daemon, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "monitor", words[0], *words[1:], "--config", str(running.config)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def traces(folder: Path) -> list[str]:
    """Files in which she can be found."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and any(name in path.read_bytes().lower() for name in (b"mallory", b"malin")):
            found.append(str(path.relative_to(folder)))
    return sorted(found)


@linux
def test_nothing_in_the_state_folder_knows_whoever_was_forgotten(tmp_path: Path) -> None:
    with ExitStack() as ended:
        pager, refuser = Receiver(), Receiver()
        ended.callback(pager.close)
        ended.callback(refuser.close)
        refuser.mode = 400
        running = hearing(tmp_path, "127.0.0.1")
        people = tmp_path / "lists" / "people.csv"
        people.write_text(people.read_text(encoding="utf-8") + "Mallory Malin,mallory@elsewhere.example,\n")
        secret = tmp_path / "secret"
        secret.write_text("a secret of thirty-two characters\n", encoding="ascii")
        text = running.config.read_text(encoding="utf-8")
        text += f'[sinks.pager]\nkind = "alertmanager"\nurl = "http://127.0.0.1:{pager.port}"\npeople = true\n'
        text += f'[sinks.refuser]\nkind = "webhook"\nurl = "http://127.0.0.1:{refuser.port}/"\n'
        text += f'secret_file = "{secret}"\npeople = true\n'
        running.config.write_text(text, encoding="utf-8")
        ended.callback(running.stop)
        running.start()
        state = tmp_path / "state"
        send(running, reports_of(intruder_by_sip("planted", "mallory")))
        running.wait(running.alerts, "an alert")
        (state / "memory.db.broken").write_bytes(b"broken mallory")
        (state / "quarantine").mkdir()
        (state / "quarantine" / "one.pcap").write_bytes(b"Mallory Malin")
        corners = {
            "journal/00000001.jsonl",
            "lists.kept",
            "memory.db-wal",
            "memory.db.broken",
            "pager.place",
            "quarantine/one.pcap",
            "refuser.dead.jsonl",
        }
        running.wait(lambda: corners <= set(traces(state)), "her in every corner")

        done = cli(running, "forget", "Mallory Malin", "--yes", "--reason", "case 8")
        assert done.returncode == 0, done.stderr
        running.wait(lambda: traces(state) == [], "nobody left")
        assert traces(tmp_path / "run") == []
        (alert,) = [said for said in running.journal() if said["type"] == "alert"]
        assert alert["subject"].startswith("sip:~")
        for said in running.journal():
            SCHEMA.validate(said)
        before = note_in(state / "pager.place")
        assert before is not None
        assert len(before.kept["active"]) == 1, "the alert goes on, about nobody"

        # Everybody goes on with their work, and nobody brings her back.
        send(running, reports_of(intruder_by_sip("another", "trudy")))
        running.wait(lambda: len(running.alerts()) > 1, "another alert")
        running.wait(lambda: len((note_in(state / "pager.place") or Note()).kept["active"]) > 1, "its delivery")
        assert traces(state) == []
        assert cli(running, "audit", "verify").returncode == 0
        shown = cli(running, "audit", "show").stdout
        assert shown.count("  forget  ") == 2
        assert "allory" not in shown
        assert "case 8" in shown


def test_a_sink_notices_that_its_note_was_changed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "pager")
    kept: dict[str, Any] = {"active": {"a": {"whom": "tel:+31205550177 webex 1", "until": 5.0}}, "present": {}}
    spool.note.kept, spool.note.place = kept, "1:99"
    spool.write()
    spool.write()
    path = tmp_path / "pager.place"
    assert not change_note(path, lambda text: text)
    spool.write()
    assert change_note(path, lambda text: text.replace("tel:+31205550177", "~"))
    for do in (spool.look, spool.write):
        with pytest.raises(Changed):
            do()
    fresh = Spool(tmp_path, "pager")
    assert fresh.note.kept == {"active": {"a": {"whom": "~ webex 1", "until": 5.0}}, "present": {}}
    assert fresh.note.place == "1:99"
    fresh.write()


def test_a_note_that_is_changed_while_it_is_written_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, "pager")
    spool.note.kept = {"whom": "tel:+31205550177"}
    spool.write()
    replace = Path.replace

    def changed(draft: Path, place: Path) -> Path:
        done = replace(draft, place)
        with monkeypatch.context() as within:
            within.setattr(Path, "replace", replace)
            change_note(place, lambda text: text.replace("tel:+31205550177", "~"))
        return done

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Path, "replace", changed)
        spool.write()
    with pytest.raises(Changed):
        spool.write()
    assert (note_in(spool.path) or Note()).kept == {"whom": "~"}
