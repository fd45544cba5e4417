"""What somebody does wrong on the first day is told with the way out."""

from pathlib import Path

import pytest

from monitor.cli import main
from tests.corpus import ROOT

CAPTURE = str(ROOT / "pcaps" / "incident" / "incident.pcap")
EXAMPLE = ROOT / "config" / "example"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["replay", CAPTURE, "--meeting", "x"], "replay has no option '--meeting'; did you mean --meetings?"),
        (["--meeting", "replay", CAPTURE], "replay has no option '--meeting'; did you mean --meetings?"),
        (["replay", CAPTURE, "--meeting=x"], "replay has no option '--meeting=x'; did you mean --meetings?"),
        (["decode", CAPTURE, "--meetings", "x"], "decode has no option '--meetings'"),
        (["rules", "all"], "rules has no argument 'all'"),
    ],
)
def test_an_option_that_is_none_is_told_with_the_one_that_was_meant(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"joinwatch: {told}\nTry: joinwatch {told.split()[0]} --help\n"


@pytest.mark.parametrize("with_directory", [False, True])
def test_whoever_gives_invitations_and_no_directory_is_told_what_that_means(
    with_directory: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["replay", CAPTURE, "--meetings", str(EXAMPLE / "meetings"), "--policy", str(EXAMPLE / "policy.toml")]
    assert main([*words, "--directory", str(EXAMPLE)] if with_directory else words) == 0
    assert ("no --directory is given" in capsys.readouterr().err) is not with_directory


def test_a_file_that_is_not_there_is_of_no_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "joinwatch.toml")]) == 2
    told = capsys.readouterr().err
    assert "joinwatch.toml: no such file; expected a .toml policy, configuration or" in told
