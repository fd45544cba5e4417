"""Who announced which media address: the way from an RTP packet to the call that it belongs to.

Signalling announces (SDP of SIP, fast start of H.323), media asks. Besides addresses it holds what one call has heard
of keys, so that a key that travels twice (as telephone-event and as INFO, or over two hops) counts once.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal, NamedTuple, TypeAlias

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.packets import Flow

Side: TypeAlias = Literal["caller", "callee"]

MAX_PASSED_OVER = 16
"""Addresses of answered calls that are passed over when another must go."""

MAX_ADDRESSES_OF_CALL = 16
"""Audio, video and content, before and after a re-INVITE, on two hops."""

MAX_CALLS_AT_ADDRESS = 4
"""Calls that name one address at a time: old ones whose end was not seen, or somebody who names another's."""

MAX_EVENTS = 64
"""Telephone-events of one call that are remembered, so that their repetitions are known."""

MAX_KEYS = 32
"""Keys of one call that are remembered for `ECHO`: nobody types faster."""

ECHO: Nanoseconds = SECOND
"""Some PBXs and gateways send a key both as telephone-event and as INFO, or pass it on with a new SSRC: within this
time the same key by another path is the same key. A person needs longer to find another telephone."""

NO_TYPES: Final[frozenset[int]] = frozenset()


class Heard:
    """A key that counted, and the paths by which it has been seen so far. Not printable: it may be part of a PIN."""

    __slots__ = ("at", "key", "paths", "side")

    def __init__(self, at: Nanoseconds, side: Side, key: str, path: bytes) -> None:
        self.at = at
        self.side = side
        self.key = key
        self.paths = {path}


class CallMedia:
    """The media side of one call: its name, its addresses, and the keys heard in it."""

    __slots__ = ("addresses", "call", "events", "heard", "is_answered")

    events: dict[Side, dict[bytes, bytes]] | None
    """By the side that presses: timestamp and SSRC of a telephone-event → of its latest packet the flags, and of a
    plain one the duration and the sequence number as well. Never which key it was."""

    def __init__(self, call: str) -> None:
        self.call = call
        self.addresses: list[bytes] = []
        self.events = None
        self.is_answered = False
        """Its addresses are kept before those of calls that nobody has answered."""
        self.heard: list[Heard] | None = None
        """Only what is younger than `ECHO`, as long as keys come."""

    def events_by(self, side: Side) -> dict[bytes, bytes]:
        """The telephone-events of one side; two lazy devices may choose the same SSRC."""
        if self.events is None:
            self.events = {"caller": {}, "callee": {}}
        return self.events[side]

    def counts(self, at: Nanoseconds, side: Side, key: str, path: bytes) -> bool:
        """Whether this key is news: not the echo, by another path, of one that counted less than `ECHO` ago.

        Each path is one account of the same keys, so that two quick fives by each of two paths are two fives.
        """
        heard = self.heard = [one for one in self.heard or () if at - one.at <= ECHO]
        for one in heard:
            if one.key == key and one.side == side and path not in one.paths:
                one.paths.add(path)
                return False
        if len(heard) >= MAX_KEYS:
            del heard[: MAX_KEYS // 2]
        heard.append(Heard(at, side, key, path))
        return True


class Announced(NamedTuple):
    """One side of one call wants its media at an address."""

    media: CallMedia
    side: Side
    events: AbstractSet[int]
    """Payload types that are telephone-events for whoever sends there."""
    redundancy: AbstractSet[int]
    """Payload types that wrap others (RFC 2198)."""


class MediaAddresses:
    """Every media address that a living call has announced."""

    def __init__(self, most: int = Limits().media_addresses) -> None:
        self._most = most
        self._at: OrderedDict[bytes, tuple[Announced, ...]] = OrderedDict()
        self.counts = {"media_addresses_evicted": 0}
        self.readers: list[Callable[[], None]] = []
        """Called before a question: a description need not be read before somebody wants to know what is in it."""

    def __len__(self) -> int:
        return len(self._at)

    def announce(
        self, media: CallMedia, side: Side, address: bytes, port: int, events: AbstractSet[int], red: AbstractSet[int]
    ) -> None:
        """Takes note that this side of the call wants its media there; what it said before of that address is void."""
        place = address + port.to_bytes(2, "big")
        news = Announced(media, side, events, red)
        here = self._at.get(place)
        if here is None:
            if len(media.addresses) >= MAX_ADDRESSES_OF_CALL:
                self._leave(media, media.addresses.pop(0))
            if len(self._at) >= self._most:
                self._evict()
            self._at[place] = (news,)
            media.addresses.append(place)
            return
        others = tuple(one for one in here if one.media is not media or one.side != side)
        self._at[place] = (*others[-MAX_CALLS_AT_ADDRESS + 1 :], news)
        if place not in media.addresses:
            media.addresses.append(place)

    def _evict(self) -> None:
        """Forgets the oldest address; those of answered calls get a second chance."""
        for _ in range(MAX_PASSED_OVER):
            place, here = next(iter(self._at.items()))
            if not any(one.media.is_answered for one in here):
                break
            self._at.move_to_end(place)
        self._at.popitem(last=False)
        self.counts["media_addresses_evicted"] += 1

    def forget(self, media: CallMedia) -> None:
        """The call is over: others may use its addresses."""
        for place in media.addresses:
            self._leave(media, place)
        media.addresses.clear()

    def _leave(self, media: CallMedia, place: bytes) -> None:
        here = self._at.get(place)
        if here is None:
            return
        others = tuple(one for one in here if one.media is not media)
        if others:
            self._at[place] = others
        else:
            del self._at[place]

    def announced_by(self, media: CallMedia) -> list[tuple[bytes, Announced]]:
        """Every address of this call, with its port behind it, and what it wants there."""
        self.settle()
        return [(place, one) for place in media.addresses for one in self._at.get(place, ()) if one.media is media]

    def settle(self) -> None:
        """Has everything read that was announced so far; asked before `receivers` and `senders`."""
        for read in self.readers:
            read()

    def receivers(self, flow: Flow) -> tuple[Announced, ...]:
        """Who announced the destination of this flow, oldest first."""
        return self._at.get(flow[(len(flow) - 4) >> 1 : -4] + flow[-2:], ())

    def senders(self, flow: Flow) -> tuple[Announced, ...]:
        """Who announced the source of this flow, oldest first."""
        return self._at.get(flow[: (len(flow) - 4) >> 1] + flow[-4:-2], ())


OTHER: Final[Mapping[Side, Side]] = {"caller": "callee", "callee": "caller"}
"""The other side of a call."""
