"""Options of the test run."""

import gc
import os
import signal
import sys
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import settings

# In CI the same examples each time, so that a change is judged by what it changes; at a desk new ones, to find more.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


# A shell's background job ignores Ctrl-C, and so would every program that the tests start from there to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden files anew instead of comparing")


@pytest.fixture(autouse=True)
def no_debris_of_pyshark(request: pytest.FixtureRequest) -> Iterator[None]:
    """pyshark leaves transports of asyncio unclosed; collected here, they cannot warn in the middle of another test."""
    yield
    if "pyshark" in sys.modules and ("explain" in request.node.nodeid or "misfortune" in request.node.nodeid):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
