"""Mirrors that give a packet twice or three times, and senders that really send twice."""

from collections.abc import Callable

import pytest

from monitor.model.evidence import Nanoseconds
from monitor.model.packets import Datagram
from monitor.wire import Wire, duplicates
from tests.wire.packets import (
    ACK,
    MILLISECOND,
    START,
    SYN,
    ethernet,
    frame,
    given,
    ipv4,
    ipv6,
    ipv6_fragment,
    streams_of,
    tcp,
    udp,
)

FIRST = ethernet(ipv4(udp(b"hello")))


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(FIRST, id="the same"),
        pytest.param(bytes(range(12)) + FIRST[12:], id="other MACs"),
        pytest.param(ethernet(ipv4(udp(b"hello"), ttl=63)), id="behind a router"),
        pytest.param(ethernet(ipv4(udp(b"hello"), tos=0xB8)), id="marked for quality of service"),
        pytest.param(ethernet(ipv4(udp(b"hello")), tags=[b"\x81\x00\x00\x05"]), id="in a VLAN"),
        pytest.param(
            ethernet(ipv4(udp(b"hello"), ttl=63), tags=[b"\x81\x00\x00\x05"]) + bytes(9), id="all of it, padded"
        ),
        pytest.param(ethernet(ipv4(FIRST[14:], protocol=4)), id="in a tunnel"),
    ],
)
@pytest.mark.parametrize("late", [0, 50 * MILLISECOND])
def test_a_copy_is_dropped(copy: bytes, late: Nanoseconds) -> None:
    wire = Wire()
    frames = [frame(FIRST, 1), frame(copy, 2, START + late // 2), frame(copy, 3, START + late)]
    (packet,) = given(wire, frames)
    assert isinstance(packet, Datagram)
    assert packet.number == 1
    assert wire.counts["duplicates"] == 2
    assert wire.counts["datagrams"] == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ethernet(ipv4(udp(b"hello"), identification=2)), id="other identification"),
        pytest.param(ethernet(ipv4(udp(b"hallo"))), id="other content"),
        pytest.param(ethernet(ipv4(udp(b"hello", ports=(5061, 5060)))), id="other port"),
        pytest.param(ethernet(ipv4(udp(b"hello"), addresses=("192.0.2.9", "198.51.100.2"))), id="other address"),
        pytest.param(ethernet(ipv6(udp(b"hello")), 0x86DD), id="other IP version"),
    ],
)
def test_what_differs_is_no_copy(other: bytes) -> None:
    assert len(given(Wire(), [frame(FIRST, 1), frame(other, 2)])) == 2


@pytest.mark.parametrize("late", [51 * MILLISECOND, 500 * MILLISECOND, -500 * MILLISECOND])
@pytest.mark.parametrize("data", [FIRST, ethernet(ipv6(udp(b"hello")), 0x86DD)], ids=["IPv4", "IPv6"])
def test_a_repetition_after_the_window_is_no_copy(data: bytes, late: Nanoseconds) -> None:
    assert len(given(Wire(), [frame(data, 1), frame(data, 2, START + late)])) == 2


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda part, at, more: ethernet(ipv4(part, offset=at, more=more)), id="IPv4"),
        pytest.param(lambda part, at, more: ethernet(ipv6_fragment(part, 17, at, more), 0x86DD), id="IPv6"),
    ],
)
def test_tripled_fragments_make_one_datagram(make: Callable[[bytes, int, bool], bytes]) -> None:
    whole = udp(bytes(100))
    parts = [make(whole[:48], 0, True), make(whole[48:], 48, False)]
    wire = Wire()
    assert len(given(wire, [frame(part, n) for n, part in enumerate(parts * 3, 1)])) == 1
    assert len(given(Wire(), [frame(part, n) for n, part in enumerate(parts * 3, 1)])) == 1
    assert wire.counts["duplicates"] == 4
    assert wire.counts["fragments_expired"] == 0


def test_a_tripled_stream_is_one_stream() -> None:
    segments = [
        tcp(sequence=9, flags=SYN),
        tcp(b"one", sequence=10, acknowledged=5),
        tcp(b"two", sequence=13, acknowledged=5),
        tcp(sequence=16, acknowledged=5, flags=0x01),
    ]
    wire = Wire()
    frames = [
        frame(ethernet(ipv4(segment, 6, identification=n, ttl=64 - copy)), 3 * n + copy, START + n)
        for n, segment in enumerate(segments)
        for copy in range(3)
    ]
    (stream,) = streams_of(given(wire, frames)).values()
    assert stream == [b"onetwo", None]
    assert wire.counts["duplicates"] == 8
    assert wire.counts["segments_repeated"] == 0


def test_a_segment_and_a_datagram_of_the_same_bytes_are_two() -> None:
    segment = tcp(b"evil", sequence=0, flags=ACK)
    datagram = segment[:4] + (len(segment) + 4).to_bytes(2, "big") + bytes(2) + segment[4:]
    frames = [frame(ethernet(ipv4(segment, 6)), 1), frame(ethernet(ipv4(datagram)), 2)]
    assert any(isinstance(packet, Datagram) for packet in given(Wire(), frames))


def test_what_is_remembered_is_bounded() -> None:
    memory = duplicates.Duplicates(dict.fromkeys(duplicates.COUNTS, 0), 8)
    assert not any(memory.have((b"%d" % n,), START) for n in range(100))
    assert memory.have((b"99",), START)
    assert not memory.have((b"0",), START)
