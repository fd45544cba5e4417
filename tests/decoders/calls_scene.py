"""Calls for the tests of the decoders: messages made to order, flows of the RFCs, and a decoder that takes them."""

import re
from ipaddress import ip_address
from pathlib import Path

from monitor.decoders import Decoders
from monitor.decoders.decoder import Decoded
from monitor.model.asks import Ask
from monitor.model.calls import DigitDialled
from monitor.model.evidence import SECOND
from monitor.model.packets import Datagram, Packet

ALICE = "192.0.2.10"
BRIDGE = "198.51.100.20"
START = 1_700_000_000 * SECOND
EVENTS = "a=rtpmap:{pt} telephone-event/8000\r\n"


def flow(source: str, target: str, source_port: int = 5060, target_port: int = 5060) -> bytes:
    ends = ip_address(source).packed + ip_address(target).packed
    return ends + source_port.to_bytes(2, "big") + target_port.to_bytes(2, "big")


def sdp(address: str = ALICE, port: int = 10_000, pt: int | None = 101, more: str = "") -> str:
    events = "" if pt is None else EVENTS.format(pt=pt)
    types = "0" if pt is None else f"0 {pt}"
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {types}\r\na=rtpmap:0 PCMU/8000\r\n{events}{more}"
    )


def message(
    start: str,
    *,
    call: str = "one@192.0.2.10",
    number: int = 1,
    method: str = "INVITE",
    caller: str = "<sip:+31205550101@gw.example.com>;tag=a",
    callee: str = "<sip:98765@bridge.example.com>",
    branch: str = "z9hG4bK1",
    headers: str = "",
    body: str = "",
    kind: str = "application/sdp",
) -> bytes:
    """A message of a call; `start` is `INVITE sip:… SIP/2.0` or `SIP/2.0 200 OK`; headers end with CRLF."""
    content = f"Content-Type: {kind}\r\n" if body else ""
    return (
        f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch={branch}\r\nFrom: {caller}\r\nTo: {callee}\r\n"
        f"Call-ID: {call}\r\nCSeq: {number} {method}\r\n{headers}{content}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


TAGGED = "<sip:98765@bridge.example.com>;tag=b"


def invite(target: str = "sip:98765@bridge.example.com", **other: object) -> bytes:
    return message(f"INVITE {target} SIP/2.0", **other)  # type: ignore[arg-type]


def answer(status: int = 200, **other: object) -> bytes:
    return message(f"SIP/2.0 {status} Something", **{"callee": TAGGED, **other})  # type: ignore[arg-type]


def within(method: str, number: int = 2, **other: object) -> bytes:
    """A request of the caller within the dialog."""
    return message(f"{method} sip:x SIP/2.0", method=method, number=number, **{"callee": TAGGED, **other})  # type: ignore[arg-type]


def from_callee(method: str, number: int = 7, **other: object) -> bytes:
    caller = "<sip:+31205550101@gw.example.com>;tag=a"
    return within(method, number, **{"caller": TAGGED, "callee": caller, **other})


class Line:
    """A decoder with a clock and a frame counter, and all that it said."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.decoders = Decoders(self.asked.append)
        self.said: list[Decoded] = []
        self.at = START
        self.frame = 0

    def give(self, packet: Packet) -> list[Decoded]:
        news = list(self.decoders.feed(packet))
        self.said += news
        return news

    def udp(self, payload: bytes, ends: bytes, later: float = 0.02) -> list[Decoded]:
        self.at += int(later * SECOND)
        self.frame += 1
        return self.give(Datagram(self.at, "made.pcap", self.frame, ends, payload))

    def up(self, payload: bytes, later: float = 0.02) -> list[Decoded]:
        """From the caller to the bridge."""
        return self.udp(payload, flow(ALICE, BRIDGE), later)

    def down(self, payload: bytes, later: float = 0.02) -> list[Decoded]:
        return self.udp(payload, flow(BRIDGE, ALICE), later)

    def talk(self, offer: str = "", reply: str = "", call: str = "one@192.0.2.10", headers: str = "") -> None:
        """A call that is offered and answered."""
        self.up(invite(call=call, body=offer))
        self.down(answer(100, call=call, callee="<sip:98765@bridge.example.com>"))
        self.down(answer(180, call=call))
        self.down(answer(200, call=call, body=reply, headers=headers))
        self.up(within("ACK", 1, call=call, branch="z9hG4bK2"))

    @property
    def keys(self) -> str:
        return "".join(event.digit for event in self.said if isinstance(event, DigitDialled))

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.said]


def rtp(event: int, timestamp: int, *, end: bool = False, pt: int = 101, ssrc: int = 7, duration: int = 160) -> bytes:
    head = bytes([0x80, pt]) + b"\0\1" + timestamp.to_bytes(4, "big") + ssrc.to_bytes(4, "big")
    return head + bytes([event, 0x8A if end else 0x0A]) + duration.to_bytes(2, "big")


class Step:
    """One message of a flow of an RFC, ready for the wire."""

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        head, _, body = text.strip("\n").partition("\n\n")
        body = body.replace("\n", "\r\n") + "\r\n" if body.strip() else ""
        head = re.sub(r"(?m)^Content-Length:.*$", f"Content-Length: {len(body)}", head)
        self.payload = (head.replace("\n", "\r\n") + "\r\n\r\n" + body).encode()

    @property
    def ends(self) -> bytes:
        """Addresses made of the host in the topmost Via: who sends a request there, and is sent its answers."""
        found = re.search(rb"\nVia: *SIP/2.0/\w+ +([^;:\s]+)", self.payload)
        asker = f"192.0.2.{sum(found[1]) % 250 + 1 if found else 1}"
        return flow("198.51.100.1", asker) if self.payload.startswith(b"SIP/") else flow(asker, "198.51.100.1")


def steps_of(path: Path) -> list[Step]:
    """The SIP messages of a flow, in order; repetitions that the RFC does not print are left out."""
    parts = re.split(r"(?m)^==== (\S+) ?(.*)$", path.read_text())[1:]
    triples = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return [Step(title, text) for kind, title, text in triples if kind == "sip" or "SIP/2.0" in text[:200]]
