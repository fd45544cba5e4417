"""Rosters (RFC 4575): documents, the NOTIFYs that carry them, real captures, and everything a hostile one may try."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decoders import ASKS, Decoders
from monitor.decoders.conference_info import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_SIZE,
    MAX_USERS,
    moment_of,
    read_conference_info,
)
from monitor.model.calls import MAX_TEXT, RosterSeen, RosterState
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import Datagram
from monitor.sources import Captures
from monitor.wire import Wire
from tests.corpus import CORPUS, captures, needs_corpus, truth_of

NS = 'xmlns="urn:ietf:params:xml:ns:conference-info"'
FLOW = b"\xc0\x00\x02\x14" + b"\xc0\x00\x02\x15" + b"\x13\xc4" * 2


def user(entity: str, status: str = "connected", *, call: str = "", state: str = "") -> str:
    info = f"<call-info><sip><call-id>{call}</call-id></sip></call-info>" if call else ""
    told = f' state="{state}"' if state else ""
    return (
        f'<user entity="{entity}"{told}><display-text>Somebody</display-text>'
        f'<endpoint entity="{entity};device=1"><status>{status}</status>'
        f"<joining-method>dialed-in</joining-method>{info}</endpoint></user>"
    )


def document(*users: str, state: str = "full", version: int = 1, more: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<conference-info {NS} entity="sip:2731@bridge.example.com" '
        f'state="{state}" version="{version}">{more}<users>{"".join(users)}</users></conference-info>'
    ).encode()


def notify(
    body: bytes, *, number: int = 1, call: str = "sub-1", kind: str = "application/conference-info+xml", more: str = ""
) -> bytes:
    return (
        "NOTIFY sip:watcher@192.0.2.21 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK1\r\n"
        "From: <sip:2731@bridge.example.com>;tag=focus\r\nTo: <sip:watcher@192.0.2.21>;tag=w\r\n"
        f"Call-ID: {call}\r\nCSeq: {number} NOTIFY\r\nEvent: conference\r\n"
        f"Subscription-State: active;expires=600\r\n{more}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def said_by(*messages: bytes, truncated: bool = False) -> list[object]:
    decoders = Decoders()
    return [
        said
        for n, message in enumerate(messages)
        for said in decoders.feed(Datagram(10**18 + n, "a.pcap", n + 1, FLOW, message, truncated))
    ]


# Documents


def test_a_document_as_a_bridge_writes_it() -> None:
    more = (
        "<conference-description><display-text>Weekly</display-text><subject>Agenda</subject><conf-uris><entry>"
        "<uri>sip:weekly@bridge.example.com</uri></entry></conf-uris></conference-description>"
        "<conference-state><user-count>3</user-count><locked>true</locked></conference-state>"
    )
    info = read_conference_info(document(user("sip:a@example.org", call="leg-1"), version=7, more=more))
    assert (info.entity, info.state, info.version) == ("sip:2731@bridge.example.com", RosterState.FULL, 7)
    assert (info.title, info.subject, info.uris) == ("Weekly", "Agenda", ("sip:weekly@bridge.example.com",))
    assert (info.user_count, info.locked, info.problem) == (3, True, None)
    (one,) = info.users
    assert (one.entity, one.display, one.state) == ("sip:a@example.org", "Somebody", RosterState.FULL)
    (endpoint,) = one.endpoints
    assert (endpoint.status, endpoint.joined_by, endpoint.call) == ("connected", "dialed-in", "leg-1")


def test_any_prefix_and_no_namespace_are_read_alike() -> None:
    plain = read_conference_info(b'<conference-info><users><user entity="sip:a@b.example"/></users></conference-info>')
    prefixed = read_conference_info(
        b'<c:conference-info xmlns:c="x"><c:users><c:user entity="sip:a@b.example"/></c:users></c:conference-info>'
    )
    assert plain == prefixed


def test_what_stands_elsewhere_is_no_user() -> None:
    body = document(
        user("sip:a@example.org"),
        '<x:user xmlns:x="y" entity="sip:foreign@example.org"><user entity="sip:in-foreign@example.org"/></x:user>',
        more='<sidebars-by-val><entry><users><user entity="sip:side@example.org"/></users></entry></sidebars-by-val>',
    )
    assert [u.entity for u in read_conference_info(body).users] == ["sip:a@example.org"]


def test_states_that_are_absent_or_unknown() -> None:
    full = read_conference_info(b"<conference-info/>")
    odd = read_conference_info(b'<conference-info state="sideways"/>')
    assert (full.state, odd.state) == (RosterState.FULL, RosterState.PARTIAL)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2005-03-04T20:00:00Z", 1_109_966_400),
        ("2005-03-04T21:00:00+01:00", 1_109_966_400),
        ("2005-03-04T20:00:00", None),
        ("1905-03-04T20:00:00Z", None),
        ("yesterday", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("٢٠٠٥-03-04T20:00:00Z", None),
    ],
)
def test_times_with_their_zone_count(text: str, seconds: int | None) -> None:
    moment = moment_of(text)
    if moment is not None and text.startswith("9999"):
        assert moment > 0  # Some versions of Python can tell it.
        return
    assert moment == (seconds * 10**9 if seconds is not None else None)


def test_bytes_of_another_encoding_stay_visible() -> None:
    text = '<conference-info><users><user entity="sip:Ren\xe9@b"/></users></conference-info>'
    body = b'<?xml version="1.0" encoding="iso-8859-1"?>' + text.encode("latin-1")
    assert read_conference_info(body).users[0].entity == "sip:Ren\\xe9@b"
    wide = "<conference-info><users><user entity='sip:a@b'/></users></conference-info>".encode("utf-16")
    assert read_conference_info(wide).users[0].entity == "sip:a@b"


# Hostile documents


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", Reason.BAD_SYNTAX, id="empty"),
        pytest.param(b"<presence/>", Reason.BAD_VALUE, id="another document"),
        pytest.param(b"{}", Reason.BAD_SYNTAX, id="no XML"),
        pytest.param(
            b'<!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><conference-info>&b;</conference-info>',
            Reason.UNSUPPORTED,
            id="entities that grow",
        ),
        pytest.param(
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><conference-info/>', Reason.UNSUPPORTED, id="an outside DTD"
        ),
        pytest.param(b"<!DOCTYPE conference-info><conference-info/>", Reason.UNSUPPORTED, id="a bare DOCTYPE"),
    ],
)
def test_what_is_refused_as_a_whole(body: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as caught:
        read_conference_info(body)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        pytest.param("<a>" * (MAX_DEPTH + 1), Reason.TOO_LARGE, id="too deep"),
        pytest.param("<a/>" * (MAX_ELEMENTS + 1), Reason.TOO_LARGE, id="too many elements"),
        pytest.param('<user entity="x"/>' * (MAX_USERS + 1), Reason.TOO_LARGE, id="too many users"),
        pytest.param("<a>" + "x" * MAX_SIZE + "</a>", Reason.TOO_LARGE, id="too long"),
        pytest.param("&undefined;", Reason.BAD_SYNTAX, id="an entity of its own"),
        pytest.param("</nobody>", Reason.BAD_SYNTAX, id="ends what did not begin"),
        pytest.param("\x00", Reason.BAD_SYNTAX, id="a null"),
    ],
)
def test_what_stands_before_a_mistake_is_read(tail: str, reason: Reason) -> None:
    info = read_conference_info(document(user("sip:a@example.org"), tail))
    assert info.users[0].entity == "sip:a@example.org"
    assert len(info.users) <= MAX_USERS
    assert info.problem is not None
    assert info.problem.reason is reason


def test_texts_are_cut() -> None:
    info = read_conference_info(
        document(f'<user entity="{"e" * 5000}"><display-text>{"d" * 5000}</display-text></user>')
    )
    assert (len(info.users[0].entity), len(info.users[0].display)) == (MAX_TEXT, MAX_TEXT)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_roster_or_malformed(body: bytes) -> None:
    for candidate in (body, b"<conference-info><users>" + body, document(body.decode("latin-1"))):
        try:
            info = read_conference_info(candidate)
        except Malformed:
            continue
        assert len(info.users) <= MAX_USERS


@given(st.integers(min_value=0, max_value=600))
def test_wherever_it_is_cut_the_users_before_the_cut_are_there(at: int) -> None:
    first = user("sip:a@example.org", call="leg-1")
    body = document(first, user("sip:b@example.org"))
    end = body.index(first.encode()) + len(first)
    if at < body.index(b"<users>"):
        with pytest.raises(Malformed, match="truncated"):
            read_conference_info(body[:at], cut=True)
        return
    info = read_conference_info(body[:at], cut=True)
    assert (info.problem is None) == (at >= len(body))
    if at >= end:
        assert info.users[0].endpoints[0].call == "leg-1"


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda n: '<a b="' + "x" * n + '"/>', id="one long attribute"),
        pytest.param(lambda n: "<a " + " ".join(f'b{i}="1"' for i in range(n // 10)) + "/>", id="many attributes"),
        pytest.param(lambda n: "<!--" + "-x" * (n // 2) + "-->", id="one long comment"),
        pytest.param(lambda n: "<![CDATA[" + "]]" * (n // 2) + "]]>", id="brackets"),
        pytest.param(lambda n: "&lt;" * (n // 4), id="escapes"),
        pytest.param(lambda n: "<user><display-text>" + "&#65;" * (n // 5) + "</display-text></user>", id="references"),
        pytest.param(lambda n: "<user/>" * (n // 7), id="users"),
        pytest.param(lambda n: "<" + "a" * n + "/>", id="one long name"),
    ],
)
def test_twice_the_bytes_cost_about_twice_the_time(shape) -> None:  # type: ignore[no-untyped-def]
    def seconds(n: int) -> float:
        body = document(shape(n))
        times = []
        for _ in range(5):
            start = time.process_time()
            read_conference_info(body)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(240_000) < 0.05 + 5 * seconds(60_000)


# Messages


def test_a_notify_becomes_a_roster() -> None:
    (roster,) = said_by(notify(document(user("sip:a@example.org"))))
    assert isinstance(roster, RosterSeen)
    assert (roster.call, roster.conference, roster.lasts) == ("sub-1", "sip:2731@bridge.example.com", 600)
    assert (roster.sent_from, roster.sent_to, roster.whole) == ("192.0.2.20", "192.0.2.21", True)


def test_a_retransmission_and_the_next_hop_say_nothing_new() -> None:
    message = notify(document(user("sip:a@example.org")))
    later = notify(document(user("sip:a@example.org"), version=2), number=2)
    assert len(said_by(message, message, later, message, later)) == 2


def test_a_gap_in_the_versions_is_told() -> None:
    texts = [notify(document(version=v, state="partial"), number=v) for v in (1, 2, 5)]
    assert [r.missed for r in said_by(*texts) if isinstance(r, RosterSeen)] == [False, False, True]


def test_a_roster_within_a_multipart() -> None:
    body = (
        b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: Application/Conference-Info+XML\r\n\r\n"
    )
    body += document(user("sip:a@example.org")) + b"\r\n--x--\r\n"
    (roster,) = said_by(notify(body, kind='multipart/mixed;boundary="x"'))
    assert isinstance(roster, RosterSeen)
    assert roster.users[0].entity == "sip:a@example.org"


def test_a_compressed_roster_is_an_oddity() -> None:
    (oddity,) = said_by(notify(b"\x1f\x8b\x08", more="Content-Encoding: gzip\r\n"))
    assert isinstance(oddity, Oddity)
    assert (oddity.protocol, oddity.reason) == ("conference", Reason.UNSUPPORTED)


def test_a_notify_that_the_snap_length_cut_tells_what_is_there() -> None:
    message = notify(document(user("sip:a@example.org"), user("sip:b@example.org")))
    roster, oddity = said_by(message[:-200], truncated=True)
    assert isinstance(roster, RosterSeen)
    assert (roster.whole, roster.users[0].entity) == (False, "sip:a@example.org")
    assert isinstance(oddity, Oddity)
    assert oddity.reason is Reason.TRUNCATED


def test_the_end_of_a_subscription_is_told_once() -> None:
    ended = notify(b"").replace(b"active;expires=600", b"terminated;reason=noresource")
    (roster,) = said_by(ended, ended)
    assert isinstance(roster, RosterSeen)
    assert (roster.lasts, roster.whole, roster.users) == (0, False, ())


@pytest.mark.parametrize("package", ["dialog", "message-summary", "refer", "presence"])
def test_other_packages_are_not_read(package: str) -> None:
    message = notify(document(user("sip:a@example.org"))).replace(b"Event: conference", f"Event: {package}".encode())
    assert said_by(message) == []


# Real captures


@needs_corpus
@pytest.mark.parametrize("capture", captures("conference"), ids=lambda p: p.name)
def test_the_rosters_of_a_real_capture(capture: Path) -> None:
    wire, decoders = Wire(), Decoders()
    packets = [*(p for frame in Captures([capture], ASKS) for p in wire.feed(frame)), *wire.finish()]
    found = [
        said
        for packet in packets
        if not isinstance(packet, Oddity)
        for said in decoders.feed(packet)
        if isinstance(said, RosterSeen)
    ]
    expected = truth_of(capture)["sip"].get("conference_rosters", [])
    assert [r.evidence.frame for r in found] == [r["frame"] for r in expected]
    for roster, true in zip(found, expected, strict=True):
        told = [(u.display, [e.status for e in u.endpoints]) for u in roster.users]
        assert told == [(u["display_text"], [e["status"] for e in u["endpoints"]]) for u in true["users"]]
        assert (roster.call, roster.user_count) == (true["call_id"], true["user_count"])


@needs_corpus
@pytest.mark.parametrize(
    "file", sorted((CORPUS / "messages").glob("*conference-info/*.xml")), ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_the_examples_of_the_rfc(file: Path) -> None:
    info = read_conference_info(file.read_bytes())
    assert info.problem is None
    assert info.users[0].entity == "sip:bob@example.com"
    if info.version == 1:
        assert [u.endpoints[0].status for u in info.users] == ["disconnected", "connected"]
        assert info.user_count == 33
    else:
        assert (info.state, info.users[0].endpoints[0].call) == (RosterState.PARTIAL, "hsjh8980vhsb78")
