"""One SIP message: what is read of it, lazily and in full, and that both are the same."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.sip_message import (
    MAX_CALL_ID,
    METHODS,
    SIP_HEADS,
    SipMessage,
    looks_like_sip,
    read_message,
)
from monitor.model.calls import MAX_TEXT
from monitor.model.oddities import Malformed, Reason

INVITE = (
    b"INVITE sip:98765@bridge.example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1, SIP/2.0/TCP 192.0.2.8;branch=z9hG4bK2\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Alice, \\"the\\" Example" <sip:alice@example.com>;tag=1928301774\r\n'
    b"To: <sip:98765@bridge.example.com>\r\n"
    b"Call-ID: a84b4c76e66710@192.0.2.10\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@192.0.2.10:5060>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"v=0\r\n"
)
OPTIONS = b"OPTIONS sip:example.com SIP/2.0\r\n"


def test_a_request_is_read() -> None:
    message = read_message(INVITE, datagram=True)
    assert (message.method, message.status, message.target) == ("INVITE", 0, "sip:98765@bridge.example.com")
    assert message.call_id == "a84b4c76e66710@192.0.2.10"
    assert message.cseq == (314159, "INVITE")
    assert message.first("from") == '"Alice, \\"the\\" Example" <sip:alice@example.com>;tag=1928301774'
    assert message.all("from") == [message.first("from")]
    assert [via.partition(";")[0] for via in message.all("via")] == [
        "SIP/2.0/UDP 192.0.2.10:5060",
        "SIP/2.0/UDP 192.0.2.9",
        "SIP/2.0/TCP 192.0.2.8",
    ]
    assert message.first("via") == "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport"
    assert (message.first("subject"), message.all("subject")) == ("", [])
    assert message.body == b"v=0\r\n"
    assert message.problems() == []


def test_a_response_is_read() -> None:
    message = read_message(b"SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\ni: x\r\n\r\n", datagram=True)
    assert (message.method, message.status, message.reason, message.target) == ("", 486, "Busy Here", "")
    assert (message.call_id, message.cseq) == ("x", (1, "INVITE"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n\r\n", id="keep-alive"),
        pytest.param(b"\0\0\0\0", id="keep-alive of zeros"),
        pytest.param(b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", id="SSDP"),
        pytest.param(b"INVITE sip:a@example.com\r\n\r\n", id="no version"),
        pytest.param(b"INVITE sip:a@example.com SIP/2.0X\n", id="version with a tail"),
        pytest.param(b"INVITE  SIP/2.0\r\n\r\n", id="no target"),
        pytest.param(b"SIP/2.0 OK\r\n\r\n", id="no status code"),
        pytest.param(b" SIP/2.0 200 OK\r\n\r\n", id="white space first"),
        pytest.param(b"INV\xffITE sip:a@example.com SIP/2.0\r\n\r\n", id="method is no token"),
        pytest.param(b"X" * 65 + b" sip:a@example.com SIP/2.0\r\n\r\n", id="endless method"),
        pytest.param(b"INVITE sip:a\nb@example.com SIP/2.0\r\n\r\n", id="line feed in the target"),
    ],
)
def test_what_is_no_sip_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read_message(data, datagram=True)
    assert caught.value.reason is Reason.BAD_SYNTAX


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n\r\n", id="keep-alive"),
        pytest.param(b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", id="SSDP"),
        pytest.param(b"GET / HTTP/1.1\r\nX: y SIP/2.0\r\n\r\n", id="not in the first line"),
        pytest.param(b"\x16\x03\x01\x02\0\x01\0", id="TLS"),
        pytest.param(b"\x04\0\0\0WireGuard", id="WireGuard"),
    ],
)
def test_other_protocols_do_not_look_like_sip(head: bytes) -> None:
    assert not looks_like_sip(head)


@pytest.mark.parametrize(
    "head",
    [
        b"SIP/2.0 200 OK\r\n",
        b"INVITE sip:a@example.com SIP/2.0\r\n",
        b"INVITE sip:a@example.com SIP/2.0\nVia",
        b"INVITE sip:a@example.com SIP/2.0",
        b"NEWMETHOD sip:a@example.com SIP/2.0 \r\n",
        b"\r\n\r\nBYE sip:a@example.com SIP/2.0\r\n",
    ],
)
def test_a_start_line_of_sip_is_known(head: bytes) -> None:
    assert looks_like_sip(head)
    assert read_message(head, datagram=True).version == "2.0"


def test_the_filter_knows_every_method() -> None:
    assert {(name + b" ")[:4] for name in METHODS} | {b"SIP/"} == set(SIP_HEADS)
    assert all(len(head) == 4 for head in SIP_HEADS)


def test_folds_compact_forms_case_and_white_space_are_one_header() -> None:
    message = read_message(
        OPTIONS + b"cAlL-iD \t:\r\n one\r\nCSEQ\t: 7\r\n\tOPTIONS\r\nF: a\r\n b\r\n\t c\r\nl : 0\r\n\r\n", datagram=True
    )
    assert message.call_id == "one"
    assert message.cseq == (7, "OPTIONS")
    assert message.first("from") == "a b c"
    message.all("via")
    assert (message.first("call-id"), message.first("from")) == ("one", "a b c")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b'Subject: "\r\n Call-ID: no\r\nCall-ID: yes\r\nCSeq: 1 OPTIONS\r\n', id="in a folded quote"),
        pytest.param(b"X: Call-ID: no\r\nCall-ID: yes\r\nCSeq: 1 OPTIONS\r\n", id="in a value"),
        pytest.param(b"i: yes\r\nCall-ID: no\r\nCSeq: 1 OPTIONS\r\n", id="compact first"),
        pytest.param(b"Call-ID: yes\r\ni: no\r\nCSeq: 1 OPTIONS\r\n", id="compact last"),
        pytest.param(b"Call-ID: yes\r\nCSeq: 1 OPTIONS\r\nCall-ID: no\r\nCSeq: 2 OPTIONS\r\n", id="twice"),
        pytest.param(b"CSeq: 1 OPTIONS\r\nVia: x\r\nCall-ID: yes\r\nCSeq: 2 OPTIONS\r\n", id="CSeq first"),
        pytest.param(b"X: y\nCall-ID: yes\nCSeq: 1 OPTIONS\n", id="line feeds alone"),
        pytest.param(b"Call-ID: yes\r\nContact: x\r\nCSeq: 1 OPTIONS\r\n", id="far apart"),
        pytest.param(b"Call-ID: yes\r\nCSeq: 1\r\n OPTIONS\r\n", id="folded CSeq"),
        pytest.param(b"Call-ID:\r\n yes\r\nCSeq: 01 OPTIONS\r\n", id="folded Call-ID"),
    ],
)
def test_the_first_call_id_counts(head: bytes) -> None:
    message = read_message(OPTIONS + head + b"\r\nCall-ID: body\r\nCSeq: 9 BYE\r\n", datagram=True)
    assert (message.call_id, message.cseq) == ("yes", (1, "OPTIONS"))


def test_headers_in_the_body_are_none() -> None:
    message = read_message(OPTIONS + b"\r\nCall-ID: body\r\nCSeq: 9 BYE\r\nFrom: x\r\n\r\n", datagram=True)
    assert (message.call_id, message.first("from"), message.all("from")) == ("", "", [])
    with pytest.raises(Malformed) as caught:
        assert message.cseq
    assert caught.value.reason is Reason.MISSING


@pytest.mark.parametrize(
    ("cseq", "reason"),
    [
        (b"", Reason.BAD_SYNTAX),
        (b"INVITE", Reason.BAD_SYNTAX),
        (b"1 INVITE x", Reason.BAD_SYNTAX),
        (b"-1 INVITE", Reason.BAD_SYNTAX),
        ("٣ INVITE".encode(), Reason.BAD_SYNTAX),
        (b"2147483648 INVITE", Reason.BAD_VALUE),
        (b"9" * 5000 + b" INVITE", Reason.BAD_VALUE),
    ],
)
def test_a_broken_cseq_is_malformed(cseq: bytes, reason: Reason) -> None:
    message = read_message(OPTIONS + b"Call-ID: x\r\nCSeq: " + cseq + b"\r\n\r\n", datagram=True)
    assert message.call_id == "x"
    with pytest.raises(Malformed) as caught:
        assert message.cseq
    assert caught.value.reason is reason


def test_the_largest_cseq_is_read() -> None:
    message = read_message(OPTIONS + b"Call-ID: x\r\nCSeq: 2147483647 OPTIONS\r\n\r\n", datagram=True)
    assert message.cseq == (2**31 - 1, "OPTIONS")


def test_long_call_ids_stay_distinct() -> None:
    one, other = (
        read_message(OPTIONS + b"Call-ID: " + b"x" * MAX_CALL_ID + end + b"\r\n\r\n", datagram=True).call_id
        for end in (b"", b"y")
    )
    another = read_message(OPTIONS + b"Call-ID: " + b"x" * MAX_CALL_ID + b"z\r\n\r\n", datagram=True).call_id
    assert one == "x" * MAX_CALL_ID
    assert len({one, other, another}) == 3
    assert len(other) < MAX_CALL_ID


def test_text_is_cut_and_shows_strange_bytes() -> None:
    message = read_message(OPTIONS + b"Subject: \xff\xc3\xa9" + b"x" * 5000 + b"\r\n\r\n", datagram=True)
    assert message.first("subject").startswith("\\xffé")
    assert len(message.first("subject")) == MAX_TEXT


@pytest.mark.parametrize(
    ("length", "datagram", "body"),
    [
        pytest.param(b"", True, b"12345", id="datagram without length"),
        pytest.param(b"", False, b"", id="stream without length"),
        pytest.param(b"l: 3\r\n", True, b"123", id="shorter"),
        pytest.param(b"Content-Length: 9\r\n", True, b"12345", id="longer"),
        pytest.param(b"Content-Length: -9\r\n", True, b"12345", id="negative"),
    ],
)
def test_the_body_ends_where_it_should(length: bytes, datagram: bool, body: bytes) -> None:
    assert read_message(OPTIONS + length + b"\r\n12345", datagram=datagram).body == body


@pytest.mark.parametrize("name", ["p-asserted-identity", "contact", "via", "diversion", "history-info", "route"])
def test_lists_come_apart_with_respect_to_quotes(name: str) -> None:
    value = b'"a, \\", <b" <sip:a,b@example.com;x=(>;q=1 , (c, d) <sip:c@example.com>,,<sip:d@example.com>'
    message = read_message(OPTIONS + name.encode() + b": " + value + b"\r\n\r\n", datagram=True)
    assert message.all(name) == [
        '"a, \\", <b" <sip:a,b@example.com;x=(>;q=1',
        "(c, d) <sip:c@example.com>",
        "<sip:d@example.com>",
    ]


def test_the_first_of_a_list_is_one_value() -> None:
    message = read_message(OPTIONS + b"v: a;b=1 , c;b=2\r\nContact: ,\r\nDate: a, b\r\n\r\n", datagram=True)
    for _ in range(2):
        assert [message.first(name) for name in ("via", "contact", "date")] == ["a;b=1", "", "a, b"]
        message.all("via")


@pytest.mark.parametrize("name", ["date", "call-id", "from", "to", "subject", "user-agent", "www-authenticate"])
def test_other_headers_stay_whole(name: str) -> None:
    message = read_message(OPTIONS + name.encode() + b": Fri, 01, x\r\n\r\n", datagram=True)
    assert message.all(name) == ["Fri, 01, x"]


def test_quotes_that_never_end_part_nothing() -> None:
    message = read_message(OPTIONS + b'Contact: "a, <b, (c, d\r\n\r\n', datagram=True)
    assert message.all("contact") == ['"a', "<b", "(c", "d"]


# Quick and full are the same ----------------------------------------------------------------------------------------

NAMES = ("Call-ID", "call-id", "CALL-ID", "i", "I", "CSeq", "cseq", "From", "f", "To", "t", "Contact", "c", "Via")
NAMES += ("In-Reply-To", "Identity", "Call-Info", "CS", "Ca", "Content-Length", "l", "X", "", " Call-ID", "Call-ID x")
VALUES = ("1", "a@b", "1 INVITE", "02 BYE", "3  ACK", "9999999999 X", "", " ", "\t", "x\r\n y", "x\n\tCSeq: 4 BYE")
VALUES += ("x\r\r", '"Call-ID: q"', "é", "a b", "5 INVITE\r\n z", "\r\n 6 INVITE", "x" * 300)

headers = st.builds(
    lambda name, space, value, end: f"{name}{space}{value}{end}",
    st.sampled_from(NAMES),
    st.sampled_from((": ", ":", " : ", "\t:\t", " ", ":\r\n ")),
    st.sampled_from(VALUES),
    st.sampled_from(("\r\n", "\r\n", "\r\n", "\n", "\r\r\n")),
)
messages = st.builds(
    lambda start, lines, end, body: (start + "".join(lines) + end + body).encode(),
    st.sampled_from(("INVITE sip:a@b SIP/2.0\r\n", "SIP/2.0 200 OK\r\n", "BYE sip:a@b SIP/2.0\n")),
    st.lists(headers, max_size=8),
    st.sampled_from(("\r\n", "\n", "")),
    st.sampled_from(("", "Call-ID: body\r\nCSeq: 8 BYE\r\n\r\n", "x\r\n\r\ny")),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(messages))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from((b"\r", b"\n", b" ", b":", b"i", b"\0", b"")))
    return bytes(data)


def reference(data: bytes) -> dict[str, list[bytes]]:
    """The head, read as plainly as it can be: unfold, line by line, name by name."""
    long = {"i": "call-id", "f": "from", "t": "to", "c": "content-type", "l": "content-length"}
    headers: dict[str, list[bytes]] = {}
    lines = data.lstrip(b"\r\n").split(b"\n")[1:]
    open_value: list[bytes] | None = None
    for number, line in enumerate(lines, 1):
        if line in (b"", b"\r") and number < len(lines):
            break
        if line[:1] in (b" ", b"\t"):
            if open_value is not None:
                open_value[-1] += b" " + line.strip()
            continue
        name, colon, value = line.partition(b":")
        open_value = None
        if colon and name:
            text = name.rstrip(b" \t").lower().decode("latin-1")
            open_value = headers.setdefault(long.get(text, text), [])
            open_value.append(value.strip())
    return headers


def normal(value: bytes) -> bytes:
    return b" ".join(value.split())


def cseq_of(message: SipMessage) -> tuple[int, str] | Reason:
    try:
        return message.cseq
    except Malformed as malformed:
        return malformed.reason


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_quick_and_full_are_the_same(data: bytes) -> None:
    try:
        quick, full = read_message(data, datagram=True), read_message(data, datagram=True)
    except Malformed:
        return
    full.all("via")
    plain = reference(data)
    for name in ("call-id", "cseq", "from"):
        wanted = plain.get(name, [b""])[0]
        assert quick.first(name) == full.first(name)
        assert normal(full.first(name).encode()) == normal(wanted.decode("utf-8", "backslashreplace").encode())
    assert len(full.all("call-id")) == len(plain.get("call-id", []))
    if len(full.first("call-id")) <= MAX_CALL_ID:
        assert quick.call_id == full.first("call-id")
    words = plain.get("cseq", [b""])[0].split()
    cseq = cseq_of(read_message(data, datagram=True))
    assert cseq == cseq_of(quick)  # Asked for after the Call-ID, and before.
    if len(words) == 2 and re.fullmatch(rb"[0-9]+", words[0]) and int(words[0]) < 2**31:
        assert cseq == (int(words[0]), words[1].decode("utf-8", "backslashreplace"))
    else:
        assert isinstance(cseq, Reason)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), mutated()))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    assert isinstance(looks_like_sip(data), bool)
    try:
        message = read_message(data, datagram=True)
    except Malformed:
        return
    assert isinstance(message.call_id, str)
    assert isinstance(cseq_of(message), tuple | Reason)
    assert data.endswith(message.body) or message.body in data
    assert all(isinstance(problem, Malformed) for problem in message.problems())
    assert all(0 <= problem.offset <= len(data) for problem in message.problems())
