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
IPV6 = 0x86DD
MPLS = 0x8847
ETHERNET = 0x6558  # Transparent Ethernet Bridging (RFC 1701)
ERSPAN = 0x88BE  # type II
ERSPAN_I = 0x1_88BE  # type I has the same number; this one is ours, and too large to come from the wire.


def cut(data: bytes, what: str) -> Malformed:
    """What to raise when the bytes end inside a header."""
    return Malformed(Reason.TRUNCATED, len(data), what)


def ip_version_of(data: bytes, start: int) -> int:
    """The EtherType that the first four bits of an IP packet tell, where nothing else does."""
    if len(data) <= start:
        raise cut(data, "IP header")
    return {4: IPV4, 6: IPV6}.get(data[start] >> 4, NOTHING_KNOWN)
