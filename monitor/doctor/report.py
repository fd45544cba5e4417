"""The doctor's words for people, worst first, and for machines, one JSON object a line."""

import json
from typing import TextIO

import msgspec

from monitor.doctor.findings import Diagnosis, Finding, Gravity
from monitor.outputs.page import Page
from monitor.outputs.safe import escaped_json, shown
from monitor.outputs.words import many

MARKS = {Gravity.BLIND: "BLIND", Gravity.DEGRADED: "DEGRADED", Gravity.HINT: "hint"}
COLOURS = {Gravity.BLIND: "bold red", Gravity.DEGRADED: "bold yellow", Gravity.HINT: "cyan"}
INDENT = "  "
LONGEST = 600
"""Characters of one sentence."""


def show(diagnosis: Diagnosis, stream: TextIO) -> None:
    """A page, in 80 columns where nobody says more."""
    page = Page(stream)
    for finding in diagnosis.findings:
        _show(page, finding)
    if diagnosis.examined or diagnosis.unexamined:
        page.line("Examined", "bold")
        for what in diagnosis.examined:
            page.hanging(f"{INDENT}- ", shown(what, LONGEST))
        for missed in diagnosis.unexamined:
            page.hanging(f"{INDENT}- ", shown(f"NOT {missed.what}: {missed.why}", LONGEST))
        page.line()
    page.line(verdict(diagnosis), "bold")
    page.show()


def verdict(diagnosis: Diagnosis) -> str:
    """All of it in one sentence."""
    counts = {gravity: sum(f.gravity is gravity for f in diagnosis.findings) for gravity in Gravity}
    hints = f"; {many(counts[Gravity.HINT], 'hint')}" if counts[Gravity.HINT] else ""
    not_all = ", as far as it could be examined" if diagnosis.unexamined else ""
    if counts[Gravity.BLIND]:
        more = (
            f", and {many(counts[Gravity.DEGRADED], 'further weakness', 'further weaknesses')}"
            if counts[Gravity.DEGRADED]
            else ""
        )
        return f"It is blind, for {many(counts[Gravity.BLIND], 'reason')}{more}{hints}."
    if counts[Gravity.DEGRADED]:
        return f"It sees, but less than it could: {many(counts[Gravity.DEGRADED], 'weakness', 'weaknesses')}{hints}."
    return f"Healthy{not_all}{hints}."


def tell(diagnosis: Diagnosis, stream: TextIO) -> None:
    """One line for each finding and for each thing that was not examined; the last is the sum."""
    for finding in diagnosis.findings:
        _tell({"type": "finding", **msgspec.to_builtins(finding)}, stream)
    for missed in diagnosis.unexamined:
        _tell({"type": "unexamined", **msgspec.to_builtins(missed)}, stream)
    worst = diagnosis.worst
    _tell({"type": "diagnosis", "worst": worst, "examined": diagnosis.examined, "verdict": verdict(diagnosis)}, stream)


def _show(page: Page, finding: Finding) -> None:
    page.hanging(
        f"{MARKS[finding.gravity]:9}", shown(finding.cause, LONGEST), "bold", mark_style=COLOURS[finding.gravity]
    )
    for proof in finding.proof:
        page.hanging(f"{INDENT}proof  ", shown(proof, LONGEST), mark_style="dim")
    if finding.next_step:
        page.hanging(f"{INDENT}next   ", shown(finding.next_step, LONGEST), mark_style="dim")
    for line in finding.lines:
        page.whole(f"{INDENT}         {shown(line, LONGEST)}")
    page.line()


def _tell(said: dict[str, object], stream: TextIO) -> None:
    stream.write(escaped_json(json.dumps(said, ensure_ascii=False)) + "\n")
