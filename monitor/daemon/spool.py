"""How far each sink is: a small file beside the journal, written by its process, read by whoever wants to know."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from monitor.daemon.ledger import Place

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SUFFIX = ".place"
DURABLE_SECONDS = 1.0
"""A note is forced onto the disk so often, for a power cut; a process that dies needs no force."""


class Note(msgspec.Struct, kw_only=True):
    """Where a sink is, and how it fares."""

    place: str = "0:0"
    """Everything before is delivered, or not for it."""
    until: str = "0:0"
    """Where the journal ended when the sink was new; before, only what was young then is delivered."""
    since: str = ""
    """What was young then: lines from this moment on."""
    delivered: int = 0
    failures: int = 0
    """Deliveries that did not succeed, and were tried again."""
    dead: int = 0
    """Lines that the other side refuses; they lie in the file of dead letters."""
    missed: int = 0
    """Files of the journal that were gone before they were read."""
    trouble: str = ""
    """Why nothing can be delivered now; empty when all is well."""
    at: float = 0.0
    """When something was last delivered, by the wall clock."""
    kept: dict[str, Any] = {}
    """What the sink itself must know."""


class Changed(Exception):
    """Somebody was forgotten, and their name taken out of the note: whoever goes on must read it again."""


class Spool:
    """The note of one sink: its process alone writes it, unless somebody must be forgotten."""

    def __init__(self, state: Path, name: str) -> None:
        self.path = state / f"{name}{SUFFIX}"
        self.is_new = not self.path.exists()
        self._stamp = _stamp_of(self.path)
        self.note = note_in(self.path) or Note()
        self._forced = 0.0

    def look(self) -> None:
        """Whether the note is still our own: raises `Changed`."""
        if self._stamp is not None and _stamp_of(self.path) not in (self._stamp, None):
            raise Changed

    def write(self) -> None:
        """Whole or not at all. Raises `OSError`, and `Changed`."""
        self.look()
        draft = self.path.with_suffix(f"{SUFFIX}.new")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(self.note))
            now = time.monotonic()
            if now - self._forced >= DURABLE_SECONDS:
                self._forced = now
                file.flush()
                os.fdatasync(file.fileno())
        stamp = _stamp_of(draft)  # of our own, whoever puts another in its place at once
        draft.replace(self.path)
        self._stamp = stamp


def _stamp_of(path: Path) -> tuple[int, int] | None:
    """Which file it is; none when there is none."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns


def change_note(path: Path, without: Callable[[str], str]) -> bool:
    """Take somebody out of what a sink knows; whether they were there. The sink's process notices. Raises `OSError`."""

    def walked(value: Any) -> Any:
        if isinstance(value, str):
            return without(value)
        if isinstance(value, dict):
            return {name: walked(one) for name, one in value.items()}
        return [walked(one) for one in value] if isinstance(value, list) else value

    note = note_in(path)
    if note is None or (kept := walked(note.kept)) == note.kept:
        return False
    note.kept = kept
    draft = path.with_suffix(f"{SUFFIX}.without")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(note))
    draft.replace(path)
    return True


def note_in(path: Path) -> Note | None:
    """What it says; none where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except (OSError, msgspec.MsgspecError):
        return None


def places(state: Path, names: Iterable[str]) -> dict[str, Place]:
    """How far each sink has read; the very beginning for one that has not begun."""
    notes = {name: note_in(state / f"{name}{SUFFIX}") for name in names}
    return {name: Place.of(note.place) if note else Place(0, 0) for name, note in notes.items()}


class SinkVitals:
    """How the sinks are, as metrics. Their names are the operator's own."""

    def __init__(self, state: Path, names: Iterable[str], journal: Path) -> None:
        self._state, self._names, self._journal = state, tuple(names), journal

    def collect(self) -> "Iterator[Metric]":
        """What a registry asks for at each scrape."""
        from prometheus_client.core import CounterMetricFamily as Counter
        from prometheus_client.core import GaugeMetricFamily as Gauge

        notes = {name: note_in(self._state / f"{name}{SUFFIX}") or Note() for name in self._names}
        counters = {
            "sink_delivered": ("Lines of the journal that were delivered.", "delivered"),
            "sink_failures": ("Deliveries that did not succeed, and are tried again.", "failures"),
            "sink_dead_letters": ("Lines that the other side refuses, put aside.", "dead"),
            "sink_missed_files": ("Files of the journal that were gone before they were read.", "missed"),
        }
        for name, (about, field) in counters.items():
            family = Counter(f"joinwatch_{name}", about, labels=["sink"])
            for sink, note in notes.items():
                family.add_metric([sink], getattr(note, field))
            yield family
        up = Gauge("joinwatch_sink_up", "1 when the last delivery succeeded.", labels=["sink"])
        behind = Gauge("joinwatch_sink_behind_bytes", "Of the journal, not yet read.", labels=["sink"])
        last = Gauge("joinwatch_sink_last_delivery_timestamp_seconds", "When something was delivered.", labels=["sink"])
        sizes = sizes_in(self._journal)
        for sink, note in notes.items():
            up.add_metric([sink], not note.trouble)
            place = Place.of(note.place)
            unread = sum(size for segment, size in sizes.items() if segment >= place.segment)
            behind.add_metric([sink], max(0, unread - (place.offset if place.segment in sizes else 0)))
            last.add_metric([sink], note.at)
        yield from (up, behind, last)


def sizes_in(journal: Path) -> dict[int, int]:
    """The bytes of each file of the journal, by its number."""
    from monitor.daemon.ledger import SUFFIX as ENDING
    from monitor.daemon.ledger import segments_in

    sizes = {}
    for segment in segments_in(journal):
        with suppress(OSError):
            sizes[segment] = (journal / f"{segment:08d}{ENDING}").stat().st_size
    return sizes
