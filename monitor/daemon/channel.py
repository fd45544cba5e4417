"""Messages between the daemon's processes: msgspec records, each behind its length, over a stream socket.

Neither side waits for the other: what cannot be sent is held, up to a bound that the sender minds.
"""

import array
import os
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Any, Generic, TypeVar

import msgspec

MAX_MESSAGE = 64 * 1024 * 1024
"""The lists of a large organisation; everything else is far smaller."""
READ_BYTES = 256 * 1024
MAX_DESCRIPTORS = 253
"""The most that Linux passes on with one message."""

_length = Struct("!I")
T = TypeVar("T")


class Closed(Exception):
    """The other side is gone."""


class Channel(Generic[T]):
    """One end of a stream, on which the other side sends messages of the type T."""

    def __init__(self, sock: socket.socket, kind: Any, *, descriptors: int = 0) -> None:
        """So many `descriptors` may come along with a message; of whoever is not to send any, none is taken."""
        sock.setblocking(False)
        self._room = socket.CMSG_SPACE(4 * descriptors) if descriptors else 0
        self.socket = sock
        self.descriptors: deque[int] = deque()
        """Those that came along with messages, in their order."""
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_encoded)
        self._out: deque[memoryview] = deque()
        self._in = bytearray()
        self.waiting = 0
        """Bytes that the other side has not taken yet."""

    def fileno(self) -> int:
        """For a selector."""
        return self.socket.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Send it as soon as the other side takes it. Raises `Closed`."""
        body = self._encoder.encode(message)
        self._out.append(memoryview(_length.pack(len(body)) + body))
        self.waiting += _length.size + len(body)
        self.flush()

    def send_descriptors(self, message: msgspec.Struct, descriptors: list[int]) -> None:
        """Send a small message with open files along (SCM_RIGHTS), on a channel that holds nothing back."""
        body = self._encoder.encode(message)
        held = array.array("i", descriptors)
        self.socket.setblocking(True)
        try:
            self.socket.sendmsg(
                [_length.pack(len(body)) + body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, held.tobytes())]
            )
        finally:
            self.socket.setblocking(False)

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        while self._out:
            try:
                sent = self.socket.send(self._out[0])
            except BlockingIOError:
                return
            except OSError:
                raise Closed from None
            self.waiting -= sent
            if sent < len(self._out[0]):
                self._out[0] = self._out[0][sent:]
            else:
                self._out.popleft()

    def receive(self) -> list[T]:
        """Whole messages that are there now. Raises `Closed` when there will be no more, or what comes is none."""
        ended = False
        while len(self._in) < MAX_MESSAGE:
            try:
                part, extra, _, _ = self.socket.recvmsg(READ_BYTES, self._room)
            except BlockingIOError:
                break
            except OSError:  # as of one that was killed with words unread: what it said before is good
                part, extra = b"", []
            for level, kind, content in extra:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    came = array.array("i")
                    came.frombytes(content[: len(content) - len(content) % came.itemsize])
                    self.descriptors.extend(came)
            if not part:
                ended = True
                break
            self._in += part
        found = self._whole()
        if ended and not found:
            raise Closed
        return found

    def close(self) -> None:
        """The other side sees the end."""
        self.socket.close()

    def _whole(self) -> list[T]:
        found: list[T] = []
        at = 0
        while len(self._in) - at >= _length.size:
            (size,) = _length.unpack_from(self._in, at)
            if size > MAX_MESSAGE:
                raise Closed
            if len(self._in) - at - _length.size < size:
                break
            begin = at + _length.size
            try:
                found.append(self._decoder.decode(memoryview(self._in)[begin : begin + size]))
            except msgspec.MsgspecError:
                raise Closed from None
            at = begin + size
        del self._in[:at]
        return found


def _encoded(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} may not leave this process")


def connected(path: str, patience: float = 30.0) -> socket.socket:
    """A connection to whoever listens there; waits for them to begin. Raises `Closed` when they never do."""
    begun = time.monotonic()
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            if time.monotonic() - begun > patience:
                raise Closed from None
            time.sleep(0.05)
        else:
            return sock


def listening(path: str) -> socket.socket:
    """A place for others to connect to, for nobody but this user; what an earlier life left there goes away."""
    with suppress(FileNotFoundError):
        Path(path).unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    sock.listen(8)
    sock.setblocking(False)
    return sock
