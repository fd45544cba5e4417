"""The Network Service Header (RFC 8300), which steers packets from one function of a network to the next."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ETHERNET, IPV4, IPV6, MPLS, NOTHING_KNOWN, NSH, cut

_LENGTH = 0x3F
_CARRIED = {1: IPV4, 2: IPV6, 3: ETHERNET, 4: NSH, 5: MPLS}


def nsh(data: bytes, start: int) -> tuple[int, int]:
    """Version, time to live and length in words, type of metadata, next protocol; path and metadata (section 2)."""
    if len(data) < start + 8:
        raise cut(data, "NSH header")
    if data[start] >> 6:
        raise Malformed(Reason.UNSUPPORTED, start, "NSH version")
    words = data[start + 1] & _LENGTH
    if words < 2:
        raise Malformed(Reason.BAD_LENGTH, start + 1, "NSH shorter than its base and path")
    return _CARRIED.get(data[start + 3], NOTHING_KNOWN), start + 4 * words
