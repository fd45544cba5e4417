"""GTP-U (3GPP TS 29.281, section 5), in which a mobile network carries its subscribers' packets."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import NOTHING_KNOWN, cut, ip_version_of

_VERSION, _VERSION_1 = 0xF8, 0x30  # version 1, GTP and not GTP', a spare bit of 0
_EXTENSION, _OPTIONAL = 0x04, 0x07
_PACKET = 255  # G-PDU: the only message that carries one
MAX_EXTENSIONS = 16  # TS 29.281, section 5.2.1 knows eight.


def gtp(data: bytes, start: int) -> tuple[int, int]:
    """Flags, message type, length and tunnel; sequence and PDU number where a flag says so; extension headers."""
    if len(data) < start + 12:
        raise cut(data, "GTP-U header")
    flags = data[start]
    if flags & _VERSION != _VERSION_1 or data[start + 1] != _PACKET:
        raise Malformed(Reason.UNSUPPORTED, start, "GTP-U message without a packet")
    inner = start + 8
    if flags & _OPTIONAL:
        inner += 4
        # Without its flag the type of the next header must be ignored (section 5.1).
        if flags & _EXTENSION:
            inner = _behind_extensions(data, inner)
    kind = ip_version_of(data, inner)
    if kind == NOTHING_KNOWN:
        raise Malformed(Reason.BAD_VALUE, inner, "no IP packet in GTP-U")
    return kind, inner


def _behind_extensions(data: bytes, start: int) -> int:
    """Each tells its length in words first and the type of the next last (section 5.2.1)."""
    for _ in range(MAX_EXTENSIONS):
        if data[start - 1] == 0:
            return start
        if len(data) <= start:
            raise cut(data, "GTP-U extension header")
        words = data[start]
        if words == 0:
            raise Malformed(Reason.BAD_LENGTH, start, "GTP-U extension header of no bytes")
        start += 4 * words
        if len(data) < start:
            raise cut(data, "GTP-U extension header")
    raise Malformed(Reason.TOO_LARGE, start, "GTP-U extension headers")
