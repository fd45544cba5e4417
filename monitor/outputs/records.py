"""A noun of the model → the JSON object that the journal writes: names and order of the keys are a contract.

Times are RFC 3339 in UTC. Values from the wire are cut, valid Unicode, and free of what looks like a passcode.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from msgspec.structs import asdict

from monitor.model.alerts import Alert
from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    Claims,
    DialInReached,
    KeyPressed,
    MeetingNamed,
    RosterEndpoint,
    RosterSeen,
    RosterUser,
    SignallingEvent,
)
from monitor.model.evidence import SECOND, Evidence, Fact, Nanoseconds, Sighting
from monitor.model.invitations import Occurrence
from monitor.model.meetings import MeetingRef, Slot
from monitor.model.oddities import Oddity
from monitor.model.roster import (
    Identity,
    Joined,
    Left,
    Overstayed,
    Participant,
    PinRefused,
    RosterChange,
    Stayed,
    Tried,
)
from monitor.model.summary import CaptureReport, Summary
from monitor.outputs.safe import MAX_TEXT, cut, encodable, masked

Record: TypeAlias = SignallingEvent | RosterChange | Alert | Oddity | Summary
"""Whatever an output is given."""
Object: TypeAlias = dict[str, Any]
Mode: TypeAlias = Literal["replay", "decode"]

KINDS: dict[Mode, tuple[type[Any], ...]] = {
    "replay": (Joined, Left, Tried, PinRefused, Alert, Oddity, Summary),
    "decode": (
        CallOffered,
        CallAnswered,
        CallRefused,
        CallForwarded,
        CallEnded,
        KeyPressed,
        RosterSeen,
        Oddity,
        Summary,
    ),
}
"""What each command writes into its journal."""
MAX_EVIDENCE = 64
"""Frames named for one fact or record: an analyst opens a few; a flood of retransmissions must not fill the disk."""
MAX_LIST = 64
"""Entries kept of any other list in a record."""
MAX_USERS = 1024
"""Users of one roster in a record."""
MAX_SECONDS = 253_402_300_799
"""The last second of the year 9999, where RFC 3339 ends: a capture's clock may say anything."""


def object_of(record: Record, now: Nanoseconds = 0) -> Object | None:
    """What the journal says of this record; none for those that only pass between stages.

    `now` is the packet time of the line before: an alert tells of what was, and its line stands where it was said.
    """
    match record:
        case Alert():
            return _alert(record, max(now, record.last_seen))
        case Oddity():
            return _oddity(record)
        case Joined():
            return {"type": "join", "time": time_of(record.at), **_participant(record.participant, record)}
        case Left():
            left_at = time_of(record.left_at)
            return {
                "type": "leave",
                "time": time_of(record.at),
                **_participant(record.participant, record),
                "left_at": left_at,
            }
        case Tried() | PinRefused():
            return _attempt(record)
        case CallOffered() | CallAnswered() | CallRefused() | CallForwarded() | CallEnded():
            return _call(record)
        case KeyPressed():
            return _digits(record)
        case RosterSeen():
            return _roster(record)
        case Summary():
            return _summary(record)
        case MeetingNamed() | DialInReached() | Stayed() | Overstayed():
            return None


def moment_of(record: Record) -> Nanoseconds:
    """When the record was made, in packet time."""
    return record.last_seen if isinstance(record, Alert) else record.at


def time_of(at: Nanoseconds) -> str:
    """RFC 3339 in UTC with microseconds; what lies outside its years becomes its first or last moment."""
    seconds, rest = divmod(at, SECOND)
    if seconds > MAX_SECONDS:
        return "9999-12-31T23:59:59.999999Z"
    if seconds < 0:
        return "1970-01-01T00:00:00.000000Z"
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4096)
def text_of(value: str) -> str:
    """A value from the wire as it may be written down."""
    return masked(cut(encodable(value), MAX_TEXT))


def meeting_of(meeting: MeetingRef, uid: str | None) -> Object:
    """How the journal names a meeting; `uid` is that of the calendar series, null when no calendar knows it."""
    return {
        "uid": None if uid is None else text_of(uid),
        "platform": text_of(meeting.platform),
        "key": text_of(meeting.key),
    }


def _evidence(evidence: Iterable[Evidence]) -> list[Object]:
    """Each frame once, in the order of their naming; what makes it weaker is said only where it is so."""
    seen: dict[tuple[str, int], Object] = {}
    for item in evidence:
        frame = seen.setdefault((item.capture, item.frame), {"capture": text_of(item.capture), "frame": item.frame})
        if item.reported_by:
            frame["reported_by"] = text_of(item.reported_by)
        if item.ambiguous:
            frame["ambiguous"] = True
    return list(seen.values())[:MAX_EVIDENCE]


def _facts(facts: Sequence[Fact]) -> list[Object]:
    return [{"fact": text_of(fact.fact), "evidence": _evidence(fact.evidence)} for fact in facts[:MAX_LIST]]


def _slots(slots: Sequence[Slot]) -> list[Object]:
    return [{"state": slot.state, "length": slot.length} for slot in slots[:MAX_LIST]]


def _occurrence(occurrence: Occurrence | None) -> Object | None:
    if occurrence is None:
        return None
    return {
        "start": time_of(occurrence.start),
        "end": time_of(occurrence.end),
        "summary": text_of(occurrence.summary),
        "classification": text_of(occurrence.classification),
    }


def _identity(identity: Identity) -> Object:
    return {
        "trust": identity.trust,
        "display": text_of(identity.display),
        "claimed": None if identity.claimed is None else text_of(identity.claimed),
        "restricted": identity.restricted,
    }


def _uid(participant: Participant) -> str | None:
    if participant.occurrence is not None:
        return participant.occurrence.uid
    return participant.series[0] if participant.series else None


def _participant(who: Participant, seen: Sighting) -> Object:
    frames = [item for fact in who.facts for item in fact.evidence]
    return {
        "id": text_of(who.id),
        "meeting": meeting_of(who.meeting, _uid(who)),
        "occurrence": _occurrence(who.occurrence),
        "subject": text_of(who.identity.subject),
        "names": [text_of(person.name) for person in who.people[:MAX_LIST]],
        "method": who.method,
        "verdict": who.verdict,
        "identity": _identity(who.identity),
        "joined_at": time_of(who.joined_at),
        "call": text_of(who.call),
        "by_bridge": who.by_bridge,
        **({"partial": True} if who.partial else {}),
        "slots": _slots(who.slots),
        "facts": _facts(who.facts),
        "evidence": _evidence([*frames[: MAX_EVIDENCE - 1], seen.evidence]),
    }


def _attempt(tried: Tried | PinRefused) -> Object:
    wrong_pin = isinstance(tried, PinRefused)
    occurrence = tried.occurrence if isinstance(tried, PinRefused) else None
    common: Object = {
        "type": "attempt",
        "time": time_of(tried.at),
        "outcome": "wrong pin" if wrong_pin else "not admitted",
        "meeting": meeting_of(tried.meeting, occurrence.uid if occurrence else None),
        "occurrence": _occurrence(occurrence),
        "subject": text_of(tried.identity.subject),
        "identity": _identity(tried.identity),
        "origin": text_of(tried.origin),
        "call": text_of(tried.call),
    }
    if isinstance(tried, PinRefused):
        slots = [{"state": "wrong", "length": tried.length}]
        return {**common, "slots": slots, "evidence": _evidence([tried.evidence])}
    frames = [item for fact in tried.facts for item in fact.evidence]
    return {
        **common,
        "method": tried.method,
        "known": tried.known,
        "slots": _slots(tried.slots),
        "facts": _facts(tried.facts),
        "evidence": _evidence([*frames[: MAX_EVIDENCE - 1], tried.evidence]),
    }


def _alert(alert: Alert, said_at: Nanoseconds) -> Object:
    uid = alert.occurrence.uid if alert.occurrence else alert.series
    return {
        "type": "alert",
        "time": time_of(said_at),
        "id": text_of(alert.id),
        "rule": text_of(alert.rule),
        "severity": alert.severity,
        "meeting": None if alert.meeting is None else meeting_of(alert.meeting, uid),
        "occurrence": _occurrence(alert.occurrence),
        "subject": text_of(alert.subject),
        "summary": text_of(alert.summary),
        "reasons": _facts(alert.reasons),
        "confidence": alert.confidence,
        "coverage": alert.coverage,
        "first_seen": time_of(alert.first_seen),
        "last_seen": time_of(alert.last_seen),
        "count": alert.count,
        "runbook": f"docs/runbooks/{text_of(alert.rule)}.md",
    }


def _oddity(oddity: Oddity) -> Object:
    return {
        "type": "oddity",
        "time": time_of(oddity.at),
        "protocol": text_of(oddity.protocol),
        "reason": oddity.reason,
        "what": text_of(oddity.what),
        "evidence": _evidence([oddity.evidence]),
    }


def _claims(claims: Claims) -> Object:
    """What a side says of itself. The PASSporT is a token, so that it was there is all that is told."""
    return {
        "uri": text_of(claims.uri),
        "display": text_of(claims.display),
        "asserted": [text_of(uri) for uri in claims.asserted[:MAX_LIST]],
        "preferred": text_of(claims.preferred),
        "remote_party": [
            {"uri": text_of(party.uri), "screen": party.screen, "privacy": text_of(party.privacy)}
            for party in claims.remote_party[:MAX_LIST]
        ],
        "privacy": [text_of(value) for value in claims.privacy[:MAX_LIST]],
        "history": [{"uri": text_of(hop.uri), "reason": text_of(hop.reason)} for hop in claims.history[:MAX_LIST]],
        "passport": bool(claims.passport),
        "user_agent": text_of(claims.user_agent),
        "sent_from": text_of(claims.sent_from),
    }


def _call(event: CallOffered | CallAnswered | CallRefused | CallForwarded | CallEnded) -> Object:
    said: Object
    match event:
        case CallOffered():
            said = {
                "state": "offered",
                "method": event.method,
                "target": text_of(event.target),
                "addressed_to": text_of(event.addressed_to),
                "caller": _claims(event.caller),
                "sent_to": text_of(event.sent_to),
                "session": text_of(event.session),
                "replaces": text_of(event.replaces),
            }
        case CallAnswered():
            callee = _claims(event.callee)
            said = {"state": "answered", "callee": callee, "contact": text_of(event.contact), "focus": event.focus}
        case CallRefused():
            said = {"state": "refused", "status": event.status}
        case CallForwarded():
            to = [text_of(uri) for uri in event.to[:MAX_LIST]]
            said = {"state": "forwarded", "to": to, "how": event.how, "by": event.by}
        case CallEnded():
            said = {"state": "ended", "by": event.by}
    return {
        "type": "call",
        "time": time_of(event.at),
        "call": text_of(event.call),
        **said,
        "evidence": _evidence([event.evidence]),
    }


def _digits(keys: KeyPressed) -> Object:
    return {
        "type": "digits",
        "time": time_of(keys.at),
        "call": text_of(keys.call),
        "platform": text_of(keys.platform),
        "attempt": keys.attempt,
        "meeting": None if keys.meeting is None else meeting_of(keys.meeting, None),
        "slots": _slots(keys.slots),
        "via": keys.via,
        "evidence": _evidence([keys.evidence]),
    }


def _roster(roster: RosterSeen) -> Object:
    return {
        "type": "roster",
        "time": time_of(roster.at),
        "call": text_of(roster.call),
        "conference": text_of(roster.conference),
        "names": [text_of(name) for name in roster.names[:MAX_LIST]],
        "meeting": None if roster.meeting is None else meeting_of(roster.meeting, None),
        "version": roster.version,
        "state": roster.state,
        "whole": roster.whole,
        "subject": text_of(roster.subject),
        "title": text_of(roster.title),
        "user_count": roster.user_count,
        "locked": roster.locked,
        "users": [_user(user) for user in roster.users[:MAX_USERS]],
        "sent_from": text_of(roster.sent_from),
        "sent_to": text_of(roster.sent_to),
        "evidence": _evidence([roster.evidence]),
    }


def _user(user: RosterUser) -> Object:
    return {
        "entity": text_of(user.entity),
        "display": text_of(user.display),
        "aors": [text_of(aor) for aor in user.aors[:MAX_LIST]],
        "roles": [text_of(role) for role in user.roles[:MAX_LIST]],
        "state": user.state,
        "endpoints": [_endpoint(endpoint) for endpoint in user.endpoints[:MAX_LIST]],
    }


def _endpoint(endpoint: RosterEndpoint) -> Object:
    return {
        "entity": text_of(endpoint.entity),
        "state": endpoint.state,
        "status": text_of(endpoint.status),
        "joined_by": text_of(endpoint.joined_by),
        "joined_at": None if endpoint.joined_at is None else time_of(endpoint.joined_at),
        "left_by": text_of(endpoint.left_by),
        "media": endpoint.media,
        "call": text_of(endpoint.call),
    }


def _summary(summary: Summary) -> Object:
    return {
        "type": "summary",
        "time": time_of(summary.at),
        "captures": [_capture(report) for report in summary.captures],
        "counts": {text_of(name): summary.counts[name] for name in sorted(summary.counts)},
        "accounts": {**asdict(summary.accounts), "open": summary.accounts.open},
        "losses": asdict(summary.losses),
        "envelopes": {text_of(name): summary.envelopes[name] for name in sorted(summary.envelopes)},
    }


def _capture(report: CaptureReport) -> Object:
    return {
        "capture": text_of(report.capture),
        "frames": report.frames,
        "wanted": report.wanted,
        "unreadable": report.unreadable,
        "dropped_by_system": report.dropped_by_system,
        "dropped_by_interface": report.dropped_by_interface,
        "cut": report.cut,
        "first": None if report.first is None else time_of(report.first),
        "last": None if report.last is None else time_of(report.last),
        "damage": [
            {"frame": damage.frame, "offset": damage.offset, "what": text_of(damage.what)}
            for damage in report.damage[:MAX_LIST]
        ],
    }
