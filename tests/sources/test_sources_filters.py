"""The packet filter lets through what was asked for, and nothing that costs time for no use."""

from pathlib import Path
from struct import pack

import pytest

from monitor.model.asks import Ask
from monitor.sources.filters import Filters, filter_text
from tests.sources.savefiles import (
    ASKS,
    INVITE,
    KEYS,
    SIP,
    ethernet,
    every,
    ipv4,
    ipv6,
    pcap,
    read_file,
    read_stream,
    rtp,
    tcp,
    udp,
)

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
KEY = b"\x01\x0a\x00\xa0"
WANTED = [
    ("SIP from its port", 17, udp(5060, 40000, b"OPTIONS sip:1@example.com SIP/2.0\r\n")),
    ("SIP to its port", 17, udp(40000, 5061, b"\r\n\r\n")),
    ("an empty datagram on the port", 17, udp(5060, 5060, b"")),
    ("SIP by its first bytes", 17, udp(7000, 40000, b"INVITE sip:1@example.com SIP/2.0\r\n")),
    ("an answer by its first bytes", 17, udp(7000, 40000, b"SIP/2.0 200 OK\r\n")),
    ("nothing but the first bytes", 17, udp(7000, 40000, b"BYE ")),
    ("SIP over TCP", 6, tcp(5060, 40000, b"")),
    ("SIP over TCP by its first bytes", 6, tcp(7000, 40000, b"INVITE sip:1@example.com SIP/2.0\r\n")),
    ("the same behind TCP options", 6, tcp(7000, 40000, b"SIP/2.0 200 OK\r\n", options=bytes(12))),
    ("a key", 17, udp(20000, 30000, rtp(KEY))),
    ("a key behind a list of sources", 17, udp(20000, 30000, rtp(KEY, sources=15))),
    ("a key behind a header extension", 17, udp(20000, 30000, rtp(KEY, extension=bytes(8)))),
    ("a key behind both", 17, udp(20000, 30000, rtp(KEY, sources=3, extension=b""))),
    ("VXLAN", 17, udp(50000, 4789, bytes(60))),
    ("GRE", 47, bytes(40)),
    ("IP in IP", 4, bytes(40)),
]
UNWANTED = [
    ("audio", 17, udp(20000, 30000, rtp(b"\xd5" * 160))),
    ("audio behind a header extension", 17, udp(20000, 30000, rtp(b"\xd5" * 160, extension=bytes(8)))),
    ("an extension of a key's length", 17, udp(20000, 30000, rtp(b"", extension=b""))),
    ("what is not version 2", 17, udp(20000, 30000, rtp(KEY, version=1))),
    ("an extension that the packet does not have", 17, udp(20000, 30000, b"\x9f" + bytes(11))),
    ("an empty datagram", 17, udp(20000, 30000, b"")),
    ("TLS", 6, tcp(443, 40000, HELLO)),
    ("an empty segment", 6, tcp(443, 40000, b"")),
    ("names that begin otherwise", 17, udp(20000, 30000, b"NVITE sip:1@example.com SIP/2.0\r\n")),
    ("ICMP", 1, bytes(30)),
]
OVER_VERSIONS = [
    pytest.param(ipv4, id="IPv4"),
    pytest.param(lambda protocol, body: ipv4(protocol, body, options=bytes(8)), id="IPv4 with options"),
    pytest.param(ipv6, id="IPv6"),
]
LINKS = [
    pytest.param(1, ethernet, id="Ethernet"),
    pytest.param(1, lambda packet: ethernet(packet, tags=[7]), id="one tag"),
    pytest.param(1, lambda packet: ethernet(packet, tags=[7, 8]), id="two tags"),
    pytest.param(101, bytes, id="raw"),
    pytest.param(12, bytes, id="raw as DLT"),
    pytest.param(113, lambda p: bytes(14) + (b"\x86\xdd" if p[0] >> 4 == 6 else b"\x08\x00") + p, id="Linux cooked"),
    pytest.param(276, lambda p: (b"\x86\xdd" if p[0] >> 4 == 6 else b"\x08\x00") + bytes(18) + p, id="Linux cooked v2"),
    pytest.param(0, lambda p: pack("<I", 10 if p[0] >> 4 == 6 else 2) + p, id="loopback"),
]


@pytest.mark.parametrize(("link", "framed"), LINKS)
@pytest.mark.parametrize("packet_of", OVER_VERSIONS)
def test_what_is_wanted_and_what_is_not(link: int, framed: object, packet_of: object, tmp_path: Path) -> None:
    cases = [(name, protocol, body, True) for name, protocol, body in WANTED]
    cases += [(name, protocol, body, False) for name, protocol, body in UNWANTED]
    frames = [framed(packet_of(protocol, body)) for _, protocol, body, _ in cases]  # type: ignore[operator]
    content = pcap(every(len(frames), frames), link=link)
    found = {frame.number for frame in read_file(tmp_path / "a.pcap", content)[0]}
    through = {name for number, (name, *_) in enumerate(cases, 1) if number in found}
    expected = {name for name, *_, wanted in cases if wanted}
    if packet_of is ipv6:
        through.discard("ICMP")
    assert through == expected
    assert {frame.number for frame in read_stream(content)[0]} == found


FRAGMENTS = [
    pytest.param(ipv4(17, udp(20000, 30000, bytes(800)), fragment=0x2000), id="first"),
    pytest.param(ipv4(17, bytes(800), fragment=100), id="last"),
    pytest.param(ipv4(17, bytes(800), fragment=0x2064), id="middle"),
    pytest.param(ipv4(6, bytes(800), fragment=100), id="of TCP"),
    pytest.param(ipv6(44, pack("!BBHI", 17, 0, 1, 7) + bytes(80)), id="IPv6"),
    pytest.param(ipv6(0, pack("!BBIH", 17, 0, 0, 0) + udp(20000, 30000, bytes(80))), id="behind hop-by-hop options"),
]


@pytest.mark.parametrize("packet", FRAGMENTS)
def test_fragments_and_extension_headers_pass(packet: bytes, tmp_path: Path) -> None:
    frames, _ = read_file(tmp_path / "a.pcap", pcap(every(1, [ethernet(packet)])))
    assert len(frames) == 1


TUNNELS = [
    pytest.param(1, bytes(12) + b"\x88\x64" + bytes(40), id="PPPoE"),
    pytest.param(1, bytes(12) + b"\x88\x47" + bytes(40), id="MPLS"),
    pytest.param(1, ethernet(ipv4(17, bytes(20)), tags=[1, 2, 3]), id="three tags"),
    pytest.param(113, bytes(14) + b"\x81\x00" + bytes(40), id="a tag on Linux cooked"),
]


@pytest.mark.parametrize(("link", "frame"), TUNNELS)
def test_tunnels_pass_as_a_whole(link: int, frame: bytes, tmp_path: Path) -> None:
    frames, _ = read_file(tmp_path / "a.pcap", pcap(every(1, [frame]), link=link))
    assert len(frames) == 1


def test_media_costs_few_steps() -> None:
    """So few that 1.5 million frames of audio are dropped in a fraction of a second."""
    program = Filters((SIP, KEYS)).program(1)
    assert program is not None
    steps = _steps(list(program), ethernet(ipv4(17, udp(20000, 30000, rtp(b"\xd5" * 160)))))
    assert steps <= 36


def _steps(program: list[tuple[int, int, int, int]], frame: bytes) -> int:
    """Instructions that classic BPF takes for a frame."""
    a = x = at = steps = 0
    memory = [0] * 16
    sizes = {0x00: 4, 0x08: 2, 0x10: 1}
    while True:
        code, true, false, k = program[at]
        steps, at = steps + 1, at + 1
        kind = code & 7
        if kind == 6:
            return steps
        if code == 0xB1:
            x = (frame[k] & 15) << 2
        elif code in (0x60, 0x61):
            a, x = (memory[k], x) if code == 0x60 else (a, memory[k])
        elif kind == 0 and code & 0xE0 in (0x20, 0x40):
            start = k + (x if code & 0xE0 == 0x40 else 0)
            a = int.from_bytes(frame[start : start + sizes[code & 0x18]], "big")
        elif kind in (0, 1):
            a, x = (k, x) if kind == 0 else (a, k)
        elif kind in (2, 3):
            memory[k] = a if kind == 2 else x
        elif kind == 4:
            operand = x if code & 8 else k
            a = {0x00: a + operand, 0x10: a - operand, 0x50: a & operand, 0x60: a << operand, 0x70: a >> operand}[
                code & 0xF0
            ] & 0xFFFFFFFF
        elif kind == 5:
            operand = x if code & 8 else k
            test = {0x00: True, 0x10: a == operand, 0x20: a > operand, 0x30: a >= operand, 0x40: bool(a & operand)}
            at += k if code & 0xF0 == 0 else true if test[code & 0xF0] else false
        else:
            a, x = (a, a) if code & 0x80 == 0 else (x, x)


@pytest.mark.parametrize("tags", [[], [5], [5, 6]])
def test_the_text_and_the_program_agree(tags: list[int]) -> None:
    """Text, as a person would give it to tcpdump, reads tags with `vlan`; the program with a shift of its own."""
    import cypcap

    filters = Filters(ASKS)
    program = filters.program(1)
    told = cypcap.compile(1, 65535, filter_text(ASKS), True, 0xFFFFFFFF)
    for _, protocol, body in WANTED + UNWANTED:
        for packet in (ipv4(protocol, body), ipv6(protocol, body)):
            frame = ethernet(packet, tags=tags)
            assert filters.wants(program, frame, len(frame)) == filters.wants(told, frame, len(frame))


def test_nothing_asked_is_nothing_but_what_hides_something(tmp_path: Path) -> None:
    fragment = ethernet(ipv4(17, bytes(80), fragment=100))
    frames, report = read_file(tmp_path / "a.pcap", pcap(every(2, [INVITE, fragment])), asks=())
    assert [frame.number for frame in frames] == [2]
    assert report.frames == 2


@pytest.mark.parametrize("count", [1, 3, 12, 13, 200])
def test_any_number_of_ports(count: int, tmp_path: Path) -> None:
    ports = tuple(range(9000, 9000 + 3 * count, 3))
    frames = [ethernet(ipv4(17, udp(port, 40000, b"x"))) for port in range(8999, 9001 + 3 * count)]
    found, _ = read_file(tmp_path / "a.pcap", pcap(every(len(frames), frames)), [Ask(protocol="x", udp_ports=ports)])
    assert tuple(8998 + frame.number for frame in found) == ports


def test_what_was_asked_already_changes_nothing() -> None:
    filters = Filters(ASKS)
    before = filters.program(1)
    filters.widen(SIP)
    assert filters.program(1) is before
