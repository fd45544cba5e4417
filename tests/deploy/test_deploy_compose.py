"""The daemon beside Prometheus, Alertmanager and Grafana (stack.yaml): held to rules by what it says, and by tools."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.sources.settings import load_settings
from tests.corpus import ROOT
from tests.deploy.linters import linter, told_by
from tests.deploy.servers import program

FOLDER = ROOT / "deploy" / "container"
STACK = FOLDER / "stack.yaml"
EXAMPLE = FOLDER / "stack" / "joinwatch.toml"


def stack() -> dict[str, Any]:
    return yaml.safe_load(STACK.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def others() -> dict[str, Any]:
    """Everything but the daemon, which has its own file and its own test."""
    return {name: service for name, service in stack()["services"].items() if name != "joinwatch"}


def mounts() -> list[tuple[str, str]]:
    """What of this repository each container sees, and where."""
    found = [volume.split(":") for service in others().values() for volume in service.get("volumes", [])]
    return [(source, target) for source, target, *how in found if source.startswith(".") and how == ["ro"]]


def test_every_image_has_a_name_in_full_and_a_version() -> None:
    for service in others().values():
        assert re.fullmatch(r"docker\.io/[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


@pytest.mark.parametrize("name", ["prometheus", "alertmanager", "grafana"])
def test_each_is_confined_and_says_whether_it_is_well(name: str) -> None:
    service = stack()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith(("0", "root"))
    assert service["networks"] == ["watch"]
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["healthcheck"]["test"][:2] == ["CMD", "wget"]
    port = service["ports"][0].split(":")[1]
    assert f"127.0.0.1:{port}/" in service["healthcheck"]["test"][-1]


def test_what_is_mounted_is_there() -> None:
    found = mounts()
    assert len(found) == 5
    for source, _ in found:
        assert (FOLDER / source).exists(), source


def test_the_sensor_listens_where_prometheus_asks_and_is_examined() -> None:
    (network,) = stack()["networks"]["watch"]["ipam"]["config"]
    gateway = network["gateway"]
    assert stack()["services"]["prometheus"]["extra_hosts"] == [f"joinwatch:{gateway}"]
    listen = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["serve"]["listen"]
    assert listen == f"{gateway}:9464"
    assert load_settings(EXAMPLE).serve.listen == listen
    check = stack()["services"]["joinwatch"]["healthcheck"]["test"]
    compile(check[-1], "healthcheck", "exec")
    assert f"http://{listen}/-/healthy" in check[-1]
    scraped = yaml.safe_load((FOLDER / "stack" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    assert (scraped["job_name"], scraped["static_configs"]) == ("joinwatch", [{"targets": ["joinwatch:9464"]}])


def test_prometheus_reads_the_shipped_rules_from_where_they_are_mounted(tmp_path: Path) -> None:
    promtool = program("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: make counterparts")
    (tmp_path / "rules").symlink_to(ROOT / "deploy" / "prometheus")
    (tmp_path / "prometheus.yml").write_bytes((FOLDER / "stack" / "prometheus.yml").read_bytes())
    code, said = told_by(promtool, "check", "config", str(tmp_path / "prometheus.yml"))
    assert code == 0, said
    assert len(re.findall(r"SUCCESS: \d+ rules found", said)) == len(list((tmp_path / "rules").glob("*.rules.yml"))) > 0


def test_grafana_finds_its_provisioning_and_its_password() -> None:
    grafana = stack()["services"]["grafana"]
    places = dict(mounts())
    assert places["../grafana/provisioning"] == "/etc/grafana/provisioning"
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin"
    ((name, secret),) = stack()["secrets"].items()
    assert grafana["secrets"] == [name]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"deploy/container/{secret['file'].removeprefix('./')}" in ignored
    told = [
        provider["options"]["path"]
        for file in (ROOT / "deploy" / "grafana" / "provisioning" / "dashboards").glob("*.y*ml")
        for provider in yaml.safe_load(file.read_text(encoding="utf-8"))["providers"]
    ]
    assert set(told) == {places["../grafana/dashboards"]}
    sources = [
        source
        for file in (ROOT / "deploy" / "grafana" / "provisioning" / "datasources").glob("*.y*ml")
        for source in yaml.safe_load(file.read_text(encoding="utf-8"))["datasources"]
    ]
    assert "http://prometheus:9090" in [source["url"] for source in sources]


@pytest.mark.parametrize("name", ["stack.yaml", "compose.yaml"])
def test_it_follows_the_compose_specification(name: str) -> None:
    words = (linter("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FOLDER / name))
    code, said = told_by(*words)
    assert code == 0, said


def test_a_linter_finds_only_what_a_sensor_needs() -> None:
    """The host's network, for the mirror port is there; the file's capability; and digests, which are yours to pin."""
    code, said = told_by(linter("compose-lint"), "--format", "json", str(STACK))
    assert code in (0, 1), said
    found = json.loads(said[said.index("[" if said.lstrip().startswith("[") else "{") :])
    findings = found if isinstance(found, list) else found.get("findings", found.get("results"))
    told = {(one["service"], one["rule_id"]) for one in findings}
    assert ("joinwatch", "CL-0008") in told
    by_sensor = {("joinwatch", rule) for rule in ("CL-0008", "CL-0003", "CL-0026")}
    assert {(service, rule) for service, rule in told if rule != "CL-0019"} <= by_sensor
