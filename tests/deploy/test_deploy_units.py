"""The unit files: how exposed they are, whether they are right, and whether the program works under what they allow."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.corpus import ROOT
from tests.daemon.anybody import NOBODY, environment, folder_for_anybody, interpreter_for_anybody
from tests.daemon.stage import Daemon, intruder_by_sip, mirror

UNITS = ROOT / "deploy" / "systemd"
EXPOSURES = {
    "joinwatch-capture.service": 1.6,
    "joinwatch-decode.service": 0.5,
    "joinwatch-serve.service": 1.2,
    "joinwatch.service": 1.6,
}
ROLES = {"capture": "+net_raw", "serve": "", "decode": ""}
"""And the capability that their unit lets them begin with."""


def needs_systemd_analyze() -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")


@pytest.mark.parametrize(("unit", "most"), EXPOSURES.items())
def test_a_unit_is_no_more_exposed_than_is_promised(unit: str, most: float) -> None:
    needs_systemd_analyze()
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={most * 10:.0f}", "--no-pager"]
    judged = subprocess.run([*words, str(UNITS / unit)], capture_output=True, text=True, check=False)
    if "offline" in judged.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    verdict = next(line for line in judged.stdout.splitlines() if "Overall exposure level" in line)
    print(verdict)  # noqa: T201 - seen with -s
    exposure = float(verdict.rpartition(": ")[2].split()[0])
    assert (exposure <= most, judged.returncode) == (True, 0), judged.stdout


def test_systemd_finds_no_mistake_in_any_unit(tmp_path: Path) -> None:
    needs_systemd_analyze()
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.target")]:
        text = unit.read_text(encoding="utf-8")
        for program in ("joinwatch", "python"):
            text = text.replace(f"ExecStart=/opt/joinwatch/bin/{program}", "ExecStart=/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    files = [str(path) for path in tmp_path.iterdir()]
    assert len(files) == 7
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    ours = [line for line in found.stderr.splitlines() if "joinwatch" in line]
    assert (ours, found.returncode) == ([], 0)


def test_every_unit_has_the_same_user_folders_and_refusals() -> None:
    """What the three must have alike, so that they meet, and what none may lack."""
    for unit in UNITS.glob("*.service"):
        lines = unit.read_text(encoding="utf-8").splitlines()
        for line in (
            "User=joinwatch",
            "Group=joinwatch",
            "ProtectSystem=strict",
            "NoNewPrivileges=yes",
            "UMask=0077",
            "Restart=always",
            "StartLimitIntervalSec=0",
            "IPAddressDeny=any",
        ):
            assert line in lines, (unit.name, line)


class ByHand(Daemon):
    """The three roles as systemd starts them, as far as that goes without it: each of them under its unit."""

    def started(self, interpreter: str, supervisor: Path) -> dict[str, subprocess.Popen[bytes]]:
        found = {}
        for role, capability in ROLES.items():
            words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            begin = f"-all,{capability}" if capability else "-all"
            words += [f"--inh-caps={begin}", f"--ambient-caps={begin}", f"--bounding-set={begin}"]
            words += [interpreter, "-m", "tests.deploy.underunit", str(UNITS / f"joinwatch-{role}.service")]
            words += [interpreter, "-m", "monitor", "watch", "--config", str(self.config), "--role", role]
            with self.log.open("ab") as log:
                env = {**environment(), "NOTIFY_SOCKET": str(supervisor)}
                found[role] = subprocess.Popen(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stderr=log)
        return found


def test_three_roles_by_hand_under_what_their_units_allow() -> None:
    """There is no systemd to be had here, so this stands in for it: user, capabilities, system calls, sockets, network,
    and the signs of life that its watchdog waits for.
    """
    needs_systemd_analyze()
    if subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("a user can have no network of their own here")
    with mirror("jwunits") as port, folder_for_anybody() as folder, ExitStack() as stack:
        interpreter = interpreter_for_anybody()
        running = ByHand(folder, [port.near])
        for name in ("state", "run"):
            (folder / name).mkdir(mode=0o700)
            os.chown(folder / name, NOBODY, NOBODY)
        supervisor = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        supervisor.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        supervisor.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)
        supervisor.settimeout(1)
        roles = running.started(interpreter, folder / "notify")
        try:
            told: dict[str, set[bytes]] = {role: set() for role in roles}
            by_pid = {process.pid: role for role, process in roles.items()}

            def all_are_alive() -> bool:
                with suppress(TimeoutError):
                    words, extra, _, _ = supervisor.recvmsg(256, 256)
                    told[by_pid[int.from_bytes(extra[0][2][:4], "little")]].add(words)
                dead = [role for role, process in roles.items() if process.poll() is not None]
                assert not dead, running.log.read_text(encoding="utf-8")[-3000:]
                return all({b"READY=1", b"WATCHDOG=1"} <= words for words in told.values())

            running.wait(all_are_alive, "a sign of life of each role")
            port.send([frame for _, frame in intruder_by_sip("by hand", "mallory")])
            running.wait(running.alerts, "an alert")
            for role, process in roles.items():
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
                for line in ("CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"):
                    assert line in status, role
                assert f"\nUid:\t{NOBODY}\t" in status, role
                assert "\nSeccomp_filters:\t2\n" in status, role
            roles["decode"].kill()
            roles["decode"].wait()
            assert {role: process.poll() for role, process in roles.items() if role != "decode"} == {
                "capture": None,
                "serve": None,
            }
        finally:
            for process in roles.values():
                process.send_signal(signal.SIGTERM)
            codes = {role: process.wait(20) for role, process in roles.items()}
    assert codes == {"capture": 0, "serve": 0, "decode": -signal.SIGKILL}
