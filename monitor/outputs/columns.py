"""Tables, laid out by ourselves: a library takes half a millisecond for a row, and a day has thousands."""

from collections.abc import Sequence
from itertools import zip_longest

from monitor.outputs.lines import columns_of, folded, styled

GAP = "  "
LEAST = 24
"""Columns that the wide column needs; below that, the others break at their blanks."""
MOST = 20
"""Columns that any other may take: a moment with its date needs 19."""


def laid_out(
    width: int,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str],
    *,
    colour: bool,
    wide: int = 0,
) -> str:
    """The table as text: the column `wide` takes the room that is left, the last has its row's style.

    A cell may have several lines; what is too long for its column goes on in the next line.
    """
    widths = _widths(width, heads, rows, wide)
    if widths[wide] < LEAST:
        rows = [[c if i == wide else c.replace(" ", "\n") for i, c in enumerate(row)] for row in rows]
        widths = _widths(width, heads, rows, wide)
    widths[wide] = max(widths[wide], 1)
    lines = [styled(line, "dim", colour=colour) for line in _lines(heads, widths, "", colour)]
    lines.append("-" * width)
    for row, style in zip(rows, styles, strict=True):
        lines += _lines(row, widths, style, colour)
    return "".join(f"{line}\n" for line in lines)


def _widths(width: int, heads: Sequence[str], rows: Sequence[Sequence[str]], wide: int) -> list[int]:
    """Of each column as much as its cells need, and of the wide one what is left."""
    widths = [min(max(_width(cell) for cell in column), MOST) for column in zip(heads, *rows, strict=True)]
    widths[wide] = 0
    widths[wide] = width - sum(widths) - len(GAP) * (len(widths) - 1)
    return widths


def _lines(row: Sequence[str], widths: Sequence[int], style: str, colour: bool) -> list[str]:
    cells = [folded(cell, width) for cell, width in zip(row, widths, strict=True)]
    made = []
    for parts in zip_longest(*cells, fillvalue=""):
        padded = [part + " " * (width - columns_of(part)) for part, width in zip(parts, widths, strict=True)]
        padded[-1] = styled(parts[-1], style, colour=colour)
        made.append(GAP.join(padded).rstrip())
    return made


def _width(cell: str) -> int:
    return max(map(columns_of, cell.split("\n")))
