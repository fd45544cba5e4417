"""Savefiles of every make, sound and broken: every readable frame is read, and what is broken is named."""

import gzip
import tracemalloc
from io import BytesIO
from pathlib import Path
from struct import pack

import pytest

from monitor.model.asks import Ask
from monitor.model.summary import CaptureReport
from monitor.sources.pcapng import resolution_of
from tests.sources.savefiles import (
    ASKS,
    ETHERNET,
    INVITE,
    KEY,
    MEDIA,
    START,
    block,
    by_number,
    enhanced,
    every,
    interface,
    pcap,
    pcapng,
    read_file,
    read_stream,
    section,
)

TEN = every(10, [INVITE])
RECORD = 16 + len(INVITE)
HEADER = len(section()) + len(interface())
BLOCK = len(enhanced(0, INVITE))
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def read_both(folder: Path, content: bytes) -> CaptureReport:
    fast, report = read_file(folder / "stdin", content)
    slow, slow_report = read_stream(content)
    assert (by_number(fast), report) == (slow, slow_report)
    return report


@ORDERS
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("form", [pcap, pcapng])
def test_times_are_exact(order: str, nano: bool, form: object, tmp_path: Path) -> None:
    at = START * 10**9 + (123_456_789 if nano else 123_456_000)
    frames, _ = read_file(tmp_path / "a", form([(at, INVITE)], order=order, nano=nano))  # type: ignore[operator]
    assert [(f.at, f.number, f.link, f.data, f.length) for f in frames] == [(at, 1, ETHERNET, INVITE, len(INVITE))]


@pytest.mark.parametrize(
    ("field", "ticks", "nanoseconds"),
    [
        pytest.param(0, 3, 3 * 10**9, id="seconds"),
        pytest.param(3, 1500, 1_500_000_000, id="milliseconds"),
        pytest.param(12, 5_000, 5, id="picoseconds"),
        pytest.param(0x80 | 10, 1536, 1_500_000_000, id="1/1024 s"),
        pytest.param(0xFF, 1 << 63, 0, id="finer than anything"),
    ],
)
def test_any_resolution(field: int, ticks: int, nanoseconds: int, tmp_path: Path) -> None:
    content = section() + interface(options=[(9, bytes([field]))]) + enhanced(ticks, INVITE)
    frames, _ = read_file(tmp_path / "a", content)
    assert frames[0].at == nanoseconds
    assert resolution_of(6)[0] == 1000 * resolution_of(6)[1]


@ORDERS
@pytest.mark.parametrize(("offset", "expected"), [(3600, START + 3600), (-3600, START - 3600), (-(1 << 62), 0)])
def test_the_offset_of_an_interface(order: str, offset: int, expected: int, tmp_path: Path) -> None:
    options = [(2, b"eth0"), (14, pack(order + "q", offset))]
    content = section(order) + interface(order, options=options) + enhanced(START * 10**6, INVITE, order)
    frames, _ = read_file(tmp_path / "a", content)
    assert frames[0].at == expected * 10**9


@ORDERS
def test_all_kinds_of_packet_blocks(order: str, tmp_path: Path) -> None:
    ticks = START * 10**6
    old = pack(order + "HHIIII", 0, 7, ticks >> 32, ticks & 0xFFFFFFFF, len(INVITE), len(INVITE)) + INVITE
    blocks = [
        section(order),
        interface(order),
        block(4, bytes(8), order),
        enhanced(ticks, INVITE, order),
        block(3, pack(order + "I", len(INVITE)) + INVITE, order),
        block(2, old, order),
        block(5, bytes(12), order),
        block(0x0BAD, pack(order + "I", 32473) + bytes(40), order),
        enhanced(ticks, INVITE, order),
    ]
    frames, report = read_file(tmp_path / "stdin", b"".join(blocks))
    assert [(f.number, f.at, f.data) for f in frames] == [(n, START * 10**9, INVITE) for n in range(1, 5)]
    assert report.damage == ()
    assert read_stream(b"".join(blocks)) == (frames, report)


def test_two_hundred_interfaces_of_several_link_types(tmp_path: Path) -> None:
    links = [(ETHERNET, INVITE), (101, INVITE[14:]), (113, bytes(14) + b"\x08\x00" + INVITE[14:])]
    described = [interface(link=links[i % 3][0], options=[(9, b"\x09")]) for i in range(200)]
    packets = [enhanced(i, links[i % 3][1], port=i) for i in range(200)]
    frames, report = read_file(tmp_path / "stdin", section() + b"".join(described + packets))
    assert [(f.number, f.at, f.link) for f in frames] == [(i + 1, i, links[i % 3][0]) for i in range(200)]
    assert (report.frames, report.wanted, report.damage) == (200, 200, ())


def test_an_interface_described_late_changes_the_link(tmp_path: Path) -> None:
    content = section() + interface() + enhanced(1, INVITE) + interface(link=101) + enhanced(2, INVITE[14:], port=1)
    frames, _ = read_file(tmp_path / "a", content)
    assert [(f.number, f.link) for f in frames] == [(1, ETHERNET), (2, 101)]


def test_frames_cut_by_the_snap_length_are_counted(tmp_path: Path) -> None:
    frames, report = read_file(tmp_path / "a", pcap(TEN, lengths={3: 1500}))
    assert frames[2].length == 1500
    assert report.cut == 1


def test_an_unknown_link_type_is_counted_and_told(tmp_path: Path) -> None:
    report = read_both(tmp_path, pcap(TEN, link=147))
    assert (report.frames, report.wanted) == (10, 0)
    assert [d.what for d in report.damage] == ["link type 147 cannot be filtered: 10 frames were not looked into"]


CUTS = [
    pytest.param(pcap, 24 + 7 * RECORD + 5, 7, 24 + 7 * RECORD, "a frame's header: 5 of 16 bytes", id="in a header"),
    pytest.param(pcap, 24 + 7 * RECORD + 40, 7, 24 + 7 * RECORD, f"a frame: 40 of {RECORD} bytes", id="in a frame"),
    pytest.param(pcap, 20, 0, 0, "the file's header: 20 of 24 bytes", id="in the file's header"),
    pytest.param(
        pcapng, HEADER + 4 * BLOCK + 7, 4, HEADER + 4 * BLOCK, "a block: 7 of 12 bytes", id="in a block's head"
    ),
    pytest.param(pcapng, HEADER + 4 * BLOCK + 50, 4, HEADER + 4 * BLOCK, f"50 of {BLOCK} bytes", id="in a block"),
    pytest.param(pcapng, 10, 0, 0, "a block: 10 of 12 bytes", id="in a section's head"),
]


@ORDERS
@pytest.mark.parametrize(("form", "size", "count", "offset", "what"), CUTS)
def test_a_cut_capture_is_read_up_to_the_cut(
    form: object, size: int, count: int, offset: int, what: str, order: str, tmp_path: Path
) -> None:
    report = read_both(tmp_path, form(TEN, order=order)[:size])  # type: ignore[operator]
    assert (report.frames, report.wanted) == (count, count)
    (damage,) = report.damage
    assert (damage.frame, damage.offset) == (count, offset)
    assert damage.what.startswith("ends in the middle of")
    assert what in damage.what


@pytest.mark.parametrize("captured", [MAX + 1 for MAX in (262_144, 0x7FFFFFFF, 0xFFFFFFFE)])
@ORDERS
def test_an_absurd_length_ends_a_pcap_file(captured: int, order: str, tmp_path: Path) -> None:
    absurd = pack(order + "IIII", START, 0, captured & 0xFFFFFFFF, 60)
    tracemalloc.start()
    report = read_both(tmp_path, pcap(TEN, order=order) + absurd + bytes(5000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
    assert (report.frames, report.wanted) == (10, 10)
    assert [(d.frame, d.offset) for d in report.damage] == [(10, 24 + 10 * RECORD)]
    assert str(captured & 0xFFFFFFFF) in report.damage[0].what


@pytest.mark.parametrize("size", [0, 4, 8, 11, 0x7FFFFFF0, 0xFFFFFFFF])
def test_an_absurd_block_ends_a_pcapng_file(size: int, tmp_path: Path) -> None:
    report = read_both(tmp_path, pcapng(TEN) + pack("<II", 6, size) + bytes(100) + enhanced(1, INVITE))
    assert (report.frames, report.wanted) == (10, 10)
    assert [(d.frame, d.offset, d.what) for d in report.damage] == [
        (10, HEADER + 10 * BLOCK, f"a block of {size} bytes, which cannot be")
    ]


BAD_BLOCKS = [
    pytest.param(enhanced(1, INVITE, port=5), "interface 5, of which 1", id="no such interface"),
    pytest.param(block(6, pack("<IIIII", 0, 0, 1, 900, 900) + bytes(40)), "900 bytes in a block of 72", id="too long"),
    pytest.param(block(6, pack("<II", 0, 0)), "too short for a frame", id="too short"),
    pytest.param(block(3, b""), "too short for a frame", id="simple and too short"),
    pytest.param(block(1, bytes(4)), "without a link type", id="an interface too short"),
    pytest.param(block(4, bytes(8))[:-4] + pack("<I", 24), "says 24 at its end", id="two lengths"),
]


@pytest.mark.parametrize(("bad", "what"), BAD_BLOCKS)
def test_a_bad_block_costs_no_other(bad: bytes, what: str, tmp_path: Path) -> None:
    report = read_both(tmp_path, pcapng(TEN) + bad + b"".join(enhanced(at, INVITE) for at in range(5)))
    assert (report.frames, report.wanted) == (15, 15)
    (damage,) = report.damage
    assert (damage.frame, damage.offset) == (10, HEADER + 10 * BLOCK)
    assert what in damage.what


def test_damage_told_is_bounded(tmp_path: Path) -> None:
    report = read_both(tmp_path, pcapng(TEN) + 1000 * enhanced(1, INVITE, port=5))
    assert len(report.damage) == 100


def test_a_large_block_that_is_no_packet_is_passed(tmp_path: Path) -> None:
    report = read_both(tmp_path, pcapng(TEN) + block(0x0BAD, bytes(3_000_000)) + enhanced(1, KEY))
    assert (report.frames, report.damage) == (11, ())


def test_a_gzip_file_cut_in_the_middle_is_read_up_to_there() -> None:
    content = pcap(every(5000, [INVITE, MEDIA]))
    packed = gzip.compress(content)
    frames, report = read_stream(packed[: len(packed) // 2])
    assert report.damage[-1].what == "the gzip stream ends early"
    assert 0 < report.frames < 5000
    assert (
        report.damage[-1].offset == 24 + (report.frames // 2) * (RECORD + 16 + len(MEDIA)) + report.frames % 2 * RECORD
    )
    assert [f.number for f in frames] == list(range(1, report.frames + 1, 2))


def test_a_damaged_gzip_file_is_read_up_to_there() -> None:
    packed = bytearray(gzip.compress(pcap(TEN)))
    packed[-6] ^= 0xFF
    _, report = read_stream(bytes(packed))
    assert report.frames == 10
    assert [d.what for d in report.damage] == ["the gzip stream is damaged"]


class _Bomb:
    """A gzip file that unfolds to `count` frames without content, made while it is read."""

    def __init__(self, count: int) -> None:
        start = pcap([])
        step = 1 << 20
        parts = [gzip.compress(start)] + [
            gzip.compress(bytes(16 * min(step, count - at))) for at in range(0, count, step)
        ]
        self._file = BytesIO(b"".join(parts))
        self.size = len(self._file.getvalue())

    def read(self, size: int) -> bytes:
        return self._file.read(size)


def test_a_gzip_bomb_is_counted_in_constant_memory() -> None:
    from monitor.sources import Captures

    bomb = _Bomb(100_000)
    captures = Captures(["-"], ASKS, stdin=bomb)  # type: ignore[arg-type]
    tracemalloc.start()
    frames = sum(1 for _ in captures)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bomb.size < 20_000
    assert peak < 4_000_000
    assert (frames, captures.reports[0].frames, captures.reports[0].damage) == (0, 100_000, ())


EQUAL = [
    pytest.param(pcap([(START, MEDIA)] * 5000 + TEN), 5010, id="media"),
    pytest.param(pcap([(START, MEDIA), (START, INVITE)] * 700), 1400, id="every other is wanted"),
    pytest.param(pcap([(START, MEDIA)] * 700 + [(START, b"")] * 3000 + TEN + [(START, b"")] * 9), 3719, id="two runs"),
    pytest.param(pcap([(START, MEDIA)] * 900, link=147), 900, id="no filter knows them"),
    pytest.param(pcapng([(START, MEDIA)] * 5000 + TEN), 5010, id="blocks"),
    pytest.param(
        section() + interface() + block(0x0BAD, b"") * 5000 + enhanced(1, MEDIA) * 900 + enhanced(2, INVITE),
        901,
        id="blocks of no known kind",
    ),
    pytest.param(section() + interface() * 900 + enhanced(1, INVITE, port=899), 1, id="equal interfaces"),
    pytest.param(section() + interface() + enhanced(1, MEDIA, port=9) * 900 + enhanced(1, INVITE), 1, id="equal harm"),
]


@pytest.mark.parametrize(("content", "frames"), EQUAL)
def test_equal_frames_are_counted_as_different_ones_are(tmp_path: Path, content: bytes, frames: int) -> None:
    report = read_both(tmp_path, content)
    assert report.frames == frames
    assert report.unreadable == frames or report.wanted == content.count(INVITE)


def test_equal_frames_are_wanted_as_soon_as_the_filter_is_widened() -> None:
    from monitor.sources import Captures

    content = pcap([(START, MEDIA)] * 600 + [(START, INVITE)] + [(START, MEDIA)] * 600)
    captures = Captures(["-"], ASKS, stdin=BytesIO(content))
    numbers = []
    for frame in captures:
        numbers.append(frame.number)
        captures.widen(Ask(protocol="rtp", udp_ports=(30_000,)))
    assert numbers == list(range(601, 1202))
