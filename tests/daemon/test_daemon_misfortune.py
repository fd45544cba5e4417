"""A full disk, an interface that goes and comes, a clock that jumps: nothing is lost that could be kept."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.daemon.stage import Daemon, intruder_by_sip, mirror, needs_root


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of that size."""
    needs_root()
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    filler = folder / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    for size in (65536, 4096, 1):
        with suppress(OSError):
            while True:
                os.write(descriptor, bytes(size))
    os.close(descriptor)
    return filler


def test_a_full_disk_ends_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with mirror("jwfull") as port, small_disk(tmp_path / "state", 4) as disk:
        running = Daemon(tmp_path, [port.near])
        try:
            running.start()
            pids = running.pid_of("decode"), running.pid_of("serve")
            filler = fill(disk)
            for place in range(30):
                port.send([frame for _, frame in intruder_by_sip(f"full {place}", f"mallory{place}")])
            time.sleep(1.5)
            assert len(running.alerts()) < 30
            filler.unlink()
            running.wait(lambda: len(running.alerts()) >= 30, "every alert once there is room again")
            assert sorted(running.alerts()) == sorted({*running.alerts()})
            assert len(running.alerts()) == 30
            assert (running.pid_of("decode"), running.pid_of("serve")) == pids
        finally:
            running.stop()


def test_an_interface_that_goes_down_and_comes_up_is_captured_again(tmp_path: Path) -> None:
    with mirror("jwupdown") as port:
        running = Daemon(tmp_path, [port.near])
        try:
            running.start()
            for round_ in range(3):
                port.set("down")
                time.sleep(0.3)
                port.set("up")
                time.sleep(0.2)

                def seen(round_: int = round_) -> bool:
                    """Sent again and again, since what is sent before the link is up goes nowhere."""
                    with suppress(OSError):
                        port.send([frame for _, frame in intruder_by_sip(f"up {round_}", f"mallory{round_}")])
                    return any(f"mallory{round_}" in subject for _, subject in running.alerts())

                begun = time.monotonic()
                running.wait(seen, "an alert after the interface came up", 8)
                assert time.monotonic() - begun < 5
        finally:
            running.stop()


def test_an_interface_that_is_made_anew_is_captured_again(tmp_path: Path) -> None:
    with mirror("jwanew") as port:
        running = Daemon(tmp_path, [port.near])
        try:
            running.start()
            port.close()
            time.sleep(0.5)
            with mirror("jwanew") as again:

                def seen() -> bool:
                    with suppress(OSError):
                        again.send([frame for _, frame in intruder_by_sip("anew", "mallory")])
                    return bool(running.alerts())

                begun = time.monotonic()
                running.wait(seen, "an alert after the interface was made anew", 8)
                assert time.monotonic() - begun < 5
        finally:
            running.stop()
