"""Bridges tell subscribers who is in a conference: NOTIFY of the event package `conference` (RFC 4575, RFC 6665)."""

from collections import OrderedDict
from typing import Final, NamedTuple

from monitor.decoders.conference_info import MEDIA_TYPE, ConferenceInfo, read_conference_info
from monitor.decoders.decoder import NOTHING, Decoded, oddity_of
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sip_address import params_of
from monitor.decoders.sip_call import CallTable
from monitor.decoders.sip_claims import tag_of, uri_of
from monitor.decoders.sip_message import SipMessage, length_of
from monitor.model.calls import RosterSeen, RosterState
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Reason
from monitor.model.packets import Datagram, Packet, destination_of, evidence_of, source_of, text_of

PACKAGE: Final = "conference"

MAX_NAMES = 16
"""URIs by which one conference is known."""

LONGEST = 86_400
"""Seconds for which a subscription is believed to go on without news."""


class Told(NamedTuple):
    """The last NOTIFY of a subscription."""

    at: Nanoseconds
    number: int
    """Its CSeq: one that is not higher was read before, on this hop or another, or was overtaken by this one."""
    version: int | None


class SipRosters:
    """Reads each document once, however often its NOTIFY is sent and on how many hops it is captured."""

    def __init__(self, table: CallTable, counts: dict[str, int], most: int = Limits().roster_subscriptions) -> None:
        self._table = table
        self._most = most
        self._counts = counts
        counts |= {"rosters": 0, "rosters_malformed": 0, "roster_subscriptions_evicted": 0}
        self._told: OrderedDict[str, Told] = OrderedDict()
        """The one longest without news first."""

    def __len__(self) -> int:
        return len(self._told)

    def advance(self, at: Nanoseconds) -> None:
        """Forgets the subscriptions in which nothing was told for longer than any lasts."""
        while self._told and next(iter(self._told.values())).at + LONGEST * SECOND < at:
            self._told.popitem(last=False)

    def read(self, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Who is in the conference, as this NOTIFY tells."""
        call = self._table.get(message.call_id)
        if call is not None:
            call.touch(packet.at, packet.capture, packet.number)
        key = f"{message.call_id} {tag_of(message.first('from'))}"
        before = self._told.get(key)
        number = message.cseq[0]
        if before is not None and number <= before.number:
            return NOTHING
        lasts = _lasting(message.first("subscription-state"))
        said: list[Decoded] = []
        version = before.version if before is not None else None
        try:
            for info in _documents_in(message, packet):
                self._counts["rosters"] += 1
                missed = None not in (version, info.version) and info.version > version + 1  # type: ignore[operator]
                said.append(_seen(info, message, packet, lasts, missed=missed))
                if info.problem is not None:
                    self._counts["rosters_malformed"] += 1
                    said.append(oddity_of(packet, PACKAGE, info.problem))
                version = info.version
        except Malformed as error:
            self._counts["rosters_malformed"] += 1
            said.append(oddity_of(packet, PACKAGE, error))
        if not said and lasts == 0:
            said.append(_seen(None, message, packet, lasts, missed=False))
        self._remember(key, Told(packet.at, number, version))
        return tuple(said)

    def _remember(self, key: str, told: Told) -> None:
        self._told[key] = told
        self._told.move_to_end(key)
        if len(self._told) > self._most:
            self._told.popitem(last=False)
            self._counts["roster_subscriptions_evicted"] += 1


def _documents_in(message: SipMessage, packet: Packet) -> list[ConferenceInfo]:
    """Every roster in the bodies of a message; as a rule there is one.

    Raises:
        Malformed: One of them cannot be read at all.
    """
    bodies = [body for kind, _, body in bodies_of(message) if kind == MEDIA_TYPE]
    if not bodies:
        return []
    if message.first("content-encoding").strip().lower() not in ("", "identity"):
        raise Malformed(Reason.UNSUPPORTED, message.body_at, "a roster that is compressed")
    stated = length_of(message.text, message.head_at)
    cut = stated is not None and stated > len(message.text) - message.body_at
    cut = cut or (isinstance(packet, Datagram) and packet.truncated)
    return [read_conference_info(body, cut=cut) for body in bodies]


def _seen(
    info: ConferenceInfo | None, message: SipMessage, packet: Packet, lasts: int | None, *, missed: bool
) -> RosterSeen:
    """The document as news; without one, only that the subscription ends."""
    names = dict.fromkeys(uri_of(message.first(name)) for name in ("from", "contact"))
    if info is not None:
        names |= dict.fromkeys(info.uris)
    entity = info.entity if info is not None else ""
    names.pop(entity, None)
    names.pop("", None)
    return RosterSeen(
        at=packet.at,
        evidence=evidence_of(packet),
        call=message.call_id,
        conference=entity,
        names=tuple(names)[:MAX_NAMES],
        version=info.version if info is not None else None,
        missed=missed,
        state=info.state if info is not None else RosterState.PARTIAL,
        whole=info is not None and info.problem is None,
        lasts=lasts,
        subject=info.subject if info is not None else "",
        title=info.title if info is not None else "",
        user_count=info.user_count if info is not None else None,
        locked=info.locked if info is not None else None,
        users=info.users if info is not None else (),
        sent_from=text_of(source_of(packet.flow)),
        sent_to=text_of(destination_of(packet.flow)),
    )


def _lasting(value: str) -> int | None:
    """The seconds that Subscription-State (RFC 6665, 8.2.3) gives, within reason; 0 for `terminated`."""
    state, _, params = value.partition(";")
    if state.strip().lower() == "terminated":
        return 0
    expires = params_of(params).get("expires", "") if params else ""
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 10:
        return None
    return min(int(expires), LONGEST)
