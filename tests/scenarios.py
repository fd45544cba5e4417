"""The bundled captures with their labels, replayed as the command line does."""

import tomllib
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec

from monitor.outputs.journal import Journal
from monitor.pipeline import Expected, Replay, captures_of, load_expected
from tests.corpus import ROOT

PCAPS = ROOT / "pcaps"


def labelled() -> list[Path]:
    """Every bundled capture that has a label file beside it."""
    return sorted(p for p in PCAPS.rglob("*.pcap*") if p.with_suffix(".toml").is_file() and p.parent.name != "evasion")


def evasions() -> list[Path]:
    """Every capture of a trick with packets; its labels say less, for it is read in more ways than one."""
    return sorted((PCAPS / "evasion").glob("*.pcap"))


def label_of(capture: Path) -> dict[str, Any]:
    """What the capture must lead to."""
    return tomllib.loads(capture.with_suffix(".toml").read_text(encoding="utf-8"))


def name_of(capture: Path) -> str:
    """Short name for a test's id."""
    return str(capture.relative_to(PCAPS).with_suffix(""))


def expected_of(capture: Path) -> Expected:
    """The calendar, directory and policy that the label names."""
    label, folder = label_of(capture), capture.parent
    policy = label.get("policy")
    return load_expected(
        [folder / p for p in label.get("meetings", ())],
        [folder / p for p in label.get("directory", ())],
        folder / policy if policy else None,
    )


def journal_of(*captures: Path, expected: Expected) -> bytes:
    """The JSON lines of a replay."""
    sink = BytesIO()
    journal = Journal(sink)
    pipeline = Replay(captures_of(captures), expected, [journal])
    pipeline.run()
    pipeline.finish()
    journal.close()
    return sink.getvalue()


def records_of(lines: bytes) -> list[dict[str, Any]]:
    """JSON lines, read."""
    return [msgspec.json.decode(line) for line in lines.splitlines()]
