"""Whatever the bytes, the wire gives packets and oddities, and raises nothing."""

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from monitor.model.oddities import Oddity
from monitor.model.packets import Datagram, Frame, OtherReading, StreamData, StreamEnd, StreamGap
from monitor.wire import LINKS, Wire
from tests.wire.packets import (
    FIN,
    MILLISECOND,
    RST,
    START,
    SYN,
    ethernet,
    frame,
    given,
    ipv4,
    ipv6,
    ipv6_fragment,
    tcp,
    udp,
)

VALID = [
    ethernet(ipv4(udp(b"hello"))),
    ethernet(ipv4(udp(b"hello")), tags=[b"\x81\x00\x00\x05"]),
    ethernet(b"\x00\x02\x01\xff" + ipv4(udp(b"hello")), 0x8847),
    ethernet(b"\x11\x00\x00\x01\x00\x00\x00\x21" + ipv4(udp(b"hello")), 0x8864),
    ethernet(ipv4(udp(bytes(24))[:16], more=True)),
    ethernet(ipv4(udp(bytes(24))[16:], offset=16)),
    ethernet(ipv4(ipv4(udp(b"hello")), 4)),
    ethernet(ipv6(udp(b"hello")), 0x86DD),
    ethernet(ipv6(bytes([44]) + bytes(7) + bytes([17]) + bytes(7) + udp(b"hello"), 0), 0x86DD),
    ethernet(ipv6_fragment(udp(bytes(24))[:16], 17, 0, True), 0x86DD),
    ethernet(ipv6_fragment(udp(bytes(24))[16:], 17, 16, False), 0x86DD),
    ethernet(ipv4(tcp(sequence=99, flags=SYN), 6)),
    ethernet(ipv4(tcp(b"hello", sequence=100, acknowledged=1), 6)),
    ethernet(ipv4(tcp(b"hello", sequence=110, acknowledged=1), 6)),
    ethernet(ipv4(tcp(sequence=120, acknowledged=1, flags=FIN), 6)),
    ethernet(ipv4(tcp(sequence=1, acknowledged=120, flags=RST, ports=(5060, 40_000)), 6)),
]
KINDS = (Datagram, StreamData, StreamGap, StreamEnd, OtherReading, Oddity)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A valid frame, with some bytes changed, cut or grown."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255)), max_size=4)):
        data[place % len(data)] = byte
    end = draw(st.integers(0, len(data) + 10) | st.just(len(data)))
    return bytes(data[:end] + bytes(max(0, end - len(data))))


TIMES = st.integers(0, 20_000).map(lambda late: START + late * MILLISECOND) | st.sampled_from([0, -1, 2**63])


def check(frames: list[Frame]) -> None:
    wire = Wire()
    before = set(wire.counts)
    packets = given(wire, frames)
    assert all(isinstance(packet, KINDS) for packet in packets)
    assert all(packet.payload for packet in packets if isinstance(packet, StreamData))
    assert all(packet.lost > 0 for packet in packets if isinstance(packet, StreamGap))
    assert wire.counts["malformed_frames"] <= len(frames)
    datagrams = [packet for packet in packets if isinstance(packet, Datagram)]
    assert wire.counts["datagrams"] == sum(not packet.ambiguous for packet in datagrams)
    assert wire.counts["datagrams_read_otherwise"] == sum(packet.ambiguous for packet in datagrams)
    assert set(wire.counts) == before


@for_all(st.sampled_from([*LINKS, 147]), st.lists(st.binary(max_size=120), max_size=4))
def test_random_bytes(link: int, samples: list[bytes]) -> None:
    check([frame(data, n, link=link) for n, data in enumerate(samples)])


@settings(max_examples=200)
@for_all(st.lists(st.tuples(mutations(), TIMES, st.integers(0, 9)), max_size=20))
def test_mutated_frames(samples: list[tuple[bytes, int, int]]) -> None:
    check([frame(data, n, at, length=len(data) + cut) for n, (data, at, cut) in enumerate(samples)])


@st.composite
def segments(draw: st.DrawFn) -> bytes:
    """Any segment of one connection, in either direction, near the wrap."""
    ports = draw(st.sampled_from([(1, 2), (2, 1)]))
    sequence = draw(st.integers(-20, 20) | st.sampled_from([2**31, 2**20, -(2**20)]))
    flags = draw(st.sampled_from([0, 0, 0, FIN, SYN, RST, FIN | SYN]))
    acknowledged = draw(st.none() | st.integers(-20, 20))
    return ethernet(ipv4(tcp(draw(st.binary(max_size=9)), sequence, acknowledged, flags, ports), 6))


@settings(max_examples=200)
@for_all(st.lists(st.tuples(segments(), TIMES, st.sampled_from([0, 0, 0, 3])), max_size=40))
def test_any_segments(samples: list[tuple[bytes, int, int]]) -> None:
    check([frame(data[: len(data) - cut], n * 30, at, length=len(data)) for n, (data, at, cut) in enumerate(samples)])
