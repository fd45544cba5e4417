"""Alerts in Alertmanager: they fire, are told again, are grouped, and are resolved. Also in the real one."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.daemon.deliver import Deliver
from monitor.model.alerts import Severity
from monitor.model.sinks import AlertmanagerSink
from monitor.outputs.mappings import message_of
from monitor.outputs.records import object_of
from monitor.outputs.sinks import Refused, Unreachable
from monitor.outputs.sinks.alertmanager import ACTIVE_SECONDS, FIRES_SECONDS, Alertmanager, rfc3339, seconds_of
from tests.daemon.receivers import alert, journal_of
from tests.outputs.outputs_samples import P_STRANGER, PIN_BYPASS, TEN, UNINVITED, joined, left

NOW = TEN / 1e9 + 300


class Wire:
    """What was posted, instead of a network."""

    def __init__(self) -> None:
        self.posted: list[list[dict[str, Any]]] = []
        self.trouble: Exception | None = None

    def post(self, body: bytes, headers: object = None) -> None:
        if self.trouble:
            raise self.trouble
        self.posted.append(json.loads(body))

    def close(self) -> None: ...


class Time:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def made(clock: Time, kept: dict[str, Any] | None = None, **more: Any) -> tuple[Alertmanager, Wire]:
    sink = Alertmanager(AlertmanagerSink(url="http://192.0.2.1:9093", **more), kept or {}, clock)
    wire = Wire()
    sink._poster = wire  # type: ignore[assignment]
    return sink, wire


def lines(*records: Any) -> list[dict[str, Any]]:
    said = [object_of(record, TEN) for record in records]
    return [one for one in said if one is not None]


def test_labels_are_a_closed_list_and_nobody_is_named_unless_that_is_allowed() -> None:
    sink, wire = made(Time(NOW), sensor="hague-1")
    sink.deliver(lines(UNINVITED))
    ((posted,),) = wire.posted
    assert posted["labels"] == {
        "alertname": "uninvited-participant",
        "severity": "high",
        "platform": "webex",
        "alert_id": UNINVITED.id,
        "sensor": "hague-1",
    }
    text = json.dumps(posted)
    for secret in ("5550199", "Briefing", "briefing", "192.0.2.10", "27311234567"):
        assert secret not in text
    sink, wire = made(Time(NOW), people=True)
    sink.deliver(lines(UNINVITED))
    ((posted,),) = wire.posted
    assert posted["annotations"]["subject"] == "tel:+31205550199"
    assert posted["annotations"]["title"] == "Briefing water safety"
    assert "5550199" not in json.dumps(posted["labels"])


def test_it_is_resolved_when_the_intruder_leaves_and_not_before_somebody_was_told() -> None:
    clock = Time(NOW)
    sink, wire = made(clock)
    sink.deliver(lines(joined(P_STRANGER), UNINVITED, PIN_BYPASS))
    assert [len(post) for post in wire.posted] == [2]
    sink.deliver(lines(left(P_STRANGER, 6)))
    assert {one["labels"]["alertname"] for one in wire.posted[-1]} == {"uninvited-participant", "pin-bypass"}
    ends = seconds_of(wire.posted[-1][0]["endsAt"])
    assert ends == pytest.approx(NOW + FIRES_SECONDS)  # they left at once, and it fires all the same
    assert 0 < sink.due() <= 60
    clock.now = ends + 1
    assert sink.due() == 0
    sink.again()
    assert seconds_of(wire.posted[-1][0]["endsAt"]) < clock.now
    assert sink.kept()["active"] == {}


def test_it_is_resolved_when_a_change_of_lists_excuses_it() -> None:
    clock = Time(NOW)
    sink, wire = made(clock)
    sink.deliver(lines(UNINVITED, PIN_BYPASS))
    clock.now = NOW + FIRES_SECONDS + 1
    (line,) = lines(UNINVITED)
    withdrawn = {**line, "time": rfc3339(clock.now), "withdrawn": "the lists were changed"}
    sink.deliver([withdrawn])
    ((posted,),) = wire.posted[1:]
    assert posted["labels"]["alertname"] == "uninvited-participant"
    assert seconds_of(posted["endsAt"]) <= clock.now
    assert [firing["labels"]["alertname"] for firing in sink.kept()["active"].values()] == ["pin-bypass"]
    assert message_of(withdrawn).startswith("Withdrawn (the lists were changed): ")
    sink.deliver([withdrawn])
    assert len(wire.posted) == 2


def test_it_stays_while_another_of_the_same_number_is_in_the_meeting() -> None:
    sink, _ = made(Time(NOW))
    twin = P_STRANGER.__class__(
        **{name: getattr(P_STRANGER, name) for name in P_STRANGER.__struct_fields__} | {"id": "7"}
    )
    sink.deliver(lines(joined(P_STRANGER), joined(twin), UNINVITED))
    before = sink.kept()["active"]
    sink.deliver(lines(left(twin, 6)))
    assert sink.kept()["active"] == before
    sink.deliver(lines(left(P_STRANGER, 6)))
    assert sink.kept()["active"] != before


def test_it_is_over_an_hour_after_it_was_last_seen() -> None:
    clock = Time(NOW)
    sink, wire = made(clock)
    sink.deliver(lines(UNINVITED))
    assert seconds_of(wire.posted[0][0]["endsAt"]) == UNINVITED.last_seen / 1e9 + ACTIVE_SECONDS


def test_what_arose_and_ended_during_an_outage_fires_when_it_is_over() -> None:
    clock = Time(NOW)
    sink, wire = made(clock)
    wire.trouble = Unreachable("down")
    batch = lines(joined(P_STRANGER), UNINVITED, left(P_STRANGER, 6))
    with pytest.raises(Unreachable):
        sink.deliver(batch)
    clock.now += 12 * 3600
    wire.trouble = None
    sink, wire = made(clock, sink.kept())
    sink.deliver(batch)
    assert seconds_of(wire.posted[0][0]["endsAt"]) == pytest.approx(clock.now + FIRES_SECONDS)
    assert seconds_of(wire.posted[0][0]["startsAt"]) == pytest.approx(UNINVITED.first_seen / 1e9, abs=0.01)


def test_it_is_told_again_each_minute_also_by_the_next_life() -> None:
    clock = Time(NOW)
    sink, wire = made(clock)
    sink.deliver(lines(UNINVITED))
    sink.again()
    clock.now += 30
    assert 29 <= sink.due() <= 31
    sink, wire = made(clock, sink.kept())
    assert sink.due() == 0
    sink.again()
    assert wire.posted[0][0]["labels"]["alert_id"] == UNINVITED.id


def test_one_that_becomes_more_severe_ends_the_one_before() -> None:
    sink, wire = made(Time(NOW))
    worse = lines(UNINVITED)[0] | {"severity": "critical", "count": 2}
    sink.deliver(lines(UNINVITED))
    sink.deliver([worse])
    ends = {one["labels"]["severity"]: seconds_of(one["endsAt"]) for one in wire.posted[-1]}
    assert ends["high"] < NOW < ends["critical"]
    assert list(sink.kept()["active"]) == [f"{UNINVITED.id} critical"]


def test_low_ones_are_left_out_where_only_severe_ones_are_wanted() -> None:
    sink, _ = made(Time(NOW), least=Severity.HIGH)
    high, low = lines(UNINVITED)[0], lines(UNINVITED)[0] | {"severity": "low"}
    assert (sink.wants(high), sink.wants(low)) == (True, False)
    assert not sink.wants({"type": "oddity"})


def test_state_of_another_version_is_no_reason_to_die() -> None:
    sink, _ = made(Time(NOW), {"active": [1, 2], "present": None})
    assert sink.kept() == {"active": {}, "present": {}}


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("there is no Alertmanager (Debian: apt-get install prometheus-alertmanager)")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    config = tmp_path / "am.yml"
    config.write_text("route: {receiver: soc, group_by: [platform]}\nreceivers: [{name: soc}]\n", encoding="ascii")
    words = [f"--config.file={config}", f"--storage.path={tmp_path / 'am'}", f"--web.listen-address=127.0.0.1:{port}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([program, *words, "--cluster.listen-address="], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def test_the_real_one_fires_groups_and_resolves(real: str, tmp_path: Path) -> None:
    now = time.time()
    journal_of(tmp_path, [alert(1), alert(2), alert(3, rule="uninvited-participant")])
    clock = Time(now)
    settings = AlertmanagerSink(url=real)
    deliver = Deliver("am", tmp_path, lambda kept: Alertmanager(settings, kept, clock), lambda text: None)
    deliver.step()
    fired = asked(f"{real}/api/v2/alerts?active=true")
    assert {one["labels"]["alert_id"] for one in fired} == {f"{number:016x}" for number in (1, 2, 3)}
    assert {one["status"]["state"] for one in fired} <= {"active", "unprocessed"}
    for _ in range(100):
        groups = asked(f"{real}/api/v2/alerts/groups")
        if groups:
            break
        time.sleep(0.05)
    assert [(group["labels"], len(group["alerts"])) for group in groups] == [({"platform": "webex"}, 3)]
    # An hour and a half later nothing was seen any more; its own clock says that this is now.
    for firing in deliver.outlet._active.values():  # type: ignore[attr-defined]
        firing.until = firing.told = now - FIRES_SECONDS - 1
    deliver.step()
    assert asked(f"{real}/api/v2/alerts?active=true") == []
    deliver.close()


def test_the_real_one_refuses_what_is_no_alert(real: str) -> None:
    sink = Alertmanager(AlertmanagerSink(url=real), {}, time.time)
    with pytest.raises(Refused):
        sink._poster.post(b'[{"labels":{}}]')
    sink.close()
