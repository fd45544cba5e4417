"""Captures that begin in mid-call: the uninvited who are there are named and marked partial, and nobody else alerts."""

import pytest

from bench.midcall import GOAL, Score, main, scores, share

COUNT = 30
LEAST = 25
"""In how many stories the shares of what bridges do are exact."""


@pytest.fixture(scope="module")
def played() -> tuple[list[Score], list[Score]]:
    return scores(COUNT)


def test_nine_of_ten_uninvited_are_named(played: tuple[list[Score], list[Score]]) -> None:
    attacks, _ = played
    exact = attacks[:LEAST]
    present = [one for score in exact for one in score.present if not one.is_invited]
    named = [one for score in exact for one in score.named]
    assert len(present) >= LEAST
    assert len(named) >= GOAL * len(present), share(len(named), len(present))


def test_whom_nothing_can_name_came_by_telephone_to_a_bridge_that_tells_nobody(
    played: tuple[list[Score], list[Score]],
) -> None:
    attacks, _ = played
    for score in attacks:
        unnamed = [one for one in score.present if not one.is_invited and one not in score.named]
        assert not [one for one in unnamed if one.way == "sip"]


def test_everybody_who_was_there_before_is_marked_partial(played: tuple[list[Score], list[Score]]) -> None:
    attacks, twins = played
    assert [score.not_marked for score in (*attacks, *twins)] == [0] * (2 * COUNT)


def test_there_is_no_false_alert_and_none_at_all_in_the_twins(played: tuple[list[Score], list[Score]]) -> None:
    attacks, twins = played
    assert [score.false_alerts for score in (*attacks, *twins)] == [()] * (2 * COUNT)
    assert not any(score.named for score in twins)


def test_the_command_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["2"])
    table = capsys.readouterr().out
    assert table.startswith("| 2 stories and their twins |")
    assert "| alerts in the benign twins | 0 |" in table
