"""`joinwatch forget`: somebody goes from journal, memory and dead letters, whether the daemon runs or not."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.cli import DONE, FAILED, USAGE
from monitor.cli.privacy import is_sure, log_of
from monitor.cli.speech import say
from monitor.daemon.forgetting import MIN_NAME, Forgotten, Person, person_of
from monitor.daemon.ledger import SUFFIX
from monitor.daemon.memory import Memory
from monitor.daemon.privacy import pseudonyms_of
from monitor.daemon.requests import Forget
from monitor.model.invitations import Address
from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import Settings
from monitor.outputs.words import many
from monitor.pipeline import Expected, load_expected

SCHEMES = ("tel:", "sip:", "sips:", "mailto:", "ip:")


def run(options: argparse.Namespace) -> int:
    """Forget one person."""
    settings, audit, reason = log_of(options)
    person = found(options.subject, settings)
    about = audit.subject(options.subject) if audit else ""
    if audit and options.dry_run:  # how much there is of somebody, and what else they are called, is a look
        audit.add("forget", about, reason, state="dry run")
    for text in person.texts:
        print(f"also known as {text}" if text != options.subject else text)
    if options.dry_run:
        show(counted(Path(settings.state), person), "would be erased or made nameless")
        return DONE
    if not is_sure("Forget this person for ever?", yes=options.yes):
        say("nothing was changed")
        return USAGE
    from monitor.cli.asking import carried_out

    if audit:
        audit.add("forget", about, reason, state="asked")
    answer = carried_out(settings, Forget(person=person))
    if audit:
        audit.add("forget", about, reason, state=answer.trouble or "done", erased=answer.counts)
    if answer.trouble:
        say(f"not everything could be erased: {answer.trouble}")
        return FAILED
    show(answer.counts, "erased or made nameless")
    return DONE


def found(subject: str, settings: Settings) -> Person:
    """Everything by which somebody is known; a ConfigError for a subject that is nobody's name."""
    expected = load_expected(
        directories=[Path(path) for path in settings.directory],
        policy_file=Path(settings.policy) if settings.policy else None,
    )
    addresses, names = aliases_of(subject, expected)
    pseudonyms = pseudonyms_of(settings)
    return person_of(addresses, names, pseudonyms.of if pseudonyms else None)


def aliases_of(subject: str, expected: Expected) -> tuple[Sequence[Address], Sequence[str]]:
    """Addresses and names, by the directory."""
    from monitor.sources.directories import People
    from monitor.sources.numbers import canonical

    everybody = expected.directory.everybody if isinstance(expected.directory, People) else ()
    number = expected.number_text(subject)
    if subject.lower().startswith(SCHEMES) or number:
        address = number or canonical(subject, expected.number_text)
        theirs = [person for person in everybody if address in person.addresses]
        # A telephone that several share is none of theirs alone: then only the number is forgotten.
        people = theirs if len(theirs) == 1 else []
        return [address, *_addresses(people)], [person.name for person in people]
    people = [person for person in everybody if person.name.casefold() == subject.casefold()]
    if len(subject) < MIN_NAME and not people:
        wanted = f"tel:+…, sip:…, mailto:…, ip:… or a name of {MIN_NAME} letters or more"
        raise ConfigError([Problem(file="SUBJECT", line=0, found=repr(subject), expected=wanted)])
    if not people:
        say("the directory has nobody of that name; only the name itself is looked for")
    shared = {a for a in _addresses(people) if sum(a in person.addresses for person in everybody) > len(people)}
    return [address for address in _addresses(people) if address not in shared], [subject]


def _addresses(people: Iterable[object]) -> list[Address]:
    return [address for person in people for address in getattr(person, "addresses", ())]


def counted(state: Path, person: Person) -> dict[str, int]:
    """How much there is of them now; nothing is changed."""
    from monitor.daemon.retention import dead_letters

    forgotten, counts = Forgotten(person), dict[str, int]()
    change = forgotten.change(counts)
    files = [*sorted((state / "journal").glob(f"*{SUFFIX}")), *dead_letters(state)]
    for path in files:
        with path.open("rb") as file:
            for line in file:
                change(line)
    memory = state / "memory.db"
    if memory.exists():
        counts["memory events"] = Memory.mentions(memory, forgotten.is_in)
    return counts


def show(counts: dict[str, int], what: str) -> None:
    """One line a kind."""
    for kind, count in sorted(counts.items()):
        if count:
            print(f"{count:8,}  {kind}")
    print(f"{many(sum(counts.values()), 'record')} {what}")
