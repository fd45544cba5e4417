"""Damaged and malicious captures, as a user meets them: exact counts, exit code 3, in little memory and time."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import NamedTuple

import pytest
import zstandard

from tests.corpus import ROOT
from tests.sources.savefiles import (
    ETHERNET,
    INVITE,
    START,
    block,
    enhanced,
    every,
    interface,
    pcap,
    pcapng,
    section,
)

MAX_MIB = 256
MAX_SECONDS = 5.0
"""Processor time of the whole command, its start included."""
TEN = every(10, [INVITE])
RECORD = 16 + len(INVITE)
BOMB_MIB = 256


class Ran(NamedTuple):
    code: int
    frames: int
    damage: list[str]
    mebibytes: float
    seconds: float
    said: str


def replayed(path: Path) -> Ran:
    """`joinwatch replay` in a process of its own, with what it took."""
    journal = path.with_suffix(".jsonl")
    command = [sys.executable, "-m", "monitor", "replay", str(path), "--json", str(journal)]
    with path.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    summary = json.loads(journal.read_text().splitlines()[-1])
    (report,) = summary["captures"]
    said = path.with_suffix(".err").read_text()
    large = used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    damage = [one["what"] for one in report.get("damage", ())]
    return Ran(process.returncode, report["frames"], damage, large, used.ru_utime + used.ru_stime, said)


def absurd(order: str, size: int) -> bytes:
    return pcap(TEN, order=order) + pack(order + "IIII", START, 0, size, size) + bytes(4000)


def interfaces(count: int, cut: int) -> bytes:
    whole = section() + b"".join(interface(link=(ETHERNET, 101, 113)[i % 3]) for i in range(count))
    return (whole + b"".join(enhanced(i, INVITE, port=i) for i in range(count)))[: -cut or None]


def bomb(packed: Callable[[bytes], bytes]) -> bytes:
    """Unfolds to sixteen million frames without content, then breaks off."""
    step = bytes(1 << 20)
    return packed(pcap([])) + packed(step) * BOMB_MIB + packed(pcap(TEN))[:20]


EMPTY_FRAMES = BOMB_MIB * 1024 * 1024 // 16
SHAPES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "cut in a frame": (lambda: pcap(TEN)[:-7], 9, "ends in the middle of"),
    "cut in a frame, big-endian": (lambda: pcap(TEN, order=">")[:-7], 9, "ends in the middle of"),
    "cut in a frame, nanoseconds": (lambda: pcap(TEN, nano=True)[:-7], 9, "ends in the middle of"),
    "cut in a frame, big-endian nanoseconds": (
        lambda: pcap(TEN, order=">", nano=True)[:-7],
        9,
        "ends in the middle of",
    ),
    "cut in a record's header": (lambda: pcap(TEN) + bytes(9), 10, "ends in the middle of"),
    "cut in a block": (lambda: pcapng(TEN)[:-7], 9, "ends in the middle of"),
    "cut in a block, big-endian": (lambda: pcapng(TEN, order=">", nano=True)[:-7], 9, "ends in the middle of"),
    "a frame of 2 GiB": (lambda: absurd("<", 0x7FFFFFFF), 10, str(0x7FFFFFFF)),
    "a frame of 4 GiB, big-endian": (lambda: absurd(">", 0xFFFFFFFF), 10, str(0xFFFFFFFF)),
    "a block of 4 GiB": (lambda: pcapng(TEN) + pack("<II", 6, 0xFFFFFFFC) + bytes(99), 10, "cannot be"),
    "a block of nothing": (lambda: pcapng(TEN) + pack("<II", 6, 0) + bytes(99), 10, "cannot be"),
    "200 interfaces, cut": (lambda: interfaces(200, 7), 199, "ends in the middle of"),
    "a frame of no interface": (
        lambda: pcapng(TEN) + enhanced(1, INVITE, port=9) + enhanced(2, INVITE),
        11,
        "interface 9",
    ),
    "a section of no interface": (lambda: section() + enhanced(1, INVITE), 0, "interface 0"),
    "an unknown link type": (lambda: pcap(TEN, link=147), 10, "link type 147"),
    "an unknown link type in pcapng": (
        lambda: section() + interface(link=299) + enhanced(1, INVITE),
        1,
        "link type 299",
    ),
    "a gzip file, cut": (lambda: gzip.compress(pcap(TEN))[:-9], 10, "gzip stream"),
    "a gzip bomb": (lambda: bomb(lambda data: gzip.compress(data, 1)), EMPTY_FRAMES, "gzip stream"),
    "a zstd bomb": (lambda: bomb(zstandard.compress), EMPTY_FRAMES, "zstd stream"),
    "a bad block a hundred thousand times": (
        lambda: pcapng(TEN) + enhanced(1, INVITE, port=9) * 100_000,
        10,
        "interface 9",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_can_be_read_is_read_and_the_rest_is_told(shape: str, tmp_path: Path) -> None:
    make, frames, what = SHAPES[shape]
    path = tmp_path / "trunk.pcap"
    path.write_bytes(make())
    ran = replayed(path)
    assert (ran.code, ran.frames) == (3, frames), ran.said
    assert any(what in one for one in ran.damage), ran.damage
    assert "Traceback" not in ran.said
    assert ran.mebibytes < MAX_MIB
    assert ran.seconds < MAX_SECONDS


HARMLESS: dict[str, tuple[Callable[[], bytes], int]] = {
    "no frames": (lambda: pcap([]), 0),
    "no blocks": (section, 0),
    "no blocks but an interface": (lambda: section() + interface(), 0),
    "frames without content": (lambda: pcap([(0, b"")] * 1000), 1000),
    "blocks without content": (lambda: section() + interface() + block(0x0BAD, b"") * 1000 + enhanced(1, INVITE), 1),
    "200 interfaces": (lambda: interfaces(200, 0), 200),
    "both byte orders": (lambda: pcapng(TEN) + pcapng(TEN, order=">", nano=True), 20),
}


@pytest.mark.parametrize("shape", HARMLESS)
def test_what_is_only_strange_is_no_damage(shape: str, tmp_path: Path) -> None:
    make, frames = HARMLESS[shape]
    path = tmp_path / "trunk.pcap"
    path.write_bytes(make())
    ran = replayed(path)
    assert (ran.code, ran.frames, ran.damage) == (0, frames, []), ran.said
    assert ran.mebibytes < MAX_MIB
    assert ran.seconds < MAX_SECONDS
