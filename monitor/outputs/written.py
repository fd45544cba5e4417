"""Files that the operator names for results: what may be written over, and what must not be lost.

One slip of the keyboard (`--json trunk.pcap`) would otherwise destroy the only evidence that there is.
"""

import os
from pathlib import Path

from monitor.model.problems import ConfigError, Problem

LOOK_BYTES = 64
"""Enough of a file to know what it is."""


def may_write(path: str | Path, begins: bytes, what: str, option: str) -> None:
    """Whether results can go there: a new file, an empty one, one of ours, or no file at all; a ConfigError if not.

    `begins` is how every file of ours begins, `what` is its name.
    """
    target = Path(path)
    expected = f"for {option} a new file in a folder of yours"
    found = ""
    try:
        if "\0" in str(path):
            found = "is no name of a file"
        elif target.is_dir():
            found = "is a folder"
        elif not target.exists():
            folder = target.absolute().parent
            if not folder.is_dir():
                found = f"cannot be written: there is no folder {folder}"
            elif not os.access(folder, os.W_OK):
                found = f"cannot be written: the folder {folder} is not yours to write in"
        elif not os.access(target, os.W_OK):
            found = "cannot be written: permission denied"
        elif target.is_file() and not _is_ours(target, begins):
            found, expected = f"is there already, and is no {what}", f"for {option} a new file, or {what} to replace"
    except OSError as error:
        found = f"cannot be written: {error.strerror}"
    if found:
        raise ConfigError([Problem(file=str(path), line=0, found=found, expected=expected)])


def _is_ours(target: Path, begins: bytes) -> bool:
    try:
        with target.open("rb") as file:
            head = file.read(LOOK_BYTES)
    except PermissionError:
        return True  # Written and not read: a letter box. What is in it nobody gave us to read.
    return not head or head.startswith(begins)
