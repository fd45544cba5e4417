"""`joinwatch doctor`: why is nothing seen? Cause, proof, next step; of an interface, a capture, a configuration."""

import argparse
import sys
import time
from contextlib import ExitStack

from monitor.cli import DONE, FAILED
from monitor.model.problems import ConfigError, Problem

MAX_SECONDS = 86_400.0
EVERY_SECONDS = 0.5


def run(options: argparse.Namespace) -> int:
    """Examine, judge, tell. 1 when it is blind to anything, for that is a failure; 0 otherwise."""
    from monitor.doctor.checks import diagnosis_of
    from monitor.doctor.examination import Examination, Wish
    from monitor.doctor.findings import Gravity
    from monitor.doctor.report import show, tell
    from monitor.outputs.journal import may_write_journal

    wish = Wish(
        captures=tuple(options.captures),
        interfaces=tuple(options.interface),
        config=options.config,
        meetings=tuple(options.meetings),
        directory=tuple(options.directory),
        policy=options.policy,
        seconds=_seconds(options.seconds),
        connect=options.connect,
        people=options.people,
    )
    _check(wish.captures, wish.interfaces, wish.config, (*wish.meetings, *wish.directory, wish.policy))
    if options.json and options.json != "-":
        may_write_journal(options.json)
    examination = Examination(wish)
    progress = _Progress()
    facts = examination.run(progress.listening, progress.reading)
    progress.close()
    diagnosis = diagnosis_of(facts, tuple(examination.examined))
    show(diagnosis, sys.stderr if options.json == "-" else sys.stdout)
    if options.json:
        with ExitStack() as opened:
            out = sys.stdout
            if options.json != "-":
                out = opened.enter_context(open(options.json, "w", encoding="utf-8"))  # noqa: PTH123
            tell(diagnosis, out)
    return FAILED if diagnosis.worst is Gravity.BLIND else DONE


def _check(
    captures: tuple[str, ...], interfaces: tuple[str, ...], config: str | None, lists: tuple[str | None, ...]
) -> None:
    """A ConfigError where it is not clear what is meant."""
    problem = None
    if captures and interfaces:
        problem = Problem(file="doctor", line=0, found="a capture and an interface", expected="one of them")
    elif not captures and not interfaces and config is None and not any(lists):
        expected = "a CAPTURE, --interface IF or --config FILE"
        problem = Problem(file="doctor", line=0, found="nothing to examine", expected=expected)
    if problem is not None:
        raise ConfigError([problem])


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= MAX_SECONDS:
        expected = "a number of seconds, from 0.1 to 86400"
        raise ConfigError([Problem(file="--seconds", line=0, found=repr(text[:40]), expected=expected)])
    return seconds


class _Progress:
    """One line on a terminal that is written anew while somebody waits; nothing to a file or a pipe."""

    def __init__(self) -> None:
        from monitor.outputs.page import is_terminal

        self._on = is_terminal(sys.stderr)
        self._next = time.monotonic() + EVERY_SECONDS
        self._shown = False

    def listening(self, seconds: float, frames: int, messages: int) -> None:
        """So far."""
        self._show(f"listening: {seconds:.0f} s, {frames:,} frames, {messages:,} of SIP")

    def reading(self) -> None:
        """A capture."""
        self._show("reading the capture")

    def close(self) -> None:
        """The line is gone."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if self._on and now >= self._next:
            self._next = now + EVERY_SECONDS
            self._shown = True
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
