"""MPLS label stacks (RFC 3032), with IP or an Ethernet pseudowire (RFC 4448) below them."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ETHERNET, IPV4, NOTHING_KNOWN, cut, holds_ethernet, ip_version_of

MAX_LABELS = 16  # Carriers stack two to four.


def mpls(data: bytes, start: int) -> tuple[int, int]:
    """All labels to the bottom of the stack; what is behind it says itself what it is."""
    for _ in range(MAX_LABELS):
        if len(data) < start + 4:
            raise cut(data, "MPLS label")
        start += 4
        if data[start - 2] & 0x01:
            return _below_labels(data, start)
    raise Malformed(Reason.TOO_LARGE, start, "MPLS labels")


def _below_labels(data: bytes, start: int) -> tuple[int, int]:
    """The first half byte tells the IP version, or 0 for a control word (RFC 4385, section 3).

    A pseudowire without control word begins with any byte of an address, that may look like a version (RFC 4928).
    """
    kind = ip_version_of(data, start)
    if kind == IPV4 and not _begins_ipv4(data, start) and holds_ethernet(data, start):
        return ETHERNET, start
    if kind != NOTHING_KNOWN:
        return kind, start
    # A pseudowire's own signalling (RFC 4385, section 5) begins with 1: it holds no frame.
    if not data[start] >> 4 and holds_ethernet(data, start + 4):
        return ETHERNET, start + 4
    return (ETHERNET if holds_ethernet(data, start) else NOTHING_KNOWN), start


def _begins_ipv4(data: bytes, start: int) -> bool:
    """Whether an IPv4 header can stand there: long enough itself, and no longer than its packet."""
    if data[start] == 0x45 or len(data) < start + 4:
        return True
    header, total = (data[start] & 0x0F) * 4, (data[start + 2] << 8) | data[start + 3]
    return header >= 20 and (total == 0 or header <= total)
