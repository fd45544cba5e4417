"""Runs a program as a unit file says, as far as that goes without systemd: `underunit.py UNIT WORD…`.

What is kept of the unit: system calls, families of sockets, no new privileges, no memory that is both writable and
executable, and PrivateNetwork. The user comes from whoever starts this.
"""

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

from monitor.daemon.privileges import PR_SET_NO_NEW_PRIVS, _seccomp

PR_SET_MDWE = 65
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Every line of the unit by its key."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def calls_in(word: str) -> set[str]:
    """The system calls of a group, as systemd has it, or the one of that name."""
    if not word.startswith("@"):
        return {word}
    told = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    words = [line.strip() for line in told.stdout.splitlines()[1:]]
    return set[str]().union(*(calls_in(one) for one in words if one and not one.startswith("#")))


def confine(unit: dict[str, list[str]]) -> None:
    """From here on, what the unit allows."""
    allowed: set[str] = calls_in("@default")
    for line in unit["SystemCallFilter"]:
        listed = set[str]().union(*(calls_in(word) for word in line.removeprefix("~").split()))
        allowed = allowed - listed if line.startswith("~") else allowed | listed
    seccomp = _seccomp()
    only = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    families = {getattr(socket, name) for name in unit["RestrictAddressFamilies"][0].split()}
    for name in sorted(allowed - {"socket"}):
        try:
            only.add_rule(seccomp.ALLOW, name)
        except (OSError, ValueError):
            continue
    for family in families:
        only.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, family))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if unit.get("PrivateNetwork") == ["yes"] and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network of its own")
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # fails where the kernel is older than 6.3
    only.load()


if __name__ == "__main__":
    confine(settings_of(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
