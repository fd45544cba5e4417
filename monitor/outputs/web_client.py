"""One connection of the web server: TLS and HTTP/1.1 on a socket that never waits, with a limit to everything.

HTTP itself is h11's, which does no input or output. What is here is how far a client may go: how long it may take, how
much it may send, and what happens when it stops in the middle.
"""

import gzip
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from email.utils import formatdate
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import h11

from monitor.outputs.web_tls import may_enter

MAX_HEAD = 16 * 1024
MAX_BODY = 1024 * 1024
CHUNK_COST = 64
"""Each piece of a body counts so many bytes more: a body in a million pieces is a large one."""
READ_BYTES = 16 * 1024
"""One record of TLS, so that nothing stays behind in OpenSSL's buffer, where no selector sees it."""
WRITE_BYTES = 256 * 1024
ASK_SECONDS = 10.0
"""From the first byte of a request, or from the beginning of a connection, to the request's last."""
TELL_SECONDS = 30.0
"""For a client to take its answer."""
REST_SECONDS = 90.0
"""Between two requests; Prometheus asks every 15 or 60 seconds."""
PART_SECONDS = 2.0
"""For a client to see the end of an answer that came before the end of its request."""
MAX_PARTING_READS = 80
MAX_REQUESTS = 10_000
"""On one connection; then it is closed, after a week of scraping."""
_GO_ON = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
GZIP_FROM = 1024
"""Below, the header costs more than compression saves."""


class Gone(Exception):
    """The connection is over."""


class Busy(Exception):
    """This cannot be answered now, and why; whoever asks may ask again."""


class Phase(Enum):
    """What a connection waits for."""

    GREETING = auto()
    """TLS: the handshake."""
    ASKING = auto()
    """The client: the rest of its request."""
    THINKING = auto()
    """Us: the answer."""
    TELLING = auto()
    """The client: to take the answer."""
    RESTING = auto()
    """The client: the next request."""
    PARTING = auto()
    """The client: to see that it is over."""


class Request(NamedTuple):
    """What a client asks for. Its body is gone: nothing here reads one."""

    method: str
    path: str
    """Without its query; as it was sent, so that only what is meant literally is found."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Names in small letters."""

    def header(self, name: bytes) -> bytes:
        """Its value, or those of all of its name, joined (RFC 9110, 5.3); empty when it is not there."""
        return b", ".join(value for key, value in self.headers if key == name)


class Answer(NamedTuple):
    """What a client is told."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def plainly(status: int, *lines: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer in words; without any, the name of its status."""
    return Answer(
        status, "".join(f"{line}\n" for line in lines or [HTTPStatus(status).phrase]).encode(), headers=headers
    )


class Client:
    """One connection, from its beginning to its end."""

    def __init__(
        self, sock: socket.socket, home: bytes, now: float, tls: ssl.SSLContext | None, sans: tuple[str, ...]
    ) -> None:
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.home = home
        """Whom it counts against: an address, or an IPv6 network."""
        self.descriptor = sock.fileno()
        self._sans = sans
        self._socket: socket.socket = sock
        if tls is not None:
            self._socket = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._request: Request | None = None
        self._taken = 0
        self._requests = 0
        self._reads = 0
        self._out: deque[memoryview] = deque()
        self.writes = False
        """Whether it waits until more can be sent; otherwise until more comes."""
        self.eager = False
        """Whether there may be a next request in what came already."""
        self.phase = Phase.ASKING
        self.since = self.deadline = 0.0
        self._enter(Phase.GREETING if tls else Phase.ASKING, now, ASK_SECONDS)

    @property
    def is_served(self) -> bool:
        """Whether its request is here, and its answer is not there yet."""
        return self.phase in (Phase.THINKING, Phase.TELLING)

    def step(self, now: float) -> Request | None:
        """Go on as far as it goes without waiting; a request, once it is here as a whole. Raises `Gone`."""
        self.eager = self.writes = False
        try:
            match self.phase:
                case Phase.GREETING:
                    self._greet(now)
                case Phase.ASKING | Phase.RESTING:
                    return self._ask(now)
                case Phase.TELLING:
                    self._tell(now)
                case Phase.PARTING:
                    self._part()
                case Phase.THINKING:
                    pass
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            pass
        except ssl.SSLWantWriteError:
            self.writes = True
        except (OSError, ValueError):  # ValueError is Python's word for some of what OpenSSL refuses
            raise Gone from None
        return None

    def answer(self, answer: Answer, headers: Iterable[tuple[str, str]], now: float, *, last: bool = False) -> None:
        """Begin to tell it this. `last`: and nothing more."""
        request, body = self._request, answer.body
        told = [*headers, *answer.headers, ("Content-Type", answer.kind), ("Date", formatdate(usegmt=True))]
        if len(body) >= GZIP_FROM:
            told.append(("Vary", "Accept-Encoding"))
            if request is not None and takes_gzip(request.header(b"accept-encoding")):
                body = squeezed(body)
                told.append(("Content-Encoding", "gzip"))
        told.append(("Content-Length", str(len(body))))
        self._requests += 1
        if last or self._requests >= MAX_REQUESTS:
            told.append(("Connection", "close"))
        try:
            head = (
                self._http.send(
                    h11.Response(status_code=answer.status, headers=told, reason=HTTPStatus(answer.status).phrase)
                )
                or b""
            )
            if request is not None and request.method == "HEAD":
                body = b""
            self._out.append(memoryview(head))
            if body:
                # h11 would copy it; by its length it knows that this is all of it.
                self._http.send_with_data_passthrough(h11.Data(data=body))
                self._out.append(memoryview(body))
            self._http.send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            raise Gone from None
        self._enter(Phase.TELLING, now, TELL_SECONDS)
        self.step(now)

    def think(self, now: float, seconds: float) -> None:
        """The answer takes a while."""
        self._enter(Phase.THINKING, now, seconds)

    def close(self) -> None:
        """At once, whatever it waits for."""
        with suppress(OSError):
            self._socket.close()

    def _enter(self, phase: Phase, now: float, seconds: float) -> None:
        self.phase, self.since, self.deadline = phase, now, now + seconds
        self.writes = phase is Phase.TELLING

    def _greet(self, now: float) -> None:
        tls = self._socket
        if not isinstance(tls, ssl.SSLSocket):
            return
        try:
            tls.do_handshake()
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                # Somebody forgot an s: words that a person understands, as other exporters say them.
                plain = socket.socket(fileno=tls.detach())
                self._socket = plain
                plain.send(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
                self._say_goodbye(now)
                return
            raise
        if self._sans and not may_enter(tls.getpeercert(), self._sans):
            raise Gone
        self.phase, self.since = Phase.ASKING, now  # the time of the handshake is time of the first request

    def _ask(self, now: float) -> Request | None:
        read = False
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise Refused(error.error_status_hint) from None
            match event:
                case h11.Request():
                    self._begin(event, now)
                case h11.Data():
                    self._take(len(event.data) + CHUNK_COST)
                case h11.EndOfMessage():
                    return self._request
                case h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        self._socket.send(self._http.send(_GO_ON) or b"")
                    if read:
                        return None  # one read a turn: others have theirs
                    came = self._socket.recv(READ_BYTES)
                    if came and self.phase is Phase.RESTING:
                        self._enter(Phase.ASKING, now, ASK_SECONDS)
                    self._http.receive_data(came)
                    read = True
                case _:
                    raise Gone

    def _begin(self, event: h11.Request, now: float) -> None:
        """A head is here; what is wrong with it is told at once, before any body."""
        if self.phase is Phase.RESTING:
            self._enter(Phase.ASKING, now, ASK_SECONDS)
        target = event.target
        headers = tuple((bytes(name), bytes(value)) for name, value in event.headers)
        if target.lower().startswith((b"http://", b"https://")):  # RFC 9112, 3.2.2: the form that a proxy sends
            target = b"/" + target.split(b"//", 1)[1].partition(b"/")[2]
        path = target.partition(b"?")[0].decode("ascii", "replace")
        self._request = Request(event.method.decode("ascii", "replace"), path, headers)
        self._taken = 0
        if len(target) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD:
            raise Refused(431)
        named = dict(headers)
        # A length and pieces at once is how requests are smuggled past a proxy (RFC 9112, 6.1): neither is believed.
        if b"transfer-encoding" in named and (b"content-length" in named or event.http_version == b"1.0"):
            raise Refused(400)
        if int(named.get(b"content-length", b"0")) > MAX_BODY:
            raise Refused(413)
        if event.http_version not in (b"1.0", b"1.1"):
            raise Refused(505)

    def _take(self, size: int) -> None:
        self._taken += size
        if self._taken > MAX_BODY + READ_BYTES:
            raise Refused(413)

    def _tell(self, now: float) -> None:
        while self._out:
            self.writes = True
            sent = self._socket.send(self._out[0][:WRITE_BYTES])
            self.since = now
            if sent < len(self._out[0]):
                self._out[0] = self._out[0][sent:]
            else:
                self._out.popleft()
        self.writes = False
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._request = None
            self._enter(Phase.RESTING, now, REST_SECONDS)
            self.eager = bool(self._http.trailing_data[0])
        else:
            self._say_goodbye(now)

    def _say_goodbye(self, now: float) -> None:
        """No more from us. What the client still sends is read for a while, or it might never see our answer."""
        if isinstance(self._socket, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                self._socket.unwrap()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._enter(Phase.PARTING, now, PART_SECONDS)

    def _part(self) -> None:
        self._reads += 1
        if self._reads > MAX_PARTING_READS or not self._socket.recv(READ_BYTES):
            raise Gone


class Refused(Exception):
    """A request that is answered with this status, and with the end of the connection."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status if status in (400, 413, 414, 417, 431, 501, 505) else 400


@lru_cache(maxsize=4)
def squeezed(body: bytes) -> bytes:
    """The same in gzip; what is told to many is squeezed once."""
    return gzip.compress(body, 4, mtime=0)


def takes_gzip(accepted: bytes) -> bool:
    """Whether an Accept-Encoding has gzip (RFC 9110, 12.5.3)."""
    return any(weight > 0 and name in (b"gzip", b"x-gzip") for name, weight in weighed(accepted))


def weighed(accepted: bytes) -> list[tuple[bytes, float]]:
    """The things that an Accept header names and how much each is wanted, from 0 to 1; parameters but `q` are left
    out.
    """
    found = []
    for part in accepted.lower().split(b",")[:32]:
        name, *parameters = (word.strip() for word in part.split(b";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith(b"q="):
                text = parameter[2:6]
                whole = text.replace(b".", b"", 1)
                weight = min(1.0, float(text)) if whole.isdigit() and text[:1].isdigit() else 0.0
        found.append((name, weight))
    return found
