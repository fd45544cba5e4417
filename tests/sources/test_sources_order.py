"""Captures whose frames are not in the order of time."""

from pathlib import Path
from random import Random

import pytest

from bench.damage import BLOCK, Packet, shuffled, write
from monitor.decoders import ASKS
from monitor.model.packets import Frame
from monitor.sources.captures import Captures
from monitor.sources.order import in_order, is_disordered
from pcaps.generator.wire import SECOND

UDP = bytes.fromhex(
    "020000000001020000000002080045000020000040004011000001020304050607081 3c413c4000c0000".replace(" ", "")
)


def packets(count: int) -> list[Packet]:
    return [Packet((1_000 + n) * SECOND, UDP + n.to_bytes(4, "big"), 46) for n in range(count)]


def frames_of(path: Path) -> list[Frame]:
    return list(Captures([path], ASKS))


@pytest.mark.parametrize("count", [2, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
def test_a_shuffled_capture_is_put_in_order(tmp_path: Path, count: int) -> None:
    plain, mixed = tmp_path / "plain.pcap", tmp_path / "mixed.pcap"
    write(plain, packets(count))
    write(mixed, shuffled(packets(count), Random(count)))
    times = [frame.at for frame in frames_of(mixed)]
    assert times == [frame.at for frame in frames_of(plain)] == [packet.at for packet in packets(count)]


def test_frames_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pcap"
    one, two, three = packets(3)
    write(path, [two, one, three])
    assert [(frame.at, frame.number) for frame in frames_of(path)] == [(one.at, 2), (two.at, 1), (three.at, 3)]


def test_an_ordered_capture_is_read_without_looking_ahead(tmp_path: Path) -> None:
    path = tmp_path / "plain.pcap"
    write(path, packets(200))
    captures = Captures([path], ASKS)
    next(iter(captures))
    assert not is_disordered(frames_of(path))
    assert captures.reports[0].wanted == 1


def test_frames_of_one_moment_stay_as_they_were() -> None:
    frames = [Frame(5, "c", number, 1, b"", 0) for number in range(1, 200)]
    assert list(in_order(frames)) == frames
    assert not is_disordered(frames)
