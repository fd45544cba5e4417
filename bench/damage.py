"""What a mirror port, a tap or a capture program does to packets: copies, disorder, losses, cuts.

Records of a capture go in, records come out; everything is drawn from the `Random` that is handed in, so that one seed
always gives the same damage.
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from random import Random
from struct import Struct
from typing import NamedTuple

from bench.traffic import MILLISECOND, checksum

LATEST_COPY = 50 * MILLISECOND
"""A copy comes no later after the first."""
BLOCK = 64
"""Packets among which the order may be any."""
BRIDGES = frozenset(ip_address(text).packed for text in ("198.51.100.20", "198.51.100.21", "2001:db8:20::20"))
"""Where the meetings of the labelled captures take place."""

_FILE = Struct("<IHHiIII")
_RECORD = Struct("<IIII")
_NANOSECONDS, _MICROSECONDS = 0xA1B23C4D, 0xA1B2C3D4
_IPV4, _IPV6, _TAG = b"\x08\x00", b"\x86\xdd", b"\x81\x00"
_ETHERNET = 1
_SECOND = 1_000_000_000


class Packet(NamedTuple):
    """One record of a capture."""

    at: int
    data: bytes
    length: int


Damage = Callable[[Sequence[Packet], Random], list[Packet]]


def read(path: Path) -> list[Packet]:
    """The records of a pcap with Ethernet frames, as the labelled captures are."""
    text = path.read_bytes()
    magic, *_, link = _FILE.unpack_from(text)
    unit = {_MICROSECONDS: 1000, _NANOSECONDS: 1}[magic]
    if link != _ETHERNET:
        raise ValueError(f"{path}: not Ethernet")
    packets, at = [], _FILE.size
    while at < len(text):
        seconds, fraction, captured, length = _RECORD.unpack_from(text, at)
        at += _RECORD.size + captured
        packets.append(Packet(seconds * _SECOND + fraction * unit, text[at - captured : at], length))
    return packets


def write(path: Path, packets: Iterable[Packet]) -> None:
    """A pcap with nanoseconds."""
    parts = [_FILE.pack(_NANOSECONDS, 2, 4, 0, 0, 262_144, _ETHERNET)]
    for at, data, length in packets:
        parts += (_RECORD.pack(*divmod(at, _SECOND), len(data), length), data)
    path.write_bytes(b"".join(parts))


# ── copies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def copied(packets: Sequence[Packet], random: Random, *, times: int = 2) -> list[Packet]:
    """Every packet so many times: behind a router, with other MAC addresses or a VLAN tag, up to 50 ms later."""
    copies = [
        Packet(packet.at + random.randrange(LATEST_COPY), behind, len(behind))
        for _ in range(times - 1)
        for packet in packets
        for behind in (_routed(packet.data, random),)
    ]
    return by_time([*packets, *copies])


def _routed(data: bytes, random: Random) -> bytes:
    """The frame as it is on the other side of a router, or of a switch alone."""
    behind = bytearray(data)
    if random.random() < 0.75:
        behind[0:12] = b"\x02" + random.randbytes(5) + b"\x02" + random.randbytes(5)
        if data[12:14] == _IPV4:
            behind[22] -= 1
            behind[24:26] = b"\0\0"
            end = 14 + 4 * (data[14] & 15)
            behind[24:26] = (0xFFFF - checksum(bytes(behind[14:end]))).to_bytes(2, "big")
        elif data[12:14] == _IPV6:
            behind[21] -= 1
    if random.random() < 0.5:
        behind[12:12] = _TAG + random.randrange(1, 4095).to_bytes(2, "big")
    return bytes(behind)


def translated(packets: Sequence[Packet], random: Random) -> list[Packet]:
    """Every packet before and behind a translator (RFC 3022): the callers' addresses and ports differ, and no more."""
    ports: dict[bytes, int] = {}
    copies: list[Packet] = []
    for packet in packets:
        # What goes to the bridge is seen before the translator first, what comes from it behind.
        delay = random.randrange(1, LATEST_COPY)
        if _to_bridge(packet.data):
            copies.append(packet._replace(at=packet.at + delay, data=_seen(packet.data, ports)))
        elif packet.data[12:14] == _IPV4 and packet.data[26:30] in BRIDGES:
            copies.append(packet._replace(at=packet.at - delay, data=_seen(packet.data, ports)))
    return by_time([*packets, *copies])


def _to_bridge(data: bytes) -> bool:
    return (data[30:34] if data[12:14] == _IPV4 else data[38:54]) in BRIDGES


def _seen(frame: bytes, ports: dict[bytes, int]) -> bytes:
    """The frame with the caller's end translated."""
    data = bytearray(frame)
    if data[12:14] != _IPV4 or data[23] not in (6, 17):
        return bytes(data)
    ends = ((26, 34), (30, 36))
    for address, port in ends:
        if bytes(data[address : address + 4]) in BRIDGES:
            continue
        whole = bytes(data[23:24] + data[address : address + 4] + data[port : port + 2])
        data[address : address + 4] = ip_address("203.0.113.200").packed
        if int.from_bytes(data[20:22], "big") & 0x1FFF == 0:
            data[port : port + 2] = ports.setdefault(whole, 20_000 + len(ports)).to_bytes(2, "big")
    data[24:26] = b"\0\0"
    data[24:26] = (0xFFFF - checksum(bytes(data[14:34]))).to_bytes(2, "big")
    if data[23] == 17 and int.from_bytes(data[20:22], "big") & 0x1FFF == 0:
        data[40:42] = b"\0\0"
    return bytes(data)


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_time(packets: Iterable[Packet]) -> list[Packet]:
    """In the order of time; of two at one moment the first given comes first."""
    return sorted(packets, key=lambda packet: packet.at)


def shuffled(packets: Sequence[Packet], random: Random) -> list[Packet]:
    """The records in any order within each 64, every one with its own time, as a capture with several queues has it."""
    out: list[Packet] = []
    for start in range(0, len(packets), BLOCK):
        block = list(packets[start : start + BLOCK])
        random.shuffle(block)
        out += block
    return out


def late(packets: Sequence[Packet], random: Random, *, most: int = LATEST_COPY) -> list[Packet]:
    """Every packet up to 50 ms late, so that the network itself brings close ones in another order."""
    return by_time(packet._replace(at=packet.at + random.randrange(most)) for packet in packets)


# ── what is missing ──────────────────────────────────────────────────────────────────────────────────────────────────


def lost(packets: Sequence[Packet], random: Random, *, share: float) -> list[Packet]:
    """Each packet is missing with this probability."""
    return [packet for packet in packets if random.random() >= share]


def to_bridge(packets: Sequence[Packet], random: Random) -> list[Packet]:
    """A mirror that sees only what goes to the bridge."""
    del random
    return [packet for packet in packets if _to_bridge(packet.data)]


def from_bridge(packets: Sequence[Packet], random: Random) -> list[Packet]:
    """A mirror that sees only what comes from the bridge."""
    del random
    return [packet for packet in packets if not _to_bridge(packet.data)]


def cut(packets: Sequence[Packet], random: Random, *, octets: int) -> list[Packet]:
    """A snap length."""
    del random
    return [packet._replace(data=packet.data[:octets]) for packet in packets]


def late_start(packets: Sequence[Packet], random: Random, *, share: float) -> list[Packet]:
    """The first so many are missing, as when a capture starts in mid-call."""
    del random
    return list(packets[round(len(packets) * share) :])
