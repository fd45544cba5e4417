"""What is remembered of one SIP call, and the table of them all, which stays small whatever the network does."""

from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum
from typing import Final

from monitor.decoders.media import CallMedia, Side
from monitor.model.evidence import HOUR, MINUTE, SECOND, Evidence, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.packets import Flow, source_of

WAITING_ROOM: Final = 4
"""So many-th of the table is for those who wait: when all the rest is answered, an answered call makes room."""

MAX_TAGS = 8
"""Hops that rewrite tags, and forks that answer at once, of one call."""

MAX_REQUESTS = 64
"""Requests within a call that are remembered, so that their retransmissions are known."""

WAITING: Final[Nanoseconds] = 10 * MINUTE
"""A call that nobody answers is forgotten after this: three times the longest ringing that RFC 3261, 16.6, foresees.
One that is over is remembered as long, to know its retransmissions."""

SILENT: Final[Nanoseconds] = 4 * HOUR
"""An answered call without session timer of which no more is heard is over after this."""

UNCOUNTED: Final = -1
"""No CSeq that anybody sends."""

SHORTEST_TIMER: Final = 90
"""Seconds (RFC 4028, 5). Whoever asks for less would make a living call look dead."""

LONGEST_TIMER: Final = 86_400

SWEEP: Final[Nanoseconds] = MINUTE
"""Within this time of the packets each answered call is looked at once."""


class State(Enum):
    """How far a call is."""

    OFFERED = "offered"
    REFUSED = "refused"
    """By a final answer, which a later 2xx overrules."""
    ANSWERED = "answered"
    OVER = "over"


OFFERED: Final = State.OFFERED
REFUSED: Final = State.REFUSED
ANSWERED: Final = State.ANSWERED
OVER: Final = State.OVER
# As names of the module they are found in a third of the time, and that for every message.


class Call:
    """One call: what later messages must be compared with, and nothing that was said already."""

    __slots__ = (
        "asserted",
        "both_ways",
        "branches",
        "caller_tags",
        "capture",
        "challenged",
        "dialogs",
        "forwarded",
        "frame",
        "gone",
        "hops",
        "id",
        "latest",
        "life",
        "media",
        "number",
        "offer",
        "offers",
        "rebuilt",
        "redirected",
        "refused",
        "reply",
        "requests",
        "seen",
        "state",
        "target",
    )

    def __init__(self, call_id: str, number: int, hop: Flow, target: str, caller_tag: str) -> None:
        self.id = call_id
        self.state = OFFERED
        self.number = number
        """CSeq of the latest INVITE that asks for the call itself."""
        self.latest = number
        """The highest CSeq of the caller that was seen; `UNCOUNTED` when the first ones were not."""
        self.target = target
        self.hops: tuple[Flow, ...] = (hop,)
        """On which that INVITE was captured."""
        self.caller_tags: tuple[str, ...] = (caller_tag,)
        self.branches: tuple[str, ...] = ()
        """Via branches of those INVITEs: the ACK of a refusal has the same, the ACK of an answer another."""
        self.asserted: tuple[str, ...] = ()
        self.offers = 1
        self.rebuilt = False
        """Told from a later message; the INVITE was not seen."""
        self.both_ways = False
        """Both the INVITE and its answer were seen: the mirror shows both directions."""
        self.refused = -1
        """CSeq of the latest INVITE whose refusal was told."""
        self.challenged = -1
        """CSeq of the latest INVITE that was answered by a challenge: its ACK is no news."""
        self.redirected = False
        self.forwarded = False
        self.dialogs: tuple[tuple[str, str], ...] = ()
        """Tags of caller and callee of those that answered and have not hung up."""
        self.gone: tuple[tuple[str, str], ...] = ()
        self.requests: dict[str, None] | None = None
        self.offer = self.reply = 0
        """Hash of the session description that caller and callee announced last."""
        self.media: CallMedia | None = None
        self.life = SILENT
        self.seen: Nanoseconds = 0
        self.capture = ""
        self.frame = 0

    def touch(self, at: Nanoseconds, capture: str, frame: int) -> None:
        """A sign of life."""
        self.seen = at
        self.capture = capture
        self.frame = frame

    @property
    def last_evidence(self) -> Evidence:
        """The last frame in which the call was seen."""
        return Evidence(capture=self.capture, frame=self.frame)

    def side_of(self, tag: str, source: bytes) -> Side:
        """Who sends a request whose From has this tag."""
        if not tag:
            # Before RFC 3261 a From needed no tag.
            return "caller" if any(source_of(hop) == source for hop in self.hops) else "callee"
        return "caller" if tag in self.caller_tags else "callee"

    def is_new(self, request: str) -> bool:
        """Whether a request within the call is seen for the first time."""
        known = self.requests
        if known is None:
            known = self.requests = {}
        elif request in known:
            return False
        if len(known) >= MAX_REQUESTS:
            for old in list(known)[: MAX_REQUESTS // 2]:
                del known[old]
        known[request] = None
        return True

    def add_caller(self, tag: str, hop: Flow, branch: str) -> None:
        """The INVITE was seen on one more hop, or once more with credentials."""
        if tag not in self.caller_tags:
            self.caller_tags = (*self.caller_tags[-MAX_TAGS:], tag)
        if hop not in self.hops:
            self.hops = (*self.hops[-MAX_TAGS:], hop)
        if branch not in self.branches:
            self.branches = (*self.branches[-MAX_TAGS:], branch)

    def add_dialog(self, caller: str, callee: str) -> None:
        """A fork has answered, or the answer was seen on one more hop."""
        pair = (caller, callee)
        if pair not in self.dialogs and pair not in self.gone and (callee, caller) not in self.dialogs:
            self.dialogs = (*self.dialogs[-MAX_TAGS:], pair)
            if caller not in self.caller_tags:
                self.caller_tags = (*self.caller_tags[-MAX_TAGS:], caller)

    def hang_up(self, sender: str, receiver: str) -> bool | None:
        """Whether a BYE with these tags of From and To ends the call; none when it is of no dialog of this call.

        The BYE to a fork that answered second leaves the call as it is.
        """
        for pair in ((sender, receiver), (receiver, sender)):
            if pair in self.dialogs:
                self.dialogs = tuple(other for other in self.dialogs if other != pair)
                self.gone = (*self.gone[-MAX_TAGS:], pair)
                return all(other[0] != pair[0] for other in self.dialogs)
            if pair in self.gone:
                return False
        known = {*self.caller_tags, *(callee for _, callee in self.dialogs)}
        return True if sender in known or receiver in known else None


class CallTable:
    """Every call that is going on or was a moment ago."""

    def __init__(self, most: int = Limits().calls) -> None:
        self._most = most
        self.answered: OrderedDict[str, Call] = OrderedDict()
        self.waiting: OrderedDict[str, Call] = OrderedDict()
        """Not answered, or over: what is forgotten first, oldest first."""
        self._swept: Nanoseconds = 0

    def __len__(self) -> int:
        return len(self.answered) + len(self.waiting)

    def get(self, call_id: str) -> Call | None:
        """The call of that name."""
        return self.answered.get(call_id) or self.waiting.get(call_id)

    def add(self, call: Call) -> Call | None:
        """Remembers a call that is offered; gives the one that had to be forgotten for it, if any."""
        evicted: Call | None = None
        waiting = len(self.waiting)
        if len(self.answered) + waiting >= self._most:
            crowded = waiting * WAITING_ROOM >= self._most or not self.answered
            _, evicted = (self.waiting if crowded else self.answered).popitem(last=False)
        self.waiting[call.id] = call
        return evicted

    def answer(self, call: Call) -> None:
        """The call is answered."""
        call.state = ANSWERED
        self.answered[call.id] = call
        del self.waiting[call.id]

    def end(self, call: Call) -> None:
        """The call is over; its name is remembered a while."""
        call.state = OVER
        self.answered.pop(call.id, None)
        self.waiting[call.id] = call
        self.waiting.move_to_end(call.id)

    def drop_waiting(self, at: Nanoseconds) -> Iterator[Call]:
        """Forgets those that were not answered, or are over, for `WAITING`."""
        waiting = self.waiting
        while waiting:
            oldest = next(iter(waiting.values()))
            if oldest.seen + WAITING > at:
                return
            del waiting[oldest.id]
            yield oldest

    def expired(self, at: Nanoseconds) -> list[Call]:
        """Answered calls of which nothing was heard for longer than they live without.

        Looks at a share of the table that grows with the time since the last look: all of it each `SWEEP`.
        """
        answered = self.answered
        elapsed = at - self._swept
        self._swept = at
        dead: list[Call] = []
        for _ in range(min(len(answered), 1 + len(answered) * min(elapsed, SWEEP) // SWEEP)):
            call_id, call = answered.popitem(last=False)
            if call.seen + call.life <= at:
                dead.append(call)
            else:
                answered[call_id] = call
        return dead


def timer_of(value: str) -> Nanoseconds | None:
    """The seconds of Session-Expires (RFC 4028, 4) as a life span, within reason; none when it is no number."""
    text = value.partition(";")[0].strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return max(SHORTEST_TIMER, min(int(text), LONGEST_TIMER)) * SECOND
