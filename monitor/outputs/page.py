"""A page for people: paragraphs, lists and tables, written to any stream, with or without colour."""

import os
from typing import TYPE_CHECKING, TextIO

from monitor.model.summary import Summary
from monitor.outputs.columns import laid_out
from monitor.outputs.lines import folded, styled
from monitor.outputs.words import clock, day, many, name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from monitor.model.alerts import Severity

COUNTED = {"calls": ("call",), "joins": ("join",), "attempts": ("try not admitted", "tries not admitted")}
"""Counts of a run that a person wants to know."""
NARROWEST = 60
"""Columns below which nothing is made to fit."""
LABEL_COLUMNS = 11
NARROW = 80
"""Columns where nobody says how many there are."""
_PLAIN = str.maketrans({"…": "...", "→": "->", "–": "-", "“": '"', "”": '"', "·": "-"})
STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "bold yellow", "low": "cyan"}


class Page:
    """Takes what is to be shown, in order, and writes it all at once."""

    def __init__(self, stream: TextIO, *, width: int | None = None, colour: bool | None = None) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        terminal = is_terminal(stream)
        self.colour = colour if colour is not None else terminal and wants_colour()
        found = width or (_columns() if terminal else NARROW)
        self.width = min(max(found, NARROWEST), 160)
        self._parts: list[str] = []

    def line(self, text: str = "", style: str = "") -> None:
        """Puts a paragraph below what is there."""
        for part in folded(text, self.width):
            self.whole(part, style)

    def whole(self, text: str, style: str = "") -> None:
        """Puts one line below what is there, however narrow the page: somebody will copy it."""
        self._parts.append(styled(text, style, colour=self.colour) + "\n")

    def hanging(self, mark: str, text: str, style: str = "", *, mark_style: str = "") -> None:
        """Puts a paragraph behind a mark below what is there; its lines stay below its first word."""
        room = len(mark)
        for part in folded(text, self.width - room):
            line = styled(mark, mark_style, colour=self.colour) + styled(part, style, colour=self.colour)
            self._parts.append(line.rstrip() + "\n")
            mark, mark_style = " " * room, ""

    def labelled(self, label: str, text: str, mark: str = "") -> None:
        """Puts label and value below what is there, the value in a column of its own, behind a mark if it has one."""
        first, *more = folded(text, self.width - LABEL_COLUMNS - len(mark))
        self._parts.append(styled(f"{label:{LABEL_COLUMNS}}", "dim", colour=self.colour) + f"{mark}{first}\n")
        self._parts += [" " * (LABEL_COLUMNS + len(mark)) + f"{part}\n" for part in more]

    def raw(self, text: str) -> None:
        """Puts lines below what is there as they are."""
        self._parts.append(text)

    def show(self) -> None:
        """Writes the page."""
        if not self._parts:
            return
        text = "".join(self._parts)
        self._parts.clear()
        self._stream.write(self._written(text))
        self._stream.flush()

    def _written(self, text: str) -> str:
        """The text in characters that the stream's encoding has."""
        if self._encoding.lower().replace("-", "").startswith("utf"):
            return text
        plain = text.translate(_PLAIN)
        return plain.encode(self._encoding, "backslashreplace").decode(self._encoding)


def _columns() -> int:
    """Of the terminal that somebody looks at."""
    import shutil

    return shutil.get_terminal_size((NARROW, 24)).columns


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody looks at it now."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def wants_colour() -> bool:
    """What the environment says (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def severity_text(severity: "Severity") -> str:
    """The word, so that nobody depends on colour."""
    return str(severity).upper()


def oddity_rows(page: Page, oddities: "Sequence[tuple[str, str, int, str]]") -> None:
    """Bytes that did not follow their protocol: protocol, reason, how often, and where first."""
    if not oddities:
        return
    heads = ("protocol", "reason", "times", "first at")
    times = [f"{count:,}" for _, _, count, _ in oddities]
    room = max(len(heads[2]), *map(len, times))
    cells = [(*row[:2], count.rjust(room), row[3]) for row, count in zip(oddities, times, strict=True)]
    page.line()
    page.line("Oddities: bytes that do not follow their protocol", style="bold")
    page.raw(laid_out(page.width, heads, cells, [""] * len(cells), colour=page.colour, wide=3))


def interrupted_line(page: Page) -> None:
    """What a page of half a run must not hide, for it may be read by somebody who did not see the run."""
    page.line("Interrupted: the captures were not read to their end.", style="bold yellow")


def damage_lines(page: Page, summary: Summary) -> None:
    """Where captures are broken, and how much of frames was cut off."""
    for report in summary.captures:
        for damage in report.damage[:8]:
            place = f"after frame {damage.frame:,}, byte {damage.offset:,}"
            page.line(f"Damaged: {name(report.capture)} {place}: {name(damage.what, 200)}", style="bold yellow")
        if len(report.damage) > 8:
            page.line(f"Damaged: {name(report.capture)} in {len(report.damage) - 8} more places", style="bold yellow")
        if report.cut:
            page.line(f"Cut short: {many(report.cut, 'frame')} of {name(report.capture)} (snap length)", style="yellow")


def read_line(page: Page, summary: Summary, zone: "tzinfo", zone_name: str) -> None:
    """One line of what was read."""
    captures = summary.captures
    frames = sum(c.frames for c in captures)
    starts = [c.first for c in captures if c.first is not None]
    ends = [c.last for c in captures if c.last is not None]
    what = name(captures[0].capture) if len(captures) == 1 else many(len(captures), "capture")
    parts = [f"Read: {what}, {many(frames, 'frame')}"]
    if starts and ends:
        first, last = min(starts), max(ends)
        until = clock(last, zone, beside=day(first, zone))
        parts.append(f"{clock(first, zone)} to {until} ({name(zone_name)})")
    counted = [many(summary.counts[key], *words) for key, words in COUNTED.items() if summary.counts.get(key)]
    if counted:
        parts.append(", ".join(counted))
    page.line("; ".join(parts) + ".")
