"""Prometheus' Alertmanager, by its interface of version 2: alerts that begin, go on, and are resolved.

What is active is told again each minute, for an Alertmanager that starts anew knows nothing. It is resolved when whom
it is about has left the meeting, or an hour after it was last seen; but however late it is delivered, it is active
there for a while, for what is over when it comes is told to nobody.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.model.sinks import AlertmanagerSink
from monitor.outputs.mappings import Object, meeting_key, message_of, platform_of, reasons_of
from monitor.outputs.safe import escaped_json, shown
from monitor.outputs.sinks import is_wanted, outgoing
from monitor.outputs.sinks.poster import Poster

ACTIVE_SECONDS = 3600.0
"""After its last sighting; as `joinwatch_alerts_active` counts."""
FIRES_SECONDS = 300.0
"""At least, from its first delivery: longer than any sensible `group_wait`."""
MAX_ACTIVE = 10_000
"""Then the oldest is resolved before its time."""
MAX_PRESENT = 10_000
MAX_POST = 500
"""Alerts in one request."""
MAX_ANNOTATION = 1024


class Firing(msgspec.Struct, kw_only=True):
    """An alert that Alertmanager must know."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts: str
    until: float
    """Seconds since 1970."""
    whom: str
    """Who it is about, and where."""
    told: float = 0.0
    """When it was delivered first; 0 when it was not yet."""

    def ends(self, now: float) -> float:
        """When it is over, for Alertmanager."""
        return max(self.until, (self.told or now) + FIRES_SECONDS)


class _Kept(msgspec.Struct, kw_only=True):
    active: dict[str, Firing] = {}
    present: dict[str, str] = {}


class Alertmanager:
    """One of them, and what is active there."""

    batch = 200

    def __init__(
        self, settings: AlertmanagerSink, kept: dict[str, Any], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._clock = settings, clock
        self._poster = Poster(settings, "/api/v2/alerts")
        try:
            before = msgspec.convert(kept, _Kept)
        except msgspec.ValidationError:
            before = _Kept()
        self._active: OrderedDict[str, Firing] = OrderedDict(before.active)
        self._present: OrderedDict[str, str] = OrderedDict(before.present)
        """Who is in which meeting, by the participant's id."""
        self._again = 0.0 if self._active else clock() + settings.resend_seconds
        """What was active before this life is told at once."""

    def wants(self, said: Object) -> bool:
        """Alerts, and who comes and goes."""
        return is_wanted(said, ("alert", "join", "leave"), self._settings)

    def deliver(self, lines: Sequence[Object]) -> None:
        """What they change, in as few requests as can be."""
        changed: dict[str, None] = {}
        for said in lines:
            changed.update(dict.fromkeys(self._take(said)))
        self._tell(changed)

    def due(self) -> float:
        """Seconds until something is told again, or is over."""
        if not self._active:
            return self._settings.resend_seconds
        now = self._clock()
        ends = min(firing.ends(now) for firing in self._active.values())
        return max(0.0, min(self._again, ends) - now)

    def again(self) -> None:
        """All that is active, and once what is over."""
        self._tell(self._active)
        self._again = self._clock() + self._settings.resend_seconds

    def kept(self) -> dict[str, Any]:
        """What is active, and who is present."""
        return {"active": msgspec.to_builtins(dict(self._active)), "present": dict(self._present)}

    def close(self) -> None:
        """The connection ends."""
        self._poster.close()

    def _take(self, said: Object) -> Iterable[str]:
        """What one line changes: names of alerts."""
        whom = f"{said.get('subject')} {platform_of(said)} {meeting_key(said)}"
        name = str(said.get("id", ""))
        if said["type"] == "alert" and said.get("withdrawn"):
            over = seconds_of(said.get("time"))
            return [key for key, firing in self._active.items() if key.startswith(f"{name} ") and _end(firing, over)]
        if said["type"] == "alert":
            return self._raise(f"{name} {said.get('severity')}", name, said, whom)
        if said["type"] == "join":
            self._present[name] = whom
            self._present.move_to_end(name)
            if len(self._present) > MAX_PRESENT:
                self._present.popitem(last=False)
            return ()
        whom = self._present.pop(name, whom)
        if whom in self._present.values():
            return ()  # The same number is in there twice, or another anonymous.
        left = seconds_of(said.get("left_at"))
        return [key for key, firing in self._active.items() if firing.whom == whom and _end(firing, left)]

    def _raise(self, key: str, name: str, said: Object, whom: str) -> Iterable[str]:
        before = self._active.pop(key, None)
        # One that has become more severe is another one to Alertmanager: the one before is over.
        others = [other for other in self._active if other.startswith(f"{name} ")]
        for other in others:
            self._active[other].until = self._active[other].told = 1.0
        self._active[key] = Firing(
            labels=labels_of(said, self._settings.sensor),
            annotations=annotations_of(said, self._settings),
            starts=str(said.get("first_seen", "")),
            until=seconds_of(said.get("last_seen")) + ACTIVE_SECONDS,
            whom=whom,
            told=before.told if before else 0.0,
        )
        if len(self._active) > MAX_ACTIVE:
            self._active.popitem(last=False)
        return [*others, key]

    def _tell(self, keys: Iterable[str]) -> None:
        named = [key for key in keys if key in self._active]
        for at in range(0, len(named), MAX_POST):
            now = self._clock()
            part = named[at : at + MAX_POST]
            posted = [_posted(self._active[key], now) for key in part]
            self._poster.post(escaped_json(msgspec.json.encode(posted).decode()).encode())
            for key in part:
                firing = self._active[key]
                firing.told = firing.told or now
                if firing.ends(now) <= now:
                    del self._active[key]


def _end(firing: Firing, left: float) -> bool:
    """Over when they left; whether that is news."""
    if left >= firing.until:
        return False
    firing.until = left
    return True


def _posted(firing: Firing, now: float) -> Object:
    """A `postableAlert`."""
    ends = firing.ends(now)
    starts = min(seconds_of(firing.starts), ends, now)
    return {
        "labels": firing.labels,
        "annotations": firing.annotations,
        "startsAt": rfc3339(starts),
        "endsAt": rfc3339(ends),
    }


def labels_of(said: Object, sensor: str) -> dict[str, str]:
    """A closed list: no person, number or address is in a label."""
    labels = {
        "alertname": str(said.get("rule") or "joinwatch"),
        "severity": str(said.get("severity", "")),
        "platform": platform_of(said) or "none",
        "alert_id": str(said.get("id", "")),
        "sensor": sensor,
    }
    return {name: shown(value, 128) for name, value in labels.items() if value}


def annotations_of(said: Object, settings: AlertmanagerSink) -> dict[str, str]:
    """What is shown to people; about people only where that is allowed."""
    line, people = outgoing(said, settings), settings.people
    values: dict[str, object] = {
        "summary": message_of(line),
        "description": _description(line, settings.language),
        "subject": line.get("subject") if people else "",
        "meeting": meeting_key(line),
        "title": (line.get("occurrence") or {}).get("summary"),
        "count": line.get("count"),
        "first_seen": line.get("first_seen"),
        "last_seen": line.get("last_seen"),
        "confidence": line.get("confidence"),
        "coverage": line.get("coverage"),
        "runbook": line.get("runbook"),
    }
    return {name: shown(str(value), MAX_ANNOTATION) for name, value in values.items() if value not in (None, "")}


def _description(line: Object, language: str) -> str:
    """What was found out; in Dutch behind what the alert means."""
    facts = "; ".join(reasons_of(line, 8))
    if language == "en":
        return facts
    from monitor.outputs.sinks.dutch import dutch_description

    means = dutch_description(line.get("rule"))
    return f"{means} Vastgesteld (Engels): {facts}" if means and facts else means or facts


def seconds_of(time: object) -> float:
    """Since 1970, of a time in the journal."""
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return 0.0


def rfc3339(seconds: float) -> str:
    """In UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
