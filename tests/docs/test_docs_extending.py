"""What the page on extending says would fail does: with its examples in the house, and nothing else that they need."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import ROOT
from tests.docs.blocks import blocks_of

PAGE = ROOT / "docs" / "extending.md"
FILES = {block.marks["file"]: block.text for block in blocks_of(PAGE) if "file" in block.marks}


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with a new rule, protocol, platform and output, each in its place and in its table."""
    house = tmp_path_factory.mktemp("house")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if tracked.returncode:
        pytest.skip("no checkout of git, so nobody knows which files to copy")
    for name in tracked.stdout.decode().split("\0"):
        source = ROOT / name
        if not name or not source.is_file():
            continue
        target = house / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith(("pcaps/scenarios", "pcaps/evasion", "tests/golden")):
            target.symlink_to(source)
        else:
            target.write_bytes(source.read_bytes())
    stages = house / "monitor"
    (stages / "detections" / "abroad.py").write_text(FILES["abroad.py"])
    (stages / "decoders" / "notes.py").write_text(FILES["notes.py"])
    (stages / "outputs" / "joins_csv.py").write_text(FILES["joins_csv.py"])
    (stages / "platforms" / "huddle.toml").write_text(FILES["platforms/huddle.toml"])
    _put(
        stages / "detections" / "__init__.py",
        (
            "from monitor.detections.anonymous",
            "from monitor.detections.abroad import ForeignNumber\nfrom monitor.detections.anonymous",
        ),
        ("    UnscheduledMeeting,\n)", "    UnscheduledMeeting,\n    ForeignNumber,\n)"),
    )
    _put(
        stages / "decoders" / "__init__.py",
        ("import rtp_events, sip", "import notes, rtp_events, sip"),
        ("(sip.ASK, rtp_events.ASK)", "(sip.ASK, rtp_events.ASK, notes.ASK)"),
        ("calls.wake_at, losses))", "calls.wake_at, losses), notes.Notes())"),
    )
    return house


def _put(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path.write_text(text)


FAILING = {
    "protocol": [
        "tests/test_what_it_sees.py::test_every_protocol_that_is_asked_for_is_on_the_page",
        "tests/test_counted.py::test_the_metrics_know_every_protocol_of_the_code",
    ],
    "platform": [
        "tests/platforms/test_platforms_links.py::test_every_family_of_links_has_its_samples",
        "tests/platforms/test_platforms_addresses.py::test_every_family_of_addresses_has_its_samples",
        "tests/cli/test_readme.py::test_every_platform_is_named",
    ],
    "rule": [
        "tests/test_scenarios.py::test_there_are_attacks_and_twins_of_every_rule",
        "tests/docs/test_docs_made.py::test_a_made_page_is_what_the_code_says[rules.md]",
        "tests/deploy/test_deploy_rules_catalogue.py::test_every_detection_has_an_entry_in_the_order_of_the_code",
        "tests/cli/test_readme.py::test_every_alert_has_a_runbook",
    ],
    "output": ["tests/outputs/test_outputs_injection.py::test_whatever_takes_records_is_named_as_an_output"],
}


def test_what_is_said_to_fail_does(house: Path) -> None:
    tests = [test for tests in FAILING.values() for test in tests]
    page = PAGE.read_text()
    assert all(test.partition("[")[0] in page for test in tests)
    words = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=no", "-rf", *tests]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=house, capture_output=True, text=True, timeout=120, check=False
    )
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == set(tests), done.stdout + done.stderr
