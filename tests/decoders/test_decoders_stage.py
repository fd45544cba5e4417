"""The stage as a whole: by content, on any port, however the bytes are cut, and for any bytes at all."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders import ASKS, Decoders
from monitor.decoders.decoder import Decoded
from monitor.decoders.sdp import parse_sdp
from monitor.decoders.sip_address import parse_address
from monitor.decoders.sip_claims import party_in, tag_of, uri_of
from monitor.decoders.sip_media import usual_media
from monitor.model.asks import Ask
from monitor.model.calls import CallAnswered, CallEnded, CallOffered, DigitDialled
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Oddity
from monitor.model.packets import Datagram, StreamData, StreamEnd, StreamGap
from tests.decoders.calls_scene import ALICE, BRIDGE, START, Line, answer, flow, invite, rtp, sdp, within

UP, DOWN = flow(ALICE, BRIDGE, 40_000, 5060), flow(BRIDGE, ALICE, 5060, 40_000)
CONVERSATION = [
    (UP, b"\r\n\r\n" + invite(body=sdp())),
    (DOWN, answer(200, body=sdp(BRIDGE, 20_000))),
    (UP, within("ACK", 1, branch="z9hG4bK2")),
    (
        UP,
        within("INFO", 2, body="Signal=5\r\n", kind="application/dtmf-relay")
        + within("INFO", 3, body="7", kind="application/dtmf"),
    ),
    (UP, within("BYE", 4)),
]


def test_the_filter_is_asked_for_sip_and_for_events() -> None:
    assert {ask.protocol for ask in ASKS} == {"sip", "rtp"}
    (sip,) = [ask for ask in ASKS if ask.protocol == "sip"]
    assert {5060, 5061, 5080} <= set(sip.udp_ports) & set(sip.tcp_ports)
    assert b"INVI" in sip.udp_heads
    assert b"SIP/" in sip.tcp_heads


def test_every_count_is_there_from_the_start() -> None:
    line = Line()
    before = line.decoders.counts
    line.talk(sdp(), sdp(BRIDGE, 20_000))
    line.udp(rtp(5, 1000), flow(ALICE, BRIDGE, 10_000, 20_000))
    after = line.decoders.counts
    assert before.keys() == after.keys()
    assert set(before.values()) == {0}
    assert (after["calls"], after["sip_messages"], after["rtp_keys"]) == (1, 5, 1)


@pytest.mark.parametrize("port", [5060, 5080, 443, 34_567])
def test_sip_is_known_on_any_port(port: int) -> None:
    line = Line()
    assert [type(event) for event in line.udp(invite(), flow(ALICE, BRIDGE, port, port))] == [CallOffered]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\r\n\r\n", id="keep-alive"),
        pytest.param(b"\0\0\0\0", id="zeros"),
        pytest.param(b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", id="SSDP"),
        pytest.param(b"\x04\0\0\0" + bytes(28), id="WireGuard"),
        pytest.param(b"\x80" * 12, id="RTP of nobody"),
    ],
)
def test_what_is_no_sip_says_nothing_even_on_its_port(payload: bytes) -> None:
    assert Line().up(payload) == []


def stream(cuts: list[int] | None = None) -> list[Decoded]:
    """The conversation over TCP, cut at these places of each direction's turn."""
    decoders = Decoders()
    said: list[Decoded] = []
    frame = 0
    for ends, payload in CONVERSATION:
        places = sorted({0, len(payload), *(cut % len(payload) for cut in cuts or [])})
        for start, end in pairwise(places):
            frame += 1
            said += decoders.feed(StreamData(START, "made.pcap", frame, ends, payload[start:end]))
    return said


def without_frames(said: list[Decoded]) -> list[tuple[object, ...]]:
    return [(type(event), getattr(event, "call", ""), getattr(event, "digit", "")) for event in said]


def test_a_conversation_over_tcp() -> None:
    kinds = [CallOffered, CallAnswered, DigitDialled, DigitDialled, CallEnded]
    assert [type(event) for event in stream()] == kinds


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2000), max_size=12))
def test_any_cutting_of_a_stream_gives_the_same_events(cuts: list[int]) -> None:
    assert without_frames(stream(cuts)) == without_frames(stream())


def test_a_stream_byte_by_byte_gives_the_same_events() -> None:
    assert without_frames(stream(list(range(3000)))) == without_frames(stream())


def test_a_connection_whose_beginning_was_not_seen_is_known_by_its_next_message() -> None:
    decoders = Decoders()
    assert list(decoders.feed(StreamData(START, "made.pcap", 1, UP, b"8000\r\na=sendrecv\r\n"))) == []
    said = list(decoders.feed(StreamData(START, "made.pcap", 2, UP, invite())))
    assert [type(event) for event in said] == [CallOffered]


def test_after_a_gap_the_next_message_is_read() -> None:
    decoders = Decoders()
    list(decoders.feed(StreamData(START, "made.pcap", 1, UP, invite(body=sdp())[:-50])))
    lost = list(decoders.feed(StreamGap(START, "made.pcap", 2, UP, 50)))
    assert {type(event) for event in lost} <= {Oddity, CallOffered}
    said = list(decoders.feed(StreamData(START, "made.pcap", 3, UP, invite(call="two@192.0.2.10"))))
    assert [event.call for event in said if isinstance(event, CallOffered)] == ["two@192.0.2.10"]


def test_the_end_of_a_stream_within_a_message_is_told() -> None:
    decoders = Decoders()
    list(decoders.feed(StreamData(START, "made.pcap", 1, UP, invite()[:-30])))
    (odd,) = decoders.feed(StreamEnd(START, "made.pcap", 2, UP))
    assert isinstance(odd, Oddity)


def test_streams_on_a_port_of_their_own_are_asked_for_as_a_whole() -> None:
    line = Line()
    line.give(StreamData(START, "made.pcap", 1, flow(ALICE, BRIDGE, 40_000, 6060), invite()))
    line.give(StreamData(START, "made.pcap", 2, flow(BRIDGE, ALICE, 6060, 40_000), answer(180)))
    assert line.asked == [Ask(protocol="sip", tcp_ports=(6060,))]


def test_streams_are_bounded() -> None:
    line = Line()
    line.decoders = Decoders(limits=Limits(conversations=4))
    for port in range(10):
        line.give(StreamData(START, "made.pcap", port, flow(ALICE, BRIDGE, 40_000 + port, 5060), invite()[:300]))
    assert line.decoders.counts["conversations_evicted"] == 6


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.builds(
                lambda payload, at, bits: payload[:at] + bits + payload[at + len(bits) :],
                st.sampled_from([payload for _, payload in CONVERSATION] + [rtp(5, 1000), answer(302), answer(181)]),
                st.integers(0, 700),
                st.binary(min_size=1, max_size=8),
            ),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_any_bytes_give_events_or_oddities(payloads: list[bytes], tcp: bool) -> None:
    decoders = Decoders()
    ends = flow(ALICE, BRIDGE, 10_000, 20_000)
    said: list[Decoded] = []
    for number, payload in enumerate([invite(body=sdp()), answer(200, body=sdp(BRIDGE, 20_000)), *payloads]):
        packet = StreamData if tcp else Datagram
        said += decoders.feed(packet(START + number, "made.pcap", number, ends, payload))
    said += decoders.finish()
    assert isinstance(said[0], CallOffered)


ADDRESSES = st.one_of(
    st.text(alphabet='"<>;=,\\ :@tag.a\t', max_size=40),
    st.sampled_from([
        '"Jan, \\"x\\"" <sip:a@b.example>;tag=1', "sip:a@b;tag=2", "<sip:a;tag=no@b>;tag=3", '"x;tag=4" <sip:a@b>',
        'Jan <sip:a@b> ; Tag = 5', '<sip:a@b>;x="y;tag=6";tag=7', '"a" "b" <sip:a@b>', "tel:+31205550101",
    ]),
)  # fmt: skip


@given(ADDRESSES)
def test_the_short_way_to_an_address_says_the_same_as_the_long(value: str) -> None:
    party = parse_address(value)
    display, uri = party_in(value)
    assert (display, uri) == (party.display, party.uri)
    assert uri_of(value) == (party.uri if value else "")
    assert tag_of(value) == party.params.get("tag", "")


@given(
    st.sampled_from(["192.0.2.1", "192.0.2.300", "0.0.0.0", "host.example.com", "224.0.0.1/127"]),
    st.sampled_from(["10000", "0", "70000", "1x", "10000/2"]),
    st.sampled_from(["RTP/AVP", "RTP/SAVP", "RTP/AVPF", "UDPTL"]),
    st.lists(
        st.sampled_from([
            "a=rtpmap:101 telephone-event/8000", "a=rtpmap:96 Telephone-Event/48000", "a=rtpmap:200 telephone-event/1",
            "a=rtpmap:100 red/8000", "a=crypto:1 x", "a=sendonly", "c=IN IP4 192.0.2.9", "m=video 4 RTP/AVP 99",
            "a=rtpmap:101 PCMU/8000", "a=fingerprint:sha-1 x",
        ]),
        max_size=5,
    ),
)  # fmt: skip
def test_the_short_way_to_media_says_the_same_as_the_long(
    address: str, port: str, profile: str, more: list[str]
) -> None:
    lines = ["v=0", "s=-", f"c=IN IP4 {address}", "t=0 0", f"m=audio {port} {profile} 0 101", *more, ""]
    body = "\r\n".join(lines).encode()
    usual = usual_media(b"\n" + body.lower())
    if usual is None:
        return
    (media,) = parse_sdp(body).media
    assert usual == (media.address, media.port, frozenset(media.telephone_events))
    assert not media.secure
    assert media.redundancy == ()


def test_malformed_is_never_raised_to_the_pipeline() -> None:
    line = Line()
    try:
        line.up(b"INVITE sip:x SIP/2.0\r\nCall-ID: 1\r\nCSeq: nothing\r\n\r\n")
    except Malformed as error:
        pytest.fail(str(error))
    assert line.kinds() == ["CallOffered", "Oddity"]
