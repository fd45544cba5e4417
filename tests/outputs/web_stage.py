"""What the tests of the web server need: sockets without manners, certificates of their own, users."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from monitor.outputs.web import Routes, Web
from monitor.outputs.web_client import Answer, plainly

LONG = b"joinwatch " * 1000
ROUTES: Routes = {
    "/": {"GET": lambda _: plainly(200, "here")},
    "/long": {"GET": lambda _: Answer(200, LONG)},
    "/do": {"POST": lambda _: plainly(200, "done"), "PUT": lambda _: plainly(200, "done")},
}


def opened(web: Web, source: str = "127.0.0.1") -> socket.socket:
    """A connection, from any address of this machine itself."""
    return socket.create_connection(("127.0.0.1", web.port), timeout=10, source_address=(source, 0))


def said(sock: socket.socket, raw: bytes = b"") -> bytes:
    """Everything that it says until it ends the connection."""
    if raw:
        sock.sendall(raw)
    heard = b""
    try:
        while part := sock.recv(65536):
            heard += part
    except ConnectionResetError:
        pass
    return heard


def one(sock: socket.socket, raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer, after which the connection stays."""
    sock.sendall(raw)
    heard = b""
    while b"\r\n\r\n" not in heard:
        part = sock.recv(65536)
        assert part, f"it ended after {heard!r}"
        heard += part
    head, _, body = heard.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not raw.startswith(b"HEAD"):
        while len(body) < int(headers["content-length"]):
            body += sock.recv(65536)
    return int(first.split()[1]), headers, body


def status(raw: bytes) -> int:
    """Of the first answer in these bytes; 0 when there is none."""
    return int(raw.split()[1]) if raw.startswith(b"HTTP/1.") else 0


def get(web: Web, path: str = "/", *lines: str, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own."""
    head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: x", *lines))
    with opened(web, source) as sock:
        return one(sock, f"{head}\r\n".encode())


def until(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What it gives, once it gives anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if given := true():
            return given
        time.sleep(0.005)
    pytest.fail("it never came to that")


class Authority:
    """Makes certificates that itself vouches for (openssl)."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl to make certificates with")
        self.folder = folder
        self.certificate = folder / "ca.crt"
        request = ["req", "-x509", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca"]
        self._run(*request, *_CURVE)

    def issue(self, name: str, *names: str) -> tuple[Path, Path]:
        """A certificate for these subject alternative names, and its key."""
        request = ["req", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", *_CURVE]
        self._run(*request, "-addext", f"subjectAltName={','.join(names)}")
        sign = f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy"
        self._run(*sign.split(), "-out", f"{name}.crt")
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def trusting(self, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client needs who trusts this authority."""
        context = ssl.create_default_context(cafile=self.certificate)
        if client is not None:
            context.load_cert_chain(*client)
        return context

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One for all tests: a key takes a while to make."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.issue("server", "DNS:localhost", "IP:127.0.0.1")
    return made


def hashed(password: str) -> str:
    """As cheap as it may be."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
