"""What capture agents report: messages of HEP3 in datagrams and in streams, true ones, wrong ones and forged ones."""

import gzip
import shutil
import subprocess
import zlib
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from struct import pack
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.model.asks import Ask
from monitor.model.evidence import HOUR, SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import Datagram, Flow, Frame, Packet, StreamData
from monitor.wire import Wire
from monitor.wire.hep import MAX_CHUNKS, Key, Report, Unauthentic, report_of
from pcaps.generator.hep import LOG, RTCP_JSON, chunk, message, reported, whole
from pcaps.generator.wire import Host
from tests.corpus import ROOT
from tests.wire.packets import (
    A6,
    B6,
    START,
    SYN,
    A,
    B,
    ethernet,
    flow,
    frame,
    frames_of,
    ipv4,
    ipv6,
    tcp,
    udp,
)
from tests.wire.packets import given as given_by
from tests.wire.tunnels import AROUND_ETHERNET

SIP = b"OPTIONS sip:a@example.org SIP/2.0\r\nContent-Length: 0\r\n\r\n"
ONE, TWO = Host("203.0.113.1"), Host("203.0.113.2", 5070)
INNER: Flow = flow(ONE.ip, TWO.ip, (5060, 5070))
MESSAGE = message(SIP, ONE, TWO, at=START, key=b"correct horse")
PLAIN_PORTS = (40_000, 7000)
HEP_PORTS = (40_000, 9060)


def in_udp(content: bytes, number: int = 1, at: Nanoseconds = START, ports: tuple[int, int] = HEP_PORTS) -> Frame:
    return frame(ethernet(ipv4(udp(content, ports), identification=number)), number, at)


def in_tcp(pieces: list[bytes], ports: tuple[int, int] = HEP_PORTS, lost: frozenset[int] = frozenset()) -> list[Frame]:
    """A connection that carries these pieces, some of which the capture has not."""
    frames = [frame(ethernet(ipv4(tcp(sequence=99, flags=SYN, ports=ports), 6, identification=1)))]
    place = 100
    for number, piece in enumerate(pieces):
        if number not in lost:
            data = ethernet(ipv4(tcp(piece, place, 1, ports=ports), 6, identification=number + 2))
            frames.append(frame(data, number + 2, START + number * 10**6))
        place += len(piece)
    return frames


def chunks_of(content: bytes) -> list[bytes]:
    """A message cut into its chunks."""
    starts = [6]
    while starts[-1] < len(content):
        starts.append(starts[-1] + int.from_bytes(content[starts[-1] + 4 : starts[-1] + 6], "big"))
    return [content[a:b] for a, b in pairwise(starts)]


def with_chunks(*, without: int = 0, more: bytes = b"") -> bytes:
    kept = [part for part in chunks_of(MESSAGE) if int.from_bytes(part[2:4], "big") != without]
    return whole(b"".join(kept) + more)


def told_of(packets: list[Packet | Oddity]) -> list[Datagram]:
    return [packet for packet in packets if isinstance(packet, Datagram) and packet.reported_by]


def reasons_of(packets: list[Packet | Oddity]) -> list[Reason]:
    return [packet.reason for packet in packets if isinstance(packet, Oddity)]


@pytest.mark.parametrize("ports", [HEP_PORTS, PLAIN_PORTS, (9060, 33_000)])
def test_a_report_becomes_the_datagram_in_it(ports: tuple[int, int]) -> None:
    assert given_by(Wire(), [in_udp(MESSAGE, number=7, ports=ports)]) == [
        Datagram(START, "a.pcap", 7, INNER, SIP, reported_by=A)
    ]


@pytest.mark.parametrize("tunnel", AROUND_ETHERNET)
def test_a_report_may_come_in_a_tunnel(tunnel: str) -> None:
    inside = in_udp(MESSAGE)
    data = AROUND_ETHERNET[tunnel](inside.data)
    packets = given_by(Wire(), [inside._replace(data=data, length=len(data))])
    assert packets == [Datagram(START, "a.pcap", 1, INNER, SIP, reported_by=A)]


def test_a_report_may_come_in_ipv6_and_tell_of_ipv6() -> None:
    content = message(SIP, Host("2001:db8::a", 5060), Host("2001:db8::b", 5060), at=START)
    data = ethernet(ipv6(udp(content, HEP_PORTS)), 0x86DD)
    assert given_by(Wire(), [frame(data)]) == [
        Datagram(START, "a.pcap", 1, flow("2001:db8::a", "2001:db8::b"), SIP, reported_by=A6)
    ]
    assert B6  # the collector, of whom nothing is told


@pytest.mark.parametrize("packed", [gzip.compress(SIP), zlib.compress(SIP)], ids=["gzip", "zlib"])
def test_a_payload_may_be_compressed(packed: bytes) -> None:
    assert report_of(with_chunks(without=15, more=chunk(16, packed))).payload == SIP


BOMB = gzip.compress(bytes(50_000_000))
WRONG: list[tuple[str, bytes, Reason]] = [
    ("no chunk", whole(b""), Reason.MISSING),
    ("length below the header's", b"HEP3" + pack("!H", 5) + MESSAGE[6:], Reason.BAD_LENGTH),
    ("length 0", b"HEP3\0\0", Reason.BAD_LENGTH),
    ("longer than its datagram", b"HEP3\xff\xff" + MESSAGE[6:], Reason.BAD_LENGTH),
    ("head cut", b"HEP3\0", Reason.TRUNCATED),
    ("chunk head cut", whole(MESSAGE[6:] + b"\0\0\0"), Reason.TRUNCATED),
    ("chunk of length 5", whole(MESSAGE[6:] + b"\0\0\0\x63\0\x05"), Reason.BAD_LENGTH),
    ("chunk of length 0", whole(MESSAGE[6:] + b"\0\0\0\x63\0\0"), Reason.BAD_LENGTH),
    ("chunk longer than the message", whole(MESSAGE[6:] + b"\0\0\0\x63\xff\xff"), Reason.BAD_LENGTH),
    ("address of 3 bytes", with_chunks(without=3, more=chunk(3, b"abc")), Reason.BAD_LENGTH),
    ("two sources", with_chunks(more=chunk(3, bytes(4))), Reason.CONFLICT),
    ("two payloads", with_chunks(more=chunk(15, SIP)), Reason.CONFLICT),
    ("plain and compressed", with_chunks(more=chunk(16, gzip.compress(SIP))), Reason.CONFLICT),
    ("no payload", with_chunks(without=15), Reason.MISSING),
    ("no source", with_chunks(without=3), Reason.MISSING),
    ("no port", with_chunks(without=8), Reason.MISSING),
    ("no family", with_chunks(without=1), Reason.MISSING),
    ("no kind", with_chunks(without=11), Reason.MISSING),
    ("an unknown family", with_chunks(without=1, more=chunk(1, b"\x07")), Reason.BAD_VALUE),
    ("IPv6 without its addresses", with_chunks(without=1, more=chunk(1, b"\x0a")), Reason.MISSING),
    ("HEP in HEP", with_chunks(without=15, more=chunk(15, MESSAGE)), Reason.UNSUPPORTED),
    ("HEP in HEP, packed", with_chunks(without=15, more=chunk(16, gzip.compress(MESSAGE))), Reason.UNSUPPORTED),
    ("a bomb", with_chunks(without=15, more=chunk(16, BOMB)), Reason.TOO_LARGE),
    ("no gzip", with_chunks(without=15, more=chunk(16, b"\x1f\x8bxxxxxxxx")), Reason.BAD_VALUE),
    ("gzip cut", with_chunks(without=15, more=chunk(16, gzip.compress(SIP)[:-9])), Reason.TRUNCATED),
    ("many chunks", with_chunks(more=chunk(99, b"") * MAX_CHUNKS), Reason.TOO_LARGE),
]


@pytest.mark.parametrize(("content", "reason"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_message_is_an_oddity_of_its_agent(content: bytes, reason: Reason) -> None:
    wire = Wire()
    packets = given_by(wire, [in_udp(content)])
    assert reasons_of(packets) == [reason]
    assert [packet.evidence.reported_by for packet in packets if isinstance(packet, Oddity)] == [A]
    assert not told_of(packets)
    assert wire.counts["hep_malformed"] == 1


def test_what_is_not_known_is_passed_over() -> None:
    other = chunk(15, b"not ours", vendor=4) + chunk(15, b"nor this", vendor=4) + chunk(0x11, b"correlation")
    assert report_of(with_chunks(more=other)).payload == SIP


def test_a_report_that_the_snap_length_cut_is_given_as_far_as_it_goes() -> None:
    data = ethernet(ipv4(udp(MESSAGE, HEP_PORTS)))
    packets = given_by(Wire(), [frame(data[:-10], length=len(data))])
    assert packets == [Datagram(START, "a.pcap", 1, INNER, SIP[:-10], truncated=True, reported_by=A)]


@pytest.mark.parametrize("kind", [RTCP_JSON, LOG, 0, 255])
def test_what_is_not_sip_is_counted(kind: int) -> None:
    wire = Wire()
    content = message(b"{}", ONE, TWO, at=START, kind=kind)
    packets = given_by(wire, [in_udp(content, number) for number in range(1, 5)])
    assert reasons_of(packets) == [Reason.UNSUPPORTED], "told once"
    assert wire.counts["hep_unsupported"] == 4


@pytest.mark.parametrize("old", [b"\x01\x10\x02\x11", b"\x02\x1c\x02\x11", b"\x01\x28\x0a\x11"], ids=["1", "2", "1, 6"])
def test_older_versions_are_told_from_their_port(old: bytes) -> None:
    content = old + bytes(40) + SIP
    assert reasons_of(given_by(Wire(), [in_udp(content)])) == [Reason.UNSUPPORTED]
    elsewhere = given_by(Wire(), [in_udp(content, ports=PLAIN_PORTS)])
    assert [packet.payload for packet in elsewhere if isinstance(packet, Datagram)] == [content]


def test_the_clock_of_the_capture_counts_and_a_wrong_one_is_told_once_an_hour() -> None:
    wire = Wire()
    late = [message(SIP, ONE, TWO, at=START - minutes * 60 * SECOND) for minutes in (1, 2, 3)]
    times = [START, START + SECOND, START + 2 * HOUR]
    packets = given_by(wire, [in_udp(c, n, at) for n, (c, at) in enumerate(zip(late, times, strict=True))])
    assert [packet.at for packet in told_of(packets)] == times
    assert reasons_of(packets) == [Reason.CONFLICT] * 2
    assert wire.counts["hep_clock_off"] == 3


@pytest.mark.parametrize(
    ("senders", "heard"),
    [(None, True), ((A,), True), (("192.0.2.0/28",), True), ((B,), False), ((), False)],
    ids=["no list", "by address", "by network", "another", "nobody"],
)
def test_only_the_listed_are_heard(senders: tuple[str, ...] | None, heard: bool) -> None:
    wire = Wire(hep_senders=senders)
    packets = given_by(wire, [in_udp(MESSAGE, number) for number in range(1, 4)])
    assert len(told_of(packets)) == 3 * heard
    assert len(reasons_of(packets)) == (not heard)
    assert wire.counts["hep_unlisted"] == 3 * (not heard)


def test_a_flood_of_forged_senders_tells_no_more_than_its_limit() -> None:
    wire = Wire(hep_senders=())
    frames = [
        frame(ethernet(ipv4(udp(MESSAGE, HEP_PORTS), addresses=(f"10.0.{n >> 8}.{n & 255}", B))), n)
        for n in range(3000)
    ]
    assert len(given_by(wire, frames)) == 1024
    assert wire.counts["hep_unlisted"] == 3000


def test_a_key_must_fit_and_is_nowhere_to_be_read() -> None:
    key = Key(b"correct horse")
    assert report_of(MESSAGE, key).payload == SIP
    for wrong in (with_chunks(without=14), with_chunks(without=14, more=chunk(14, b"correct hors"))):
        with pytest.raises(Unauthentic):
            report_of(wrong, key)
        packets = given_by(Wire(hep_key=key), [in_udp(wrong)])
        assert reasons_of(packets) == [Reason.BAD_VALUE]
        assert "horse" not in repr(packets)
    assert "horse" not in repr((key, report_of(MESSAGE), given_by(Wire(hep_key=key), [in_udp(MESSAGE)])))


MANY = [message(SIP + str(n).encode(), ONE, TWO, at=START) for n in range(5)]
STREAM = b"".join(MANY)
PAYLOADS = [SIP + str(n).encode() for n in range(5)]


def cut_at(data: bytes, places: set[int]) -> list[bytes]:
    bounds = [0, *sorted(place for place in places if 0 < place < len(data)), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


@given(st.sets(st.integers(1, len(STREAM) - 1), max_size=12))
@example(set())
@example(set(range(1, 8)))
@settings(max_examples=60)
def test_a_stream_says_the_same_however_it_is_cut(places: set[int]) -> None:
    packets = given_by(Wire(), in_tcp(cut_at(STREAM, places)))
    assert [packet.payload for packet in told_of(packets)] == PAYLOADS
    assert not reasons_of(packets)
    assert not [packet for packet in packets if isinstance(packet, StreamData)]


def test_a_stream_byte_by_byte_is_read_as_well() -> None:
    wire = Wire()
    packets = given_by(wire, in_tcp([bytes([byte]) for byte in STREAM], ports=PLAIN_PORTS))
    assert [(packet.payload, packet.flow) for packet in told_of(packets)] == [(payload, INNER) for payload in PAYLOADS]
    assert wire.counts["hep_streams"] == 1


def test_behind_a_gap_the_next_message_is_found() -> None:
    whole_ones = cut_at(STREAM, {len(MANY[0]) * n for n in range(5)})
    pieces = [piece for one in whole_ones for piece in (one[:70], one[70:])]
    for lost, hurt in ((2, 1), (3, 1), (9, 4)):
        packets = given_by(Wire(), in_tcp(pieces, lost=frozenset({lost})))
        assert [packet.payload for packet in told_of(packets)] == PAYLOADS[:hurt] + PAYLOADS[hurt + 1 :]


def test_what_only_begins_like_a_report_goes_on_as_it_is() -> None:
    packets = given_by(Wire(), in_tcp([b"H", b"ELLO", MESSAGE], ports=PLAIN_PORTS))
    assert b"".join(packet.payload for packet in packets if isinstance(packet, StreamData)) == b"HELLO" + MESSAGE
    assert not reasons_of(packets)


def test_the_magic_within_a_payload_is_no_message_behind_a_gap() -> None:
    sly = SIP + b"HEP3\x00\x40" + b"\0\0\0\x0f\xff\xff" + b"HEP3HEP3HEP"
    content = message(sly, ONE, TWO, at=START)
    pieces = [MANY[0], content[:40], content[40:], MANY[1]]
    packets = given_by(Wire(), in_tcp(pieces, lost=frozenset({1})))
    assert [packet.payload for packet in told_of(packets)] == PAYLOADS[:2]
    assert not reasons_of(packets)


def test_bytes_out_of_step_are_told_and_go_on_as_they_are() -> None:
    packets = given_by(Wire(), in_tcp([MANY[0] + SIP, SIP, MANY[1]], ports=PLAIN_PORTS))
    assert [packet.payload for packet in told_of(packets)] == PAYLOADS[:1]
    assert reasons_of(packets) == [Reason.BAD_VALUE]
    given_on = b"".join(packet.payload for packet in packets if isinstance(packet, StreamData))
    assert given_on == SIP + SIP + MANY[1]


def test_sip_cannot_pass_itself_off_as_reports_in_the_middle() -> None:
    packets = given_by(Wire(), in_tcp([SIP, MESSAGE, SIP], ports=(40_000, 5060)))
    assert not told_of(packets)
    assert [packet.payload for packet in packets if isinstance(packet, StreamData)] == [SIP, MESSAGE, SIP]


def test_on_its_port_a_stream_is_known_from_the_middle() -> None:
    packets = given_by(Wire(), in_tcp([MANY[0][100:], MANY[1], MANY[2]])[1:])
    assert [packet.payload for packet in told_of(packets)] == PAYLOADS[1:3]


def test_a_stream_of_the_unlisted_goes_on_as_it_is() -> None:
    wire = Wire(hep_senders=(B,))
    packets = given_by(wire, in_tcp([MANY[0], MANY[1]]))
    assert b"".join(packet.payload for packet in packets if isinstance(packet, StreamData)) == MANY[0] + MANY[1]
    assert wire.counts["hep_unlisted"] == 2


def test_a_stream_that_ends_within_a_message_is_told() -> None:
    assert reasons_of(given_by(Wire(), in_tcp([MANY[0], MANY[1][:-1]]))) == [Reason.TRUNCATED]


def test_a_stream_on_another_port_is_asked_for_as_a_whole() -> None:
    asked: list[Ask] = []
    given_by(Wire(widen=asked.append), [*in_tcp([MANY[0]], ports=PLAIN_PORTS), *in_tcp([MANY[1]])])
    assert asked == [Ask(protocol="hep", tcp_ports=(7000,))]


def test_streams_are_bounded() -> None:
    wire = Wire(limits=Limits(hep_streams=100))
    for number in range(110):
        given_by(wire, in_tcp([MESSAGE[:-1]], ports=(10_000 + number, 9060)), finish=False)
    assert wire.counts["hep_streams_evicted"] == 10
    assert wire.sizes["hep_streams"] == 100


def test_what_is_told_of_senders_is_bounded_and_told_anew_after_an_hour() -> None:
    def from_sender(n: int, at: Nanoseconds = START) -> Frame:
        return frame(ethernet(ipv4(udp(MESSAGE, HEP_PORTS), addresses=(f"203.0.113.{n}", B), identification=n)), n, at)

    wire = Wire(hep_senders=["192.0.2.99"], limits=Limits(hep_complaints=10))
    told = reasons_of(given_by(wire, map(from_sender, range(1, 30)), finish=False))
    assert len(told) == wire.sizes["hep_complaints"] == 10
    assert wire.counts["hep_complaints_evicted"] == 19
    assert reasons_of(given_by(wire, [from_sender(29, START + 2 * HOUR)])) == [Reason.UNSUPPORTED]
    assert wire.sizes["hep_complaints"] == 1


ANY_CHUNK = st.builds(chunk, st.integers(0, 20), st.binary(max_size=20), st.sampled_from([0, 0, 0, 1]))
NEARLY = st.builds(lambda parts: whole(b"".join(parts)), st.lists(ANY_CHUNK | st.sampled_from(chunks_of(MESSAGE))))


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"HEP3" + rest) | NEARLY, st.booleans())
@settings(max_examples=200)
def test_any_bytes_are_a_report_or_malformed(content: bytes, truncated: bool) -> None:
    report: Report | None = None
    with suppress(Malformed):
        report = report_of(content, truncated=truncated)
    assert report is None or len(report.flow) in (12, 36)


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([*MANY, b"HEP3", b"HEP3\xff\xff", SIP]), min_size=1, max_size=12)
)
@settings(max_examples=100)
def test_any_stream_gives_its_bytes_or_reports_and_nothing_fails(pieces: list[bytes]) -> None:
    pieces = [piece for piece in pieces if piece] or [b"x"]
    wire = Wire()
    packets = given_by(wire, in_tcp(pieces, lost=frozenset({2})))
    assert all(packet.payload.startswith(SIP) for packet in told_of(packets))
    assert wire.counts["hep_messages"] == len(told_of(packets))


def test_time_is_linear_in_what_comes() -> None:
    def seconds(size: int) -> float:
        frames = in_tcp([MESSAGE, b"x", *[b"HEP3" * 300] * size], lost=frozenset({1}))
        began = process_time()
        given_by(Wire(), frames)
        return process_time() - began

    assert min(seconds(200) for _ in range(2)) < 40 * max(min(seconds(20) for _ in range(2)), 0.0005)


def test_hosts_are_those_of_the_message() -> None:
    other = message(SIP, replace(ONE, port=1), TWO, at=START, transport=6)
    assert report_of(other).flow == flow(ONE.ip, TWO.ip, (1, 5070))


@pytest.mark.skipif(shutil.which("sngrep") is None, reason="sngrep is not installed")
@pytest.mark.parametrize("name", ["pin-bypass/attack-empty-pin", "duplicate-identity/benign-b2bua"])
def test_sngrep_reads_the_same_in_these_reports(name: str, tmp_path: Path) -> None:
    """Wireshark 4.0 has no dissector of HEP3, and sngrep writes no IPv6 addresses."""
    capture, theirs = tmp_path / "reports.pcap", tmp_path / "opened.pcap"
    capture.write_bytes(reported((ROOT / "pcaps" / "scenarios" / f"{name}.pcap").read_bytes()))
    command = ["sngrep", "-E", "-N", "-q", "-I", str(capture), "-O", str(theirs)]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=20, check=True)
    ours = {(packet.flow, packet.payload) for packet in told_of(given_by(Wire(), frames_of(capture)))}
    opened = given_by(Wire(), frames_of(theirs))
    assert ours
    assert ours == {(packet.flow, packet.payload) for packet in opened if isinstance(packet, Datagram)}
