"""One VEVENT of a calendar, read: who is invited when, what the meeting is called, how it is marked.

Calendar components in, `Invitation` out. What the invitation says of links, numbers and PINs is read by the callables
that the caller hands in; PINs live on as `Secret` alone.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from monitor.model.invitations import Address, Invitee, MeetingText, NumberText, ReadText, Role, Secret
from monitor.model.meetings import MeetingRef
from monitor.sources.contentlines import Component, Line, Mistakes, media_and_text_of, quoted
from monitor.sources.markings import Marked
from monitor.sources.moments import Moment, Wrong, Zones, duration_of, moment_of, moments_of
from monitor.sources.numbers import canonical
from monitor.sources.recurrences import rule_of

MAX_SUMMARY = 256
"""Characters kept of a title."""
MAX_NAME = 128
"""Characters kept of a name."""
MAX_UID = 512
"""Characters kept of a UID: those of Exchange have 112."""
MAX_TEXT = 256 * 1024
"""Characters read of one description or other text."""
MAX_INVITEES = 10_000
"""Kept of one invitation: more is a mailing, not a meeting."""

_TAG = re.compile(r"<(/?[A-Za-z][^<>]*|!--[^<>]*--)>")
_BREAK = re.compile(r"(?i)<(?:br|/p|/div|/tr|/li|/h[1-6])\b[^<>]*>")
_HIDDEN = re.compile(r"(?is)<(style|script)\b[^<>]*>[^<]*</\1>")
_ANCHOR = re.compile(r"(?i)<a\s[^<>]*>")
_TARGET = re.compile(r"""(?i)\bhref\s?=\s?["']([^"'<>]+)["']""")
_MAIL = re.compile(r"[^@\s<>,;:\"()]+@[^@\s<>,;:\"()]+", re.ASCII)
_LINKS = ("://", "tel:", "sip:", "sips:")
_TEXTS = frozenset({"LOCATION", "DESCRIPTION", "URL", "CONFERENCE", "X-ALT-DESC", "STYLED-DESCRIPTION"})


class Readers(NamedTuple):
    """Who reads what an invitation holds."""

    read_text: ReadText
    number_text: NumberText
    marked: Marked


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT: a meeting, a series, or one instance of a series that differs from it."""

    uid: str
    sequence: int
    stamp: datetime | None
    """When this version was written (DTSTAMP, else LAST-MODIFIED)."""
    start: Moment
    length: timedelta
    recurrence: Moment | None
    """The instance that this is about (RECURRENCE-ID); none for the series itself."""
    and_future: bool
    """The change is for this instance and all later ones."""
    rules: tuple[str, ...]
    added: tuple[tuple[Moment, timedelta | None], ...]
    left_out: tuple[Moment, ...]
    cancelled: bool
    uninvites: bool
    """It only takes its attendees off the list (RFC 5546, 3.2.5)."""
    summary: str
    classification: str
    refs: tuple[MeetingRef, ...]
    pins: tuple[Secret, ...]
    invitees: tuple[Invitee, ...]


def invitation_in(event: Component, method: str, zones: Zones, readers: Readers, told: Mistakes) -> Invitation | None:
    """The invitation that a VEVENT is; none when a mistake, which is told, leaves it without name or time."""
    before = len(told.problems)
    uid = event.first("UID")
    if uid is None or not uid.text.strip():
        told.tell(uid.number if uid else event.number, "a VEVENT without UID", "UID: with the name of the meeting")
    start, length = _time_of(event, zones, told)
    recurrence_line = event.first("RECURRENCE-ID")
    recurrence = None
    if recurrence_line:
        try:
            recurrence = moment_of(recurrence_line, zones)
        except Wrong as wrong:
            told.tell(recurrence_line.number, wrong.found, wrong.expected)
    rules, added, left_out = _recurrence_of(event, start, zones, told)
    sequence = _sequence_of(event, told)
    invitees = _invitees_of(event, readers.number_text, told)
    if len(told.problems) > before or uid is None or start is None:
        return None
    status = event.first("STATUS")
    said = read_of(event, readers.read_text)
    cancelled = status is not None and status.value.strip().upper() == "CANCELLED"
    return Invitation(
        uid=uid.text.strip()[:MAX_UID],
        sequence=sequence,
        stamp=_stamp_of(event, zones),
        start=start,
        length=length,
        recurrence=recurrence,
        and_future=recurrence_line is not None and recurrence_line.param("RANGE").upper() == "THISANDFUTURE",
        rules=rules,
        added=added,
        left_out=left_out,
        cancelled=cancelled or method == "CANCEL",
        uninvites=method == "CANCEL" and not cancelled,
        summary=_summary_of(event),
        classification=readers.marked(_titles_of(event), _bodies_of(event)),
        refs=said.refs,
        pins=said.pins,
        invitees=invitees,
    )


def read_of(event: Component, read_text: ReadText) -> MeetingText:
    """What all texts of the invitation together say of how to reach the meeting."""
    refs: dict[MeetingRef, None] = {}
    pins: list[Secret] = []
    for text in dict.fromkeys(_meeting_texts(event)):
        said = read_text(text)
        refs.update(dict.fromkeys(said.refs))
        pins.extend(said.pins)
    return MeetingText(refs=tuple(refs), pins=tuple(pins))


def plain_of(html: str) -> str:
    """The text that a reader of HTML sees, and the targets of its links, which may differ from the words shown."""
    from html import unescape  # two thousand entities, for the few invitations that are written in HTML

    html = html[:MAX_TEXT]
    html = _ANCHOR.sub(_target_of, _HIDDEN.sub(" ", html))
    return unescape(_TAG.sub(" ", _BREAK.sub("\n", html)))


def _target_of(anchor: re.Match[str]) -> str:
    target = _TARGET.search(anchor[0])
    return f" {target[1]} " if target else " "


def _time_of(event: Component, zones: Zones, told: Mistakes) -> tuple[Moment | None, timedelta]:
    """When it begins, and how long it takes."""
    line = event.first("DTSTART")
    if line is None:
        told.tell(event.number, "a VEVENT without DTSTART", "DTSTART: with the time at which the meeting begins")
        return None, timedelta()
    start: Moment | None = None
    length = timedelta()
    try:
        start = moment_of(line, zones)
        # RFC 5545, 3.6.1: a date without end lasts that day, a time without end no time at all.
        length = timedelta(days=1) if start.all_day else timedelta()
    except Wrong as wrong:
        told.tell(line.number, wrong.found, wrong.expected)
    for name in ("DTEND", "DURATION"):
        line = event.first(name)
        if line is None:
            continue
        try:
            end = moment_of(line, zones) if name == "DTEND" else None
            if end is None:
                length = duration_of(line)
            elif start is not None:
                length = _length(start, end, line)
        except Wrong as wrong:
            told.tell(line.number, wrong.found, wrong.expected)
    return start, length


def _length(start: Moment, end: Moment, line: Line) -> timedelta:
    if start.all_day and end.at == start.at:
        return timedelta(days=1)  # some products write the last day instead of the one after it
    # Both ends in the zone of the start: the difference is then in clock time there, which is what is repeated.
    length = end.at.astimezone(start.at.tzinfo) - start.at
    if length < timedelta():
        raise Wrong(f"DTEND {quoted(line.value)}, before DTSTART", "an end after the start")
    return length


def _recurrence_of(
    event: Component, start: Moment | None, zones: Zones, told: Mistakes
) -> tuple[tuple[str, ...], tuple[tuple[Moment, timedelta | None], ...], tuple[Moment, ...]]:
    """The rules, the dates added and the dates left out."""
    rules: list[str] = []
    added: list[tuple[Moment, timedelta | None]] = []
    left_out: list[Moment] = []
    for line in event.lines:
        try:
            match line.name:
                case "RRULE":
                    rules.append(rule_of(line, start or Moment(datetime(2024, 1, 1, tzinfo=zones.local)), zones))
                case "RDATE":
                    added.extend(moments_of(line, zones))
                case "EXDATE":
                    left_out.extend(moment for moment, _ in moments_of(line, zones))
                case _:
                    pass
        except Wrong as wrong:
            told.tell(line.number, wrong.found, wrong.expected)
    return tuple(rules), tuple(added), tuple(left_out)


def _sequence_of(event: Component, told: Mistakes) -> int:
    line = event.first("SEQUENCE")
    text = line.value.strip() if line else ""
    if line is None or (text.isascii() and text.isdecimal() and len(text) < 11):
        return int(text or 0)
    told.tell(line.number, f"SEQUENCE {quoted(text)}", "a whole number: how often the invitation was changed")
    return 0


def _stamp_of(event: Component, zones: Zones) -> datetime | None:
    """When the version was written. Only decides between copies, so one that cannot be read is no mistake."""
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        line = event.first(name)
        if line:
            try:
                return moment_of(line, zones).at
            except Wrong:
                continue
    return None


def _summary_of(event: Component) -> str:
    line = event.first("SUMMARY")
    return " ".join(line.text[: 2 * MAX_SUMMARY].split())[:MAX_SUMMARY] if line else ""


def _titles_of(event: Component) -> list[str]:
    """Title and labels: each a name for the whole meeting."""
    found: list[str] = []
    for line in event.lines:
        if line.name == "CATEGORIES":
            found.extend(text.strip() for text in line.text.split(","))
        elif line.name in ("SUMMARY", "CLASS"):
            found.append(line.text)
    return found


def _bodies_of(event: Component) -> list[str]:
    return [text for line in event.lines if "DESC" in line.name for text in _texts_in(line)]


def _meeting_texts(event: Component) -> Iterator[str]:
    """Every text that may say how to reach the meeting."""
    for line in event.lines:
        if line.name in _TEXTS:
            yield from _texts_in(line)
        elif line.name.startswith("X-"):
            value = line.value.lower()
            if "CONF" in line.name or "MEETING" in line.name or any(link in value for link in _LINKS):
                yield from _texts_in(line)


def _texts_in(line: Line) -> Iterator[str]:
    """The text of a property, and what stands in its parameters: a label, or the same in HTML."""
    text = line.text[:MAX_TEXT]
    looks = (
        line.name == "X-ALT-DESC"
        or "HTML" in line.head.upper()
        or text[:64].lstrip().lower().startswith(("<html", "<!doc"))
    )
    yield plain_of(text) if looks and not line.head.upper().count("ALTREP") else text
    if "ALTREP" in line.head.upper():
        media, html = media_and_text_of(line.param("ALTREP"))
        if "html" in media:
            yield plain_of(html)
    if line.name == "CONFERENCE" and (label := line.param("LABEL")):
        yield label


def _invitees_of(event: Component, number_text: NumberText, told: Mistakes) -> tuple[Invitee, ...]:
    """Organizer, attendees, rooms, and who acts or comes for one of them. Who declined is still expected."""
    found: dict[Address, Invitee] = {}
    for line in sorted(event.lines, key=lambda line: line.name != "ORGANIZER"):
        if line.name not in ("ORGANIZER", "ATTENDEE") or len(found) >= MAX_INVITEES:
            continue
        role = _role_of(line)
        name = " ".join(line.param("CN").split())[:MAX_NAME]
        for written in _addresses_in(line, told):
            address = canonical(written, number_text)
            known = found.get(address)
            if known is None or (role is Role.ROOM and known.role is not Role.ORGANIZER):
                found[address] = Invitee(address=address, name=name or (known.name if known else ""), role=role)
    # Delegates who are on the list themselves keep their own line.
    for line in event.lines:
        if line.name in ("ORGANIZER", "ATTENDEE") and line.head:
            for param in ("DELEGATED-TO", "DELEGATED-FROM", "SENT-BY"):
                for written in line.params.get(param, ()):
                    address = canonical(written, number_text)
                    if ":" in address and len(found) < MAX_INVITEES:
                        found.setdefault(address, Invitee(address=address, role=Role.DELEGATE))
    return tuple(found.values())


def _role_of(line: Line) -> Role:
    if line.name == "ORGANIZER":
        return Role.ORGANIZER
    if line.param("CUTYPE").upper() in ("ROOM", "RESOURCE"):
        return Role.ROOM
    return Role.DELEGATE if line.params.get("DELEGATED-FROM") else Role.ATTENDEE


def _addresses_in(line: Line, told: Mistakes) -> Iterator[str]:
    """The addresses of an invitee: its URI, and its EMAIL parameter (RFC 7986, 6.2) where that is another."""
    value = line.value.strip()
    scheme, colon, rest = value.partition(":")
    mail = rest if colon and scheme.lower() == "mailto" else value if "@" in value and not colon else None
    if mail is not None:
        if _MAIL.fullmatch(mail.strip().strip("<>")):
            yield "mailto:" + mail.strip().strip("<>")
        else:
            told.tell(line.number, f"{line.name} {quoted(value)}", "an address such as mailto:jan@example.org")
    elif colon and scheme.lower() in ("sip", "sips", "tel"):
        yield value
    elif not value:
        told.tell(line.number, f"{line.name} without an address", "an address such as mailto:jan@example.org")
    # Anything else names nobody outside its product (`invalid:nomail`, a path, an X.500 name): only EMAIL may help.
    email = line.param("EMAIL").strip()
    if _MAIL.fullmatch(email) and (mail is None or email.lower() != mail.strip().lower()):
        yield "mailto:" + email
