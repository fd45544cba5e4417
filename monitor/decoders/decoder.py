"""What a decoder is: packets of one protocol come in, what was said in it goes out.

A decoder does no input or output and asks no clock: time comes in with the packets, also to timeouts.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final, Protocol, TypeAlias, runtime_checkable

from monitor.model.asks import Ask
from monitor.model.calls import DecodedEvent
from monitor.model.evidence import Nanoseconds
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import Datagram, OtherReading, Packet, StreamData, StreamEnd, StreamGap, evidence_of
from monitor.model.resumed import CallSaved

Decoded: TypeAlias = DecodedEvent | Oddity

Widen: TypeAlias = Callable[[Ask], None]
"""Asks the packet filter for more, from the next packet on."""

NOTHING: Final[tuple[Decoded, ...]] = ()
"""What most packets have to say."""


class Verdict(Enum):
    """Does a decoder know these bytes?"""

    MINE = "mine"
    NOT_MINE = "not mine"
    UNSURE = "unsure"
    """Too few bytes of a stream to tell."""


MINE: Final = Verdict.MINE
NOT_MINE: Final = Verdict.NOT_MINE
UNSURE: Final = Verdict.UNSURE


class Stream(Protocol):
    """One direction of one TCP connection, in one protocol."""

    @property
    def held(self) -> int:
        """Bytes of a message that is not whole yet."""
        ...

    def feed(self, packet: StreamData) -> Iterable[Decoded]:
        """Takes the next bytes, which may end anywhere in a message."""
        ...

    def gap(self, packet: StreamGap) -> Iterable[Decoded]:
        """Takes note that bytes are lost."""
        ...

    def close(self, packet: StreamEnd) -> Iterable[Decoded]:
        """Takes note that there is no more."""
        ...


class Decoder(Protocol):
    """One protocol over all its conversations; it keeps what its messages must be compared with."""

    counts: dict[str, int]
    """Every key is there from the start."""

    @property
    def sizes(self) -> dict[str, int]:
        """How full each of its tables is, by its name in `Limits`."""
        ...

    def probe(self, head: bytes) -> Verdict:
        """Whether a stream that begins with these bytes is of this protocol."""
        ...

    def datagram(self, packet: Datagram) -> Sequence[Decoded] | None:
        """Takes a datagram; none when it is of another protocol."""
        ...

    def stream(self, packet: StreamData) -> Stream | None:
        """A reader for the stream that begins with this packet; none when the protocol has no streams."""
        ...

    def other(self, packet: OtherReading, /) -> Iterable[Decoded]:
        """Takes a stretch of a stream of which copies differ."""
        ...

    def advance(self, at: Nanoseconds, /) -> Iterable[Decoded]:
        """Forgets what is over by now; called about once in a second of packet time."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A decoder whose calls another life of it can go on with."""

    def saved(self, call: str) -> CallSaved | None:
        """The call as it is now; none when it is over or unknown."""
        ...

    def resume(self, saved: CallSaved) -> None:
        """Go on with this call."""
        ...


def oddity_of(packet: Packet, protocol: str, error: Malformed) -> Oddity:
    """Bad bytes as news, with the frame that shows them."""
    return Oddity(at=packet.at, evidence=evidence_of(packet), protocol=protocol, reason=error.reason, what=error.what)


def eviction_of(packet: Packet, protocol: str, what: str) -> Oddity:
    """News that a table is full."""
    return Oddity(at=packet.at, evidence=evidence_of(packet), protocol=protocol, reason=Reason.EVICTED, what=what)
