"""One conference as one source tells of it, and the users on its list."""

from collections import OrderedDict
from collections.abc import Iterator

from monitor.model.calls import RosterEndpoint, RosterSeen, RosterState, RosterUser
from monitor.model.evidence import MINUTE, SECOND, Evidence, Nanoseconds
from monitor.model.meetings import MeetingRef
from monitor.model.roster import Participant

MAX_SUBSCRIPTIONS = 256
"""Of one conference: each of its users may have one."""

USUAL_LIFE = 3600
"""Seconds for which a subscription goes on when nothing else is told (RFC 4575, 3.4)."""

GRACE: Nanoseconds = MINUTE
"""So much later its refreshing may be seen."""

PRESENT = frozenset({"connected", "on-hold", "muted-via-focus"})
GONE = frozenset({"disconnected", "pending", "dialing-out", "dialing-in", "alerting"})
"""Gone, or not there yet. Who is `disconnecting` still is."""


class Seat:
    """A user who is connected, as the source says."""

    __slots__ = (
        "at",
        "calls",
        "endpoints",
        "evidence",
        "guest",
        "is_ours",
        "listed_by",
        "missing_since",
        "participant",
    )

    def __init__(
        self, guest: Participant, calls: tuple[str, ...], endpoints: dict[str, bool], event: RosterSeen
    ) -> None:
        self.guest = guest
        """Who they are if nobody else knows them."""
        self.calls = calls
        self.endpoints = endpoints
        self.at = event.at
        """When they were seen first."""
        self.evidence = event.evidence
        self.listed_by = {event.call}
        """The subscriptions that have told of them."""
        self.participant: Participant | None = None
        """Who they turned out to be."""
        self.is_ours = False
        """That was told first from this list, so the list may end it."""
        self.missing_since: Nanoseconds = 0
        """Since then they are listed though their call is over."""

    def restart(self, guest: Participant, event: RosterSeen) -> None:
        """They are back."""
        self.guest, self.at, self.evidence = guest, event.at, event.evidence
        self.participant, self.is_ours, self.missing_since, self.calls = None, False, 0, ()


class Conference:
    """A meeting as one source tells of it."""

    __slots__ = (
        "arrivals",
        "departed",
        "evidence",
        "is_trusted",
        "is_watched",
        "key",
        "matched",
        "meeting",
        "seats",
        "seen_at",
        "source",
        "subscriptions",
    )

    def __init__(self, key: str, meeting: MeetingRef, source: str, *, is_trusted: bool) -> None:
        self.key = key
        self.meeting = meeting
        self.source = source
        self.is_trusted = is_trusted
        """The policy names the source as a bridge."""
        self.seats: dict[str, Seat] = {}
        self.matched: set[str] = set()
        """Ids of the participants who are somebody on the list."""
        self.subscriptions: dict[str, Nanoseconds] = {}
        """Until when each goes on, by its Call-ID."""
        self.is_watched = False
        """A whole list was seen: who comes now was not there before."""
        self.departed: set[str] = set()
        """Who was heard of only by their going, before there was a whole list."""
        self.arrivals = 0
        self.seen_at: Nanoseconds = 0
        self.evidence = Evidence(capture="", frame=0)

    def hear(self, event: RosterSeen) -> str | None:
        """A document has come in one of its subscriptions; gives the one that had to be forgotten for it, if any."""
        self.seen_at, self.evidence = event.at, event.evidence
        lasts = USUAL_LIFE if event.lasts is None else event.lasts
        self.subscriptions.pop(event.call, None)
        self.subscriptions[event.call] = event.at + lasts * SECOND + GRACE
        if len(self.subscriptions) <= MAX_SUBSCRIPTIONS:
            return None
        oldest = next(iter(self.subscriptions))
        del self.subscriptions[oldest]
        return oldest

    def lives(self, subscription: str, at: Nanoseconds) -> bool:
        """Whether more may be told in it."""
        return self.subscriptions.get(subscription, 0) > at


class Conferences:
    """Every conference that goes on. Those of sources that the policy does not name make room first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._named: OrderedDict[str, Conference] = OrderedDict()
        self._claimed: OrderedDict[str, Conference] = OrderedDict()

    def __len__(self) -> int:
        return len(self._named) + len(self._claimed)

    def __iter__(self) -> Iterator[Conference]:
        yield from [*self._named.values(), *self._claimed.values()]

    def __contains__(self, conference: Conference) -> bool:
        return self.get(conference.key) is conference

    @property
    def is_full(self) -> bool:
        """Before another one comes, one must go."""
        return len(self) >= self._most

    @property
    def first_claimed(self) -> Conference | None:
        """The one of an unnamed source that was silent longest."""
        return next(iter(self._claimed.values()), None)

    @property
    def first_to_go(self) -> Conference:
        """The one that makes room."""
        return self.first_claimed or next(iter(self._named.values()))

    def get(self, key: str) -> Conference | None:
        """The conference of that source and meeting."""
        return self._named.get(key) or self._claimed.get(key)

    def add(self, conference: Conference) -> None:
        """It begins, or is told of once more."""
        table = self._named if conference.is_trusted else self._claimed
        table[conference.key] = conference
        table.move_to_end(conference.key)

    def remove(self, conference: Conference) -> None:
        """It is over."""
        for table in (self._named, self._claimed):
            if table.get(conference.key) is conference:
                del table[conference.key]


def has_departed(user: RosterUser) -> bool:
    """Whether it is told of a user that they were connected and are no more."""
    return any(
        endpoint.status == "disconnected"
        and (endpoint.left_by in ("departed", "booted") or endpoint.joined_at is not None)
        for endpoint in user.endpoints
    )


def connected(user: RosterUser, before: dict[str, bool]) -> dict[str, bool]:
    """Which devices of a user are connected, as of what was known and what is told now."""
    if user.state is RosterState.DELETED:
        return {}
    now = dict(before) if user.state is RosterState.PARTIAL else {}
    for number, endpoint in enumerate(user.endpoints):
        device = endpoint.entity or str(number)
        now[device] = _is_connected(endpoint, now.get(device, before.get(device, False)))
    return now


def _is_connected(endpoint: RosterEndpoint, before: bool) -> bool:
    if endpoint.state is RosterState.DELETED or endpoint.status in GONE or endpoint.left_by:
        return False
    if endpoint.status in PRESENT:
        return True
    # Without a status: some bridges list only those who are connected, and say how they came.
    told = bool(endpoint.media or endpoint.joined_by or endpoint.joined_at is not None)
    return before or (not endpoint.status and told)
