"""A workload's packets once more, each inside a mirror's tunnel: the same frames at the same times, 50 bytes longer."""

from collections.abc import Callable
from pathlib import Path
from struct import Struct

from bench.traffic import RECORD, Ends

FILE_HEADER_BYTES = 24
MIRROR, COLLECTOR = "203.0.113.1", "203.0.113.2"
ENDS = Ends(MIRROR, COLLECTOR, 50_000, 4789)
VXLAN = b"\x08\0\0\0\0\0\x07\0"
GRE = Struct(">HHI")
ERSPAN = b"\x10\x05\0\x01\0\0\0\x09"
UDP, GRE_PROTOCOL = 17, 47
MAX_HELD = 20_000

Around = Callable[[int, int], bytes]
"""What stands before a frame: from its number and its length."""


def _headers(protocol: int, more: int) -> Callable[[int], bytes]:
    """Ethernet and IPv4 around so many bytes and `more`; made once for each length."""
    known: dict[int, bytes] = {}

    def headers(length: int) -> bytes:
        found = known.get(length)
        if found is None:
            found = known[length] = ENDS.link + ENDS.ip(20 + more + length, protocol)
        return found

    return headers


def _vxlan() -> Around:
    headers = _headers(UDP, 16)
    return lambda number, length: (
        headers(length)
        + (49_152 + number % 16_384).to_bytes(2, "big")  # as RFC 7348 wants it, the port differs from flow to flow
        + b"\x12\xb5"
        + (16 + length).to_bytes(2, "big")
        + b"\0\0"
        + VXLAN
    )


def _erspan() -> Around:
    headers = _headers(GRE_PROTOCOL, 16)
    return lambda number, length: headers(length) + GRE.pack(0x1000, 0x88BE, number & 0xFFFF_FFFF) + ERSPAN


TUNNELS: dict[str, Callable[[], Around]] = {"VXLAN": _vxlan, "ERSPAN": _erspan}
"""VXLAN (RFC 7348), and ERSPAN of type II."""


def wrap(capture: Path, tunnel: str, out: Path) -> None:
    """Write the capture anew, record by record."""
    around, content = TUNNELS[tunnel](), memoryview(capture.read_bytes())
    unfinished = out.with_suffix(".part")
    with unfinished.open("wb") as file:
        parts: list[bytes | memoryview] = [content[:FILE_HEADER_BYTES]]
        place, number = FILE_HEADER_BYTES, 0
        while place < len(content):
            seconds, fraction, captured, length = RECORD.unpack_from(content, place)
            place += RECORD.size
            head = around(number, length)
            parts += (
                RECORD.pack(seconds, fraction, captured + len(head), length + len(head)),
                head,
                content[place : place + captured],
            )
            place += captured
            number += 1
            if len(parts) > MAX_HELD:
                file.write(b"".join(parts))
                parts.clear()
        file.write(b"".join(parts))
    unfinished.rename(out)
