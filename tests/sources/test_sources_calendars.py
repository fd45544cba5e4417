"""Invitations as products write them, asked by meeting and time."""

import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.evidence import SECOND
from monitor.model.invitations import Calendar, MeetingText, Occurrence, Role, Secret, addresses_of
from monitor.model.meetings import Kind, MeetingRef
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError
from monitor.sources.calendars import load_calendars
from monitor.sources.directories import load_directory
from monitor.sources.numbers import number_text_for

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NUMBER = "27311234567"
PLACES = count()


def ref(value: str = NUMBER, site: str = "") -> MeetingRef:
    return MeetingRef(platform="webex", kind=Kind.NUMBER, value=value, site=site)


def read_text(text: str) -> MeetingText:
    """A small stand-in for the platforms' reading: `join/<number>[@site]` and `PIN: <digits>`."""
    refs = tuple(ref(number, site) for number, site in re.findall(r"join/(\d{9,11})(?:@(\w+))?", text))
    return MeetingText(refs=refs, pins=tuple(Secret(pin) for pin in re.findall(r"PIN: (\d+)", text)))


def load(*paths: Path, timezone: str = "Europe/Amsterdam") -> Calendar:
    return load_calendars(
        paths,
        read_text=read_text,
        number_text=number_text_for("31"),
        timezone=timezone,
        classifications=Policy().classifications,
    )


def event(*lines: str, uid: str = "one@example.org", number: str = NUMBER) -> str:
    """A VEVENT with what most tests do not care about."""
    held = {line.partition(":")[0].partition(";")[0] for line in lines}
    usual = {
        "UID": uid,
        "DTSTAMP": "20240301T090000Z",
        "ORGANIZER": "mailto:org@ministry.example",
        "LOCATION": f"https://ministry.example/join/{number}",
    }
    rest = [f"{name}:{value}" for name, value in usual.items() if name not in held]
    return "\r\n".join(["BEGIN:VEVENT", *rest, *lines, "END:VEVENT"])


def wrapped(*parts: str, method: str = "") -> str:
    head = [f"METHOD:{method}"] if method else []
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN", *head, *parts, "END:VCALENDAR", ""])


def calendar_of(folder: Path, *files: str | bytes, timezone: str = "Europe/Amsterdam") -> Calendar:
    here = folder / f"set{next(PLACES)}"
    here.mkdir()
    for place, text in enumerate(files):
        (here / f"{place}.ics").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(here, timezone=timezone)


def at(text: str, zone: ZoneInfo = AMSTERDAM) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND


def starts(occurrences: Iterable[Occurrence], zone: ZoneInfo = AMSTERDAM) -> list[str]:
    return [datetime.fromtimestamp(o.start // SECOND, zone).strftime("%m-%d %H:%M") for o in occurrences]


def invited(occurrence: Occurrence) -> set[str]:
    return {invitee.address for invitee in occurrence.invitees}


WEEKLY = event("DTSTART;TZID=Europe/Amsterdam:20240311T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")


# ── one meeting ──


def test_a_meeting_is_found_on_its_date_and_the_dates_beside_it(tmp_path: Path) -> None:
    calendar = calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", "DTEND:20240311T100000Z")))
    for day in ("2024-03-10T00:00", "2024-03-11T10:30", "2024-03-12T23:59"):
        [found] = calendar.around(ref(), at(day))
        assert (found.start, found.end) == (at("2024-03-11T10:00"), at("2024-03-11T11:00"))
    assert not calendar.around(ref(), at("2024-03-09T23:59"))
    assert not calendar.around(ref(), at("2024-03-13T00:00"))
    assert not calendar.around(ref("123456789"), at("2024-03-11T10:30"))


def test_the_occurrence_has_all_that_the_invitation_says(tmp_path: Path) -> None:
    calendar = calendar_of(
        tmp_path,
        wrapped(
            event(
                "DTSTART;TZID=Europe/Amsterdam:20240311T100000",
                "DTEND;TZID=Europe/Amsterdam:20240311T110000",
                "SUMMARY;LANGUAGE=nl-NL:Overleg\\, met  koffie",
                "DESCRIPTION:Bel in\\nPIN: 4711\\nRubricering: Dep.V.",
                'ATTENDEE;CN="Jansen, Jan":MAILTO:Jan.Jansen@Ministry.example',
                "ATTENDEE;CUTYPE=ROOM;CN=Zaal 1:mailto:zaal1@ministry.example",
            )
        ),
    )
    [found] = calendar.around(ref(), at("2024-03-11T10:00"))
    assert found.uid == "one@example.org"
    assert found.summary == "Overleg, met koffie"
    assert found.classification == "Dep.V."
    assert found.has_pin
    assert found.refs == (ref(),)
    assert [(i.address, i.name, i.role) for i in found.invitees] == [
        ("mailto:org@ministry.example", "", Role.ORGANIZER),
        ("mailto:jan.jansen@ministry.example", "Jansen, Jan", Role.ATTENDEE),
        ("mailto:zaal1@ministry.example", "Zaal 1", Role.ROOM),
    ]


def test_a_pin_is_compared_and_never_shown(tmp_path: Path) -> None:
    text = wrapped(
        event("DTSTART:20240311T090000Z", "DESCRIPTION:PIN: 471147"), event("DTSTART:20240311T090000Z", uid="b")
    )
    calendar = calendar_of(tmp_path, text)
    assert calendar.knows_pin(ref(), "471147") is True
    assert calendar.knows_pin(ref(), "471148") is False
    assert calendar.knows_pin(ref("999999999"), "471147") is None
    assert "471147" not in repr(calendar.around(ref(), at("2024-03-11T10:00")))


def test_a_meeting_without_a_pin_knows_none(tmp_path: Path) -> None:
    assert calendar_of(tmp_path, wrapped(WEEKLY)).knows_pin(ref(), "1234") is None


@pytest.mark.parametrize(
    "line",
    [
        "LOCATION:https://x.example/join/98765432100",
        "URL:https://x.example/join/98765432100",
        "DESCRIPTION:Doe mee: https://x.example/join/98765\r\n 432100 tot dan",
        'CONFERENCE;VALUE=URI;FEATURE=AUDIO;LABEL="Bel in":https://x.example/join/98765432100',
        'CONFERENCE;VALUE=URI;LABEL="join/98765432100":tel:+31207654321',
        "X-MICROSOFT-ONLINEMEETINGCONFLINK:https://x.example/join/98765432100",
        "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://x.example/join/98765432100",
        "X-GOOGLE-CONFERENCE:https://x.example/join/98765432100",
        "X-ANYTHING:tel:+31207654321,,join/98765432100#",
        'X-ALT-DESC;FMTTYPE=text/html:<html><a href="https://x.example/&#106;oin/98765432100">hier</a></html>',
        "X-ALT-DESC;FMTTYPE=text/html:<p>j<b></b>&#x6f;in: join&#47;98765432100</p>",
        'DESCRIPTION;ALTREP="data:text/html,%3Cb%3Ejoin%2F98765432100%3C%2Fb%3E":zie de link',
        "STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html:<i>join/98765432100</i>",
    ],
)
def test_the_name_of_the_meeting_is_read_wherever_products_write_it(tmp_path: Path, line: str) -> None:
    calendar = calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", line)))
    assert calendar.series_of(ref("98765432100")) == ("one@example.org",)


def test_other_components_are_no_meetings(tmp_path: Path) -> None:
    todo = WEEKLY.replace("VEVENT", "VTODO")
    alarm = WEEKLY.replace("END:VEVENT", "BEGIN:VALARM\r\nDESCRIPTION:join/99999999999\r\nEND:VALARM\r\nEND:VEVENT")
    busy = "BEGIN:VFREEBUSY\r\nFREEBUSY:20240311T090000Z/PT1H\r\nEND:VFREEBUSY"
    calendar = calendar_of(tmp_path, wrapped(todo, busy), wrapped(alarm))
    assert calendar.series_of(ref("99999999999")) == ()
    assert len(calendar.around(ref(), at("2024-03-11T10:00"))) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_any_encoding_and_line_end_is_read(tmp_path: Path, encoding: str, newline: str) -> None:
    text = wrapped(event("DTSTART:20240311T090000Z", "SUMMARY:Coördinatie")).replace("\r\n", newline)
    [found] = calendar_of(tmp_path, text.encode(encoding)).around(ref(), at("2024-03-11T10:00"))
    assert found.summary == "Coördinatie"


def test_a_line_folded_inside_a_character_is_whole_again(tmp_path: Path) -> None:
    raw = (
        wrapped(event("DTSTART:20240311T090000Z", "SUMMARY:Coördinatie"))
        .encode()
        .replace(b"\xc3\xb6", b"\xc3\r\n \xb6")
    )
    [found] = calendar_of(tmp_path, raw).around(ref(), at("2024-03-11T10:00"))
    assert found.summary == "Coördinatie"


# ── who is invited ──


@pytest.mark.parametrize(
    ("line", "address", "role"),
    [
        ("ATTENDEE:mailto:jan@ministry.example", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE:MailTo:JAN@Ministry.Example", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE:jan@ministry.example", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:jan@ministry.example", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE;ROLE=NON-PARTICIPANT:mailto:jan@ministry.example", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE;EMAIL=jan@ministry.example:/aMjM/principal/", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE;EMAIL=jan@ministry.example:invalid:nomail", "mailto:jan@ministry.example", Role.ATTENDEE),
        ("ATTENDEE;CUTYPE=RESOURCE:mailto:beamer@ministry.example", "mailto:beamer@ministry.example", Role.ROOM),
        ("ATTENDEE:tel:+31-20-555-0123", "tel:+31205550123", Role.ATTENDEE),
        ("ATTENDEE:sip:+310205550123@ministry.example", "tel:+31205550123", Role.ATTENDEE),
        ("ATTENDEE:SIP:Zaal@Ministry.Example;transport=tls", "sip:zaal@ministry.example", Role.ATTENDEE),
        (
            'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:Piet@ministry.example":mailto:jan@ministry.example',
            "mailto:piet@ministry.example",
            Role.DELEGATE,
        ),
        (
            'ATTENDEE;DELEGATED-FROM="mailto:jan@ministry.example":mailto:piet@ministry.example',
            "mailto:piet@ministry.example",
            Role.DELEGATE,
        ),
        (
            'ATTENDEE;DELEGATED-TO="mailto:a@x.example","mailto:b@x.example":mailto:jan@ministry.example',
            "mailto:b@x.example",
            Role.DELEGATE,
        ),
        (
            'ORGANIZER;CN=Chef;SENT-BY="mailto:assistant@ministry.example":mailto:chef@ministry.example',
            "mailto:assistant@ministry.example",
            Role.DELEGATE,
        ),
        (
            "ATTENDEE;CN=\"Jan; ^'Piet^'\";X-NUM-GUESTS=0:mailto:jan@ministry.example",
            "mailto:jan@ministry.example",
            Role.ATTENDEE,
        ),
    ],
)
def test_who_is_invited(tmp_path: Path, line: str, address: str, role: Role) -> None:
    calendar = calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", line)))
    [found] = calendar.around(ref(), at("2024-03-11T10:00"))
    assert {i.address: i.role for i in found.invitees}[address] is role


def test_an_organizer_who_attends_is_on_the_list_once(tmp_path: Path) -> None:
    both = event("DTSTART:20240311T090000Z", "ATTENDEE;CN=Org:mailto:ORG@ministry.example")
    [found] = calendar_of(tmp_path, wrapped(both)).around(ref(), at("2024-03-11T10:00"))
    assert [(i.address, i.role) for i in found.invitees] == [("mailto:org@ministry.example", Role.ORGANIZER)]


def test_delegates_desk_and_mobile_phones_rooms_and_shared_phones_are_expected(tmp_path: Path) -> None:
    """The causes of false alarms that invitation and directory clear together."""
    (tmp_path / "people.csv").write_text(
        "name;email;phone;mobile;delegates\n"
        "Jan;jan@ministry.example;020 555 0123;06-12345678;piet@ministry.example\n"
        "Piet;piet@ministry.example;+31 (0)20 555 0124;;\n"
        "An;an@ministry.example;0031205550123;;\n"
        "Zaal 1;zaal1@ministry.example;020-5550199;;\n"
    )
    directory = load_directory([tmp_path / "people.csv"], number_text=number_text_for("31"))
    meeting = event(
        "DTSTART:20240311T090000Z",
        "ATTENDEE:mailto:jan@ministry.example",
        "ATTENDEE;CUTYPE=ROOM:mailto:zaal1@ministry.example",
    )
    [found] = calendar_of(tmp_path, wrapped(meeting)).around(ref(), at("2024-03-11T10:00"))
    expected = addresses_of(found.invitees, directory)
    assert {"tel:+31205550123", "tel:+31612345678", "tel:+31205550124", "tel:+31205550199"} <= expected
    assert {person.name for person in directory.people_with("tel:+31205550123")} == {"Jan", "An"}
    assert "mailto:an@ministry.example" not in expected


# ── copies ──


def copy(*lines: str, sequence: int = 0, stamp: str = "20240301T090000Z", hour: int = 9) -> str:
    return event(
        f"SEQUENCE:{sequence}", f"DTSTAMP:{stamp}", f"DTSTART:20240311T{hour:02}0000Z", "DURATION:PT1H", *lines
    )


def test_a_forwarded_invitation_adds_people(tmp_path: Path) -> None:
    files = [
        wrapped(copy("ATTENDEE:mailto:jan@ministry.example")),
        wrapped(copy("ATTENDEE:mailto:kees@ministry.example", stamp="20240302T090000Z")),
    ]
    [found] = calendar_of(tmp_path, *files).around(ref(), at("2024-03-11T10:00"))
    assert {"mailto:jan@ministry.example", "mailto:kees@ministry.example"} <= invited(found)


def test_a_later_version_replaces_an_earlier_one(tmp_path: Path) -> None:
    files = [
        wrapped(copy("ATTENDEE:mailto:kees@ministry.example", sequence=2, hour=14)),
        wrapped(copy("ATTENDEE:mailto:jan@ministry.example", sequence=1, stamp="20240309T090000Z")),
    ]
    for order in (files, files[::-1]):
        [found] = calendar_of(tmp_path, *order).around(ref(), at("2024-03-11T10:00"))
        assert starts([found]) == ["03-11 15:00"]
        assert "mailto:jan@ministry.example" not in invited(found)


def test_of_one_version_the_latest_copy_tells_the_time(tmp_path: Path) -> None:
    files = [wrapped(copy(hour=9)), wrapped(copy(hour=15, stamp="20240305T090000Z"))]
    for order in (files, files[::-1]):
        assert starts(calendar_of(tmp_path, *order).around(ref(), at("2024-03-11T10:00"))) == ["03-11 16:00"]


def test_an_answer_to_an_invitation_invites_nobody(tmp_path: Path) -> None:
    reply = wrapped(copy("ATTENDEE;PARTSTAT=ACCEPTED:mailto:mallory@x.example"), method="REPLY")
    [found] = calendar_of(tmp_path, wrapped(copy()), reply).around(ref(), at("2024-03-11T10:00"))
    assert "mailto:mallory@x.example" not in invited(found)


def test_the_name_of_an_earlier_version_stays_known(tmp_path: Path) -> None:
    files = [wrapped(copy("URL:https://x.example/join/111111111")), wrapped(copy(sequence=1))]
    calendar = calendar_of(tmp_path, *files)
    assert calendar.series_of(ref("111111111")) == ("one@example.org",)
    assert calendar.around(ref("111111111"), at("2024-03-11T10:00")) == ()


# ── cancelled and moved ──


@pytest.mark.parametrize(
    "cancel",
    [
        pytest.param(wrapped(copy("STATUS:CANCELLED", sequence=1)), id="status"),
        pytest.param(wrapped(copy("STATUS:CANCELLED", sequence=1), method="CANCEL"), id="method and status"),
        pytest.param(wrapped(copy(sequence=1), method="CANCEL"), id="method alone"),
        pytest.param(wrapped(copy(), method="CANCEL"), id="method, same sequence"),
        pytest.param(
            wrapped(copy("ATTENDEE:mailto:jan@ministry.example", "ATTENDEE:mailto:an@x.example"), method="CANCEL"),
            id="method, naming everybody",
        ),
    ],
)
def test_a_cancelled_meeting_does_not_take_place_and_stays_known(tmp_path: Path, cancel: str) -> None:
    request = wrapped(copy("ATTENDEE:mailto:jan@ministry.example", "ATTENDEE:mailto:an@x.example"), method="REQUEST")
    for files in ([request, cancel], [cancel, request]):
        calendar = calendar_of(tmp_path, *files)
        assert calendar.around(ref(), at("2024-03-11T10:00")) == ()
        assert calendar.series_of(ref()) == ("one@example.org",)


def test_a_cancel_that_names_some_takes_them_off_the_list(tmp_path: Path) -> None:
    request = wrapped(copy("ATTENDEE:mailto:jan@ministry.example", "ATTENDEE:mailto:an@x.example"), method="REQUEST")
    cancel = wrapped(copy("ATTENDEE:mailto:an@x.example", sequence=1), method="CANCEL")
    [found] = calendar_of(tmp_path, request, cancel).around(ref(), at("2024-03-11T10:00"))
    assert invited(found) == {"mailto:org@ministry.example", "mailto:jan@ministry.example"}


def test_one_instance_is_cancelled(tmp_path: Path) -> None:
    gone = event(
        "RECURRENCE-ID;TZID=Europe/Amsterdam:20240318T100000",
        "DTSTART:20240318T090000Z",
        "STATUS:CANCELLED",
        "SEQUENCE:1",
    )
    calendar = calendar_of(tmp_path, wrapped(WEEKLY), wrapped(gone, method="CANCEL"))
    assert calendar.around(ref(), at("2024-03-18T10:00")) == ()
    assert starts(calendar.around(ref(), at("2024-03-25T10:00"))) == ["03-25 10:00"]


def test_somebody_is_taken_off_one_instance(tmp_path: Path) -> None:
    series = WEEKLY.replace("END:VEVENT", "ATTENDEE:mailto:a@x.example\r\nATTENDEE:mailto:b@x.example\r\nEND:VEVENT")
    off = event("RECURRENCE-ID:20240318T090000Z", "DTSTART:20240318T090000Z", "ATTENDEE:mailto:b@x.example")
    calendar = calendar_of(tmp_path, wrapped(series), wrapped(off, method="CANCEL"))
    [found] = calendar.around(ref(), at("2024-03-18T10:00"))
    assert "mailto:b@x.example" not in invited(found)
    assert found.end - found.start == 3600 * SECOND
    [other] = calendar.around(ref(), at("2024-03-25T10:00"))
    assert "mailto:b@x.example" in invited(other)


def test_a_moved_instance_has_its_own_time_list_place_and_name(tmp_path: Path) -> None:
    moved = event(
        "RECURRENCE-ID:20240318T090000Z",
        "DTSTART;TZID=Europe/Amsterdam:20240320T150000",
        "DTEND;TZID=Europe/Amsterdam:20240320T160000",
        "ATTENDEE:mailto:guest@x.example",
        number="99999999999",
    )
    calendar = calendar_of(tmp_path, wrapped(WEEKLY, moved))
    assert calendar.around(ref(), at("2024-03-18T10:00")) == ()
    assert calendar.around(ref(), at("2024-03-20T15:00")) == ()
    [found] = calendar.around(ref("99999999999"), at("2024-03-20T15:00"))
    assert starts([found]) == ["03-20 15:00"]
    assert "mailto:guest@x.example" in invited(found)
    [usual] = calendar.around(ref(), at("2024-03-25T10:00"))
    assert "mailto:guest@x.example" not in invited(usual)
    assert calendar.series_of(ref("99999999999")) == calendar.series_of(ref()) == ("one@example.org",)


def test_a_change_for_this_and_all_later_instances(tmp_path: Path) -> None:
    later = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Amsterdam:20240325T100000",
        "DTSTART;TZID=Europe/Amsterdam:20240325T140000",
        "DURATION:PT2H",
        "ATTENDEE:mailto:new@x.example",
    )
    calendar = calendar_of(tmp_path, wrapped(WEEKLY, later))
    assert starts(calendar.around(ref(), at("2024-03-18T10:00"))) == ["03-18 10:00"]
    [found] = calendar.around(ref(), at("2024-05-06T10:00"))
    assert starts([found]) == ["05-06 14:00"]
    assert found.end - found.start == 2 * 3600 * SECOND
    assert "mailto:new@x.example" in invited(found)


def test_an_invitation_to_one_instance_alone_is_a_meeting(tmp_path: Path) -> None:
    only = event("RECURRENCE-ID:20240318T090000Z", "DTSTART:20240318T090000Z", "DURATION:PT1H")
    assert starts(calendar_of(tmp_path, wrapped(only)).around(ref(), at("2024-03-18T10:00"))) == ["03-18 10:00"]


# ── recurrence and time ──


@pytest.mark.parametrize(
    ("lines", "day", "expected"),
    [
        (["RRULE:FREQ=WEEKLY"], "2031-03-10T12:00", ["03-10 10:00"]),
        (["RRULE:FREQ=WEEKLY;COUNT=2"], "2024-03-25T12:00", []),
        (["RRULE:FREQ=WEEKLY;UNTIL=20240318T090000Z"], "2024-03-18T12:00", ["03-18 10:00"]),
        (["RRULE:FREQ=WEEKLY;UNTIL=20240318"], "2024-03-18T12:00", ["03-18 10:00"]),
        (["RRULE:FREQ=WEEKLY;UNTIL=20240318T100000"], "2024-03-18T12:00", ["03-18 10:00"]),
        (["RRULE:FREQ=WEEKLY;UNTIL=20240318T100000"], "2024-03-25T12:00", []),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO,TU"], "2024-03-19T12:00", ["03-18 10:00", "03-19 10:00"]),
        (["RRULE:FREQ=MONTHLY;BYDAY=2MO"], "2024-04-08T12:00", ["04-08 10:00"]),
        (["RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"], "2024-04-30T12:00", ["04-30 10:00"]),
        (["RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Amsterdam:20240318T100000"], "2024-03-18T12:00", []),
        (["RRULE:FREQ=WEEKLY", "EXDATE:20240318T090000Z,20240325T090000Z"], "2024-03-25T12:00", []),
        (["RRULE:FREQ=WEEKLY", "EXDATE;VALUE=DATE:20240318"], "2024-03-18T12:00", []),
        (["RRULE:FREQ=WEEKLY", "EXDATE;TZID=W. Europe Standard Time:20240318T100000"], "2024-03-18T12:00", []),
        (["RDATE;TZID=Europe/Amsterdam:20240320T150000"], "2024-03-20T12:00", ["03-20 15:00"]),
        (["RRULE:FREQ=WEEKLY", "RDATE;VALUE=PERIOD:20240320T140000Z/PT2H"], "2024-03-20T12:00", ["03-20 15:00"]),
        (["EXDATE:20240311T090000Z"], "2024-03-11T12:00", []),
        (["RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;X-OWN=1"], "2024-03-25T12:00", ["03-25 10:00"]),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO", "RRULE:FREQ=WEEKLY;BYDAY=TH"], "2024-03-21T12:00", ["03-21 10:00"]),
    ],
)
def test_recurrence(tmp_path: Path, lines: list[str], day: str, expected: list[str]) -> None:
    one = event("DTSTART;TZID=Europe/Amsterdam:20240311T100000", "DTEND;TZID=Europe/Amsterdam:20240311T110000", *lines)
    assert starts(calendar_of(tmp_path, wrapped(one)).around(ref(), at(day))) == expected


EXCHANGE_ZONE = """BEGIN:VTIMEZONE\r
TZID:{}\r
BEGIN:STANDARD\r
DTSTART:16010101T030000\r
TZOFFSETFROM:+0200\r
TZOFFSETTO:+0100\r
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r
END:STANDARD\r
BEGIN:DAYLIGHT\r
DTSTART:16010101T020000\r
TZOFFSETFROM:+0100\r
TZOFFSETTO:+0200\r
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r
END:DAYLIGHT\r
END:VTIMEZONE"""


@pytest.mark.parametrize(
    ("tzid", "defined"),
    [
        ("Europe/Amsterdam", False),
        ("W. Europe Standard Time", False),
        ("W. Europe Standard Time", True),
        ('"W. Europe Standard Time"', True),
        ("/freeassociation.sourceforge.net/Europe/Amsterdam", False),
        ("/mozilla.org/20050126_1/Europe/Amsterdam", False),
        ("Customized Time Zone", True),
        ('"(GMT+01.00) Amsterdam / Berlin / Bern / Rome / Stockholm / Vienna"', True),
    ],
)
def test_a_weekly_meeting_keeps_its_local_time_over_the_change_of_clocks(
    tmp_path: Path, tzid: str, defined: bool
) -> None:
    """Summer time began on 31 March 2024 and ended on 27 October."""
    zone = [EXCHANGE_ZONE.format(tzid.strip('"'))] if defined else []
    one = event(f"DTSTART;TZID={tzid}:20240325T100000", f"DTEND;TZID={tzid}:20240325T110000", "RRULE:FREQ=WEEKLY")
    calendar = calendar_of(tmp_path, wrapped(*zone, one))
    for day in ("2024-03-25", "2024-04-01", "2024-10-21", "2024-10-28"):
        [found] = calendar.around(ref(), at(f"{day}T10:00"))
        assert (found.start, found.end) == (at(f"{day}T10:00"), at(f"{day}T11:00"))


def test_a_zone_of_one_file_is_not_that_of_another(tmp_path: Path) -> None:
    west = EXCHANGE_ZONE.format("Customized Time Zone").replace("+0200", "-0400").replace("+0100", "-0500")
    east = EXCHANGE_ZONE.format("Customized Time Zone")
    first = event("DTSTART;TZID=Customized Time Zone:20240715T100000", uid="a")
    second = event("DTSTART;TZID=Customized Time Zone:20240715T100000", uid="b")
    calendar = calendar_of(tmp_path, wrapped(west, first), wrapped(east, second))
    assert starts(calendar.around(ref(), at("2024-07-15T10:00"))) == ["07-15 10:00", "07-15 16:00"]


def test_people_in_several_time_zones(tmp_path: Path) -> None:
    """Three weeks a year New York is five hours behind Amsterdam, not six; and 22:00 there is tomorrow here."""
    late = event("DTSTART;TZID=America/New_York:20240304T220000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
    calendar = calendar_of(tmp_path, wrapped(late))
    assert starts(calendar.around(ref(), at("2024-03-05T04:00"))) == ["03-05 04:00"]
    assert starts(calendar.around(ref(), at("2024-03-12T04:00"))) == ["03-12 03:00"]
    assert starts(calendar.around(ref(), at("2024-04-02T04:00"))) == ["04-02 04:00"]


@pytest.mark.parametrize("start", ["DTSTART;VALUE=DATE:20240331", "DTSTART:20240331"])
def test_an_all_day_meeting_lasts_its_local_day_also_when_that_has_23_hours(tmp_path: Path, start: str) -> None:
    [found] = calendar_of(tmp_path, wrapped(event(start))).around(ref(), at("2024-03-31T12:00"))
    assert (found.start, found.end) == (at("2024-03-31T00:00"), at("2024-04-01T00:00"))


def test_a_meeting_of_several_days_is_found_on_each(tmp_path: Path) -> None:
    days = event("DTSTART;VALUE=DATE:20240311", "DTEND;VALUE=DATE:20240318")
    calendar = calendar_of(tmp_path, wrapped(days))
    assert len(calendar.around(ref(), at("2024-03-14T12:00"))) == 1
    assert calendar.around(ref(), at("2024-03-19T12:00")) == ()


@pytest.mark.parametrize(
    ("head", "policy", "expected"),
    [
        ("", "Europe/Amsterdam", 10),
        ("", "America/New_York", 15),
        ("X-WR-TIMEZONE:Europe/London\r\n", "Europe/Amsterdam", 11),
    ],
)
def test_a_floating_time_is_local(tmp_path: Path, head: str, policy: str, expected: int) -> None:
    text = wrapped(event("DTSTART:20240311T100000")).replace("BEGIN:VEVENT", f"{head}BEGIN:VEVENT")
    [found] = calendar_of(tmp_path, text, timezone=policy).around(ref(), at("2024-03-11T12:00"))
    assert starts([found]) == [f"03-11 {expected}:00"]


# ── names with and without a site ──


def test_a_name_without_its_site_means_that_of_any_site(tmp_path: Path) -> None:
    here = event("DTSTART:20240311T090000Z", "URL:https://x.example/join/111111111@here", uid="here")
    there = event("DTSTART:20240311T100000Z", "URL:https://x.example/join/111111111@there", uid="there")
    bare = event("DTSTART:20240311T110000Z", "URL:https://x.example/join/111111111", uid="bare")
    calendar = calendar_of(tmp_path, wrapped(here, there, bare))
    assert calendar.series_of(ref("111111111", "here")) == ("bare", "here")
    assert calendar.series_of(ref("111111111")) == ("bare", "here", "there")
    assert [o.uid for o in calendar.around(ref("111111111", "there"), at("2024-03-11T12:00"))] == ["there", "bare"]


@pytest.mark.parametrize(
    "line",
    [
        "SUMMARY:Stg. GEHEIM: plan",
        "DESCRIPTION:Agenda\\nRubricering: Stg. GEHEIM\\nGroet",
        "CATEGORIES:Rood,GEHEIM",
        "CLASS:STG-GEHEIM",
        "X-ALT-DESC;FMTTYPE=text/html:<p>Stg.&nbsp;GEHEIM</p>",
    ],
)
def test_the_marking_is_found_in_title_description_class_and_categories(tmp_path: Path, line: str) -> None:
    calendar = calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", line, "CLASS:CONFIDENTIAL")))
    [found] = calendar.around(ref(), at("2024-03-11T10:00"))
    assert found.classification == "Stg. GEHEIM"


# ── many files ──


def test_recurring_meetings_are_counted_out_only_when_asked(tmp_path: Path) -> None:
    """A fresh process reads a calendar without the library for recurrences; the first question brings it in."""
    (tmp_path / "a.ics").write_text(wrapped(WEEKLY.replace("20240311", "19710104")))
    program = (
        "import sys; from pathlib import Path; from monitor.sources.calendars import load_calendars\n"
        "from monitor.model.invitations import MeetingText\n"
        "load_calendars([Path(sys.argv[1])], read_text=lambda t: MeetingText(), number_text=lambda t: None,"
        " timezone='Europe/Amsterdam', classifications=())\n"
        "print(sorted({'icalendar', 'recurring_ical_events', 'dateutil', 'phonenumbers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_and_folders_in_any_order_give_the_same(tmp_path: Path) -> None:
    series = [event(f"DTSTART:20240311T{hour:02}0000Z", uid=f"{hour}@x.example") for hour in (12, 9, 15)]
    moved = event("RECURRENCE-ID:20240318T090000Z", "DTSTART:20240319T090000Z")
    files = [wrapped(WEEKLY), wrapped(moved), *map(wrapped, series)]
    one, other = calendar_of(tmp_path, *files), calendar_of(tmp_path, *files[::-1])
    for day in ("2024-03-11T10:00", "2024-03-18T10:00"):
        assert one.around(ref(), at(day)) == other.around(ref(), at(day))
    assert [o.uid for o in one.around(ref(), at("2024-03-11T10:00"))] == [
        "9@x.example",
        "one@example.org",
        "12@x.example",
        "15@x.example",
    ]


BYDAY = st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), max_size=3)


@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    interval=st.integers(1, 5),
    days=BYDAY,
    bound=st.sampled_from(["", ";COUNT=5", ";UNTIL=20241231", ";UNTIL=20241231T090000", ";UNTIL=20241231T090000Z"]),
    start=st.sampled_from(
        [":20240227T090000Z", ";TZID=Europe/Amsterdam:20240331T023000", ";VALUE=DATE:20240229", ":20240301T090000"]
    ),
    day=st.integers(0, 700),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sound_rule_is_counted_out(
    tmp_path: Path, frequency: str, interval: int, days: set[str], bound: str, start: str, day: int
) -> None:
    rule = f"RRULE:FREQ={frequency};INTERVAL={interval}{bound}" + (f";BYDAY={','.join(sorted(days))}" if days else "")
    calendar = calendar_of(tmp_path, wrapped(event(f"DTSTART{start}", rule)))
    asked = datetime(2024, 2, 20, 12, tzinfo=AMSTERDAM) + timedelta(days=day)
    found = calendar.around(ref(), int(asked.timestamp()) * SECOND)
    assert len(found) <= 3
    assert all(
        abs((datetime.fromtimestamp(o.start // SECOND, AMSTERDAM).date() - asked.date()).days) <= 1 for o in found
    )


@given(
    st.lists(
        st.sampled_from([*wrapped(WEEKLY).split("\r\n"), "BEGIN:VTIMEZONE", "TZID:x", "END:VTIMEZONE", " more", ""]),
        max_size=25,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_heap_of_lines_is_a_calendar_or_told_mistakes(tmp_path: Path, lines: list[str]) -> None:
    try:
        calendar = calendar_of(tmp_path, "\r\n".join(lines))
    except ConfigError as error:
        told = [problem.expected for problem in error.problems]
    else:
        told = [str(calendar.series_of(ref()))]
    assert told
    assert all(told)


SAMPLE = wrapped(EXCHANGE_ZONE.format("Own"), WEEKLY.replace("TZID=Europe/Amsterdam", "TZID=Own")).encode()


@given(st.integers(0, len(SAMPLE)), st.integers(0, 40), st.binary(max_size=20))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_told_or_does_no_harm(tmp_path: Path, place: int, lost: int, put: bytes) -> None:
    try:
        calendar = calendar_of(tmp_path, SAMPLE[:place] + put + SAMPLE[place + lost :])
    except ConfigError as error:
        told = [problem.expected for problem in error.problems]
    else:
        told = [repr(calendar.around(ref(), at("2024-03-18T10:00")))]
    assert all(told)


@pytest.mark.parametrize(
    "line",
    ["X" + ";A=b " * 5000, "X" + ';A="b' * 5000, "X;A=" + "," * 50_000, "a." * 30_000, "X" + ";" * 50_000],
    ids=["spaces", "quotes", "commas", "dots", "semicolons"],
)
def test_a_line_made_to_be_tried_in_many_ways_is_given_up_at_once(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="a line that is no property"):
        calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", line)))


@pytest.mark.parametrize(
    "html",
    ["<a href='x' " * 20_000, "<" * 200_000, "<style>" * 30_000, "<!" + "-" * 200_000, "&#" * 100_000],
    ids=["attributes", "brackets", "styles", "comment", "entities"],
)
def test_html_made_to_be_tried_in_many_ways_is_read_once(tmp_path: Path, html: str) -> None:
    text = wrapped(event("DTSTART:20240311T090000Z", f"X-ALT-DESC;FMTTYPE=text/html:{html} join/55555555555"))
    assert calendar_of(tmp_path, text).series_of(ref()) == ("one@example.org",)


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;BYSETPOS=2", "FREQ=WEEKLY;BYMONTH=6;BYWEEKNO=2", "FREQ=DAILY;INTERVAL=7;BYDAY=TU"]
)
def test_a_rule_that_no_day_fits_is_told_and_not_followed_for_ever(tmp_path: Path, rule: str) -> None:
    with pytest.raises(ConfigError, match="which no day fits"):
        calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", f"RRULE:{rule}")))


@pytest.mark.parametrize(
    "rule", ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "FREQ=YEARLY;BYDAY=53TH"]
)
def test_a_rule_that_few_days_fit_is_sound(tmp_path: Path, rule: str) -> None:
    calendar = calendar_of(tmp_path, wrapped(event("DTSTART:20240311T090000Z", f"RRULE:{rule}")))
    assert calendar.series_of(ref()) == ("one@example.org",)
