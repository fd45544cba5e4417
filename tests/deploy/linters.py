"""Second opinions: programs that read what is shipped, where `make linters` has put them or the system has them."""

import os
import shutil
import subprocess

import pytest

from tests.corpus import ROOT

OWN = ROOT / "build" / "linters" / "bin"


def linter(name: str, how: str = "make linters") -> str:
    """Where it is; skips where it is not, and says how to come by it."""
    found = shutil.which(name, path=f"{OWN}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip(f"there is no {name}: {how}")
    return found


def told_by(*words: str, **environment: str) -> tuple[int, str]:
    """Its exit code, and all that it said."""
    env = {**os.environ, **environment}
    env["PATH"] = f"{OWN}{os.pathsep}{env.get('PATH', '')}"
    run = subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return run.returncode, run.stdout + run.stderr
