"""The doctor's parts: facts without a machine, hostile frames and texts, and what a daemon says of itself."""

import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import damage
from monitor.doctor.checks import CHECKS, diagnosis_of
from monitor.doctor.daemons import series_in
from monitor.doctor.examination import sinks_in
from monitor.doctor.facts import ClockFacts, DaemonFacts, Facts, LinkFacts, PlaceFacts, PrivilegeFacts
from monitor.doctor.findings import Diagnosis, Finding, Gravity, Unexamined
from monitor.doctor.hearing import Hearing
from monitor.doctor.openings import opened
from monitor.doctor.report import show, tell, verdict
from monitor.doctor.samples import Sample
from monitor.doctor.shapes import shape_of
from monitor.model.packets import Frame
from monitor.wire import LINKS
from tests.corpus import ROOT

INCIDENT = ROOT / "pcaps" / "incident" / "incident.pcap"


def found(**facts: Any) -> list[str]:
    return [finding.check for finding in diagnosis_of(Facts(live=True, **facts)).findings]


def link(**more: Any) -> tuple[LinkFacts, ...]:
    return (LinkFacts(**{"name": "eth1", "link": 1} | more),)


@pytest.mark.parametrize(
    ("cause", "facts"),
    [
        ("no-such-interface", {"links": link(exists=False)}),
        ("no-carrier", {"links": link(carrier=False)}),
        ("unreadable-interface", {"links": link(link=None)}),
        ("frames-too-long", {"links": link(growth={"rx_length_errors": 3})}),
        ("interface-loses", {"links": link(growth={"rx_missed_errors": 300, "rx_packets": 1000})}),
        ("ring-full", {"dropped": 7}),
        ("unknown-user", {"user_unknown": "joinwatch"}),
        ("little-memory", {"ring_bytes": 2**33, "memory_bytes": 2**32}),
        ("little-room", {"places": (PlaceFacts(role="state", path="/s", free_bytes=1, free_files=9),)}),
        ("unwritable-folder", {"places": (PlaceFacts(role="state", path="/s", trouble="Read-only file system"),)}),
        ("wrong-clock", {"clock": ClockFacts(now=0)}),
        ("stamped-wrong", {"lag": 3600 * 10**9}),
        ("no-seccomp", {"privileges": PrivilegeFacts(may_capture=True, seccomp="no libseccomp")}),
        ("not-ready", {"daemon": DaemonFacts(address="http://[::1]:1", ready=False, reasons=("It is starting.",))}),
    ],
)
def test_a_fact_has_its_cause(cause: str, facts: dict[str, Any]) -> None:
    assert found(**facts) == [cause]


@pytest.mark.parametrize(
    ("series", "cause"),
    [
        ('joinwatch_interface_packets_total{fate="dropped",interface="eth1"} 9', "daemon-drops"),
        ("joinwatch_config_last_reload_successful 0", "old-lists"),
        ("joinwatch_journal_writable 0", "journal-unwritable"),
        ("joinwatch_decoder_restarts_total 3", "decoders-died"),
        ("joinwatch_event_lag_seconds 100", "daemon-late"),
        ("joinwatch_last_packet_timestamp_seconds 0", "daemon-quiet"),
    ],
)
def test_a_series_of_the_daemon_has_its_cause(series: str, cause: str) -> None:
    daemon = DaemonFacts(address="http://127.0.0.1:9464", ready=True, series=series_in(f"# HELP x y\n{series}\n"))
    assert found(daemon=daemon) == [cause]


def test_nothing_examined_has_no_finding_and_each_check_a_sentence() -> None:
    assert found() == []
    assert all(check.finds.endswith(".") and len(check.finds) < 160 for check in CHECKS)


def test_a_sub_interface_of_the_wrong_vlan_names_the_right_one() -> None:
    below, empty = Sample(), Sample()
    for number, packet in enumerate(damage.read(INCIDENT)[:40]):
        data = packet.data[:12] + b"\x81\0\0\x14" + packet.data[12:]
        below.add(Frame(packet.at, "eth1", number, 1, data, len(data)))
    finding, *_ = diagnosis_of(
        Facts(
            live=True, seconds=1.0, sample=empty, hearing=Hearing(), elsewhere={"eth1": below},
            links=link(name="eth1.10", vlan=10, parent="eth1"),
        )
    ).findings  # fmt: skip
    assert (finding.check, finding.gravity) == ("wrong-vlan", Gravity.BLIND)
    assert "VLAN 20" in finding.cause
    assert finding.lines == ("[capture]", 'interfaces = ["eth1"]')


@given(link=st.sampled_from([*LINKS, 147]), data=st.binary(max_size=200), more=st.integers(0, 2000))
def test_any_frame_is_counted(link: int, data: bytes, more: int) -> None:
    sample = Sample()
    sample.add(Frame(0, "x", 1, link, data, len(data) + more))
    assert sample.frames == 1
    assert opened(link, data).stopped or sample.packets + sum(sample.housekeeping.values()) + sample.encrypted.total()


@given(place=st.integers(0, 400), byte=st.integers(0, 255), cut=st.integers(0, 400))
def test_any_harm_to_a_good_frame_is_survived(place: int, byte: int, cut: int) -> None:
    sample = Sample()
    for packet in damage.read(INCIDENT)[:3]:
        data = bytearray(packet.data)
        data[place % len(data)] = byte
        sample.add(Frame(packet.at, "x", 1, 1, bytes(data[: len(data) - cut % len(data)]), packet.length))
    assert sample.frames == 3


@given(target=st.text(max_size=200))
def test_the_shape_of_a_target_is_short_and_tells_no_user(target: str) -> None:
    shape = shape_of(target)
    assert len(shape) <= 60
    assert shape.isprintable()


def test_the_shape_of_a_number_keeps_its_area_alone() -> None:
    assert shape_of("sip:+31205550100;pin=1@192.0.2.20") != shape_of("sip:+31205550100@192.0.2.20", people=True)
    assert shape_of("sip:+31205550100@192.0.2.20") == "sip:+3120xxxxxxx@192.0.2.20"
    assert shape_of("sip:anna@ministry.example") == "sip:(name)@ministry.example"
    assert shape_of("tel:+31205550100") == "tel:+3120xxxxxxx"
    assert "9876" not in shape_of("sip:27311234567*9876@x.example", people=True)


def test_the_page_obeys_no_terminal_and_keeps_its_width() -> None:
    finding = Finding(
        check="x", gravity=Gravity.BLIND, cause="\x1b[2J" + "word " * 60, proof=("\r\n\x9b1m",), lines=("ls",)
    )
    diagnosis = Diagnosis(findings=(finding,), unexamined=(Unexamined(what="a\x07", why="b\u202e"),))
    page, lines = StringIO(), StringIO()
    show(diagnosis, page)
    tell(diagnosis, lines)
    for text in (page.getvalue(), lines.getvalue()):
        assert all(character == "\n" or character.isprintable() for character in text)
    assert all(len(line) <= 80 for line in page.getvalue().splitlines())
    assert [json.loads(line)["type"] for line in lines.getvalue().splitlines()] == [
        "finding",
        "unexamined",
        "diagnosis",
    ]


def test_the_verdict_says_when_not_all_could_be_examined() -> None:
    assert verdict(Diagnosis(findings=())) == "Healthy."
    assert verdict(Diagnosis(findings=(), unexamined=(Unexamined(what="a", why="b"),))).startswith("Healthy, as far as")


def test_every_place_to_connect_to_is_found_in_a_configuration() -> None:
    document = {
        "capture": {"interfaces": ["eth1"]},
        "serve": {"listen": "127.0.0.1:1"},
        "sinks": {
            "am": {"kind": "alertmanager", "url": "https://am.example/x"},
            "log": {"kind": "syslog", "address": "tls://[2001:db8::1]:6514"},
            "odd": {"kind": "webhook", "url": "http://[::1"},
        },
    }
    assert list(sinks_in(document)) == [
        ("sinks.am.url", "am.example", 443),
        ("sinks.log.address", "2001:db8::1", 6514),
    ]
