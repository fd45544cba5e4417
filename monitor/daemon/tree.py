"""The tree: capture is the trunk, decode and serve are its branches, each a process of its own program.

Whoever dies is started again, the sooner the longer it had lived. Whoever gives no sign of life is killed first.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from monitor.daemon.capture import Capture
from monitor.daemon.notify import VARIABLE, Heard, Notify
from monitor.daemon.privileges import PARENT

HANG_SECONDS = 6.0
"""Without a sign of life for so long, a decoder is taken for dead."""
QUIET_SECONDS, START_SECONDS = 60.0, 300.0
"""The same for the others, who may wait for a disk; and so long they may take for their start."""
PAUSES = (0.0, 0.2, 1.0, 3.0)
"""Before the first, second … start in short order; then the last one each time."""
YOUNG_SECONDS = 2.0
"""Who is so young does not listen to signals yet."""
LONG_LIFE = 30.0
"""Who has lived so long is started at once."""


class Branch:
    """One process that must live."""

    def __init__(self, name: str, command: Sequence[str], heard: Heard | None = None) -> None:
        """`heard` is where it gives signs of life, if it gives any."""
        self.name = name
        self._heard = heard
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        self._deaths = 0
        self._due = 0.0
        self.starts = 0

    @property
    def pid(self) -> int:
        """Its process; 0 while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._begun

    def tend(self, say: Callable[[str], None]) -> None:
        """Start it, if it is dead and its time has come."""
        now = time.monotonic()
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            say(f"{self.name} ended after {now - self._begun:.1f} s ({how})")
            # Who leaves of its own accord, as a decoder does when serve is gone, has done nothing wrong.
            self._deaths = 0 if now - self._begun > LONG_LIFE or not code else self._deaths + 1
            self._due = now + PAUSES[min(self._deaths, len(PAUSES) - 1)]
            self._process = None
        if now >= self._due:
            self._begun = now
            self.starts += 1
            told = {PARENT: str(os.getpid())}
            if self._heard is not None:
                self._heard.forget()
                told[VARIABLE] = self._heard.path
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=subprocess.DEVNULL, env={**os.environ, **told}
            )

    @property
    def is_quiet(self) -> bool:
        """Whether it lives, and should have given a sign of life long ago."""
        if self._heard is None or not self.pid:
            return False
        self._heard.listen()
        return time.monotonic() - (self._heard.last or self._begun + START_SECONDS) > QUIET_SECONDS

    def signal(self, number: int) -> None:
        """Tell it something."""
        if self.pid and self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """At once, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def end(self, seconds: float) -> None:
        """Politely, then not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def grow(capture: Capture, branches: Sequence[Branch], say: Callable[[str], None], notify: Notify) -> None:
    """Keep everybody alive, until told to end."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, lambda number, _: _pass_on(branches, number))
    notify.ready()
    try:
        while not ended:
            notify.alive()
            for branch in branches:
                branch.tend(say)
                if branch.is_quiet:
                    say(f"{branch.name} gave no sign of life for {QUIET_SECONDS:.0f} s and is started anew")
                    branch.kill()
            capture.step(0.2)
            decode = next(branch for branch in branches if branch.name == "decode")
            if decode.pid and min(time.monotonic() - capture.alive, decode.age) > HANG_SECONDS:
                say(f"decode gave no sign of life for {HANG_SECONDS:.0f} s and is started anew")
                decode.kill()
    finally:
        notify.ending()
        for branch in branches:
            branch.end(5.0)
        capture.close()


def _pass_on(branches: Sequence[Branch], number: int) -> None:
    """SIGHUP: the lists shall be read anew, which is for serve; one that is only starting reads them anyway."""
    for branch in branches:
        if branch.name == "serve" and branch.age > YOUNG_SECONDS:
            branch.signal(number)


def command_of(role: str, *words: str) -> list[str]:
    """How this program starts one of its roles."""
    return [sys.executable, "-m", "monitor.daemon", role, *words]
