"""Sinks and suppressions in the daemon as a whole; and the journal within its room."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from monitor.cli.watch import check_lists
from monitor.daemon.ledger import Place, segments_in
from monitor.daemon.quiet import Quiet, check_outwards
from monitor.daemon.room import Room
from monitor.daemon.spool import Note
from monitor.model.settings import Settings
from monitor.model.sinks import WebhookSink
from monitor.outputs.metrics import Metrics
from tests.daemon.receivers import SECRET, Receiver, alert, journal_of
from tests.daemon.stage import Daemon, intruder_by_sip, mirror
from tests.outputs.outputs_samples import PIN_BYPASS, RULES, UNINVITED


def test_an_alert_reaches_a_webhook_and_what_is_suppressed_does_not(tmp_path: Path) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    (tmp_path / "quiet.toml").write_text(
        f'[[suppression]]\nsubject = "sip:trudy@elsewhere.example"\nuntil = {tomorrow}\n'
        'owner = "Anna"\nreason = "the auditor"\n[[suppression]]\nplatform = "zoom"\nuntil = 2020-01-01\n'
        'owner = "Bram"\nreason = "a pilot"\n',
        encoding="utf-8",
    )
    (tmp_path / "secret").write_text(SECRET, encoding="ascii")
    there = Receiver()
    with mirror("jwsink") as port:
        running = Daemon(tmp_path, [port.near], suppressions="quiet.toml")
        with running.config.open("a", encoding="utf-8") as config:
            config.write(
                f'[sinks.hook]\nkind = "webhook"\nurl = "{there.url}"\nsecret_file = "secret"\npeople = true\n'
            )
        try:
            running.start()
            port.send([frame for _, frame in intruder_by_sip("quiet", "trudy")])
            port.send([frame for _, frame in intruder_by_sip("loud", "mallory")])
            running.wait(lambda: len(running.alerts()) == 2, "two alerts")
            running.wait(lambda: there.got, "a delivery")
            (said,) = [msgspec.json.decode(body) for _, body, _ in there.got]
            assert said["subject"] == "sip:mallory@elsewhere.example"
            assert there.unsigned == 0
            (marked,) = [line for line in running.journal() if line.get("suppressed")]
            assert marked["subject"] == "sip:trudy@elsewhere.example"
            assert marked["suppressed"]["owner"] == "Anna"
            rule = 'rule="uninvited-participant"'
            assert running.metric(f"joinwatch_alerts_suppressed_total{{{rule}}}") == 1
            assert running.metric(f'joinwatch_alerts_total{{{rule},severity="high"}}') == 1
            assert running.metric(f'joinwatch_alerts_active{{{rule},severity="high"}}') == 1
            assert running.metric('joinwatch_suppressions{state="expired"}') == 1
            assert running.metric('joinwatch_sink_delivered_total{sink="hook"}') == 1
            assert "this suppression expired on 2020-01-01: its alerts are told" in running.log.read_text("utf-8")
            status = Path(f"/proc/{running.pid_of('deliver')}/status").read_text("ascii")
            assert "CapEff:\t0000000000000000" in status
            assert "NoNewPrivs:\t1" in status
        finally:
            running.stop()
            there.close()


def test_a_suppressed_alert_is_counted_once_and_is_not_active() -> None:
    metrics = Metrics(rules=RULES)
    metrics.write(UNINVITED)
    for _ in range(3):
        metrics.suppress(PIN_BYPASS)
    metrics.suppress(UNINVITED)
    text = metrics.text().decode()
    assert 'joinwatch_alerts_suppressed_total{rule="pin-bypass"} 1.0' in text
    assert 'joinwatch_alerts_suppressed_total{rule="uninvited-participant"} 1.0' in text
    assert 'joinwatch_alerts_total{rule="pin-bypass",severity="high"} 0.0' in text
    assert 'joinwatch_alerts_active{rule="uninvited-participant",severity="high"} 0.0' in text


def room(state: Path, sinks: dict[str, Place], needed: Place, mebibytes: int = 0) -> tuple[Room, list[str]]:
    said: list[str] = []
    for name, place in sinks.items():
        (state / f"{name}.place").write_bytes(msgspec.json.encode(Note(place=str(place))))
    made = Room(state, mebibytes, sinks, lambda: needed, said.append)
    made._most = 3000
    return made, said


def test_files_that_every_sink_has_read_go_first_and_quietly(tmp_path: Path) -> None:
    journal_of(tmp_path, [alert(n) for n in range(8)], segment_bytes=1000)
    made, said = room(tmp_path, {"one": Place(7, 0), "two": Place(8, 10)}, Place(9, 0))
    made.make()
    left = segments_in(tmp_path / "journal")
    assert left[-1] == 9
    assert len(left) <= 4
    assert (said, made.forced) == ([], 0)


def test_what_a_sink_has_not_read_goes_only_when_there_is_no_room_and_that_is_told(tmp_path: Path) -> None:
    journal_of(tmp_path, [alert(n) for n in range(8)], segment_bytes=1000)
    made, said = room(tmp_path, {"one": Place(9, 0), "slow": Place(2, 10)}, Place(9, 0))
    made.make()
    assert made.forced == len(said) > 0
    assert said[0] == "journal: no room; file 2 goes, though it was not delivered to the end to: slow"


def test_what_the_daemon_itself_needs_stays(tmp_path: Path) -> None:
    journal_of(tmp_path, [alert(n) for n in range(8)], segment_bytes=1000)
    made, _ = room(tmp_path, {}, Place(3, 0))
    made.make()
    assert segments_in(tmp_path / "journal")[0] == 3


def test_mistakes_in_what_sinks_need_are_told_before_anything_starts(tmp_path: Path) -> None:
    import pytest

    from monitor.model.problems import ConfigError

    (tmp_path / "secret").write_text("short\n", encoding="ascii")
    sink = WebhookSink(url="http://192.0.2.1/", secret_file=str(tmp_path / "secret"))
    with pytest.raises(ConfigError, match="24 to 64 bytes"):
        check_outwards(Settings(sinks={"hook": sink}))
    (tmp_path / "quiet.toml").write_text("[[suppression]]\n", encoding="ascii")
    config = tmp_path / "joinwatch.toml"
    config.write_text('[capture]\ninterfaces = ["eth1"]\n', encoding="ascii")
    with pytest.raises(ConfigError, match="without owner"):
        check_lists(config, Settings(suppressions=str(tmp_path / "quiet.toml"), state=str(tmp_path)))
    assert Quiet(None, lambda _: None).load().entries == ()


def test_suppressions_count_when_they_are_in_force_and_not_when_they_are_read(tmp_path: Path) -> None:
    def told() -> dict[str, float]:
        return {sample.labels["state"]: sample.value for family in quiet.collect() for sample in family.samples}

    path = tmp_path / "quiet.toml"
    entry = '[[suppression]]\nowner = "soc"\nreason = "a test"\nuntil = {}-12-31\nsubject = "sip:a@people.example"\n'
    path.write_text(entry.format(2099) + entry.format(2020), encoding="utf-8")
    log: list[str] = []
    quiet = Quiet(str(path), log.append)
    found = quiet.load()
    assert len(found.entries) == 2
    assert len(log) == 1
    assert told() == {"active": 0, "expired": 0}
    quiet.take(found)
    assert told() == {"active": 1, "expired": 1}
