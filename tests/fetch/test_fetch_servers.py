"""Fetchers against real servers, as programs of their own: what stands there is in the files, or the files stay."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from monitor.fetch.runs import Fetcher, What
from monitor.model.invitations import Address
from monitor.pipeline import load_expected
from monitor.sources.settings import load_settings
from tests.corpus import ROOT
from tests.fetch.servers import BASE, PASSWORD, READER, Radicale, Slapd, radicale, slapd

pytest.importorskip("caldav", reason="the extra `fetch` is not installed", exc_type=ImportError)
pytest.importorskip("ldap3", reason="the extra `fetch` is not installed", exc_type=ImportError)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # ldap3 of 2021 and pyasn1 of today
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # ldap3 leaves a connection whose certificate is refused
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class World:
    """A configuration, and where its files are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.password = folder / "joinwatch.toml", folder / "password"
        self.calendar, self.people = folder / "calendars" / "board.ics", folder / "people.csv"
        self.textfile = folder / "fetch.prom"
        self.password.touch(mode=0o600)
        self.password.write_text(PASSWORD + "\n", encoding="ascii")

    def configure(self, table: str, **values: object) -> None:
        given = {key: value for key, value in values.items() if value is not None}  # none: left out
        texts = {key: value if isinstance(value, (bool, int)) else str(value) for key, value in given.items()}
        lines = [f"{key} = {json.dumps(text)}" for key, text in texts.items()]
        self.config.write_text(
            f'[capture]\ninterfaces = ["eth1"]\n[fetch.{table}]\ntextfile = "{self.textfile}"\n'
            + "\n".join(lines)
            + "\n",
            encoding="utf-8",
        )

    def calendars(self, url: str, ca: Path | None, **more: object) -> None:
        values = {"url": url, "username": "anna", "password_file": self.password, "ca_file": ca, "timeout_seconds": 10}
        values |= {"folder": self.calendar.parent}
        self.configure("calendars", **values | more)
        with self.config.open("a", encoding="utf-8") as file:
            file.write('calendars = { board = "/anna/board/" }\n')

    def directory(self, url: str, ca: Path, **more: object) -> None:
        values = {"url": url, "username": READER, "password_file": self.password, "ca_file": ca, "base": BASE}
        self.configure("people", **values | {"file": self.people, "timeout_seconds": 10} | more)

    def fetch(self, what: What, *more: str) -> tuple[int, str]:
        """Exit code, and what it says."""
        said: list[str] = []
        fetcher = Fetcher(what, load_settings(self.config), said.append, accept_shrink="--accept-shrink" in more)
        outcome = fetcher.fetch()
        assert not any(PASSWORD in line for line in said)
        return int(bool(outcome.trouble)), "".join(f"joinwatch: {line}\n" for line in said)

    def program(self, what: What) -> tuple[int, str]:
        """The same of the program."""
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "fetch", what, "--config", str(self.config), "--once"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not done.stdout
        return done.returncode, done.stderr

    def metric(self, name: str) -> float:
        text = self.textfile.read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith(f"joinwatch_fetch_{name}{{"))
        return float(line.rsplit(" ", 1)[1])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="module")
def calendar_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with radicale(tmp_path_factory.mktemp("caldav") / "radicale") as server:
        yield server


@pytest.fixture(scope="module")
def directory_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("ldap") / "slapd") as server:
        yield server


def _meeting(number: int, *, days: int = 1, broken: bool = False) -> str:
    start = datetime.now(UTC) + timedelta(days=days)
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "BEGIN:VEVENT", f"UID:m{number}@ministry.example",
        "DTSTAMP:20260101T000000Z", f"DTSTART:{start:%Y%m%dT%H0000Z}", "DURATION:PT1H", f"SUMMARY:Meeting {number}",
        "ORGANIZER:mailto:anna@ministry.example", f"LOCATION:https://ministry.webex.com/meet/room{number}",
        "ATTENDEE:mailto:bram@ministry.example", *(["RRULE:FREQ=NONSENSE"] if broken else []),
        "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def _uids(file: Path) -> set[str]:
    return {line[4:] for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("UID:")}


def test_a_calendar_goes_from_the_server_into_the_list_of_meetings(world: World, calendar_server: Radicale) -> None:
    server = calendar_server
    for number, days in ((1, 1), (2, 30), (3, 200)):
        assert server.ask("PUT", f"/anna/board/m{number}.ics", _meeting(number, days=days)) == 201
    world.calendars(server.url, server.ca)
    assert world.program("calendars") == (0, "joinwatch: fetch calendars: 2 entries, changed\n")
    assert _uids(world.calendar) == {"m1@ministry.example", "m2@ministry.example"}
    named = {ref.value for ref, _ in load_expected(meetings=[world.calendar]).calendar.named()}
    assert {value.rpartition("/")[2] for value in named} >= {"room1", "room2"}
    assert (world.metric("success"), world.metric("entries")) == (1, 2)

    before = world.calendar.stat()
    assert world.fetch("calendars") == (0, "joinwatch: fetch calendars: 2 entries, as before\n")
    assert world.calendar.stat().st_mtime_ns == before.st_mtime_ns

    # Many, of which most go at once; and one that nobody can read.
    for number in range(10, 16):
        assert server.ask("PUT", f"/anna/board/m{number}.ics", _meeting(number)) == 201
    assert world.fetch("calendars")[0] == 0
    for number in range(10, 16):
        assert server.ask("DELETE", f"/anna/board/m{number}.ics") == 200
    code, said = world.fetch("calendars")
    assert (code, len(_uids(world.calendar))) == (1, 8)
    assert "would shrink from 8 entries to 2" in said
    assert (world.metric("success"), world.metric("entries")) == (0, 8)
    assert world.fetch("calendars", "--accept-shrink")[0] == 0
    assert len(_uids(world.calendar)) == 2
    for number in (1, 2, 3):
        server.ask("DELETE", f"/anna/board/m{number}.ics")


def test_other_people_s_faults_keep_the_old_file(world: World, calendar_server: Radicale, tmp_path: Path) -> None:
    server = calendar_server
    world.calendar.parent.mkdir()
    world.calendar.write_text(_meeting(1), encoding="utf-8", newline="")
    before = world.calendar.read_bytes()

    world.password.write_text("wrong\n", encoding="ascii")
    world.calendars(server.url, server.ca)
    code, said = world.fetch("calendars")
    assert (code, "does not accept our name and password" in said) == (1, True), said
    world.password.write_text(PASSWORD + "\n", encoding="ascii")

    from tests.fetch.servers import certificate

    other, _ = certificate(tmp_path)
    world.calendars(server.url, other)
    code, said = world.fetch("calendars")
    assert (code, "certificate" in said) == (1, True), said

    world.calendars("https://localhost:9/", server.ca)
    code, said = world.program("calendars")
    assert (code, "it is away" in said) == (1, True), said
    assert world.metric("success") == 0
    assert world.calendar.read_bytes() == before


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(207, b"<html>hello", id="garbage"),
        pytest.param(207, b"\x00" * 3_000_000, id="too much"),
        pytest.param(207, b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><x>&a;</x>', id="entities"),
        pytest.param(302, b"", id="redirect"),
        pytest.param(500, b"", id="error"),
    ],
)
def test_a_server_that_talks_rubbish_changes_nothing(world: World, status: int, body: bytes) -> None:
    class Rubbish(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://203.0.113.9/")
            self.end_headers()
            self.wfile.write(body)

        do_REPORT = do_PROPFIND = do_OPTIONS = do_GET = answer  # noqa: N815 - as the library calls them

        def log_message(self, *_: object) -> None:
            pass

    world.calendar.parent.mkdir()
    world.calendar.write_text(_meeting(1), encoding="utf-8", newline="")
    before = world.calendar.read_bytes()
    with HTTPServer(("127.0.0.1", 0), Rubbish) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        port = server.server_address[1]
        world.calendars(f"http://127.0.0.1:{port}/", None, plaintext=True, max_mebibytes=1)
        code, said = world.fetch("calendars")
        server.shutdown()
        thread.join()
    assert code == 1, said
    assert world.calendar.read_bytes() == before


@pytest.mark.parametrize("scheme", ["ldaps", "ldap with StartTLS"])
def test_people_go_from_the_server_into_the_directory(world: World, directory_server: Slapd, scheme: str) -> None:
    server = directory_server
    world.directory(server.tls_url if scheme == "ldaps" else server.url, server.ca)
    assert world.fetch("people") == (0, "joinwatch: fetch people: 5 entries, changed\n")
    directory = load_expected(directories=[world.people]).directory

    def name_of(address: str) -> str:
        (person,) = directory.people_with(Address(address))
        return person.name

    assert name_of("mailto:anna@ministry.example") == name_of("tel:+31205550101") == "Anna de Vries"
    assert name_of("tel:+31639550101") == "Anna de Vries"
    assert name_of("mailto:bram@ministry.example") == name_of("tel:+31205550102") == 'HYPERLINK("Bram")'
    assert name_of("mailto:carla@ministry.example") == 'Carla Claes, "de baas"'
    assert name_of("tel:+31205550104") == "Dirk"
    assert name_of("tel:+31205550105") == "Eva"
    assert world.metric("entries") == 5


def test_a_directory_that_cannot_be_asked_keeps_the_old_file(
    world: World, directory_server: Slapd, tmp_path: Path
) -> None:
    from tests.fetch.servers import certificate

    server = directory_server
    world.people.write_text("name,email\nAnna,anna@ministry.example\n", encoding="ascii")
    before = world.people.read_bytes()
    other, _ = certificate(tmp_path)
    tries = {
        "its certificate is not one that we trust": (server.tls_url, other, PASSWORD),
        "it is away": ("ldaps://localhost:9", server.ca, PASSWORD),
        "it does not accept our name and password": (server.tls_url, server.ca, "wrong"),
    }
    for words, (url, ca, password) in tries.items():
        world.password.write_text(password + "\n", encoding="ascii")
        world.directory(url, ca)
        code, said = world.fetch("people")
        assert (code, words in said) == (1, True), said
    assert world.metric("success") == 0
    assert world.people.read_bytes() == before


def test_a_credential_of_systemd_comes_before_the_file(
    world: World, directory_server: Slapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "credentials"
    given.mkdir()
    (given / "password").write_text(PASSWORD, encoding="ascii")
    world.password.write_text("wrong", encoding="ascii")
    world.directory(directory_server.tls_url, directory_server.ca)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    assert world.fetch("people")[0] == 0


def test_a_password_that_others_may_read_is_refused(world: World, directory_server: Slapd) -> None:
    world.password.chmod(0o644)
    world.directory(directory_server.tls_url, directory_server.ca)
    code, said = world.fetch("people")
    assert (code, "chmod 600" in said) == (1, True)
