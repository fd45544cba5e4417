"""Forgetting somebody: which lines and events speak of them, and what stands there afterwards.

What is only about them goes. Where they stand among others (a roster, a title, a sentence), a token of this one run
takes their place, which leads nowhere. Alerts stay, with their id, rule, time and count, about nobody that could be
found.
"""

import re
from base64 import b32encode
from collections.abc import Callable, Iterable
from secrets import token_bytes
from typing import Any

import msgspec

from monitor.daemon.ledger import ERASED, Change, erased
from monitor.model.invitations import Address
from monitor.outputs.pseudonyms import Sentences

MIN_DIGITS, TAIL = 6, 9
"""Digits by which a number is known however it is written: nationally, with 00 or +. Shorter ones as a whole."""
MIN_NAME = 4
"""Shorter names stand in too many other words."""
MAX_TOKEN = 17


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to be forgotten: every address and every name of theirs that is known, pseudonyms among them."""

    addresses: tuple[Address, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.addresses, *self.names)


class Forgotten:
    """Finds a person in texts, and puts a token in their place."""

    def __init__(self, person: Person) -> None:
        self._token = "~" + b32encode(token_bytes(10)).decode().lower()[: MAX_TOKEN - 1]
        patterns = [*map(_address_pattern, person.addresses), *map(_name_pattern, person.names)]
        self._pattern = re.compile("|".join(dict.fromkeys(filter(None, patterns))) or r"(?!)", re.IGNORECASE)

    def is_in(self, value: object) -> bool:
        """Whether any text in it speaks of the person."""
        if isinstance(value, str):
            return self._pattern.search(value) is not None
        if isinstance(value, dict):
            return any(map(self.is_in, value.values()))
        if isinstance(value, (tuple, list)):
            return any(map(self.is_in, value))
        if isinstance(value, msgspec.Struct):
            return any(self.is_in(getattr(value, name)) for name in value.__struct_fields__)
        return False

    def without(self, text: str) -> str:
        """The text with the token in their place; never longer than it was."""
        return self._pattern.sub(lambda found: self._token[: len(found[0])], text)

    def change(self, counts: dict[str, int]) -> Change:
        """What stands in a line of the journal instead; `counts` is told how many of each type."""

        def instead(line: bytes) -> dict[str, Any] | None:
            text = line.decode("utf-8", "replace")
            # Quick, for most lines are about others: JSON escapes what names seldom have, so its escapes are undone
            # only where there are some.
            if self._pattern.search(text) is None and "\\" not in text:
                return None
            said = _object_of(line)
            if said is None:
                return erased(len(line)) if self._pattern.search(text) else None
            if not self.is_in(said):
                return None
            letter = said.get("line")  # a dead letter has the line in it
            if isinstance(letter, dict):
                return {**said, "line": self._instead(letter, len(line), counts)}
            return self._instead(said, len(line), counts)

        return instead

    def _instead(self, said: dict[str, Any], length: int, counts: dict[str, int]) -> dict[str, Any]:
        kind = str(said.get("type", "other"))
        counts[kind] = counts.get(kind, 0) + 1
        if kind == "alert":
            return self._alert(said, length)
        return erased(length) if self._is_about(said) else self._walked(said)

    def _is_about(self, said: dict[str, Any]) -> bool:
        """Whether they are the one of whom it tells, or one of the two ends of a call."""
        identity = said.get("identity")
        about = (
            said.get("subject"),
            identity,
            *(said.get(name) for name in ("caller", "callee", "addressed_to", "target")),
        )
        return said.get("type") != "roster" and self.is_in([one for one in about if one is not None])

    def _alert(self, said: dict[str, Any], length: int) -> dict[str, Any]:
        """An alert that stays, in which nobody can be found: names in its sentences may be old ones."""
        meeting, occurrence = said.get("meeting"), said.get("occurrence")
        known = {self._token: self._token}
        if isinstance(meeting, dict) and isinstance(meeting.get("key"), str):
            value = meeting["key"].partition(":")[2].partition("@")[0]
            known |= {value: value, meeting["key"]: meeting["key"]}
        if isinstance(occurrence, dict) and isinstance(occurrence.get("summary"), str):
            known[self.without(occurrence["summary"])] = self.without(occurrence["summary"])
        known.pop("", None)
        sentences = Sentences(known, lambda text: text if self._token[:3] in text else "~", lambda key: key)
        is_about = self.is_in(said.get("subject"))

        def hidden(text: str) -> str:
            bare = self.without(text)
            return sentences.hidden(bare) if is_about else bare

        said = self._walked(said)
        said["summary"] = hidden(str(said.get("summary", "")))
        reasons = said.get("reasons")
        if isinstance(reasons, list):
            for reason in reasons:
                if isinstance(reason, dict) and isinstance(reason.get("fact"), str):
                    reason["fact"] = hidden(reason["fact"])
        if len(msgspec.json.encode(said)) >= length:
            said |= {"summary": "", "reasons": []}
        return said

    def _walked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.without(value)
        if isinstance(value, list):
            return [self._walked(one) for one in value]
        if isinstance(value, dict):
            return {name: self._walked(one) for name, one in value.items()}
        return value


def before(
    moments: dict[str, str], others: str, counts: dict[str, int], oldest: dict[str, str] | None = None
) -> Change:
    """Erases lines whose time, in RFC 3339, is before that of their type, or of the others; "" keeps them.

    `oldest` is told the time of the oldest line of each type that stays.
    """

    def instead(line: bytes) -> dict[str, Any] | None:
        said = _object_of(line)
        if said is None:
            return None if line.isspace() else erased(len(line))  # what nobody can read has no time either
        letter = said.get("line")
        said = letter if isinstance(letter, dict) else said
        kind = str(said.get("type", ""))
        at = str(said.get("time", "9"))
        if kind == ERASED or at >= moments.get(kind, others):
            if oldest is not None and kind != ERASED:
                oldest[kind] = min(at, oldest.get(kind, at))
            return None
        counts[kind] = counts.get(kind, 0) + 1
        return erased(len(line))

    return instead


def person_of(subjects: Iterable[Address], names: Iterable[str], also: Callable[[str], str] | None) -> Person:
    """Somebody by all their addresses and names; `also` gives the pseudonym of each, where there are pseudonyms."""
    addresses, called = list(dict.fromkeys(subjects)), [name for name in dict.fromkeys(names) if len(name) >= MIN_NAME]
    hidden = [also(text) for text in (*addresses, *called)] if also else []
    return Person(addresses=tuple(addresses), names=(*called, *hidden))


def _object_of(line: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _address_pattern(address: Address) -> str:
    """A number in every way of writing it; any other address behind whatever scheme."""
    scheme, _, rest = address.partition(":")
    digits = "".join(char for char in rest if char.isascii() and char.isdecimal())
    if scheme == "tel" and len(digits) >= MIN_DIGITS:
        tail = digits[-TAIL:] if len(digits) > TAIL else digits
        return rf"(?<![0-9])\+?[0-9]{{0,7}}{tail}(?![0-9])"
    return rf"(?<![\w.-]){re.escape(rest)}(?![\w-]|\.[\w-])" if rest else ""


def _name_pattern(name: str) -> str:
    return rf"(?<!\w){re.escape(name)}(?!\w)"
