"""Descriptors that outlive the daemon: systemd keeps them when every process of it dies, and hands them to the next.

A packet socket in its keeping goes on filling its ring while nobody lives: not one packet is lost that fits into it
(sd_notify(3), `FDSTORE=1`; sd_listen_fds(3)). Where nobody keeps anything, everything begins anew.
"""

import os
from urllib.parse import quote

FIRST = 3
"""Where descriptors begin that are handed over (sd_listen_fds(3))."""
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Kept:
    """What an earlier life of this daemon has left in somebody's keeping, by its names."""

    def __init__(self) -> None:
        """Takes them over from whoever started this process; who is started from here is not told of them."""
        process, count, names = (os.environ.pop(name, "") for name in _VARIABLES)
        self._descriptors: dict[str, int] = {}
        if process != str(os.getpid()) or not count.isdecimal():
            return
        for place, name in enumerate(names.split(":")[: int(count)]):
            os.set_inheritable(FIRST + place, False)
            self._let_go(name)
            self._descriptors[name] = FIRST + place

    def take(self, name: str) -> int | None:
        """The descriptor of that name, which is the caller's from now on; none when nobody kept it."""
        return self._descriptors.pop(name, None)

    def close(self) -> tuple[str, ...]:
        """Nobody wants the rest; their names."""
        names = tuple(self._descriptors)
        for name in names:
            self._let_go(name)
        return names

    def _let_go(self, name: str) -> None:
        descriptor = self._descriptors.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)


def name_of(*words: str | int) -> str:
    """A name that may be given to a keeper: ASCII without colon and blanks."""
    return "-".join(quote(str(word), safe="") for word in words)
