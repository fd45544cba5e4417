"""Which two calls are one? A back-to-back agent answers one call and makes another of it, under a Call-ID of its own.

What the caller writes never links by itself: `Session-ID` (RFC 7989) counts only between two calls that could be hops
of one way, and otherwise the second call must leave the very machine to which the first one went, soon after it, for
the same number and the same caller.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from monitor.meetings.identities import ANONYMOUS, Identities
from monitor.meetings.legs import Leg
from monitor.model.calls import CallOffered
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.invitations import NumberText
from monitor.model.limits import Limits
from monitor.model.networks import Networks
from monitor.model.roster import Trust

MAX_LOOKS = 8
"""Legs that are looked at, of those that wait under one name."""

LINK_SECONDS = 5
"""A back-to-back agent makes its own call this soon after the one that it serves, or after one that was refused."""

VOUCHED = frozenset({Trust.ASSERTED, Trust.SCREENED})

RINGING_SECONDS = 180
"""So much later than the offer of one half the other may be known, when its INVITE was not seen but its answer."""

DISORDER: Nanoseconds = SECOND // 10
"""The second half of a call may stand this much before the first one in a capture."""

Name = tuple[str, ...]


class Waiting:
    """Legs by what their other half would have in common with them, for so many seconds."""

    def __init__(self, seconds: int, most: int) -> None:
        self.life: Nanoseconds = seconds * SECOND
        self.most = most
        self.evicted = 0
        self._legs: dict[Name, dict[str, tuple[Nanoseconds, Leg]]] = {}
        self._order: deque[tuple[Nanoseconds, Name, str]] = deque()

    def add(self, at: Nanoseconds, names: Iterable[Name], leg: Leg) -> None:
        """From now on it waits under these names; the oldest give way."""
        call, entry = leg.name, (at, leg)
        for name in names:
            waiting = self._legs.get(name)
            if waiting is None:
                self._legs[name] = {call: entry}
            else:
                waiting[call] = entry
            self._order.append((at, name, call))
        while len(self._order) > self.most:
            self._drop(*self._order.popleft())
            self.evicted += 1

    def __len__(self) -> int:
        return len(self._order)

    def longest(self, name: Name) -> list[Leg]:
        """A few of those that wait under this name; the one that waits longest first."""
        waiting = self._legs.get(name)
        return [leg for _, leg in islice(waiting.values(), MAX_LOOKS)] if waiting is not None else []

    def latest(self, name: Name) -> list[Leg]:
        """A few of those that wait under this name; the latest first."""
        waiting = self._legs.get(name)
        return [leg for _, leg in islice(reversed(waiting.values()), MAX_LOOKS)] if waiting is not None else []

    def expire(self, at: Nanoseconds) -> None:
        """Those that have waited long enough wait no more."""
        while self._order and at - self._order[0][0] > self.life:
            self._drop(*self._order.popleft())

    def remove(self, names: Iterable[Name], leg: Leg) -> None:
        """Its other half has come."""
        for name in names:
            waiting = self._legs.get(name)
            if waiting is not None and leg.name in waiting:
                self._drop(waiting[leg.name][0], name, leg.name)

    def _drop(self, at: Nanoseconds, name: Name, call: str) -> None:
        """What waits since then; it may wait anew since later."""
        waiting = self._legs.get(name)
        if waiting is not None and call in waiting and waiting[call][0] == at:
            del waiting[call]
            if not waiting:
                del self._legs[name]


class Links:
    """Legs whose other half may come within a moment, found by what that would have to look like."""

    def __init__(
        self, identities: Identities, external: Networks, number_text: NumberText, most: int = Limits().halves
    ) -> None:
        self.identities = identities
        self.external = external
        self.number_text = number_text
        self._soon = Waiting(LINK_SECONDS, most)
        self._ringing = Waiting(RINGING_SECONDS, most)
        self._are_partial = False
        """A leg whose INVITE was not seen has waited; there is none in most captures."""

    def __len__(self) -> int:
        return max(len(self._soon), len(self._ringing))

    @property
    def evicted(self) -> int:
        """Names under which a leg could not wait as long as it should."""
        return self._soon.evicted + self._ringing.evicted

    def expire(self, at: Nanoseconds) -> None:
        """Those whose other half did not come wait no more."""
        self._soon.expire(at)
        self._ringing.expire(at)

    def expect(self, leg: Leg, at: Nanoseconds) -> None:
        """From now on, and for a moment, the other half of this leg may come."""
        names = [*self._names(leg, leg.offered.sent_to)]
        self._are_partial = self._are_partial or leg.offered.partial
        self._soon.add(at, names, leg)
        self._ringing.add(at, [*names, *self._names_behind(leg, leg.offered.caller.sent_from)], leg)

    def first_half(self, leg: Leg) -> Leg | None:
        """The leg of which this one is the other half, if any."""
        mine = leg.offered
        self.expire(mine.at)
        names = [*self._names(leg, mine.caller.sent_from)]
        for name in names:
            for other in self._soon.longest(name):
                if other.party.has_room_beside(other) and self._fits(other, leg, name):
                    return self._found(other)
        behind = [*self._names_behind(leg, mine.sent_to)]
        for name in behind:
            for other in self._ringing.latest(name):
                if mine.at - other.offered.at <= DISORDER and self._is_late(leg, other, name):
                    return self._found(other)
        return self._half_of_unseen(leg, [*names, *behind]) if self._are_partial or mine.partial else None

    def _half_of_unseen(self, leg: Leg, names: Iterable[Name]) -> Leg | None:
        """The other half, where the INVITE of one of the two was not seen: either half may be known first."""
        for name in names:
            for other in self._ringing.latest(name) if name[-1] != ANONYMOUS else ():
                if not (leg.offered.partial or other.offered.partial) or not other.party.has_room_beside(other):
                    continue
                # Both are answered within a moment; or one rings still.
                if other.answered is None or leg.offered.at - other.answered.at <= LINK_SECONDS * SECOND:
                    return self._found(other)
        return None

    def _is_late(self, first: Leg, second: Leg, name: Name) -> bool:
        """Whether the one that comes second in the capture is the first half all the same."""
        one, two = first.offered, second.offered
        anonymous = name[-1] == ANONYMOUS
        return second.party.has_room_beside(second) and not (anonymous and self._contradict(one, two))

    def _found(self, leg: Leg) -> Leg:
        names = [*self._names(leg, leg.offered.sent_to), *self._names_behind(leg, leg.offered.caller.sent_from)]
        self._soon.remove(names, leg)
        self._ringing.remove(names, leg)
        return leg

    def _names(self, leg: Leg, address: str) -> Iterator[Name]:
        """What the halves of a call have in common: the session, or the machine between, the number and the caller."""
        if leg.offered.session:
            yield (leg.offered.session,)
        leg.signs = leg.signs or self._signs(leg.offered)
        for number, caller in leg.signs:
            yield (address, number, caller)

    def _names_behind(self, leg: Leg, address: str) -> Iterator[Name]:
        """The same as seen from the other side of the machine between."""
        leg.signs = leg.signs or self._signs(leg.offered)
        for number, caller in leg.signs:
            yield ("behind", address, number, caller)

    def _signs(self, offered: CallOffered) -> tuple[tuple[str, str], ...]:
        number = self.number_text(offered.target) or user_of(offered.target)
        identity = self.identities.resolve(offered)
        return tuple((number, caller) for caller in dict.fromkeys((identity.subject, identity.claimed or ANONYMOUS)))

    def _fits(self, first: Leg, second: Leg, name: Name) -> bool:
        one, two = first.offered, second.offered
        if len(name) > 1:
            return first.answered is None and not (name[2] == ANONYMOUS and self._contradict(one, two))
        # A session alone: two callers could write the same one. So it must be another hop at both ends, made by a
        # machine of ours, and for no other caller than the network vouched for.
        if one.sent_to == two.sent_to or one.caller.sent_from == two.caller.sent_from:
            return False
        if one.sent_to == two.caller.sent_from:
            return True
        return two.caller.sent_from not in self.external and not self._contradict(one, two)

    def _contradict(self, one: CallOffered, two: CallOffered) -> bool:
        """Whether the network vouches for two different callers."""
        a, b = self.identities.resolve(one), self.identities.resolve(two)
        return VOUCHED.issuperset((a.trust, b.trust)) and a.subject != b.subject


def user_of(uri: str) -> str:
    """The user part of a URI, as far as it names who is called."""
    return uri.partition(":")[2].partition("@")[0].partition(";")[0].partition("?")[0]
