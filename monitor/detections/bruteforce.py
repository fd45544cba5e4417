"""Somebody guesses the PIN of a meeting."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import ClassVar

from monitor.detections.finding import Finding
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import SECOND, Fact, Nanoseconds
from monitor.model.meetings import SlotState
from monitor.model.policy import Policy
from monitor.model.roster import Joined, PinRefused, RosterChange, Trust

MAX_PASSED_OVER = 16
"""Meetings under attack that are passed over when another must be forgotten."""

MAX_WRONG = 256
"""Wrong PINs remembered for one meeting: many times what raises the alert."""

TYPING_ERRORS = 3
"""Wrong PINs that a person may type before the right one."""


class PinBruteforce:
    """Five or more wrong PINs for one meeting within an hour, all calls and callers together.

    Up to three typing errors by one person are none: they no longer count once that person enters the right PIN, and
    only then, or three guesses under each of many numbers would be none. A campaign is over after an hour without a
    wrong PIN.
    """

    info: ClassVar = RuleInfo(
        name="pin-bruteforce",
        severities=(Severity.HIGH,),
        attack="T1110.001",
        summary="five or more wrong PINs are tried for one meeting within an hour",
    )

    def __init__(self, policy: Policy) -> None:
        self.needed = policy.rules.bruteforce_pins
        self.window = policy.rules.bruteforce_window_seconds * SECOND
        self.counts = {"guessed_meetings_evicted": 0}
        self._most = policy.limits.guessed_meetings
        self._wrong: OrderedDict[str, list[PinRefused]] = OrderedDict()
        self._campaigns: dict[str, PinRefused] = {}
        """The first wrong PIN of each campaign: its alert keeps the name and the occurrence."""

    @property
    def sizes(self) -> dict[str, int]:
        """How full the table is."""
        return {"guessed_meetings": len(self._wrong)}

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At each wrong PIN; a join with the right one forgives."""
        if isinstance(change, PinRefused):
            yield from self._refused(change)
        elif isinstance(change, Joined) and any(slot.state is SlotState.RIGHT for slot in change.participant.slots):
            who = change.participant
            self._forgive(f"{who.meeting.platform} {who.meeting.key}", _source(who.identity.subject, who.call))

    def _refused(self, change: PinRefused) -> Iterator[Finding]:
        key = f"{change.meeting.platform} {change.meeting.key}"
        wrong = [w for w in self._wrong.pop(key, []) if change.at - w.at < self.window][-MAX_WRONG + 1 :]
        if not wrong:
            self._campaigns.pop(key, None)
        wrong.append(change)
        self._wrong[key] = wrong
        self._make_room(change.at)
        if len(wrong) < self.needed:
            return
        fresh = key not in self._campaigns
        first = self._campaigns.setdefault(key, wrong[0])
        callers = len({w.identity.subject for w in wrong})
        calls = len({w.call for w in wrong})
        yield Finding(
            severity=Severity.HIGH,
            at=wrong[0].at if fresh else change.at,
            subject=first.identity.subject,
            summary=f"{self.needed} or more wrong PINs were tried for {change.meeting.platform} {change.meeting.value}",
            reasons=(
                Fact(
                    fact=f"{len(wrong)} wrong PINs in {calls} calls by {callers} callers within the hour",
                    evidence=tuple(w.evidence for w in wrong[:16]),
                ),
            ),
            confidence=wrong[0].identity.trust if callers == 1 else Trust.NONE,
            meeting=change.meeting,
            occurrence=first.occurrence,
            series=first.occurrence.uid if first.occurrence else None,
            times=len(wrong) if fresh else 1,
            is_whole=True,
        )

    def _make_room(self, at: Nanoseconds) -> None:
        """Forgets what is older than the window, and in a full table the one longest quiet that is under no attack."""
        while self._wrong and not any(at - w.at < self.window for w in next(iter(self._wrong.values()))):
            gone, _ = self._wrong.popitem(last=False)
            self._campaigns.pop(gone, None)
        if len(self._wrong) <= self._most:
            return
        for _ in range(MAX_PASSED_OVER):
            key, wrong = next(iter(self._wrong.items()))
            if len(wrong) < self.needed:
                break
            self._wrong.move_to_end(key)
        gone, _ = self._wrong.popitem(last=False)
        self._campaigns.pop(gone, None)
        self.counts["guessed_meetings_evicted"] += 1

    def _forgive(self, key: str, source: str) -> None:
        wrong = self._wrong.get(key)
        if wrong is None:
            return
        mine = [w for w in wrong if _source(w.identity.subject, w.call) == source]
        if len(mine) <= TYPING_ERRORS:
            self._wrong[key] = [w for w in wrong if w not in mine]


def _source(subject: str, call: str) -> str:
    """Who typed: the identity, or for the anonymous the call."""
    return subject if subject != "anonymous" else call
