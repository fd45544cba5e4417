"""`python -m deploy.kubernetes [--check]`: Prometheus' rules as a PrometheusRule, for the Prometheus Operator."""

import sys
from pathlib import Path

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus"
MADE = HERE / "prometheusrule.yaml"
HEADER = "# Made by `python -m deploy.kubernetes` from deploy/prometheus: change it there.\n"


def manifest() -> str:
    """Every group of the shipped rules, as one resource."""
    groups = []
    for path in sorted(RULES.glob("*.rules.yml")):
        groups += yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "joinwatch", "labels": {"app.kubernetes.io/name": "joinwatch"}},
        "spec": {"groups": groups},
    }
    return HEADER + yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=1000)


def main(words: list[str]) -> int:
    """0 done; 1 what is there is not what the rules say."""
    made = manifest()
    if "--check" not in words:
        MADE.write_text(made, encoding="utf-8")
        return 0
    same = MADE.exists() and MADE.read_text(encoding="utf-8") == made
    if not same:
        print(f"{MADE.name} is not what the rules say; run `python -m deploy.kubernetes`", file=sys.stderr)  # noqa: T201
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
