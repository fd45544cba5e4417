"""A second opinion: the bytes of real connections as tshark follows them, and counts as tshark counts them."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from monitor.model.oddities import Oddity
from monitor.model.packets import (
    Datagram,
    StreamData,
    StreamGap,
    destination_of,
    destination_port_of,
    reverse_of,
    source_of,
    source_port_of,
    text_of,
)
from monitor.wire import Wire
from tests.corpus import CORPUS, needs_corpus
from tests.wire.packets import frames_of, given, streams_of

LOSSY = {"zeek-erspan.pcap"}
"""Captures that do miss segments."""

pytestmark = [needs_corpus, pytest.mark.skipif(not which("tshark"), reason="tshark is not installed")]


def tshark(capture: Path, *arguments: str) -> str:
    command = ["tshark", "-r", str(capture), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def followed(capture: Path, streams: int) -> list[tuple[bytes, bytes]]:
    """Both directions of the first connections of a capture."""
    found = []
    for text in tshark(capture, "-q", *(f"-zfollow,tcp,raw,{n}" for n in range(streams))).split("=" * 67)[1::2]:
        lines = text.split("Node 1:")[1].splitlines()[1:]
        found.append(
            (
                b"".join(bytes.fromhex(line) for line in lines if not line.startswith("\t")),
                b"".join(bytes.fromhex(line) for line in lines if line.startswith("\t")),
            )
        )
    return found


@pytest.mark.parametrize(
    ("name", "streams"),
    [
        ("sip/sip-over-tcp.pcap", 1),
        ("sip/sip-body-large.pcap", 1),
        ("sip/sip-tcp-unusual-port.pcap", 1),
        ("sip/MagicJack-_short_call.pcap", 1),
        ("sip/aaa.pcap", 3),
        ("sip/Forensic_challenge_4.pcap", 20),
        ("conference/CHFE_011_pass.pcap", 3),
        ("conference/BRIDGE_003_pass.pcap", 6),
        ("conference/TC_BRIDGE_004_pass_only_req_keys.pcap", 4),
        ("encapsulation/zeek-qinqinq.pcap", 1),
        ("encapsulation/zeek-mixed-vlan-mpls.pcap", 1),
        ("encapsulation/sip-in-ipip.pcap", 2),
        ("encapsulation/gre-erspan-vxlan.pcap", 1),
        ("encapsulation/gre-sample.pcap", 1),
        ("encapsulation/ndpi-vxlan.pcap", 2),
        ("encapsulation/tcpdump-geneve.pcap", 1),
    ],
)
def test_streams_are_those_that_tshark_follows(name: str, streams: int) -> None:
    capture = CORPUS / name
    ours = {
        flow: b"".join(part for part in stream if isinstance(part, bytes))
        for flow, stream in streams_of(given(Wire(), frames_of(capture))).items()
    }
    pairs = {frozenset((there, ours.get(reverse_of(flow), b""))) for flow, there in ours.items()}
    expected = [frozenset(both) for both in followed(capture, streams)]
    assert len(expected) == streams
    assert [both for both in expected if any(both) and both not in pairs] == []


@pytest.mark.parametrize(
    "name",
    [
        "sip/b2bua-asterisk.pcapng",
        "sip/sip-rtp-speex.pcap",
        "dtmf/DTMFsipinfo.pcap",
        "dtmf/SIP_DTMF2.cap",
        "dtmf/ulaw-2013785496.pcap",
        "conference/MSCML.pcap",
        "encapsulation/sip-ipv6-fragments.pcap",
        "encapsulation/zeek-qinqinq.pcap",
    ],
)
def test_datagrams_are_those_that_tshark_shows(name: str) -> None:
    capture = CORPUS / name
    fields = ("frame.number", "ip.src", "ipv6.src", "udp.srcport", "ip.dst", "ipv6.dst", "udp.dstport", "udp.length")
    shown = tshark(
        capture, "-Y", "udp and not icmp and not icmpv6", "-T", "fields", *(f"-e{field}" for field in fields)
    )
    ours = [
        [
            str(p.number),
            text_of(source_of(p.flow)),
            str(source_port_of(p.flow)),
            text_of(destination_of(p.flow)),
            str(destination_port_of(p.flow)),
            str(len(p.payload) + 8),
        ]
        for p in given(Wire(), frames_of(capture))
        if isinstance(p, Datagram)
    ]
    assert ours == [[column for column in line.split("\t") if column] for line in shown.splitlines()]


@pytest.mark.parametrize(
    ("name", "kind", "messages"),
    [
        ("sip-in-gtp.pcap", "gtp", 17),
        ("gre-erspan-vxlan.pcap", "erspan", 0),
        ("gre-erspan-vxlan.pcap", "vxlan", 0),
        ("gre-sample.pcap", "gre", 0),
        ("ndpi-vxlan.pcap", "vxlan", 0),
        ("tcpdump-geneve.pcap", "geneve", 0),
        ("mercury-geneve.pcap", "geneve", 0),
        ("zeek-erspanIII.pcap", "erspan", 0),
    ],
)
def test_tunnels_hold_what_tshark_finds_in_them(name: str, kind: str, messages: int) -> None:
    """The last occurrence of a field is the innermost."""
    capture, wire = CORPUS / "encapsulation" / name, Wire()
    fields = ("frame.number", "udp.srcport", "udp.dstport", "udp.length", "sip.Call-ID")
    udp = "udp and not icmp and not icmpv6 and not tcp"
    shown = tshark(capture, "-Y", udp, "-T", "fields", "-E", "occurrence=l", *(f"-e{field}" for field in fields))
    rows = [line.split("\t") for line in shown.splitlines()]
    packets = given(wire, frames_of(capture))
    datagrams = [p for p in packets if isinstance(p, Datagram)]
    assert [
        [str(p.number), str(source_port_of(p.flow)), str(destination_port_of(p.flow)), str(len(p.payload) + 8)]
        for p in datagrams
    ] == [row[:4] for row in rows]
    assert all(f"Call-ID: {row[4]}".encode() in p.payload for p, row in zip(datagrams, rows, strict=True) if row[4])
    sip = b"".join(p.payload for p in packets if isinstance(p, Datagram | StreamData))
    assert sip.count(b"\r\nCall-ID: ") == messages
    assert wire.counts[f"in_{kind}"] == len(tshark(capture, "-Y", kind, "-T", "fields", "-e", "frame.number").split())


@pytest.mark.parametrize(
    "name", ["sip/sip-over-tcp.pcap", "sip/MagicJack-_short_call.pcap", "conference/BRIDGE_003_pass.pcap"]
)
def test_a_mirror_that_triples_changes_nothing(name: str) -> None:
    frames = list(frames_of(CORPUS / name))
    tripled = [
        each._replace(data=bytes([copy] * 12) + each.data[12:], at=each.at + copy)
        for each in frames
        for copy in range(3)
    ]
    assert given(Wire(), tripled) == given(Wire(), [each._replace(data=bytes(12) + each.data[12:]) for each in frames])


@pytest.mark.parametrize("folder", ["sip", "dtmf", "conference", "encapsulation"])
def test_real_captures_hold_no_oddities_and_no_gaps(folder: str) -> None:
    captures = [p for p in sorted((CORPUS / folder).iterdir()) if p.suffix in {".pcap", ".pcapng", ".cap"}]
    assert captures
    for capture in captures:
        if capture.name in LOSSY:
            continue
        packets = given(Wire(), frames_of(capture))
        assert [p for p in packets if isinstance(p, Oddity | StreamGap)] == []


def test_the_gaps_of_a_lossy_mirror_are_those_that_tshark_misses() -> None:
    capture = CORPUS / "encapsulation/zeek-erspan.pcap"
    missed = tshark(capture, "-Y", "tcp.analysis.lost_segment", "-T", "fields", "-e", "tcp.stream").split()
    packets = given(Wire(), frames_of(capture))
    assert len([p for p in packets if isinstance(p, StreamGap)]) == len(missed) == 5
    assert [p for p in packets if isinstance(p, Oddity)] == []
