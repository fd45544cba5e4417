"""What a user without any privilege needs to run the program: an interpreter and a folder that they may enter."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.corpus import ROOT

NOBODY = 65534


def _may_be_run(interpreter: str) -> bool:
    told = f"import sys, msgspec, monitor; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    # By way of a shell: setpriv itself gives up its last privilege only when it has found the program.
    start = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c", 'exec "$0" "$@"']
    words = [*start, interpreter, "-B", "-c", told]
    try:
        return not subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, check=False).returncode
    except OSError:
        return False


def environment() -> dict[str, str]:
    """In which another interpreter of the same version finds what ours has."""
    return {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONDONTWRITEBYTECODE": "1"}


def interpreter_for_anybody() -> str:
    """Ours, or the system's of the same version; skips when there is none."""
    if not shutil.which("setpriv"):
        pytest.skip("there is no `setpriv` (util-linux)")
    for interpreter in (sys.executable, "/usr/bin/python3"):
        if _may_be_run(interpreter):
            return interpreter
    pytest.skip("no Python of this version can be started by a user without privileges")


@contextmanager
def folder_for_anybody() -> Iterator[Path]:
    """A folder that all may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="joinwatch-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
