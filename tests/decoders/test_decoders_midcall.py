"""Calls whose beginning was not seen: where their later requests go is where the far end is by now."""

import pytest

from monitor.decoders import Decoders
from monitor.model.calls import CallAnswered, CallEnded, CallOffered
from monitor.model.evidence import MINUTE
from monitor.model.limits import Limits
from monitor.model.packets import Datagram, reverse_of

FLOW = b"\xc0\x00\x02\x0a" + b"\xc6\x33\x64\x14" + b"\x13\xc4" * 2
CONFERENCE = "sip:27310400011@198.51.100.20:5060"


def request(method: str, call: str = "old") -> bytes:
    return (
        f"{method} {CONFERENCE} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\n"
        "From: <sip:+31205550177@192.0.2.10>;tag=a\r\nTo: <sip:+31205550100@198.51.100.20>;tag=b\r\n"
        f"Call-ID: {call}\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def answer(method: str, call: str = "old") -> bytes:
    return request(method, call).replace(f"{method} {CONFERENCE} SIP/2.0".encode(), b"SIP/2.0 200 OK")


def said_by(*messages: bytes, limits: Limits | None = None) -> list[object]:
    decoders = Decoders(limits=limits)
    return [
        said
        for n, message in enumerate(messages)
        for said in decoders.feed(
            Datagram(10**18 + n, "a.pcap", n + 1, reverse_of(FLOW) if message[:3] == b"SIP" else FLOW, message)
        )
    ]


@pytest.mark.parametrize("method", ["BYE", "UPDATE"])
def test_an_unseen_call_leads_where_its_later_requests_go(method: str) -> None:
    offered, answered, *ended = said_by(request(method), answer(method))
    assert isinstance(offered, CallOffered)
    assert (offered.target, offered.addressed_to) == (CONFERENCE, "sip:+31205550100@198.51.100.20")
    assert offered.partial
    assert isinstance(answered, CallAnswered)
    assert [type(event) for event in ended] == ([CallEnded] if method == "BYE" else [])


def test_a_request_that_nobody_answers_proves_nothing() -> None:
    assert said_by(request("BYE"), request("UPDATE")) == []


def test_an_answer_alone_tells_whom_was_called() -> None:
    offered, *_ = said_by(answer("BYE"))
    assert isinstance(offered, CallOffered)
    assert offered.target == "sip:+31205550100@198.51.100.20"


def test_requests_without_answers_are_forgotten() -> None:
    limits = Limits(requests_unplaced=2)
    offered, *_ = said_by(*(request("BYE", f"old{n}") for n in range(3)), answer("BYE", "old0"), limits=limits)
    assert isinstance(offered, CallOffered)
    assert offered.target == "sip:+31205550100@198.51.100.20"


def test_what_time_forgets_of_calls_that_were_not_seen() -> None:
    subscribe = request("SUBSCRIBE", "keys").replace(b"Content", b"Event: kpml;call-id=x;local-tag=a\r\nContent")
    notify = request("NOTIFY", "roster").replace(b"Content", b"Event: conference\r\nContent")
    decoders = Decoders()
    for n, message in enumerate((request("BYE"), subscribe, notify)):
        list(decoders.feed(Datagram(n, "a.pcap", n + 1, FLOW, message)))
    tables = ("requests_unplaced", "subscriptions", "roster_subscriptions")
    found = []
    for at in (0, 2, 12, 25 * 60):
        list(decoders.feed(Datagram(at * MINUTE + 9, "a.pcap", 9, FLOW, b"?")))
        found.append([decoders.sizes[table] for table in tables])
    assert found == [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]]
