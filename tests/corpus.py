"""The corpus of real captures beside the project; tests that need it skip where it is absent."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real captures is not beside the project")


def captures(*folders: str) -> list[Path]:
    """Every capture of these folders of the corpus that has a truth file; none where the corpus is absent."""
    found = [p for folder in folders for p in sorted((CORPUS / folder).glob("*.truth.json"))]
    return [p.with_name(p.name.removesuffix(".truth.json")) for p in found]


def truth_of(capture: Path) -> dict[str, Any]:
    """What tshark says of the capture."""
    truth: dict[str, Any] = json.loads(capture.with_name(capture.name + ".truth.json").read_text())
    return truth
