"""Syslog as RFC 5424 has it, over TCP and TLS, to a side that behaves and to one that does not; and to rsyslog."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.model.problems import ConfigError
from monitor.model.sinks import SyslogSink
from monitor.outputs.sinks import Unreachable
from monitor.outputs.sinks.syslog import Syslog, frame_of
from tests.daemon.receivers import alert

SYSLOG = re.compile(
    rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (\[[^ \]]+(?: [^ =\]\"]+=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*\]) (.*)",
    re.DOTALL,
)


def made(address: str = "tcp://127.0.0.1:1", **more: Any) -> Syslog:
    return Syslog(SyslogSink(address=address, **more), {"pin-bypass": "T1078"})


def test_a_message_is_what_the_rfc_says() -> None:
    said = alert(1, 1_773_306_251.5) | {"subject": 'tel:"+31]\\', "summary": "Zoë joined"}
    parts = SYSLOG.fullmatch(made(people=True, sensor="hague-1").message_of(said))
    assert parts is not None
    assert parts[1] == b"107"  # log audit, error
    assert parts[2] == b"2026-03-12T09:04:11.500000Z"
    assert parts.groups()[2:6] == (b"hague-1", b"joinwatch", b"-", b"pin-bypass")
    assert parts[7].startswith(b'[joinwatch@32473 id="alert-0000000000000001-1-high" type="alert" rule="pin-bypass"')
    assert rb'subject="tel:\"+31\]\\"' in parts[7]
    assert parts[8].startswith(b"\xef\xbb\xbfZo\xc3\xab joined; ")
    assert frame_of(b"abc") == b"3 abc"


@pytest.mark.parametrize("form", ["rfc5424", "cef", "ecs", "ocsf"])
def test_no_message_is_longer_than_it_may_be(form: Any) -> None:
    reasons = [{"fact": "ä" * 1000, "evidence": [{"capture": "x", "frame": 1}] * 64}] * 64
    said = alert(1, summary="ö" * 1000, reasons=reasons)
    message = made(format=form, people=True, max_bytes=4000).message_of(said)
    assert len(message) <= 4000
    parts = SYSLOG.fullmatch(message)
    assert parts is not None
    if form in ("ecs", "ocsf"):
        assert json.loads(parts[8])


def test_without_leave_nobody_is_named() -> None:
    for form in ("rfc5424", "cef", "ecs", "ocsf"):
        message = made(format=form).message_of(alert(1))
        assert b"55501" not in message
        assert b"riefing" not in message


class Collector:
    """Reads frames with octet counting; or does not read at all."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.reads = True
        self.closes_after = 1_000_000
        self.messages: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._tls = tls
        self._closed = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
                sock = self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
            except OSError:
                if self._closed:
                    return
                continue
            if self._closed:
                sock.close()
                return
            self.connections.append(sock)
            threading.Thread(target=self._read, args=(sock,), daemon=True).start()

    def _read(self, sock: socket.socket) -> None:
        buffer = b""
        while self.reads:
            try:
                data = sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while b" " in buffer and len(buffer) >= (size := int(buffer.split(b" ")[0])) + len(str(size)) + 1:
                start = len(str(size)) + 1
                self.messages.append(buffer[start : start + size])
                buffer = buffer[start + size :]

    def close(self) -> None:
        self._closed = True
        # Or who waits in `accept` would take one more.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.connections:
            sock.close()


@contextmanager
def collector(tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    there = Collector(tls)
    try:
        yield there
    finally:
        there.close()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not (is_true := true()) and time.monotonic() < end:
        time.sleep(0.01)
    assert is_true


def numbers(messages: list[bytes]) -> list[int]:
    return [int(re.search(rb'id="alert-([0-9a-f]{16})-', message)[1], 16) for message in messages]  # type: ignore[index]


def test_what_is_taken_is_delivered() -> None:
    with collector() as there:
        sink = made(f"tcp://127.0.0.1:{there.port}")
        sink.deliver([alert(n) for n in range(50)])
        sink.deliver([alert(50)])
        wait_until(lambda: len(there.messages) == 51)
        assert numbers(there.messages) == list(range(51))
        assert len(there.connections) == 1
        sink.close()


def test_what_a_dying_side_had_not_read_is_delivered_again() -> None:
    """Its kernel has acknowledged everything; that it resets the connection says that nobody read it."""
    with collector() as there:
        there.reads = False
        sink = made(f"tcp://127.0.0.1:{there.port}")

        def die() -> None:
            wait_until(lambda: bool(there.connections))
            time.sleep(0.1)
            there.connections[0].close()

        dying = threading.Thread(target=die)
        dying.start()
        with pytest.raises(Unreachable) as caught:
            sink.deliver([alert(n) for n in range(5)])
        dying.join()
        assert caught.value.done == 0
        there.reads = True
        sink.deliver([alert(n) for n in range(5)])
        wait_until(lambda: len(there.messages) == 5)
        sink.close()


def test_what_a_side_has_read_before_it_ends_is_not_delivered_again() -> None:
    with collector() as there:
        sink = made(f"tcp://127.0.0.1:{there.port}")

        def end() -> None:
            wait_until(lambda: len(there.messages) == 5)
            there.connections[0].shutdown(socket.SHUT_RDWR)

        ending = threading.Thread(target=end)
        ending.start()
        sink.deliver([alert(n) for n in range(5)])
        ending.join()
        sink.deliver([alert(5)])
        wait_until(lambda: len(there.messages) == 6)
        assert numbers(there.messages) == [0, 1, 2, 3, 4, 5]
        assert len(there.connections) == 2
        sink.close()


def test_a_side_that_does_not_read_is_given_up_and_what_it_acknowledged_counts() -> None:
    with collector() as there:
        there.reads = False
        there.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sink = made(f"tcp://127.0.0.1:{there.port}", timeout_seconds=1, people=True)
        many = [alert(n, summary="x" * 1000) for n in range(5000)]
        with pytest.raises(Unreachable, match="in time") as caught:
            sink.deliver(many)
        assert 0 < caught.value.done < 5000
        sink.close()


def test_nobody_there_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="refuses"):
        made(f"tcp://127.0.0.1:{port}").deliver([alert(1)])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    extra = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *words.split(), *extra], check=True, capture_output=True)
    return key, cert


def test_tls_is_delivered_to_whom_we_know_and_to_nobody_else(certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with collector(context) as there:
        sink = made(f"tls://localhost:{there.port}", ca_file=str(cert))
        sink.deliver([alert(n) for n in range(20)])
        sink.deliver([alert(20)])
        wait_until(lambda: len(there.messages) == 21)
        sink.close()
        with pytest.raises(Unreachable, match="certificate"):
            made(f"tls://localhost:{there.port}").deliver([alert(1)])
        with pytest.raises(Unreachable, match="certificate"):  # a good one, of another name
            made(f"tls://127.0.0.1:{there.port}", ca_file=str(cert)).deliver([alert(1)])
    with pytest.raises(ConfigError, match="PEM"):
        made("tls://localhost:1", ca_file=str(key))


def test_rsyslog_writes_what_we_say(tmp_path: Path) -> None:
    program = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no rsyslogd (Debian: apt-get install rsyslog)")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    written = tmp_path / "written"
    config = tmp_path / "rsyslog.conf"
    config.write_text(
        f"""global(workDirectory="{tmp_path}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on")
module(load="imptcp")
template(name="t" type="string"
  string="%pri% %timestamp:::date-rfc3339% %app-name% %msgid% %structured-data% |%msg%\\n")
ruleset(name="r") {{ action(type="omfile" file="{written}" template="t") }}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="r" supportOctetCountedFraming="on")
""",
        encoding="ascii",
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-n", "-i", str(tmp_path / "pid"), "-f", str(config)], stdout=log, stderr=log
        )
    try:
        sink = made(f"tcp://127.0.0.1:{port}", people=True)

        def is_there() -> bool:
            try:
                sink.deliver([alert(0, 1_773_306_251.0)])
            except Unreachable:
                return False
            return True

        wait_until(is_there)
        for first in range(1, 1001, 100):
            sink.deliver([alert(n, summary='line one\nline "two" ]\\ Zoë') for n in range(first, first + 100)])
        wait_until(lambda: written.exists() and written.read_bytes().count(b"\n") == 1001)
        lines = written.read_bytes().split(b"\n")
        assert numbers(lines[:-1]) == list(range(1001))
        assert lines[0].startswith(b"107 2026-03-12T09:04:11")
        assert b' joinwatch pin-bypass [joinwatch@32473 id="' in lines[1]
        assert rb'line one\x0aline "two" ]\ Zo' + b"\xc3\xab; " in lines[1]
        sink.close()
    finally:
        process.terminate()
        process.wait()
