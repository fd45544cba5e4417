"""TLS and passwords of the web server: who gets in, who does not, and that neither costs the others anything."""

import base64
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.outputs import web as web_module
from monitor.outputs.web import Web
from monitor.outputs.web_users import MAX_WAITING, Busy, Users, credentials_of
from tests.outputs.web_stage import ROUTES, Authority, authority, get, hashed, one, opened, status, until

__all__ = ["authority"]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


@contextmanager
def secured(folder: Path, text: str, say: list[str] | None = None) -> Iterator[Web]:
    path = folder / "web.yml"
    path.write_text(text, encoding="utf-8")
    with Web("127.0.0.1", 0, ROUTES, config=path, say=(say if say is not None else []).append) as web:
        yield web


def through(web: Web, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(opened(web), server_hostname="localhost")


def test_tls_is_spoken_and_nothing_older_than_1_2(authority: Authority) -> None:
    with secured(authority.folder, TLS) as web:
        assert web.scheme == "https"
        with through(web, authority.trusting()) as sock:
            assert sock.version() == "TLSv1.3"
            assert one(sock, GET)[0] == 200
            assert one(sock, b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
        old = authority.trusting()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with through(web, old) as sock:
            assert one(sock, GET)[0] == 200


def test_who_forgets_the_s_is_told(authority: Authority) -> None:
    with secured(authority.folder, TLS) as web, opened(web) as sock:
        sock.sendall(GET)
        heard = b"".join(iter(lambda: sock.recv(1000), b""))
        assert status(heard) == 400
        assert heard.endswith(b"Client sent an HTTP request to an HTTPS server.\n")


def test_handshakes_that_never_end_hold_nobody_up(authority: Authority) -> None:
    with secured(authority.folder, TLS) as web:
        slow = [opened(web, f"127.0.0.{2 + number % 4}") for number in range(60)]
        for sock in slow[::2]:
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        begun = time.monotonic()
        with through(web, authority.trusting()) as sock:
            assert one(sock, GET)[0] == 200
        assert time.monotonic() - begun < 0.2
        for sock in slow:
            sock.close()


def test_broken_handshakes_are_counted(authority: Authority) -> None:
    with secured(authority.folder, TLS) as web:
        with pytest.raises(ssl.SSLError):
            through(web, ssl.create_default_context())
        with opened(web) as sock:
            sock.sendall(b"\x16\x03\x01\x00\x05hello")
            until(lambda: web.counts["tls_failures"] == 2)
        with through(web, authority.trusting()) as sock:
            assert one(sock, GET)[0] == 200


def test_only_clients_with_a_certificate_of_the_right_name_come_in(authority: Authority) -> None:
    right = authority.issue("prometheus", "DNS:prometheus.example.com", "URI:spiffe://example.com/prometheus")
    wrong = authority.issue("someone", "DNS:someone.example.org")
    more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
    more += '  client_allowed_sans: ["spiffe://example.com/prometheus"]\n'
    with secured(authority.folder, TLS + more) as web:
        with through(web, authority.trusting(right)) as sock:
            assert one(sock, GET)[0] == 200
        for client in (wrong, None):
            # With TLS 1.3 a client learns that it is refused when it first reads.
            with through(web, authority.trusting(client)) as sock, pytest.raises((OSError, AssertionError)):
                one(sock, GET)


def test_a_new_certificate_is_taken_without_a_restart(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_module, "LOOK_SECONDS", 0.01)
    for name in ("server.crt", "server.key"):
        shutil.copy(authority.folder / name, tmp_path / name)
    said: list[str] = []

    def serial(web: Web) -> str:
        with through(web, authority.trusting()) as sock:
            return str((sock.getpeercert() or {})["serialNumber"])

    with secured(tmp_path, TLS, said) as web:
        before = serial(web)
        (tmp_path / "server.crt").write_text("no certificate", encoding="ascii")
        until(lambda: any("what was there before goes on" in line for line in said))
        assert serial(web) == before
        crt, key = authority.issue("renewed", "DNS:localhost")
        shutil.copy(key, tmp_path / "server.key")
        shutil.copy(crt, tmp_path / "server.crt")
        until(lambda: serial(web) != before)


def basic(name: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_users_come_in_and_nobody_else(tmp_path: Path) -> None:
    with secured(tmp_path, f"basic_auth_users:\n  anna: {hashed('geheim')}\n  bram: {hashed('x' * 72)}\n") as web:
        assert get(web, "/", basic("anna", "geheim"))[0] == 200
        assert get(web, "/", basic("bram", "x" * 72))[0] == 200
        for wrong in (basic("anna", "Geheim"), basic("anna", ""), basic("carla", "geheim"), basic("anna", "geheim\0")):
            code, headers, body = get(web, "/", wrong)
            assert code == 401
            assert headers["www-authenticate"] == 'Basic realm="joinwatch", charset="UTF-8"'
            assert b"here" not in body
        for odd in ("X: y", "Authorization: Basic", "Authorization: Basic ====", "Authorization: Bearer abc"):
            assert get(web, "/", odd)[0] == 401
        assert get(web, "/nowhere")[0] == 401  # what is there is nobody's business
        assert web.counts["unauthorized"] == 9


def test_a_password_that_was_right_is_not_checked_again_and_one_that_changes_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bcrypt

    checks: list[bytes] = []
    real = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, against: checks.append(against) or real(password, against))
    monkeypatch.setattr(web_module, "LOOK_SECONDS", 0.01)
    with secured(tmp_path, f"basic_auth_users:\n  anna: {hashed('old')}\n") as web:
        for _ in range(5):
            assert get(web, "/", basic("anna", "old"))[0] == 200
        assert len(checks) == 1
        assert get(web, "/", basic("carla", "old"))[0] == 401
        assert len(checks) == 2  # a name that nobody has is as much work
        assert checks[1][:7] == b"$2b$04$"
        (tmp_path / "web.yml").write_text(f"basic_auth_users:\n  anna: {hashed('new')}\n", encoding="utf-8")
        until(lambda: get(web, "/", basic("anna", "old"))[0] == 401)
        assert get(web, "/", basic("anna", "new"))[0] == 200


def test_many_wrong_passwords_wait_in_a_line_of_bounded_length() -> None:
    users = Users()
    known = {"anna": hashed("geheim").encode()}
    users._checking.submit(until, lambda: len(users._waiting) == MAX_WAITING)  # nobody is checked until all are there
    told = [
        users.allows(known, base64.b64encode(f"anna:{number}".encode()).join([b"Basic ", b""]))
        for number in range(MAX_WAITING)
    ]
    with pytest.raises(Busy):
        users.allows(known, b"Basic " + base64.b64encode(b"anna:more"))
    assert users.allows(known, b"Basic " + base64.b64encode(b"anna:0")) is told[0]
    assert not any(one.result(5) for one in told if isinstance(one, Future))
    users.close()


def test_requests_may_be_rationed(tmp_path: Path) -> None:
    with secured(tmp_path, "rate_limit: {interval: 1m, burst: 2}\n") as web:
        assert [get(web)[0] for _ in range(4)] == [200, 200, 429, 429]
        assert web.counts["rate_limited"] == 2


def test_the_operators_headers_are_told_with_every_answer(tmp_path: Path) -> None:
    text = 'http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n    Content-Security-Policy: ""\n'
    with secured(tmp_path, text) as web:
        _, headers, _ = get(web)
        assert headers["x-frame-options"] == "sameorigin"
        assert "content-security-policy" not in headers
        with opened(web) as sock:
            sock.sendall(b"nonsense\r\n\r\n")
            assert b"X-Frame-Options: sameorigin" in sock.recv(4000)


@given(st.binary(max_size=100))
def test_any_authorization_is_read(raw: bytes) -> None:
    told = credentials_of(raw)
    assert told is None or (isinstance(told[0], str) and b"\0" not in told[1])


def test_a_socket_closed_during_a_check_is_forgotten(tmp_path: Path) -> None:
    with secured(tmp_path, f"basic_auth_users:\n  anna: {hashed('geheim')}\n") as web:
        with socket.create_connection(("127.0.0.1", web.port)) as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{basic('anna', 'wrong')}\r\n\r\n".encode())
        assert get(web, "/", basic("anna", "geheim"))[0] == 200
