"""What a process has used of the machine, told by itself: it opens what it must read before it gives up opening."""

import os
import sys
import time

from monitor.daemon.messages import Used

STATM = "/proc/self/statm"
"""Sizes in pages: the second is what is resident, the third what of it is shared, as rings and libraries (proc(5))."""
PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage:
    """Of this process."""

    def __init__(self) -> None:
        """Keeps a file open where the system has such a one; other than on Linux memory is not told."""
        self._file = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC) if sys.platform == "linux" else -1

    def now(self) -> Used:
        """So far. Asks no more of the system than to read what is open."""
        resident = shared = 0
        if self._file >= 0:
            os.lseek(self._file, 0, os.SEEK_SET)  # not `pread`, which a decoder may not
            resident, shared = map(int, os.read(self._file, 256).split()[1:3])
        return Used(private_bytes=max(0, resident - shared) * PAGE, cpu_seconds=time.process_time())

    def close(self) -> None:
        """Nothing is told any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
