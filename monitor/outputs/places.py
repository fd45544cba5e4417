"""Where the captures lie that a journal names. Its names come from anybody, so they must lead nowhere else."""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

MAX_NAME_BYTES = 255
"""Of one part of a name; a file system has no longer ones."""
MAX_PARTS = 16
"""Folders before a name: where two captures of a run have one name, the journal puts them before it."""
MAX_FILES = 100_000
"""Files looked at below the folders that the operator names."""


class Places:
    """The files and folders that the operator names, then the journal's folder and the current one."""

    def __init__(self, named: Sequence[Path], journal: Path) -> None:
        self._named = named
        self._near = (journal.absolute().parent, Path.cwd())

    def of(self, capture: str) -> Path | None:
        """The file that is meant by this name; none when it is not there, or the name is none."""
        parts = _parts_of(capture)
        if not parts:
            return None
        for place in self._named:
            if place.name == parts[-1] and place.is_file():
                return place
        for place in (*self._named, *self._near):
            for path in (place.joinpath(*parts), _beside(place, parts)):
                if path is not None and path.is_file():
                    return path
        return next((path for place in self._named for path in _below(place) if _ends_with(path, parts)), None)


def _parts_of(capture: str) -> tuple[str, ...]:
    """The name in its parts; none when it leads anywhere but down."""
    parts = PurePosixPath(capture).parts
    if "\0" in capture or capture != "/".join(parts) or len(parts) > MAX_PARTS:
        return ()
    wrong = any(
        part in ("/", "//", ".", "..") or len(part.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES for part in parts
    )
    return () if wrong else parts


def _beside(place: Path, parts: tuple[str, ...]) -> Path | None:
    """`sensor1/trunk.pcap`, where the folder that was named is `…/sensor1` itself."""
    folders = parts[:-1]
    fits = bool(folders) and place.absolute().parts[-len(folders) :] == folders
    return place / parts[-1] if fits else None


def _ends_with(path: Path, parts: tuple[str, ...]) -> bool:
    return path.absolute().parts[-len(parts) :] == parts


def _below(place: Path) -> list[Path]:
    """Files below a folder that the operator names, as `replay` finds them."""
    found = (Path(root, file) for root, _, files in os.walk(place) for file in files)
    return sorted(islice(found, MAX_FILES))
