"""Text as lines of a page: folded to its width, as wide as a terminal shows it, in one of the house's few styles.

By ourselves, for a library that can do more takes longer to import than a capture takes to read.
"""

import re

STYLES = {
    "": "",
    "bold": "1",
    "dim": "2",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "bold red": "1;31",
    "bold yellow": "1;33",
    "bold white on red": "1;37;41",
}
"""Every style there is, and its SGR codes (ECMA-48, 8.3.117)."""
_NARROW = re.compile("[ -~\xa1-\xac\xae-\u02ff\u2010-\u2026\u2190-\u2193]*")
"""Latin letters, and the dashes, quotation marks and arrows that stand between them."""
_WORD = re.compile(r"\S+\s*")


def is_narrow(text: str) -> bool:
    """Whether each character is known to take one column, as most do: then no table of all others is needed."""
    return text.isascii() or _NARROW.fullmatch(text) is not None


def columns_of(text: str) -> int:
    """How wide a text is on a terminal, where some characters take two columns and some none."""
    if is_narrow(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def styled(text: str, style: str, *, colour: bool) -> str:
    """The text in a style, where there is colour."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour and style and text else text


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most that width, broken between words, and within a word where it is longer."""
    return [piece for line in text.split("\n") for piece in _folded(line.rstrip(), width)]


def _folded(line: str, width: int) -> list[str]:
    if columns_of(line) <= width:
        return [line]
    lines: list[str] = []
    current = line[: len(line) - len(line.lstrip())]
    for word in _WORD.findall(line):
        bare = word.rstrip()
        if columns_of(current + bare) <= width:
            current += word
            continue
        if current.strip():
            lines.append(current.rstrip())
        *full, last = _chopped(bare, width)
        lines += full
        current = last + word[len(bare) :]
    return [*lines, current.rstrip()]


def _chopped(word: str, width: int) -> list[str]:
    if is_narrow(word):
        return [word[at : at + width] for at in range(0, len(word), width)]
    from rich.cells import chop_cells

    return chop_cells(word, width)
