"""Who looked at personal data, gave it out or erased it, when and why: a log in which nothing can be changed unseen.

JSON lines in numbered files. Each entry holds the digest of the one before it (SHA-256 over that digest and the entry's
own canonical bytes), so that whoever changes, drops or moves an entry breaks the chain there. The file `head` tells
which entry is the last: without it, a cut end would look like an end. Where there is a key, each digest is signed
(HMAC-SHA-256), and without the key nobody can make the chain anew. No name, number or address stands in it: people
are keyed digests here too.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from hmac import compare_digest, digest
from pathlib import Path
from secrets import token_bytes
from typing import Any, NamedTuple

import msgspec

from monitor.model.problems import ConfigError, Problem
from monitor.outputs.records import time_of
from monitor.outputs.safe import cut, encodable, escaped_json, masked

SEGMENT_BYTES = 16 * 1024 * 1024
SUFFIX = ".jsonl"
MAX_ENTRY = 64 * 1024
MAX_REASON = 500
FIRST = "0" * 64
"""What stands before the first entry."""
SECRET_FILE, HEAD_FILE, LOCK_FILE, REASONS_FILE = "subjects.key", "head", "lock", "reasons-demanded"
SIGNED_FILE = "signed"
ACTIONS = (
    "start", "stop", "reload", "configuration", "explain", "list alerts", "export", "forget", "purge", "retention",
    "suppress", "verify",
)  # fmt: skip


class Broken(NamedTuple):
    """Where a chain is broken."""

    place: str
    """File and line."""
    what: str


class Verdict(NamedTuple):
    """What became of looking through a log."""

    entries: int
    first: int
    last: int
    hash: str
    """Of the last entry that is good: to be kept elsewhere, and compared with later."""
    broken: tuple[Broken, ...]
    notes: tuple[str, ...]


class Audit:
    """The log in one folder; several processes may write it."""

    def __init__(self, folder: Path, key: bytes = b"", *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._key = key
        self._segment_bytes = segment_bytes

    def begin(self, *, reasons: bool) -> None:
        """Make the folder, and note for those who have no configuration at hand whether reasons are demanded."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, is_so in ((REASONS_FILE, reasons), (SIGNED_FILE, bool(self._key))):
            marker = self.folder / name
            if is_so:
                self._own(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), close=True)
            else:
                marker.unlink(missing_ok=True)

    @property
    def demands_reasons(self) -> bool:
        """Whether nobody may look or erase without saying why."""
        return (self.folder / REASONS_FILE).exists()

    def subject(self, text: str) -> str:
        """Somebody as this log names them: the same each time, and by nobody to be turned back without its key."""
        if not text:
            return ""
        return "~" + digest(self._subjects_key(), encodable(text).casefold().encode(), "sha256")[:12].hex()

    def add(self, action: str, about: str = "", reason: str = "", **more: str | int | Mapping[str, int]) -> int:
        """One entry, on the disk when this returns; its number. Raises `OSError`, and `ConfigError` without its key."""
        if not self._key and (self.folder / SIGNED_FILE).exists():
            found = "its entries are signed, and the key is not known"
            raise ConfigError(
                [Problem(file=str(self.folder), line=0, found=found, expected="--config FILE, which names it")]
            )
        said: dict[str, Any] = {
            "time": time_of(time.time_ns()),
            "actor": actor(),
            "action": action,
            "about": masked(cut(encodable(about), MAX_REASON)),
            "reason": masked(cut(encodable(reason), MAX_REASON)),
            **more,
        }
        with self._locked():
            number, before = self._last()
            entry = {"number": number + 1, **said, "previous": before}
            entry["hash"] = _hash(entry)
            if self._key:
                entry["signature"] = digest(self._key, entry["hash"].encode(), "sha256").hex()
            self._write(entry)
        return number + 1

    def verify(self, expected: str = "") -> Verdict:
        """Look at every entry. `expected` is `NUMBER:HASH`, as an earlier look told it."""
        with self._locked(fcntl.LOCK_SH):
            return self._looked_through(expected)

    def entries(self) -> Iterator[dict[str, Any]]:
        """What stands in it, good or not."""
        for _, line in _lines(self.folder):
            with suppress(msgspec.MsgspecError):
                yield msgspec.json.decode(line, type=dict[str, Any])

    def forget_before(self, moment: str) -> int:
        """Drop whole files all of whose entries are older (RFC 3339), and say so in the chain; how many entries."""
        with self._locked():
            files = _files(self.folder)
            gone, count, last = [], 0, None
            for path in files[:-1]:
                entries = [msgspec.json.decode(line, type=dict[str, Any]) for _, line in _lines_of(path)]
                if any(entry["time"] >= moment for entry in entries):
                    break
                gone.append(path)
                count += len(entries)
                last = entries[-1] if entries else last
        if last is None:
            return 0
        # First that they will be gone, then that they are: a death between the two is told by `verify`, and harmless.
        self.add("retention", f"audit entries up to {last['number']}", erased=count, anchor=last["hash"])
        with self._locked():
            for path in gone:
                path.unlink(missing_ok=True)
        return count

    def _looked_through(self, expected: str) -> Verdict:
        broken: list[Broken] = []
        notes: list[str] = []
        anchors: set[str] = {FIRST}
        number, before, first, count = 0, FIRST, 0, 0
        start = ("", FIRST, 1)
        want_number, _, want_hash = expected.partition(":")
        met = not expected
        for place, line in _lines(self.folder):
            try:
                entry = msgspec.json.decode(line, type=dict[str, Any])
                told = str(entry["hash"])
                good = compare_digest(told, _hash(entry)) and _canonical(entry) == _without_end(line)
                this, previous = int(entry["number"]), str(entry["previous"])
            except (msgspec.MsgspecError, KeyError, ValueError, TypeError):
                broken.append(Broken(place, "is no entry of this log"))
                continue
            if not first:
                first = this
                start = (place, previous, this)
            elif this != number + 1 or previous != before:
                what = f"entry {this} does not follow entry {number}"
                lacking = this - number - 1
                broken.append(Broken(place, f"{what}: {lacking} missing between" if lacking > 0 else what))
            if not good:
                broken.append(Broken(place, f"entry {this} was changed"))
            elif self._key and not compare_digest(
                str(entry.get("signature", "")), digest(self._key, told.encode(), "sha256").hex()
            ):
                broken.append(Broken(place, f"entry {this} is not signed with this key"))
            if entry.get("action") == "retention" and "anchor" in entry:
                anchors.add(str(entry["anchor"]))
            met = met or (str(this) == want_number and told == want_hash)
            number, before, count = this, told, count + 1
        if first and start[1] not in anchors:
            broken.insert(0, Broken(start[0], f"the log begins with entry {start[2]}, and nobody told of erasing more"))
        elif first > 1:
            notes.append(f"entries before {first} were erased when their time was over, as a later entry tells")
        head = _head_in(self.folder)
        if head is None and count:
            broken.append(Broken(str(self.folder / HEAD_FILE), "is not there, so a cut end would not be seen"))
        elif head is not None and head[0] > number:
            what = f"the last entry is {number}, and {head[0]} were written: {head[0] - number} missing at the end"
            broken.append(Broken(str(self.folder / HEAD_FILE), what))
        elif head is not None and head[0] == number and head[1] != before:
            broken.append(Broken(str(self.folder / HEAD_FILE), f"is of another entry {number}"))
        if not met:
            broken.append(Broken(str(self.folder), f"entry {want_number} with that hash is not in it"))
        return Verdict(count, first, number, before, tuple(broken), tuple(notes))

    def _last(self) -> tuple[int, str]:
        """Number and hash of the last entry: of the head, if the files have lost their end."""
        head = _head_in(self.folder) or (0, FIRST)
        for path in _files(self.folder)[-1:]:
            self._mend(path)
            for _, line in list(_lines_of(path, tail=True))[-1:]:
                with suppress(msgspec.MsgspecError, KeyError, ValueError, TypeError):
                    entry = msgspec.json.decode(line, type=dict[str, Any])
                    found = int(entry["number"]), str(entry["hash"])
                    # A death between the two leaves the head behind. Anything else is a break, and shall stay one.
                    return found if found[0] > head[0] else head
        return head

    def _mend(self, path: Path) -> None:
        """The half line of a death in mid-write goes: it was not yet an entry."""
        with path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_ENTRY))
            tail = file.read()
            if tail and not tail.endswith(b"\n"):
                file.truncate(size - (len(tail) - tail.rfind(b"\n") - 1))

    def _write(self, entry: dict[str, Any]) -> None:
        files = _files(self.folder)
        path = files[-1] if files else self.folder / f"{1:08d}{SUFFIX}"
        if files and path.stat().st_size >= self._segment_bytes:
            path = self.folder / f"{int(path.stem) + 1:08d}{SUFFIX}"
        line = _canonical(entry) + b"\n"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._own(file)
            end = os.fstat(file).st_size
            if os.write(file, line) < len(line):
                os.ftruncate(file, end)
                raise OSError(28, "No space left on device", str(path))
            os.fdatasync(file)
        finally:
            os.close(file)
        beside = self.folder / f"{HEAD_FILE}.new"
        self._own(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), close=True)
        beside.write_text(f"{entry['number']}:{entry['hash']}\n", encoding="ascii")
        beside.replace(self.folder / HEAD_FILE)

    @contextmanager
    def _locked(self, how: int = fcntl.LOCK_EX) -> Iterator[None]:
        file = os.open(self.folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._own(file)
            fcntl.flock(file, how)
            yield
        finally:
            os.close(file)

    def _subjects_key(self) -> bytes:
        """Made once for each log: so that digests in it are worth nothing outside."""
        path = self.folder / SECRET_FILE
        with self._locked():
            with suppress(FileNotFoundError):
                return path.read_bytes()
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            key = token_bytes(32)
            os.write(file, key)
            self._own(file, close=True)
            return key

    def _own(self, file: int, *, close: bool = False) -> None:
        """What root writes here belongs to whoever the folder belongs to, or the daemon could not go on."""
        try:
            if os.geteuid() == 0:
                folder = self.folder.stat()
                os.fchown(file, folder.st_uid, folder.st_gid)
        finally:
            if close:
                os.close(file)


def beside(journal: Path) -> Audit | None:
    """The audit log of the daemon whose journal this is, or is a part of; none for a replay's.

    Without the daemon's configuration its key is not known, so that a log which is signed refuses to be written.
    """
    for place in (journal.resolve(), journal.resolve().parent):
        folder = place.parent / "audit"
        if place.name == "journal" and folder.is_dir():
            return Audit(folder)
    return None


def actor() -> dict[str, Any]:
    """Who runs this process: by the kernel, and by what `sudo` says."""
    import pwd

    uid = os.getuid()
    who: dict[str, Any] = {"uid": uid, "user": _name_of(uid, pwd)}
    with suppress(OSError, ValueError):
        login = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
        if login != 0xFFFF_FFFF:
            who |= {"login_uid": login, "login": _name_of(login, pwd)}
    sudo = os.environ.get("SUDO_USER", "")
    return who | ({"sudo_user": cut(encodable(sudo), 64)} if sudo else {})


def _name_of(uid: int, pwd: Any) -> str:
    try:
        return str(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return ""


def _canonical(entry: Mapping[str, Any]) -> bytes:
    """The one spelling of an entry: keys in their order, no blanks, all of it ASCII."""
    text = msgspec.json.encode(dict(entry)).decode()
    escaped = escaped_json(text)
    return (escaped if escaped.isascii() else re.sub(r"[^\x00-\x7f]", _in_json, escaped)).encode()


def _in_json(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code - 0x10000 & 0x3FF):04x}"


def _hash(entry: Mapping[str, Any]) -> str:
    """The digest of the one before, and of everything in this one but its own digest and signature."""
    content = {name: value for name, value in entry.items() if name not in ("hash", "signature")}
    return sha256(str(entry["previous"]).encode() + b"\n" + _canonical(content)).hexdigest()


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.stem.isascii() and path.stem.isdecimal())


def _lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in _files(folder):
        yield from _lines_of(path)


def _lines_of(path: Path, *, tail: bool = False) -> Iterator[tuple[str, bytes]]:
    """Every line with its place; of the tail, those that end within the last few."""
    with path.open("rb") as file:
        if tail:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * MAX_ENTRY))
            if file.tell():
                file.readline()
        number = 0
        while line := file.readline(2 * MAX_ENTRY):
            number += 1
            yield f"{path}:{number}", line


def _head_in(folder: Path) -> tuple[int, str] | None:
    try:
        number, _, value = (folder / HEAD_FILE).read_text(encoding="ascii").strip().partition(":")
        return int(number), value
    except (OSError, ValueError):
        return None
