"""What becomes of a fetched list before anybody reads it: checked, cleaned, weighed against the one before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.fetch.keeping import Form, Trouble, keep
from monitor.fetch.ldap import HEADER, row_of
from monitor.fetch.runs import JITTER, PREFACE, Fetcher, Outcome, write_textfile
from monitor.model.fetching import CalendarServer, Fetch
from monitor.model.problems import ConfigError
from monitor.model.settings import Settings
from monitor.pipeline import load_expected
from monitor.sources.numbers import number_text_for
from monitor.sources.settings import load_settings

CALENDARS = Form(
    PREFACE,
    "",
    lambda text: max(0, text.count("BEGIN:VCALENDAR") - 1),
    lambda file: load_expected(meetings=[file]),
)
PEOPLE = Form(HEADER, "", lambda text: max(0, text.count("\n") - 1), lambda file: load_expected(directories=[file]))


def _entry(number: int, start: str = "20260302T090000Z") -> str:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:m{number}@ministry.example\r\nDTSTART:{start}\r\n"
        f"DURATION:PT1H\r\nLOCATION:https://ministry.webex.com/meet/room{number}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def test_entries_that_cannot_be_read_are_left_out_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "lists" / "board.ics"
    entries = [_entry(0), _entry(1, "nonsense"), _entry(2), _entry(3).replace("END:VEVENT", "END:NOTHING"), _entry(4)]
    kept = keep(file, entries, CALENDARS)
    assert (kept.entries, kept.left_out, kept.changed) == (3, 2, True)
    assert file.read_bytes().decode() == PREFACE + _entry(0) + _entry(2) + _entry(4)
    assert [path.name for path in file.parent.iterdir()] == ["board.ics"]
    assert not file.stat().st_mode & 0o007


def test_an_empty_calendar_is_one(tmp_path: Path) -> None:
    assert keep(tmp_path / "board.ics", [], CALENDARS) == (0, 0, True)
    assert keep(tmp_path / "board.ics", [], CALENDARS) == (0, 0, False)


@pytest.mark.parametrize(("had", "have", "is_kept"), [(8, 4, True), (8, 3, False), (3, 1, True), (3, 0, False)])
def test_a_list_that_loses_most_of_its_entries_is_held_back(tmp_path: Path, had: int, have: int, is_kept: bool) -> None:
    file = tmp_path / "board.ics"
    keep(file, [_entry(number) for number in range(had)], CALENDARS)
    before, fewer = file.read_bytes(), [_entry(number) for number in range(have)]
    if not is_kept:
        with pytest.raises(Trouble, match="--accept-shrink"):
            keep(file, fewer, CALENDARS)
        assert file.read_bytes() == before
    assert keep(file, fewer, CALENDARS, accept_shrink=True).entries == have


def test_a_list_whose_every_entry_is_broken_is_none(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    keep(file, ["Anna,anna@ministry.example,,\n"], PEOPLE)
    with pytest.raises(Trouble):
        keep(file, ["Anna,no address,,\n", "one column\n"], PEOPLE)
    assert "anna@ministry.example" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ({"displayName": [b"Anna"], "mail": [b"anna@ministry.example"]}, "Anna,anna@ministry.example,,\n"),
        ({"cn": [b"Nobody"]}, ""),
        (
            {"proxyAddresses": [b"SMTP:a@b.example", b"smtp:c@b.example", b"X500:/o=x", b"sip:a@b.example"]},
            ",a@b.example|c@b.example,,sip:a@b.example\n",
        ),
        ({"cn": [b"=1+1"], "telephonenumber": [b"020 555 0101", b"tst. 4"]}, "1+1,,+31205550101,\n"),
        ({"cn": [b'\x00a\n"b",\x1b[31m\xff'], "mobile": [b"+31612345678"]}, '"a ""b"", [31m\ufffd",,+31612345678,\n'),
        ({"cn": [b"#x"], "mail": [b"a@b.example\nc@d.example", b"a,b@c.example"], "ipPhone": [b"sip:x@y.example"]},
         "x,,,sip:x@y.example\n"),
    ],
)  # fmt: skip
def test_a_person_of_a_server_becomes_a_row_that_the_directory_can_read(
    tmp_path: Path, values: dict[str, list[bytes]], row: str
) -> None:
    assert row_of(values, number_text_for("31")) == row
    if row:
        assert keep(tmp_path / "people.csv", [row], PEOPLE).left_out == 0


def test_metrics_remember_the_last_success(tmp_path: Path) -> None:
    file = tmp_path / "fetch.prom"

    def value(name: str) -> float:
        start = f'joinwatch_fetch_{name}{{list="people"}} '
        return float(
            next(line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith(start))[len(start) :]
        )

    write_textfile(file, "people", Outcome(entries=5))
    succeeded = value("success_timestamp_seconds")
    write_textfile(file, "people", Outcome(trouble="it is away"))
    assert (value("success"), value("entries"), value("success_timestamp_seconds")) == (0, 5, succeeded)


def test_pauses_are_never_quite_the_same_and_short_after_trouble() -> None:
    server = CalendarServer(url="https://cal.example/", interval_seconds=600)
    fetcher = Fetcher("calendars", Settings(fetch=Fetch(calendars=server)), lambda _: None, accept_shrink=False)
    pauses = {fetcher.pause_after(Outcome()) for _ in range(20)}
    assert len(pauses) > 1
    assert all(600 * (1 - JITTER) <= pause <= 600 * (1 + JITTER) for pause in pauses)
    after = [fetcher.pause_after(Outcome(trouble="away")) for _ in range(8)]
    assert after[0] <= 33
    assert 540 <= after[-1] <= 660


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("[fetch.calendars]\nurl = 'http://cal.example/'", "http://"),
        ("[fetch.calendars]\nurl = 'https://anna:secret@cal.example/'", "a url that cannot be used"),
        ("[fetch.calendars]\nurl = 'ftp://cal.example/'", "a url that cannot be used"),
        ("[fetch.calendars]\nurl = 'https://cal.example/'", "no folder"),
        ("[fetch.calendars]\nurl = 'https://cal.example/'\nfolder = 'x'\ncalendars = {'../a' = '/b/'}", "the name"),
        ("[fetch.calendars]\nurl = 'https://cal.example/'\nfolder = 'x'\ncalendars = {a = 'https://evil.example/'}",
         "a = "),
        ("[fetch.calendars]\nurl = 'https://cal.example/'\nusername = 'anna'", "a user without password"),
        ("[fetch.calendars]\ninterval_seconds = 1", "interval_seconds = "),
        ("[fetch.people]\nurl = 'ldaps://ldap.example'\nfile = 'people.csv'", "no base"),
        ("[fetch.people]\nurl = 'ldaps://ldap.example'\nbase = 'o=x'\nfile = 'people.vcf'", "file = "),
        ("[fetch.people]\nurls = 'ldaps://ldap.example'", "unknown key"),
        ("[fetch.people]\nurl = 'ldaps://ldap.example'\ntextfile = '/etc/passwd'", "textfile = "),
    ],
)  # fmt: skip
def test_mistakes_in_the_configuration_are_told(tmp_path: Path, table: str, found: str) -> None:
    config = tmp_path / "joinwatch.toml"
    config.write_text(f"[capture]\ninterfaces = ['eth1']\n{table}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert any(problem.found.startswith(found) and problem.line >= 3 for problem in caught.value.problems)
    assert "secret" not in str(caught.value)


def test_without_the_libraries_it_says_which_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *words: Any, **named: Any) -> Any:
        if name.startswith("caldav."):
            raise ImportError
        return real(name, *words, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    server = CalendarServer(url="https://cal.example/", folder=str(tmp_path), calendars={"a": "/a/"})
    fetcher = Fetcher("calendars", Settings(fetch=Fetch(calendars=server)), lambda _: None, accept_shrink=False)
    assert "pip install 'joinwatch[fetch]'" in fetcher.fetch().trouble
