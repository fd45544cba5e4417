"""MPLS label stacks (RFC 3032)."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import cut, ip_version_of

MAX_LABELS = 16  # Carriers stack two to four.


def mpls(data: bytes, start: int) -> tuple[int, int]:
    """All labels to the bottom of the stack; the first half byte behind it tells the IP version (RFC 4928)."""
    for _ in range(MAX_LABELS):
        if len(data) < start + 4:
            raise cut(data, "MPLS label")
        start += 4
        if data[start - 2] & 0x01:
            return ip_version_of(data, start), start
    raise Malformed(Reason.TOO_LARGE, start, "MPLS labels")
