"""Addresses in SIP: `"Name" <uri>;tag=…`, `uri;tag=…`, and the URIs themselves (RFC 3261, section 19 and 25).

Readers are tolerant: they give what can be told from any text. Whether the text is valid, `sip_problems` says.
"""

import re
from urllib.parse import unquote

import msgspec

MAX_PARAMS = 64
"""Parameters kept of one address or URI: more than any header of any RFC has."""

_QUOTED_TAIL = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,31}:")
_END_OF_HOST = re.compile(r"[;?]")
_PARAM_MARKS = re.compile(r'[;"]')
_WITH_HOST = frozenset({"sip", "sips", "h323", "mailto", "im", "pres", "xmpp"})


class Address(msgspec.Struct, frozen=True):
    """Who a header speaks of: a name that proves nothing, a URI, and the header's parameters."""

    display: str
    uri: str
    """As it stood between the brackets."""
    params: dict[str, str]
    """Names in lower case, values without quotes; the first of a name wins."""


class Uri(msgspec.Struct, frozen=True):
    """A URI taken apart. Its password is not kept, nor are headers that it would add to a message."""

    scheme: str
    """Lower case; empty when there is none."""
    user: str
    """Percent-decoded; of `tel:` the number as written, visual separators too."""
    host: str
    """Lower case; an IPv6 address without brackets."""
    port: int | None
    params: dict[str, str]
    """Names in lower case: `user=phone`, `phone-context`, `transport`, `isfocus` …"""


def parse_address(value: str) -> Address:
    """The address that a header's value holds."""
    text = value.strip()
    display = ""
    if text.startswith('"'):
        tail = _QUOTED_TAIL.match(text, 1)
        if tail:
            display = _unescaped(text[1 : tail.end() - 1])
            text = text[tail.end() :].lstrip()
    before, bracket, rest = text.partition("<")
    if not bracket or (display and before.strip()[:1] == ";"):
        # Without brackets, what follows a semicolon belongs to the header, not to the URI (RFC 3261, 20.10).
        uri, _, params = text.partition(";")
        return Address(display, uri.strip(), params_of(params))
    if not display:
        display = before.strip().strip('"').strip()
    uri, _, after = rest.partition(">")
    return Address(display, uri.strip(), params_of(after.partition(";")[2]))


def params_of(text: str) -> dict[str, str]:
    """`a=1;b;c="x;y"` as a table. Semicolons within quotes part nothing; a quote that never ends is a character."""
    params: dict[str, str] = {}
    if not text:
        return params
    for piece in _parted(text) if '"' in text else text.split(";", MAX_PARAMS):
        name, _, value = piece.partition("=")
        name = name.strip().lower()
        if name and name not in params:
            value = value.strip()
            if value.startswith('"') and value.endswith('"') and len(value) > 1:
                value = _unescaped(value[1:-1])
            params[name] = value
            if len(params) == MAX_PARAMS:
                break
    return params


def parse_uri(text: str) -> Uri:
    """A URI of any scheme; what has none is read as the user or host of `sip:` would be, with an empty scheme."""
    text = text.strip()
    scheme = ""
    if (found := _SCHEME.match(text)) and not _is_host_and_port(text, found.end()):
        scheme = text[: found.end() - 1].lower()
        text = text[found.end() :]
    if scheme == "tel":
        number, _, params = text.partition(";")
        return Uri(scheme, number.strip(), "", None, params_of(params))
    if scheme and scheme not in _WITH_HOST:
        return Uri(scheme, text, "", None, {})
    user, text = _user_and_rest(text)
    text = text.partition("?")[0]
    place, _, params = text.partition(";")
    host, port = _host_and_port(place.strip())
    return Uri(scheme, user, host, port, params_of(params))


def _user_and_rest(text: str) -> tuple[str, str]:
    """The user part, decoded and without password, and what follows the `@`."""
    at = text.find("@")
    if at < 0:
        return "", text
    # The user may hold `;` and `?` (RFC 3261, 25.1). A second `@` before the parameters: careless softphones
    # put a whole address into the user part, and the host is what follows the last one.
    end = _END_OF_HOST.search(text, at)
    at = text.rfind("@", at, end.start() if end else len(text))
    user = text[:at].partition(":")[0]
    return (unquote(user, errors="backslashreplace") if "%" in user else user), text[at + 1 :]


def _host_and_port(place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host.lower(), _port_of(port.removeprefix(":"))
    host, _, port = place.partition(":")
    return host.strip().lower().removesuffix("."), _port_of(port)


def _port_of(text: str) -> int | None:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    return None


def _is_host_and_port(text: str, colon: int) -> bool:
    """`bridge.example.com:5060` begins like a scheme, and is none."""
    port = _END_OF_HOST.split(text[colon : colon + 8], maxsplit=1)[0]
    return "." in text[:colon] and _port_of(port) is not None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def _parted(text: str) -> list[str]:
    """Split at the semicolons that stand outside quotes."""
    pieces: list[str] = []
    start = at = 0
    endless = False
    while len(pieces) <= MAX_PARAMS and (mark := _PARAM_MARKS.search(text, at)):
        at = mark.end()
        if mark[0] == ";":
            pieces.append(text[start : mark.start()])
            start = at
        elif not endless:
            tail = _QUOTED_TAIL.match(text, at)
            endless = tail is None
            at = tail.end() if tail else at
    pieces.append(text[start:])
    return pieces
