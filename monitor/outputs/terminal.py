"""What `replay` tells people: who was in which meeting, what is wrong with that, and what could not be seen.

Records are kept until the end of the run and shown as one page: a table a meeting, then the alerts, most severe first.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import TextIO

import msgspec

from monitor.model.alerts import Alert, Severity
from monitor.model.calls import CallOffered
from monitor.model.evidence import Fact, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from monitor.model.roster import Joined, Left, Participant, PinRefused, Tried, Verdict
from monitor.model.summary import Summary
from monitor.outputs.books import book_lines
from monitor.outputs.page import Page, damage_lines, interrupted_line, oddity_rows, read_line
from monitor.outputs.records import Record
from monitor.outputs.report import alert_lines, explain_line, meeting_table, nothing_lines, tries_line
from monitor.outputs.words import frame, name, zone_of

MAX_TRIED = 10_000
"""Meetings tried without success whose names are kept to count them."""
MAX_ODDITIES = 256
TABLES_SHOWN = 40
ALERTS_SHOWN = 50


class Stay(msgspec.Struct):
    """One participant and when they left; none while they are in."""

    who: Participant
    left_at: Nanoseconds | None = None


class Tries(msgspec.Struct):
    """Attempts that let nobody in."""

    count: int = 0
    wrong_pins: int = 0
    meetings: set[str] = msgspec.field(default_factory=set)
    sources: set[str] = msgspec.field(default_factory=set)


class Terminal:
    """Collects what happened and shows it on a stream at the end."""

    def __init__(
        self,
        stream: TextIO,
        *,
        timezone: str = "UTC",
        width: int | None = None,
        colour: bool | None = None,
        journal: str | None = None,
        explain_options: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._page = Page(stream, width=width, colour=colour)
        self._zone = zone_of(timezone)
        self._zone_name = timezone
        self._journal = "FILE" if journal == "-" else journal
        self._explain_options = explain_options
        self.interrupted = False
        """Whether the run ended before its captures did."""
        self._stays: OrderedDict[str, Stay] = OrderedDict()
        self._not_kept: Counter[Verdict] = Counter()
        self._alerts: dict[str, Alert] = {}
        self._alerts_not_kept = 0
        self._oddities: dict[tuple[str, Reason], tuple[int, str]] = {}
        self._tries = Tries()
        self._calls = 0
        self._summary: Summary | None = None

    def write(self, record: Record) -> None:
        """Keeps what the page needs."""
        match record:
            case Joined():
                self._keep(record.participant, None)
            case Left():
                self._keep(record.participant, record.left_at)
            case Alert():
                if record.id in self._alerts or len(self._alerts) < self._limits.page_alerts:
                    self._alerts[record.id] = record
                else:
                    self._alerts_not_kept += 1
            case Oddity():
                count_oddity(self._oddities, record)
            case Tried() | PinRefused():
                self._count_try(record)
            case CallOffered():
                self._calls += 1
            case Summary():
                self._summary = record
            case _:
                pass

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {"page_participants": len(self._stays), "page_alerts": len(self._alerts)}

    def _keep(self, who: Participant, left_at: Nanoseconds | None) -> None:
        known = self._stays.get(who.id)
        if known is not None:
            known.left_at = left_at
        elif left_at is None:
            # The page names no fact of a join: alerts bring their own, and the journal has them all.
            self._stays[who.id] = Stay(msgspec.structs.replace(who, facts=()))
            if len(self._stays) > self._limits.page_participants:
                _, gone = self._stays.popitem(last=False)
                self._not_kept[gone.who.verdict] += 1

    def _count_try(self, tried: Tried | PinRefused) -> None:
        tries = self._tries
        if isinstance(tried, PinRefused):
            tries.wrong_pins += 1
            return
        tries.count += 1
        if len(tries.meetings) < MAX_TRIED:
            tries.meetings.add(f"{tried.meeting.platform} {tried.meeting.key}")
        if len(tries.sources) < MAX_TRIED:
            subject = tried.identity.subject
            tries.sources.add(tried.origin if subject == "anonymous" else subject)

    def close(self) -> None:
        """Shows the page."""
        self._show_meetings()
        if self._tries.count or self._tries.wrong_pins:
            self._page.line()
            tries = self._tries
            self._page.line(tries_line(tries.count, tries.wrong_pins, len(tries.meetings), len(tries.sources)))
        self._show_alerts()
        rows = oddity_cells(self._oddities)
        oddity_rows(self._page, rows)
        self._page.line()
        if not self._alerts:
            reasons = {reason for _, reason in self._oddities}
            nothing_lines(self._page, bool(self._stays), self._calls, self._summary, reasons)
        if self.interrupted:
            interrupted_line(self._page)
        if self._summary is not None:
            damage_lines(self._page, self._summary)
            read_line(self._page, self._summary, self._zone, self._zone_name)
            book_lines(self._page, self._summary, interrupted=self.interrupted)
        self._page.show()

    def _show_meetings(self) -> None:
        groups: dict[str, list[Stay]] = {}
        for stay in self._stays.values():
            who = stay.who
            key = who.occurrence.id if who.occurrence else f"{who.meeting.platform}/{who.meeting.key}"
            groups.setdefault(key, []).append(stay)
        # Where there are too many, the meetings with somebody unexpected are the ones to read.
        ranked = sorted(groups.values(), key=lambda stays: all(s.who.verdict is Verdict.INVITED for s in stays))
        kept = ranked[:TABLES_SHOWN]
        for stays in sorted(kept, key=lambda stays: (stays[0].who.joined_at, stays[0].who.id)):
            rows = [(stay.who, stay.left_at) for stay in stays]
            meeting_table(self._page, rows, self._zone)
        if len(ranked) > len(kept):
            self._page.line(f"… and {len(ranked) - len(kept):,} more meetings; the journal has them all.")
        if self._not_kept:
            missing = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(self._not_kept.items()))
            self._page.line(f"… and earlier participants that this page has no room for: {missing}.")

    def _show_alerts(self) -> None:
        alerts = sorted(self._alerts.values(), key=lambda alert: (-alert.severity.rank, alert.first_seen, alert.id))
        if not alerts:
            return
        people = {stay.who.identity.subject: stay.who.people for stay in self._stays.values()}
        counts = Counter(alert.severity for alert in alerts)
        listed = ", ".join(f"{counts[level]} {level}" for level in reversed(Severity) if counts[level])
        self._page.line()
        self._page.line(f"Alerts: {listed}", style="bold")
        told: dict[Fact, str] = {}
        for alert in alerts[:ALERTS_SHOWN]:
            alert_lines(self._page, alert, people.get(alert.subject, ()), self._zone, told=told)
        more = len(alerts) - ALERTS_SHOWN + self._alerts_not_kept
        if more > 0:
            self._page.line(f"… and {more:,} more alerts; the journal has them all.")
        explain_line(self._page, alerts[0], self._journal, self._explain_options)


def count_oddity(oddities: dict[tuple[str, Reason], tuple[int, str]], oddity: Oddity) -> None:
    """Adds one; the first of its kind says where."""
    kind = (oddity.protocol, oddity.reason)
    if kind not in oddities and len(oddities) >= MAX_ODDITIES:
        kind = ("other", oddity.reason)
    if kind in oddities:
        count, first = oddities[kind]
        oddities[kind] = (count + 1, first)
    else:
        what = f" ({name(oddity.what)})" if oddity.what else ""
        oddities[kind] = (1, frame(oddity.evidence) + what)


def oddity_cells(oddities: dict[tuple[str, Reason], tuple[int, str]]) -> list[tuple[str, str, int, str]]:
    """Most frequent first."""
    ranked = sorted(oddities.items(), key=lambda item: (-item[1][0], item[0]))
    return [(name(protocol), str(reason), count, first) for (protocol, reason), (count, first) in ranked]
