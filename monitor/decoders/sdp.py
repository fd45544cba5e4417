"""Session descriptions (RFC 8866): where the media of a call flow, and which payload types carry pressed keys."""

from ipaddress import IPv6Address
from typing import Literal, TypeAlias

import msgspec

from monitor.model.oddities import Malformed, Reason

MAX_MEDIA = 64
"""Media lines of one description: a telepresence system with every stream of its own has about twenty."""

MAX_FORMATS = 128
"""Formats of one media line: all payload types that RTP has."""

MAX_LABEL = 64
"""Characters of `a=label` (RFC 4574)."""

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

_DIRECTIONS: dict[bytes, Direction] = {
    b"a=sendrecv": "sendrecv",
    b"a=sendonly": "sendonly",
    b"a=recvonly": "recvonly",
    b"a=inactive": "inactive",
}
_SECURE = (b"a=crypto:", b"a=fingerprint:", b"a=key-mgmt:")


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One media line, with what it inherits from the session."""

    kind: str
    """`audio`, `video`, `application`, `image`, …, lower case."""
    address: bytes | None
    """Packed, 4 bytes or 16; none when it is a host name or absent."""
    port: int
    """0 when the media is refused."""
    protocol: str
    """`RTP/AVP`, `UDP/TLS/RTP/SAVPF`, … in upper case."""
    direction: Direction
    formats: tuple[int, ...]
    """RTP payload types, in order of preference; of other protocols, none."""
    telephone_events: dict[int, int]
    """Payload type of pressed keys (RFC 4733) to its clock rate."""
    redundancy: tuple[int, ...] = ()
    """Payload types of `red` (RFC 2198), in which pressed keys may travel."""
    rtcp_mux: bool = False
    secure: bool = False
    """The media is encrypted, or keys for that are offered."""
    label: str = ""
    hold: bool = False
    """The other side is not to send: an old-style null address, `sendonly` or `inactive` (RFC 3264, 8.4)."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One description."""

    media: tuple[Media, ...]


class _Reading:
    """A media line, or the session part before the first, while its attributes are read."""

    __slots__ = ("address", "direction", "events", "head", "label", "mux", "red", "secure")

    def __init__(self, head: list[bytes], before: "_Reading | None" = None) -> None:
        self.head = head
        self.address: bytes | None = before.address if before else None
        self.direction: Direction = before.direction if before else "sendrecv"
        self.secure: bool = before.secure if before else False
        self.events: dict[int, int] = {}
        self.red: list[int] = []
        self.mux = False
        self.label = ""


def parse_sdp(body: bytes) -> Session:
    """The media of a description, what is broken in it left out.

    Raises:
        Malformed: It is no description at all.
    """
    session = part = _Reading([])
    parts: list[_Reading] = []
    known = False
    for raw in body.split(b"\n"):
        line = raw.strip(b" \t\r\0")
        kind = line[:2]
        if kind == b"a=":
            _read_attribute(part, line)
        elif kind == b"m=":
            if len(parts) == MAX_MEDIA:
                break
            part = _Reading(line[2:].split(None, MAX_FORMATS + 3), session)
            parts.append(part)
        elif kind == b"c=":
            part.address = _address_of(line)
        elif kind == b"v=":
            known = True
    if not known and not parts:
        raise Malformed(Reason.BAD_SYNTAX, 0, "no session description")
    return Session(media=tuple(media for read in parts if (media := _media_of(read)) is not None))


def _read_attribute(part: _Reading, line: bytes) -> None:
    if line.startswith(b"a=rtpmap:"):
        _read_mapping(part, line[9:])
    elif line in _DIRECTIONS:
        part.direction = _DIRECTIONS[line]
    elif line == b"a=rtcp-mux":
        part.mux = True
    elif line.startswith(_SECURE):
        part.secure = True
    elif line.startswith(b"a=label:"):
        part.label = line[8:].decode("utf-8", "backslashreplace")[:MAX_LABEL]


def _read_mapping(part: _Reading, value: bytes) -> None:
    """`101 telephone-event/8000` (RFC 8866, 6.6)."""
    words = value.split(None, 2)
    if len(words) < 2 or len(part.events) + len(part.red) >= MAX_FORMATS:
        return
    name, _, rate = words[1].lower().partition(b"/")
    if name not in (b"telephone-event", b"red"):
        return
    payload_type = _number_of(words[0], 127)
    if payload_type is None or payload_type in part.events:
        return
    if name == b"telephone-event":
        clock = _number_of(rate.partition(b"/")[0], 999_999)
        part.events[payload_type] = clock or 8000  # RFC 4733, 2.3.1: 8000 is what everybody means.
    elif payload_type not in part.red:
        part.red.append(payload_type)


def _media_of(part: _Reading) -> Media | None:
    """The media line with its attributes; none when it is no media line."""
    if len(part.head) < 3:
        return None
    port = _number_of(part.head[1].partition(b"/")[0], 65535)
    if port is None:
        return None
    protocol = part.head[2].decode("ascii", "backslashreplace").upper()[:64]
    numbers = (_number_of(word, 127) for word in part.head[3 : MAX_FORMATS + 3]) if "RTP" in protocol else ()
    nowhere = part.address is not None and not any(part.address)
    return Media(
        kind=part.head[0].decode("ascii", "backslashreplace").lower()[:64],
        address=part.address,
        port=port,
        protocol=protocol,
        direction=part.direction,
        formats=tuple(dict.fromkeys(number for number in numbers if number is not None)),
        telephone_events=part.events,
        redundancy=tuple(part.red),
        rtcp_mux=part.mux,
        secure=part.secure or "SAVP" in protocol,
        label=part.label,
        hold=nowhere or part.direction in ("sendonly", "inactive"),
    )


def _address_of(line: bytes) -> bytes | None:
    """The address of `c=IN IP4 224.2.1.1/127`, packed; none for a name, which only a resolver knows."""
    words = line[2:].split(None, 3)
    if len(words) < 3 or words[0].upper() != b"IN":
        return None
    text = words[2].partition(b"/")[0]
    try:
        return IPv6Address(text.decode("ascii")).packed if b":" in text else _packed(text.split(b".", 4))
    except ValueError:
        return None


def _packed(numbers: list[bytes]) -> bytes | None:
    """Four numbers as an IPv4 address: `ipaddress` would take as long as the rest of the description."""
    if len(numbers) == 4 and all(number.isdigit() and len(number) <= 3 for number in numbers):
        return bytes(map(int, numbers))  # What is above 255 is no byte, and a ValueError.
    return None


def _number_of(digits: bytes, largest: int) -> int | None:
    if digits.isdigit() and len(digits) <= 10 and int(digits) <= largest:
        return int(digits)
    return None
