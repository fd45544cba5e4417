"""The classification that an invitation is marked with: its texts in, the highest marking of the policy's list out.

A marking is a formal term: `Stg. GEHEIM`, `Dep.V.`, `Rubricering: …`. A word that contains one (*geheimhouding*), a
common word (*geheim*, *Stg.* for *Stichting*), part of a link, and a level that the text denies or merely names as a
limit (*niet voor Stg. GEHEIM*, *t/m Dep.V.*) are none.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

MAX_CHARACTERS = 64 * 1024
"""Read of one text: a description with the agenda, the minutes and a mail thread below it."""

Marked = Callable[[Iterable[str], Iterable[str]], str]
"""Titles and labels, then running texts → the highest marking in them; empty when there is none."""


class Level(NamedTuple):
    """How one level of the Dutch ladder (VIR-BI) is spelled, as patterns."""

    formal: str
    """Counts wherever it stands."""
    labelled: str
    """Counts after `Rubricering:`."""
    alone: str
    """Counts as a whole line, category or bracketed word."""
    title: str
    """Counts in a title."""
    hints: tuple[str, ...]
    """One of these is in every text that holds the level: a quick look before the patterns."""


_NEVER = r"(?!)"
_STG = r"(?:stg|staatsgeheim)[\s.:_/-]{0,3}"
_LADDER = (
    Level(r"ongerubriceerd", r"ongerubriceerd|niet[ -]gerubriceerd", r"ongerubriceerd", _NEVER, ("rubriceerd",)),
    Level(
        r"dep[.\s_-]?v|dep\.[ ]v\.|departementaal[\s_-]{1,3}vertrouwelijk|dep[.\s_-]{0,2}vertrouwelijk",
        r"departementaal|vertrouwelijk|dv",
        r"departementaal",
        _NEVER,
        ("dep", "vertrouwelijk", "dv"),
    ),
    # A single letter follows without a space, for "Stg. C. Jansen" is a foundation (Stichting).
    Level(
        rf"{_STG}confidentieel|stg[.-]?c",
        r"confidentieel|staatsgeheim",
        _NEVER,
        r"staatsgeheim",
        ("stg", "geheim", "fid"),
    ),
    Level(rf"{_STG}geheim|stg[.-]?g", r"geheim", r"geheim", _NEVER, ("stg", "geheim")),
    Level(
        rf"{_STG}(?:zeer[\s_-]{{1,3}}geheim|zg)",
        r"zeer[\s_-]{1,3}geheim",
        r"zeer[\s_-]{1,3}geheim",
        r"zeer[\s_-]{1,3}geheim",
        ("stg", "geheim"),
    ),
)
_LABEL = r"(?:rubricering|classificatie|merking|classification|marking)[ \t]{0,3}[:=-][ \t]{0,3}"
_DENIED = re.compile(
    r"(?:\b(?:geen|no|max(?:imaal|imum|\.)?|tot(?: en met)?|up to|above|boven|hoger dan|lager dan|exceeding|below)|t/m"
    r"|\b(?:niet|not)(?: (?:geschikt|bedoeld|toegestaan|gebruiken|suitable|allowed|meant|approved))?"
    r"(?: (?:voor|for))?)\s{1,3}$",
    re.IGNORECASE,
)
_BEFORE = 48
"""Characters before a marking that are read for a denial."""
_LINK = re.compile(r"(?:https?|sips?|tel|mailto):\S+|[\w.+-]{1,64}@\S+", re.IGNORECASE)


def marked_for(classifications: Sequence[str]) -> Marked:
    """What finds the markings of a policy's list, low to high; those of the Dutch ladder in each of their spellings."""
    levels = [(name, _level_of(name)) for name in reversed(classifications)]

    def marked(titles: Iterable[str], texts: Iterable[str]) -> str:
        labels = [(text, text.lower()) for text in map(_without_links, titles)]
        bodies = [(text, text.lower()) for text in map(_without_links, texts)]
        for name, level in levels:
            for free, found in ((f"{level.formal}|{level.title}", labels), (level.formal, bodies)):
                for text, lower in found:
                    if any(hint in lower for hint in level.hints) and _stands_in(_pattern(level, free), text):
                        return name
        return ""

    return marked


def _without_links(text: str) -> str:
    text = text[:MAX_CHARACTERS]
    return _LINK.sub(" ", text) if ":" in text or "@" in text else text


def _level_of(name: str) -> Level:
    """How a level of the policy's list is spelled: as in the ladder, if it stands there."""
    words = re.findall(r"\w+|[^\w\s.]+", name) or [name]
    for known in _LADDER:
        if re.fullmatch(rf"(?:{known.formal}|{known.labelled})\.?", name, re.IGNORECASE):
            # The list's own word may be a common one ("Geheim"), so that it counts only where the ladder says.
            return known
    spelled = r"[\s._-]{0,3}".join(map(re.escape, words))
    return Level(spelled, spelled, spelled, _NEVER, (words[0].lower(),))


@cache
def _pattern(level: Level, free: str) -> re.Pattern[str]:
    """What finds a level in a text where the spellings `free` count by themselves; made when a text hints at it."""
    after_label = rf"(?<!\w){_LABEL}(?:{level.labelled}|{level.formal})"
    by_itself = rf"^[ \t\[(*]{{0,8}}(?:{level.alone})(?=[ \t\])*.]{{0,8}}$)|[\[(](?:{level.alone})(?=[\])])"
    pattern = rf"(?:{after_label}|{by_itself}|(?<!\w)(?P<free>{free}))(?!\w)"
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def _stands_in(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the marking stands in the text, and is not denied there."""
    for found in pattern.finditer(text):
        start = found.start("free")
        if start < 0 or not _DENIED.search(text[max(0, start - _BEFORE) : start]):
            return True
    return False
