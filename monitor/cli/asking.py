"""Carries out what `forget` and `purge` ask: the running daemon does it, or this command where none runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.cli.speech import say
from monitor.daemon.ledger import Ledger
from monitor.daemon.lock import Lock
from monitor.daemon.memory import Memory
from monitor.daemon.requests import Answer, Request, ask
from monitor.daemon.retention import Keeping, meet
from monitor.model.settings import Settings

PATIENCE = 600.0
"""Seconds that a daemon may take: it goes through a year of journal beside its work."""


def carried_out(settings: Settings, request: Request) -> Answer:
    """What became of it."""
    state = Path(settings.state)
    try:
        with Lock(state), _as_owner(state):
            return _done(state, request)
    except BlockingIOError:
        say("the daemon is at work and is asked to do it")
    answer = ask(state, request, PATIENCE)
    return answer or Answer(trouble="the daemon gave no answer; stop it, and ask again")


@contextmanager
def _as_owner(state: Path) -> Iterator[None]:
    """What root makes here must stay the daemon's own, or the daemon could not go on."""
    owner = state.stat()
    if os.geteuid() != 0 or not owner.st_uid:
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def _done(state: Path, request: Request) -> Answer:
    counts: dict[str, int] = {}
    ledger = Ledger(state / "journal")
    try:
        with Memory(state / "memory.db") as memory:
            for _ in meet(request, Keeping(state, ledger, memory), counts):
                pass
    finally:
        ledger.close()
    return Answer(counts=counts)
