"""Whoever dies is replaced, whatever hangs is killed, what kills twice is left alone, and the rest goes on."""

import sys
import time
from pathlib import Path

import pytest

from tests.daemon.poisoned import DEADLY, ENDLESS
from tests.daemon.stage import Daemon, intruder_by_sip, mirror


def frame_with(text: bytes) -> bytes:
    """A SIP message in a datagram between two hosts, with that text in it."""
    payload = b"OPTIONS sip:a@example.com SIP/2.0\r\nSubject: " + text + b"\r\n\r\n"
    udp = b"\x13\xc4\x13\xc4" + (8 + len(payload)).to_bytes(2, "big") + b"\0\0"
    ip = b"\x45\0" + (28 + len(payload)).to_bytes(2, "big") + bytes(4) + b"\x40\x11\0\0\xc0\0\x02\x01\xc0\0\x02\x02"
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + udp + payload


@pytest.mark.parametrize("poison", [DEADLY, ENDLESS], ids=["dies", "hangs"])
def test_a_frame_that_kills_twice_is_left_alone_and_the_rest_goes_on(tmp_path: Path, poison: bytes) -> None:
    with mirror(f"jwp{poison[:1].decode()}") as port:
        running = Daemon(tmp_path, [port.near])
        running.command = [sys.executable, "-m", "tests.daemon.poisoned", "tree", str(running.config)]
        try:
            running.start()
            first = running.pid_of("decode")
            port.send([frame_with(poison)])
            port.send([frame for _, frame in intruder_by_sip("behind the poison", "mallory")])
            begun = time.monotonic()
            running.wait(running.alerts, "an alert about what came behind the poison", 30)
            assert running.pid_of("decode") != first
            assert time.monotonic() - begun < 20  # two deaths, each replaced within 10 seconds
            oddities = [said["what"] for said in running.journal() if said["type"] == "oddity"]
            assert [what.endswith("it is left alone from now on") for what in oddities] == [True]
        finally:
            running.stop()


def test_serve_that_dies_loses_nothing(tmp_path: Path) -> None:
    with mirror("jwserve") as port:
        running = Daemon(tmp_path, [port.near])
        try:
            running.start()
            first = running.pid_of("serve")
            running.kill("serve")
            port.send([frame for _, frame in intruder_by_sip("while nobody serves", "mallory")])
            running.wait(running.alerts, "an alert")
            assert running.pid_of("serve") != first
        finally:
            running.stop()
