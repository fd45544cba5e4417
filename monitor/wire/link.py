"""Link layers that say in a few bytes what they carry: Ethernet, Linux cooked, loopback and raw IP.

Numbers are those of libpcap (https://www.tcpdump.org/linktypes.html).
"""

from monitor.wire.envelope import IPV4, IPV6, cut, ip_version_of, kind_at

# BSD and macOS write the address family of the machine that captured, in its byte order; AF_INET6 differs by system.
_FAMILIES = {
    family.to_bytes(4, order): kind
    for family, kind in ((2, IPV4), (10, IPV6), (24, IPV6), (28, IPV6), (30, IPV6))
    for order in ("big", "little")
}


def ethernet(data: bytes, start: int) -> tuple[int, int]:
    """IEEE 802.3 with an EtherType, or with a length in its place and the EtherType behind LLC and SNAP (RFC 1042)."""
    if len(data) < start + 14:
        raise cut(data, "Ethernet header")
    return kind_at(data, start + 12)


def cooked(data: bytes, start: int) -> tuple[int, int]:
    """Linux cooked capture, version 1 (LINKTYPE_LINUX_SLL): what `any` gives."""
    if len(data) < start + 16:
        raise cut(data, "Linux cooked header")
    return kind_at(data, start + 14)


def cooked2(data: bytes, start: int) -> tuple[int, int]:
    """Linux cooked capture, version 2 (LINKTYPE_LINUX_SLL2)."""
    if len(data) < start + 20:
        raise cut(data, "Linux cooked header")
    return (data[start] << 8) | data[start + 1], start + 20


def loopback(data: bytes, start: int) -> tuple[int, int]:
    """BSD loopback (LINKTYPE_NULL, LINKTYPE_LOOP): four bytes of address family."""
    if len(data) < start + 4:
        raise cut(data, "loopback header")
    return _FAMILIES.get(data[start : start + 4], 0), start + 4


def raw(data: bytes, start: int) -> tuple[int, int]:
    """An IP packet and nothing before it."""
    return ip_version_of(data, start), start


def raw_ipv4(data: bytes, start: int) -> tuple[int, int]:  # noqa: ARG001 - an envelope of no bytes
    """An IPv4 packet and nothing before it."""
    return IPV4, start


def raw_ipv6(data: bytes, start: int) -> tuple[int, int]:  # noqa: ARG001 - an envelope of no bytes
    """An IPv6 packet and nothing before it."""
    return IPV6, start
