"""Deaths at random points, a few of what `make kills` does a hundred times: nothing is missing, nothing doubled."""

from pathlib import Path

import pytest

from bench.kills import run
from tests.daemon.stage import needs_root


@pytest.mark.slow
def test_a_few_deaths_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    needs_root()
    result = run(5, 302, tmp_path)
    assert (result["missing"], result["doubled"], result["others"]) == ([], [], [])
    assert result["alerts expected"] == 6
