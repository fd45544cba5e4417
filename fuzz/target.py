"""What a target is, the table of all of them, and how one string of bytes becomes a sequence of smaller ones."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).parent / "corpus"
MAX_RECORDS = 256
"""Records of one input: enough for any story, and few enough that a thousand inputs a second can be tried."""


class Target(NamedTuple):
    """One reader, and what must hold for it."""

    name: str
    run: Callable[[bytes], None]
    reads: tuple[str, ...]
    """Modules of `monitor` that its corpus must reach."""
    words: tuple[bytes, ...] = ()
    """What the protocol is made of, so that the fuzzer need not find it letter by letter."""
    max_bytes: int = 4096

    @property
    def corpus(self) -> Path:
        """Where its samples are."""
        return CORPUS / self.name


TARGETS: dict[str, Target] = {}


def target(
    name: str, *reads: str, words: Iterable[bytes] = (), max_bytes: int = 4096
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Puts a function into the table."""

    def kept(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        TARGETS[name] = Target(name, run, reads, tuple(words), max_bytes)
        return run

    return kept


def records_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A sequence of a byte that says what to do, two that say how long, and so many of content; the last may be cut."""
    at = 0
    for _ in range(MAX_RECORDS):
        if at + 3 > len(data):
            return
        end = at + 3 + int.from_bytes(data[at + 1 : at + 3], "big")
        yield data[at], data[at + 3 : end]
        at = end


def bytes_of(records: Iterable[tuple[int, bytes]]) -> bytes:
    """The input that `records_of` reads as these."""
    return b"".join(bytes([kind]) + len(content).to_bytes(2, "big") + content for kind, content in records)
