"""`python -m deploy.grafana.generator [--check]`: writes the dashboards, or says which differ from this code."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.generator import incident, meetings, sensor

FOLDER = Path(__file__).resolve().parents[1] / "dashboards"


def made() -> dict[str, str]:
    """Each file, by its name."""
    dashboards = {"meetings": meetings.dashboard(), "sensor": sensor.dashboard(), "incident": incident.dashboard()}
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {f"{name}.json": encoder.encode(dashboard) + "\n" for name, dashboard in dashboards.items()}


def main(words: list[str]) -> int:
    """0 when all is as it should be."""
    files = made()
    if "--check" in words:
        there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
        different = sorted(name for name in files.keys() | there.keys() if files.get(name) != there.get(name))
        for name in different:
            print(f"{FOLDER / name} is not what the code makes: run `make dashboards`", file=sys.stderr)  # noqa: T201
        return 1 if different else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
