"""TZSP, the TaZmen Sniffer Protocol, in which routers and access points stream what they sniff."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ETHERNET, cut

# Version 1; a packet received, or one to be sent; Ethernet. Radio frames (18, 119, 127) are encrypted as a rule.
_HEADS = (b"\x01\x00\x00\x01", b"\x01\x01\x00\x01")
_PADDING, _END = 0, 1
MAX_TAGS = 64  # There are about fifteen kinds.


def tzsp(data: bytes, start: int) -> tuple[int, int]:
    """Version, type and protocol, then tags up to the one that ends them."""
    if data[start : start + 4] not in _HEADS:
        raise Malformed(Reason.UNSUPPORTED, start, "TZSP without an Ethernet frame")
    start += 4
    for _ in range(MAX_TAGS):
        if len(data) < start + 2:
            raise cut(data, "TZSP tags")
        tag = data[start]
        if tag == _END:
            return ETHERNET, start + 1
        start += 1 if tag == _PADDING else 2 + data[start + 1]
    raise Malformed(Reason.TOO_LARGE, start, "TZSP tags")
