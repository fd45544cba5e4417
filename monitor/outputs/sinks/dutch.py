"""Alerts in Dutch, for a sink with `language = "nl"`: summary, description and the way to the runbook.

The texts are those of the alerts in Prometheus, and made from the same catalogue. What a rule found out stays in
English: those sentences are made of what was seen, and no catalogue has them all.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from monitor.outputs.mappings import Object, meeting_key, platform_of
from monitor.outputs.safe import MAX_TEXT, cut
from monitor.outputs.sinks.people import WITHHELD

TEXTS = Path(__file__).with_name("nl.toml")
RUNBOOKS, DUTCH_RUNBOOKS = "docs/runbooks/", "docs/runbooks/nl/"


class DutchText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule's alert says, without anybody."""

    summary: str
    description: str


@cache
def dutch_texts() -> Mapping[str, DutchText]:
    """By rule; read when the first sink asks."""
    return msgspec.convert(tomllib.loads(TEXTS.read_text(encoding="utf-8")), dict[str, DutchText])


def in_dutch(line: Object) -> Object:
    """The line of the journal, with or without people, as it goes to who reads Dutch; one of no known rule as it is."""
    text = dutch_texts().get(str(line.get("rule")))
    if text is None or line.get("type") != "alert":
        return line
    runbook = str(line.get("runbook") or "")
    return line | {
        "summary": cut(_summary(text, line), MAX_TEXT),
        "runbook": DUTCH_RUNBOOKS + runbook.removeprefix(RUNBOOKS) if runbook.startswith(RUNBOOKS) else runbook,
    }


def dutch_description(rule: object) -> str:
    """What the alert of a rule means; empty for one that nobody has translated."""
    text = dutch_texts().get(str(rule))
    return text.description if text else ""


def _summary(text: DutchText, line: Object) -> str:
    platform = platform_of(line)
    if line.get("subject") == WITHHELD:
        where = f" ({platform})" if platform else ""
        return f"{text.summary}{where}; joinwatch explain {line.get('id')} zegt meer"
    title = (line.get("occurrence") or {}).get("summary")
    subject = "anoniem" if line.get("subject") == "anonymous" else line.get("subject")
    where = f"“{title}”" if title else f"{platform} {meeting_key(line)}".strip()
    return f"{text.summary}: {', '.join(str(part) for part in (subject, where) if part)}"
