"""VXLAN (RFC 7348), with Linux's group policy, and its Generic Protocol Extension (draft-ietf-nvo3-vxlan-gpe-13)."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ETHERNET, IPV4, IPV6, MPLS, NOTHING_KNOWN, NSH, cut

# The flags of a header that is valid: a VNI is present, and which extension. No text begins with one of these bytes.
_VXLAN = (0x08, 0x88)
_EXTENDED = (0x0C, 0x0E)
_CARRIED = {1: IPV4, 2: IPV6, 3: ETHERNET, 4: NSH, 5: MPLS}


def vxlan(data: bytes, start: int) -> tuple[int, int]:
    """Flags, VNI and, of the extension, the protocol."""
    if len(data) < start + 8:
        raise cut(data, "VXLAN header")
    flags = data[start]
    if flags in _VXLAN:
        return ETHERNET, start + 8
    if flags in _EXTENDED:
        return _CARRIED.get(data[start + 3], NOTHING_KNOWN), start + 8
    raise Malformed(Reason.BAD_VALUE, start, "VXLAN flags")
