"""promtool, and rules that are broken on purpose for it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from deploy.catalogue import cases, rules
from deploy.catalogue.entries import Catalogue, Entry

IS_LONG = "JOINWATCH_ALL_RULES" in os.environ
"""Everything at every interval, as `make alert-rules` does; else what takes seconds."""
NAME = re.compile(r"(?<![\w:])(?:joinwatch_\w+|process_\w+|up)(?![\w:(])")
NUMBER = re.compile(r"(?P<way>>=|==|>|<) (?P<number>\d+(?:\.\d+)?)")
LABEL = re.compile(r'(?P<label>\w+)(?P<way>=~|=)"(?P<value>[^"$]+)"')


def promtool(*words: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Runs it; skips the test where there is none."""
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool (deploy/install-counterparts.sh)")
    return subprocess.run(
        ["promtool", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=seconds
    )


class Mutant(NamedTuple):
    """An expression that is not what it was."""

    what: str
    expr: str


def mutants_of(expr: str, entry: Entry) -> Iterator[Mutant]:
    """Each way in which a slip of the hand could break it."""
    for place, found in enumerate(NAME.finditer(expr)):
        yield Mutant(f"name {place} {found[0]}", expr[: found.start()] + "joinwatch_none" + expr[found.end() :])
    for place, found in enumerate(NUMBER.finditer(expr)):
        if found["way"] == "<":
            continue  # How long a new life is new: told by a case of its own.
        wrong = "== 7" if found["way"] == "==" else f"> {float(found['number']) * 1e9 + 1e9:.0f}"
        yield Mutant(f"number {place} {found[0]}", expr[: found.start()] + wrong + expr[found.end() :])
    for place, found in enumerate(LABEL.finditer(expr)):
        if found["label"] != "job":
            whole = f'{found["label"]}="nothing"'
            yield Mutant(f"label {place} {found[0]}", expr[: found.start()] + whole + expr[found.end() :])
    if entry.name != "watchdog":  # It always fires, and must.
        yield Mutant("always", "group by (job, instance) (up)")
    yield Mutant("never", "vector(1) > 1")


def mistimed(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same rule, which waits or goes on for another time."""
    if "for" in rule:
        yield "waits for nothing", {key: value for key, value in rule.items() if key != "for"}
    yield "waits for months", {**rule, "for": "100d"}
    if "keep_firing_for" in rule:
        yield "ends at once", {key: value for key, value in rule.items() if key != "keep_firing_for"}


def write_rules(folder: Path, document: dict[str, Any], name: str) -> str:
    """A file of rules without annotations, which cost the most time; they have a test of their own."""
    for group in document["groups"]:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return name


def write_tests(folder: Path, told: Catalogue, entry: Entry, rule_file: str, name: str) -> list[str]:
    """The entry's own cases, scraped once a minute, for that file of rules."""
    names = []
    for long in (False, True):
        test = cases.blindness_test(told, 60, long=long, only=entry.name)
        if not test["input_series"]:
            continue
        interval = f"{cases.LONG_MINUTES}m" if long else "1m"
        document = {"rule_files": [rule_file], "evaluation_interval": interval, "tests": [test]}
        path = folder / f"{name}-{'days' if long else 'hour'}.yml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        names.append(str(path))
    return names


def verdicts(output: str) -> dict[str, bool]:
    """Of each file of tests, whether promtool found it good."""
    found, name = {}, ""
    for line in output.splitlines():
        if line.startswith("Unit Testing:"):
            name = line.removeprefix("Unit Testing:").strip()
        elif line.strip().startswith(("SUCCESS", "FAILED")):
            found[name] = line.strip().startswith("SUCCESS")
    return found


def group_of(*listed: dict[str, Any]) -> dict[str, Any]:
    """These rules, as a document."""
    return {"groups": [{"name": "one", "rules": list(listed)}]}


def fresh() -> dict[str, Any]:
    """The recording rule that all detections stand on."""
    return {"record": rules.FRESH, "expr": rules.FRESH_EXPR}
