"""Sixty mistakes of operators: each is told with its file, its line and what was expected, all of a file in one run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.model.invitations import MeetingText
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError, Problem
from monitor.sources.calendars import load_calendars
from monitor.sources.directories import load_directory
from monitor.sources.numbers import number_text_for
from monitor.sources.policies import load_policy

PLATFORMS = ("jitsi", "teams", "webex", "zoom")


class Mistake(NamedTuple):
    """A file with one mistake in it, and what must be told of it."""

    name: str
    text: str | bytes
    line: int
    found: str
    expected: str


def calendar(path: Path) -> None:
    load_calendars(
        [path],
        read_text=lambda _: MeetingText(),
        number_text=number_text_for("31"),
        timezone="Europe/Amsterdam",
        classifications=Policy().classifications,
    )


def directory(path: Path) -> None:
    load_directory([path], number_text=number_text_for("31"))


def policy(path: Path) -> None:
    load_policy(path, known_platforms=PLATFORMS)


def problems_of(load: Callable[[Path], None], path: Path) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value.problems


def ics(*lines: str) -> str:
    """A calendar with one event: the lines given begin on line 4; what is not given is right."""
    held = {re.split("[:;]", line)[0] for line in lines}
    rest = [line for line in ("UID:a@example.org", "DTSTART:20240311T090000Z") if line.split(":")[0] not in held]
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, *rest, "END:VEVENT", "END:VCALENDAR", ""]
    )


def vcf(*lines: str) -> str:
    """A card: the lines given begin on line 3."""
    return "\r\n".join(["BEGIN:VCARD", "VERSION:4.0", *lines, "END:VCARD", ""])


TIME = "a date and time such as 20240311T100000, 20240311T090000Z or 20240311"
BROKEN_ZONE = "BEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"

CALENDARS = [
    Mistake(
        "no calendar",
        "Dear all,\r\nthe meeting is at ten.\r\n",
        1,
        "begins otherwise",
        "BEGIN:VCALENDAR on its first line",
    ),
    Mistake("another kind of file", vcf("FN:Jan"), 1, "begins otherwise", "an iCalendar file"),
    Mistake("empty", "", 0, "an empty file", "an iCalendar file"),
    Mistake("binary", b"BEGIN:VCALENDAR\r\n\x89PNG\x00\x00", 2, "binary content", "an iCalendar file, which is text"),
    Mistake("half-written", ics().replace("END:VEVENT\r\nEND:VCALENDAR\r\n", "DTEND:2"), 6, "DTEND `2`", TIME),
    Mistake(
        "cut off",
        ics().replace("END:VEVENT\r\nEND:VCALENDAR\r\n", ""),
        3,
        "without its END",
        "END:VEVENT before the end of the file",
    ),
    Mistake("END of something else", ics("END:VALARM"), 4, "END:VALARM without its BEGIN", "END:VEVENT, for line 3"),
    Mistake(
        "alarm left open",
        ics().replace("END:VEVENT", "BEGIN:VALARM\r\nEND:VEVENT"),
        6,
        "BEGIN:VALARM without its END",
        "END:VALARM before END:VEVENT",
    ),
    Mistake(
        "two starts",
        "BEGIN:VCALENDAR\r\n" + ics(),
        1,
        "BEGIN:VCALENDAR without its END",
        "before the next BEGIN:VCALENDAR",
    ),
    Mistake(
        "event outside", ics() + "BEGIN:VEVENT\r\nEND:VEVENT\r\n", 8, "VEVENT outside", "BEGIN:VCALENDAR before it"
    ),
    Mistake(
        "unfolded text",
        ics("DESCRIPTION:Bel in", "met PIN 471147"),
        5,
        "a line that is no property",
        "a line that continues begins with a space",
    ),
    Mistake("vCalendar", ics().replace("2.0", "1.0"), 2, "VERSION:1.0", "VERSION:2.0"),
    Mistake("no UID", ics().replace("UID:a@example.org\r\n", ""), 3, "a VEVENT without UID", "UID:"),
    Mistake("empty UID", ics("UID: "), 4, "a VEVENT without UID", "UID:"),
    Mistake("no DTSTART", ics().replace("DTSTART:20240311T090000Z\r\n", ""), 3, "without DTSTART", "DTSTART:"),
    Mistake("DTSTART in words", ics("DTSTART:11 maart 10 uur"), 4, "DTSTART `11 maart 10 uur`", TIME),
    Mistake(
        "30 February", ics("DTSTART:20240230T100000"), 4, "DTSTART `20240230T100000`", "a date and time that exist"
    ),
    Mistake("25 o'clock", ics("DTSTART:20240311T250000Z"), 4, "`20240311T250000Z`", "a date and time that exist"),
    Mistake("year 24", ics("DTSTART:00240311T100000"), 4, "in the year 24", "a year from 1970 to 2199"),
    Mistake(
        "unknown TZID",
        ics("SUMMARY:x", "DTSTART;TZID=Europe/Amsterdm:20240311T100000"),
        5,
        "time zone `Europe/Amsterdm`",
        "an IANA or Windows name, or a VTIMEZONE with this TZID",
    ),
    Mistake(
        "broken VTIMEZONE",
        ics("DTSTART;TZID=Own:20240311T100000").replace("BEGIN:VEVENT", BROKEN_ZONE + "BEGIN:VEVENT"),
        9,
        "time zone `Own`, whose VTIMEZONE on line 3 is broken",
        "STANDARD or DAYLIGHT with DTSTART, TZOFFSETFROM and TZOFFSETTO",
    ),
    Mistake(
        "end before start",
        ics("DTEND:20240311T080000Z"),
        4,
        "DTEND `20240311T080000Z`, before DTSTART",
        "an end after the start",
    ),
    Mistake("bad DURATION", ics("DURATION:1 hour"), 4, "DURATION `1 hour`", "a duration such as PT1H30M"),
    Mistake("no FREQ", ics("RRULE:BYDAY=MO"), 4, "RRULE with no FREQ", "FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"),
    Mistake("odd FREQ", ics("RRULE:FREQ=FORTNIGHTLY"), 4, "FREQ=FORTNIGHTLY", "FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"),
    Mistake(
        "odd BYDAY",
        ics("RRULE:FREQ=WEEKLY;BYDAY=MAANDAG"),
        4,
        "`BYDAY=MAANDAG`",
        "BYDAY with days such as MO,WE or -1FR",
    ),
    Mistake("INTERVAL of 0", ics("RRULE:FREQ=WEEKLY;INTERVAL=0"), 4, "`INTERVAL=0`", "INTERVAL from 1 to 9999"),
    Mistake("odd part", ics("RRULE:FREQ=WEEKLY;EVERY=2"), 4, "`EVERY=2`", "INTERVAL"),
    Mistake("UNTIL and COUNT", ics("RRULE:FREQ=WEEKLY;UNTIL=20240401;COUNT=3"), 4, "UNTIL and COUNT", "one of the two"),
    Mistake("bad UNTIL", ics("RRULE:FREQ=WEEKLY;UNTIL=april"), 4, "`UNTIL=APRIL`", TIME),
    Mistake(
        "hourly", ics("RRULE:FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60)))), 4, "60 times a day", "at most 24"
    ),
    Mistake("first of a week", ics("RRULE:FREQ=WEEKLY;BYDAY=1MO"), 4, "`BYDAY=1MO`", "days without a number"),
    Mistake("mixed days", ics("RRULE:FREQ=MONTHLY;BYDAY=1MO,FR"), 4, "`BYDAY=1MO,FR`", "all have a number, or none"),
    Mistake("ninth Monday", ics("RRULE:FREQ=MONTHLY;BYDAY=9MO"), 4, "`BYDAY=9MO`", "the first to the fifth"),
    Mistake(
        "never",
        ics("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        4,
        "which no day fits",
        "a day that exists in its months",
    ),
    Mistake("bad EXDATE", ics("RRULE:FREQ=WEEKLY", "EXDATE:20240318T090000Z,tomorrow"), 5, "EXDATE `tomorrow`", TIME),
    Mistake("bad RECURRENCE-ID", ics("RECURRENCE-ID:3"), 4, "RECURRENCE-ID `3`", TIME),
    Mistake("bad SEQUENCE", ics("SEQUENCE:second"), 4, "SEQUENCE `second`", "a whole number"),
    Mistake(
        "bad attendee",
        ics("ATTENDEE;CN=Jan:mailto:jan at example.org"),
        4,
        "ATTENDEE `mailto:jan at example.org`",
        "mailto:jan@example.org",
    ),
    Mistake("empty organizer", ics("ORGANIZER;CN=Jan:"), 4, "ORGANIZER without an address", "mailto:jan@example.org"),
]

TABLE = "name;email;phone\nJan;jan@example.org;+31205550123\n"
DIRECTORIES = [
    Mistake(
        "no header.csv",
        "Jan;jan@example.org;+31205550123\n",
        1,
        "names no column",
        "a header row with columns such as name, email, phone",
    ),
    Mistake("empty.csv", "", 0, "an empty file", "a table in CSV"),
    Mistake("binary.csv", b"name;email\nPK\x03\x04\x00\x00", 2, "binary content", "a table in CSV, which is text"),
    Mistake(
        "no addresses.csv",
        "name;department\nJan;Juridisch\n",
        1,
        "no column with addresses",
        "at least one of email, phone, sip and range",
    ),
    Mistake(
        "misspelt column.csv", "name;emial;phone\nJan;jan@example.org;\n", 1, "column `emial`", "did you mean email?"
    ),
    Mistake(
        "bad e-mail.csv", TABLE + "An;an(at)example.org;\n", 3, "e-mail address `an(at)example.org`", "jan@example.org"
    ),
    Mistake("two ats.csv", TABLE + "An;an@b@example.org;\n", 3, "e-mail address `an@b@example.org`", "jan@example.org"),
    Mistake(
        "letters in a number.csv",
        TABLE + "An;;+31 20 555 O123\n",
        3,
        "number `+31 20 555 O123`",
        "a telephone number such as +31205550123",
    ),
    Mistake(
        "number too long.csv",
        TABLE + "An;;+312055501231234567\n",
        3,
        "number `+312055501231234567`",
        "a telephone number",
    ),
    Mistake("number in words.csv", TABLE + "An;;ask the desk\n", 3, "number `ask the desk`", "a telephone number"),
    Mistake(
        "too few columns.csv", TABLE + "An;an@example.org\n", 3, "a row of 2 columns", "3 columns, as the header has"
    ),
    Mistake(
        "too many columns.csv",
        TABLE + "\nAn;an@example.org;;x\n",
        4,
        "a row of 4 columns",
        "3 columns, as the header has",
    ),
    Mistake(
        "open quote.csv",
        TABLE + 'An;"an@example.org;\nPiet;;\n',
        3,
        "a quote that is not closed",
        "text in quotes to its end",
    ),
    Mistake(
        "quote within.csv", TABLE + 'An;"an"x@example.org;\n', 3, "a field that is no CSV", "a quote in it doubled"
    ),
    Mistake("bad range.csv", "name;range\nZaal;020555\n", 2, "range `020555`", "the beginning of its numbers in E.164"),
    Mistake(
        "range of a region.csv", "name;range\nZaal;+312\n", 2, "range `+312`", "the beginning of its numbers in E.164"
    ),
    Mistake("bad sip.csv", "name;sip\nJan;sip:@\n", 2, "SIP address `sip:@`", "sip:jan@example.org"),
    Mistake("no card.vcf", "name;email\nJan;jan@example.org\n", 1, "begins otherwise", "BEGIN:VCARD on its first line"),
    Mistake("calendar.vcf", ics(), 1, "begins otherwise", "a vCard file"),
    Mistake(
        "open card.vcf",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Jan\r\n" + vcf("FN:An"),
        1,
        "BEGIN:VCARD without its END",
        "END:VCARD before the next BEGIN:VCARD",
    ),
    Mistake(
        "cut off.vcf",
        vcf("FN:An") + "BEGIN:VCARD\r\nFN:Jan\r\n",
        5,
        "BEGIN:VCARD without its END",
        "END:VCARD before the end of the file",
    ),
    Mistake("bad e-mail.vcf", vcf("FN:Jan", "EMAIL;TYPE=work:jan@"), 4, "e-mail address `jan@`", "jan@example.org"),
    Mistake(
        "bad number.vcf",
        vcf("FN:Jan", "TEL;TYPE=cell:+31-six"),
        4,
        "number `+31-six`",
        "a telephone number such as +31205550123",
    ),
    Mistake(
        "bad sip.vcf",
        vcf("X-SIP:jan jansen@example.org"),
        3,
        "SIP address `jan jansen@example.org`",
        "sip:jan@example.org",
    ),
    Mistake("no property.vcf", vcf("FN:Jan", "Telephone +31205550123"), 4, "a line that is no property", "NAME:value"),
    Mistake(
        "stray END.vcf", vcf("FN:Jan") + "END:VCARD\r\n", 5, "END:VCARD without its BEGIN", "BEGIN:VCARD before it"
    ),
    Mistake("version.vcf", vcf().replace("4.0", "5.0"), 2, "VERSION `5.0`", "2.1, 3.0, 4.0"),
]

POLICIES = [
    Mistake(
        "no quotes",
        "country_code = '31'\ntimezone = Europe/Amsterdam\n",
        2,
        "timezone = Europe/Amsterdam",
        'timezone = "text"',
    ),
    Mistake("open quote", 'timezone = "Europe/Amsterdam\n', 1, "not closed", "a quote at the end"),
    Mistake("open list", "[site]\nrecorders = ['192.0.2.1',\n\n[rules]\n", 2, "not closed", "`]` or `}` at the end"),
    Mistake("no comma", "[site]\nrecorders = [\n  '192.0.2.1'\n  '192.0.2.2'\n]\n", 2, "not closed", "commas between"),
    Mistake(
        "no equals sign", "timezone 'Europe/Amsterdam'\n", 1, "timezone 'Europe/Amsterdam'", 'key = "value", or [table]'
    ),
    Mistake("open header", "[site\nrecorders = []\n", 1, "[site", "`]`"),
    Mistake("key twice", "timezone = 'UTC'\ntimezone = 'UTC'\n", 2, "`timezone` a second time", "once"),
    Mistake("table twice", "[site]\n[rules]\n[site]\n", 3, "`[site]` a second time", "once"),
    Mistake("not UTF-8", b"timezone = 'UTC'\n# co\xf6rdinatie\n", 2, "not UTF-8", "saved as UTF-8"),
    Mistake("binary", b"timezone = 'UTC'\n\0\0", 2, "binary content", "a policy in TOML, which is text"),
    Mistake("unknown key", "timezon = 'UTC'\n", 1, "unknown key `timezon`", "did you mean timezone?"),
    Mistake("unknown table", "[sites]\n", 1, "unknown key `sites`", "did you mean site?"),
    Mistake(
        "unknown key in a table",
        "[site]\n\ntrusted_trunk = []\n",
        3,
        "`trusted_trunk` in [site]",
        "did you mean trusted_trunks?",
    ),
    Mistake(
        "unknown key of a platform",
        "[platforms.webex]\nhost = []\n",
        2,
        "`host` in [platforms.webex]",
        "did you mean hosts?",
    ),
    Mistake(
        "unknown threshold",
        "[rules]\nearly_minute = 3\n",
        2,
        "`early_minute` in [rules]",
        "did you mean early_minutes?",
    ),
    Mistake("number for a text", "timezone = 1\n", 1, "timezone = `1`", "a text in quotes"),
    Mistake("code as number", "country_code = 31\n", 1, "country_code = `31`", "a text in quotes"),
    Mistake("text for a list", "[site]\nrecorders = '192.0.2.1'\n", 2, "recorders = `192.0.2.1`", "a list of texts"),
    Mistake("text for a table", "site = 'here'\n", 1, "site = `here`", "a table"),
    Mistake("text for a number", "[rules]\nlate_minutes = '30'\n", 2, "late_minutes = `30`", "a whole number"),
    Mistake("true for a number", "[rules]\nlate_minutes = true\n", 2, "late_minutes = true", "a whole number"),
    Mistake("negative", "[rules]\nlate_minutes = -1\n", 2, "late_minutes = -1", "a whole number from 0"),
    Mistake("none at all", "[rules]\nbruteforce_pins = 0\n", 2, "bruteforce_pins = 0", "a whole number from 1"),
    Mistake(
        "unknown zone",
        "timezone = 'Europe/Amsterdm'\n",
        1,
        "timezone `Europe/Amsterdm`",
        "an IANA time zone such as Europe/Amsterdam",
    ),
    Mistake("code with a plus", "country_code = '+31'\n", 1, "country_code `+31`", "without plus"),
    Mistake("code of no country", "country_code = '999'\n", 1, "country_code `999`", "a calling code"),
    Mistake("no levels", "classifications = []\n", 1, "no classifications", "at least one name"),
    Mistake("level twice", "classifications = [\n 'Ongerubriceerd',\n 'A',\n 'A']\n", 4, "`A` twice", "each once"),
    Mistake(
        "default not in the list",
        "default_classification = 'Dep.V'\n",
        1,
        "default_classification `Dep.V`",
        "did you mean Dep.V.?",
    ),
    Mistake(
        "list without the default",
        "\nclassifications = ['A', 'B']\n",
        2,
        "without Ongerubriceerd, the default",
        "one of A, B",
    ),
    Mistake(
        "methods of no level",
        "[allowed_methods]\n'Geheim' = ['web']\n",
        2,
        "classification `Geheim`",
        "one of Ongerubriceerd, Dep.V.",
    ),
    Mistake(
        "unknown method",
        "[allowed_methods]\n'Dep.V.' = ['sip',\n 'phone']\n",
        3,
        "method `phone`",
        "one of pstn, sip, h323, web",
    ),
    Mistake(
        "limit not in the list",
        "[platforms.zoom]\nmax_classification = 'Secret'\n",
        2,
        "max_classification `Secret`",
        "one of Ongerubriceerd",
    ),
    Mistake(
        "link for a host",
        "[platforms.zoom]\nhosts = ['https://zoom.example/']\n",
        2,
        "hosts `https://zoom.example/`",
        "a host name such as meet.example.org",
    ),
    Mistake("unknown platform", "[platforms.webx]\n", 1, "platform `webx`", "did you mean webex?"),
    Mistake(
        "bad address",
        "[site]\ntrusted_trunks = [\n '192.0.2.1',\n '192.0.2.256']\n",
        4,
        "trusted_trunks `192.0.2.256`",
        "an IP address or network",
    ),
    Mistake(
        "host bits",
        "[site]\nexternal_trunks = ['192.0.2.1/24']\n",
        2,
        "external_trunks `192.0.2.1/24`",
        "the network 192.0.2.0/24",
    ),
    Mistake(
        "national prefix",
        "[site]\ninternal_numbers = ['020555']\n",
        2,
        "internal_numbers `020555`",
        "E.164, such as +3120555",
    ),
    Mistake(
        "bridge by name",
        "[site.bridges]\n'bridge.example.org' = 'webex'\n",
        2,
        "bridges `bridge.example.org`",
        "an IP address",
    ),
    Mistake(
        "bridge of no platform",
        "[site]\nbridges = {'192.0.2.1' = 'meet'}\n",
        2,
        "platform `meet`",
        "one of jitsi, teams, webex, zoom",
    ),
    Mistake(
        "national number",
        "[site.access_numbers]\n'0205550199' = 'webex'\n",
        2,
        "access_numbers `0205550199`",
        "a number in E.164 such as +31205550123",
    ),
]


def cases(mistakes: list[Mistake], load: Callable[[Path], None], suffix: str) -> list[object]:
    return [pytest.param(mistake, load, suffix, id=f"{suffix[1:]} {mistake.name}") for mistake in mistakes]


@pytest.mark.parametrize(
    ("mistake", "load", "suffix"),
    [*cases(CALENDARS, calendar, ".ics"), *cases(DIRECTORIES, directory, ""), *cases(POLICIES, policy, ".toml")],
)
def test_a_mistake_is_told_with_its_line_and_what_was_expected(
    tmp_path: Path, mistake: Mistake, load: Callable[[Path], None], suffix: str
) -> None:
    path = tmp_path / f"{mistake.name}{suffix}"
    path.write_bytes(mistake.text if isinstance(mistake.text, bytes) else mistake.text.encode())
    told = problems_of(load, path)
    assert {problem.file for problem in told} == {str(path)}
    fitting = [p for p in told if mistake.found in p.found and mistake.expected in p.expected]
    assert [problem.line for problem in fitting] == [mistake.line], told
    # A file that ends in the middle has that told too; otherwise one mistake is told once.
    assert len(told) == 1 or all("without its END" in problem.found for problem in told if problem not in fitting)


def test_there_are_twenty_of_each() -> None:
    assert min(len(CALENDARS), len(DIRECTORIES), len(POLICIES)) >= 20


def test_all_mistakes_of_all_calendars_are_told_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_text(ics("DTSTART:x", "RRULE:FREQ=x", "ATTENDEE:mailto:x", "SEQUENCE:x", "DTEND:x"))
    (tmp_path / "b.ics").write_text(ics().replace("UID:a@example.org\r\n", ""))
    (tmp_path / "c.ics").write_text(ics())
    told = problems_of(calendar, tmp_path)
    assert [(Path(p.file).name, p.line) for p in told] == [*(("a.ics", n) for n in range(4, 9)), ("b.ics", 3)]


def test_all_mistakes_of_a_directory_are_told_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE + "An;an@;+31x\nPiet;p@example.org\nKees;k(at)example.org;\n")
    (tmp_path / "b.vcf").write_text(vcf("EMAIL:x", "TEL:hello", "X-SIP:a b"))
    told = problems_of(directory, tmp_path)
    assert [(Path(p.file).name, p.line) for p in told] == [
        *(("a.csv", n) for n in (3, 3, 4, 5)),
        *(("b.vcf", n) for n in (3, 4, 5)),
    ]


@pytest.mark.parametrize(("load", "suffix"), [(calendar, ".ics"), (directory, ".vcf"), (policy, ".toml")])
def test_a_path_that_leads_nowhere_is_told(tmp_path: Path, load: Callable[[Path], None], suffix: str) -> None:
    [told] = problems_of(load, tmp_path / f"none{suffix}")
    assert told.found == "no such file or directory"
    assert "that can be read" in told.expected


@pytest.mark.parametrize(("load", "expected"), [(calendar, "*.ics"), (directory, "*.vcf or *.csv")])
def test_a_folder_without_such_files_is_told(tmp_path: Path, load: Callable[[Path], None], expected: str) -> None:
    [told] = problems_of(load, tmp_path)
    assert told.expected == f"a folder with at least one {expected}"


def test_what_may_be_a_secret_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "a.ics"
    path.write_text(ics("DESCRIPTION:Bel in", "PIN 471147", "LOCATION:https://x.example/?pwd=hunter2", "DTEND:x"))
    text = "\n".join(map(str, problems_of(calendar, path)))
    assert "471147" not in text
    assert "hunter2" not in text


def test_what_is_repeated_is_short_and_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.ics"
    path.write_text(ics("DTSTART:\x1b]0;title\x07" + "9" * 500))
    [told] = problems_of(calendar, path)
    assert "\x1b" not in told.found
    assert len(told.found) < 100


def test_a_file_of_nothing_but_mistakes_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.ics"
    path.write_text("BEGIN:VCALENDAR\n" + "no property\n" * 5000)
    assert len(problems_of(calendar, path)) == 1000
