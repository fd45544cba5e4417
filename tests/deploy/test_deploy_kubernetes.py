"""The manifests for Kubernetes: built by kustomize, held to their rules by what they say, judged by schemas."""

import base64
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes.__main__ import RULES, manifest
from monitor.sources.policies import load_policy
from monitor.sources.settings import load_settings
from tests.corpus import ROOT
from tests.deploy.linters import OWN, linter, told_by

FOLDER = ROOT / "deploy" / "kubernetes"
USER = 65532


def said(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def pod() -> dict[str, Any]:
    return said("daemonset")["spec"]["template"]["spec"]  # type: ignore[no-any-return]


@cache
def built() -> str:
    """What `kubectl apply --kustomize` would send."""
    code, told = told_by(linter("kubectl", "from your cluster's makers"), "kustomize", str(FOLDER))
    assert code == 0, told
    return told


def test_a_sensor_runs_on_tap_nodes_only_and_on_all_of_them() -> None:
    assert pod()["nodeSelector"] == {"joinwatch.example/tap": "true"}
    assert pod()["tolerations"] == [{"key": "joinwatch.example/tap", "operator": "Exists"}]
    assert pod()["hostNetwork"] is True
    assert said("daemonset")["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}


def test_it_may_what_the_container_file_needs_and_nothing_else() -> None:
    (container,) = pod()["containers"]
    may = container["securityContext"]
    assert may["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert may["readOnlyRootFilesystem"] is True
    assert "privileged" not in str(said("daemonset"))
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "limits" in container["resources"]
    assert pod()["automountServiceAccountToken"] is False
    assert said("serviceaccount")["automountServiceAccountToken"] is False
    file = (ROOT / "deploy" / "container" / "Containerfile").read_text(encoding="utf-8")
    assert f"USER {USER}:{USER}" in file
    assert "setcap cap_net_raw=ep" in file


def test_only_a_folder_is_made_by_root() -> None:
    (first,) = pod()["initContainers"]
    may = first["securityContext"]
    assert may["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN", "FOWNER"]}
    assert (may["allowPrivilegeEscalation"], may["readOnlyRootFilesystem"]) == (False, True)
    assert [mount["mountPath"] for mount in first["volumeMounts"]] == ["/var/lib/joinwatch"]


def test_it_is_asked_how_it_is_where_it_answers() -> None:
    (container,) = pod()["containers"]
    (port,) = container["ports"]
    settings = load_settings(FOLDER / "config" / "joinwatch.toml")
    assert settings.serve.listen == f"0.0.0.0:{port['containerPort']}"
    paths = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["port"] for kind, probe in paths.items()} == dict.fromkeys(paths, port["name"])
    assert [paths[kind]["path"] for kind in paths] == ["/-/healthy", "/-/healthy", "/-/ready"]
    (served,) = said("service")["spec"]["ports"]
    (scraped,) = said("servicemonitor")["spec"]["endpoints"]
    assert served["targetPort"] == served["name"] == scraped["port"] == port["name"]
    assert said("service")["spec"]["publishNotReadyAddresses"] is True


def test_one_label_holds_them_together() -> None:
    own = {"app.kubernetes.io/name": "joinwatch"}
    assert said("daemonset")["spec"]["selector"]["matchLabels"] == own
    assert said("daemonset")["spec"]["template"]["metadata"]["labels"] == own
    assert said("service")["spec"]["selector"] == own == said("service")["metadata"]["labels"]
    assert said("servicemonitor")["spec"]["selector"]["matchLabels"] == own
    (label,) = own
    assert said("servicemonitor")["spec"]["jobLabel"] == label


def test_what_it_is_told_and_who_people_are_stand_apart() -> None:
    """The one in a ConfigMap, the other in a Secret; together they are what the configuration names."""
    resources = [one for one in yaml.safe_load_all(built()) if one["kind"] in ("ConfigMap", "Secret")]
    told = {one["kind"]: one["data"] for one in resources}
    assert set(told["ConfigMap"]) == {"joinwatch.toml", "policy.toml"}
    assert set(told["Secret"]) == {"meetings.ics", "people.csv"}
    assert base64.b64decode(told["Secret"]["people.csv"]) == (FOLDER / "lists" / "people.csv").read_bytes()
    settings = load_settings(FOLDER / "config" / "joinwatch.toml")
    named = {Path(name).name for name in (*settings.meetings, *settings.directory, str(settings.policy))}
    assert named == {*told["Secret"], "policy.toml"}
    load_policy(FOLDER / "config" / "policy.toml")
    words = [sys.executable, "-m", "monitor", "check", str(FOLDER / "config"), str(FOLDER / "lists")]
    assert subprocess.run(words, cwd=ROOT, check=False, capture_output=True).returncode == 0


def test_the_rules_are_those_that_are_shipped() -> None:
    assert (FOLDER / "prometheusrule.yaml").read_text(encoding="utf-8") == manifest()
    files = [yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for path in sorted(RULES.glob("*.rules.yml"))]
    assert said("prometheusrule")["spec"]["groups"] == [group for groups in files for group in groups] != []


@pytest.mark.parametrize("version", ["1.31", "1.34"])
def test_a_cluster_would_take_each_of_them(version: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(built(), encoding="utf-8")
    words = (linter("kubernetes-validate"), "--strict", "-k", version, str(tmp_path / "all.yaml"))
    code, told = told_by(*words)
    assert code == 0, told
    passed = [line for line in told.splitlines() if " passed for resource " in line]
    assert len(passed) == len(list(yaml.safe_load_all(built()))) - 2, told  # the operator's have no schema here


OPERATOR = """import sys, yaml
from cloudcoil.models.prometheus_operator import v1
for one in yaml.safe_load_all(sys.stdin):
    if one["apiVersion"].startswith("monitoring.coreos.com/"):
        print(one["kind"], getattr(v1, one["kind"]).model_validate(one).metadata.name)
"""


def test_the_prometheus_operator_would_take_its_two() -> None:
    python = OWN / "python"
    if not python.exists() or subprocess.run([python, "-c", "import cloudcoil"], check=False).returncode:
        pytest.skip("there is no cloudcoil: make linters")
    run = subprocess.run([python, "-c", OPERATOR], input=built(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert sorted(run.stdout.splitlines()) == ["PrometheusRule joinwatch", "ServiceMonitor joinwatch"]
