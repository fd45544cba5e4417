"""People under keyed digests: who has the key finds somebody again, who has it not sees only that it is the same one.

A record goes in as it is and comes out with every name, number and address replaced, before any output has seen it;
so no output can forget to. What may stay is listed here, and everything else goes: a field that is new tomorrow is
hidden until somebody says that it need not be.
"""

import os
import re
import stat
from base64 import b32encode
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from hmac import digest
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import msgspec

from monitor.model.alerts import Alert, Coverage, Severity
from monitor.model.calls import KeySource, RosterState
from monitor.model.invitations import NumberText, Occurrence, Role
from monitor.model.meetings import Kind, MeetingRef, Method, SlotState
from monitor.model.oddities import Reason
from monitor.model.problems import ConfigError, Problem
from monitor.model.roster import Trust, Verdict
from monitor.outputs import Output
from monitor.outputs.records import Record

MIN_KEY_BYTES = 32
MAX_KEY_BYTES = 4096
LENGTH = 16
"""Characters of a digest: 80 bits, so that no two people of a country share one."""
MAX_CACHED = 65_536
MAX_LEARNED = 4096
"""Subjects whose names are kept, for the sentences of alerts that come behind their join."""
MAX_PROSE = 2048

KEPT = frozenset(
    ("attestation", "capture", "classification", "envelopes", "platform", "protocol", "rule", "runbook", "type")
)
"""Fields that name nobody: each from a list of our own, of the operator's policy, or of the operator's files."""
PROSE = frozenset(("fact", "what"))
"""Fields that are sentences of ours, in which people may stand."""
UNSEARCHED = frozenset(("invitees", "refs", "ranges"))
"""Long lists that no sentence repeats."""
_ENUMS: tuple[type[StrEnum], ...] = (
    Coverage, Severity, KeySource, RosterState, Role, Kind, Method, SlotState, Reason, Trust, Verdict,
)  # fmt: skip
WORDS = frozenset(
    (
        "",
        "anonymous",
        *(str(word) for kind in _ENUMS for word in kind),
        *("offered", "answered", "refused", "forwarded", "ended", "not admitted", "wrong pin"),
        *("caller", "callee", "unknown", "redirect", "progress", "transfer"),
        *(
            "connected",
            "disconnected",
            "on-hold",
            "muted-via-focus",
            "pending",
            "alerting",
            "dialing-in",
            "dialing-out",
        ),
        *("disconnecting", "dialed-in", "dialed-out", "focus-owner", "departed", "booted", "failed", "busy"),
        *("id", "user", "header", "session", "critical", "none", "off", "full", "uri", "name", "history"),
        *("unconditional", "no-answer", "user-busy", "deflection", "follow-me", "time-of-day", "unavailable", "away"),
    )
)
"""Values that are words of a protocol or of this house, in whatever field they stand."""
NOBODY = frozenset(("anonymous", "restricted", "unavailable", "unknown", "private", "withheld"))

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z")
_SCHEME = re.compile(r"(tel|sips?|mailto|ip|h323|im|pres|xmpp|https?):(.+)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"\+[0-9][0-9 ().-]{4,30}")
_MADE = re.compile(
    rf"(?:(?:tel|sip|mailto|ip):)?~[a-z2-7]{{{LENGTH}}}|(?:[a-z_]+:)~[a-z2-7]{{{LENGTH}}}(?:@~[a-z2-7]+)?|p[0-9a-f]{{16}}"
)
# In a sentence of ours: addresses, numbers, what stands in quotation marks, and whose something is.
_ADDRESSES = (
    r"(?:tel|sips?|mailto|ip|h323|im|pres|xmpp|https?):[^\s,;)”’\"']{1,512}"
    r"|[^\s@<>()“”:,;]{1,128}@[^\s@<>()“”:,;]{1,128}"
    r"|(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.]*\w)"
    r"|(?<![\w:])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,39}(?:[0-9.]{7,15})?"
)
_PEOPLE = (
    r"|“[^“”]{1,1024}”"
    r"|(?<=\bis )[^;]{1,256}?(?='s[;,])"
    rf"|\b(?:{'|'.join(Kind)}):[^\s,;]{{1,256}}"
    r"|\+?[0-9]{6,32}"
    r"|\b[^\W\d_a-z][\w.'’-]{0,63}"
)
SPOKEN = frozenset(("C", "From", "H.323", "INFO", "KPML", "PASSporT", "PIN", "PINs", "PSTN", "RTP", "SIP", "STIR"))
"""Words with a capital in our sentences that name nobody."""

T = TypeVar("T")


class Pseudonyms:
    """What everybody is called under one key."""

    def __init__(self, key: bytes, *, number_text: NumberText | None = None, markings: Iterable[str] = ()) -> None:
        self._key = key
        self._number_text = number_text
        self._markings = tuple(marking for marking in markings if marking)
        self._learned: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._occurrences: OrderedDict[int, tuple[Occurrence, Occurrence]] = OrderedDict()
        self._of = lru_cache(MAX_CACHED)(self._made)
        self._again = False
        """What comes may have pseudonyms already, which stay."""

    @classmethod
    def of_file(cls, path: Path, *, number_text: NumberText | None = None, markings: Iterable[str] = ()) -> Self:
        """With the key in that file; a ConfigError where it is none, or others may read it."""
        return cls(key_in(path), number_text=number_text, markings=markings)

    def of(self, text: str) -> str:
        """What somebody is called, by a number, an address or a name: the kind of address stays to be seen."""
        return text if text in WORDS or self.has_made(text) else self._of(text)

    def has_made(self, text: str) -> bool:
        """Whether this is a pseudonym already, where that may be."""
        return self._again and _MADE.fullmatch(text) is not None

    def value_of(self, value: str) -> str:
        """A meeting's number or name, as its key has it behind the kind."""
        return value if self.has_made(value) else f"~{self._digest('name', value.lower())}"

    def key_of(self, key: str) -> str:
        """A meeting's key: `number:~k3j9…`."""
        kind, _, rest = key.partition(":")
        value, at, site = rest.partition("@")
        return f"{kind}:{self.value_of(value)}" + (f"@{self.value_of(site)}" if at else "")

    def id_of(self, name: str) -> str:
        """An id as it is told: without the key, it could be found by trying every telephone number there is."""
        return "p" + digest(self._key, b"id\0" + _bytes(name), "sha256")[:8].hex()

    def record(self, record: Record) -> Record:
        """The same record, of people whom only the key can name."""
        known = dict(_texts(record, self))
        who = getattr(getattr(record, "participant", None), "identity", None) or getattr(record, "identity", None)
        subject = record.subject if isinstance(record, Alert) else getattr(who, "subject", "")
        return cast(Record, self._walked(record, "", self._sentences(subject, known, isinstance(record, Alert))))

    def object(self, said: dict[str, Any], *, again: bool = False) -> dict[str, Any]:
        """The same of a line of the journal. `again`: what has a pseudonym already keeps it."""
        self._again = again
        known = dict(_texts(said, self))
        subject = said.get("subject")
        sentences = self._sentences(str(subject), known, said.get("type") == "alert")
        return cast(dict[str, Any], self._walked(said, "", sentences))

    def _sentences(self, subject: str, known: dict[str, str], asked: bool) -> "Sentences":
        """How people are hidden in sentences of this record; what is known of them is learned, or remembered."""
        if asked:
            known = {**self._learned.get(subject, {}), **known}
        elif subject:
            self._learned[subject] = known
            self._learned.move_to_end(subject)
            if len(self._learned) > MAX_LEARNED:
                self._learned.popitem(last=False)
        return Sentences({**known, **{marking: marking for marking in self._markings}}, self.of, self.key_of)

    def _walked(self, value: Any, field: str, sentences: "Sentences") -> Any:
        if type(value) is str:
            return self._text(value, field, sentences)
        if isinstance(value, (tuple, list)):
            return type(value)(self._walked(one, field, sentences) for one in value)
        if isinstance(value, MeetingRef):
            site = value.site and self.value_of(value.site)
            return msgspec.structs.replace(value, value=self.value_of(value.value), site=site)
        if isinstance(value, Occurrence):
            return self._occurrence(value, sentences)
        if isinstance(value, msgspec.Struct):
            names = [name for name in value.__struct_fields__ if name not in KEPT]
            changed = {name: self._walked(getattr(value, name), _kind(value, name), sentences) for name in names}
            return msgspec.structs.replace(value, **changed)
        if isinstance(value, dict):
            return {
                name: one if name in KEPT else self._walked(one, _kind(value, name), sentences)
                for name, one in value.items()
            }
        return value

    def _occurrence(self, occurrence: Occurrence, sentences: "Sentences") -> Occurrence:
        """Found again, for each join of a large meeting comes with its whole list."""
        kept = self._occurrences.get(id(occurrence))
        if kept is None or kept[0] is not occurrence:
            names = [name for name in occurrence.__struct_fields__ if name not in KEPT]
            walked = {name: self._walked(getattr(occurrence, name), name, sentences) for name in names}
            kept = (occurrence, msgspec.structs.replace(occurrence, **walked))
            self._occurrences[id(occurrence)] = kept
            if len(self._occurrences) > MAX_LEARNED:
                self._occurrences.popitem(last=False)
        return kept[1]

    def _text(self, text: str, field: str, sentences: "Sentences") -> str:
        match field:
            case "fact":
                return sentences.hidden(text)
            case "what":
                return sentences.without_addresses(text)
            case "id":
                return text if not text or self.has_made(text) else self.id_of(text)
            case "key" if ":" in text:
                return self.key_of(text)
            case _:
                return text if _TIME.fullmatch(text) else self.of(text)

    def _digest(self, kind: str, text: str) -> str:
        raw = digest(self._key, kind.encode() + b"\0" + _bytes(text), "sha256")
        return b32encode(raw).decode().lower()[:LENGTH]

    def _made(self, text: str) -> str:
        kind, canonical = self._canonical(text)
        if not canonical:
            return f"{kind}:anonymous" if kind != "name" else text
        return f"~{self._digest(kind, canonical)}" if kind == "name" else f"{kind}:~{self._digest(kind, canonical)}"

    def _canonical(self, text: str) -> tuple[str, str]:
        """The kind of name it is, and the one spelling of it; no spelling for an address of nobody."""
        scheme, rest = match.groups() if (match := _SCHEME.fullmatch(text)) else ("", text)
        scheme = scheme.lower().replace("sips", "sip")
        bare = rest.split(";", 1)[0].split("?", 1)[0].strip()
        user, at, host = bare.rpartition("@")
        user, host = user.split(":", 1)[0].lower(), host.lower().rstrip(".")
        if (scheme and (user or bare).lower() in NOBODY) or (at and host.endswith(".invalid")):
            return scheme or "sip", ""
        number = self._number_text(text) if self._number_text and (scheme or _NUMBER.fullmatch(bare)) else None
        if number is None and _NUMBER.fullmatch((user if at else bare).strip()):
            number = "tel:+" + re.sub(r"\D", "", user if at else bare)
        if number is not None:
            return "tel", number.removeprefix("tel:")
        if scheme == "tel":
            return "tel", bare.lower()
        if scheme in ("", "ip") and (address := _address(bare)):
            return "ip", address
        if scheme == "mailto" or (not scheme and at and user and "." in host and " " not in bare):
            return "mailto", f"{user}@{host}"
        if scheme == "sip":
            return "sip", f"{user}@{host if host.startswith('[') else host.split(':', 1)[0]}"
        return "name", " ".join(text.casefold().split())


class Sentences:
    """The people of one record, as they may stand in its sentences."""

    def __init__(self, known: dict[str, str], of: Callable[[str], str], key_of: Callable[[str], str]) -> None:
        """What is known, and what to say for it; `of` and `key_of` give it for whoever else is found."""
        self._known = known
        self._of, self._key_of = of, key_of
        self._pattern: re.Pattern[str] | None = None

    def hidden(self, text: str) -> str:
        """Without anybody: those who are known, what looks like an address or a number, and any name."""
        if self._pattern is None:
            names = sorted(self._known, key=len, reverse=True)
            names_pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)|" if names else ""
            self._pattern = re.compile(f"{names_pattern}{_ADDRESSES}{_PEOPLE}")
        return self._pattern.sub(self._instead, text[:MAX_PROSE])

    def without_addresses(self, text: str) -> str:
        """The same of words that are ours but for an address."""
        return re.sub(_ADDRESSES, self._instead, text[:MAX_PROSE])

    def _instead(self, match: re.Match[str]) -> str:
        found = match[0]
        if found in self._known:
            return self._known[found]
        if found in SPOKEN or found.rstrip(".") in SPOKEN:
            return found
        if found[0] == "“":
            inner = found[1:-1]
            return f"“{self._known.get(inner) or self._of(inner)}”"
        if found.partition(":")[0] in list(Kind):
            return self._key_of(found)
        if ":" in found and not _SCHEME.fullmatch(found) and not _address(found):
            return found
        return self._of(found.rstrip(".")) + ("." if found.endswith(".") else "")


class Veiled:
    """Outputs that get to see pseudonyms only: all that are in the list, also those that come into it later."""

    def __init__(self, outputs: Sequence[Output], pseudonyms: Pseudonyms) -> None:
        self._outputs = outputs
        self._pseudonyms = pseudonyms

    def write(self, record: Record) -> None:
        """One record to all of them."""
        veiled = self._pseudonyms.record(record)
        for output in self._outputs:
            output.write(veiled)

    def close(self) -> None:
        """Each is closed by whoever made it."""


def key_in(path: Path, minimum: int = MIN_KEY_BYTES) -> bytes:
    """A key from a file that is its owner's alone; a ConfigError otherwise."""
    expected = f"a file of {minimum} random bytes or more that only its owner may read (chmod 600)"
    found, key = "", b""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(MAX_KEY_BYTES + 1)
        if not stat.S_ISREG(mode):
            found = "is no file"
        elif mode & 0o077:
            found = f"others may read it (mode {stat.S_IMODE(mode):04o})"
        elif not minimum <= len(key) <= MAX_KEY_BYTES:
            found = f"holds {len(key)} bytes" if len(key) <= MAX_KEY_BYTES else f"holds more than {MAX_KEY_BYTES} bytes"
        elif len(set(key)) < minimum // 4:
            found = "is no random key: few of its bytes differ"
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
    if found:
        raise ConfigError([Problem(file=str(path), line=0, found=found, expected=expected)])
    return key


def _texts(value: Any, pseudonyms: Pseudonyms, field: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a record that is hidden, and what stands in its place: sentences may repeat it."""
    if type(value) is str:
        if len(value) > 1 and value not in WORDS and field not in KEPT | {"id", "key"} and not _TIME.fullmatch(value):
            yield value, (pseudonyms.value_of(value) if field == "value" else pseudonyms.of(value))
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _texts(one, pseudonyms, field)
    elif isinstance(value, (msgspec.Struct, dict)):
        inside = value.items() if isinstance(value, dict) else ((n, getattr(value, n)) for n in value.__struct_fields__)
        for name, one in inside:
            kind = _kind(value, name)
            if name not in KEPT | UNSEARCHED and kind not in PROSE:
                yield from _texts(one, pseudonyms, kind)


def _kind(container: Any, field: str) -> str:
    """What a field is: the summary of an alert is a sentence, that of an occurrence its title."""
    if field == "summary":
        is_alert = isinstance(container, Alert) or (isinstance(container, dict) and "rule" in container)
        return "fact" if is_alert else "title"
    return field


def _address(text: str) -> str:
    """An IP address in its one spelling; empty when it is none."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        return ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
