"""Who is in which meeting now, found again by meeting and person."""

from itertools import islice

from monitor.model.readings import call_of
from monitor.model.roster import Participant, Trust

MAX_TWINS = 32
"""Legs of one person told in one change; a person has a phone, a room and a laptop."""


class Roster:
    """Everybody who was admitted and has not left. As large as the legs that hold it, so bounded by them."""

    def __init__(self) -> None:
        self._present: dict[str, Participant] = {}
        self._by_name: dict[tuple[str, str, str], dict[str, Participant]] = {}

    def __len__(self) -> int:
        return len(self._present)

    def holds(self, participant: Participant) -> bool:
        """Whether this participant is still there, as it is told here."""
        return self._present.get(participant.id) is participant

    def get(self, name: str) -> Participant | None:
        """The participant of that id, as told last; none when they are not there."""
        return self._present.get(name)

    def add(self, participant: Participant) -> None:
        """Somebody was admitted, or is known better."""
        known = self._present.get(participant.id)
        if known is not None:
            self.remove(known)
        self._present[participant.id] = participant
        for name in _names_of(participant):
            self._by_name.setdefault(name, {})[participant.id] = participant

    def remove(self, participant: Participant) -> None:
        """Somebody is gone."""
        self._present.pop(participant.id, None)
        for name in _names_of(participant):
            same = self._by_name.get(name)
            if same is not None:
                same.pop(participant.id, None)
                if not same:
                    del self._by_name[name]

    def twins_of(self, participant: Participant) -> tuple[Participant, ...]:
        """Who else is in the same meeting as the same person or under the same address, in the order of joining."""
        twins: dict[str, Participant] = {}
        for name in _names_of(participant):
            twins |= islice(self._by_name.get(name, {}).items(), MAX_TWINS)
        twins.pop(participant.id, None)
        if participant.call:
            # One call that can be read in two ways is not there twice.
            twins = {name: twin for name, twin in twins.items() if call_of(twin.call) != call_of(participant.call)}
        return tuple(sorted(twins.values(), key=lambda twin: (twin.joined_at, twin.id)))


def _names_of(participant: Participant) -> list[tuple[str, str, str]]:
    """What makes two legs the same person's: the address, or a person of the directory."""
    if participant.identity.trust is Trust.NONE:
        return []
    meeting = (participant.meeting.platform, participant.meeting.key)
    # Two people may have one name; their addresses tell them apart.
    people = (f"person:{p.name} {' '.join((*p.addresses, *p.ranges))}" for p in participant.people)
    return [(*meeting, participant.identity.subject), *((*meeting, person) for person in people)]
