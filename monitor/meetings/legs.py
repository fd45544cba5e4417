"""One leg: a call on its way into a meeting, and what it has shown so far; and the table of them all."""

from collections import OrderedDict
from collections.abc import Iterator
from enum import IntEnum

from monitor.model.calls import CallAnswered, CallOffered
from monitor.model.evidence import Evidence, Fact, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.meetings import MeetingRef, Slot, SlotState
from monitor.model.roster import Participant

WAITING_ROOM = 8
"""So many-th of the table is for those who ring, and as much for those who only talk: none of them is pushed out for
another while there are fewer."""

MAX_OFFERS = 8
"""Hops and halves of one call whose claims are remembered."""

MAX_PARTY = 8
"""Legs of one call that live at once."""

MAX_FACTS = 24
"""Facts kept for one leg: an honest dial-in has about six."""

FIRST_FACTS = 8
"""Of these, the first ones that are never given up for later ones."""

MAX_SLOTS = 32
"""Groups of keys kept for one attempt; a bridge hangs up after three to ten wrong PINs."""


class Stage(IntEnum):
    """How far a leg is: the further, the later it is given up when there is no more room."""

    RINGING = 0
    """Offered, and nothing more; or refused, which a later answer overrules."""
    TALKING = 1
    """Answered, or keys were pressed in it."""
    INSIDE = 2
    """Admitted."""


class Leg:
    """A call while it lives. Mutable: the records that leave it are not."""

    __slots__ = (
        "answered",
        "asked_at",
        "attempt",
        "by_bridge",
        "dial_in",
        "doomed",
        "due",
        "facts",
        "frayed",
        "held",
        "keys_at",
        "keys_seen",
        "meeting",
        "name",
        "offers",
        "participant",
        "party",
        "redirected",
        "refused",
        "replaced",
        "signs",
        "slots",
        "stage",
        "takes_place_of",
        "timed",
    )

    def __init__(self, offered: CallOffered) -> None:
        self.name = offered.call
        """Under which the table has it: the Call-ID, until another call takes that."""
        self.offers = [offered]
        """The first says where the call went; every one may say who calls."""
        self.answered: CallAnswered | None = None
        self.stage = Stage.RINGING
        self.by_bridge = False
        self.dial_in = False
        self.redirected = False
        self.refused = False
        self.doomed = False
        """Its caller was seen to acknowledge a refusal that was not seen itself."""
        self.held = False
        """Its 20 s have passed; but where so much is lost, that nobody was seen to hang up says little."""
        self.replaced = False
        """Another leg of the same party goes on in its place: its end is nobody's leaving."""
        self.signs: tuple[tuple[str, str], ...] = ()
        """The number that was called, with each name of the caller: what the halves of one call have in common."""
        self.takes_place_of: Leg | None = None
        self.meeting: MeetingRef | None = None
        self.attempt = 0
        self.slots: tuple[Slot, ...] = ()
        self.frayed = False
        """Keys of it may be missing."""
        self.keys_at: Nanoseconds = 0
        """When the last key was pressed."""
        self.keys_seen: Evidence = offered.evidence
        """And where that can be seen."""
        self.asked_at: Nanoseconds = 0
        """When the last group of keys was complete that answers a question of the bridge."""
        self.due: Nanoseconds = 0
        """When it is admitted if nothing happens before; 0 when nothing is awaited."""
        self.facts: list[Fact] = []
        self.participant: Participant | None = None
        self.party = Party(self)
        self.timed = False
        """A timer is running that will look at `due`."""

    @property
    def offered(self) -> CallOffered:
        """The offer that began it."""
        return self.offers[0]

    @property
    def is_rebuilt(self) -> bool:
        """Its offer was made up from its answer; the INVITE itself was not seen, or comes late."""
        return self.answered is not None and self.offered.partial and self.offered.evidence == self.answered.evidence

    @property
    def is_partial(self) -> bool:
        """No INVITE of it, nor of another half of its call, was seen from its beginning."""
        return all(offered.partial for offered in self.party.offers)

    @property
    def has_right_pin(self) -> bool:
        """The PIN of the invitation was entered: the bridge has nothing more to ask."""
        return any(slot.state is SlotState.RIGHT for slot in self.slots)

    def hear(self, offered: CallOffered) -> None:
        """The same call on its next hop, or once more with credentials."""
        if len(self.offers) < MAX_OFFERS:
            self.offers.append(offered)
        self.party.hear(offered)

    def note(self, fact: str, *evidence: Evidence) -> None:
        """Remember what was seen: the first things and the latest."""
        if len(self.facts) >= MAX_FACTS:
            del self.facts[FIRST_FACTS]
        self.facts.append(Fact(fact=fact, evidence=evidence))

    def restart(self, attempt: int, meeting: MeetingRef | None) -> None:
        """Another meeting number: what was entered after the one before no longer counts."""
        self.attempt = attempt
        self.meeting = meeting
        self.slots = ()
        self.due = 0
        self.held = False
        self.facts = [fact for fact in self.facts if not fact.fact.startswith(ENTERED)]


class Party:
    """One call of one person, as one or more legs: a back-to-back agent makes two Call-IDs of one call."""

    __slots__ = ("admitted", "legs", "offers", "participant", "spent", "voice")

    def __init__(self, leg: Leg) -> None:
        self.legs = [leg]
        """Those that live."""
        self.offers = leg.offers[:]
        """Of all its legs: each may say who calls."""
        self.participant: Participant | None = None
        """Who is in by it now."""
        self.admitted = False
        """Somebody is, or was: its end is no try in vain."""
        self.voice: Leg | None = None
        """The leg whose keys count: the same keys pass on every leg."""
        self.spent: tuple[Leg, MeetingRef] | None = None
        """A leg that ended in vain, and where it led to: said when no other leg of the call lives on."""

    def take(self, leg: Leg) -> None:
        """A leg of this call, alive."""
        leg.party = self
        if leg not in self.legs:
            self.legs.append(leg)
        for offered in leg.offers:
            self.hear(offered)

    def hear(self, offered: CallOffered) -> None:
        """One more offer: a hop or half of the call that may know better who calls."""
        if len(self.offers) < MAX_OFFERS and offered not in self.offers:
            self.offers.append(offered)

    def has_room_beside(self, leg: Leg) -> bool:
        """Whether one more leg may go with this one, which still lives."""
        return leg in self.legs and len(self.legs) < MAX_PARTY

    def lose(self, leg: Leg) -> None:
        """A leg is over: the keys of another may count."""
        if leg in self.legs:
            self.legs.remove(leg)
        if self.voice is leg:
            self.voice = None


class Legs:
    """Every leg by its Call-ID. A flood of calls that only ring pushes out its own kind; who is inside goes last."""

    def __init__(self, most: int = Limits().legs) -> None:
        self.evicted = 0
        self._most = most
        self._named: dict[str, Leg] = {}
        self._stages: tuple[OrderedDict[str, Leg], ...] = tuple(OrderedDict() for _ in Stage)

    def __len__(self) -> int:
        return len(self._named)

    def __iter__(self) -> Iterator[Leg]:
        return iter(list(self._named.values()))

    def __contains__(self, leg: Leg) -> bool:
        return self._named.get(leg.name) is leg

    def get(self, call: str) -> Leg | None:
        """The leg of that Call-ID."""
        return self._named.get(call)

    def add(self, leg: Leg) -> Leg | None:
        """Remembers a leg; gives the one that had to be forgotten for it, if any."""
        gone = None
        if len(self._named) >= self._most:
            room = self._most // WAITING_ROOM
            crowded = next((stage for stage in self._stages if len(stage) > room), self._stages[-1])
            gone = next(leg for stage in (crowded, *self._stages) for leg in stage.values())
            self.remove(gone)
            self.evicted += 1
        self._named[leg.name] = self._stages[leg.stage][leg.name] = leg
        return gone

    def move(self, leg: Leg, stage: Stage) -> None:
        """The leg has got so far."""
        if leg in self:
            self._stages[leg.stage].pop(leg.name, None)
            self._stages[stage][leg.name] = leg
        leg.stage = stage

    def rename(self, leg: Leg, name: str) -> None:
        """Another call takes its Call-ID."""
        self.remove(leg)
        leg.name = name
        self._named[name] = self._stages[leg.stage][name] = leg

    def remove(self, leg: Leg) -> None:
        """The leg is over."""
        if leg in self:
            del self._named[leg.name]
            self._stages[leg.stage].pop(leg.name, None)


ENTERED = "entered "


def told(slot: Slot, position: int) -> str:
    """A group of keys, in words and without its digits."""
    match slot.state:
        case SlotState.EMPTY:
            return f"{ENTERED}# alone as answer {position} after the meeting number"
        case SlotState.RIGHT:
            return f"{ENTERED}the right PIN ({slot.length} digits)"
        case SlotState.WRONG:
            return f"{ENTERED}{slot.length} digits that are not the PIN"
        case SlotState.FILLED:
            return f"{ENTERED}{slot.length} digits as answer {position} after the meeting number"
