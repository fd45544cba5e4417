"""What stands at this moment, as the journal has it: who is in a meeting, and which alerts are active.

When the lists change, everything is judged anew. What that adds is said as ever; what it takes back would be said by
nobody, so the two are compared, the standing of before and that of now.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from monitor.model.evidence import HOUR, SECOND, Nanoseconds
from monitor.model.problems import Problem
from monitor.outputs.records import time_of

ACTIVE: Nanoseconds = HOUR
"""After its last sighting, as metrics and sinks have it."""
MAX_STANDING = 16_384
"""Alerts, and participants, unless the policy limits alerts otherwise: beyond, the oldest are not compared."""
MAX_MISTAKES, MAX_TEXT = 64, 1000
"""In one line; `joinwatch check` tells all."""
WITHDRAWN = "the lists were changed"


Lines = OrderedDict[str, bytes]
"""By what they are about; as JSON, which takes a third of the room of objects, for they are hardly ever read."""


class Standing:
    """Lines of the journal, by what they are about; a later one takes the place of an earlier."""

    def __init__(self, most: int = MAX_STANDING) -> None:
        self._most = most
        self._alerts: Lines = OrderedDict()
        self._joins: Lines = OrderedDict()
        self._written: set[str] = set()
        """Those of them that were written because of this standing, and not of one before."""

    def take(self, said: dict[str, Any], *, is_new: bool) -> None:
        """What the stages say now; whether the journal did not have it yet."""
        name = str(said.get("id", ""))
        match said["type"]:
            case "alert":
                self._keep(self._alerts, name, said)
            case "join":
                self._keep(self._joins, name, said)
            case "leave":
                self._joins.pop(name, None)
                self._written.discard(name)
                return
            case _:
                return
        if is_new:
            self._written.add(name)
        else:
            self._written.discard(name)

    def has(self, name: str) -> bool:
        """Whether a participant or an alert of that id stands."""
        return name in self._joins or name in self._alerts

    def _keep(self, table: Lines, name: str, said: dict[str, Any]) -> None:
        table[name] = msgspec.json.encode(said)
        table.move_to_end(name)
        if len(table) > self._most:
            gone, _ = table.popitem(last=False)
            self._written.discard(gone)

    def take_over(self, other: "Standing") -> None:
        """What was written because of another, which never came to be, stands in the journal: it must be compared."""
        for name in other._written:  # noqa: SLF001 - another of our kind
            for mine, theirs in ((self._alerts, other._alerts), (self._joins, other._joins)):  # noqa: SLF001
                if name in theirs:
                    self._keep(mine, name, _read(theirs[name]))

    def lines_after(self, before: "Standing", now: Nanoseconds) -> Iterator[dict[str, Any]]:
        """What must be said beside what was: alerts that are none any more or less severe, and verdicts of before."""
        for name, line in before._alerts.items():  # noqa: SLF001 - another of our kind
            if line == self._alerts.get(name):
                continue
            said, here = _read(line), _read(self._alerts[name]) if name in self._alerts else None
            if here is None and _nanoseconds(said["last_seen"]) > now - ACTIVE:
                yield {**said, "time": time_of(now), "withdrawn": WITHDRAWN}
            elif here is not None and here["severity"] != said["severity"] and name not in self._written:
                yield {**here, "time": time_of(now)}
        for name, line in self._joins.items():
            was = before._joins.get(name)  # noqa: SLF001
            if was is None or was == line or name in self._written:
                continue
            if _verdict(_read(was)) != _verdict(_read(line)):
                yield _read(line)


def _read(line: bytes) -> dict[str, Any]:
    return msgspec.json.decode(line, type=dict[str, Any])


def _verdict(said: dict[str, Any]) -> tuple[Any, Any]:
    return said["verdict"], said["subject"]


def _nanoseconds(time: str) -> Nanoseconds:
    return int(datetime.fromisoformat(time).timestamp()) * SECOND


def reload_line(now: Nanoseconds, mistakes: list[dict[str, Any]], needs_restart: Sequence[str]) -> dict[str, Any]:
    """What the journal says of a reload."""
    return {
        "type": "reload",
        "time": time_of(now),
        "successful": not mistakes,
        "mistakes": mistakes[:MAX_MISTAKES],
        "more": max(0, len(mistakes) - MAX_MISTAKES),
        "needs_restart": list(needs_restart),
    }


def mistakes_of(problems: Iterable[Problem], *, hidden: bool) -> list[dict[str, Any]]:
    """Mistakes in the operator's files. Where people are told under pseudonyms, what stands in lists of them is not."""
    return [
        {
            "file": problem.file[:MAX_TEXT],
            "line": problem.line,
            "found": None if hidden and problem.for_log != str(problem) else problem.found[:MAX_TEXT],
            "expected": problem.expected[:MAX_TEXT],
        }
        for problem in problems
    ]
