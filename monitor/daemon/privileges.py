"""Giving up what a process may do: its user, capabilities, new privileges, and system calls. None of it can be undone.

Capabilities and the confinement of system calls are Linux's: elsewhere there is nothing of that to give up, the user
excepted, and `UNCONFINED` says what that leaves.

The system calls are those that each role was seen to need, by name, through libseccomp, which knows their numbers on
each processor. In a decoder, which reads what strangers write, a call that is not named kills the process, and whoever
watches it says so. In the others it fails, for they hold what must not be lost for a C library's new habit.
"""

import ctypes
import ctypes.util
import errno
import os
import resource
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from struct import Struct
from typing import Any

UNCONFINED = "this system has neither seccomp nor Landlock: what the processes may do is left to the user they run as"
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
"""Refused to a decoder without a death: Python itself looks for files in its last words."""

FINDING = (
    "access faccessat faccessat2 fstat fstatfs getcwd getdents64 lstat newfstatat open openat readlink readlinkat stat "
    "statfs statx"
)
LOOKING = READING | frozenset(
    f"{FINDING} accept accept4 bind getegid geteuid getgid getpeername getppid getsockname getuid ioctl listen "
    "shutdown uname".split()
)
"""What capture needs besides, to see whether interfaces are there and to welcome a decoder."""
CHANGING = (
    "chmod copy_file_range dup2 dup3 eventfd2 fallocate fchmod fchown fdatasync flock fsync ftruncate getresgid "
    "getresuid getrlimit getrusage link linkat membarrier memfd_create mkdir mkdirat mlock munlock msync pipe2 "
    "pread64 preadv prlimit64 pwrite64 pwritev rename renameat renameat2 rmdir sched_get_priority_max "
    "sched_get_priority_min sched_getparam sched_getscheduler sendfile sendmmsg sendmsg sendto set_tid_address "
    "socketpair sync_file_range time truncate umask unlink unlinkat utimensat write writev"
)
WRITING = LOOKING | frozenset(CHANGING.split())
"""What serve needs besides, to write files, to answer clients, and for threads. Not among it: to start a program, and
to connect to anybody."""
HARM = (
    "acct add_key bpf chroot delete_module finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter "
    "io_uring_register io_uring_setup ioperm iopl kexec_file_load kexec_load keyctl lookup_dcookie mknod mknodat mount "
    "mount_setattr move_mount name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open personality "
    "pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl reboot request_key "
    "setdomainname sethostname setns settimeofday clock_settime clock_adjtime adjtimex swapoff swapon syslog umount "
    "umount2 unshare userfaultfd vhangup"
)
HARMFUL = frozenset(HARM.split())
"""What nobody in the tree ever needs, whatever program it is."""
FAMILIES_OF_SOCKETS = 64
CLONE_THREAD = 0x10000


def is_linux() -> bool:
    """Whether there are capabilities, seccomp, and a signal when the parent dies."""
    return sys.platform == "linux"


class Unprivileged(Exception):
    """A privilege that could not be given up: going on would be a lie."""


def drop_capabilities() -> None:
    """Give up every capability, for this process and whatever it starts."""
    if not is_linux():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise Unprivileged("new privileges cannot be refused")
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those that the kernel does not have
    head, held = Struct("=Ii").pack(CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    if not libc.capget(head, held) and not any(held.raw):
        return  # none to give up, and a service may forbid `capset` itself
    if libc.capset(head, Struct("=6I").pack(0, 0, 0, 0, 0, 0)):
        raise Unprivileged(f"capabilities cannot be given up: {os.strerror(ctypes.get_errno())}")


def become(user: int, group: int) -> None:
    """Be somebody in particular no more: root's process takes another user's name. Must come before capabilities go."""
    if os.getuid() == 0 and user and not is_linux():
        os.setgroups([group])
        os.setgid(group)
        os.setuid(user)
    elif os.getuid() == 0 and user:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in range(LAST_CAPABILITY + 1):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # only root may take these from all who come after
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)


def give_to(user: int, group: int, folder: Path) -> None:
    """What root has written there in an earlier life is that user's now. Links are not followed, and what has another
    name elsewhere stays root's.
    """
    os.chown(folder, user, group, follow_symlinks=False)
    for inner, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(inner, name)
            found = path.lstat()
            if found.st_uid == 0 and (found.st_nlink == 1 or not S_ISREG(found.st_mode)):
                os.chown(path, user, group, follow_symlinks=False)


PARENT = "JOINWATCH_PARENT"
"""Names the process that starts a branch to that branch: it may be gone before anybody can ask."""


def die_with_parent() -> None:
    """When the tree dies that started this process, it dies too; at once, when that has happened already.

    Other systems than Linux have no such signal: there who lives on must look (`is_orphan`).
    """
    if os.environ.get(PARENT) is None:
        return  # started by itself: systemd looks after it
    if is_linux():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if is_orphan():
        sys.exit(1)


def is_orphan() -> bool:
    """Whether the tree that started this process is gone."""
    return os.environ.get(PARENT, str(os.getppid())) != str(os.getppid())


def leave_no_core() -> None:
    """Memory with what people typed must not become a file, and what is meant to be one is for nobody else."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if is_linux():
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine(allowed: Iterable[str], sending: Iterable[int] = (), accepting: Iterable[int] = ()) -> None:
    """From now on only these system calls, and writing to these descriptors; anything else kills the process.

    Connections may be accepted on the last of them, and read: nobody can be answered there. Raises `Unprivileged`
    where Linux
    cannot give that.
    """
    if not is_linux():
        return
    seccomp = _seccomp()
    only = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
    for name in REFUSED:
        only.add_rule(seccomp.ERRNO(errno.EACCES), name)
    _allow(only, allowed)
    for name in sorted(SENDING):
        for descriptor in sending:
            only.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.EQ, descriptor))
    for descriptor in accepting:
        only.add_rule(seccomp.ALLOW, "getsockname")  # Python's way to make an object of a connection
        only.add_rule(seccomp.ALLOW, "accept4", seccomp.Arg(0, seccomp.EQ, descriptor))
    only.load()


def confine_capture(mute: Iterable[int], sending: Iterable[int]) -> None:
    """For a capture that starts nobody: looks and listens, and sends nothing on what it captures from, the first of
    these descriptors; on the others it may, and on whatever is opened from now on.

    Raises `Unprivileged`.
    """
    if not is_linux():
        return
    seccomp = _seccomp()
    highest = max(mute)
    while os.dup(2) < highest:
        pass  # no later descriptor shall be below those
    only = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    _allow(only, LOOKING | {"socketpair"})  # to wake a decoder where libpcap captures
    for name in sorted(SENDING):
        for descriptor in sending:
            only.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.EQ, descriptor))
        only.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.GT, highest))
    only.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX))  # to ask for interfaces
    only.load()


def confine_serve() -> None:
    """For serve: files and clients, threads but no program, and no way out: it accepts and never connects.

    Raises `Unprivileged`.
    """
    if not is_linux():
        return
    seccomp = _seccomp()
    only = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    _allow(only, WRITING)
    only.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX))
    only.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
    only.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags cannot be seen; the C library then uses clone
    only.load()


def confine_tree() -> None:
    """For the trunk of a tree and whoever it starts: all but what harms a machine, and packet sockets.

    Raises `Unprivileged`.
    """
    if not is_linux():
        return
    seccomp = _seccomp()
    never = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in sorted(HARMFUL):
        with suppress(OSError, ValueError):
            never.add_rule(seccomp.ERRNO(errno.EPERM), name)
    known = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    for family in set(range(FAMILIES_OF_SOCKETS)) - known:
        never.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family))
    never.load()


LIBRARIES = {"c": None, "seccomp": "libseccomp.so.2"}
"""By the names that the loader knows; none is this program itself."""


def _seccomp() -> Any:
    """pyseccomp, which would look for its libraries by starting `ldconfig` or a compiler: here it need not."""
    looked = ctypes.util.find_library
    ctypes.util.find_library = lambda name: LIBRARIES.get(name)
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise Unprivileged(f"system calls cannot be confined: {error}; is libseccomp 2 there?") from None
    finally:
        ctypes.util.find_library = looked
    return pyseccomp


def _allow(only: Any, names: Iterable[str]) -> None:
    seccomp = _seccomp()
    for name in sorted(names):
        with suppress(OSError, ValueError):  # a call that this processor does not have
            only.add_rule(seccomp.ALLOW, name)


def status() -> dict[str, str]:
    """What the kernel says of this process: capabilities, seccomp, user (proc(5))."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return {
        key: value.strip()
        for key, value in lines.items()
        if key.startswith(("Cap", "Seccomp", "Uid", "Groups", "NoNewPrivs"))
    }
