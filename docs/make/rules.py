"""`docs/rules.md`: of each rule its docstring, severities, technique and thresholds."""

import ast

from docs.make.words import MADE, class_of, docstring_of, documented, table
from monitor.detections import RULES
from monitor.model.alerts import Severity
from monitor.model.policy import Thresholds

ATTACK = "https://attack.mitre.org/techniques/"

RULES_INTRO = """\
# Rules

{made}

What each rule of `joinwatch rules` means. One cause raises one alert; later sightings update it. No single header that
a caller can write raises or clears an alert by itself. Every alert carries its reasons, each with the frames that show
it, the confidence in the identity, and the coverage at that time ([the words](concepts.md)). Thresholds are settings of
the policy ([`[rules]`](configuration.md#rules)). What to do about an alert is in its runbook.
"""


RULES_END = """
## What no rule says yet

A call to somebody invited that is forwarded to somebody else; the reading of many meetings' pages on the web; a meeting
that takes place under a number that was found before; more people connected than are invited; a roster and calls that
disagree; somebody who sends no sound; bots that take notes, and recordings; a lock or a lobby that somebody passes.

What makes the monitor itself blind is told by [metrics](metrics.md) and by alert rules of Prometheus with their
[runbooks](runbooks), not by a rule here.
"""


def rules_page() -> str:
    """`docs/rules.md`."""
    rows = [
        (f"[`{rule.info.name}`](#{rule.info.name})", " or ".join(rule.info.severities), rule.info.summary)
        for rule in RULES
    ]
    thresholds = documented(Thresholds)
    parts = [RULES_INTRO.format(made=MADE), table(("rule", "severity", "raised when"), *rows)]
    for rule in RULES:
        info = rule.info
        facts = [f"* Severity: {_severities(info.severities)}."]
        if info.attack:
            place = info.attack.replace(".", "/")
            facts.append(f"* ATT&CK: [{info.attack}]({ATTACK}{place}/).")
        facts += [
            f"* Threshold: `{name}` = {getattr(Thresholds(), name):,}. {thresholds[name]}"
            for name in _thresholds_of(rule)
        ]
        facts.append(f"* What to do: [runbook](runbooks/{info.name}.md).")
        about = docstring_of(rule)
        parts += [f"\n## {info.name}\n", f"{about}\n", *facts]
    return "\n".join([*parts, RULES_END])


def _severities(severities: tuple[Severity, ...]) -> str:
    return severities[0] if len(severities) == 1 else f"{severities[0]} as a rule, else {' or '.join(severities[1:])}"


def _thresholds_of(rule: type) -> list[str]:
    """Those that the rule asks for, in the order of the policy, and by which its changes of the roster are made."""
    asked = {node.attr for node in ast.walk(class_of(rule)) if isinstance(node, ast.Attribute)}
    by_name = {"OutsideSchedule": {"late_minutes"}, "DuplicateIdentity": {"duplicate_overlap_seconds"}}
    asked |= by_name.get(rule.__name__, set())  # That somebody has overstayed, or is in twice, is told by `meetings`.
    return [name for name in Thresholds.__struct_fields__ if name in asked]
