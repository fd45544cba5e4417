"""On which line of a TOML text each key and each element of a list stands. The text is one that `tomllib` accepts."""

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Key: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and places in lists."""

_TOKEN = re.compile(
    r"""(?P<newline>\n)|(?P<space>[ \t\r]+)|(?P<comment>\#[^\n]*)
      |(?P<text>\"{3}(?:[^\"\\]|\\[\s\S]|\"{1,2}(?!\"))*\"{3,5}|'{3}(?:[^']|'{1,2}(?!'))*'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
      |(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.\#"']+)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.ASCII)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def lines_of(text: str) -> dict[Key, int]:
    """The line of everything in the document, from 1."""
    return _Reader(list(_tokens(text))).document()


def _tokens(text: str) -> Iterator[_Token]:
    line, at = 1, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return
        at = found.end()
        kind = found.lastgroup or ""
        if kind not in ("space", "comment"):
            yield _Token(kind, found[0], line)
        line += found[0].count("\n")


class _Reader:
    """Walks over the tokens, one statement after the other."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._lines: dict[Key, int] = {}
        self._arrays: dict[Key, int] = {}
        """How many tables an array of tables has so far."""

    def document(self) -> dict[Key, int]:
        table: Key = ()
        while (token := self._next()) is not None:
            if token.kind == "newline":
                continue
            if token.text == "[":
                table = self._header(token.line)
            else:
                self._at -= 1
                self._pair(table)
        return self._lines

    def _header(self, line: int) -> Key:
        """`[table]` or `[[array of tables]]`."""
        many = self._peek() == "["
        if many:
            self._at += 1
        key = self._key()
        self._at += 2 if many else 1
        resolved: Key = ()
        for place, part in enumerate(key):
            resolved = (*resolved, part)
            if resolved in self._arrays and not (many and place == len(key) - 1):
                resolved = (*resolved, self._arrays[resolved] - 1)
        if many:
            self._arrays[resolved] = self._arrays.get(resolved, 0) + 1
            self._lines.setdefault(resolved, line)
            resolved = (*resolved, self._arrays[resolved] - 1)
        self._lines.setdefault(resolved, line)
        return resolved

    def _pair(self, table: Key) -> None:
        """`key = value`, also with dots in the key."""
        token = self._tokens[self._at]
        key = (*table, *self._key())
        for size in range(len(table) + 1, len(key) + 1):
            self._lines.setdefault(key[:size], token.line)
        self._at += 1  # the equals sign
        self._value(key)

    def _key(self) -> Key:
        parts: list[str] = []
        while (token := self._next()) is not None:
            if token.kind in ("text", "bare"):
                parts.append(_name(token))
            elif token.text != ".":
                self._at -= 1
                break
        return tuple(parts)

    def _value(self, key: Key) -> None:
        token = self._next()
        if token is None or token.text not in ("[", "{"):
            # A date with a space and a number with a dot are several tokens.
            while self._peek() not in ("", "\n", ",", "]", "}"):
                self._at += 1
            return
        place = 0
        while (inner := self._next()) is not None and inner.text != {"[": "]", "{": "}"}[token.text]:
            if inner.kind == "newline" or inner.text == ",":
                continue
            self._at -= 1
            if token.text == "{":
                self._pair(key)
            else:
                self._lines[(*key, place)] = inner.line
                self._value((*key, place))
                place += 1

    def _next(self) -> _Token | None:
        if self._at >= len(self._tokens):
            return None
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""


def _name(token: _Token) -> str:
    """A key as `tomllib` gives it: without its quotes, escapes resolved."""
    if token.kind == "bare":
        return token.text
    if token.text.startswith("'"):
        return token.text[1:-1]
    return _ESCAPE.sub(_unescaped, token.text[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else _ESCAPED.get(found[3], found[3])
