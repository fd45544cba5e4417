"""POST of JSON to one address, over a connection that is kept: HTTP/1.1 by the standard library (ADR 7).

No proxy of the environment, no redirect, no cookie; the answer is read up to a bound and thrown away. One deadline
holds for the whole of a delivery, so that a side that dribbles is no better than one that is silent.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor import __version__
from monitor.model.sinks import HttpSink
from monitor.outputs.sinks import Refused, Unreachable
from monitor.outputs.sinks.secrets import authorization, tls_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER = 64 * 1024
"""Of an answer's body, so that the connection can be used again; a longer one costs the connection."""
MAX_WAIT = 300.0
"""The longest `Retry-After` that is obeyed."""
PATIENT = (408, 425, 429)
"""Of 4xx: come again."""
NOT_OUR_LINE = (401, 407)
"""Of 4xx: said of us, whatever the line is."""


class Poster:
    """One address, and who we are there."""

    def __init__(self, settings: HttpSink, path: str = "") -> None:
        """Raises `ConfigError` for files that are wrong."""
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._path = (parts.path.rstrip("/") + path if path else parts.path or "/") + (
            f"?{parts.query}" if parts.query else ""
        )
        self._tls = tls_of(settings) if parts.scheme == "https" else None
        self._seconds = float(settings.timeout_seconds)
        self._connection: _Connection | None = None
        self._headers = {"Content-Type": "application/json", "User-Agent": f"joinwatch/{__version__}"}
        if word := authorization(settings):
            self._headers["Authorization"] = word

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Delivered when it returns. Raises `Unreachable` and `Refused`."""
        deadline = time.monotonic() + self._seconds
        kept = self._connection is not None
        try:
            try:
                answer = self._answer(body, headers or {}, deadline)
            except (ConnectionError, HTTPException):
                # A kept connection may have ended while nobody looked: that says nothing of the other side.
                if not kept:
                    raise
                self.close()
                answer = self._answer(body, headers or {}, deadline)
        except (OSError, HTTPException) as error:
            self.close()
            raise Unreachable(trouble(error)) from None
        _judge(answer)

    def close(self) -> None:
        """The connection ends."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answer(self, body: bytes, headers: Mapping[str, str], deadline: float) -> HTTPResponse:
        if self._connection is None:
            self._connection = _Connection(self._host, self._port, self._tls)
        connection = self._connection
        connection.deadline = deadline
        connection.request("POST", self._path, body, {**self._headers, **headers})
        answer = connection.getresponse()
        if len(answer.read(MAX_ANSWER)) == MAX_ANSWER or answer.will_close:
            self.close()
        return answer


class _Connection(HTTPConnection):
    """A connection in which everything together has a deadline."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self._tls = tls
        self.deadline = 0.0

    def connect(self) -> None:
        """Called by the first request."""
        sock = socket.create_connection((self.host, self.port), left(self.deadline))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock.settimeout(left(self.deadline))
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        self.sock: Any = _Bounded(sock, self)


class _Bounded:
    """What `http.client` needs of a socket, each wait no longer than what is left."""

    def __init__(self, sock: socket.socket, connection: _Connection) -> None:
        self._sock, self._connection = sock, connection

    def sendall(self, data: bytes) -> None:
        """All of it; the time limit of `socket.sendall` is for the whole."""
        self._sock.settimeout(left(self._connection.deadline))
        self._sock.sendall(data)

    def makefile(self, _: str) -> io.BufferedReader:
        """What the answer is read from."""
        return io.BufferedReader(_Stream(self._sock, self._connection))

    def close(self) -> None:
        """Both directions."""
        with suppress(OSError):
            self._sock.close()


class _Stream(io.RawIOBase):
    def __init__(self, sock: socket.socket, connection: _Connection) -> None:
        self._sock, self._connection = sock, connection

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """As much as there is."""
        self._sock.settimeout(left(self._connection.deadline))
        return self._sock.recv_into(buffer)


def left(deadline: float) -> float:
    """Seconds until then; raises `TimeoutError` when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def _judge(answer: HTTPResponse) -> None:
    """What an answer means for the line that was posted."""
    status = answer.status
    if 200 <= status < 300:
        return
    reason = f"it answered {status}"
    if status in NOT_OUR_LINE or status < 400:
        raise Unreachable(reason + (", which is no place to send people to" if 300 <= status < 400 else ""))
    if status >= 500 or status in PATIENT:
        raise Unreachable(reason, wait_seconds=_wait(answer.getheader("Retry-After") or ""))
    raise Refused(reason)


def _wait(text: str) -> float:
    """Seconds of a `Retry-After` (RFC 9110, 10.2.3); a date means what it means by our clock."""
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return min(float(text), MAX_WAIT)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, min(parsedate_to_datetime(text).timestamp() - time.time(), MAX_WAIT))
    except (ValueError, OverflowError):
        return 0.0


def trouble(error: Exception) -> str:
    """In our words: what the other side has sent is repeated nowhere."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not good: {error.verify_message}"
        case ssl.SSLError():
            return "TLS was not agreed on"
        case TimeoutError():
            return "it does not answer in time"
        case ConnectionRefusedError():
            return "it refuses connections"
        case socket.gaierror():
            return "its name is not known"
        case OSError():
            return (error.strerror or "the connection broke").lower()
        case _:
            return "it answers with what is no HTTP"
