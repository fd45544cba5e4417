"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

In: bytes and where the header starts. Out: an `IpPacket`, whole or a fragment. Header checksums are not checked:
captures of the sending machine hold unfinished ones.
"""

from struct import Struct
from typing import NamedTuple

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import cut

IPV6_FRAGMENT = 44
_AUTHENTICATION = 51
_EXTENSIONS = frozenset((0, 43, _AUTHENTICATION, 60, 135))  # hop-by-hop, routing, authentication, destination, mobility
MAX_EXTENSIONS = 16  # RFC 8200, section 4.1 allows seven.

_IPV4 = Struct("!BxHHHxB").unpack_from
_IPV6 = Struct("!B3xHB").unpack_from
_FRAGMENT = Struct("!BxH4s").unpack_from


class Fragment(NamedTuple):
    """Which part of which packet this is."""

    packet: bytes
    """Names the packet to which it belongs: protocol, identification and addresses."""
    offset: int
    more: bool


class IpPacket(NamedTuple):
    """What one IP header says of the bytes behind it (behind its extension headers, for IPv6)."""

    protocol: int
    addresses: bytes
    """Source and destination, as they stand: the first part of a flow."""
    mark: bytes
    """Identification, of a fragment also its place: a copy shares them, a second sending (of IPv4) does not."""
    data: bytes
    start: int
    end: int
    lost: int = 0
    """Bytes that the header promises behind `end`, and that are not there."""
    fragment: Fragment | None = None


def ipv4_of(data: bytes, start: int) -> IpPacket:
    """The packet whose IPv4 header stands at `start`."""
    if len(data) < start + 20:
        raise cut(data, "IPv4 header")
    version_and_length, total, identification, fragment, protocol = _IPV4(data, start)
    header = (version_and_length & 0x0F) * 4
    if version_and_length >> 4 != 4:
        raise Malformed(Reason.BAD_VALUE, start, "IP version is not 4")
    if header < 20:
        raise Malformed(Reason.BAD_LENGTH, start, "IPv4 header shorter than 20 bytes")
    if len(data) < start + header:
        raise cut(data, "IPv4 options")
    # Segmentation offload leaves 0 in a capture of the sending machine: the frame's end is the packet's.
    end = start + total if total else len(data)
    if end < start + header:
        raise Malformed(Reason.BAD_LENGTH, start + 2, "IPv4 total length shorter than the header")
    lost = max(0, end - len(data))
    addresses = data[start + 12 : start + 20]
    mark = data[start + 4 : start + 6]
    part = None
    if fragment & 0x3FFF:
        mark = data[start + 4 : start + 8]
        name = b"%c%c%c%b" % (protocol, identification >> 8, identification & 0xFF, addresses)
        part = Fragment(name, (fragment & 0x1FFF) * 8, bool(fragment & 0x2000))
    return IpPacket(protocol, addresses, mark, data, start + header, end - lost, lost, part)


def ipv6_of(data: bytes, start: int) -> IpPacket:
    """The packet whose IPv6 header stands at `start`, behind its extension headers (of a fragment, those it shares)."""
    if len(data) < start + 40:
        raise cut(data, "IPv6 header")
    version, length, following = _IPV6(data, start)
    if version >> 4 != 6:
        raise Malformed(Reason.BAD_VALUE, start, "IP version is not 6")
    # A jumbogram (RFC 2675) and segmentation offload have 0.
    end = start + 40 + length if length else len(data)
    lost = max(0, end - len(data))
    whole = IpPacket(following, data[start + 8 : start + 40], b"", data, start + 40, end - lost, lost)
    return _opened(whole) if following in _EXTENSIONS or following == IPV6_FRAGMENT else whole


def _opened(ip: IpPacket) -> IpPacket:
    """Behind the extension headers (RFC 8200, section 4), up to a fragment header unless it is of a whole packet."""
    protocol, start, data = ip.protocol, ip.start, ip.data
    for _ in range(MAX_EXTENSIONS):
        if protocol == IPV6_FRAGMENT:
            _require_within(ip, start + 8)
            following, field, identification = _FRAGMENT(data, start)
            if field & 0xFFF9:
                part = Fragment(identification + ip.addresses, field & 0xFFF8, bool(field & 1))
                return ip._replace(protocol=following, mark=data[start : start + 8], start=start + 8, fragment=part)
            protocol, start = following, start + 8  # an atomic fragment (RFC 6946) is whole
        elif protocol in _EXTENSIONS:
            _require_within(ip, start + 2)
            unit, more = (4, 2) if protocol == _AUTHENTICATION else (8, 1)
            protocol, start = data[start], start + (data[start + 1] + more) * unit
            _require_within(ip, start)
        else:
            return ip._replace(protocol=protocol, start=start)
    raise Malformed(Reason.TOO_LARGE, start, "IPv6 extension headers")


def _require_within(ip: IpPacket, until: int) -> None:
    if until > ip.end:
        raise Malformed(Reason.TRUNCATED, ip.end, "IPv6 extension header")


def whole_of(last: IpPacket, protocol: int, content: bytes) -> IpPacket:
    """The packet that its fragments make; `last` is the fragment that completed it."""
    whole = IpPacket(protocol, last.addresses, last.mark[:2], content, 0, len(content))
    if len(last.addresses) == 8:
        return whole
    opened = _opened(whole._replace(mark=b""))
    if opened.fragment is not None:
        raise Malformed(Reason.BAD_VALUE, opened.start, "fragment inside a fragment")
    return opened
