"""IP in IP: IPv4 (RFC 2003) and IPv6 (RFC 2473, RFC 4213) as what another IP packet carries."""

from monitor.wire.envelope import IPV4, IPV6


def ipv4_inside(data: bytes, start: int) -> tuple[int, int]:  # noqa: ARG001 - an envelope of no bytes
    """An IPv4 packet follows the outer header at once."""
    return IPV4, start


def ipv6_inside(data: bytes, start: int) -> tuple[int, int]:  # noqa: ARG001 - an envelope of no bytes
    """An IPv6 packet follows the outer header at once."""
    return IPV6, start
