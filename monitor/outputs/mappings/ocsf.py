"""The Open Cybersecurity Schema Framework, 1.3: an alert is a Detection Finding (2004), who comes and goes is an
Authentication (3002) at the platform, and bytes that follow no protocol are a Base Event.
"""

from collections.abc import Mapping
from datetime import datetime

from monitor import __version__
from monitor.outputs.mappings import Object, frames_of, meeting_key, message_of, platform_of, reasons_of, without_blanks

OCSF_VERSION = "1.3.0"
SEVERITIES = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
CONFIDENCES = {"none": (1, "Low"), "claimed": (1, "Low"), "screened": (2, "Medium"), "asserted": (3, "High")}
CREATE, UPDATE = (1, "Create"), (2, "Update")
LOGON, LOGOFF = (1, "Logon"), (2, "Logoff")
_OBSERVABLES = {"mailto": ("user.email_addr", 5, "Email Address"), "ip": ("src_endpoint.ip", 2, "IP Address")}
_USER_NAME = ("user.name", 4, "User Name")
_OF_FINDING = "evidences[].actor."


def ocsf_of(said: Object, techniques: Mapping[str, str], sensor: str, reasons: int = 64) -> Object:
    """One event. `techniques` are ATT&CK's by rule."""
    match said.get("type"):
        case "alert":
            return _finding(said, techniques.get(str(said.get("rule", "")), ""), sensor, reasons)
        case "join" | "leave" | "attempt":
            return _authentication(said, sensor)
        case _:
            return {**_base(said, 0, 0, (0, "Unknown"), sensor), "severity_id": 1, "severity": "Informational"}


def _base(said: Object, category: int, kind: int, activity: tuple[int, str], sensor: str) -> Object:
    return {
        "time": milliseconds(str(said.get("time", ""))),
        "category_uid": category,
        "class_uid": kind,
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": kind * 100 + activity[0],
        "message": message_of(said),
        "metadata": without_blanks(
            {
                "version": OCSF_VERSION,
                "product": {"name": "joinwatch", "vendor_name": "joinwatch", "version": __version__},
                "uid": said.get("id"),
                "log_name": sensor,
            }
        ),
    }


def _finding(said: Object, technique: str, sensor: str, reasons: int) -> Object:
    """A later sighting of the same alert updates the finding."""
    severity, severity_name = SEVERITIES.get(str(said.get("severity", "")), (0, "Unknown"))
    confidence, confidence_name = CONFIDENCES.get(str(said.get("confidence", "")), (0, "Unknown"))
    count = said.get("count", 1)
    rule = str(said.get("rule", ""))
    attack: Object = {"technique": {"uid": technique.partition(".")[0]}, "version": "16"}
    if "." in technique:
        attack["sub_technique"] = {"uid": technique}
    return without_blanks(
        {
            **_base(said, 2, 2004, CREATE if count == 1 else UPDATE, sensor),
            "severity_id": severity,
            "severity": severity_name,
            "confidence_id": confidence,
            "confidence": confidence_name,
            "status_id": 1,
            "status": "New",
            "count": count,
            "start_time": milliseconds(str(said.get("first_seen", ""))),
            "end_time": milliseconds(str(said.get("last_seen", ""))),
            "finding_info": without_blanks(
                {
                    "uid": str(said.get("id", "")),
                    "title": rule,
                    "desc": "; ".join([message_of(said), *reasons_of(said, reasons)]),
                    "analytic": {"type_id": 1, "type": "Rule", "name": rule, "uid": rule},
                    "attacks": [attack] if technique else [],
                    "first_seen_time": milliseconds(str(said.get("first_seen", ""))),
                    "last_seen_time": milliseconds(str(said.get("last_seen", ""))),
                }
            ),
            "evidences": [without_blanks({"actor": _actor(said), "data": {"frames": frames_of(said, reasons)}})],
            "observables": _observables(said, _OF_FINDING),
            "resources": [without_blanks({"name": meeting_key(said) or "meeting", "type": platform_of(said)})],
            "remediation": {"desc": str(said.get("runbook", ""))},
        }
    )


def _authentication(said: Object, sensor: str) -> Object:
    """Somebody is let in, goes, or is not let in."""
    came = said.get("type") != "leave"
    failed = said.get("type") == "attempt"
    subject = str(said.get("subject", ""))
    return without_blanks(
        {
            **_base(said, 3, 3002, LOGON if came else LOGOFF, sensor),
            "severity_id": 1,
            "severity": "Informational",
            "status_id": 2 if failed else 1,
            "status": "Failure" if failed else "Success",
            "status_detail": str(said.get("outcome") or said.get("verdict") or ""),
            "user": {"uid": subject, "name": subject.partition(":")[2] or subject, "type_id": 0},
            "src_endpoint": {"ip": subject.partition(":")[2]} if subject.startswith("ip:") else {},
            "service": without_blanks({"name": platform_of(said) or "meeting", "uid": meeting_key(said)}),
            "session": without_blanks({"uid": said.get("id")}),
            "auth_protocol_id": 99,
            "auth_protocol": str(said.get("method") or "other"),
            "is_remote": True,
            "observables": _observables(said),
        }
    )


def _actor(said: Object) -> Object:
    """Who did it; nobody, where nothing is known or told of them."""
    scheme, _, name = str(said.get("subject", "")).partition(":")
    if not name:
        return {}
    return {"user": without_blanks({"name": name, "email_addr": name if scheme == "mailto" else ""})}


def _observables(said: Object, place: str = "") -> list[Object]:
    """What an analyst searches for elsewhere, and where in the event it stands."""
    scheme, _, value = str(said.get("subject", "")).partition(":")
    if not value:
        return []
    name, kind, words = _USER_NAME if place and scheme == "ip" else _OBSERVABLES.get(scheme, _USER_NAME)
    return [{"name": place + name, "type_id": kind, "type": words, "value": value}]


def milliseconds(time: str) -> int:
    """Since 1970: OCSF's `timestamp_t`."""
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000)
    except ValueError:
        return 0
