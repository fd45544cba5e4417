"""What `joinwatch forget` and `purge` ask of a daemon at work: a file in a folder of its owner's, answered by another.

No port, no socket: whoever may write into the state folder may ask, and nobody else.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from monitor.daemon.forgetting import Person
from monitor.model.evidence import Nanoseconds

REQUEST, ANSWER, DRAFT = ".request", ".answer", ".draft"
MAX_REQUEST = 1024 * 1024
LIFETIME = 3600.0
"""Seconds; what was asked longer ago was given up by whoever asked."""
LOOK_SECONDS = 0.5


class Forget(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody shall be forgotten."""

    person: Person


class Purge(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is older shall go."""

    moments: dict[str, str]
    """RFC 3339, by type of line."""
    others: str = ""
    memory: Nanoseconds = 0


Request = Forget | Purge


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    counts: dict[str, int] = {}
    trouble: str = ""
    """Why it could not be done; empty when it was."""


class Requests:
    """The folder, seen from the daemon."""

    def __init__(self, state: Path) -> None:
        self._folder = folder_of(state)
        self._looked = 0.0

    def next(self) -> tuple[str, Request] | None:
        """The oldest request that waits, with its name; looked for now and then."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        for path in sorted(self._folder.glob("*")):
            with suppress(OSError):
                if path.suffix == REQUEST and time.time() - path.stat().st_mtime <= LIFETIME:
                    found: Request | None = _read(path, Request)
                    path.unlink()
                    if found is not None:
                        return path.stem, found
                elif time.time() - path.stat().st_mtime > LIFETIME:
                    path.unlink()
        return None

    def answer(self, name: str, answer: Answer) -> None:
        """Tell whoever asked; on a full disk they wait in vain."""
        with suppress(OSError):
            _write(self._folder / f"{name}{ANSWER}", answer)


def ask(state: Path, request: Request, patience: float) -> Answer | None:
    """What the daemon answers; none when it does not within so many seconds: then the request is withdrawn."""
    folder = folder_of(state)
    name = token_hex(8)
    path, told = folder / f"{name}{REQUEST}", folder / f"{name}{ANSWER}"
    _write(path, request)
    end = time.monotonic() + patience
    try:
        while time.monotonic() < end:
            if told.exists():
                found: Answer | None = _read(told, Answer)
                return found
            time.sleep(0.05)
        return None
    finally:
        path.unlink(missing_ok=True)
        told.unlink(missing_ok=True)


def folder_of(state: Path) -> Path:
    """Where requests lie: its owner's alone."""
    folder = state / "requests"
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = state.stat()
    if folder.stat().st_uid != owner.st_uid:  # made by root for the daemon's own user
        os.chown(folder, owner.st_uid, owner.st_gid)
    return folder


def _read(path: Path, kind: Any) -> Any:
    """What stands there; none when it is no such thing."""
    with path.open("rb") as file:
        raw = file.read(MAX_REQUEST + 1)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError:
        return None


def _write(path: Path, content: msgspec.Struct) -> None:
    """Whole or not at all, and for its owner alone."""
    draft = path.with_suffix(DRAFT)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.write(descriptor, msgspec.json.encode(content))
    finally:
        os.close(descriptor)
    draft.replace(path)
