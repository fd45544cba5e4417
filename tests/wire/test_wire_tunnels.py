"""Packets in the tunnels of mirrors and overlays."""

from itertools import count

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Datagram, StreamData, StreamGap
from monitor.wire import COUNTED, MAX_DEPTH, PORTS, Wire
from tests.wire.packets import (
    ACK,
    MILLISECOND,
    START,
    ethernet,
    flow,
    frame,
    given,
    ipv4,
    ipv6,
    tcp,
    udp,
)
from tests.wire.tunnels import AROUND_ETHERNET, AROUND_IPV4, TZSP, Wrap, geneve, gre, gtp, to_port

V4 = ipv4(udp(b"hello"))
HELLO = ethernet(V4)
FRAMES = [
    HELLO,
    ethernet(V4, tags=[b"\x81\x00\x00\x05"]),
    ethernet(b"\x00\x02\x01\xff" + V4, 0x8847),
    ethernet(ipv6(udp(b"hello")), 0x86DD),
    ethernet(ipv4(udp(bytes(24))[:16], more=True)),
    ethernet(ipv4(udp(bytes(24))[16:], offset=16)),
    ethernet(ipv4(tcp(b"hello", sequence=100, acknowledged=1), 6)),
    ethernet(ipv4(tcp(b"hello", sequence=110, acknowledged=1), 6)),
    ethernet(ipv4(b"ping", 1)),
    ethernet(b"\x00\x01", 0x0806),
    ethernet(b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + V4, 8 + len(V4)),
]
ENVELOPES = AROUND_ETHERNET | {
    name: lambda frame, around=around: around(ipv4(b"\x00\x00\x65\x58" + frame, 47))
    for name, around in AROUND_IPV4.items()
}
"""Each takes an Ethernet frame and gives one."""
TELLING = {name: around for name, around in ENVELOPES.items() if name != "HP ERM"}
"""Those that say what they hold: HP's does not, so that only a frame that can be read proves that it is one."""


@pytest.mark.parametrize(
    "data",
    [
        *(pytest.param(around(HELLO), id=name) for name, around in AROUND_ETHERNET.items()),
        *(pytest.param(around(V4), id=name) for name, around in AROUND_IPV4.items()),
    ],
)
def test_the_datagram_is_found_in_its_tunnel(data: bytes) -> None:
    (packet,) = given(Wire(), [frame(data)])
    assert packet == Datagram(START, "a.pcap", 1, flow(), b"hello")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ERSPAN I", {"in_gre": 1, "in_erspan": 1}),
        ("ERSPAN II", {"in_gre": 1, "in_erspan": 1}),
        ("ERSPAN III", {"in_gre": 1, "in_erspan": 1}),
        ("transparent Ethernet in GRE", {"in_gre": 1}),
        ("VXLAN", {"in_vxlan": 1}),
        ("GENEVE", {"in_geneve": 1}),
        ("TZSP", {"in_tzsp": 1}),
    ],
)
def test_tunnels_are_counted_by_kind(name: str, counts: dict[str, int]) -> None:
    wire = Wire()
    given(wire, [frame(AROUND_ETHERNET[name](HELLO))])
    assert {name: n for name, n in wire.counts.items() if n} == counts | {"datagrams": 1}


def test_all_kinds_are_counted_from_the_start() -> None:
    assert set(COUNTED.values()) <= Wire().counts.keys()


def test_scapy_wraps_alike() -> None:
    from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, GRE
    from scapy.contrib.gtp import GTP_U_Header
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.layers.vxlan import VXLAN

    outer, packet = Ether() / IP(src="203.0.113.1", dst="203.0.113.2"), IP(src="192.0.2.1", dst="198.51.100.2")
    packet /= UDP(sport=5060, dport=5060) / b"hello"
    for wrapped in (
        outer / GRE(key_present=1, key=7, chksum_present=1) / packet,
        outer / GRE(seqnum_present=1, sequence_number=3) / ERSPAN_II(vlan=5) / Ether() / packet,
        outer / GRE(seqnum_present=1, sequence_number=3) / ERSPAN_III(vlan=5) / Ether() / packet,
        outer / UDP(dport=4789) / VXLAN(vni=7) / Ether() / packet,
        outer / UDP(dport=2152) / GTP_U_Header(teid=7, S=1, seq=3) / packet,
    ):
        (datagram,) = given(Wire(), [frame(bytes(wrapped))])
        assert isinstance(datagram, Datagram)
        assert (datagram.flow, datagram.payload) == (flow(), b"hello")


@pytest.mark.parametrize("port", [int.from_bytes(port, "big") for port in PORTS])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\r\n\r\n",
        b"\n\n\n\n\n\n\n\n\n\n\n\nOPTIONS",
        b"INVITE sip:1@example.com SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"\x80\x65" + bytes(170),
        b"\x08\x00\x00\x00\x00\x00\x07\x00" + bytes(12),
        b"\x08\x00\x00\x00\x00\x00\x07\x00" + ethernet(b"\x65" + V4[1:]),
        geneve(0x6558, bytes(40))[:20],
        geneve(0x0800) + V4[:19],
        gtp(kind=1, rest=bytes(8)),
        gtp(4, b"\x00\x00\x00\x85\x00" + V4),
        gtp(4, b"\x00\x00\x00\x85\x40" + V4),
        gtp(4, b"\x00\x00\x00\x85" + b"\x01\x00\x00\x85" * 3),
        gtp(rest=b"\x00" + V4),
        TZSP,
        TZSP + b"\x0a\xff" + HELLO,
        b"\x01\x04\x00\x00",
    ],
)
def test_what_only_has_the_port_of_a_tunnel_is_a_datagram(port: int, payload: bytes) -> None:
    wire = Wire()
    packets = given(wire, [frame(to_port(port, payload))])
    assert packets == [Datagram(START, "a.pcap", 1, flow(ports=(50_000, port)), payload)]
    assert (wire.counts["datagrams"], wire.counts["malformed_frames"]) == (1, 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(ethernet(ipv4(b"\x00\x00\x08", 47)), Reason.TRUNCATED, id="GRE"),
        pytest.param(gre(V4, 0x0800, bytes(4), 0x4000), Reason.TRUNCATED, id="GRE with a source route cut short"),
        pytest.param(gre(V4, 0x0800, bytes(4) + b"\x08\x00\x00\x01\x00" * 40, 0x4000), Reason.TOO_LARGE, id="routes"),
        pytest.param(gre(V4, 0x0800, b"", 0x0002), Reason.UNSUPPORTED, id="GRE version 2"),
        pytest.param(gre(b"\x10\x05", 0x88BE, bytes(4), 0x1000), Reason.TRUNCATED, id="ERSPAN II"),
        pytest.param(gre(b"\x20" + bytes(10), 0x22EB, bytes(4), 0x1000), Reason.TRUNCATED, id="ERSPAN III"),
        pytest.param(gre(b"\x30" + bytes(20), 0x22EB, bytes(4), 0x1000), Reason.UNSUPPORTED, id="ERSPAN version 3"),
    ],
)
def test_a_broken_tunnel_is_an_oddity(data: bytes, reason: Reason) -> None:
    wire = Wire()
    (oddity,) = given(wire, [frame(data)])
    assert isinstance(oddity, Oddity)
    assert oddity.reason is reason
    assert wire.counts["malformed_frames"] == 1


def test_a_broken_segment_in_a_tunnel_is_an_oddity_as_outside() -> None:
    broken = ethernet(ipv4(tcp(b"hello")[:10], 6))
    assert given(Wire(), [frame(AROUND_ETHERNET["VXLAN"](broken))]) == given(Wire(), [frame(broken)])


def test_tunnels_without_end_are_refused_and_not_lost() -> None:
    data = HELLO
    for _ in range(MAX_DEPTH):
        data = AROUND_ETHERNET["VXLAN"](data)
    *rest, oddity = given(Wire(), [frame(data)])
    assert isinstance(oddity, Oddity)
    assert oddity.reason is Reason.TOO_LARGE
    assert len(rest) <= 1


@pytest.mark.parametrize("name", AROUND_ETHERNET)
def test_a_frame_that_the_snap_length_cut_in_a_tunnel_is_truncated(name: str) -> None:
    data = AROUND_ETHERNET[name](ethernet(ipv4(udp(b"hello, world"))))
    (packet,) = given(Wire(), [frame(data[:-7], length=len(data))])
    assert packet == Datagram(START, "a.pcap", 1, flow(), b"hello", True)
    data = AROUND_ETHERNET[name](ethernet(ipv4(tcp(b"hello, world", flags=ACK), 6)))
    first, gap, _ = given(Wire(), [frame(data[:-7], length=len(data))])
    assert isinstance(first, StreamData)
    assert isinstance(gap, StreamGap)
    assert (first.payload, gap.lost) == (b"hello", 7)


def test_a_copy_is_one_whatever_it_is_wrapped_in() -> None:
    wire, number = Wire(), count(1)
    copies = [HELLO, *(around(HELLO) for around in AROUND_ETHERNET.values())]
    packets = given(wire, [frame(data, next(number)) for data in copies])
    assert packets == [Datagram(START, "a.pcap", 1, flow(), b"hello")]
    assert wire.counts["duplicates"] == len(AROUND_ETHERNET)


def test_a_fragmented_tunnel_is_put_together() -> None:
    inner = ethernet(ipv4(udp(b"hello" * 40)))
    datagram = udp(b"\x08" + bytes(7) + inner, (50_000, 4789))
    parts = [ethernet(ipv4(datagram[:80], more=True)), ethernet(ipv4(datagram[80:], offset=80))]
    (packet,) = given(Wire(), [frame(data, number) for number, data in enumerate(parts, 1)])
    assert packet == Datagram(START, "a.pcap", 2, flow(), b"hello" * 40)


ANY_ENVELOPE = st.sampled_from(list(TELLING.values()))


@st.composite
def mutations(draw: st.DrawFn, samples: list[bytes]) -> bytes:
    """One of these frames, with some bytes changed or its end cut."""
    data = bytearray(draw(st.sampled_from(samples)))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 199), st.integers(0, 255)), max_size=4)):
        data[place % len(data)] = byte
    return bytes(data[: draw(st.integers(14, len(data)) | st.just(len(data)))])


@settings(max_examples=200)
@for_all(st.lists(st.tuples(mutations(FRAMES), ANY_ENVELOPE, ANY_ENVELOPE), max_size=8))
def test_two_envelopes_change_nothing(samples: list[tuple[bytes, Wrap, Wrap]]) -> None:
    """But for broken Ethernet and IP headers: in a tunnel known by its port alone, they leave an ordinary datagram."""
    alone, wrapped = Wire(), Wire()
    for number, (data, inner, outer) in enumerate(samples):
        plain = frame(data, number, START + number * MILLISECOND)
        before = alone.feed(plain)
        copies = wrapped.counts["duplicates"]
        after = wrapped.feed(plain._replace(data=(again := outer(inner(data))), length=len(again)))
        if any(isinstance(p, Oddity) and p.protocol in {"link", "ip"} for p in before):
            assert after or wrapped.counts["duplicates"] == copies + 1
        else:
            assert list(before) == list(after)


@settings(max_examples=300)
@for_all(
    st.lists(st.tuples(mutations([around(HELLO) for around in ENVELOPES.values()]), st.integers(0, 9)), max_size=8)
)
def test_mutated_tunnels_never_raise(samples: list[tuple[bytes, int]]) -> None:
    wire = Wire()
    packets = given(wire, [frame(data, n, length=len(data) + cut) for n, (data, cut) in enumerate(samples)])
    assert wire.counts["datagrams"] == sum(isinstance(packet, Datagram) for packet in packets)


@for_all(st.sampled_from([int.from_bytes(port, "big") for port in PORTS]), st.binary(max_size=120))
def test_any_bytes_to_the_port_of_a_tunnel_never_raise(port: int, payload: bytes) -> None:
    wire = Wire()
    packets = given(wire, [frame(to_port(port, payload))])
    opened = sum(wire.counts[name] for name in COUNTED.values()) or payload.startswith(b"HEP")
    assert opened or packets == [Datagram(START, "a.pcap", 1, flow(ports=(50_000, port)), payload)]


@for_all(
    st.sampled_from([0x0800, 0x86DD, 0x6558, 0x88BE, 0x22EB, 0x880B, 0x8847]),
    st.sampled_from([0, 0x1000, 0x3000]),
    st.binary(max_size=120),
)
def test_any_bytes_in_gre_never_raise(kind: int, flags: int, payload: bytes) -> None:
    wire = Wire()
    assert all(isinstance(p, Datagram | Oddity | StreamData) for p in wire.feed(frame(gre(payload, kind, b"", flags))))
    assert wire.counts["malformed_frames"] <= 1
