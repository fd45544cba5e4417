"""Capture agents that send to the daemon itself: over the loopback, with no interface and no root."""

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from monitor.daemon.lists import Lists
from monitor.model.limits import Limits
from monitor.model.problems import ConfigError
from monitor.sources.hep import HepListener, Listening
from monitor.sources.settings import load_settings
from pcaps.generator.hep import message
from pcaps.generator.wire import Host
from tests.daemon.poisoned import DEADLY
from tests.daemon.stage import PATIENCE, Daemon, free_port, intruder_by_sip, lists_of_now, mirror

ONE, TWO = Host("203.0.113.1"), Host("203.0.113.2")
KINDS = {"UDP": socket.SOCK_DGRAM, "TCP": socket.SOCK_STREAM}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the daemon needs Linux")


def reports_of(frames: Sequence[tuple[float, bytes]]) -> list[bytes]:
    """What an agent would send that saw these frames: their SIP."""
    packets = [Ether(frame) for _, frame in frames]
    return [
        message(bytes(packet[UDP].payload), *_ends(packet), at=time.time_ns())
        for packet in packets
        if UDP in packet and bytes(packet[UDP].payload)[:1].isalpha()
    ]


def _ends(packet: Any) -> tuple[Host, Host]:
    return Host(packet[IP].src, packet[UDP].sport), Host(packet[IP].dst, packet[UDP].dport)


def hearing(folder: Path, *senders: str, interfaces: Sequence[str] = (), port: int = 0, kept: bool = False) -> Daemon:
    """A daemon, not started yet, to which agents may send on `running.agents`."""
    lists = lists_of_now(folder / "lists")
    policy = Path(lists["policy"])
    named = ", ".join(f'"{sender}"' for sender in senders)
    text = policy.read_text(encoding="utf-8").replace("[site]\n", f"[site]\nhep_senders = [{named}]\n")
    policy.write_text(text, encoding="utf-8")
    port = port or free_port()
    tables: dict[str, Any] = {"capture.hep": {"listen": f"127.0.0.1:{port}"}}
    running = Daemon(folder, interfaces, lists=lists, kept=kept, **tables)
    running.agents = port  # type: ignore[attr-defined]
    return running


@contextmanager
def started(running: Daemon) -> Iterator[Daemon]:
    try:
        yield running.start()
    finally:
        running.stop()


def send(running: Daemon, reports: Sequence[bytes], kind: str = "UDP") -> None:
    with socket.socket(socket.AF_INET, KINDS[kind]) as agent:
        agent.connect(("127.0.0.1", running.agents))  # type: ignore[attr-defined]
        for report in reports:
            agent.sendall(report)


def alerts_of(running: Daemon) -> set[tuple[str, str, str]]:
    return {(said["id"], said["rule"], said["subject"]) for said in running.journal() if said["type"] == "alert"}


def test_metrics_tell_how_full_each_table_of_either_process_is(tmp_path: Path) -> None:
    with started(hearing(tmp_path, "127.0.0.1")) as running:
        policy = tmp_path / "lists" / "policy.toml"
        assert running.metric('joinwatch_table_entries{table="calls"}') == 0
        send(running, reports_of(intruder_by_sip("in tables", "mallory")))
        running.wait(lambda: running.metric('joinwatch_table_entries{table="calls"}') == 1, "a call in decode's table")
        running.wait(lambda: running.metric('joinwatch_table_entries{table="legs"}') == 1, "a leg in serve's")
        running.wait(
            lambda: running.metric('joinwatch_table_entries{table="known_alerts"}') == 1, "one in metrics' own"
        )
        assert running.metric('joinwatch_table_limit{table="calls"}') == Limits().calls

        before = running.pid_of("decode")
        policy.write_text(policy.read_text(encoding="utf-8") + "[limits]\ncalls = 777\n", encoding="utf-8")
        running.wait(lambda: running.metric('joinwatch_table_limit{table="calls"}') == 777, "another limit")
        running.wait(lambda: running.pid_of("decode") not in (0, before), "a decoder that has it")
        # The fresh one goes on with the calls of the one before, and what is gone with that is not counted twice.
        running.wait(lambda: running.metric("joinwatch_decoder_restarts_total") == 1, "a restart counted")
        running.wait(lambda: running.metric('joinwatch_table_entries{table="calls"}') == 1, "the same call")


@pytest.mark.parametrize("kind", KINDS)
def test_a_listed_agent_raises_an_alert_that_names_it(tmp_path: Path, kind: str) -> None:
    with started(hearing(tmp_path, "127.0.0.1")) as running:
        reports = reports_of(intruder_by_sip("reported", "mallory"))
        send(running, reports, kind)
        running.wait(running.alerts, "an alert")
        (alert,) = (said for said in running.journal() if said["type"] == "alert")
        assert (alert["rule"], alert["subject"]) == ("uninvited-participant", "sip:mallory@elsewhere.example")
        seen = [place for reason in alert["reasons"] for place in reason["evidence"]]
        assert seen
        assert {(place["capture"], place["reported_by"]) for place in seen} == {("hep", "127.0.0.1")}
        received = running.wait(lambda: running.metric('joinwatch_packets_total{source="hep"}'), "counts")
        assert received == running.metric('joinwatch_work_total{what="hep_messages"}') == len(reports)
        assert running.metric('joinwatch_packets_dropped_total{source="hep",where="kernel"}') == 0
        assert (running.metric("joinwatch_last_packet_timestamp_seconds") or 0) >= time.time() - PATIENCE
        # Each counts twice: the frame that brought it, and what it reports.
        assert running.metric('joinwatch_frames_total{class="decoded"}') == 2 * len(reports)


def test_who_is_not_listed_is_counted_and_nothing_else(tmp_path: Path) -> None:
    with started(hearing(tmp_path, "192.0.2.30")) as running:
        reports = reports_of(intruder_by_sip("unlisted", "mallory"))
        send(running, reports)
        with suppress(ConnectionError):  # it may be shut in the sender's face before all is sent
            send(running, reports, "TCP")
        refused = 'joinwatch_work_total{what="hep_refused_sender"}'
        running.wait(lambda: running.metric(refused) == len(reports) + 1, "each datagram, and the connection, refused")
        assert running.metric('joinwatch_work_total{what="hep_received"}') == 0
        assert {said["type"] for said in running.journal()} <= {"summary"}


def test_reports_say_the_same_as_the_packets(tmp_path: Path) -> None:
    with mirror("jwhep") as port, started(hearing(tmp_path, "127.0.0.1", interfaces=[port.near])) as running:
        frames = intruder_by_sip("seen twice", "mallory")
        port.send([frame for _, frame in frames])
        running.wait(running.alerts, "an alert of packets")
        of_packets = alerts_of(running)
        send(running, reports_of(frames))
        send(running, reports_of(intruder_by_sip("only reported", "trudy")))
        running.wait(lambda: len(alerts_of(running)) > 1, "an alert of reports")
        assert of_packets < alerts_of(running), "and the call that both have told is one call"
        assert len(alerts_of(running)) == 2


def test_what_agents_send_while_nobody_decodes_waits(tmp_path: Path) -> None:
    with started(hearing(tmp_path, "127.0.0.1")) as running:
        first = running.pid_of("decode")
        running.kill("decode")
        send(running, reports_of(intruder_by_sip("while nobody decodes", "mallory")))
        running.wait(running.alerts, "an alert")
        assert running.pid_of("decode") != first


def test_what_agents_send_while_nobody_lives_at_all_waits_where_systemd_keeps_the_sockets(tmp_path: Path) -> None:
    with started(hearing(tmp_path, "127.0.0.1", kept=True)) as running:
        send(running, reports_of(intruder_by_sip("before", "trudy")))
        running.wait(running.alerts, "an alert")
        running.kill()
        send(running, reports_of(intruder_by_sip("while nobody lives", "mallory")))
        running.start()
        running.wait(lambda: len(running.alerts()) > 1, "an alert of what came meanwhile")
        frames = [
            place["frame"]
            for said in running.journal()
            if said["type"] == "alert"
            for reason in said["reasons"]
            for place in reason["evidence"]
        ]
        assert max(frames) > 4, "frames go on being numbered"


def test_a_report_that_kills_twice_is_left_alone(tmp_path: Path) -> None:
    running = hearing(tmp_path, "127.0.0.1")
    running.command = [sys.executable, "-m", "tests.daemon.poisoned", "tree", str(running.config)]
    with started(running):
        text = b"OPTIONS sip:a@example.com SIP/2.0\r\nSubject: " + DEADLY + b"\r\n\r\n"
        poison = message(text, ONE, TWO, at=time.time_ns())
        for times in (1, 2):
            send(running, [poison])
            running.wait(lambda n=times: len(_oddities(running)) == n, "a death told")  # type: ignore[misc]
        decoder = running.pid_of("decode")
        send(running, [poison, *reports_of(intruder_by_sip("behind the poison", "mallory"))])
        running.wait(running.alerts, "an alert about what came behind")
        assert running.pid_of("decode") == decoder
        said = [oddity["what"].endswith("it is left alone from now on") for oddity in _oddities(running)]
        assert said == [False, True]


def _oddities(running: Daemon) -> list[dict[str, Any]]:
    return [said for said in running.journal() if said["type"] == "oddity"]


def test_other_agents_in_the_policy_are_heard_after_a_reload(tmp_path: Path) -> None:
    with started(hearing(tmp_path, "192.0.2.30")) as running:
        policy = tmp_path / "lists" / "policy.toml"
        reports = reports_of(intruder_by_sip("listed later", "mallory"))
        send(running, reports)
        refused = 'joinwatch_work_total{what="hep_refused_sender"}'
        running.wait(lambda: running.metric(refused) == len(reports), "each of them refused")
        assert running.alerts() == []
        policy.write_text(policy.read_text(encoding="utf-8").replace("192.0.2.30", "127.0.0.1"), encoding="utf-8")

        def heard() -> bool:
            send(running, reports)
            time.sleep(0.2)
            return bool(running.alerts())

        running.wait(heard, "an alert")
        assert running.alerts() == [("uninvited-participant", "sip:mallory@elsewhere.example")]


def test_a_listener_without_agents_is_a_mistake_and_no_deaf_daemon(tmp_path: Path) -> None:
    running = hearing(tmp_path, "127.0.0.1")
    settings = load_settings(running.config)
    lists = Lists(running.config, settings)
    lists.load()
    policy = tmp_path / "lists" / "policy.toml"
    lines = policy.read_text(encoding="utf-8").splitlines(keepends=True)
    policy.write_text("".join(line for line in lines if not line.startswith("hep_senders")), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"policy\.toml: no agent may report"):
        lists.load()


@pytest.mark.parametrize("listen", ["9060", "127.0.0.1", "127.0.0.1:0", "::1:9060", ""])
def test_where_agents_send_to_is_checked(tmp_path: Path, listen: str) -> None:
    config = tmp_path / "joinwatch.toml"
    config.write_text(f'[capture.hep]\nlisten = "{listen}"\n', encoding="ascii")
    with pytest.raises(ConfigError) as error:
        load_settings(config)
    assert [(problem.line, problem.expected) for problem in error.value.problems] == [
        (2, "HOST:PORT, such as 0.0.0.0:9060 or [::]:9060")
    ]


def test_a_taken_port_is_told_at_the_start(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        running = hearing(tmp_path, "127.0.0.1", port=taken.getsockname()[1])
        running.start(ready=False)
        told = b"Address already in use; expected an address of this machine and a port that is free"
        running.wait(lambda: told in running.log.read_bytes(), "a message")
        running.wait(lambda: not Path(f"/proc/{running.pid}/exe").exists(), "an end")
        assert running.stop() == 2


def test_of_a_flood_each_datagram_is_read_or_counted_as_dropped() -> None:
    sent = 5_000
    report = message(bytes(1000), ONE, TWO, at=0)
    with (
        HepListener(Listening(port=0, senders=("127.0.0.1",))) as heard,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent,
    ):
        time.sleep(0.1)  # the kernel begins to stamp a moment after the first socket that wishes it
        begun = time.time_ns()
        for _ in range(sent):
            agent.sendto(report, ("127.0.0.1", heard.port))
        ended = time.time_ns()
        time.sleep(0.05)
        frames = []
        while some := heard.poll(0.1):
            frames += some
        assert heard.counts["hep_dropped_kernel"] > 0
        assert heard.counts["hep_received"] + heard.counts["hep_dropped_kernel"] == sent
        assert all(begun <= frame.at <= ended for frame in frames), "the time of arrival, and not that of the reading"
