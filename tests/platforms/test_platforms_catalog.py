"""The data files: sound themselves, and strict with what another might get wrong."""

import shutil
from pathlib import Path

import pytest

from monitor.model.problems import ConfigError
from monitor.platforms import known_platforms
from monitor.platforms.catalog import FALLBACK, FOLDER, check_platform, read_platform, shipped, wrong_with
from tests.platforms.platforms_kit import platforms

SOUND = """\
title = "Example"
hosts = ["meet.example.org"]
labelled = [9, 11]

[[links]]
reads = "meeting"
path = '/j/(?P<number>\\d{9,11})'

[[links]]
reads = "room"
path = '/r/(?P<room>[a-z]{1,9})'

[labels.number]
en = ["meeting id"]

[dial_in]
number = [9, 11]
pin = [4, 8]
"""


@pytest.mark.parametrize("name", known_platforms())
def test_a_shipped_file_is_sound(name: str) -> None:
    assert check_platform(FOLDER / f"{name}.toml") == shipped()[name]


def test_the_platforms_are_known_without_reading() -> None:
    assert {"webex", "zoom", "teams", "meet", "generic"} <= set(known_platforms())
    assert list(shipped())[-1] == FALLBACK


def test_labels_are_lower_case_and_hosts_too() -> None:
    for platform in shipped().values():
        words = [*platform.hosts, *platform.brands]
        for labels in (platform.labels.number, platform.labels.pin):
            words += [label for language in labels.values() for label in language]
        assert [word for word in words if word != word.lower() or word != word.strip()] == []


def test_the_catalog_tells_people_what_is_read() -> None:
    catalog = {platform.id: platform for platform in platforms().catalog}
    webex = catalog["webex"]
    assert webex.title == "Cisco Webex"
    assert "meet.ministry.example" in webex.hosts
    assert "personal room" in webex.reads
    assert {"nl", "en", "de", "fr"} <= set(webex.languages)
    assert webex.dial_in.words == (
        "number of 9 to 11 digits (`*01*` may precede it), then attendee number or nothing, "
        "then numeric password where the site asks for one; each ended by `#`"
    )
    assert catalog["generic"].dial_in.words.endswith("ended by `#` or complete")


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(SOUND, encoding="utf-8")
    assert check_platform(path).id == "example"


def test_a_new_platform_is_one_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in FOLDER.glob("*.toml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "example.toml").write_text(SOUND, encoding="utf-8")
    monkeypatch.setattr("monitor.platforms.catalog.FOLDER", tmp_path)
    shipped.cache_clear()
    try:
        assert "example" in known_platforms()
        told = platforms().read_text("https://meet.example.org/j/123456789\nMeeting ID: 123 456 789")
        assert [(ref.platform, ref.key) for ref in told.refs] == [("example", "number:123456789")]
    finally:
        shipped.cache_clear()


@pytest.mark.parametrize(
    ("part", "instead", "line", "found"),
    [
        pytest.param('title = "Example"', "title = ", 1, "Invalid value", id="no TOML"),
        pytest.param('title = "Example"', 'title = "Example"\nid = "other"', 2, "`id`", id="another name"),
        pytest.param('title = "Example"', "title = 3", 1, "Expected `str`", id="wrong type"),
        pytest.param("labelled = [9, 11]", 'labelled = "9"', 3, "Expected", id="no span"),
        pytest.param("labelled = [9, 11]", "labelled = [11, 9]", 3, "span", id="a span the wrong way"),
        pytest.param('reads = "room"', "reads = 3", 10, "Expected `str`", id="wrong type in the second"),
        pytest.param('reads = "room"', 'raeds = "room"', 10, "unknown field `raeds`", id="misspelt"),
        pytest.param('reads = "meeting"', 'reads = "meeting"\nhots = []', 7, "unknown field `hots`", id="unknown key"),
        pytest.param("(?P<room>[a-z]{1,9})", "(?P<room>[a-z]{1,9}", 11, "missing )", id="broken expression"),
        pytest.param("(?P<room>[a-z]{1,9})", "(?P<rum>[a-z]{1,9})", 11, "group 'rum'", id="unknown group"),
        pytest.param("(?P<room>[a-z]{1,9})", "(?P<room>(?:a+)+)", 11, "repetition of a repetition", id="not linear"),
        pytest.param("pin = [4, 8]", "pin = [4, 8]\nends = 'never'", 19, "Invalid enum value", id="no such end"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, part: str, instead: str, line: int, found: str) -> None:
    path = tmp_path / "example.toml"
    assert part in SOUND
    path.write_text(SOUND.replace(part, instead), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        check_platform(path)
    [problem] = caught.value.problems
    assert (problem.file, problem.line) == ("example.toml", line)
    assert found in problem.found


def test_the_lazy_reading_compiles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(SOUND.replace("(?P<room>[a-z]{1,9})", "("), encoding="utf-8")
    assert read_platform(path).links[1].path == "/r/("
    assert "unterminated" in wrong_with("/r/(") or "missing )" in wrong_with("/r/(")
