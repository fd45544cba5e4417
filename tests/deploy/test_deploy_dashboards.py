"""The dashboards as they are committed: made by their code, whole, and readable by who sees them first."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.generator import links, model, queries, words
from deploy.grafana.generator.__main__ import made, main
from deploy.grafana.pictures.theme import DARK, LIGHT, SHADES, STEPS, Theme
from deploy.grafana.proof import grafana
from deploy.grafana.proof.grafana import Span
from docs.make import daemon_families, families
from monitor.detections import rule_infos
from monitor.model.roster import Verdict
from tests.corpus import ROOT

HERE = ROOT / "deploy" / "grafana"
DASHBOARDS = grafana.read()
PANELS = [(name, panel) for name, dashboard in DASHBOARDS.items() for panel in grafana.panels(dashboard)]
ASKING = [(name, panel) for name, panel in PANELS if panel["type"] != "text"]
OURS = re.compile(r"\b(?:joinwatch|process)_\w+|\bup\b")
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
PROMETHEUS_LABELS = {"job", "instance"}
ALERTS_LABELS = {*PROMETHEUS_LABELS, "alertname", "alertstate", "kind", "severity"}
NAMES = {step.format(hue) for hue in SHADES for step in STEPS} | {"text", "transparent"}


def id_of(found: tuple[str, Mapping[str, Any]]) -> str:
    return f"{found[0]} {found[1]['id']}"


def expressions() -> Iterator[tuple[str, str]]:
    """Every query, of panels, marks and variables."""
    for name, panel in PANELS:
        for target in grafana.targets(panel):
            yield f"{name} {panel['id']}{target['refId']}", target["expr"]
    for name, dashboard in DASHBOARDS.items():
        for annotation in dashboard["annotations"]["list"]:
            yield f"{name} {annotation['name']}", annotation["expr"]


EXPRESSIONS = dict(expressions())


def test_they_are_as_their_code_makes_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert {path.name for path in made()} == {"meetings.json", "sensor.json", "incident.json", "dashboards.md"}
    assert capsys.readouterr().err == ""


def test_what_was_changed_by_hand_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs" / "dashboards.md"
    page.parent.mkdir()
    page.write_text((ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8"), encoding="utf-8")
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    sensor = tmp_path / "deploy/grafana/dashboards/sensor.json"
    sensor.write_text(sensor.read_text(encoding="utf-8").replace("now-6h", "now-7h"), encoding="utf-8")
    (sensor.parent / "more.json").write_text("{}", encoding="utf-8")
    page.write_text(page.read_text(encoding="utf-8").replace("| **Lag** |", "| **Lags** |"), encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    told = [line.split(" ")[0].rsplit("/", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["more.json", "sensor.json", "dashboards.md"]


def test_every_panel_is_on_the_page() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    assert all(f"| **{panel['title']}** |" in page for _, panel in PANELS)
    for picture in re.findall(r"\]\((pictures/[^)]+)\)", page):
        assert 20_000 < (ROOT / "docs" / picture).stat().st_size < 300_000


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_model_of_grafana_knows_all_that_is_in_them(name: str) -> None:
    from grafana_foundation_sdk.cog.plugins import register_default_plugins

    register_default_plugins()
    whole = json.loads(JSONEncoder().encode(model.Dashboard.from_json(DASHBOARDS[name])))
    assert whole == DASHBOARDS[name]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_all_have(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"] == f"joinwatch-{name}"
    assert dashboard["timezone"] == "browser"
    assert dashboard["refresh"] in dashboard["timepicker"]["refresh_intervals"]
    assert links.TAG in dashboard["tags"]
    assert dashboard["description"]
    (to_others,) = dashboard["links"]
    assert to_others["tags"] == [links.TAG]
    assert (to_others["includeVars"], to_others["keepTime"]) == (True, True)
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for sensor in ("job", "instance"):
        assert variables[sensor]["multi"] is variables[sensor]["includeAll"] is True
        assert "allValue" not in variables[sensor], "other programs would be sensors, too"
        assert variables[sensor]["datasource"]["uid"] == "${datasource}"
    assert variables["runbooks"]["query"] == links.runbooks()


def test_ids_are_those_that_other_peoples_links_hold() -> None:
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == {
        "incident": links.INCIDENT,
        "meetings": links.MEETINGS,
        "sensor": links.SENSOR,
    }
    ids = Counter((name, panel["id"]) for name, dashboard in DASHBOARDS.items() for panel in dashboard["panels"])
    assert set(ids.values()) == {1}
    first = {name: (panel["id"], panel["title"]) for name, panel in reversed(PANELS)}
    assert first["meetings"] == first["sensor"] == (1, "Can I trust this silence?")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_panel_lies_upon_another(name: str) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken.update(
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        )
    assert set(taken.values()) == {1}
    assert len(taken) == 24 * (1 + max(y for _, y in taken)), "a hole"


@pytest.mark.parametrize("found", PANELS, ids=id_of)
def test_a_panel_says_what_it_is(found: tuple[str, dict[str, Any]]) -> None:
    panel = found[1]
    assert 0 < len(panel["title"]) <= 45
    assert len(panel["description"]) >= 40
    assert panel["description"].rstrip().endswith((".", "`"))
    if panel["type"] == "text":
        return
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    heights = [step["value"] for step in defaults["thresholds"]["steps"][1:]]
    assert all(low < high for low, high in pairwise(heights))
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert bool(target.get("instant")) is not bool(target.get("range"))
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def known() -> dict[str, dict[str, set[str]]]:
    """Each series of a real exposition: the labels that it has, and their values."""
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in [*families(), *daemon_families()]:
        for sample in family.samples:
            values = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
    return found


EXPOSED = known()
OF_THE_PROCESS = {"process_start_time_seconds", "process_resident_memory_bytes"}
"""Of prometheus_client's own collector; tests/deploy/test_deploy_dashboards_live.py has them from a daemon."""


@pytest.mark.parametrize("expr", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_query_asks_the_chosen_sensor_for_what_it_tells(expr: str) -> None:
    selectors = SELECTOR.findall(expr)
    assert len(selectors) == len(re.findall(r"\{", expr)) > 0
    assert {name for name, _ in selectors} >= set(OURS.findall(expr)), "a metric without the sensor"
    for name, text in selectors:
        assert text.startswith(queries.SENSOR)
        matchers = re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', text)
        if name == "ALERTS":
            assert {label for label, _, _ in matchers} <= ALERTS_LABELS
            continue
        assert name in EXPOSED.keys() | OF_THE_PROCESS
        for label, how, value in matchers:
            if label in PROMETHEUS_LABELS or "$" in value:
                continue
            there = EXPOSED[name][label]
            wanted = value.split("|") if how == "=~" else [value]
            assert set(wanted) <= there, f"{name} has no {label} {value}"


@pytest.mark.parametrize("found", ASKING, ids=id_of)
def test_labels_are_those_of_the_series(found: tuple[str, dict[str, Any]]) -> None:
    for target in found[1]["targets"]:
        names = [name for name, _ in SELECTOR.findall(target["expr"])]
        there = PROMETHEUS_LABELS.union(*(EXPOSED.get(name, {}) for name in names))
        grouped = {label for group in re.findall(r"\bby \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
        assert grouped <= there
        in_legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert in_legend <= (grouped or there)


def test_each_rule_has_a_colour_and_a_runbook() -> None:
    colours = words.rule_colours()
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    for info in rule_infos():
        assert info.name in pages
        for severity in info.severities:
            assert colours[f"{info.name} ({severity})"] in words.SHADES[severity]
    assert {severity: shades[0] for severity, shades in words.SHADES.items()} == words.SEVERITIES
    for severity, shades in words.SHADES.items():
        own = [colour for legend, colour in colours.items() if legend.endswith(f"({severity})")]
        assert len(set(own)) == min(len(own), len(shades)), "each its own, as long as there are any"
    assert words.SEVERITIES.keys() == {"low", "medium", "high", "critical"}
    assert words.VERDICTS.keys() == set(Verdict)


def colours_in(thing: Any) -> Iterator[str]:
    """Every colour that is named anywhere."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key in ("color", "fixedColor", "iconColor") and isinstance(value, str):
                yield value
            else:
                yield from colours_in(value)
    elif isinstance(thing, list):
        for one in thing:
            yield from colours_in(one)


def test_no_colour_is_of_one_theme() -> None:
    named = set(colours_in(list(DASHBOARDS.values())))
    assert len(named) > 5
    assert named <= NAMES


EYES = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""How they see linear RGB (Machado, Oliveira and Fernandes, 2009)."""
APART = 20.0
"""In CIELAB; 2 is the least that is seen."""


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lab(colour: str, eyes: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    light = linear(colour)
    seen = [min(1.0, max(0.0, sum(a * b for a, b in zip(row, light, strict=True)))) for row in eyes]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.95047, 1.0, 1.08883)
    xyz = [sum(a * b for a, b in zip(row, seen, strict=True)) / one for row, one in zip(rows, white, strict=True)]
    x, y, z = (one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str, eyes: tuple[tuple[float, ...], ...]) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(lab(one, eyes), lab(other, eyes), strict=True)) ** 0.5)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(
    "meanings",
    [
        pytest.param([words.GOOD, words.TROUBLE], id="good and trouble"),
        pytest.param([*words.SEVERITIES.values()], id="severities"),
        pytest.param([*words.VERDICTS.values()], id="verdicts"),
        pytest.param([*words.FATES.values()], id="fates"),
        pytest.param([*words.LOSSES.values()], id="losses"),
    ],
)
def test_everybodys_eyes_tell_colours_apart(theme: Theme, eyes: str, meanings: list[str]) -> None:
    for one, other in combinations(meanings, 2):
        assert apart(theme.colour(one), theme.colour(other), EYES[eyes]) >= APART, f"{one} and {other}"


def test_eyes_without_green_confuse_what_is_said_to_be_confused() -> None:
    assert apart(LIGHT.colour("dark-yellow"), LIGHT.colour("semi-dark-orange"), EYES["no green"]) < 5


def urls_in(thing: Any) -> Iterator[tuple[str, str]]:
    """Every link of a field."""
    if isinstance(thing, dict):
        if thing.keys() >= {"title", "url", "targetBlank"} and "type" not in thing:
            yield thing["title"], thing["url"]
        for value in thing.values():
            yield from urls_in(value)
    elif isinstance(thing, list):
        for one in thing:
            yield from urls_in(one)


def test_links_lead_somewhere() -> None:
    kinds: Counter[str] = Counter()
    for name, dashboard in DASHBOARDS.items():
        own = {variable["name"] for variable in dashboard["templating"]["list"]}
        for title, url in urls_in(dashboard["panels"]):
            used = {found.split(":")[0] for found in re.findall(r"\$\{([^}.]+)", url)}
            assert {one for one in used if not one.startswith("__")} <= own, f"{name}: {title}"
            if url.startswith("/d/"):
                kinds["dashboard"] += 1
                assert url.split("?")[0].removeprefix("/d/") in {one["uid"] for one in DASHBOARDS.values()}
            elif url.startswith("${runbooks}/"):
                kinds["runbook"] += 1
                assert url.endswith(".md")
            else:
                kinds["journal"] += 1
                pane = json.loads(unquote(url.split("panes=")[1]))["journal"]
                assert pane["datasource"] in ("${loki}", "${elasticsearch}")
                (query,) = pane["queries"]
                assert 'type="alert"' in query.get("expr", "") + query.get("query", "").replace(":", "=") or (
                    "oddity" in json.dumps(query)
                )
    assert min(kinds["dashboard"], kinds["runbook"], kinds["journal"]) > 3


def test_grafana_is_told_where_everything_is() -> None:
    (provider,) = yaml.safe_load((HERE / "provisioning/dashboards/joinwatch.yaml").read_text("utf-8"))["providers"]
    stack = yaml.safe_load((ROOT / "deploy/container/stack.yaml").read_text("utf-8"))
    mounts = dict(mount.split(":")[:2] for mount in stack["services"]["grafana"]["volumes"])
    assert mounts["../grafana/dashboards"] == provider["options"]["path"]
    assert mounts["../grafana/provisioning"] == "/etc/grafana/provisioning"
    folder = HERE / "provisioning" / "datasources"
    types = {}
    for path in [*folder.glob("*.yaml"), *folder.glob("*.example")]:
        (source,) = yaml.safe_load(path.read_text("utf-8"))["datasources"]
        types[source["type"]] = source
    assert types.keys() == {"prometheus", "loki", "elasticsearch"}
    (exemplars,) = types["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert exemplars["name"] == "alert_id", "as the daemon names it"
    assert links.INCIDENT in exemplars["url"]
    assert "var-alert=" in exemplars["url"]


def test_variables_are_filled_in_as_grafana_does() -> None:
    span = Span(1000.0, 1000.0 + 6 * 3600, 15.0)
    text = 'm{job=~"$job", i=~"${instance}"}[$__rate_interval] $__interval_ms $__range $__from ${rule:regex}'
    assert grafana.filled_in(text, span, 180.0, {"rule": "pin-bypass"}) == (
        'm{job=~"joinwatch", i=~".*"}[195s] 180000 21600s 1000000 pin-bypass'
    )
    assert "$" not in "".join(grafana.filled_in(expr, span, 60.0, {}) for expr in EXPRESSIONS.values())
