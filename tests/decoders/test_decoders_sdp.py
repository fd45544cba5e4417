"""Session descriptions: where media flows, and how keys travel in it."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.sdp import MAX_FORMATS, MAX_MEDIA, Media, parse_sdp
from monitor.model.oddities import Malformed, Reason

OFFER = """v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
a=sendonly
m=audio 49170 RTP/AVP 0 121 101 13
a=rtpmap:0 PCMU/8000
a=rtpmap:121 red/8000
a=rtpmap:101 Telephone-Event/8000/1
a=fmtp:101 0-16
a=rtcp-mux
a=label:7
a=sendrecv
m=video 0 udp/tls/rtp/savpf 96
c=IN IP6 2001:db8::1
a=rtpmap:96 H264/90000
m=application 5070/2 UDP/BFCP *
c=IN IP4 bridge.example.com
"""


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_an_offer_is_read() -> None:
    audio, video, slides = parse_sdp(OFFER.replace("\n", "\r\n").encode()).media
    assert audio == Media(
        kind="audio",
        address=packed("192.0.2.1"),
        port=49170,
        protocol="RTP/AVP",
        direction="sendrecv",
        formats=(0, 121, 101, 13),
        telephone_events={101: 8000},
        redundancy=(121,),
        rtcp_mux=True,
        label="7",
    )
    assert (video.address, video.port, video.direction, video.hold, video.secure) == (
        packed("2001:db8::1"),
        0,
        "sendonly",
        True,
        True,
    )
    assert (slides.address, slides.port, slides.formats, slides.protocol) == (None, 5070, (), "UDP/BFCP")


def test_line_feeds_alone_are_as_good() -> None:
    assert parse_sdp(OFFER.encode()) == parse_sdp(OFFER.replace("\n", "\r\n").encode())


def media_with(*lines: str) -> Media:
    (media,) = parse_sdp("\r\n".join(("v=0", *lines)).encode()).media
    return media


@pytest.mark.parametrize(
    ("connection", "address", "hold"),
    [
        ("c=IN IP4 0.0.0.0", bytes(4), True),
        ("c=IN IP6 ::", bytes(16), True),
        ("c=IN IP4 224.2.1.1/127/3", packed("224.2.1.1"), False),
        ("c=IN IP6 2001:db8::5", packed("2001:db8::5"), False),
        ("c=IN IP6 ::ffff:192.0.2.1", packed("::ffff:192.0.2.1"), False),
        ("c=IN IP4 999.1.1.1", None, False),
        ("c=IN IP4 1.2.3.4.5", None, False),
        ("c=IN IP4 1.2.3.-4", None, False),
        ("c=IN IP4", None, False),
        ("c=ATM NSAP 1", None, False),
    ],
)
def test_a_connection_is_read(connection: str, address: bytes | None, hold: bool) -> None:
    media = media_with(connection, "m=audio 1000 RTP/AVP 0")
    assert (media.address, media.hold) == (address, hold)


@pytest.mark.parametrize(
    ("line", "secure"),
    [
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", True),
        ("a=fingerprint:sha-256 00", True),
        ("a=key-mgmt:mikey x", True),
        ("a=ptime:20", False),
    ],
)
def test_offered_keys_mean_that_media_is_encrypted(line: str, secure: bool) -> None:
    assert media_with("m=audio 1000 RTP/AVP 0", line).secure is secure


@pytest.mark.parametrize(
    ("rtpmap", "events"),
    [
        ("101 telephone-event/16000", {101: 16000}),
        ("101 telephone-event", {101: 8000}),
        ("101 telephone-event/99999999", {101: 8000}),
        ("128 telephone-event/8000", {}),
        ("-1 telephone-event/8000", {}),
        ("101", {}),
        ("x y", {}),
    ],
)
def test_payload_types_of_keys(rtpmap: str, events: dict[int, int]) -> None:
    assert media_with("m=audio 1000 RTP/AVP 101", f"a=rtpmap:{rtpmap}").telephone_events == events


def test_the_first_mapping_of_a_payload_type_counts() -> None:
    media = media_with("m=audio 9 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:101 telephone-event/1")
    assert media.telephone_events == {101: 8000}


def test_broken_media_lines_are_left_out() -> None:
    assert parse_sdp(b"v=0\r\nm=audio\r\nm=audio x RTP/AVP 0\r\nm=audio 70000 RTP/AVP 0\r\n").media == ()


def test_counts_are_bounded() -> None:
    media = parse_sdp(
        b"v=0\n" + b"m=audio 1 RTP/AVP " + b"1 2 3 4 5 " * 999 + b"\n" + b"m=audio 1 RTP/AVP 0\n" * 999
    ).media
    assert len(media) == MAX_MEDIA
    assert len(media[0].formats) <= MAX_FORMATS


@pytest.mark.parametrize("body", [b"", b"\r\n", b"(SDP not shown)", b"<xml/>", b"a=sendrecv\r\n"])
def test_what_is_no_description_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        parse_sdp(body)
    assert caught.value.reason is Reason.BAD_SYNTAX


LINES = st.sampled_from(
    [*OFFER.splitlines(), "m=", "c=", "a=rtpmap:", "a=rtpmap:101 red/8000", "m=audio 1 RTP/AVP x 999"]
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=100), st.lists(LINES, max_size=20).map(lambda lines: "\n".join(lines).encode())))
def test_any_bytes_are_a_description_or_malformed(body: bytes) -> None:
    try:
        session = parse_sdp(body)
    except Malformed:
        return
    for media in session.media:
        assert 0 <= media.port < 65536
        assert media.address is None or len(media.address) in (4, 16)
        assert all(0 <= number < 128 for number in (*media.formats, *media.telephone_events, *media.redundancy))
