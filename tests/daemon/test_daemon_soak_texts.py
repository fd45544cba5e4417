"""What is remembered of texts from the wire is bounded in bytes as well: long ones are read, and not remembered."""

import time
from pathlib import Path

import pytest

from bench.traffic import Call
from monitor.decoders import sip_head, sip_media
from monitor.model.calls import MAX_TEXT
from monitor.model.evidence import SECOND
from monitor.model.packets import Frame
from monitor.pipeline import Signals
from monitor.sources.numbers import number_text_for
from pcaps.stories.town import BRIDGE, SITE
from tests.daemon.stage import NUMBER
from tests.daemon.test_daemon_clock import Silent, expected_of
from tests.daemon.weight import weight_of

COUNT, LENGTH = 200, 20_000
PBX = "192.0.2.40"
INTO = f"sip:{NUMBER}@{SITE}"


def lengthened(n: int, raw: bytes, place: bytes, instead: bytes) -> bytes:
    """The datagram with something long in it, another one for each number; its lengths told anew."""
    changed = raw.replace(place, instead.replace(b"%", f"{n}".encode() + b"x" * LENGTH), 1)
    if changed == raw:
        return raw
    more = len(changed) - len(raw)
    if b"Content-Length: 0" not in changed:
        head, _, body = changed.partition(b"\r\n\r\n")
        before = head[head.rindex(b"Content-Length: ") :].split(b"\r\n")[0]
        text = head.replace(before, b"Content-Length: %d" % len(body)) + b"\r\n\r\n" + body
        more, changed = len(text) - len(raw), text
    total, udp = int.from_bytes(raw[16:18]) + more, int.from_bytes(raw[38:40]) + more
    return changed[:16] + total.to_bytes(2) + changed[18:38] + udp.to_bytes(2) + changed[40:]


LONG: list[tuple[str, str, bytes, bytes]] = [
    ("header names", INTO, b"User-Agent:", b"User-%:"),
    ("hosts of callers", INTO, b"From: <sip:visitor@", b"From: <sip:visitor@%."),
    ("hosts that are called", f"sip:+31205550177@{PBX};user=phone", b"INVITE sip:+31205550177@", b"INVITE sip:a@%."),
]


@pytest.mark.parametrize(("what", "target", "place", "instead"), LONG, ids=[one[0] for one in LONG])
def test_long_texts_are_read_and_not_remembered(
    tmp_path: Path, what: str, target: str, place: bytes, instead: bytes
) -> None:
    signals = Signals(Silent(), expected_of(tmp_path / "lists"))
    shared = (sip_head._harmless, sip_media._packed)  # what all decoders have in common
    weights: list[int] = []
    begun, told = time.time_ns(), 0
    for n in range(COUNT):
        at = begun + n * 1000 * SECOND  # what is remembered of the call itself is gone by the next
        call = Call(
            n=n, at=at, caller="sip:visitor@elsewhere.example", target=target, callee=BRIDGE.ip, lasts=5 * SECOND
        )
        for number, (when, raw) in enumerate(call.datagrams()):
            frame = lengthened(n, raw, place, instead)
            told += len(frame) > LENGTH
            signals.events_of(Frame(when, "if", number, 1, frame, len(frame)))
        if n in (COUNT // 2, COUNT - 1):
            weights.append(weight_of((signals, *shared)))
    assert told >= COUNT, what
    assert signals.decoders.counts["calls"] == COUNT
    assert weights[1] - weights[0] < COUNT // 2 * 2 * MAX_TEXT


def test_a_long_text_is_no_number_and_is_not_kept() -> None:
    number_text = number_text_for("31")
    assert number_text("020 555 01 77") == "tel:+31205550177"
    before = weight_of(number_text.__closure__)
    for n in range(COUNT):
        assert number_text(f"sip:{n}{'0' * 1000}@elsewhere.example") is None
    assert weight_of(number_text.__closure__) == before


def test_a_long_connection_line_is_no_address_and_is_not_kept() -> None:
    def description(host: str) -> bytes:
        lines = f"v=0|c=in ip4 {host}|m=audio 4000 rtp/avp 101|a=rtpmap:101 telephone-event/8000|"
        return lines.replace("|", "\r\n").encode()

    assert sip_media.usual_media(description("192.0.2.1")) == (bytes((192, 0, 2, 1)), 4000, frozenset({101}))
    before = sip_media._packed.cache_info().currsize
    assert sip_media.usual_media(description("1" * LENGTH)) is None
    assert sip_media._packed.cache_info().currsize == before
