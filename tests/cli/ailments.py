"""Set-ups with one fault each, made for real, and healthy ones: what the doctor is examined with."""

import ctypes
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from bench import damage
from bench.damage import Packet
from bench.tunnels import wrap
from pcaps.generator.calendar import Event, calendar_of
from pcaps.stories.town import ANNA, invited
from tests.corpus import ROOT
from tests.daemon.stage import _toml, free_port, intruder_by_phone, lists_of_now, needs_root

INCIDENT = ROOT / "pcaps" / "incident" / "incident.pcap"
EXAMPLE = ROOT / "config" / "example"
SCENARIOS = ROOT / "pcaps" / "scenarios"
WORLD = SCENARIOS / "world"
GIVEN = [
    "--meetings", str(EXAMPLE / "meetings"), "--directory", str(EXAMPLE / "directory.vcf"),
    "--directory", str(EXAMPLE / "partners.csv"), "--policy", str(EXAMPLE / "policy.toml"),
]  # fmt: skip
OF_WORLD = [
    "--meetings", str(WORLD / "meetings"), "--directory", str(WORLD / "directory.vcf"),
    "--policy", str(WORLD / "policy.toml"),
]  # fmt: skip
HOUR, YEAR = 3600 * 10**9, 365 * 86_400 * 10**9
MAC_BROADCAST, MAC_BRIDGES = b"\xff" * 6, b"\x01\x80\xc2\0\0\0"
SECONDS = "0.4"


class Patient:
    """How to ask the doctor: words of the command line, and where it must be run."""

    def __init__(self, *words: str, namespace: str = "", user: str = "", sending: Sequence[bytes] = ()) -> None:
        self.words = ["doctor", *words, "--json", "-"]
        self.namespace, self.user = namespace, user
        self.sending = sending
        self.send: Callable[[], None] = lambda: None

    @property
    def command(self) -> list[str]:
        """As a process of its own."""
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        as_user = ["setpriv", "--reuid", self.user, "--clear-groups", "--bounding-set=-all"] if self.user else []
        return [*inside, *as_user, sys.executable, "-m", "monitor", *self.words]


# ── captures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def altered(folder: Path, change: Callable[[list[Packet]], Sequence[Packet]], capture: Path = INCIDENT) -> str:
    """A capture after that change."""
    path = folder / "altered.pcap"
    damage.write(path, change(damage.read(capture)))
    return str(path)


def frame(payload: bytes, *, source: int = 1, ether: int = 0x0800, target: bytes = b"\x02\0\0\0\0\x02") -> bytes:
    """Ethernet around it."""
    return target + b"\x02\0\0\0\0" + bytes([source]) + ether.to_bytes(2, "big") + payload


def tls_calls() -> list[Packet]:
    """SIP over TLS: handshakes and records on port 5061, both ways."""
    from scapy.layers.inet import IP, TCP

    hello = b"\x16\x03\x01\x00\x40\x01" + bytes(63)
    record = b"\x17\x03\x03\x01\x00" + Random(5).randbytes(256)
    packets = []
    for port in range(40_000, 40_010):
        here, there = {"src": "192.0.2.10", "dst": "192.0.2.20"}, {"src": "192.0.2.20", "dst": "192.0.2.10"}
        sequence = 1
        for payload in (hello, record, record):
            for ends, ports in ((here, (port, 5061)), (there, (5061, port))):
                tcp = TCP(sport=ports[0], dport=ports[1], flags="PA", seq=sequence, ack=sequence)
                packets.append(bytes(IP(**ends, id=len(packets)) / tcp / payload))
            sequence += len(payload)
    return [Packet(1_715_670_000 * 10**9 + n * 10**7, frame(ip), len(ip) + 14) for n, ip in enumerate(packets)]


def only_media(packets: list[Packet]) -> list[Packet]:
    """What is neither from nor to port 5060."""
    return [packet for packet in packets if not is_sip(packet)]


def merged(packets: list[Packet]) -> list[Packet]:
    """With a download among them, whose segments the adapter has put together."""
    from scapy.layers.inet import IP, TCP

    begun, more = packets[0].at, []
    for n in range(40):
        there = IP(src="192.0.2.80", dst="192.0.2.81", id=n) / TCP(sport=80, dport=40_000, flags="A", seq=1 + 8000 * n)
        back = IP(src="192.0.2.81", dst="192.0.2.80", id=n) / TCP(sport=40_000, dport=80, flags="A", ack=8000 * n)
        for data in (frame(bytes(there / bytes(8000))), frame(bytes(back))):
            more.append(Packet(begun + n * 10**6, data, len(data)))
    return damage.by_time([*packets, *more])


def other_vlan(packets: list[Packet]) -> list[Packet]:
    """Computers' traffic in VLAN 10; the telephones' is elsewhere."""
    from scapy.layers.inet import IP, TCP

    web = [bytes(IP(src="192.0.2.80", dst="192.0.2.81", id=n) / TCP(sport=443, dport=4000 + n)) for n in range(60)]
    made = [tagged(frame(ip), 10) for ip in web]
    return [Packet(packets[0].at + n * 10**7, data, len(data)) for n, data in enumerate(made)]


def wrapped(packets: list[Packet]) -> list[Packet]:
    """In an envelope of some vendor that nobody knows (an EtherType for experiments)."""
    return [Packet(p.at, p.data[:12] + b"\x88\xb5\0\0\0\x07" + p.data, p.length + 18) for p in packets]


def is_sip(packet: Packet) -> bool:
    """From or to port 5060."""
    return b"\x13\xc4" in (packet.data[34:36], packet.data[36:38])


def in_macsec(packets: list[Packet]) -> list[Packet]:
    """Encrypted from switch to switch (IEEE 802.1AE)."""
    head = b"\x88\xe5\x2c\0\0\0\0\1" + bytes(8)
    return [Packet(p.at, p.data[:12] + head + p.data[14:], p.length + 14) for p in packets]


def with_tones(packets: list[Packet]) -> list[Packet]:
    """Nobody offers telephone-events, and keys are in the sound."""
    lines = ((b"telephone-event", b"telephone-other"), (b"a=fmtp:101", b"a=fmtx:101"))
    made = []
    for packet in filter(is_sip, packets):
        data = packet.data
        for was, now in lines:
            data = data.replace(was, now)
        made.append(packet._replace(data=data))
    return made


def cut(packets: list[Packet], octets: int = 96) -> list[Packet]:
    """By a snap length."""
    return [Packet(packet.at, packet.data[:octets], packet.length) for packet in packets]


def later(packets: list[Packet], by: int) -> list[Packet]:
    """By a clock that is wrong."""
    return [Packet(packet.at + by, packet.data, packet.length) for packet in packets]


def night() -> list[Packet]:
    """Ten minutes in which two machines ask each other whether they are there, and nobody calls."""
    from scapy.layers.inet import IP, UDP

    begun, packets = 1_715_650_000 * 10**9, []
    for n in range(20):
        call = f"night{n}@192.0.2.20"
        ask = _sip("OPTIONS sip:192.0.2.10 SIP/2.0", call, n)
        for at, ends, text in ((0, ("192.0.2.20", "192.0.2.10"), ask), (1, None, _sip("SIP/2.0 200 OK", call, n))):
            source, target = ends or ("192.0.2.10", "192.0.2.20")
            data = frame(bytes(IP(src=source, dst=target, id=2 * n + at) / UDP(sport=5060, dport=5060) / text))
            packets.append(Packet(begun + n * 30 * 10**9 + at * 10**7, data, len(data)))
    return packets


def _sip(start: str, call: str, number: int) -> bytes:
    lines = [
        start, f"Via: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK{number}", "From: <sip:192.0.2.20>;tag=1",
        "To: <sip:192.0.2.10>", f"Call-ID: {call}", f"CSeq: {number + 1} OPTIONS", "Content-Length: 0", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def calendar(folder: Path, number: str, start: datetime) -> str:
    """One meeting of an hour, at that time (UTC)."""
    folder.mkdir(exist_ok=True)
    event = Event(
        uid=f"{number}@ministry.example", number=number, title="Overleg", zone="UTC", organizer=ANNA, pin="1234",
        start=f"{start:%Y%m%dT%H%M%S}", end=f"{start + timedelta(hours=1):%Y%m%dT%H%M%S}", attendees=invited("bram"),
    )  # fmt: skip
    text = calendar_of([event]).replace(b";TZID=UTC:", b":").decode()
    for line in [line for line in text.split("\r\n") if line.startswith(("DTSTART:2", "DTEND:2"))]:
        text = text.replace(line, line + "Z")
    (folder / "one.ics").write_text(text, encoding="utf-8", newline="")
    return str(folder / "one.ics")


def empty_calendar(folder: Path) -> str:
    """No meeting in it."""
    path = folder / "empty.ics"
    path.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x\r\nEND:VCALENDAR\r\n", encoding="utf-8", newline=""
    )
    return str(path)


def an_hour_off(folder: Path) -> str:
    """The incident's calendars, an hour later: written in one zone, and read in another."""
    folder.mkdir(exist_ok=True)
    for path in (EXAMPLE / "meetings").glob("*.ics"):
        text = path.read_bytes().decode()
        lines = []
        for line in text.split("\r\n"):
            name, colon, value = line.partition(":")
            if name.startswith(("DTSTART;TZID", "DTEND;TZID")) and "T" in value:
                value = f"{datetime.strptime(value, '%Y%m%dT%H%M%S') + timedelta(hours=1):%Y%m%dT%H%M%S}"  # noqa: DTZ007
            lines.append(name + colon + value)
        (folder / path.name).write_text("\r\n".join(lines), encoding="utf-8", newline="")
    return str(folder)


def without_descriptions(folder: Path) -> str:
    """The incident's calendars, as an export of free and busy times has them."""
    folder.mkdir(exist_ok=True)
    for path in (EXAMPLE / "meetings").glob("*.ics"):
        text = path.read_bytes().decode()
        text = re.sub(r"(?m)^(DESCRIPTION|LOCATION|URL|X-[A-Z-]+)[:;].*\r\n(?: .*\r\n)*", "", text)
        (folder / path.name).write_bytes(text.encode())
    return str(folder)


def config(folder: Path, interface: str = "lo", **more: Any) -> Path:
    """A daemon's configuration, whose lists have a meeting now."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "joinwatch.toml"
    document: dict[str, Any] = {"state": str(folder / "state"), "runtime": str(folder / "run")}
    document |= {"capture": {"interfaces": [interface], "ring_mebibytes": 8}, **lists_of_now(folder / "lists")}
    document |= {"serve": {"listen": f"127.0.0.1:{free_port()}"}} | more
    tables = "".join(f"[{key}]\n" + _toml(document.pop(key)) for key in list(document) if "." in key)
    path.write_text(_toml(document) + tables, encoding="utf-8")
    return path


# ── interfaces ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Lab:
    """A network namespace of its own, and veth pairs that reach into it."""

    def __init__(self, opened: ExitStack) -> None:
        needs_root()
        self.name = f"jwdoc{os.getpid()}"
        self._opened = opened
        _ip("netns", "add", self.name)
        opened.callback(lambda: subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True))

    def pair(self, number: int, *, up: bool = True) -> tuple[str, Callable[[bytes], None]]:
        """The inner end of a new pair, and what sends into its outer end."""
        outer, inner = f"jwd{os.getpid() % 100_000}o{number}", f"mirror{number}"
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", self.name)
        self._opened.callback(lambda: subprocess.run(["ip", "link", "del", outer], check=False, capture_output=True))
        Path(f"/proc/sys/net/ipv6/conf/{outer}/disable_ipv6").write_text("1", encoding="ascii")
        self.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{inner}/disable_ipv6")
        _ip("link", "set", outer, "up")
        if up:
            self.run("ip", "link", "set", inner, "up")
        sock = self._opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        sock.bind((outer, 0))
        return inner, lambda data: _sent(sock, data)

    def run(self, *words: str) -> None:
        """A command inside."""
        subprocess.run(["ip", "netns", "exec", self.name, *words], check=True, capture_output=True)


def _sent(sock: socket.socket, data: bytes) -> None:
    sock.send(data)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def calls_of_now(name: str = "doctor") -> list[bytes]:
    """Frames of an ordinary dial-in."""
    return [data for _, data in intruder_by_phone(name, "+31205550177")]


def tagged(data: bytes, vlan: int) -> bytes:
    """With a VLAN tag."""
    return data[:12] + b"\x81\0" + vlan.to_bytes(2, "big") + data[12:]


def erspan(data: bytes, target: str, mac: bytes) -> bytes:
    """In ERSPAN (type II) to that address."""
    from scapy.layers.inet import IP

    tunnel = b"\x10\0\x88\xbe\0\0\0\x01" + b"\x10\x05\0\x01\0\0\0\x09" + data
    return frame(bytes(IP(src="192.0.2.1", dst=target, proto=47) / tunnel), target=mac)


def switch_noise() -> list[bytes]:
    """ARP requests and spanning tree: what any port gets."""
    arp = b"\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x01\xc0\0\x02\x01" + bytes(6) + b"\xc0\0\x02\x02"
    tree = MAC_BRIDGES + b"\x02\0\0\0\0\x01\0\x26\x42\x42\x03" + bytes(35)
    return [frame(arp, ether=0x0806, target=MAC_BROADCAST), tree]


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own without a byte left."""
    needs_root()
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        (folder / "state").mkdir()
        with (folder / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                yield folder
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(folder), 2)


def in_vxlan(folder: Path) -> str:
    """The incident as a mirror gives it that wraps frames in VXLAN."""
    wrap(INCIDENT, "VXLAN", folder / "vxlan.pcap")
    return str(folder / "vxlan.pcap")


def long_ago() -> datetime:
    """Two years and a bit."""
    return datetime.now(UTC) - timedelta(days=800)
