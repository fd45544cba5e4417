"""Every link of every page leads somewhere: files, headings in them, and the places that pages name in passing."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.corpus import ROOT
from tests.docs.blocks import PAGES, name_of, without_blocks

LINKED = [*PAGES, ROOT / "CHANGELOG.md"]


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """The names of its headings, as GitHub and GitLab make them; and those that it gives itself."""
    text = without_blocks(page)
    seen: dict[str, int] = {}
    names = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        names.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return frozenset(names)


def links_of(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", without_blocks(page))


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page):
        place, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", place):
            assert place.startswith(("https://", "mailto:")), link
            continue
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert target.suffix == ".md", link
            assert anchor in anchors_of(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_place_that_is_named_is_there(page: Path) -> None:
    for place in re.findall(r"`((?:docs|tests|monitor|deploy|config|pcaps|bench)/[\w./@-]*\w)`", without_blocks(page)):
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_test_that_is_named_exists(page: Path) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", without_blocks(page)):
        assert f"\ndef {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    cells = 0
    for number, line in enumerate(without_blocks(page).splitlines(), 1):
        if not line.startswith("|"):
            cells = 0
            continue
        # A bar within a cell is escaped, in code as well.
        found = len(re.findall(r"(?<!\\)\|", line)) - 1
        cells = cells or found
        assert found == cells, f"{name_of(page)}:{number}: {found} cells, and {cells} in the head"


def test_every_decision_has_a_number_of_its_own() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(page.name[:4]) for page in decisions]
    assert len(set(numbers)) == len(numbers)
    for page, number in zip(decisions, numbers, strict=True):
        assert re.match(rf"# (?:ADR )?{number}\b", page.read_text(encoding="utf-8")), page.name


def test_every_page_can_be_found() -> None:
    """From the README by links alone; runbooks and decisions by their folders."""
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            targets = [(page.parent / link.partition("#")[0]).resolve() for link in links_of(page)]
            waiting += [target for target in targets if target.suffix == ".md" and target.exists()]
            waiting += [inside for target in targets if target.is_dir() for inside in target.glob("*.md")]
    assert {name_of(page) for page in PAGES} - {name_of(page) for page in found if page.is_relative_to(ROOT)} == set()


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links_of(index)}
    assert set((ROOT / "docs").glob("*.md")) - linked == {index}
