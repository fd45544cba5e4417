"""What a decoder knows of calls that go on, as another decoder can take it over: no keys, no text, nothing secret."""

from typing import Literal

import msgspec

from monitor.model.evidence import Nanoseconds
from monitor.model.meetings import MeetingRef, Slot


class MediaSaved(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One side of a call wants its media at an address."""

    side: Literal["caller", "callee"]
    address: bytes
    port: int
    events: tuple[int, ...]
    """Payload types that are telephone-events."""
    redundancy: tuple[int, ...] = ()


class CallSaved(msgspec.Struct, frozen=True, kw_only=True):
    """One call, as far as later messages must be compared with it."""

    call: str
    seen: Nanoseconds
    answered: bool
    number: int
    """CSeq of the latest INVITE."""
    latest: int = 0
    """The highest of the caller's, as far as it is known; 0 where nobody has noted it."""
    target: str
    """Empty where it may hold a secret: then it is not known."""
    hops: tuple[bytes, ...]
    caller_tags: tuple[str, ...]
    branches: tuple[str, ...]
    dialogs: tuple[tuple[str, str], ...]
    asserted: tuple[str, ...] = ()
    life: Nanoseconds = 0
    media: tuple[MediaSaved, ...] = ()
    events: tuple[tuple[Literal["caller", "callee"], bytes, bytes], ...] = ()
    """The latest telephone-events by side: their names, and how far they were; never which keys they were."""


class KeypadSaved(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller has entered at a bridge, without the digits. A group that was not ended is lost."""

    call: str
    at: Nanoseconds
    platform: str
    site: str
    answered: bool = True
    attempt: int = 0
    meeting: MeetingRef | None = None
    slots: tuple[Slot, ...] = ()
    frayed: bool = False
    """Keys may be missing."""
    number: str = ""
    """Of a meeting's number as much as was entered; once a meeting is named, nothing of what is entered is kept."""
    typing: bool = False
    """A group behind the number was begun: what was entered of it is lost."""
    by_length: bool = False
    """The number was complete without `#`, which may still come."""
