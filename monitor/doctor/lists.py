"""Calendars, directory and policy: whether anything in them can match anybody, at the time that matters."""

from collections.abc import Sequence
from pathlib import Path

from monitor.doctor.facts import ListFacts
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.invitations import Invitee, Occurrence
from monitor.model.problems import ConfigError, Problem
from monitor.pipeline import Expected, load_expected

DAY: Nanoseconds = 86_400 * SECOND
SOON: Nanoseconds = 7 * DAY
FAR: Nanoseconds = 400 * DAY
"""So far back, and ahead, the calendars are looked through where nothing is on soon."""
MOST_OCCURRENCES = 2000


def read_lists(
    meetings: Sequence[Path], directory: Sequence[Path], policy: Path | None
) -> tuple[Expected, tuple[Problem, ...]]:
    """What can be used of them, and every mistake in the rest."""
    try:
        return load_expected(meetings, directory, policy), ()
    except ConfigError as error:
        problems = error.problems
    usable: dict[str, list[Path]] = {"meetings": [], "directory": []}
    good_policy = policy if policy is not None and _is_good([], [], policy) else None
    for path in meetings:
        if _is_good([path], [], good_policy):
            usable["meetings"].append(path)
    for path in directory:
        if _is_good([], [path], good_policy):
            usable["directory"].append(path)
    return load_expected(usable["meetings"], usable["directory"], good_policy), problems


def _is_good(meetings: list[Path], directory: list[Path], policy: Path | None) -> bool:
    try:
        load_expected(meetings, directory, policy)
    except ConfigError:
        return False
    return True


def list_facts(
    expected: Expected,
    problems: Sequence[Problem],
    at: Nanoseconds,
    until: Nanoseconds,
    *,
    meetings: Sequence[Path],
    directory: Sequence[Path],
    policy: Path | None,
) -> ListFacts:
    """What they hold for that time and the week behind it."""
    names = dict.fromkeys(ref for ref, _ in expected.calendar.named())
    with_pin = {ref for ref, pins in expected.calendar.named() if pins}
    # From a day before: for a capture of an hour, its meeting may have begun yesterday.
    soon = _between(expected, at - DAY, at + SOON)
    last = following = None
    if names and not soon:
        before, after = _between(expected, at - FAR, at), _between(expected, at + SOON, at + FAR)
        last = max((one.end for one in before), default=None)
        following = min((one.start for one in after), default=None)
    invitees = {invitee.address: invitee for one in soon for invitee in one.invitees}
    return ListFacts(
        problems=tuple(problems),
        policy=expected.policy,
        policy_given=policy is not None,
        meetings_given=bool(meetings),
        directory_given=bool(directory),
        at=at,
        invitations=sum(_invitations_in(path) for path in meetings),
        names=len(names),
        names_with_pin=len(with_pin),
        on=sum(one.start < until and one.end > at for one in soon),
        soon=len(soon),
        last=last,
        following=following,
        invitees=len(invitees),
        reachable=sum(_has_number(invitee, expected) for invitee in invitees.values()),
        numbers=tuple(sorted({*expected.policy.site.access_numbers, *expected.access_numbers})),
    )


def _between(expected: Expected, since: Nanoseconds, until: Nanoseconds) -> list[Occurrence]:
    from monitor.sources.calendars import Invitations

    if not isinstance(expected.calendar, Invitations):
        return []
    found: list[Occurrence] = []
    for occurrence in expected.calendar.between(since, until):
        found.append(occurrence)
        if len(found) == MOST_OCCURRENCES:
            break
    return found


def _has_number(invitee: Invitee, expected: Expected) -> bool:
    people = expected.directory.people_with(invitee.address)
    return any(person.ranges or any(a.startswith("tel:") for a in person.addresses) for person in people)


def _invitations_in(path: Path) -> int:
    """Meetings by the text of the files, for those that name no meeting are in no calendar."""
    files = sorted(path.rglob("*.ics")) if path.is_dir() else [path]
    try:
        return sum(file.read_bytes().count(b"BEGIN:VEVENT") for file in files)
    except OSError:
        return 0
