"""Keys in RTP: one event is one key, whatever is lost or repeated, and only signalling says whose."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decoders import sip_media
from monitor.decoders.media import CallMedia, MediaAddresses
from monitor.decoders.rtp_events import blocks_of, fresh_keys, key_of, payload_of
from monitor.model.asks import Ask
from monitor.model.calls import DigitDialled, KeySource
from monitor.model.evidence import SECOND
from monitor.model.oddities import Malformed, Oddity, Reason
from tests.decoders.calls_scene import ALICE, BRIDGE, Line, answer, flow, from_callee, invite, rtp, sdp, within

UP = flow(ALICE, BRIDGE, 10_000, 20_000)
DOWN = flow(BRIDGE, ALICE, 20_000, 10_000)
EVENTS = frozenset({101})


@pytest.fixture
def line() -> Line:
    line = Line()
    line.talk(sdp(), sdp(BRIDGE, 20_000))
    return line


def press(line: Line, event: int, timestamp: int, ends: bytes = UP, *, ssrc: int = 7, pt: int = 101) -> None:
    """A key as telephones send it: three packets, the end three times."""
    for end in (False, False, False, True, True, True):
        line.udp(rtp(event, timestamp, end=end, ssrc=ssrc, pt=pt), ends)


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        pytest.param(b"\x00\x0a\x00\xa0", "0", id="0"),
        pytest.param(b"\x0a\x0a\x00\xa0", "*", id="star"),
        pytest.param(b"\x0b\x0a\x00\xa0", "#", id="hash"),
        pytest.param(b"\x0f\x0a\x00\xa0", "D", id="D"),
        pytest.param(b"\x10\x0a\x00\xa0", "", id="flash is no key"),
        pytest.param(b"\xc2\x0a\x00\xa0", "", id="194 is no key"),
    ],
)
def test_an_event_names_a_key(payload: bytes, key: str) -> None:
    assert key_of(payload) == key


def test_an_event_that_is_too_short_is_malformed() -> None:
    with pytest.raises(Malformed) as caught:
        key_of(b"\x01\x0a\x00")
    assert caught.value.reason is Reason.TRUNCATED


def test_keys_are_told_once_each_with_who_pressed_them(line: Line) -> None:
    for number, event in enumerate((9, 8, 7, 7, 11)):
        press(line, event, 1000 + 4000 * number)
    pressed = [event for event in line.said if isinstance(event, DigitDialled)]
    assert line.keys == "9877#"
    assert {(one.by, one.via, one.call) for one in pressed} == {("caller", KeySource.RTP, "one@192.0.2.10")}
    assert "9" not in repr(pressed[0]).replace("192.0.2.10", "").replace(str(pressed[0].at), "")


def test_keys_of_the_callee_are_the_callees(line: Line) -> None:
    press(line, 1, 1000, DOWN)
    assert [event.by for event in line.said if isinstance(event, DigitDialled)] == ["callee"]


@pytest.mark.parametrize("lost", [{0}, {0, 1, 2}, {3, 4, 5}, {0, 1, 2, 3, 4}, {1, 2, 3, 4, 5}])
def test_a_lost_start_or_end_changes_nothing(line: Line, lost: set[int]) -> None:
    for number, end in enumerate((False, False, False, True, True, True)):
        if number not in lost:
            line.udp(rtp(5, 1000, end=end), UP)
    press(line, 5, 9000)
    assert line.keys == "55"


def test_packets_out_of_order_change_nothing(line: Line) -> None:
    for timestamp in (1000, 5000, 1000, 5000, 1000):
        line.udp(rtp(1 if timestamp == 1000 else 2, timestamp), UP)
    assert line.keys == "12"


def test_a_key_held_for_long_is_one_key(line: Line) -> None:
    start = 0xFFFF0000
    for segment in range(3):
        timestamp = (start + segment * 0xFFFF) & 0xFFFFFFFF
        for duration in (160, 30_000, 0xFFFF):
            line.udp(rtp(5, timestamp, duration=duration), UP)
    line.udp(rtp(5, (start + 3 * 0xFFFF) & 0xFFFFFFFF, duration=800, end=True), UP)
    assert line.keys == "5"


def test_flash_and_tones_are_no_keys(line: Line) -> None:
    press(line, 16, 1000)
    press(line, 194, 9000)
    assert line.keys == ""


@pytest.mark.parametrize(
    ("offer", "reply", "pt", "keys"),
    [
        pytest.param(sdp(pt=96), sdp(BRIDGE, 20_000, 101), 101, "5", id="the receiver's type counts"),
        pytest.param(sdp(pt=96), sdp(BRIDGE, 20_000, 101), 97, "", id="a type that nobody announced"),
        pytest.param(sdp(pt=101), "", 101, "5", id="the sender's type where the receiver's is unseen"),
        pytest.param(sdp(pt=None), sdp(BRIDGE, 20_000, None), 101, "", id="101 is never assumed"),
        pytest.param(sdp(), sdp(BRIDGE, 20_000).replace("RTP/AVP", "RTP/SAVP"), 102, "", id="SRTP cannot be read"),
    ],
)
def test_the_payload_type_is_what_signalling_says(offer: str, reply: str, pt: int, keys: str) -> None:
    line = Line()
    line.talk(offer, reply)
    press(line, 5, 1000, pt=pt)
    assert line.keys == keys


def test_rtp_without_signalling_says_nothing() -> None:
    line = Line()
    press(line, 5, 1000)
    assert line.said == []


def test_behind_nat_the_senders_own_address_serves() -> None:
    line = Line()
    line.talk(sdp("10.1.2.3"), sdp("10.9.9.9", 20_000))
    press(line, 5, 1000)
    press(line, 6, 9000, DOWN)
    assert line.keys == "56"


def test_media_may_move_in_a_re_invite_an_update_and_come_early_or_late() -> None:
    line = Line()
    line.up(invite())
    line.down(answer(183, body=sdp(BRIDGE, 20_000)))
    press(line, 1, 1000)
    line.down(answer(200, body=sdp(BRIDGE, 20_000)))
    line.up(within("ACK", 1, body=sdp(port=10_000)))
    press(line, 2, 9000, flow("203.0.113.9", ALICE, 999, 10_000))
    line.up(within("UPDATE", body=sdp("192.0.2.77", 30_000)))
    line.down(answer(200, number=2, method="UPDATE", body=sdp("198.51.100.77", 40_000)))
    press(line, 3, 20_000, flow("192.0.2.77", "198.51.100.77", 30_000, 40_000))
    line.down(from_callee("INVITE", body=sdp("198.51.100.78", 50_000)))
    press(line, 4, 30_000, flow("192.0.2.77", "198.51.100.78", 30_000, 50_000))
    assert line.keys == "1234"
    pressed = [event.by for event in line.said if isinstance(event, DigitDialled)]
    assert pressed == ["caller", "callee", "caller", "caller"]


def test_descriptions_that_wait_are_bounded_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_media, "MAX_UNREAD_BYTES", 500)
    line = Line()
    for number in range(10):
        line.talk(sdp(port=10_000 + number), sdp(BRIDGE, 20_000 + number), call=f"{number}@192.0.2.10")
    for number in range(10):
        press(line, number, 1000, flow(ALICE, BRIDGE, 10_000 + number, 20_000 + number))
    assert line.keys == "0123456789"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(
            sdp().replace("m=audio", "m=video 4 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\nm=audio"),
            "application/sdp",
            id="beside video",
        ),
        pytest.param(
            "--x\r\nContent-Type: application/isup\r\n\r\n\x01\r\n"
            f"--x\r\nContent-Type: application/sdp\r\n\r\n{sdp()}\r\n--x--\r\n",
            "multipart/mixed;boundary=x",
            id="in a multipart body",
        ),
        pytest.param(sdp().replace("telephone-event", "TELEPHONE-EVENT"), "application/sdp", id="in capitals"),
        pytest.param(sdp().replace("\r\n", "\n"), "application/sdp", id="with bare line feeds"),
    ],
)
def test_descriptions_of_every_shape_are_read(body: str, kind: str) -> None:
    line = Line()
    line.up(invite(body=body, kind=kind))
    line.down(answer(200))
    press(line, 5, 1000, flow(BRIDGE, ALICE, 9, 10_000))
    assert line.keys == "5"


def test_a_description_that_is_none_is_told() -> None:
    line = Line()
    odd = [event for event in line.up(invite(body="telephone-event, or what?")) if isinstance(event, Oddity)]
    assert [(one.protocol, one.reason) for one in odd] == [("sdp", Reason.BAD_SYNTAX)]


def test_after_the_call_its_addresses_are_free(line: Line) -> None:
    line.up(within("BYE"))
    press(line, 5, 1000)
    line.talk(sdp(pt=96), sdp(BRIDGE, 20_000, 96), call="two@192.0.2.10")
    press(line, 5, 1000, pt=96)
    assert [event.call for event in line.said if isinstance(event, DigitDialled)] == ["two@192.0.2.10"]


def test_who_names_the_address_of_another_call_gets_none_of_its_keys(line: Line) -> None:
    line.talk(sdp("192.0.2.66", 6666), sdp(BRIDGE, 20_000), call="thief@192.0.2.66")
    press(line, 5, 1000)
    assert [event.call for event in line.said if isinstance(event, DigitDialled)] == ["one@192.0.2.10"]


@pytest.mark.parametrize("rewritten", [False, True], ids=["same SSRC", "new SSRC"])
def test_a_key_that_is_passed_on_over_a_second_hop_counts_once(line: Line, rewritten: bool) -> None:
    hop = flow(BRIDGE, "198.51.100.30")
    line.udp(invite(body=sdp(BRIDGE, 21_000), caller="<sip:x@y>;tag=h", branch="z9hG4bKh"), hop)
    line.udp(
        answer(200, body=sdp("198.51.100.30", 22_000), caller="<sip:x@y>;tag=h", callee="<sip:x@y>;tag=i"),
        flow("198.51.100.30", BRIDGE),
    )
    for number in range(3):
        press(line, 5, 1000 + 4000 * number)
        press(line, 5, 1000 + 4000 * number, flow(BRIDGE, "198.51.100.30", 21_000, 22_000), ssrc=99 if rewritten else 7)
    assert line.keys == "555"


def test_a_key_by_rtp_and_info_counts_once_and_two_keys_count_twice(line: Line) -> None:
    for number in range(2):
        press(line, 5, 1000 + 4000 * number)
        line.up(within("INFO", 2 + number, body="Signal=5\r\nDuration=160\r\n", kind="application/dtmf-relay"))
    assert line.keys == "55"
    line.up(within("INFO", 9, body="5", kind="application/dtmf"), later=1.5)
    assert line.keys == "555"
    assert [line.decoders.counts[name] for name in ("rtp_keys", "sip_keys", "sip_echoes")] == [2, 1, 2]


def red(blocks: list[tuple[int, int, bytes]], timestamp: int) -> bytes:
    """RFC 2198: blocks of payload type, timestamp and content, the last of them the primary."""
    *old, (last, _, primary) = blocks
    heads = b"".join(
        (0x80000000 | kind << 24 | (timestamp - then) << 10 | len(data)).to_bytes(4, "big") for kind, then, data in old
    )
    payload = heads + bytes([last]) + b"".join(data for _, _, data in old) + primary
    return bytes([0x80, 100]) + b"\0\1" + timestamp.to_bytes(4, "big") + b"SSRC" + payload


def test_redundancy_is_unwrapped_and_its_port_asked_for() -> None:
    line = Line()
    more = "a=rtpmap:100 red/8000\r\na=fmtp:100 101/101\r\n"
    line.talk(sdp(more=more), sdp(BRIDGE, 20_000, more=more))
    assert line.asked == [Ask(protocol="rtp", udp_ports=(10_000,)), Ask(protocol="rtp", udp_ports=(20_000,))]
    five, six = b"\x05\x8a\x01\x90", b"\x06\x0a\x00\xa0"
    line.udp(red([(101, 1000, b""), (101, 1000, five)], 1000), UP)
    line.udp(red([(101, 1000, five), (101, 4000, six)], 4000), UP)
    line.udp(red([(101, 1000, five), (101, 4000, six)], 4000), UP)
    line.udp(red([(101, 4000, six), (101, 8000, five)], 8000), UP)
    assert line.keys == "565"


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(rtp(1, 1)[:14], id="short event"),
        pytest.param(bytes([0x90]) + rtp(1, 1)[1:14], id="header extension cut"),
        pytest.param(bytes([0x8F]) + rtp(1, 1)[1:], id="CSRC list longer than the packet"),
        pytest.param(bytes([0xA0]) + rtp(1, 1)[1:] + b"\xff", id="more padding than packet"),
    ],
)
def test_rtp_that_contradicts_itself_is_told(line: Line, packet: bytes) -> None:
    (odd,) = line.udp(packet, UP)
    assert isinstance(odd, Oddity)
    assert odd.protocol == "rtp"


def test_an_event_behind_csrc_extension_and_padding_is_found() -> None:
    plain = rtp(7, 1000)
    packet = bytes([0xB2]) + plain[1:12] + b"c" * 8 + b"\xbe\xde\0\1" + b"x" * 4 + plain[12:] + b"\0\0\0\4"
    assert payload_of(packet) == plain[12:]
    assert fresh_keys(packet, EVENTS, frozenset(), {}) == "7"


@given(st.binary(min_size=12, max_size=80), st.sampled_from([0x80, 0x90, 0xA0, 0xB3]), st.sampled_from([100, 101]))
def test_any_bytes_are_keys_or_malformed(tail: bytes, first: int, kind: int) -> None:
    packet = bytes([first, kind]) + tail
    keys = ""
    with suppress(Malformed):
        keys = fresh_keys(packet, EVENTS, frozenset({100}), {})
    assert set(keys) <= set("0123456789*#ABCD")


@given(st.binary(max_size=60))
def test_blocks_never_hold_more_than_the_payload(payload: bytes) -> None:
    found: list[tuple[int, int, bytes]] = []
    with suppress(Malformed):
        found.extend(blocks_of(payload, 0))
    assert sum(len(data) for _, _, data in found) <= len(payload)


def test_what_is_remembered_of_addresses_and_keys_is_bounded() -> None:
    addresses = MediaAddresses()
    media = CallMedia("x")
    for port in range(1, 1000):
        addresses.announce(media, "caller", b"\xc0\0\2\1", port, EVENTS, frozenset())
    assert len(addresses) == len(media.addresses) == 16
    addresses.forget(media)
    assert len(addresses) == 0
    for number in range(1000):
        fresh_keys(rtp(5, number), EVENTS, frozenset(), media.events_by("caller"))
        media.counts(number, "caller", "5", b"rtp")
    assert len(media.events_by("caller")) <= 64
    assert len(media.heard or ()) <= 32
    media.counts(10 * SECOND, "caller", "5", b"rtp")
    assert len(media.heard or ()) == 1
