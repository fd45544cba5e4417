"""The lists that were in force last, as files in the state folder: what a daemon starts with when those of the operator
are broken.

A daemon that did not start would see nothing; one that started without the list would take everybody for uninvited. So
it goes on as if it had never ended, and says so. The copy is as private as the lists, and made anew when they change.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import msgspec

from monitor.daemon.watching import SUFFIXES
from monitor.model.settings import Settings

FOLDERS = FOLDER, DRAFT, BEFORE = "lists", "lists.draft", "lists.before"
INDEX = "lists.json"


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the copy is of; paths are seen from its folder."""

    digest: str
    at: float
    """When these lists came into force, by the wall clock."""
    meetings: tuple[str, ...] = ()
    directory: tuple[str, ...] = ()
    policy: str | None = None
    suppressions: str | None = None


class Kept(NamedTuple):
    """The copy, as settings name lists."""

    settings: Settings
    digest: str
    at: float
    """When they came into force, by the wall clock."""


class LastLists:
    """The copy in one state folder."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._one_at_a_time = Lock()

    def load(self, settings: Settings) -> Kept | None:
        """These settings with the copies in place of the lists; none when there are none."""
        for name in (FOLDER, BEFORE):  # a death between two renames leaves the one of before
            folder = self._state / name
            with suppress(OSError, msgspec.MsgspecError):
                index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
                copies = msgspec.structs.replace(
                    settings,
                    meetings=tuple(str(folder / path) for path in index.meetings),
                    directory=tuple(str(folder / path) for path in index.directory),
                    policy=str(folder / index.policy) if index.policy else None,
                    suppressions=str(folder / index.suppressions) if index.suppressions else None,
                )
                return Kept(copies, index.digest, index.at)
        return None

    def keep(self, settings: Settings, digest: str, now: Callable[[], str]) -> bool:
        """Copy these lists, which have come into force; whether the copy is what they were then.

        `digest` is theirs when they were read, `now` gives that of what is on the disk. Raises `OSError`; then, and
        when somebody is changing them, the copy of before stays.
        """
        with self._one_at_a_time:
            if self._is_of(digest):
                return True
            folder, draft, before = (self._state / name for name in FOLDERS)
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            index = Index(
                digest=digest,
                at=time.time(),
                meetings=tuple(self._copies("meetings", settings.meetings)),
                directory=tuple(self._copies("directory", settings.directory)),
                policy=self._copy("policy", settings.policy),
                suppressions=self._copy("suppressions", settings.suppressions),
            )
            _write(draft / INDEX, msgspec.json.encode(index))
            if now() != digest:
                shutil.rmtree(draft, ignore_errors=True)
                return False
            shutil.rmtree(before, ignore_errors=True)
            if folder.exists():
                folder.rename(before)
            draft.rename(folder)
            shutil.rmtree(before, ignore_errors=True)
            return True

    def _is_of(self, digest: str) -> bool:
        with suppress(OSError, msgspec.MsgspecError):
            index = msgspec.json.decode((self._state / FOLDER / INDEX).read_bytes(), type=Index)
            return index.digest == digest
        return False

    def _copy(self, kind: str, path: str | None) -> str | None:
        return next(self._copies(kind, (path,))) if path else None

    def _copies(self, kind: str, paths: tuple[str, ...]) -> Iterator[str]:
        """Each of these copied, file or folder; its path in the copy."""
        for place, path in enumerate(map(Path, paths)):
            root = self._state / DRAFT / kind / str(place)
            root.mkdir(mode=0o700, parents=True)
            if not path.is_dir():
                _write(root / path.name, path.read_bytes())
                yield f"{kind}/{place}/{path.name}"
                continue
            for file in sorted(path.rglob("*")):
                if file.suffix.lower() in SUFFIXES and file.is_file():
                    copy = root / file.relative_to(path)
                    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    _write(copy, file.read_bytes())
            yield f"{kind}/{place}"


def forget_in(state: Path) -> int:
    """The copy of the lists in this state folder goes; how many files it had. Raises `OSError`."""
    count = 0
    for folder in (state / name for name in FOLDERS):
        if folder.exists():
            count += sum(path.is_file() for path in folder.rglob("*"))
            shutil.rmtree(folder)
    return count


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
