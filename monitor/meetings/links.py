"""Which two calls are one? A back-to-back agent answers one call and makes another of it, under a Call-ID of its own.

What the caller writes never links by itself: `Session-ID` (RFC 7989) counts only between two calls that could be hops
of one way, and otherwise the second call must leave the very machine to which the first one went, soon after it, for
the same number and the same caller.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
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

Name = tuple[str, ...]


class Links:
    """Legs whose other half may come within a moment, found by what that would have to look like."""

    def __init__(
        self, identities: Identities, external: Networks, number_text: NumberText, most: int = Limits().halves
    ) -> None:
        self.identities = identities
        self.external = external
        self.number_text = number_text
        self.evicted = 0
        self._most = most
        self._waiting: dict[Name, OrderedDict[str, tuple[Nanoseconds, Leg]]] = {}
        self._order: deque[tuple[Nanoseconds, Name, str]] = deque()

    def __len__(self) -> int:
        return len(self._order)

    def expect(self, leg: Leg, at: Nanoseconds) -> None:
        """From now on, and for a moment, the other half of this leg may come."""
        for name in self._names(leg, leg.offered.sent_to):
            self._waiting.setdefault(name, OrderedDict())[leg.name] = (at, leg)
            self._order.append((at, name, leg.name))
        while len(self._order) > self._most:
            self._drop(*self._order.popleft())
            self.evicted += 1

    def first_half(self, leg: Leg) -> Leg | None:
        """The leg of which this one is the other half, if any. The one that waits longest is served first."""
        mine = leg.offered
        while self._order and mine.at - self._order[0][0] > LINK_SECONDS * SECOND:
            self._drop(*self._order.popleft())
        for name in self._names(leg, mine.caller.sent_from):
            for at, other in islice(self._waiting.get(name, {}).values(), MAX_LOOKS):
                if other.party.has_room_beside(other) and self._fits(other, leg, name):
                    for used in self._names(other, other.offered.sent_to):
                        self._drop(at, used, other.name)
                    return other
        return None

    def _names(self, leg: Leg, address: str) -> Iterator[Name]:
        """What the halves of a call have in common: the session, or the machine between, the number and the caller."""
        if leg.offered.session:
            yield (leg.offered.session,)
        leg.signs = leg.signs or self._signs(leg.offered)
        for number, caller in leg.signs:
            yield (address, number, caller)

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

    def _drop(self, at: Nanoseconds, name: Name, call: str) -> None:
        """What waits since then; it may wait anew since later."""
        waiting = self._waiting.get(name)
        if waiting is not None and call in waiting and waiting[call][0] == at:
            del waiting[call]
            if not waiting:
                del self._waiting[name]


def user_of(uri: str) -> str:
    """The user part of a URI, as far as it names who is called."""
    return uri.partition(":")[2].partition("@")[0].partition(";")[0].partition("?")[0]
