"""Signalling: whatever the bytes, what can be read is read, by every way the same, and nothing else is raised."""

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address

import msgspec

from fuzz.target import records_of, target
from fuzz.wire import packets
from monitor.decoders import Decoders
from monitor.decoders.decoder import Decoded, Verdict
from monitor.decoders.media import MAX_EVENTS
from monitor.decoders.multipart import MAX_PARTS, bodies_of
from monitor.decoders.rtp_events import KEYS, blocks_of, fresh_keys
from monitor.decoders.sdp import MAX_FORMATS, MAX_MEDIA, Session, parse_sdp
from monitor.decoders.sip_address import MAX_PARAMS, Address, parse_address, parse_uri
from monitor.decoders.sip_claims import branch_of, claims_of, party_in, tag_of, uri_of
from monitor.decoders.sip_fields import LISTS, USUAL, pieces_of
from monitor.decoders.sip_head import Head
from monitor.decoders.sip_keys import MAX_KEYS, keys_in
from monitor.decoders.sip_media import usual_media
from monitor.decoders.sip_message import MAX_CALL_ID, SipMessage, read_message, usual_names
from monitor.decoders.sip_problems import MAX_PROBLEMS
from monitor.decoders.sip_stream import SipFraming
from monitor.model.calls import MAX_TEXT, DigitDialled
from monitor.model.oddities import Malformed, Oddity
from monitor.model.packets import Datagram, StreamData, StreamEnd, StreamGap
from monitor.wire import Wire

ASKED = tuple(name.lower() for name in USUAL)
SIP_WORDS = (
    *(name.encode() + b": " for name in USUAL),
    *(b" SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"SIP/2.0 302 M\r\n", b"INVITE sip:", b"BYE sip:", b"REFER sip:"),
    *(b"\r\n\r\n", b"\r\n ", b";tag=", b";branch=z9hG4bK", b"<sip:", b"@", b'"', b"\\", b">", b"\r\ni:", b"\r\nf:"),
    *(b"application/sdp", b"multipart/mixed;boundary=b", b"\r\n--b\r\n", b"application/dtmf-relay", b"Signal=5"),
    *(b"application/kpml-response+xml", b"telephone-event", b"message/sipfrag"),
)


def said_of(message: SipMessage, name: str) -> tuple[str, list[str]]:
    """The two questions that can be asked of a header."""
    first, every = message.first(name), message.all(name)
    assert len(first) <= MAX_TEXT
    assert all(len(one) <= MAX_TEXT for one in every)
    assert first == (every[0] if every else "")
    return first, every


@target(
    "sip-message",
    *("decoders.sip_message", "decoders.sip_fields", "decoders.sip_head", "decoders.sip_problems"),
    "decoders.sip_claims",
    words=SIP_WORDS,
)
def sip_message(data: bytes) -> None:
    """One message: searched header by header, read as a whole, and taken apart at once, it says the same."""
    datagram = not data[:1].isspace()
    try:
        message = read_message(data, datagram=datagram)
    except Malformed:
        return
    assert len(message.call_id) <= max(4 * MAX_CALL_ID, 64)
    assert len(message.target) <= MAX_TEXT
    assert len(message.reason) <= MAX_TEXT
    with suppress(Malformed):
        number, method = message.cseq
        assert 0 <= number < 2**31
        assert len(method) <= 4 * 64
    if (usual := usual_names(message.text)) is not None:
        assert usual[0] == message.call_id
    head = Head(read_message(data, datagram=datagram))
    for name in ASKED:
        searched = read_message(data, datagram=datagram).first(name)
        first, every = said_of(message, name)
        assert searched == first
        if name not in ("content-length", "cseq"):
            assert head.first(name) == first or (name in LISTS and "," in head.first(name))
            assert head.all(name) == every
    for side in ("from", "to"):
        claims = claims_of(Head(message), side, "192.0.2.1")
        assert msgspec.json.decode(msgspec.json.encode(claims), type=type(claims)) == claims
    assert len(message.problems()) <= MAX_PROBLEMS + 1
    assert len(message.body) <= len(data)
    assert repr(message)


def read_by(data: bytes, step: int) -> list[tuple[str, bytes]]:
    """What a stream cut into pieces of that size says."""
    framing = SipFraming()
    found = []
    for at in range(0, len(data), step):
        found += framing.feed(data[at : at + step])
    found += framing.close()
    return [(str(one), b"") if isinstance(one, Malformed) else ("message", one.text) for one in found]


@target("sip-stream", "decoders.sip_stream", words=SIP_WORDS, max_bytes=2048)
def sip_stream(data: bytes) -> None:
    """A stream says the same whole, in pieces, and byte by byte."""
    whole = read_by(data, max(1, len(data)))
    assert sum(len(text) for _, text in whole) <= len(data)
    assert read_by(data, 7) == whole
    if len(data) < 400:  # It costs the square of the length, in here and nowhere else.
        assert read_by(data, 1) == whole
    framing = SipFraming()
    for what, content in records_of(data):
        framing.gap(what * 64 + 1) if what >> 6 == 3 else framing.feed(content)
    framing.close()


@target(
    "sdp",
    *("decoders.sdp", "decoders.sip_media"),
    words=(
        *(b"v=0\r\n", b"c=IN IP4 192.0.2.1\r\n", b"c=IN IP6 2001:db8::1\r\n", b"\r\nm=audio 10000 RTP/AVP 0 101\r\n"),
        *(
            b"\r\na=rtpmap:101 telephone-event/8000\r\n",
            b"a=rtpmap:98 red/8000",
            b"a=sendonly",
            b"a=crypto:",
            b"a=label:",
        ),
    ),
)
def sdp(data: bytes) -> None:
    """A description: bounded, and the short way agrees with the long one."""
    with suppress(Malformed):
        session: Session = parse_sdp(data)
        assert len(session.media) <= MAX_MEDIA
        for media in session.media:
            assert media.address is None or len(media.address) in (4, 16)
            assert 0 <= media.port < 65536
            assert len(media.formats) <= MAX_FORMATS
            assert set(media.telephone_events) <= set(range(128))
            assert len(media.label) <= 64
    body = data.lower()
    usual = usual_media(body)
    if usual is not None:
        address, port, events = usual
        assert ip_address(address)
        media = parse_sdp(b"v=0\r\n" + body if not body.startswith(b"v=") else body).media
        assert (address, port) in [(one.address, one.port) for one in media]
        assert all(set(one.telephone_events) == events for one in media)


@target(
    "multipart",
    "decoders.multipart",
    words=(b"--b\r\n", b"--b--\r\n", b"Content-Type: multipart/mixed;boundary=b\r\n\r\n"),
)
def multipart(data: bytes) -> None:
    """A body of several parts: the first line is the value of its Content-Type."""
    kind, _, body = data.partition(b"\n")
    head = b"INFO sip:a@b SIP/2.0\r\nContent-Type: multipart/" + kind.strip() + b"\r\n\r\n"
    bodies = bodies_of(read_message(head + body, datagram=True))
    assert len(bodies) <= MAX_PARTS
    # Parts of parts are cut from them: nothing is there twice.
    assert sum(len(content) for _, _, content in bodies) <= len(body) + len(kind) + len(bodies)


def same(address: Address) -> Address:
    """Its parameters are bounded, and each is named."""
    assert len(address.params) <= MAX_PARAMS
    assert all(address.params)
    return address


@target(
    "sip-address",
    *("decoders.sip_address", "decoders.sip_claims", "decoders.sip_fields"),
    words=(
        b"<sip:",
        b">;tag=",
        b'"',
        b"\\",
        b";",
        b"?",
        b"@",
        b"[2001:db8::1]",
        b"tel:+31205550101",
        b"%40",
        b";phone-context=",
    ),
)
def sip_address(data: bytes) -> None:
    """Addresses and URIs: any text gives something, and the short ways agree with the long one."""
    text = data.decode("utf-8", "backslashreplace")
    address = same(parse_address(text))
    assert party_in(text)[1] == address.uri or '"' in text or text.count("<") != 1
    assert len(uri_of(text)) <= len(text)
    assert len(branch_of(text)) <= 64
    assert len(tag_of(text)) <= len(text)
    for one in (text, address.uri):
        uri = parse_uri(one)
        assert uri.port is None or 0 < uri.port < 65536
        assert len(uri.user) <= 4 * len(one)
        assert uri.host == uri.host.lower()
        assert len(uri.params) <= MAX_PARAMS
    assert b"".join(pieces_of(data)).count(b",") <= data.count(b",")


@target("rtp-events", "decoders.rtp_events")
def rtp_events(data: bytes) -> None:
    """RTP packets with telephone-events (101) and redundancy (98): keys, or `Malformed`."""
    known: dict[bytes, bytes] = {}
    for what, content in records_of(data):
        packet = bytes([0x80 | what & 0x3F, content[0] if content else 101]) + content[1:].ljust(12, b"\0")
        with suppress(Malformed):
            keys = fresh_keys(packet, {101, 96}, {98}, known)
            assert set(keys) <= set(KEYS)
        with suppress(Malformed):
            assert sum(len(part) for _, _, part in blocks_of(content, what)) <= len(content)
        assert len(known) <= MAX_EVENTS


KINDS = (
    *("application/dtmf-relay", "application/dtmf", "audio/telephone-event", "application/vnd.nortelnetworks.digits"),
    *("application/kpml-response+xml", "text/plain"),
)


@target(
    "keys",
    "decoders.sip_keys",
    words=(
        b"Signal=",
        b"Duration=160",
        b"<kpml-response ",
        b'digits="1234#"',
        b"<?xml ",
        b"<!--",
        b"\r\n",
        b"d=",
        b":kpml-response",
    ),
)
def keys(data: bytes) -> None:
    """Bodies of INFO and NOTIFY in each of the forms that carry keys."""
    for kind in KINDS:
        for event in ("", "kpml", "dtmf;x", "conference"):
            found = keys_in(kind, event, data)
            assert len(found) <= MAX_KEYS
            assert set(found) <= set(KEYS)
            assert not found or kind != "text/plain"


def told(said: Sequence[Decoded]) -> None:
    """Events and oddities that can be written down; no key is shown."""
    for one in said:
        if isinstance(one, DigitDialled):
            assert one.digit in KEYS
            assert "digit=" not in repr(one)
            continue
        kind = Oddity if isinstance(one, Oddity) else type(one)
        assert msgspec.json.decode(msgspec.json.encode(one), type=kind) == one


@target(
    "decoders",
    *(
        "decoders",
        "decoders.sip",
        "decoders.sip_call",
        "decoders.sip_calls",
        "decoders.sip_offers",
        "decoders.sip_aside",
    ),
    *(
        "decoders.sip_pressed",
        "decoders.sip_readings",
        "decoders.sip_rosters",
        "decoders.sip_media",
        "decoders.media",
        "decoders.rtp_events",
    ),
    words=SIP_WORDS,
    max_bytes=8192,
)
def decoders(data: bytes) -> None:
    """A conversation over UDP and TCP: the events of all its calls, and those of the calls that matter."""
    frames = packets(data)
    for heeds in (None, lambda target, *_: "bridge" in target):
        wire, stage = Wire(), Decoders(lambda _: None, heeds)
        names = set(stage.counts)
        for frame in frames:
            for packet in wire.feed(frame):
                if not isinstance(packet, Oddity):
                    told(list(stage.feed(packet)))
        for packet in wire.finish():
            if not isinstance(packet, Oddity):
                told(list(stage.feed(packet)))
        told(list(stage.finish()))
        assert set(stage.counts) == names
        assert min(stage.counts.values()) >= 0


FLOW = b"\xc0\0\2\1\xc6\x33\x64\2\x9c\x40\x13\xc4"


@target("decoder-streams", "decoders", "decoders.sip", "decoders.sip_stream", words=SIP_WORDS)
def decoder_streams(data: bytes) -> None:
    """Streams with gaps and ends as the wire gives them, to every decoder by its probe and by the stage."""
    stage = Decoders()
    for decoder in stage._decoders:
        assert decoder.probe(data) in Verdict
    at = 0
    for number, (what, content) in enumerate(records_of(data), 1):
        at += 1_000_000
        given: StreamData | StreamGap | StreamEnd | Datagram = StreamData(at, "a.pcap", number, FLOW, content or b"x")
        if what >> 5 == 6:
            given = StreamGap(at, "a.pcap", number, FLOW, len(content) + 1)
        elif what >> 5 == 7:
            given = StreamEnd(at, "a.pcap", number, FLOW)
        told(list(stage.feed(given)))
