"""Calls that are set aside unread: nothing of them is lost, and what is woken says what it would have said at once."""

from collections import defaultdict
from pathlib import Path

import pytest

from monitor.decoders import ASKS, Decoders
from monitor.decoders.sip_aside import Heeds
from monitor.model.calls import CallForwarded, CallOffered, DecodedEvent, DigitDialled
from monitor.model.evidence import SECOND
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity
from monitor.model.packets import Datagram
from monitor.sources import Captures
from monitor.wire import Wire
from tests.corpus import CORPUS, captures, needs_corpus
from tests.scenarios import labelled, name_of

FLOW = bytes([192, 0, 2, 10, 198, 51, 100, 20, 0x13, 0xC4, 0x13, 0xC4])
BACK = bytes([198, 51, 100, 20, 192, 0, 2, 10, 0x13, 0xC4, 0x13, 0xC4])


def by_call(capture: Path, heeds: Heeds | None) -> dict[str, list[DecodedEvent]]:
    """The events of a capture, call by call."""
    wire, decoders = Wire(), Decoders(None, heeds)
    events: dict[str, list[DecodedEvent]] = defaultdict(list)
    for frame in Captures([capture], ASKS):
        for packet in wire.feed(frame):
            for event in () if isinstance(packet, Oddity) else decoders.feed(packet):
                if not isinstance(event, Oddity):
                    events[event.call].append(event)
    return events


def nobody(*_: str) -> bool:
    return False


def everybody(*_: str) -> bool:
    return True


SAMPLES = [*labelled(), *captures("sip", "dtmf", "conference", "malformed")]


@pytest.mark.parametrize("capture", SAMPLES, ids=lambda p: name_of(p) if CORPUS not in p.parents else p.name)
def test_a_call_that_nobody_heeds_is_read_when_it_matters(capture: Path) -> None:
    at_once, late = by_call(capture, None), by_call(capture, nobody)
    for call, events in late.items():
        assert events == at_once[call]
    for call in at_once.keys() - late.keys():
        assert not any(isinstance(event, DigitDialled | CallForwarded) for event in at_once[call])


@needs_corpus
@pytest.mark.parametrize("capture", captures("sip", "dtmf"), ids=lambda p: p.name)
def test_calls_that_are_heeded_are_read_at_once(capture: Path) -> None:
    assert by_call(capture, everybody) == by_call(capture, None)


def message(start: str, call: int, cseq: str, *more: str, body: str = "") -> bytes:
    lines = (
        start,
        "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1",
        "From: <sip:+31205550111@192.0.2.10>;tag=a",
        f"To: <sip:+31205550122@198.51.100.20>{';tag=b' if 'INVITE sip' not in start else ''}",
        f"Call-ID: {call}@example.net",
        f"CSeq: {cseq}",
        *more,
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


INVITE = "INVITE sip:+31205550122@198.51.100.20 SIP/2.0"


def datagram(payload: bytes, at: int, flow: bytes = FLOW) -> Datagram:
    return Datagram(at=at, capture="test.pcap", number=at + 1, flow=flow, payload=payload)


def said(decoders: Decoders, *packets: Datagram) -> list[object]:
    return [event for packet in packets for event in decoders.feed(packet)]


def test_an_ordinary_call_says_nothing_and_leaves_nothing() -> None:
    decoders = Decoders(None, nobody)
    flow = (
        datagram(message(INVITE, 1, "1 INVITE"), 1),
        datagram(message("SIP/2.0 200 OK", 1, "1 INVITE"), 2, BACK),
        datagram(message("ACK sip:x@198.51.100.20 SIP/2.0", 1, "1 ACK"), 3),
        datagram(message("BYE sip:x@198.51.100.20 SIP/2.0", 1, "2 BYE"), 4),
        datagram(message("SIP/2.0 200 OK", 1, "2 BYE"), 5, BACK),
        datagram(message("SIP/2.0 200 OK", 1, "1 INVITE"), 6, BACK),
    )
    assert said(decoders, *flow) == []
    assert decoders.counts["calls"] == 1


def test_a_key_wakes_its_call() -> None:
    decoders = Decoders(None, nobody)
    info = message(
        "INFO sip:x@198.51.100.20 SIP/2.0", 1, "2 INFO", "Content-Type: application/dtmf-relay", body="Signal=5"
    )
    events = said(
        decoders,
        datagram(message(INVITE, 1, "1 INVITE"), 1),
        datagram(message("SIP/2.0 200 OK", 1, "1 INVITE"), 2, BACK),
        datagram(info, 3),
    )
    assert [type(event).__name__ for event in events] == ["CallOffered", "CallAnswered", "DigitDialled"]
    assert [event.at for event in events] == [1, 2, 3]  # type: ignore[attr-defined]
    assert decoders.counts["calls"] == 1


def test_another_target_of_interest_wakes_its_call() -> None:
    heeds: Heeds = lambda target, *_: "meeting" in target  # noqa: E731
    decoders = Decoders(None, heeds)
    other = message(INVITE.replace("+31205550122", "meeting"), 1, "2 INVITE")
    events = said(decoders, datagram(message(INVITE, 1, "1 INVITE"), 1), datagram(other, 2))
    offers = [event.target for event in events if isinstance(event, CallOffered)]
    assert offers[-1] == "sip:meeting@198.51.100.20"


def test_a_bye_from_elsewhere_does_not_end_a_call() -> None:
    decoders = Decoders(None, nobody)
    stranger = bytes([203, 0, 113, 9]) + FLOW[4:]
    info = message("INFO sip:x@198.51.100.20 SIP/2.0", 1, "2 INFO", "Content-Type: application/dtmf", body="7")
    events = said(
        decoders,
        datagram(message(INVITE, 1, "1 INVITE"), 1),
        datagram(message("BYE sip:x@198.51.100.20 SIP/2.0", 1, "2 BYE"), 2, stranger),
        datagram(info, 3),
    )
    assert any(isinstance(event, DigitDialled) for event in events)


def test_a_flood_of_calls_is_forgotten_oldest_first() -> None:
    decoders = Decoders(None, nobody, Limits(calls_aside=100))
    events = [
        event for call in range(1000) for event in said(decoders, datagram(message(INVITE, call, "1 INVITE"), call))
    ]
    assert decoders.counts["calls_aside_evicted"] == 900
    assert [event.reason for event in events if isinstance(event, Oddity)] == ["evicted"]


def test_messages_of_calls_set_aside_are_bounded_together() -> None:
    decoders = Decoders(None, nobody, Limits(calls_aside_bytes=10_000))
    for call in range(100):
        said(decoders, datagram(message(INVITE, call, "1 INVITE", body="x" * 1000), call))
    assert decoders.counts["calls_aside_evicted"] > 85


def test_a_call_that_lives_does_not_keep_dead_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.decoders.sip_aside.WAITING", 10 * SECOND)
    decoders = Decoders(None, nobody)
    said(decoders, *(datagram(message(INVITE, call, "1 INVITE"), call) for call in range(50)))
    for second in range(2, 28, 2):
        again = message(INVITE, 0, f"{second + 1} INVITE", "Authorization: Digest")
        said(decoders, datagram(again, second * SECOND))
    aside = decoders._decoders[0]._aside  # type: ignore[attr-defined]
    assert list(aside._open) == ["0@example.net"]


def test_what_is_malformed_in_a_woken_call_is_told_and_the_rest_is_read() -> None:
    decoders = Decoders(None, nobody)
    info = message("INFO sip:x@198.51.100.20 SIP/2.0", 1, "2 INFO", "Content-Type: application/dtmf", body="7")
    events = said(decoders, datagram(message(INVITE, 1, "nonsense"), 1), datagram(info, 2))
    assert any(isinstance(event, Oddity) for event in events)
    assert any(isinstance(event, DigitDialled) for event in events)
