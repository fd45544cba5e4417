"""The page that says what is seen is held against the tables of what is read."""

import re
from pathlib import Path

import pytest

from monitor.model.accounts import FRAME_CLASSES
from monitor.outputs.books import CLASSES
from monitor.pipeline import ASKS
from monitor.wire import ASKS as WIRE_ASKS
from monitor.wire import COUNTED, ENVELOPES, LINKS, PORTS, TUNNELS

PAGE = (Path(__file__).parents[1] / "docs" / "what-it-sees.md").read_text()
FROM_THE_WIRE = 0x10000
"""EtherTypes beyond are ours, and stand for a second reading of one that is on the page."""


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table under that heading."""
    part = re.split(r"^#+ ", PAGE.split(f" {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


TABLES = {
    "Link types": {str(link): envelope for link, envelope in LINKS.items()},
    "Behind an EtherType": {f"0x{kind:04X}": ENVELOPES[kind] for kind in ENVELOPES if kind < FROM_THE_WIRE},
    "In IP": {str(protocol): envelope for protocol, envelope in TUNNELS.items()},
    "In UDP": {str(int.from_bytes(port, "big")): envelope for port, envelope in PORTS.items()},
}


@pytest.mark.parametrize("heading", TABLES)
def test_every_envelope_is_on_the_page_under_its_name(heading: str) -> None:
    expected = TABLES[heading]
    rows = {number.strip(): row for row in rows_of(heading) for number in row[0].split(",")}
    assert rows.keys() == expected.keys()
    for number, envelope in expected.items():
        name = COUNTED.get(envelope)
        assert rows[number][2] == "" if name is None else f"`{name.removeprefix('in_')}`" in rows[number][2]


def test_every_name_of_an_envelope_is_on_the_page() -> None:
    cells = " ".join(row[2] for heading in TABLES for row in rows_of(heading))
    assert set(re.findall(r"`([a-z0-9_]+)`", cells)) == {name.removeprefix("in_") for name in COUNTED.values()}


def test_every_protocol_that_is_asked_for_is_on_the_page() -> None:
    asked = {ask.protocol for ask in (*ASKS, *WIRE_ASKS)}
    assert {row[0].strip("`") for row in rows_of("Protocols")} == asked
    assert all(row[1] and row[2] for row in rows_of("Protocols"))


def test_every_class_of_frames_is_on_the_page_in_the_words_of_the_terminal() -> None:
    rows = rows_of("Where the frames of a capture went")
    assert [row[0].strip("`") for row in rows] == list(CLASSES)
    assert {row[0].strip("`"): row[1] for row in rows} == CLASSES
    assert set(CLASSES) == set(FRAME_CLASSES)


def test_the_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (Path(__file__).parents[1] / "docs" / target).exists()
