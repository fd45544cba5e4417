"""The Debian package on a machine of its own: `make boot`. A fresh Debian, booted with its own systemd, gets it.

What deploy/systemd promises is tried there and not by hand: the three units start and see; each comes back when it is
killed; systemd keeps the rings when all are dead, and nothing is missed; an upgrade loses nothing; a purge leaves
nothing. Needs root, debootstrap, systemd-nspawn and Debian's packages. Nothing here asserts what it has not seen.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGTERM, signal
from typing import Any

from tests.corpus import ROOT
from tests.daemon.stage import intruder_by_sip, lists_of_now

BOX = ROOT / "build" / "boot"
NEAR, FAR, SPACE = "eth1", "jwboot0", "jwboot"
UNITS = ("capture", "decode", "serve")
INSIDE = "systemd,systemd-sysv,dbus,iproute2,python3"
OWN_SYSFS = """mkdir -p /run/sysfs && mount -t sysfs -o ro none /run/sysfs
mount --bind /run/sysfs/class/net /sys/class/net
mount --bind /run/sysfs/devices/virtual/net /sys/devices/virtual/net
systemctl restart joinwatch-serve joinwatch-decode joinwatch-capture"""
READY = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/-/ready', timeout=4).read().decode())"
PATIENCE = 30.0


class Box:
    """A Debian of its own below a folder, booted or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._leader = 0

    def chroot(self, *words: str) -> str:
        """What a program says in it, unbooted."""
        return _said("chroot", str(self.folder), *words)

    def run(self, *words: str) -> str:
        """What a program says in it, booted."""
        return _said("nsenter", f"--target={self._leader}", "--all", "--root", "--wd", "--", *words)

    def told(self, unit: str, key: str) -> str:
        """What systemd says of a unit."""
        return self.run("systemctl", "show", f"joinwatch-{unit}.service", f"--property={key}", "--value").strip()

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The journal's lines of that kind."""
        files = sorted((self.folder / "var/lib/joinwatch/journal").glob("*.jsonl"))
        lines = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
        return [one for one in lines if one["type"] == kind]

    def alerts(self) -> list[str]:
        """Whom they are about."""
        return [one["subject"] for one in self.said("alert")]

    @contextmanager
    def booted(self) -> Iterator[None]:
        """Its systemd runs, and a mirror port is there."""
        words = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--machine=jwboot"]
        words += [f"--network-namespace-path=/run/netns/{SPACE}", f"--directory={self.folder}"]
        with (self.folder.parent / "boot.log").open("wb") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                self._leader = int(_wait(lambda: children.read_text(encoding="ascii").split(), "a child")[0])
                _wait(self._is_up, "systemd that has started")
                # Its /sys shows the interfaces of this machine, and not those of its own network.
                self.run("sh", "-c", OWN_SYSFS)
                yield
            finally:
                process.terminate()
                process.wait(30)

    def _is_up(self) -> bool:
        with suppress(subprocess.CalledProcessError):
            self.run("systemctl", "--version")
            return "multi-user.target" in self.run(
                "systemctl", "list-units", "--state=active", "--type=target", "--plain"
            )
        return False


def main() -> int:
    """0 when all of it came true."""
    if missing := [name for name in ("debootstrap", "systemd-nspawn", "nsenter", "ip") if not shutil.which(name)]:
        print(
            f"there is no {', '.join(missing)}: apt-get install debootstrap systemd-container iproute2", file=sys.stderr
        )
        return 1
    if not (packages := sorted((ROOT / "build").glob("joinwatch_*.deb"), key=lambda path: path.stat().st_mtime)):
        print("there is no package: make deb", file=sys.stderr)
        return 1
    signal(SIGTERM, lambda *_: sys.exit(1))  # so that whatever was made goes
    with ExitStack() as stack:
        stack.callback(_remove)
        box = _fresh()
        _install(box, packages[-1])
        send = stack.enter_context(_mirror())
        with box.booted():
            _live(box, send)
            _upgrade(box, packages[-1], send)
            _purge(box)
    return 0


def _remove() -> None:
    for name in ("proc", "sys", "dev"):  # of a debootstrap that was interrupted
        subprocess.run(["umount", "--quiet", str(BOX / "root" / name)], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(BOX, ignore_errors=True)


def _fresh() -> Box:
    _remove()
    folder = BOX / "root"
    folder.mkdir(parents=True)
    release = next(
        line.partition("=")[2]
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    _timed(f"Debian {release}", "debootstrap", "--variant=minbase", f"--include={INSIDE}", release, str(folder))
    shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
    return Box(folder)


def _install(box: Box, package: Path) -> None:
    shutil.copy(package, box.folder / "root" / package.name)
    words = ["apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends", f"/root/{package.name}"]
    _timed("installed", "chroot", str(box.folder), *words)
    version = box.chroot("joinwatch", "--version").strip()
    _expect(f"{version} in it", version.startswith("joinwatch "), version)
    demo = _timed("the demo", "chroot", str(box.folder), "joinwatch", "demo")
    _expect("the demo names who was uninvited", "uninvited-participant" in demo, demo[-500:])
    _expect("its configuration is good", "good configuration" in box.chroot("joinwatch", "check", "/etc/joinwatch"), "")
    lists_of_now(box.folder / "etc/joinwatch/lists")
    (box.folder / "etc/joinwatch/joinwatch.toml").write_text(
        'meetings = ["lists/now.ics"]\ndirectory = ["lists/people.csv"]\npolicy = "lists/policy.toml"\n'
        f'[capture]\ninterfaces = ["{NEAR}"]\n',
        encoding="ascii",
    )
    enabled = [f"joinwatch-{unit}.service" for unit in UNITS]
    box.chroot("systemctl", "--quiet", "enable", *enabled, "joinwatch.target")


@contextmanager
def _mirror() -> Iterator[Callable[[str], None]]:
    """A mirror port of the box: sends it somebody uninvited."""
    with suppress(subprocess.CalledProcessError):
        _said("ip", "netns", "delete", SPACE)
    for words in (
        ("netns", "add", SPACE),
        ("link", "add", FAR, "type", "veth", "peer", "name", NEAR, "netns", SPACE),
        ("link", "set", FAR, "up"),
        ("-n", SPACE, "link", "set", NEAR, "up"),
        ("-n", SPACE, "link", "set", "lo", "up"),
    ):
        _said("ip", *words)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind((FAR, 0))

    def send(who: str) -> None:
        for _, frame in intruder_by_sip(who, who):
            wire.send(frame)

    try:
        yield send
    finally:
        wire.close()
        _said("ip", "link", "delete", FAR)
        _said("ip", "netns", "delete", SPACE)


def _live(box: Box, send: Callable[[str], None]) -> None:
    _wait(lambda: all(box.told(unit, "ActiveState") == "active" for unit in UNITS), "three units at work")
    _expect("started by systemd, by itself", True, "")
    _wait(lambda: "is ready" in box.run("python3", "-c", READY), "a daemon that says that it is ready")
    _expect("and ready by its own word", True, "")
    _sees(box, send, "mallory", "and sees who comes in")
    reloads = len(box.said("reload"))
    box.run("systemctl", "reload", "joinwatch-serve")
    _wait(lambda: len(box.said("reload")) > reloads, "a reload in the journal")
    _expect("it takes its lists anew by systemctl reload", box.said("reload")[-1]["successful"] is True, "refused")
    _expect("systemd keeps its rings", box.told("capture", "NFileDescriptorStore") == "2", "FileDescriptorStore")
    for unit in UNITS:
        before = box.told(unit, "MainPID")
        begun = time.monotonic()
        box.run("systemctl", "kill", "--signal=KILL", f"joinwatch-{unit}.service")
        _wait(lambda unit=unit, before=before: _again(box, unit, before), f"{unit} again")  # type: ignore[misc]
        print(f"{unit} killed, at work again after {time.monotonic() - begun:.1f} s")
        _sees(box, send, f"after-{unit}", f"and sees who comes in after {unit} was killed")
    box.run("systemctl", "kill", "--signal=KILL", *(f"joinwatch-{unit}.service" for unit in UNITS))
    send("while-dead")
    dead = [unit for unit in UNITS if box.told(unit, "ActiveState") != "active"]
    _expect("all three are dead while somebody comes in", len(dead) == len(UNITS), dead)
    _wait(lambda: "sip:while-dead@elsewhere.example" in box.alerts(), "whoever came in while all were dead")
    _expect("and systemd had kept the ring: they are named all the same", True, "")


def _upgrade(box: Box, package: Path, send: Callable[[str], None]) -> None:
    before, pids = box.alerts(), [box.told(unit, "MainPID") for unit in UNITS]
    box.run("dpkg", "--install", f"/root/{package.name}")
    send("after-the-upgrade")
    _wait(lambda: "sip:after-the-upgrade@elsewhere.example" in box.alerts(), "an alert behind the upgrade")
    _wait(lambda: all(box.told(unit, "ActiveState") == "active" for unit in UNITS), "three units at work")
    new = [box.told(unit, "MainPID") for unit in UNITS]
    _expect("upgraded: each runs the new program", not set(pids) & set(new), (pids, new))
    again = [who for who in box.alerts()[len(before) :] if who in before]
    _expect("and nothing was told twice", not again, again)


def _purge(box: Box) -> None:
    box.run("apt-get", "purge", "--quiet", "--quiet", "--yes", "joinwatch")
    places = ("etc/joinwatch", "var/lib/joinwatch", "usr/lib/joinwatch", "etc/systemd/system/joinwatch.target.wants")
    left = [path for path in places if (box.folder / path).exists()]
    units = box.run("systemctl", "list-units", "--all", "--no-legend", "joinwatch*")
    _expect("purged while at work: nothing is left", not left and not units.strip(), (left, units))


def _again(box: Box, unit: str, before: str) -> bool:
    return box.told(unit, "ActiveState") == "active" and box.told(unit, "MainPID") not in ("0", before)


def _sees(box: Box, send: Callable[[str], None], who: str, what: str) -> None:
    send(who)
    begun = time.monotonic()
    _wait(lambda: f"sip:{who}@elsewhere.example" in box.alerts(), f"an alert about {who}")
    _expect(f"{what} ({time.monotonic() - begun:.1f} s)", True, "")


def _expect(what: str, came_true: bool, otherwise: object) -> None:
    if not came_true:
        raise SystemExit(f"NOT: {what}: {otherwise}")
    print(what, flush=True)


def _wait(until: Callable[[], Sequence[str] | bool], what: str) -> Sequence[str]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError, subprocess.CalledProcessError):
            if given := until():
                return given if not isinstance(given, bool) else ()
        time.sleep(0.1)
    raise SystemExit(f"NOT: {what}, within {PATIENCE:.0f} s; see {BOX / 'boot.log'}")


def _timed(what: str, *words: str) -> str:
    begun = time.monotonic()
    told = _said(*words)
    print(f"{what}: {time.monotonic() - begun:.0f} s", flush=True)
    return told


def _said(*words: str) -> str:
    run = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, words, run.stdout, run.stderr)
    return run.stdout


if __name__ == "__main__":
    sys.exit(main())
