"""Messages that RFCs print: each is read, and nothing is wrong with those that are printed whole."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from monitor.decoders.multipart import bodies_of
from monitor.decoders.sdp import parse_sdp
from monitor.decoders.sip_address import parse_address, parse_uri
from monitor.decoders.sip_keys import keys_in
from monitor.decoders.sip_message import SipMessage, looks_like_sip, read_message
from monitor.decoders.sip_stream import SipFraming
from monitor.model.oddities import Reason
from tests.corpus import CORPUS, needs_corpus

pytestmark = needs_corpus

FOLDERS = (
    "rfc3325-asserted-identity",
    "rfc3515-refer",
    "rfc3665-basic-call-flows",
    "rfc3666-sip-to-pstn",
    "rfc3911-join",
    "rfc4579-conference",
    "rfc4730-kpml",
    "rfc5359-service-flows",
    "rfc7866-siprec",
)

MISPRINTS = {
    ("rfc3515-refer", "refer-to: no URI"): 1,  # `(whatever URI)`
    ("rfc3665-basic-call-flows", "a line that is no header"): 1,  # A Record-Route folded without white space.
    ("rfc3666-sip-to-pstn", "white space in the request line"): 2,
    ("rfc3666-sip-to-pstn", "route: no URI"): 2,  # `<ss1.a.example.com;lr>`
    ("rfc4579-conference", "refer-to: no URI"): 1,  # A URI folded within.
    ("rfc3911-join", "from: no URI"): 3,  # `<carol@example.org>`
    ("rfc3911-join", "to: no URI"): 1,
    ("rfc3911-join", "cseq is no number and method"): 1,  # `1INVITE`
}
"""What the RFCs have wrong themselves, and how often, where a message is otherwise whole."""

HEADER = re.compile(r"[!-9;-~]+[ \t]*:")


def messages_of(folder: str) -> Iterator[tuple[bytes, bool]]:
    """Each SIP message of a folder with the line ends of the wire, and whether the RFC prints its whole head.

    Content-Length is left out where it counts a body that is not printed, or printed with other line ends.
    """
    for path in sorted((CORPUS / "messages" / folder).glob("*.txt")):
        for printed in re.split(r"(?m)^====.*\n", path.read_text())[1:]:
            head, _, body = printed.rstrip("\n").partition("\n\n")
            head = re.sub(r"(?mi)^Content-Length *:.*(?:\n|\Z)", "", head + "\n")
            data = f"{head}\n{body}\n".replace("\n", "\r\n").encode()
            if looks_like_sip(data):
                whole = all(line[:1] in " \t" or HEADER.match(line) for line in head.splitlines()[1:])
                yield data, whole and "..." not in head


@pytest.mark.parametrize("folder", FOLDERS)
def test_who_and_which_call_can_be_read(folder: str) -> None:
    read = [read_message(data, datagram=True) for data, _ in messages_of(folder)]
    assert len(read) > 1
    for message in read:
        assert message.call_id
        assert parse_address(message.first("from")).uri
        assert parse_address(message.first("to")).uri
        assert message.status or parse_uri(message.target).host


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_wrong_with_a_whole_message(folder: str) -> None:
    found: dict[tuple[str, str], int] = {}
    for data, whole in messages_of(folder):
        message = read_message(data, datagram=True)
        if whole and message.first("cseq"):
            for problem in message.problems():
                if (problem.reason, problem.what) != (Reason.MISSING, "no via"):  # RFC 3911 prints none.
                    found[folder, problem.what] = found.get((folder, problem.what), 0) + 1
    assert found == {place: count for place, count in MISPRINTS.items() if place[0] == folder}


@pytest.mark.parametrize("folder", FOLDERS)
def test_printed_descriptions_are_read(folder: str) -> None:
    described = 0
    for data, whole in messages_of(folder):
        for kind, _, body in bodies_of(read_message(data, datagram=True)):
            if whole and kind == "application/sdp" and body.startswith(b"v="):
                described += 1
                assert parse_sdp(body).media
    assert described or folder in ("rfc3325-asserted-identity", "rfc3515-refer", "rfc3911-join", "rfc4730-kpml")


def test_keys_of_kpml_are_read() -> None:
    keys = [
        keys_in(kind, message.first("event"), body)
        for data, _ in messages_of("rfc4730-kpml")
        for message in [read_message(data, datagram=True)]
        for kind, _, body in bodies_of(message)
    ]
    assert [key for key in keys if key] == ["4336", "9999888877776666", "2225551212", "3335551212", "#", "#"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_three_readings_of_a_flow_are_one(folder: str) -> None:
    """All messages of an RFC as one stream: whole, byte by byte, and each with the next one's start behind it."""
    parts = [
        data[: data.index(b"\r\n\r\n")]
        + b"\r\nContent-Length: %d" % (len(data) - data.index(b"\r\n\r\n") - 4)
        + data[data.index(b"\r\n\r\n") :]
        for data, _ in messages_of(folder)
    ]
    stream = b"".join(parts)
    assert texts(SipFraming().feed(stream)) == parts
    framing = SipFraming()
    assert [text for at in range(len(stream)) for text in texts(framing.feed(stream[at : at + 1]))] == parts
    framing = SipFraming()
    cuts = [0, *(sum(map(len, parts[:n])) + 20 for n in range(1, len(parts))), len(stream)]
    assert [text for at, end in pairwise(cuts) for text in texts(framing.feed(stream[at:end]))] == parts


def texts(reads: Sequence[object]) -> list[object]:
    return [read.text if isinstance(read, SipMessage) else read for read in reads]
