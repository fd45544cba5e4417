"""Bodies of a message that has several (RFC 2046, section 5.1; RFC 5621 for SIP): ISUP beside SDP, SIPREC, PIDF."""

import re
from typing import TYPE_CHECKING, Final

from monitor.decoders.sip_address import params_of
from monitor.decoders.sip_fields import canonical, unfolded

if TYPE_CHECKING:
    from monitor.decoders.sip_message import SipMessage

MAX_DEPTH = 4
"""Multiparts within multiparts that are opened."""

MAX_PARTS = 32
"""Parts of one message."""

MAX_BOUNDARY = 200
"""Characters of a boundary; RFC 2046 allows 70, and some gateways cannot count."""

MAX_TYPE = 256
"""Characters of a media type or a disposition that are looked at."""

_BLANK = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"\n([^:\n \t][^:\n]*):([^\n]*(?:\n[ \t][^\n]*)*)")

Body = tuple[str, str, bytes]
"""Media type and disposition, lower case and without parameters, and the bytes."""

_USUAL: Final = {"": "", "application/sdp": "application/sdp"}


def bodies_of(message: "SipMessage") -> list[Body]:
    """Every body of a message; one for most, none when it is empty."""
    body = message.body
    if not body:
        return []
    found: list[Body] = []
    _open(found, message.first("content-type"), message.first("content-disposition"), body, MAX_DEPTH)
    return found


def _open(found: list[Body], content_type: str, disposition: str, body: bytes, depth: int) -> None:
    """Adds this body, or the parts that it is made of."""
    kind = _bare(content_type)
    boundary = _boundary_of(content_type) if depth and kind.startswith("multipart/") else b""
    if not boundary:
        found.append((kind, _bare(disposition), body))
        return
    for part in _parts_of(body, boundary):
        if len(found) >= MAX_PARTS:
            return
        part_type, part_disposition, content = _taken_apart(part)
        _open(found, part_type, part_disposition, content, depth - 1)


def _bare(value: str) -> str:
    """`application/sdp` of `Application/SDP; charset=utf-8`."""
    return _USUAL.get(value) or value[:MAX_TYPE].partition(";")[0].strip().lower()


def _boundary_of(content_type: str) -> bytes:
    boundary = params_of(content_type.partition(";")[2]).get("boundary", "")
    return boundary.encode("utf-8", "surrogatepass") if len(boundary) <= MAX_BOUNDARY else b""


def _parts_of(body: bytes, boundary: bytes) -> list[bytes]:
    """What stands between the delimiters, each of which begins a line and has a line to itself."""
    parts: list[bytes] = []
    delimiter = b"--" + boundary
    start = -1
    at = body.find(delimiter)
    while at >= 0 and len(parts) <= MAX_PARTS:
        behind = at + len(delimiter)
        end = body.find(b"\n", behind)
        rest = body[behind : end if end >= 0 else len(body)].strip() if at == 0 or body[at - 1] == 10 else None
        if rest in (b"", b"--"):
            if start >= 0:
                parts.append(_without_line_end(body[start:at]))
            start = end + 1 if end >= 0 else len(body)
            if rest == b"--":
                return parts
            behind = start
        at = body.find(delimiter, behind)
    if 0 <= start < len(body):
        parts.append(body[start:])  # The last delimiter is missing, cut off or forgotten: what is there counts.
    return parts


def _without_line_end(part: bytes) -> bytes:
    """The line end before a delimiter belongs to the delimiter (RFC 2046, 5.1.1)."""
    return part.removesuffix(b"\n").removesuffix(b"\r")


def _taken_apart(part: bytes) -> tuple[str, str, bytes]:
    """Type, disposition and content of one part; a part without type is text (RFC 2046, 5.1)."""
    part = b"\n" + part
    blank = _BLANK.search(part)
    headers: dict[str, bytes] = {}
    for name, value in _FIELD.findall(part, 0, blank.start() if blank else 0):
        headers.setdefault(canonical(name), value)
    kind, disposition = (
        unfolded(headers.get(name, b""))[: 4 * MAX_TYPE].decode("utf-8", "backslashreplace")
        for name in ("content-type", "content-disposition")
    )
    return kind or "text/plain", disposition, part[blank.end() :] if blank else part[1:]
