"""Real captures: what tshark counts is what is counted here, and the two ways of reading agree."""

import shutil
import subprocess
from pathlib import Path

import pytest

from monitor.model.asks import Ask
from monitor.sources import Captures
from tests.corpus import CORPUS, captures, needs_corpus, truth_of
from tests.sources.savefiles import by_number

ASKS = (
    Ask(protocol="any", udp_ports=(53, 5060), tcp_ports=(80, 443, 5060), udp_heads=(b"INVI",)),
    Ask(protocol="rtp", rtp_payload_bytes=(4, 160)),
)
FOLDERS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []
UNREAD = b"XCP\0"
"""The Sniffer format of NetXRay: neither pcap nor pcapng."""

pytestmark = needs_corpus


def readable() -> list[Path]:
    return [path for path in captures(*FOLDERS) if path.read_bytes()[:4] != UNREAD]


@pytest.mark.parametrize("path", readable(), ids=lambda path: path.name)
def test_a_real_capture_is_counted_as_tshark_does_and_read_alike_in_both_ways(path: Path) -> None:
    fast = Captures([path], ASKS)
    frames = list(fast)
    with path.open("rb") as file:
        slow = Captures(["-"], ASKS, stdin=file)
        assert [frame._replace(capture=path.name) for frame in slow] == by_number(frames)
    (report,) = fast.reports
    truth = truth_of(path)
    assert (report.frames, report.wanted) == (truth["packets"], len(frames))
    assert report.first == pytest.approx(truth["first_ts"] * 1e9, abs=1000)
    assert report.last == pytest.approx(truth["last_ts"] * 1e9, abs=1000)
    assert all("link type" in damage.what for damage in report.damage)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "sip/b2bua-asterisk.pcapng",
        "h323/rtp_example.raw.gz",
        "malformed/fuzzed-aaa.pcap",
        "malformed/ossfuzz_seed_fake_traces_1.pcapng",
        "pstn/isup.cap",
        "dtmf/SIP_DTMF2.cap",
    ],
)
def test_numbers_and_times_are_those_of_tshark(name: str) -> None:
    path = CORPUS / name
    if not path.exists():
        pytest.skip(f"{name} is not in the corpus")
    asked = [
        "tshark",
        "-r",
        str(path),
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "frame.time_epoch",
        "-e",
        "frame.len",
    ]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    told = {}
    for line in lines:
        number, at, length = line.split("\t")
        seconds, _, fraction = at.partition(".")
        told[int(number)] = (int(seconds) * 10**9 + int(fraction.ljust(9, "0")), int(length))
    frames = list(Captures([path], ASKS))
    assert {frame.number: (frame.at, frame.length) for frame in frames}.items() <= told.items()
