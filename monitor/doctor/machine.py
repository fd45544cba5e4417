"""This machine: what may be captured here, its clock, its memory, and who has the port."""

import ctypes
import os
import socket
import time
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path

from monitor.doctor.facts import ClockFacts, PortFacts, PrivilegeFacts, SinkFacts
from monitor.model.settings import ServeSettings, address_of

CAP_NET_RAW = 13
STA_UNSYNC = 0x40
TIME_ERROR = 5
CONNECT_SECONDS = 3.0
LISTENING = "0A"
MOST_PROCESSES = 5000
OUR_WORDS = (b"monitor.daemon", b"joinwatch")


def privilege_facts() -> PrivilegeFacts:
    """Whether a packet socket opens, and if not, why."""
    status = _status()
    effective, bounding = (int(status.get(key, "0"), 16) for key in ("CapEff", "CapBnd"))
    refused = ""
    if not hasattr(socket, "AF_PACKET"):
        refused = "this system has no packet sockets: capture on Linux, or give a capture file"
    else:
        try:
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        except OSError as error:
            refused = error.strerror or "refused"
    return PrivilegeFacts(
        may_capture=not refused,
        refused=refused,
        user=_user_name(os.geteuid()),
        user_id=os.geteuid(),
        capable=bool(effective >> CAP_NET_RAW & 1),
        bounded=not bounding >> CAP_NET_RAW & 1,
        no_new_privileges=status.get("NoNewPrivs", "0") == "1",
        seccomp=_seccomp(),
    )


def clock_facts() -> ClockFacts:
    """The wall clock, and whether a time server holds it (adjtimex(2); reading needs no privilege)."""
    synchronised: bool | None = None
    with suppress(OSError, AttributeError):
        timex = (ctypes.c_byte * 256)()  # struct timex has 208 bytes: `modes` first, `status` behind four longs
        libc = ctypes.CDLL(None, use_errno=True)
        state = libc.adjtimex(ctypes.byref(timex))
        if state >= 0:
            place = 4 * ctypes.sizeof(ctypes.c_long) + ctypes.sizeof(ctypes.c_long)
            status = ctypes.c_int.from_buffer(timex, place).value
            synchronised = state != TIME_ERROR and not status & STA_UNSYNC
    return ClockFacts(now=time.time_ns(), synchronised=synchronised)


def memory_bytes() -> int | None:
    """What the kernel says could still be had (proc(5))."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def unknown_user(name: str | None) -> str:
    """The name, when nobody has it."""
    if name is None:
        return ""
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return name
    return ""


def port_facts(serve: ServeSettings) -> PortFacts:
    """Whether somebody can listen there; tried for a moment, without taking a single connection."""
    host, port = address_of(serve.listen) or ("127.0.0.1", 0)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    trouble, taken = "", False
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        try:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            trial.listen()
        except OSError as error:
            trouble, taken = error.strerror or "refused", error.errno == EADDRINUSE
    owner, words = _owner_of(port) if taken else ("", b"")
    return PortFacts(
        address=serve.listen,
        trouble=trouble,
        taken=taken,
        owner=owner,
        by_us=any(ours in words for ours in OUR_WORDS),
    )


def reached(key: str, host: str, port: int, *, attempt: bool) -> SinkFacts:
    """Whether somebody answers there; with `attempt`, for else nothing is connected to."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not attempt:
        return SinkFacts(key=key, place=place)
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        return SinkFacts(key=key, place=place, tried=True, trouble=str(error.strerror or error) or "no answer")
    return SinkFacts(key=key, place=place, tried=True)


def _owner_of(port: int) -> tuple[str, bytes]:
    """`program (process 123)` that listens on the port, and its command line, where this user may see it."""
    wanted = {f"socket:[{inode}]" for inode in _inodes_of(port)}
    with suppress(OSError):
        for folder in list(Path("/proc").glob("[0-9]*"))[:MOST_PROCESSES]:
            with suppress(OSError):
                if any(str(link.readlink()) in wanted for link in (folder / "fd").iterdir()):
                    name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                    return f"{name} (process {folder.name})", (folder / "cmdline").read_bytes()
    return "", b""


def _inodes_of(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[3] == LISTENING:
                    found.add(fields[9])
    return found


def _seccomp() -> str:
    try:
        import pyseccomp  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        return str(error)
    return ""


def _user_name(user: int) -> str:
    with suppress(ImportError, KeyError):
        import pwd

        return pwd.getpwuid(user).pw_name
    return str(user)


def _status() -> dict[str, str]:
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return {}
