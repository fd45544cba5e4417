"""What the README says of commands, options, platforms and codes is so; `tests/docs` runs its blocks and links."""

import re

from monitor.cli import COMMANDS, parser
from monitor.detections import rule_infos
from monitor.platforms import known_platforms
from tests.corpus import ROOT

README = (ROOT / "README.md").read_text()


def test_the_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)", README):
        assert target in ("PYTHON", "install") or f"\n{target}: " in makefile


def test_every_command_is_in_the_table() -> None:
    named = set(re.findall(r"`joinwatch ([a-z]+)", README))
    assert named == set(COMMANDS)


def test_every_option_that_is_named_exists() -> None:
    known = " ".join(
        sub.format_help()
        for action in parser()._actions
        if isinstance(action.choices, dict)
        for sub in action.choices.values()
    )
    for option in set(re.findall(r"`(--[a-z-]+)", README)):
        assert option in known


def test_every_alert_has_a_runbook() -> None:
    for info in rule_infos():
        runbook = (ROOT / "docs" / "runbooks" / f"{info.name}.md").read_text()
        assert runbook.startswith(f"# {info.name}\n")


def test_every_platform_is_named() -> None:
    words = {"meet": "Google Meet", "generic": "bridges of your own"}
    for platform in known_platforms():
        assert words.get(platform, platform.capitalize()) in README


def test_the_exit_codes_are_those_of_the_help() -> None:
    told = " ".join(parser().format_help().split())
    for code, words in re.findall(r"\b(\d+) (done|failed|wrong usage|interrupted)", README):
        assert f"{code} {words}" in told
