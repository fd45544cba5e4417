"""Traffic as plain bytes, fast: frames, SIP calls of seven messages, and the sound and keys in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from struct import Struct, unpack

from pcaps.generator.media import EVENT_TYPE, KEYS, TICKS

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
START = 1_742_288_400 * SECOND
"""2025-03-18 10:00 in Amsterdam."""
TRUNK = "192.0.2.10"
"""From where all calls come."""

Timed = tuple[int, bytes]
RECORD = Struct("<IIII")
RTP = Struct(">BBHII")


def checksum(data: bytes) -> int:
    """The sum of RFC 1071, not yet inverted."""
    total: int = sum(unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)


def packed(address: str) -> bytes:
    """Four bytes."""
    return bytes(map(int, address.split(".")))


class Ends:
    """One direction between two ports: gives frames. Datagrams have no UDP checksum, as IPv4 allows (RFC 768)."""

    def __init__(self, source: str, destination: str, source_port: int, destination_port: int) -> None:
        self.addresses = packed(source) + packed(destination)
        self.ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
        self.link = b"\x02\0" + self.addresses[4:] + b"\x02\0" + self.addresses[:4] + b"\x08\0"
        self.sequence = 1_000 + source_port
        self._heads: dict[int, bytes] = {}

    def datagram(self, payload: bytes) -> bytes:
        """Ethernet, IPv4, UDP."""
        length = len(payload)
        head = self._heads.get(length)
        if head is None:
            udp = self.ports + (8 + length).to_bytes(2, "big") + b"\0\0"
            head = self._heads[length] = self.link + self.ip(28 + length, 17) + udp
        return head + payload

    def segment(self, payload: bytes, acknowledged: int, payload_sum: int | None = None, flags: int = 0x18) -> bytes:
        """Ethernet, IPv4, TCP; the sum of a payload used often may be known beforehand."""
        length = 20 + len(payload)
        tcp = (
            self.ports
            + (self.sequence & 0xFFFFFFFF).to_bytes(4, "big")
            + (acknowledged & 0xFFFFFFFF).to_bytes(4, "big")
        )
        tcp += bytes((0x50, flags)) + b"\xff\xff"
        total = checksum(self.addresses + b"\0\x06" + length.to_bytes(2, "big") + tcp)
        total += checksum(payload) if payload_sum is None else payload_sum
        total = (total & 0xFFFF) + (total >> 16)
        self.sequence += len(payload) + bool(flags & 3)
        return self.link + self.ip(20 + length, 6) + tcp + (~total & 0xFFFF).to_bytes(2, "big") + b"\0\0" + payload

    def ip(self, length: int, protocol: int) -> bytes:
        """The header of a packet of this length."""
        head = b"\x45\0" + length.to_bytes(2, "big") + b"\0\0\x40\0\x40" + bytes((protocol,))
        total = checksum(head + self.addresses)
        return head + (~total & 0xFFFF).to_bytes(2, "big") + self.addresses


def write(path: Path, frames: Iterable[Timed]) -> int:
    """A capture with microseconds; gives the number of frames."""
    count = 0
    with path.open("wb") as out:
        out.write(Struct("<IHHIIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        parts: list[bytes] = []
        for at, frame in frames:
            parts.append(RECORD.pack(at // SECOND, at % SECOND // 1000, len(frame), len(frame)))
            parts.append(frame)
            count += 1
            if len(parts) > 20_000:
                out.write(b"".join(parts))
                parts.clear()
        out.write(b"".join(parts))
    return count


@dataclass(slots=True, kw_only=True)
class Call:
    """Seven messages: INVITE, 100, 180, 200, ACK, BYE, 200."""

    n: int
    at: int
    caller: str
    """A number in E.164, or a SIP URI."""
    target: str
    callee: str
    """The host that answers."""
    lasts: int
    transport: str = "UDP"
    media_port: int = 16_384
    codec: int = 8
    written: str = ""
    """What From has, where that is not the caller's URI."""
    asserted: bool = True

    def messages(self) -> Iterator[tuple[int, bool, bytes]]:
        """When, whether from the caller, and what."""
        identity, branch = f"{self.n:08x}{self.n * 2_654_435_761 % 2**32:08x}", f"z9hG4bK{self.n:012x}"
        via = f"Via: SIP/2.0/{self.transport} {TRUNK}:5060;branch={branch}"
        uri = self.caller if self.caller.startswith("sip:") else f"sip:{self.caller}@{TRUNK};user=phone"
        asserts = f"P-Asserted-Identity: <{uri}>\r\n" if self.asserted else ""
        source = f"From: <{self.written or uri}>;tag=a{identity}\r\n"
        to = f"To: <{self.target}>"
        call = f"Call-ID: {identity}@{TRUNK}\r\nCSeq: "
        names = f"\r\n{source}{to}"
        answered = f"{names};tag=b{identity}\r\n{call}"
        contact = f"Contact: <sip:{self.caller.removeprefix('sip:').partition('@')[0]}@{TRUNK}:5060>\r\n"
        tail = "Content-Length: 0\r\n\r\n"
        end = self.at + self.lasts
        offer, answer = self._sdp(TRUNK, self.media_port), self._sdp(self.callee, self.media_port + 2)
        yield (
            self.at,
            True,
            (
                f"INVITE {self.target} SIP/2.0\r\n{via}\r\nMax-Forwards: 70{names}\r\n{call}1 INVITE\r\n{contact}"
                f"{asserts}User-Agent: Carrier-SBC/9.3\r\n"
                f"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO\r\nSupported: timer, replaces\r\n{offer}"
            ).encode(),
        )
        yield (
            self.at + 100 * MILLISECOND,
            False,
            f"SIP/2.0 100 Trying\r\n{via}{names}\r\n{call}1 INVITE\r\n{tail}".encode(),
        )
        here = f"Contact: <sip:{self.callee}:5060>\r\nServer: Exchange/4.2\r\n"
        ringing = f"SIP/2.0 180 Ringing\r\n{via}{answered}1 INVITE\r\n{here}{tail}"
        yield self.at + 300 * MILLISECOND, False, ringing.encode()
        yield self.at + SECOND, False, f"SIP/2.0 200 OK\r\n{via}{answered}1 INVITE\r\n{here}{answer}".encode()
        ack = f"ACK sip:{self.callee}:5060 SIP/2.0\r\n{via}a\r\nMax-Forwards: 70{answered}1 ACK\r\n{tail}"
        yield self.at + 1_100 * MILLISECOND, True, ack.encode()
        bye = f"BYE sip:{self.callee}:5060 SIP/2.0\r\n{via}b\r\nMax-Forwards: 70{answered}2 BYE\r\n{tail}"
        yield end, True, bye.encode()
        yield end + 100 * MILLISECOND, False, f"SIP/2.0 200 OK\r\n{via}b{answered}2 BYE\r\n{tail}".encode()

    def _sdp(self, host: str, port: int) -> str:
        codec = "G729" if self.codec == 18 else "PCMA"
        body = (
            f"v=0\r\no=- {self.n} {self.n} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {self.codec} 101\r\na=rtpmap:{self.codec} {codec}/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
        )
        return f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"

    def datagrams(self) -> Iterator[Timed]:
        """Each message in a frame of its own."""
        forth, back = Ends(TRUNK, self.callee, 5060, 5060), Ends(self.callee, TRUNK, 5060, 5060)
        for at, from_caller, text in self.messages():
            yield at, (forth if from_caller else back).datagram(text)


def event_of(key: str, packet: int) -> bytes:
    """The n-th packet of a key (RFC 4733): three updates, then the end three times."""
    length = min(packet + 1, 4) * TICKS
    return bytes((KEYS.index(key), 0x8A if packet > 2 else 0x0A)) + length.to_bytes(2, "big")


def pressed(call: Call, keys: str, ssrc: int, ends: Ends) -> Iterator[Timed]:
    """Keys without any other sound, four a second, from 4 s after the call began."""
    for n, key in enumerate(keys):
        at = call.at + 4 * SECOND + n * SECOND // 4
        for packet in range(6):
            head = RTP.pack(0x80, EVENT_TYPE | (packet == 0) << 7, 6 * n + packet, n * 2_000, ssrc)
            yield at + packet * 20 * MILLISECOND, ends.datagram(head + event_of(key, packet))


class Direction:
    """The sound of one side of a call: a packet every 20 ms, of which some are keys."""

    def __init__(self, ends: Ends, codec: int, random: Random, keys: str = "") -> None:
        self.ends, self.ssrc, self.codec = ends, random.getrandbits(32), codec
        self.offset = random.randrange(19 * MILLISECOND)
        self.sounds = [random.randbytes(160 if codec == 8 else 20) for _ in range(8)]
        self.sent = 0
        self.keys = {150 + 13 * n + packet: (key, packet) for n, key in enumerate(keys) for packet in range(6)}
        """By the number of the packet."""

    def packet(self) -> bytes:
        """The next one."""
        n = self.sent
        self.sent = n + 1
        if n in self.keys:
            key, packet = self.keys[n]
            head = RTP.pack(0x80, EVENT_TYPE | (packet == 0) << 7, n & 0xFFFF, (n - packet) * TICKS, self.ssrc)
            return self.ends.datagram(head + event_of(key, packet))
        head = RTP.pack(0x80, self.codec, n & 0xFFFF, n * TICKS, self.ssrc)
        return self.ends.datagram(head + self.sounds[n & 7])


def sound(calls: list[tuple[Call, list[Direction]]], ticks: int, last: int) -> Iterator[Timed]:
    """All calls' sound in the order of time; each direction has `ticks` packets from its call's answer on."""
    waiting = sorted(calls, key=lambda one: one[0].at, reverse=True)
    tick, active = START, list[Direction]()
    while tick < last and (waiting or active):
        while waiting and waiting[-1][0].at + SECOND <= tick:
            active += waiting.pop()[1]
            active.sort(key=lambda one: one.offset)
        for direction in active:
            yield tick + direction.offset, direction.packet()
        if active and any(one.sent >= ticks for one in active):
            active = [one for one in active if one.sent < ticks]
        tick += 20 * MILLISECOND
