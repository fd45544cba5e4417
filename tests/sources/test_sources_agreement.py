"""libpcap with a walker beside it, and the walker alone, give the same frames of any capture."""

from collections.abc import Callable
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.sources import savefile
from tests.sources.savefiles import (
    INVITE,
    KEY,
    MEDIA,
    Record,
    block,
    by_number,
    enhanced,
    ethernet,
    every,
    interface,
    ipv4,
    pcap,
    pcapng,
    read_file,
    read_stream,
    rtp,
    section,
    udp,
)

SHORT_MEDIA = ethernet(ipv4(17, udp(20002, 30002, rtp(bytes(20)))))
LOOKALIKE = ethernet(ipv4(17, udp(20002, 30002, bytes(40) + INVITE)))
FRAMES = (MEDIA, MEDIA, MEDIA, MEDIA, SHORT_MEDIA, INVITE, KEY, LOOKALIKE, b"", b"\0", MEDIA[:60], INVITE + bytes(9))
runs = st.lists(st.tuples(st.sampled_from(FRAMES), st.sampled_from((1, 1, 2, 7, 64, 90))), max_size=12)


def records_of(drawn: list[tuple[bytes, int]]) -> list[Record]:
    frames = [frame for frame, count in drawn for _ in range(count)]
    return [(record[0], frame) for record, frame in zip(every(len(frames), [b""]), frames, strict=True)]


def read_both(content: bytes) -> tuple[list[Frame], CaptureReport]:
    """What both ways give, which must be the same."""
    with TemporaryDirectory() as folder:
        fast, fast_report = read_file(Path(folder, "stdin"), content)
    slow, slow_report = read_stream(content)
    assert by_number(fast) == slow
    assert fast_report == slow_report
    return fast, fast_report


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small captures have many chunks, and records that lie across them."""
    monkeypatch.setattr(savefile, "CHUNK_BYTES", 4096)


@settings(max_examples=60, deadline=None)
@given(runs, st.sampled_from("<>"), st.booleans(), st.sampled_from((pcap, pcapng)))
def test_whole_captures(drawn: list[tuple[bytes, int]], order: str, nano: bool, form: object) -> None:
    records = records_of(drawn)
    frames, report = read_both(form(records, order=order, nano=nano))  # type: ignore[operator]
    assert [(f.at, f.data) for f in frames] == [records[f.number - 1] for f in frames]
    wanted = [number for number, (_, data) in enumerate(records, 1) if data in (INVITE, KEY, INVITE + bytes(9))]
    assert [f.number for f in frames] == wanted
    assert (report.frames, report.wanted, report.damage) == (len(records), len(wanted), ())
    if records:
        assert (report.first, report.last) == (records[0][0], records[-1][0])


@settings(max_examples=100, deadline=None)
@given(
    runs,
    st.sampled_from((pcap, pcapng)),
    st.lists(st.tuples(st.integers(0, 30_000), st.binary(min_size=1, max_size=4)), max_size=3),
    st.integers(0, 40_000),
)
def test_damaged_captures(
    drawn: list[tuple[bytes, int]], form: object, blows: list[tuple[int, bytes]], cut: int
) -> None:
    content = bytearray(form(records_of(drawn)))  # type: ignore[operator]
    for place, blow in blows:
        at = 4 + place % max(len(content) - 8, 1)
        content[at : at + len(blow)] = blow
    read_both(bytes(content[: max(cut, 30)]))


KINDS = ("frames", "frames", "frames", "simple", "old", "interface", "link", "names", "little", "big", "stranger")


def blocks_of(drawn: list[tuple[str, bytes, int]]) -> bytes:
    """A pcapng file of these blocks, its sections in either byte order, its interfaces of three link types."""
    order, interfaces = "<", 1
    file = [section(order), interface(order)]
    for kind, frame, count in drawn:
        match kind:
            case "frames":
                file += [enhanced(at, frame, order, port=count % interfaces) for at in range(count)]
            case "simple":
                file.append(block(3, pack(order + "I", len(frame)) + frame, order))
            case "old":
                file.append(block(2, pack(order + "HHIIII", 0, 0, 0, count, len(frame), len(frame)) + frame, order))
            case "interface" | "link":
                file.append(interface(order, link=1 if kind == "interface" else (101, 147)[count % 2]))
                interfaces += 1
            case "names":
                file.append(block(4, bytes(count), order))
            case "little" | "big":
                order, interfaces = "<" if kind == "little" else ">", 1
                file += [section(order), interface(order)]
            case _:
                file.append(enhanced(count, frame, order, port=interfaces))
    return b"".join(file)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.sampled_from(FRAMES), st.sampled_from((1, 2, 9, 70, 150))), max_size=20
    )
)
def test_blocks_of_all_kinds(drawn: list[tuple[str, bytes, int]]) -> None:
    _, report = read_both(blocks_of(drawn))
    assert report.frames == sum(
        count if kind == "frames" else 1 for kind, _, count in drawn if kind in ("frames", "simple", "old")
    )


def test_a_frame_longer_than_the_snap_length_says() -> None:
    long = INVITE + bytes(600)
    records = every(400, [MEDIA, long, KEY])
    frames, report = read_both(pcap(records, snap=300))
    assert report.frames == 400
    assert [f.data for f in frames] == [data for _, data in records if data != MEDIA]


def test_a_section_in_the_other_byte_order_amid_media() -> None:
    one = [section("<"), interface("<"), *(enhanced(i, MEDIA, "<") for i in range(300)), enhanced(7, KEY, "<")]
    two = [section(">"), interface(">"), *(enhanced(i, MEDIA, ">") for i in range(300)), enhanced(7, KEY, ">")]
    frames, report = read_both(b"".join(one + two + one))
    assert [f.number for f in frames] == [301, 602, 903]
    assert report.frames == 903


def test_a_wanted_frame_of_the_length_of_media() -> None:
    twin = INVITE.ljust(len(MEDIA), b"\r")
    records = every(3000, [MEDIA] * 99 + [twin])
    frames, report = read_both(pcap(records))
    assert [f.number for f in frames] == list(range(100, 3001, 100))
    assert report.frames == 3000


SMALL = ethernet(ipv4(17, udp(20002, 30002, bytes(len(KEY) - 42))))
"""As long as a key, and not wanted."""


@pytest.mark.parametrize("form", [pcap, pcapng])
def test_a_key_among_media_of_its_length_is_found_without_falling_back(
    form: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Falling back would give the same frames, ten times slower: no other test could tell."""

    def go_back(*_: object) -> None:
        pytest.fail("the walker lost libpcap")

    monkeypatch.setattr(savefile, "CHUNK_BYTES", 65_536)
    monkeypatch.setattr(savefile.Walker, "_go_back", go_back)
    turn = [(MEDIA, 1), (SHORT_MEDIA, 1), (SMALL, 1)]
    drawn = [*turn * 1000, *([(INVITE, 1), *turn * 40, (KEY, 1), *turn * 40] * 20)]
    assert len(KEY) == len(SMALL)
    with TemporaryDirectory() as folder:
        frames, _ = read_file(Path(folder, "capture"), form(records_of(drawn)))
    assert len(frames) == 40
