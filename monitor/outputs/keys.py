"""The keys of a telephone-event stream, counted by tshark: how many digits, and where `#` stands alone.

So can be seen what a call did *not* contain. Which digits they were is read and forgotten here.
"""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

STAR, HASH, LETTERS = 10, 11, range(12, 16)
"""Events that are keys and no digits (RFC 4733, section 3.2)."""
MAX_KEYS = 200
"""Keys of one stream: longer than any dialogue with a bridge."""


class Group(NamedTuple):
    """Keys up to a `#` or `*`, or to the end of the stream."""

    first: int
    """The frame in which the first of them begins."""
    last: int
    digits: int
    ended_by: str
    """`#`, `*`, or nothing when the stream ended before."""


def key_words(event: str) -> str:
    """What may be said of a key: `#` and `*` are no secret, a digit may be one of a PIN."""
    number = int(event) if event.isascii() and event.isdecimal() and len(event) < 4 else -1
    if number in (STAR, HASH):
        return f"telephone-event: the key {'*#'[number - STAR]}"
    return "telephone-event: a digit (which one is not shown)" if 0 <= number < STAR else "telephone-event"


def group_words(group: Group) -> str:
    """`frames 1686 to 1746: 11 digits, then #`."""
    where = f"frame {group.first}" if group.first == group.last else f"frames {group.first} to {group.last}"
    digits = f"{group.digits} digit{'s' if group.digits != 1 else ''}"
    if not group.digits:
        return f"{where}: {group.ended_by} alone"
    return f"{where}: {digits}, then {group.ended_by}" if group.ended_by else f"{where}: {digits}"


def groups_of(capture: Path, ssrc: str, tshark: str, options: Sequence[str], seconds: float) -> list[Group]:
    """The groups of one stream, in order; none when tshark cannot tell within that time."""
    command = [tshark, *options, "-r", str(capture.absolute()), "-Y", stream_filter(ssrc)]
    command += ["-T", "fields", "-e", "frame.number", "-e", "rtp.timestamp", "-e", "rtpevent.event_id"]
    try:
        ran = subprocess.run(command, capture_output=True, check=False, timeout=seconds, text=True, errors="replace")  # noqa: S603 - no shell
    except (subprocess.TimeoutExpired, OSError):
        return []
    return list(_grouped(_keys(ran.stdout.splitlines())))


def stream_filter(ssrc: str) -> str:
    """Wireshark's display filter for the keys of a stream."""
    return f"rtpevent && rtp.ssrc == {ssrc}"


def _keys(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Frame and event of each key: its packets, and their copies on a mirror port, have one timestamp."""
    seen: set[str] = set()
    for line in lines:
        frame, _, rest = line.partition("\t")
        timestamp, _, event = rest.partition("\t")
        if timestamp in seen or not (frame.isdecimal() and event.isdecimal()) or len(frame) > 12 or len(event) > 3:
            continue
        if len(seen) == MAX_KEYS:
            return
        seen.add(timestamp)
        yield int(frame), int(event)


def _grouped(keys: Iterable[tuple[int, int]]) -> Iterator[Group]:
    first = last = digits = 0
    for frame, event in keys:
        first, last = first or frame, frame
        if event in (STAR, HASH):
            yield Group(first, last, digits, "*#"[event - STAR])
            first = digits = 0
        elif event < STAR:
            digits += 1
    if digits:
        yield Group(first, last, digits, "")
