"""Another system than Linux, as far as Python shows it: nothing that only Linux has is there.

Put before everything else (`sitecustomize`), it holds for a whole process tree.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

LINUX_ONLY = {
    os: ("memfd_create", "setresuid", "setresgid", "O_PATH", "sched_getaffinity", "eventfd", "splice"),
    socket: ("AF_PACKET", "AF_NETLINK", "AF_VSOCK", "SO_PEERCRED", "SO_BINDTODEVICE", "SO_DOMAIN", "SO_PROTOCOL"),
    time: ("CLOCK_BOOTTIME", "CLOCK_TAI"),
}
__all__ = ["environment", "pretend"]
assert subprocess.PIPE is not None  # imported before `sys.platform` changes: it is none of what is tried here


def pretend() -> None:
    """From now on this process is elsewhere; and a call of prctl(2) or of libseccomp is its end."""
    import asyncio
    import ctypes.util
    import sysconfig
    import urllib.request

    # The standard library of Linux is not what is tried here: what looks at the system once does so now.
    assert asyncio.sleep is not None
    assert sysconfig.get_config_vars()
    assert urllib.request.urlopen is not None
    for module, names in LINUX_ONLY.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    opened = ctypes.CDLL

    def refusing(name: str | None, *words: object, **more: object) -> object:
        if name is None or "seccomp" in str(name):
            raise OSError("no such call here")
        return opened(name, *words, **more)  # type: ignore[arg-type]

    ctypes.CDLL = refusing  # type: ignore[assignment,misc]
    sys.platform = "darwin"


def environment(folder: Path) -> dict[str, str]:
    """What has every Python that is started with it be elsewhere."""
    text = f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    text += "from tests.daemon.elsewhere import pretend\npretend()\n"
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}
