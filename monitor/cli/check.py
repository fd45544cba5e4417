"""`joinwatch check`: everything that is wrong with the operator's files, at once, before they are used."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from monitor.cli import DONE, USAGE
from monitor.cli.speech import say, say_problems
from monitor.model.problems import ConfigError, Problem
from monitor.outputs.safe import shown
from monitor.outputs.words import many
from monitor.pipeline import load_expected

KINDS = {".toml": "policy", ".ics": "calendar", ".vcf": "directory", ".csv": "directory"}
EXPECTED = "a .toml policy, an .ics calendar, or a .vcf or .csv directory"


def run(options: argparse.Namespace) -> int:
    """Read each file as `replay` would; say of each that it is good, or what is wrong with it."""
    files, problems = files_of([Path(file) for file in options.files])
    policy: Path | None = None
    # Policies first: numbers and markings of the other files are read as the only good policy has them.
    policies = [file for file in files if kind_of(file) == "policy"]
    found = {file: problems_of(file, None) for file in policies}
    if len(policies) == 1 and not found[policies[0]]:
        policy = policies[0]
    for file in files:
        wrong = found[file] if file in found else problems_of(file, policy)
        if not wrong:
            print(f"{shown(str(file), 2000)}: good {kind_of(file)}")
        problems += wrong
    if not problems:
        return DONE
    say_problems(sorted(problems))
    say(f"{many(len(problems), 'mistake')} in {many(len({problem.file for problem in problems}), 'file')}")
    return USAGE


def files_of(paths: Sequence[Path]) -> tuple[list[Path], list[Problem]]:
    """The files that are meant, each once, in the order given; and which paths mean none."""
    files: dict[Path, None] = {}
    problems: list[Problem] = []
    for path in paths:
        inside = [path]
        found = ""
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if kind_of(p) and p.is_file())
            try:
                found = "" if inside else "a folder without such files" if any(path.iterdir()) else "an empty folder"
            except OSError as error:
                found = f"a folder that cannot be read: {error.strerror}"
        if found:
            problems.append(Problem(file=str(path), line=0, found=found, expected=EXPECTED))
        files.update(dict.fromkeys(inside))
    return list(files), problems


def kind_of(file: Path) -> str:
    """What a file is by its name; empty when it is none of ours."""
    return KINDS.get(file.suffix.lower(), "")


def problems_of(file: Path, policy: Path | None) -> Sequence[Problem]:
    """Everything that is wrong with one file; nothing when it is good."""
    if not kind_of(file):
        ending = f"a file that ends in {file.suffix}" if file.suffix else "a file without an ending"
        found = ending if file.exists() else "no such file"
        return (Problem(file=str(file), line=0, found=found, expected=EXPECTED),)
    try:
        match kind_of(file):
            case "policy":
                load_expected(policy_file=file)
            case "calendar":
                load_expected(meetings=[file], policy_file=policy)
            case _:
                load_expected(directories=[file], policy_file=policy)
    except ConfigError as error:
        return error.problems
    return ()
