"""Hostile messages cost no more than their length: twice the bytes, about twice the time."""

import gc
from collections.abc import Callable
from time import process_time

import pytest

from monitor.decoders.multipart import bodies_of
from monitor.decoders.sdp import parse_sdp
from monitor.decoders.sip_address import parse_address, parse_uri
from monitor.decoders.sip_keys import MAX_BODY, keys_in
from monitor.decoders.sip_message import read_message
from monitor.decoders.sip_stream import SipFraming
from monitor.model.oddities import Malformed

START = b"INVITE sip:a@example.com SIP/2.0\r\n"
MAX_RATIO = 20
WHOLE = 64 * 1024
"""Bytes of the largest datagram."""


def everything_of(data: bytes) -> None:
    """All that anybody can ask of a message."""
    try:
        message = read_message(data, datagram=True)
    except Malformed:
        return
    assert isinstance(message.call_id, str)
    for name in ("from", "to", "via", "contact", "user-agent"):
        parse_uri(parse_address(message.first(name)).uri)
        message.all(name)
    message.problems()
    for _, _, body in bodies_of(message):
        described(body)


def described(body: bytes) -> None:
    try:
        parse_sdp(body)
    except Malformed:
        return


def streamed(data: bytes) -> None:
    framing = SipFraming()
    for at in range(0, len(data), 1400):
        framing.feed(data[at : at + 1400])


GROWING: dict[str, tuple[bytes, bytes]] = {
    "10,000 Via": (b"", b"Via: \r\n"),
    "Via joined": (b"Via: ", b"SIP/2.0/UDP a,"),
    "folds": (b"Via: a\r\n", b" x\r\n"),
    "empty folds": (b"Call-ID:\r\n", b" \r\n"),
    "white space": (b"Contact: ", b" "),
    "white space before the colon": (b"Call-ID", b" "),
    "quotes": (b"Contact: ", b'"'),
    "escaped quotes": (b'Contact: "', b'\\"'),
    "quoted commas": (b"Contact: ", b'",",'),
    "escapes without end": (b'Contact: <sip:a@b>;x="', b'\\"'),
    "brackets": (b"Contact: ", b"<,"),
    "comments": (b"Contact: ", b" (,"),
    "semicolons": (b"Contact: <sip:a@b>", b";"),
    "parameters": (b"Contact: <sip:a@b>", b";a=b"),
    "quoted parameters": (b"From: <sip:a@b>", b';a="b"'),
    "branches": (b"Via: SIP/2.0/UDP a", b";branch = "),
    "slashes": (b"Via: SIP/2.0", b" /"),
    "expires": (b"Contact: <sip:a@b>", b"; expires = 1"),
    "ats": (b"From: sip:", b"a@"),
    "percents": (b"From: sip:", b"%2"),
    "digits": (b"CSeq: ", b"9"),
    "zeros": (b"Expires: ", b"0"),
    "no colons": (b"", b"x\r\n"),
    "one endless line": (b"X: ", b"x"),
    "carriage returns": (b"X: ", b"\r"),
    "colons": (b"", b":\r\n"),
    "warnings": (b"Warning: ", b'100 a "x" '),
    "almost Call-ID": (b"Call-ID: ", b"x\r\nX: CSeq"),
    "boundaries": (b"Content-Type: multipart/mixed;boundary=b\r\n\r\n", b"\r\n--b"),
    "almost boundaries": (b"Content-Type: multipart/mixed;boundary=" + b"-" * 70 + b"\r\n\r\n", b"-"),
    "nested": (b"C:multipart/mixed;boundary=b\r\n\r\n", b"--b\r\nC:multipart/mixed;boundary=b\r\n\r\n"),
    "media": (b"C: application/sdp\r\n\r\nv=0\r\n", b"m=audio 1 RTP/AVP 0\r\n"),
    "attributes": (b"C: application/sdp\r\n\r\nv=0\r\nm=a 1 RTP/AVP 0\r\n", b"a=rtpmap:1 red/8000\r\n"),
    "formats": (b"C: application/sdp\r\n\r\nv=0\r\nm=audio 1 RTP/AVP", b" 1"),
}
"""A head, and what is repeated behind it."""

GARBAGE: dict[str, bytes] = {
    "start lines": b"INVITE sip:a@b SIP/2.0\n",
    "status lines": b"SIP/2.0 200 OK\r\n",
    "line feeds": b"\0\n",
    "tokens": b"x",
    "keep-alives": b"\r\n",
    "messages": START + b"l:0\r\n\r\n",
    "heads that lie": START + b"l:-1\r\n\r\n",
}


def grown(name: str, size: int) -> bytes:
    head, unit = GROWING[name]
    return START + head + unit * ((size - len(head)) // len(unit))


def seconds(work: Callable[[], None]) -> float:
    """Processor time of the quickest of a few runs: what else the machine does only ever adds."""
    runs = []
    for _ in range(5):
        began = process_time()
        work()
        runs.append(process_time() - began)
    return min(runs)


def assert_linear(work: Callable[[bytes], None], of: Callable[[int], bytes]) -> None:
    """Eight times the bytes take about eight times as long; if time grew with the square, it would be 64 times.

    Three doublings at once, because a single one drowns in the noise of a busy machine, and up to three attempts.
    """
    small, large = of(WHOLE // 8), of(WHOLE)
    ratios: list[float] = []
    gc.disable()
    try:
        while len(ratios) < 3 and min(ratios, default=99) > MAX_RATIO:
            ratios.append(seconds(lambda: work(large)) / max(seconds(lambda: work(small)), 0.0005))
    finally:
        gc.enable()
    assert min(ratios) <= MAX_RATIO


@pytest.mark.parametrize("name", GROWING)
def test_a_message_is_read_in_linear_time(name: str) -> None:
    assert_linear(everything_of, lambda size: grown(name, size))


@pytest.mark.parametrize("name", GARBAGE)
def test_a_stream_is_read_in_linear_time(name: str) -> None:
    unit = GARBAGE[name]
    assert_linear(streamed, lambda size: unit * (4 * size // len(unit)))


@pytest.mark.parametrize("unit", [b"x", b'<kpml-response a="', b"<kpml-response ", b"Signal=\n", b"\n", b'a="b" '])
def test_keys_are_sought_in_little_time(unit: bytes) -> None:
    body = b"<kpml-response " + unit * ((MAX_BODY - 15) // len(unit))
    kinds = ("application/dtmf-relay", "application/dtmf", "application/kpml-response+xml")
    assert all(seconds(lambda kind=kind: keys_in(kind, "", body)) < 0.01 for kind in kinds)  # type: ignore[misc]
