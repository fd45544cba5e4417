"""Files of the operator, and those that strangers get into them: every mistake is told, and nothing else is raised."""

import io
from contextlib import suppress
from pathlib import Path

import msgspec

from fuzz.savefiles import scratch
from fuzz.target import target
from fuzz.texts import LADDER, TEXT_WORDS, platforms
from monitor.model.evidence import DAY, SECOND
from monitor.model.meetings import Kind, MeetingRef
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError
from monitor.model.settings import Settings
from monitor.model.suppressions import Suppressions
from monitor.outputs.explain import explain, list_alerts
from monitor.platforms import known_platforms
from monitor.sources.calendars import load_calendars
from monitor.sources.contentlines import ICALENDAR, MAX_DEPTH, MAX_MISTAKES, VCARD, Component, Mistakes, components_of
from monitor.sources.directories import load_directory
from monitor.sources.numbers import number_text_for
from monitor.sources.policies import load_policy
from monitor.sources.settings import load_settings
from monitor.sources.suppressions import load_suppressions

NOON = 1_773_313_200 * SECOND
ICS_WORDS = (
    *(
        b"BEGIN:VCALENDAR\n",
        b"BEGIN:VEVENT\n",
        b"END:VEVENT\n",
        b"END:VCALENDAR\n",
        b"BEGIN:VTIMEZONE\n",
        b"UID:",
        b"DTSTART:",
    ),
    *(
        b"20260312T110000Z",
        b"DTSTART;TZID=Europe/Amsterdam:",
        b"DTEND:",
        b"DURATION:PT1H",
        b"RRULE:FREQ=",
        b"DAILY;COUNT=",
    ),
    *(
        b"RECURRENCE-ID:",
        b"EXDATE:",
        b"RDATE:",
        b'ATTENDEE;CN="',
        b"mailto:",
        b"ORGANIZER:",
        b"SEQUENCE:",
        b"\n ",
        b"BYDAY=",
        b"UNTIL=",
    ),
)


def written(name: str, data: bytes) -> Path:
    """A file with that content."""
    path = scratch() / name
    path.write_bytes(data)
    return path


def told(error: ConfigError) -> None:
    """Mistakes are few enough to be read, and each stands on a line of its own."""
    assert 0 < len(error.problems) <= MAX_MISTAKES + 64
    assert all(problem.line >= 0 and len(problem.found) < 2048 for problem in error.problems)


@target(
    "calendar",
    *("sources.calendars", "sources.invitations", "sources.series", "sources.recurrences", "sources.moments"),
    "sources.contentlines",
    words=(*ICS_WORDS, *TEXT_WORDS),
)
def calendar(data: bytes) -> None:
    """An iCalendar file, such as any mail brings: mistakes with their lines, or a calendar that answers in time."""
    stage = platforms()
    try:
        found = load_calendars(
            [written("a.ics", data)],
            read_text=stage.read_text,
            number_text=number_text_for("31"),
            timezone="Europe/Amsterdam",
            classifications=LADDER,
        )
    except ConfigError as error:
        told(error)
        return
    meeting = MeetingRef(platform="webex", kind=Kind.NUMBER, value="27311234567")
    for at in (NOON, NOON + 7 * DAY, NOON + 300 * DAY):
        for occurrence in found.around(meeting, at):
            assert occurrence.start <= occurrence.end
            with suppress(UnicodeEncodeError):
                msgspec.json.encode(occurrence)
    found.series_of(meeting)
    found.knows_pin(meeting, "1234")


@target(
    "vcard",
    "sources.directories",
    "sources.contentlines",
    words=(
        b"BEGIN:VCARD\n",
        b"VERSION:4.0\n",
        b"FN:",
        b"TEL;TYPE=work:",
        b"EMAIL:",
        b"END:VCARD\n",
        b"QUOTED-PRINTABLE",
        b"RELATED;TYPE=agent:",
    ),
)
def vcard(data: bytes) -> None:
    """A directory of vCards."""
    directory("a.vcf", data)


@target(
    "csv", "sources.directories", words=(b"name,email,phone,sip,range,room,delegates\n", b'"', b";", b"\t", b"+3120555")
)
def csv(data: bytes) -> None:
    """A directory as a table."""
    directory("a.csv", data)


def directory(name: str, data: bytes) -> None:
    """A directory file of that name."""
    try:
        people = load_directory([written(name, data)], number_text=number_text_for("31"))
    except ConfigError as error:
        told(error)
        return
    for address in ("tel:+31205550101", "mailto:jan@example.org", "sip:jan@example.org"):
        assert all(person.name or person.addresses for person in people.people_with(address))


@target(
    "policy",
    *("sources.policies", "sources.tomllines"),
    words=(
        b"timezone = ",
        b"[site]\n",
        b"trusted_trunks = [",
        b"[platforms.webex]\n",
        b"hosts = ",
        b'"""',
        b"'''",
        b"[[",
        b"]]",
        b"[site.bridges]\n",
        b"\\u0041",
    ),
)
def policy(data: bytes) -> None:
    """A policy in TOML."""
    try:
        found = load_policy(written("policy.toml", data), known_platforms=known_platforms())
    except ConfigError as error:
        told(error)
        return
    assert isinstance(found, Policy)


@target(
    "settings",
    *("sources.settings", "sources.sinks", "sources.fetching"),
    words=(
        b"[capture]\n",
        b"interfaces = [",
        b"[sinks.siem]\n",
        b'kind = "alertmanager"\n',
        b'url = "https://',
        b"[fetch.people]\n",
        b"[[",
    ),
)
def settings(data: bytes) -> None:
    """The configuration of the daemon in TOML."""
    try:
        found = load_settings(written("joinwatch.toml", data))
    except ConfigError as error:
        told(error)
        return
    assert isinstance(found, Settings)


@target(
    "suppressions",
    "sources.suppressions",
    words=(b"[[suppression]]\n", b"rule = '", b"reason = '", b"owner = '", b"until = 2026-", b"subject = 'tel:", b"]]"),
)
def suppressions(data: bytes) -> None:
    """The file of suppressions in TOML."""
    try:
        found = load_suppressions(written("suppressions.toml", data), platforms=known_platforms())
    except ConfigError as error:
        told(error)
        return
    assert isinstance(found, Suppressions)


@target(
    "content-lines", "sources.contentlines", words=(*ICS_WORDS, b';X="', b"ENCODING=QUOTED-PRINTABLE:", b"=\n", b"^n")
)
def content_lines(data: bytes) -> None:
    """Properties and components, with every parameter and text asked for."""
    for kind in (ICALENDAR, VCARD):
        mistakes = Mistakes("a")
        path = written("lines", b"BEGIN:" + kind.root.encode() + b"\n" + data)
        waiting: list[tuple[Component, int]] = [(one, 1) for one in components_of(path, kind, mistakes)]
        size = 0
        while waiting:
            component, depth = waiting.pop()
            assert depth <= MAX_DEPTH
            assert all("\n" not in line for line in component.written())
            waiting += [(part, depth + 1) for part in component.parts]
            for line in component.lines:
                size += len(line.text)
                assert line.params is line.params
                line.param("TZID")
        assert size <= 4 * len(data) + 64
        assert len(mistakes.problems) <= MAX_MISTAKES


@target(
    "journal",
    "outputs.explain",
    words=(b'{"type":"alert","id":"', b'","rule":"pin-bypass"', b'"evidence":[', b'"capture":"', b'"frame":'),
)
def journal(data: bytes) -> None:
    """A journal that somebody sent, for `explain`: nothing in it is obeyed by a terminal or opened as a path."""
    path = written("journal.jsonl", data)
    for asked in ("pin-bypass", "0"):
        page = io.StringIO()
        with suppress(ConfigError):
            explain(asked, path, (), page, colour=False, width=80, tshark="")
        plain(page.getvalue())
    page = io.StringIO()
    with suppress(ConfigError):
        list_alerts(path, page, colour=False, width=80)
    plain(page.getvalue())


def plain(text: str) -> None:
    """Lines of printable characters."""
    assert all(line.isprintable() for line in text.split("\n"))
