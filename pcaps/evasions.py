"""Captures in which a join is hidden from a monitor by tricks with packets, and honest twins of them.

One short story: a guest who is not invited calls the meeting's SIP address, over TCP or UDP, and is let in. Each trick
hides the INVITE, or the answer, behind bytes that the other end never takes: they have a wrong checksum or a TTL that
does not reach, or come second to a system that keeps the first. Which of two copies the other end takes a capture does
not show, so both must be read. Written by hand, byte by byte, for scapy would mend most of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from struct import pack, unpack

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
START = 1_742_288_520 * 10**6
"""2025-03-18 10:02 in Amsterdam, in microseconds."""
MS, SECOND = 1000, 1_000_000
GUEST, PROXY = "203.0.113.66", "192.0.2.21"
GUEST6, PROXY6 = "2001:db8::66", "2001:db8:1::21"
MEETING = b"27310400011@ministry.webex.com"
DECOY = b"reception-desk@pbx.example.net"
WHO = b"sip:guest@outside.example"
BRAM = b"sip:bram.jansen@ministry.example"
PORT = 40_100
ISN, PEER_ISN = 1_000_000, 7_000_000


def invite(
    target: bytes = MEETING, who: bytes = WHO, call: bytes = b"trick-1", branch: bytes = b"z9hG4bKtrick"
) -> bytes:
    """The request that is hidden. Padded, so that another caller's has the same length."""
    pad = b"x" * (60 - len(who))
    return (
        b"INVITE sip:%b SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.66:5060;branch=%b\r\nMax-Forwards: 70\r\n"
        b"From: <%b>;tag=%b\r\nTo: <sip:%b>\r\nCall-ID: %b@203.0.113.66\r\nCSeq: 1 INVITE\r\n"
        b"Contact: <sip:guest@203.0.113.66:5060>\r\nContent-Length: 0\r\n\r\n"
    ) % (target, branch, who, pad, target, call)


def answer(status: bytes, message: bytes) -> bytes:
    """What the other end says to a request."""
    kept = [line for line in message.split(b"\r\n") if line.split(b":")[0] in (b"Via", b"From", b"Call-ID", b"CSeq")]
    to = next(line for line in message.split(b"\r\n") if line.startswith(b"To:"))
    head = [b"SIP/2.0 " + status, *kept, to + b";tag=there", b"Contact: <sip:bridge@192.0.2.21:5060>"]
    return b"\r\n".join([*head, b"Content-Length: 0", b"", b""])


def within(method: bytes, message: bytes, number: int, headers: bytes = b"", body: bytes = b"") -> bytes:
    """A request within the call."""
    lines = message.split(b"\r\n")
    named = {line.split(b":")[0]: line for line in lines[1:] if line}
    head = [b"%b sip:bridge@192.0.2.21:5060 SIP/2.0" % method, named[b"Via"] + b"%d" % number]
    head += [named[b"From"], named[b"To"] + b";tag=there", named[b"Call-ID"], b"CSeq: %d %b" % (number, method)]
    return b"\r\n".join([*head, headers + b"Content-Length: %d" % len(body), b"", body])


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


class Tap:
    """Frames between the guest and the proxy, a millisecond apart unless the story waits."""

    def __init__(self, *, six: bool = False, vlan: bool = False, first: int = ISN) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.at = START
        self.ident = 100
        self.six, self.vlan = six, vlan
        self.first = first
        """The guest's first sequence number behind the SYN."""
        self.peer = PEER_ISN
        """The proxy's."""
        self.port = PORT

    def wait(self, seconds: float) -> None:
        """Nothing happens."""
        self.at += round(seconds * SECOND)

    # IP

    def ip(self, payload: bytes, protocol: int, *, back: bool = False, ttl: int = 64, **fragment: int | bool) -> None:
        """One packet, or one fragment (`ident`, `offset`, `more`)."""
        self.at += MS
        ends = [ip_address(one).packed for one in ((GUEST6, PROXY6) if self.six else (GUEST, PROXY))]
        addresses = b"".join(reversed(ends) if back else ends)
        offset, more = int(fragment.get("offset", 0)), bool(fragment.get("more", False))
        self.ident += 1
        ident = int(fragment.get("ident", self.ident))
        if self.six:
            following = protocol
            if "ident" in fragment:
                payload = pack("!BBHI", protocol, 0, offset | more, ident) + payload
                following = 44
            packet = pack("!IHBB", 6 << 28, len(payload), following, ttl) + addresses + payload
        else:
            field = (0x2000 if more else 0) | offset >> 3
            head = pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident & 0xFFFF, field, ttl, protocol, 0) + addresses
            packet = head[:10] + pack("!H", checksum(head)) + head[12:] + payload
        kind = b"\x86\xdd" if self.six else b"\x08\x00"
        macs = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02"
        self.frames.append((self.at, macs + kind + packet))
        if self.vlan:
            self.frames.append((self.at + 30, macs + b"\x81\0\0\x6e" + kind + packet))

    def summed(self, part: bytes, at: int, protocol: int, back: bool, *, wrong: bool) -> bytes:
        """With its checksum, or a wrong one."""
        ends = [ip_address(one).packed for one in ((GUEST6, PROXY6) if self.six else (GUEST, PROXY))]
        pseudo = b"".join(reversed(ends) if back else ends) + pack("!IHH", len(part), 0, protocol)
        return part[:at] + pack("!H", checksum(pseudo + part) ^ (0x5A5A if wrong else 0)) + part[at + 2 :]

    # UDP

    def udp(self, payload: bytes, *, back: bool = False, wrong: bool = False, extra: bytes = b"") -> bytes:
        """A datagram, not yet sent."""
        part = pack("!HHHH", 5060, 5060, 8 + len(payload), 0) + payload
        return self.summed(part, 6, 17, back, wrong=wrong) + extra

    def say(self, payload: bytes, *, back: bool = False, ttl: int = 64, wrong: bool = False) -> None:
        """A datagram on its way."""
        self.ip(self.udp(payload, back=back, wrong=wrong), 17, back=back, ttl=ttl)

    def part(self, whole: bytes, start: int, end: int, *, ident: int = 7, ttl: int = 64, protocol: int = 17) -> None:
        """One fragment of a packet."""
        self.ip(whole[start:end], protocol, ident=ident, offset=start, more=end < len(whole), ttl=ttl)

    # TCP

    def tcp(
        self,
        payload: bytes = b"",
        seq: int = 0,
        *,
        back: bool = False,
        flags: int = ACK,
        ack: int | None = None,
        ttl: int = 64,
        wrong: bool = False,
        options: bytes = b"",
        urgent: int = 0,
        words: int | None = None,
        window: int = 65_535,
    ) -> None:
        """A segment; `seq` and `ack` count from the first byte of each side."""
        base, peer = (self.peer, self.first) if back else (self.first, self.peer)
        ports = (5060, self.port) if back else (self.port, 5060)
        numbers = ((base + seq) % 2**32, (peer + (ack or 0)) % 2**32)
        words = 5 + len(options) // 4 if words is None else words
        head = pack("!HHIIBBHHH", *ports, *numbers, words << 4, flags | (PSH if payload else 0), window, 0, urgent)
        part = self.summed(head + options + payload, 16, 6, back, wrong=wrong)
        self.ip(part, 6, back=back, ttl=ttl)

    def greet(self) -> None:
        """The three-way handshake."""
        self.tcp(seq=-1, flags=SYN)
        self.tcp(seq=-1, back=True, flags=SYN | ACK)
        self.tcp()


Trick = Callable[[Tap, bytes, bytes], None]
"""Sends the INVITE, or something in its place; gets the INVITE that counts, and one that leads nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evasion:
    """One capture to be."""

    path: str
    tell: Callable[[], Tap]
    shows: str
    joins: tuple[tuple[str, str], ...] = ((WHO.decode(), "uninvited"),)
    """Who comes in, in one reading or another: subject and verdict."""
    ambiguous: bool = True
    """Copies differ, so that must be said."""

    @property
    def pcap(self) -> bytes:
        """The capture."""
        out = pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
        for at, data in self.tell().frames:
            out += pack("<IIII", at // SECOND, at % SECOND, len(data), len(data)) + data
        return out

    @property
    def toml(self) -> str:
        """The labels."""
        lines = [
            f'shows = "{self.shows}"',
            'made_by = "made by pcaps/make.py; nothing in it was recorded from a network"',
            'licence = "EUPL-1.2"',
            'meetings = ["../scenarios/world/meetings"]',
            'directory = ["../scenarios/world/directory.vcf"]',
            'policy = "../scenarios/world/policy.toml"',
            f"ambiguous = {str(self.ambiguous).lower()}",
        ]
        for subject, verdict in self.joins:
            lines += ["", "[[joins]]", f'subject = "{subject}"', 'method = "sip"', f'verdict = "{verdict}"']
            lines += ['uid = "policy@ministry.example"', 'key = "number:27310400011"']
        for subject, verdict in self.joins:
            if verdict == "uninvited":
                lines += ["", "[[alerts]]", 'rule = "uninvited-participant"', 'severity = "high"']
                lines += [f'subject = "{subject}"', 'uid = "policy@ministry.example"']
        return "\n".join(lines) + "\n"


EVASIONS: list[Evasion] = []


def by_tcp(
    name: str,
    shows: str,
    trick: Trick,
    *,
    who: bytes = WHO,
    decoy_who: bytes = WHO,
    decoy: bytes = DECOY,
    **more: object,
) -> None:
    """A story over TCP: handshake, the trick, answer, acknowledgement, and after half a minute the end."""
    tap_options = {key: more.pop(key) for key in ("six", "vlan", "first", "greets", "answers") if key in more}
    greets, answers = tap_options.pop("greets", True), tap_options.pop("answers", None)

    def tell() -> Tap:
        tap = Tap(**tap_options)  # type: ignore[arg-type]
        real, false = invite(who=who), invite(target=decoy, who=decoy_who)
        if greets:
            tap.greet()
        trick(tap, real, false)
        end, there = len(real), answer(b"200 OK", real)
        tap.tcp(back=True, ack=end)
        tap.wait(0.4)
        if answers is None:
            tap.tcp(there, back=True, ack=end)
        else:
            answers(tap, there, end)  # type: ignore[operator]
        confirmation = within(b"ACK", real, 1)
        tap.tcp(confirmation, end, ack=len(there))
        tap.wait(30)
        tap.tcp(within(b"BYE", real, 2), end + len(confirmation), ack=len(there))
        return tap

    EVASIONS.append(Evasion(path=f"evasion/{name}", tell=tell, shows=shows, **more))  # type: ignore[arg-type]


def by_udp(
    name: str,
    shows: str,
    trick: Trick,
    *,
    who: bytes = WHO,
    decoy_who: bytes = WHO,
    decoy: bytes = DECOY,
    **more: object,
) -> None:
    """The same over UDP."""
    tap_options = {key: more.pop(key) for key in ("six", "vlan") if key in more}

    def tell() -> Tap:
        tap = Tap(**tap_options)  # type: ignore[arg-type]
        real, false = (m.replace(b"/TCP", b"/UDP") for m in (invite(who=who), invite(target=decoy, who=decoy_who)))
        trick(tap, real, false)
        tap.wait(0.4)
        tap.say(answer(b"200 OK", real), back=True)
        tap.say(within(b"ACK", real, 1))
        tap.wait(30)
        tap.say(within(b"BYE", real, 2))
        return tap

    EVASIONS.append(Evasion(path=f"evasion/{name}", tell=tell, shows=shows, **more))  # type: ignore[arg-type]


def both(
    tap: Tap, first: bytes, second: bytes, start: int = 0, end: int | None = None, **first_options: object
) -> None:
    """The same place twice."""
    tap.tcp(first[start:end], start, **first_options)  # type: ignore[arg-type]
    tap.wait(0.2)
    tap.tcp(second[start:end], start)


def trick_files() -> Iterator[tuple[str, bytes]]:
    """Path below `pcaps/` and content of every file."""
    from pcaps import evasion_stories  # which fills the table

    if not EVASIONS:
        evasion_stories.tell_all()
    for evasion in EVASIONS:
        yield f"{evasion.path}.pcap", evasion.pcap
        yield f"{evasion.path}.toml", evasion.toml.encode()
