"""Who is expected: invitations of a calendar, their occurrences, and the people of a directory.

*Addresses* are canonical, in the one spelling that the whole house compares: `tel:+31201234567` (E.164, no visual
separators), `sip:user@host`, `mailto:addr` (lower case).
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from hmac import compare_digest, digest
from typing import Protocol

import msgspec

from monitor.model.evidence import Nanoseconds
from monitor.model.meetings import MeetingRef

Address = str


class Secret:
    """A PIN of an invitation: can be compared, and neither printed, logged nor serialised."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def matches(self, digits: str) -> bool:
        """Whether these are the digits, in constant time."""
        return compare_digest(self._digits.encode(), digits.encode())

    def digest(self, key: bytes) -> bytes:
        """HMAC-SHA-256 of the digits, for another process to compare with: as good as its key is secret."""
        return digest(key, self._digits.encode(), "sha256")

    def __repr__(self) -> str:
        return f"Secret({len(self._digits)} digits)"


class MeetingText(msgspec.Struct, frozen=True, kw_only=True):
    """What a text (a description, a link, a `tel:` string) says of how to reach a meeting."""

    refs: tuple[MeetingRef, ...] = ()
    pins: tuple[Secret, ...] = ()
    """Numeric PINs for those who dial in. Passwords that no telephone can type are not kept at all."""


class Role(StrEnum):
    """Why somebody is expected."""

    ORGANIZER = "organizer"
    ATTENDEE = "attendee"
    DELEGATE = "delegate"
    ROOM = "room"


class Invitee(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the invitation: a person, a delegate or a room."""

    address: Address
    """As invited, mostly `mailto:`."""
    name: str = ""
    role: Role = Role.ATTENDEE


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting at one time: an invitation, or one instance of a recurring one with its own list."""

    uid: str
    """The iCalendar UID of the series."""
    start: Nanoseconds
    end: Nanoseconds
    summary: str = ""
    refs: tuple[MeetingRef, ...] = ()
    invitees: tuple[Invitee, ...] = ()
    has_pin: bool = False
    """The invitation holds a numeric PIN for those who dial in."""
    classification: str = ""
    """The marking found in title, description, CLASS or CATEGORIES; empty when it has none."""

    @property
    def id(self) -> str:
        """One name for this occurrence: the series and its start."""
        return f"{self.uid}/{self.start}"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of the directory, with every address that is theirs. A room system is a person too."""

    name: str
    addresses: tuple[Address, ...] = ()
    ranges: tuple[str, ...] = ()
    """Prefixes in E.164 (`+3170426`) of direct numbers that are all this person's or room's."""
    delegates: tuple[Address, ...] = ()
    """Who may come in their place."""


class Calendar(Protocol):
    """The expected meetings, asked by name and time."""

    def around(self, meeting: MeetingRef, at: Nanoseconds) -> Sequence[Occurrence]:
        """Occurrences of the meeting on the local date of `at` or the dates beside it, by start."""
        ...

    def series_of(self, meeting: MeetingRef) -> Sequence[str]:
        """UIDs of every series that has this name, whenever it takes place; empty when no calendar knows it."""
        ...

    def knows_pin(self, meeting: MeetingRef, digits: str) -> bool | None:
        """Whether these digits are the meeting's PIN; none when no invitation tells a PIN."""
        ...

    def named(self) -> Iterable[tuple[MeetingRef, tuple[Secret, ...]]]:
        """Every name of a meeting, and the PINs that stand beside it: for whoever must know them elsewhere."""
        ...


class Directory(Protocol):
    """The people, asked by address."""

    def people_with(self, address: Address) -> Sequence[Person]:
        """Everybody who has this address: several for a shared phone."""
        ...


ReadText = Callable[[str], MeetingText]
"""The platforms' reading of any text of an invitation, handed to whoever loads calendars."""
PinCheck = Callable[[MeetingRef, str], bool | None]
NumberText = Callable[[str], Address | None]
"""A number as dialled, printed or asserted → `tel:+E164`; none when it is no number."""


def addresses_of(invitees: Iterable[Invitee], directory: Directory) -> frozenset[Address]:
    """Every address under which one of these invitees, or their delegate, may appear."""
    found: set[Address] = set()
    for invitee in invitees:
        found.add(invitee.address)
        for person in directory.people_with(invitee.address):
            found.update(person.addresses)
            for delegate in person.delegates:
                found.add(delegate)
                for other in directory.people_with(delegate):
                    found.update(other.addresses)
    return frozenset(found)
