"""Writes the pages that are made of the code: `python -m docs.make [--check]`.

`--check` writes nothing, and fails when a page is not what the code says. What the pages tell of a key, a rule or a
metric is its docstring or its help, so that whoever adds one documents it where it stands.
"""

import sys
from pathlib import Path

from docs.make.configuration import configuration_page
from docs.make.journal import journal_page
from docs.make.limits import limits_page
from docs.make.metrics import daemon_families, families, metrics_page
from docs.make.rules import rules_page

__all__ = ["PAGES", "daemon_families", "families", "main"]

DOCS = Path(__file__).parents[1]
PAGES = {
    "rules.md": rules_page,
    "metrics.md": metrics_page,
    "configuration.md": configuration_page,
    "limits.md": limits_page,
    "journal.md": journal_page,
}


def main(arguments: list[str]) -> int:
    """Write every page, or tell which is not what the code says."""
    stale = [name for name, page in PAGES.items() if not _is_page(DOCS / name, page())]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/{name} is not what the code says; `make docs` writes it anew", file=sys.stderr)
        return bool(stale)
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"docs/{name}")
    return 0


def _is_page(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text
