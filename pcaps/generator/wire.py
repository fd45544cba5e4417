"""Hosts, frames and TCP connections: payloads go in, the frames of a capture come out (layers made by scapy)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from ipaddress import ip_address
from struct import unpack
from typing import Any, NamedTuple

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.utils import RawPcapWriter

SECOND = 1_000_000_000
MICROSECOND = 1_000
MAX_DATAGRAM = 1472
"""Bytes of UDP payload that fit one Ethernet frame; what is larger, IP cuts into fragments."""
SEGMENT = 1460
"""Bytes of TCP payload in one segment."""
TOGETHER = 5_000_000
"""Messages written to one connection within 5 ms leave in one segment, as Nagle's algorithm sends them (RFC 896)."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with an address and a SIP port."""

    ip: str
    port: int = 5060
    agent: str = ""
    """What it writes as User-Agent or Server."""

    @property
    def mac(self) -> str:
        """Locally administered, made of the last 4 bytes of the address."""
        return "02:00:" + ":".join(f"{byte:02x}" for byte in ip_address(self.ip).packed[-4:])

    @property
    def hostport(self) -> str:
        """As in a Via or a Contact; IPv6 in brackets."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class Segment(NamedTuple):
    """The part of a TCP header that changes."""

    seq: int
    ack: int
    flags: str


@dataclass(slots=True, eq=False)
class Frame:
    """One frame to be; its number is known when the world is over."""

    at: int
    source: Host
    destination: Host
    source_port: int
    destination_port: int
    payload: bytes
    segment: Segment | None = None
    copy: bool = False
    """Seen a second time, behind a router: other MAC addresses, TTL one less."""
    number: int = field(default=0, init=False)

    def rendered(self, ident: int, vlan: int | None, heads: dict[tuple[object, ...], bytes]) -> bytes:
        """The bytes on the wire. Scapy makes the headers of a datagram once for each pair of ends, kept in `heads`."""
        if self.segment or ":" in self.source.ip:
            return bytes(self._ethernet(vlan) / self._network(ident) / self._transport() / self.payload)
        ends = (self.source, self.destination, self.source_port, self.destination_port, self.copy)
        if ends not in heads:
            heads[ends] = bytes(self._ethernet(vlan) / self._network(0) / self._transport())
        return _filled(heads[ends], ident, self.payload)

    def _transport(self) -> Any:
        ports: dict[str, Any] = {"sport": self.source_port, "dport": self.destination_port}
        if not self.segment:
            return UDP(**ports)
        return TCP(**ports, **self.segment._asdict(), window=65_535)

    def _ethernet(self, vlan: int | None) -> Any:
        router = "02:ff:00:00:00:01"
        ether = Ether(src=router if self.copy else self.source.mac, dst=self.destination.mac)
        if vlan is None:
            return ether
        return ether / Dot1Q(vlan=vlan + self.copy)

    def _network(self, ident: int) -> Any:
        hops = 63 if self.copy else 64
        if ":" in self.source.ip:
            return IPv6(src=self.source.ip, dst=self.destination.ip, hlim=hops)
        return IP(src=self.source.ip, dst=self.destination.ip, id=ident, ttl=hops, flags="DF")


def _filled(head: bytes, ident: int, payload: bytes) -> bytes:
    """The headers of an empty datagram, made to fit this payload: lengths, identification, checksums (RFC 1071)."""
    ip, udp = bytearray(head[-28:-8]), bytearray(head[-8:])
    ip[2:4] = (28 + len(payload)).to_bytes(2, "big")
    ip[4:6] = (ident & 0xFFFF).to_bytes(2, "big")
    ip[10:12] = b"\0\0"
    ip[10:12] = _checksum(ip)
    length = (8 + len(payload)).to_bytes(2, "big")
    udp[4:6], udp[6:8] = length, b"\0\0"
    sum_of_all = _checksum(ip[12:20] + b"\0\x11" + length + udp + payload)
    udp[6:8] = b"\xff\xff" if sum_of_all == b"\0\0" else sum_of_all
    return head[:-28] + ip + udp + payload


def _checksum(data: bytes | bytearray) -> bytes:
    words = data + b"\0" * (len(data) % 2)
    total: int = sum(unpack(f"!{len(words) // 2}H", words))
    total = (total & 0xFFFF) + (total >> 16)
    return (~(total + (total >> 16)) & 0xFFFF).to_bytes(2, "big")


@dataclass(slots=True, eq=False)
class Sent:
    """One message in a stream: known now, put into a frame when the world is over."""

    at: int
    forth: bool
    payload: bytes
    frame: Frame | None = None


class Stream:
    """One TCP connection between two hosts; what is written close together travels in one segment."""

    def __init__(self, opener: Host, listener: Host, port: int, at: int) -> None:
        self.opener = Host(opener.ip, port, opener.agent)
        self.listener = listener
        self._opened = at
        self._sent: list[Sent] = []
        self._next = {True: 1_000_000 + port, False: 2_000_000 + port}

    def write(self, at: int, sender: Host, payload: bytes) -> Sent:
        """Sends bytes in one direction."""
        sent = Sent(at=at, forth=sender.ip == self.opener.ip, payload=payload)
        self._sent.append(sent)
        return sent

    def frames(self) -> Iterator[Frame]:
        """Handshake, data with its acknowledgements, and the end."""
        at = self._opened
        yield self._frame(at, True, "S", b"")
        yield self._frame(at + 400 * MICROSECOND, False, "SA", b"")
        yield self._frame(at + 500 * MICROSECOND, True, "A", b"")
        for together in self._batches():
            at = together[-1].at
            yield from self._cut(at, together)
            yield self._frame(at + 300 * MICROSECOND, not together[0].forth, "A", b"")
        yield self._frame(at + SECOND, True, "FA", b"")
        yield self._frame(at + SECOND + 200 * MICROSECOND, False, "FA", b"")
        yield self._frame(at + SECOND + 400 * MICROSECOND, True, "A", b"")

    def _batches(self) -> list[list[Sent]]:
        """What travels together, each direction for itself, in the order in which it leaves."""
        batches: list[list[Sent]] = []
        filling: dict[bool, list[Sent]] = {}
        for sent in sorted(self._sent, key=lambda one: one.at):
            batch = filling.get(sent.forth)
            if batch is None or sent.at - batch[0].at > TOGETHER:
                batch = filling[sent.forth] = []
                batches.append(batch)
            batch.append(sent)
        return sorted(batches, key=lambda batch: batch[-1].at)

    def _cut(self, at: int, batch: list[Sent]) -> Iterator[Frame]:
        data = b"".join(sent.payload for sent in batch)
        frames = [
            self._frame(at + n * 10 * MICROSECOND, batch[0].forth, "PA", data[start : start + SEGMENT])
            for n, start in enumerate(range(0, len(data), SEGMENT))
        ]
        end = 0
        for sent in batch:
            end += len(sent.payload)
            sent.frame = frames[(end - 1) // SEGMENT]
        yield from frames

    def _frame(self, at: int, forth: bool, flags: str, payload: bytes) -> Frame:
        ends = (self.opener, self.listener) if forth else (self.listener, self.opener)
        ack = 0 if flags == "S" else self._next[not forth]
        segment = Segment(self._next[forth], ack, flags)
        self._next[forth] += len(payload) + ("S" in flags) + ("F" in flags)
        return Frame(at, *ends, ends[0].port, ends[1].port, payload, segment)


def pcap_of(frames: Iterable[Frame], vlan: int | None) -> bytes:
    """A capture file with microseconds, little-endian on every machine."""
    out = BytesIO()
    out.close = lambda: None  # type: ignore[method-assign]  # the writer closes what it is given
    idents: dict[str, int] = {}
    heads: dict[tuple[object, ...], bytes] = {}
    with RawPcapWriter(out, linktype=1, endianness="<") as writer:
        writer.write_header(None)
        for frame in frames:
            ident = idents[frame.source.ip] = idents.get(frame.source.ip, 0) + (not frame.copy)
            raw = frame.rendered(ident, vlan, heads)
            if len(frame.payload) > MAX_DATAGRAM:
                raise ValueError(f"{len(frame.payload)} bytes do not fit one frame")
            writer.write_packet(raw, sec=frame.at // SECOND, usec=frame.at % SECOND // MICROSECOND)
    return out.getvalue()
