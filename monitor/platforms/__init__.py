"""Which meeting does this address, link, number or string of keys mean?

Comes in: what decoders saw, and texts of invitations. Goes out: the same calls with the meetings that they name, and
keys without their digits. A new platform is one data file in this folder and nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    Claims,
    DecodedEvent,
    DialInReached,
    DigitDialled,
    KeyPressed,
    MeetingNamed,
    RosterSeen,
    RosterUser,
    SignallingEvent,
)
from monitor.model.evidence import HOUR, Nanoseconds
from monitor.model.invitations import MeetingText, NumberText, PinCheck
from monitor.model.meetings import MeetingRef
from monitor.model.policy import Policy
from monitor.model.resumed import KeypadSaved
from monitor.platforms.addresses import Addresses, Entrance, number_ref
from monitor.platforms.atlas import Atlas
from monitor.platforms.catalog import Platform, known_platforms
from monitor.platforms.dial_in import Keypad, Stranger

if TYPE_CHECKING:
    from monitor.platforms.texts import Texts

__all__ = ["Platforms", "known_platforms"]

EXPIRY: Nanoseconds = 6 * HOUR
"""A dial-in without a key for so long presses no more that matter."""

T = TypeVar("T")


class Platforms:
    """The platforms, as the policy has them; places what happened in meetings, and reads invitations."""

    def __init__(
        self,
        policy: Policy,
        *,
        number_text: NumberText,
        pin_check: PinCheck | None = None,
        knows: Callable[[MeetingRef], bool] | None = None,
        access_numbers: Mapping[str, str] | None = None,
    ) -> None:
        self.number_text = number_text
        self.counts: dict[str, int] = dict.fromkeys(
            ("meetings_named", "dial_ins", "keys", "unknown_bridges", "dial_ins_offered_evicted", "dial_ins_evicted",
             "dial_ins_elsewhere_evicted", "dial_ins_expired", "slots_lost", "access_numbers_learned"), 0)  # fmt: skip
        self._limits = policy.limits
        self._pin_check = pin_check or _no_pin
        self._knows = knows or _nothing
        self._atlas = Atlas(policy, number_text, access_numbers or {})
        self._addresses = Addresses(self._atlas, self._knows)
        # A table each, so that a flood of calls that nobody has answered pushes out only its own kind.
        self._offered: OrderedDict[str, tuple[Nanoseconds, Entrance]] = OrderedDict()
        self._dial_ins: OrderedDict[str, tuple[Nanoseconds, Keypad]] = OrderedDict()
        self._strangers: OrderedDict[str, tuple[Nanoseconds, Stranger]] = OrderedDict()
        self._reader: Texts | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {
            "dial_ins_offered": len(self._offered),
            "dial_ins": len(self._dial_ins),
            "dial_ins_elsewhere": len(self._strangers),
        }

    def expire(self, at: Nanoseconds) -> None:
        """Forgets the dial-ins in which no key was pressed for long; called about once a minute of packet time."""
        tables = (self._offered, self._dial_ins, self._strangers)
        for table in tables:
            while table and next(iter(table.values()))[0] < at - EXPIRY:
                table.popitem(last=False)
                self.counts["dial_ins_expired"] += 1

    def read_text(self, text: str) -> MeetingText:
        """The meetings, and the numeric PINs, in any text of an invitation, in any language.

        Its access numbers count from now on as those of the platform that the text is about.
        """
        found = self._texts.read(text)
        self.counts["access_numbers_learned"] = len(self._atlas.learned)
        return found

    @property
    def learned(self) -> Mapping[str, str]:
        """Access numbers that invitations told, in E.164, with their platform: for other `Platforms` to begin with."""
        return self._atlas.learned

    def refs_of(self, link_or_uri: str) -> tuple[MeetingRef, ...]:
        """The meetings that one link, address or `tel:` string names."""
        return self._texts.refs_of(link_or_uri)

    def heeds(self, target: str, addressed_to: str, sent_from: str, sent_to: str) -> bool:
        """Whether a call may lead to a meeting, or come from a bridge; asked for every call, before it is read."""
        plain, at_bridge = self._addresses.is_ordinary, self._atlas.at_bridge
        return bool(
            not plain(target)
            or (addressed_to != target and not plain(addressed_to))
            or at_bridge(sent_to)
            or at_bridge(sent_from)
        )

    def renew(self, policy: Policy, access_numbers: Mapping[str, str]) -> None:
        """From now on by this policy; calls that are being placed go on as they began."""
        self._atlas = Atlas(policy, self.number_text, access_numbers)
        self._addresses = Addresses(self._atlas, self._knows)
        self._reader = None

    def saved(self, call: str) -> KeypadSaved | None:
        """What was entered in a call so far, without the digits; none when it is no dial-in."""
        if (found := self._dial_ins.get(call)) is not None:
            return found[1].saved(call, found[0])
        if (waiting := self._offered.get(call)) is not None:
            at, entrance = waiting
            return KeypadSaved(call=call, at=at, platform=entrance.platform.id, site=entrance.site, answered=False)
        return None

    def resume(self, saved: KeypadSaved) -> None:
        """Go on with a dial-in; a platform that is known no more is passed over."""
        platform = self._atlas.platforms.get(saved.platform)
        if platform is None:
            return
        entrance = Entrance(platform, saved.site)
        if saved.answered:
            self._pick_up(saved.call, saved.at, entrance).resume(saved)
        else:
            self._keep(self._offered, "dial_ins_offered", self._limits.dial_ins_offered, saved.call, saved.at, entrance)

    @property
    def catalog(self) -> tuple[Platform, ...]:
        """Every platform with what the policy adds: for people to read."""
        return tuple(self._atlas.platforms.values())

    def place(self, event: DecodedEvent) -> Iterable[SignallingEvent]:
        """The event without secrets, and what it means: a meeting named, a dial-in reached, a key pressed."""
        if isinstance(event, CallOffered):
            return self._offer(event)
        if isinstance(event, DigitDialled):
            return self._press(event)
        if isinstance(event, CallAnswered):
            return (self._answer(event),)
        if isinstance(event, CallForwarded):
            return self._forward(event)
        if isinstance(event, RosterSeen):
            return (self._roster(event),)
        self._close(event)
        return (event,)

    @property
    def _texts(self) -> "Texts":
        if self._reader is None:
            from monitor.platforms.texts import Texts  # its expressions take milliseconds, and many runs read no text

            self._reader = Texts(self._atlas, self._addresses)
        return self._reader

    def _offer(self, event: CallOffered) -> tuple[SignallingEvent, ...]:
        if self._is_ordinary(event):
            return (event,)
        goal = self._addresses.goal_of_call(event.target, event.addressed_to, event.sent_to)
        event = self._without_secrets(event)
        return (event, *self._reach(event, goal))

    def _reach(
        self, event: CallOffered | CallForwarded, goal: MeetingRef | Entrance | None
    ) -> tuple[SignallingEvent, ...]:
        """What is to be said of a call that leads there."""
        if goal is None:
            return ()
        if isinstance(goal, MeetingRef):
            self.counts["meetings_named"] += 1
            return (MeetingNamed(at=event.at, evidence=event.evidence, call=event.call, meeting=goal),)
        self._keep(self._offered, "dial_ins_offered", self._limits.dial_ins_offered, event.call, event.at, goal)
        return (self._reached(event, goal),)

    def _is_ordinary(self, event: CallOffered) -> bool:
        """Whether a call surely leads to no meeting and holds no secret: as nearly every call does."""
        plain, caller = self._addresses.is_ordinary, event.caller
        if caller.preferred or caller.remote_party or caller.history or self._atlas.at_bridge(event.sent_to):
            return False
        to = event.addressed_to
        return (
            plain(event.target)
            and (to == event.target or plain(to))
            and (not caller.uri or plain(caller.uri))
            and (not caller.asserted or all(map(plain, caller.asserted)))
        )

    def _clean(self, uri: str, sent_to: str = "") -> str:
        return uri if not uri or self._addresses.is_ordinary(uri) else self._addresses.without_secrets(uri, sent_to)

    def _reached(self, event: CallOffered | CallForwarded | DigitDialled, goal: Entrance) -> DialInReached:
        self.counts["dial_ins"] += 1
        return DialInReached(
            at=event.at, evidence=event.evidence, call=event.call, platform=goal.platform.id, site=goal.site
        )

    def _answer(self, event: CallAnswered) -> CallAnswered:
        waiting = self._offered.pop(event.call, None)
        if waiting is not None and event.call not in self._dial_ins:
            self._pick_up(event.call, event.at, waiting[1])
        callee, contact = self._claims(event.callee), self._clean(event.contact)
        if callee is event.callee and contact == event.contact:
            return event
        return msgspec.structs.replace(event, callee=callee, contact=contact)

    def _forward(self, event: CallForwarded) -> tuple[SignallingEvent, ...]:
        goal = None
        if event.how == "redirect" and event.to:  # the caller goes on under the same Call-ID (RFC 3261, 8.1.3.4)
            goal = self._addresses.goal_of_call(event.to[0], event.to[0], "")
        to = tuple(map(self._clean, event.to))
        event = event if to == event.to else msgspec.structs.replace(event, to=to)
        return (event, *self._reach(event, goal))

    def _roster(self, event: RosterSeen) -> RosterSeen:
        """The roster with the meeting that one of the conference's names means, and without secrets."""
        clean = self._clean
        names = (event.conference, *event.names)
        goals = (self._addresses.goal_of_call(name, name, event.sent_from) for name in names if name)
        return msgspec.structs.replace(
            event,
            conference=clean(event.conference, event.sent_from),
            names=tuple(clean(name, event.sent_from) for name in event.names),
            users=tuple(self._user(user) for user in event.users),
            meeting=next((goal for goal in goals if isinstance(goal, MeetingRef)), None),
        )

    def _user(self, user: RosterUser) -> RosterUser:
        clean = self._clean
        return msgspec.structs.replace(
            user,
            entity=clean(user.entity),
            aors=tuple(map(clean, user.aors)),
            endpoints=tuple(msgspec.structs.replace(e, entity=clean(e.entity)) for e in user.endpoints),
        )

    def _close(self, event: CallRefused | CallEnded) -> None:
        """Forgets what was entered; where a refused call led, for a later 2xx overrules the refusal."""
        self._strangers.pop(event.call, None)
        dial_in = self._dial_ins.pop(event.call, None)
        if isinstance(event, CallEnded):
            self._offered.pop(event.call, None)
        elif dial_in is not None:
            entrance = Entrance(dial_in[1].platform, dial_in[1].site)
            most = self._limits.dial_ins_offered
            self._keep(self._offered, "dial_ins_offered", most, event.call, event.at, entrance)

    def _press(self, event: DigitDialled) -> Iterable[SignallingEvent]:
        if event.by != "caller":  # what the bridge sends back is no entry
            return ()
        found = self._dial_ins.pop(event.call, None)
        if found is None:
            waiting = self._offered.pop(event.call, None)
            if waiting is None:
                return self._press_at_stranger(event)
            keypad = self._pick_up(event.call, event.at, waiting[1])
        else:
            keypad = found[1]
            self._dial_ins[event.call] = (event.at, keypad)  # the latest key last: the first of all is the oldest
        return (self._pressed(event, keypad),)

    def _pressed(self, event: DigitDialled, keypad: Keypad) -> KeyPressed:
        lost = keypad.lost
        keypad.press(event.digit, event.missed, frayed=event.frayed)
        self.counts["keys"] += 1
        self.counts["slots_lost"] += keypad.lost - lost
        return KeyPressed(
            at=event.at,
            evidence=event.evidence,
            call=event.call,
            platform=keypad.platform.id,
            attempt=keypad.attempt,
            meeting=keypad.meeting,
            slots=keypad.slots,
            via=event.via,
            partial=keypad.frayed,
        )

    def _press_at_stranger(self, event: DigitDialled) -> Iterable[SignallingEvent]:
        """A key at an unknown number: read for a meeting of the calendars and for nothing else, which stays here."""
        found = self._strangers.pop(event.call, None)
        stranger = found[1] if found else Stranger()
        number = stranger.press(event.digit)
        if number and not stranger.seen:
            stranger.seen = True
            self.counts["unknown_bridges"] += 1
        for platform in self._atlas.platforms.values() if number else ():
            if len(number) in platform.dial_in.number and self._knows(number_ref(platform, number)):
                entrance = Entrance(platform, "")
                keypad = self._pick_up(event.call, event.at, entrance)
                for key in number:
                    keypad.press(key)
                return (self._reached(event, entrance), self._pressed(event, keypad))
        most = self._limits.dial_ins_elsewhere
        self._keep(self._strangers, "dial_ins_elsewhere", most, event.call, event.at, stranger)
        return ()

    def _pick_up(self, call: str, at: Nanoseconds, entrance: Entrance) -> Keypad:
        keypad = Keypad(entrance.platform, entrance.site, self._knows, self._pin_check)
        self._keep(self._dial_ins, "dial_ins", self._limits.dial_ins, call, at, keypad)
        return keypad

    def _keep(
        self,
        table: OrderedDict[str, tuple[Nanoseconds, T]],
        name: str,
        most: int,
        call: str,
        at: Nanoseconds,
        state: T,
    ) -> None:
        """Puts the state of a call into its table, after what has expired and, in a full one, the oldest has gone."""
        while table:
            oldest = next(iter(table))
            if table[oldest][0] < at - EXPIRY:
                self.counts["dial_ins_expired"] += 1
            elif len(table) >= most:
                self.counts[f"{name}_evicted"] += 1
            else:
                break
            del table[oldest]
        table[call] = (at, state)

    def _without_secrets(self, event: CallOffered) -> CallOffered:
        """The same event when it holds no secret, which is nearly always."""
        target, caller = self._clean(event.target, event.sent_to), self._claims(event.caller)
        addressed_to = target if event.addressed_to == event.target else self._clean(event.addressed_to)
        if target == event.target and addressed_to == event.addressed_to and caller is event.caller:
            return event
        return msgspec.structs.replace(event, target=target, addressed_to=addressed_to, caller=caller)

    def _claims(self, claims: Claims) -> Claims:
        clean = self._clean
        uri = clean(claims.uri)
        asserted = tuple(map(clean, claims.asserted)) if claims.asserted else ()
        if claims.passport:
            claims = msgspec.structs.replace(claims, passport=unsigned(claims.passport))
        if not (claims.preferred or claims.remote_party or claims.history):
            if uri == claims.uri and asserted == claims.asserted:
                return claims
            return msgspec.structs.replace(claims, uri=uri, asserted=asserted)
        return msgspec.structs.replace(
            claims,
            uri=uri,
            asserted=asserted,
            preferred=clean(claims.preferred),
            remote_party=tuple(msgspec.structs.replace(p, uri=clean(p.uri)) for p in claims.remote_party),
            history=tuple(msgspec.structs.replace(hop, uri=clean(hop.uri)) for hop in claims.history),
        )


def unsigned(identity: str) -> str:
    """An `Identity` header without its signature: it can be read as before, and shown to nobody as one's own."""
    claims, dot, _ = identity.partition(";")[0].strip().rpartition(".")
    return f"{claims}." if dot else "unreadable"


def _nothing(_meeting: MeetingRef) -> bool:
    return False


def _no_pin(_meeting: MeetingRef, _digits: str) -> None:
    return None
