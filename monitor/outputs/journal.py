"""The journal: one JSON object a line, for machines, and for people who come years later.

Lines are written whole and together: a run that is killed leaves complete lines behind. Every alert is on disk before
`write` returns. `journal.schema.json` beside this file says what a line may hold.
"""

import sys
from io import FileIO, RawIOBase
from typing import BinaryIO, Self

import msgspec

from monitor.model.alerts import Alert
from monitor.model.evidence import Nanoseconds
from monitor.model.problems import ConfigError, Problem
from monitor.outputs.records import KINDS, Mode, Record, moment_of, object_of
from monitor.outputs.safe import escaped_json
from monitor.outputs.written import may_write

BATCH_BYTES = 64 * 1024
"""Written in one go: the cost of a write, spread over some hundred lines."""


def may_write_journal(path: str) -> None:
    """A ConfigError where no journal can be written: told before an hour of reading, not after it."""
    may_write(path, b'{"type":"', "journal", "--json")


class Journal:
    """Writes records as JSON lines into a binary file."""

    def __init__(self, sink: BinaryIO | RawIOBase, mode: Mode = "replay") -> None:
        self._sink = sink
        self._kinds = KINDS[mode]
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []
        self._waiting = 0
        self._now: Nanoseconds = 0
        self._path = ""

    @classmethod
    def to(cls, path: str, mode: Mode = "replay") -> Self:
        """A journal in a new file, or on standard output for `-`."""
        if path == "-":
            return cls(sys.stdout.buffer, mode)
        may_write_journal(path)
        try:
            journal = cls(FileIO(path, "wb"), mode)
        except OSError as error:
            found = f"cannot be written: {error.strerror}"
            raise ConfigError(
                [Problem(file=path, line=0, found=found, expected="a file in a folder of yours")]
            ) from None
        journal._path = path
        return journal

    def write(self, record: Record) -> None:
        """Adds the record's line, when this journal's command keeps records of its kind."""
        if not isinstance(record, self._kinds):
            return
        self._now = max(self._now, moment_of(record))
        said = object_of(record, self._now)
        if said is None:
            return
        line = self._encoder.encode(said) + b"\n"
        # What is plain ASCII needs no look: JSON escapes control characters itself, all but DEL.
        if not line.isascii() or b"\x7f" in line:
            line = escaped_json(line[:-1].decode()).encode() + b"\n"
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting >= BATCH_BYTES or isinstance(record, Alert):
            self.flush()

    def flush(self) -> None:
        """Hands over what is waiting, whole lines in one write."""
        if not self._lines:
            return
        batch = memoryview(b"".join(self._lines))
        self._lines.clear()
        self._waiting = 0
        try:
            while batch:
                written = self._sink.write(batch)
                if written is None:
                    raise BlockingIOError("the journal's file takes no more bytes now")
                batch = batch[written:]  # A raw file may take less than it was given.
            self._sink.flush()
        except OSError as error:
            error.filename = self._path or None
            raise

    def close(self) -> None:
        """Writes the rest; standard output stays open."""
        try:
            self.flush()
        finally:
            if self._path:
                self._sink.close()


def schema() -> bytes:
    """The JSON Schema (draft 2020-12) of every line."""
    from importlib.resources import files

    return files("monitor.outputs").joinpath("journal.schema.json").read_bytes()
