"""Hostile shapes cost no more than their length, stage by stage and through all of them.

Beside `tests/decoders/test_decoders_sip_cost.py`, which has every shape of one SIP message. A shape is grown eightfold:
linear time is eightfold, time that grows with the square is sixty-four-fold. In doublings: 2.5 is the most allowed for
each, and 2.5 ** 3 is 15.6.
"""

import gc
import json
from collections.abc import Callable, Iterable
from io import BytesIO
from random import Random
from struct import pack
from time import process_time

import pytest

from fuzz.pipeline import replayed
from fuzz.seeds import REPORT, hep
from fuzz.target import bytes_of
from fuzz.wire import packets
from monitor.decoders import ASKS, Decoders
from monitor.decoders.conference_info import MAX_DEPTH, read_conference_info
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sdp import parse_sdp
from monitor.decoders.sip_message import read_message
from monitor.meetings.stir import passport_of
from monitor.model.oddities import Malformed, Oddity
from monitor.model.packets import Datagram, Frame
from monitor.model.policy import Policy
from monitor.outputs.safe import escaped_json, masked, shown
from monitor.platforms import Platforms
from monitor.sources import Captures
from monitor.sources.markings import marked_for
from monitor.sources.numbers import canonical, number_text_for
from monitor.wire import Wire
from tests.sources.savefiles import INVITE, block, enhanced, every, interface, pcap, section
from tests.wire.packets import MILLISECOND, START, SYN, ethernet, frame, ipv4, ipv6_fragment, tcp, udp

EIGHTFOLD = 2.5**3
"""2.5 for each doubling."""
ATTEMPTS = 3
"""On a busy machine one measurement says nothing."""
MESSAGE = 64 * 1024
MESSAGE_SECONDS = 0.05


def seconds(work: Callable[[], object]) -> float:
    """Processor time of the quickest of a few runs: what else the machine does only ever adds."""
    runs = []
    for _ in range(3):
        began = process_time()
        work()
        runs.append(process_time() - began)
    return min(runs)


def assert_linear(prepared: Callable[[int], Callable[[], object]], small: int) -> None:
    """`prepared(size)` makes the input, which is not measured, and gives the work."""
    less, more = prepared(small), prepared(8 * small)
    ratios: list[float] = []
    gc.disable()
    try:
        while len(ratios) < ATTEMPTS and min(ratios, default=99.0) > EIGHTFOLD:
            ratios.append(seconds(more) / max(seconds(less), 0.0005))
    finally:
        gc.enable()
    assert min(ratios) <= EIGHTFOLD


def wired(frames: Iterable[Frame]) -> Callable[[], object]:
    made = list(frames)

    def work() -> int:
        wire = Wire()
        return sum(len(wire.feed(one)) for one in made) + len(wire.finish())

    return work


def segments(places: Iterable[int], size: int, step: int = MILLISECOND // 100) -> list[Frame]:
    """A connection, and segments of so many bytes at these places."""
    frames = [frame(ethernet(ipv4(tcp(sequence=0, flags=SYN), 6)), 1, START)]
    for number, place in enumerate(places, 2):
        data = ethernet(ipv4(tcp(bytes(size), 1 + place, 1), 6, identification=number))
        frames.append(frame(data, number, START + number * step))
    return frames


def shuffled(count: int) -> list[int]:
    places = list(range(count))
    Random(1).shuffle(places)
    return places


def overlapping(count: int) -> list[Frame]:
    """Fragments of one packet, each over the half of the one before, and again and again."""
    frames = []
    for number in range(count):
        part = udp(bytes(65_000))[8 * (number % 1000) : 8 * (number % 1000) + 16]
        data = ethernet(ipv4(part, more=True, offset=8 * (number % 1000)), 0x0800)
        frames.append(frame(data, number + 1, START + number * 1000))
    return frames


def many_packets(count: int) -> list[Frame]:
    """The first fragment of so many packets, none of which is ever whole."""
    frames = []
    for number in range(count):
        data = ethernet(ipv6_fragment(bytes(16), 17, 0, True, number), 0x86DD)
        frames.append(frame(data, number + 1, START + number * 1000))
    return frames


def reports(message: bytes, count: int) -> list[Frame]:
    return [
        frame(ethernet(ipv4(udp(message, (9060, 9060)), identification=n)), n + 1, START + n * 1000)
        for n in range(count)
    ]


WIRE: dict[str, tuple[Callable[[int], Callable[[], object]], int]] = {
    "segments in reverse": (lambda n: wired(segments((10 * (n - i) for i in range(n)), 10)), 500),
    "segments in any order": (lambda n: wired(segments((10 * i for i in shuffled(n)), 10)), 500),
    "segments of one byte": (lambda n: wired(segments(range(n), 1)), 1000),
    "segments that overlap": (lambda n: wired(segments((5 * i for i in range(n)), 1000)), 500),
    "the same segment": (lambda n: wired(segments([0] * n, 1000)), 500),
    "every second segment": (lambda n: wired(segments((20 * i for i in range(n)), 10)), 500),
    "fragments that overlap": (lambda n: wired(overlapping(n)), 500),
    "packets never whole": (lambda n: wired(many_packets(n)), 1000),
    "chunks of a report": (lambda n: wired(reports(hep(*[(77, b"")] * min(n, 10_000)), 40)), 1250),
    "reports": (lambda n: wired(reports(REPORT, n)), 250),
    "reports in a stream": (lambda n: hep_stream(REPORT * n), 50),
    "a stream of a report's beginning": (lambda n: hep_stream(b"HEP3" * n), 500),
    "envelopes": (lambda n: wired([frame(bytes(12) + b"\x81\0\0\1" * n + b"\x08\0", 1)] * 10), 1000),
}


def hep_stream(data: bytes) -> Callable[[], object]:
    frames, at = [], 1
    for number, start in enumerate(range(0, len(data), 700), 1):
        part = data[start : start + 700]
        raw = ethernet(ipv4(tcp(part, at, 1, ports=(40_000, 9060)), 6, identification=number))
        frames.append(frame(raw, number, START + number * 1000))
        at += len(part)
    return wired(frames)


@pytest.mark.parametrize("shape", WIRE)
def test_frames_are_read_in_linear_time(shape: str) -> None:
    assert_linear(*WIRE[shape])


def decoded(made: Iterable[bytes]) -> Callable[[], object]:
    flow = b"\xc0\0\2\1\xc6\x33\x64\2\x13\xc4\x13\xc4"
    given = [Datagram(START + n * 1000, "a.pcap", n + 1, flow, data) for n, data in enumerate(made)]

    def work() -> int:
        stage = Decoders()
        return sum(len(list(stage.feed(packet))) for packet in given)

    return work


def message(start: str, n: int, more: str = "", body: bytes = b"") -> bytes:
    method = start.partition(" ")[0] if not start.startswith("SIP") else "INVITE"
    return (
        f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}\r\nFrom: <sip:a@example.com>;tag={n}\r\n"
        f"To: <sip:{n}@bridge.example.com>\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def offers(n: int) -> Iterable[bytes]:
    return (message(f"INVITE sip:{i}@bridge.example.com SIP/2.0", i) for i in range(n))


def one_call(n: int) -> Iterable[bytes]:
    yield message("INVITE sip:1@bridge.example.com SIP/2.0", 1)
    for i in range(n):
        yield message("SIP/2.0 302 Moved", 1, f"Contact: <sip:{i}@example.com>\r\n")
        yield message("INFO sip:1@bridge.example.com SIP/2.0", 1, "", b"").replace(b"CSeq: 1", b"CSeq: %d" % (i + 2))


def nested(depth: int) -> bytes:
    """Bodies in bodies, each with a boundary of its own."""
    parts = b"".join(b"--%d\r\nContent-Type: multipart/mixed;boundary=%d\r\n\r\n" % (i, i + 1) for i in range(depth))
    return b"INFO sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=0\r\n\r\n" + parts


CALLS: dict[str, tuple[Callable[[int], Callable[[], object]], int]] = {
    "10,000 calls": (lambda n: decoded(offers(n)), 1250),
    "one call without end": (lambda n: decoded(one_call(n)), 250),
    "retransmissions": (lambda n: decoded([*offers(1)] * n), 1000),
    "multiparts in multiparts": (lambda n: lambda: bodies_of(read_message(nested(n), datagram=True)), 150),
    "media lines": (
        lambda n: lambda: parse_sdp(b"v=0\r\n" + b"m=audio 1 RTP/AVP 0 101\r\nc=IN IP4 1.2.3.4\r\n" * n),
        5000,
    ),
    "types of one line": (lambda n: lambda: parse_sdp(b"v=0\r\nm=audio 1 RTP/AVP" + b" 101" * n), 10_000),
    "digits": (lambda n: decoded([message("INVITE sip:" + "9" * n + "@example.com SIP/2.0", 1)] * 20), 7000),
    "calls through all stages": (lambda n: through(n), 60),
}


def through(n: int) -> Callable[[], object]:
    frames = packets(bytes_of((0, data) for data in offers(min(n, 250))))
    many = [one._replace(number=k, at=one.at + k * 1000) for k, one in enumerate(frames * (1 + n // 250), 1)]
    return lambda: replayed(many[:n], whole=True)


@pytest.mark.parametrize("shape", CALLS)
def test_calls_are_read_in_linear_time(shape: str) -> None:
    assert_linear(*CALLS[shape])


def roster(data: bytes) -> None:
    try:
        read_conference_info(data)
    except Malformed:
        return


ROSTERS = {
    "depth": (b"<conference-info>", b"<users>"),
    "depth that ends": (b"<conference-info>", b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH),
    "users": (b"<conference-info><users>", b"<user entity='a'><endpoint/></user>"),
    "attributes": (b"<conference-info>", b"<a a='1' b='2' c='3'/>"),
    "attributes of one": (b"<conference-info ", b"a='' "),
    "one attribute": (b"<conference-info a='", b"x"),
    "one text": (b"<conference-info><conference-description><display-text>", b"x"),
    "texts in pieces": (b"<conference-info><conference-description><display-text>", b"&amp;"),
    "one name": (b"<conference-info><", b"x"),
    "comments": (b"<conference-info>", b"<!-- x -->"),
    "one comment": (b"<conference-info><!--", b"- "),
    "sections": (b"<conference-info>", b"<![CDATA[x]]>"),
    "instructions": (b"<conference-info>", b"<?x y?>"),
    "entities": (b"<!DOCTYPE a [<!ENTITY a 'x'>", b"<!ENTITY b '&a;&a;'>"),
}


@pytest.mark.parametrize("shape", ROSTERS)
def test_rosters_are_read_in_linear_time(shape: str) -> None:
    head, unit = ROSTERS[shape]

    def prepared(size: int) -> Callable[[], object]:
        data = head + unit * (size // len(unit))
        return lambda: roster(data)

    assert_linear(prepared, 16_000)


PLATFORMS = Platforms(Policy(), number_text=number_text_for("31"))
UNITS = {
    "digits": "9",
    "groups": "123 456 789 ",
    "dashes": "1-",
    "one-tap": "+31205550101,,123456789#,,",
    "commas": "1,,,,",
    "labels": "Meeting number: ",
    "PINs": "PIN: 1234 ",
    "brackets": "(",
    "tags": "<",
    "closed tags": '<a href="x">',
    "entities": "&amp;",
    "ampersands": "&#",
    "links": "https://zoom.us/j/123456789?pwd=x ",
    "one link": "https://a/",
    "wrapped": "url=https%3A%2F%2F",
    "percents": "%25",
    "spaces": " ",
    "ats": "a@",
    "colons": "sip:",
    "words": "geen Dep.V. ",
    "dots": "Stg. ",
    "base64": "eyJ",
    "dotted": "eyJhbGciOi.",
    "parameters": "pwd=",
    "escapes": "\x1b[0m",
    "marks": "\u0301",
    "wide": "漢",
    "surrogates": "\udc80",
}
READERS: dict[str, Callable[[str], object]] = {
    "invitation": PLATFORMS.read_text,
    "link": PLATFORMS.refs_of,
    "marking": lambda text: marked_for(("Dep.V.", "Stg. GEHEIM"))((text,), (text,)),
    "number": lambda text: (number_text_for("31")(text), canonical(f"sip:{text}", number_text_for("31"))),
    "output": lambda text: (masked(text), shown.__wrapped__(text), escaped_json(text)),
    "passport": lambda text: passport_of(f"a.{text}.b"),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("reader", READERS)
def test_texts_are_read_in_linear_time(reader: str, unit: str) -> None:
    def prepared(size: int) -> Callable[[], object]:
        text = UNITS[unit] * (size // len(UNITS[unit]))
        return lambda: READERS[reader](text)

    assert_linear(prepared, 4_000)


def captured(content: bytes) -> Callable[[], object]:
    def work() -> int:
        return sum(1 for _ in Captures(["-"], ASKS, stdin=BytesIO(content)))  # type: ignore[arg-type]

    return work


CAPTURES: dict[str, Callable[[int], bytes]] = {
    "empty frames": lambda n: pcap([(0, b"")] * n),
    "frames": lambda n: pcap(every(n, [INVITE])),
    "frames of every length": lambda n: pcap([(k, bytes(k % 700)) for k in range(n)]),
    "interfaces": lambda n: section() + interface() * n + enhanced(1, INVITE, port=n - 1),
    "sections": lambda n: (section() + interface() + enhanced(1, INVITE)) * n,
    "blocks of nothing": lambda n: section() + interface() + block(0x0BAD, b"") * n,
    "bad blocks": lambda n: section() + interface() + enhanced(1, INVITE, port=9) * n,
    "options": lambda n: section() + interface(options=[(2, b"eth0")] * n) + enhanced(1, INVITE),
}


@pytest.mark.parametrize("shape", CAPTURES)
def test_captures_are_read_in_linear_time(shape: str) -> None:
    assert_linear(lambda n: captured(CAPTURES[shape](n)), 1500)


LARGEST: dict[str, bytes] = {
    "headers": b"Via: SIP/2.0/UDP a\r\n",
    "folds": b"X: a\r\n b\r\n",
    "commas": b"Contact: " + b"<sip:a@b>," * 99 + b"\r\n",
    "quotes": b'From: "' + b'\\"' * 99 + b"\r\n",
    "diversions": b"Diversion: <sip:a@b>;reason=x\r\n",
    "semicolons": b";" * 99,
    "nothing": b"\0",
    "lines": b"\r\n ",
    "letters": b"x",
    "colons": b":",
    "identities": b"P-Asserted-Identity: <tel:+1>\r\n",
    "media": b"\r\n\r\nv=0\r\nm=audio 1 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    "parts": b"Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n\r\n--b\r\n",
}


@pytest.mark.parametrize("shape", LARGEST)
def test_the_largest_message_takes_fifty_milliseconds(shape: str) -> None:
    head = message("INVITE sip:1@bridge.example.com SIP/2.0", 1)[:-23]
    data = (head + LARGEST[shape] * (MESSAGE // len(LARGEST[shape])))[: MESSAGE - 200]
    runs = [seconds(decoded([data])) for _ in range(2)]
    assert min(runs) < MESSAGE_SECONDS


def test_sources_that_search_for_meetings_cost_each_the_same() -> None:
    """Ten thousand callers, each of whom tries one number: nothing is compared with everything."""

    def prepared(n: int) -> Callable[[], object]:
        made = []
        for i in range(n):
            ends = pack("!I", 0xC0000200 + (i << 10) % 2**24) + b"\xc6\x33\x64\2"
            raw = udp(message(f"INVITE sip:{27_311_000_000 + i}@bridge.example.com SIP/2.0", i))
            head = pack("!BBHHHBBH", 0x45, 0, 20 + len(raw), i & 0xFFFF, 0, 64, 17, 0)
            data = bytes(12) + b"\x08\0" + head + ends + raw
            made.append(Frame(START + i * MILLISECOND, "a.pcap", i + 1, 1, data, len(data)))
        return lambda: replayed(made, whole=True)

    assert_linear(prepared, 100)


def test_the_measure_knows_a_square_when_it_sees_one() -> None:
    def square(n: int) -> Callable[[], object]:
        return lambda: [i for i in range(n) for j in range(n // 10)]

    with pytest.raises(AssertionError):
        assert_linear(square, 400)


def test_what_is_timed_does_something() -> None:
    assert WIRE["reports"][0](5)() == 5
    assert decoded(offers(3))() == 3
    assert not isinstance(read_conference_info(b"<conference-info/>"), Oddity)
    assert json.loads(replayed(packets(bytes_of([])), whole=True).splitlines()[-1])["type"] == "summary"
