"""What each process may still do when it works: nothing that it does not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.daemon import tree
from monitor.daemon.notify import Heard, Notify
from monitor.daemon.tree import Branch
from tests.corpus import ROOT
from tests.daemon.anybody import NOBODY, environment, folder_for_anybody, interpreter_for_anybody
from tests.daemon.stage import Daemon, intruder_by_sip, mirror

CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def status_of(pid: int) -> dict[str, str]:
    """proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def roles_of(running: Daemon) -> dict[str, int]:
    return {"capture": running.pid, "decode": running.pid_of("decode"), "serve": running.pid_of("serve")}


def assert_nothing_is_left(pid: int, role: str) -> None:
    status = status_of(pid)
    assert {name: int(status[name], 16) for name in CAPABILITIES} == dict.fromkeys(CAPABILITIES, 0), role
    assert (status["NoNewPrivs"], status["Seccomp"], status["Umask"]) == ("1", "2", "0077"), role
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    assert next(line.split()[4:6] for line in limits if line.startswith("Max core")) == ["0", "0"], role


def test_started_by_root_every_process_is_another_user_without_a_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    with mirror("jwpriv") as port, folder_for_anybody() as folder:
        interpreter = interpreter_for_anybody()
        for name, value in environment().items():
            monkeypatch.setenv(name, value)
        running = Daemon(folder, [port.near], user="nobody")
        running.command[0] = interpreter
        (folder / "state" / "journal").mkdir(parents=True)
        (folder / "state" / "journal" / "00000001.jsonl").write_bytes(b"")  # root's, of an earlier life
        elsewhere = folder / "elsewhere"
        elsewhere.write_bytes(b"root's own")
        (folder / "state" / "link").symlink_to(elsewhere)
        os.link(elsewhere, folder / "state" / "other name")
        try:
            running.start()
            for role, pid in roles_of(running).items():
                assert_nothing_is_left(pid, role)
                status = status_of(pid)
                assert status["Uid"].split() == [str(NOBODY)] * 4, role
                assert status["Groups"] == "", role
            port.send([frame for _, frame in intruder_by_sip("seen by nobody", "mallory")])
            running.wait(running.alerts, "an alert")
            assert elsewhere.stat().st_uid == 0
            for path in (folder / "state").rglob("*"):
                if path.name not in ("link", "other name", "journal", "00000001.jsonl"):
                    assert path.stat().st_uid == NOBODY, path
                    assert path.stat().st_mode & 0o077 == 0, path
        finally:
            running.stop()


def test_root_without_a_user_has_no_capability_either_and_is_told(tmp_path: Path) -> None:
    with mirror("jwroot") as port:
        running = Daemon(tmp_path, [port.near])
        try:
            running.start()
            for role, pid in roles_of(running).items():
                assert_nothing_is_left(pid, role)
            assert running.log.read_text(encoding="utf-8").count("this runs as root, and need not: name a user") == 1
        finally:
            running.stop()


def test_a_user_whom_nobody_knows_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with mirror("jwwho") as port:
        running = Daemon(tmp_path, [port.near], user="no-such-user")
        ended = subprocess.run(running.command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert "no-such-user" in ended.stderr


TRIES = """
import ctypes, json, os, socket, sys, threading
from pathlib import Path
from monitor.daemon import privileges
from monitor.daemon.landlock import write_only_below

inside, outside, (packets, _) = Path(sys.argv[2]), Path(sys.argv[3]), socket.socketpair()
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
privileges.leave_no_core()
privileges.drop_capabilities()
landlocked = write_only_below([inside] if sys.argv[1] == "serve" else [])
if sys.argv[1] == "serve":
    privileges.confine_serve()
else:
    privileges.confine_capture([packets.fileno()], sending=(2,))

def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    except RuntimeError as error:
        return type(error).__name__
    return "done"

def thread():
    one = threading.Thread(target=lambda: None)
    one.start()
    one.join()

unix = socket.socket(socket.AF_UNIX)
told = {
    "write inside": attempt(lambda: (inside / "file").write_text("x")),
    "write outside": attempt(lambda: (outside / "file").write_text("x")),
    "remove outside": attempt(lambda: (outside / "there").unlink()),
    "read outside": attempt(lambda: (outside / "there").read_text()),
    "run": attempt(lambda: os.execv("/bin/true", ["true"])),
    "fork": attempt(os.fork),
    "connect": attempt(lambda: listener.connect(("127.0.0.1", 9))),
    "connect to a file": attempt(lambda: unix.connect("/run/nobody")),
    "inet socket": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "packet socket": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "netlink socket": attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "thread": attempt(thread),
    "send on a ring": attempt(lambda: packets.send(b"x")),
    "ptrace": ctypes.CDLL(None).ptrace(0, 0, 0, 0),
    "mount": ctypes.CDLL(None).mount(b"none", b"/mnt", b"tmpfs", 0, None),
    "landlocked": landlocked,
}
os.write(2, json.dumps(told).encode())
os._exit(0)
"""


def tried_by(role: str, folder: Path) -> dict[str, object]:
    """What a process that is confined like that can do."""
    if sys.platform != "linux":
        pytest.skip("there is seccomp on Linux only")
    inside, outside = folder / "inside", folder / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "there").write_text("x", encoding="ascii")
    words = [sys.executable, "-c", TRIES, role, str(inside), str(outside)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if "cannot be confined" in ended.stderr:
        pytest.skip("there is no libseccomp")
    told: dict[str, object] = json.loads(ended.stderr)
    if not told.pop("landlocked"):
        pytest.skip("this kernel has no Landlock")
    return told


def test_serve_writes_below_its_folders_only_and_neither_connects_nor_starts_anything(tmp_path: Path) -> None:
    told = tried_by("serve", tmp_path)
    allowed = {name for name, how in told.items() if how == "done"}
    assert allowed == {"write inside", "read outside", "thread", "send on a ring"}  # it has no ring
    assert (told["ptrace"], told["mount"]) == (-1, -1)


def test_capture_writes_nothing_starts_nothing_and_sends_no_packet(tmp_path: Path) -> None:
    told = tried_by("capture", tmp_path)
    assert {name for name, how in told.items() if how == "done"} == {"read outside"}
    assert (told["ptrace"], told["mount"]) == (-1, -1)


DECODES = """
import os, socket, sys
from monitor.daemon.privileges import READING, confine, drop_capabilities
drop_capabilities()
confine(READING, sending=(2,))
os.write(2, b"still here")
try:
    open("/etc/hostname")
except PermissionError:
    os.write(2, b", and no file")
socket.socket()
os.write(2, b", but a socket")
"""


def test_a_decoder_that_does_what_it_never_should_is_dead() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DECODES], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if "cannot be confined" in ended.stderr:
        pytest.skip("there is no libseccomp")
    assert (ended.stderr, ended.returncode) == ("still here, and no file", -31)  # SIGSYS


def test_a_branch_without_a_sign_of_life_is_found_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(tmp_path / "alive")
    branch = Branch("serve", [sys.executable, "-c", "input()"], heard)
    said: list[str] = []
    assert not branch.is_quiet  # it is not there
    branch.tend(said.append)
    try:
        assert not branch.is_quiet  # it is starting
        monkeypatch.setattr(tree, "START_SECONDS", -1000.0)
        assert branch.is_quiet
        monkeypatch.setenv("NOTIFY_SOCKET", heard.path)
        notify = Notify()
        assert "NOTIFY_SOCKET" not in os.environ
        notify.alive()
        notify.close()
        assert not branch.is_quiet
        monkeypatch.setattr(tree, "QUIET_SECONDS", -1.0)
        assert branch.is_quiet
    finally:
        branch.kill()
        branch.end(5.0)
        heard.close()
    assert said == []
