"""The head of a message of which nearly everything is asked: an INVITE, and its answer.

Nearly all heads are ordinary: every header by its usual name, a space behind the colon, nothing folded. Such a head is
taken apart at once; any other is left to `SipMessage`, which knows every spelling. Both say the same.
"""

from typing import Final

from monitor.decoders.sip_fields import USUAL, canonical
from monitor.decoders.sip_message import SipMessage, text_from
from monitor.model.calls import MAX_TEXT

MAX_HARMLESS, MAX_NAME = 4096, 64
"""Names of other headers that are remembered as being none that anybody asks for, and how long each may be."""

_USUAL: Final = {name.lower(): name.encode() for name in USUAL}
_TELLING: Final = frozenset(
    _USUAL[name]
    for name in (
        [
            "p-preferred-identity",
            "remote-party-id",
            "privacy",
            "diversion",
            "history-info",
            "identity",
            "session-id",
            "replaces",
            "join",
        ]
    )
)
_harmless: set[bytes] = set(_USUAL.values())
# Not `_usual` alone: each site adds some X-… of its own to every message. A memory of spellings, not of traffic.


class Head:
    """The headers of one message, by their long names in lower case."""

    __slots__ = ("_lines", "_message", "_repeated", "plain")

    def __init__(self, message: SipMessage) -> None:
        self._message = message
        self._repeated = False
        self.plain = False
        """It surely has none of the headers with which a network tells more of a call than an endpoint does."""
        self._lines = self._ordinary(message)

    def first(self, name: str) -> str:
        """The first value of a header; empty when it is absent."""
        lines = self._lines
        if lines is None:
            return self._message.first(name)
        value = lines.get(_USUAL[name])
        if not value or not (value := value.strip()):
            return "" if value is None else self._message.first(name)
        return value.decode("utf-8", "backslashreplace")[:MAX_TEXT]

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        lines = self._lines
        if lines is not None:
            value = lines.get(_USUAL[name])
            if value is None:
                return []
            if not self._repeated and b"," not in value and (value := value.strip()):
                return [text_from(value)]
        return self._message.all(name)

    def _ordinary(self, message: SipMessage) -> dict[bytes, bytes] | None:
        """The head as a table, the first of a name; none when a line of it is in the least unusual."""
        text, start = message.text, message.head_at
        end = text.find(b"\r\n\r\n", start)
        head = text[start + 1 : end]
        lines = head.split(b"\r\n")
        lines.reverse()
        try:
            table = dict([line.split(b": ", 1) for line in lines])  # A line without colon is an error.
        except ValueError:
            return None
        if end < 0 or b"\r\n " in head or b"\r\n\t" in head or head.count(b"\n") != len(lines) - 1:
            return None
        if not _harmless.issuperset(table) and not all(map(_is_harmless, table)):
            return None
        self.plain = _TELLING.isdisjoint(table)
        self._repeated = len(table) != len(lines)
        return table


def _is_harmless(name: bytes) -> bool:
    """Whether a header of this name is, or is none of those that are asked for by their usual names."""
    if name in _harmless:
        return True
    if b":" in name or canonical(name) in _USUAL:
        return False
    if len(_harmless) < MAX_HARMLESS and len(name) <= MAX_NAME:
        _harmless.add(name)
    return True
