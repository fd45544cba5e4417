"""What the daemon's processes say to each other. Nothing here holds a PIN, nor anything that is not meant to leave."""

import msgspec

from monitor.model.calls import SignallingEvent
from monitor.model.evidence import Nanoseconds
from monitor.model.meetings import MeetingRef
from monitor.model.oddities import Oddity
from monitor.model.policy import Policy
from monitor.model.resumed import CallSaved, KeypadSaved


class RingTold(msgspec.Struct, frozen=True, kw_only=True):
    """One ring that a decoder shall read."""

    interface: str
    link: int
    """LINKTYPE of its frames; a decoder may sit where the interface is not."""
    size: int
    block: int
    pumped: bool = False
    """By libpcap, in the process of capture: memory and a socket come along instead of a packet socket."""


class Rings(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """capture → decode: the rings to read, whose sockets come along, and behind them the page of progress."""

    rings: tuple[RingTold, ...]
    hep: bool = False
    """Whether two more come along, to which capture agents send: one of UDP, one of TCP."""


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What one process has used of the machine."""

    private_bytes: int = 0
    """At this moment, for itself alone: rings, which it shares, are not among it."""
    cpu_seconds: float = 0.0
    """Since it began."""


class Received(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """capture → decode: what the interfaces say that they received, ever."""

    packets: dict[str, int]
    down: tuple[str, ...] = ()
    """Interfaces that are not up."""
    dropped: dict[str, int] = {}
    """By libpcap, ever; rings tell it themselves."""
    missed: dict[str, int] = {}
    """By the interfaces themselves, ever: before they counted them as received."""
    used: Used = Used()
    """By capture itself."""


FromCapture = Rings | Received


class Alive(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """decode → capture: a sign of life, at least once a second."""

    frames: int


class Attach(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """decode → capture: another filter, where capture alone has the interface open."""

    place: int
    """Of the ring, among all."""
    program: tuple[tuple[int, int, int, int], ...]


FromReader = Alive | Attach


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting of the calendars, as far as a decoder must know it."""

    ref: MeetingRef
    pins: tuple[bytes, ...] | None = None
    """Keyed digests of its PINs; none when no invitation tells a PIN."""


class Lists(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """serve → decode: what may be a meeting here, and which keys are its PIN."""

    policy: Policy
    access_numbers: dict[str, str]
    meetings: tuple[Meeting, ...]
    key: bytes
    """Of the digests: made anew by each serve."""


class Taken(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """serve → decode: everything up to this number is in memory, and need not be sent again."""

    number: int


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """serve → decode: calls that the decoder before this one was reading. Comes once, behind the first lists."""

    calls: tuple[CallSaved, ...]
    keypads: tuple[KeypadSaved, ...]


ToDecode = Lists | Resume | Taken


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the packets of one interface, since the daemon began. received = filtered + dropped + taken."""

    received: int
    """By the interface's own count."""
    dropped: int
    """By the kernel: the ring was full."""
    taken: int
    up: bool = True
    missed: int = 0
    """By the interface itself; not among those received."""


class Said(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """decode → serve: what was on the wire, and how far packet time is."""

    decoder: str
    """A name for one life of one decoder: numbers begin anew with it."""
    number: int
    """Counts the messages that hold events, from 1; 0 for one without."""
    now: Nanoseconds
    events: tuple[SignallingEvent | Oddity, ...] = ()
    calls: tuple[CallSaved, ...] = ()
    """Those that the events are about, as they are behind them."""
    keypads: tuple[KeypadSaved, ...] = ()
    over: tuple[str, ...] = ()
    """Calls that need not be resumed any more."""
    lossy: bool = False
    """So much is lost that what was not seen proves nothing."""
    counts: dict[str, int] | None = None
    """All totals, now and then."""
    traffic: dict[str, Traffic] | None = None
    sizes: dict[str, int] | None = None
    """How full each table is, by its name in `Limits`; with the totals."""
    used: Used | None = None
    """By this decoder; with the totals."""
    capture_used: Used | None = None
    """By capture, as it has told this decoder."""


class Moved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """decode → serve: the clock was wrong until now, and what is remembered of that time is to be moved by so much."""

    by: Nanoseconds
    begin: Nanoseconds
    """By the clock as it was: since when anybody has looked at it."""
    end: Nanoseconds


FromDecode = Said | Moved
