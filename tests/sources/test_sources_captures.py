"""Captures as an operator names them: files, folders, standard input; compressed, rotated, wrong."""

import gzip
import os
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest
import zstandard

from monitor.model.asks import Ask
from monitor.model.problems import ConfigError
from monitor.sources import Captures
from tests.sources.savefiles import (
    ASKS,
    INVITE,
    KEY,
    MEDIA,
    START,
    ethernet,
    every,
    ipv4,
    pcap,
    pcapng,
    read_file,
    tcp,
)

SOME = pcap(every(1000, [MEDIA, MEDIA, INVITE]))
OTHER_PORT = ethernet(ipv4(6, tcp(7000, 7001, b"Via: SIP/2.0/TCP 192.0.2.1\r\n")))
WIDER = Ask(protocol="sip", tcp_ports=(7000,))


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def problems_of(*paths: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        Captures(paths, ASKS)
    assert all(problem.expected.startswith("a capture") for problem in caught.value.problems)
    return [(Path(problem.file).name, problem.found) for problem in caught.value.problems]


def test_what_is_no_capture_is_told_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.pcap").write_text("not a capture")
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"not a capture"))
    paths = [tmp_path / name for name in ("absent.pcap", "empty", "text.gz", "text.pcap")]
    assert problems_of(*paths) == [
        ("absent.pcap", "no such file"),
        ("empty", "a folder without captures"),
        ("text.gz", "no capture"),
        ("text.pcap", "no capture"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(SOME)
    (tmp_path / "a.pcap").chmod(0)
    assert problems_of(tmp_path / "a.pcap") == [("a.pcap", "cannot be read (Permission denied)")]


def test_an_empty_file_is_a_damaged_capture(tmp_path: Path) -> None:
    frames, report = read_file(tmp_path / "a.pcap", b"")
    assert (frames, report.frames, [d.what for d in report.damage]) == ([], 0, ["is empty"])


PACKED = [
    pytest.param(gzip.compress, id="gzip"),
    pytest.param(lambda raw: gzip.compress(raw[:9999]) + gzip.compress(raw[9999:]) + bytes(512), id="gzip members"),
    pytest.param(lambda raw: zstandard.compress(raw), id="zstd"),
    pytest.param(lambda raw: zstandard.compress(raw[:9999]) + zstandard.compress(raw[9999:]), id="zstd frames"),
]


@pytest.mark.parametrize("pack", PACKED)
@pytest.mark.parametrize("form", [pcap, pcapng])
def test_compression_is_known_by_content(pack: object, form: object, tmp_path: Path) -> None:
    content = form(every(3000, [MEDIA, MEDIA, INVITE]))  # type: ignore[operator]
    plain, plain_report = read_file(tmp_path / "a.pcap", content)
    packed, packed_report = read_file(tmp_path / "a.pcap", pack(content))  # type: ignore[operator]
    assert (packed, packed_report) == (plain, plain_report)
    assert len(packed) == 1000


def test_a_zstd_file_cut_in_the_middle(tmp_path: Path) -> None:
    packed = zstandard.compress(pcap(every(20_000, [INVITE, MEDIA, KEY])))
    frames, report = read_file(tmp_path / "a", packed[:-20])
    assert report.damage[-1].what == "the zstd stream ends early"
    assert report.wanted == len(frames) < 20_000


def test_a_folder_is_all_its_captures_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.cap").write_bytes(SOME)
    (tmp_path / "1.gz").write_bytes(gzip.compress(SOME))
    (tmp_path / "notes.txt").write_text("no capture")
    captures = Captures([tmp_path, tmp_path / "b" / "2.cap"], ASKS)
    assert sum(1 for _ in captures) == 666
    assert [(report.capture, report.frames) for report in captures.reports] == [("1.gz", 1000), ("2.cap", 1000)]


def test_captures_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "trunk.pcap").write_bytes(SOME)
    (tmp_path / "other.pcap").write_bytes(SOME)
    names = [report.capture for report in Captures([tmp_path], ASKS).reports]
    assert names == ["monday/trunk.pcap", "other.pcap", "tuesday/trunk.pcap"]


def test_frames_of_several_captures_come_in_the_order_of_time(tmp_path: Path) -> None:
    records = every(900, [INVITE, KEY, MEDIA])
    for number in range(3):  # dealt out in turn, so that all overlap, and one that comes long after
        (tmp_path / f"{number}.pcap").write_bytes(pcap(records[number::3]))
    (tmp_path / "late.pcap").write_bytes(pcapng([(at + 10**12, data) for at, data in records]))
    frames = list(Captures([tmp_path / name for name in ("late.pcap", "2.pcap", "0.pcap", "1.pcap")], ASKS))
    assert len(frames) == 1200
    assert [frame.at for frame in frames] == sorted(frame.at for frame in frames)
    assert {frame.capture for frame in frames[:600]} == {"0.pcap", "1.pcap"}


def test_ties_go_by_the_order_given(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(pcap([(START * 10**9, INVITE)] * 2))
    frames = list(Captures([tmp_path / "b", tmp_path / "a"], ASKS))
    assert [(frame.capture, frame.number) for frame in frames] == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]


def test_many_rotated_captures_are_not_all_open_at_once(tmp_path: Path) -> None:
    for number in range(80):
        (tmp_path / f"{number:03}").write_bytes(pcap([(number * 10**9 + at, INVITE) for at in range(3000, 6000, 1000)]))
    before = open_files()
    assert max(open_files() for _ in Captures([tmp_path], ASKS)) <= before + 4


def test_widening_reaches_the_reading_of_libpcap(tmp_path: Path) -> None:
    records = every(300, [MEDIA, OTHER_PORT, INVITE])
    (tmp_path / "a.pcap").write_bytes(pcap(records))
    (tmp_path / "a.gz").write_bytes(gzip.compress(pcap(records)))
    for name in ("a.pcap", "a.gz"):
        captures = Captures([tmp_path / name], ASKS)
        frames = iter(captures)
        numbers = [next(frames).number, next(frames).number]
        captures.widen(WIDER)
        assert numbers + [frame.number for frame in frames] == [3, 6] + [n for n in range(7, 301) if n % 3 != 1]


def test_standard_input_is_read_as_it_comes() -> None:
    """From a pipe that stays open: what was written is given before more comes."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as source, os.fdopen(writer, "wb", buffering=0) as sink:
        frames = iter(Captures(["-"], ASKS, stdin=source))
        content = pcap(every(2, [INVITE]))
        sink.write(content[:-10])
        assert next(frames).number == 1
        rest = threading.Thread(target=lambda: (sink.write(content[-10:]), sink.close()))
        rest.start()
        assert [frame.number for frame in frames] == [2]
        rest.join()


def test_the_real_standard_input_is_not_waited_for() -> None:
    code = "from tests.sources.savefiles import *; print(next(iter(Captures(['-'], ASKS))).number, flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(pcap(every(1, [INVITE])))
        child.stdin.flush()
        assert child.stdout.readline() == b"1\n"


def test_a_file_that_is_gone_when_its_turn_comes(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(SOME)
    captures = Captures([tmp_path / "a.pcap"], ASKS)
    (tmp_path / "a.pcap").unlink()
    with pytest.raises(ConfigError, match=r"a.pcap: no such file; expected a capture"):
        list(captures)


def test_a_pipe_with_a_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    captures = Captures([tmp_path / "pipe"], ASKS)
    filling = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(SOME))
    filling.start()
    assert sum(1 for _ in captures) == 333
    filling.join()
    assert captures.progress() == (len(SOME), None)


def test_standard_input_that_is_no_capture() -> None:
    with pytest.raises(ConfigError, match="stdin: no capture; expected a capture"):
        list(Captures(["-"], ASKS, stdin=BytesIO(b"not a capture")))


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    big = pcap(every(30_000, [MEDIA] * 99 + [INVITE]))
    (tmp_path / "a.pcap").write_bytes(big)
    (tmp_path / "b.gz").write_bytes(gzip.compress(SOME))
    total = sum((tmp_path / name).stat().st_size for name in ("a.pcap", "b.gz"))
    captures = Captures([tmp_path], ASKS)
    steps = [captures.progress()] + [captures.progress() for _ in captures] + [captures.progress()]
    assert {whole for _, whole in steps} == {total}
    done = [so_far for so_far, _ in steps]
    assert (done[0], done[-1]) == (0, total)
    assert done == sorted(done)
    assert len(set(done)) > 10


def test_heavy_imports_wait_until_they_are_needed() -> None:
    code = (
        "import sys, monitor.sources.captures; print(sorted({'cypcap', 'icalendar', 'zstandard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_capture_in_another_format_is_told_how_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "old.cap").write_bytes(b"XCP\x00001.100\x00" + bytes(100))
    with pytest.raises(ConfigError, match=r"in the format of NetXRay; expected .*editcap -F pcapng"):
        Captures([tmp_path / "old.cap"], ())
