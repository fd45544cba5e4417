"""What is wrong with a SIP message, by the grammar and the rules of RFC 3261: a judge, not a reader.

It is as strict as RFC 4475 wants a receiver to be, and no stricter: what RFC 2543 allowed (no branch, no tags, no
Max-Forwards) is no problem, nor is what only the one addressed can judge (schemes, extensions, media types).
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from monitor.decoders.sip_fields import canonical, pieces_of, unfolded
from monitor.model.oddities import Malformed, Reason


class Judged(Protocol):
    """What is judged: a message as far as it could be read."""

    head_at: int
    method: str
    status: int
    version: str

    @property
    def text(self) -> bytes:
        """All its bytes."""
        ...

    @property
    def body_at(self) -> int:
        """Where its body begins."""
        ...

    @property
    def datagram(self) -> bool:
        """Whether it came in a datagram."""
        ...


MAX_PROBLEMS = 32
"""Problems said of one message: nobody reads more."""

_BLANK = re.compile(rb"\n\r?\n")
_LINE = re.compile(rb"\n([^\n]*(?:\n[ \t][^\n]*)*)")
_TOKEN = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+")
_NAME = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+[ \t]*")
# Letters beyond ASCII are no tokens, but half the world's phones show their owner's name with them.
_DISPLAY = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~ \t\x80-\xff]*")
_QUOTED = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_VIA = re.compile(
    rb"SIP\s*/\s*[0-9.]+\s*/\s*[A-Za-z0-9\-.!%*_+`'~]+\s+(\[[0-9A-Fa-f:.]+\]|[\w.\-]+)(?:\s*:\s*[0-9]{1,5})?"
)
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*:")
_DATE = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    rb"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
_WARNING = re.compile(rb'[0-9]{3} [^\s"]+ ".*"', re.DOTALL)
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[\w.\-]+)(?::[0-9]{1,5})?(?:[;?]|\Z)")
_NO_URI = re.compile(rb'[\x00-\x20<>"\x7f]')

_REQUIRED: Final = ("via", "from", "to", "call-id", "cseq")
_SINGLE: Final = frozenset(
    str.split("call-id cseq from to max-forwards content-length content-type date expires subject retry-after")
)


class Field(NamedTuple):
    """One header of the message."""

    offset: int
    name: str
    value: bytes


def problems_of(message: Judged) -> list[Malformed]:
    """Everything that RFC 3261 forbids and this message does, in the order in which it stands there."""
    found = _of_start_line(message)
    fields, broken = _fields_of(message)
    found += broken
    found += _of_presence(message, fields)
    for field in fields:
        judge = _JUDGES.get(field.name)
        if judge is not None and (problem := judge(field)) is not None:
            found.append(problem)
        if len(found) >= MAX_PROBLEMS:
            return found[:MAX_PROBLEMS]
    found += _of_agreement(message, fields)
    return found[:MAX_PROBLEMS]


def _of_start_line(message: Judged) -> list[Malformed]:
    line = message.text[: message.head_at].removesuffix(b"\r")
    if message.version != "2.0":
        return [Malformed(Reason.UNSUPPORTED, 0, "version of SIP")]
    if not message.method:
        if not message.status:
            return [Malformed(Reason.BAD_VALUE, 8, "no status code that a response can have")]
        return [] if line.startswith(b"SIP/2.0 ") else [Malformed(Reason.BAD_SYNTAX, 0, "status line")]
    words = line.split(b" ")
    if len(words) != 3 or not words[1] or words[2] != b"SIP/2.0" or b"\t" in line:
        return [Malformed(Reason.BAD_SYNTAX, 0, "white space in the request line")]
    at = len(words[0]) + 1
    if not _is_uri(words[1]):
        return [Malformed(Reason.BAD_SYNTAX, at, "the request line holds no URI")]
    if _adds_headers(words[1]):
        return [Malformed(Reason.BAD_SYNTAX, at, "the Request-URI adds headers")]  # RFC 3261, 19.1.1, the table.
    return []


def _fields_of(message: Judged) -> tuple[list[Field], list[Malformed]]:
    text = message.text
    blank = _BLANK.search(text, message.head_at)
    end = blank.start() if blank else len(text.rstrip(b"\r\n"))
    fields: list[Field] = []
    broken: list[Malformed] = []
    if blank is None and text[-2:] not in (b"\r\n", text[-1:] + b"\n"):
        broken.append(Malformed(Reason.TRUNCATED, len(text), "the head does not end"))
    for line in _LINE.finditer(text, message.head_at, max(end, message.head_at)):
        name, colon, value = line[1].partition(b":")
        offset = line.start() + 1
        if colon and _NAME.fullmatch(name):
            fields.append(Field(offset, canonical(name), unfolded(value)))
        elif len(broken) < MAX_PROBLEMS:
            broken.append(Malformed(Reason.BAD_SYNTAX, offset, "a line that is no header"))
    return fields, broken


def _of_presence(message: Judged, fields: list[Field]) -> list[Malformed]:
    """Headers that must be there, and those that must not be there twice (RFC 3261, 7.3.1 and 8.1.1)."""
    seen: set[str] = set()
    found: list[Malformed] = []
    for field in fields:
        if field.name in _SINGLE and field.name in seen and len(found) < MAX_PROBLEMS:
            found.append(Malformed(Reason.CONFLICT, field.offset, f"{field.name} comes twice"))
        seen.add(field.name)
    found += [Malformed(Reason.MISSING, message.head_at, f"no {name}") for name in _REQUIRED if name not in seen]
    if not message.datagram and "content-length" not in seen:
        found.append(Malformed(Reason.MISSING, message.head_at, "no content-length on a stream"))
    return found


def _of_agreement(message: Judged, fields: list[Field]) -> list[Malformed]:
    """What two places must agree on: the method, and the length of the body."""
    found: list[Malformed] = []
    for field in fields:
        if field.name == "cseq" and message.method:
            words = field.value.split()
            if len(words) == 2 and words[1] != message.text[: len(message.method)]:
                found.append(Malformed(Reason.CONFLICT, field.offset, "CSeq and request line differ in their method"))
        elif field.name == "content-length" and field.value.isdigit():
            there = len(message.text) - message.body_at
            if len(field.value) > 10 or int(field.value) > there:
                found.append(Malformed(Reason.BAD_LENGTH, field.offset, "content-length is more than there is"))
    return found


def _number(largest: int) -> Callable[[Field], Malformed | None]:
    """Judges a number, and parameters or a comment behind it where that is allowed."""

    def judge(field: Field) -> Malformed | None:
        digits = re.split(rb"[;( \t]", field.value, maxsplit=1)[0]
        return _unless_number(field, digits, largest)

    return judge


def _unless_number(field: Field, digits: bytes, largest: int) -> Malformed | None:
    if not digits.isdigit():
        return Malformed(Reason.BAD_VALUE, field.offset, f"{field.name} is no number")
    if len(digits.lstrip(b"0")) > len(str(largest)) or int(digits.lstrip(b"0") or b"0") > largest:
        return Malformed(Reason.BAD_VALUE, field.offset, f"{field.name} is too large")
    return None


def _cseq(field: Field) -> Malformed | None:
    words = field.value.split()
    if len(words) != 2 or not _TOKEN.fullmatch(words[1]):
        return Malformed(Reason.BAD_SYNTAX, field.offset, "cseq is no number and method")
    return _unless_number(field, words[0], 2**31 - 1)


def _call_id(field: Field) -> Malformed | None:
    if not field.value or re.search(rb"\s", field.value):
        return Malformed(Reason.BAD_SYNTAX, field.offset, "call-id is no word")
    return None


def _via(field: Field) -> Malformed | None:
    """`SIP / 2.0 / UDP host:port;branch=…` in every value."""
    for value in pieces_of(field.value):
        head, semicolon, params = value.partition(b";")
        if not _VIA.fullmatch(head.strip()) or (semicolon and not _params_are_right(params)):
            return Malformed(Reason.BAD_SYNTAX, field.offset, "via")
        if re.search(rb";\s*branch\s*=\s*z9hG4bK\s*(?:;|\Z)", value):
            return Malformed(Reason.BAD_VALUE, field.offset, "branch names no transaction")
    return None


def _date(field: Field) -> Malformed | None:
    if _DATE.fullmatch(field.value):
        return None
    return Malformed(Reason.BAD_VALUE, field.offset, "date is none in GMT")  # RFC 3261, 20.17.


def _warning(field: Field) -> Malformed | None:
    if all(_WARNING.fullmatch(value) for value in pieces_of(field.value)):
        return None
    return Malformed(Reason.BAD_VALUE, field.offset, "warning")


def _address(field: Field) -> Malformed | None:
    """One address: From, To and the like."""
    what = _wrong_with_address(field.value)
    return Malformed(Reason.BAD_SYNTAX, field.offset, f"{field.name}: {what}") if what else None


def _addresses(field: Field) -> Malformed | None:
    """A list of addresses; `*` is one in the Contact of a REGISTER."""
    for value in pieces_of(field.value):
        what = _wrong_with_address(value) if value != b"*" else ""
        if what:
            return Malformed(Reason.BAD_SYNTAX, field.offset, f"{field.name}: {what}")
        expires = re.search(rb";\s*expires\s*=\s*([0-9]+)\s*(?:;|\Z)", value)
        if expires and _unless_number(field, expires[1], 2**32 - 1):
            return Malformed(Reason.BAD_VALUE, field.offset, f"{field.name}: expires is too large")
    return None


def _wrong_with_address(value: bytes) -> str:
    """What is wrong with `"name" <uri>;params` or `uri;params`; empty when nothing is."""
    if value.startswith(b'"'):
        quoted = _QUOTED.match(value)
        if quoted is None:
            return "a quote does not end"
        value = value[quoted.end() :].lstrip()
        if not value.startswith(b"<"):
            return "no brackets behind a name"
    name, bracket, rest = value.partition(b"<")
    if not bracket:
        return _wrong_with_bare(value)
    if not _DISPLAY.fullmatch(name):
        return "a name that needs quotes"
    uri, close, params = rest.partition(b">")
    if not close:
        return "a bracket does not end"
    if not _is_uri(uri):
        return "no URI"
    params = params.strip()
    if params and not (params.startswith(b";") and _params_are_right(params[1:])):
        return "parameters"
    return ""


def _wrong_with_bare(value: bytes) -> str:
    """An address without brackets: no comma, question mark or semicolon in its URI (RFC 3261, 20)."""
    uri, semicolon, params = value.partition(b";")
    uri = uri.strip()
    if b"," in uri or not _is_uri(uri):
        return "no URI"
    if _adds_headers(uri):
        return "a URI that needs brackets"
    return "parameters" if semicolon and not _params_are_right(params) else ""


def _is_uri(text: bytes) -> bool:
    """A scheme, no white space, and for SIP a host; that of IPv6 in brackets (RFC 5118, 4.2)."""
    scheme = _SCHEME.match(text)
    if scheme is None or _NO_URI.search(text):
        return False
    if scheme[0].lower() not in (b"sip:", b"sips:"):
        return True
    return _HOST.match(text, max(text.find(b"@") + 1, scheme.end())) is not None


def _adds_headers(uri: bytes) -> bool:
    """Whether a SIP URI has headers: a question mark behind the host. In the user part it is a character."""
    return uri[:4].lower() in (b"sip:", b"sips") and b"?" in uri[uri.rfind(b"@") + 1 :]


def _params_are_right(text: bytes) -> bool:
    """No empty parameter, and every quote ends; lengths of text in quotes don't matter."""
    outside: list[bytes] = []
    at = 0
    while (quote := text.find(b'"', at)) >= 0:
        quoted = _QUOTED.match(text, quote)
        if quoted is None:
            return False
        outside += (text[at:quote], b"q")
        at = quoted.end()
    return all(map(bytes.strip, b"".join((*outside, text[at:])).split(b";")))


_JUDGES: Final[dict[str, Callable[[Field], Malformed | None]]] = {
    "via": _via,
    "from": _address,
    "to": _address,
    "refer-to": _address,
    "referred-by": _address,
    "contact": _addresses,
    "route": _addresses,
    "record-route": _addresses,
    "p-asserted-identity": _addresses,
    "p-preferred-identity": _addresses,
    "diversion": _addresses,
    "remote-party-id": _addresses,
    "call-id": _call_id,
    "cseq": _cseq,
    "max-forwards": _number(255),
    "content-length": _number(10**9),
    "expires": _number(2**32 - 1),
    "retry-after": _number(2**32 - 1),
    "date": _date,
    "warning": _warning,
}
