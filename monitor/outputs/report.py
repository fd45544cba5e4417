"""The parts of the page: a meeting's table, an alert's reasons, and what to say when there is neither."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import tzinfo
from shlex import quote

from monitor.model.alerts import Alert
from monitor.model.evidence import Fact, Nanoseconds
from monitor.model.invitations import Occurrence, Person
from monitor.model.meetings import MeetingRef
from monitor.model.oddities import Reason
from monitor.model.roster import Participant, Verdict
from monitor.model.summary import Summary
from monitor.outputs.columns import laid_out
from monitor.outputs.page import STYLES, Page, severity_text
from monitor.outputs.safe import shown
from monitor.outputs.words import (
    COVERAGES,
    TRUSTS,
    VERDICTS,
    address,
    clock,
    day,
    local,
    many,
    meeting,
    name,
    people,
    reason,
    sentence,
    way,
)

ROWS_SHOWN = 60
REASONS_SHOWN = 8
ABSENT_SHOWN = 4
VERDICT_STYLES = {
    Verdict.INVITED: "green",
    Verdict.UNINVITED: "bold red",
    Verdict.ANONYMOUS: "bold red",
    Verdict.UNSCHEDULED: "yellow",
}

Row = tuple[Participant, Nanoseconds | None]


def meeting_table(page: Page, rows: Sequence[Row], zone: tzinfo) -> None:
    """One meeting: what it is, and who was in it, in the order of joining."""
    first = rows[0][0]
    today = day(first.occurrence.start if first.occurrence else first.joined_at, zone)
    page.line()
    page.line(_title(first), style="bold")
    page.line(_subtitle(first, zone))
    kept = _rows_to_show(rows)
    cells = [
        (
            _who(who),
            way(who),
            clock(who.joined_at, zone, today),
            "still in" if left_at is None else clock(left_at, zone, today),
            VERDICTS[who.verdict],
        )
        for who, left_at in kept
    ]
    styles = [VERDICT_STYLES[who.verdict] for who, _ in kept]
    page.raw(laid_out(page.width, ("who", "how", "joined", "left", "expected?"), cells, styles, colour=page.colour))
    if len(kept) < len(rows):
        page.line(f"… and {len(rows) - len(kept):,} more; the journal has them all.")
    absent = _absent(first.occurrence, [who for who, _ in rows]) if first.occurrence else ""
    if absent:
        page.line(absent, style="dim")


def _title(who: Participant) -> str:
    if who.occurrence is None:
        if who.series:
            return "A meeting of the calendar, on a day when it is not planned"
        return "A meeting that no calendar knows"
    return name(who.occurrence.summary) or "A meeting without a title"


def _subtitle(who: Participant, zone: tzinfo) -> str:
    parts = []
    if who.occurrence is not None:
        start = local(who.occurrence.start, zone)
        end = local(who.occurrence.end, zone)
        until = end.strftime("%H:%M" if end.date() == start.date() else "%Y-%m-%d %H:%M")
        parts.append(f"{start.strftime('%Y-%m-%d %H:%M')}–{until}")
    else:
        parts.append(day(who.joined_at, zone))
    parts.append(meeting(who.meeting))
    if who.occurrence is not None:
        parts.append(name(who.occurrence.classification) or "no marking")
    return " · ".join(parts)


def _rows_to_show(rows: Sequence[Row]) -> list[Row]:
    """All, or where there are too many, the unexpected ones first; in the order of joining."""
    ranked = sorted(rows, key=lambda row: row[0].verdict is Verdict.INVITED)[:ROWS_SHOWN]
    return sorted(ranked, key=lambda row: (row[0].joined_at, row[0].id))


def _who(who: Participant) -> str:
    subject = address(who.identity.subject)
    known = people(who.people)
    lines = [known, subject] if known else [subject]
    if who.identity.display and not known:
        lines.append(f"says “{name(who.identity.display, 40)}”")
    return "\n".join(lines)


def _absent(occurrence: Occurrence, present: Sequence[Participant]) -> str:
    """Who was invited and not seen: they may have come where nothing can be seen."""
    seen = {who.identity.subject for who in present}
    for who in present:
        for person in who.people:
            seen.update(person.addresses)
    missing = [invitee for invitee in occurrence.invitees if invitee.address not in seen]
    if not missing:
        return ""
    names = [name(invitee.name) or address(invitee.address) for invitee in missing[:ABSENT_SHOWN]]
    more = f" and {len(missing) - ABSENT_SHOWN} more" if len(missing) > ABSENT_SHOWN else ""
    return f"Invited, and not seen here: {', '.join(names)}{more}."


def alert_lines(page: Page, alert: Alert, known: tuple[Person, ...], zone: tzinfo, *, told: dict[Fact, str]) -> None:
    """One alert: how bad, what, who, where, why with its frames, and the id by which it is asked for.

    `told` has the reasons that stand above already, with the rule beside which they stand.
    """
    page.line()
    mark, style = f" {severity_text(alert.severity)} ", STYLES[alert.severity]
    page.hanging(mark, f" {name(alert.rule)}", "bold", mark_style=style)
    page.hanging("  ", sentence(alert.summary), "bold")
    who = ", ".join(part for part in (people(known), address(alert.subject)) if part)
    page.labelled("  who", f"{who} ({TRUSTS[alert.confidence]})")
    if alert.meeting is not None:
        page.labelled("  meeting", _meeting_of(alert, alert.meeting, zone))
    for number, text in enumerate(_reasons(alert, told)):
        page.labelled("  because" if number == 0 else "", text, "- ")
    page.labelled("  seen", _when(alert, zone))
    if alert.meeting is not None:
        page.labelled("  coverage", COVERAGES[alert.coverage])
    page.labelled("  id", name(alert.id))


def explain_line(page: Page, alert: Alert, journal: str | None, options: Sequence[str]) -> None:
    """How to come from an alert to its frames; a whole command, to be copied."""
    page.line()
    if journal is None:
        page.line("To see the packets behind an alert, run this again with --json FILE, which keeps a journal.")
        return
    words = ["joinwatch", "explain", alert.id, "--journal", journal, *options]
    page.line("To see the packets behind an alert (this is for the first; each has its id):")
    page.whole(f"  {' '.join(shown(quote(word), 400) for word in words)}")


def _reasons(alert: Alert, told: dict[Fact, str]) -> list[str]:
    """Each reason, but of those that stand above only where."""
    new = [fact for fact in alert.reasons if fact not in told]
    lines = [reason(fact) for fact in new[:REASONS_SHOWN]]
    if len(new) > REASONS_SHOWN:
        lines.append(f"and {many(len(new) - REASONS_SHOWN, 'more reason', 'more reasons')}")
    above = Counter(told[fact] for fact in alert.reasons if fact in told)
    lines += [f"and {many(count, 'reason')} given above with {name(rule)}" for rule, count in above.items()]
    for fact in new[:REASONS_SHOWN]:
        told.setdefault(fact, alert.rule)
    return lines


def _meeting_of(alert: Alert, ref: MeetingRef, zone: tzinfo) -> str:
    key = meeting(ref)
    if alert.occurrence is None:
        return key if alert.series else f"{key}, in no calendar"
    start = local(alert.occurrence.start, zone).strftime("%Y-%m-%d %H:%M")
    return f"{name(alert.occurrence.summary) or 'untitled'}, {start}, {key}"


def _when(alert: Alert, zone: tzinfo) -> str:
    first = clock(alert.first_seen, zone)
    if alert.count == 1:
        return first
    return f"{many(alert.count, 'time')}, {first} to {clock(alert.last_seen, zone, day(alert.first_seen, zone))}"


def tries_line(count: int, wrong_pins: int, meetings: int, sources: int) -> str:
    """Attempts that let nobody in, which have no table."""
    parts = []
    if count:
        what = many(meetings, "meeting number")
        parts.append(f"{many(count, 'try', 'tries')} by {many(sources, 'source')} for {what}")
    if wrong_pins:
        parts.append(many(wrong_pins, "wrong PIN"))
    return f"Not admitted: {'; '.join(parts)}."


def nothing_lines(page: Page, meetings: bool, calls: int, summary: Summary | None, odd: Collection[Reason]) -> None:
    """What no alert means, and what it does not: nobody may read it as "no intrusion"."""
    head = "No alert." if meetings else "No meeting and no alert."
    page.line(f"{head} That is no proof that nobody was there. What could not be seen:", style="bold")
    for text in _unseen(meetings, calls, summary, odd):
        page.hanging("  - ", text)


def _unseen(meetings: bool, calls: int, summary: Summary | None, oddities: Collection[Reason]) -> list[str]:
    counts = summary.counts if summary else {}
    frames = sum(report.frames for report in summary.captures) if summary else 0
    wanted = sum(report.wanted for report in summary.captures) if summary else 0
    calls = max(calls, counts.get("calls", 0))
    found: list[str] = []
    if summary and not frames:
        found.append("nothing was read: there is not one frame")
    elif summary and not wanted:
        found.append("there is no signalling that joinwatch can read, neither SIP nor telephone keys")
    elif not meetings and summary and not calls:
        found.append("there is not one call that could be read")
    elif not meetings and calls:
        found.append(
            f"{many(calls, 'call')} went by, and none was admitted to a meeting of a known platform; "
            "`joinwatch decode` lists them, and a policy can name own bridges and access numbers"
        )
    if counts.get("unknown_bridges"):
        found.append(
            f"in {many(counts['unknown_bridges'], 'call')} a long number was typed, as for a meeting, "
            "at a number that neither the policy nor joinwatch knows for a bridge"
        )
    if counts.get("streams_begun_in_the_middle"):
        found.append("the capture begins in the middle of conversations")
    if summary and any(report.damage for report in summary.captures):
        found.append("a capture is damaged, and what stood there is lost")
    if summary and any(report.cut for report in summary.captures):
        found.append("frames were cut short by the snap length")
    if summary and summary.accounts.encrypted:
        found.append(f"{many(summary.accounts.encrypted, 'frame')} were encrypted as a whole (MACsec or 802.11)")
    if summary and summary.losses.dropped_by_system + summary.losses.dropped_by_interface:
        found.append("the capture itself tells that frames were dropped before they came into it")
    if Reason.GAP in oddities:
        found.append("parts of streams are missing in the capture")
    if Reason.EVICTED in oddities or any(count for what, count in counts.items() if "evicted" in what):
        found.append("tables were full, and some calls or streams were forgotten")
    if Reason.UNSUPPORTED in oddities:
        found.append("some traffic is of a version or kind that joinwatch does not read")
    found.append("encrypted signalling (SIP over TLS, meetings in an app or a browser) shows nobody's name")
    found.append("who dials a platform's own number from outside does not pass through this network")
    return found
