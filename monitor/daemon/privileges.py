"""Giving up what a process may do: capabilities, new privileges, and system calls. Linux; nothing of it can be undone.

The system calls are those that each role was seen to need, by name, through libseccomp, which knows their numbers on
each processor. What is not named kills the process, and whoever watches it says so.
"""

import ctypes
import errno
import os
import resource
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from struct import Struct

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_PDEATHSIG = 4, 38, 24, 1
CAPABILITY_VERSION_3 = 0x20080522
LAST_CAPABILITY = 63
SIGKILL = 9

MEMORY = "brk madvise mmap mprotect mremap munmap"
TIME = "clock_gettime clock_nanosleep gettimeofday nanosleep restart_syscall"
WAITING = "epoll_create1 epoll_ctl epoll_wait epoll_pwait poll ppoll pselect6 select"
ITSELF = (
    "exit exit_group futex getpid getrandom gettid rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity "
    "sched_yield set_robust_list sigaltstack sysinfo tgkill"
)
OPEN_FILES = "close dup fcntl fstat getsockopt lseek newfstatat read readv recvfrom recvmsg setsockopt"
READING = frozenset(f"{MEMORY} {TIME} {WAITING} {ITSELF} {OPEN_FILES}".split())
"""All that a decoder does with what is open already."""
SENDING = frozenset(("sendmsg", "sendto", "write", "writev"))
"""Allowed on named descriptors alone: on a packet socket they would put packets onto the network."""


REFUSED = ("access", "faccessat", "faccessat2", "open", "openat", "readlink", "readlinkat", "stat", "statx")
"""Refused without a death: Python itself looks for files in its last words."""


class Unprivileged(Exception):
    """A privilege that could not be given up: going on would be a lie."""


def drop_capabilities() -> None:
    """Give up every capability, for this process and whatever it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise Unprivileged("new privileges cannot be refused")
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those that the kernel does not have
    head = Struct("=Ii").pack(CAPABILITY_VERSION_3, 0)
    if libc.capset(head, Struct("=6I").pack(0, 0, 0, 0, 0, 0)):
        raise Unprivileged(f"capabilities cannot be given up: {os.strerror(ctypes.get_errno())}")


def become(user: int, group: int) -> None:
    """Be somebody in particular no more: root's process takes another user's name. Must come before capabilities go."""
    if os.getuid() == 0 and user:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)


PARENT = "JOINWATCH_PARENT"
"""Names the process that starts a branch to that branch: it may be gone before anybody can ask."""


def die_with_parent() -> None:
    """When whoever started this process dies, it dies too; at once, when that has happened already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    parent = os.environ.get(PARENT)
    if parent is not None and parent != str(os.getppid()):
        sys.exit(1)


def leave_no_core() -> None:
    """Memory with what people typed must not become a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine(allowed: Iterable[str], sending: Iterable[int] = ()) -> None:
    """From now on only these system calls, and writing to these descriptors; anything else kills the process.

    Raises `Unprivileged` where that cannot be had.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise Unprivileged(f"system calls cannot be confined: {error}") from None
    only = pyseccomp.SyscallFilter(pyseccomp.KILL_PROCESS)
    for name in REFUSED:
        only.add_rule(pyseccomp.ERRNO(errno.EACCES), name)
    for name in sorted(allowed):
        with suppress(OSError, ValueError):  # a call that this processor does not have
            only.add_rule(pyseccomp.ALLOW, name)
    for name in sorted(SENDING):
        for descriptor in sending:
            only.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(0, pyseccomp.EQ, descriptor))
    only.load()


def status() -> dict[str, str]:
    """What the kernel says of this process: capabilities, seccomp, user (proc(5))."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return {
        key: value.strip() for key, value in lines.items() if key.startswith(("Cap", "Seccomp", "Uid", "NoNewPrivs"))
    }
