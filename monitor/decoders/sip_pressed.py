"""Keys that travel in SIP itself: INFO, KPML (RFC 4730) and NOTIFY with telephone-events."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from monitor.decoders.decoder import NOTHING, Decoded, oddity_of
from monitor.decoders.losses import Losses
from monitor.decoders.media import CallMedia, Side
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sip_address import params_of
from monitor.decoders.sip_call import OVER, SWEEP, UNCOUNTED, WAITING, Call, CallTable
from monitor.decoders.sip_claims import tag_of
from monitor.decoders.sip_keys import keys_in
from monitor.decoders.sip_message import SipMessage
from monitor.model.calls import DigitDialled, KeySource
from monitor.model.evidence import Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed
from monitor.model.packets import Packet, evidence_of, source_of

MAX_MISSED = 4
"""So many numbers between two requests are put down to losses; some devices count otherwise."""

PACKAGES: Final = frozenset({"kpml", "telephone-event", "dtmf", "dtmf-relay"})
"""Event packages whose NOTIFY tells of keys."""

Reader: TypeAlias = Callable[[SipMessage, Packet], tuple[Decoded, ...]]


class Subscription(NamedTuple):
    """Somebody asked, in a dialog apart, for the keys of one side of a call."""

    call: str
    tag: str
    """Of the side whose keys are told."""
    at: Nanoseconds
    """When it was asked for."""


class SipKeys:
    """Finds the keys in requests, and the calls that they belong to."""

    def __init__(
        self,
        table: CallTable,
        counts: dict[str, int],
        others: Mapping[str, Reader] | None = None,
        *,
        losses: Losses | None = None,
        most: int = Limits().subscriptions,
    ) -> None:
        """`others` are the readers of event packages that tell of something else."""
        self._table = table
        self._most = most
        self._counts = counts
        self._losses = losses or Losses()
        self._others = others or {}
        counts |= {"sip_keys": 0, "sip_echoes": 0, "subscriptions_evicted": 0}
        self._subscriptions: OrderedDict[str, Subscription] = OrderedDict()
        self._swept: Nanoseconds = 0

    @property
    def subscribed(self) -> int:
        """Subscriptions that are remembered."""
        return len(self._subscriptions)

    def advance(self, at: Nanoseconds) -> None:
        """Once a minute forgets the subscriptions to calls that are over, or never came."""
        if abs(at - self._swept) < SWEEP:
            return
        self._swept = at
        for name, subscription in list(self._subscriptions.items()):
            if subscription.at + WAITING < at and self._table.get(subscription.call) is None:
                del self._subscriptions[name]

    def subscribe(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Remembers whose keys a subscription outside of the call's dialog is about (RFC 4730, 3.2)."""
        event = message.first("event")
        if not event.lower().startswith("kpml"):
            return NOTHING
        params = params_of(event.partition(";")[2])
        call_id = params.get("call-id", "")
        if call_id and message.call_id != call_id:
            # The local tag is that of whoever is asked: it tells what was pressed at its own end.
            local = params.get("local-tag", "")
            if message.call_id not in self._subscriptions and len(self._subscriptions) >= self._most:
                self._subscriptions.popitem(last=False)
                self._counts["subscriptions_evicted"] += 1
            self._subscriptions[message.call_id] = Subscription(call_id, tag_of(local) or local, packet.at)
        return NOTHING

    def read(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """The keys that an INFO or NOTIFY tells of first."""
        event = message.first("event") if message.method == "NOTIFY" else ""
        package = event.partition(";")[0].strip().lower()
        if event and package not in PACKAGES:
            other = self._others.get(package)
            return NOTHING if other is None else other(message, packet)
        call, side = self._call_of(message, packet)
        if call is None:
            return NOTHING
        call.touch(packet.at, packet.capture, packet.number)
        if not call.is_new(f"{message.call_id} {side} {message.cseq[0]}"):
            return NOTHING
        try:
            keys = "".join(keys_in(kind, event, body) for kind, _, body in bodies_of(message))
        except Malformed as error:
            return (oddity_of(packet, "sip", error),)
        if not keys:
            return NOTHING
        via = KeySource.INFO if message.method == "INFO" else KeySource.KPML if package == "kpml" else KeySource.NOTIFY
        if call.media is None:
            call.media = CallMedia(call.id)
        # Two subscribers are told the same keys, each in a dialog of its own.
        path = f"{via} {message.call_id}".encode()
        missed = self._missed_before(call, message) if side == "caller" else 0
        news = [key for key in keys if call.media.counts(packet.at, side, key, path)]
        self._counts["sip_keys"] += len(news)
        self._counts["sip_echoes"] += len(keys) - len(news)
        at, seen = packet.at, evidence_of(packet)
        frayed = missed != 0
        return tuple(
            DigitDialled(
                at=at,
                evidence=seen,
                call=call.id,
                digit=key,
                by=side,
                via=via,
                frayed=frayed,
                missed=0 if number else max(missed, 0),
            )
            for number, key in enumerate(news)
        )

    def _missed_before(self, call: Call, message: SipMessage) -> int:
        """How many requests of the caller are missing before this one: each has the next number (RFC 3261, 12.2.1.1).

        -1 when the call's first ones are missing, so that nobody knows how many.
        """
        if message.call_id != call.id:
            return 0
        number, before = message.cseq[0], call.latest
        call.latest = max(before, number)
        if before == UNCOUNTED:
            return -1
        missed = min(max(number - before - 1, 0), MAX_MISSED)
        self._losses.note(1, missed)
        return missed

    def _call_of(self, message: SipMessage, packet: Packet) -> tuple[Call | None, Side]:
        """Which call, and which side of it pressed."""
        tag = tag_of(message.first("from"))
        subscription = self._subscriptions.get(message.call_id)
        if subscription is None:
            call = self._table.get(message.call_id)
        else:
            call, tag = self._table.get(subscription.call), subscription.tag
        if call is None or call.state is OVER:
            return None, "caller"
        return call, call.side_of(tag, source_of(packet.flow))
