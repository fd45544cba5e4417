"""What the model's values are called when people read them: words and local times, in plain text, safe to show."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.model.alerts import Coverage
from monitor.model.evidence import SECOND, Evidence, Fact, Nanoseconds
from monitor.model.invitations import Person
from monitor.model.meetings import Kind, MeetingRef, Method, SlotState
from monitor.model.roster import Participant, Trust, Verdict
from monitor.outputs.safe import MAX_TEXT, masked, shown

VERDICTS = {
    Verdict.INVITED: "yes, invited",
    Verdict.UNINVITED: "NO, not invited",
    Verdict.ANONYMOUS: "NO, anonymous",
    Verdict.UNSCHEDULED: "not scheduled",
}
TRUSTS = {
    Trust.ASSERTED: "a trusted trunk vouches for it",
    Trust.SCREENED: "the network has checked it",
    Trust.CLAIMED: "only the caller says so",
    Trust.NONE: "nobody says who it is",
}
COVERAGES = {
    Coverage.OBSERVED: "observed: its signalling passed here and could be read",
    Coverage.PARTIAL: "partial: some of its signalling could not be read",
    Coverage.BLIND: "blind: its signalling could not be read",
}
KINDS = {
    Kind.NUMBER: "number",
    Kind.UUID: "identifier",
    Kind.MTID: "link",
    Kind.PERSONAL: "personal room",
    Kind.THREAD: "thread",
    Kind.ROOM: "room",
    Kind.BRIDGE_DID: "direct number",
}
_KEY = re.compile(rf"\b({'|'.join(Kind)}):(?=[^\s:])")
"""How a meeting's key begins in a sentence of a rule: `number:27311234567`."""
MAX_NAME = 60
"""Characters of a name, a title or an address that fit a page."""
MAX_SENTENCE = 400
MAX_SECONDS = 253_402_214_400
"""A day before the year 10000, so that every time zone can still show it."""
FRAMES_SHOWN = 6
"""Frames named after a reason; the journal has them all."""


def zone_of(name: str) -> tzinfo:
    """A time zone by its name; UTC when this system does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local(at: Nanoseconds, zone: tzinfo) -> datetime:
    """The moment by the clock on the wall there, to the second."""
    return datetime.fromtimestamp(min(max(at // SECOND, 86_400), MAX_SECONDS), zone)


def day(at: Nanoseconds, zone: tzinfo) -> str:
    """`2026-03-12`."""
    return local(at, zone).strftime("%Y-%m-%d")


def clock(at: Nanoseconds, zone: tzinfo, beside: str = "") -> str:
    """`10:00:05`, with the date before it when that is another than the one written beside."""
    moment = local(at, zone)
    return moment.strftime("%H:%M:%S" if moment.strftime("%Y-%m-%d") == beside else "%Y-%m-%d %H:%M:%S")


def lasted(duration: Nanoseconds) -> str:
    """`0:42`, `12:03` or `1:02:10`."""
    seconds = min(max(duration, 0) // SECOND, 100 * 3600)
    text = str(timedelta(seconds=seconds)) if seconds >= 3600 else f"{seconds // 60}:{seconds % 60:02d}"
    return text.replace(" day, ", "d ").replace(" days, ", "d ")


def many(count: int, one: str, more: str = "") -> str:
    """`1 call`, `1,200 calls`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def name(text: str, limit: int = MAX_NAME) -> str:
    """A name, title or value from the wire, as it may be shown."""
    return shown(masked(text[:MAX_TEXT]), limit)


def address(subject: str, limit: int = MAX_NAME) -> str:
    """`tel:+31…` → `+31…`; a SIP address keeps its scheme, so that it is not taken for e-mail."""
    bare = subject.removeprefix("tel:").removeprefix("mailto:")
    return name(bare, limit)


def meeting(ref: MeetingRef) -> str:
    """`webex number 27311234567`, `webex personal room jan at ministry`."""
    site = f" at {name(ref.site)}" if ref.site else ""
    return f"{name(ref.platform)} {KINDS[ref.kind]} {name(ref.value)}{site}"


def frame(seen: Evidence) -> str:
    """`trunk.pcap:41`."""
    return f"{name(seen.capture)}:{seen.frame}{_doubt(seen)}"


def frames(evidence: Sequence[Evidence], limit: int = FRAMES_SHOWN) -> str:
    """`trunk.pcap:41,42,57 and 3 more`: each capture named once, and apart what cannot be relied on as much."""
    unique = list(dict.fromkeys(evidence))
    places: dict[tuple[str, str], list[str]] = {}
    for seen in unique[:limit]:
        places.setdefault((seen.capture, _doubt(seen)), []).append(str(seen.frame))
    named = [f"{name(capture)}:{','.join(numbers)}{doubt}" for (capture, doubt), numbers in places.items()]
    return ", ".join(named) + (f" and {len(unique) - limit} more" if len(unique) > limit else "")


def _doubt(seen: Evidence) -> str:
    """Why this frame proves less than another."""
    doubts = [f"reported by {name(seen.reported_by)}"] if seen.reported_by else []
    if seen.ambiguous:
        doubts.append("one of two readings")
    return f" ({', '.join(doubts)})" if doubts else ""


def sentence(text: str) -> str:
    """What a rule says, with numbers and meetings as people write them."""
    return name(_KEY.sub(_kind, text[:MAX_TEXT].replace("tel:+", "+")), MAX_SENTENCE)


def _kind(match: re.Match[str]) -> str:
    return f"{KINDS[Kind(match[1])]} "


def reason(fact: Fact) -> str:
    """What is so, and the first frames that show it."""
    return sentence(fact.fact) + (f" [{frames(fact.evidence)}]" if fact.evidence else "")


def people(found: tuple[Person, ...]) -> str:
    """Who of the directory it is; of a shared phone, its people."""
    names = list(dict.fromkeys(name(person.name) for person in found))
    return " or ".join(names[:2]) + (f" or {len(names) - 2} others" if len(names) > 2 else "")


def way(who: Participant) -> str:
    """How a participant came in, and of a dial-in what became of the PIN."""
    if who.by_bridge:
        return "called by bridge"
    states = [slot.state for slot in who.slots]
    how = who.method.words
    if SlotState.RIGHT in states:
        return f"{how}\nwith PIN"
    if who.occurrence is not None and who.occurrence.has_pin and who.method is Method.PSTN and states:
        return f"{how}\nwithout PIN" if states[-1] is SlotState.EMPTY else f"{how}\nother digits"
    return how
