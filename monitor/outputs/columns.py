"""Tables of many rows, laid out by ourselves: rich takes half a millisecond for a row, and a day has thousands."""

from collections.abc import Sequence
from itertools import zip_longest

GAP = "  "
LEAST = 24
"""Columns that the wide column needs; below that, the others break at their blanks."""
_CODES = {"green": "32", "bold red": "1;31", "yellow": "33", "dim": "2", "": ""}
"""SGR codes (ECMA-48, 8.3.117) of the styles in use."""


def laid_out(
    width: int, heads: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str], *, colour: bool
) -> str:
    """The table as text: the first column takes the room that is left, the last has its row's style.

    A cell may have several lines; what is too long for its column goes on in the next line.
    """
    widths = [max(_width(cell) for cell in column) for column in zip(heads, *rows, strict=True)][1:]
    if width - sum(widths) - len(GAP) * len(widths) < LEAST:
        rows = [[row[0], *(cell.replace(" ", "\n") for cell in row[1:])] for row in rows]
        widths = [max(_width(cell) for cell in column) for column in zip(heads, *rows, strict=True)][1:]
    widths = [max(width - sum(widths) - len(GAP) * len(widths), 1), *widths]
    lines = [_styled(line, "dim", colour) for line in _lines(heads, widths, "", colour)]
    lines.append("-" * width)
    for row, style in zip(rows, styles, strict=True):
        lines += _lines(row, widths, style, colour)
    return "".join(f"{line}\n" for line in lines)


def _lines(row: Sequence[str], widths: Sequence[int], style: str, colour: bool) -> list[str]:
    cells = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
    made = []
    for parts in zip_longest(*cells, fillvalue=""):
        padded = [_padded(part, width) for part, width in zip(parts, widths, strict=True)]
        padded[-1] = _styled(parts[-1], style, colour)
        made.append(GAP.join(padded).rstrip())
    return made


def _folded(cell: str, width: int) -> list[str]:
    """The lines of a cell, none of them wider than its column."""
    return [
        piece for line in cell.split("\n") for piece in ([line] if _cells(line) <= width else _chopped(line, width))
    ]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


def _width(cell: str) -> int:
    return max(map(_cells, cell.split("\n")))


def _cells(text: str) -> int:
    """How wide a text is on a terminal, where some characters take two columns and some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _chopped(line: str, width: int) -> list[str]:
    if line.isascii():
        return [line[at : at + width] for at in range(0, len(line), width)]
    from rich.cells import chop_cells

    return chop_cells(line, width)


def _styled(text: str, style: str, colour: bool) -> str:
    code = _CODES[style] if colour and text else ""
    return f"\x1b[{code}m{text}\x1b[0m" if code else text
