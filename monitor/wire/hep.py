"""HEP3, the Homer Encapsulation Protocol (EEP, revision 37): what a capture agent saw elsewhere, message by message.

A message is `HEP3`, its whole length, and chunks: vendor, type, length with these 6 bytes, content. Nothing in it can
be checked: its addresses, its clock and its content are what the agent, or whoever forges one, has written.
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Final, NamedTuple
from zlib import MAX_WBITS, decompressobj, error

from monitor.model.asks import Ask
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.oddities import Malformed, Reason
from monitor.model.packets import Flow

MAGIC: Final = b"HEP3"
HEAD_BYTES: Final = 6
CHUNK_BYTES: Final = 6
MAX_MESSAGE: Final = 0xFFFF
MAX_CHUNKS: Final = 256  # About forty kinds are defined.
MAX_PAYLOAD: Final = 64 * 1024
"""Bytes that a compressed payload may have when it is whole: no SIP message on the wire is longer."""
PORTS: Final = (9060, 9061, 9062, 9063)
"""Where Homer listens for agents (9060), and those beside it that its guides use."""

ASK: Final = Ask(protocol="hep", udp_ports=PORTS, tcp_ports=PORTS, udp_heads=(MAGIC,), tcp_heads=(MAGIC,))

SIP: Final = 1

# Types of chunks of vendor 0. What is not listed is no business of ours.
_FAMILY, _SOURCE_PORT, _TARGET_PORT = 1, 7, 8
_SECONDS, _MICROSECONDS, _KIND = 9, 10, 11
_KEY, _PAYLOAD, _COMPRESSED = 14, 15, 16
_SIZES: Final = {_FAMILY: 1, 3: 4, 4: 4, 5: 16, 6: 16, 7: 2, 8: 2, _SECONDS: 4, _MICROSECONDS: 4, _KIND: 1}
_ONCE: Final = frozenset({*_SIZES, _KEY, _PAYLOAD, _COMPRESSED})
_ADDRESSES: Final = {2: (3, 4), 10: (5, 6), 24: (5, 6), 28: (5, 6), 30: (5, 6)}
"""By address family: AF_INET is 2 everywhere; AF_INET6 differs (Linux 10, NetBSD 24, FreeBSD 28, macOS 30)."""
_ZLIB_OR_GZIP: Final = MAX_WBITS | 32

_OLD_FAMILIES: Final = (2, 10)
_OLD_LENGTHS: Final = {2: (16, 28), 10: (40, 52)}
"""Of HEP1's and HEP2's header, with or without the time behind it."""

Chunks = Mapping[int, bytes]


class Key:
    """What agents authenticate with: can be compared, and neither printed, logged nor serialised."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def fits(self, content: bytes) -> bool:
        """Whether this is the key, in constant time."""
        return compare_digest(self._content, content)

    def __repr__(self) -> str:
        return "Key(hidden)"


class Report(NamedTuple):
    """One packet, as an agent tells of it."""

    flow: Flow
    kind: int
    """What the payload is: 1 SIP, 5 RTCP as JSON, 100 a log line, …"""
    payload: bytes
    """Empty unless it is SIP."""
    clock: Nanoseconds | None
    """When the agent says that it saw the packet."""
    truncated: bool


class Unauthentic(Exception):
    """The message does not hold the key."""


def is_old(payload: bytes) -> bool:
    """Whether this is HEP1 or HEP2, which are told from anything else by port and header only."""
    return len(payload) > HEAD_BYTES and payload[0] in (1, 2) and payload[1] in _OLD_LENGTHS.get(payload[2], ())


def length_of(data: bytes | bytearray, start: int) -> int:
    """The length of the message that begins here; needs its first 6 bytes."""
    if data[start : start + 4] != MAGIC:
        raise Malformed(Reason.BAD_VALUE, start, "no HEP3 message")
    length = (data[start + 4] << 8) | data[start + 5]
    if length < HEAD_BYTES:
        raise Malformed(Reason.BAD_LENGTH, start + 4, "HEP3 message shorter than its header")
    return length


def report_of(message: bytes, key: Key | None = None, *, truncated: bool = False) -> Report:
    """What this message reports; `truncated` when its end was not captured. A key, where there is one, must fit."""
    if len(message) < HEAD_BYTES:
        raise Malformed(Reason.TRUNCATED, len(message), "HEP3 header")
    length = length_of(message, 0)
    if length > len(message) and not truncated:
        raise Malformed(Reason.BAD_LENGTH, 4, "HEP3 message longer than what carries it")
    chunks, cut = _chunks_of(message, min(length, len(message)), truncated=length > len(message))
    if key is not None and not key.fits(chunks.get(_KEY, b"")):
        raise Unauthentic
    kind = _content(chunks, _KIND, "protocol type")[0]
    return Report(_flow_of(chunks), kind, _payload_of(chunks, cut) if kind == SIP else b"", _clock_of(chunks), cut)


def _chunks_of(message: bytes, end: int, *, truncated: bool) -> tuple[Chunks, bool]:
    """The chunks that matter, by type, and whether the last one is cut. One that is there twice has two readings."""
    chunks: dict[int, bytes] = {}
    start = HEAD_BYTES
    for _ in range(MAX_CHUNKS):
        if start == end:
            return chunks, truncated
        if end - start < CHUNK_BYTES:
            if truncated:
                return chunks, True
            raise Malformed(Reason.TRUNCATED, end, "HEP3 chunk")
        vendor, kind, length = (int.from_bytes(message[start + n : start + n + 2], "big") for n in (0, 2, 4))
        stop = start + length
        if length < CHUNK_BYTES or (stop > end and not truncated):
            raise Malformed(Reason.BAD_LENGTH, start + 4, "HEP3 chunk")
        if vendor == 0 and kind in _ONCE:
            if kind in chunks:
                raise Malformed(Reason.CONFLICT, start, "HEP3 chunk comes twice")
            content = message[start + CHUNK_BYTES : min(stop, end)]
            if len(content) != _SIZES.get(kind, len(content)):
                raise Malformed(Reason.BAD_LENGTH, start + 4, "HEP3 chunk of a fixed size")
            chunks[kind] = content
        if stop >= end:
            return chunks, truncated
        start = stop
    raise Malformed(Reason.TOO_LARGE, start, "HEP3 chunks")


def _content(chunks: Chunks, kind: int, what: str) -> bytes:
    content = chunks.get(kind)
    if content is None:
        raise Malformed(Reason.MISSING, 0, f"{what} of a HEP3 message")
    return content


def _flow_of(chunks: Chunks) -> Flow:
    family = _content(chunks, _FAMILY, "address family")[0]
    kinds = _ADDRESSES.get(family)
    if kinds is None:
        raise Malformed(Reason.BAD_VALUE, 0, "address family of a HEP3 message")
    addresses = b"".join(_content(chunks, kind, "address") for kind in kinds)
    return addresses + _content(chunks, _SOURCE_PORT, "port") + _content(chunks, _TARGET_PORT, "port")


def _clock_of(chunks: Chunks) -> Nanoseconds | None:
    seconds = chunks.get(_SECONDS)
    if seconds is None:
        return None
    return int.from_bytes(seconds, "big") * SECOND + int.from_bytes(chunks.get(_MICROSECONDS, b""), "big") * 1000


def _payload_of(chunks: Chunks, cut: bool) -> bytes:
    if _COMPRESSED not in chunks:
        payload = _content(chunks, _PAYLOAD, "payload")
    elif _PAYLOAD not in chunks:
        payload = _inflated(chunks[_COMPRESSED], cut)
    else:
        raise Malformed(Reason.CONFLICT, 0, "HEP3 message with two payloads")
    if payload.startswith(MAGIC):
        raise Malformed(Reason.UNSUPPORTED, 0, "HEP in HEP")
    return payload


def _inflated(compressed: bytes, cut: bool) -> bytes:
    """What zlib or gzip made smaller, up to its limit: a few bytes may stand for gigabytes."""
    unpacked = decompressobj(_ZLIB_OR_GZIP)
    try:
        payload = unpacked.decompress(compressed, MAX_PAYLOAD + 1)
    except error:
        raise Malformed(Reason.BAD_VALUE, 0, "compressed payload of a HEP3 message") from None
    if len(payload) > MAX_PAYLOAD:
        raise Malformed(Reason.TOO_LARGE, 0, "compressed payload of a HEP3 message")
    if not unpacked.eof and not cut:
        raise Malformed(Reason.TRUNCATED, 0, "compressed payload of a HEP3 message")
    return payload
