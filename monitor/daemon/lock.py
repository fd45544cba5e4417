"""One state folder, one who writes it: the daemon, or a command while the daemon is stopped."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

FILE = "lock"
PAUSE = 0.05


class Lock:
    """The state folder for oneself, until closed or dead."""

    def __init__(self, state: Path, patience: float = 0.0) -> None:
        """`BlockingIOError` where somebody else has it, and still has after so many seconds."""
        self._file = os.open(state / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + patience
        try:
            if os.geteuid() == 0:
                owner = state.stat()
                os.fchown(self._file, owner.st_uid, owner.st_gid)
            while not self._taken():
                if time.monotonic() > end:
                    raise BlockingIOError(11, "is in use by another joinwatch", str(state))
                time.sleep(PAUSE)
        except OSError:
            self.close()
            raise

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Somebody else may have it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
