"""ArcSight's Common Event Format, version 0: a head between bars, and pairs of key and value behind it."""

from monitor import __version__
from monitor.outputs.mappings import Object, meeting_key, message_of, platform_of, reasons_of
from monitor.outputs.mappings.ocsf import milliseconds
from monitor.outputs.safe import shown

SEVERITIES = {"low": 3, "medium": 5, "high": 8, "critical": 10}
LENGTHS = {"msg": 1023, "externalId": 40, "suser": 1023, "reason": 1023, "cat": 1023, "dvchost": 100}
"""What CEF's dictionary of keys allows; custom strings have 4000."""


def cef_of(said: Object, sensor: str) -> str:
    """One line of printable text."""
    line = str(said.get("type", ""))
    signature = str(said.get("rule") or line)
    head = ("joinwatch", "joinwatch", __version__, signature, message_of(said))
    severity = SEVERITIES.get(str(said.get("severity", "")), 1)
    return "|".join(["CEF:0", *(_head(part) for part in head), str(severity), " ".join(_pairs(said, line, sensor))])


def _pairs(said: Object, line: str, sensor: str) -> list[str]:
    values: dict[str, object] = {
        "rt": milliseconds(str(said.get("time", ""))),
        "cat": line,
        "externalId": said.get("id"),
        "cnt": said.get("count"),
        "start": milliseconds(str(said.get("first_seen") or said.get("joined_at") or "")) or None,
        "end": milliseconds(str(said.get("last_seen") or said.get("left_at") or "")) or None,
        "suser": said.get("subject"),
        "app": said.get("method"),
        "outcome": said.get("outcome"),
        "reason": "; ".join(reasons_of(said)),
        "dvchost": sensor,
        "msg": message_of(said),
    }
    named = {
        "platform": platform_of(said),
        "meeting": meeting_key(said),
        "verdict": said.get("verdict"),
        "confidence": said.get("confidence"),
        "coverage": said.get("coverage"),
        "runbook": said.get("runbook"),
    }
    for number, (label, value) in enumerate(named.items(), 1):
        if value:
            values |= {f"cs{number}": value, f"cs{number}Label": label}
    return [f"{key}={_value(key, value)}" for key, value in values.items() if value not in (None, "")]


def _head(text: str) -> str:
    """Between bars a bar and a backslash are escaped; a line break cannot be there at all."""
    return shown(text, 512).replace("\\", "\\\\").replace("|", "\\|")


def _value(key: str, value: object) -> str:
    """Behind a key an equals sign and a backslash are escaped; line breaks are letters already."""
    text = shown(str(value), LENGTHS.get(key, 4000))
    return text.replace("\\", "\\\\").replace("=", "\\=")
