"""Makes packets for the tests of `wire`, byte by byte, and reads the captures that they need."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from struct import pack

from monitor.model.evidence import Nanoseconds
from monitor.model.oddities import Oddity
from monitor.model.packets import Flow, Frame, Packet, StreamData, StreamEnd, StreamGap
from monitor.wire import Wire

START: Nanoseconds = 1_700_000_000 * 10**9
MILLISECOND: Nanoseconds = 10**6
A, B = "192.0.2.1", "198.51.100.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


def udp(payload: bytes, ports: tuple[int, int] = (5060, 5060), length: int | None = None) -> bytes:
    return pack("!HHHH", *ports, 8 + len(payload) if length is None else length, 0) + payload


def tcp(
    payload: bytes = b"",
    sequence: int = 0,
    acknowledged: int | None = None,
    flags: int = 0,
    ports: tuple[int, int] = (40_000, 5060),
    options: bytes = b"",
) -> bytes:
    if acknowledged is not None:
        flags |= ACK
    header = pack(
        "!HHIIBBHHH", *ports, sequence % 2**32, (acknowledged or 0) % 2**32, (20 + len(options)) << 2, flags, 8192, 0, 0
    )
    return header + options + payload


def ipv4(
    payload: bytes,
    protocol: int = 17,
    addresses: tuple[str, str] = (A, B),
    identification: int = 1,
    offset: int = 0,
    more: bool = False,
    ttl: int = 64,
    tos: int = 0,
    total: int | None = None,
    options: bytes = b"",
) -> bytes:
    header = 20 + len(options)
    return (
        pack(
            "!BBHHHBBH",
            0x40 | header // 4,
            tos,
            header + len(payload) if total is None else total,
            identification % 2**16,
            (0x2000 if more else 0) | offset // 8,
            ttl,
            protocol,
            ttl,  # a checksum that changes with the TTL
        )
        + b"".join(ip_address(address).packed for address in addresses)
        + options
        + payload
    )


def ipv6(
    payload: bytes,
    following: int = 17,
    addresses: tuple[str, str] = (A6, B6),
    hops: int = 64,
    length: int | None = None,
) -> bytes:
    header = pack("!IHBB", 6 << 28, len(payload) if length is None else length, following, hops)
    return header + b"".join(ip_address(address).packed for address in addresses) + payload


def ipv6_fragment(payload: bytes, following: int, offset: int, more: bool, identification: int = 1) -> bytes:
    return ipv6(pack("!BBHI", following, 0, offset | more, identification) + payload, 44)


def ethernet(payload: bytes, kind: int = 0x0800, tags: Iterable[bytes] = ()) -> bytes:
    return bytes(12) + b"".join(tags) + pack("!H", kind) + payload


def frame(data: bytes, number: int = 1, at: Nanoseconds = START, link: int = 1, length: int | None = None) -> Frame:
    return Frame(at, "a.pcap", number, link, data, len(data) if length is None else length)


def flow(a: str = A, b: str = B, ports: tuple[int, int] = (5060, 5060)) -> Flow:
    return ip_address(a).packed + ip_address(b).packed + pack("!HH", *ports)


def given(wire: Wire, frames: Iterable[Frame], finish: bool = True) -> list[Packet | Oddity]:
    """Everything that a wire gives for these frames."""
    found = [packet for each in frames for packet in wire.feed(each)]
    return found + list(wire.finish() if finish else ())


def streams_of(packets: Iterable[Packet | Oddity]) -> dict[Flow, list[bytes | int | None]]:
    """By flow: bytes, an integer for a gap, and None for an end. Neighbouring bytes are joined."""
    found: dict[Flow, list[bytes | int | None]] = {}
    for packet in packets:
        match packet:
            case StreamData(flow=name, payload=payload):
                stream = found.setdefault(name, [])
                if stream and isinstance(stream[-1], bytes):
                    stream[-1] += payload
                else:
                    stream.append(payload)
            case StreamGap(flow=name, lost=lost):
                found.setdefault(name, []).append(lost)
            case StreamEnd(flow=name):
                found.setdefault(name, []).append(None)
            case _:
                pass
    return found


def frames_of(capture: Path) -> Iterator[Frame]:
    """All frames of a pcap or pcapng file."""
    from scapy.utils import RawPcapNgReader, RawPcapReader

    with RawPcapReader(str(capture)) as reader:
        new = isinstance(reader, RawPcapNgReader)
        for number, (data, meta) in enumerate(reader, 1):
            if new:
                at = ((meta.tshigh << 32) | meta.tslow) * 10**9 // meta.tsresol
                yield Frame(at, capture.name, number, meta.linktype, data, meta.wirelen)
            else:
                at = meta.sec * 10**9 + meta.usec * (1 if reader.nano else 1000)
                yield Frame(at, capture.name, number, reader.linktype, data, meta.wirelen)
