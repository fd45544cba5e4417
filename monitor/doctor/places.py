"""Folders and files of the configuration: whether the daemon may use them, and whether there is room."""

import errno
import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from monitor.doctor.facts import PlaceFacts
from monitor.model.settings import Settings

TRIAL_BYTES = 64 * 1024
"""Written to a nameless file that is gone at once: only so it is known that there is room."""
SOCKET_PATH_BYTES = 107
"""The longest path of a socket (unix(7)), of which `/capture.sock` is part."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def place_facts(settings: Settings) -> Iterator[PlaceFacts]:
    """Both folders that are written, and everything that is read."""
    yield _written("state", Path(settings.state), settings.user)
    runtime = _written("runtime", Path(settings.runtime), settings.user)
    if not runtime.trouble and len(os.fsencode(f"{settings.runtime}/capture.sock")) > SOCKET_PATH_BYTES:
        long = f"a path of more than {SOCKET_PATH_BYTES - len('/capture.sock')} characters, too long for a socket"
        yield PlaceFacts(role="runtime", path=settings.runtime, trouble=long)
    else:
        yield runtime
    policy = (settings.policy,) if settings.policy else ()
    for role, paths in (("meetings", settings.meetings), ("directory", settings.directory), ("policy", policy)):
        for path in paths:
            yield _read(role, Path(path), settings.user)


def _written(role: str, path: Path, user: str | None) -> PlaceFacts:
    """A folder that the daemon makes, if it is not there, and writes into."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return PlaceFacts(role=role, path=str(path), trouble=f"{there} is no folder")
    free_bytes, free_files = _room(there)
    exists = there == path
    trouble, full, who = _trial(there, free_bytes), False, ""
    if trouble is not None and trouble.errno in NO_ROOM:
        full = True
    if trouble is None and exists and user is not None and os.geteuid() == 0:
        # Root's daemon gives the folder to its user at the start; what lies in it already stays whose it is.
        refused = next((inner for inner in _inside(path) if not _may(inner, user, 0o2)), None)
        if refused is not None:
            return PlaceFacts(role=role, path=str(refused), trouble="may not be written", user=user)
    if trouble is not None:
        who = _me()
    return PlaceFacts(
        role=role,
        path=str(path),
        exists=exists,
        trouble=(trouble.strerror or "cannot be written") if trouble else "",
        full=full,
        free_bytes=free_bytes,
        free_files=free_files,
        user=who,
    )


def _trial(folder: Path, free: int | None) -> OSError | None:
    """Why nothing can be written there."""
    if free == 0:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        with TemporaryFile(dir=folder, buffering=0) as file:
            if (file.write(bytes(TRIAL_BYTES)) or 0) < TRIAL_BYTES:
                return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        return error
    return None


def _read(role: str, path: Path, user: str | None) -> PlaceFacts:
    """A file or folder that the daemon reads as its user."""
    for here in (*reversed(path.absolute().parents), path, *_inside(path)):
        if not here.exists():
            return PlaceFacts(role=role, path=str(here), exists=False, trouble="is not there")
        need = 0o5 if here.is_dir() else 0o4
        need = 0o1 if here in path.absolute().parents else need
        mine = os.access(here, {0o1: os.X_OK, 0o4: os.R_OK, 0o5: os.R_OK | os.X_OK}[need])
        if not mine or (user is not None and os.geteuid() == 0 and not _may(here, user, need)):
            return PlaceFacts(
                role=role, path=str(here), trouble="may not be read", user=user if mine and user else _me()
            )
    return PlaceFacts(role=role, path=str(path))


def _inside(path: Path) -> list[Path]:
    """What is in a folder, if it is one: the first hundred."""
    with suppress(OSError):
        if path.is_dir():
            return sorted(path.iterdir())[:100]
    return []


def _may(path: Path, user: str, need: int) -> bool:
    """Whether the user may do this with it, by owner, group and others (not by lists of access control)."""
    try:
        entry, found = pwd.getpwnam(user), path.stat()
    except (KeyError, OSError):
        return True  # said elsewhere
    if entry.pw_uid == 0:
        return True
    groups = os.getgrouplist(user, entry.pw_gid)
    shift = 6 if found.st_uid == entry.pw_uid else 3 if found.st_gid in groups else 0
    return found.st_mode >> shift & need == need


def _room(folder: Path) -> tuple[int | None, int | None]:
    """Bytes and files that a user may still make; file systems that do not count files say 0 of 0."""
    with suppress(OSError):
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None
    return None, None


def _me() -> str:
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
