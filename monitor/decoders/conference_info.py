"""Who is in a conference, as its bridge tells: the bodies of `application/conference-info+xml` (RFC 4575).

The XML is read by expat, which the standard library has: it is alive, incremental and linear, and with these rules no
document can make it do more than read its own bytes once. A document type declaration ends the reading, so there are
no entities but the five of XML, none that grow and none from outside; depth, elements and sizes are bounded here; the
document is handed over in one piece as UTF-8, so that no encoding of its own choosing is ever looked up.

Bridges differ, so elements are known by their place below the root and by its prefix, whatever their namespace is
called; attributes that RFC 4575 demands may be absent. What could be read before a mistake, or before the end of a
document that was cut, is given with the news of it.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from monitor.model.calls import MAX_TEXT, RosterEndpoint, RosterState, RosterUser
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.oddities import Malformed, Reason

MEDIA_TYPE: Final = "application/conference-info+xml"

MAX_SIZE = 256 * 1024
"""Bytes of one document: 500 users as a wordy bridge tells of them."""

MAX_DEPTH = 16
"""Elements within elements; RFC 4575 has eight, and extensions a few more."""

MAX_ELEMENTS = 32_768
"""Of one document; a user has about thirty."""

MAX_USERS = 1024
"""Of one document; the largest bridges hold some hundreds in one conference."""

MAX_ENDPOINTS = 16
"""Of one user."""

MAX_LIST = 16
"""Other URIs of one user, roles, and URIs of the conference."""

MAX_NAME = 64
"""Characters of an element's name; what is longer is none that is known here."""

MAX_NUMBER = 2**31

_ROOT: Final = "conference-info"
_USER: Final = "/users/user"
_ENDPOINT: Final = "/users/user/endpoint"
_TEXTS: Final = {
    "/conference-description/display-text": "title",
    "/conference-description/subject": "subject",
    "/conference-description/conf-uris/entry/uri": "uri",
    "/conference-state/user-count": "count",
    "/conference-state/locked": "locked",
    f"{_USER}/display-text": "display",
    f"{_USER}/associated-aors/entry/uri": "aor",
    f"{_USER}/roles/entry": "role",
    f"{_ENDPOINT}/status": "status",
    f"{_ENDPOINT}/joining-method": "joined_by",
    f"{_ENDPOINT}/joining-info/when": "joined_at",
    f"{_ENDPOINT}/disconnection-method": "left_by",
    f"{_ENDPOINT}/media/status": "media",
    f"{_ENDPOINT}/call-info/sip/call-id": "call",
}
"""Where the texts stand that matter, below the root."""

_WORDS: Final = frozenset({"status", "joined_by", "left_by"})
_STATES: Final = {state.value: state for state in RosterState}


class ConferenceInfo(NamedTuple):
    """One document, as far as it could be read."""

    entity: str
    state: RosterState
    version: int | None
    title: str
    subject: str
    uris: tuple[str, ...]
    user_count: int | None
    locked: bool | None
    users: tuple[RosterUser, ...]
    problem: Malformed | None
    """What kept it from being read to its end."""


class _Refused(Exception):
    """A document that is not to be read on."""

    def __init__(self, reason: Reason, what: str) -> None:
        super().__init__(what)
        self.reason = reason
        self.what = what


def read_conference_info(body: bytes, *, cut: bool = False) -> ConferenceInfo:
    """What a document says. `cut`: its end was not captured.

    Raises:
        Malformed: It is no document about a conference.
    """
    reader = _Reader()
    problem = reader.read(body[:MAX_SIZE])
    if problem is not None and cut:
        problem = Malformed(Reason.TRUNCATED, problem.offset, "the roster is cut off")
    elif len(body) > MAX_SIZE:
        problem = Malformed(Reason.TOO_LARGE, MAX_SIZE, f"a roster of more than {MAX_SIZE} bytes")
    if not reader.is_roster:
        raise problem or Malformed(Reason.BAD_VALUE, 0, "XML that is no roster")
    return reader.result(problem)


class _Reader:
    """Collects what stands at the places that matter."""

    def __init__(self) -> None:
        self.is_roster = False
        self._prefix = ""
        self._path = ""
        self._depth = self._elements = 0
        self._foreign = 0
        """The depth at which an element of another namespace began; nothing in it is ours."""
        self._text: list[str] | None = None
        self._root: dict[str, str] = {}
        self._said: dict[str, str] = {}
        self._uris: list[str] = []
        self._users: list[RosterUser] = []
        self._user: dict[str, Any] | None = None
        self._endpoint: dict[str, Any] | None = None
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.EntityDeclHandler = _refuse_doctype

    def read(self, body: bytes) -> Malformed | None:
        """Reads it all; gives what went wrong, if anything did."""
        parser = self._parser
        try:
            parser.Parse(_as_utf8(body), True)
        except expat.ExpatError as error:
            return Malformed(Reason.BAD_SYNTAX, error.offset, "a roster that is no well-formed XML")
        except _Refused as refused:
            return Malformed(refused.reason, parser.CurrentByteIndex, refused.what)
        finally:
            # Handlers are methods of whoever holds the parser: without this, each document waits for the collector.
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        return None

    def result(self, problem: Malformed | None) -> ConferenceInfo:
        """What was read so far, the user included in whom it ended."""
        self._close_user()
        root, said = self._root, self._said
        return ConferenceInfo(
            entity=_short(root.get("entity", "")),
            state=_state_of(root),
            version=_number_in(root.get("version", "")),
            title=said.get("title", ""),
            subject=said.get("subject", ""),
            uris=tuple(self._uris),
            user_count=_number_in(said.get("count", "")),
            locked={"true": True, "1": True, "false": False, "0": False}.get(said.get("locked", "").lower()),
            users=tuple(self._users),
            problem=problem,
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            what = f"a roster of more than {MAX_ELEMENTS} elements, or {MAX_DEPTH} within one another"
            raise _Refused(Reason.TOO_LARGE, what)
        if self._depth == 1:
            prefix, _, local = name.rpartition(":")
            if local != _ROOT:
                raise _Refused(Reason.BAD_VALUE, "XML that is no roster")
            self.is_roster, self._prefix, self._root = True, f"{prefix}:" if prefix else "", attributes
            return
        prefix = self._prefix
        if self._foreign or len(name) > MAX_NAME or not name.startswith(prefix) or ":" in name[len(prefix) :]:
            self._foreign = self._foreign or self._depth
            return
        self._path = path = f"{self._path}/{name[len(prefix) :]}"
        if path in _TEXTS:
            self._text = []
        elif path == _USER:
            self._open_user(attributes)
        elif path == _ENDPOINT and self._user is not None:
            self._endpoint = {"entity": _short(attributes.get("entity", "")), "state": _state_of(attributes)}

    def _end(self, _name: str) -> None:
        depth = self._depth
        self._depth -= 1
        if self._foreign:
            if depth == self._foreign:
                self._foreign = 0
            return
        path = self._path
        if self._text is not None and path in _TEXTS:
            self._take(_TEXTS[path], _short("".join(self._text).strip()))
            self._text = None
        elif path == _ENDPOINT:
            self._close_endpoint()
        elif path == _USER:
            self._close_user()
        self._path = path[: path.rfind("/")] if path else ""

    def _characters(self, text: str) -> None:
        if self._text is not None and not self._foreign and len(self._text) < MAX_TEXT:
            self._text.append(text[: MAX_TEXT * 2])

    def _take(self, what: str, text: str) -> None:
        """One text that matters. The first of its kind counts, and an empty one not at all."""
        if not text:
            return
        user, endpoint = self._user, self._endpoint
        if what in ("aor", "role"):
            if user is not None and len(user[f"{what}s"]) < MAX_LIST:
                user[f"{what}s"].append(text)
        elif what == "display":
            if user is not None:
                user.setdefault("display", text)
        elif what == "uri":
            if len(self._uris) < MAX_LIST:
                self._uris.append(text)
        elif what in ("title", "subject", "count", "locked"):
            self._said.setdefault(what, text)
        elif endpoint is not None:
            if what == "media":
                endpoint["media"] = endpoint.get("media", False) or text.lower() != "inactive"
            elif what == "joined_at":
                endpoint.setdefault(what, moment_of(text))
            else:
                endpoint.setdefault(what, text.lower() if what in _WORDS else text)

    def _open_user(self, attributes: dict[str, str]) -> None:
        if len(self._users) >= MAX_USERS:
            raise _Refused(Reason.TOO_LARGE, f"a roster of more than {MAX_USERS} users")
        entity = _short(attributes.get("entity", ""))
        self._user = {"entity": entity, "state": _state_of(attributes), "aors": [], "roles": [], "endpoints": []}

    def _close_user(self) -> None:
        user = self._user
        if user is not None:
            self._close_endpoint()
            self._user = None
            user |= {name: tuple(user[name]) for name in ("aors", "roles", "endpoints")}
            self._users.append(RosterUser(**user))

    def _close_endpoint(self) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None and self._user is not None and len(self._user["endpoints"]) < MAX_ENDPOINTS:
            self._user["endpoints"].append(RosterEndpoint(**endpoint))


def moment_of(text: str) -> Nanoseconds | None:
    """A time of XML Schema (`2005-03-04T20:00:00Z`); none when it is broken or does not tell its zone."""
    try:
        moment = datetime.fromisoformat(text[:MAX_NAME])
        at = int(moment.timestamp()) * SECOND + moment.microsecond * 1000 if moment.tzinfo is not None else -1
    except (ValueError, OverflowError):
        return None
    return at if at >= 0 else None


def _refuse_doctype(*_declared: object) -> None:
    raise _Refused(Reason.UNSUPPORTED, "a roster with a document type declaration")


def _as_utf8(body: bytes) -> bytes:
    """The same text in UTF-8, whatever its declaration says; bytes that are none become visible."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace").encode()
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode("utf-8", "backslashreplace").encode()
    return body.lstrip()  # Some bridges put white space before the declaration, where XML has none.


def _short(text: str) -> str:
    return text[:MAX_TEXT]


def _state_of(attributes: dict[str, str]) -> RosterState:
    """Full when it is not told (RFC 4575, 5.1); and partial when it is something unknown, which forgets nobody."""
    return _STATES.get(attributes.get("state", "full").strip().lower(), RosterState.PARTIAL)


def _number_in(text: str) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return min(int(text), MAX_NUMBER)
