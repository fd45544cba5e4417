"""Wraps Ethernet frames and IP packets in the tunnels of mirrors and overlays, byte by byte."""

from collections.abc import Callable
from struct import pack
from typing import TypeAlias

from tests.wire.packets import A6, B6, ethernet, ipv4, ipv6, udp

Wrap: TypeAlias = Callable[[bytes], bytes]


def gre(payload: bytes, kind: int, fields: bytes = b"", flags: int = 0) -> bytes:
    """GRE in IPv4 in Ethernet; the flags tell which fields."""
    return ethernet(ipv4(pack("!HH", flags, kind) + fields + payload, 47))


def to_port(port: int, payload: bytes) -> bytes:
    """A datagram in IPv4 in Ethernet."""
    return ethernet(ipv4(udp(payload, (50_000, port))))


def geneve(kind: int, options: bytes = b"") -> bytes:
    return pack("!BBHI", len(options) // 4, 0, kind, 7 << 8) + options


def gtp(flags: int = 0, rest: bytes = b"", kind: int = 255, length: int = 0) -> bytes:
    return pack("!BBHI", 0x30 | flags, kind, length, 0xAB) + rest


ERSPAN_III = b"\x20\x05\x00\x01" + bytes(6)
TZSP = b"\x01\x00\x00\x01"

AROUND_ETHERNET: dict[str, Wrap] = {
    "transparent Ethernet in GRE": lambda frame: gre(frame, 0x6558),
    "ERSPAN I": lambda frame: gre(frame, 0x88BE),
    "ERSPAN II": lambda frame: gre(b"\x10\x05\x00\x01\x00\x00\x00\x09" + frame, 0x88BE, bytes(4), 0x1000),
    "ERSPAN III": lambda frame: gre(ERSPAN_III + b"\x00\x00" + frame, 0x22EB, bytes(4), 0x1000),
    "ERSPAN III, sub-header": lambda frame: gre(ERSPAN_III + b"\x00\x01" + bytes(8) + frame, 0x22EB, bytes(4), 0x1000),
    "VXLAN": lambda frame: to_port(4789, b"\x08\x00\x00\x00\x00\x00\x07\x00" + frame),
    "VXLAN, Linux's port": lambda frame: to_port(8472, b"\x08\x00\x00\x00\x00\x00\x07\x00" + frame),
    "VXLAN, group policy": lambda frame: to_port(4789, b"\x88\x00\x00\x05\x00\x00\x07\x00" + frame),
    "VXLAN, GPE": lambda frame: to_port(4790, b"\x0c\x00\x00\x03\x00\x00\x07\x00" + frame),
    "VXLAN in IPv6": lambda frame: ethernet(ipv6(udp(b"\x08" + bytes(7) + frame, (50_000, 4789))), 0x86DD),
    "GENEVE": lambda frame: to_port(6081, geneve(0x6558) + frame),
    "GENEVE, options": lambda frame: to_port(6081, geneve(0x6558, b"\x01\x02\x80\x01" + bytes(4)) + frame),
    "HP ERM": lambda frame: to_port(7932, bytes(12) + frame),
    "TZSP": lambda frame: to_port(37008, TZSP + b"\x01" + frame),
    "TZSP, tags": lambda frame: to_port(37008, TZSP + b"\x00\x00\x0a\x01\xff\x0d\x04" + bytes(4) + b"\x01" + frame),
}
"""What carries an Ethernet frame."""

AROUND_IPV4: dict[str, Wrap] = {
    "GRE": lambda packet: gre(packet, 0x0800),
    "GRE, checksum": lambda packet: gre(packet, 0x0800, bytes(4), 0x8000),
    "GRE, key and sequence": lambda packet: gre(packet, 0x0800, bytes(8), 0x3000),
    "GRE, all three": lambda packet: gre(packet, 0x0800, bytes(12), 0xB000),
    "GRE, source routes": lambda packet: gre(
        packet, 0x0800, bytes(4) + b"\x08\x00\x00\x04\xc0\x00\x02\x01" + bytes(4), 0x4000
    ),
    "PPTP": lambda packet: gre(b"\xff\x03\x00\x21" + packet, 0x880B, bytes(12), 0x3081),
    "GRE in IPv6": lambda packet: ethernet(ipv6(b"\x00\x00\x08\x00" + packet, 47), 0x86DD),
    "ERSPAN III, IP frame": lambda packet: gre(ERSPAN_III + b"\x08\x00" + packet, 0x22EB, bytes(4), 0x1000),
    "VXLAN, GPE with IP": lambda packet: to_port(4789, b"\x0c\x00\x00\x01\x00\x00\x07\x00" + packet),
    "GENEVE with IP": lambda packet: to_port(6081, geneve(0x0800) + packet),
    "GTP-U": lambda packet: to_port(2152, gtp() + packet),
    "GTP-U, sequence": lambda packet: to_port(2152, gtp(2, b"\x00\x09\x00\x55") + packet),
    "GTP-U, extensions": lambda packet: to_port(
        2152, gtp(4, b"\x00\x00\x00\x85\x01\x00\x09\xc0\x02" + bytes(6) + b"\x00" + packet)
    ),
    "IP in IP": lambda packet: ethernet(ipv4(packet, 4)),
    "IP in IPv6": lambda packet: ethernet(ipv6(packet, 4, (A6, B6)), 0x86DD),
}
"""What carries an IPv4 packet."""
