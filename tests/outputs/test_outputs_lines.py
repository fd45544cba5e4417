import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.outputs.lines import folded, is_narrow, styled


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        pytest.param("", 10, [""], id="empty"),
        pytest.param("one two", 10, ["one two"], id="fits"),
        pytest.param("one two three", 8, ["one two", "three"], id="between words"),
        pytest.param("  one two three", 9, ["  one two", "three"], id="indented"),
        pytest.param("a abcdefghijk b", 5, ["a", "abcde", "fghij", "k b"], id="within a long word"),
        pytest.param("one\ntwo", 10, ["one", "two"], id="its own lines"),
        pytest.param("one  two ", 10, ["one  two"], id="no blanks at the end"),
        pytest.param("漢字漢字", 5, ["漢字", "漢字"], id="two columns each"),
    ],
)
def test_a_text_is_folded_as_people_read(text: str, width: int, lines: list[str]) -> None:
    assert folded(text, width) == lines


TEXTS = st.text(st.sampled_from("ab  \n-é–“漢👩…"), max_size=120)


@given(TEXTS, st.integers(2, 30))
def test_no_line_is_too_wide_and_no_letter_is_lost(text: str, width: int) -> None:
    lines = folded(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)


def test_every_narrow_character_takes_one_column() -> None:
    narrow = [chr(code) for code in range(0x3000) if is_narrow(chr(code)) and chr(code).isprintable()]
    assert len(narrow) > 600
    assert {cell_len(char) for char in narrow} == {1}


def test_style_is_only_where_there_is_colour_and_text() -> None:
    assert styled("x", "bold", colour=True) == "\x1b[1mx\x1b[0m"
    assert styled("x", "bold", colour=False) == styled("x", "", colour=True) == "x"
    assert styled("", "bold", colour=True) == ""
