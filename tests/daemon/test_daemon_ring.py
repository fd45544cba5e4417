"""The ring itself: tags that the kernel takes off, links without Ethernet, frames of every size, and who reads it when.

Blocks stay ours until they are given back: whoever reads after us finds them again, under the same numbers.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitor.daemon.page import Left, Page
from monitor.model.packets import Frame
from monitor.sources.live.blocks import Instruction, RingError
from monitor.sources.live.ring import Ring
from tests.daemon.stage import Mirror, mirror, needs_root

EVERYTHING: Sequence[Instruction] = ((0x06, 0, 0, 0x40000),)
TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001
SIZE = 2 * 1024 * 1024
HEAD = bytes.fromhex("020000000001020000000002")
IP = bytes.fromhex("0800") + b"\x45\0\0\x1c" + bytes(4) + b"\x40\x11\0\0\xc0\0\x02\x01\xc0\0\x02\x02" + bytes(8)


def ip(*words: str) -> None:
    """The program of that name."""
    subprocess.run(["ip", *words], check=True)


def ring_at(port: Mirror, **more: bool) -> Ring:
    """A ring on the watched end, without a filter."""
    return Ring.opened(port.near, lambda _: EVERYTHING, size=SIZE, **more)


def taken(ring: Ring, count: int, *, keep: bool = False) -> list[Frame]:
    """The next frames, as many as that; fails when they do not come."""
    found: list[Frame] = []
    end = time.monotonic() + 5
    while len(found) < count and time.monotonic() < end:
        frames = ring.take()
        found += frames
        if frames and not keep:
            ring.give_back()
    assert len(found) == count
    return found


@pytest.mark.parametrize(
    "tags",
    [b"", b"\x81\0\0\x64", b"\x81\0\x20\x64", b"\x88\xa8\0\x0a\x81\0\0\x64", b"\x88\xa8\0\x0a\x81\0\0\x64\x81\0\0\x07"],
    ids=["none", "802.1Q", "with priority", "QinQ", "three"],
)
def test_a_frame_is_as_it_was_on_the_wire_with_all_its_tags(tags: bytes) -> None:
    frame = HEAD + tags + IP
    with mirror("jwtag") as port, closing(ring_at(port)) as ring:
        port.send([frame])
        (seen,) = taken(ring, 1)
        assert (seen.data, seen.length, seen.link, seen.capture, seen.number) == (frame, len(frame), 1, port.near, 1)
        assert abs(seen.at - time.time_ns()) < 10**9


def test_jumbo_frames_are_whole() -> None:
    with mirror("jwjumbo") as port:
        for end in (port.far, port.near):
            ip("link", "set", end, "mtu", "9000")
        with closing(ring_at(port)) as ring:
            frames = [HEAD + IP + bytes(size) for size in (100, 1500, 8900)]
            port.send(frames)
            assert [seen.data for seen in taken(ring, 3)] == frames


def test_bare_ip_comes_from_a_tunnel_interface() -> None:
    needs_root()
    name = "jwtun0"
    tun = Path("/dev/net/tun")
    if not tun.exists():
        pytest.skip("there is no /dev/net/tun")
    ip("tuntap", "add", name, "mode", "tun")
    descriptor = os.open(tun, os.O_RDWR)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
        ip("link", "set", name, "up")
        with closing(Ring.opened(name, lambda _: EVERYTHING, size=SIZE)) as ring:
            os.write(descriptor, IP[2:])
            seen: list[Frame] = []
            while not any(frame.data[:1] == b"\x45" for frame in seen):  # the kernel itself may speak IPv6 there
                seen = taken(ring, 1)
            assert [(frame.link, frame.data) for frame in seen] == [(12, IP[2:])]
    finally:
        os.close(descriptor)
        ip("tuntap", "del", name, "mode", "tun")


def test_an_interface_is_promiscuous_as_long_as_somebody_wants_it() -> None:
    with mirror("jwprom") as port:
        flags = Path(f"/sys/class/net/{port.near}/flags")
        assert not int(flags.read_text(), 16) & 0x100
        own = ring_at(port, promiscuous=False)
        counts = []
        with closing(ring_at(port)) as ring:
            counts.append(_promiscuity(port.near))
            own.bind_again()
            counts.append(_promiscuity(port.near))
            ring.bind_again()
        own.close()
        counts.append(_promiscuity(port.near))
        assert counts == [1, 1, 0]


def _promiscuity(interface: str) -> int:
    told = subprocess.run(["ip", "-d", "-j", "link", "show", interface], capture_output=True, check=True).stdout
    return int(json.loads(told)[0]["promiscuity"])


def test_what_was_not_given_back_is_found_again_under_the_same_numbers() -> None:
    with mirror("jwagain") as port, closing(ring_at(port)) as first:
        page = Page(Page.made())
        frames = [HEAD + IP + bytes([n]) for n in range(9)]
        for part in (frames[:3], frames[3:6], frames[6:]):
            sequence, before = first.sequence, first.number
            port.send(part)
            assert [seen.data for seen in taken(first, 3, keep=True)] == part
            if part is frames[:3] or part == frames[:3]:
                page.finish(0, sequence, before, 3)
                first.give_back()
        again = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, fileno=os.dup(first.fileno()))
        with closing(Ring(again, port.near, SIZE)) as second:
            second.number = page.number(0, second.sequence)
            assert [(seen.number, seen.data) for seen in taken(second, 6)] == list(enumerate(frames, 1))[3:]
            assert second.finished == 6


def test_a_full_ring_is_not_read_twice() -> None:
    with mirror("jwwhole") as port:
        ring = Ring.opened(port.near, lambda _: EVERYTHING, size=4 * 128 * 1024)
        with closing(ring):
            port.send([HEAD + IP + bytes(1000)] * 1000)
            time.sleep(0.05)
            held = []
            while frames := ring.take():
                held.append(len(frames))
            assert len(held) == 4
            assert ring.statistics().dropped == 1000 - sum(held)
            ring.give_back()
            assert ring.finished == held[0]


def test_an_interface_that_is_not_there_is_named() -> None:
    needs_root()
    with pytest.raises(RingError, match="jwnone: there is no such interface"):
        Ring.opened("jwnone", lambda _: EVERYTHING, size=SIZE)


def test_the_page_tells_of_what_a_decoder_died() -> None:
    descriptor = Page.made()
    page = Page(descriptor)
    assert page.left is None
    page.begin(1, 7, 3)
    assert Page(descriptor).left == Left(ring=1, block=7, place=3)
    page.end()
    assert Page(descriptor).left is None
    assert not page.is_quarantined(b"frame")
    page.accuse(b"frame")
    Page(descriptor).accuse(b"frame")
    assert Page(descriptor).is_quarantined(b"frame")


def test_frames_keep_their_numbers_across_a_death() -> None:
    page = Page(Page.made())
    assert page.number(0, 5) == 0
    page.finish(0, 5, 100, 20)
    assert page.number(0, 5) == 100  # noted, and not given back
    assert page.number(0, 6) == 120
    assert page.number(1, 6) == 0


def test_what_serve_was_not_told_of_is_told_by_the_next_decoder() -> None:
    descriptor = Page.made()
    page = Page(descriptor)
    assert page.told(0, 0) == (0, 0)
    page.tell(0, 100, 7)
    assert Page(descriptor).told(0, 120) == (100, 7)
    page.tell(0, 2**32 + 5, 0)
    assert Page(descriptor).told(0, 2**32 + 9) == (2**32 + 5, 0)
    assert page.told(43, 50) == (0, 0)
    page.tell(44, 50, 1)
    assert page.told(44, 50) == (50, 0)  # there is no room for so many rings: then what is lost is lost
