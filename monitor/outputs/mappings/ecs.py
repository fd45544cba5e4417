"""The Elastic Common Schema, 8.11: fields nested as in its documents; our own under `joinwatch`."""

from collections.abc import Mapping

from monitor import __version__
from monitor.outputs.mappings import (
    Object,
    frames_of,
    meeting_key,
    message_of,
    platform_of,
    reasons_of,
    without_blanks,
)

ECS_VERSION = "8.11.0"
SEVERITIES = {"low": 21, "medium": 47, "high": 73, "critical": 99}
"""`event.severity` is the source's own number; these are the scores that Elastic's own rules give to the four words."""
_KINDS: dict[str, tuple[str, list[str], list[str], str]] = {
    "alert": ("alert", ["intrusion_detection"], ["info"], ""),
    "join": ("event", ["session"], ["start"], "success"),
    "leave": ("event", ["session"], ["end"], ""),
    "attempt": ("event", ["authentication"], ["start"], "failure"),
    "oddity": ("event", ["network"], ["protocol"], ""),
}
"""kind, category, type and outcome by the type of line; each a value that ECS allows."""


def ecs_of(said: Object, techniques: Mapping[str, str], sensor: str, reasons: int = 64) -> Object:
    """One document. `techniques` are ATT&CK's by rule."""
    line = str(said.get("type", ""))
    kind, category, types, outcome = _KINDS.get(line, ("event", [], [], ""))
    rule = str(said.get("rule", ""))
    return without_blanks(
        {
            "@timestamp": said.get("time"),
            "ecs": {"version": ECS_VERSION},
            "message": message_of(said),
            "event": without_blanks(
                {
                    "kind": kind,
                    "category": category,
                    "type": types,
                    "outcome": outcome,
                    "action": rule or line,
                    "module": "joinwatch",
                    "dataset": f"joinwatch.{line}",
                    "id": said.get("id"),
                    "severity": SEVERITIES.get(str(said.get("severity", ""))),
                    "start": said.get("first_seen") or said.get("joined_at"),
                    "end": said.get("last_seen") or said.get("left_at"),
                    "reason": "; ".join(reasons_of(said, reasons)),
                }
            ),
            "observer": without_blanks(
                {"vendor": "joinwatch", "product": "joinwatch", "type": "ids", "version": __version__, "name": sensor}
            ),
            "rule": without_blanks({"name": rule, "ruleset": "joinwatch" if rule else "", "reference": _runbook(said)}),
            "threat": _threat(techniques.get(rule, "")),
            "service": without_blanks({"name": platform_of(said)}),
            "network": {"protocol": said["protocol"]} if line == "oddity" else {},
            **_who(str(said.get("subject", ""))),
            "joinwatch": without_blanks(
                {
                    "meeting": meeting_key(said),
                    "method": said.get("method"),
                    "verdict": said.get("verdict"),
                    "confidence": said.get("confidence"),
                    "coverage": said.get("coverage"),
                    "count": said.get("count"),
                    "evidence": frames_of(said, reasons),
                }
            ),
        }
    )


def _runbook(said: Object) -> str:
    return str(said.get("runbook", ""))


def _threat(technique: str) -> Object:
    """A technique of ATT&CK, and its part behind a dot."""
    if not technique:
        return {}
    found: Object = {"id": [technique.partition(".")[0]]}
    if "." in technique:
        found["subtechnique"] = {"id": [technique]}
    return {"framework": "MITRE ATT&CK", "technique": found}


def _who(subject: str) -> Object:
    """Who it is about; nobody, where nothing is known or told of them."""
    scheme, _, name = subject.partition(":")
    if scheme == "ip" and name:
        return {"source": {"ip": name}, "related": {"ip": [name]}}
    if not name:
        return {}
    user = {"id": subject, "name": name}
    if scheme == "mailto":
        user["email"] = name
    return {"user": user, "related": {"user": [name]}}
