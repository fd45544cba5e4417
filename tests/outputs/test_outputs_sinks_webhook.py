"""A webhook as Standard Webhooks has it, over HTTP and HTTPS, and what each answer means."""

import hmac
import shutil
import ssl
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.model.problems import ConfigError
from monitor.model.sinks import WebhookSink
from monitor.outputs.sinks import Refused, Unreachable
from monitor.outputs.sinks.secrets import signing_key
from monitor.outputs.sinks.webhook import Webhook, id_of_line, signature
from tests.daemon.receivers import SECRET, Receiver, alert


@contextmanager
def receiver() -> Iterator[Receiver]:
    there = Receiver()
    try:
        yield there
    finally:
        there.mode = "ok"
        there.close()


def made(folder: Path, url: str, **more: Any) -> Webhook:
    (folder / "secret").write_text(SECRET, encoding="ascii")
    return Webhook(WebhookSink(url=url, secret_file=str(folder / "secret"), **more), {})


def test_the_signature_is_that_of_the_specification() -> None:
    """Made by hand: HMAC-SHA-256 over id, time and body, joined by full stops."""
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    expected = b64encode(hmac.new(key, b'msg_1.1614265330.{"test": 2432232314}', "sha256").digest()).decode()
    assert signature(key, "msg_1", "1614265330", b'{"test": 2432232314}') == f"v1,{expected}"


def test_a_line_has_the_same_name_each_time_and_another_when_it_says_more() -> None:
    first = alert(1, 1_773_306_251.0)
    assert id_of_line(first) == id_of_line(dict(first)) == "alert-0000000000000001-1-high"
    assert id_of_line(first | {"count": 2}) == "alert-0000000000000001-2-high"
    assert id_of_line(first | {"severity": "critical"}) == "alert-0000000000000001-1-critical"
    assert id_of_line({"type": "oddity", "what": "x.y"}).startswith("line-")


def test_what_is_sent_is_the_line_and_without_leave_nobody_is_in_it(tmp_path: Path) -> None:
    with receiver() as there:
        for people in (True, False):
            sink = made(tmp_path, there.url, people=people)
            sink.deliver([alert(1)])
            sink.close()
        whole, hidden = (msgspec.json.decode(body) for _, body, _ in there.got)
        assert whole["subject"] == "tel:+31205550101"
        assert hidden["subject"] == "withheld"
        assert b"55501" not in there.got[1][1]
        assert there.unsigned == 0
        headers = there.got[0][2]
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
        assert headers["content-type"] == "application/json"
        assert "authorization" not in headers


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (403, True), (404, True), (413, True), (401, False), (408, False), (301, False)],
)
def test_what_each_answer_means(tmp_path: Path, status: int, refused: bool) -> None:
    with receiver() as there:
        there.mode = status
        sink = made(tmp_path, there.url)
        with pytest.raises(Refused if refused else Unreachable, match=str(status)):
            sink.deliver([alert(1)])
        sink.close()


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("999999", 300), ("-1", 0), ("soon", 0), ("٣", 0), ("", 0), ("1" * 5000, 0)]
)
def test_how_long_it_wants_to_be_left_alone(text: str, seconds: float) -> None:
    from monitor.outputs.sinks.poster import _wait

    assert _wait(text) == seconds
    assert 20 < _wait(formatdate(time.time() + 30, usegmt=True)) <= 30


def test_a_kept_connection_that_has_ended_is_no_outage(tmp_path: Path) -> None:
    with receiver() as there:
        sink = made(tmp_path, there.url)
        sink.deliver([alert(1)])
        assert sink._poster._connection is not None
        sink._poster._connection.sock._sock.shutdown(2)
        sink.deliver([alert(2)])
        assert len(there.got) == 2
        sink.close()


def test_who_we_are_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass\n", encoding="ascii")
    (tmp_path / "token").write_text("t0ken\n", encoding="ascii")
    with receiver() as there:
        for more in (
            {"username": "soc", "password_file": str(tmp_path / "password")},
            {"bearer_token_file": str(tmp_path / "token")},
        ):
            sink = made(tmp_path, there.url, **more)
            sink.deliver([alert(1)])
            sink.close()
        assert [said["authorization"] for _, _, said in there.got] == [
            "Basic " + b64encode(b"soc:pass").decode(),
            "Bearer t0ken",
        ]
    with pytest.raises(ConfigError, match="no such file"):
        made(tmp_path, "http://192.0.2.1/", bearer_token_file=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        ("", "an empty line"),
        ("short", "24 to 64"),
        ("whsec_!!!", "base64"),
        ("x" * 65, "24 to 64"),
        ("é" * 30, "ASCII"),
    ],
)
def test_a_bad_secret_is_told_and_not_repeated(tmp_path: Path, secret: str, wrong: str) -> None:
    file = tmp_path / "secret"
    file.write_text(secret, encoding="utf-8")
    with pytest.raises(ConfigError, match=wrong) as caught:
        signing_key(str(file))
    assert not secret or secret not in str(caught.value)


def test_https_is_spoken_with_whom_we_know_and_nobody_else(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    extra = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *words.split(), *extra], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with receiver() as there:
        there._server.socket = context.wrap_socket(there._server.socket, server_side=True)
        sink = made(tmp_path, f"https://localhost:{there.port}/", ca_file=str(cert))
        sink.deliver([alert(1), alert(2)])
        assert len(there.got) == 2
        sink.close()
        with pytest.raises(Unreachable, match="certificate is not good"):
            made(tmp_path, f"https://localhost:{there.port}/").deliver([alert(3)])
