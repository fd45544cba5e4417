"""What is kept of people, and that it goes: retention, forgetting, purging; and that no secret is kept at all."""

import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.cli import main
from monitor.daemon.forgetting import Forgotten, Person, before
from monitor.daemon.ledger import Ledger, Place, line_of, lines_since, rewrite
from monitor.daemon.lock import Lock
from monitor.daemon.memory import Memory
from monitor.daemon.retention import JUMP, Retention, moments_of
from monitor.model.calls import CallOffered, Claims, RosterSeen, RosterUser, SignallingEvent
from monitor.model.evidence import DAY, HOUR, SECOND, Evidence
from monitor.model.meetings import Method
from monitor.model.settings import RetentionSettings
from monitor.outputs.audit import Audit
from monitor.outputs.records import time_of
from tests.corpus import ROOT
from tests.daemon import secrets_world
from tests.daemon.stage import _toml, daemon, frames_of, intruder_by_sip, lists_of_now, mirror

NOW = 1_800_000_000 * SECOND
OUTSIDER = "+31205550177"
BEGINNING = Place(0, 0)


def line(kind: str, days: float, **more: Any) -> dict[str, Any]:
    return {"type": kind, "time": time_of(NOW - round(days * DAY)), "id": f"{kind}-{days}", **more, "rest": "x" * 40}


def ledger_with(folder: Path, *segments: list[dict[str, Any]]) -> Ledger:
    ledger = Ledger(folder / "journal")
    for segment in segments:
        for said in segment:
            ledger.write(said)
        assert ledger.flush()
        ledger.turn()
    return ledger


def said_in(folder: Path, place: Place = BEGINNING) -> list[str]:
    return [said["id"] for _, said in lines_since(folder / "journal", place)]


def run_out(retention: Retention, now: int) -> None:
    for _ in range(10):
        retention.step(now)


# Retention


def test_each_kind_goes_in_its_time_and_every_place_stays_right(tmp_path: Path) -> None:
    kinds = ("alert", "join", "leave", "attempt", "oddity", "summary", "call")
    ledger = ledger_with(
        tmp_path,
        [line(kind, days) for days in (400, 100, 40, 20) for kind in kinds],
        [line("join", 95), line("oddity", 16)],
        [line("join", 1)],
    )
    places = {said["id"]: place for place, said in lines_since(tmp_path / "journal", Place(0, 0))}
    audit = Audit(tmp_path / "audit")
    audit.begin(reasons=False)
    with Memory(tmp_path / "memory.db") as memory:
        run_out(Retention(tmp_path, ledger, memory, RetentionSettings(), audit), NOW)
    ledger.close()
    left = said_in(tmp_path)
    assert left == [
        *("alert-100", "alert-40", "join-40", "leave-40", "summary-40"),
        *("alert-20", "join-20", "leave-20", "attempt-20", "summary-20", "call-20", "join-1"),
    ]
    assert {said["id"]: place for place, said in lines_since(tmp_path / "journal", Place(0, 0))} == {
        name: places[name] for name in left
    }
    for name in left:  # whoever had read so far reads on with the next
        assert said_in(tmp_path, places[name]) == left[left.index(name) + 1 :]
    assert not (tmp_path / "journal" / "00000002.jsonl").exists()
    assert "oddity-" not in (tmp_path / "journal" / "00000001.jsonl").read_text()
    (entry,) = audit.entries()
    assert (entry["action"], entry["erased"]["oddity"]) == ("retention", 5)


def test_a_file_in_which_nothing_is_due_is_not_read_again(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, [line("oddity", 1), line("alert", 1)])
    path = tmp_path / "journal" / "00000001.jsonl"
    with Memory(tmp_path / "memory.db") as memory:
        retention = Retention(tmp_path, ledger, memory, RetentionSettings())
        run_out(retention, NOW)
        path.write_bytes(b"no line of ours\n" + path.read_bytes())
        run_out(retention, NOW + 2 * HOUR)
        assert path.read_bytes().startswith(b"no line")
        run_out(retention, NOW + 7 * DAY)
        run_out(retention, NOW + 14 * DAY)
    ledger.close()
    assert said_in(tmp_path) == ["alert-1"]
    assert not path.read_bytes().startswith(b"no line")


def test_the_file_that_is_written_is_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "journal")
    ledger.write(line("oddity", 100))
    assert ledger.flush()
    with Memory(tmp_path / "memory.db") as memory:
        run_out(Retention(tmp_path, ledger, memory, RetentionSettings()), NOW)
    ledger.close()
    assert said_in(tmp_path) == ["oddity-100"]


def test_a_clock_that_jumps_ahead_erases_nothing_for_a_day(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path, [line("oddity", 1)])
    with Memory(tmp_path / "memory.db") as memory:
        retention = Retention(tmp_path, ledger, memory, RetentionSettings())
        run_out(retention, NOW)
        for later in (0, 23 * HOUR):
            run_out(retention, NOW + 50 * JUMP + later)
            assert said_in(tmp_path) == ["oddity-1"]
        run_out(retention, NOW + 50 * JUMP + 25 * HOUR)
        assert said_in(tmp_path) == []
    ledger.close()


def test_zero_days_keep_for_ever_and_less_than_none_is_refused() -> None:
    moments, others = moments_of(NOW, RetentionSettings(alerts=0, others=0))
    assert (moments["alert"], others) == ("", "")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"alerts": -1}, RetentionSettings)


def test_what_cannot_be_read_has_no_time_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "00000001.jsonl"
    path.write_bytes(b'{"type":"join","time":"2026\n' + line_of(line("join", 1)))
    size = path.stat().st_size
    assert rewrite(path, before({}, "", {})) == 1
    assert path.stat().st_size == size
    assert [json.loads(said)["type"] for said in path.read_bytes().splitlines()] == ["erased", "join"]


# Forgetting

JAN = Person(
    addresses=("tel:+31205550177", "mailto:jan@people.example", "sip:jan@people.example"), names=("Jan Jansen",)
)


@pytest.mark.parametrize(
    "text",
    [
        *("tel:+31205550177", "sip:+31205550177@192.0.2.1", "0205550177", "0031205550177", "+31 x 31205550177"),
        *("mailto:JAN@people.example", "<sip:jan@people.example:5060;x=1>", "jan jansen", '"Jan Jansen" <x>'),
    ],
)
def test_somebody_is_found_however_they_are_written(text: str) -> None:
    forgotten = Forgotten(JAN)
    assert forgotten.is_in(text)
    assert not forgotten.is_in(forgotten.without(text))
    assert len(forgotten.without(text)) <= len(text)


@pytest.mark.parametrize(
    "text", ["tel:+31205550178", "tel:+312055501771", "adjan@people.example", "jan@people.example.org", "Jan Jansens"]
)
def test_others_are_not_taken_for_them(text: str) -> None:
    assert not Forgotten(JAN).is_in(text)


def incident(state: Path) -> Path:
    """The incident as a daemon would have journalled it."""
    (state / "journal").mkdir(parents=True)
    journal = state / "journal" / "00000001.jsonl"
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main(["demo", "--json", str(journal)]) == 0
    return journal


def config_in(folder: Path, **more: Any) -> list[str]:
    lists = lists_of_now(folder / "lists")
    places = {"state": str(folder / "state"), "runtime": str(folder / "run")}
    document = {**lists, **places, "capture": {"interfaces": ["none0"]}, **more}
    (folder / "joinwatch.toml").write_text(_toml(document))
    return ["--config", str(folder / "joinwatch.toml")]


def test_forgetting_leaves_alerts_and_nobody_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = incident(tmp_path / "state")
    lines = [json.loads(said) for said in journal.read_bytes().splitlines()]
    kept = [(said["id"], said["count"], said["rule"]) for said in lines if said["type"] == "alert"]
    size = journal.stat().st_size
    dead = tmp_path / "state" / "pager.dead.jsonl"
    alert = next(said for said in lines if said["type"] == "alert")
    dead.write_bytes(msgspec.json.encode({"reason": "refused", "at": "", "line": alert}) + b"\n")
    config = config_in(tmp_path)
    assert main(["forget", f"tel:{OUTSIDER}", *config, "--dry-run"]) == 0
    assert journal.stat().st_size == size
    assert "14  alert" not in capsys.readouterr().out
    assert OUTSIDER in journal.read_text()
    assert main(["forget", f"tel:{OUTSIDER}", *config, "--yes", "--reason", "case 7"]) == 0
    told = capsys.readouterr().out
    assert "1  join" in told
    assert "8  attempt" in told
    text = journal.read_text()
    assert journal.stat().st_size == size
    assert "5550177" not in text + dead.read_text()
    after = [json.loads(said) for said in text.splitlines()]
    assert [(said["id"], said["count"], said["rule"]) for said in after if said["type"] == "alert"] == kept
    assert {said["subject"][:5] for said in after if said["type"] == "alert"} == {"tel:~"}
    assert main(["audit", "verify", *config]) == 0
    audit = (tmp_path / "state" / "audit" / "00000001.jsonl").read_text()
    assert "5550177" not in audit
    assert audit.count("case 7") == 2


def test_a_name_of_the_directory_stands_for_all_their_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = incident(tmp_path / "state")
    config = config_in(tmp_path, directory=[str(ROOT / "config" / "example" / "directory.vcf")])
    assert "Bram Jansen" in journal.read_text()
    assert main(["forget", "bram jansen", *config, "--yes"]) == 0
    told = capsys.readouterr().out
    assert "also known as mailto:bram.jansen@ministry.example" in told
    for text in ("Bram Jansen", "bram.jansen", "5550114"):
        assert text not in journal.read_text()
    assert "Anna de Vries" in journal.read_text()


def test_a_reason_and_a_yes_are_demanded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    incident(tmp_path / "state")
    config = config_in(tmp_path, audit={"reasons": True})
    asked = [
        ["explain", *config],
        ["explain", "--journal", str(tmp_path / "state" / "journal")],
        ["forget", f"tel:{OUTSIDER}", *config, "--yes"],
        ["purge", "--older-than", "1d", *config, "--yes"],
    ]
    for words in asked:
        assert main(words) == 2
        assert "reasons = true demands one" in capsys.readouterr().err
    assert main(["explain", *config, "--reason", "audit"]) == 0
    assert main(["purge", "--older-than", "ten", *config, "--reason", "x"]) == 2
    assert "such as 90d" in capsys.readouterr().err


def test_purging_by_kind_and_age(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = incident(tmp_path / "state")
    config = config_in(tmp_path)

    def types() -> set[str]:
        return {json.loads(said)["type"] for said in journal.read_bytes().splitlines()}

    assert main(["purge", "--older-than", "90000d", "--kind", "joins", *config, "--yes"]) == 0
    assert "join" in types()
    assert main(["purge", "--older-than", "90d", "--kind", "joins", *config, "--yes"]) == 0
    assert "joins" not in capsys.readouterr().err
    assert types() == {"attempt", "alert", "summary", "erased"}
    assert main(["purge", "--older-than", "90d", *config, "--yes"]) == 0
    assert not journal.exists()


def offered(call: str, uri: str, display: str = "", at: int = NOW) -> CallOffered:
    claims = Claims(uri=uri, display=display, sent_from="192.0.2.1")
    seen = Evidence(capture="eth1", frame=1)
    return CallOffered(
        at=at, evidence=seen, call=call, method=Method.SIP, target="sip:1@x.example", addressed_to="sip:1@x.example",
        caller=claims, sent_to="192.0.2.2",
    )  # fmt: skip


def test_memory_forgets_whole_calls_and_one_of_a_roster(tmp_path: Path) -> None:
    users = tuple(RosterUser(entity=f"sip:{who}@people.example", display=who) for who in ("jan", "piet"))
    roster = RosterSeen(at=NOW, evidence=Evidence(capture="eth1", frame=2), call="roster", users=users)
    events: list[SignallingEvent] = [offered("a", "sip:0205550177@192.0.2.1"), offered("b", "sip:piet@people.example")]
    path = tmp_path / "memory.db"
    memory = Memory(path)
    memory.add([*events, roster])
    memory.say([("join x uninvited tel:+31205550177", NOW, 0), ("alert y", NOW, 9)], "1:1")
    counts = memory.forget(Forgotten(JAN).is_in)
    left = list(memory.events())
    assert counts == {"calls": 1, "events": 1, "rosters": 1, "sayings": 1}
    assert [event.call for event in left] == ["b", "roster"]
    assert isinstance(left[1], RosterSeen)
    assert [user.display for user in left[1].users] == ["piet"]
    assert list(memory.said()) == ["alert y"]
    on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"5550177" not in on_disk
    assert b"jan@" not in on_disk
    assert b"piet@" in on_disk
    memory.close()


def test_who_holds_the_state_folder_holds_it_alone(tmp_path: Path) -> None:
    with Lock(tmp_path), pytest.raises(BlockingIOError):
        Lock(tmp_path)
    Lock(tmp_path).close()


def test_a_daemon_at_work_forgets(tmp_path: Path) -> None:
    with mirror("jwd4f") as port, daemon(tmp_path, [port.near]) as running:
        port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
        running.wait(running.alerts, "an alert")
        (before_it,) = [said for said in running.journal() if said["type"] == "alert"]
        words = ["forget", "sip:mallory@elsewhere.example", "--config", str(running.config), "--yes"]
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, "asked to do it" in done.stderr) == (0, True), done.stderr
        (after,) = [said for said in running.journal() if said["type"] == "alert"]
        assert (after["id"], after["count"]) == (before_it["id"], before_it["count"])
        assert after["subject"].startswith("sip:~")
        port.send([frame for _, frame in intruder_by_sip("two", "trudy")])
        running.wait(lambda: len(running.alerts()) > 1, "a second alert")
        assert running.metric("joinwatch_meetings_active") == 1
        kept = [file for file in running.folder.rglob("*") if file.is_file() and "lists" not in file.parts]
        assert [file for file in kept if b"mallory" in file.read_bytes()] == []
        running.kill()
        running.start()
        assert len(running.alerts()) == 2


# Secrets and people


def hits(texts: Iterable[tuple[str, bytes]], spelled: Callable[[str], set[bytes]]) -> list[tuple[str, str]]:
    found = []
    for where, content in texts:
        for name, secret in secrets_world.SECRETS.items():
            if any(spelling in content for spelling in spelled(secret)):
                found.append((where, name))
    return found


def told_by(*words: str) -> bytes:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with redirect_stdout(out), redirect_stderr(err):
        main(words)
        out.flush()
        err.flush()
        return out.buffer.getvalue() + err.buffer.getvalue()


def planted_lists(folder: Path) -> dict[str, Any]:
    lists = lists_of_now(folder)
    calendar = Path(lists["meetings"][0])
    text = calendar.read_text(encoding="utf-8").replace(
        "DESCRIPTION:",
        f"DESCRIPTION:Pass: https://x.example/j?pwd={secrets_world.EXPECTED['password in its text']} ",
        1,
    )
    calendar.write_text(text, encoding="utf-8", newline="")
    rows = [f"{name},{mail},{number}" for name, number, mail in secrets_world.PEOPLE[:12]]
    (folder / "people.csv").write_text("\n".join(["name,email,phone", *rows]) + "\n")
    return lists


def test_there_are_25_secrets_and_25_people() -> None:
    assert len(secrets_world.SECRETS) == len(secrets_world.PEOPLE) == 25


def test_replay_decode_and_explain_tell_no_secret_and_metrics_nobody(tmp_path: Path) -> None:
    capture, journal, decoded = tmp_path / "planted.pcap", tmp_path / "replay.jsonl", tmp_path / "decode.jsonl"
    capture.write_bytes(secrets_world.world("secrets").pcap())
    lists = planted_lists(tmp_path / "lists")
    expected = ["--meetings", lists["meetings"][0], "--directory", lists["directory"][0], "--policy", lists["policy"]]
    metrics = tmp_path / "metrics.prom"
    told = {
        "replay": told_by(
            "replay", str(capture), *expected, "--json", str(journal), "--metrics-textfile", str(metrics)
        ),
        "decode": told_by("decode", str(capture), "--policy", lists["policy"], "--json", str(decoded)),
        "explain": told_by("explain", "--journal", str(journal)),
        "check": told_by("check", str(tmp_path / "lists")),
    }
    alerts = {said["id"] for said in map(json.loads, journal.read_bytes().splitlines()) if said["type"] == "alert"}
    assert len(alerts) > 8
    for alert in sorted(alerts)[:: len(alerts) // 4]:
        told[alert] = told_by("explain", alert, "--journal", str(journal), "--captures", str(tmp_path))
    texts = [*told.items(), *((file.name, file.read_bytes()) for file in (journal, decoded, metrics))]
    assert hits(texts, secrets_world.spellings) == []
    assert people_in(metrics.read_bytes()) == []


def people_in(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace").casefold()
    return [part for person in secrets_world.PEOPLE for part in person if part.casefold().lstrip("+") in text]


@pytest.mark.parametrize("hidden", [False, True], ids=["by name", "by pseudonym"])
def test_a_daemon_keeps_no_secret_and_its_metrics_and_log_know_nobody(tmp_path: Path, hidden: bool) -> None:
    named = secrets_world.files_of_operator(tmp_path / "lists" / "operator")
    lists = planted_lists(tmp_path / "lists")
    more: dict[str, Any] = {"audit": {"enabled": True}}
    if hidden:
        lists["pseudonyms"] = str(named["pseudonyms"])
    frames = [frame for _, frame in frames_of(secrets_world.world("secrets"))]
    with mirror("jwd4s") as port, daemon(tmp_path, [port.near], lists=lists, **more) as running:
        port.send(frames, pause=0.0005)
        running.wait(lambda: len(running.alerts()) >= 20, "twenty alerts")
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=5) as answer:
            metrics = answer.read()
        broken = tmp_path / "lists" / "people.csv"
        name, number, mail = secrets_world.PEOPLE[0]
        broken.write_text(f"name,email,phone\n{name},{mail}x@@,{number}{number}\n")
        running.kill("serve")  # it starts anew, finds the list broken, and says so in the log
        running.wait(lambda: b"people.csv:2: expected" in running.log.read_bytes(), "a word on the broken list")
        journal = b"".join(file.read_bytes() for file in (tmp_path / "state" / "journal").iterdir())
        kept = [file for file in tmp_path.rglob("*") if file.is_file() and "lists" not in file.parts]
        while_at_work = [(str(file), file.read_bytes()) for file in kept]
    assert any("memory.db-wal" in name for name, _ in while_at_work)
    after = [(str(file), file.read_bytes()) for file in kept if file.exists()]
    assert hits([*while_at_work, *after, ("metrics", metrics)], secrets_world.spellings) == []
    assert people_in(metrics) == []
    assert people_in(running.log.read_bytes()) == []
    assert bool(people_in(journal)) is not hidden
