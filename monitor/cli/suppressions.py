"""`joinwatch suppressions`: which alerts are kept quiet, by whom and why; and which suppressions keep nothing quiet."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from monitor.cli import DONE, FAILED
from monitor.model.problems import ConfigError, Problem
from monitor.model.suppressions import Suppression, Suppressions, moment_of
from monitor.outputs.safe import shown
from monitor.outputs.words import many

MAX_ALERTS = 100_000
SOON_DAYS = 14


def run(options: argparse.Namespace) -> int:
    """Tell of each suppression how it stands; with `--test`, also what it does to the alerts of a journal.

    1 when one is expired, or keeps nothing quiet: it should go, or says something else than its owner meant.
    """
    from monitor.detections import rule_infos
    from monitor.platforms import known_platforms
    from monitor.sources.suppressions import load_suppressions

    rules = {rule.name for rule in rule_infos()}
    file = Path(options.file)
    suppressions = load_suppressions(file, rules=rules, platforms=known_platforms())
    counts: dict[int, int] | None = None
    if options.test is not None:
        _log(Path(options.test), file, options.reason)
        counts = _test(suppressions, file, Path(options.test))
    idle = _list(suppressions, file, counts)
    return FAILED if idle else DONE


def _log(journal: Path, file: Path, reason: str | None) -> None:
    """First the entry, then the look at a daemon's alerts: who cannot be logged sees nothing."""
    from monitor.cli.privacy import reasoned
    from monitor.outputs.audit import beside

    audit = beside(journal)
    if audit is not None:
        audit.add("list alerts", f"all, beside {file.name}", reasoned(audit, reason))


def _test(suppressions: Suppressions, file: Path, journal: Path) -> dict[int, int]:
    """Each alert of the journal with what becomes of it; how many each suppression keeps quiet, by its line."""
    counts: dict[int, int] = {}
    told = quiet = 0
    for said in _alerts(journal):
        one = suppressions.of(said)
        print(f"{_text(said, 'id')}  {_text(said, 'rule')}  {_text(said, 'subject')}")
        if one is not None:
            quiet += 1
            counts[one.line] = counts.get(one.line, 0) + 1
            print(f"    kept quiet by {_name(file, one)}: {_because(one, said)}")
            print(f"    {shown(one.owner)}, until {one.until}: {shown(one.reason)}")
            continue
        told += 1
        for other in suppressions.entries:
            if other.matches(said):
                print(f"    told: {_name(file, other)} is about it, and expired on {other.until}")
            elif (near := _nearly(other, said)) is not None:
                print(f"    told: {_name(file, other)} is not about it, for not: {near}")
    print(f"{many(told + quiet, 'alert')}: {told} told, {quiet} kept quiet")
    return counts


def _list(suppressions: Suppressions, file: Path, counts: dict[int, int] | None) -> int:
    """Each suppression in a line; how many of them should go."""
    now = datetime.now(UTC)
    idle = 0
    for one in suppressions.entries:
        days = (one.ends - now).days
        if one.is_expired(now):
            state = f"EXPIRED on {one.until}"
        else:
            state = f"until {one.until}" + (f" ({many(days, 'day')} left)" if days <= SOON_DAYS else "")
        if counts is not None:
            count = counts.get(one.line, 0)
            state += f"; keeps {many(count, 'alert')} quiet" if count else "; WITHOUT EFFECT on this journal"
        idle += one.is_expired(now) or (counts is not None and one.line not in counts)
        ticket = f", {shown(one.ticket)}" if one.ticket else ""
        print(f"{_name(file, one)}: {state}")
        print(f"    {'; '.join(shown(words) for words, _ in one.verdicts({}))}")
        print(f"    {shown(one.owner)}{ticket}: {shown(one.reason)}")
    if not suppressions.entries:
        print(f"{shown(str(file))}: nothing is kept quiet")
    return idle


def _because(one: Suppression, said: dict[str, Any]) -> str:
    return "; ".join(shown(words) for words, _ in one.verdicts(said))


def _nearly(one: Suppression, said: dict[str, Any]) -> str | None:
    """The one thing that is not so, where everything else is."""
    wrong = [words for words, is_so in one.verdicts(said) if not is_so]
    return shown(wrong[0]) if len(wrong) == 1 and len(list(one.verdicts(said))) > 1 else None


def _name(file: Path, one: Suppression) -> str:
    return f"{shown(str(file))}:{one.line}"


def _text(said: dict[str, Any], key: str) -> str:
    return shown(str(said.get(key, "")))


def _alerts(journal: Path) -> Iterator[dict[str, Any]]:
    """The alerts of a file or a folder of them, each as it was last said."""
    files = sorted(journal.glob("*.jsonl")) if journal.is_dir() else [journal]
    found: dict[str, dict[str, Any]] = {}
    decoder = msgspec.json.Decoder(dict[str, Any])
    for file in files:
        try:
            with file.open("rb") as lines:
                for line in lines:
                    try:
                        said = decoder.decode(line)
                    except msgspec.MsgspecError:
                        continue
                    if said.get("type") == "alert" and len(found) < MAX_ALERTS:
                        found[str(said.get("id"))] = said
        except OSError as error:
            raise _no_journal(journal, (error.strerror or "unreadable").lower()) from None
    if not found:
        raise _no_journal(journal, "no alert in it")
    yield from sorted(found.values(), key=moment_of)


def _no_journal(journal: Path, found: str) -> ConfigError:
    return ConfigError([Problem(file=str(journal), line=0, found=found, expected="for --test a journal with alerts")])
