"""Every message of RFC 4475, in one table with its verdict."""

import json

import pytest

from monitor.decoders.multipart import bodies_of
from monitor.decoders.sip_address import parse_address, parse_uri
from monitor.decoders.sip_message import SipMessage, read_message
from monitor.decoders.sip_stream import SipFraming
from monitor.model.oddities import Malformed, Reason
from tests.corpus import CORPUS, needs_corpus

FOLDER = CORPUS / "sip-torture" / "rfc4475"

VALID: tuple[Reason, ...] = ()
VERDICTS: dict[str, tuple[Reason, ...]] = {
    # 3.1.1: valid, so nothing is said.
    "wsinv": VALID,
    "intmeth": VALID,
    "esc01": VALID,
    "escnull": VALID,
    "esc02": VALID,
    "lwsdisp": VALID,
    "longreq": VALID,
    "dblreq": VALID,  # The second request is in the same datagram: discarded (RFC 3261, 18.3).
    "semiuri": VALID,
    "transports": VALID,
    "mpart01": VALID,
    "unreason": VALID,
    "noreason": VALID,
    # 3.1.2: invalid, each for the reason in its title.
    "badinv01": (Reason.BAD_SYNTAX, Reason.BAD_SYNTAX),  # Via and Contact.
    "clerr": (Reason.BAD_LENGTH,),
    "ncl": (Reason.BAD_VALUE,),
    "scalar02": (Reason.BAD_VALUE,) * 4,  # CSeq, Max-Forwards, Expires, the contact's expires.
    "scalarlg": (Reason.BAD_VALUE,) * 3,  # CSeq, Retry-After, Warning.
    "quotbal": (Reason.BAD_SYNTAX,),
    "ltgtruri": (Reason.BAD_SYNTAX,),
    "lwsruri": (Reason.BAD_SYNTAX,),
    "lwsstart": (Reason.BAD_SYNTAX,),
    "trws": (Reason.BAD_SYNTAX,),
    "escruri": (Reason.BAD_SYNTAX,),
    "baddate": (Reason.BAD_VALUE,),
    "regbadct": (Reason.BAD_SYNTAX,),
    "badaspec": (Reason.BAD_SYNTAX,),
    "baddn": (Reason.BAD_SYNTAX, Reason.BAD_SYNTAX),  # From and To.
    "badvers": (Reason.UNSUPPORTED,),
    "mismatch01": (Reason.CONFLICT,),
    "mismatch02": (Reason.CONFLICT,),
    "bigcode": (Reason.BAD_VALUE,),
    # 3.2: the branch is the magic cookie alone, so it names no transaction.
    "badbranch": (Reason.BAD_VALUE,),
    # 3.3: well formed, and refused or not by the one addressed, for whom an onlooker cannot speak. What breaks RFC 3261
    # whoever is addressed is said: mandatory headers that are missing, single ones that come twice.
    "insuf": (Reason.MISSING,) * 3,  # Call-ID, From, To.
    "unkscm": VALID,  # 416 or not: the server's choice.
    "novelsc": VALID,
    "unksm2": VALID,
    "bext01": VALID,  # 420 is for the server to say.
    "invut": VALID,  # 415 likewise.
    "regaut01": VALID,
    "multi01": (Reason.CONFLICT,) * 5,  # CSeq, Call-ID, To, From, Max-Forwards.
    "mcl01": (Reason.CONFLICT,),
    "bcast": VALID,  # Its second Via names a broadcast address; only a proxy that would send there must care.
    "zeromf": VALID,  # 483 is for the next hop to say.
    "cparam01": VALID,
    "cparam02": VALID,
    "regescrt": VALID,
    "sdp01": VALID,  # 406 or not: the answerer's choice.
    # 3.4: RFC 2543 knew no branch, tag, Max-Forwards; an element should handle it, so we do.
    "inv2543": VALID,
}


def message_named(name: str) -> SipMessage:
    return read_message((FOLDER / f"{name}.dat").read_bytes(), datagram=True)


@needs_corpus
def test_the_table_has_every_message_of_the_rfc() -> None:
    expected = json.loads((FOLDER / "expected.json").read_text())["messages"]
    assert {f"{name}.dat" for name in VERDICTS} == set(expected)
    assert len(VERDICTS) == 49
    for name, said in expected.items():
        reasons = VERDICTS[name.removesuffix(".dat")]
        assert bool(reasons) == {"valid": False, "invalid": True}.get(said["class"], bool(reasons)), name


@needs_corpus
@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_is_that_of_the_rfc(name: str) -> None:
    assert tuple(problem.reason for problem in message_named(name).problems()) == VERDICTS[name]


@needs_corpus
@pytest.mark.parametrize("name", VERDICTS)
def test_broken_or_not_what_is_there_can_be_read(name: str) -> None:
    message = message_named(name)
    there = name != "insuf"
    call_id = "3d9485ad0c49859b@" if name == "mpart01" else f"{name}."
    assert message.call_id.startswith(call_id if there else "")
    for header in ("from", "to"):
        address = parse_address(message.first(header))
        assert bool(parse_uri(address.uri).scheme) is there
    if name not in ("scalar02", "scalarlg"):
        assert message.cseq[1] == (message.method or message.cseq[1]) or name.startswith("mismatch")
    assert message.all("via")


@needs_corpus
@pytest.mark.parametrize("name", VERDICTS)
def test_three_readings_of_a_stream_are_one(name: str) -> None:
    """Whole, byte by byte, and with the start of a next message behind it."""
    data = (FOLDER / f"{name}.dat").read_bytes()
    whole = [reading_of(read) for read in SipFraming().feed(data)]
    framing = SipFraming()
    assert [reading_of(read) for at in range(len(data)) for read in framing.feed(data[at : at + 1])] == whole
    behind = [reading_of(read) for read in SipFraming().feed(data + b"INVITE sip:next@example.com SIP/2.0\r\nVia: x")]
    assert behind[: len(whole)] == whole


def reading_of(read: SipMessage | Malformed) -> tuple[object, ...]:
    if isinstance(read, Malformed):
        return read.reason, read.offset, read.what
    return read.text, read.body, [(problem.reason, problem.offset) for problem in read.problems()]


@needs_corpus
def test_a_short_tortuous_invite() -> None:
    message = message_named("wsinv")
    assert (message.method, message.target) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert message.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert message.cseq == (9, "INVITE")
    assert message.first("max-forwards") == "0068"
    assert message.all("subject") == [""]
    to, caller = parse_address(message.first("to")), parse_address(message.first("from"))
    assert (to.uri, to.params) == ("sip:vivekg@chair-dnrc.example.com", {"tag": "1918181833n"})
    assert (caller.display, caller.uri) == ('J Rosenberg \\"', "sip:jdrosen@example.com")
    assert caller.params == {"tag": "98asjd8"}
    via = message.all("via")
    assert len(via) == 3
    assert "192.0.2.2;branch=390skdjuw" in via[0]
    assert "z9hG4bK30239" in via[2]
    contact = parse_address(message.first("contact"))
    assert contact.display == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": "", "q": "0.33"}
    assert message.first("newfangledheader") == "newfangled value continued newfangled value"
    assert message.first("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert message.first("route") == "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>"
    assert len(message.body) == 150
    assert message.body.startswith(b"v=0\r\n")


@needs_corpus
def test_a_wide_range_of_characters() -> None:
    message = message_named("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~" == message.cseq[1]
    to, caller = parse_address(message.first("to")), parse_address(message.first("from"))
    assert to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    uri = parse_uri(to.uri)
    assert (uri.user, uri.host) == ("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com")
    assert caller.display == "token1~` token2'+_ token3*%!.-"
    assert caller.params == {"fromparam''~+*_!.-%": "работающий", "tag": "_token~1'+`*%!-."}
    assert message.first("extensionheader-!.%*+_`'~") == "\ufeff大停電"


@needs_corpus
def test_escapes_are_decoded_in_users_and_nowhere_else() -> None:
    message = message_named("esc01")
    assert parse_uri(message.target).user == "sips:user@example.com"
    assert parse_uri(parse_address(message.first("from")).uri).user == "I have spaces"
    assert parse_uri(parse_address(message.first("to")).uri).user == "user"
    assert parse_uri(parse_address(message.first("contact")).uri).user == "caller"
    null = message_named("escnull")
    assert [parse_uri(parse_address(contact).uri).user for contact in null.all("contact")] == ["\0", "\0\0"]
    other = message_named("esc02")
    assert other.method == "RE%47IST%45R"
    assert parse_address(other.first("to")).display == "%Z%45"
    assert len(other.all("contact")) == 2


@needs_corpus
def test_what_the_rfc_says_of_single_messages() -> None:
    assert parse_address(message_named("lwsdisp").first("from")).display == "caller"
    assert len(message_named("longreq").all("via")) == 34
    assert (message_named("dblreq").method, message_named("dblreq").body) == ("REGISTER", b"")
    assert parse_uri(message_named("semiuri").target).user == "user;par=u@example.net"
    assert [via.split()[0].split("/")[2] for via in message_named("transports").all("via")] == [
        "UDP",
        "SCTP",
        "TLS",
        "UNKNOWN",
        "TCP",
    ]
    assert [(kind, len(body)) for kind, _, body in bodies_of(message_named("mpart01"))] == [
        ("text/plain", 5),
        ("application/octet-stream", 342),  # Its DER says so: 30 82 01 52.
    ]
    assert message_named("unreason").reason.startswith("= 2**3 * 5**2 но сто")
    assert (message_named("noreason").status, message_named("noreason").reason) == (100, "")
    assert (message_named("bigcode").status, message_named("bigcode").method) == (0, "")
    assert parse_uri(message_named("inv2543").target).user == "UserB"
    assert message_named("lwsruri").target == "sip:user@example.com; lr"
    assert message_named("badvers").version == "7.0"
    assert message_named("multi01").call_id == "multi01.98asdh@192.0.2.1"
    assert parse_uri(message_named("novelsc").target).scheme == "soap.beep"


@needs_corpus
def test_what_is_no_request_is_malformed() -> None:
    """`test.dat` is in the RFC's archive and not in its text."""
    with pytest.raises(Malformed):
        message_named("test")


IPV6 = "2001:db8::9:1"


@pytest.mark.parametrize(
    ("target", "via", "host", "port", "verdict"),
    [
        pytest.param("[2001:db8::10]", f"[{IPV6}]", "2001:db8::10", None, VALID, id="4.1 a reference"),
        pytest.param("2001:db8::10", f"[{IPV6}]", None, None, (Reason.BAD_SYNTAX,), id="4.2 no brackets"),
        pytest.param("[2001:db8::10:5070]", f"[{IPV6}]", "2001:db8::10:5070", None, VALID, id="4.3 no port"),
        pytest.param("[2001:db8::10]:5070", f"[{IPV6}]:5060", "2001:db8::10", 5070, VALID, id="4.4 a port"),
        pytest.param(
            "[2001:db8::10]", f"[{IPV6}];received={IPV6}", "2001:db8::10", None, VALID, id="4.5 bare received"
        ),
        pytest.param("[2001:db8::10]", IPV6, "2001:db8::10", None, (Reason.BAD_SYNTAX,), id="Via without brackets"),
        pytest.param("[::ffff:192.0.2.10]", "[::ffff:192.0.2.2]", "::ffff:192.0.2.10", None, VALID, id="4.9 mapped"),
    ],
)
def test_ipv6_as_rfc_5118_has_it(
    target: str, via: str, host: str | None, port: int | None, verdict: tuple[Reason, ...]
) -> None:
    data = (
        f"REGISTER sip:{target} SIP/2.0\r\nTo: <sip:user@example.com>\r\nFrom: <sip:user@example.com>;tag=81x2\r\n"
        f"Via: SIP/2.0/UDP {via};branch=z9hG4bKas3-111\r\nCall-ID: x@[{IPV6}]\r\nCSeq: 98176 REGISTER\r\n"
        f"Contact: <sip:caller@[{IPV6}]>\r\nContent-Length: 0\r\n\r\n"
    )
    message = read_message(data.encode(), datagram=True)
    assert tuple(problem.reason for problem in message.problems()) == verdict
    uri = parse_uri(message.target)
    assert host is None or (uri.host, uri.port) == (host, port)
    assert message.call_id == f"x@[{IPV6}]"
