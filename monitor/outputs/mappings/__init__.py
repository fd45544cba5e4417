"""Lines of the journal in the words of others: ECS and OCSF as JSON, CEF as text. Tables of them are in docs/sinks.md.

A mapping is a function of one line: no state, no clock. What the line does not say, the mapping does not make up.
"""

from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]


def platform_of(said: Object) -> str:
    """The platform of the line's meeting; empty without one."""
    meeting = said.get("meeting")
    return str(meeting.get("platform", "")) if isinstance(meeting, dict) else ""


def meeting_key(said: Object) -> str:
    """The meeting's name on its platform; empty without one."""
    meeting = said.get("meeting")
    return str(meeting.get("key", "")) if isinstance(meeting, dict) else ""


def message_of(said: Object) -> str:
    """One sentence about the line, for people."""
    match said:
        case {"type": "alert", "summary": str(summary), "withdrawn": str(why)}:
            return f"Withdrawn ({why}): {summary}"
        case {"type": "alert", "summary": str(summary)}:
            return summary
        case {"type": "join", "subject": subject, "method": method, "verdict": verdict}:
            return f"{subject} joined a meeting ({platform_of(said)}, {method}): {verdict}"
        case {"type": "leave", "subject": subject}:
            return f"{subject} left a meeting ({platform_of(said)})"
        case {"type": "attempt", "subject": subject, "outcome": outcome}:
            return f"{subject} tried to join a meeting ({platform_of(said)}): {outcome}"
        case {"type": "oddity", "protocol": protocol, "reason": reason}:
            return f"{protocol}: {reason}" + (f" ({said['what']})" if said.get("what") else "")
        case _:
            return str(said.get("type", ""))


def reasons_of(said: Object, limit: int = 64) -> list[str]:
    """Why, a sentence each."""
    facts = said.get("reasons") or said.get("facts") or []
    return [str(fact.get("fact", "")) for fact in facts[:limit]]


def frames_of(said: Object, limit: int = 64) -> list[Object]:
    """Every frame that shows it, each once."""
    places = list(said.get("evidence") or [])
    for fact in said.get("reasons") or []:
        places += fact.get("evidence") or []
    found = {(place["capture"], place["frame"]): place for place in places}
    return [{"capture": capture, "frame": frame} for capture, frame in list(found)[:limit]]


def without_blanks(table: Object) -> Object:
    """The table without empty values, for a field that says nothing is left out."""
    return {key: value for key, value in table.items() if value not in (None, "", [], {})}
