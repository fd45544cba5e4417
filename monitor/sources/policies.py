"""The policy file that the operator gives: TOML in, `Policy` out, or every mistake in it with its line.

`tomllib` tells no lines and stops at the first syntax error; here the lines are found beside it, and what it cannot
read is told and left out, so that one run tells all.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec

from monitor.model.limits import BOUNDS
from monitor.model.meetings import Method
from monitor.model.policy import PlatformPolicy, Policy, Site, Thresholds
from monitor.model.problems import ConfigError
from monitor.sources.contentlines import Mistakes, quoted, raw_of
from monitor.sources.moments import zone_named
from monitor.sources.tomllines import Key, lines_of

MAX_SYNTAX_ERRORS = 50
"""Told of one file; each costs reading it again."""

_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_KEYS = rf"\s*{_KEY}(?:\s*\.\s*{_KEY})*\s*"
# What is looked for only in a file with mistakes is left to `re` to compile then.
_HEADER = rf"(?a:\s*\[\[?{_KEYS}\]\]?\s*(?:#.*)?$)"
_STATEMENT = rf"(?a:{_KEYS}=|{_HEADER})"
_TEXT = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"
_PLACE = r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$"
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})*\.?", re.ASCII | re.IGNORECASE)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_CODE = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)

THRESHOLDS = {name: (0 if name.endswith(("minutes", "gap")) else 1, 2**31) for name in Thresholds.__struct_fields__}
"""The least and the most that each may be."""

Check = Callable[[Key, Any], None]


def load_policy(path: Path, *, known_platforms: Collection[str] = ()) -> Policy:
    """The policy in this file; `ConfigError` with every mistake. Platforms are checked where their names are given."""
    told = Mistakes(path)
    raw = raw_of(path, told, "a policy in TOML", empty=True)
    text = raw.decode("utf-8", "surrogateescape") if raw is not None else ""
    if any("\udc80" <= c <= "\udcff" for c in text):
        line = next(i for i, part in enumerate(text.split("\n"), 1) if any("\udc80" <= c <= "\udcff" for c in part))
        told.tell(line, "a character that is not UTF-8", "the file saved as UTF-8")
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    document, read = parsed(text, told)
    _Checks(lines_of(read), told, known_platforms).root(document)
    if told.problems:
        raise ConfigError(told.problems)
    return msgspec.convert(document, Policy)


def parsed(text: str, told: Mistakes) -> tuple[dict[str, Any], str]:
    """The document, and the text that it was read from: what TOML does not allow is told and left blank."""
    lines = text.replace("\r\n", "\n").split("\n")
    for _ in range(MAX_SYNTAX_ERRORS):
        read = "\n".join(lines)
        try:
            return tomllib.loads(read), read
        except tomllib.TOMLDecodeError as error:
            first, last, left_open = _statement_at(str(error), lines)
            found, expected = _syntax(str(error), lines[first], left_open=left_open)
            told.tell(first + 1, found, expected)
            lines[first:last] = [""] * (last - first)
        except RecursionError:
            told.tell(0, "lists or tables nested without end", "a policy: tables of texts, numbers and lists of texts")
            break
    return {}, ""


def _statement_at(message: str, lines: list[str]) -> tuple[int, int, bool]:
    """First and one past the last line (from 0) of the statement that is wrong, and whether it is left open."""
    place = re.search(_PLACE, message)
    stop = min(int(place[1]), len(lines)) - 1 if place and place[1] else len(lines) - 1
    begun = stop
    while begun > 0 and not re.match(_STATEMENT, lines[begun]):
        begun -= 1
    # A list left open is noticed at what follows it, and its own beginning is where the mistake is.
    before = begun - 1
    while before > 0 and not re.match(_STATEMENT, lines[before]):
        before -= 1
    left_open = before >= 0 and _opens(lines[before:begun])
    if left_open:
        begun, last = before, begun
    else:
        left_open = begun < stop and _opens(lines[begun:stop])
        begun = begun if re.match(_STATEMENT, lines[begun]) and not lines[stop].lstrip().startswith("[") else stop
        last = stop + 1
    # What belongs to the statement goes with it: the rest of a list, and the keys of a table whose header is wrong.
    next_one = _HEADER if lines[begun].lstrip().startswith("[") else _STATEMENT
    while last < len(lines) and not re.match(next_one, lines[last]):
        last += 1
    return begun, max(last, begun + 1), left_open


def _opens(lines: list[str]) -> bool:
    """Whether more brackets begin in these lines than end, texts and comments apart."""
    bare = [re.sub(_TEXT, "", line).partition("#")[0] for line in lines]
    return sum(line.count("[") + line.count("{") - line.count("]") - line.count("}") for line in bare) > 0


def _syntax(message: str, line: str, *, left_open: bool) -> tuple[str, str]:
    """What is said of a syntax error, in the operator's words."""
    key = line.partition("=")[0].strip() if "=" in line else ""
    said = re.sub(_PLACE, "", message)
    if said.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate")):
        return f"{quoted(key or line.strip())} a second time", "each key and table once"
    if left_open:
        return f"{quoted(line.strip())}, not closed", "`]` or `}` at the end, and commas between"
    if said == "Invalid value":
        return f"{quoted(line.strip())}", f'a value such as {key or "key"} = "text", 20, true or ["a", "b"]'
    if said.startswith("Unclosed") or "]" in said:
        return f"{quoted(line.strip())}, not closed", "`]` or `}` at the end, and commas between"
    if said.startswith(("Unterminated", "Illegal character")) or "quot" in said:
        return f"{quoted(line.strip())}, not closed", "a quote at the end of the text"
    return f"{quoted(line.strip())} ({said[:1].lower()}{said[1:]})", 'TOML: key = "value", or [table]'


class _Checks:
    """Goes through the document and tells what is wrong, each with its line."""

    def __init__(self, lines: Mapping[Key, int], told: Mistakes, known_platforms: Collection[str]) -> None:
        self._lines, self._told = lines, told
        self._platforms = sorted(known_platforms)
        self._levels: list[str] = list(Policy().classifications)

    def root(self, document: dict[str, Any]) -> None:
        """The whole file. The list of classifications comes first: others are checked against it."""
        levels = document.get("classifications")
        if isinstance(levels, list) and levels and all(isinstance(level, str) for level in levels):
            self._levels = levels
        self._table((), document, _checks_by_name(Policy, self))
        if "classifications" in document and "default_classification" not in document:
            default = Policy().default_classification
            if default not in self._levels:
                expected = f"default_classification with one of {_listed(self._levels)}"
                self._tell(("classifications",), f"classifications without {default}, the default", expected)

    def timezone(self, key: Key, value: Any) -> None:
        """An IANA name."""
        if self._is(str, key, value) and zone_named(value) is None:
            self._tell(key, f"timezone {quoted(value)}", "an IANA time zone such as Europe/Amsterdam")

    def country_code(self, key: Key, value: Any) -> None:
        """A country code of E.164."""
        if self._is(str, key, value) and not _is_country_code(value):
            self._tell(key, f"country_code {quoted(value)}", 'a calling code without plus or zeros, such as "31"')

    def classifications(self, key: Key, value: Any) -> None:
        """Names, low to high."""
        if not self._is(list, key, value):
            return
        if not value:
            self._tell(key, "no classifications", "at least one name, low to high")
        for place, level in enumerate(value):
            if not isinstance(level, str) or not level.strip():
                self._tell((*key, place), f"classification {_shown(level)}", 'a name such as "Dep.V."')
            elif level in value[:place]:
                self._tell((*key, place), f"classification {quoted(level)} twice", "each once, low to high")

    def default_classification(self, key: Key, value: Any) -> None:
        """One of the list."""
        self._level(key, value)

    def allowed_methods(self, key: Key, value: Any) -> None:
        """Methods by classification."""
        if not self._is(dict, key, value):
            return
        for level, methods in value.items():
            here = (*key, level)
            if level not in self._levels:
                self._tell(here, f"classification {quoted(level)}", self._one_of(level, self._levels))
            if self._is(list, here, methods):
                for place, method in enumerate(methods):
                    if method not in list(Method):
                        expected = self._one_of(str(method), list(Method))
                        self._tell((*here, place), f"method {_shown(method)}", expected)

    def platforms(self, key: Key, value: Any) -> None:
        """What is added to each platform."""
        if not self._is(dict, key, value):
            return
        for name, table in value.items():
            self._platform((*key, name), name)
            if self._is(dict, (*key, name), table):
                self._table((*key, name), table, _checks_by_name(PlatformPolicy, self))

    def hosts(self, key: Key, value: Any) -> None:
        """Host names."""
        self._each(
            key, value, lambda v: bool(_HOST.fullmatch(v)) and len(v) < 254, "a host name such as meet.example.org"
        )

    def max_classification(self, key: Key, value: Any) -> None:
        """One of the list."""
        self._level(key, value)

    def site(self, key: Key, value: Any) -> None:
        """Addresses of the own network."""
        if self._is(dict, key, value):
            self._table(key, value, _checks_by_name(Site, self))

    def networks(self, key: Key, value: Any) -> None:
        """IP addresses or networks."""
        expected = "an IP address or network such as 192.0.2.10 or 192.0.2.0/24"
        self._each(key, value, _is_network, expected, _network_meant)

    trusted_trunks = trusted_proxies = web_front_ends = recorders = external_trunks = hep_senders = networks

    def internal_numbers(self, key: Key, value: Any) -> None:
        """Prefixes in E.164."""
        self._each(
            key, value, lambda v: bool(_PREFIX.fullmatch(v)), "the beginning of a number in E.164, such as +3120555"
        )

    def bridges(self, key: Key, value: Any) -> None:
        """Address → platform."""
        self._to_platform(key, value, _is_address, "an IP address such as 192.0.2.20")

    def access_numbers(self, key: Key, value: Any) -> None:
        """Number → platform."""
        self._to_platform(key, value, lambda v: bool(_E164.fullmatch(v)), "a number in E.164 such as +31205550123")

    def rules(self, key: Key, value: Any) -> None:
        """Thresholds: whole numbers."""
        if not self._is(dict, key, value):
            return
        self._table(key, value, dict.fromkeys(Thresholds.__struct_fields__, self._threshold))

    def _threshold(self, key: Key, value: Any) -> None:
        low, high = THRESHOLDS[str(key[-1])]
        if self._is(int, key, value) and not low <= value <= high:
            self._tell(key, f"{key[-1]} = {str(value)[:20]}", f"a whole number from {low}")

    def limits(self, key: Key, value: Any) -> None:
        """Sizes of tables: whole numbers, neither so small that nothing works nor so large that nothing is limited."""
        if self._is(dict, key, value):
            self._table(key, value, dict.fromkeys(BOUNDS, self._limit))

    def _limit(self, key: Key, value: Any) -> None:
        low, high = BOUNDS[str(key[-1])]
        if self._is(int, key, value) and not low <= value <= high:
            self._tell(key, f"{key[-1]} = {str(value)[:20]}", f"a whole number from {low:,} to {high:,}")

    def _table(self, key: Key, table: dict[str, Any], checks: Mapping[str, Check]) -> None:
        for name, value in table.items():
            check = checks.get(name)
            if check:
                check((*key, name), value)
            else:
                where = f" in [{'.'.join(map(str, key))}]" if key else ""
                self._tell((*key, name), f"unknown key {quoted(name)}{where}", self._one_of(name, list(checks)))

    def _each(
        self,
        key: Key,
        value: Any,
        right: Callable[[str], bool],
        expected: str,
        meant: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """A list of texts, each of which must be right."""
        if not self._is(list, key, value):
            return
        for place, text in enumerate(value):
            if not isinstance(text, str) or not right(text):
                suggestion = meant(text) if isinstance(text, str) else None
                self._tell((*key, place), f"{key[-1]} {_shown(text)}", suggestion or expected)

    def _to_platform(self, key: Key, value: Any, right: Callable[[str], bool], expected: str) -> None:
        if not self._is(dict, key, value):
            return
        for text, name in value.items():
            here = (*key, text)
            if not right(text):
                self._tell(here, f"{key[-1]} {quoted(text)}", expected)
            if self._is(str, here, name):
                self._platform(here, name)

    def _platform(self, key: Key, name: str) -> None:
        if self._platforms and name not in self._platforms:
            self._tell(key, f"platform {quoted(name)}", self._one_of(name, self._platforms))

    def _level(self, key: Key, value: Any) -> None:
        if self._is(str, key, value) and value not in self._levels:
            self._tell(key, f"{key[-1]} {quoted(value)}", self._one_of(value, self._levels))

    def _is(self, kind: type, key: Key, value: Any) -> bool:
        """Whether the value has that type. True is no number, although Python takes it for one."""
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return True
        wanted = {
            str: 'a text in quotes: "…"',
            list: 'a list of texts: ["…", "…"]',
            dict: "a table",
            int: "a whole number",
        }
        self._tell(key, f"{key[-1]} = {_shown(value)}", wanted[kind])
        return False

    def _one_of(self, name: str, names: Collection[str]) -> str:
        """The names that exist, the nearest first."""
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), {n.lower(): n for n in names}, n=1)
        meant = next((n for n in names if near and n.lower() == near[0]), "")
        return f"one of {_listed(names)}" + (f" (did you mean {meant}?)" if meant else "")

    def _tell(self, key: Key, found: str, expected: str) -> None:
        while key and key not in self._lines:
            key = key[:-1]
        self._told.tell(self._lines.get(key, 0), found, expected)


def _checks_by_name(record: type[msgspec.Struct], checks: _Checks) -> dict[str, Check]:
    """The check of every field that the record has: a field without one is a bug that the first run shows."""
    return {name: getattr(checks, name) for name in record.__struct_fields__}


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _network_meant(text: str) -> str | None:
    """The network that somebody meant who wrote an address of it."""
    try:
        return f"the network {ip_network(text, strict=False)}, or the address {text.partition('/')[0]}"
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_country_code(text: str) -> bool:
    if not _CODE.fullmatch(text):
        return False
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return int(text) in COUNTRY_CODE_TO_REGION_CODE


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)


def _shown(value: Any) -> str:
    """A value as repeated to its author."""
    match value:
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return quoted(str(value))
