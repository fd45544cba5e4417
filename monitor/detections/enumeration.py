"""Somebody looks for meetings by trying their numbers."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import ClassVar

from monitor.detections.finding import Finding
from monitor.model.alerts import RuleInfo, Severity
from monitor.model.evidence import DAY, SECOND, Evidence, Fact, Nanoseconds
from monitor.model.meetings import Kind, MeetingRef, Method
from monitor.model.policy import Policy
from monitor.model.roster import Identity, Joined, Participant, RosterChange, Tried, Trust, Verdict

MAX_PASSED_OVER = 16
"""Sources with more than one try that are passed over when another must be forgotten."""

MAX_TRIES = 64
"""Failed identifiers remembered for one source, many times what raises the alert; the oldest give way."""

SLOW: Nanoseconds = 7 * DAY
"""Nearly consecutive numbers count together for this long, so that one a day is seen too."""

HOST = "ip:"

TYPING_ERRORS = 3
"""Wrong numbers that somebody may try before joining."""

MAX_CREDIT = 32
"""People of one address that are credited with a wrong number; well below `MAX_TRIES`, or a search were free."""

MAX_DIGITS = 18
"""Of a meeting's number that are compared: more than any platform has, and few enough that no two hash alike."""

Number = tuple[str, int]


class Attempt:
    """One identifier that was tried in vain: when last, and where that can be seen."""

    __slots__ = ("at", "evidence", "number", "source")

    def __init__(self, at: Nanoseconds, evidence: Evidence, source: str, number: Number | None) -> None:
        self.at = at
        self.evidence = evidence
        self.source = source
        self.number = number


class Source:
    """What one source did within the window."""

    __slots__ = ("guests", "pardons", "tries")

    def __init__(self) -> None:
        self.tries: OrderedDict[str, Attempt] = OrderedDict()
        """Identifiers tried in vain."""
        self.pardons: OrderedDict[str, Nanoseconds] = OrderedDict()
        """Meetings joined after typing errors: each pardons once, or one known number would pardon a whole search."""
        self.guests: OrderedDict[str, Nanoseconds] = OrderedDict()
        """Of an address: the invited who came from it. It is many people's, and each may mistype."""

    def lasts(self, since: Nanoseconds) -> bool:
        """Whether it did anything after this moment."""
        tried = (attempt.at for attempt in self.tries.values())
        return any(at > since for at in chain(tried, self.guests.values(), self.pardons.values()))

    def expire(self, since: Nanoseconds) -> None:
        """Forgets what is older."""
        for name in [name for name, attempt in self.tries.items() if attempt.at <= since]:
            del self.tries[name]
        for told in (self.pardons, self.guests):
            for name in [name for name, at in told.items() if at <= since]:
                del told[name]


class MeetingEnumeration:
    """Five or more distinct meeting identifiers that one source tries in vain within a day, or that are nearly
    consecutive, from any number of sources; by keypad or SIP address. One alert a campaign. Nobody who was expected
    in the meeting that they tried counts, nor do three wrong numbers of somebody who then joins: once for each meeting
    of a calendar that they join, since whoever searches joins what they find. Names that nobody vouches for cost a
    caller nothing, so their address counts as a source too; it is allowed one more number for each of the invited who
    came from it that day.
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
        self.counts = dict.fromkeys(("sources_evicted", "tried_numbers_evicted", "campaigns_evicted"), 0)
        self._limits = policy.limits
        self._sources: OrderedDict[str, Source] = OrderedDict()
        self._numbers: dict[str, list[int]] = {}
        self._tried: OrderedDict[str, Attempt] = OrderedDict()
        self._campaigns: OrderedDict[str, str] = OrderedDict()

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is."""
        return {
            "sources": len(self._sources),
            "tried_numbers": len(self._tried),
            "campaigns": len(self._campaigns),
        }

    def judge(self, change: RosterChange) -> Iterable[Finding]:
        """At each failed try; a join forgives a few."""
        if isinstance(change, Tried) and not change.expected:
            yield from self._missed(change)
        elif isinstance(change, Joined):
            self._joined(change.participant)

    def _missed(self, change: Tried) -> Iterator[Finding]:
        self._expire(change.at)
        name, number = _name(change.meeting), _number(change.meeting)
        by = _source(change.identity.subject, change.origin)
        found: Finding | None = None
        for source in filter(None, (by, _host(change.identity, change.method, change.origin))):
            record = self._source(source, change.at)
            new = name not in record.tries
            record.tries[name] = attempt = Attempt(change.at, change.evidence, source, number)
            if len(record.tries) > MAX_TRIES:
                record.tries.popitem(last=False)
            near = self._neighbours(attempt) if source == by else []
            if not new or found is not None:
                continue
            if len(record.tries) >= self.needed + len(record.guests):
                tries = list(record.tries.values())
                found = self._finding(change, source, tries, "distinct meeting identifiers, one source")
            elif len(near) >= self.needed:
                found = self._finding(change, source, near, "nearly consecutive meeting numbers")
        if found is not None:
            yield found

    def _joined(self, who: Participant) -> None:
        """Whoever gets into a meeting did not try it in vain, and may have mistyped before."""
        name, at = _name(who.meeting), who.joined_at
        record = self._sources.get(_source(who.identity.subject, who.origin))
        if record is not None:
            record.expire(at - self.window)
            self._pardon(record, [name] if name in record.tries else [])
            if who.series and name not in record.pardons and 0 < len(record.tries) <= TYPING_ERRORS:
                self._pardon(record, list(record.tries))
                _remember(record.pardons, name, at, MAX_TRIES)
        host = _host(who.identity, who.method, who.origin)
        if host and who.verdict is Verdict.INVITED:
            _remember(self._source(host, at).guests, who.identity.subject, at, MAX_CREDIT)

    def _pardon(self, record: Source, names: list[str]) -> None:
        for name in names:
            attempt = record.tries.pop(name)
            known = self._tried.get(_text_of(attempt.number)) if attempt.number else None
            if attempt.number and known is not None and known.source == attempt.source:
                self._drop(attempt.number)

    def _campaign(self, attempts: list[Attempt], *names: str) -> tuple[str, bool]:
        """Whose campaign these tries are part of, by its first source; and whether it is a new one."""
        everybody = dict.fromkeys((*filter(None, names), *(a.source for a in attempts)))
        known = next((self._campaigns[name] for name in everybody if name in self._campaigns), None)
        leader = attempts[0].source if known is None else known
        for name in everybody:
            self._campaigns[name] = leader
            self._campaigns.move_to_end(name)
        while len(self._campaigns) > self._limits.campaigns:
            self._campaigns.popitem(last=False)
            self.counts["campaigns_evicted"] += 1
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
                    fact=f"{len(attempts)} {what}, tried without success by {change.method.words}",
                    evidence=tuple(a.evidence for a in attempts[:16]),
                ),
                *change.facts[:1],
            ),
            confidence=change.identity.trust if sources == 1 else Trust.NONE,
            # Two searches without a name, by two trunks, are two campaigns.
            cause=leader if subject != leader else "",
            times=len(attempts) if fresh else 1,
            is_whole=True,
        )

    def _source(self, source: str, at: Nanoseconds) -> Source:
        record = self._sources.pop(source, None) or Source()
        record.expire(at - self.window)
        self._sources[source] = record
        while self._sources and not (oldest := next(iter(self._sources.values()))).lasts(at - self.window):
            if oldest is record:
                break
            self._sources.popitem(last=False)
        if len(self._sources) > self._limits.sources:
            self._evict()
        return record

    def _evict(self) -> None:
        """Forgets the source longest silent; one that tried more than once gets a second chance."""
        for _ in range(MAX_PASSED_OVER):
            name, record = next(iter(self._sources.items()))
            if len(record.tries) + len(record.guests) < 2:
                break
            self._sources.move_to_end(name)
        self._sources.popitem(last=False)
        self.counts["sources_evicted"] += 1

    def _neighbours(self, attempt: Attempt) -> list[Attempt]:
        """Every failed try in the chain of numbers around this one in which no gap is larger than the limit."""
        if attempt.number is None:
            return []
        platform, number = attempt.number
        numbers = self._numbers.setdefault(platform, [])
        name = _text_of(attempt.number)
        if name not in self._tried:
            insort(numbers, number)
        self._tried[name] = attempt
        self._tried.move_to_end(name)
        low = high = bisect_left(numbers, number)
        while low > 0 and numbers[low] - numbers[low - 1] <= self.gap and high - low < MAX_TRIES:
            low -= 1
        while high + 1 < len(numbers) and numbers[high + 1] - numbers[high] <= self.gap and high - low < MAX_TRIES:
            high += 1
        return [self._tried[_text_of((platform, n))] for n in numbers[low : high + 1]]

    def _expire(self, at: Nanoseconds) -> None:
        while self._tried:
            oldest = next(iter(self._tried.values()))
            if at - oldest.at < SLOW and len(self._tried) < self._limits.tried_numbers:
                return
            self.counts["tried_numbers_evicted"] += at - oldest.at < SLOW
            if oldest.number is not None:
                self._drop(oldest.number)

    def _drop(self, number: Number) -> None:
        del self._tried[_text_of(number)]
        numbers = self._numbers[number[0]]
        del numbers[bisect_left(numbers, number[1])]


def _name(meeting: MeetingRef) -> str:
    return f"{meeting.platform} {meeting.key}"


def _number(meeting: MeetingRef) -> Number | None:
    """The number of a meeting among those of its platform, if it is one."""
    is_number = meeting.kind is Kind.NUMBER and meeting.value.isascii() and meeting.value.isdecimal()
    return (meeting.platform, int(meeting.value[:MAX_DIGITS])) if is_number else None


def _text_of(number: Number) -> str:
    """As a key: the hash of an integer is no secret, so numbers could be chosen that all fall into one place."""
    return f"{number[0]} {number[1]}"


def _remember(told: OrderedDict[str, Nanoseconds], name: str, at: Nanoseconds, most: int) -> None:
    told[name] = at
    told.move_to_end(name)
    if len(told) > most:
        told.popitem(last=False)


def _host(identity: Identity, method: Method, origin: str) -> str:
    """The address itself as a source, where nobody vouches for the names that come from it: they cost a caller nothing.

    Only for direct calls: behind the address from which a telephone call comes stands a whole telephone network.
    """
    return HOST + origin if method is not Method.PSTN and identity.trust in {Trust.CLAIMED, Trust.NONE} else ""


def _source(subject: str, origin: str) -> str:
    """Whose tries count together: the identity; the anonymous by the address that their calls come from."""
    return subject if subject != "anonymous" else f"anonymous {origin}"
