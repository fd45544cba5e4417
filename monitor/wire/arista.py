"""The timestamp that Arista's switches put into mirrored frames, between the addresses and the EtherType.

Described in tcpdump's print-arista.c and in Arista's white paper on timestamps.
"""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import cut, kind_at

_TIMESTAMP = b"\x00\x01"
_BYTES = {1: 8, 2: 6}
"""By the format in the version: seconds in four bytes or in two, and nanoseconds."""


def arista(data: bytes, start: int) -> tuple[int, int]:
    """Subtype, version (time scale in 8 bits, format in 4, hardware in 4), timestamp; then the frame goes on."""
    if len(data) < start + 4:
        raise cut(data, "Arista timestamp")
    size = _BYTES.get(data[start + 3] >> 4)
    if data[start : start + 2] != _TIMESTAMP or size is None:
        raise Malformed(Reason.UNSUPPORTED, start, "Arista header of another kind")
    if len(data) < start + 6 + size:
        raise cut(data, "Arista timestamp")
    return kind_at(data, start + 4 + size)
