"""What is on each link type comes through the packet filter, and is opened behind it."""

import pytest

from monitor.model.packets import Datagram
from monitor.pipeline import ASKS
from monitor.sources.filters import Filters
from monitor.wire import LINKS, Wire
from tests.wire.packets import ethernet, frame, ipv4, ipv6, udp

INVITE = b"INVITE sip:1@example.com SIP/2.0\r\n"
V4, V6 = (around(udp(INVITE, (7000, 7001))) for around in (ipv4, ipv6))
MEDIA = ipv4(udp(b"\x80\x08" + bytes(170), (7000, 7001)))
SNAP = b"\xaa\xaa\x03\x00\x00\x00\x08\x00"
WIFI = b"\x08\x02" + bytes(22)
HEADS = {
    0: (b"\x02\x00\x00\x00",),
    1: (ethernet(b""),),
    9: (b"\xff\x03\x00\x21", b"\x00\x21", b"\x21"),
    12: (b"",),
    14: (b"",),
    50: (b"\xff\x03\x00\x21", b"\x0f\x00\x08\x00"),
    51: (b"\x11\x00\x00\x01\x00\x00\x00\x21",),
    101: (b"",),
    104: (b"\x8f\x00\x08\x00",),
    105: (WIFI + SNAP, b"\x88\x01" + bytes(24) + SNAP),
    108: (b"\x00\x00\x00\x02",),
    113: (bytes(14) + b"\x08\x00",),
    127: (b"\x00\x00\x08\x00" + bytes(4) + WIFI + SNAP,),
    166: (b"\x01\x03\x00\x21",),
    228: (b"",),
    276: (b"\x08\x00" + bytes(18),),
}
"""What stands before an IPv4 packet."""
CASES = [(link, head + V4) for link, heads in HEADS.items() for head in heads] + [(229, V6)]


@pytest.mark.parametrize(("link", "data"), CASES)
def test_sip_on_any_link_comes_through(link: int, data: bytes) -> None:
    filters = Filters(ASKS)
    program = filters.program(link)
    assert program is not None
    assert filters.wants(program, data, len(data))
    (packet,) = Wire().feed(frame(data, link=link))
    assert isinstance(packet, Datagram)
    assert packet.payload == INVITE


@pytest.mark.parametrize(("link", "heads"), HEADS.items())
def test_media_is_kept_away_where_libpcap_can_look(link: int, heads: tuple[bytes, ...]) -> None:
    filters = Filters(ASKS)
    assert not filters.wants(filters.program(link), heads[0] + MEDIA, len(heads[0] + MEDIA))


def test_every_link_is_tried() -> None:
    assert {link for link, _ in CASES} == LINKS.keys()


def test_llc_and_snap_come_through() -> None:
    filters = Filters(ASKS)
    for tags in ([], [b"\x81\x00\x00\x05"]):
        data = ethernet(SNAP + V4, 8 + len(V4), tags)
        assert filters.wants(filters.program(1), data, len(data))
    rest = ethernet(b"\x42\x42\x03" + bytes(60), 63)
    assert not filters.wants(filters.program(1), rest, len(rest))
