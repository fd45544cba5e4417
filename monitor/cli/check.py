"""`joinwatch check`: everything that is wrong with the operator's files, at once, before they are used."""

import argparse
import sys
from pathlib import Path

from monitor.cli import DONE
from monitor.model.problems import ConfigError, Problem
from monitor.pipeline import load_expected

KINDS = {".toml": "policy", ".ics": "calendar", ".vcf": "directory", ".csv": "directory"}


def run(options: argparse.Namespace) -> int:
    """Read each file as `replay` would, and say of each that it is good, or raise all that is wrong."""
    files = [Path(file) for file in options.files]
    problems: list[Problem] = []
    good: list[str] = []
    for file in files:
        try:
            good += [f"{one}: good {kind_of(one)}" for one in checked(file)]
        except ConfigError as error:
            problems += error.problems
    for line in good:
        print(line)
    if problems:
        count = len(problems)
        print(f"{count} mistake{'s' if count > 1 else ''} found", file=sys.stderr)
        raise ConfigError(problems)
    return DONE


def checked(path: Path) -> list[Path]:
    """The files below this path, each of which is good; raises ConfigError otherwise."""
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in KINDS) if path.is_dir() else [path]
    if not files:
        raise ConfigError([Problem(file=str(path), line=0, found="an empty folder", expected=EXPECTED)])
    problems: list[Problem] = []
    for file in files:
        try:
            check(file)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return files


EXPECTED = "a .toml policy, an .ics calendar, or a .vcf or .csv directory"


def kind_of(file: Path) -> str:
    """What a file is by its name; empty when it is none of ours."""
    return KINDS.get(file.suffix.lower(), "")


def check(file: Path) -> None:
    """Read one file; raises ConfigError with everything that is wrong with it."""
    match kind_of(file):
        case "policy":
            load_expected(policy_file=file)
        case "calendar":
            load_expected(meetings=[file])
        case "directory":
            load_expected(directories=[file])
        case _:
            found = "no such file" if not file.exists() else f"a file that ends in {file.suffix or 'nothing'}"
            raise ConfigError([Problem(file=str(file), line=0, found=found, expected=EXPECTED)])
