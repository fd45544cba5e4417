"""A list that was fetched takes the place of the one before, when it is good, and not suspiciously short.

Entries that cannot be read are left out, for anybody may send a broken invitation, and must not stop all others by it.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from monitor.model.problems import ConfigError, Problem

FEW = 4
"""Fewer entries may go at once without question."""
ROUNDS = 3
"""Of leaving out what is wrong."""


class Trouble(Exception):
    """Why a list was not fetched; names no person."""


class Kept(NamedTuple):
    """What became of one list."""

    entries: int
    left_out: int
    changed: bool


class Form(NamedTuple):
    """How entries make a file."""

    begin: str
    end: str
    count: Callable[[str], int]
    """How many entries a file has."""
    load: Callable[[Path], object]
    """Reads the file as the daemon would; raises `ConfigError`."""


def keep(path: Path, entries: Sequence[str], form: Form, *, accept_shrink: bool = False) -> Kept:
    """Put these entries, each with its line end, in place of the file. Raises `Trouble`, and the file is as it was."""
    text, left_out = _good(path.name, entries, form)
    before = _read(path)
    had, have = form.count(before), form.count(text)
    if not accept_shrink and had >= FEW and have * 2 < had:
        raise Trouble(f"{path.name} would shrink from {had} entries to {have}; --accept-shrink takes that")
    if not accept_shrink and had and not have:
        raise Trouble(f"{path.name} would have no entry any more; --accept-shrink takes that")
    if text != before:
        _replace(path, text)
    return Kept(have, left_out, text != before)


def _good(name: str, entries: Sequence[str], form: Form) -> tuple[str, int]:
    """The file without those entries that cannot be read, and how many they are."""
    left: list[str] = list(entries)
    wrong: Sequence[Problem] = ()
    for _ in range(ROUNDS):
        text = "".join((form.begin, *left, form.end))
        wrong = _wrong(name, text, form)
        if not wrong:
            return text, len(entries) - len(left)
        ends = list(accumulate((entry.count("\n") for entry in left), initial=form.begin.count("\n")))
        bad = {bisect_right(ends, problem.line - 1) - 1 for problem in wrong}
        if not all(0 <= place < len(left) for place in bad):
            break
        left = [entry for place, entry in enumerate(left) if place not in bad]
    expected = wrong[0].expected if wrong else "something else"
    raise Trouble(f"{name} could not be read by joinwatch itself: {expected} was expected")


def _wrong(name: str, text: str, form: Form) -> Sequence[Problem]:
    with TemporaryDirectory(prefix="joinwatch-fetch-") as folder:
        draft = Path(folder, name)
        draft.write_bytes(text.encode())
        try:
            form.load(draft)
        except ConfigError as error:
            return error.problems
    return ()


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _replace(path: Path, text: str) -> None:
    """All of it or nothing, also when the power fails."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")  # which no reader takes for a list
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
