"""What the packet filter drops inside tunnels, `wire` would have opened, and the filter would have dropped it there."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from struct import pack
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor import wire
from monitor.decoders import ASKS
from monitor.model.alerts import Alert
from monitor.model.layouts import Layout
from monitor.model.packets import Datagram, StreamData
from monitor.model.roster import Joined
from monitor.model.summary import CaptureReport
from monitor.pipeline import Replay, captures_of
from monitor.sources.filters import Filters
from monitor.sources.looks import NEEDED
from monitor.wire import Wire
from monitor.wire.layers import layout_of
from tests.scenarios import expected_of
from tests.sources.savefiles import pcap, rtp
from tests.test_pipeline import INCIDENT, Kept
from tests.wire.packets import ethernet, frame, frames_of, ipv4, ipv6, ipv6_fragment, tcp, udp
from tests.wire.tunnels import AROUND_ETHERNET, AROUND_IPV4, Wrap

MEDIA = udp(rtp(b"\xd5" * 160), (20_000, 30_000))
KEY = udp(rtp(b"\x01\x0a\x00\xa0"), (20_000, 30_000))
SIP = b"INVITE sip:1@example.com SIP/2.0\r\n\r\n"
BODIES = {
    "media": (17, MEDIA),
    "media behind an extension": (17, udp(rtp(b"\xd5" * 160, extension=bytes(8)), (20_000, 30_000))),
    "a key": (17, KEY),
    "a key behind an extension": (17, udp(rtp(b"\x01\x0a\x00\xa0", extension=bytes(8)), (20_000, 30_000))),
    "SIP by its port": (17, udp(b"\r\n\r\n", (5060, 40_000))),
    "SIP by its bytes": (17, udp(SIP, (7000, 7001))),
    "four bytes of SIP": (17, udp(SIP[:4], (7000, 7001))),
    "nothing": (17, udp(b"", (7000, 7001))),
    "to a tunnel's port": (17, udp(bytes(40), (7000, 4789))),
    "TLS": (6, tcp(b"\x17\x03\x03" + bytes(80), ports=(443, 40_000))),
    "SIP over TCP": (6, tcp(SIP, ports=(7000, 7001))),
    "SIP over TCP behind options": (6, tcp(SIP, ports=(7000, 7001), options=bytes(12))),
    "SIP over TCP by its port": (6, tcp(b"", ports=(5060, 40_000))),
    "ICMP": (1, bytes(20)),
    "what begins as a tunnel": (47, b"\x00\x00\x08\x00" + bytes(30)),
}
PACKETS: dict[str, Any] = {
    "IPv4": lambda protocol, body: ipv4(body, protocol),
    "IPv4 with options": lambda protocol, body: ipv4(body, protocol, options=bytes(8)),
    "IPv6": lambda protocol, body: ipv6(body, protocol),
    "IPv6 with an extension header": lambda protocol, body: ipv6(bytes((protocol, 0)) + bytes(6) + body, 0),
    "first fragment": lambda protocol, body: ipv4(body, protocol, more=True),
    "later fragment": lambda protocol, body: ipv4(body, protocol, offset=800),
    "IPv6 fragment": lambda protocol, body: ipv6_fragment(body, protocol, 0, more=True),
}


def framed(packet: bytes, tags: int = 0) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return ethernet(packet, kind, [pack("!HH", 0x8100, 64 + tag) for tag in range(tags)])


AROUND: dict[str, Wrap] = {
    **{name: lambda packet, around=around: around(framed(packet)) for name, around in AROUND_ETHERNET.items()},
    **{
        f"{name}, tagged": lambda packet, around=around: around(framed(packet, 1))
        for name, around in AROUND_ETHERNET.items()
    },
    **AROUND_IPV4,
    "MPLS": lambda packet: ethernet(b"\x01\x23\x40\x40\x04\x56\x71\x40" + packet, 0x8847),
    "pseudowire": lambda packet: ethernet(b"\x01\x23\x41\x40\x00\x00\x00\x00" + framed(packet), 0x8847),
    "PPPoE": lambda packet: ethernet(b"\x11\x00\x00\x07" + pack("!HH", len(packet) + 2, 0x21) + packet, 0x8864),
    "three tags": lambda packet: framed(packet, 3),
    "SNAP": lambda packet: ethernet(b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + packet, len(packet) + 8),
}
"""Around an IPv4 packet; gives a frame."""
ONLY_FRAMES = ("MPLS", "pseudowire", "PPPoE", "three tags", "SNAP")


def wrapped(packet: bytes, names: list[str]) -> bytes:
    """The packet in these envelopes, the innermost first, in an Ethernet frame."""
    for name in names[:-1]:
        packet = AROUND[name](packet)[14:]
    return AROUND[names[-1]](packet)


def tagged(data: bytes, tags: int) -> bytes:
    return data[:12] + b"\x81\x00\x00\x07" * tags + data[12:]


def filters_that_know(*frames: bytes) -> Filters:
    """A filter that has seen so much of each of these frames that it knows how they are wrapped."""
    filters = new_filters()
    for data in frames:
        for _ in range(NEEDED):
            filters.look(1, data, len(data))
    return filters


PARTS: dict[tuple[str, int], Any] = {}


def new_filters() -> Filters:
    filters = Filters(ASKS, layout_of)
    filters._parts = PARTS  # compiled once, for they are the same
    return filters


def passes(filters: Filters, data: bytes) -> bool:
    return filters.wants(filters.program(1), data, len(data))


@cache
def bare() -> Filters:
    return Filters(ASKS)


@pytest.mark.parametrize("tags", [0, 1, 2])
@pytest.mark.parametrize("version", ["IPv4", "IPv4 with options"])
@pytest.mark.parametrize("name", AROUND)
def test_media_is_dropped_and_what_is_asked_for_is_not(name: str, version: str, tags: int) -> None:
    def one(body: str) -> bytes:
        return tagged(AROUND[name](PACKETS[version](*BODIES[body])), tags)

    filters = filters_that_know(one("media"))
    assert passes(bare(), one("media"))
    dropped = {body for body in BODIES if not passes(filters, one(body))}
    same_length = name == "SNAP"  # has the length where others have the EtherType
    plain = {body for body in BODIES if not passes(bare(), framed(PACKETS[version](*BODIES[body])))}
    assert dropped == ({"media"} if same_length else plain)


class Opened:
    """The IP headers that `wire` reads, from outside to inside."""

    def __init__(self) -> None:
        self.packets: list[tuple[int, bytes]] = []

    @contextmanager
    def watch(self) -> Iterator[None]:
        def watched(kind: int, header: Any) -> Any:
            def read(data: bytes, start: int) -> Any:
                found = header(data, start)
                self.packets.append((kind, data[start:]))
                return found

            return read

        headers = {kind: watched(kind, header) for kind, header in wire._HEADERS.items()}
        with patch.dict(wire._HEADERS, headers):
            yield


def innermost(data: bytes) -> bytes:
    """The innermost packet of a frame, as `wire` reads it, in a frame of its own."""
    opened = Opened()
    with opened.watch():
        Wire()._open(frame(data))
    kind, packet = opened.packets[-1]
    return ethernet(packet, kind)


@pytest.mark.parametrize("name", AROUND)
def test_no_byte_on_the_way_may_differ_unnoticed(name: str) -> None:
    """Each byte with each bit turned, and with small values."""
    whole = AROUND[name](ipv4(MEDIA))
    filters = filters_that_know(whole)
    for at in range(len(whole) - len(MEDIA)):
        for value in (*(whole[at] ^ 1 << bit for bit in range(8)), 0, 1, 40):
            data = whole[:at] + bytes((value,)) + whole[at + 1 :]
            if not passes(filters, data) and passes(bare(), data):
                assert not passes(bare(), innermost(data)), at


names = st.lists(
    st.sampled_from([name for name in AROUND if name not in ONLY_FRAMES and "IPv6" not in name]), max_size=2
)
wraps = st.tuples(names, st.sampled_from(list(AROUND))).map(lambda both: [*both[0], both[1]])
bodies, versions = st.sampled_from(list(BODIES)), st.sampled_from(list(PACKETS))


Blow = tuple[int, int, int]


def struck(data: bytes, layout: Layout | None, blows: list[Blow]) -> bytes:
    """The frame with some bytes changed, most of them such that decide how it is opened."""
    found = bytearray(data)
    for place, value, change in blows:
        marks = layout.marks if layout and value % 4 else ()
        at = marks[place % len(marks)].at + value % marks[place % len(marks)].size if marks else place % len(data)
        found[at] = (found[at] + change) % 256 if value % 3 else value
    return bytes(found)


blow = st.tuples(st.integers(0, 160), st.integers(0, 255), st.sampled_from((1, -1, 4, 16, 32, 64, 128)))


@settings(max_examples=400, deadline=None)
@given(wraps, bodies, versions, st.lists(wraps, max_size=2), st.lists(blow, max_size=3), st.integers(0, 2))
def test_what_is_dropped_would_be_dropped_outside_too(
    around: list[str], body: str, version: str, others: list[list[str]], blows: list[Blow], tags: int
) -> None:
    packet = PACKETS[version](*BODIES[body])
    assume(packet[0] >> 4 == 4 or around[0] in AROUND_ETHERNET)
    media = ipv4(MEDIA)
    alike = tagged(wrapped(media, around), tags)
    filters = filters_that_know(alike, *(wrapped(media, other) for other in others))
    data = struck(tagged(wrapped(packet, around), tags), layout_of(1, alike), blows)
    if passes(filters, data) or not passes(bare(), data):
        return
    assert not passes(bare(), innermost(data))


@settings(max_examples=200, deadline=None)
@given(wraps, bodies, st.integers(1, 160))
def test_of_a_frame_that_was_cut_only_what_nobody_can_read_is_dropped(around: list[str], body: str, kept: int) -> None:
    data = wrapped(PACKETS["IPv4"](*BODIES[body]), around)
    filters = filters_that_know(wrapped(ipv4(MEDIA), around))
    cut = data[: -kept or None]
    if filters.wants(filters.program(1), cut, len(data)):
        return
    given_ = Wire()._open(frame(cut, length=len(data)))
    payloads = [each.payload for each in given_ if isinstance(each, Datagram | StreamData)]
    assert not any(SIP.startswith(payload[:4]) for payload in payloads if len(payload) >= 4)


@settings(max_examples=400, deadline=None)
@given(wraps, versions, st.lists(blow, min_size=1, max_size=4))
def test_all_frames_with_the_marks_are_opened_alike(around: list[str], version: str, blows: list[Blow]) -> None:
    packet = PACKETS[version](17, MEDIA)
    assume(packet[0] >> 4 == 4 or around[0] in AROUND_ETHERNET)
    whole = wrapped(packet, around)
    layout = layout_of(1, whole)
    assume(layout is not None)
    assert layout is not None
    data = struck(whole, layout, blows)
    if not bears(data, layout):
        return
    opened = Opened()
    with opened.watch():
        Wire()._open(frame(data))
    header = data[layout.packet_at : layout.packet_at + 20]
    assert (0x0800 if layout.version == 4 else 0x86DD, header) in [(kind, read[:20]) for kind, read in opened.packets]


def bears(data: bytes, layout: Layout) -> bool:
    """Whether the frame has all the marks."""
    for at, size, mask, value, or_more in layout.marks:
        found = int.from_bytes(data[at : at + size], "big") & mask
        if len(data) < at + size or (found < value if or_more else found != value):
            return False
    return True


def run_of(capture: Path, records: list[tuple[int, bytes]]) -> tuple[list[str], CaptureReport]:
    """The joins and alerts in a capture with these records."""
    capture.parent.mkdir()
    capture.write_bytes(pcap(records, nano=True))
    kept = Kept()
    pipeline = Replay(captures_of([capture]), expected_of(INCIDENT), [kept])
    pipeline.run()
    said = [repr(each) for each in kept.records if isinstance(each, Alert | Joined)]
    return said, pipeline.finish().captures[0]


@pytest.mark.parametrize("name", ["VXLAN", "ERSPAN I", "ERSPAN II", "ERSPAN III", "GENEVE", "TZSP"])
def test_an_incident_that_is_mirrored_in_a_tunnel(name: str, tmp_path: Path) -> None:
    """Its capture, with much more media amid it: the same joins and alerts, wrapped or not."""
    media = [framed(ipv4(MEDIA))] * 4
    records = [(each.at, data) for each in frames_of(INCIDENT) for data in (*media, each.data)]
    bundled, _ = run_of(tmp_path / "bundled" / "a.pcap", records)
    mirrored, report = run_of(
        tmp_path / "mirrored" / "a.pcap", [(at, AROUND_ETHERNET[name](data)) for at, data in records]
    )
    assert mirrored == bundled
    assert len(bundled) > 5
    assert report.wanted < report.frames / 4
    assert report.envelopes[name.split()[0].lower()] >= 500
