"""IP headers, fragments, and UDP."""

from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from monitor.model.evidence import SECOND
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Datagram, Frame
from monitor.wire import Wire
from tests.wire.packets import (
    A6,
    B6,
    MILLISECOND,
    START,
    ethernet,
    flow,
    frame,
    given,
    ipv4,
    ipv6,
    ipv6_fragment,
    tcp,
    udp,
)


def the_datagram(data: bytes, length: int | None = None) -> Datagram:
    (packet,) = given(Wire(), [frame(data, length=length)])
    assert isinstance(packet, Datagram)
    return packet


def the_oddity(data: bytes, length: int | None = None) -> tuple[str, Reason]:
    (oddity,) = given(Wire(), [frame(data, length=length)])
    assert isinstance(oddity, Oddity)
    return oddity.protocol, oddity.reason


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        pytest.param(ethernet(ipv4(udp(b"hello"), options=b"\x01" * 8)), b"hello", id="IPv4 options"),
        pytest.param(ethernet(ipv4(udp(b"hello"), total=0)), b"hello", id="total length 0 of an offloading sender"),
        pytest.param(ethernet(ipv4(udp(b"")) + bytes(18)), b"", id="empty, padded to a frame's least"),
        pytest.param(ethernet(ipv4(udp(b"hello", length=0))), b"hello", id="UDP length 0"),
        pytest.param(ethernet(ipv4(udp(b"hello", length=10))), b"he", id="UDP length below the bytes"),
        pytest.param(ethernet(ipv6(udp(b"hello"), length=0), 0x86DD), b"hello", id="IPv6 length 0"),
        pytest.param(ethernet(ipv6(udp(b"hello")) + b"padding", 0x86DD), b"hello", id="IPv6, padded"),
        pytest.param(
            ethernet(
                ipv6(bytes([60]) + bytes(7) + bytes([43]) + bytes(7) + bytes([17, 1]) + bytes(14) + udp(b"hello"), 0),
                0x86DD,
            ),
            b"hello",
            id="hop-by-hop, destination and routing headers",
        ),
        pytest.param(ethernet(ipv6(bytes([17, 4]) + bytes(22) + udp(b"hello"), 51), 0x86DD), b"hello", id="AH"),
        pytest.param(ethernet(ipv6_fragment(udp(b"hello"), 17, 0, False), 0x86DD), b"hello", id="atomic fragment"),
    ],
)
def test_the_payload_is_what_the_lengths_say(data: bytes, payload: bytes) -> None:
    packet = the_datagram(data)
    assert packet.payload == payload
    assert not packet.truncated


@pytest.mark.parametrize(
    ("data", "length"),
    [
        pytest.param(ethernet(ipv4(udp(b"hello!")))[:-1], 48, id="cut by the snap length"),
        pytest.param(ethernet(ipv4(udp(b"hello!"), total=0))[:-1], 48, id="cut, total length 0"),
        pytest.param(ethernet(ipv4(udp(b"hello", length=900))), None, id="UDP length beyond the packet"),
        pytest.param(ethernet(ipv4(udp(b"hello", length=880), total=900)), None, id="both lengths beyond the frame"),
        pytest.param(ethernet(ipv6(udp(b"hello!")), 0x86DD)[:-1], 68, id="IPv6, cut by the snap length"),
    ],
)
def test_a_cut_datagram_is_given_and_marked(data: bytes, length: int | None) -> None:
    packet = the_datagram(data, length)
    assert packet.payload == b"hello"
    assert packet.truncated


@pytest.mark.parametrize(
    ("data", "protocol", "reason"),
    [
        pytest.param(ipv4(udp(b""))[:19], "ip", Reason.TRUNCATED, id="half an IPv4 header"),
        pytest.param(b"\x44" + ipv4(udp(b""))[1:], "ip", Reason.BAD_LENGTH, id="header of 16 bytes"),
        pytest.param(b"\x4f" + ipv4(udp(b""))[1:], "ip", Reason.TRUNCATED, id="options beyond the frame"),
        pytest.param(b"\x65" + ipv4(udp(b"hello"))[1:], "ip", Reason.BAD_VALUE, id="version 6 in IPv4"),
        pytest.param(ipv4(udp(b""), total=19), "ip", Reason.BAD_LENGTH, id="total length below the header"),
        pytest.param(ipv4(udp(b"")[:7]), "udp", Reason.TRUNCATED, id="half a UDP header"),
        pytest.param(ipv4(udp(b"", length=7)), "udp", Reason.BAD_LENGTH, id="UDP length below the header"),
        pytest.param(ipv4(tcp()[:19], 6), "tcp", Reason.TRUNCATED, id="half a TCP header"),
        pytest.param(ipv4(tcp()[:12] + b"\x40" + tcp()[13:], 6), "tcp", Reason.BAD_LENGTH, id="TCP header of 16 bytes"),
        pytest.param(ipv4(tcp()[:12] + b"\x60" + tcp()[13:], 6), "tcp", Reason.BAD_LENGTH, id="TCP options not there"),
        pytest.param(ipv4(b"odd", more=True), "ip", Reason.BAD_LENGTH, id="fragment of 3 bytes, not the last"),
        pytest.param(ipv4(b"", offset=8), "ip", Reason.BAD_LENGTH, id="fragment of nothing"),
        pytest.param(ipv4(bytes(16), offset=65_528), "ip", Reason.BAD_LENGTH, id="ping of death"),
        pytest.param(ipv4(bytes(8), offset=8, total=100), "ip", Reason.TRUNCATED, id="cut fragment"),
    ],
)
def test_a_bad_header_is_an_oddity(data: bytes, protocol: str, reason: Reason) -> None:
    assert the_oddity(ethernet(data)) == (protocol, reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(ipv6(b"")[:39], Reason.TRUNCATED, id="half a header"),
        pytest.param(b"\x45" + ipv6(b"")[1:], Reason.BAD_VALUE, id="version 4 in IPv6"),
        pytest.param(ipv6(b"\x11", 0), Reason.TRUNCATED, id="half an extension header"),
        pytest.param(ipv6(b"\x11\x05" + bytes(20), 0), Reason.TRUNCATED, id="extension header beyond the packet"),
        pytest.param(ipv6(bytes(4), 44), Reason.TRUNCATED, id="half a fragment header"),
        pytest.param(ipv6(bytes(8) * 17, 0), Reason.TOO_LARGE, id="17 extension headers"),
    ],
)
def test_a_bad_ipv6_header_is_an_oddity(data: bytes, reason: Reason) -> None:
    assert the_oddity(ethernet(data, 0x86DD)) == ("ip", reason)


# Fragments

MESSAGE = bytes(range(256)) * 12


@st.composite
def cuttings(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Where the fragments of a datagram begin and end, in any order."""
    size = len(udp(MESSAGE))
    cuts = draw(st.sets(st.integers(1, (size - 1) // 8), min_size=1, max_size=20))
    places = [0, *sorted(cut * 8 for cut in cuts), size]
    return draw(st.permutations(list(pairwise(places))))


@for_all(cuttings(), st.sampled_from([4, 6]))
def test_any_fragmentation_gives_the_same_datagram(parts: list[tuple[int, int]], version: int) -> None:
    whole = udp(MESSAGE)
    frames = []
    for number, (start, end) in enumerate(parts, 1):
        more = end < len(whole)
        data = (
            ethernet(ipv4(whole[start:end], offset=start, more=more))
            if version == 4
            else ethernet(ipv6_fragment(whole[start:end], 17, start, more), 0x86DD)
        )
        frames.append(frame(data, number, START + number))
    wire = Wire()
    assert given(wire, frames) == [
        Datagram(START + len(parts), "a.pcap", len(parts), flow() if version == 4 else flow(A6, B6), MESSAGE)
    ]
    assert wire.counts["fragmented_packets"] == 1
    assert wire.counts["fragments"] == len(parts)


def fragment(
    content: bytes, offset: int, more: bool, number: int = 1, at: int = START, identification: int = 1
) -> Frame:
    return frame(ethernet(ipv4(content, offset=offset, more=more, identification=identification)), number, at)


def test_where_contents_differ_both_readings_are_given() -> None:
    head, tail = udp(b"A" * 16 + b"B" * 8)[:16], b"A" * 8 + b"B" * 8
    frames = [fragment(head, 0, True, 1), fragment(b"X" * 16 + b"B" * 8, 8, False, 2)]
    overlap, first, doubt, last = given(Wire(), frames)
    for oddity in (overlap, doubt):
        assert isinstance(oddity, Oddity)
        assert (oddity.protocol, oddity.reason, oddity.evidence.frame) == ("ip", Reason.CONFLICT, 2)
    assert isinstance(first, Datagram)
    assert (first.payload, first.ambiguous) == (head[8:] + b"X" * 8 + tail[8:], False)
    assert isinstance(last, Datagram)
    assert (last.payload, last.ambiguous) == (b"X" * 16 + tail[8:], True)


def test_an_overlap_with_the_same_bytes_is_none() -> None:
    whole = udp(bytes(range(40)))
    frames = [fragment(whole[:24], 0, True, 1), fragment(whole[16:], 16, False, 2)]
    (packet,) = given(Wire(), frames)
    assert isinstance(packet, Datagram)
    assert packet.payload == whole[8:]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([(b"C" * 8, 24, False), (b"C" * 8, 16, False)], id="a second end, before the first"),
        pytest.param([(b"C" * 8, 16, False), (b"C" * 8, 24, False)], id="a second end, behind the first"),
        pytest.param([(b"C" * 8, 24, True), (b"C" * 8, 16, False)], id="an end before what is there"),
        pytest.param([(b"C" * 8, 16, False), (b"C" * 8, 24, True)], id="more behind the end"),
    ],
)
def test_fragments_that_disagree_on_the_length_are_an_oddity(parts: list[tuple[bytes, int, bool]]) -> None:
    (oddity,) = given(Wire(), [fragment(*part, number) for number, part in enumerate(parts, 1)])
    assert isinstance(oddity, Oddity)
    assert oddity.reason is Reason.CONFLICT


def test_fragments_of_two_packets_are_kept_apart() -> None:
    one, two = udp(b"1" * 24), udp(b"2" * 24)
    frames = [
        fragment(one[:16], 0, True, 1),
        fragment(two[:16], 0, True, 2, identification=2),
        fragment(one[16:], 16, False, 3),
        fragment(two[16:], 16, False, 4, identification=2),
    ]
    assert [(p.number, p.payload) for p in given(Wire(), frames) if isinstance(p, Datagram)] == [
        (3, b"1" * 24),
        (4, b"2" * 24),
    ]


@pytest.mark.parametrize(("seconds", "whole"), [(29, True), (31, False)])
def test_fragments_wait_half_a_minute(seconds: int, whole: bool) -> None:
    message = udp(b"1" * 24)
    frames = [fragment(message[:16], 0, True, 1), fragment(message[16:], 16, False, 2, START + seconds * SECOND)]
    wire = Wire()
    assert bool(given(wire, frames, finish=False)) is whole
    assert wire.counts["fragments_expired"] == (not whole)


def test_the_end_counts_what_never_became_whole() -> None:
    wire = Wire()
    assert given(wire, [fragment(bytes(8), 8, True)]) == []
    assert wire.counts["fragments_expired"] == 1


def test_incomplete_packets_are_bounded() -> None:
    wire = Wire()
    many = Limits().fragments + 10
    assert given(wire, (fragment(bytes(8), 8, True, n, identification=n) for n in range(many)), finish=False) == []
    assert wire.counts["fragments_evicted"] == 10


def test_the_bytes_of_incomplete_packets_are_bounded() -> None:
    wire = Wire()
    content = bytes(60_000)
    many = Limits().fragment_bytes // len(content) + 10
    given(wire, (fragment(content, 8, True, n, identification=n) for n in range(many)), finish=False)
    assert wire.counts["fragments_evicted"] == 10


def test_a_fragment_in_a_fragment_is_refused() -> None:
    inner = pack("!BBHI", 17, 0, 8 | 1, 2) + bytes(16)
    frames = [
        frame(ethernet(ipv6_fragment(inner[:16], 44, 0, True), 0x86DD), 1),
        frame(ethernet(ipv6_fragment(inner[16:], 44, 16, False), 0x86DD), 2),
    ]
    (oddity,) = given(Wire(), frames)
    assert isinstance(oddity, Oddity)
    assert (oddity.protocol, oddity.reason) == ("ip", Reason.BAD_VALUE)


def test_extension_headers_behind_the_fragment_header_are_read_when_it_is_whole() -> None:
    whole = bytes([17]) + bytes(7) + udp(b"hello, world")
    frames = [
        frame(ethernet(ipv6_fragment(whole[16:], 60, 16, False), 0x86DD), 1),
        frame(ethernet(ipv6_fragment(whole[:16], 60, 0, True), 0x86DD), 2, START + MILLISECOND),
    ]
    (packet,) = given(Wire(), frames)
    assert isinstance(packet, Datagram)
    assert (packet.number, packet.payload) == (2, b"hello, world")
