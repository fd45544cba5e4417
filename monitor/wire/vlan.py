"""VLAN tags: IEEE 802.1Q, 802.1ad (Q-in-Q) and the 0x9100 that came before it."""

from monitor.wire.envelope import cut


def vlan(data: bytes, start: int) -> tuple[int, int]:
    """One tag: two bytes of priority and VLAN, two of EtherType."""
    if len(data) < start + 4:
        raise cut(data, "VLAN tag")
    return (data[start + 2] << 8) | data[start + 3], start + 4
