"""What a pcapng tells of frames that never came into it (draft-ietf-opsawg-pcapng, section 4.6)."""

from pathlib import Path
from struct import pack

import pytest

from tests.sources.savefiles import (
    INVITE,
    block,
    enhanced,
    ethernet,
    interface,
    ipv4,
    read_file,
    read_stream,
    section,
    udp,
)

SIP = ethernet(ipv4(17, udp(40000, 5060, INVITE)))
IFDROP, OSDROP = 5, 7


def statistics(port: int = 0, order: str = "<", **drops: int) -> bytes:
    """An Interface Statistics Block."""
    options = b"".join(
        pack(order + "HHQ", {"interface": IFDROP, "system": OSDROP}[name], 8, count) for name, count in drops.items()
    )
    return block(5, pack(order + "III", port, 0, 0) + options + bytes(4), order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_kinds_of_drops_are_read_the_last_word_of_each_interface(order: str, tmp_path: Path) -> None:
    content = b"".join(
        [
            section(order),
            interface(order),
            interface(order),
            enhanced(1, SIP, order),
            statistics(0, order, system=3, interface=1),
            enhanced(2, SIP, order),
            statistics(0, order, system=5, interface=1),
            statistics(1, order, system=7),
        ]
    )
    for frames, report in (read_file(tmp_path / "a.pcapng", content), read_stream(content)):
        assert len(frames) == 2
        assert (report.dropped_by_system, report.dropped_by_interface) == (12, 1)
        assert not report.damage


def test_each_section_counts_for_itself(tmp_path: Path) -> None:
    part = section() + interface() + enhanced(1, SIP) + statistics(system=4)
    for _, report in (read_file(tmp_path / "a.pcapng", part * 3), read_stream(part * 3)):
        assert report.dropped_by_system == 12


@pytest.mark.parametrize(
    "told",
    [
        statistics(system=2**64 - 1),
        statistics(port=9, system=4),
        block(5, b""),
        block(5, bytes(12) + pack("<HHI", OSDROP, 4, 9)),
        block(5, bytes(12) + pack("<HHI", OSDROP, 200, 9)),
    ],
    ids=["all bits", "of no interface", "empty", "too short a count", "beyond the end"],
)
def test_what_makes_no_sense_is_no_count(told: bytes, tmp_path: Path) -> None:
    content = section() + interface() + enhanced(1, SIP) + told + enhanced(2, SIP)
    for frames, report in (read_file(tmp_path / "a.pcapng", content), read_stream(content)):
        assert len(frames) == 2
        assert (report.dropped_by_system, report.dropped_by_interface) == (0, 0)
