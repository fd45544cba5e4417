"""What is a marking in a title or a text, and what only looks like one."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.policy import Policy
from monitor.sources.markings import marked_for

LEVELS = Policy().classifications


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Overleg Stg. GEHEIM", "Stg. GEHEIM"),
        ("overleg stg geheim", "Stg. GEHEIM"),
        ("STG.GEHEIM", "Stg. GEHEIM"),
        ("Stg.G overleg", "Stg. GEHEIM"),
        ("[GEHEIM] overleg", "Stg. GEHEIM"),
        ("Staatsgeheim GEHEIM", "Stg. GEHEIM"),
        ("Rubricering: geheim", "Stg. GEHEIM"),
        ("Stg. ZEER GEHEIM", "Stg. ZEER GEHEIM"),
        ("zeer geheim plan", "Stg. ZEER GEHEIM"),
        ("Stg.ZG", "Stg. ZEER GEHEIM"),
        ("Stg. Confidentieel", "Stg. CONFIDENTIEEL"),
        ("Rubricering: Staatsgeheim", "Stg. CONFIDENTIEEL"),
        ("Dep.V. stuk", "Dep.V."),
        ("dep v", "Dep.V."),
        ("Departementaal VERTROUWELIJK", "Dep.V."),
        ("Classificatie: vertrouwelijk", "Dep.V."),
        ("Ongerubriceerd", "Ongerubriceerd"),
        ("Dep.V. en Stg. GEHEIM", "Stg. GEHEIM"),
        ("Geheimhouding", ""),
        ("Stg. geheimhouding", ""),
        ("Geheimhoudingsverklaring", ""),
        ("een geheim feest", ""),
        ("Stgraph", ""),
        ("Stg. Lezen en Schrijven", ""),
        ("Stg. C. van Dam", ""),
        ("overleg dep. van Financiën", ""),
        ("zeer vertrouwelijk", ""),
        ("staatsgeheimen in de literatuur", ""),
        ("https://stg-geheim.example/Stg.GEHEIM", ""),
        ("niet voor Stg. GEHEIM", ""),
        ("geschikt t/m Dep.V.", ""),
        ("CONFIDENTIAL", ""),
    ],
)
def test_a_marking_is_the_formal_term_and_no_word_that_holds_it(title: str, level: str) -> None:
    assert marked_for(LEVELS)([title], []) == level


def test_markings_of_another_organisation_are_found_as_they_are_spelled() -> None:
    marked = marked_for(("TLP:CLEAR", "TLP:AMBER", "NATO SECRET"))
    assert marked(["tlp:amber overleg"], []) == "TLP:AMBER"
    assert marked([], ["this is NATO-SECRET."]) == "NATO SECRET"
    assert marked(["NATO secretary"], []) == ""


@given(st.text(alphabet="stgdepv. :[]\ngeheimzr", max_size=60))
def test_any_text_has_one_marking_of_the_list_or_none(text: str) -> None:
    marked = marked_for(LEVELS)
    assert marked([text], []) in ("", *LEVELS)
    assert marked([], [text]) in ("", *LEVELS)


@pytest.mark.parametrize(
    "piece", ["dep ", "rubricering: ", "[", "stg.", "\n", " \n", "geheim ", "zeer ", "a@", "niet voor stg geheim "]
)
def test_the_time_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    """Eight times the text takes eight times as long; with its square it would be sixty-four."""
    marked = marked_for(LEVELS)

    def shortest(size: int) -> float:
        text = (piece * size)[:size]
        spent = []
        for _ in range(5):
            begun = process_time()
            marked([text], [text])
            spent.append(process_time() - begun)
        return min(spent)

    assert shortest(64_000) <= 24 * max(shortest(8_000), 1e-4)
