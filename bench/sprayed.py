"""Frames and messages by the million: numbers of a fixed width in templates, the same bytes each time."""

from collections.abc import Callable, Iterator

from bench.traffic import SECOND, START, Timed, packed
from bench.workloads import BRIDGE

LASTS = 600
"""Seconds of packet time that a flood goes on."""

Fields = Callable[[int], tuple[int, ...]]
"""From the number of a packet to the numbers that stand in it."""

# Frames: numbers of a fixed width in a template, so that a million of them takes seconds. Nobody here checks the sums.

_LINK = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02"


def ipv4(length: int, protocol: int, mark: int = 0, fragment: int = 0x4000) -> bytes:
    return (
        _LINK
        + b"\x08\0\x45\0"
        + b"".join(n.to_bytes(2, "big") for n in (20 + length, mark, fragment))
        + bytes((64, protocol, 0, 0))
    )


def anybody(n: int) -> bytes:
    """The n-th of sixteen million addresses."""
    return (0x0A000000 | n * 7_919 & 0xFFFFFF).to_bytes(4, "big")


def at_of(n: int, count: int) -> int:
    """When the n-th of so many packets comes."""
    return START + n * LASTS * SECOND // count


def sprayed(
    template: bytes, fields: Fields, count: int, to: str, ports: bytes = b"\x13\xc4\x13\xc4"
) -> Iterator[Timed]:
    """So many datagrams, each from another address."""
    length = 8 + len(template % fields(0))
    head, tail = ipv4(length, 17), packed(to) + ports + length.to_bytes(2, "big") + b"\0\0"
    for n in range(count):
        yield at_of(n, count), head + anybody(n) + tail + template % fields(n)


def segment(source: bytes, port: int, sequence: int, flags: int, payload: bytes = b"") -> bytes:
    """A TCP segment to port 5060 of the bridge."""
    ports = port.to_bytes(2, "big") + b"\x13\xc4" + (sequence & 0xFFFFFFFF).to_bytes(4, "big")
    tcp = ports + b"\0\0\0\0\x50" + bytes((flags,)) + b"\xff\xff\0\0\0\0"
    return ipv4(20 + len(payload), 6) + source + packed(BRIDGE) + tcp + payload


# Messages

SDP = (
    "v=0\r\no=- %09d 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 10.%03d.%03d.9\r\nt=0 0\r\nm=audio %05d RTP/AVP 8 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
)


def head_of(start: str, target: str, cseq: str, to: str = "") -> str:
    """Start line and the headers that every message has; the number of the message stands in four of them."""
    return (
        f"{start}\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK%09d\r\nMax-Forwards: 70\r\n"
        f"From: <sip:+1555%09d@203.0.113.9>;tag=%09d\r\nTo: <{target}>{to}\r\nCall-ID: %09d@flood.example\r\n"
        f"CSeq: {cseq}\r\n"
    )


def whole(head: str, body: str = "", kind: str = "application/sdp") -> bytes:
    """The template of a message with its body."""
    length = len(body % tuple([0] * body.count("%")))
    typed = f"Content-Type: {kind}\r\n" if body else ""
    return f"{head}{typed}Content-Length: {length}\r\n\r\n{body}".encode()


def request(method: str, target: str, more: str = "", body: str = "") -> bytes:
    """A request out of any dialog."""
    return whole(head_of(f"{method} {target} SIP/2.0", target, f"1 {method}") + more, body)


def media_of(n: int) -> tuple[int, ...]:
    """The numbers of the n-th description."""
    return n, 100 + n // 100 % 100, 100 + n % 100, 10_000 + 2 * (n // 10_000 % 20_000)


def invites(target: str, to: str, count: int, body: str = SDP) -> Iterator[Timed]:
    """Calls that nobody answers, each with a Call-ID, a caller, an address and a description of its own."""
    return sprayed(request("INVITE", target, body=body), lambda n: (*four(n), *media_of(n)), count, to)


def four(n: int) -> tuple[int, ...]:
    """The number in all four headers."""
    return n, n, n, n
