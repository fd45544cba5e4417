"""One SIP message (RFC 3261): bytes come in, and what is asked for is read from them, no more.

Most messages of a trunk are looked at for their method, Call-ID and CSeq alone, so nothing but the start line is read
until somebody asks. A header is found by one search that sees every spelling that RFC 3261, section 7.3, allows (any
case, compact forms, white space before the colon, folded lines) and stops at the blank line. Who asks for more than a
few gets the whole head read once. Both ways give the same answer.
"""

import re
from collections.abc import Callable, Iterable
from copy import copy
from hashlib import blake2b
from typing import Final

from monitor.decoders.sip_fields import COMPACT, LISTS, NAMES, canonical, pieces_of, unfolded
from monitor.model.calls import MAX_TEXT
from monitor.model.oddities import Malformed, Reason

MAX_CALL_ID = 256
"""Bytes of a Call-ID that are kept; a longer one is named by its digest, so that two of them stay distinct."""

MAX_METHOD = 64
"""Bytes of a method: the longest registered has 9, the torturous one of RFC 4475 has 40."""

MAX_SEARCHES = 3
"""Headers that are searched for one by one; from then on, reading the whole head is cheaper."""

MAX_DIGITS = 32
"""Digits that are turned into a number; what is longer is too large for every header."""

MAX_CSEQ = 2**31 - 1
"""RFC 3261, 8.1.1.5."""

METHODS: Final = {
    name.encode(): name
    for name in str.split(
        "INVITE ACK BYE CANCEL REGISTER OPTIONS PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE"
    )
}

SIP_HEADS: tuple[bytes, ...] = (b"SIP/", *((name + b" ")[:4] for name in METHODS))
"""How a SIP message begins, for the packet filter. No methods of the future: those are found by their port."""

_FEED, _RETURN, _COMMA = b"\n\r,"
_METHOD = re.compile(rb"[A-Za-z0-9\-.!%%*_+`'~]{1,%d}" % MAX_METHOD)
_VERSION = re.compile(rb"SIP/[0-9]{1,4}\.[0-9]{1,4}", re.IGNORECASE)
_BLANK = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"\n([^:\n \t][^:\n]*):([^\n]*(?:\n[ \t][^\n]*)*)")


def _seeker(*names: str) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Finds the first header with one of these names, or else the blank line; linear, for each line has one try.

    The last group that matched holds the value; none did at the blank line. Both cases of a letter are spelled out,
    because `re.IGNORECASE` would keep the engine from telling most lines by their first byte.
    """
    spellings = ["".join(f"[{c.upper()}{c}]" if c.isalpha() else re.escape(c) for c in name) for name in names]
    alternatives = "".join(rf"{spelling}[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)|" for spelling in spellings)
    return re.compile(rf"\n(?:{alternatives}\r?\n)".encode()).search


_LONG_TO_COMPACT: Final = {long: short for short, long in COMPACT.items()}
_SEEK: Final[dict[str, Callable[[bytes, int], re.Match[bytes] | None]]] = {}
_CALL_ID: Final = _seeker("call-id", "i")
_CSEQ: Final = _seeker("cseq")
_LENGTH: Final = _seeker("content-length", "l")

_CALL: Final = rb"Call-ID: ([!-~]{1,%d})\r\n" % MAX_CALL_ID
_SEQUENCE: Final = rb"CSeq: ([0-9]{1,10}) ([A-Z]{1,16})\r\n"
_OTHERS: Final = rb"(?:(?:[^CcIi\s]|[Cc][^AaSs\n]|[Ii][^ \t:\n])[^\n]*\n){0,8}"
_USUAL: Final = re.compile(
    rb"\n(?:%s%s%s(?![ \t])|%s%s%s(?![ \t])|[Cc][AaSs]|[Ii][ \t:]|\r?\n)"
    % (_CALL, _OTHERS, _SEQUENCE, _SEQUENCE, _OTHERS, _CALL)
).search
"""Call-ID and CSeq in one go, spelled and ordered as most devices do. Whatever may be either of them in a spelling
less usual, and the blank line, stops the search without a group: the answer is the same as when they are sought."""


def text_from(raw: bytes) -> str:
    """Text from the wire as it is handed out: strange bytes visible, and no longer than `MAX_TEXT`."""
    return raw.decode("utf-8", "backslashreplace")[:MAX_TEXT]


class SipMessage:
    """One request or response. Nothing but the start line has been read of it when it is made by `read_message`."""

    __slots__ = (
        "_body_at",
        "_call_id",
        "_cseq",
        "_datagram",
        "_headers",
        "_known",
        "_searches",
        "_target",
        "_text",
        "head_at",
        "method",
        "status",
        "version",
    )

    def __init__(
        self, text: bytes, head_at: int, method: str, status: int, target: bytes, version: str, datagram: bool
    ) -> None:
        self.method = method
        """`INVITE`, …; empty for a response, whose method is that of its `cseq`."""
        self.status = status
        """Of a response, 100 to 999; 0 for a request, and for a response with an impossible code."""
        self.version = version
        self.head_at = head_at
        """Where the line feed of the start line stands; headers begin behind it."""
        self._text = text
        self._target = target
        self._datagram = datagram
        self._searches = 0
        self._body_at = -1
        self._headers: dict[str, list[bytes]] | None = None
        self._call_id: str | None = None
        self._cseq: tuple[int, str] | None = None
        self._known: tuple[Malformed, ...] = ()

    def __repr__(self) -> str:
        return f"SipMessage({self.status or self.method}, {self.call_id!r}, {len(self._text)} bytes)"

    @property
    def text(self) -> bytes:
        """The whole message as it was on the wire."""
        return self._text

    @property
    def target(self) -> str:
        """The Request-URI as it stood on the wire; empty for a response."""
        return "" if self.status else text_from(self._target)

    @property
    def reason(self) -> str:
        """The reason phrase of a response; empty for a request."""
        return text_from(self._target) if self.status else ""

    @property
    def call_id(self) -> str:
        """The Call-ID; empty when absent."""
        known = self._call_id
        if known is None and (known := self._read_usual()) is None:
            found = _CALL_ID(self._text, self.head_at)
            raw = found[found.lastindex].strip() if found and found.lastindex else b""
            if _FEED in raw:
                raw = unfolded(raw)
            known = self._call_id = (
                raw.decode("utf-8", "backslashreplace") if len(raw) <= MAX_CALL_ID else _digest_of(raw)
            )
        return known

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq.

        Raises:
            Malformed: It is absent or broken.
        """
        known = self._cseq
        if known is None:
            found = _CSEQ(self._text, self.head_at)
            if not (found and found.lastindex):
                raise Malformed(Reason.MISSING, self.head_at, "no CSeq")
            words = found[1].split()
            if len(words) != 2 or not words[0].isdigit():
                raise Malformed(Reason.BAD_SYNTAX, found.start() + 1, "CSeq is no number and method")
            number = int(words[0]) if len(words[0]) <= MAX_DIGITS else MAX_CSEQ + 1
            if number > MAX_CSEQ:
                raise Malformed(Reason.BAD_VALUE, found.start() + 1, "CSeq is too large")
            known = self._cseq = number, METHODS.get(words[1]) or text_from(words[1][:MAX_METHOD])
        return known

    def first(self, name: str) -> str:
        """The first value of a header, by its long name in lower case; empty when it is absent."""
        headers = self._headers
        if headers is None and self._searches < MAX_SEARCHES:
            self._searches += 1
            found = (_SEEK.get(name) or _seeker_of(name))(self._text, self.head_at)
            if not (found and found.lastindex):
                return ""
            value = unfolded(found[found.lastindex])
        else:
            values = (self._read() if headers is None else headers).get(name)
            if not values:
                return ""
            value = unfolded(values[0])
        if (_COMMA in value or not value) and name in LISTS:
            return (self.all(name) or [""])[0]  # An empty one does not hide the next.
        return value.decode("utf-8", "backslashreplace")[:MAX_TEXT]

    def all(self, name: str) -> list[str]:
        """Every value of a header in order; lists are taken apart where RFC 3261, 7.3.1, lets them be joined."""
        headers = self._headers
        if headers is None:
            headers = self._read()
        lines: Iterable[bytes] = map(unfolded, headers.get(name, ()))
        if name in LISTS:
            lines = (piece for line in lines for piece in pieces_of(line))
        return [text_from(line) for line in lines]

    @property
    def body(self) -> bytes:
        """What follows the blank line, as far as Content-Length reaches and the bytes do."""
        return self._text[self.body_at : self.body_at + self._body_length()]

    @property
    def body_at(self) -> int:
        """Where the body begins; the end of the message when there is no blank line."""
        if self._body_at < 0:
            blank = _BLANK.search(self._text, self.head_at)
            self._body_at = blank.end() if blank else len(self._text)
        return self._body_at

    @property
    def datagram(self) -> bool:
        """Whether the message came in a datagram, whose end is the message's end when Content-Length is absent."""
        return self._datagram

    def problems(self) -> list[Malformed]:
        """Everything that RFC 3261 forbids and this message does; empty for a valid one. Reads the whole head."""
        from monitor.decoders.sip_problems import problems_of  # which no replay asks for: start-up time matters

        return [*self._known, *problems_of(self)]

    def marred(self, by: Malformed) -> "SipMessage":
        """The same message, with a problem that its own bytes do not show."""
        self._known = (*self._known, by)
        return self

    def under(self, call_id: str) -> "SipMessage":
        """The same message as one of a call with another name."""
        twin = copy(self)
        twin._call_id = call_id  # noqa: SLF001  # of its own class
        return twin

    def append(self, body: bytes) -> None:
        """What the stream holds of the body; for the framing, which reads the head first."""
        self._text += body

    def _read_usual(self) -> str | None:
        """The Call-ID, and CSeq with it, if they stand there as they usually do; tells nothing otherwise."""
        found = _USUAL(self._text, self.head_at)
        if not (found and found.lastindex):
            return None
        if found.lastindex == 3:
            call_id, digits, method = found.group(1, 2, 3)
        else:
            digits, method, call_id = found.group(4, 5, 6)
        number = int(digits)
        if number <= MAX_CSEQ:
            self._cseq = number, METHODS.get(method) or method.decode()
        known = self._call_id = call_id.decode()
        return known

    def _body_length(self) -> int:
        """Content-Length where it can be believed, otherwise all that is there (or nothing, on a stream)."""
        there = len(self._text) - self.body_at
        stated = length_of(self._text, self.head_at)
        if stated is None:
            return there if self._datagram else 0
        return there if stated < 0 else min(stated, there)

    def _read(self) -> dict[str, list[bytes]]:
        """The whole head: canonical name to values, folded lines put together, in the order of the wire."""
        blank = _BLANK.search(self._text, self.head_at)
        end = blank.start() if blank else len(self._text)
        headers: dict[str, list[bytes]] = {}
        for name, value in _FIELD.findall(self._text, self.head_at, end):
            key = NAMES.get(name) or canonical(name)
            if key in headers:
                headers[key].append(value)
            else:
                headers[key] = [value]
        self._headers = headers
        return headers


def usual_names(text: bytes) -> tuple[str, bytes] | None:
    """Call-ID and the method of CSeq, without a message being made; none unless both stand there as usual."""
    found = _USUAL(text)
    if not (found and found.lastindex):
        return None
    call_id, method = found.group(1, 3) if found.lastindex == 3 else found.group(6, 5)
    return call_id.decode(), method


def _seeker_of(name: str) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """The search for a header that somebody in this program asks for: a closed list, so the table is bounded."""
    short = _LONG_TO_COMPACT.get(name)
    seeker = _SEEK[name] = _seeker(name, short) if short else _seeker(name)
    return seeker


def _digest_of(raw: bytes) -> str:
    return f"blake2b:{blake2b(raw, digest_size=16).hexdigest()}"


def length_of(text: bytes, head_at: int) -> int | None:
    """Content-Length: none when absent, -1 when it is no length."""
    found = _LENGTH(text, head_at)
    if not (found and found.lastindex):
        return None
    digits = found[found.lastindex].strip()
    if not digits.isdigit():
        digits = unfolded(digits)
    return int(digits) if digits.isdigit() and len(digits) <= MAX_DIGITS else -1


def looks_like_sip(head: bytes) -> bool:
    """Whether this begins with the start line of a SIP message. SSDP, too, has a NOTIFY; it has no `SIP/2.0`."""
    if head.startswith(b"SIP/2.0 "):
        return True
    if head[:1] in (b"\r", b"\n"):
        head = head.lstrip(b"\r\n")
    end = head.find(b"\n")
    if head.endswith(b" SIP/2.0\r", 0, end):
        return True
    line = head if end < 0 else head[:end]
    return line.startswith(b"SIP/2.0 ") or line.rstrip(b" \t\r").endswith(b" SIP/2.0")


def read_message(data: bytes, *, datagram: bool) -> SipMessage:
    """The message that a datagram, or the framing of a stream, holds. What can be read of a broken one can be asked.

    Raises:
        Malformed: It is no SIP message at all.
    """
    end = data.find(b"\n")
    if end > 0 and data[end - 1] == _RETURN:
        words = data[: end - 1].split(b" ", 2)
        if len(words) == 3:
            first, second, third = words
            if third == b"SIP/2.0" and second:
                method = METHODS.get(first)
                if method is not None:
                    return SipMessage(data, end, method, 0, second, "2.0", datagram)
            elif first == b"SIP/2.0" and len(second) == 3 and second.isdigit() and second >= b"100":
                return SipMessage(data, end, "", int(second), third, "2.0", datagram)
    return _read_tolerantly(data, datagram)


def _read_tolerantly(data: bytes, datagram: bool) -> SipMessage:
    """A start line that is not quite as usual; where it is not as it should be, `problems` says so."""
    data = data.lstrip(b"\r\n")  # RFC 3261, 7.5: empty lines before the start line mean nothing.
    end = data.find(b"\n")
    if end < 0:  # Cut off there.
        end = len(data)
    line = data[:end].removesuffix(b"\r")
    if line[:1] in (b" ", b"\t"):
        raise Malformed(Reason.BAD_SYNTAX, 0, "white space before the start line")
    words = line.split(None, 2)
    if words and _VERSION.fullmatch(words[0]):
        code = words[1] if len(words) > 1 else b""
        status = int(code) if len(code) == 3 and code.isdigit() and code >= b"100" else 0
        if not code[:1].isdigit():
            raise Malformed(Reason.BAD_SYNTAX, 0, "no status code")
        phrase = words[2] if len(words) > 2 and status else b""
        return SipMessage(data, end, "", status, phrase, words[0][4:].decode(), datagram)
    front, _, version = line.rstrip(b" \t").replace(b"\t", b" ").rpartition(b" ")
    method, _, target = front.partition(b" ")
    if not target.strip() or not _VERSION.fullmatch(version) or not _METHOD.fullmatch(method):
        raise Malformed(Reason.BAD_SYNTAX, 0, "no start line of SIP")
    name = METHODS.get(method) or method.decode()
    return SipMessage(data, end, name, 0, target.strip(), version[4:].decode(), datagram)
