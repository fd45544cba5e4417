"""What passes before a protocol is known: frames of a capture, and the bytes that one endpoint sent to another.

Named tuples, because one is made for every packet that the filter lets through.

A *flow* is one direction of a conversation between two endpoints, as bytes: source address, destination address
(4 bytes each for IPv4, 16 for IPv6), source port, destination port (2 bytes each, network order). Tables are keyed
by these bytes: their hash is keyed anew in each process, so that nobody can craft collisions.
"""

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from monitor.model.evidence import Evidence, Nanoseconds

Flow: TypeAlias = bytes


class Frame(NamedTuple):
    """One frame that the filter let through, as it stands in the capture."""

    at: Nanoseconds
    capture: str
    number: int
    """Counts from 1 over *all* frames of the capture, filtered ones included."""
    link: int
    """Link-layer type of libpcap (LINKTYPE_…, https://www.tcpdump.org/linktypes.html): 1 Ethernet, 113 Linux cooked."""
    data: bytes
    length: int
    """Bytes on the wire; more than `len(data)` when the capture's snap length cut the frame."""


class Datagram(NamedTuple):
    """A whole UDP datagram, defragmented; `truncated` when the snap length cut its end."""

    at: Nanoseconds
    capture: str
    number: int
    flow: Flow
    payload: bytes
    truncated: bool = False
    reported_by: str = ""
    """As in `Evidence`."""
    ambiguous: bool = False


class StreamData(NamedTuple):
    """The next bytes of one direction of a TCP connection, in order, each byte once."""

    at: Nanoseconds
    capture: str
    number: int
    flow: Flow
    payload: bytes
    reported_by: str = ""
    ambiguous: bool = False


class StreamGap(NamedTuple):
    """Bytes of one direction of a TCP connection that the capture does not hold; what follows is not contiguous."""

    at: Nanoseconds
    capture: str
    number: int
    flow: Flow
    lost: int


class StreamEnd(NamedTuple):
    """One direction of a TCP connection is over: FIN, RST, expiry, or a new SYN with the same ports."""

    at: Nanoseconds
    capture: str
    number: int
    flow: Flow
    segments: int = 0
    """That brought bytes of it, for the books: each is counted in one end of a stream."""


class OtherReading(NamedTuple):
    """The same place read in two ways, for copies of the bytes differ, and which of them the receiver took is unknown.

    Beside what is given as `Datagram` or `StreamData`, not in place of it. It starts some way before the difference,
    so that a message which holds it can be found whole; messages that both texts hold are no news.
    """

    at: Nanoseconds
    capture: str
    number: int
    flow: Flow
    given: bytes
    """What was given of this stretch."""
    other: bytes
    """What the other copies make of it."""
    begins: bool
    """A stretch of its own, not the next bytes of the one before."""
    reported_by: str = ""
    ambiguous: bool = True


Packet: TypeAlias = Datagram | StreamData | StreamGap | StreamEnd | OtherReading


def evidence_of(seen: Frame | Packet) -> Evidence:
    """Where this frame or packet can be seen."""
    match seen:
        case Datagram() | StreamData() | OtherReading():
            return Evidence(
                capture=seen.capture, frame=seen.number, reported_by=seen.reported_by, ambiguous=seen.ambiguous
            )
        case _:
            return Evidence(capture=seen.capture, frame=seen.number)


def source_of(flow: Flow) -> bytes:
    """The sender's address, packed: 4 bytes or 16."""
    return flow[: (len(flow) - 4) // 2]


def destination_of(flow: Flow) -> bytes:
    """The receiver's address, packed: 4 bytes or 16."""
    return flow[(len(flow) - 4) // 2 : -4]


def source_port_of(flow: Flow) -> int:
    """The sender's port."""
    return (flow[-4] << 8) | flow[-3]


def destination_port_of(flow: Flow) -> int:
    """The receiver's port."""
    return (flow[-2] << 8) | flow[-1]


def reverse_of(flow: Flow) -> Flow:
    """The same conversation in the other direction."""
    half = (len(flow) - 4) // 2
    return flow[half:-4] + flow[:half] + flow[-2:] + flow[-4:-2]


@lru_cache(maxsize=4096)
def text_of(address: bytes) -> str:
    """A packed address as people write it; an IPv4-mapped IPv6 address as IPv4."""
    if len(address) == 4:
        return ".".join(map(str, address))
    ip = ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip)
