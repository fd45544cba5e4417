"""Meetings that were reached: are they those of the calendars, and at their time?"""

from collections import Counter

from monitor.doctor.checks.check import BLIND, DEGRADED, HINT, Check, Finding, Findings
from monitor.doctor.facts import Facts
from monitor.doctor.hearing import whole_hours
from monitor.model.evidence import MINUTE

NEAR = 20 * MINUTE
"""People come within so much of a meeting's beginning."""
MOST = 0.8


def hours_off(facts: Facts) -> Findings:
    """People come whole hours beside the meetings: a time zone is wrong."""
    hours: Counter[int] = Counter()
    occurrences: dict[int, set[str]] = {}
    for joining in facts.joinings:
        if joining.offset is None:
            continue
        whole, rest = whole_hours(joining.offset)
        if abs(rest) <= NEAR and abs(whole) <= 14:
            hours[whole] += 1
            occurrences.setdefault(whole, set()).add(joining.occurrence)
    near = [joining for joining in facts.joinings if joining.offset is not None]
    if not hours or hours[0]:
        return
    whole, count = hours.most_common(1)[0]
    if count < MOST * len(near) or (len(occurrences[whole]) < 2 and count < 3):
        return
    lists = facts.lists
    zone = lists.policy.timezone if lists else "UTC"
    yield Finding(
        gravity=DEGRADED,
        cause=f"People come {abs(whole)} h {'after' if whole > 0 else 'before'} the meetings begin, all of them: a time"
        " zone is wrong.",
        proof=(
            f"{count:,} of {len(near):,} calls came within 20 minutes of {whole:+d} h from the beginning"
            f" ({len(occurrences[whole]):,} meetings).",
            f"The policy's time zone is {zone}: it holds for calendars that name none.",
        ),
        next_step="Set the zone in which the calendars were written, or export them in UTC; see also the capturing"
        " machine's clock.",
        lines=('timezone = "Europe/Amsterdam"     (policy)',),
    )


def no_match(facts: Facts) -> Findings:
    """Meetings are reached, and the calendars have none of them."""
    lists, joinings = facts.lists, facts.joinings
    if lists is None or not lists.meetings_given or lists.problems or not lists.names or not joinings:
        return
    admitted = sum(joining.admitted for joining in joinings)
    if any(joining.known for joining in joinings) or not admitted:
        return  # whoever tries numbers and is not let in finds none of them in a calendar
    yield Finding(
        gravity=BLIND if admitted > 1 else HINT,
        cause="Meetings are reached, and none of them is in the calendars.",
        proof=(
            f"{len(joinings):,} calls reached a meeting, {admitted:,} were let in.",
            f"The calendars name {lists.names:,} other meetings.",
        ),
        next_step="Take the calendars of all who invite to this bridge; see whether invitations were made anew with"
        " other numbers.",
        lines=("joinwatch decode CAPTURE     (the numbers that were entered)",),
    )


def other_times(facts: Facts) -> Findings:
    """Meetings of the calendars are reached, and always outside their time."""
    known = [joining for joining in facts.joinings if joining.known]
    if not known or any(joining.expected for joining in known) or any(True for _ in hours_off(facts)):
        return
    yield Finding(
        gravity=DEGRADED if len(known) > 2 else HINT,
        cause="Known meetings are reached, and always outside their time.",
        proof=(f"{len(known):,} calls reached a meeting of the calendars, 0 while it was on.",),
        next_step="See whether the calendars have the latest version of their series, and the clocks are right.",
    )


def nobody(facts: Facts) -> Findings:
    """Keys are pressed, and no meeting's number is ever whole."""
    hearing = facts.hearing
    if hearing is None or not hearing.keyed or hearing.reached:
        return
    yield Finding(
        gravity=DEGRADED if len(hearing.keyed) > 2 else HINT,
        cause="People dial in and press keys, and none enters a whole number of a meeting.",
        proof=(
            f"{len(hearing.keyed):,} calls with keys; {hearing.counts.get('packets_missed', 0):,} packets are missing.",
        ),
        next_step="See whether keys get lost (other findings), or whether the access number is another platform's.",
        lines=("[site.access_numbers]", '"+31205550100" = "webex"'),
    )


CHECKS = (
    Check("no-match", no_match),
    Check("hours-off", hours_off),
    Check("other-times", other_times),
    Check("no-whole-number", nobody),
)
