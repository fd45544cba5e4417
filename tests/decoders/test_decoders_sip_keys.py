"""Pressed keys in the bodies of INFO and NOTIFY."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.sip_keys import KEYS, MAX_KEYS, keys_in

RELAY = "application/dtmf-relay"
KPML = "application/kpml-response+xml"


@pytest.mark.parametrize(
    ("kind", "event", "body", "keys"),
    [
        (RELAY, "", b"Signal=5\r\nDuration=160\r\n", "5"),
        (RELAY, "", b"Signal= 5\r\nDuration= 160", "5"),
        (RELAY, "", b"Duration=160\nsignal = *\n", "*"),
        ("Application/DTMF-Relay; x=y", "", b"Signal=#\r\n", "#"),
        (RELAY, "", b"Signal=10\r\n", "*"),
        (RELAY, "", b"Signal=11\r\n", "#"),
        (RELAY, "", b"Signal=12\r\n", "A"),
        (RELAY, "", b"Signal=16\r\n", ""),  # A flash of the hook.
        (RELAY, "", b"Signal=d\r\n", "D"),
        (RELAY, "", b"Signal=\r\n", ""),
        (RELAY, "", "Signal=٣\r\n".encode(), ""),
        (RELAY, "", b"Duration=160\r\n", ""),
        ("application/dtmf", "", b"5", "5"),
        ("application/dtmf", "", b" #\r\n", "#"),
        ("application/dtmf", "", b"1234#", "1234#"),
        ("application/dtmf", "", b"12x4", ""),
        ("application/dtmf", "", b"Signal=7\r\n", "7"),
        ("audio/telephone-event", "telephone-event;rate=1000", b"\x05\x80\x00\xa0", "5"),
        ("audio/telephone-event", "telephone-event;rate=1000", b"\x05\x00\x00\xa0", ""),  # Not yet released.
        ("audio/telephone-event", "telephone-event", b"\x0b\x8a\x00\xa0", "#"),
        ("audio/telephone-event", "telephone-event", b"\x10\x80\x00\xa0", ""),
        ("audio/telephone-event", "telephone-event", b"\x05\x80\x00", ""),
        ("application/vnd.nortelnetworks.digits", "", b"p=Digit-Collection\r\ny=Digits\r\n\r\nd=5\r\n", "5"),
        (KPML, "kpml", b'<kpml-response version="1.0" code="200" text="OK" digits="12*#" tag="x"/>', "12*#"),
        (
            KPML,
            "KPML;id=1",
            b"<?xml version='1.0'?>\n<k:kpml-response xmlns:k='u' digits = '7'></k:kpml-response>",
            "7",
        ),
        (KPML, "kpml", b'<kpml-response text="digits=&quot;1&quot;" tag=\'digits="2"\' digits="3"/>', "3"),
        (KPML, "kpml", b'<kpml-response code="423"/>', ""),
        (KPML, "kpml", b'<kpml-responses digits="1"/>', ""),
        (KPML, "kpml", b'<other digits="1"/>', ""),
        (KPML, "kpml", b'<!DOCTYPE x [<!ENTITY d "1">]><kpml-response digits="&d;"/>', ""),
        (KPML, "dialog", b'<kpml-response digits="1"/>', ""),
        ("text/plain", "", b"Signal=5\r\n", ""),
        ("", "", b"5", ""),
    ],
)
def test_keys_are_read(kind: str, event: str, body: bytes, keys: str) -> None:
    assert keys_in(kind, event, body) == keys


def test_a_press_in_notify_counts_once() -> None:
    """A Cisco gateway tells of the press, of its lasting, and of the release; only the last has the end bit."""
    bodies = (b"\x01\x00\x07\xd0", b"\x01\x00\x07\xd0", b"\x01\x80\x0b\xb8", b"\x02\x80\x00\x64")
    assert "".join(keys_in("audio/telephone-event", "telephone-event", body) for body in bodies) == "12"


def test_keys_are_bounded() -> None:
    assert keys_in("application/dtmf", "", b"1" * MAX_KEYS) == "1" * MAX_KEYS
    assert keys_in("application/dtmf", "", b"1" * (MAX_KEYS + 1)) == ""
    assert keys_in(RELAY, "", b" " * 5000 + b"\nSignal=5") == ""


KINDS = st.sampled_from(
    [RELAY, KPML, "application/dtmf", "audio/telephone-event", "application/vnd.nortelnetworks.digits"]
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            [b"Signal", b"d", b"=", b"5", b"\n", b"<kpml-response", b" digits=", b'"', b"'", b">", b"\xff"]
        ),
        max_size=12,
    ).map(b"".join),
)


@settings(max_examples=200, deadline=None)
@given(KINDS, st.sampled_from(["", "kpml"]), BODIES)
def test_any_body_gives_keys_alone(kind: str, event: str, body: bytes) -> None:
    assert set(keys_in(kind, event, body)) <= set(KEYS)
