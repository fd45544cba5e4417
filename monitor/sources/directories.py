"""The people that the operator gives: vCard (RFC 6350, also 2.1 and 3.0) and CSV in, a `Directory` by address out.

A person is every address that is theirs: desk and mobile phone, SIP address, range of direct numbers. A phone that
several people share is theirs together. Internal extensions are passed over: outside their own exchange they are
nobody's number.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from monitor.model.invitations import Address, Directory, NumberText, Person
from monitor.model.problems import ConfigError, Problem
from monitor.sources.contentlines import VCARD, Component, Line, Mistakes, components_of, files_in, quoted, raw_of
from monitor.sources.numbers import FEWEST_DIGITS, canonical

MAX_NAME = 128
"""Characters kept of a name."""
MAX_FIELD = 64 * 1024
"""Characters of one CSV field; the module's own limit is a setting of the whole process."""
FEWEST_RANGE_DIGITS = 5
"""Of a range's prefix: a shorter one is a region, not a person."""

_MAIL = re.compile(r"[^@\s<>,;:\"()|]{1,64}@[^@\s<>,;:\"()|]{1,255}", re.ASCII)
_SIP = re.compile(r"sips?:[^@\s<>,|]+@[^@\s<>,|]+|sips?:[A-Za-z0-9.-]+", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_EXTENSION = re.compile(r"[0-9*#\s-]{1,10}", re.ASCII)
_AGENTS = frozenset({"AGENT", "ASSISTANT", "DELEGATE", "SECRETARY"})
"""Types of RELATED (RFC 6350, 6.6.6, and the habits of products) that mean who comes in somebody's place."""
_NO_RELATION = frozenset({"WORK", "HOME", "PREF", "CONTACT"})
"""Types that tell nothing of it."""
_VERSIONS = ("2.1", "3.0", "4.0")

_COLUMNS = {
    "name": ("name", "names", "naam", "displayname", "fullname", "cn", "fn", "person"),
    "email": ("email", "emails", "mail", "mails", "emailaddress", "emailaddresses", "mailaddress"),
    "phone": (
        *("phone", "phones", "tel", "telephone", "telefoon", "number", "numbers", "phonenumber", "phonenumbers"),
        *("mobile", "mobiel", "gsm", "cell", "desk", "workphone", "businessphone", "mobilephone", "telephonenumber"),
    ),
    "sip": ("sip", "sipuri", "sipaddress", "sipaddresses", "impp", "aor"),
    "range": ("range", "ranges", "ddi", "ddirange", "did", "prefix"),
    "room": ("room", "rooms", "ruimte"),
    "delegates": ("delegates", "delegate", "assistant", "assistants", "secretary"),
}
_COLUMN = {spelling: name for name, spellings in _COLUMNS.items() for spelling in spellings}
_KNOWN = "name, email, phone, mobile, sip, range, room, delegates"


class Entry(msgspec.Struct, kw_only=True):
    """A person while being read: who comes in their place may stand further on in the files."""

    name: str
    uid: str = ""
    addresses: dict[Address, None]
    ranges: dict[str, None]
    others: list[str]
    """Delegates as written: an address, a `urn:uuid:`, or a name."""


def load_directory(paths: Sequence[Path], *, number_text: NumberText) -> Directory:
    """The directory that these files and folders of `*.vcf` and `*.csv` make; `ConfigError` with every mistake."""
    problems: list[Problem] = []
    entries: list[Entry] = []
    for path in files_in(paths, (".vcf", ".csv"), problems):
        told = Mistakes(path)
        reader = _Fields(number_text, told)
        entries.extend(_cards_in(path, reader) if _is_vcard(path) else _rows_in(path, reader))
        problems.extend(told.problems)
    if problems:
        raise ConfigError(problems)
    return People(_people(entries, number_text))


class People:
    """Everybody, found by any of their addresses."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.everybody = tuple(people)
        self._with: dict[Address, list[Person]] = {}
        self._ranges: dict[str, list[Person]] = {}
        for person in self.everybody:
            for address in person.addresses:
                self._with.setdefault(address, []).append(person)
            for prefix in person.ranges:
                self._ranges.setdefault(f"tel:{prefix}", []).append(person)
        self._lengths = sorted({len(prefix) for prefix in self._ranges}, reverse=True)

    def people_with(self, address: Address) -> Sequence[Person]:
        """Everybody who has this address; for a number that nobody has, whose range it is in, the narrowest first."""
        found = self._with.get(address)
        if found is None and address.startswith("tel:"):
            found = next((self._ranges[address[:n]] for n in self._lengths if address[:n] in self._ranges), None)
        return tuple(found or ())


class _Fields:
    """Reads the values of one file into entries, and tells those that mean nothing."""

    def __init__(self, number_text: NumberText, told: Mistakes) -> None:
        self.number_text = number_text
        self.told = told

    def add_mail(self, entry: Entry, text: str, line: int) -> None:
        text = text.strip()
        text = (text[7:] if text.lower().startswith("mailto:") else text).strip("<> ")
        if _MAIL.fullmatch(text):
            entry.addresses[canonical(f"mailto:{text}", self.number_text)] = None
        elif text:
            self.told.tell(line, f"e-mail address {quoted(text)}", "an address such as jan@example.org")

    def add_number(self, entry: Entry, text: str, line: int) -> None:
        text = text.strip()
        if text.lower().startswith(("sip:", "sips:")):
            self.add_sip(entry, text, line)
            return
        number = self.number_text(text)
        if number:
            entry.addresses[number] = None
        elif text and not _is_extension(text):
            self.told.tell(line, f"number {quoted(text)}", "a telephone number such as +31205550123 or 020 555 0123")

    def add_sip(self, entry: Entry, text: str, line: int) -> None:
        text = text.strip()
        uri = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
        if _SIP.fullmatch(uri):
            entry.addresses[canonical(uri, self.number_text)] = None
        elif text:
            self.told.tell(line, f"SIP address {quoted(text)}", "an address such as sip:jan@example.org")

    def add_range(self, entry: Entry, text: str, line: int) -> None:
        prefix = re.sub(r"[\s().*xX-]", "", text)
        if _RANGE.fullmatch(prefix) and len(prefix) > FEWEST_RANGE_DIGITS:
            entry.ranges[prefix] = None
        elif prefix:
            self.told.tell(
                line, f"range {quoted(text.strip())}", "the beginning of its numbers in E.164, such as +3120555"
            )


def _is_vcard(path: Path) -> bool:
    """By name, and for a file of another name by what it begins with."""
    if path.suffix.lower() in (".vcf", ".csv"):
        return path.suffix.lower() == ".vcf"
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf\r\n ").upper().startswith(b"BEGIN:")
    except OSError:
        return False


def _cards_in(path: Path, reader: _Fields) -> Iterator[Entry]:
    for card in components_of(path, VCARD, reader.told):
        entry = Entry(name=_name_of(card), addresses={}, ranges={}, others=[])
        for line in card.lines:
            _read_property(line, entry, reader)
        yield entry


def _read_property(line: Line, entry: Entry, reader: _Fields) -> None:
    """One property of a card; those that say nothing of who or where are passed over."""
    text = line.text.strip()
    match line.name:
        case "EMAIL":
            reader.add_mail(entry, text, line.number)
        case "TEL":
            reader.add_number(entry, text, line.number)
        case "X-SIP":
            reader.add_sip(entry, text, line.number)
        case "IMPP" if text.lower().startswith(("sip:", "sips:")):
            reader.add_sip(entry, text, line.number)
        case "X-RANGE" | "X-DDI" | "X-DDI-RANGE":
            reader.add_range(entry, text, line.number)
        case "RELATED" if not (types := _types_of(line) - _NO_RELATION) or types & _AGENTS:
            entry.others.append(text)
        case "X-DELEGATE" | "X-ASSISTANT" | "AGENT" | "MEMBER" | "X-ADDRESSBOOKSERVER-MEMBER":
            # A group's members come for the group that was invited.
            entry.others.append(text)
        case "UID":
            entry.uid = _uid(text)
        case "VERSION" if text not in _VERSIONS:
            reader.told.tell(line.number, f"VERSION {quoted(text)}", f"a vCard of version {', '.join(_VERSIONS)}")
        case _:
            pass


def _types_of(line: Line) -> set[str]:
    return {text.strip().upper() for value in line.params.get("TYPE", ()) for text in value.split(",")}


def _name_of(card: Component) -> str:
    for name in ("FN", "N", "ORG", "NICKNAME"):
        line = card.first(name)
        if line and line.text.strip(" ;"):
            text = line.text
            if name == "N":
                family, given = ([*text.split(";"), "", ""])[:2]
                text = f"{given} {family}"
            return " ".join(text.split())[:MAX_NAME]
    return ""


def _rows_in(path: Path, reader: _Fields) -> Iterator[Entry]:
    """The people of a CSV file, whose first row names the columns."""
    raw = raw_of(path, reader.told, "a table in CSV")
    if raw is None:
        return
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    columns: list[str] = []
    for line, row in _records(text, reader.told):
        if not columns:
            columns = _columns_of(row, line, reader.told)
            if not columns:
                return
        elif len(row) < len(columns) or any(field.strip() for field in row[len(columns) :]):
            reader.told.tell(line, f"a row of {len(row)} columns", f"{len(columns)} columns, as the header has")
        else:
            yield _entry_of(_fields_of(columns, row), line, reader)


def _records(text: str, told: Mistakes) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, each with the line that it begins on."""
    import csv  # which a vCard does not need

    lines = text.splitlines(keepends=True) if "\n" not in text else [f"{part}\n" for part in text.split("\n")]
    separator = ""
    for number, line in enumerate(lines):
        if line.lower().startswith("sep=") or line.startswith("#") or not line.strip():
            lines[number] = "\n"  # Excel names the separator before the header
            continue
        separator = max(",;\t", key=line.count)
        break
    rows = csv.reader(lines, delimiter=separator or ",", strict=True)
    begun = 1
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            found = "a quote that is not closed" if "end of data" in str(error) else f"a field that is no CSV ({error})"
            told.tell(begun, found, 'text in quotes to its end, a quote in it doubled: "Jan ""Piet"" Jansen"')
            if "end of data" in str(error):
                return
        else:
            if row is None:
                return
            if any(field.strip() for field in row) and not row[0].startswith("#"):
                yield begun, row
        begun = rows.line_num + 1


def _columns_of(row: Sequence[str], line: int, told: Mistakes) -> list[str]:
    """What each column holds; empty when this is no header row, or an unusable one."""
    named = [_COLUMN.get(_bare(field), "") for field in row]
    if not any(named):
        told.tell(line, "a first row that names no column", f"a header row with columns such as {_KNOWN}")
        return []
    wrong = False
    for field, name in zip(row, named, strict=True):
        near = _near(field) if not name else []
        if near and _COLUMN[near[0]] not in named:
            told.tell(line, f"column {quoted(field.strip())}", f"one of {_KNOWN} (did you mean {_COLUMN[near[0]]}?)")
            wrong = True
    if not wrong and not {"email", "phone", "sip", "range"}.intersection(named):
        told.tell(line, "no column with addresses", "at least one of email, phone, sip and range")
        return []
    return named


def _near(field: str) -> list[str]:
    """The column that was meant, if it is nearly one."""
    from difflib import get_close_matches

    return get_close_matches(_bare(field), _COLUMN, n=1, cutoff=0.75)


def _bare(field: str) -> str:
    """A column's name without what products put around it: `E-mail Address 2` is `emailaddress`."""
    return re.sub(r"[\s_.()/-]", "", field.strip().lower().rstrip("0123456789"))


def _fields_of(columns: Sequence[str], row: Sequence[str]) -> dict[str, list[str]]:
    """The fields of a row by what they hold: a person has several phones."""
    fields: dict[str, list[str]] = {}
    for name, field in zip(columns, row, strict=False):
        if name and field.strip():
            fields.setdefault(name, []).append(field[:MAX_FIELD])
    return fields


def _entry_of(fields: dict[str, list[str]], line: int, reader: _Fields) -> Entry:
    name = " ".join(" ".join(fields.get("name") or fields.get("room", [])).split())[:MAX_NAME]
    entry = Entry(name=name, addresses={}, ranges={}, others=[])
    for field in fields.get("email", ()):
        for text in re.split(r"[\s|;,]+", field):
            reader.add_mail(entry, text, line)
    for field in fields.get("phone", ()):
        for text in _numbers_in(field, reader.number_text):
            reader.add_number(entry, text, line)
    for field in fields.get("sip", ()):
        for text in re.split(r"[\s|]+|;(?=[^;=]*@)", field):
            reader.add_sip(entry, text, line)
    for field in fields.get("range", ()):
        for text in re.split(r"[|;,]|\s(?=\+)", field):
            reader.add_range(entry, text, line)
    for field in fields.get("delegates", ()):
        for text in re.split(r"[|;,]", field):
            several = len(re.findall(r"@|\+", text)) > 1
            entry.others.extend(text.split() if several else filter(None, [text.strip()]))
    return entry


def _numbers_in(field: str, number_text: NumberText) -> Iterator[str]:
    """The numbers of a field: a space may part two numbers or the groups of one."""
    for text in re.split(r"[|;,]", field):
        if not text.strip() or number_text(text.strip()) or len(text) < 2 * FEWEST_DIGITS:
            yield text
        else:
            pieces = re.split(r"\s(?=\+|00)", text.strip())
            yield from pieces if len(pieces) > 1 else text.split() if all(map(number_text, text.split())) else [text]


def _is_extension(text: str) -> bool:
    """An internal number, which no other exchange knows."""
    return bool(_EXTENSION.fullmatch(text)) and sum(map(str.isdigit, text)) < FEWEST_DIGITS


def _uid(text: str) -> str:
    return text.strip().lower().removeprefix("urn:uuid:")


def _people(entries: Iterable[Entry], number_text: NumberText) -> list[Person]:
    """Everybody, with who comes in their place; one person of two files, by name and e-mail, once."""
    known: dict[tuple[str, str], Entry] = {}
    kept: list[Entry] = []
    for entry in entries:
        keys = [(entry.name.casefold(), address) for address in entry.addresses if address.startswith("mailto:")]
        same = next((known[key] for key in keys if key in known), None)
        if same is None:
            kept.append(entry)
        else:
            same.addresses.update(entry.addresses)
            same.ranges.update(entry.ranges)
            same.others.extend(entry.others)
        for key in keys:
            known.setdefault(key, same or entry)
    named: dict[str, list[Entry]] = {}
    for entry in kept:
        for name in {entry.name.casefold(), entry.uid} - {""}:
            named.setdefault(name, []).append(entry)
    return [
        Person(
            name=entry.name,
            addresses=tuple(entry.addresses),
            ranges=tuple(entry.ranges),
            delegates=tuple(dict.fromkeys(a for text in entry.others for a in _delegate(text, named, number_text))),
        )
        for entry in kept
    ]


def _delegate(text: str, named: dict[str, list[Entry]], number_text: NumberText) -> list[Address]:
    """The addresses of who is meant: an address itself, a card by its UID, or the only person of that name."""
    text = text.strip()
    meant = named.get(_uid(text)) or named.get(" ".join(text.split()).casefold(), [])
    if len(meant) == 1:
        return list(meant[0].addresses)
    address = canonical(text, number_text)
    return [address] if address.startswith(("mailto:", "tel:", "sip:")) else []
