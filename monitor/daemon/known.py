"""What a decoder knows of the lists: serve tells it names of meetings and digests of PINs, and nothing of people."""

from collections.abc import Sequence
from hmac import compare_digest, digest

from monitor.daemon.messages import Lists
from monitor.model.evidence import Nanoseconds
from monitor.model.invitations import Occurrence, Secret
from monitor.model.meetings import MeetingRef
from monitor.pipeline import Expected, NoDirectory


class Known:
    """The meetings of the calendars, as serve tells them: names, and digests of PINs."""

    def __init__(self) -> None:
        self._meetings: dict[str, list[tuple[str, frozenset[bytes] | None]]] = {}
        self._key = b""

    def learn(self, lists: Lists) -> None:
        """From now on, these."""
        self._key = lists.key
        self._meetings = {}
        for meeting in lists.meetings:
            pins = None if meeting.pins is None else frozenset(meeting.pins)
            self._meetings.setdefault(_name(meeting.ref), []).append((meeting.ref.site, pins))

    def series_of(self, meeting: MeetingRef) -> Sequence[str]:
        """A name for each series that has this meeting; only how many matters here."""
        return tuple(site for site, _ in self._with(meeting))

    def knows_pin(self, meeting: MeetingRef, digits: str) -> bool | None:
        """Whether these digits are a PIN of the meeting; none when no invitation tells one."""
        told = [pins for _, pins in self._with(meeting) if pins is not None]
        if not told:
            return None
        name = digest(self._key, digits.encode(), "sha256")
        return any(compare_digest(name, pin) for pins in told for pin in pins)

    def named(self) -> Sequence[tuple[MeetingRef, tuple[Secret, ...]]]:
        """Only serve has their PINs."""
        return ()

    def around(self, meeting: MeetingRef, at: Nanoseconds) -> Sequence[Occurrence]:
        """Occurrences are for serve."""
        del meeting, at
        return ()

    def _with(self, meeting: MeetingRef) -> list[tuple[str, frozenset[bytes] | None]]:
        named = self._meetings.get(_name(meeting), ())
        return [one for one in named if not one[0] or not meeting.site or one[0] == meeting.site]


def _name(ref: MeetingRef) -> str:
    return f"{ref.platform} {ref.kind} {ref.value}"


def expected_of(lists: Lists, known: Known) -> Expected:
    """What the stages up to `platforms` ask."""
    from monitor.sources.numbers import number_text_for

    return Expected(
        policy=lists.policy,
        calendar=known,
        directory=NoDirectory(),
        number_text=number_text_for(lists.policy.country_code),
        access_numbers=lists.access_numbers,
    )
