"""One frame opened down to the innermost IP packet, with what stood around it and where that ended.

The envelopes are those of `wire`: one that is new there is known here.
"""

from typing import NamedTuple

from monitor.model.oddities import Malformed
from monitor.model.packets import text_of
from monitor.wire import COUNTED, ENVELOPES, LINKS, MAX_DEPTH, PORTS, TUNNELS
from monitor.wire.envelope import ARP, ENCRYPTED, FURTHER_TAGS, IPV4, IPV6, TAGS, Envelope
from monitor.wire.ip import IpPacket, ipv4_of, ipv6_of
from monitor.wire.udp import udp_of

GRE, ESP, UDP, TCP, SCTP = 47, 50, 17, 6, 132
LEAST_ETHERTYPE = 0x0600
_HEADERS = {IPV4: ipv4_of, IPV6: ipv6_of}
HOUSEKEEPING = {ARP: "ARP", 0x88CC: "LLDP", 0x8809: "slow protocols (LACP)", 0x888E: "802.1X", 0x9000: "loop test"}
"""What a switch sends to any port, mirror or not."""


class Opened(NamedTuple):
    """A frame that was opened as far as possible."""

    envelopes: tuple[str, ...] = ()
    vlans: tuple[int, ...] = ()
    """From the outside."""
    ends: tuple[tuple[str, str], ...] = ()
    """Of each tunnel in IP: its name and the address that it goes to."""
    ip: IpPacket | None = None
    version: int = 0
    stopped: str = ""
    """At what nobody here can open; empty when there was an IP packet, or something that a switch sends to any port."""
    housekeeping: str = ""
    encrypted: str = ""


def opened(link: int, data: bytes) -> Opened:
    """This frame."""
    envelope = LINKS.get(link)
    if envelope is None:
        return Opened(stopped=f"link type {link}")
    try:
        return _opened(envelope, data)
    except Malformed:
        return Opened(stopped="broken header")


def _opened(link: Envelope, data: bytes) -> Opened:
    names = [COUNTED.get(link, "")]
    vlans: list[int] = []
    ends: list[tuple[str, str]] = []
    ip: IpPacket | None = None
    kind, start = link(data, 0)
    version = 0
    for _ in range(MAX_DEPTH):
        envelope = ENVELOPES.get(kind)
        if envelope is None:
            if kind not in _HEADERS:
                break
            ip, version = _HEADERS[kind](data, start), 4 if kind == IPV4 else 6
            envelope = TUNNELS.get(ip.protocol)
            start = ip.start
            if envelope is None and ip.protocol == UDP and (envelope := PORTS.get(data[start + 2 : start + 4])):
                udp_of(ip)
                start += 8
            if envelope is None or ip.fragment is not None:
                return Opened(_names(names), tuple(vlans), tuple(ends), ip, version)
            try:
                kind, after = envelope(data, start)
            except Malformed:
                return Opened(_names(names), tuple(vlans), tuple(ends), ip, version)
            ends.append((_name(envelope), text_of(ip.addresses[len(ip.addresses) // 2 :])))
            names.append(COUNTED.get(envelope, ""))
            start = after
            continue
        if kind in TAGS or kind == FURTHER_TAGS:
            vlans.append(int.from_bytes(data[start : start + 2], "big") & 0x0FFF)
        names.append(COUNTED.get(envelope, ""))
        kind, start = envelope(data, start)
    found = Opened(_names(names), tuple(vlans), tuple(ends), ip, version)
    if kind == ENCRYPTED:
        return found._replace(encrypted="MACsec or WPA")
    if kind in HOUSEKEEPING:
        return found._replace(housekeeping=HOUSEKEEPING[kind])
    if kind < LEAST_ETHERTYPE:
        return found._replace(housekeeping="LLC (spanning tree and such)")
    if ip is not None:
        return found  # A packet that carries what nobody knows is still a packet.
    return found._replace(stopped=f"EtherType 0x{kind & 0xFFFF:04X}")


def _name(envelope: Envelope) -> str:
    return COUNTED.get(envelope, "").removeprefix("in_")


def _names(names: list[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix("in_") for name in names if name)
