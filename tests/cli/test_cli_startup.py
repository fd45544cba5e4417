"""What a command imports: start-up is most of the time of a short run, and nobody notices when it grows."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "pcaps" / "incident" / "incident.pcap"
CONFIG = ROOT / "config" / "example"

HEAVY = {
    "asyncio",
    "csv",
    "dataclasses",
    "difflib",
    "html",
    "http",
    "icalendar",
    "importlib.resources",
    "multiprocessing",
    "prometheus_client",
    "pyshark",
    "recurring_ical_events",
    "rich",
    "scapy",
    "ssl",
    "subprocess",
    "tempfile",
    "zstandard",
}
"""Of libraries, what no plain command needs."""
ELSEWHERE = {
    "monitor.decoders.sip_problems",
    "monitor.outputs.calls",
    "monitor.outputs.explain",
    "monitor.outputs.frames",
    "monitor.outputs.metrics",
    "monitor.sources.pcapng",
}
"""Of our own, what a replay of a pcap does without, unless it is asked for more."""
UNEXPECTED = {"monitor.platforms.texts", "monitor.sources.calendars", "monitor.sources.directories"}
"""What is needed only where a calendar or a directory is given."""

ASK = (
    "import sys; from monitor.cli import main; code = main(sys.argv[1:]); "
    "print('\\n' + '\\n'.join(sys.modules)); sys.exit(code)"
)


def imported_by(*words: str | Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = set(done.stdout.splitlines())
    assert "monitor.cli" in found
    return found


@pytest.fixture
def plain_calendar(tmp_path: Path) -> Path:
    path = tmp_path / "one.ics"
    path.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:one@ministry.example\r\nDTSTAMP:20240501T080000Z\r\n"
        "DTSTART:20240514T080000Z\r\nDTEND:20240514T090000Z\r\nORGANIZER:mailto:jan@ministry.example\r\n"
        "DESCRIPTION:https://ministry.webex.com/meet/jan\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return path


def test_help_imports_no_stage() -> None:
    found = imported_by("--help")
    assert not found & HEAVY
    assert not {name for name in found if name.startswith(("monitor.pipeline", "monitor.sources", "monitor.decoders"))}


def test_a_replay_imports_only_what_it_uses(tmp_path: Path) -> None:
    found = imported_by("replay", CAPTURE, "--json", tmp_path / "journal.jsonl")
    assert not found & (HEAVY | ELSEWHERE | UNEXPECTED)


def test_calendar_and_directory_cost_no_library(plain_calendar: Path, tmp_path: Path) -> None:
    words = ("--meetings", plain_calendar, "--directory", CONFIG / "directory.vcf", "--policy", CONFIG / "policy.toml")
    found = imported_by("replay", CAPTURE, *words, "--json", tmp_path / "journal.jsonl")
    assert found >= UNEXPECTED
    assert not found & (HEAVY | ELSEWHERE)
