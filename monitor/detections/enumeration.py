"""Somebody looks for meetings by trying their numbers."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import ClassVar

from monitor.detections.finding import Finding
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import DAY, SECOND, Evidence, Fact, Nanoseconds
from monitor.model.meetings import Kind, MeetingRef, Method
from monitor.model.policy import Policy
from monitor.model.roster import Identity, Joined, RosterChange, Tried, Trust, Verdict

MAX_SOURCES = 8192
"""Sources with failed tries that are remembered; the one longest silent is forgotten first."""

MAX_TRIES = 64
"""Failed identifiers remembered for one source, many times what raises the alert; the oldest give way."""

MAX_NUMBERS = 16_384
"""Failed numbers remembered together, in which neighbours are looked for."""

SLOW: Nanoseconds = 7 * DAY
"""Nearly consecutive numbers count together for this long, so that one a day is seen too."""

HOST = "ip:"

TYPING_ERRORS = 3
"""Wrong numbers that somebody may try before joining."""


class Attempt:
    """One identifier that was tried in vain: when last, and where the first try can be seen."""

    __slots__ = ("at", "evidence", "source")

    def __init__(self, at: Nanoseconds, evidence: Evidence, source: str) -> None:
        self.at = at
        self.evidence = evidence
        self.source = source


class MeetingEnumeration:
    """Five or more distinct meeting identifiers that one source tries in vain within a day, or that are nearly
    consecutive, from any number of sources; by keypad or SIP address. One alert a campaign. Nobody who was expected
    in the meeting that they tried counts, nor do three wrong numbers of somebody who then joins.
    """

    info: ClassVar = RuleInfo(
        name="meeting-enumeration",
        severities=(Severity.HIGH,),
        attack="T1595.003",
        summary="five or more distinct or nearly consecutive meeting identifiers are tried without success",
    )

    def __init__(self, policy: Policy) -> None:
        self.needed = policy.rules.enumeration_meetings
        self.window = policy.rules.enumeration_window_seconds * SECOND
        self.gap = policy.rules.enumeration_gap
        self.evicted = 0
        self._by_source: OrderedDict[str, OrderedDict[str, Attempt]] = OrderedDict()
        self._numbers: dict[str, list[int]] = {}
        self._tried: OrderedDict[tuple[str, int], Attempt] = OrderedDict()
        self._campaigns: OrderedDict[str, str] = OrderedDict()
        self._credits: OrderedDict[str, int] = OrderedDict()

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At each failed try; a join forgives a few."""
        if isinstance(change, Tried) and not change.expected:
            yield from self._missed(change)
        elif isinstance(change, Joined):
            who = change.participant
            self._forgive(_source(who.identity.subject, who.origin))
            if who.verdict is Verdict.INVITED:
                self._credit(_host(who.identity, who.method, who.origin))

    def _missed(self, change: Tried) -> Iterator[Finding]:
        self._expire(change.at)
        name = f"{change.meeting.platform} {change.meeting.key}"
        found: Finding | None = None
        for source in (
            _source(change.identity.subject, change.origin),
            _host(change.identity, change.method, change.origin),
        ):
            if not source:
                continue
            tries = self._tries_of(source, change.at)
            new = name not in tries
            tries[name] = attempt = Attempt(change.at, change.evidence, source)
            if len(tries) > MAX_TRIES:
                tries.popitem(last=False)
            if new and found is None and len(tries) >= self.needed + self._credits.get(source, 0):
                found = self._finding(change, source, list(tries.values()), "distinct meeting identifiers, one source")
            if not source.startswith(HOST):
                neighbours = self._neighbours(change.meeting, attempt)
                if new and found is None and len(neighbours) >= self.needed:
                    found = self._finding(change, source, neighbours, "nearly consecutive meeting numbers")
        if found is not None:
            yield found

    def _credit(self, host: str) -> None:
        """Somebody invited came from this address: it is one of many people's, and one more may mistype."""
        if host:
            self._credits[host] = self._credits.pop(host, 0) + 1
            if len(self._credits) > MAX_SOURCES:
                self._credits.popitem(last=False)

    def _campaign(self, attempts: list[Attempt], *names: str) -> tuple[str, bool]:
        """Whose campaign these tries are part of, by its first source; and whether it is a new one."""
        everybody = dict.fromkeys((*filter(None, names), *(a.source for a in attempts)))
        known = next((self._campaigns[name] for name in everybody if name in self._campaigns), None)
        leader = attempts[0].source if known is None else known
        for name in everybody:
            self._campaigns[name] = leader
        while len(self._campaigns) > MAX_SOURCES:
            self._campaigns.popitem(last=False)
        return leader, known is None

    def _finding(self, change: Tried, source: str, attempts: list[Attempt], what: str) -> Finding:
        attempts = sorted(attempts, key=lambda a: a.at)
        host = _host(change.identity, change.method, change.origin)
        leader, fresh = self._campaign(attempts, source, host)
        sources = len({a.source for a in attempts})
        subject = leader if not leader.startswith("anonymous") else "anonymous"
        return Finding(
            severity=Severity.HIGH,
            at=attempts[0].at if fresh else change.at,
            subject=subject,
            summary=f"meeting numbers were tried one after the other by {subject}"
            + (f" and {sources - 1} more" if sources > 1 else ""),
            reasons=(
                Fact(
                    fact=f"{len(attempts)} {what}, tried without success by {change.method}",
                    evidence=tuple(a.evidence for a in attempts[:16]),
                ),
                *change.facts[:1],
            ),
            confidence=change.identity.trust if sources == 1 else Trust.NONE,
            times=len(attempts) if fresh else 1,
        )

    def _tries_of(self, source: str, at: Nanoseconds) -> OrderedDict[str, Attempt]:
        tries = self._by_source.pop(source, None) or OrderedDict()
        for name in [name for name, attempt in tries.items() if at - attempt.at >= self.window]:
            del tries[name]
        self._by_source[source] = tries
        if len(self._by_source) > MAX_SOURCES:
            self._by_source.popitem(last=False)
            self.evicted += 1
        return tries

    def _neighbours(self, meeting: MeetingRef, attempt: Attempt) -> list[Attempt]:
        """Every failed try in the chain of numbers around this one in which no gap is larger than the limit."""
        if meeting.kind is not Kind.NUMBER or not meeting.value.isdecimal():
            return []
        number = int(meeting.value)
        numbers = self._numbers.setdefault(meeting.platform, [])
        key = (meeting.platform, number)
        if key not in self._tried:
            insort(numbers, number)
        self._tried[key] = attempt
        self._tried.move_to_end(key)
        here = bisect_left(numbers, number)
        low = high = here
        while low > 0 and numbers[low] - numbers[low - 1] <= self.gap and high - low < MAX_TRIES:
            low -= 1
        while high + 1 < len(numbers) and numbers[high + 1] - numbers[high] <= self.gap and high - low < MAX_TRIES:
            high += 1
        return [self._tried[meeting.platform, n] for n in numbers[low : high + 1]]

    def _expire(self, at: Nanoseconds) -> None:
        while self._tried:
            (platform, number), oldest = next(iter(self._tried.items()))
            if at - oldest.at < SLOW and len(self._tried) < MAX_NUMBERS:
                return
            self.evicted += at - oldest.at < SLOW
            self._drop(platform, number)

    def _drop(self, platform: str, number: int) -> None:
        if self._tried.pop((platform, number), None) is not None:
            numbers = self._numbers[platform]
            del numbers[bisect_left(numbers, number)]

    def _forgive(self, source: str) -> None:
        tries = self._by_source.get(source)
        if tries is None or len(tries) > TYPING_ERRORS:
            return
        del self._by_source[source]
        for platform, number in [key for key, attempt in self._tried.items() if attempt.source == source]:
            self._drop(platform, number)


def _host(identity: Identity, method: Method, origin: str) -> str:
    """The address itself as a source, where nobody vouches for the names that come from it: they cost a caller nothing.

    Only for direct calls: behind the address from which a telephone call comes stands a whole telephone network.
    """
    return HOST + origin if method is not Method.PSTN and identity.trust in {Trust.CLAIMED, Trust.NONE} else ""


def _source(subject: str, origin: str) -> str:
    """Whose tries count together: the identity; the anonymous by the address that their calls come from."""
    return subject if subject != "anonymous" else f"anonymous {origin}"
