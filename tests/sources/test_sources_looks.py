"""The packet filter learns from what it has seen how frames are wrapped, and gives the same whichever way it reads."""

import gzip
import socket
import sys
from collections.abc import Callable, Iterable
from ctypes import addressof, create_string_buffer
from io import BytesIO
from itertools import product
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.asks import Ask
from monitor.model.layouts import Layout, Mark
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.sources import Captures, savefile
from monitor.sources.filters import MAX_WIDENED, Filters
from monitor.sources.instructions import MAX_INSTRUCTIONS
from monitor.sources.looks import AGAIN, FIRST_FRAMES, MAX_LAYOUTS, MAX_SEEN, NEEDED, Layouts
from monitor.wire.layers import layout_of
from tests.sources.savefiles import (
    ASKS,
    INVITE,
    KEY,
    MEDIA,
    Record,
    by_number,
    enhanced,
    ethernet,
    every,
    interface,
    ipv4,
    pcap,
    pcapng,
    rtp,
    section,
    tcp,
    udp,
)
from tests.sources.test_sources_filters import _steps
from tests.wire.tunnels import AROUND_ETHERNET

VXLAN, ERSPAN = AROUND_ETHERNET["VXLAN"], AROUND_ETHERNET["ERSPAN II"]
OTHER_PORT = ethernet(ipv4(6, tcp(7000, 7001, b"Via: SIP/2.0/TCP 192.0.2.1\r\n")))
WIDER = Ask(protocol="sip", tcp_ports=(7000,))


def read(captures: Captures) -> tuple[list[Frame], CaptureReport]:
    frames = by_number(frame._replace(capture="") for frame in captures)
    return frames, captures.reports[0]


def read_file(content: bytes) -> tuple[list[Frame], CaptureReport]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "stdin")
        path.write_bytes(content)
        return read(Captures([path], ASKS, layout_of))


def read_all_ways(content: bytes) -> tuple[list[Frame], CaptureReport]:
    """From a file, a compressed one, and standard input: it must be the same."""
    first = read_file(content)
    assert read_file(gzip.compress(content, 1)) == first
    assert read(Captures(["-"], ASKS, layout_of, stdin=BytesIO(content))) == first
    return first


def numbers(frames: Iterable[Frame]) -> list[int]:
    return [frame.number for frame in frames]


@pytest.mark.parametrize("form", [pcap, pcapng])
@pytest.mark.parametrize("around", [VXLAN, ERSPAN])
def test_media_in_a_tunnel_is_dropped_from_the_first_look_on(
    form: Callable[..., bytes], around: Callable[[bytes], bytes]
) -> None:
    records = every(3000, [around(MEDIA)] * 99 + [around(INVITE)])
    frames, report = read_all_ways(form(records))
    assert numbers(frames) == [*range(1, NEEDED), *range(100, 3001, 100)]
    assert report.frames == 3000
    assert report.envelopes[layout_of(1, around(MEDIA)).envelopes[-1]] == FIRST_FRAMES  # type: ignore[union-attr]


def test_a_tunnel_that_begins_later_is_noticed_among_what_passes() -> None:
    records = every(2 * FIRST_FRAMES, [MEDIA]) + every(4000, [VXLAN(MEDIA)])
    frames, report = read_all_ways(pcap(records))
    assert NEEDED <= len(frames) <= AGAIN * NEEDED
    assert numbers(frames) == list(range(2 * FIRST_FRAMES + 1, 2 * FIRST_FRAMES + 1 + len(frames)))
    assert report.envelopes == {}


def test_tunnels_are_told_by_kind() -> None:
    frames = [VXLAN(MEDIA), ERSPAN(KEY), ethernet(ipv4(17, udp(20000, 30000, rtp(bytes(160)))), tags=[7]), MEDIA]
    _, report = read_all_ways(pcap(every(400, frames)))
    assert report.envelopes == {"erspan": 100, "gre": 100, "vlan": 100, "vxlan": 100}


def test_nothing_is_looked_at_without_anybody_who_knows_layouts() -> None:
    captures = Captures(["-"], ASKS, stdin=BytesIO(pcap(every(2000, [VXLAN(MEDIA)]))))
    assert len(list(captures)) == 2000
    assert captures.reports[0].envelopes == {}


SHORT = ethernet(ipv4(17, udp(20002, 30002, rtp(bytes(20)))))
FRAMES = (
    MEDIA, INVITE, KEY, VXLAN(MEDIA), VXLAN(SHORT), VXLAN(KEY), VXLAN(INVITE), ERSPAN(MEDIA), ERSPAN(INVITE),
    VXLAN(ERSPAN(MEDIA)), VXLAN(MEDIA)[:70], b"",
)  # fmt: skip
runs = st.lists(st.tuples(st.sampled_from(FRAMES), st.sampled_from((1, 3, 60, 200))), max_size=14)
WANTED = (INVITE, KEY, VXLAN(KEY), VXLAN(INVITE), ERSPAN(INVITE))


def records_of(drawn: list[tuple[bytes, int]]) -> list[Record]:
    frames = [frame for frame, count in drawn for _ in range(count)]
    return [(record[0], frame) for record, frame in zip(every(len(frames), [b""]), frames, strict=True)]


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(savefile, "CHUNK_BYTES", 4096)


@settings(max_examples=25, deadline=None)
@given(runs, st.sampled_from("<>"), st.sampled_from((pcap, pcapng)))
@pytest.mark.usefixtures("_small_chunks")
def test_all_ways_of_reading_give_the_same(drawn: list[tuple[bytes, int]], order: str, form: object) -> None:
    records = records_of(drawn)
    frames, report = read_all_ways(form(records, order=order))  # type: ignore[operator]
    wanted = [number for number, (_, data) in enumerate(records, 1) if data in WANTED]
    assert set(wanted) <= set(numbers(frames))
    assert report.frames == len(records)


@settings(max_examples=40, deadline=None)
@given(
    runs,
    st.sampled_from((pcap, pcapng)),
    st.lists(st.tuples(st.integers(0, 60_000), st.binary(min_size=1, max_size=4)), max_size=3),
    st.integers(0, 90_000),
)
@pytest.mark.usefixtures("_small_chunks")
def test_of_damaged_captures_too(
    drawn: list[tuple[bytes, int]], form: object, blows: list[tuple[int, bytes]], cut: int
) -> None:
    content = bytearray(form(records_of(drawn)))  # type: ignore[operator]
    for place, blow in blows:
        at = 4 + place % max(len(content) - 8, 1)
        content[at : at + len(blow)] = blow
    read_all_ways(bytes(content[: max(cut, 30)]))


def test_links_of_one_capture_learn_for_themselves() -> None:
    raw = VXLAN(MEDIA)[14:]
    file = [section(), interface(), interface(link=101)]
    for turn in range(2000):
        file.append(enhanced(turn, VXLAN(MEDIA) if turn % 2 else raw, port=(turn + 1) % 2))
    frames, report = read_all_ways(b"".join(file))
    assert numbers(frames) == list(range(1, 2 * NEEDED - 1))
    assert (report.frames, report.damage) == (2000, ())


def test_raw_ip_in_a_file_of_its_own() -> None:
    frames, _ = read_all_ways(pcap(every(3000, [VXLAN(MEDIA)[14:], MEDIA[14:]]), link=101))
    assert numbers(frames) == list(range(1, 2 * NEEDED - 2, 2))


def test_captures_in_turn_share_what_was_learnt(tmp_path: Path) -> None:
    for number in range(3):
        records = [(at + number * 10**12, data) for at, data in every(1000, [VXLAN(MEDIA), VXLAN(INVITE)])]
        (tmp_path / f"{number}.pcap").write_bytes(pcap(records))
    captures = Captures([tmp_path], ASKS, layout_of)
    frames = list(captures)
    media = [frame for frame in frames if frame.data == VXLAN(MEDIA)]
    assert (len(media), {frame.capture for frame in media}) == (NEEDED - 1, {"0.pcap"})
    assert len(frames) == 1500 + NEEDED - 1


@pytest.mark.parametrize("late", [False, True])
def test_widening_reaches_into_tunnels(late: bool, tmp_path: Path) -> None:
    records = every(6000, [VXLAN(MEDIA), VXLAN(OTHER_PORT), VXLAN(INVITE)])
    (tmp_path / "a.pcap").write_bytes(pcap(records))
    (tmp_path / "a.gz").write_bytes(gzip.compress(pcap(records), 1))
    after = 3000 if late else 300
    for name in ("a.pcap", "a.gz"):
        captures = Captures([tmp_path / name], ASKS, layout_of)
        found = []
        for frame in captures:
            found.append(frame.number)
            if frame.number == after:
                captures.widen(WIDER)
        expected = [n for n in range(1, 6001) if n % 3 == 0 or (n % 3 == 2 and n > after)]
        assert [n for n in found if n > 3 * NEEDED] == [n for n in expected if n > 3 * NEEDED]


# The filter itself


def media_in(*sizes: int) -> Callable[[bytes], bytes]:
    """GENEVE with so many words of options, which is a layout of its own."""

    def around(data: bytes) -> bytes:
        for size in sizes:
            body = pack("!BBHI", size, 0, 0x6558, 0) + bytes(4 * size) + data
            data = ethernet(ipv4(17, udp(50_000, 6081, body)))
        return data

    return around


def knowing(*frames: bytes, filters: Filters | None = None) -> Filters:
    filters = filters or Filters(ASKS, layout_of)
    for data in frames:
        for _ in range(NEEDED):
            filters.look(1, data, len(data))
    return filters


def passes(filters: Filters, data: bytes) -> bool:
    return filters.wants(filters.program(1), data, len(data))


def test_media_in_a_tunnel_costs_few_steps() -> None:
    program = knowing(VXLAN(MEDIA)).program(1)
    assert program is not None
    assert _steps(list(program), VXLAN(MEDIA)) <= 120


def test_of_many_layouts_the_frequent_ones_are_known() -> None:
    around = [media_in(words) for words in range(MAX_LAYOUTS + 2)]
    filters = knowing(*(one(MEDIA) for one in around))
    assert [passes(filters, one(MEDIA)) for one in around] == [False] * MAX_LAYOUTS + [True] * 2
    for _ in range(NEEDED):
        filters.look(1, around[-1](MEDIA), len(around[-1](MEDIA)))
    assert sum(passes(filters, one(MEDIA)) for one in around) == 2
    assert not passes(filters, around[-1](MEDIA))
    assert all(passes(filters, one(INVITE)) for one in around)


def test_memory_of_layouts_is_bounded() -> None:
    layouts = Layouts()
    for number in range(3 * MAX_SEEN):
        for _ in range(NEEDED if number < 3 else 1):
            layouts.add(1, Layout(("vlan",), (Mark(number, 1, 0xFF, 1),), number, 4))
    assert len(layouts._seen[1]) <= MAX_SEEN
    assert [layout.packet_at for layout in layouts.chosen(1)] == [0, 1, 2]


def full() -> Filters:
    """Eight layouts, and as many asks as there can be."""
    filters = knowing(*(media_in(*sizes)(MEDIA) for sizes in product((0, 1), repeat=3)))
    for number in range(MAX_WIDENED):
        filters.widen(Ask(protocol="sip", tcp_ports=(7000 + 97 * number,)))
    return filters


def test_no_program_is_longer_than_a_kernel_takes_it() -> None:
    few = knowing(*(media_in(*sizes)(MEDIA) for sizes in product((0, 1), repeat=3)))
    assert not any(passes(few, media_in(*sizes)(MEDIA)) for sizes in product((0, 1), repeat=3))
    assert len(list(few.program(1) or ())) <= MAX_INSTRUCTIONS
    bare = Filters(few._asks)
    many = full()
    bare._widened.extend(many._widened)
    assert len(list(many.program(1) or ())) <= max(MAX_INSTRUCTIONS, len(list(bare.program(1) or ())))
    assert len(list(many.program(101) or ())) <= MAX_INSTRUCTIONS
    assert passes(many, media_in(1, 0, 1)(ethernet(ipv4(6, tcp(7000, 40_000, b"")))))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has SO_ATTACH_FILTER")
def test_the_kernel_takes_the_program() -> None:
    instructions = list(knowing(*(media_in(*sizes)(MEDIA) for sizes in product((0, 1), repeat=3))).program(1) or ())
    code = create_string_buffer(b"".join(pack("HBBI", *instruction) for instruction in instructions))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, 26, pack("HL", len(instructions), addressof(code)))
        assert probe.fileno() >= 0
