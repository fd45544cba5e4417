"""Signs of life to whoever started this process: systemd, or the tree in its place (sd_notify(3)).

A datagram now and then. Nobody waits, and where nobody asked for it nothing is sent.
"""

import array
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "NOTIFY_SOCKET"
SECONDS = 1.0
"""Between two signs of life."""
READY, ALIVE, ENDING = b"READY=1", b"WATCHDOG=1", b"STOPPING=1"


class Notify:
    """To the socket that the environment names, if it names one; who is started from here is not told of it."""

    def __init__(self) -> None:
        address = os.environ.pop(VARIABLE, "")
        self._told = 0.0
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            sock.setblocking(False)
            try:
                sock.connect("\0" + address[1:] if address[0] == "@" else address)
            except OSError:
                sock.close()
            else:
                self._socket = sock

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What it sends on, for whoever confines system calls."""
        return (self._socket.fileno(),) if self._socket else ()

    def ready(self) -> None:
        """The start is over."""
        self._send(READY)

    def alive(self) -> None:
        """Called often; tells it now and then."""
        now = time.monotonic()
        if self._socket is not None and now - self._told >= SECONDS:
            self._told = now
            self._send(ALIVE)

    def ending(self) -> None:
        """Politely told to end, and doing so."""
        self._send(ENDING)

    def close(self) -> None:
        """Nothing more is told."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def keep(self, name: str, descriptor: int) -> None:
        """Have this open file kept under that name, for when this process dies; whatever state it is in."""
        if self._socket is not None:
            held = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]).tobytes())]
            self._socket.settimeout(SECONDS)  # this one must arrive
            with suppress(OSError):
                self._socket.sendmsg([b"FDSTORE=1\nFDPOLL=0\nFDNAME=" + name.encode()], held)
            self._socket.setblocking(False)

    def forget(self, name: str) -> None:
        """What is kept under that name is wanted no more."""
        self._send(b"FDSTOREREMOVE=1\nFDNAME=" + name.encode())

    def _send(self, text: bytes) -> None:
        if self._socket is not None:
            with suppress(OSError):  # full, or gone: the next one may arrive
                self._socket.send(text)


class Heard:
    """The other end, where the tree stands in for systemd: signs of life of one branch."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.setblocking(False)
        self.path = str(path)
        self.last = 0.0
        """When the latest came, by the monotonic clock; 0 when none ever did."""

    def listen(self) -> None:
        """Whether something has come, without waiting for it."""
        with suppress(BlockingIOError):
            while self._socket.recv(64):
                self.last = time.monotonic()

    def forget(self) -> None:
        """A new branch begins, which has said nothing yet."""
        self.listen()
        self.last = 0.0

    def close(self) -> None:
        """Nobody is listened to any more."""
        self._socket.close()
