"""Captures: whatever the bytes, libpcap with the walker beside it and the walker alone give the same frames."""

import gzip
import tempfile
import zlib
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

from fuzz.target import target
from monitor.decoders import ASKS
from monitor.model.packets import Frame
from monitor.model.problems import ConfigError
from monitor.model.summary import CaptureReport
from monitor.sources import Captures
from monitor.sources.compression import unpacked
from monitor.sources.savefile import MAX_DAMAGE

MAX_PLAIN = 64 * 1024 * 1024
"""Bytes of a compressed stream that are unfolded: a bomb is cut off there, for a fuzzer has no patience."""


@cache
def scratch() -> Path:
    """A folder of this process alone, gone when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="joinwatch-fuzz-")
    FOLDERS.append(folder)
    return Path(folder.name)


FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def read(captures: Captures) -> tuple[list[Frame], CaptureReport]:
    """All that one capture gives."""
    frames = [frame._replace(capture="") for frame in captures]
    report = captures.reports[0]
    assert report.wanted == len(frames) <= report.frames
    assert len(report.damage) <= MAX_DAMAGE + 8
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers))
    assert not numbers or 1 <= numbers[0] <= numbers[-1] <= report.frames
    return frames, report


def by_both_ways(data: bytes) -> None:
    """As a file, which libpcap reads, and from standard input, which it does not."""
    path = scratch() / "stdin"
    path.write_bytes(data)
    fast = slow = None
    with suppress(ConfigError):
        fast = read(Captures([path], ASKS))
    with suppress(ConfigError):
        slow = read(Captures(["-"], ASKS, stdin=BytesIO(data)))  # type: ignore[arg-type]
    if fast is None and slow is not None:
        assert not slow[0]  # An empty or hopeless file is refused when it is named.
        return
    assert fast == slow


@target("pcap", "sources.captures", "sources.filters", "sources.pcap", "sources.savefile", "sources.strides")
def pcap(data: bytes) -> None:
    """Pcap in either byte order, with micro- or nanoseconds: the first byte chooses a magic, the rest is the file."""
    magics = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x34\xcd\xb2\xa1")
    by_both_ways(magics[data[0] % len(magics)] + data[1:] if data else data)


@target(
    "pcapng",
    *("sources.captures", "sources.pcapng", "sources.savefile"),
    words=(b"\n\r\r\n", b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d", b"\6\0\0\0", b"\0\0\0\6", b"\3\0\0\0", b"\1\0\0\0"),
)
def pcapng(data: bytes) -> None:
    """pcapng, as it stands behind the type of its first block."""
    by_both_ways(b"\x0a\x0d\x0d\x0a" + data)


def unfolded(data: bytes) -> tuple[bytes, str]:
    """What a compressed stream holds, as far as it can be had, and why it ended."""
    stream = unpacked(BytesIO(data))
    parts: list[bytes] = []
    size = 0
    while size < MAX_PLAIN and (part := stream.read(65536)):
        assert len(part) <= 48 * 1024 * 1024
        parts.append(part)
        size += len(part)
    assert 0 <= stream.consumed <= len(data)
    return b"".join(parts), stream.trouble


@target("gzip", "sources.compression", words=(b"\x1f\x8b\x08",))
def gunzip(data: bytes) -> None:
    """gzip: a sound stream is read whole, a broken one as far as it goes."""
    plain, trouble = unfolded(b"\x1f\x8b" + data)
    if not trouble and len(plain) < MAX_PLAIN:
        member = zlib.decompressobj(31)
        assert plain.startswith(member.decompress(b"\x1f\x8b" + data, MAX_PLAIN))


@target("zstd", "sources.compression", words=(b"\x28\xb5\x2f\xfd",))
def unzstd(data: bytes) -> None:
    """zstd: a sound stream is read whole, a broken one as far as it goes."""
    unfolded(b"\x28\xb5\x2f\xfd" + data)


@target("compressed-capture", "sources.compression", "sources.pcap", "sources.pcapng")
def compressed_capture(data: bytes) -> None:
    """A capture inside gzip; the first byte says how much of it is there."""
    if not data:
        return
    packed = gzip.compress(data[1:], 1)
    with suppress(ConfigError):
        read(Captures(["-"], ASKS, stdin=BytesIO(packed[: len(packed) * (data[0] + 1) // 256])))  # type: ignore[arg-type]
