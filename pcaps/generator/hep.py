"""What a capture agent sends to its collector: HEP3 messages, and a capture in which an agent reports the SIP."""

import gzip
from io import BytesIO
from ipaddress import ip_address
from struct import pack

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import RawPcapReader, RawPcapWriter

from pcaps.generator.wire import Host

SIP, RTCP_JSON, LOG = 1, 5, 100
AGENT, COLLECTOR = Host("192.0.2.30", 50_000), Host("192.0.2.31", 9060)
MILLISECOND = 1_000


def chunk(kind: int, content: bytes, vendor: int = 0) -> bytes:
    """Vendor, type, length, content."""
    return pack("!HHH", vendor, kind, 6 + len(content)) + content


def message(
    payload: bytes,
    source: Host,
    destination: Host,
    *,
    at: int,
    kind: int = SIP,
    key: bytes = b"",
    compressed: bool = False,
    transport: int = 17,
) -> bytes:
    """One packet as an agent tells of it; `at` in nanoseconds."""
    four = ":" not in source.ip
    addresses = [ip_address(host.ip).packed for host in (source, destination)]
    chunks = [
        chunk(1, b"\x02" if four else b"\x0a"),
        chunk(2, bytes([transport])),
        *(chunk((3 if four else 5) + n, address) for n, address in enumerate(addresses)),
        chunk(7, pack("!H", source.port)),
        chunk(8, pack("!H", destination.port)),
        chunk(9, pack("!I", at // 10**9)),
        chunk(10, pack("!I", at % 10**9 // 1000)),
        chunk(11, bytes([kind])),
        chunk(12, pack("!I", 2001)),
        *([chunk(14, key)] if key else []),
        chunk(16, gzip.compress(payload, mtime=0)) if compressed else chunk(15, payload),
    ]
    return whole(b"".join(chunks))


def whole(chunks: bytes) -> bytes:
    """Chunks with their header."""
    return b"HEP3" + pack("!H", 6 + len(chunks)) + chunks


def reported(
    capture: bytes, agent: Host = AGENT, collector: Host = COLLECTOR, *, besides: bool = False, compressed: bool = False
) -> bytes:
    """The same capture, but of SIP over UDP an agent tells; `besides` what the mirror port shows, 3 ms later."""
    out = BytesIO()
    out.close = lambda: None  # type: ignore[method-assign]  # the writer closes what it is given
    frames: list[tuple[int, int, bytes]] = []
    for raw, seen in RawPcapReader(BytesIO(capture)):  # type: ignore[arg-type]  # it takes files, too
        frame = Ether(raw)
        at = seen.sec * 1_000_000 + seen.usec
        told = _told_of(frame, at, agent, collector, compressed)
        if told is None or besides:
            frames.append((at, len(frames), raw))
        if told is not None:
            frames.append((at + besides * 3 * MILLISECOND, len(frames), told))
    with RawPcapWriter(out, linktype=1, endianness="<") as writer:
        writer.write_header(None)
        for at, _, raw in sorted(frames):
            writer.write_packet(raw, sec=at // 1_000_000, usec=at % 1_000_000)
    return out.getvalue()


def _told_of(frame: Packet, at: int, agent: Host, collector: Host, compressed: bool) -> bytes | None:
    """The agent's frame, if this one holds SIP over UDP."""
    network = frame.getlayer(IP) or frame.getlayer(IPv6)
    if network is None or UDP not in frame or not _is_sip(bytes(frame[UDP].payload)):
        return None
    ends = Host(network.src, frame[UDP].sport), Host(network.dst, frame[UDP].dport)
    content = message(bytes(frame[UDP].payload), *ends, at=at * 1000, compressed=compressed)
    ether = Ether(src=agent.mac, dst=collector.mac)
    return bytes(
        ether / IP(src=agent.ip, dst=collector.ip) / UDP(sport=agent.port, dport=collector.port) / Raw(content)
    )


def _is_sip(payload: bytes) -> bool:
    return b"SIP/2.0" in payload.partition(b"\r\n")[0]
