"""SIP on TCP: where one message ends and the next begins, whatever happens to the bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.sip_message import SipMessage
from monitor.decoders.sip_stream import MAX_BODY, MAX_HEAD, SipFraming
from monitor.model.oddities import Malformed, Reason


def message(number: int, body: bytes = b"", length: bytes | None = None, method: bytes = b"MESSAGE") -> bytes:
    size = b"Content-Length: %d\r\n" % len(body) if length is None else length
    head = b"%s sip:a@example.com SIP/2.0\r\nCall-ID: %d\r\nCSeq: 1 %s\r\n" % (method, number, method)
    return (
        head
        + b"Via: SIP/2.0/TCP a.example.com\r\nFrom: <sip:a@example.com>\r\nTo: <sip:b@example.com>\r\n"
        + size
        + b"\r\n"
        + body
    )


def said(*reads: SipMessage | Malformed) -> list[object]:
    """Call-ID and body of each message, the reason of each refusal."""
    return [read.reason if isinstance(read, Malformed) else (read.call_id, read.body) for read in reads]


def fed(data: bytes, size: int = 1 << 30) -> list[object]:
    framing = SipFraming()
    reads = [read for at in range(0, len(data), size) for read in framing.feed(data[at : at + size])]
    return said(*reads, *framing.close())


STREAMS = [
    pytest.param(message(1), [("1", b"")], id="one"),
    pytest.param(
        message(1) + message(2, b"v=0\r\n") + message(3), [("1", b""), ("2", b"v=0\r\n"), ("3", b"")], id="three"
    ),
    pytest.param(
        b"\r\n\r\n" + message(1) + b"\r\n\r\n\r\n\r\n" + message(2) + b"\r\n",
        [("1", b""), ("2", b"")],
        id="keep-alives",
    ),
    pytest.param(message(1, method=b"NEWMETHOD") + message(2), [("1", b""), ("2", b"")], id="unknown method"),
    pytest.param(message(1).replace(b"\r\n", b"\n") + message(2), [("1", b""), ("2", b"")], id="line feeds alone"),
    pytest.param(
        message(1, message(9)) + message(2), [("1", message(9)), ("2", b"")], id="a message in a body is a body"
    ),
    pytest.param(
        message(1, b"v=0\r\ns=-\r\n", b"") + message(2),
        [("1", b""), Reason.BAD_SYNTAX, ("2", b"")],
        id="no length is no body",
    ),
    pytest.param(
        message(1, b"v=0\r\ns=-\r\n", b"l: -5\r\n") + message(2), [("1", b""), ("2", b"")], id="negative length"
    ),
    pytest.param(message(1, b"v=0\r\n", b"l: 5x\r\n") + message(2), [("1", b""), ("2", b"")], id="no number"),
    pytest.param(
        message(1, b"", b"l: %d\r\n" % (MAX_BODY + 1)) + message(2), [("1", b""), ("2", b"")], id="monstrous length"
    ),
    pytest.param(
        b"\x16\x03\x01 garbage\nmore\r\nSIP/2.0 200 OK\r\nno header\r\n" + message(2),
        [Reason.BAD_SYNTAX, ("2", b"")],
        id="garbage is said once",
    ),
    pytest.param(
        message(1) + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + message(2),
        [("1", b""), Reason.BAD_SYNTAX, ("2", b"")],
        id="HTTP",
    ),
    pytest.param(
        b"INVITE sip:a@example.com SIP/2.0\r\n" + b"X: y\r\n" * (MAX_HEAD // 6) + b"\r\n" + message(2),
        [Reason.TOO_LARGE, ("2", b"")],
        id="endless head",
    ),
    pytest.param(
        b"INVITE " + b"x" * (MAX_HEAD + 99) + b"\r\n" + message(2), [Reason.TOO_LARGE, ("2", b"")], id="endless line"
    ),
    pytest.param(message(1) + message(2)[:50], [("1", b""), Reason.TRUNCATED], id="ends in a head"),
    pytest.param(message(1, b"12345", b"l: 9\r\n"), [("1", b"12345")], id="ends in a body"),
]


@pytest.mark.parametrize(("data", "wanted"), STREAMS)
def test_a_stream_falls_into_messages(data: bytes, wanted: list[object]) -> None:
    assert fed(data) == wanted


@pytest.mark.parametrize(("data", "wanted"), STREAMS)
def test_however_it_is_cut(data: bytes, wanted: list[object]) -> None:
    assert fed(data, 1 if len(data) < 5000 else 997) == wanted


PIECES = st.sampled_from(
    [
        message(1),
        message(2, b"v=0\r\no=- SIP/2.0 200 OK\r\n\r\n"),
        message(3, b"abc", b""),
        message(4, b"abc", b"l: -1\r\n"),
        message(5, b"abc", b"l: 2\r\n"),
        message(6).replace(b"\r", b""),
        b"\r\n\r\n",
        b"garbage\r\n",
        b"INVITE sip:a SIP/2.0\r\n",
        b"SIP/2.0 200 OK\r\nVia : x",
        b"SIP/2.0",
        b"\n",
        b"\0",
        b" ",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=10))
def test_any_cutting_gives_the_same(pieces: list[bytes], sizes: list[int]) -> None:
    data = b"".join(pieces)
    framing = SipFraming()
    reads: list[SipMessage | Malformed] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        reads += framing.feed(data[at : at + size])
        at += size
        turn += 1
    assert said(*reads, *framing.close()) == fed(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=50), PIECES, st.integers(0, 2000)), max_size=12))
def test_any_bytes_and_gaps_are_survived(steps: list[bytes | int]) -> None:
    framing = SipFraming()
    for step in steps:
        reads = framing.gap(step) if isinstance(step, int) else framing.feed(step)
        assert all(isinstance(read, SipMessage | Malformed) for read in reads)
    framing.close()
    assert said(*framing.feed(message(7))) == [("7", b"")]


def test_a_gap_in_a_head_costs_that_message() -> None:
    framing = SipFraming()
    assert said(*framing.feed(message(1)[:60]), *framing.gap(30)) == [Reason.GAP]
    assert said(*framing.feed(message(1)[90:] + message(2))) == [("2", b"")]


def test_a_gap_within_a_body_costs_only_the_body() -> None:
    framing = SipFraming()
    data = message(1, b"0123456789")
    reads = [*framing.feed(data[:-8]), *framing.gap(5), *framing.feed(data[-3:] + message(2))]
    assert said(*reads) == [("1", b"01"), ("2", b"")]
    assert isinstance(reads[0], SipMessage)
    assert [problem.reason for problem in reads[0].problems()] == [Reason.GAP, Reason.BAD_LENGTH]


def test_a_gap_past_a_body_looks_for_the_next_start_line() -> None:
    framing = SipFraming()
    reads = [*framing.feed(message(1, b"0123456789")[:-8]), *framing.gap(100)]
    assert said(*reads) == [("1", b"01")]
    assert said(*framing.feed(message(2)[40:] + message(3))) == [("3", b"")]


def test_the_rest_of_a_method_is_no_method() -> None:
    framing = SipFraming()
    framing.gap(2)
    assert said(*framing.feed(message(1, method=b"INVITE")[2:] + message(2))) == [("2", b"")]


def test_a_message_right_behind_a_gap_is_read() -> None:
    framing = SipFraming()
    framing.gap(1000)
    assert said(*framing.feed(message(1, b"x"))) == [("1", b"x")]


def test_a_missing_length_is_a_problem_of_a_stream() -> None:
    (read,) = SipFraming().feed(message(1, b"", b""))
    assert isinstance(read, SipMessage)
    assert [problem.reason for problem in read.problems()] == [Reason.MISSING]


def test_a_closed_framing_begins_anew() -> None:
    framing = SipFraming()
    framing.feed(b"garbage that is no SIP")
    framing.close()
    assert said(*framing.feed(message(1))) == [("1", b"")]
