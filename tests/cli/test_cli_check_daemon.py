"""Mistakes in the files of the daemon: each is told with file, line and what was expected, and all in one run."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.cli import main

BEGIN = '[capture]\ninterfaces = ["eth1"]\n'
"""Two lines, and a whole configuration."""
ALERTMANAGER = '[sinks.soc]\nkind = "alertmanager"\nurl = "http://192.0.2.1:9093"\n'
WEBHOOK = '[sinks.soc]\nkind = "webhook"\nurl = "https://soc.example/"\nsecret_file = "secret"\n'
SYSLOG = '[sinks.soc]\nkind = "syslog"\naddress = "tls://log.example:6514"\n'
CALENDARS = '[fetch.calendars]\nurl = "https://dav.example/"\nfolder = "c"\ncalendars = { a = "/a/" }\n'
PEOPLE = '[fetch.people]\nurl = "ldaps://ldap.example"\nbase = "dc=example"\nfile = "p.csv"\n'
QUIET = '[[suppression]]\nowner = "soc"\nreason = "why"\nuntil = 2099-12-31\n'


class Mistake(NamedTuple):
    """One file with one mistake, and what must be told of it."""

    name: str
    text: str
    line: int
    expected: str


def configured(text: str, line: int, expected: str) -> Mistake:
    return Mistake("joinwatch.toml", BEGIN + text, line, expected)


MISTAKES = [
    # The configuration: keys, types, values, syntax.
    configured("intefaces = 1\n", 3, "did you mean interfaces?"),
    configured("[captur]\n", 3, "did you mean capture?"),
    configured("[serve]\nlisten = 9464\n", 4, "str"),
    configured('[serve]\nlisten = "9464"\n', 4, "HOST:PORT, such as 127.0.0.1:9464"),
    configured('[serve]\nlisten = "127.0.0.1:80"\n', 4, "a port from 1024 on"),
    configured('[serve]\nreload = "yes"\n', 4, "bool"),
    configured("promiscuous = 1\n", 3, "bool"),
    configured('ring_mebibytes = "64"\n', 3, "int"),
    configured("ring_mebibytes = 0\n", 3, ">= 1"),
    configured('hep = "0.0.0.0:9060"\n', 3, "a table"),
    configured('[capture.hep]\nlisten = ":"\n', 4, "such as 0.0.0.0:9060"),
    configured('[capture.hep]\nsenders = ["192.0.2.1"]\n', 4, "one of listen"),
    Mistake("joinwatch.toml", 'state = "s"\n[capture]\ninterfaces = "eth1"\n', 3, "array"),
    Mistake("joinwatch.toml", 'state = "s"\n[capture]\ninterfaces = []\n', 2, 'interfaces = ["eth1"]'),
    Mistake("joinwatch.toml", f'meetings = "m.ics"\n{BEGIN}', 1, "array"),
    Mistake("joinwatch.toml", f"policy = 1\n{BEGIN}", 1, "str"),
    Mistake("joinwatch.toml", f"sinks = 1\n{BEGIN}", 1, "[sinks.NAME] with kind"),
    configured("[journal]\nmax_mebibytes = 1\n", 4, "0 for no end, or at least 128"),
    configured("[retention]\nalerts = -1\n", 4, ">= 0"),
    configured("[retention]\nmemory_hours = 0\n", 4, ">= 1"),
    configured("[retention]\nalerts = 36526\n", 4, "<= 36525"),
    configured("[retention]\nfoo = 1\n", 4, "one of alerts, joins"),
    configured("[audit]\nenabled = 0\n", 4, "bool"),
    configured("[serve\n", 3, "]"),
    configured("[serve]\nlisten =\n", 4, "a value"),
    configured('[serve]\nlisten = "a\n', 4, "a quote at the end"),
    # Sinks.
    configured("[sinks.SOC]\nkind = 1\n", 3, "small letters, digits and dashes"),
    configured('[sinks.soc]\nurl = "http://192.0.2.1/"\n', 3, "one of alertmanager, webhook, syslog"),
    configured('[sinks.soc]\nkind = "pager"\n', 4, "one of alertmanager, webhook, syslog"),
    configured('[sinks.soc]\nkind = "alertmanager"\n', 3, "url, which every alertmanager has"),
    configured(ALERTMANAGER.replace("http://", "http://me:geheim@"), 5, "without user and password"),
    configured(ALERTMANAGER + "resend_seconds = 1\n", 6, "a whole number from 10 to 600"),
    configured(ALERTMANAGER + "timeout_seconds = 61\n", 6, "a whole number from 1 to 60"),
    configured(ALERTMANAGER + 'least = "dire"\n', 6, "one of low, medium, high, critical"),
    configured(ALERTMANAGER + 'username = "me"\n', 3, "username and password_file together"),
    configured(ALERTMANAGER + 'key_file = "k"\n', 6, "cert_file beside it"),
    configured(ALERTMANAGER + 'sensor = "a b"\n', 6, "printable ASCII without spaces"),
    configured(WEBHOOK.replace('secret_file = "secret"\n', ""), 3, "secret_file, which every webhook has"),
    configured(WEBHOOK + 'format = "xml"\n', 7, "one of journal, ecs, ocsf"),
    configured(WEBHOOK + 'records = ["all"]\n', 7, "one of alert, join, leave, attempt, oddity"),
    configured(SYSLOG.replace("tls://", "udp://"), 5, "tcp://HOST:PORT or tls://HOST:PORT"),
    configured(SYSLOG + "facility = 24\n", 6, "a whole number from 0 to 23"),
    configured(SYSLOG + 'sd_id = "joinwatch"\n', 6, "name@NUMBER"),
    configured(SYSLOG + "max_bytes = 100\n", 6, "a whole number from 2,048"),
    # Fetchers.
    configured(CALENDARS.replace("https:", "http:"), 4, "plaintext = true if"),
    configured(CALENDARS.replace("https://", "https://me:geheim@"), 4, "without user and password"),
    configured(CALENDARS.replace('folder = "c"\n', ""), 3, "folder"),
    configured(CALENDARS.replace('a = "/a/"', '"../a" = "/a/"'), 6, "letters, digits"),
    configured(CALENDARS + "past_days = 0\n", 7, ">= 1"),
    configured(CALENDARS + 'textfile = "a.txt"\n', 7, "a file that ends in .prom"),
    configured(PEOPLE.replace("ldaps:", "https:"), 4, "ldaps://HOST"),
    configured(PEOPLE.replace('base = "dc=example"\n', ""), 3, "base"),
    configured(PEOPLE + 'username = "cn=reader"\n', 3, "username and password_file together"),
    configured(PEOPLE + "interval_seconds = 1\n", 7, ">= 60"),
    # Suppressions.
    Mistake("quiet.toml", QUIET + 'rule = "pin-bypas"\n', 5, "did you mean pin-bypass?"),
    Mistake("quiet.toml", QUIET, 1, "at least one of rule, subject"),
    Mistake("quiet.toml", QUIET.replace('owner = "soc"\n', "") + 'rule = "pin-bypass"\n', 1, "owner"),
    Mistake("quiet.toml", QUIET.replace("2099-12-31", '"2099-12-31"') + 'rule = "pin-bypass"\n', 4, "a day without"),
    Mistake("quiet.toml", QUIET + 'subject = "0205550177"\n', 5, "tel:+31205550123"),
    Mistake("quiet.toml", QUIET + 'platform = "webx"\n', 5, "did you mean webex?"),
    Mistake("quiet.toml", QUIET + 'rule = "pin-bypass"\nuntill = 1\n', 6, "one of owner"),
    # The web server.
    Mistake("web.yml", "basic_auth_user: {}\n", 1, "basic_auth_users"),
    Mistake("web.yml", "basic_auth_users:\n  me: geheim\n", 2, "htpasswd -nBC"),
    Mistake("web.yml", "rate_limit:\n  interval: soon\n", 2, "such as 200ms"),
    Mistake("web.yml", "tls_server_config:\n  cert_file: none.pem\n", 2, "cert_file and key_file, both"),
    Mistake("web.yml", "basic_auth_users: [\n", 2, "YAML"),
]


def names_of(mistakes: list[Mistake]) -> list[str]:
    return [f"{number} {mistake.expected}" for number, mistake in enumerate(mistakes)]


def test_there_are_sixty_and_more() -> None:
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("mistake", MISTAKES, ids=names_of(MISTAKES))
def test_each_mistake_is_told_with_its_line(
    mistake: Mistake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / mistake.name
    file.write_text(mistake.text, encoding="utf-8")
    assert main(["check", str(file)]) == 2
    told = capsys.readouterr().err
    lines = [line for line in told.splitlines() if f"{file}:{mistake.line}: " in line]
    assert any(mistake.expected.casefold() in line.partition("; expected ")[2].casefold() for line in lines), told
    assert "geheim" not in told
    assert told.count("; expected ") == 1, "one mistake is told once"


def test_all_of_them_are_told_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, mistake in enumerate(MISTAKES):
        folder = tmp_path / f"{number:03}"
        folder.mkdir()
        (folder / mistake.name).write_text(mistake.text, encoding="utf-8")
    assert main(["check", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    for number, mistake in enumerate(MISTAKES):
        assert f"{tmp_path}/{number:03}/{mistake.name}:{mistake.line}: " in told
    assert re.search(rf"{len(MISTAKES)} mistakes in {len(MISTAKES)} files", told)


RANDOM = hashlib.sha256(b"random enough").digest()


@pytest.mark.parametrize(
    ("text", "name", "content", "mode", "expected"),
    [
        ('pseudonyms = "key"\n', "key", RANDOM[:16], 0o600, "32 random bytes or more"),
        ('pseudonyms = "key"\n', "key", RANDOM, 0o644, "only its owner may read"),
        ('pseudonyms = "key"\n', "key", bytes(32), 0o600, "random"),
        ('audit.key = "key"\n', "key", b"", 0o600, "32 random bytes or more"),
        (WEBHOOK, "secret", b"short\n", 0o600, "24 to 64 bytes"),
        (WEBHOOK, "secret", b"whsec_?\n", 0o600, "base64"),
        (ALERTMANAGER + 'bearer_token_file = "token"\n', "token", b"\n", 0o600, "a bearer token"),
        (
            ALERTMANAGER.replace("http:", "https:") + 'ca_file = "ca.pem"\n',
            "ca.pem",
            b"no certificate\n",
            0o600,
            "certificates in PEM",
        ),
        (
            PEOPLE + 'username = "cn=reader"\npassword_file = "password"\n',
            "password",
            b"geheim\n",
            0o644,
            "for its owner alone",
        ),
    ],
)
def test_keys_and_secrets_that_a_configuration_names_are_read_as_the_daemon_will(
    text: str,
    name: str,
    content: bytes,
    mode: int,
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, named = tmp_path / "joinwatch.toml", tmp_path / name
    config.write_text(BEGIN + text if text.startswith("[") else text + BEGIN, encoding="utf-8")
    assert main(["check", str(config)]) == 0, "what is not here is another machine's"
    named.write_bytes(content)
    named.chmod(mode)
    assert main(["check", str(config)]) == 2
    told = capsys.readouterr().err
    assert f"{named}: " in told
    assert expected in told
    assert "geheim" not in told
