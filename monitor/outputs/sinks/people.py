"""Lines of the journal without people: what may leave the house where nobody has said that names may.

A list of what stays, so that a field which the journal gets one day is withheld until somebody has thought about it.
The line keeps the form of the journal's schema. It is a pseudonym, no more: the ids in it lead to the journal, and who
knows a meeting can try which number has given an id.
"""

from typing import Any

from monitor.outputs.mappings import Object
from monitor.outputs.safe import MAX_TEXT, cut

WITHHELD = "withheld"
STAYS = frozenset(
    (
        "type",
        "time",
        "id",
        "rule",
        "severity",
        "confidence",
        "coverage",
        "first_seen",
        "last_seen",
        "count",
        "runbook",
        "evidence",
        "method",
        "verdict",
        "joined_at",
        "left_at",
        "by_bridge",
        "partial",
        "slots",
        "outcome",
        "known",
        "protocol",
        "reason",
        "what",
    )
)
EMPTIED: dict[str, Any] = {"occurrence": None, "subject": WITHHELD, "names": [], "call": "", "origin": ""}


def withheld(said: Object) -> Object:
    """The line without anybody."""
    return {key: _without(key, value, said) for key, value in said.items() if key in STAYS or key in _HIDDEN}


def _without(key: str, value: Any, said: Object) -> Any:
    if key in STAYS:
        return value
    if key in EMPTIED:
        return EMPTIED[key]
    match key, value:
        case "meeting", {"platform": platform}:
            return {"uid": None, "platform": platform, "key": ""}
        case "identity", {"trust": trust, "restricted": restricted}:
            return {"trust": trust, "display": "", "claimed": None, "restricted": restricted}
        case "summary", _:
            where = said["meeting"]["platform"] if said.get("meeting") else "no meeting"
            return cut(f"{said.get('rule')} ({where}); joinwatch explain {said.get('id')} tells more", MAX_TEXT)
        case (("reasons" | "facts"), _):
            return []
        case _:
            return None


_HIDDEN = frozenset((*EMPTIED, "meeting", "identity", "summary", "reasons", "facts"))
