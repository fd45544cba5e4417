"""Live as in a replay: what arrives is recorded beside the daemon, and the replay of the recording says the same."""

import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.daemon.wanted import Wanted
from monitor.model.asks import Ask
from monitor.sources.live.ring import Ring
from pcaps.generator import phone
from pcaps.generator.wire import SECOND
from pcaps.stories.town import ACCESS, BRIDGE, NUMBERS, PIN, SBC, TRUNK
from tests.corpus import ROOT
from tests.daemon.stage import NUMBER, Daemon, daemon, frames_of, intruder_by_phone, intruder_by_sip, mirror, today

OUTSIDER = "+31205550177"
SIZE = 2 * 1024 * 1024


def invited_by_phone(name: str, who: str) -> list[tuple[float, bytes]]:
    """Somebody who is invited dials in with number and PIN."""
    world = today(name)
    call = world.call(phone(NUMBERS[who]), ACCESS, (TRUNK, SBC, BRIDGE), at=time.time_ns() // SECOND * SECOND)
    call.ring(after=0.01).answer(after=0.02)
    for group in (f"{NUMBER}#", f"{PIN}#"):
        call.keys(group, after=0.05, gap=0.02)
    return frames_of(world)


def said(lines: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    """Joins and alerts, by what they are and their ids."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in lines:
        if line["type"] == "alert":
            found["alert", line["rule"], line["subject"], line["id"], str(line["count"])] += 1
        elif line["type"] == "join":
            found["join", line["verdict"], line["subject"], line["method"]] += 1
    return found


@pytest.mark.parametrize("capture", [{}, {"backend": "libpcap"}], ids=["ring", "libpcap"])
def test_live_and_the_replay_of_what_arrived_say_the_same(tmp_path: Path, capture: dict[str, Any]) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("there is no tcpdump")
    recording = tmp_path / "recording.pcap"
    with mirror("jwsame") as port, daemon(tmp_path, [port.near], capture=capture) as running:
        command = [
            "tcpdump",
            "-i",
            port.near,
            "-w",
            str(recording),
            "-U",
            "--immediate-mode",
            "--time-stamp-precision=nano",
            "-Z",
            "root",
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tcpdump:
            assert tcpdump.stderr is not None
            assert "listening" in tcpdump.stderr.readline()
            port.play(intruder_by_phone("by phone", OUTSIDER))
            port.send([frame for _, frame in intruder_by_sip("by sip", "mallory")])
            port.play(invited_by_phone("invited", "bram"))
            port.send([frame for _, frame in intruder_by_sip("another", "trudy")])
            running.wait(lambda: len(running.alerts()) >= 4, "every alert")
            running.wait(lambda: said(running.journal())["join", "invited", f"tel:{NUMBERS['bram']}", "pstn"], "Bram")
            port.send([SIP])  # so that the recording, too, lasts until everybody is admitted
            time.sleep(0.2)
            tcpdump.send_signal(signal.SIGINT)
        live = said(running.journal())
    out = tmp_path / "replayed.jsonl"
    lists = tmp_path / "lists"
    words = ["--meetings", str(lists / "now.ics"), "--directory", str(lists / "people.csv")]
    words += ["--policy", str(lists / "policy.toml"), "--json", str(out)]
    replay = [sys.executable, "-m", "monitor", "replay", str(recording), *words]
    assert subprocess.run(replay, cwd=ROOT, capture_output=True, check=False).returncode == 0
    replayed = said([msgspec.json.decode(line) for line in out.read_bytes().splitlines()])
    assert replayed == live
    assert sum(kind == "alert" for kind, *_ in live) >= 4


def test_one_meeting_seen_on_two_interfaces_is_one_meeting(tmp_path: Path) -> None:
    with mirror("jwone") as one, mirror("jwtwo") as two, daemon(tmp_path, [one.near, two.near]) as running:
        frames = [frame for _, frame in intruder_by_sip("on two", "mallory")]
        for place, frame in enumerate(frames):  # requests here, answers there
            (one if place % 2 else two).send([frame])
        two.send([frame for _, frame in intruder_by_sip("on the other", "trudy")])
        running.wait(lambda: len(running.alerts()) >= 2, "both alerts")
        assert sorted(subject for _, subject in running.alerts()) == [
            "sip:mallory@elsewhere.example",
            "sip:trudy@elsewhere.example",
        ]
        assert running.metric("joinwatch_meetings_active") == 1
        running.wait(lambda: all(running.metric(series(port.near)) for port in (one, two)), "packets of both")


def series(interface: str) -> str:
    """What was taken from it."""
    return f'joinwatch_interface_packets_total{{fate="taken",interface="{interface}"}}'


def test_what_comes_while_nobody_lives_is_seen_by_the_next_life(tmp_path: Path) -> None:
    with mirror("jwnobody") as port:
        running = Daemon(tmp_path, [port.near], kept=True)
        try:
            running.start()
            running.kill()
            port.send([frame for _, frame in intruder_by_sip("while all are dead", "mallory")])
            running.start()
            running.wait(running.alerts, "an alert")
            assert running.alerts() == [("uninvited-participant", "sip:mallory@elsewhere.example")]
        finally:
            running.stop()


def datagram(source: int, target: int, payload: bytes, to: bytes = b"\xc0\0\x02\x02") -> bytes:
    """An Ethernet frame with that in a UDP datagram."""
    udp = struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + b"\xc0\0\x02\x01" + to
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + udp


MEDIA = datagram(16384, 16386, b"\x80\x08" + bytes(170))
SIP = datagram(5060, 5060, b"OPTIONS sip:a@example.com SIP/2.0\r\n\r\n")


def in_vxlan(frame: bytes) -> bytes:
    """The frame in the tunnel of RFC 7348."""
    return datagram(40000, 4789, b"\x08\0\0\0\0\0\x2a\0" + frame)


def drained(ring: Ring, wanted: Wanted | None = None) -> int:
    """How many frames the kernel lets through, of all that was sent by now."""
    count, end = 0, time.monotonic() + 0.15
    while time.monotonic() < end:
        for frame in (frames := ring.take()):
            count += 1
            if wanted is not None:
                wanted.look(frame)
        if frames:
            ring.give_back()
    return count


def unfiltered(_: int) -> list[tuple[int, int, int, int]]:
    """Everything, until somebody knows better."""
    return [(0x06, 0, 0, 0x40000)]


@pytest.mark.parametrize("tag", [b"", b"\x81\0\0\x64"], ids=["untagged", "in a VLAN"])
def test_media_in_a_tunnel_is_dropped_by_the_kernel_once_a_tunnel_was_looked_at(tag: bytes) -> None:
    media, sip = (frame[:12] + tag + frame[12:] for frame in (in_vxlan(MEDIA), in_vxlan(SIP)))
    with mirror("jwvxlan") as port, closing(Ring.opened(port.near, unfiltered, size=SIZE)) as ring:
        wanted = Wanted([ring])
        ring.attach(wanted.program(ring.link))
        port.send([media] * 30)
        assert drained(ring, wanted) == 30
        assert wanted.counts["filters_renewed"] == 1
        ring.statistics()
        port.send([media] * 30 + [sip] * 3)
        assert drained(ring, wanted) == 3
        assert ring.statistics().passed == 3


def test_a_port_that_is_asked_for_passes_and_a_filter_that_is_too_long_changes_nothing() -> None:
    odd = datagram(7007, 7007, b"no method")
    with mirror("jwwiden") as port, closing(Ring.opened(port.near, unfiltered, size=SIZE)) as ring:
        wanted = Wanted([ring])
        ring.attach(wanted.program(ring.link))
        port.send([odd, SIP, MEDIA])
        assert drained(ring) == 1
        wanted.widen(Ask(protocol="sip", udp_ports=(7007,)))
        port.send([odd, SIP, MEDIA])
        assert drained(ring) == 2
        for place in range(127):
            wanted.widen(Ask(protocol="sip", tcp_ports=(20_000 + 37 * place,)))
        assert wanted.counts["filters_refused"] > 0
        port.send([odd, SIP, MEDIA])
        assert drained(ring) == 2


class Listed:
    """As much of a ring as the filter needs."""

    link = 1

    def __init__(self) -> None:
        self.attached = 0

    def attach(self, program: object) -> None:
        self.attached += bool(program)


def test_the_lists_may_come_before_the_rings() -> None:
    rings: list[Any] = []
    wanted = Wanted(rings)
    rings.append(ring := Listed())
    wanted.widen(Ask(protocol="sip", tcp_ports=(7000,)))
    assert (ring.attached, wanted.counts["filters_renewed"]) == (1, 1)
    wanted.widen(Ask(protocol="sip", tcp_ports=(7000,)))
    assert wanted.counts["filters_refused"] == 0
