"""Tables of sinks in the configuration: every mistake with its line, all in one go."""

from pathlib import Path

import pytest

from monitor.model.problems import ConfigError
from monitor.model.sinks import AlertmanagerSink, SyslogSink, WebhookSink
from monitor.sources.settings import load_settings

HEAD = '[capture]\ninterfaces = ["eth1"]\n'


def test_each_kind_of_sink_is_read_and_its_files_are_seen_from_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "joinwatch.toml"
    file.write_text(
        HEAD + '[sinks.am]\nkind = "alertmanager"\nurl = "http://am.example:9093"\nleast = "high"\n'
        '[sinks.hook]\nkind = "webhook"\nurl = "https://soc.example/x?y=1"\nsecret_file = "secret"\n'
        'records = ["alert", "join"]\n[sinks.siem]\nkind = "syslog"\n'
        'address = "tls://[2001:db8::1]:6514"\nformat = "cef"\n',
        encoding="utf-8",
    )
    sinks = load_settings(file).sinks
    assert [type(sink) for sink in sinks.values()] == [AlertmanagerSink, WebhookSink, SyslogSink]
    hook = sinks["hook"]
    assert isinstance(hook, WebhookSink)
    assert hook.secret_file == str(tmp_path / "secret")
    assert not hook.people


@pytest.mark.parametrize(
    ("line", "table", "found"),
    [
        (4, '[sinks.am]\nkind = "alertmanger"', "one of alertmanager, webhook, syslog"),
        (3, '[sinks.am]\nurl = "http://x.example"', "no kind"),
        (3, '[sinks.am]\nkind = "alertmanager"', "no url"),
        (3, '[sinks.hook]\nkind = "webhook"\nurl = "https://x.example/"', "no secret_file"),
        (3, '[sinks.Am_1]\nkind = "alertmanager"\nurl = "http://x.example"', "small letters"),
        (5, '[sinks.am]\nkind = "alertmanager"\nurl = "ftp://x.example"', "https://HOST"),
        (5, '[sinks.am]\nkind = "alertmanager"\nurl = "http://anna:geheim@x.example"', "a user or password in it"),
        (5, '[sinks.am]\nkind = "alertmanager"\nurl = "http://x.example:99999"', "https://HOST"),
        (5, '[sinks.am]\nkind = "alertmanager"\nurl = "http://x.example/ y"', "https://HOST"),
        (5, '[sinks.s]\nkind = "syslog"\naddress = "udp://x.example:514"', "tcp://HOST:PORT"),
        (5, '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example"', "tcp://HOST:PORT"),
        (6, '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example:1"\nfacility = 24', "from 0 to 23"),
        (
            6,
            '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example:1"\nformat = "leef"',
            "expected one of rfc5424, cef, ecs, ocsf",
        ),
        (6, '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example:1"\nlanguage = "de"', "expected one of en, nl"),
        (6, '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example:1"\nsd_id = "a b@1"', "name@NUMBER"),
        (
            6,
            '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example:1"\nrecords = ["alerts"]',
            "one of alert, join, leave",
        ),
        (6, '[sinks.s]\nkind = "syslog"\naddress = "tcp://x.example:1"\nadress = "x"', "did you mean address"),
        (6, '[sinks.am]\nkind = "alertmanager"\nurl = "http://x.example"\ntimeout_seconds = 0', "from 1 to 60"),
        (
            6,
            '[sinks.am]\nkind = "alertmanager"\nurl = "http://x.example"\nleast = "bad"',
            "one of low, medium, high, critical",
        ),
        (3, '[sinks.am]\nkind = "alertmanager"\nurl = "http://x.example"\nusername = "a"', "together"),
        (6, '[sinks.am]\nkind = "alertmanager"\nurl = "http://x.example"\nkey_file = "a"', "cert_file beside it"),
        (3, "sinks = 3", "[sinks.NAME]"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, line: int, table: str, found: str) -> None:
    file = tmp_path / "joinwatch.toml"
    head = table + "\n" + HEAD if table.startswith("sinks") else HEAD + table
    file.write_text(head, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    wanted = 1 if table.startswith("sinks") else line
    assert any(problem.line == wanted and found in str(problem) for problem in caught.value.problems), caught.value
    assert "geheim" not in str(caught.value)
