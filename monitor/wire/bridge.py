"""Tags of provider backbones (IEEE 802.1ah) and of port extenders (IEEE 802.1BR)."""

from monitor.wire.envelope import ETHERNET, cut, kind_at


def backbone(data: bytes, start: int) -> tuple[int, int]:
    """The I-TAG of MAC-in-MAC: four bytes of service, then the customer's frame."""
    if len(data) < start + 4:
        raise cut(data, "I-TAG")
    return ETHERNET, start + 4


def extender(data: bytes, start: int) -> tuple[int, int]:
    """The E-TAG of 802.1BR: six bytes of port and priority."""
    if len(data) < start + 8:
        raise cut(data, "E-TAG")
    return kind_at(data, start + 6)
