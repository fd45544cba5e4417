"""Calendars, directory and policy: could anything in them match?"""

from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.doctor.checks.check import BLIND, DEGRADED, HINT, Check, Finding, Findings
from monitor.doctor.facts import Facts, ListFacts
from monitor.model.evidence import SECOND, Nanoseconds

SHOWN = 5
YEARS_APART: Nanoseconds = 300 * 86_400 * SECOND


def config_wrong(facts: Facts) -> Findings:
    """The daemon's configuration has mistakes."""
    if facts.config_problems:
        yield Finding(
            gravity=BLIND,
            cause="The configuration has mistakes; the daemon does not start with it.",
            proof=tuple(str(problem) for problem in facts.config_problems[:SHOWN]),
            next_step="Mend these lines.",
        )


def lists_wrong(facts: Facts) -> Findings:
    """Calendars, directory or policy have mistakes."""
    problems = facts.lists.problems if facts.lists else ()
    if problems:
        more = len(problems) - SHOWN
        yield Finding(
            gravity=BLIND,
            cause="Calendars, directory or policy have mistakes: the daemon does not start, or keeps the old ones.",
            proof=(*(str(problem) for problem in problems[:SHOWN]), *([f"And {more:,} more."] if more > 0 else [])),
            next_step="Mend these lines.",
            lines=("joinwatch check FILE",),
        )


def no_calendar(facts: Facts) -> Findings:
    """No calendar is given."""
    lists = facts.lists
    if facts.live and facts.port is None:
        return  # an interface alone was asked about
    if lists is not None and not lists.meetings_given:
        yield Finding(
            gravity=HINT,
            cause="No calendar is given: nobody can be expected, so every meeting is called not scheduled.",
            proof=("No path under meetings." if facts.live else "No --meetings.",),
            next_step="Give the invitations as iCalendar files.",
            lines=('meetings = ["/etc/joinwatch/meetings"]',)
            if facts.live
            else ("joinwatch doctor … --meetings calendars/",),
        )


def empty(facts: Facts) -> Findings:
    """The calendars hold no invitation."""
    lists = _given(facts)
    if lists is not None and not lists.invitations:
        yield Finding(
            gravity=BLIND,
            cause="The calendars are empty.",
            proof=("Their files hold 0 invitations (VEVENT).",),
            next_step="Export them anew, with the meetings of the coming months.",
        )


def nameless(facts: Facts) -> Findings:
    """No invitation has a number or link that a platform recognises."""
    lists = _given(facts)
    if lists is not None and lists.invitations and not lists.names:
        yield Finding(
            gravity=BLIND,
            cause="No invitation says how to reach its meeting: none has a number or link that a platform recognises.",
            proof=(f"{lists.invitations:,} invitations, 0 with a known number or link.",),
            next_step="Export with descriptions (Outlook: full details); for a bridge of your own, name its hosts.",
            lines=("[platforms.generic]", 'hosts = ["bridge.example.com"]', "joinwatch platforms"),
        )


def expired(facts: Facts) -> Findings:
    """Every meeting of the calendars is over, or none is near."""
    lists = _given(facts)
    if lists is None or not lists.names or lists.soon:
        return
    if lists.following is None and lists.last is not None:
        yield Finding(
            gravity=BLIND,
            cause="The calendars have expired: every meeting in them is over.",
            proof=(
                f"{lists.names:,} meetings; the last ended {_day(lists.last, lists)}.",
                f"And {_what(facts)} {_day(lists.at, lists)}.",
            ),
            next_step="Export them anew, and have that done daily.",
        )
    elif lists.following is not None and lists.following - lists.at < YEARS_APART:
        yield Finding(
            gravity=HINT,
            cause="No meeting of the calendars takes place within a week.",
            proof=(f"The next begins {_day(lists.following, lists)}, and {_what(facts)} {_day(lists.at, lists)}.",),
            next_step="See whether these are the calendars that you mean.",
        )
    elif not facts.reports:
        yield Finding(
            gravity=BLIND,
            cause="No meeting of the calendars takes place within 400 days of now.",
            proof=(f"{lists.names:,} meetings are named; {_what(facts)} {_day(lists.at, lists)}.",),
            next_step="Export them anew; see also whether the clock is right.",
            lines=("date", "timedatectl"),
        )


def years_apart(facts: Facts) -> Findings:
    """The capture's clock and the calendars are years apart."""
    lists = _given(facts)
    if lists is None or not lists.names or lists.soon:
        return
    if not any(report.frames for report in facts.reports):
        return
    if lists.following is None and lists.last is not None:
        return  # said to be expired
    if lists.following is not None and lists.following - lists.at < YEARS_APART:
        return
    yield Finding(
        gravity=BLIND,
        cause="Capture and calendars are years apart: the capturing machine's clock was wrong, or they are others'.",
        proof=(f"The capture is of {_day(lists.at, lists)}; no meeting takes place within 400 days of that.",),
        next_step="Shift the capture's times by what its clock was wrong, or take the calendars of that time.",
        lines=("editcap -t SECONDS CAPTURE shifted.pcap",),
    )


def without_pins(facts: Facts) -> Findings:
    """No invitation holds a PIN."""
    lists = _given(facts)
    if lists is not None and lists.names and not lists.names_with_pin:
        yield Finding(
            gravity=HINT,
            cause="No invitation holds a PIN: a wrong one cannot be told from the right one.",
            proof=(f"{lists.names:,} meetings are named, 0 with a PIN of digits.",),
            next_step="Export the organizer's copies, which hold it. That # alone was entered is seen without.",
        )


def without_numbers(facts: Facts) -> Findings:
    """The directory has no number of anybody who is invited."""
    lists = facts.lists
    if lists is None or not lists.directory_given or lists.problems or not lists.invitees or lists.reachable:
        return
    yield Finding(
        gravity=DEGRADED,
        cause="The directory knows no telephone number of anybody who is invited: each who dials in is a stranger.",
        proof=(f"{lists.invitees:,} people are invited within the week, of 0 of them it has a number.",),
        next_step="Give a directory with e-mail addresses as in the invitations, and numbers.",
        lines=("name,email,phone",),
    )


def no_directory(facts: Facts) -> Findings:
    """No directory is given."""
    lists = facts.lists
    if lists is not None and not lists.directory_given and lists.meetings_given:
        yield Finding(
            gravity=HINT,
            cause="No directory is given: people are known by what the invitation says of them alone.",
            proof=("Invitations name e-mail addresses, and who dials in has a number.",),
            next_step="Give vCard or CSV.",
            lines=('directory = ["/etc/joinwatch/people.csv"]',)
            if facts.live
            else ("joinwatch doctor … --directory people.csv",),
        )


def _given(facts: Facts) -> ListFacts | None:
    """The lists, if calendars were given and could be read."""
    lists = facts.lists
    return lists if lists is not None and lists.meetings_given and not lists.problems else None


def _day(at: Nanoseconds, lists: ListFacts) -> str:
    return datetime.fromtimestamp(max(at, 0) // SECOND, ZoneInfo(lists.policy.timezone)).strftime("%Y-%m-%d")


def _what(facts: Facts) -> str:
    return "the capture is of" if facts.reports else "today is"


CHECKS = (
    Check("config-mistakes", config_wrong),
    Check("list-mistakes", lists_wrong),
    Check("empty-calendar", empty),
    Check("nameless-meetings", nameless),
    Check("years-apart", years_apart),
    Check("expired-calendar", expired),
    Check("directory-without-numbers", without_numbers),
    Check("no-calendar", no_calendar),
    Check("no-directory", no_directory),
    Check("no-pins", without_pins),
)
