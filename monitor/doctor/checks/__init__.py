"""Everything that the doctor looks for, gravest causes first: a new check is a function in one of these files, and a
line in that file's table.
"""

import msgspec

from monitor.doctor.checks import interfaces, lists, machine, meetings, running, signalling, traffic
from monitor.doctor.checks.check import Check
from monitor.doctor.facts import Facts
from monitor.doctor.findings import Diagnosis, Finding

TOPICS: dict[str, tuple[Check, ...]] = {
    "Interface": interfaces.CHECKS,
    "This machine": machine.CHECKS,
    "Traffic": traffic.CHECKS,
    "Signalling": signalling.CHECKS,
    "Calendars, directory, policy": lists.CHECKS,
    "Meetings": meetings.CHECKS,
    "A running daemon": running.CHECKS,
}
"""In the order in which causes lie behind each other: what is found in an earlier one explains the later."""
CHECKS: tuple[Check, ...] = tuple(check for checks in TOPICS.values() for check in checks)


def diagnosis_of(facts: Facts, examined: tuple[str, ...] = ()) -> Diagnosis:
    """What every check says, gravest first; of equals, what lies behind the others first."""
    found: list[Finding] = []
    for check in CHECKS:
        found += (msgspec.structs.replace(finding, check=check.name) for finding in check.judge(facts))
    found.sort(key=lambda finding: finding.gravity.rank)
    return Diagnosis(findings=tuple(found), examined=examined, unexamined=facts.unexamined)
