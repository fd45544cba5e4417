"""The short Dutch texts of the detections, made from the catalogue: those that the daemon itself tells (docs/sinks.md).

What is meant for Prometheus alone is left out: its templates at a summary's end, and the sentence at a description's
end that leads to `joinwatch explain`, for the daemon knows the alert's own id.
"""

import json
import re

from deploy.catalogue.entries import Catalogue, Entry, Mistake

MADE = "monitor/outputs/sinks/nl.toml"
HEADER = "# Made by `python -m deploy.catalogue` from deploy/catalogue/alerts: change it there.\n"
LABELS = re.compile(r" \([^()]*\{\{[^()]*\)$")


def short(entry: Entry) -> dict[str, str]:
    """Summary and description without what only Prometheus can fill in."""
    first, _, last = entry.nl.description.strip().rpartition(". ")
    said = {
        "summary": LABELS.sub("", entry.nl.summary.strip()),
        "description": f"{first}." if "joinwatch explain" in last else entry.nl.description.strip(),
    }
    for field, text in said.items():
        if "{{" in text or "joinwatch explain" in text:
            raise Mistake(
                f"{entry.name}.toml: nl.{field}: templates stand in brackets at the summary's end, `joinwatch explain`"
                " in the description's last sentence: sinks tell the rest, and have neither"
            )
    return said


def as_toml(told: Catalogue) -> str:
    """The file that the daemon reads."""
    tables = []
    for entry in told.detections:
        # A string of JSON is one of TOML, too.
        lines = [f"{field} = {json.dumps(text, ensure_ascii=False)}" for field, text in short(entry).items()]
        tables.append("\n".join(["", f"[{entry.name}]", *lines, ""]))
    return HEADER + "".join(tables)
