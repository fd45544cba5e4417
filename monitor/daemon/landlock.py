"""Landlock: from now on this process writes below a few folders and nowhere else, whoever it is. Linux 5.13 and newer.

landlock(7). Reading stays as it was: lists lie anywhere, and Python's own files too. The numbers of the system calls
are the same on every processor.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from struct import Struct

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE = 1 << 0, 1 << 1
REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK = (1 << bit for bit in range(4, 10))
MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE = (1 << bit for bit in range(10, 15))

WRITING = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER | TRUNCATE
"""What may be done below the folders."""
JUDGED = WRITING | EXECUTE | MAKE_CHAR | MAKE_FIFO | MAKE_BLOCK | MAKE_SYM
"""What may be done nowhere else; starting a program, device files and links: nowhere at all."""
TCP = 0b11
"""To bind and to connect: what is bound already stays so."""
SCOPE = 0b11
"""Abstract sockets and signals of those outside are out of reach."""
SINCE = {REFER: 2, TRUNCATE: 3}
"""Which kernel interface knows them."""

_ruleset = Struct("=QQQ")
_beneath = Struct("=Qi")


def write_only_below(folders: Iterable[Path]) -> bool:
    """For this thread and those that it starts; whether the kernel can do so. Needs that new privileges are refused."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    if version < 1:
        return False
    known = ~sum(right for right, since in SINCE.items() if version < since)
    rules = _ruleset.pack(JUDGED & known, TCP, SCOPE)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(CREATE_RULESET, rules, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = _beneath.pack(WRITING & known, descriptor)
                if libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0):
                    return False
            finally:
                os.close(descriptor)
        return not libc.syscall(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
