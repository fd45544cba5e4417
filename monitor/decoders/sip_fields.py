"""Header fields of SIP as bytes: what they are called, how folded lines and joined lists come apart."""

import re
from typing import Final

COMPACT: Final = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
    "u": "allow-events",
    "o": "event",
    "r": "refer-to",
    "b": "referred-by",
    "x": "session-expires",
    "a": "accept-contact",
    "j": "reject-contact",
    "d": "request-disposition",
    "y": "identity",
    "n": "identity-info",
}
"""One letter to long name: RFC 3261, 7.3.3, and the IANA registry since."""

LISTS: Final = frozenset(
    str.split("""
    accept accept-encoding accept-language alert-info allow allow-events call-info contact content-encoding
    content-language diversion error-info geolocation history-info in-reply-to p-asserted-identity p-associated-uri
    path p-preferred-identity proxy-require reason record-route remote-party-id require route service-route supported
    unsupported via warning accept-contact reject-contact request-disposition security-client security-server
    security-verify identity
    """)
)
"""Headers whose values may be joined with commas (RFC 3261, 7.3.1 and the `#` rules of later RFCs)."""

USUAL: Final = str.split(
    "Via From To Call-ID CSeq Contact Max-Forwards Content-Length Content-Type Content-Disposition User-Agent Server "
    "Allow Supported Require Route Record-Route Expires Event Subscription-State P-Asserted-Identity "
    "P-Preferred-Identity Remote-Party-ID Privacy Diversion History-Info Identity Session-ID Replaces Join Refer-To "
    "Referred-By Reason Session-Expires Min-SE Allow-Events Accept Date Subject Timestamp RSeq RAck Call-Info "
    "WWW-Authenticate Proxy-Authenticate Authorization Proxy-Authorization Organization Warning Path Target-Dialog"
)
"""How most devices spell them: found in a table, with no change of case."""

NAMES: Final[dict[bytes, str]] = {
    **{name.encode(): name.lower() for name in USUAL},
    **{spelling.encode(): long for short, long in COMPACT.items() for spelling in (short, short.upper())},
}
"""Spelling on the wire to long name; what is not in it, `canonical` knows."""

_FEED, _COMMA = b"\n,"  # As numbers: looking for those is several times faster.
_MARKS = re.compile(rb'[",<(]')
_QUOTED_TAIL = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def canonical(name: bytes) -> str:
    """A header's long name in lower case, whatever its spelling on the wire."""
    known = NAMES.get(name)
    if known is None:
        text = name.rstrip(b" \t").lower().decode("latin-1")
        known = COMPACT.get(text, text)
    return known


def unfolded(raw: bytes) -> bytes:
    """A header's value on one line, without white space around it (RFC 3261, 7.3.1)."""
    value = raw.strip()
    return b" ".join(map(bytes.strip, value.split(b"\n"))) if _FEED in value else value


def pieces_of(value: bytes) -> list[bytes]:
    """The values that commas join. Commas within quotes, angle brackets and comments join nothing.

    A quote, bracket or comment that never ends opens nothing, and so does every later one of its kind: one look
    ahead a kind is enough, and a hostile value costs no more than a good one.
    """
    if _COMMA not in value:
        return [value] if value else []
    pieces: list[bytes] = []
    endless: set[bytes] = set()
    start = at = 0
    while mark := _MARKS.search(value, at):
        at = mark.end()
        kind = mark[0]
        if kind == b",":
            pieces.append(value[start : mark.start()])
            start = at
        elif kind not in endless:
            end = _end_of(kind, value, at)
            if end < 0:
                endless.add(kind)
            else:
                at = end
    pieces.append(value[start:])
    return [stripped for piece in pieces if (stripped := piece.strip())]


def _end_of(kind: bytes, value: bytes, at: int) -> int:
    """Behind the end of what opened just before `at`; -1 when it has none, 0 never."""
    if kind == b'"':
        tail = _QUOTED_TAIL.match(value, at)
        return tail.end() if tail else -1
    if kind == b"(" and at > 1 and value[at - 2 : at - 1] not in (b" ", b"\t"):
        return at  # Within a token or a URI's user a parenthesis is only a character.
    return value.find(b">" if kind == b"<" else b")", at) + 1 or -1
