"""Every frame is in exactly one class: on every capture there is, whole, damaged, and made up."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import which
from subprocess import run

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from monitor.decoders import ASKS
from monitor.model.accounts import FRAME_CLASSES, Accounts
from monitor.model.asks import Ask
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport, Summary
from monitor.pipeline import Decode, Replay, captures_of, load_expected
from tests.corpus import CORPUS, needs_corpus
from tests.scenarios import PCAPS
from tests.wire.packets import MILLISECOND, START, ethernet, frame, frames_of, ipv4, ipv6, ipv6_fragment, tcp, udp
from tests.wire.tunnels import AROUND_ETHERNET, AROUND_IPV4

EXPECTED = load_expected()
BUNDLED = sorted(PCAPS.rglob("*.pcap*"))
REAL = sorted(p for p in CORPUS.rglob("*.*cap*") if ".truth." not in p.name and p.name != "cr_ss101.cap")
"""All of the corpus but one in a format of long ago, that is refused."""
SIP = b"OPTIONS sip:1@example.com SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
HEP = (
    b"\x00\x00\x00\x01\x00\x07\x02\x00\x00\x00\x02\x00\x07\x11\x00\x00\x00\x03\x00\x0a\xc0\x00\x02\x01"
    b"\x00\x00\x00\x04\x00\x0a\xc0\x00\x02\x02\x00\x00\x00\x07\x00\x08\x13\xc4\x00\x00\x00\x08\x00\x08\x13\xc4"
    b"\x00\x00\x00\x0b\x00\x07\x01\x00\x00\x00\x0f"
)


class Given:
    """A source with the frames that a test gives it, all of them wanted."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        self._read = 0

    @property
    def reports(self) -> Sequence[CaptureReport]:
        return (CaptureReport(capture="a.pcap", frames=self._read, wanted=self._read),)

    def __iter__(self) -> Iterator[Frame]:
        for each in self._frames:
            self._read += 1
            yield each

    def widen(self, ask: Ask) -> None:
        assert ask not in ASKS


def summary_of(source: Given) -> Summary:
    pipeline = Decode(source, EXPECTED, [])
    pipeline.run()
    return pipeline.finish()


def assert_balanced(accounts: Accounts) -> None:
    assert accounts.open == 0
    assert all(getattr(accounts, name) >= 0 for name in FRAME_CLASSES)


def whole_books(capture: Path) -> Accounts:
    pipeline = Decode(captures_of([capture]), EXPECTED, [])
    pipeline.run()
    return pipeline.finish().accounts


def test_every_bundled_capture_adds_up() -> None:
    assert len(BUNDLED) > 50
    for capture in BUNDLED:
        assert_balanced(whole_books(capture))


@needs_corpus
def test_every_real_capture_adds_up() -> None:
    for capture in REAL:
        assert_balanced(whole_books(capture))


def test_a_replay_adds_up_as_a_decoding_does() -> None:
    capture = PCAPS / "incident" / "incident.pcap"
    pipeline = Replay(captures_of([capture]), EXPECTED, [])
    pipeline.run()
    summary = pipeline.finish()
    assert summary.accounts == whole_books(capture) == Accounts(frames=1947, decoded=1869, passed_over=78)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_captures_add_up(seed: int, tmp_path: Path) -> None:
    """Bytes changed and cut off, in the file as in the frames."""
    chance = random.Random(seed)
    for capture in [*chance.sample(BUNDLED, 4), *chance.sample(REAL, min(len(REAL), 8))]:
        data = bytearray(capture.read_bytes())
        for _ in range(20):
            data[chance.randrange(24, len(data))] = chance.randrange(256)
        broken = tmp_path / capture.name
        broken.write_bytes(data[: chance.randrange(len(data) // 2, len(data))])
        assert_balanced(whole_books(broken))


@needs_corpus
@pytest.mark.parametrize("name", ["sip/sip-over-tcp.pcap", "encapsulation/sip-in-gtp.pcap", "sip/aaa.pcap"])
@pytest.mark.parametrize("seed", range(3))
def test_frames_lost_doubled_moved_and_cut_add_up(name: str, seed: int) -> None:
    chance = random.Random(seed)
    frames: list[Frame] = []
    for each in frames_of(CORPUS / name):
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            size = chance.choice((len(each.data),) * 4 + (chance.randrange(len(each.data) + 1),))
            frames.insert(max(0, len(frames) - chance.choice((0, 0, 0, 1, 5))), each._replace(data=each.data[:size]))
    accounts = summary_of(Given(frames)).accounts
    assert accounts.frames == len(frames)
    assert_balanced(accounts)


def hep(payload: bytes) -> bytes:
    """A report with one message of SIP in it."""
    chunks = HEP + (len(payload) + 6).to_bytes(2, "big") + payload
    return b"HEP3" + (len(chunks) + 6).to_bytes(2, "big") + chunks


PACKETS = {
    "SIP": ipv4(udp(SIP)),
    "another datagram": ipv4(udp(b"hello")),
    "RTP of nobody": ipv4(udp(b"\x80\x65" + bytes(14), (9000, 9002))),
    "a report": ipv4(udp(hep(SIP), (9060, 9060))),
    "a report of nothing": ipv4(udp(hep(b"hello"), (9060, 9060))),
    "a broken report": ipv4(udp(b"HEP3\x00\x08\x00\x00", (9060, 9060))),
    "a report of long ago": ipv4(udp(b"\x02\x10\x02\x11" + bytes(24), (9060, 9060))),
    "reports in a stream": ipv4(tcp(hep(SIP) * 2, 1, 1, ports=(9060, 9060)), 6),
    "the first half": ipv4(udp(SIP)[:48], more=True, identification=7),
    "the second half": ipv4(udp(SIP)[48:], offset=48, identification=7),
    "a half of IPv6": ipv6_fragment(udp(SIP)[:48], 17, 0, True),
    "an opening": ipv4(tcp(sequence=99, flags=2), 6),
    "its first bytes": ipv4(tcp(SIP[:30], 100, 1), 6),
    "its next bytes": ipv4(tcp(SIP[30:], 130, 1), 6),
    "both": ipv4(tcp(SIP, 100, 1, flags=1), 6),
    "an acknowledgement": ipv4(tcp(b"", 100, 5), 6),
    "a reset with words": ipv4(tcp(b"no", 100, flags=4), 6),
    "something else in TCP": ipv4(tcp(b"\x16\x03\x01", 5, 1, ports=(443, 50000)), 6),
    "a broken segment": ipv4(tcp(b"")[:12], 6),
    "ICMP": ipv4(b"ping", 1),
    "IPv6": ipv6(udp(SIP)),
    "nothing": b"",
}
AROUND = {
    "Ethernet": lambda packet: ethernet(packet, 0x86DD if packet[:1] == b"\x60" else 0x0800),
    "VLAN": lambda packet: ethernet(packet, 0x0800, [b"\x81\x00\x00\x05"]),
    "MACsec": lambda packet: ethernet(b"\x0c" + bytes(7) + packet, 0x88E5),
    "ARP": lambda packet: ethernet(packet, 0x0806),
    **AROUND_IPV4,
    **{
        f"Ethernet in {name}": lambda packet, wrap=wrap: wrap(ethernet(packet))
        for name, wrap in AROUND_ETHERNET.items()
    },
}


@st.composite
def frames_made_up(draw: st.DrawFn) -> list[Frame]:
    frames: list[Frame] = []
    at = START
    for number in range(1, draw(st.integers(1, 24)) + 1):
        data = AROUND[draw(st.sampled_from(sorted(AROUND)))](PACKETS[draw(st.sampled_from(sorted(PACKETS)))])
        at += draw(st.sampled_from((0, 1, 70, 6_000, 40_000, 700_000, -100))) * MILLISECOND
        kept = draw(st.sampled_from((len(data),) * 5 + (len(data) // 2, max(0, len(data) - 7))))
        link = draw(st.sampled_from((1, 1, 1, 1, 1, 101, 147)))
        frames.append(frame(data[:kept], number, at, link, len(data)))
    return frames


@for_all(frames_made_up())
@settings(max_examples=150)
def test_whatever_is_made_up_adds_up(frames: list[Frame]) -> None:
    summary = summary_of(Given(frames))
    assert summary.accounts.frames == len(frames)
    assert_balanced(summary.accounts)


@pytest.mark.parametrize(
    ("packets", "books"),
    [
        (["SIP"], {"decoded": 1}),
        (["another datagram"], {"undecoded": 1}),
        (["RTP of nobody"], {"undecoded": 1}),
        (["a report"], {"decoded": 2, "reported": 1}),
        (["a report of nothing"], {"decoded": 1, "undecoded": 1, "reported": 1}),
        (["a broken report"], {"undecoded": 1}),
        (["a report of long ago"], {"undecoded": 1}),
        (["reports in a stream"], {"decoded": 3, "reported": 2}),
        (["the first half"], {"incomplete": 1}),
        (["the first half", "the second half"], {"decoded": 1, "joined": 1}),
        (["a half of IPv6"], {"incomplete": 1}),
        (["an opening", "its first bytes", "an acknowledgement", "its next bytes"], {"decoded": 2, "silent": 2}),
        (["an opening", "its next bytes", "its first bytes", "both"], {"decoded": 2, "silent": 1, "repeated": 1}),
        (["a reset with words"], {"repeated": 1}),
        (["something else in TCP"], {"undecoded": 1}),
        (["a broken segment"], {"malformed": 1}),
        (["ICMP"], {"undecoded": 1}),
        (["SIP", "SIP"], {"decoded": 1, "copies": 1}),
    ],
)
def test_each_class_means_what_it_says(packets: list[str], books: dict[str, int]) -> None:
    frames = [frame(ethernet(PACKETS[name], 0x86DD if "IPv6" in name else 0x0800), n) for n, name in enumerate(packets)]
    accounts = summary_of(Given(frames)).accounts
    assert accounts == Accounts(frames=len(frames), **books)


@needs_corpus
@pytest.mark.skipif(not which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", ["sip/sip-over-tcp.pcap", "sip/aaa.pcap", "encapsulation/zeek-qinqinq.pcap"])
def test_segments_without_content_are_those_that_tshark_finds(name: str) -> None:
    command = [
        "tshark",
        "-r",
        str(CORPUS / name),
        "-Y",
        "tcp.len == 0",
        "-T",
        "fields",
        "-e",
        "frame.number",
    ]
    found = run(command, check=True, capture_output=True, text=True).stdout.split()
    assert summary_of(Given(list(frames_of(CORPUS / name)))).accounts.silent == len(found)
