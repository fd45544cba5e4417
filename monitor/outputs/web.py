"""The web server: a few plain answers over HTTP/1.1 and TLS, on one thread that waits for nobody.

Whoever is slow holds a place and nothing else; when places are wanted, the one who has kept us waiting longest loses
theirs. So a scrape gets through beside any number of clients that dawdle, and none of them costs a thread.
"""

import selectors
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

from monitor.model.problems import ConfigError, Problem
from monitor.outputs.web_client import Answer, Busy, Client, Gone, Phase, Refused, Request, plainly
from monitor.outputs.web_config import WebConfig, load_web_config
from monitor.outputs.web_places import bound, home_of
from monitor.outputs.web_tls import Unusable, context_of
from monitor.outputs.web_users import Users

MAX_CLIENTS = 64
MAX_AT_HOME = 16
"""Connections of one address, or of one IPv6 network of a household."""
THINK_SECONDS = 60.0
"""For an answer that others must give."""
LOOK_SECONDS = 1.0
"""How often the files are looked at."""
GRACE = 0.5
"""Who takes an answer or waits for ours is left alone for so long, however many wait for a place."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer; `web.yml` may say otherwise."""
COUNTS = (
    "connections",
    "displaced",
    "malformed",
    "rate_limited",
    "requests",
    "timeouts",
    "tls_failures",
    "turned_away",
    "unauthorized",
)


class Later(NamedTuple):
    """An answer that is made of what others must find first."""

    found: "Future[Any]"
    then: Callable[[Any], "Answer | Later"]


Endpoint: TypeAlias = Callable[[Request], Answer | Later]
"""It runs on the server's thread, and must not wait."""
Routes: TypeAlias = Mapping[str, Mapping[str, Endpoint]]
"""Path → method → who answers. Who answers GET answers HEAD."""


class _Secured(NamedTuple):
    config: WebConfig
    context: ssl.SSLContext | None
    stamps: tuple[object, ...]


class Web:
    """Listens from the beginning; answers once started."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: Routes,
        *,
        config: Path | None = None,
        named: str = "listen",
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Raises `ConfigError` when nobody can listen there or `config` is wrong.

        `named` is where the operator has said host and port; `say` takes lines for the log.
        """
        self._routes = routes
        self._path = config
        self._say = say or (lambda _: None)
        self._secured = self._load()
        self._looked = time.monotonic()
        self._users = Users()
        self._listener = bound(host, port, named)
        self.counts = dict.fromkeys(COUNTS, 0)
        self._clients: dict[int, Client] = {}
        self._homes: Counter[bytes] = Counter()
        self._thoughts: deque[tuple[Client, Callable[[], Answer | Later]]] = deque()
        """What others have found out: who is to be told, and by what."""
        self._tokens, self._filled = float(self._secured.config.request_burst), time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        for note in self._secured.config.notes:
            self._say(f"{config}: {note}")

    @property
    def port(self) -> int:
        """Where it listens; the system's choice where 0 was asked for."""
        return int(self._listener.getsockname()[1])

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._secured.context else "http"

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """No more is answered, and nothing is listened to."""
        self._ended = True
        if self._thread.is_alive():
            self._wake.send(b"!")
            self._thread.join(5)
        for client in list(self._clients.values()):
            self._drop(client)
        self._users.close()
        self._selector.close()
        for sock in (self._listener, self._wake, self._woken):
            sock.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended:
            eager = [client for client in self._clients.values() if client.eager]
            for key, _ in self._selector.select(0 if eager else self._patience()):
                now = time.monotonic()
                if key.fileobj is self._listener:
                    self._welcome(now)
                elif key.fileobj is self._woken:
                    self._hear(now)
                else:
                    self._turn(key.data, now)
            now = time.monotonic()
            for client in eager:
                if client.eager:
                    self._turn(client, now)
            self._expire(now)
            if now - self._looked >= LOOK_SECONDS:
                self._looked = now
                self._look()

    def _patience(self) -> float:
        first = min((client.deadline for client in self._clients.values()), default=float("inf"))
        return max(0.0, min(LOOK_SECONDS, first - time.monotonic()))

    def _welcome(self, now: float) -> None:
        """Everybody who waits at the door, a few at a time."""
        for _ in range(16):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # Out of descriptors, or the client has gone again: neither is better a moment sooner.
                time.sleep(0.01)
                return
            home = home_of(str(address[0]))
            if not self._has_room(home, now):
                self.counts["turned_away"] += 1
                sock.close()
                continue
            config, context, _ = self._secured
            try:
                client = Client(sock, home, now, context, config.tls.client_allowed_sans if config.tls else ())
            except (OSError, ValueError):
                sock.close()
                continue
            self.counts["connections"] += 1
            self._clients[client.descriptor] = client
            self._homes[home] += 1
            self._heed(client)

    def _has_room(self, home: bytes, now: float) -> bool:
        """Whether one more may come in from there; makes room, if somebody has kept us waiting."""
        if self._homes[home] >= MAX_AT_HOME:
            rivals = [client for client in self._clients.values() if client.home == home]
        elif len(self._clients) >= MAX_CLIENTS:
            rivals = list(self._clients.values())
        else:
            return True
        slowest = min(rivals, key=lambda client: (client.is_served, client.since))
        if slowest.is_served and now - slowest.since < GRACE:
            return False
        self.counts["displaced"] += 1
        self._drop(slowest)
        return True

    def _turn(self, client: Client, now: float) -> None:
        """One client goes on as far as it goes."""
        if not self._is_here(client):
            return
        greeting = client.phase is Phase.GREETING
        try:
            try:
                request = client.step(now)
            except Refused as refused:
                self.counts["malformed"] += 1
                client.answer(*self._dressed(plainly(refused.status)), now, last=True)
            else:
                if request is not None:
                    self.counts["requests"] += 1
                    self._consider(client, lambda: self._admitted(request), now)
        except Gone:
            self.counts["tls_failures"] += greeting
            self._drop(client)
        except Exception as error:  # a fault of ours costs that one connection
            self._say(f"a connection was given up ({type(error).__name__}); this is a fault of joinwatch")
            self._drop(client)
        else:
            self._heed(client)

    def _is_here(self, client: Client) -> bool:
        return self._clients.get(client.descriptor) is client

    def _heed(self, client: Client) -> None:
        """Wait for what it waits for."""
        if client.descriptor in self._selector.get_map():
            self._selector.unregister(client.descriptor)
        if client.phase is not Phase.THINKING:
            wanted = selectors.EVENT_WRITE if client.writes else selectors.EVENT_READ
            self._selector.register(client.descriptor, wanted, client)

    def _consider(self, client: Client, find: Callable[[], Answer | Later], now: float) -> None:
        """Tell the client what `find` finds, now or when others have found it. Raises `Gone`."""
        try:
            found = find()
        except Busy as busy:
            found = plainly(503, str(busy), headers=(("Retry-After", "2"),))
        except Exception as error:
            self._say(f"a web page could not be made ({type(error).__name__}); this is a fault of joinwatch")
            found = plainly(500)
        if isinstance(found, Answer):
            client.answer(*self._dressed(found), now)
            return
        client.think(now, THINK_SECONDS)
        then = found.then
        found.found.add_done_callback(lambda done: self._tell_later(client, lambda: then(done.result())))

    def _tell_later(self, client: Client, find: Callable[[], Answer | Later]) -> None:
        """Called on any thread."""
        self._thoughts.append((client, find))
        with suppress(OSError):  # full, so the server will wake; or closed, so it need not
            self._wake.send(b"!")

    def _hear(self, now: float) -> None:
        """What others have found."""
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        while self._thoughts:
            client, find = self._thoughts.popleft()
            if not self._is_here(client) or client.phase is not Phase.THINKING:
                continue
            try:
                self._consider(client, find, now)
            except Gone:
                self._drop(client)
            else:
                self._heed(client)

    def _admitted(self, request: Request) -> Answer | Later:
        """Its answer, if whoever asks may ask."""
        if not self._has_token():
            self.counts["rate_limited"] += 1
            return plainly(429, headers=(("Retry-After", "1"),))
        users = self._secured.config.users
        if not users:
            return self._found(request)
        allowed = self._users.allows(users, request.header(b"authorization"))
        if isinstance(allowed, bool):
            return self._known(request, allowed)
        return Later(allowed, lambda fits: self._known(request, fits))

    def _known(self, request: Request, allowed: bool) -> Answer | Later:
        if allowed:
            return self._found(request)
        self.counts["unauthorized"] += 1
        return plainly(401, headers=(("WWW-Authenticate", 'Basic realm="joinwatch", charset="UTF-8"'),))

    def _found(self, request: Request) -> Answer | Later:
        methods = self._routes.get(request.path)
        if methods is None:
            return plainly(404)
        endpoint = methods.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            allowed = sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
            return plainly(405, headers=(("Allow", ", ".join(allowed)),))
        return endpoint(request)

    def _dressed(self, answer: Answer) -> tuple[Answer, list[tuple[str, str]]]:
        """The answer, and the headers that go with it: ours, but for what the answer or the operator says otherwise."""
        told = {**HEADERS, **{name: value for name, value in answer.headers if name in HEADERS}}
        told |= self._secured.config.headers
        own = tuple((name, value) for name, value in answer.headers if name not in HEADERS)
        return answer._replace(headers=own), [(name, value) for name, value in told.items() if value]

    def _has_token(self) -> bool:
        """Whether one more request is within `rate_limit`."""
        config = self._secured.config
        if not config.request_interval:
            return True
        now = time.monotonic()
        self._tokens = min(config.request_burst, self._tokens + (now - self._filled) / config.request_interval)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _expire(self, now: float) -> None:
        """Whoever has had their time."""
        for client in [client for client in self._clients.values() if client.deadline <= now]:
            if client.phase is Phase.THINKING:
                with suppress(Gone):
                    client.answer(*self._dressed(plainly(503, "There was no answer in time.")), now, last=True)
                    self._heed(client)
                    continue
            self.counts["timeouts"] += client.phase not in (Phase.RESTING, Phase.PARTING)
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if not self._is_here(client):
            return
        del self._clients[client.descriptor]
        if client.descriptor in self._selector.get_map():
            self._selector.unregister(client.descriptor)
        self._homes[client.home] -= 1
        if not self._homes[client.home]:
            del self._homes[client.home]
        client.close()

    def _look(self) -> None:
        """Take certificates and users as they are on disk now; what is wrong there changes nothing."""
        if self._path is None or self._stamps(self._secured.config) == self._secured.stamps:
            return
        try:
            self._secured = self._load()
        except ConfigError as error:
            for problem in error.problems:
                self._say(f"{problem}; what was there before goes on")
            self._secured = self._secured._replace(stamps=self._stamps(self._secured.config))
        else:
            self._say(f"{self._path}: read anew")

    def _load(self) -> _Secured:
        if self._path is None:
            return _Secured(WebConfig(), None, ())
        config = load_web_config(self._path)
        stamps = self._stamps(config)
        try:
            return _Secured(config, context_of(config.tls) if config.tls else None, stamps)
        except Unusable as error:
            raise ConfigError(
                [Problem(file=str(self._path), line=0, found=str(error), expected=error.expected)]
            ) from None

    def _stamps(self, config: WebConfig) -> tuple[object, ...]:
        """Something that is different when a file has changed."""
        return tuple(_stamp(path) for path in (self._path, *(config.tls.files if config.tls else ())) if path)


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino
