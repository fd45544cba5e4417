"""The file of suppressions: TOML in, `Suppressions` out, or every mistake in it with its line."""

from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import Any

from monitor.model.problems import ConfigError
from monitor.model.suppressions import Suppression, Suppressions
from monitor.sources.contentlines import Mistakes, quoted, raw_of
from monitor.sources.policies import parsed
from monitor.sources.tomllines import Key, lines_of

MAX_ENTRIES = 1000
"""Each is asked of each alert; who needs more needs another rule."""
MAX_TEXT = 200
TEXTS = ("owner", "reason", "ticket", "rule", "subject", "subject_prefix", "meeting", "platform")
MANDATORY = ("owner", "reason", "until")
CONDITIONS = ("rule", "subject", "subject_prefix", "meeting", "platform")
SCHEMES = ("tel:", "sip:", "mailto:", "ip:", "anonymous")


def load_suppressions(path: Path, *, rules: Collection[str] = (), platforms: Collection[str] = ()) -> Suppressions:
    """Those in this file; `ConfigError` with every mistake. Rules and platforms are checked where they are given."""
    told = Mistakes(path, is_private=True)
    raw = raw_of(path, told, "suppressions in TOML", empty=True)
    text = raw.decode("utf-8", "replace") if raw is not None else ""
    document, read = parsed(text, told)
    reader = _Reader(lines_of(read), told, {"rule": rules, "platform": platforms})
    entries = reader.entries(document)
    if told.problems:
        raise ConfigError(told.problems)
    return Suppressions(entries=tuple(entries))


class _Reader:
    """Goes through the document and tells what is wrong, each with its line."""

    def __init__(self, lines: dict[Key, int], told: Mistakes, known: dict[str, Collection[str]]) -> None:
        self._lines, self._told, self._known = lines, told, known

    def entries(self, document: dict[str, Any]) -> list[Suppression]:
        """Those that are right."""
        for name in document:
            if name != "suppression":
                self._tell((name,), f"unknown key {quoted(name)}", "[[suppression]] with owner, reason and until")
        tables = document.get("suppression", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._tell(("suppression",), "suppression that is no list of tables", "[[suppression]], once for each")
            return []
        if len(tables) > MAX_ENTRIES:
            self._tell(("suppression", MAX_ENTRIES), f"{len(tables)} suppressions", f"at most {MAX_ENTRIES}")
        found = [self._entry(("suppression", place), table) for place, table in enumerate(tables[:MAX_ENTRIES])]
        return [entry for entry in found if entry is not None]

    def _entry(self, here: Key, table: dict[str, Any]) -> Suppression | None:
        before = len(self._told.problems)
        for name, value in table.items():
            if name in TEXTS:
                self._text((*here, name), name, value)
            elif name == "until":
                if not isinstance(value, date) or isinstance(value, datetime):
                    self._tell((*here, name), f"until = {quoted(str(value))}", "a day without quotes: 2026-12-31")
            else:
                known = ", ".join((*MANDATORY, *CONDITIONS, "ticket"))
                self._tell((*here, name), f"unknown key {quoted(name)}", f"one of {known}")
        for name in MANDATORY:
            if name not in table:
                self._tell(here, f"a suppression without {name}", f"{name}: nothing is kept quiet without it")
        if not any(name in table for name in CONDITIONS):
            self._tell(here, "a suppression of everything", f"at least one of {', '.join(CONDITIONS)}")
        if len(self._told.problems) > before:
            return None
        return Suppression(line=self._line(here), **table)

    def _text(self, key: Key, name: str, value: Any) -> None:
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT or not value.isprintable():
            expected = f'a text in quotes of at most {MAX_TEXT} characters: "…"'
            self._tell(key, f"{name} = {quoted(str(value))}", expected)
        elif self._known.get(name) and value not in self._known[name]:
            from difflib import get_close_matches

            near = get_close_matches(value, self._known[name], n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            self._tell(key, f"{name} = {quoted(value)}", f"one of {', '.join(sorted(self._known[name]))}{meant}")
        elif name.startswith("subject") and not value.startswith(SCHEMES):
            expected = "tel:+31205550123, sip:user@host, mailto:address, ip:address or anonymous, as the journal has it"
            self._tell(key, f"{name} = {quoted(value)}", expected)

    def _line(self, key: Key) -> int:
        """That of the thing, or of what it stands in."""
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines.get(key, 0)

    def _tell(self, key: Key, found: str, expected: str) -> None:
        self._told.tell(self._line(key), found, expected)
