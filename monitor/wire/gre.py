"""GRE (RFC 2784, RFC 2890; routing: RFC 1701; version 1 of PPTP: RFC 2637), in which many a mirror session travels."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ERSPAN, ERSPAN_I, cut

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE = 0x80, 0x40, 0x20, 0x10
_ACKNOWLEDGED = 0x80
_VERSION = 0x07
MAX_ROUTES = 16  # Nobody is known to have used more than a few, if any.


def gre(data: bytes, start: int) -> tuple[int, int]:
    """Flags, version and protocol type, then four bytes for each flag that says so."""
    if len(data) < start + 4:
        raise cut(data, "GRE header")
    flags, more = data[start], data[start + 1]
    version = more & _VERSION
    if version > 1:
        raise Malformed(Reason.UNSUPPORTED, start, "GRE of another version")
    kind = (data[start + 2] << 8) | data[start + 3]
    if kind == ERSPAN and not flags & _SEQUENCE:
        kind = ERSPAN_I  # the draft tells them apart by the sequence number, that type I never has.
    fields = (flags & (_CHECKSUM | _ROUTING), flags & _KEY, flags & _SEQUENCE, version and more & _ACKNOWLEDGED)
    inner = start + 4 + 4 * sum(map(bool, fields))
    return kind, _behind_routes(data, inner) if flags & _ROUTING else inner


def _behind_routes(data: bytes, start: int) -> int:
    """Each source route tells its length in its fourth byte; one of no bytes ends them (RFC 1701)."""
    for _ in range(MAX_ROUTES):
        if len(data) < start + 4:
            raise cut(data, "GRE source route")
        length = data[start + 3]
        start += 4 + length
        if length == 0:
            return start
    raise Malformed(Reason.TOO_LARGE, start, "GRE source routes")
