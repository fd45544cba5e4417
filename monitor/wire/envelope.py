"""What an envelope is: anything that stands around an IP packet, or around another envelope.

An envelope takes a frame and where it starts in it, and gives the EtherType of what it holds and where that starts.
Nothing is copied. It raises `Malformed` when the frame ends inside it. One kind of envelope a file; `monitor.wire`
lists them.
"""

from collections.abc import Callable
from typing import TypeAlias

from monitor.model.oddities import Malformed, Reason

Envelope: TypeAlias = Callable[[bytes, int], tuple[int, int]]

# EtherTypes (https://www.iana.org/assignments/ieee-802-numbers), the common tongue of link layers and tunnels.
NOTHING_KNOWN = 0
IPV4 = 0x0800
ARP = 0x0806
IPV6 = 0x86DD
MPLS = 0x8847
ETHERNET = 0x6558  # Transparent Ethernet Bridging (RFC 1701)
NSH = 0x894F
ERSPAN = 0x88BE  # type II
# Ours, and too large to come from the wire:
ERSPAN_I = 0x1_88BE  # type I has the number of type II.
FURTHER_TAGS = 0x1_8100  # a VLAN tag right behind another
ENCRYPTED = 0x1_88E5  # what nobody without the key can read

TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
"""EtherTypes of VLAN tags: IEEE 802.1Q, 802.1ad, and those that were used before there was a standard."""
_SNAP = (b"\xaa\xaa\x03\x00\x00\x00", b"\xaa\xaa\x03\x00\x00\xf8")
_LEAST_ETHERTYPE = 0x0600


def cut(data: bytes, what: str) -> Malformed:
    """What to raise when the bytes end inside a header."""
    return Malformed(Reason.TRUNCATED, len(data), what)


def kind_at(data: bytes, at: int) -> tuple[int, int]:
    """The EtherType that stands there, and where what it names begins. The bytes must be there.

    A length in its place (IEEE 802.3) has the EtherType behind LLC and SNAP (RFC 1042, IEEE 802.1H).
    """
    kind = (data[at] << 8) | data[at + 1]
    if kind < _LEAST_ETHERTYPE and data[at + 2 : at + 8] in _SNAP and len(data) >= at + 10:
        return (data[at + 8] << 8) | data[at + 9], at + 10
    return kind, at + 2


def holds_ethernet(data: bytes, start: int) -> bool:
    """Whether an Ethernet frame with something that can be read seems to begin there, where nothing tells."""
    if len(data) < start + 14:
        return False
    kind, _ = kind_at(data, start + 12)
    return kind in TAGS or kind in (IPV4, IPV6, MPLS, ARP)


def ip_version_of(data: bytes, start: int) -> int:
    """The EtherType that the first four bits of an IP packet tell, where nothing else does."""
    if len(data) <= start:
        raise cut(data, "IP header")
    return {4: IPV4, 6: IPV6}.get(data[start] >> 4, NOTHING_KNOWN)
