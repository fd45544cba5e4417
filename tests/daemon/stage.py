"""A stage for the daemon: a mirror port made of a veth pair, lists of today, calls of now, and the program itself.

Everything is this test's own: interfaces, folders, ports, processes.
"""

import array
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from scapy.utils import RawPcapReader

from pcaps.generator import Call, World, phone, sip_user
from pcaps.generator.calendar import Event, calendar_of
from pcaps.generator.wire import SECOND
from pcaps.stories.town import ACCESS, ANNA, BRIDGE, MAIL, NUMBERS, PIN, SBC, SITE, TRUNK, invited
from tests.corpus import ROOT

NUMBER = "27310400011"
"""Of the meeting of now."""
PATIENCE = 20.0


def needs_root() -> None:
    """Skips where no interfaces can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("interfaces can be made by root on Linux only")
    if subprocess.run(["ip", "link", "show"], capture_output=True, check=False).returncode:
        pytest.skip("there is no `ip` (iproute2)")


class Mirror:
    """A veth pair: what is sent into one end arrives at the other, which the daemon watches."""

    def __init__(self, name: str) -> None:
        # With the process's number: two runs of the tests at a time do not take each other's.
        own = f"{name}{os.getpid():x}"
        self.far, self.near = f"{own}a", f"{own}b"
        _ip("link", "add", self.far, "type", "veth", "peer", "name", self.near)
        for end in (self.far, self.near):
            # No address of its own: the kernel has nothing to say here.
            Path(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6").write_text("1", encoding="ascii")
            _ip("link", "set", end, "up")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((self.far, 0))

    def send(self, frames: Sequence[bytes], *, pause: float = 0.0) -> None:
        """Frames, one behind the other."""
        for frame in frames:
            self._socket.send(frame)
            if pause:
                time.sleep(pause)

    def play(self, frames: Sequence[tuple[float, bytes]], *, speed: float = 1.0) -> None:
        """Frames at their times, in seconds from now."""
        begun = time.monotonic()
        for after, frame in frames:
            time.sleep(max(0.0, begun + after / speed - time.monotonic()))
            self._socket.send(frame)

    def set(self, state: str) -> None:
        """`up` or `down`: the watched end."""
        _ip("link", "set", self.near, state)

    def close(self) -> None:
        """Both ends go."""
        self._socket.close()
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", self.far)


@contextmanager
def mirror(name: str) -> Iterator[Mirror]:
    """A mirror port for the length of a `with`. The name must be no other test's; up to 8 characters."""
    needs_root()
    made = Mirror(name)
    try:
        yield made
    finally:
        made.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def lists_of_now(folder: Path, *, admission_seconds: int = 1) -> dict[str, Any]:
    """A calendar with a meeting that goes on now, a directory and a policy, as the configuration names them."""
    begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    event = Event(
        uid="now@ministry.example",
        number=NUMBER,
        title="Beleidsoverleg",
        start=(begins + timedelta()).strftime("%Y%m%dT%H%M%S"),
        end=(begins + timedelta(hours=4)).strftime("%Y%m%dT%H%M%S"),
        zone="UTC",
        organizer=ANNA,
        pin=PIN,
        attendees=invited("bram", "carla"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    text = calendar_of([event]).replace(b";TZID=UTC:", b":").decode()
    for name in ("DTSTART", "DTEND"):
        line = next(line for line in text.split("\r\n") if line.startswith(f"{name}:2"))
        text = text.replace(line, line + "Z")
    (folder / "now.ics").write_text(text, encoding="utf-8", newline="")
    rows = [f"{MAIL[who][0]},{MAIL[who][1]},{NUMBERS[who]}" for who in ("anna", "bram", "carla")]
    (folder / "people.csv").write_text("\n".join(["name,email,phone", *rows]) + "\n", encoding="utf-8")
    (folder / "policy.toml").write_text(
        f'[site]\ntrusted_trunks = ["{TRUNK.ip}", "{SBC.ip}"]\n[site.bridges]\n"{BRIDGE.ip}" = "webex"\n'
        f'[site.access_numbers]\n"{ACCESS}" = "webex"\n[rules]\nadmission_seconds = {admission_seconds}\n'
        f'[platforms.webex]\nhosts = ["{SITE}"]\n',
        encoding="utf-8",
    )
    return {
        "meetings": [str(folder / "now.ics")],
        "directory": [str(folder / "people.csv")],
        "policy": str(folder / "policy.toml"),
    }


def frames_of(world: World) -> list[tuple[float, bytes]]:
    """What happens in that world: seconds since its first frame, and bytes."""
    packets = list(RawPcapReader(BytesIO(world.pcap())))
    times = [meta.sec + meta.usec / 1e6 for _, meta in packets]
    return [(at - times[0], bytes(raw)) for at, (raw, _) in zip(times, packets, strict=True)]


def today(name: str) -> World:
    """A world of today. Its name seeds it: another name, other Call-IDs."""
    return World(name, day=datetime.now(UTC).strftime("%Y-%m-%d"), zone="UTC")


def intruder_by_sip(name: str, user: str) -> list[tuple[float, bytes]]:
    """Somebody uninvited joins the meeting of now from a SIP address; still there at the end, which is within 0.1 s."""
    world = today(name)
    who = sip_user(f"{user}@elsewhere.example", user)
    call = world.call(who, f"sip:{NUMBER}@{SITE}", (SBC, BRIDGE), at=time.time_ns() // SECOND * SECOND)
    call.answer(after=0.05, focus=True)
    return frames_of(world)


def intruder_by_phone(name: str, number: str, *keys: str, gap: float = 0.02) -> list[tuple[float, bytes]]:
    """A telephone dials in and enters keys; by default the number of the meeting of now and `#` for the PIN."""
    world = today(name)
    call = world.call(phone(number), ACCESS, (TRUNK, SBC, BRIDGE), at=time.time_ns() // SECOND * SECOND)
    call.ring(after=0.01).answer(after=0.02)
    for group in keys or (f"{NUMBER}#", "#"):
        call.keys(group, after=0.05, gap=gap)
    return frames_of(world)


class Keeper:
    """Keeps descriptors for a daemon as systemd does, and hands them to its next life (sd_notify(3), FDSTORE)."""

    HIGH = 100
    """Above what is handed over, so that nothing is overwritten on the way."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.kept: dict[str, int] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            text, extra, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(16))
            lines = text.decode().split("\n")
            name = next((line.removeprefix("FDNAME=") for line in lines if line.startswith("FDNAME=")), "stored")
            for _, _, content in extra:
                for descriptor in array.array("i", content):
                    self._drop(name)
                    self.kept[name] = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, self.HIGH)
                    os.close(descriptor)
            if "FDSTOREREMOVE=1" in lines:
                self._drop(name)
            if "END=1" in lines:
                return

    def _drop(self, name: str) -> None:
        if name in self.kept:
            os.close(self.kept.pop(name))

    def command(self, words: Sequence[str]) -> tuple[list[str], tuple[int, ...], dict[str, str]]:
        """How to start it, with which descriptors, and what it is told of them."""
        told = {"NOTIFY_SOCKET": self.path, "LISTEN_FDS": str(len(self.kept)), "LISTEN_FDNAMES": ":".join(self.kept)}
        moves = " ".join(f"{3 + place}<&{held}" for place, held in enumerate(self.kept.values()))
        return ["bash", "-c", f'LISTEN_PID=$$ exec "$@" {moves}', "bash", *words], tuple(self.kept.values()), told

    def close(self) -> None:
        """Everything is let go."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"END=1", self.path)
        self._thread.join(5)
        self._socket.close()
        for name in list(self.kept):
            self._drop(name)


class Daemon:
    """The program, started as its operator starts it."""

    def __init__(
        self,
        folder: Path,
        interfaces: Sequence[str],
        *,
        lists: dict[str, Any] | None = None,
        kept: bool = False,
        **more: Any,
    ) -> None:
        """`more` are tables of the configuration: `capture={…}`, `serve={…}`. `kept`: somebody keeps its rings."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.keeper = Keeper(folder) if kept else None
        self.port = free_port()
        self.config = folder / "joinwatch.toml"
        self.log = folder / "log"
        self.command = [sys.executable, "-m", "monitor", "watch", "--config", str(self.config)]
        self._process: subprocess.Popen[bytes] | None = None
        capture = {"interfaces": list(interfaces), "ring_mebibytes": 32} | more.pop("capture", {})
        serve = {"listen": f"127.0.0.1:{self.port}"} | more.pop("serve", {})
        places = {"state": str(folder / "state"), "runtime": str(folder / "run")}
        document = {**(lists_of_now(folder / "lists") if lists is None else lists), **places}
        document |= {"capture": capture, "serve": serve, **more}
        self.config.write_bytes(_toml(document).encode())
        tomllib.loads(self.config.read_text(encoding="utf-8"))

    def start(self, *, ready: bool = True) -> "Daemon":
        """Start it; by default until it captures and correlates."""
        command, descriptors, told = self.keeper.command(self.command) if self.keeper else (self.command, (), {})
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=descriptors,
                env={**os.environ, "JOINWATCH_DEBUG": "1", **told},
            )
        if ready:
            self.wait(lambda: self.is_decoding, "a decoder at work")
            self.wait(lambda: self.metric("joinwatch_build_info") is not None, "metrics")
        return self

    def start_again(self, role: str) -> None:
        """After `kill(role)`: the whole tree is started anew, a branch is started by the tree; until it works."""
        if not role:
            self.start()
        self.wait(lambda: self.is_decoding, "a decoder at work")

    @property
    def is_decoding(self) -> bool:
        """Whether a decoder has begun its work."""
        decoder = self.pid_of("decode")
        return bool(decoder) and _confined(decoder)

    @property
    def pid(self) -> int:
        """Of capture, the trunk of the tree."""
        return self._process.pid if self._process else 0

    def pid_of(self, role: str) -> int:
        """Of one of its branches: `decode`, `serve`; 0 while there is none."""
        for child in _children_of(self.pid):
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if role.encode() in words:
                return child
        return 0

    def kill(self, role: str = "") -> None:
        """-9, to a branch or the whole tree."""
        pid = self.pid_of(role) if role else self.pid
        if pid:  # 0 would be everybody in this process's own group
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not role and self._process:
            self._process.wait()

    def stop(self) -> int:
        """Politely; its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        code = self._process.wait(15)
        if self.keeper is not None:
            self.keeper.close()
            self.keeper = None
        return code

    def journal(self) -> list[dict[str, Any]]:
        """Every line so far, of all its lives."""
        files = sorted((self.folder / "state" / "journal").glob("*.jsonl"))
        return [msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines()]

    def alerts(self) -> list[tuple[str, str]]:
        """Rule and subject of every alert line."""
        return [(said["rule"], said["subject"]) for said in self.journal() if said["type"] == "alert"]

    def metric(self, series: str) -> float | None:
        """The value of a series, written as in the text format; the first that begins so."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(series):
                    return float(line.rsplit(" ", 1)[1])
        return None

    def wait(self, until: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """What it gives when it gives anything; fails, with the log, when it never does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(OSError):
                if given := until():
                    return given
            time.sleep(0.02)
        pytest.fail(f"there never was {what}; the log says:\n{self.log.read_text(encoding='utf-8')[-4000:]}")


@contextmanager
def daemon(folder: Path, interfaces: Sequence[str], **settings: Any) -> Iterator[Daemon]:
    """A daemon at work, ended with the `with`."""
    running = Daemon(folder, interfaces, **settings)
    try:
        yield running.start()
    finally:
        running.stop()


def free_port() -> int:
    """One that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _children_of(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def _confined(pid: int) -> bool:
    """Whether it has given up all system calls that it does not need, on top of what the whole tree gives up."""
    return "\nSeccomp_filters:\t2\n" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")


def _toml(document: dict[str, Any]) -> str:
    """Enough of TOML for a configuration: texts, numbers, lists of texts, tables."""
    import json

    plain = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for name, table in document.items():
        if isinstance(table, dict):
            plain.append(f"[{name}]")
            plain += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(plain) + "\n"


__all__ = ["Call", "Daemon", "Mirror", "daemon", "intruder_by_phone", "intruder_by_sip", "lists_of_now", "mirror"]
