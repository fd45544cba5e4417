"""`python -m deploy.grafana.generator [--check]`: writes the dashboards, or says which differ from this code.

The tables of docs/dashboards.md are made with them, between their marks.
"""

import re
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.generator import incident, meetings, model, sensor
from deploy.grafana.generator.queries import CHECKS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path("deploy/grafana/dashboards")
PAGE = Path("docs/dashboards.md")
PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def made(root: Path = ROOT) -> dict[Path, str]:
    """Each file, by its path; the page as it is there, with new tables."""
    dashboards = {"meetings": meetings.dashboard(), "sensor": sensor.dashboard(), "incident": incident.dashboard()}
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    files = {FOLDER / f"{name}.json": encoder.encode(dashboard) + "\n" for name, dashboard in dashboards.items()}
    tables = {name: _table("panel", "tells", _told(dashboard)) for name, dashboard in dashboards.items()}
    tables["reasons"] = _table("reason", "holds when", [(check.name, check.means) for check in CHECKS])
    page = (root / PAGE).read_text(encoding="utf-8")
    return files | {PAGE: PART.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[3]}", page)}


def _told(dashboard: model.Dashboard) -> list[tuple[str, str]]:
    """What each panel says of itself."""
    panels = [panel for panel in dashboard.panels or [] if isinstance(panel, model.Panel)]
    return [(panel.title or "", (panel.description or "").split("\n\n")[0]) for panel in panels]


def _table(first: str, second: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| **{name}** | {words} |" for name, words in rows]
    return "\n".join((f"| {first} | {second} |", "|---|---|", *lines, ""))


def main(words: list[str], root: Path = ROOT) -> int:
    """0 when all is as it should be."""
    files = made(root)
    if "--check" in words:
        there = {path.relative_to(root) for path in (root / FOLDER).glob("*.json")} | {PAGE}
        different = sorted(path for path in files.keys() | there if files.get(path) != _text_in(root / path))
        for path in different:
            print(f"{path} is not what the code makes: run `make dashboards`", file=sys.stderr)  # noqa: T201
        return 1 if different else 0
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")
    return 0


def _text_in(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
