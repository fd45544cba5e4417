"""The journal of each bundled capture, kept: a change that nobody meant shows as a difference.

Without its summary: a new count is no change of what was found.

`make golden` writes these files anew. Read the difference line by line before committing it: a golden file keeps a
mistake as faithfully as a truth.
"""

from pathlib import Path

import pytest

from tests.scenarios import expected_of, journal_of, labelled, name_of

GOLDEN = Path(__file__).parent


@pytest.mark.parametrize("capture", labelled(), ids=name_of)
def test_the_journal_is_as_it_was(capture: Path, request: pytest.FixtureRequest) -> None:
    golden = GOLDEN / f"{name_of(capture)}.jsonl"
    journal = journal_of(capture, expected=expected_of(capture))
    lines = b"".join(line for line in journal.splitlines(keepends=True) if not line.startswith(b'{"type":"summary"'))
    if request.config.getoption("--golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(lines)
    assert golden.read_bytes() == lines
