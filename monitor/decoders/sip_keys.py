"""Keys pressed during a call that travel in the signalling: in INFO, in NOTIFY, in KPML (RFC 4730).

Nothing here is kept, printed or named: keys are often part of a PIN.
"""

import re
from collections.abc import Callable
from typing import Final

KEYS = "0123456789*#ABCD"
"""By event code (RFC 4733, section 3.2)."""

MAX_KEYS = 64
"""Keys of one body: KPML collects a whole number, INFO has one."""

MAX_BODY = 4096
"""Bytes of a body that are looked at: the longest honest one has a few hundred."""

_KPML = re.compile(rb"<(?:[A-Za-z_][\w.\-]{0,32}:)?kpml-response(?=[\s/>])")
_ATTRIBUTE = re.compile(rb"""\s*([A-Za-z_:][\w:.\-]{0,63})\s*=\s*("[^"<]*"|'[^'<]*')""")
_NOT_A_KEY = re.compile(r"[^0-9*#A-D]")


def keys_in(content_type: str, event_header: str, body: bytes) -> str:
    """The keys that this body says were pressed, in order; empty when it says nothing of keys.

    `content_type` may carry parameters; `event_header` is the `Event` of a NOTIFY, or empty.
    """
    package = event_header.partition(";")[0].strip().lower()
    if len(body) > MAX_BODY or package not in _PACKAGES:
        return ""
    reader = _READERS.get(content_type.partition(";")[0].strip().lower())
    return reader(body) if reader else ""


def _dtmf_relay(body: bytes) -> str:
    return _signal(_value_of(body, b"signal"))


def _dtmf(body: bytes) -> str:
    return _signal(_value_of(body, b"signal") or body.decode("ascii", "replace"))


def _nortel_digits(body: bytes) -> str:
    return _keys(_value_of(body, b"d"))


def _value_of(body: bytes, name: bytes) -> str:
    """`5` of a line `Signal= 5`; the first line of that name counts."""
    for line in body.split(b"\n"):
        found, equals, value = line.partition(b"=")
        if equals and found.strip().lower() == name:
            return value.decode("ascii", "replace").strip()
    return ""


def _signal(value: str) -> str:
    """A key by its face or by its event code: some devices say 10 and 11 for star and hash, 12 to 15 for A to D."""
    value = value.strip().upper()
    if len(value) == 2 and value.isascii() and value.isdigit():
        code = int(value)
        return KEYS[code] if code < len(KEYS) else ""
    return _keys(value)


def _keys(text: str) -> str:
    """The text when it consists of keys alone, otherwise nothing: half a number would be a wrong one."""
    text = text.strip().strip('"').upper()
    return "" if len(text) > MAX_KEYS or _NOT_A_KEY.search(text) else text


def _telephone_event(body: bytes) -> str:
    """One key in four bytes, as RTP would carry it. Cisco gateways send it at the press, while it lasts, and with
    the end bit at the release, always; so only the last one is counted.
    """
    if len(body) < 4 or body[0] >= len(KEYS) or not body[1] & 0x80:
        return ""
    return KEYS[body[0]]


def _kpml(body: bytes) -> str:
    """The attribute `digits` of the root. No XML parser: a hostile document can define nothing that is never read."""
    if b"<!" in body:
        return ""  # A document type, entities, CDATA: no phone sends them. Comments neither.
    root = _KPML.search(body)
    at = root.end() if root else len(body)
    while attribute := _ATTRIBUTE.match(body, at):
        if attribute[1] == b"digits":
            return _keys(attribute[2][1:-1].decode("ascii", "replace"))
        at = attribute.end()
    return ""


_PACKAGES: Final = frozenset({"", "kpml", "telephone-event", "dtmf"})
"""Event packages that tell of keys; the empty one is that of INFO."""

_READERS: Final[dict[str, Callable[[bytes], str]]] = {
    "application/dtmf-relay": _dtmf_relay,
    "application/dtmf": _dtmf,
    "audio/telephone-event": _telephone_event,
    "application/vnd.nortelnetworks.digits": _nortel_digits,
    "application/kpml-response+xml": _kpml,
}
