"""Interfaces, as the kernel describes them: /sys/class/net, /proc/net and the ioctls of ethtool. Needs no privilege."""

import ctypes
import fcntl
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from pathlib import Path
from struct import Struct

from monitor.doctor.facts import LinkFacts

INTERFACES = Path("/sys/class/net")
PROC = Path("/proc/net")
IFF_UP, IFF_PROMISC, IFF_LOOPBACK = 0x1, 0x100, 0x8
SIOCETHTOOL = 0x8946
ETHTOOL_GFLAGS, ETHTOOL_GGRO = 0x25, 0x2B
ETH_FLAG_LRO = 1 << 15
_ethtool = Struct("=II")
_request = Struct("@16sP")
COUNTERS = (
    "rx_packets",
    "rx_bytes",
    "rx_dropped",
    "rx_errors",
    "rx_crc_errors",
    "rx_fifo_errors",
    "rx_missed_errors",
    "rx_over_errors",
    "rx_length_errors",
    "rx_nohandler",
)


def link_facts(name: str) -> LinkFacts:
    """Everything about one interface."""
    folder = INTERFACES / name
    if "/" in name or name in ("", ".", "..") or not folder.is_dir():
        return LinkFacts(name=name, exists=False, up=False, carrier=False)
    flags = int(_text(folder / "flags") or "0", 16)
    up = bool(flags & IFF_UP)
    vlan, parent = _vlan_of(name)
    speed = _text(folder / "speed")
    return LinkFacts(
        name=name,
        up=up,
        carrier=not up or _text(folder / "carrier") != "0",  # of one that is down, nobody can tell
        promiscuous=bool(flags & IFF_PROMISC),
        mtu=int(_text(folder / "mtu") or "1500"),
        speed_megabits=int(speed) if speed.isdecimal() else None,
        vlan=vlan,
        parent=parent,
        link=_link_of(name),
        addresses=_addresses_of(name),
        offloads=_offloads_of(name),
    )


def interfaces() -> list[str]:
    """The names of all that are up and are no loopback."""
    with suppress(OSError):
        flags = {path.name: int(_text(path / "flags") or "0", 16) for path in INTERFACES.iterdir()}
        return sorted(name for name, bits in flags.items() if bits & IFF_UP and not bits & IFF_LOOPBACK)
    return []


def counters_of(name: str) -> dict[str, int]:
    """The kernel's counters of what an interface received."""
    folder = INTERFACES / name / "statistics"
    return {counter: int(_text(folder / counter) or "0") for counter in COUNTERS}


def host_addresses() -> frozenset[str]:
    """Every address of this machine."""
    found: set[str] = set()
    lines = _text(PROC / "fib_trie").splitlines()
    for line, below in pairwise(lines):
        if "host LOCAL" in below and "|-- " in line:
            found.add(line.rpartition("|-- ")[2].strip())
    for line in _text(PROC / "if_inet6").splitlines():
        with suppress(ValueError):
            found.add(str(IPv6Address(bytes.fromhex(line.split()[0]))))
    return frozenset(found)


def _addresses_of(name: str) -> tuple[str, ...]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker, suppress(OSError):
        answer = fcntl.ioctl(asker, 0x8915, name.encode()[:15].ljust(40, b"\0"))  # SIOCGIFADDR
        found.append(str(IPv4Address(answer[20:24])))
    for line in _text(PROC / "if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[5] == name and fields[3] != "20":  # 20: of the link alone
            with suppress(ValueError):
                found.append(str(IPv6Address(bytes.fromhex(fields[0]))))
    return tuple(found)


def _vlan_of(name: str) -> tuple[int | None, str]:
    """Of a sub-interface: its VLAN, and the interface below."""
    words = _text(PROC / "vlan" / name).split()
    vid = words[words.index("VID:") + 1] if "VID:" in words[:-1] else ""
    parent = words[words.index("Device:") + 1] if "Device:" in words[:-1] else ""
    return (int(vid), parent) if vid.isdecimal() else (None, "")


def _link_of(name: str) -> int | None:
    from monitor.sources.live.blocks import RingError
    from monitor.sources.live.ring import link_of

    try:
        return link_of(name)
    except RingError:
        return None


def _offloads_of(name: str) -> dict[str, bool]:
    """What puts packets together before anybody sees them: GRO in software, LRO in the adapter."""
    found = {}
    flags = _asked(name, ETHTOOL_GFLAGS)
    if flags is not None:
        found["lro"] = bool(flags & ETH_FLAG_LRO)
    gro = _asked(name, ETHTOOL_GGRO)
    if gro is not None:
        found["gro"] = bool(gro)
    return found


def _asked(name: str, command: int) -> int | None:
    """One value of ethtool; none where the driver has none (<linux/ethtool.h>, struct ethtool_value)."""
    value = ctypes.create_string_buffer(_ethtool.pack(command, 0), _ethtool.size)
    request = _request.pack(name.encode()[:15], ctypes.addressof(value)).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        try:
            fcntl.ioctl(asker, SIOCETHTOOL, request)
        except OSError:
            return None
    found: int = _ethtool.unpack(value.raw)[1]
    return found


def _text(path: Path) -> str:
    """What stands there; empty where nothing can be read. Reading `carrier` of an interface that is down fails."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
