"""Events in, records out: the stages behind `platforms`, which can be made anew from what is remembered.

Made anew they are at each start and whenever the lists change: the same events under the new lists. What was said is
not said again; what is different now is.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from monitor.daemon.memory import MAX_SAYINGS
from monitor.detections import Detections
from monitor.meetings import Meetings
from monitor.model.alerts import Coverage, Severity
from monitor.model.calls import SignallingEvent
from monitor.model.evidence import MINUTE, Nanoseconds
from monitor.model.roster import Joined, Left, RosterChange
from monitor.pipeline import Expected, Record
from monitor.platforms import Platforms


class Correlator:
    """Who is where and should not be, as the events have it so far."""

    def __init__(self, expected: Expected) -> None:
        self.coverage = Coverage.OBSERVED
        self.lossy = False
        """So much is lost at this moment that silence proves nothing."""
        platforms = Platforms(expected.policy, number_text=expected.number_text, access_numbers=expected.access_numbers)
        self._meetings = Meetings(
            expected.calendar,
            expected.directory,
            expected.policy,
            expected.number_text,
            refs_of=platforms.refs_of,
            lossy=lambda: self.lossy,
        )
        self._detections = Detections(expected.policy, coverage=lambda: self.coverage)
        self.now: Nanoseconds = 0
        """Packet time, which never goes back."""
        self.present: dict[str, str] = {}
        """Participants who are in a meeting, and their calls."""
        self._expire_at: Nanoseconds = 0

    @property
    def counts(self) -> dict[str, int]:
        """Totals since it was made."""
        return {**self._meetings.counts, **self._detections.counts}

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {**self._meetings.sizes, **self._detections.sizes}

    def feed(self, event: SignallingEvent) -> Iterator[Record]:
        """What this event changes."""
        yield from self.advance(event.at)
        yield from self._judged(self._meetings.feed(event))

    def advance(self, at: Nanoseconds) -> Iterator[Record]:
        """What the passing of time changes."""
        if at > self.now:
            self.now = at
        if self.now >= self._meetings.due:
            yield from self._judged(self._meetings.advance(self.now))
        if self.now >= self._expire_at:
            self._expire_at = self.now + MINUTE
            self._meetings.expire(self.now)

    def _judged(self, changes: Iterable[RosterChange]) -> Iterator[Record]:
        for change in changes:
            match change:
                case Joined():
                    self.present[change.participant.id] = change.participant.call
                case Left():
                    self.present.pop(change.participant.id, None)
                case _:
                    pass
            yield change
            yield from self._detections.judge(change)


UNSAID = -1
"""What was never said, or was withdrawn: it would be news."""


class Sayings:
    """What was said, so that no restart and no change of lists says it twice.

    Two generations: what is in the older one, and said by nobody again, goes at the next `turn`.
    """

    def __init__(self, said: dict[str, int], most: int = MAX_SAYINGS) -> None:
        """`most` are both generations together."""
        self._said = said
        self._most = self._crowded = most // 2
        self._older: dict[str, int] = {}
        self._new: dict[str, tuple[Nanoseconds, int]] = {}
        self._turned: Nanoseconds = 0

    def __len__(self) -> int:
        return len(self._said) + len(self._older)

    def is_new(self, said: dict[str, Any], at: Nanoseconds) -> bool:
        """Whether this line of the journal must still be written; from then on it was."""
        key, value = key_of(said)
        if not key:
            return True
        if key in self._older:
            self._said[key] = self._older.pop(key)
        if self._said.get(key, UNSAID) >= value:
            return False
        self.revise(said, at)
        return True

    def revise(self, said: dict[str, Any], at: Nanoseconds) -> None:
        """This line stands now, whatever was said before: also one that says less, or takes something back."""
        key, value = key_of(said)
        if not key:
            return
        self._older.pop(key, None)
        self._said[key] = value
        self._new[key] = (at, value)

    def turn(self, now: Nanoseconds, after: Nanoseconds, stands: Callable[[str], bool]) -> None:
        """Forget what is older than `after`, and at most twice as old, unless it is about what still stands.

        In a flood it is forgotten sooner: told again, if at all, when everything is judged anew.
        """
        if not self._turned:
            self._turned = now
        if abs(now - self._turned) < after and len(self._said) < self._crowded:
            return
        self._turned = now
        kept = {key: value for key, value in self._older.items() if stands(_name_in(key))}
        self._new |= {key: (now, value) for key, value in kept.items()}
        self._older, self._said = self._said, kept
        self._crowded = max(self._most, 2 * len(kept))

    def unwritten(self) -> list[tuple[str, Nanoseconds, int]]:
        """What memory does not know yet."""
        rows = [(key, at, value) for key, (at, value) in self._new.items()]
        self._new.clear()
        return rows

    def unwritten_again(self, rows: list[tuple[str, Nanoseconds, int]]) -> None:
        """Memory could not take these now."""
        for key, at, value in rows:
            self._new.setdefault(key, (at, value))


def _name_in(key: str) -> str:
    """The name of the participant or alert, of a key that has one."""
    return key.split(" ", 2)[1] if " " in key else ""


def key_of(said: dict[str, Any]) -> tuple[str, int]:
    """A name for what a line of the journal says, and how much: more is news. No name for what may be said twice."""
    match said:
        case {"type": "alert", "id": str(name), "withdrawn": _}:
            return f"alert {name}", UNSAID
        case {"type": "alert", "id": str(name), "count": int(count), "severity": str(severity)}:
            return f"alert {name}", count * 8 + Severity(severity).rank
        case {"type": "join", "id": str(name), "verdict": verdict, "subject": subject}:
            return f"join {name} {verdict} {subject}", 0
        case {"type": "leave", "id": str(name)}:
            return f"leave {name}", 0
        case {"type": "oddity"}:
            return "", 0
        case _:
            return blake2b(msgspec.json.encode(said), digest_size=12).hexdigest(), 0
