"""The README is true: each of its blocks runs as it stands, each of its links leads somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli import COMMANDS, parser
from monitor.detections import rule_infos
from monitor.platforms import known_platforms
from tests.corpus import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SETS_UP = """\
make demo     # sets up, replays the bundled incident, prints what it found
make test     # sets up, tshark included, and runs every test
"""
ELSEWHERE = {SETS_UP: "sets up an environment from the network, and runs the tests, of which this is one"}
"""Blocks that are not run here, with the reason."""


def test_no_block_is_forgotten() -> None:
    assert len(BLOCKS) == 4
    assert README.count("```") == 2 * len(BLOCKS)
    assert set(ELSEWHERE) < set(BLOCKS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the README speaks of, with `joinwatch` on the path of an environment, and an operator's own files."""
    for name in ("config", "pcaps"):
        (tmp_path / name).symlink_to(ROOT / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    command = programs / "joinwatch"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m monitor "$@"\n')
    command.chmod(0o755)
    example = ROOT / "config" / "example"
    shutil.copy(ROOT / "pcaps" / "incident" / "incident.pcap", tmp_path / "trunk.pcapng")
    shutil.copytree(example / "meetings", tmp_path / "calendars")
    shutil.copy(example / "directory.vcf", tmp_path / "people.vcf")
    shutil.copy(example / "policy.toml", tmp_path / "policy.toml")
    return tmp_path


@pytest.mark.parametrize("block", [block for block in BLOCKS if block not in ELSEWHERE], ids=lambda block: block[:40])
def test_a_block_runs_as_it_stands(block: str, checkout: Path) -> None:
    environment = {**os.environ, "PATH": f"{checkout / '.venv' / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-eu", "-c", block],
        capture_output=True,
        text=True,
        cwd=checkout,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "joinwatch:" not in done.stderr
    assert len(done.stdout.splitlines()) > 4


def test_the_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)", README):
        assert target in ("PYTHON", "install") or f"\n{target}: " in makefile


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 4
    assert [link for link in links if not (ROOT / link).exists()] == []


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
