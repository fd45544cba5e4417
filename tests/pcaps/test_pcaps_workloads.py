"""The workloads are well formed, hold what their truth says, and are the same each time."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from bench.traffic import START, TRUNK, Call, Direction, Ends, Timed, pressed, write
from bench.workloads import WORKLOADS, Truth, expected_files, make, meeting_number, outsider, person

FIRST = 3_000


def first_of(name: str) -> list[Timed]:
    return list(islice(WORKLOADS[name](Truth()), FIRST))


def call() -> Call:
    return Call(
        n=7,
        at=START,
        caller="+31205551000",
        target="sip:27310000000@ministry.webex.com",
        callee="198.51.100.20",
        lasts=10**10,
    )


@pytest.mark.parametrize("name", ["trunk", "mixed"])
def test_frames_come_in_the_order_of_time_and_the_same_each_time(name: str) -> None:
    frames = first_of(name)
    assert [at for at, _ in frames] == sorted(at for at, _ in frames)
    assert frames == first_of(name)


def test_a_call_has_seven_messages_of_one_dialog() -> None:
    texts = [text.decode() for _, _, text in call().messages()]
    assert [text.split()[0] if not text.startswith("SIP") else text.split()[1] for text in texts] == [
        "INVITE",
        "100",
        "180",
        "200",
        "ACK",
        "BYE",
        "200",
    ]
    assert len({text.split("Call-ID: ")[1].split("\r\n")[0] for text in texts}) == 1
    for text in texts:
        head, _, body = text.partition("\r\n\r\n")
        assert f"Content-Length: {len(body)}" in head


def test_checksums_are_right() -> None:
    ends = Ends(TRUNK, "198.51.100.20", 40_000, 5060)
    for raw in (ends.segment(b"odd bytes", 7), ends.segment(b"", 9, flags=0x02), ends.datagram(b"even bytes")):
        frame = Ether(raw)
        layer = TCP if TCP in frame else UDP
        kept = frame[IP].chksum, frame[layer].chksum
        del frame[IP].chksum
        if layer is TCP:
            del frame[layer].chksum
        again = Ether(bytes(frame))
        assert (again[IP].chksum, again[layer].chksum) == kept


def keys_of(frames: Iterator[Timed]) -> list[int]:
    """The event of each telephone-event packet, in order."""
    return [frame[54] for _, frame in frames if len(frame) == 58 and frame[43] & 0x7F == 101]


def test_keys_are_three_updates_and_three_ends_each() -> None:
    ends = Ends(TRUNK, "198.51.100.20", 16_384, 16_386)
    assert keys_of(pressed(call(), "2#", 1, ends)) == [2] * 6 + [11] * 6


def test_keys_stand_in_the_place_of_sound() -> None:
    from random import Random

    side = Direction(Ends(TRUNK, "198.51.100.20", 16_384, 16_386), 8, Random(1), "5*")
    frames = [(0, side.packet()) for _ in range(200)]
    assert keys_of(iter(frames)) == [5] * 6 + [10] * 6
    assert [int.from_bytes(frame[44:46], "big") for _, frame in frames] == list(range(200))


def test_everybody_invited_has_a_number_of_their_own() -> None:
    numbers = [person(m, seat) for m in range(40) for seat in range(10)] + [outsider(n) for n in range(150)]
    assert len(set(numbers)) == len(numbers)
    assert len({meeting_number(m) for m in range(40)}) == 40
    assert len(expected_files()) == 42


def test_the_truth_counts_who_is_not_invited() -> None:
    truth = Truth()
    truth.admits(person(0, 0))
    truth.admits(outsider(3))
    assert (truth.joins, truth.alerts, truth.uninvited) == (2, {"uninvited-participant": 1}, ["tel:+493023125003"])


def test_a_workload_is_a_folder_that_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(truth: Truth) -> Iterator[Timed]:
        truth.messages = 7
        return call().datagrams()

    monkeypatch.setitem(WORKLOADS, "trunk", short)
    truth = make("trunk", tmp_path)
    assert (truth.packets, truth.messages) == (7, 7)
    assert {path.name for path in tmp_path.iterdir()} == {
        "trunk.pcap",
        "meetings",
        "directory.vcf",
        "policy.toml",
        "truth.json",
    }


def test_what_is_written_is_a_capture(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    assert write(path, [(START, b"12345")]) == 1
    assert path.read_bytes()[24:] == (START // 10**9).to_bytes(4, "little") + bytes(4) + b"\5\0\0\0\5\0\0\x0012345"
