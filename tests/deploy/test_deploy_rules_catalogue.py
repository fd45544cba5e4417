"""One entry for each detection, and none for what does not exist; what is committed is what the catalogue says."""

import shutil
from pathlib import Path

import pytest

from deploy.catalogue import entries, rules
from deploy.catalogue.__main__ import files, main
from deploy.catalogue.cases import values_of
from deploy.catalogue.entries import HERE, Mistake, catalogue
from monitor.detections import rule_infos
from monitor.model.alerts import RuleInfo, Severity
from tests.corpus import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of one's own."""
    shutil.copytree(HERE, tmp_path / "catalogue", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "catalogue"


def test_what_is_committed_is_what_the_catalogue_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_every_detection_has_an_entry_in_the_order_of_the_code() -> None:
    told = catalogue()
    assert [entry.name for entry in told.detections] == [info.name for info in rule_infos()]
    assert told.severities == {info.name: tuple(one.value for one in info.severities) for info in rule_infos()}


def test_a_detection_without_an_entry_is_a_mistake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = RuleInfo(name="silent-listener", severities=(Severity.HIGH,), attack="", summary="")
    monkeypatch.setattr(entries, "rule_infos", lambda: (*rule_infos(), new))
    with pytest.raises(Mistake, match=r"without an entry: silent-listener"):
        catalogue(folder)


def test_an_entry_without_a_rule_is_a_mistake(folder: Path) -> None:
    text = (folder / "alerts" / "pin-bypass.toml").read_text(encoding="utf-8")
    (folder / "alerts" / "no-such-rule.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Mistake, match=r"no-such-rule\.toml: no detection of that name, and no alert"):
        catalogue(folder)


def test_a_new_detection_costs_one_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = RuleInfo(name="silent-listener", severities=(Severity.HIGH,), attack="", summary="")
    monkeypatch.setattr(entries, "rule_infos", lambda: (*rule_infos(), new))
    text = (folder / "alerts" / "pin-bypass.toml").read_text(encoding="utf-8")
    (folder / "alerts" / "silent-listener.toml").write_text(text, encoding="utf-8")
    made = {str(path): text for path, text in files(catalogue(folder)).items()}
    assert "docs/runbooks/silent-listener.md" in made
    assert "docs/runbooks/nl/silent-listener.md" in made
    assert "alert: JoinwatchSilentListener" in made["deploy/prometheus/joinwatch-detections.rules.yml"]
    assert "only-silent-listener-high" in made["deploy/prometheus/tests/scrape-15s.test.yml"]


@pytest.mark.parametrize(
    ("was", "is_now", "wrong"),
    [
        ('title = "', 'titel = "', "titel"),
        ("[nl]", "[de]", "de"),
        ("clocks = [", 'clocks = ["moon", ', "there is no 'moon'"),
        ("related = [", 'related = ["nothing", ', "there is no 'nothing'"),
        ('summary = "', 'summary = "" # ', "en.summary is empty"),
        ("[en]", "[en", "line"),
    ],
)
def test_a_mistake_in_an_entry_is_named(folder: Path, was: str, is_now: str, wrong: str) -> None:
    path = folder / "alerts" / "pin-bypass.toml"
    text = path.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, is_now, 1), encoding="utf-8")
    with pytest.raises(Mistake, match=r"pin-bypass\.toml") as caught:
        catalogue(folder)
    assert wrong in str(caught.value)


def test_another_organisation_has_its_own_places(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path), "--runbooks", "https://wiki.example/soc/", "--job", "taps"]) == 0
    made = (tmp_path / "deploy" / "prometheus" / "joinwatch-blindness.rules.yml").read_text(encoding="utf-8")
    assert "runbook_url: https://wiki.example/soc/interface-down.md" in made
    assert "runbook_url_nl: https://wiki.example/soc/nl/interface-down.md" in made
    assert 'up{job="taps"}' in made
    assert 'job="joinwatch"' not in made


def test_check_finds_what_was_changed_or_left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path)]) == 0
    assert main(["--output", str(tmp_path), "--check"]) == 0
    page = tmp_path / "docs" / "runbooks" / "nl" / "pin-bypass.md"
    page.write_text(page.read_text(encoding="utf-8") + "x", encoding="utf-8")
    (tmp_path / "docs" / "runbooks" / "gone.md").write_text("", encoding="utf-8")
    assert main(["--output", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().err
    assert "nl/pin-bypass.md" in said
    assert "gone.md" in said
    assert len(said.splitlines()) == 2


def test_a_counter_that_grew_is_seen_also_before_its_first_scrape() -> None:
    expr = rules.expanded('sum by (x) (GREW(joinwatch_a_total{b="c"}, 5m)) > 3', catalogue())
    assert expr.count('joinwatch_a_total{b="c"}') == 2
    assert "process_start_time_seconds) < 300" in expr
    assert "GREW" not in (ROOT / "deploy/prometheus/joinwatch-blindness.rules.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "interval", "values"),
    [
        ("0x1 1x1", 15, "0+0x3 1+0x3"),
        ("0x1 1x1", 60, "0+0x0 1+0x0"),
        ("5+2x2", 30, "5+1x3"),
        ("1x1 _x2 1x1", 60, "1+0x0 stale _x1 1+0x0"),
        ("_x2 1x1", 60, "_ _x1 1+0x0"),
    ],
)
def test_a_series_in_minutes_becomes_one_of_scrapes(text: str, interval: int, values: str) -> None:
    assert values_of(text, interval) == values


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("summary", "Op {{ $labels.instance }} kwam iemand binnen"),
        ("description", "Zie joinwatch explain pin-bypass. Dan is het u bekend."),
        ("description", "Op {{ $labels.instance }} kwam iemand binnen."),
    ],
)
def test_what_a_sink_could_not_say_is_a_mistake(folder: Path, field: str, text: str) -> None:
    path = folder / "alerts" / "pin-bypass.toml"
    head, dutch = path.read_text(encoding="utf-8").split("[nl]")
    lines = [f'{field} = "{text}"' if line.startswith(f"{field} =") else line for line in dutch.split("\n")]
    path.write_text("[nl]".join((head, "\n".join(lines))), encoding="utf-8")
    with pytest.raises(Mistake, match=rf"pin-bypass\.toml: nl\.{field}: templates"):
        files(catalogue(folder))
