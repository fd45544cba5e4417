"""VLAN tags: IEEE 802.1Q, 802.1ad (Q-in-Q), and the EtherTypes that stood for it before."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import FURTHER_TAGS, TAGS, cut, kind_at

MAX_TAGS = 16  # behind the first; two and three are in use.


def vlan(data: bytes, start: int) -> tuple[int, int]:
    """One tag: two bytes of priority and VLAN, two of EtherType."""
    if len(data) < start + 4:
        raise cut(data, "VLAN tag")
    kind, inner = kind_at(data, start + 2)
    return (FURTHER_TAGS if kind in TAGS else kind), inner


def qinq(data: bytes, start: int) -> tuple[int, int]:
    """All tags right behind the first."""
    for _ in range(MAX_TAGS):
        kind, start = vlan(data, start)
        if kind != FURTHER_TAGS:
            return kind, start
    raise Malformed(Reason.TOO_LARGE, start, "VLAN tags")
