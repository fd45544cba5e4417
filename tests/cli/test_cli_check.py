"""`joinwatch check` knows each kind of file that an operator writes, and reads it as its user does."""

import os
from pathlib import Path
from threading import Thread

import pytest

from monitor.cli import main
from monitor.model.policy import Policy
from monitor.model.settings import Settings

CONFIGURATION = 'policy = "policy.toml"\n[capture]\ninterfaces = ["eth1"]\n'
SUPPRESSION = """\
[[suppression]]
rule = "pin-bypass"
owner = "Anna de Vries"
reason = "the bridge is replaced"
until = 2026-12-31
"""


def test_no_two_kinds_share_a_key() -> None:
    assert set(Policy.__struct_fields__).isdisjoint({*Settings.__struct_fields__, "suppression"})


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.toml", "", "policy"),
        ("a.toml", 'country_code = "49"\n[site]\n', "policy"),
        ("joinwatch.toml", CONFIGURATION, "configuration"),
        ("quiet.toml", SUPPRESSION, "list of suppressions"),
        ("web.yml", "rate_limit: {interval: 100ms, burst: 20}\n", "web configuration"),
    ],
)
def test_each_kind_is_known_by_what_stands_in_it(
    name: str, text: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/{name}: good {kind}\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("joinwatch.toml", CONFIGURATION + "ring = 64\n", ":4: unknown key `ring`"),
        ("joinwatch.toml", 'state = "s"\n[serve]\nlisten = "x"\n[capture]\ninterfaces = ["eth1"]\n', ":3: listen = "),
        ("a.toml", CONFIGURATION + "ring_mebibytes = 0\n", ":4: ring_mebibytes = `0`"),
        ("a.toml", CONFIGURATION + "ring_mebibytes = 4096\n", ":4: ring_mebibytes = `4096`"),
        (
            "a.toml",
            CONFIGURATION + "[journal]\nmax_mebibytes = 127\n",
            ":5: max_mebibytes = 127; expected 0 for no end",
        ),
        ("quiet.toml", SUPPRESSION.replace("pin-bypass", "pin-bypas"), ":2: rule = `pin-bypas`"),
        ("web.yml", "basic_auth_user: {}\n", ":1: unknown key 'basic_auth_user'"),
        ("other.yml", "a: 1\n", ": a file that ends in .yml"),
    ],
)
def test_a_mistake_is_told_as_the_one_who_reads_it_tells_it(
    name: str, text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert main(["check", str(tmp_path / name)]) == 2
    assert f"{tmp_path}/{name}{told}" in capsys.readouterr().err


def test_a_pipe_is_read_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "policy.toml"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("country_code = 31\n",))
    writer.start()
    assert main(["check", str(pipe)]) == 2
    writer.join(10)
    assert "policy.toml:1: country_code = `31`" in capsys.readouterr().err
