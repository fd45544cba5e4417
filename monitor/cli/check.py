"""`joinwatch check`: everything that is wrong with the operator's files, at once, before they are used."""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from monitor.cli import DONE, USAGE
from monitor.cli.speech import say, say_problems
from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import Settings
from monitor.model.sinks import Sink
from monitor.outputs.safe import shown
from monitor.outputs.words import many
from monitor.pipeline import load_expected

KINDS = {".toml": "policy", ".ics": "calendar", ".vcf": "directory", ".csv": "directory"}
WEB = ("web.yml", "web.yaml")
"""Of YAML these alone are ours, for a folder may hold others."""
EXPECTED = (
    "a .toml policy, configuration or list of suppressions, an .ics calendar, a .vcf or .csv directory, or a web.yml"
)
MAX_BYTES = 1024 * 1024
"""Of a TOML file, in which is looked what it is."""
_NAME = r"^[ \t]*(?:\[\[?[ \t]*)?([A-Za-z0-9_-]+)"
"""The first name of a line: a key or a table."""


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
    problems = list(dict.fromkeys(problems))  # two configurations may name one key
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
            inside = sorted(p for p in path.rglob("*") if p.is_file() and kind_of(p))
            try:
                found = "" if inside else "a folder without such files" if any(path.iterdir()) else "an empty folder"
            except OSError as error:
                found = f"a folder that cannot be read: {error.strerror}"
        if found:
            problems.append(Problem(file=str(path), line=0, found=found, expected=EXPECTED))
        files.update(dict.fromkeys(inside))
    return list(files), problems


def kind_of(file: Path) -> str:
    """What a file is by its name, and of TOML by its keys; empty when it is none of ours."""
    if file.name.lower() in WEB:
        return "web configuration"
    kind = KINDS.get(file.suffix.lower(), "")
    return _kind_of_toml(file) if kind == "policy" else kind


def _kind_of_toml(file: Path) -> str:
    """The kind whose keys it has; of a file that says nothing of itself, a policy. No two kinds share a key."""
    from monitor.model.policy import Policy
    from monitor.model.settings import Settings

    if not file.is_file():
        return "policy"  # A pipe can be read once, and that is its reader's to do.
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return "policy"
    names = re.findall(_NAME, text, re.MULTILINE)
    kinds = {
        "policy": Policy.__struct_fields__,
        "configuration": Settings.__struct_fields__,
        "list of suppressions": ("suppression",),
    }
    return max(kinds, key=lambda kind: sum(name in kinds[kind] for name in names))


def problems_of(file: Path, policy: Path | None) -> Sequence[Problem]:
    """Everything that is wrong with one file; nothing when it is good."""
    if not kind_of(file):
        ending = f"a file that ends in {file.suffix}" if file.suffix else "a file without an ending"
        found = ending if file.exists() else "no such file"
        return (Problem(file=str(file), line=0, found=found, expected=EXPECTED),)
    if not file.exists():
        return (Problem(file=str(file), line=0, found="no such file", expected=EXPECTED),)
    try:
        match kind_of(file):
            case "policy":
                load_expected(policy_file=file)
            case "configuration":
                _check_configuration(file)
            case "list of suppressions":
                _check_suppressions(file)
            case "web configuration":
                from monitor.outputs.web_config import load_web_config

                load_web_config(file)
            case "calendar":
                load_expected(meetings=[file], policy_file=policy)
            case _:
                load_expected(directories=[file], policy_file=policy)
    except ConfigError as error:
        return error.problems
    return ()


def _check_configuration(file: Path) -> None:
    """The file itself, and the keys and secrets that it names, as far as they are here: it may be another machine's, of
    which `doctor` asks whether all is there.
    """
    from monitor.sources.settings import load_settings

    settings = load_settings(file)
    problems: list[Problem] = []
    for check in _secrets_of(settings):
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def _secrets_of(settings: Settings) -> Iterator[Callable[[], object]]:
    """What reads each file with a key or secret, as the daemon will; raises `ConfigError`."""
    from monitor.outputs.pseudonyms import key_in
    from monitor.outputs.web_config import load_web_config

    for key in (settings.pseudonyms, settings.audit.key):
        if key and Path(key).exists():
            yield partial(key_in, Path(key))
    web = settings.serve.web_config
    if web and Path(web).exists() and Path(web).name.lower() not in WEB:
        yield partial(load_web_config, Path(web))
    for sink in settings.sinks.values():
        named = [getattr(sink, name) for name in sink.__struct_fields__ if name.endswith("_file")]
        if all(Path(path).exists() for path in named if path):
            yield partial(_check_sink, sink)
    for server in (settings.fetch.calendars, settings.fetch.people):
        if server.password_file and Path(server.password_file).exists():
            yield partial(_check_password, server.password_file)


def _check_sink(sink: Sink) -> None:
    from monitor.outputs.sinks import outlet_of

    outlet_of(sink, {}).close()


def _check_password(path: str) -> None:
    from monitor.fetch.keeping import Trouble
    from monitor.fetch.secrets import password_in

    try:
        password_in(path)
    except Trouble as trouble:
        found = str(trouble).removeprefix(f"{path}: ")
        expected = "a password in its first line, for its owner alone (chmod 600)"
        raise ConfigError([Problem(file=path, line=0, found=found, expected=expected)]) from None


def _check_suppressions(file: Path) -> None:
    from monitor.detections import rule_infos
    from monitor.platforms import known_platforms
    from monitor.sources.suppressions import load_suppressions

    load_suppressions(file, rules={rule.name for rule in rule_infos()}, platforms=known_platforms())
