"""What is publicly known of each platform: its data file, read and checked.

A platform is one TOML file in this folder and nothing else. Comes in: the files, and what the policy adds to them.
Goes out: `Platform` records, whose regular expressions are compiled when they are first needed.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from monitor.model.meetings import Kind
from monitor.model.problems import ConfigError, Problem

FOLDER = Path(__file__).parent
FALLBACK = "generic"
"""The platform of bridges that nobody named otherwise: an own Asterisk, FreeSWITCH, CMS, Pexip or BigBlueButton."""

MAX_DIGITS = 32
"""More than any number or PIN has."""
KINDS = frozenset(Kind)
GROUPS = KINDS | {"site"}
"""What a named group of an expression may be called."""


class Span(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How many digits, from the fewest to the most."""

    least: int
    most: int

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.most <= MAX_DIGITS:
            raise ValueError(f"a span from {self.least} to {self.most}")

    def __contains__(self, length: object) -> bool:
        return isinstance(length, int) and self.least <= length <= self.most

    @property
    def width(self) -> int:
        """How many lengths fit."""
        return self.most - self.least + 1

    def __str__(self) -> str:
        return f"{self.least} to {self.most} digits" if self.least != self.most else f"{self.least} digits"


class LinkForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One family of links: what its path and query look like, and which groups of them name the meeting."""

    reads: str
    """In words, for people."""
    path: str
    """Must fit the whole path."""
    query: dict[str, str] = {}
    """By lower-case name; each must fit its whole value. Those of `optional` may be absent."""
    optional: dict[str, str] = {}
    hosts: tuple[str, ...] = ()
    """Only there; empty: on every host of the platform."""
    anywhere: bool = False
    """The path is so much its own that the host does not matter."""


class AddressForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One family of SIP and H.323 addresses: the user part. What follows its last named group is secret."""

    reads: str
    user: str
    """Must fit the whole user part."""
    hosts: tuple[str, ...] = ()
    """Only there; empty: on every host of the platform, and at its bridges."""
    needs_site: bool = False
    """Only below the site's own host name: `jan@ministry.webex.com`."""
    only_known: bool = False
    """A meeting only when some calendar has it: on an own bridge any word may be a telephone."""
    ivr: bool = False
    """No meeting, but a voice that asks for its number."""


class DialIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bridge's voice asks of a caller, and how the caller's keys are read."""

    number: Span
    pin: Span
    """Lengths that a PIN may have."""
    access_numbers: tuple[str, ...] = ()
    """Public ones, in E.164."""
    addresses: tuple[str, ...] = ()
    """Public IP addresses at which the voice answers."""
    prefixes: tuple[str, ...] = ()
    """Keys before the number that say something else: `*01*`."""
    slots: tuple[str, ...] = ()
    """What is asked after the number, in order, in words."""
    star: Literal["host", "skip"] = "skip"
    """What a `*` before a group means: the host's own key follows, or nothing."""
    ends: Literal["hash", "length"] = "hash"
    """What ends a number for which no `#` was pressed: only `#`, or that its length is reached."""
    commands: tuple[str, ...] = ()
    """Keys that do something in the meeting and enter nothing: `*6`."""

    @property
    def words(self) -> str:
        """The grammar, for people."""
        start = " or ".join(f"`{prefix}`" for prefix in self.prefixes)
        parts = [f"number of {self.number}" + (f" ({start} may precede it)" if start else ""), *self.slots]
        return ", then ".join(parts) + ("; each ended by `#`" if self.ends == "hash" else "; ended by `#` or complete")


class Labels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words before a number in an invitation, by language (ISO 639-1), in lower case."""

    number: dict[str, tuple[str, ...]] = {}
    pin: dict[str, tuple[str, ...]] = {}


class Platform(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One platform: where it lives, how its meetings are named, and how people dial in."""

    id: str = ""
    """The name of its data file."""
    title: str
    hosts: tuple[str, ...]
    """Host names of links and SIP addresses; each stands for all that is below it too."""
    site_noise: tuple[str, ...] = ()
    """Labels between a site's name and the platform's host that are no part of the name: `ministry.my.webex.com`."""
    has_sites: bool = False
    """A room that somebody has named is known by its name and its site; elsewhere by its name alone."""
    brands: tuple[str, ...] = ()
    """Words that no language translates: who writes them means this platform. Lower case."""
    labelled: Span
    """How many digits a number has that an invitation names by a label."""
    phone_pins: bool = True
    """Invitations hold a PIN that a telephone must enter."""
    links: tuple[LinkForm, ...] = ()
    addresses: tuple[AddressForm, ...] = ()
    labels: Labels = Labels()
    dial_in: DialIn

    @property
    def reads(self) -> tuple[str, ...]:
        """Which links and addresses are read, in words."""
        return (*(link.reads for link in self.links), *(address.reads for address in self.addresses))

    @property
    def words(self) -> str:
        """The grammar of the dial-in, for people."""
        return self.dial_in.words

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages (ISO 639-1) of the labels that are read; links and one-tap strings need none."""
        return tuple(sorted({*self.labels.number, *self.labels.pin}))

    def site_at(self, host: str, public: tuple[str, ...]) -> str:
        """What stands before the platform's public host name, without noise; for a host of its own, that host."""
        for suffix in public:
            if host == suffix:
                return ""
            if host.endswith("." + suffix):
                return self._without_noise(host[: -len(suffix) - 1])
        return host

    def _without_noise(self, labels: str) -> str:
        head, dot, last = labels.rpartition(".")
        return head if dot and last in self.site_noise else labels


def known_platforms() -> tuple[str, ...]:
    """The ids of all platforms; reads no file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def shipped() -> dict[str, Platform]:
    """Every platform of this folder, by id; the fallback last, for whoever goes through them in order."""
    ids = sorted(known_platforms(), key=lambda name: (name == FALLBACK, name))
    return {name: read_platform(FOLDER / f"{name}.toml") for name in ids}


def read_platform(path: Path) -> Platform:
    """One data file as a record; `ConfigError` with the line of every mistake that its structure shows."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = tomllib.loads(text)
        platform = msgspec.convert({"id": path.stem, **tree}, Platform)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d{1,9})", str(error))
        line = int(where[1]) if where else len(text.splitlines())
        raise ConfigError([_problem(path, line, str(error), "TOML 1.0")]) from None
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        line = _line_of(text, place.rstrip("`") + "".join(re.findall(r"unknown field `([^`]{1,60})`", what)[:1]))
        raise ConfigError([_problem(path, line, what, "a field of a platform's data file")]) from None
    if platform.id != path.stem:
        raise ConfigError([_problem(path, _line_of(text, "id"), "a field `id`", "the file's name to say it")])
    return platform


def check_platform(path: Path) -> Platform:
    """A data file with all its expressions compiled: what the reading leaves for later."""
    platform = read_platform(path)
    text = path.read_text(encoding="utf-8")
    problems = [
        _problem(path, _line_with(text, pattern), wrong, "a linear expression with groups of meetings")
        for pattern in patterns_of(platform)
        for wrong in [wrong_with(pattern)]
        if wrong
    ]
    if problems:
        raise ConfigError(problems)
    return platform


def patterns_of(platform: Platform) -> Iterator[str]:
    """Every regular expression of a platform."""
    for link in platform.links:
        yield link.path
        yield from link.query.values()
        yield from link.optional.values()
    for address in platform.addresses:
        yield address.user


def wrong_with(pattern: str) -> str:
    """What is wrong with an expression; empty when nothing is."""
    try:
        groups = expression(pattern).groupindex
    except re.error as error:
        return f"{error} in {pattern!r}"
    strange = sorted(set(groups) - GROUPS)
    if strange:
        return f"group {strange[0]!r}"
    if re.search(r"[*+}]\)[*+{]", pattern):
        return f"a repetition of a repetition in {pattern!r}"
    return ""


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """An expression of a data file, compiled when it is first needed; ASCII, so that a digit is one of ten."""
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def _problem(path: Path, line: int, found: str, expected: str) -> Problem:
    return Problem(file=path.name, line=line, found=found, expected=expected)


def _line_with(text: str, part: str) -> int:
    return next((n for n, line in enumerate(text.splitlines(), 1) if part in line), 0)


def _line_of(text: str, place: str) -> int:
    """The line of a place as msgspec tells it (`links[1].path`), as near as plain TOML lets it be found."""
    lines = text.splitlines()
    at = 0
    for name, index in re.findall(r"([A-Za-z_][\w-]*)(?:\[(\d{1,4})\])?", place):
        wanted = int(index or 0)
        for n in range(at, len(lines)):
            bare = lines[n].strip()
            if re.match(rf"(?:\[+(?:\w+\.)*{re.escape(name)}(?:\]|\.)|{re.escape(name)}\s*=)", bare):
                if wanted == 0:
                    at = n
                    break
                wanted -= 1
    return at + 1 if lines else 0
