"""What `decode` tells people: one line a call, in the order of their offers."""

from collections import OrderedDict
from typing import TextIO

import msgspec

from monitor.model.calls import CallAnswered, CallEnded, CallForwarded, CallOffered, CallRefused, KeyPressed
from monitor.model.evidence import Nanoseconds
from monitor.model.oddities import Oddity, Reason
from monitor.model.summary import Summary
from monitor.outputs.books import book_lines
from monitor.outputs.lines import is_narrow
from monitor.outputs.page import Page, damage_lines, interrupted_line, oddity_rows, read_line
from monitor.outputs.records import Record
from monitor.outputs.terminal import count_oddity, oddity_cells
from monitor.outputs.words import address, clock, day, lasted, many, name, zone_of

MAX_CALLS = 5000
"""Calls kept for the page; when there are more, the oldest are shown at once as they stand."""
AT_ONCE = 1000
"""Shown together then."""

FIXED = 11 + 7 + 4 + 5 * 2
"""Columns of the page that are not for the two ends of a call."""


class Line(msgspec.Struct):
    """One call."""

    at: Nanoseconds
    caller: str
    callee: str
    state: str = "no answer"
    answered_at: Nanoseconds | None = None
    ended_at: Nanoseconds | None = None
    keys: int = 0


class CallList:
    """Collects calls and shows them on a stream."""

    def __init__(
        self,
        stream: TextIO,
        *,
        timezone: str = "UTC",
        width: int | None = None,
        colour: bool | None = None,
    ) -> None:
        self._page = Page(stream, width=width, colour=colour)
        self._zone = zone_of(timezone)
        self._zone_name = timezone
        self._calls: OrderedDict[str, Line] = OrderedDict()
        self._oddities: dict[tuple[str, Reason], tuple[int, str]] = {}
        self._shown = 0
        self._summary: Summary | None = None
        self.interrupted = False
        """Whether the run ended before its captures did."""

    def write(self, record: Record) -> None:
        """Keeps what the list needs."""
        match record:
            case CallOffered():
                self._offer(record)
            case CallAnswered() | CallRefused() | CallForwarded() | CallEnded() | KeyPressed():
                line = self._calls.get(record.call)
                if line is not None:
                    _go_on(line, record)
            case Oddity():
                count_oddity(self._oddities, record)
            case Summary():
                self._summary = record
            case _:
                pass

    def _offer(self, offered: CallOffered) -> None:
        caller = address(offered.caller.uri or "anonymous").removeprefix("sip:")
        callee = address(offered.addressed_to or offered.target).removeprefix("sip:")
        self._calls.setdefault(offered.call, Line(offered.at, caller, callee))
        if len(self._calls) > MAX_CALLS:
            self._show([self._calls.popitem(last=False)[1] for _ in range(AT_ONCE)])
            self._page.show()

    def close(self) -> None:
        """Shows the rest, and what was read."""
        self._show(list(self._calls.values()))
        self._calls.clear()
        if not self._shown:
            self._page.line("No call could be read. Calls in encrypted signalling (SIP over TLS) cannot be seen.")
        oddity_rows(self._page, oddity_cells(self._oddities))
        if self.interrupted:
            self._page.line()
            interrupted_line(self._page)
        if self._summary is not None:
            if not self.interrupted:
                self._page.line()
            damage_lines(self._page, self._summary)
            read_line(self._page, self._summary, self._zone, self._zone_name)
            book_lines(self._page, self._summary, interrupted=self.interrupted)
        self._page.show()

    def _show(self, lines: list[Line]) -> None:
        """One line each."""
        if not lines:
            return
        today = day(lines[0].at, self._zone)
        self._page.line(f"{many(len(lines), 'call')}, {today}, times in {name(self._zone_name)}", style="bold")
        times = [_time(clock(line.at, self._zone, today)) for line in lines]
        wide = max(map(len, times))
        room = (self._page.width - FIXED - wide) // 2
        rows = [_row(room, f"{'time':{wide}}", "from", "to", "state", "lasted", "keys"), "-" * self._page.width]
        for at, line in zip(times, lines, strict=True):
            keys = str(line.keys or "")
            rows.append(_row(room, f"{at:{wide}}", line.caller, line.callee, line.state, _duration(line), keys))
        self._page.raw("".join(f"{row.rstrip()}\n" for row in rows))
        self._shown += len(lines)


def _time(at: str) -> str:
    """When a call began; of another day's call the date goes first, without year and seconds."""
    return at if len(at) <= 8 else at[5:16]


def _row(room: int, at: str, caller: str, callee: str, state: str, duration: str, keys: str) -> str:
    """The cells of a call in their columns."""
    return f"{at}  {_fit(caller, room)}  {_fit(callee, room)}  {state:11}  {duration:>7}  {keys:>4}"


def _fit(text: str, width: int) -> str:
    """Exactly so wide on a terminal, where some characters take two columns."""
    if is_narrow(text):
        return f"{text:{width}}" if len(text) <= width else text[: width - 1] + "…"
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _go_on(line: Line, event: CallAnswered | CallRefused | CallForwarded | CallEnded | KeyPressed) -> None:
    match event:
        case CallAnswered():
            line.state, line.answered_at = "answered", event.at
        case CallRefused():
            line.state = "cancelled" if event.status == 487 else f"refused {event.status or ''}".rstrip()
        case CallForwarded():
            line.state = "transferred" if event.how == "transfer" else "forwarded"
        case CallEnded():
            line.ended_at = event.at
        case KeyPressed():
            line.keys += 1


def _duration(line: Line) -> str:
    """How long the two could talk; with a plus when no end was seen."""
    if line.answered_at is None:
        return ""
    return lasted(line.ended_at - line.answered_at) if line.ended_at is not None else "…"
