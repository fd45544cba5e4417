"""`python -m fuzz.seeds`: writes the first inputs of every target, made here and from our own captures.

What the fuzzer found since, and what ever broke something, lies beside them and is left alone.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import zstandard

from fuzz.target import CORPUS, bytes_of
from monitor.cli.demo import bundled
from pcaps.generator.sip import message, session

MAX_BYTES = 8192


def sip(
    start: str, method: str, more: Iterable[tuple[str, str]] = (), body: bytes = b"", kind: str = "application/sdp"
) -> bytes:
    """A message of one call to a bridge."""
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"),
        ("From", '"Jan" <sip:+31205550101@gw.example.com>;tag=a'),
        (
            "To",
            "<sip:27311234567@bridge.example.com>"
            + (";tag=b" if start.startswith("SIP") or method != "INVITE" else ""),
        ),
        ("Call-ID", "one@192.0.2.1"),
        ("CSeq", f"1 {method}"),
        *more,
    ]
    return message(start, headers, body, kind)


OFFER = session("192.0.2.1", 20_000, "PCMA", 1)
ANSWER = session("198.51.100.2", 30_000, "PCMA", 1)
TARGET = "sip:27311234567@bridge.example.com"
INVITE = sip(f"INVITE {TARGET} SIP/2.0", "INVITE", [("P-Asserted-Identity", "<tel:+31205550101>")], OFFER)
OK = sip("SIP/2.0 200 OK", "INVITE", [("Contact", "<sip:b@198.51.100.2>;isfocus")], ANSWER)
ACK = sip(f"ACK {TARGET} SIP/2.0", "ACK")
BYE = sip(f"BYE {TARGET} SIP/2.0", "BYE")
INFO = sip(f"INFO {TARGET} SIP/2.0", "INFO", (), b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay")
KPML = b'<?xml version="1.0"?><kpml-response xmlns="urn:ietf:params:xml:ns:kpml-response" code="200" digits="12#"/>'
NOTIFY = sip(f"NOTIFY {TARGET} SIP/2.0", "NOTIFY", [("Event", "kpml")], KPML, "application/kpml-response+xml")
REDIRECT = sip("SIP/2.0 302 Moved", "INVITE", [("Contact", "<sip:1@example.com>, <sip:2@example.com>;q=0.5")])
REFER = sip(f"REFER {TARGET} SIP/2.0", "REFER", [("Refer-To", "<sip:3@example.com?Replaces=x>")])
TOLD = sip(
    f"INVITE {TARGET} SIP/2.0",
    "INVITE",
    [
        ("Remote-Party-ID", '"J" <sip:1@x.example>;screen=yes;privacy=off'),
        ("Privacy", "id;header"),
        ("Diversion", "<sip:7@x.example>;reason=no-answer"),
        ("History-Info", "<sip:8@x.example?Reason=SIP%3Bcause%3D302>;index=1, <sip:9@x.example>;index=1.1"),
        ("Identity", "eyJhbGciOiJFUzI1NiJ9.eyJhdHRlc3QiOiJBIn0.c2ln;info=<https://cert.example.com>"),
        ("Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"),
        ("Replaces", "old@192.0.2.9;to-tag=1;from-tag=2"),
    ],
)
ODD = (
    b"INVITE sip:a@[2001:db8::10] SIP/2.0\r\nv: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3\r\n"
    b'f : "J \\"R\\\\"\r\n <sip:%4a@[2001:db8::20]:5070;x="a;b">;tag=1\r\nt: sip:a@example.com\r\ni: c\r\n'
    b'cSEq: 0008\r\n INVITE\r\nm: <sip:a@b>,"x,y" <sip:c@d> , sip:e@f (comment, too)\r\nl: 0\r\n\r\n'
)
PARTS = (
    b"--b\r\nContent-Type: application/sdp\r\n\r\n"
    + OFFER
    + b'\r\n--b\r\nc: multipart/alternative;boundary="c d"\r\n\r\n'
    b"--c d\r\n\r\ntext\r\n--c d--\r\n--b\r\nContent-Disposition: render\r\n\r\nx\r\n--b--\r\n"
)
MULTI = sip(f"INVITE {TARGET} SIP/2.0", "INVITE", (), PARTS, "multipart/mixed;boundary=b")


ROSTER = (
    b'<?xml version="1.0" encoding="UTF-8"?>\r\n<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" '
    b'entity="sip:2731@bridge.example.com" state="full" version="1"><conference-description><display-text>Standup'
    b"</display-text><conf-uris><entry><uri>sip:2731@bridge.example.com</uri></entry></conf-uris></conference-description>"
    b"<conference-state><user-count>1</user-count><locked>true</locked></conference-state><users>"
    b'<user entity="tel:+31205550101" state="full"><display-text>Jan &amp; An</display-text><associated-aors><entry><uri>'
    b"sip:jan@example.com</uri></entry></associated-aors><roles><entry>chair</entry></roles><endpoint entity='sip:jan@192.0.2.1'>"
    b"<status>connected</status><joining-method>dialed-in</joining-method><joining-info><when>2026-03-12T10:00:00Z</when>"
    b'</joining-info><media id="1"><status>sendrecv</status></media><call-info><sip><call-id>one@192.0.2.1</call-id></sip>'
    b"</call-info></endpoint></user></users></conference-info>"
)
TOLD_ROSTER = sip(
    f"NOTIFY {TARGET} SIP/2.0",
    "NOTIFY",
    [("Event", "conference"), ("Subscription-State", "active;expires=600")],
    ROSTER,
    "application/conference-info+xml",
)


def rtp(key: int, at: int, end: bool = False, kind: int = 101) -> bytes:
    """One telephone-event."""
    return struct.pack("!BBHIIBBH", 0x80, kind, at & 0xFFFF, at, 7, key, 0x8A if end else 0x0A, 160)


RED = (
    struct.pack("!BBHII", 0x80, 98, 1, 5000, 7) + bytes([0x80 | 101, 0x50, 4, 101]) + b"\1\x8a\0\xa0" + b"\2\x0a\0\xa0"
)
CALL = [(0, INVITE), (1, OK), (0, ACK), *((4, rtp(key, 1000 * key)) for key in (1, 2, 3, 11)), (0, INFO), (0x80, BYE)]


def frame(packet: bytes, kind: int = 0x0800, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + kind.to_bytes(2, "big") + packet


def ip(payload: bytes, protocol: int = 17, fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, fragment, 64, protocol, 0)
    return head + b"\xc0\0\2\1\xc6\x33\x64\2" + payload


def ip6(payload: bytes, following: int = 17) -> bytes:
    ends = bytes.fromhex("20010db8" + 23 * "00" + "01") + bytes.fromhex("20010db8" + 23 * "00" + "02")
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + ends[:16] + ends[-16:] + payload


def udp(payload: bytes, port: int = 5060) -> bytes:
    return struct.pack("!HHHH", 5060, port, 8 + len(payload), 0) + payload


def tcp(payload: bytes, place: int = 1, flags: int = 0x18) -> bytes:
    return struct.pack("!HHIIBBHHH", 40_000, 5060, place, 1, 0x50, flags, 8192, 0, 0) + payload


WHOLE = ip(udp(b"OPTIONS"))
INNER = frame(WHOLE)
CARRIED = {
    "vlan": frame(WHOLE, tags=b"\x81\0\0\5"),
    "qinq": frame(WHOLE, tags=b"\x88\xa8\0\5\x81\0\0\6"),
    "mpls": frame(b"\0\x02\x01\xff" + WHOLE, 0x8847),
    "pppoe": frame(b"\x11\0\0\1\0" + bytes([len(WHOLE) + 2]) + b"\0\x21" + WHOLE, 0x8864),
    "gre": frame(ip(b"\0\0\x08\0" + WHOLE, 47)),
    "gre with key": frame(ip(b"\x30\0\x65\x58" + bytes(8) + INNER, 47)),
    "erspan": frame(ip(b"\x10\0\x88\xbe" + bytes(4) + b"\x10\0" + bytes(6) + INNER, 47)),
    "erspan III": frame(ip(b"\x10\0\x22\xeb" + bytes(4) + b"\x20\0" + bytes(10) + INNER, 47)),
    "ip in ip": frame(ip(WHOLE, 4)),
    "vxlan": frame(ip(udp(b"\x08\0\0\0\0\0\1\0" + INNER, 4789))),
    "geneve": frame(ip(udp(b"\0\0\x65\x58\0\0\1\0" + INNER, 6081))),
    "gtp": frame(ip(udp(b"\x30\xff" + len(WHOLE).to_bytes(2, "big") + b"\0\0\0\1" + WHOLE, 2152))),
    "tzsp": frame(ip(udp(b"\1\0\0\1\1" + INNER, 37008))),
    "ipv6": frame(ip6(udp(b"OPTIONS")), 0x86DD),
    "ipv6 extensions": frame(
        ip6(b"\x2b\0" + bytes(6) + b"\x2c\0" + bytes(6) + b"\x11\0" + bytes(6) + udp(b"x"), 0), 0x86DD
    ),
    "llc snap": bytes(12) + b"\0\x40\xaa\xaa\3\0\0\0\x08\0" + WHOLE,
}


def pcap(frames: Iterable[bytes], order: str = "<", link: int = 1) -> bytes:
    """Behind the magic number."""
    made = [struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, link)]
    made += [
        struct.pack(order + "IIII", 1_773_313_200 + at, 5, len(one), len(one)) + one for at, one in enumerate(frames)
    ]
    return b"".join(made)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def pcapng(frames: Iterable[bytes], order: str = "<", interfaces: int = 1) -> bytes:
    """Behind the type of the first block."""
    made = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)]
    options = struct.pack(order + "HHB3x", 9, 1, 9) + struct.pack(order + "HHq", 14, 8, 3600) + bytes(4)
    made += [block(1, struct.pack(order + "HHI", 1, 0, 0) + options, order)] * interfaces
    for at, one in enumerate(frames):
        head = struct.pack(order + "IIIII", at % interfaces, 400, at, len(one), len(one))
        made.append(block(6, head + one, order))
    made += [block(3, struct.pack(order + "I", len(INNER)) + INNER, order), block(5, bytes(12), order)]
    return b"".join(made)[4:]


def hep(*chunks: tuple[int, bytes]) -> bytes:
    """A report of an agent (HEP3)."""
    body = b"".join(struct.pack("!HHH", 0, kind, 6 + len(content)) + content for kind, content in chunks)
    return b"HEP3" + (6 + len(body)).to_bytes(2, "big") + body


ENDS = [(1, b"\2"), (2, b"\x11"), (3, b"\xc0\0\2\1"), (4, b"\xc6\x33\x64\2"), (7, b"\x13\xc4"), (8, b"\x13\xc4")]
CLOCK = [(9, (1_700_000_000).to_bytes(4, "big")), (10, bytes(4)), (11, b"\1"), (12, b"\0\0\0\1")]
REPORT = hep(*ENDS, *CLOCK, (15, BYE))
PACKED = hep(*ENDS, *CLOCK, (14, b"key"), (16, zlib.compress(BYE)))


def segment(place: int, length: int, acknowledged: int = 0, what: int = 0) -> tuple[int, bytes]:
    return what, struct.pack("!HBH", place, length, acknowledged)


def piece(place: int, size: int, more: bool, what: int = 0) -> tuple[int, bytes]:
    return what | more, struct.pack("!HH", place // 8, size)


INVITATION = """\
https://example.webex.com/example/j.php?MTID=m0123456789abcdef0123456789abcdef
Meeting number (access code): 2731 123 4567
Meeting password: hunter2 (48683772 from phones)
Tap to join from a mobile device: +31-20-555-0101,,27311234567#48683772# NL
https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc%40thread.v2/0?context=%7b%22Tid%22%3a%22x%22%7d
<a href="https://zoom.us/j/12345678901?pwd=abc">join</a> Conference ID: 123 456 789#
https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F12345678901&amp;data=05
"""
CARD = """\
BEGIN:VCARD
VERSION:4.0
FN:Jan de Vries
N:Vries;Jan;de;;
TEL;TYPE=work;VALUE=uri:tel:+31-20-555-0101
item1.EMAIL;TYPE="work,pref":jan@example.org
RELATED;TYPE=agent:mailto:an@example.org
NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=utf-8:a=C3=A9=
 b
END:VCARD
"""
ALERT = (
    b'{"type":"alert","time":"2026-03-12T11:00:00.000000Z","id":"00aa","rule":"pin-bypass","severity":"high",'
    b'"meeting":{"uid":null,"platform":"webex","key":"number:27311234567"},"subject":"tel:+31205550101","summary":"x",'
    b'"reasons":[{"fact":"f","evidence":[{"capture":"../a.pcap","frame":7}]}],"first_seen":"2026-03-12T11:00:00Z",'
    b'"last_seen":"2026-03-12T11:00:01Z","count":1,"runbook":"docs"}\n'
)


def seeds() -> dict[str, dict[str, bytes]]:
    """By target and name."""
    captures, config = bundled()
    signalling = [frame(ip(udp(one))) for one in (INVITE, OK, BYE)]
    media = [frame(ip(struct.pack("!HHHH", 20_000, 30_000, 24, 0) + rtp(1, 5)))]
    incident = (captures / "incident.pcap").read_bytes()
    sent = pcap(signalling + media + [frame(ip(tcp(INVITE), 6))])
    gzipped = gzip.compress(b"\xd4\xc3\xb2\xa1" + sent, mtime=0)
    standard = zstandard.compress(b"\xd4\xc3\xb2\xa1" + sent)
    ics = {path.stem: path.read_bytes() for path in sorted((config / "meetings").glob("*.ics"))}
    messages = {
        "invite": INVITE,
        "ok": OK,
        "ack": ACK,
        "bye": BYE,
        "info": INFO,
        "kpml": NOTIFY,
        "redirect": REDIRECT,
        "refer": REFER,
        "told": TOLD,
        "odd": ODD,
        "multipart": MULTI,
    }
    return {
        "pcap": {
            "little": b"\0" + sent,
            "big": b"\1" + pcap(signalling, ">"),
            "nanoseconds": b"\2" + pcap(media),
            "raw": b"\0" + pcap([WHOLE], link=101),
            "start of the incident": b"\0" + incident[4:4096],
            "unknown link": b"\0" + pcap(signalling, link=147),
        },
        "pcapng": {
            "little": pcapng(signalling),
            "big": pcapng(signalling + media, ">"),
            "eight interfaces": pcapng(signalling, interfaces=8),
        },
        "gzip": {
            "capture": gzipped[2:],
            "two members": (gzipped + gzipped)[2:],
            "bomb": gzip.compress(bytes(1 << 20), mtime=0)[2:],
        },
        "zstd": {"capture": standard[4:], "bomb": zstandard.compress(bytes(1 << 20))[4:]},
        "compressed-capture": {
            "whole": b"\xff\xd4\xc3\xb2\xa1" + sent,
            "half": b"\x7f\xd4\xc3\xb2\xa1" + sent,
            "pcapng": b"\xff\x0a\x0d\x0d\x0a" + pcapng(signalling),
        },
        "frames": {
            **{name: bytes_of([(1, content)]) for name, content in CARRIED.items()},
            "links": bytes_of([(0, b"\2\0\0\0" + WHOLE), (3, WHOLE), (7, bytes(14) + b"\x08\0" + WHOLE), (11, WHOLE)]),
            "tcp": bytes_of([(1, frame(ip(tcp(INVITE[:99]), 6))), (0x61, frame(ip(tcp(INVITE[99:], 100), 6)))]),
            "rival fragments": bytes_of(
                [
                    (1, frame(ip(udp(INVITE)[:80], 17, 0x2000))),
                    (1, frame(ip(bytes(40), 17, 0x2005))),
                    (1, frame(ip(udp(INVITE)[80:], 17, 10))),
                    (1, frame(ip(bytes(40), 17, 0x2005))),
                ]
            ),
            "fragments": bytes_of(
                [(1, frame(ip(udp(INVITE)[:80], 17, 0x2000))), (1, frame(ip(udp(INVITE)[80:], 17, 10)))]
            ),
        },
        "envelopes": {name: content[14:] for name, content in CARRIED.items()}
        | {f"{name} as frame": content for name, content in list(CARRIED.items())[:4]},
        "fragments": {
            "in order": bytes_of([piece(0, 64, True), piece(64, 64, True), piece(128, 20, False)]),
            "reversed": bytes_of([piece(128, 20, False), piece(64, 64, True), piece(0, 64, True)]),
            "overlapping": bytes_of([piece(0, 96, True), piece(64, 96, True), piece(160, 8, False), (0xC0, b"")]),
            "lying": bytes_of([piece(0, 96, True), (0x11, struct.pack("!HH", 8, 8) + bytes(40)), piece(96, 8, False)]),
        },
        "hep": {
            "report": REPORT,
            "packed": PACKED,
            "records": bytes_of(
                [(0, REPORT), (2, REPORT[:99]), (2, REPORT[99:] + PACKED), (0, b"HEP3\0\6"), (1, b"\1\x10\2\x11" + BYE)]
            ),
        },
        "streams": {
            "in order": bytes_of([segment(0, 100), segment(100, 50), segment(0, 50, 150, 1)]),
            "hole": bytes_of(
                [segment(0, 100), segment(200, 50), segment(0, 50, 250, 1), (0xA0, b""), segment(100, 100)]
            ),
            "two readings": bytes_of(
                [
                    segment(0, 0, 0, 4),
                    segment(1, 100),
                    (0x10, struct.pack("!HBH", 51, 0, 0) + bytes(50)),
                    segment(200, 50),
                    (0x10, struct.pack("!HBH", 190, 0, 0) + bytes(40)),
                    segment(101, 99),
                ]
            ),
            "overlap": bytes_of([segment(0, 100), segment(150, 90), segment(50, 120), segment(0, 0, 0, 6)]),
            "early": bytes_of([segment(300, 50), segment(200, 100), segment(0, 200), segment(350, 10)]),
            "opened": bytes_of([segment(0, 0, 0, 4), segment(1, 90), segment(20, 30, 0, 0x10), segment(91, 0, 0, 8)]),
        },
        "sip-message": messages,
        "sip-stream": {
            "three": INVITE + OK + BYE,
            "keep-alives": b"\r\n\r\n" + INFO + b"\r\n" + NOTIFY,
            "garbage": b"\x16\x03\x01garbage\nmore\n" + OK,
            "records": bytes_of([(0, INVITE[:40]), (0xC0, b""), (0, OK[100:] + BYE)]),
            "odd": ODD + ODD,
        },
        "conference-info": {
            "roster": ROSTER,
            "utf-16": b"\xff\xfe" + ROSTER.decode().replace("UTF-8", "UTF-16").encode("utf-16-le"),
            "entities": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + ROSTER.replace(b"Standup", b"&b;"),
            "cut": ROSTER[:600],
            "deep": b"<conference-info>" + b"<users>" * 40,
        },
        "sdp": {
            "offer": OFFER,
            "two media": OFFER + b"m=video 3 RTP/SAVPF 97\r\nc=IN IP6 2001:db8::1\r\na=fingerprint:x\r\na=label:1\r\n",
            "redundancy": OFFER + b"a=rtpmap:98 red/8000\r\na=rtcp-mux\r\na=sendonly\r\n",
        },
        "multipart": {
            "parts": b"mixed;boundary=b\n" + PARTS,
            "quoted": b'mixed;boundary="b"\n' + PARTS,
            "endless": b"mixed;boundary=b\n--b\n--b\n",
        },
        "sip-address": {
            "name": b'"Jan \\"J\\" de Vries" <sip:+31205550101@gw.example.com:5060;user=phone>;tag=abc;x="a;b"',
            "bare": b"sip:jan:secret@[2001:db8::1]:5061;transport=tcp?Replaces=x;tag=1",
            "tel": b"<tel:0205550101;phone-context=+31>",
            "nested": b"sip:<sip:a@b>@c;d@e",
        },
        "rtp-events": {
            "key": bytes_of([(0, b"\x65" + rtp(5, 1000)[2:]), (0, b"\x65" + rtp(5, 1000, True)[2:])]),
            "redundancy": bytes_of([(0, b"\x62" + RED[2:])]),
            "extension": bytes_of([(0x11, b"\x65" + bytes(14) + b"\xbe\xde\0\1abcd\5\x0a\0\xa0")]),
        },
        "keys": {
            "relay": b"Signal=5\r\nDuration=160\r\n",
            "kpml": KPML,
            "prefixed": KPML.replace(b"kpml-r", b"k:kpml-r"),
            "bare": b"5",
            "nortel": b"p=x\nd=123",
            "event": b"\5\x8a\0\xa0",
        },
        "decoders": {
            "call": bytes_of(CALL),
            "tcp": bytes_of([(2, INVITE), (3, OK), (2, ACK + INFO), (2, BYE)]),
            "redirect": bytes_of([(0, TOLD), (1, REDIRECT), (0, ACK)]),
            "refer": bytes_of([(0, INVITE), (1, OK), (0, REFER), (1, NOTIFY), (0xE0, BYE)]),
            "multipart": bytes_of([(0, MULTI), (1, OK), (4, RED), (4, rtp(5, 1))]),
            "odd": bytes_of([(0, ODD), (1, REDIRECT)]),
            "roster": bytes_of(
                [(0, INVITE), (1, OK), (1, TOLD_ROSTER), (1, TOLD_ROSTER.replace(b"CSeq: 1", b"CSeq: 2"))]
            ),
        },
        "decoder-streams": {
            "pieces": bytes_of(
                [(0, INVITE[:10]), (0, INVITE[10:] + OK[:200]), (0xC0, OK[200:300]), (0, OK[300:] + BYE), (0xE0, b"")]
            ),
            "late": bytes_of([(0, INVITE[50:]), (0, OK), (0xC0, b""), (0, BYE)]),
        },
        "invitation-text": {
            "invitation": INVITATION.encode(),
            **{name: text for name, text in ics.items() if len(text) < 4096},
        },
        "link": {str(n): line.encode() for n, line in enumerate(INVITATION.splitlines())},
        "dial-in": {
            "bridge": bytes_of([(0, b"sip:+31207654321@gw.example.com"), (0x10, b"27311234567##1234#")]),
            "addresses": bytes_of(
                [
                    (3, b"sip:27311234567.1234@webex.com"),
                    (1, b"sip:98765**1@zoomcrc.com"),
                    (2, b"tel:+31205550101,,123#"),
                ]
            ),
        },
        "number": {
            "e164": b"+31205550101",
            "national": b"020 - 555 01 01",
            "tel": b"tel:0205550101;phone-context=+31",
            "sip": b"sip:+31205550101@gw.example.com;user=phone",
            "unicode": "٠٢٠٥٥٥٠١٠١".encode(),
            "extension": b"+31 20 555 0101 ext. 12",
        },
        "marking": {
            "label": b"Rubricering: Stg. GEHEIM\nDep.V. niet Stg. CONFIDENTIEEL",
            "alone": b"[Dep.V.]",
            "own": b"TLP:RED Team (a+)+$",
        },
        "passport": {
            "claims": b'{"attest":"A","dest":{"tn":["31205550102"]},"iat":1,"orig":{"tn":"31205550101"}}',
            "compact": b"..sig;info=<x>;alg=ES256",
        },
        "shown": {"escape": b"\x1b[31mX\x9b \xe2\x80\xae sip:27311234567.1234@webex.com ?pwd=abc eyJhbGciOiJF.eyJh.x"},
        "calendar": {
            **{name: text[:MAX_BYTES] for name, text in ics.items()},
            "zone": b"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:16011028T030000\nTZOFFSETFROM:+0200\n"
            b"TZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n"
            b"DTSTART;TZID=X:20260312T120000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=9;BYDAY=TH\nEXDATE;TZID=X:20260319T120000\nSUMMARY:Dep.V.\n"
            b'LOCATION:https://example.webex.com/meet/jan\nDESCRIPTION:Meeting number: 2731 123 4567\\nPIN: 1234\nATTENDEE;CN="J, d";ROLE=CHAIR:mailto:j@example.org\n'
            b"END:VEVENT\nEND:VCALENDAR\n",
        },
        "vcard": {"card": CARD.encode(), "example": (config / "directory.vcf").read_bytes()[:4096]},
        "csv": {
            "example": (config / "partners.csv").read_bytes()[:4096],
            "quoted": b'name;email;phone\n"de Vries; Jan";jan@example.org;"+31205550101"\n',
        },
        "policy": {
            "example": (config / "policy.toml").read_bytes()[:4096],
            "texts": b'timezone = """\\\nUTC"""\n[[x]]\na = [ 1, {b = 2}, \'c\' ]\n',
        },
        "settings": {
            "sinks": b'meetings = ["m"]\n[capture]\ninterfaces = ["eth1"]\n[serve]\nlisten = "[::1]:9464"\n[sinks.am]\nkind = "alertmanager"\n'
            b'url = "http://am.example:9093"\nleast = "high"\n[retention]\nalerts = 365\n',
            "fetch": b'[fetch.calendars]\nurl = "https://dav.example.org/"\n[fetch.people]\nurl = "ldaps://ldap.example.org"\n',
        },
        "suppressions": {
            "two": b"[[suppression]]\nrule = 'pin-bypass'\nuntil = 2026-12-31\nowner = 'soc'\nreason = 'a test'\n"
            b"[[suppression]]\nsubject = 'tel:+31205550123'\nuntil = 2026-01-01\nowner = 'soc'\nreason = 'known'\n",
        },
        "content-lines": {
            "card": CARD.encode(),
            "event": b'BEGIN:VEVENT\nX;A="b:c",d;E=^n:v\\,w\n folded\nEND:VEVENT\n',
        },
        "journal": {
            "alert": ALERT,
            "two": ALERT + ALERT.replace(b"00aa", b"00ab"),
            "others": b'{"type":"join"}\n' + ALERT,
        },
        "pipeline": {
            "call": bytes_of(CALL),
            "redirect": bytes_of([(0, TOLD), (1, REDIRECT), (0x80, BYE)]),
            "tcp": bytes_of([(2, INVITE), (3, OK), (2, BYE)]),
        },
    }


def main() -> None:
    """Write them."""
    for name, inputs in seeds().items():
        folder: Path = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for title, content in inputs.items():
            (folder / title.replace(" ", "-")).write_bytes(content)


if __name__ == "__main__":
    main()
