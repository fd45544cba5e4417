"""Who is in which meeting: participants with their identity, and how the roster changes."""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from monitor.model.evidence import Fact, Nanoseconds, Sighting
from monitor.model.invitations import Address, Occurrence, Person
from monitor.model.meetings import MeetingRef, Method, Slot


class Trust(StrEnum):
    """Who vouches for an identity, best first."""

    ASSERTED = "asserted"
    """P-Asserted-Identity from a trusted trunk."""
    SCREENED = "screened"
    """Remote-Party-ID with `screen=yes` from a trusted trunk, or a number that the telephone network checked."""
    CLAIMED = "claimed"
    """From alone: the caller says so."""
    NONE = "none"
    """Anonymous."""


class Verdict(StrEnum):
    """Was this participant expected?"""

    INVITED = "invited"
    UNINVITED = "uninvited"
    ANONYMOUS = "anonymous"
    UNSCHEDULED = "unscheduled"
    """No occurrence on that date, or in no calendar, so nobody can be on its list."""


class Stir(msgspec.Struct, frozen=True, kw_only=True):
    """What STIR (RFC 8224) says of the calling number, as a trusted trunk passed it on; no signature was verified."""

    attestation: str = ""
    """`A` full, `B` partial, `C` gateway (RFC 8588); empty when no PASSporT could be read."""
    originator: Address | None = None
    """The number in the claim `orig`."""
    failed: bool = False
    """The carrier says that its verification failed (`verstat`)."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a leg is, as well as can be known."""

    subject: str
    """`tel:+E164`, `sip:user@host`, `mailto:addr`, `ip:ADDR` or `anonymous`."""
    trust: Trust
    display: str = ""
    """The name beside it, as claimed."""
    claimed: Address | None = None
    """The canonical address in From, when it holds one: may differ from the subject."""
    restricted: bool = False
    """The caller asked to be withheld, or presentation is restricted."""


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """One admitted leg: somebody who is, or was, in a meeting."""

    id: str
    """Derived from the meeting and the call, so that two runs and two sensors agree."""
    meeting: MeetingRef
    occurrence: Occurrence | None
    """The occurrence that this join belongs to; none when there is none on that local date."""
    series: tuple[str, ...] = ()
    """UIDs of the calendar series that have this meeting's name, even when no occurrence fits."""
    identity: Identity
    people: tuple[Person, ...] = ()
    """Who of the directory has this identity's address."""
    claimed_people: tuple[Person, ...] = ()
    """Who of the directory has the address that From claims, when that is another."""
    from_outside: bool = False
    """The call came by a trunk that the policy declares external."""
    stir: Stir | None = None
    method: Method
    verdict: Verdict
    joined_at: Nanoseconds
    call: str
    origin: str = ""
    """The IP address that the call came from: the trunk, proxy or endpoint."""
    by_bridge: bool = False
    """The bridge called this participant ("call me")."""
    partial: bool = False
    """Not seen from the start, but known from a roster or from later signalling: the true join was earlier."""
    demands_pin: bool = False
    """The invitation has a numeric PIN: that of the occurrence or, where none fits, that of the series."""
    slots: tuple[Slot, ...] = ()
    """What was entered after the meeting number, for a dial-in."""
    facts: tuple[Fact, ...] = ()
    """What shows the identity and the admission, each with its frames, in the order of time."""


class Joined(Sighting, frozen=True, kw_only=True):
    """Somebody was admitted. `at` is when that became certain; `participant.joined_at` when it happened.

    Said anew of the same participant when later keys show that the bridge had still been asking: the last word counts.
    """

    participant: Participant


class Left(Sighting, frozen=True, kw_only=True):
    """Somebody is gone."""

    participant: Participant
    left_at: Nanoseconds


class Stayed(Sighting, frozen=True, kw_only=True):
    """Somebody has been in the meeting for so many seconds: said once for each length that a rule asks for."""

    participant: Participant
    seconds: int
    twins: tuple[Participant, ...] = ()
    """Who else is in the meeting at this moment, by another leg, as the same person or under the same number."""


class Overstayed(Sighting, frozen=True, kw_only=True):
    """Somebody is still connected long after the end of the occurrence."""

    participant: Participant


class Tried(Sighting, frozen=True, kw_only=True):
    """Somebody named a meeting and was not admitted: refused, hung up, or went on to another number."""

    meeting: MeetingRef
    identity: Identity
    origin: str
    """The address that the call came from: the only name of an anonymous source."""
    method: Method
    call: str
    known: bool
    """Some calendar has this meeting."""
    expected: bool = False
    """The one who tried is on the list of an occurrence of this meeting at about this time."""
    slots: tuple[Slot, ...] = ()
    facts: tuple[Fact, ...] = ()


class PinRefused(Sighting, frozen=True, kw_only=True):
    """Somebody entered digits for the PIN of a meeting, and they were not its PIN."""

    meeting: MeetingRef
    occurrence: Occurrence | None
    identity: Identity
    origin: str
    call: str
    length: int


RosterChange: TypeAlias = Joined | Left | Stayed | Overstayed | Tried | PinRefused
"""What meetings give."""
