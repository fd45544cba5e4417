"""SIP in two readings: what is kept for it has bounds, and one call has only so many readings."""

import pytest

from monitor.decoders import Decoders, sip_readings
from monitor.model.calls import CallOffered
from monitor.model.evidence import HOUR, SECOND
from monitor.model.limits import Limits
from monitor.model.packets import Datagram, OtherReading

FLOW = bytes((192, 0, 2, 1, 198, 51, 100, 1)) + (5060).to_bytes(2, "big") * 2


def request(call: int, target: str, method: str = "INVITE", number: int = 1) -> bytes:
    return (
        f"{method} sip:{target} SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{call}\r\n"
        f"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: {call}@192.0.2.1\r\n"
        f"CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def datagram(payload: bytes, ambiguous: bool = False) -> Datagram:
    return Datagram(SECOND, "a.pcap", 1, FLOW, payload, ambiguous=ambiguous)


def offers(decoders: Decoders, *packets: Datagram | OtherReading) -> list[CallOffered]:
    return [event for packet in packets for event in decoders.feed(packet) if isinstance(event, CallOffered)]


def test_a_message_that_both_readings_have_is_read_once() -> None:
    one, two = request(1, "one@example.com"), request(2, "two@example.com")
    pair = OtherReading(SECOND, "a.pcap", 2, FLOW, one + two[:9], one + two[:9], True)
    rest = OtherReading(SECOND, "a.pcap", 3, FLOW, two[9:], request(2, "six@example.com")[9:], False)
    found = offers(Decoders(), datagram(one), datagram(two), pair, rest)
    assert [(offer.call, offer.target, offer.evidence.ambiguous) for offer in found] == [
        ("1@192.0.2.1", "sip:one@example.com", False),
        ("2@192.0.2.1", "sip:two@example.com", False),
        ("2@192.0.2.1 (reading 2)", "sip:six@example.com", True),
    ]


def test_an_ambiguous_datagram_takes_the_place_of_the_one_it_contradicts() -> None:
    decoders = Decoders()
    first, second = request(1, "one@example.com"), request(1, "two@example.com")
    found = offers(decoders, datagram(first), datagram(second, True), datagram(second, True), datagram(first))
    assert [offer.call for offer in found] == ["1@192.0.2.1", "1@192.0.2.1 (reading 2)"]


def test_one_call_has_so_many_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_readings, "MAX_READINGS", 3)
    decoders = Decoders()
    found = offers(decoders, *(datagram(request(1, f"{n:02}@example.com")) for n in range(20)))
    readings = decoders._decoders[0]._readings  # type: ignore[attr-defined]
    assert len(found) == 20
    assert len(readings._kept) == 4
    assert [len(names) for names in readings.names.values()] == [3]


def test_only_so_much_is_kept_and_not_for_ever() -> None:
    decoders = Decoders(limits=Limits(calls_kept=10, calls_doubted=4, streams_doubted=4))
    for call in range(50):
        offers(decoders, datagram(request(call, "one@example.com")), datagram(request(call, "two@example.com")))
        flow = FLOW[:8] + call.to_bytes(4, "big")
        offers(decoders, OtherReading(SECOND, "a.pcap", 2, flow, b"INVITE", b"INFO s", True))
    readings = decoders._decoders[0]._readings  # type: ignore[attr-defined]
    assert (len(readings._kept), len(readings.names), len(readings._pairs)) == (10, 4, 4)
    assert readings._bytes == sum(len(message.text) for kept in readings._kept.values() for message, _ in kept)
    assert decoders.counts["calls_kept_evicted"] > 40
    assert (decoders.counts["calls_doubted_evicted"], decoders.counts["streams_doubted_evicted"]) == (46, 46)
    offers(decoders, datagram(b"OPTIONS sip:x SIP/2.0\r\n\r\n")._replace(at=HOUR))
    sizes = decoders.sizes
    assert [sizes[name] for name in ("calls_kept", "calls_kept_bytes", "calls_doubted", "streams_doubted")] == [0] * 4
