"""The bytes of a capture, whatever it was compressed with: an unbuffered file comes in, plain bytes go out.

Compression is told by magic number, never by name. Memory is bounded, however far a hostile file unfolds.
"""

import zlib
from contextlib import suppress
from io import UnsupportedOperation
from typing import Protocol

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_WINDOW = 31
"""`wbits` of zlib for a gzip member (RFC 1952)."""
MAX_ZSTD_WINDOW = 32 * 1024 * 1024
"""Four times what `zstd -19` needs; more is asked only by `--ultra` and `--long`."""
INPUT_BYTES = 64 * 1024
GZIP_INPUT_BYTES = 16 * 1024
"""Read at a time: they unfold to 16 MiB at most."""
ZSTD_INPUT_BYTES = 1024
"""Given to zstd at a time: a block of 4 bytes may unfold to 128 KiB, so these to 32 MiB."""


class Readable(Protocol):
    """An unbuffered binary file: gives at most `size` bytes, fewer when fewer are there, none at its end."""

    def read(self, size: int, /) -> bytes | None:
        """The next bytes."""
        ...

    def seek(self, place: int, /) -> int:
        """Go to a place; only asked of a file that is one."""
        ...


class Plain:
    """Bytes as they stand in the file, the first of which were already read to know what it is."""

    def __init__(self, file: Readable, head: bytes = b"", *, seekable: bool = False) -> None:
        self._file = file
        self.seekable = seekable
        self._head = head
        self.consumed = len(head)
        """Bytes of the file, for a progress bar."""
        self.trouble = ""
        """Why the file ended before its time; empty while all is well."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        if self._head:
            taken, self._head = self._head[:size], self._head[size:]
            return taken
        try:
            taken = self._file.read(size) or b""
        except OSError as error:
            self.trouble = f"cannot be read on ({error.strerror})"
            return b""
        self.consumed += len(taken)
        return taken

    def seek(self, place: int) -> None:
        """Go on from there."""
        self._file.seek(place)
        self._head = b""
        self.consumed = place


class _Packed:
    """What all compressed streams are alike in."""

    seekable = False

    def __init__(self, file: Plain) -> None:
        self._file = file
        self._waiting = b""
        self.trouble = ""
        """Why the stream ended before its time; empty while all is well."""

    @property
    def consumed(self) -> int:
        """Bytes of the compressed file, for a progress bar."""
        return self._file.consumed

    def seek(self, place: int) -> None:
        """Not in a compressed stream."""
        raise UnsupportedOperation(f"seek to {place}")


class Gunzip(_Packed):
    """The members of a gzip file (RFC 1952), one after another."""

    def __init__(self, file: Plain) -> None:
        super().__init__(file)
        self._member = zlib.decompressobj(GZIP_WINDOW)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end, or where the stream is broken."""
        while not self.trouble:
            if self._member.eof and not self._next_member():
                break
            fed = self._waiting or self._file.read(GZIP_INPUT_BYTES)
            before = self._member.copy()
            try:
                plain = self._member.decompress(fed, size)
            except zlib.error:
                self.trouble = "the gzip stream is damaged"
                return _saved(before, fed)
            self._waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if plain:
                return plain
            if not fed and not self._member.eof:
                self.trouble = "the gzip stream ends early"
        return b""

    def _next_member(self) -> bool:
        """Whether another member follows; padding and what is no member is left alone, as `gzip` does."""
        head = self._waiting
        while len(head) < len(GZIP_MAGIC) and (more := self._file.read(INPUT_BYTES)):
            head += more
        self._waiting = head
        self._member = zlib.decompressobj(GZIP_WINDOW) if head.startswith(GZIP_MAGIC) else self._member
        return head.startswith(GZIP_MAGIC)


def _saved(member: "zlib._Decompress", fed: bytes) -> bytes:
    """What can be had of these bytes, the damage among them: zlib gives nothing of a piece with an error in it."""
    plain = bytearray()
    with suppress(zlib.error):
        for place in range(len(fed)):
            plain += member.decompress(fed[place : place + 1])
    return bytes(plain)


class Unzstd(_Packed):
    """The frames of a zstd file (RFC 8878), one after another."""

    def __init__(self, file: Plain) -> None:
        import zstandard  # only where a capture needs it: start-up time matters

        super().__init__(file)
        self._error = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    def read(self, size: int) -> bytes:
        """At least `size` bytes where so many are left, and at most 32 MiB more; none at the end."""
        parts: list[bytes] = []
        while size > 0 and not self.trouble:
            if not self._waiting:
                self._waiting = self._file.read(INPUT_BYTES)
            if not self._waiting:
                self.trouble = "the zstd stream ends early" if self._begun else ""
                break
            parts.append(self._unpacked())
            size -= len(parts[-1])
        return b"".join(parts)

    def _unpacked(self) -> bytes:
        """What the next few bytes of the file unfold to."""
        fed, self._waiting = self._waiting[:ZSTD_INPUT_BYTES], self._waiting[ZSTD_INPUT_BYTES:]
        try:
            plain = self._frame.decompress(fed)
        except self._error as error:
            wide = "too much memory" in str(error)
            self.trouble = "the zstd stream needs a window over 32 MiB" if wide else "the zstd stream is damaged"
            return b""
        self._begun = not self._frame.eof
        if self._frame.eof:
            self._waiting = self._frame.unused_data + self._waiting
            self._frame = self._decompressor.decompressobj()
        return plain


def unpacked(file: Readable, *, seekable: bool = False) -> Plain | Gunzip | Unzstd:
    """The plain bytes of a file, compressed or not; `seekable` if it is a file on a disk."""
    head = b""
    while len(head) < len(ZSTD_MAGIC) and (more := file.read(INPUT_BYTES)):
        head += more
    plain = Plain(file, head, seekable=seekable)
    if head.startswith(GZIP_MAGIC):
        return Gunzip(plain)
    if head.startswith(ZSTD_MAGIC):
        return Unzstd(plain)
    return plain
