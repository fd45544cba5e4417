"""Other sides for sinks: an HTTP server that can misbehave, and alerts for the journal."""

import hmac
import threading
import time
from base64 import b64encode
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from monitor.daemon.ledger import Ledger
from monitor.model.evidence import SECOND
from monitor.outputs.records import object_of
from tests.outputs.outputs_samples import PIN_BYPASS

SECRET = "a secret of thirty-two characters"


def alert(number: int, at: float | None = None, **more: Any) -> dict[str, Any]:
    """A line of the journal: an alert of now, each number another."""
    now = int((time.time() if at is None else at) * SECOND)
    changed = msgspec.structs.replace(
        PIN_BYPASS, id=f"{number:016x}", first_seen=now, last_seen=now, subject=f"tel:+312055501{number % 100:02d}"
    )
    said = object_of(changed, now)
    assert said is not None
    return msgspec.json.decode(msgspec.json.encode(said | more))


def journal_of(state: Path, lines: list[dict[str, Any]], segment_bytes: int = 64 * 1024 * 1024) -> None:
    ledger = Ledger(state / "journal", segment_bytes)
    for said in lines:
        ledger.write(said)
        ledger.flush()
    ledger.close()


class Receiver:
    """Takes webhooks, as `mode` says: `ok`, `hang`, `drip`, `half`, or a status."""

    def __init__(self, port: int = 0) -> None:
        outer = self
        self.mode: str | int = "ok"
        self.got: list[tuple[str, bytes, dict[str, str]]] = []
        self.unsigned = 0
        self.headers: dict[str, str] = {}
        """Added to each answer."""
        self.poison = b""
        """Bodies that hold this are answered with 400."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one segment

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) == length:  # else whoever sent it was killed
                    outer.answer(self, body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # whoever was killed has left its connection behind

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> Counter[str]:
        return Counter(name for name, _, _ in self.got)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        mode = self.mode
        if mode in ("hang", "drip"):
            for _ in range(200):
                if mode == "drip":
                    request.wfile.write(b"H")
                    request.wfile.flush()
                if self.mode != mode:
                    break
                threading.Event().wait(0.05)
            request.close_connection = True
            return
        if mode == "half":
            request.wfile.write(b"HTTP/1.1 2")
            request.close_connection = True
            return
        status = 200 if mode == "ok" else int(mode)
        if self.poison and self.poison in body:
            status = 400
        if status == 200:
            self.take(request, body)
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"ok")

    def take(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        said = {name.lower(): value for name, value in request.headers.items()}
        name = said.get("webhook-id", "")
        signed = f"{name}.{said.get('webhook-timestamp')}.".encode() + body
        expected = "v1," + b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).decode()
        self.unsigned += said.get("webhook-signature") != expected
        self.got.append((name, body, said))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
