"""The web server: right answers to right requests, and bounds to everything else, over real sockets."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.problems import ConfigError
from monitor.outputs import web as web_module
from monitor.outputs import web_client
from monitor.outputs.web import MAX_AT_HOME, MAX_CLIENTS, Later, Web
from monitor.outputs.web_client import Answer, plainly, takes_gzip
from monitor.outputs.web_places import home_of
from tests.outputs.web_stage import LONG, ROUTES, get, one, opened, said, status, until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web("127.0.0.1", 0, ROUTES) as web:
        yield web


def test_a_page_is_answered_with_every_guard_that_a_browser_knows(web: Web) -> None:
    code, headers, body = get(web)
    assert (code, body) == (200, b"here\n")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "deny"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert headers["date"].endswith(" GMT")
    assert "server" not in headers


def test_one_connection_answers_many_requests_also_when_they_come_at_once(web: Web) -> None:
    with opened(web) as sock:
        for _ in range(3):
            assert one(sock, GET)[0] == 200
    raw = GET * 50 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with opened(web) as sock:
        assert said(sock, raw).count(b"HTTP/1.1 200 OK") == 51


def test_http_1_0_gets_one_answer_and_the_end(web: Web) -> None:
    with opened(web) as sock:
        assert status(said(sock, b"GET / HTTP/1.0\r\n\r\n")) == 200


def test_head_is_get_without_its_body(web: Web) -> None:
    with opened(web) as sock:
        code, headers, body = one(sock, b"HEAD /long HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (code, headers["content-length"], body) == (200, str(len(LONG)), b"")
        assert one(sock, GET)[0] == 200


@pytest.mark.parametrize(
    ("asked", "squeezed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("gzip;q=x", False)],
)
def test_who_takes_gzip_gets_it(web: Web, asked: str, squeezed: bool) -> None:
    _, headers, body = get(web, "/long", f"Accept-Encoding: {asked}")
    assert ("content-encoding" in headers) is squeezed
    assert headers["vary"] == "Accept-Encoding"
    assert (gzip.decompress(body) if squeezed else body) == LONG


def test_what_is_not_there_is_404_and_what_may_not_be_done_says_what_may(web: Web) -> None:
    for path in ("/favicon.ico", "/../../etc/passwd", "//", "/%2e%2e/", "/long/", "/LONG"):
        assert get(web, path)[0] == 404
    with opened(web) as sock:
        code, headers, _ = one(sock, b"DELETE /long HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (code, headers["allow"]) == (405, "GET, HEAD")
        code, headers, _ = one(sock, b"GET /do HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (code, headers["allow"]) == (405, "POST, PUT")
        assert one(sock, b"GET http://x/long?a=b HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200


def test_a_body_is_taken_up_to_a_mebibyte_and_no_further(web: Web) -> None:
    head = b"POST /do HTTP/1.1\r\nHost: x\r\n"
    with opened(web) as sock:
        assert one(sock, head + b"Content-Length: 1048576\r\n\r\n" + bytes(1048576))[0] == 200
        assert one(sock, head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")[0] == 200
    with opened(web) as sock:
        assert status(said(sock, head + b"Content-Length: 1048577\r\n\r\n")) == 413
    with opened(web) as sock:
        # No interim answer to a body that will not be taken.
        assert status(said(sock, head + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")) == 413
    with opened(web) as sock:
        assert status(said(sock, head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20000)) == 413


def test_a_client_that_waits_for_leave_gets_it(web: Web) -> None:
    with opened(web) as sock:
        sock.sendall(b"POST /do HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        assert one(sock, b"abc")[0] == 200


SMUGGLED = {
    "a length and pieces": b"POST /do HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a signed length": b"POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
    "a length in hex": b"POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd",
    "a huge length": b"POST /do HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "pieces and a disguise": b"POST /do HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "pieces twice": b"POST /do HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    "pieces in 1.0": b"POST /do HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"POST /do HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd",
    "a bare return": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 4\r\n\r\n",
    "a zero byte": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a size of pieces with a sign": b"POST /do HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "HTTP/2": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
}


@pytest.mark.parametrize("raw", SMUGGLED.values(), ids=SMUGGLED)
def test_what_two_readers_might_read_differently_is_refused_and_ends_the_connection(web: Web, raw: bytes) -> None:
    with opened(web) as sock:
        heard = said(sock, raw + GET)
    assert status(heard) in (400, 501, 505)
    assert heard.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in heard.lower()
    assert web.counts["malformed"] == 1


def test_what_a_client_sends_is_never_repeated(web: Web) -> None:
    for path in ("/%0d%0aX-Injected:%20yes", "/<script>", "/?a=\u00e9"):
        with opened(web) as sock:
            heard = said(sock, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert status(heard) in (200, 400, 404)
        assert b"Injected" not in heard
        assert b"script>" not in heard


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 16384 + b"\r\n\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 3000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200_000,
    ],
)
def test_a_head_has_at_most_16_kibibytes(web: Web, raw: bytes) -> None:
    with opened(web) as sock:
        assert status(said(sock, raw)) == 431


PIECES = [b"GET ", b"POST ", b"/do ", b"/ ", b"HTTP/1.1", b"\r\n", b"\n", b"Host: x", b"Content-Length: 3", b":", b"\0"]
PIECES += [b"Transfer-Encoding: chunked", b"\x16\x03\x01", b" ", b"abc", b"5\r\n", b"\r\n\r\n", b"\xff"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.one_of(
        st.binary(max_size=400),
        st.lists(
            st.sampled_from(PIECES),
            max_size=24,
        ).map(b"".join),
    )
)
def test_any_bytes_are_answered_or_not_and_harm_nobody(web: Web, raw: bytes) -> None:
    with opened(web) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        heard = said(sock)
    assert status(heard) in (0, 200, 400, 404, 405, 501, 505)
    assert get(web)[0] == 200


def test_who_sends_a_byte_now_and_then_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_client, "ASK_SECONDS", 0.25)
    with Web("127.0.0.1", 0, ROUTES) as web, opened(web) as sock:
        begun = time.monotonic()
        sock.settimeout(0.01)
        ended = False
        while not ended:
            try:
                sock.sendall(b"G")
                ended = sock.recv(10) == b""
            except TimeoutError:
                assert time.monotonic() - begun < 2.0
            except OSError:
                ended = True
        assert time.monotonic() - begun > 0.2
        assert web.counts["timeouts"] == 1


def test_who_does_not_take_an_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_client, "TELL_SECONDS", 0.2)
    huge = Answer(200, bytes(32 * 1024 * 1024))
    with Web("127.0.0.1", 0, {"/": {"GET": lambda _: huge}}) as web, opened(web) as sock:
        sock.sendall(GET)
        until(lambda: web.counts["timeouts"])
        assert web.counts["requests"] == 1


def test_who_rests_too_long_is_let_go_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_client, "REST_SECONDS", 0.1)
    with Web("127.0.0.1", 0, ROUTES) as web, opened(web) as sock:
        assert one(sock, GET)[0] == 200
        assert sock.recv(10) == b""
        assert web.counts["timeouts"] == 0


def test_an_address_has_so_many_places_and_who_dawdled_longest_loses_theirs(web: Web) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(opened(web)) for _ in range(MAX_AT_HOME)]
        slow[0].sendall(b"GET / HT")
        until(lambda: web.counts["connections"] == MAX_AT_HOME)
        assert get(web)[0] == 200
        assert slow[0].recv(10) == b""
        assert web.counts["displaced"] == 1


def test_a_scrape_gets_through_beside_200_who_dawdle(web: Web) -> None:
    with ExitStack() as stack:
        for number in range(200):
            sock = stack.enter_context(opened(web, f"127.0.0.{2 + number % 40}"))
            sock.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\nX-Slow")
        worst = 0.0
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.77"):
            for _ in range(10):
                begun = time.monotonic()
                assert get(web, "/long", source=source)[2] == LONG
                worst = max(worst, time.monotonic() - begun)
        assert worst < 0.2
        assert web.counts["connections"] - web.counts["displaced"] <= MAX_CLIENTS + 30


def test_who_is_being_answered_keeps_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    promised: Future[None] = Future()
    routes = {"/": {"GET": lambda _: Later(promised, lambda _: plainly(200, "at last"))}}
    with Web("127.0.0.1", 0, routes) as web, ExitStack() as stack:
        waiting = stack.enter_context(opened(web))
        waiting.sendall(GET)
        until(lambda: web.counts["requests"])
        for _ in range(MAX_AT_HOME + 5):
            stack.enter_context(opened(web))
        until(lambda: web.counts["displaced"] == 6)
        promised.set_result(None)
        assert one(waiting, b"")[2] == b"at last\n"


def test_who_waits_for_others_holds_nobody_up_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_module, "THINK_SECONDS", 0.2)
    never: Future[None] = Future()
    soon: Future[str] = Future()
    routes = {
        "/": {"GET": lambda _: plainly(200, "here")},
        "/never": {"GET": lambda _: Later(never, lambda _: plainly(200))},
        "/soon": {"GET": lambda _: Later(soon, lambda found: plainly(200, found))},
        "/broken": {"GET": lambda _: 1 / 0},
    }
    lines: list[str] = []
    with Web("127.0.0.1", 0, routes, say=lines.append) as web, opened(web) as first, opened(web) as second:
        first.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        second.sendall(b"GET /soon HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: web.counts["requests"] == 2)
        assert get(web)[0] == 200
        threading.Thread(target=soon.set_result, args=("found",)).start()
        assert one(second, b"")[2] == b"found\n"
        assert one(first, b"")[0] == 503
        assert get(web, "/broken")[0] == 500
        assert lines == ["a web page could not be made (ZeroDivisionError); this is a fault of joinwatch"]


def test_a_client_that_leaves_while_its_answer_is_looked_for_is_forgotten() -> None:
    promised: Future[None] = Future()
    routes = {"/": {"GET": lambda _: Later(promised, lambda _: plainly(200))}}
    with Web("127.0.0.1", 0, routes) as web:
        with opened(web) as sock:
            sock.sendall(GET)
            until(lambda: web.counts["requests"])
        promised.set_result(None)
        assert get(web)[0] == 200


def test_a_fault_of_ours_costs_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    with Web("127.0.0.1", 0, ROUTES, say=lines.append) as web, opened(web) as sock:
        real = web_client.Client.step
        monkeypatch.setattr(web_client.Client, "step", lambda *_: 1 / 0)
        assert said(sock, GET) == b""
        monkeypatch.setattr(web_client.Client, "step", real)
        assert lines == ["a connection was given up (ZeroDivisionError); this is a fault of joinwatch"]
        assert get(web)[0] == 200


def test_nobody_can_listen_twice() -> None:
    with Web("127.0.0.1", 0, {}) as web, pytest.raises(ConfigError, match=r"^listen: .*cannot be listened on: Address"):
        Web("127.0.0.1", web.port, {})
    with pytest.raises(ConfigError, match="cannot be listened on"):
        Web("no-such-host.invalid.", 0, {})


def test_ipv6_is_listened_on_where_there_is_any() -> None:
    try:
        web = Web("::1", 0, ROUTES)
    except ConfigError:
        pytest.skip("there is no IPv6 here")
    with web, socket.create_connection(("::1", web.port), timeout=5) as sock:
        assert one(sock, GET)[0] == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::2:3", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::1", True),
    ],
)
def test_an_ipv6_household_counts_as_one(one: str, other: str, same: bool) -> None:
    assert (home_of(one) == home_of(other)) is same


@given(st.binary(max_size=200))
def test_any_accept_encoding_is_read(raw: bytes) -> None:
    assert takes_gzip(raw) in (True, False)
