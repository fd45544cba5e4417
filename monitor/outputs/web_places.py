"""Where the web server listens, and whom a connection counts against."""

import socket
from ipaddress import IPv6Address, ip_address

from monitor.model.problems import ConfigError, Problem

BACKLOG = 128
"""Connections that the kernel holds until they are taken."""


def bound(host: str, port: int, named: str) -> socket.socket:
    """A socket that listens there; a `ConfigError` when none can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no such host"
        found = f"{host}:{port} cannot be listened on: {why}"
        raise ConfigError(
            [Problem(file=named, line=0, found=found, expected="an address of this machine and a free port")]
        ) from None
    return listener


def home_of(address: str) -> bytes:
    """Whom a connection counts against: an IPv4 address, or the /64 that an IPv6 host has to itself."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return parsed.packed[:8]
