"""What stands around an IP packet: link layers, tags, labels, sessions."""

import pytest

from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Datagram
from monitor.wire import COUNTED, ENVELOPES, LINKS, MAX_DEPTH, PORTS, TUNNELS, Wire
from monitor.wire.vlan import MAX_TAGS
from tests.wire.packets import A6, B6, ethernet, flow, frame, given, ipv4, ipv6, udp

V4, V6 = ipv4(udp(b"hello")), ipv6(udp(b"hello"))
MACS = bytes(12)
NSH = b"\x0f\xc2\x01\x04" + bytes(4)
SNAP = b"\xaa\xaa\x03\x00\x00\x00\x08\x00"
WIFI = b"\x08\x02" + bytes(22)
RADIO = b"\x00\x00\x09\x00\x02\x00\x00\x00"
TAGGED = {
    "Arista, 64 bits": (0xD28B, b"\x00\x01\x00\x10" + bytes(8) + b"\x08\x00" + V4, "in_arista"),
    "Arista, 48 bits of UTC": (0xD28B, b"\x00\x01\x01\x21" + bytes(6) + b"\x08\x00" + V4, "in_arista"),
    "TrustSec": (0x8909, b"\x01\x01\x00\x01\x00\x07\x08\x00" + V4, "in_trustsec"),
    "VN-Tag": (0x8926, b"\x80\x05\x00\x09\x08\x00" + V4, "in_vn_tag"),
    "802.1BR": (0x893F, bytes(6) + b"\x86\xdd" + V6, "in_8021br"),
    "FabricPath": (0x8903, b"\x00\x60" + ethernet(V4), "in_fabricpath"),
    "MAC in MAC": (0x88E7, bytes(4) + ethernet(V4), "in_mac_in_mac"),
    "MACsec, integrity only": (0x88E5, b"\x00\x00\x00\x00\x00\x07\x08\x00" + V4 + bytes(16), "in_macsec"),
    "MACsec, with its channel": (0x88E5, b"\x20" + bytes(13) + b"\x08\x00" + V4 + bytes(16), "in_macsec"),
    "NSH": (0x894F, b"\x0f\xc6\x01\x01" + bytes(20) + V4, "in_nsh"),
    "NSH in NSH, Ethernet": (0x894F, NSH + b"\x0f\xc2\x02\x03" + bytes(4) + ethernet(V4), "in_nsh"),
    "pseudowire with control word": (0x8847, b"\x00\x02\x01\xff" + bytes(4) + ethernet(V4), "in_mpls"),
    "pseudowire without": (0x8847, b"\x00\x02\x01\xff" + b"\xaa" + ethernet(V4)[1:], "in_mpls"),
    "pseudowire to an address like IP": (0x8847, b"\x00\x02\x01\xff" + b"\x44" + ethernet(V4)[1:], "in_mpls"),
    "a tag before LLC and SNAP": (0x8100, b"\x00\x05\x00\x64" + SNAP + V4, "in_vlan"),
}
"""What stands behind an EtherType, and the name of its envelope."""


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
        pytest.param(50, b"\xff\x03\x00\x21" + V4, id="PPP on a serial line"),
        pytest.param(50, b"\x0f\x00\x08\x00" + V4, id="Cisco HDLC on a serial line"),
        pytest.param(51, b"\x11\x00\x00\x01\x00\x00\x00\x21" + V4, id="PPPoE alone"),
        pytest.param(104, b"\x8f\x00\x86\xdd" + V6, id="Cisco HDLC"),
        pytest.param(166, b"\x01\x03\x00\x21" + V4, id="PPP of pppd"),
        pytest.param(105, WIFI + SNAP + V4, id="wireless"),
        pytest.param(105, b"\x88\x01" + bytes(24) + SNAP + V4, id="wireless with priority"),
        pytest.param(105, b"\x88\x83" + bytes(34) + SNAP + V4, id="wireless with everything"),
        pytest.param(127, RADIO + b"\x00" + WIFI + SNAP + V4 + bytes(4), id="radiotap"),
        pytest.param(
            127, RADIO + b"\x20" + b"\x88\x01" + bytes(24) + bytes(2) + SNAP + V4, id="radiotap that tells of padding"
        ),
        pytest.param(113, bytes(14) + b"\x08\x00" + V4, id="Linux cooked"),
        pytest.param(113, bytes(14) + b"\x00\x04" + SNAP + V4, id="Linux cooked, LLC and SNAP"),
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
        pytest.param(1, ethernet(SNAP + V4, 8 + len(V4)), id="LLC and SNAP"),
        *[pytest.param(1, ethernet(inside, kind), id=name) for name, (kind, inside, _) in TAGGED.items()],
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
        pytest.param(1, ethernet(b"\x0c" + bytes(60), 0x88E5), "encrypted_frames", id="MACsec"),
        pytest.param(105, b"\x08\x42" + bytes(60), "encrypted_frames", id="wireless, protected"),
        pytest.param(105, b"\x80\x00" + bytes(60), "unknown_ethertypes", id="wireless, beacon"),
        pytest.param(105, b"\x48\x00" + bytes(60), "unknown_ethertypes", id="wireless, nothing in it"),
        pytest.param(105, b"\x88\x00" + bytes(22) + b"\x80" + bytes(60), "unknown_ethertypes", id="wireless, several"),
        pytest.param(105, b"\x08\x04" + bytes(60), "unknown_ethertypes", id="wireless, in parts"),
        pytest.param(1, ethernet(b"\x00\x02\x01\xff\x10" + bytes(60), 0x8847), "unknown_ethertypes", id="MPLS OAM"),
        pytest.param(1, ethernet(ipv4(b"ping", protocol=1)), "unknown_protocols", id="ICMP"),
    ],
)
def test_the_unknown_is_counted_and_nothing_else(link: int, data: bytes, count: str) -> None:
    wire = Wire()
    assert given(wire, [frame(data, link=link)]) == []
    assert {name: n for name, n in wire.counts.items() if n and not name.startswith("in_")} == {count: 1}


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
        pytest.param(50, b"\x0f\x00", id="Cisco HDLC"),
        pytest.param(105, WIFI[:23], id="wireless"),
        pytest.param(105, WIFI + SNAP[:7], id="wireless, LLC"),
        pytest.param(127, RADIO[:7], id="radiotap"),
        pytest.param(127, RADIO, id="radiotap without a frame"),
        *[pytest.param(1, ethernet(inside[:3], kind), id=name) for name, (kind, inside, _) in TAGGED.items()],
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
        pytest.param(ethernet(V4, tags=[b"\x81\x00\x00\x05"] * (MAX_TAGS + 2)), id="tags"),
        pytest.param(ethernet((bytes(2) + bytes(12) + b"\x89\x03") * MAX_DEPTH, 0x8903), id="FabricPath"),
        pytest.param(ethernet(NSH + NSH * MAX_DEPTH, 0x894F), id="NSH"),
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


@pytest.mark.parametrize(("kind", "data", "name"), TAGGED.values(), ids=TAGGED.keys())
def test_envelopes_are_counted_by_name(kind: int, data: bytes, name: str) -> None:
    wire = Wire()
    given(wire, [frame(ethernet(data, kind))])
    assert wire.counts[name] == (2 if data.startswith(NSH) else 1)
    assert {other for other, n in wire.counts.items() if n} == {name, "datagrams"}


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ([], {}),
        ([b"\x81\x00\x00\x05"], {"in_vlan": 1}),
        ([b"\x88\xa8\x00\x05", b"\x81\x00\x00\x05"], {"in_vlan": 1, "in_qinq": 1}),
        ([b"\x91\x00\x00\x05"] * 3, {"in_vlan": 1, "in_qinq": 1}),
    ],
)
@pytest.mark.parametrize(("kind", "packet"), [(0x0800, V4), (0x86DD, V6)])
def test_tags_are_counted_on_the_short_way_as_on_the_long(
    kind: int, packet: bytes, tags: list[bytes], found: dict[str, int]
) -> None:
    wire = Wire()
    given(wire, [frame(ethernet(packet, kind, tags))])
    assert {name: n for name, n in wire.counts.items() if n and name.startswith("in_")} == found


def test_every_envelope_but_ethernet_has_a_name() -> None:
    opened = {*LINKS.values(), *ENVELOPES.values(), *TUNNELS.values(), *PORTS.values()}
    assert {envelope.__name__ for envelope in opened - COUNTED.keys()} == {"ethernet"}
    assert COUNTED.keys() <= opened


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x00\x00\x04\x00", b"\x00\x00\x07\x00" + bytes(60)])
def test_a_radiotap_header_that_lies_is_refused(data: bytes) -> None:
    (oddity,) = given(Wire(), [frame(data, link=127)])
    assert isinstance(oddity, Oddity)
