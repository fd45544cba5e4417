"""A page for people: what rich makes of tables and texts, written to any stream, with or without colour."""

import os
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple, TextIO

from monitor.model.summary import Summary
from monitor.outputs.words import clock, day, many, name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from rich.console import Console, RenderableType
    from rich.table import Table

    from monitor.model.alerts import Severity

COUNTED = {"calls": ("call",), "joins": ("join",), "attempts": ("try not admitted", "tries not admitted")}
"""Counts of a run that a person wants to know."""
NARROWEST = 60
"""Columns below which nothing is made to fit."""
NARROW = 80
"""Columns where nobody says how many there are."""
_PLAIN = str.maketrans({"…": "...", "→": "->", "–": "-", "“": '"', "”": '"', "·": "-"})
STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "bold yellow", "low": "cyan"}


class Raw(NamedTuple):
    """Lines as they are written."""

    text: str


class Page:
    """Takes what is to be shown, in order, and writes it all at once."""

    def __init__(self, stream: TextIO, *, width: int | None = None, colour: bool | None = None) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        terminal = is_terminal(stream)
        self.colour = colour if colour is not None else terminal and wants_colour()
        found = width or (_columns() if terminal else NARROW)
        self.width = min(max(found, NARROWEST), 160)
        self._parts: list[RenderableType | Raw] = []

    def add(self, *parts: "RenderableType") -> None:
        """Puts these below what is there."""
        self._parts.extend(parts)

    def line(self, text: str = "", style: str = "") -> None:
        """Puts a paragraph below what is there; its text is shown as it stands, never read as markup."""
        from rich.text import Text

        self._parts.append(Text(text, style=style))

    def whole(self, text: str, style: str = "") -> None:
        """Puts one line below what is there, however narrow the page: somebody will copy it."""
        from rich.text import Text

        self._parts.append(Text(text, style=style, no_wrap=True, overflow="ignore"))

    def raw(self, text: str) -> None:
        """Puts lines of our own making below what is there: for thousands of lines, which rich would think over."""
        self._parts.append(Raw(text))

    def show(self) -> None:
        """Writes the page."""
        if not self._parts:
            return
        buffer = StringIO()
        console = self._console(buffer)
        for part in self._parts:
            if isinstance(part, Raw):
                buffer.write(part.text)
            else:
                console.print(part, soft_wrap=getattr(part, "no_wrap", None))
        self._parts.clear()
        # Rich fills lines with blanks that only a copying reader notices.
        text = "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().split("\n")[:-1])
        self._stream.write(self._written(text))
        self._stream.flush()

    def _console(self, buffer: StringIO) -> "Console":
        from rich.console import Console

        return Console(
            file=buffer,
            width=self.width,
            color_system="standard" if self.colour else None,
            force_terminal=self.colour,
            no_color=not self.colour,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
            _environ={},  # What the environment wants was asked once, above.
        )

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


def table(title: str, *columns: str, wide: str = "") -> "Table":
    """An empty table in the house's style: no frame, one rule below the heads; `wide` is the column that takes room."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        box=box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True),
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="",
        expand=True,
    )
    for column in columns:
        flexible = column == wide
        made.add_column(Text(column, style="dim"), ratio=1 if flexible else None, no_wrap=False, overflow="fold")
    return made


def grid() -> "Table":
    """Two columns, label and value, indented."""
    from rich.table import Table

    made = Table.grid(padding=(0, 1), expand=True)
    made.add_column(width=10, no_wrap=True)
    made.add_column(ratio=1, overflow="fold")
    return made


def hanging(text: str, mark: str, style: str = "") -> "Table":
    """A paragraph behind a mark, whose lines stay below its first word."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(expand=True)
    made.add_column(width=len(mark), no_wrap=True)
    made.add_column(ratio=1, overflow="fold")
    made.add_row(Text(mark), Text(text, style=style))
    return made


def indented(text: str, mark: str = "", style: str = "") -> "Table":
    """The same, two columns in."""
    return hanging(text, f"  {mark}", style)


def severity_text(severity: "Severity") -> str:
    """The word, so that nobody depends on colour."""
    return str(severity).upper()


def oddity_rows(page: Page, oddities: "Sequence[tuple[str, str, int, str]]") -> None:
    """Bytes that did not follow their protocol: protocol, reason, how often, and where first."""
    if not oddities:
        return
    title = "Oddities: bytes that do not follow their protocol"
    made = table(title, "protocol", "reason", "times", "first at", wide="first at")
    made.columns[2].justify = "right"
    for protocol, reason, count, first in oddities:
        made.add_row(*(plain(cell) for cell in (protocol, reason, f"{count:,}", first)))
    page.line()
    page.add(made)


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
    frames, wanted = sum(c.frames for c in captures), sum(c.wanted for c in captures)
    starts = [c.first for c in captures if c.first is not None]
    ends = [c.last for c in captures if c.last is not None]
    what = name(captures[0].capture) if len(captures) == 1 else many(len(captures), "capture")
    parts = [f"Read: {what}, {many(frames, 'frame')}, {wanted:,} of them looked at"]
    if starts and ends:
        first, last = min(starts), max(ends)
        until = clock(last, zone, beside=day(first, zone))
        parts.append(f"{clock(first, zone)} to {until} ({name(zone_name)})")
    counted = [many(summary.counts[key], *words) for key, words in COUNTED.items() if summary.counts.get(key)]
    if counted:
        parts.append(", ".join(counted))
    page.line("; ".join(parts) + ".")


def plain(text: str) -> "RenderableType":
    """A cell whose text is shown as it stands."""
    from rich.text import Text

    return Text(text)
