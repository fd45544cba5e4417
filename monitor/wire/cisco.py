"""What Cisco's switches put between the addresses and the EtherType: TrustSec's CMD, VN-Tag, and FabricPath's frame."""

from monitor.wire.envelope import ETHERNET, cut, kind_at


def trustsec(data: bytes, start: int) -> tuple[int, int]:
    """Cisco MetaData (draft-smith-kandula-sxp, section 7): version, length, option, security group tag."""
    if len(data) < start + 8:
        raise cut(data, "Cisco MetaData")
    return kind_at(data, start + 6)


def vn_tag(data: bytes, start: int) -> tuple[int, int]:
    """VN-Tag, of a port extender: four bytes of virtual interfaces."""
    if len(data) < start + 6:
        raise cut(data, "VN-Tag")
    return kind_at(data, start + 4)


def fabricpath(data: bytes, start: int) -> tuple[int, int]:
    """FabricPath: two bytes of tree and time to live, then the frame."""
    if len(data) < start + 2:
        raise cut(data, "FabricPath tag")
    return ETHERNET, start + 2
