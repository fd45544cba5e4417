"""The pages that are made of the code are what the code says, and the code says something of everything."""

import ast
import re
from pathlib import Path

import pytest

from docs import make
from docs.make import configuration, rules
from monitor.detections import rule_infos
from monitor.model.settings import Settings
from monitor.outputs import web_config
from tests.corpus import ROOT

COLLECTORS = {"vitals", "WebCounts", "SinkVitals", "quiet"}
"""What the daemon registers beside the metrics of a replay; `docs/make/metrics.py` has each."""


@pytest.mark.parametrize("name", make.PAGES)
def test_a_made_page_is_what_the_code_says(name: str, request: pytest.FixtureRequest) -> None:
    text = make.PAGES[name]()
    if request.config.getoption("--golden"):
        (make.DOCS / name).write_text(text, encoding="utf-8")
    assert (make.DOCS / name).read_text(encoding="utf-8") == text, "`make docs` writes it anew"


def test_the_check_fails_on_a_page_that_was_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make, "DOCS", tmp_path)
    monkeypatch.setattr(make, "PAGES", {"rules.md": rules.rules_page, "metrics.md": make.metrics_page})
    assert make.main([]) == 0
    assert make.main(["--check"]) == 0
    page = tmp_path / "metrics.md"
    page.write_text(page.read_text().replace("gauge", "counter", 1))
    capsys.readouterr()
    assert make.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/metrics.md is not what the code says; `make docs` writes it anew\n"


def test_everything_that_the_daemon_registers_is_on_the_page() -> None:
    registered = set()
    for file in (ROOT / "monitor" / "daemon").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("registry.register"):
                (what,) = node.args
                registered.add(ast.unparse(what.func if isinstance(what, ast.Call) else what))
    assert registered == COLLECTORS


def test_every_metric_that_other_pages_and_files_name_exists() -> None:
    page = (make.DOCS / "metrics.md").read_text()
    known = set(re.findall(r"^\| `(joinwatch_[a-z_]+)`", page, re.MULTILINE))
    assert len(known) > 40
    asking = [*ROOT.glob("deploy/prometheus/**/*"), *ROOT.glob("deploy/grafana/**/*"), *ROOT.glob("deploy/**/*.md")]
    for file in [*ROOT.glob("docs/**/*.md"), *asking, ROOT / "README.md"]:
        if file.suffix in (".md", ".yml", ".yaml", ".json", ".py"):
            # What is written with a star, or as the beginning of several, is no name; nor is the name of a file.
            for name in set(
                re.findall(r"\bjoinwatch_[a-z_]*[a-z](?![a-z_]|\*|\.ya?ml)", file.read_text(encoding="utf-8"))
            ):
                assert name in known, f"{file.relative_to(ROOT)}: {name}"


def test_every_key_of_the_configuration_is_on_its_page() -> None:
    page = (make.DOCS / "configuration.md").read_text()
    for name, value, _ in configuration.fields_of(Settings):
        is_table = isinstance(value, configuration.types.StructType)
        assert (
            f"### [{name}]" in page or f"### [{name}." in page
            if is_table
            else f"`{name}`" in page or f"[{name}." in page
        )


def test_every_key_of_web_yml_is_told() -> None:
    tables = {
        "tls_server_config": web_config._TLS,
        "http_server_config": web_config._SERVER,
        "rate_limit": web_config._LIMIT,
    }
    read = {f"{table}.{key}" for table, keys in tables.items() for key in keys}
    assert {key for key in web_config.KEYS if "." in key} == read
    assert {key.partition(".")[0] for key in web_config.KEYS} == web_config._TOP.keys()


def test_every_rule_says_when_it_is_raised_and_leads_to_its_runbook() -> None:
    page = (make.DOCS / "rules.md").read_text()
    for info in rule_infos():
        assert f"](#{info.name})" in page
        assert f"](runbooks/{info.name}.md)" in page
        assert f"| {info.summary} |" in page


def test_a_rule_without_a_docstring_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules.RULES[0], "__doc__", None)
    with pytest.raises(AssertionError, match="no docstring"):
        rules.rules_page()
