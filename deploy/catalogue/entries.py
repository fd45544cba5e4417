"""Entries come in as TOML, one file each, and go out as nouns; a mistake in one names its file and key."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from monitor.detections import rule_infos

HERE = Path(__file__).parent
LANGUAGES = ("en", "nl")
NAME = re.compile(r"[a-z]+(-[a-z]+)*")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs between organisations."""

    runbooks: str
    """Where the runbooks can be read; English there, Dutch in `nl/` below."""
    job: str
    """The job under which Prometheus scrapes the daemon."""
    config: str
    journal: str


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is said about one alert, in one language; Markdown, but the first three, which are one line each."""

    title: str
    summary: str
    """The annotation: templates of Prometheus."""
    description: str
    happened: str
    sure: str
    look: str
    benign: str
    contain: str
    report: str
    tune: str


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An expression of Prometheus, and how bad it is when it gives something."""

    expr: str
    severity: str
    wait: str = ""
    """How long it must last (`for`)."""
    keep: str = ""
    """How long it goes on firing behind its end (`keep_firing_for`)."""


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Prometheus sees, and which alerts must fire then."""

    of: str
    """`fires`, `silent`, `restart` or `missing`."""
    series: dict[str, str]
    """By what stands in a selector, single quotes for double: see `cases.py`."""
    at: int
    """Minutes from the start."""
    expect: tuple[str, ...] = ()
    """The severities that fire then."""
    long: bool = False
    """It lasts for days, so that it is looked at less often."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alert of the catalogue."""

    name: str
    en: Text
    nl: Text
    alerts: tuple[Condition, ...] = ()
    """None where the rule is a detection: its severities are those of the code."""
    cases: tuple[Case, ...] = ()
    clocks: tuple[str, ...] = ()
    """Duties to report, by their names in `clocks.toml`."""
    is_detection: bool = False
    """Whether a rule of the daemon has this name."""
    kind: Literal["detection", "blindness", "upkeep", "heartbeat"] = "blindness"
    """The label `kind`: blindness is told beside each detection, upkeep is not."""
    related: tuple[str, ...] = ()

    @property
    def alert(self) -> str:
        """The alert's name in Prometheus."""
        return "Joinwatch" + "".join(word.capitalize() for word in self.name.split("-"))

    def text(self, language: str) -> Text:
        """What is said in that language."""
        return self.en if language == "en" else self.nl


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All entries, and what they share."""

    settings: Settings
    detections: tuple[Entry, ...]
    """In the order of the rules in the code."""
    blindness: tuple[Entry, ...]
    severities: Mapping[str, tuple[str, ...]]
    """Of each detection."""
    clocks: Mapping[str, Mapping[str, str]]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Detections first."""
        return self.detections + self.blindness


class Mistake(Exception):
    """The catalogue is wrong, and says where."""


def catalogue(folder: Path = HERE, **settings: str | None) -> Catalogue:
    """What stands in the folder. `settings` take the place of those in its file."""
    told = tomllib.loads((folder / "settings.toml").read_text(encoding="utf-8"))
    chosen = {**told, **{key: value for key, value in settings.items() if value is not None}}
    rules = {info.name: tuple(severity.value for severity in info.severities) for info in rule_infos()}
    entries = {path.stem: _entry_in(path, rules) for path in sorted((folder / "alerts").glob("*.toml"))}
    if missing := [name for name in rules if name not in entries]:
        raise Mistake(f"a detection without an entry: {', '.join(missing)}: write deploy/catalogue/alerts/NAME.toml")
    clocks = tomllib.loads((folder / "clocks.toml").read_text(encoding="utf-8"))
    for entry in entries.values():
        for name in (*entry.clocks, *entry.related):
            if name not in clocks and name not in entries:
                raise Mistake(f"{entry.name}.toml: there is no {name!r}")
    return Catalogue(
        settings=msgspec.convert(chosen, Settings),
        detections=tuple(entries[name] for name in rules),
        blindness=tuple(entry for name, entry in entries.items() if name not in rules),
        severities=rules,
        clocks=clocks,
    )


def _entry_in(path: Path, rules: Mapping[str, Any]) -> Entry:
    if not NAME.fullmatch(path.stem):
        raise Mistake(f"{path.name}: a name is of small letters and hyphens")
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        entry = msgspec.convert({**told, "name": path.stem, "is_detection": path.stem in rules}, Entry)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Mistake(f"{path.name}: {error}") from None
    if entry.is_detection == bool(entry.alerts):
        wrong = (
            "alerts of a detection come from the code" if entry.alerts else "no detection of that name, and no alert"
        )
        raise Mistake(f"{path.name}: {wrong}")
    for language in LANGUAGES:
        for field, text in msgspec.structs.asdict(entry.text(language)).items():
            if not text.strip():
                raise Mistake(f"{path.name}: {language}.{field} is empty")
            if field in ("title", "summary", "description") and "\n" in text.strip():
                raise Mistake(f"{path.name}: {language}.{field} is one line")
    return entry
