"""SIP on TCP: the bytes of one direction come in, whole messages go out (RFC 3261, 18.3).

A stream has no frames but those that Content-Length draws. Where that fails (garbage, a gap in the capture, a broken
length) the next start line is looked for, so that one bad message costs no more than itself. What can never become a
message is refused at once: wrong bytes must not pass for too few.
"""

import re
from enum import Enum
from typing import Final

from monitor.decoders.sip_message import METHODS, SipMessage, length_of, read_message
from monitor.model.oddities import Malformed, Reason

MAX_HEAD = 64 * 1024
"""Bytes of one head: a head that fits no UDP datagram is no honest one."""

MAX_BODY = 1024 * 1024
"""Bytes of one body: a roster of a very large conference has a few hundred KiB."""

MAX_START = 8 * 1024
"""Bytes of a start line that is looked for among garbage."""

_CHUNK = 64 * 1024
_TOKEN = rb"[A-Za-z0-9\-.!%*_+`'~]{1,64}"
_BLANK = re.compile(rb"\n\r?\n")
_MAY_BEGIN = re.compile(_TOKEN + rb"(?:[ \t]|\Z)|SIP/", re.IGNORECASE)
_KEEP_ALIVE = b"\r\n"

_START = re.compile(
    rb"\n(?:SIP/2\.0 [1-9][0-9][0-9] [^\n]{0,%d}|(%s) [^\n]{1,%d} SIP/2\.0[ \t\r]{0,8})\n(?=%s[ \t]{0,64}:)"
    % (MAX_START, _TOKEN, MAX_START, _TOKEN)
)
"""A start line, known by the header that follows it: a status line in the body of a NOTIFY (RFC 3515) has none."""

_MAX_START_AND_NAME = MAX_START + 256
"""What may have to be kept to recognise a start line that is not all there yet."""


class _Place(Enum):
    """Where in the stream we are."""

    BETWEEN = "before a start line"
    BODY = "in the body of a message whose head is read"
    LOST = "in bytes that belong to no message; the next start line ends them"
    SKIPPING = "in the rest of a body of which bytes are missing"


_BETWEEN: Final = _Place.BETWEEN
_BODY: Final = _Place.BODY
_LOST: Final = _Place.LOST
_SKIPPING: Final = _Place.SKIPPING
# As names of the module they are found in a third of the time, and that for every message.

Read = SipMessage | Malformed


class SipFraming:
    """One direction of one TCP connection. The same bytes give the same messages, however they are cut."""

    def __init__(self) -> None:
        self._held = b""
        self._parts: list[bytes] = []
        """Of a body, so that a body in many segments is put together once."""
        self._gathered = 0
        """Bytes in `_parts`."""
        self._place = _BETWEEN
        self._missing = 0
        """Bytes that the body still needs, or that are still to be skipped."""
        self._scanned = 0
        """Bytes of `_held` that were searched for the end of a head in vain."""
        self._begun = False
        """The start line in `_held` is whole, and one."""
        self._head: SipMessage | None = None
        """What `_parts` are the body of."""
        self._after_gap = False
        """The first line after a gap may be the end of one, so only methods that are known begin a message there."""

    @property
    def held(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._held) + self._gathered

    def feed(self, data: bytes) -> list[Read]:
        """The messages that these bytes complete."""
        found: list[Read] = []
        for at in range(0, len(data), _CHUNK):
            chunk = data[at : at + _CHUNK]
            self._held = self._held + chunk if self._held else chunk
            while self._step(found):
                pass
        return found

    @property
    def is_between(self) -> bool:
        """A message begins with the next byte."""
        return self._place is _BETWEEN and not self._held

    def gap(self, lost: int) -> list[Read]:
        """Bytes are missing here. A message in whose body they are is given without the rest of its body."""
        found: list[Read] = []
        inside = self._place in (_BODY, _SKIPPING) and 0 < lost <= self._missing
        if self._head is not None:
            self._give(found, Malformed(Reason.GAP, self._head.body_at, "part of the body is not in the capture"))
        elif self._place is _BETWEEN and self._held.strip(_KEEP_ALIVE):
            found.append(Malformed(Reason.GAP, 0, "part of a head is not in the capture"))
        self._reset()
        if inside:
            self._missing -= lost
            self._place = _SKIPPING if self._missing else _BETWEEN
        else:
            self._missing = 0
            self._place = _LOST
            self._held = b"\n"
            self._after_gap = True
        return found

    def close(self) -> list[Read]:
        """The stream is over: what it still owed."""
        found: list[Read] = []
        if self._head is not None:
            self._give(found, Malformed(Reason.TRUNCATED, self._head.body_at, "the stream ends within the body"))
        elif self._place is _BETWEEN and self._held.strip(_KEEP_ALIVE):
            found.append(Malformed(Reason.TRUNCATED, 0, "the stream ends within a head"))
        self._reset()
        self._place = _BETWEEN
        return found

    def _reset(self) -> None:
        self._held = b""
        self._parts = []
        self._gathered = 0
        self._head = None
        self._scanned = 0
        self._begun = False

    def _step(self, found: list[Read]) -> bool:
        """Reads one thing from what is held; false when it takes more bytes."""
        place = self._place
        if place is _BETWEEN:
            return self._read_head(found)
        if place is _BODY:
            return self._read_body(found)
        return self._resume() if place is _LOST else self._skip()

    def _read_head(self, found: list[Read]) -> bool:
        """The head of a message, once it is whole."""
        held = self._held
        if held[:1] in (b"\r", b"\n"):
            # Keep-alives (RFC 5626, 4.4.1), and the empty line that some put behind a body.
            held = self._held = held.lstrip(_KEEP_ALIVE)
        if not held:
            return False
        blank = _BLANK.search(held, self._scanned, MAX_HEAD)
        if blank is None:
            return self._wait_for_head(found)
        try:
            message = read_message(held[: blank.end()], datagram=False)
        except Malformed:
            return self._lose(found, Reason.BAD_SYNTAX, "no start line of SIP")
        self._held = held[blank.end() :]
        self._scanned = 0
        self._begun = False
        return self._frame(found, message)

    def _wait_for_head(self, found: list[Read]) -> bool:
        """More bytes are needed, unless these can be no head, however they go on."""
        held = self._held
        if not self._begun:
            end = held.find(b"\n", 0, MAX_HEAD)
            self._begun = end >= 0
            if not (_begins_message(held[: end + 1]) if end >= 0 else _MAY_BEGIN.match(held, 0, MAX_START)):
                return self._lose(found, Reason.BAD_SYNTAX, "no start line of SIP")
        if len(held) >= MAX_HEAD:
            return self._lose(found, Reason.TOO_LARGE, "the head does not end")
        self._scanned = max(0, len(held) - 2)
        return False

    def _frame(self, found: list[Read], message: SipMessage) -> bool:
        """A head is read: how much of what follows is its body?"""
        stated = length_of(message.text, message.head_at) or 0  # Without a length there is no body: RFC 3261, 20.14.
        if 0 < stated <= len(self._held) and stated <= MAX_BODY:  # all there, as nearly always
            message.append(self._held[:stated])
            self._held = self._held[stated:]
            found.append(message)
            return bool(self._held)
        if 0 < stated <= MAX_BODY:
            self._head = message
            self._missing = stated
            self._place = _BODY
            return True
        if stated:
            large = stated > MAX_BODY
            found.append(message.marred(Malformed(Reason.TOO_LARGE, 0, "the body is not read")) if large else message)
            self._held = b"\n" + self._held
            self._place = _LOST
            return True
        found.append(message)
        return bool(self._held)

    def _read_body(self, found: list[Read]) -> bool:
        """The next bytes of a body; when it is whole, the message is."""
        part = self._held[: self._missing]
        self._held = self._held[len(part) :]
        self._parts.append(part)
        self._gathered += len(part)
        self._missing -= len(part)
        if self._missing:
            return False
        self._give(found, None)
        self._place = _BETWEEN
        return bool(self._held)

    def _give(self, found: list[Read], problem: Malformed | None) -> None:
        """The message in hand, with as much of its body as came."""
        message = self._head
        if message is not None:
            message.append(b"".join(self._parts))
            found.append(message.marred(problem) if problem else message)
        self._head = None
        self._parts = []
        self._gathered = 0

    def _skip(self) -> bool:
        """The rest of a body that has a hole."""
        skipped = min(self._missing, len(self._held))
        self._missing -= skipped
        self._held = self._held[skipped:]
        if self._missing:
            return False
        self._place = _BETWEEN
        return True

    def _lose(self, found: list[Read], reason: Reason, what: str) -> bool:
        """These bytes are no message; said once, however many follow."""
        found.append(Malformed(reason, 0, what))
        self._scanned = 0
        self._begun = False
        self._place = _LOST
        return True

    def _resume(self) -> bool:
        """The next start line. Only the beginning of a line counts, and `_held` begins within one, or with its end."""
        held = self._held
        start = _START.search(held)
        if start and self._after_gap and not start.start() and start[1] and start[1] not in METHODS:
            start = _START.search(held, 1)
        if start:
            self._held = held[start.start() + 1 :]
            self._after_gap = False
            self._place = _BETWEEN
            return True
        line = held.rfind(b"\n")
        before = held.rfind(b"\n", 0, max(line, 0))
        keep = before if before >= 0 else line
        if keep < 0 or len(held) - keep > _MAX_START_AND_NAME:
            keep = line
        if keep > 0:
            self._after_gap = False
        self._held = held[keep:] if keep >= 0 and len(held) - keep <= _MAX_START_AND_NAME else b""
        return False


def _begins_message(line: bytes) -> bool:
    """Whether this line, with its end, is a start line that `read_message` reads."""
    try:
        read_message(line, datagram=False)
    except Malformed:
        return False
    return True
