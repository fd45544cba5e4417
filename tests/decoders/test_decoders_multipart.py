"""Messages with several bodies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.multipart import MAX_PARTS, bodies_of
from monitor.decoders.sip_message import read_message
from monitor.model.oddities import Malformed
from tests.corpus import CORPUS, needs_corpus


def bodies(content_type: str, body: bytes, more: str = "") -> list[tuple[str, str, bytes]]:
    head = f"INVITE sip:a@example.com SIP/2.0\r\nContent-Type: {content_type}\r\n{more}\r\n"
    return bodies_of(read_message(head.encode() + body, datagram=True))


TWO = (
    b"preamble\r\n--b\r\nContent-Type: Application/SDP; x=y\r\n\r\nv=0\r\n\r\n"
    b"--b \r\nc : application/rs-metadata+xml\r\nContent-Disposition:\r\n recording-session;handling=required\r\n\r\n"
    b"<x>--b</x>\r\n --b\r\n--bb\r\n--b--\r\nepilogue\r\n--b\r\n\r\nno"
)


@pytest.mark.parametrize(
    "kind",
    ["multipart/mixed;boundary=b", 'Multipart/Related ; type=x;Boundary="b"', "multipart/alternative; boundary=b"],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_parts_are_found(kind: str, end: bytes) -> None:
    assert bodies(kind, TWO.replace(b"\r\n", end)) == [
        ("application/sdp", "", b"v=0\r\n".replace(b"\r\n", end)),
        (
            "application/rs-metadata+xml",
            "recording-session",
            b"<x>--b</x>\r\n --b\r\n--bb".replace(b"\r\n", end),
        ),
    ]


def test_one_body_is_one() -> None:
    assert bodies("application/sdp", b"v=0\r\n", "Content-Disposition: Session;x=y\r\n") == [
        ("application/sdp", "session", b"v=0\r\n")
    ]


def test_no_body_is_none() -> None:
    assert bodies("application/sdp", b"") == []


def test_a_multipart_without_boundary_is_one_body() -> None:
    assert bodies("multipart/mixed", TWO) == [("multipart/mixed", "", TWO)]


def test_a_forgotten_last_delimiter_loses_nothing() -> None:
    assert bodies("multipart/mixed;boundary=b", b"--b\r\n\r\none\r\n--b\r\n\r\ntwo") == [
        ("text/plain", "", b"one"),
        ("text/plain", "", b"two"),
    ]


def nested(depth: int) -> bytes:
    if not depth:
        return b"Content-Type: text/x\r\n\r\nx"
    name = b"b%d" % depth
    return b"Content-Type: multipart/mixed;boundary=%s\r\n\r\n--%s\r\n%s\r\n--%s--" % (
        name,
        name,
        nested(depth - 1),
        name,
    )


def test_multiparts_are_opened_to_a_depth() -> None:
    def opened(depth: int) -> list[str]:
        kind, _, body = nested(depth).partition(b"\r\n\r\n")
        return [found for found, _, _ in bodies(kind.decode().partition(": ")[2], body)]

    assert opened(4) == ["text/x"]
    assert opened(5) == ["multipart/mixed"]


def test_parts_are_bounded() -> None:
    assert len(bodies("multipart/mixed;boundary=b", b"--b\r\n\r\n\r\n" * 999)) == MAX_PARTS


@needs_corpus
@pytest.mark.parametrize("name", ["acme-siprec-offer", "broadworks-offer-2", "connectel-offer", "procomm-siprec-offer"])
def test_siprec_offers_of_vendors_come_apart(name: str) -> None:
    body = (CORPUS / "messages" / "siprec" / f"drachtio-{name}.txt").read_bytes().lstrip()
    boundary = body.split(None, 1)[0][2:].decode()
    kinds = [kind for kind, _, _ in bodies(f'multipart/mixed;boundary="{boundary}"', body)]
    assert kinds[0] == "application/sdp"
    assert any("rs-metadata" in kind for kind in kinds[1:])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"--b", b"--b--", b"\r\n", b"\n", b"Content-Type: multipart/mixed;boundary=b", b"x", b"\0", b"-"]
        ),
        max_size=30,
    )
)
def test_any_body_comes_apart(pieces: list[bytes]) -> None:
    try:
        found = bodies("multipart/mixed; boundary=b", b"".join(pieces))
    except Malformed:
        pytest.fail("a body cannot break a message")
    assert all(part in b"".join(pieces) for _, _, part in found)
