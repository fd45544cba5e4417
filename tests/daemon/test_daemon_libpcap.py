"""Live capture by libpcap: frames as on the wire, each accounted for, whoever reads; and where there is no Linux."""

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from monitor.decoders import ASKS
from monitor.model.packets import Frame
from monitor.sources.filters import Filters
from monitor.sources.live.blocks import RingError
from monitor.sources.live.pump import EVERYTHING, Pump, Pumped, _grown, interfaces_up
from tests.corpus import ROOT
from tests.daemon import elsewhere
from tests.daemon.stage import Daemon, Mirror, daemon, intruder_by_phone, intruder_by_sip, mirror, needs_root

SIZE = 4 * 1024 * 1024
HEAD = bytes.fromhex("020000000001020000000002")
IP = bytes.fromhex("0800") + b"\x45\0\0\x1c" + bytes(4) + b"\x40\x11\0\0\xc0\0\x02\x01\xc0\0\x02\x02" + bytes(8)
ACCOUNT = ("taken", "filtered", "dropped")


def reader_of(pump: Pump) -> Pumped:
    """As a decoder has it."""

    def ask(program: Iterable[tuple[int, int, int, int]]) -> None:
        pump.attach(program)

    theirs = pump.welcome()
    return Pumped(os.dup(pump.memory), theirs, pump.interface, pump.size, pump.block, pump.link, ask)


@contextmanager
def pumping(port: Mirror, **more: int) -> Iterator[tuple[Pump, Pumped]]:
    """Everything that arrives at the watched end, and a reader of it."""
    pump = Pump(port.near, lambda _: EVERYTHING, **{"size": SIZE, **more})
    with closing(pump), closing(reader_of(pump)) as ring:
        yield pump, ring


def taken(pump: Pump, ring: Pumped, count: int, *, keep: bool = False) -> list[Frame]:
    """The next frames, as many as that; fails when they do not come."""
    found: list[Frame] = []
    end = time.monotonic() + 5
    while len(found) < count and time.monotonic() < end:
        pump.fill()
        frames = ring.take()
        found += frames
        if frames and not keep:
            ring.give_back()
    assert len(found) == count
    return found


@pytest.mark.parametrize("tags", [b"", b"\x81\0\x20\x64", b"\x88\xa8\0\x0a\x81\0\0\x64"], ids=["none", "one", "two"])
def test_a_frame_is_as_it_was_on_the_wire(tags: bytes) -> None:
    frame = HEAD + tags + IP
    with mirror("jwptag") as port, pumping(port) as (pump, ring):
        port.send([frame])
        (seen,) = taken(pump, ring, 1)
        assert (seen.data, seen.length, seen.link, seen.capture, seen.number) == (
            frame,
            len(frame),
            1,
            port.near,
            1,
        )
        assert abs(seen.at - time.time_ns()) < 10**9


def test_libpcap_lets_through_live_what_it_lets_through_of_a_file(tmp_path: Path) -> None:
    media = HEAD + b"\x08\0" + struct.pack("!BBHHHBBH8s", 0x45, 0, 48, 1, 0, 64, 17, 0, b"\xc0\0\x02\x01\xc0\0\x02\x02")
    media += struct.pack("!HHHH", 16384, 16386, 28, 0) + b"\x80\x08" + bytes(18)
    frames = [frame for _, frame in (*intruder_by_phone("pumped", "+31205550177"), *intruder_by_sip("too", "mallory"))]
    frames += [media] * 50
    filters = Filters(ASKS)
    program = filters.program(1)
    wanted = [frame for frame in frames if filters.wants(program, frame, len(frame))]
    assert 0 < len(wanted) < len(frames)
    with mirror("jwplive") as port, pumping(port) as (pump, ring):
        pump.attach(program)
        port.send(frames)
        assert [seen.data for seen in taken(pump, ring, len(wanted))] == wanted
        assert pump.totals()[1:] == (0, 0)


def test_what_was_not_given_back_is_found_again_by_the_next_reader() -> None:
    with mirror("jwpagain") as port, closing(Pump(port.near, lambda _: EVERYTHING, size=SIZE)) as pump:
        frames = [HEAD + IP + bytes([n]) for n in range(6)]
        with closing(reader_of(pump)) as first:
            port.send(frames[:3])
            taken(pump, first, 3)
            port.send(frames[3:5])
            taken(pump, first, 2, keep=True)
        port.send(frames[5:])
        time.sleep(0.05)
        pump.fill()
        with closing(reader_of(pump)) as second:
            assert [seen.data for seen in taken(pump, second, 3)] == frames[3:]
            assert second.finished == 3


def test_when_the_memory_is_full_libpcap_counts_what_it_drops_and_nothing_else_is_lost() -> None:
    sent = 6000
    with mirror("jwpfull") as port, pumping(port, size=1024 * 1024) as (pump, ring):
        for number in range(sent):
            port.send([HEAD + IP + number.to_bytes(4, "big") + bytes(900)])
            if number % 200 == 0:
                pump.fill()
        numbers, quiet = [], time.monotonic()
        while time.monotonic() - quiet < 0.3:
            pump.fill()
            if frames := ring.take():
                numbers += [int.from_bytes(seen.data[-904:-900], "big") for seen in frames]
                ring.give_back()
                quiet = time.monotonic()
        assert numbers == sorted(set(numbers))
        dropped = pump.totals().dropped
        assert dropped > 0
        assert len(numbers) + dropped == sent
        ring.dropped = dropped
        assert (ring.statistics().dropped, ring.statistics().dropped) == (dropped, 0)


@pytest.mark.parametrize(
    ("before", "now", "grown"),
    [(5, 9, 4), (2**32 - 3, 2, 5), (9, 5, 0), (0, 0, 0)],
    ids=["more", "around", "less", "none"],
)
def test_counts_of_libpcap_go_on_behind_their_largest(before: int, now: int, grown: int) -> None:
    assert _grown(before, now) == grown


def test_a_slow_reader_is_told_of_very_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 900  # more than a socket holds of bytes that are sent one by one
    monkeypatch.setattr("monitor.sources.live.pump.AT_ONCE", 1)
    with mirror("jwplate") as port:
        for end in (port.far, port.near):
            subprocess.run(["ip", "link", "set", end, "mtu", "9000"], check=True)
        with pumping(port, block=4096, size=16 * 1024 * 1024) as (pump, ring):
            frames = [HEAD + IP + number.to_bytes(2, "big") + bytes(3000) for number in range(count)]
            for at in range(0, count, 100):
                port.send(frames[at : at + 100])
                time.sleep(0.05)
                for _ in range(120):
                    pump.fill()  # a block at a time
            assert [seen.data for seen in taken(pump, ring, count)] == frames


def test_a_frame_longer_than_a_block_is_cut_and_its_length_is_told() -> None:
    with mirror("jwplong") as port:
        for end in (port.far, port.near):
            subprocess.run(["ip", "link", "set", end, "mtu", "9000"], check=True)
        with pumping(port, block=4096) as (pump, ring):
            port.send([HEAD + IP + bytes(8900), HEAD + IP])
            long, short = taken(pump, ring, 2)
            assert (len(long.data), long.length) == (4096 - 96, len(HEAD + IP) + 8900)
            assert short.data == HEAD + IP


def test_an_interface_that_goes_and_comes_back_is_captured_again() -> None:
    with mirror("jwpdown") as port, pumping(port) as (pump, ring):
        port.send([HEAD + IP])
        taken(pump, ring, 1)
        port.set("down")
        assert port.near not in interfaces_up()
        port.set("up")
        assert port.near in interfaces_up()
        port.send([HEAD + IP + b"up"])
        assert taken(pump, ring, 1)[0].data == HEAD + IP + b"up"
        port.close()
        end = time.monotonic() + 5
        while pump.is_open and time.monotonic() < end:
            pump.fill()
        assert (pump.is_open, pump.fileno(), pump.revive()) == (False, -1, False)
        received = pump.totals().received
        again = type(port)(port.near[: -len(f"{os.getpid():x}b")])
        try:
            assert pump.revive()
            again.send([HEAD + IP + b"back"])
            assert taken(pump, ring, 1)[0].data == HEAD + IP + b"back"
            assert pump.totals().received == received + 1
        finally:
            again.close()


def test_an_interface_that_is_not_there_is_named() -> None:
    needs_root()
    with pytest.raises(RingError, match="jwpnone: "):
        Pump("jwpnone", lambda _: EVERYTHING, size=SIZE)


def account(running: Daemon, interface: str) -> list[float]:
    """What became of the packets of an interface."""
    series = 'joinwatch_interface_packets_total{{fate="{}",interface="{}"}}'
    return [running.metric(series.format(fate, interface)) or 0 for fate in ACCOUNT]


def received(interface: str) -> int:
    """By its own count."""
    return int(Path(f"/sys/class/net/{interface}/statistics/rx_packets").read_text(encoding="ascii"))


@pytest.mark.parametrize("backend", ["ring", "libpcap"])
def test_the_account_adds_up_across_deaths_of_its_decoder(tmp_path: Path, backend: str) -> None:
    with mirror("jwpdie") as port:
        begun = received(port.near)
        with daemon(tmp_path, [port.near], capture={"backend": backend}) as running:
            silent = HEAD + IP
            for number in range(3):
                frames = [frame for _, frame in intruder_by_sip(f"pumped {number}", f"mallory{number}")]
                port.send([*frames[:2], silent])
                running.kill("decode")
                port.send([*frames[2:], silent])
                running.wait(lambda: running.is_decoding, "a decoder at work")
            port.set("down")
            running.wait(lambda: running.metric("joinwatch_interface_up") == 0, "the interface down")
            port.set("up")
            running.wait(lambda: running.metric("joinwatch_interface_up") == 1, "the interface up")
            port.send([frame for _, frame in intruder_by_sip("pumped again", "trudy")])
            running.wait(lambda: len(running.alerts()) >= 4, "every alert")
            sent = received(port.near) - begun
            # What is filtered is what is left of what was received: that it is the six frames that nobody wanted proves
            # that every other one was taken, and none twice.
            expected = [sent - 6, 6, 0]
            running.wait(lambda: account(running, port.near) == expected, f"an account of {expected}")
        subjects = [subject for _, subject in running.alerts()]
        assert sorted(subjects) == [f"sip:mallory{n}@elsewhere.example" for n in range(3)] + [
            "sip:trudy@elsewhere.example"
        ]


def test_as_three_services_one_decoder_follows_another(tmp_path: Path) -> None:
    with mirror("jwproles") as port, ExitStack() as stack:
        running = Daemon(tmp_path, [port.near], capture={"backend": "libpcap"})
        log = stack.enter_context(running.log.open("ab"))

        def start(role: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([*running.command, "--role", role], cwd=ROOT, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("capture")
        start("serve")
        decoder = start("decode")
        running.wait(lambda: running.metric("joinwatch_interface_up") == 1, "an interface")
        port.send([frame for _, frame in intruder_by_sip("as services", "mallory")])
        running.wait(running.alerts, "an alert")
        decoder.kill()
        decoder.wait()
        port.send([frame for _, frame in intruder_by_sip("while nobody reads", "trudy")])
        start("decode")
        running.wait(lambda: len(running.alerts()) == 2, "the alert of what came meanwhile")
        assert "Traceback" not in running.log.read_text(encoding="utf-8")


def test_every_module_can_be_imported_where_there_is_no_linux(tmp_path: Path) -> None:
    program = (
        "import importlib, pkgutil, sys, monitor\n"
        "assert sys.platform == 'darwin'\n"
        "names = [m.name for m in pkgutil.walk_packages(monitor.__path__, 'monitor.') if '__main__' not in m.name]\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **elsewhere.environment(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) > 200


def test_where_there_is_no_linux_it_watches_by_libpcap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first").mkdir()
    with mirror("jwpmac") as port:
        for name, value in elsewhere.environment(tmp_path / "first").items():
            monkeypatch.setenv(name, value)
        running = Daemon(tmp_path, [port.near])
        try:
            running.start(ready=False)
            running.wait(lambda: running.metric("joinwatch_interface_up") == 1, "an interface", 30)
            port.play(intruder_by_phone("elsewhere", "+31205550177"))
            running.wait(lambda: len(running.alerts()) >= 2, "both alerts")
            decoder = running.pid_of("decode")
            port.send([frame for _, frame in intruder_by_sip("elsewhere too", "mallory")])
            running.kill("decode")
            running.wait(lambda: running.pid_of("decode") not in (0, decoder), "another decoder")
            running.wait(lambda: len(running.alerts()) >= 3, "the third alert")
            serve = running.pid_of("serve")
            running.kill()
            running.wait(lambda: not Path(f"/proc/{serve}").exists(), "the end of serve, without its trunk")
        finally:
            running.stop()
        log = running.log.read_text(encoding="utf-8")
        assert "this system has neither seccomp nor Landlock" in log
        assert "Traceback" not in log


def test_rings_are_refused_where_there_are_none(tmp_path: Path) -> None:
    config = tmp_path / "joinwatch.toml"
    config.write_text('state = "state"\nruntime = "run"\n[capture]\ninterfaces = ["en0"]\nbackend = "ring"\n')
    told = subprocess.run(
        [sys.executable, "-m", "monitor", "watch", "--config", str(config)],
        cwd=ROOT,
        env={**os.environ, **elsewhere.environment(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode != 0
    assert 'use backend = "libpcap"' in told.stderr
    assert "Traceback" not in told.stderr
