"""One leg: a call on its way into a meeting, and what it has shown so far."""

from monitor.model.calls import CallAnswered, CallOffered
from monitor.model.evidence import Evidence, Fact, Nanoseconds
from monitor.model.meetings import MeetingRef, Slot, SlotState
from monitor.model.roster import Participant

MAX_FACTS = 24
"""Facts kept for one leg: an honest dial-in has about six."""

MAX_SLOTS = 16
"""Groups of keys kept for one attempt; a bridge hangs up after three wrong PINs."""


class Leg:
    """A call while it lives. Mutable: the records that leave it are not."""

    __slots__ = (
        "answered",
        "attempt",
        "by_bridge",
        "dial_in",
        "due",
        "facts",
        "keys_at",
        "meeting",
        "offered",
        "participant",
        "party",
        "slots",
        "timed",
    )

    def __init__(self, offered: CallOffered) -> None:
        self.offered = offered
        self.answered: CallAnswered | None = None
        self.by_bridge = False
        self.dial_in = False
        self.meeting: MeetingRef | None = None
        self.attempt = 0
        self.slots: tuple[Slot, ...] = ()
        self.keys_at: Nanoseconds = 0
        """When the last key was pressed."""
        self.due: Nanoseconds = 0
        """When it is admitted if nothing happens before; 0 when nothing is awaited."""
        self.facts: list[Fact] = []
        self.participant: Participant | None = None
        self.party = Party(self)
        self.timed = False
        """A timer is running that will look at `due`."""

    def note(self, fact: str, *evidence: Evidence) -> None:
        """Remember what was seen."""
        if len(self.facts) < MAX_FACTS:
            self.facts.append(Fact(fact=fact, evidence=evidence))

    def restart(self, attempt: int, meeting: MeetingRef | None) -> None:
        """Another meeting number: what was entered after the one before no longer counts."""
        self.attempt = attempt
        self.meeting = meeting
        self.slots = ()
        self.due = 0
        self.facts = [fact for fact in self.facts if not fact.fact.startswith(ENTERED)]


class Party:
    """One call of one person, as one or more legs: a back-to-back agent makes two Call-IDs of one call."""

    __slots__ = ("legs", "participant", "voice")

    def __init__(self, leg: Leg) -> None:
        self.legs = [leg]
        self.participant: Participant | None = None
        self.voice: Leg | None = None
        """The leg whose keys count: the same keys pass on every leg."""


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
