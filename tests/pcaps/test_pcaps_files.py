"""The captures are what their stories give, byte for byte; their labels name what stands in them; tshark agrees."""

import shutil
import subprocess
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pcaps.evasions import trick_files
from pcaps.generator.labels import RULES
from pcaps.make import HERE, files_of
from pcaps.stories import STORIES
from pcaps.stories.story import Story

SEVERITIES = {"low", "medium", "high", "critical"}
METHODS = {"pstn", "sip"}
VERDICTS = {"invited", "uninvited", "anonymous", "unscheduled"}
SUBJECTS = ("tel:+", "sip:", "ip:", "anonymous")
MAX_ALL = 3 * 1024 * 1024
MAX_INCIDENT = 200 * 1024
TSHARK = shutil.which("tshark")


def labels_of(story: Story) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{story.path}.toml").read_text())


def frames_of(story: Story) -> list[tuple[float, bytes]]:
    """Time and bytes of each frame; the format is simple enough to need no reader."""
    raw = (HERE / f"{story.path}.pcap").read_bytes()
    frames, offset = [], 24
    while offset < len(raw):
        seconds, micros, length = (int.from_bytes(raw[offset + n : offset + n + 4], "little") for n in (0, 4, 8))
        frames.append((seconds + micros / 1e6, raw[offset + 16 : offset + 16 + length]))
        offset += 16 + length
    return frames


each_story = pytest.mark.parametrize("story", [pytest.param(story, id=story.path) for story in STORIES])


@each_story
def test_regenerating_gives_the_committed_bytes(story: Story) -> None:
    for path, content in files_of(story):
        assert path.read_bytes() == content, f"{path.name}: run `python -m pcaps.make`"


@each_story
def test_the_labels_are_well_formed(story: Story) -> None:
    labels = labels_of(story)
    for alert in labels["alerts"]:
        assert alert["rule"] in RULES
        assert alert["severity"] in SEVERITIES
        assert alert["subject"].startswith(SUBJECTS)
        assert len(alert["why"]) > 20
        assert alert["frames"]
    for join in labels["joins"]:
        assert join["method"] in METHODS
        assert join["verdict"] in VERDICTS
        assert join["subject"].startswith(SUBJECTS)
        assert isinstance(join["joined_at"], datetime)
    for path in (*labels["meetings"], *labels["directory"], labels["policy"]):
        assert ((HERE / story.path).parent / path).exists()


@each_story
def test_the_frames_of_a_join_show_it(story: Story) -> None:
    frames = frames_of(story)
    for join in labels_of(story)["joins"]:
        call, numbers = join["call"].encode(), join["frames"]
        if "listed" in numbers:
            assert b"<conference-info" in frames[numbers["listed"] - 1][1]
            assert abs(frames[numbers["listed"] - 1][0] - join["joined_at"].timestamp()) < 0.000_01
            continue
        assert b"INVITE sip:" in frames[numbers["offered"] - 1][1]
        assert call in frames[numbers["offered"] - 1][1]
        assert b"SIP/2.0 200 OK" in frames[numbers["answered"] - 1][1]
        last = numbers.get("last_key", numbers["answered"])
        assert abs(frames[last - 1][0] - join["joined_at"].timestamp()) < 0.000_01


@each_story
def test_every_alert_is_about_frames_of_the_capture(story: Story) -> None:
    count = len(frames_of(story))
    for alert in labels_of(story)["alerts"] + labels_of(story).get("further_alerts", []):
        assert all(1 <= frame <= count for frame in alert["frames"])


def test_all_captures_together_are_small() -> None:
    assert sum(path.stat().st_size for path in HERE.rglob("*.pcap")) < MAX_ALL


def test_the_incident_is_small_enough_for_a_wheel() -> None:
    assert (HERE / "incident" / "incident.pcap").stat().st_size < MAX_INCIDENT


def test_no_capture_is_without_its_story() -> None:
    told = {HERE / f"{story.path}.pcap" for story in STORIES}
    tricks = {HERE / path for path, _ in trick_files() if path.endswith(".pcap")}
    assert set(HERE.rglob("*.pcap")) == told | tricks


def test_the_tricks_are_what_their_tellers_give() -> None:
    for path, content in trick_files():
        assert (HERE / path).read_bytes() == content, f"{path}: run `python -m pcaps.make`"


def test_the_incident_has_its_three_alerts_and_no_other() -> None:
    labels = labels_of(next(story for story in STORIES if story.path == "incident/incident"))
    assert sorted(alert["rule"] for alert in labels["alerts"]) == [
        "meeting-enumeration",
        "pin-bypass",
        "uninvited-participant",
    ]
    assert {alert["subject"] for alert in labels["alerts"]} == {"tel:+31205550177"}


def complaints_of(captures: list[Path], folder: Path) -> str:
    """What tshark finds wrong (expert information) in all of them, put one behind the other."""
    assert TSHARK is not None
    merged = folder / "all.pcap"
    first = captures[0].read_bytes()[:24]
    merged.write_bytes(first + b"".join(path.read_bytes()[24:] for path in captures))
    shown = "(_ws.malformed || _ws.expert.severity >= 0x600000)"
    fields = ["-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message"]
    command = [TSHARK, "-r", str(merged), "-o", "rtp.heuristic_rtp:TRUE", "-Y", shown, *fields]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_tshark_has_no_complaint(tmp_path: Path) -> None:
    captures = [HERE / f"{story.path}.pcap" for story in STORIES]
    complaints = complaints_of(captures, tmp_path).splitlines()
    # RFC 3966, section 5.1.1, allows separators in a number; tshark's E.164 dissector does not know them.
    assert [line for line in complaints if not line.endswith("Country Code contains non-decimal digits")] == []
