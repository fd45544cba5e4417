"""Every input of the fuzzer's corpora runs as an ordinary test; whatever reads foreign bytes has a target."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from time import process_time
from types import FrameType

import pytest

import monitor
from fuzz.seeds import seeds
from fuzz.target import CORPUS, Target, bytes_of, records_of
from fuzz.targets import TARGETS
from fuzz.wire import EVERY_ENVELOPE
from monitor.decoders import decoders_of
from monitor.wire import ENVELOPES, LINKS, PORTS, TUNNELS

MAX_CORPUS_BYTES = 1_000_000
MAX_SECONDS = 2.0
"""Processor time of one small input, on the slowest machine: most take a millisecond."""
READERS = ("wire", "decoders", "platforms", "sources")
"""Packages in which every module reads what others wrote, unless it is named below."""
NO_READERS = {
    "sources": "a table of contents",
    "sources.instructions": "programs for the packet filter, made of what decoders ask",
    "sources.tags": "part of the same programs",
    "sources.live": "a table of contents",
    "sources.live.blocks": "memory as the kernel or the pump lays it out; the frames in it, `wire` reads",
    "sources.live.pump": "copies frames, and reads nothing in them",
    "sources.live.ring": "memory that the kernel fills, as its headers say; the frames in it, `wire` reads",
    "decoders.sip_resumed": "calls that another process of the monitor has written down",
    "sources.order": "puts frames in order that others have read",
    "sources.looks": "counts the layouts that `wire.layers` tells of",
    "sources.hep": "a socket; what it cuts out of a stream, `wire.hep` reads",
    "decoders.losses": "numbers, counted",
    "decoders.decoder": "what a decoder is",
}
"""Modules of those packages that no target must reach, and why."""


def inputs() -> Iterator[object]:
    for name, target in TARGETS.items():
        for path in sorted(target.corpus.iterdir()):
            yield pytest.param(target, path, id=f"{name}/{path.name}")


@pytest.mark.parametrize(("target", "path"), [*inputs()])
def test_what_was_found_once_is_no_news(target: Target, path: Path) -> None:
    data = path.read_bytes()
    began = process_time()
    target.run(data)
    assert process_time() - began < MAX_SECONDS


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 99, bytes(range(256)), b"\r\n" * 50, b"0" * 4096])
def test_plain_nonsense(target: Target, data: bytes) -> None:
    began = process_time()
    target.run(data)
    assert process_time() - began < MAX_SECONDS


def test_the_corpora_are_those_of_the_targets_and_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert set(seeds()) == set(TARGETS)
    assert all(len(list(target.corpus.iterdir())) >= 1 for target in TARGETS.values())
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MAX_CORPUS_BYTES


def test_an_input_of_records_can_be_made_and_read() -> None:
    records = [(0, b""), (255, b"abc"), (7, bytes(1000))]
    assert list(records_of(bytes_of(records))) == records
    assert list(records_of(bytes_of(records)[:-999]))[-1] == (7, b"\0")
    assert list(records_of(b"\0\0")) == []


def modules_in(package: str) -> set[str]:
    found = import_module(f"monitor.{package}")
    inside = walk_packages(found.__path__, f"{found.__name__}.")
    return {package} | {one.name.removeprefix("monitor.") for one in inside}


def test_every_reader_has_a_target() -> None:
    aimed_at = {name for target in TARGETS.values() for name in target.reads}
    present = set().union(*map(modules_in, READERS))
    assert present - aimed_at - set(NO_READERS) == set(), "give it a target in fuzz/, or a reason above"
    assert not set(NO_READERS) & aimed_at
    assert all(import_module(f"monitor.{name}") for name in aimed_at)


def test_every_decoder_and_envelope_is_in_a_target() -> None:
    aimed_at = {name for target in TARGETS.values() for name in target.reads}
    assert {type(one).__module__.removeprefix("monitor.") for one in decoders_of(None)} <= aimed_at
    for table in (LINKS, ENVELOPES, TUNNELS, PORTS):
        assert set(table.values()) <= set(EVERY_ENVELOPE)  # type: ignore[attr-defined]
        assert {one.__module__.removeprefix("monitor.") for one in table.values()} <= aimed_at  # type: ignore[attr-defined]


def entered(target: Target) -> set[str]:
    """Modules whose functions ran while the corpus of a target did."""
    root = str(Path(monitor.__file__).parent)
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    for path in sorted(target.corpus.iterdir()):
        data = path.read_bytes()
        sys.setprofile(note)
        try:
            target.run(data)
        finally:
            sys.setprofile(before)
    inside = (Path(file).relative_to(root) for file in files if file.startswith(root))
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in inside}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_corpus_of_a_target_reaches_what_it_is_aimed_at(target: Target) -> None:
    assert set(target.reads) - entered(target) == set()
