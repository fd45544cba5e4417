"""Five thousand messages, each with one header broken in its own way: something is said of each, and never a PIN."""

from collections.abc import Callable, Iterable
from random import Random
from time import process_time

import msgspec
import pytest

from monitor.decoders import Decoders
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sip_address import parse_address, parse_uri
from monitor.decoders.sip_claims import claims_of
from monitor.decoders.sip_fields import COMPACT, NAMES, USUAL
from monitor.decoders.sip_head import Head
from monitor.decoders.sip_message import MAX_CALL_ID, read_message
from monitor.model.calls import MAX_TEXT, DigitDialled
from monitor.model.oddities import Malformed, Oddity
from monitor.model.packets import Datagram, Packet
from monitor.model.policy import Policy
from monitor.outputs.journal import Journal
from monitor.platforms import Platforms
from monitor.sources.numbers import number_text_for
from monitor.wire import Wire
from tests.decoders.calls_scene import ALICE, BRIDGE, START, flow, sdp
from tests.wire.packets import ethernet, frame, ipv4, udp

EACH = 100
"""Mutants of one header."""
PIN = "48683772"
HEAD_SECONDS = 0.05
"""Processor time of one message of at most 64 KiB."""

GOOD: dict[str, str] = {
    "Via": "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;received=192.0.2.1",
    "From": '"Jan de Vries" <sip:+31205550101@gw.example.com;user=phone>;tag=1928301774',
    "To": "<sip:27311234567@bridge.example.com>",
    "Call-ID": "a84b4c76e66710@pc33.example.com",
    "CSeq": "314159 INVITE",
    "Contact": "<sip:+31205550101@192.0.2.10:5060;transport=udp>;expires=3600",
    "Max-Forwards": "70",
    "Content-Length": "{length}",
    "Content-Type": "application/sdp",
    "Content-Disposition": "session;handling=required",
    "User-Agent": "Phone/1.0 (build 7)",
    "Server": "Bridge/2.1",
    "Event": "kpml;call-id=a84b4c76e66710@pc33.example.com;local-tag=1",
    "Subscription-State": "active;expires=600",
    "P-Asserted-Identity": '"Jan" <sip:+31205550101@gw.example.com>, <tel:+31205550101>',
    "P-Preferred-Identity": "<sip:+31205550102@gw.example.com>",
    "Remote-Party-ID": '"Jan" <sip:+31205550101@gw.example.com>;party=calling;screen=yes;privacy=off',
    "Privacy": "id;header;user",
    "Diversion": "<sip:+31205550103@gw.example.com>;reason=unconditional;counter=1",
    "History-Info": "<sip:a@example.com?Reason=SIP%3Bcause%3D302>;index=1, <sip:b@example.com>;index=1.1",
    "Identity": "eyJhbGciOiJFUzI1NiJ9.eyJhdHRlc3QiOiJBIn0.c2ln;info=<https://cert.example.com/a.pem>;alg=ES256",
    "Session-ID": "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
    "Replaces": "425928@example.com;to-tag=7743;from-tag=6472",
    "Join": "425929@example.com;to-tag=7743;from-tag=6472",
    "Refer-To": "<sip:27311234567@bridge.example.com?Replaces=425928%40example.com>",
    "Referred-By": "<sip:boss@example.com>",
    "Reason": 'SIP;cause=200;text="Call completed elsewhere"',
    "Session-Expires": "1800;refresher=uac",
    "Min-SE": "90",
    "Expires": "3600",
    "Allow": "INVITE, ACK, CANCEL, OPTIONS, BYE",
    "Supported": "replaces, timer, 100rel",
    "Require": "100rel",
    "Route": "<sip:proxy.example.com;lr>, <sip:proxy2.example.com;lr>",
    "Record-Route": "<sip:proxy.example.com;lr>",
    "RSeq": "988789",
    "RAck": "776656 1 INVITE",
    "Warning": '307 isi.example.com "Session parameter not understood"',
    "Date": "Sat, 13 Nov 2010 23:29:00 GMT",
    "Timestamp": "54",
    "Subject": "Need more boxes",
    "Accept": "application/sdp, application/kpml-response+xml",
    "Allow-Events": "kpml, conference",
    "Call-Info": "<https://www.example.com/alice/photo.jpg>;purpose=icon",
    "Organization": "Example",
    "Path": "<sip:p.example.com;lr>",
    "Target-Dialog": "fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544",
    "WWW-Authenticate": 'Digest realm="example.com", nonce="f84f1cec", algorithm=MD5, qop="auth"',
    "Proxy-Authenticate": 'Digest realm="example.com", nonce="f84f1cec"',
    "Authorization": 'Digest username="jan", realm="example.com", response="42ce3cef44b22f50c6a6071bc8"',
    "Proxy-Authorization": 'Digest username="jan", realm="example.com"',
}
SHORT = {long: short for short, long in COMPACT.items()}
STRANGE = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        "é漢٣".encode(),
        "ﬁＳＩＰ".encode(),
        b"\x1b[2J",
        b"%00",
        b"%zz",
    ),
    *(
        b"%E2%80%AE",
        b"\\",
        b'"',
        b"<",
        b">",
        b"(",
        b",",
        b";",
        b"=",
        b"@",
        b":",
        b"\t",
        b"\r",
        b" \t ",
        b"[",
        b"]",
        b"{}",
    ),
    *(b"sip:", b"tel:", b"<>", b'""', b";;", b"?a=b", b";tag", b";tag=", b"\xe2\x80\xa8", b"\x85", b"=?utf-8?q?a?="),
)
NUMBERS = (
    *(b"-1", b"0", b"00000000000000000001", b"2147483648", b"4294967296", b"9" * 400, b"1e9", b"0x10", b"+5", b"1_000"),
    *("٣٤٥".encode(), "１２".encode(), "²".encode(), b"", b" ", b"1 2", b"1.5", b"NaN"),
)
HOSTS = (
    *(
        b"[2001:db8::1]",
        b"[2001:db8::1]:5070",
        b"2001:db8::1",
        b"[::ffff:192.0.2.1]",
        b"[fe80::1%25eth0]",
        b"[",
        b"[]",
        b"[:::]",
    ),
    *(
        b"192.0.2.1:99999",
        b"256.0.0.1",
        b"-",
        b".",
        b"a" * 300,
        b"xn--nxasmq6b.example",
        b"example.com.",
        b"192.0.2.010",
    ),
)


def in_place(random: Random, value: bytes) -> int:
    return random.randrange(len(value) + 1)


def inserted(random: Random, value: bytes, what: bytes) -> bytes:
    at = in_place(random, value)
    return value[:at] + what + value[at:]


Way = Callable[[Random, bytes, bytes], bytes]
"""From a name and a value to the lines that stand for the header."""


def line(name: bytes, value: bytes) -> bytes:
    return name + b": " + value + b"\r\n"


def cased(random: Random, name: bytes) -> bytes:
    return bytes(random.choice((byte, byte ^ 0x20)) if chr(byte).isalpha() else byte for byte in name)


def replaced(random: Random, value: bytes, old: Iterable[int], new: bytes) -> bytes:
    places = [at for at, byte in enumerate(value) if byte in old]
    at = random.choice(places) if places else in_place(random, value)
    return value[:at] + new + value[at + 1 :]


DIGITS = b"0123456789"
WAYS: dict[str, Way] = {
    "cut": lambda r, n, v: line(n, v[: in_place(r, v)]),
    "beheaded": lambda r, n, v: line(n, v[in_place(r, v) :]),
    "absent": lambda r, n, v: b"",
    "empty": lambda r, n, v: n + b":\r\n",
    "twice": lambda r, n, v: line(n, v) * 2,
    "twice, and different": lambda r, n, v: line(n, v) + line(n, v[::-1]),
    "twenty times": lambda r, n, v: line(n, v) * 20,
    "joined": lambda r, n, v: line(n, v + b"," + v),
    "folded": lambda r, n, v: line(n, inserted(r, v, b"\r\n ")),
    "folded badly": lambda r, n, v: line(n, inserted(r, v, b"\n\t\r\n ")),
    "folded before": lambda r, n, v: n + b":\r\n\t" + v + b"\r\n",
    "compact": lambda r, n, v: line(SHORT.get(n.decode().lower(), n.decode()).encode(), v),
    "in any case": lambda r, n, v: line(cased(r, n), v),
    "spaced": lambda r, n, v: n + b" \t: \t" + v + b" \t\r\n",
    "without a space": lambda r, n, v: n + b":" + v + b"\r\n",
    "without a colon": lambda r, n, v: n + b" " + v + b"\r\n",
    "with a bare line feed": lambda r, n, v: n + b": " + v + b"\n",
    "with a bare return": lambda r, n, v: line(n, v) .replace(b"\r\n", b"\r"),
    "strange inside": lambda r, n, v: line(n, inserted(r, v, r.choice(STRANGE))),
    "strange often": lambda r, n, v: line(n, inserted(r, inserted(r, v, r.choice(STRANGE)), r.choice(STRANGE) * 9)),
    "strange name": lambda r, n, v: line(inserted(r, n, r.choice(STRANGE)), v),
    "another number": lambda r, n, v: line(n, replaced(r, v, DIGITS, r.choice(NUMBERS))),
    "a number alone": lambda r, n, v: line(n, r.choice(NUMBERS)),
    "another host": lambda r, n, v: line(n, replaced(r, v, b"@", b"@" + r.choice(HOSTS) + b";")),
    "without quote": lambda r, n, v: line(n, replaced(r, v, b'"', b"")),
    "without bracket": lambda r, n, v: line(n, replaced(r, v, b"<>", b"")),
    "one byte changed": lambda r, n, v: line(n, replaced(r, v, v, bytes([r.randrange(256)]))),
    "percents": lambda r, n, v: line(n, b"".join(b"%%%02x" % byte for byte in v)),
    "injected header": lambda r, n, v: line(n, inserted(r, v, b"\r\nP-Asserted-Identity: <tel:+31205550199>\r\nX: ")),
    "injected end": lambda r, n, v: line(n, inserted(r, v, b"\r\n\r\nv=0\r\n")),
    "another charset": lambda r, n, v: line(n, v.decode().encode("utf-16-le")),
    "64 KiB": lambda r, n, v: line(n, (v * (60_000 // max(1, len(v)) + 1))[:60_000]),
    "64 KiB of one": lambda r, n, v: line(n, v + r.choice(STRANGE)[:1] * 60_000),
    "the value of another": lambda r, n, v: line(n, r.choice(sorted(GOOD.values())).encode()),
}  # fmt: skip
LARGE = [way for way in WAYS if way.startswith("64 KiB")]
STARTS = {
    b"INVITE sip:27311234567.48683772@webex.com SIP/2.0": "INVITE",
    b"SIP/2.0 200 OK": "INVITE",
    b"SIP/2.0 302 Moved Temporarily": "INVITE",
    b"NOTIFY sip:27311234567@bridge.example.com SIP/2.0": "NOTIFY",
    b"REFER sip:27311234567@bridge.example.com SIP/2.0": "REFER",
    b"INFO sip:27311234567@bridge.example.com SIP/2.0": "INFO",
}
BODIES = {"INVITE": sdp().encode(), "INFO": f"Signal={PIN}\r\nDuration=160\r\n".encode(), "NOTIFY": PIN.encode()}


def mutant(random: Random, name: str, way: str) -> bytes:
    """A message whose other headers are sound."""
    start, method = random.choice(list(STARTS.items()))
    body = BODIES.get(method, b"")
    lines = []
    for other in ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Type", "Content-Length", name):
        if any(one.startswith(other.encode() + b":") for one in lines) or (other == name and lines and name in SEEN):
            continue
        value = GOOD[other].replace("{length}", str(len(body))).replace("314159 INVITE", f"1 {method}").encode()
        if other == "Content-Type" and method != "INVITE":
            value = b"application/dtmf-relay"
        lines.append(WAYS[way](random, other.encode(), value) if other == name else line(other.encode(), value))
    return start + b"\r\n" + b"".join(lines) + b"\r\n" + body


SEEN = ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Type", "Content-Length")
"""Headers of every message here: mutated in their place."""


def mutants(name: str) -> list[tuple[str, bytes]]:
    """Each way at least twice, the large ones once, and then any."""
    random = Random(f"mutants of {name}")
    ways = [way for way in WAYS if way not in LARGE] * 2 + LARGE
    ways += random.choices([way for way in WAYS if way not in LARGE], k=EACH - len(ways))
    return [(way, mutant(random, name, way)) for way in ways]


def test_there_are_five_thousand_and_every_header_that_is_read_is_among_them() -> None:
    assert set(GOOD) == set(USUAL)
    assert {name.lower() for name in USUAL} <= set(NAMES.values())
    assert sum(len(mutants(name)) for name in GOOD) >= 5000


def journal_of(events: Iterable[object]) -> bytes:
    """What is written of these events, by every stage that keeps secrets."""
    from io import BytesIO

    sink = BytesIO()
    journal = Journal(sink, "decode")
    platforms = Platforms(Policy(), number_text=number_text_for("31"))
    for event in events:
        for one in (event,) if isinstance(event, Oddity) else platforms.place(event):  # type: ignore[arg-type]
            journal.write(one)
    journal.close()
    return sink.getvalue()


def keys_of(said: Iterable[object]) -> list[DigitDialled]:
    return [one for one in said if isinstance(one, DigitDialled)]


@pytest.mark.parametrize("name", GOOD)
def test_a_broken_header_is_survived_in_little_time(name: str) -> None:
    for way, data in mutants(name):
        assert len(data) < 65_536, way
        began = process_time()
        said = list(Decoders().feed(Datagram(START, "a.pcap", 1, flow(ALICE, BRIDGE), data)))
        took = process_time() - began
        if took > HEAD_SECONDS:  # a busy machine: once more, with nothing else being measured
            began = process_time()
            list(Decoders().feed(Datagram(START, "a.pcap", 1, flow(ALICE, BRIDGE), data)))
            took = process_time() - began
        assert took < HEAD_SECONDS, way
        assert not any("digit" in repr(one).lower().replace("digitdialled", "") for one in keys_of(said)), way
        try:
            message = read_message(data, datagram=True)
        except Malformed:
            assert [type(one) for one in said] in ([Oddity], []), way
            continue
        assert len(message.call_id) <= 4 * MAX_CALL_ID
        for asked in (name.lower(), "from", "to"):
            texts = [message.first(asked), *message.all(asked)]
            assert all(len(text) <= MAX_TEXT for text in texts), way
            # Two ways lead to each answer.
            assert Head(read_message(data, datagram=True)).all(asked) == texts[1:], way
            for text in texts:
                parse_uri(parse_address(text).uri)
        for side in ("from", "to"):
            msgspec.json.encode(claims_of(Head(message), side, ALICE))
        bodies_of(message)
        message.problems()


@pytest.mark.parametrize("name", GOOD)
def test_a_broken_header_brings_no_pin_to_light(name: str) -> None:
    """The PIN stands in the Request-URI and in bodies with keys; in two calls, one of which has begun."""
    random = Random(f"PIN {name}")
    for way, data in mutants(name)[: len(WAYS)]:
        stage = Decoders()
        begun: list[Packet] = []
        opening = mutant(random, "Subject", "without a space")
        begun.append(Datagram(START, "a.pcap", 1, flow(ALICE, BRIDGE), opening))
        begun.append(Datagram(START + 1, "a.pcap", 2, flow(ALICE, BRIDGE), data))
        events = [event for packet in begun for event in stage.feed(packet)]
        assert PIN.encode() not in journal_of(events), way


def test_mutants_pass_through_the_wire_like_any_datagram() -> None:
    wire, stage = Wire(), Decoders()
    said = 0
    for name in ("From", "Call-ID", "CSeq"):
        for number, (_, data) in enumerate(mutants(name)[:60], 1):
            if len(data) < 60_000:
                for packet in wire.feed(frame(ethernet(ipv4(udp(data), identification=number)), number)):
                    assert not isinstance(packet, Oddity)
                    said += len(list(stage.feed(packet)))
    assert said > 10
