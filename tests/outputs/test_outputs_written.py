"""Results never take the place of something that is no result."""

import os
import threading
from pathlib import Path

import pytest

from monitor.model.problems import ConfigError
from monitor.outputs.journal import Journal, may_write_journal
from monitor.outputs.metrics import Metrics, may_write_textfile
from tests.outputs.outputs_samples import REPLAY, SUMMARY

CAPTURE = b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(100)


@pytest.mark.parametrize("write", [may_write_journal, may_write_textfile, Journal.to])
@pytest.mark.parametrize("content", [CAPTURE, b"BEGIN:VCALENDAR\r\n", b"# a policy\n", b"{}\n", b"\n"])
def test_a_file_of_another_kind_is_kept(write: object, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dear"
    path.write_bytes(content)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert callable(write)
    for name in (path, link):
        with pytest.raises(ConfigError, match="is there already, and is no"):
            write(str(name))
    assert path.read_bytes() == content


def test_results_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    path, metrics = tmp_path / "journal.jsonl", tmp_path / "joinwatch.prom"
    for _ in range(2):
        journal = Journal.to(str(path))
        for record in REPLAY:
            journal.write(record)
        journal.close()
        may_write_textfile(metrics)
        Metrics().write_textfile(metrics)
    may_write_journal(str(path))
    assert path.read_bytes().count(b'"type":"summary"') == 1
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [("", "is a folder"), (".", "is a folder"), ("no/where", "there is no folder"), ("a\0b", "is no name of a file")],
)
def test_a_place_where_nothing_can_be_written_is_told(
    name: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for check in (may_write_journal, may_write_textfile):
        with pytest.raises(ConfigError, match=found):
            check(name)


def test_metrics_never_take_the_place_of_a_pipe_or_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    may_write_textfile(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    Metrics().write_textfile(pipe)
    reader.join(10)
    assert read[0].startswith(b"# HELP joinwatch_")
    assert pipe.is_fifo()


def test_metrics_follow_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.prom", tmp_path / "link.prom"
    link.symlink_to(real)
    Metrics().write_textfile(link)
    assert link.is_symlink()
    assert real.read_bytes().startswith(b"# HELP joinwatch_")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no full device")
def test_a_full_disk_is_told_with_the_file_that_is_on_it() -> None:
    journal = Journal.to("/dev/full")
    journal.write(SUMMARY)
    with pytest.raises(OSError, match="No space left") as caught:
        journal.close()
    assert caught.value.filename == "/dev/full"
    with pytest.raises(OSError, match="No space left") as caught:
        Metrics().write_textfile("/dev/full")
    assert caught.value.filename == "/dev/full"
