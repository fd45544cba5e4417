"""A process that dies says where and of what, and none of an exception's words, which may be anybody's."""

import subprocess
import sys

import pytest

DEATHS = {
    "a process": "raise ValueError('Mallory, +31205550177')",
    "a thread": "import threading; t = threading.Thread(target=lambda: int('Mallory')); t.start(); t.join()",
}


@pytest.mark.parametrize("death", DEATHS)
def test_no_word_of_an_exception_reaches_the_log(death: str) -> None:
    code = f"from monitor.daemon.obituary import leave_only_a_place\nleave_only_a_place('serve')\n{DEATHS[death]}"
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Mallory" not in died.stdout + died.stderr
    assert died.stderr.startswith("joinwatch: serve: ValueError in ")
    assert died.stderr.count("\n") == 1
