"""Content lines of iCalendar (RFC 5545, 3.1) and vCard (RFC 6350, 3.3), each with the number of the line it begins on.

Bytes in, lines out. The libraries that know what the properties mean do not tell where they stand, and a mistake
that its author must find in ten thousand lines needs its number.
"""

import re
from binascii import Error as NotQuotedPrintable
from binascii import a2b_qp
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from monitor.model.problems import Problem

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Of one file: the yearly export of a large organisation is below it, an image or a disk is not."""
MAX_MISTAKES = 1000
"""Told of one file: who has more has given the wrong file."""
MAX_DEPTH = 16
"""Components within components: a calendar has three."""
MAX_HEAD = 256
"""Bytes of a line in which its encoding is looked for."""
MAX_QUOTED = 60
"""Characters of a mistake that are repeated to its author."""

# Each of the two reads a character in one way only, so that a line that fits nothing is given up at once.
_VALUES = r'(?:"[^"]*"|[^";:,][^;:,]*|)(?:,(?:"[^"]*"|[^";:,][^;:,]*|))*'
_HEAD = re.compile(
    r"(?:[A-Za-z0-9_-]+\.)?([A-Za-z0-9_-]+)"  # the group of a vCard property is of no meaning here
    rf"((?:;[A-Za-z0-9_-]*(?:={_VALUES})?)*):",
    re.ASCII,
)
_PARAM = re.compile(rf";([A-Za-z0-9_-]*)(?:=({_VALUES}))?", re.ASCII)
_PARAM_VALUE = re.compile(r'"([^"]*)"|([^",][^,]*)')
_CARET = re.compile(r"\^([n'^])")
_ESCAPE = re.compile(r"\\([\\;,:nN])")


class Line:
    """One property of a component: its name in upper case and its value as it stands."""

    __slots__ = ("__dict__", "head", "name", "number", "value")

    def __init__(self, number: int, name: str, head: str, value: str) -> None:
        self.number, self.name, self.head, self.value = number, name, head, value

    @cached_property
    def params(self) -> dict[str, tuple[str, ...]]:
        """Parameters by name in upper case; quotes and the escapes of RFC 6868 are gone."""
        found: dict[str, tuple[str, ...]] = {}
        for name, values in _PARAM.findall(self.head):
            texts = tuple(_CARET.sub(_uncareted, a or b) for a, b in _PARAM_VALUE.findall(values))
            found[name.upper()] = found.get(name.upper(), ()) + texts
        return found

    def param(self, name: str) -> str:
        """The first value of a parameter; empty when absent."""
        return next(iter(self.params.get(name, ())), "") if self.head else ""

    @property
    def text(self) -> str:
        """The value as text: with its line breaks, commas and semicolons, decoded where it is quoted-printable."""
        value = self.value
        if self.head and "QUOTED-PRINTABLE" in self.head.upper():
            value = _from_quoted_printable(value, self.param("CHARSET"))
        return _ESCAPE.sub(_unescaped, value) if "\\" in value else value


class Component:
    """What stands between a BEGIN and its END."""

    __slots__ = ("closed", "lines", "name", "number", "parts")

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number
        self.lines: list[Line] = []
        self.parts: list[Component] = []
        self.closed = 0
        """The line of its END; 0 while there is none."""

    def first(self, name: str) -> Line | None:
        """The first property of that name."""
        return next((line for line in self.lines if line.name == name), None)

    def written(self) -> Iterator[str]:
        """The component as content lines again."""
        yield f"BEGIN:{self.name}"
        for line in self.lines:
            yield f"{line.name}{line.head}:{line.value}"
        for part in self.parts:
            yield from part.written()
        yield f"END:{self.name}"


class Mistakes:
    """What is wrong with one file, as it is found."""

    def __init__(self, file: Path | str, *, is_private: bool = False) -> None:
        self.file = str(file)
        self._is_private = is_private
        self.problems: list[Problem] = []

    def tell(self, line: int, found: str, expected: str) -> None:
        """One more mistake."""
        if len(self.problems) < MAX_MISTAKES:
            problem = Problem(file=self.file, line=line, found=found, expected=expected, is_private=self._is_private)
            self.problems.append(problem)


class Kind(NamedTuple):
    """A sort of file, for who reads it and for who is told what is wrong with it."""

    name: str
    root: str
    """The component that everything stands in."""


ICALENDAR = Kind("an iCalendar file", "VCALENDAR")
VCARD = Kind("a vCard file", "VCARD")


def files_in(paths: Iterable[Path], suffixes: Sequence[str], problems: list[Problem]) -> list[Path]:
    """The files that these paths mean: a file is itself, a folder every file with such a suffix in it and below."""
    found: dict[Path, None] = {}
    wanted = " or ".join(f"*{suffix}" for suffix in suffixes)
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
            found.update(dict.fromkeys(inside))
            if not inside:
                told = f"a folder with at least one {wanted}"
                problems.append(Problem(file=str(path), line=0, found="a folder without such files", expected=told))
        else:
            found[path] = None
    return list(found)


def raw_of(path: Path, mistakes: Mistakes, what: str, *, empty: bool = False) -> bytes | None:
    """The bytes of a text file; none, and a mistake told, when it cannot be one."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        mistakes.tell(0, (error.strerror or "unreadable").lower(), f"{what} that can be read")
        return None
    if len(raw) > MAX_FILE_BYTES:
        mistakes.tell(0, f"more than {MAX_FILE_BYTES // 2**20} MiB", what)
        return None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = raw.decode("utf-16", "replace").encode()
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        mistakes.tell(line, "binary content (a zero byte)", f"{what}, which is text")
        return None
    if not raw.strip() and not empty:
        mistakes.tell(0, "an empty file", what)
        return None
    return raw


def components_of(path: Path, kind: Kind, mistakes: Mistakes) -> list[Component]:
    """The components of a file; what is wrong with its lines and their nesting is told."""
    raw = raw_of(path, mistakes, kind.name)
    if raw is None:
        return []
    roots: list[Component] = []
    stack: list[Component] = []
    for number, text in logical_lines(raw):
        head = _HEAD.match(text)
        name = head[1].upper() if head else ""
        if not roots and (name != "BEGIN" or _name_in(text) != kind.root):
            mistakes.tell(number, "a file that begins otherwise", f"{kind.name}: BEGIN:{kind.root} on its first line")
            return []
        if head is None:
            # What it says is not repeated: a broken line of a description may hold a PIN.
            mistakes.tell(number, "a line that is no property", "NAME:value; a line that continues begins with a space")
        elif name == "BEGIN" and len(stack) == MAX_DEPTH:
            mistakes.tell(number, f"components nested deeper than {MAX_DEPTH}", kind.name)
            return roots
        elif name == "BEGIN":
            _begin(_name_in(text), number, roots, stack, kind, mistakes)
        elif name == "END":
            _end(_name_in(text), number, stack, mistakes)
        elif stack:
            stack[-1].lines.append(Line(number, name, head[2], text[head.end() :]))
        else:
            mistakes.tell(number, f"{name} outside every component", f"BEGIN:{kind.root} before it")
    for left in reversed(stack):
        mistakes.tell(left.number, f"BEGIN:{left.name} without its END", f"END:{left.name} before the end of the file")
    return roots


def logical_lines(raw: bytes) -> Iterator[tuple[int, str]]:
    """Unfolded lines, each with its number. Unfolding comes before decoding: some products fold inside a character."""
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    begun, held = 0, [b""]
    soft = False
    for number, piece in enumerate(raw.split(b"\n"), 1):
        if soft or (piece[:1] in (b" ", b"\t") and begun):
            held.append(piece if soft else piece[1:])
        else:
            if begun:
                yield begun, _decoded(held)
            begun, held = (number, [piece]) if piece else (0, [])
        # vCard 2.1 and vCalendar break a line after "=" where its value is quoted-printable (RFC 2045, 6.7).
        soft = piece.endswith(b"=") and bool(held) and b"QUOTED-PRINTABLE" in held[0][:MAX_HEAD].upper()
        if soft:
            held[-1] = held[-1][:-1]
    if begun:
        yield begun, _decoded(held)


def media_and_text_of(uri: str) -> tuple[str, str]:
    """Media type and text of a `data:` URI (RFC 2397), as calendars put HTML beside a plain description."""
    media, _, text = uri.partition(":")[2].partition(",")
    return media.lower(), unquote_to_bytes(text).decode("utf-8", "replace") if ";base64" not in media else ""


def quoted(text: str) -> str:
    """A mistake as repeated to its author: short, on one line, with nothing that a terminal would obey."""
    cut = text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"
    return "`" + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cut) + "`"


def _begin(name: str, number: int, roots: list[Component], stack: list[Component], kind: Kind, told: Mistakes) -> None:
    component = Component(name, number)
    if not stack:
        if name != kind.root:
            told.tell(number, f"BEGIN:{quoted(name)[1:-1]} outside BEGIN:{kind.root}", f"BEGIN:{kind.root} before it")
        roots.append(component)
    elif name == kind.root:
        left = stack[0]
        stack.clear()
        told.tell(left.number, f"BEGIN:{left.name} without its END", f"END:{left.name} before the next BEGIN:{name}")
        roots.append(component)
    else:
        stack[-1].parts.append(component)
    stack.append(component)


def _end(name: str, number: int, stack: list[Component], told: Mistakes) -> None:
    if not any(open_.name == name for open_ in stack):
        begun = (
            f"END:{stack[-1].name}, for line {stack[-1].number}" if stack else f"BEGIN:{name[:MAX_QUOTED]} before it"
        )
        told.tell(number, f"END:{quoted(name)[1:-1]} without its BEGIN", begun)
        return
    while (left := stack.pop()).name != name:
        told.tell(
            left.number, f"BEGIN:{left.name} without its END", f"END:{left.name} before END:{name} on line {number}"
        )
    left.closed = number


def _name_in(text: str) -> str:
    return text.partition(":")[2].strip().upper()


def _decoded(pieces: list[bytes]) -> str:
    raw = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")  # the encoding of Windows in Western Europe; it never fails


def _from_quoted_printable(value: str, charset: str) -> str:
    try:
        raw = a2b_qp(value.encode())
    except NotQuotedPrintable:
        return value
    try:
        return raw.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        return raw.decode("cp1252", "replace")


def _uncareted(found: re.Match[str]) -> str:
    return {"n": "\n", "'": '"', "^": "^"}[found[1]]


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] in "nN" else found[1]
