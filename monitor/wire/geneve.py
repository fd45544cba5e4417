"""GENEVE (RFC 8926), the overlay of virtual networks; clouds mirror in it."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import cut

_OPTIONS = 0x3F
_RESERVED = 0x3F
_LEAST_ETHERTYPE = 0x0600


def geneve(data: bytes, start: int) -> tuple[int, int]:
    """Version 0, how many words of options, flags, EtherType and VNI; then the options (section 3.4)."""
    if len(data) < start + 8:
        raise cut(data, "GENEVE header")
    version_and_options, flags = data[start], data[start + 1]
    kind = (data[start + 2] << 8) | data[start + 3]
    if version_and_options > _OPTIONS or flags & _RESERVED or kind < _LEAST_ETHERTYPE:
        raise Malformed(Reason.BAD_VALUE, start, "GENEVE header")
    inner = start + 8 + 4 * version_and_options
    if len(data) < inner:
        raise cut(data, "GENEVE options")
    return kind, inner
