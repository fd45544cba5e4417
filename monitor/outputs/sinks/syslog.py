"""Syslog (RFC 5424) over TCP (RFC 6587, octet counting) and TLS (RFC 5425): text with structured data, CEF, ECS, OCSF.

Syslog has no acknowledgement. What stands in for one: a message is delivered when the other side's kernel has
acknowledged its last byte, and the connection has not been reset shortly after; for a kernel resets a connection whose
owner ends with something unread in it. What the owner has read and then loses, nobody here can know.
"""

import fcntl
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec

from monitor.model.sinks import SyslogSink
from monitor.outputs.mappings import Object, message_of, platform_of, reasons_of
from monitor.outputs.safe import cut, shown
from monitor.outputs.sinks import Unreachable, is_wanted, outgoing
from monitor.outputs.sinks.poster import left, trouble
from monitor.outputs.sinks.secrets import tls_of
from monitor.outputs.sinks.webhook import id_of_line

SEVERITIES = {"critical": 2, "high": 3, "medium": 4, "low": 5}
"""RFC 5424, table 2: critical, error, warning, notice; everything else is informational."""
INFORMATIONAL = 6
SIOCOUTQ = 0x5411
"""Linux, tcp(7): bytes in the queue that the other side has not acknowledged."""
LINGER_SECONDS = 0.2
"""So long a reset may come behind the acknowledgement."""
LOOK_SECONDS = 0.005
BOM = b"\xef\xbb\xbf"
MAX_VALUE = 512
"""Characters of one value of structured data."""


class Syslog:
    """One collector."""

    batch = 100

    def __init__(self, settings: SyslogSink, techniques: Mapping[str, str]) -> None:
        self._settings, self._techniques = settings, techniques
        parts = urlsplit(settings.address)
        self._address = parts.hostname or "", parts.port or 6514
        self._tls = tls_of(settings) if parts.scheme == "tls" else None
        self._host = _name(settings.sensor or socket.gethostname(), 255)
        self._connection: socket.socket | None = None
        self._written = 0
        """Bytes of this batch that the kernel has taken. The batch before was acknowledged as a whole."""

    def wants(self, said: Object) -> bool:
        """Lines of the types that were asked for."""
        return is_wanted(said, self._settings.records, self._settings)

    def deliver(self, lines: Sequence[Object]) -> None:
        """All of them, in one go."""
        frames = [frame_of(self.message_of(said)) for said in lines]
        deadline = time.monotonic() + self._settings.timeout_seconds
        self._written = 0
        try:
            connection = self._connected(deadline)
            self._send(connection, b"".join(frames), deadline)
            _await_acknowledgement(connection, deadline)
            _await_reset(connection)
        except OSError as error:
            done = self._taken(frames, error)
            self.close()
            if done < len(frames):
                raise Unreachable(_trouble(error), done=done) from None

    def message_of(self, said: Object) -> bytes:
        """One message (RFC 5424, section 6), no longer than the settings allow."""
        line = outgoing(said, self._settings)
        head = self._head(line, id_of_line(said))
        room = self._settings.max_bytes - len(head) - 1
        # What is too long loses its reasons first, then the ends of its texts.
        ways = ((line, 64), (line, 8), (line, 0), (_shortened(line, 100), 0), (_shortened(line, 24), 0))
        bodies = [b""]
        for shorter, reasons in ways:
            bodies.append(self._body(shorter, reasons))
            if len(bodies[-1]) <= room:
                break
        return head + b" " + _cut(bodies[-1], room)

    def due(self) -> float:
        """Nothing is told again."""
        return 3600.0

    def again(self) -> None:
        """Nothing is told again."""

    def kept(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """What was sent is on its way; no more comes."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            self._connection.close()
            self._connection = None

    def _head(self, line: Object, name: str) -> bytes:
        severity = SEVERITIES.get(str(line.get("severity", "")), INFORMATIONAL)
        kind = str(line.get("type", "-"))
        parts = [
            f"<{self._settings.facility * 8 + severity}>1",
            str(line.get("time") or "-"),
            self._host,
            "joinwatch",
            "-",
            _name(str(line.get("rule") or kind), 32),
        ]
        values = {"id": name, "type": kind}
        if self._settings.format == "rfc5424":
            values |= {
                key: str(line[key])
                for key in ("rule", "severity", "subject", "count", "method", "verdict", "first_seen", "last_seen")
                if line.get(key)
            }
            values["platform"] = platform_of(line)
        structured = "".join(f' {key}="{_quoted(value)}"' for key, value in values.items() if value)
        return " ".join([*parts, f"[{self._settings.sd_id}{structured}]"]).encode()

    def _body(self, line: Object, reasons: int) -> bytes:
        text = ""
        match self._settings.format:
            case "rfc5424":
                text = shown("; ".join([message_of(line), *reasons_of(line, reasons)]), 16384)
            case "cef":
                from monitor.outputs.mappings.cef import cef_of

                facts = {"reasons": (line.get("reasons") or [])[:reasons], "facts": (line.get("facts") or [])[:reasons]}
                text = cef_of(line | facts, self._settings.sensor)
            case "ecs":
                from monitor.outputs.mappings.ecs import ecs_of

                text = _ascii(ecs_of(line, self._techniques, self._settings.sensor, reasons))
            case "ocsf":
                from monitor.outputs.mappings.ocsf import ocsf_of

                text = _ascii(ocsf_of(line, self._techniques, self._settings.sensor, reasons))
        # MSG-UTF8 begins with a mark; what is ASCII needs none, and parsers of JSON and CEF like none.
        return text.encode() if text.isascii() else BOM + text.encode("utf-8", "replace")

    def _connected(self, deadline: float) -> socket.socket:
        if self._connection is not None and _is_over(self._connection):
            self.close()
        if self._connection is None:
            sock = socket.create_connection(self._address, left(deadline))
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_hostname=self._address[0])
            except BaseException:
                sock.close()
                raise
            self._connection = sock
        return self._connection

    def _send(self, connection: socket.socket, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            connection.settimeout(left(deadline))
            written = connection.send(view)
            self._written += written
            view = view[written:]

    def _taken(self, frames: Sequence[bytes], error: OSError) -> int:
        """How many messages need not be sent again, though the connection is lost."""
        if self._connection is None or (isinstance(error, ConnectionError) and not isinstance(error, _Over)):
            return 0  # What a side that resets had not read is gone.
        unacknowledged = _unacknowledged(self._connection)
        if self._tls is not None:  # Nobody knows which of its bytes are whose.
            whole = self._written == sum(map(len, frames)) and not unacknowledged
            return len(frames) if isinstance(error, _Over) and whole else 0
        acknowledged = self._written - unacknowledged
        done = 0
        for frame in frames:
            acknowledged -= len(frame)
            if acknowledged < 0:
                break
            done += 1
        return done


class _Over(OSError):
    """The other side has closed the connection: with nothing unread in it, for else it would have been reset."""


def frame_of(message: bytes) -> bytes:
    """Octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3)."""
    return f"{len(message)} ".encode() + message


def _unacknowledged(connection: socket.socket) -> int:
    """Bytes that the other side's kernel has not acknowledged; 0 where nobody tells."""
    if sys.platform != "linux":
        return 0
    (queued,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), SIOCOUTQ, b"\0\0\0\0"))
    return int(queued)


def _await_acknowledgement(connection: socket.socket, deadline: float) -> None:
    while _unacknowledged(connection):
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
        if select.select([connection], [], [], LOOK_SECONDS)[0]:
            _read(connection)


def _await_reset(connection: socket.socket) -> None:
    """Whether the other side goes now, and whether it had read everything."""
    end = time.monotonic() + LINGER_SECONDS
    while (seconds := end - time.monotonic()) > 0:
        if select.select([connection], [], [], seconds)[0]:
            _read(connection)


def _read(connection: socket.socket) -> None:
    """What a collector says is of no interest; that it goes is. Raises `OSError`."""
    connection.settimeout(0.05)
    try:
        if not connection.recv(4096):
            raise _Over("closed")
    except (TimeoutError, ssl.SSLWantReadError):
        pass  # A record of TLS that holds no text, such as a ticket.


def _is_over(connection: socket.socket) -> bool:
    """Whether the other side has gone since."""
    try:
        while select.select([connection], [], [], 0)[0]:
            _read(connection)
    except OSError:
        return True
    return False


def _trouble(error: OSError) -> str:
    return "it closes the connection" if isinstance(error, _Over) else trouble(error)


def _name(text: str, limit: int) -> str:
    """PRINTUSASCII without spaces (RFC 5424, section 6); a dash for nothing."""
    return "".join(char if "!" <= char <= "~" else "_" for char in text[:limit]) or "-"


def _quoted(value: str) -> str:
    """PARAM-VALUE: a quote, a backslash and a closing bracket are escaped (RFC 5424, 6.3.3)."""
    text = shown(value, MAX_VALUE)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _ascii(document: Object) -> str:
    """JSON in which every character that is no printable ASCII is an escape."""
    import json

    return json.dumps(msgspec.to_builtins(document), ensure_ascii=True, separators=(",", ":")).replace(
        "\x7f", "\\u007f"
    )


def _shortened(line: Object, limit: int) -> Object:
    """The line with every text in it cut."""
    texts = {key: cut(value, limit) for key, value in line.items() if isinstance(value, str)}
    meeting = {key: cut(str(value or ""), limit) for key, value in (line.get("meeting") or {}).items()}
    return line | texts | ({"meeting": meeting} if meeting else {})


def _cut(body: bytes, room: int) -> bytes:
    """The last resort: text that ends early, but not within a character."""
    return body if len(body) <= room else body[:room].decode("utf-8", "ignore").encode()
