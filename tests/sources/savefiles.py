"""Captures made by hand, so that tests know what is in them to the byte."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from struct import pack

from monitor.model.asks import Ask
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.sources import Captures

ETHERNET = 1
START = 1_700_000_000
SIP = Ask(
    protocol="sip",
    udp_ports=(5060, 5061),
    tcp_ports=(5060, 5061),
    udp_heads=(b"INVI", b"BYE ", b"SIP/"),
    tcp_heads=(b"INVI", b"BYE ", b"SIP/"),
)
KEYS = Ask(protocol="rtp", rtp_payload_bytes=(4,))
ASKS = (SIP, KEYS)

Record = tuple[int, bytes]
"""Nanoseconds, and the frame."""


def ipv4(protocol: int, body: bytes, *, fragment: int = 0, options: bytes = b"") -> bytes:
    """An IPv4 packet between two documentation addresses."""
    first = 0x45 + len(options) // 4
    head = pack("!BBHHHBBH", first, 0, 20 + len(options) + len(body), 1, fragment, 64, protocol, 0)
    return head + bytes((192, 0, 2, 1)) + bytes((192, 0, 2, 2)) + options + body


def ipv6(next_header: int, body: bytes) -> bytes:
    """An IPv6 packet between two documentation addresses."""
    address = bytes.fromhex("20010db8") + bytes(11)
    return pack("!IHBB", 6 << 28, len(body), next_header, 64) + address + b"\1" + address + b"\2" + body


def udp(source: int, destination: int, payload: bytes) -> bytes:
    return pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def tcp(source: int, destination: int, payload: bytes, *, options: bytes = b"") -> bytes:
    return pack("!HHIIBBHHH", source, destination, 1, 1, (20 + len(options)) << 2, 24, 8192, 0, 0) + options + payload


def rtp(payload: bytes, *, sources: int = 0, extension: bytes | None = None, version: int = 2) -> bytes:
    first = version << 6 | sources | (0x10 if extension is not None else 0)
    head = pack("!BBHII", first, 101, 1, 2, 3) + bytes(4 * sources)
    if extension is not None:
        head += pack("!HH", 0xBEDE, len(extension) // 4) + extension
    return head + payload


def ethernet(packet: bytes, *, tags: Sequence[int] = ()) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return bytes(12) + b"".join(pack("!HH", 0x8100, tag) for tag in tags) + pack("!H", kind) + packet


INVITE = ethernet(ipv4(17, udp(5060, 5060, b"INVITE sip:1@example.com SIP/2.0\r\n\r\n")))
MEDIA = ethernet(ipv4(17, udp(20000, 30000, rtp(b"\xd5" * 160))))
KEY = ethernet(ipv4(17, udp(20000, 30000, rtp(b"\x01\x0a\x00\xa0"))))


def pcap(
    records: Iterable[Record],
    *,
    order: str = "<",
    nano: bool = False,
    link: int = ETHERNET,
    snap: int = 65535,
    lengths: dict[int, int] | None = None,
) -> bytes:
    """A pcap file; `lengths` on the wire by frame number where they are not those of the bytes."""
    file = [pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)]
    for number, (at, data) in enumerate(records, 1):
        fraction = at % 10**9 if nano else at % 10**9 // 1000
        length = (lengths or {}).get(number, len(data))
        file.append(pack(order + "IIII", at // 10**9, fraction, len(data), length) + data)
    return b"".join(file)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    return pack(order + "II", kind, len(body) + 12) + body + pack(order + "I", len(body) + 12)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", *, link: int = ETHERNET, options: Sequence[tuple[int, bytes]] = ()) -> bytes:
    body = pack(order + "HHI", link, 0, 0)
    for code, value in options:
        body += pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(1, body + (pack(order + "HH", 0, 0) if options else b""), order)


def enhanced(ticks: int, data: bytes, order: str = "<", *, port: int = 0, length: int | None = None) -> bytes:
    head = pack(order + "IIIII", port, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length or len(data))
    return block(6, head + data, order)


def pcapng(records: Iterable[Record], *, order: str = "<", nano: bool = False) -> bytes:
    """A pcapng file of one section, one interface and nothing but Enhanced Packet Blocks."""
    options = [(9, b"\x09")] if nano else []
    file = [section(order), interface(order, options=options)]
    file += [enhanced(at if nano else at // 1000, data, order) for at, data in records]
    return b"".join(file)


def every(count: int, frames: Sequence[bytes]) -> list[Record]:
    """So many records, a millisecond apart, of these frames in turn."""
    return [(START * 10**9 + number * 10**6, frames[number % len(frames)]) for number in range(count)]


def read_file(path: Path, content: bytes, asks: Sequence[Ask] = ASKS) -> tuple[list[Frame], CaptureReport]:
    """The frames of a file with that content, and what is said of it: the fast way."""
    path.write_bytes(content)
    captures = Captures([path], asks)
    frames = list(captures)
    return frames, captures.reports[0]


def by_number(frames: Iterable[Frame]) -> list[Frame]:
    """As they stand in the capture: a file in disorder is given by time, standard input as it comes."""
    return sorted(frames, key=lambda frame: frame.number)


def read_stream(content: bytes, asks: Sequence[Ask] = ASKS, name: str = "stdin") -> tuple[list[Frame], CaptureReport]:
    """The same from standard input: the slow way."""
    captures = Captures(["-"], asks, stdin=BytesIO(content))
    frames = [frame._replace(capture=name) for frame in captures]
    return frames, captures.reports[0]
