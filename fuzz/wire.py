"""Frames: whatever the bytes, packets and oddities come out, and what was sent honestly comes out as it was sent."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from struct import pack

from fuzz.target import records_of, target
from monitor.model.oddities import Malformed, Oddity
from monitor.model.packets import Datagram, Frame, OtherReading, Packet, StreamData, StreamEnd, StreamGap
from monitor.wire import ENVELOPES, LINKS, PORTS, TUNNELS, Wire
from monitor.wire.envelope import Envelope
from monitor.wire.fragments import COUNTS as FRAGMENT_COUNTS
from monitor.wire.fragments import Fragments
from monitor.wire.hep import Key, Unauthentic, report_of
from monitor.wire.ip import Fragment, IpPacket, ipv4_of, ipv6_of
from monitor.wire.layers import layout_of
from monitor.wire.streams import COUNTS as STREAM_COUNTS
from monitor.wire.streams import Streams
from monitor.wire.tcp import ACK, FIN, RST, SYN, Segment

START = 1_700_000_000 * 10**9
STEPS = (0, 1_000, 1_000_000, 60_000_000, 1_100_000_000, 6_000_000_000, 31_000_000_000, -2_000_000_000)
"""Nanoseconds from one frame to the next: each of the limits in `wire` lies between two of them."""
CONTENT = Random(1).randbytes(1 << 16)
KINDS = (Datagram, StreamData, StreamGap, StreamEnd, OtherReading, Oddity)
LINK_TYPES = (*LINKS, 147)


def fed(frames: Iterable[Frame]) -> list[Packet | Oddity]:
    """Everything that the wire gives, after what must hold for it."""
    wire = Wire()
    names = set(wire.counts)
    count = size = 0
    given: list[Packet | Oddity] = []
    for frame in frames:
        given += wire.feed(frame)
        count += 1
        size += len(frame.data)
    given += wire.finish()
    assert all(type(one) in KINDS for one in given)
    assert all(one.payload for one in given if isinstance(one, StreamData))
    assert all(one.lost > 0 for one in given if isinstance(one, StreamGap))
    # A compressed report unfolds to no more than 64 KiB, and a stretch may be given again from an earlier start.
    assert sum(len(one.payload) for one in given if isinstance(one, Datagram | StreamData)) <= size * 64 + (count << 16)
    assert len(given) <= 64 * count + 8
    assert set(wire.counts) == names
    assert min(wire.counts.values()) >= 0
    return given


@target(
    "frames",
    *(
        "wire",
        "wire.duplicates",
        "wire.ip",
        "wire.layers",
        "wire.link",
        "wire.rivals",
        "wire.tcp",
        "wire.udp",
        "wire.vlan",
    ),
    words=(b"\x08\x00\x45\x00", b"\x86\xdd\x60", b"\x81\x00", b"\x88\x47", b"\x88\x64", b"\x88\xbe", b"\x65\x58"),
)
def frames(data: bytes) -> None:
    """Frames of any link type; the byte before each says which, and how much later it came."""
    at = START
    made: list[Frame] = []
    for number, (what, content) in enumerate(records_of(data), 1):
        at += STEPS[what >> 5]
        link = LINK_TYPES[(what & 0x1F) % len(LINK_TYPES)]
        made.append(Frame(at, "a.pcap", number, link, content, len(content) + 40 * (number % 7 == 6)))
        assert layout_of(link, content) == layout_of(link, content)
    fed(made)


TABLES: tuple[dict[int, Envelope] | dict[bytes, Envelope], ...] = (LINKS, ENVELOPES, TUNNELS, PORTS)
HEP_WORDS = (
    b"HEP3",
    b"\0\0\0\1\0\7\2",
    b"\0\0\0\x0f",
    b"\0\0\0\x10",
    b"\0\0\0\x0b\0\7\1",
    b"INVITE sip:a@b SIP/2.0\r\n",
)
EVERY_ENVELOPE: tuple[Envelope, ...] = tuple(dict.fromkeys(one for table in TABLES for one in table.values()))


@target(
    "envelopes",
    *(
        "wire.arista",
        "wire.bridge",
        "wire.cisco",
        "wire.envelope",
        "wire.erspan",
        "wire.geneve",
        "wire.gre",
        "wire.gtp",
    ),
    *("wire.hp_erm", "wire.ip", "wire.ip_in_ip", "wire.link", "wire.macsec", "wire.mpls", "wire.nsh", "wire.ppp"),
    *("wire.tzsp", "wire.vlan", "wire.vxlan", "wire.wifi"),
)
def envelopes(data: bytes) -> None:
    """Every envelope on the same bytes, from their start and from a little later."""
    readers: tuple[Callable[[bytes, int], object], ...] = (*EVERY_ENVELOPE, ipv4_of, ipv6_of)
    for reader in readers:
        for start in (0, 14):
            with suppress(Malformed):
                given = reader(data, start)
                if isinstance(given, IpPacket):
                    assert 0 <= start < given.start <= given.end <= len(data)
                    assert given.lost >= 0
                else:
                    kind, behind = given  # type: ignore[misc]
                    assert 0 <= kind < 1 << 17
                    assert start <= behind


@target("fragments", "wire.fragments", "wire.pieces", "wire.ip")
def fragments(data: bytes) -> None:
    """Fragments of a few packets; while none lies, what is put together is what was sent."""
    table = Fragments(dict.fromkeys(FRAGMENT_COUNTS, 0))
    at = START
    honest = True
    for number, (what, content) in enumerate(records_of(data), 1):
        if len(content) < 4:
            at += STEPS[what >> 5]
            table.advance(at)
            continue
        offset, size = int.from_bytes(content[:2], "big") & 0x1FFF, int.from_bytes(content[2:4], "big") & 0xFFF
        more, name = bool(what & 1), bytes([what >> 1 & 3])
        end = min(offset * 8 + (size & ~7 if more else size), 65_535)
        lies = bool(what & 0x10)
        part = CONTENT[offset * 8 : end] if not lies else content[4:]
        honest = honest and not lies
        ip = IpPacket(17, b"\xc0\0\2\1\xc0\0\2\2", b"\0\1\0\0", b"head" + part, 4, 4 + len(part))
        with suppress(Malformed):
            whole, conflict = table.feed((at, "a.pcap", number), ip, Fragment(name, offset * 8, more))
            # An end that moves is a lie about the length, not about the bytes: it is told, too.
            honest = honest and not conflict
            if whole is not None and honest:
                assert CONTENT.startswith(whole.data[whole.start : whole.end])
    table.finish()


FLAGS = (0, 0, SYN, FIN, RST, SYN | FIN, 0, 0)


@target("streams", "wire.halves", "wire.pieces", "wire.readings", "wire.streams", "wire.tcp")
def streams(data: bytes) -> None:
    """Segments of one connection in any order; of honest ones, every run that comes out stands so in what was sent."""
    counts = dict.fromkeys(STREAM_COUNTS, 0)
    table = Streams(counts)
    flows = (b"\xc0\0\2\1\xc6\x33\x64\2\x9c\x40\x13\xc4", b"\xc6\x33\x64\2\xc0\0\2\1\x13\xc4\x9c\x40")
    at, honest, size = START, True, 0
    given: list[Packet | Oddity] = []
    for number, (what, content) in enumerate(records_of(data), 1):
        if len(content) < 5:
            at += STEPS[what >> 5]
            given += table.advance((at, "a.pcap", number))
            continue
        place, length, acknowledged = (
            int.from_bytes(content[:2], "big"),
            content[2],
            int.from_bytes(content[3:5], "big"),
        )
        flags = FLAGS[what >> 1 & 7]
        honest = honest and not flags
        payload = CONTENT[place : place + length]
        if what & 0x10:
            payload, honest = content[5:], False
        size += len(payload)
        # Near the wrap of sequence numbers, where most mistakes are.
        segment = Segment(
            (0xFFFF_8000 + place) % 2**32, (0xFFFF_8000 + acknowledged) % 2**32, flags | ACK, payload, what >> 6 & 1
        )
        given += table.feed((at, "a.pcap", number), flows[what & 1], segment)
    given += table.finish()
    # What a start in mid-stream gave may be given again, behind an end, when something earlier comes late.
    assert sum(len(one.payload) for one in given if isinstance(one, StreamData)) <= size * (1 + len(given))
    assert all(one.lost > 0 for one in given if isinstance(one, StreamGap))
    if honest:
        for flow in flows:
            in_order([one for one in given if not isinstance(one, Oddity) and one.flow == flow])
        assert not counts["stream_conflicts"]


def in_order(given: Iterable[Packet]) -> None:
    """Up to each end, every byte once and where it belongs."""
    place = -1
    for one in given:
        if isinstance(one, StreamEnd):
            place = -1
        elif isinstance(one, StreamGap):
            place += one.lost if place >= 0 else 0
        elif isinstance(one, StreamData):
            place = CONTENT.find(one.payload) if place < 0 and len(one.payload) > 3 else place
            assert place < 0 or CONTENT.startswith(one.payload, place)
            place += len(one.payload) if place >= 0 else 0


def packets(data: bytes, *, port: int = 5060) -> list[Frame]:
    """The records of an input as payloads of UDP or TCP between two machines, in frames."""
    made: list[Frame] = []
    at = START
    places = [1, 1]
    for number, (what, content) in enumerate(records_of(data), 1):
        at += STEPS[what >> 5] if what >> 5 < 7 else 0
        side = what & 1
        if what & 2:
            # Sometimes again where the last one stood: with other bytes, there are two readings.
            place = places[side] - len(content) * (what >> 4 & 1)
            transport = pack("!HHIIBBHHH", 40_000, port, place & 0xFFFFFFFF, places[1 - side], 0x50, 0x18, 8192, 0, 0)
            places[side] = place + len(content)
            protocol = 6
        else:
            # Signalling from 5060 to 5060, media between the ports that the seeds announce.
            ports = (port, port) if not what & 4 else (30_000, 20_000) if side else (20_000, 30_000)
            transport = pack("!HHHH", *ports, 8 + len(content), 0)
            protocol = 17
        if side and protocol == 6:
            transport = transport[2:4] + transport[:2] + transport[4:]
        ends = (b"\xc6\x33\x64\2", b"\xc0\0\2\1") if side else (b"\xc0\0\2\1", b"\xc6\x33\x64\2")
        total = 20 + len(transport) + len(content)
        if total > 65_535:
            continue
        head = pack("!BBHHHBBH", 0x45, 0, total, number & 0xFFFF, 0, 64, protocol, 0) + b"".join(ends)
        frame = bytes(12) + b"\x08\0" + head + transport + content
        made.append(Frame(at, "a.pcap", number, 1, frame, len(frame)))
    return made


@target("hep", "wire.hep", "wire.agents", words=HEP_WORDS)
def reports(data: bytes) -> None:
    """Reports of capture agents: alone, and in datagrams and a stream to the port of Homer."""
    with suppress(Malformed, Unauthentic):
        report = report_of(data)
        assert len(report.flow) in (12, 36)
        assert len(report.payload) <= 1 << 16
    with suppress(Malformed, Unauthentic):
        assert len(report_of(data, Key(b"key"), truncated=True).payload) <= 1 << 16
    fed(packets(data, port=9060))
