"""Suppressions: who has decided what, told apart from mistakes, each with its line; and what they do to alerts."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main
from monitor.model.problems import ConfigError
from monitor.model.suppressions import Suppression, Suppressions, mark_of
from monitor.sources.suppressions import load_suppressions
from tests.daemon.receivers import alert, journal_of

GOOD = """
[[suppression]]
rule = "pin-bypass"
subject_prefix = "tel:+312055501"
until = 2026-12-31
owner = "Anna"
reason = "the PIN of this room is broken"
ticket = "CHG-1"

[[suppression]]
platform = "zoom"
until = 2026-06-30
owner = "Bram"
reason = "a pilot"
"""
AT = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()


def loaded(tmp_path: Path, text: str, **known: Any) -> Suppressions:
    file = tmp_path / "quiet.toml"
    file.write_text(text, encoding="utf-8")
    return load_suppressions(file, **known)


def test_a_suppression_keeps_quiet_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    suppressions = loaded(tmp_path, GOOD)
    said = alert(1, AT)
    by = suppressions.of(said)
    assert by is not None
    assert mark_of(by) == {
        "line": 2,
        "owner": "Anna",
        "reason": "the PIN of this room is broken",
        "until": "2026-12-31",
        "ticket": "CHG-1",
    }
    assert suppressions.of(said | {"rule": "uninvited-participant"}) is None
    assert suppressions.of(said | {"subject": "sip:+312055501@example.com"}) is None


@pytest.mark.parametrize(
    ("condition", "is_kept"),
    [
        ({"rule": "pin-bypass"}, True),
        ({"subject": "tel:+31205550101"}, True),
        ({"subject": "tel:+3120555010"}, False),
        ({"meeting": "number:27311234567"}, True),
        ({"meeting": "briefing-41@ministry.example"}, True),
        ({"meeting": "27311234567"}, False),
        ({"platform": "webex"}, True),
        ({"platform": "webex", "rule": "uninvited-participant"}, False),
    ],
)
def test_everything_that_is_named_must_be_so(condition: dict[str, str], is_kept: bool) -> None:
    one = Suppression(line=1, owner="a", reason="b", until=date(2026, 7, 1), **condition)
    assert (Suppressions(entries=(one,)).of(alert(1, AT)) is not None) == is_kept


def test_it_counts_to_the_end_of_its_last_day() -> None:
    one = Suppression(line=1, owner="a", reason="b", until=date(2026, 7, 1), rule="pin-bypass")
    last = datetime(2026, 7, 1, 23, 59, 59, tzinfo=UTC).timestamp()
    assert Suppressions(entries=(one,)).of(alert(1, last)) is one
    assert Suppressions(entries=(one,)).of(alert(1, last + 1)) is None
    assert Suppressions(entries=(one,)).of(alert(1) | {"time": "never"}) is None


@pytest.mark.parametrize(
    ("line", "wrong", "found"),
    [
        (1, "[[suppression]]\nrule='x'\nuntil=2026-01-01\nowner='a'", "without reason"),
        (1, "[[suppression]]\nrule='x'\nuntil=2026-01-01\nreason='a'", "without owner"),
        (1, "[[suppression]]\nrule='x'\nowner='b'\nreason='a'", "without until"),
        (1, "[[suppression]]\nuntil=2026-01-01\nowner='b'\nreason='a'", "of everything"),
        (2, "[[suppression]]\nrule='pin-bypas'\nuntil=2026-01-01\nowner='b'\nreason='a'", "did you mean pin-bypass"),
        (3, "[[suppression]]\nrule='pin-bypass'\nuntil='2026-01-01'\nowner='b'\nreason='a'", "a day without quotes"),
        (3, "[[suppression]]\nrule='pin-bypass'\nuntil=2026-01-01T00:00:00\nowner='b'\nreason='a'", "a day"),
        (4, "[[suppression]]\nrule='pin-bypass'\nuntil=2026-01-01\nowner=' '\nreason='a'", "owner"),
        (2, "[[suppression]]\nsubject='+31205550123'\nuntil=2026-01-01\nowner='b'\nreason='a'", "tel:+31205550123"),
        (2, "[[suppression]]\nsubjects='x'\nrule='pin-bypass'\nuntil=2026-01-01\nowner='b'\nreason='a'", "unknown key"),
        (2, "[[suppression]]\nrule=1\nuntil=2026-01-01\nowner='b'\nreason='a'", "a text in quotes"),
        (1, "[suppression]\nrule='x'", "no list of tables"),
        (1, "suppressions = 1", "unknown key"),
        (2, "[[suppression]]\nrule = pin\nuntil=2026-01-01\nowner='b'\nreason='a'", "a value such as"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, line: int, wrong: str, found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, wrong, rules={"pin-bypass", "uninvited-participant"})
    assert any(problem.line == line and found in str(problem) for problem in caught.value.problems)


def test_the_command_explains_what_each_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal_of(tmp_path, [alert(1, AT), alert(2, AT, rule="uninvited-participant")])
    (tmp_path / "quiet.toml").write_text(GOOD.replace("2026-12-31", "2999-12-31"), encoding="utf-8")
    assert main(["suppressions", str(tmp_path / "quiet.toml"), "--test", str(tmp_path / "journal")]) == 1
    told = capsys.readouterr().out
    assert "kept quiet by" in told
    assert "rule = pin-bypass; subject begins with tel:+312055501" in told
    assert "is not about it, for not: rule = pin-bypass" in told
    assert "2 alerts: 1 told, 1 kept quiet" in told
    assert "EXPIRED on 2026-06-30; WITHOUT EFFECT" in told
    (tmp_path / "quiet.toml").write_text(GOOD.split("\n\n")[0].replace("2026-12-31", "2999-12-31"), encoding="utf-8")
    assert main(["suppressions", str(tmp_path / "quiet.toml"), "--test", str(tmp_path / "journal")]) == 0
    assert main(["suppressions", str(tmp_path / "quiet.toml")]) == 0
    assert main(["suppressions", str(tmp_path / "quiet.toml"), "--test", str(tmp_path / "nothing")]) == 2
    assert main(["suppressions", str(tmp_path / "none.toml")]) == 2
