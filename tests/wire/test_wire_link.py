"""What stands around an IP packet: link layers, tags, labels, sessions."""

import pytest

from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Datagram
from monitor.wire import MAX_DEPTH, Wire
from tests.wire.packets import A6, B6, ethernet, flow, frame, given, ipv4, ipv6, udp

V4, V6 = ipv4(udp(b"hello")), ipv6(udp(b"hello"))
MACS = bytes(12)


@pytest.mark.parametrize(
    ("link", "data"),
    [
        pytest.param(1, ethernet(V4), id="Ethernet"),
        pytest.param(1, ethernet(V6, 0x86DD), id="Ethernet, IPv6"),
        pytest.param(1, ethernet(V4 + bytes(9)), id="Ethernet with padding"),
        pytest.param(1, ethernet(V4, tags=[b"\x81\x00\x00\x05"]), id="VLAN"),
        pytest.param(1, ethernet(V6, 0x86DD, tags=[b"\x81\x00\x00\x05"]), id="VLAN, IPv6"),
        pytest.param(1, ethernet(V4, tags=[b"\x88\xa8\x00\x07", b"\x81\x00\x00\x05"]), id="QinQ"),
        pytest.param(1, ethernet(V4, tags=[b"\x91\x00\x00\x07"] * 3), id="three old tags"),
        pytest.param(1, ethernet(b"\x00\x01\x00\xff" + b"\x00\x02\x01\xff" + V4, 0x8847), id="two MPLS labels"),
        pytest.param(1, ethernet(b"\x00\x02\x01\xff" + V6, 0x8848), id="MPLS multicast, IPv6"),
        pytest.param(1, ethernet(b"\x11\x00\x00\x01\x00\x00\x00\x21" + V4, 0x8864), id="PPPoE"),
        pytest.param(1, ethernet(b"\x11\x00\x00\x01\x00\x00\x00\x57" + V6, 0x8864), id="PPPoE, IPv6"),
        pytest.param(9, b"\xff\x03\x00\x21" + V4, id="PPP as in HDLC"),
        pytest.param(9, b"\x21" + V4, id="PPP, compressed protocol"),
        pytest.param(113, bytes(14) + b"\x08\x00" + V4, id="Linux cooked"),
        pytest.param(113, bytes(14) + b"\x81\x00\x00\x05\x86\xdd" + V6, id="Linux cooked, VLAN"),
        pytest.param(276, b"\x08\x00" + bytes(18) + V4, id="Linux cooked, version 2"),
        *[pytest.param(link, V4, id=f"raw {link}") for link in (12, 14, 101, 228)],
        *[pytest.param(link, V6, id=f"raw {link}, IPv6") for link in (12, 14, 101, 229)],
        pytest.param(0, b"\x02\x00\x00\x00" + V4, id="loopback of a little-endian machine"),
        pytest.param(0, b"\x00\x00\x00\x02" + V4, id="loopback of a big-endian machine"),
        pytest.param(0, b"\x1e\x00\x00\x00" + V6, id="loopback of macOS, IPv6"),
        pytest.param(108, b"\x00\x00\x00\x18" + V6, id="loopback of OpenBSD, IPv6"),
        pytest.param(1, ethernet(ipv4(V6, protocol=41)), id="IPv6 in IPv4"),
        pytest.param(1, ethernet(ipv6(V4, following=4), 0x86DD), id="IPv4 in IPv6"),
    ],
)
def test_the_datagram_is_found_in_its_envelopes(link: int, data: bytes) -> None:
    (packet,) = given(Wire(), [frame(data, link=link)])
    assert isinstance(packet, Datagram)
    assert packet.payload == b"hello"
    assert not packet.truncated
    assert packet.flow == (flow(A6, B6) if V6 in data else flow())


@pytest.mark.parametrize(
    ("link", "data", "count"),
    [
        pytest.param(147, V4, "unknown_links", id="a user's own link type"),
        pytest.param(1, ethernet(b"\x00\x01", 0x0806), "unknown_ethertypes", id="ARP"),
        pytest.param(1, ethernet(b"\x42\x42\x03", 3), "unknown_ethertypes", id="802.3 length"),
        pytest.param(9, b"\xc0\x21\x01", "unknown_ethertypes", id="PPP link control"),
        pytest.param(0, b"\x07\x00\x00\x00", "unknown_ethertypes", id="AppleTalk"),
        pytest.param(101, b"\x00" + V4, "unknown_ethertypes", id="raw, neither 4 nor 6"),
        pytest.param(1, ethernet(ipv4(b"ping", protocol=1)), "unknown_protocols", id="ICMP"),
    ],
)
def test_the_unknown_is_counted_and_nothing_else(link: int, data: bytes, count: str) -> None:
    wire = Wire()
    assert given(wire, [frame(data, link=link)]) == []
    assert {name: n for name, n in wire.counts.items() if n} == {count: 1}


@pytest.mark.parametrize(
    ("link", "data"),
    [
        pytest.param(1, MACS, id="Ethernet"),
        pytest.param(1, ethernet(b"\x00", 0x8100), id="VLAN"),
        pytest.param(1, ethernet(b"\x00\x01\x00\xff", 0x8847), id="MPLS without a bottom"),
        pytest.param(1, ethernet(b"\x00\x02\x01\xff", 0x8847), id="MPLS with nothing behind"),
        pytest.param(1, ethernet(b"\x11\x00", 0x8864), id="PPPoE"),
        pytest.param(9, b"\xff\x03\x00", id="PPP"),
        pytest.param(9, b"", id="PPP, empty"),
        pytest.param(113, bytes(15), id="Linux cooked"),
        pytest.param(276, bytes(19), id="Linux cooked, version 2"),
        pytest.param(0, b"\x02", id="loopback"),
        pytest.param(12, b"", id="raw"),
    ],
)
def test_an_envelope_cut_short_is_an_oddity(link: int, data: bytes) -> None:
    wire = Wire()
    (oddity,) = given(wire, [frame(data, number=7, link=link)])
    assert isinstance(oddity, Oddity)
    assert (oddity.protocol, oddity.reason, oddity.evidence.frame) == ("link", Reason.TRUNCATED, 7)
    assert wire.counts["malformed_frames"] == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ethernet(V4, tags=[b"\x81\x00\x00\x05"] * MAX_DEPTH), id="tags"),
        pytest.param(ethernet(b"\x00\x01\x00\xff" * 17 + b"\x00\x02\x01\xff" + V4, 0x8847), id="labels"),
    ],
)
def test_envelopes_without_end_are_refused(data: bytes) -> None:
    (oddity,) = given(Wire(), [frame(data)])
    assert isinstance(oddity, Oddity)
    assert (oddity.protocol, oddity.reason) == ("link", Reason.TOO_LARGE)


def test_all_counts_are_there_from_the_start() -> None:
    wire = Wire()
    before = set(wire.counts)
    assert not any(wire.counts.values())
    given(wire, [frame(ethernet(V4), link=link) for link in range(280)])
    assert set(wire.counts) == before
