"""What was said in signalling, whatever the protocol: calls offered, answered, forwarded, ended, and keys pressed.

Text is from the wire and hostile; it was decoded with `errors="backslashreplace"` and cut at `MAX_TEXT` characters.
No event holds a PIN, passcode or token: `DigitDialled` goes no further than `platforms`, which forgets it at once.
"""

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from monitor.model.evidence import Nanoseconds, Sighting
from monitor.model.meetings import MeetingRef, Method, Slot

MAX_TEXT = 1024
"""Characters kept of one header value: longer than any number, address or name in use."""


class RemoteParty(msgspec.Struct, frozen=True, kw_only=True):
    """One `Remote-Party-ID` (draft-ietf-sip-privacy-04), as SBCs and PBXs still send it."""

    uri: str
    screen: bool = False
    """`screen=yes`: the network has checked it."""
    privacy: str = ""


class Diversion(msgspec.Struct, frozen=True, kw_only=True):
    """One hop of `Diversion` (RFC 5806) or `History-Info` (RFC 7044): who sent the call on."""

    uri: str
    reason: str = ""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one side of a call, or the network for it, says about who it is. Claims, not truth."""

    uri: str = ""
    """`From` of the caller, `To` of the callee: written by the endpoint, so anybody's."""
    display: str = ""
    """The name beside it. Proves nothing."""
    asserted: tuple[str, ...] = ()
    """`P-Asserted-Identity` (RFC 3325), in order; counts only from a trusted trunk."""
    preferred: str = ""
    """`P-Preferred-Identity`: a hint of the endpoint."""
    remote_party: tuple[RemoteParty, ...] = ()
    privacy: tuple[str, ...] = ()
    """`Privacy` values (RFC 3323, 3325), lower case: `id`, `user`, `header`, …"""
    history: tuple[Diversion, ...] = ()
    """`Diversion` and `History-Info`, newest first."""
    passport: str = ""
    """`Identity` (RFC 8224) as it stood, unverified; empty when absent."""
    user_agent: str = ""
    sent_from: str = ""
    """The IP address that sent the message which carried these claims."""


class CallOffered(Sighting, frozen=True, kw_only=True):
    """Someone asks to be let in; nobody has answered yet. Once a call: no retransmission, no re-INVITE.

    Said anew for the same call, a few times at most and before its answer, only when a later hop or the INVITE with
    credentials brings another identity that the network asserts: the better vouched for counts. A Call-ID that is used
    again for another target, or after its call has ended, is another call of the same name.
    """

    call: str
    """The Call-ID: one name for the call over all its messages, forks and hops."""
    method: Method
    target: str
    """The Request-URI as it stood on the wire: `sip:98765@bridge.example.com`."""
    addressed_to: str
    """The `To` URI: what the caller dialled, before anybody rewrote the target."""
    caller: Claims
    sent_to: str
    """The IP address to which it was sent."""
    session: str = ""
    """The caller's half of `Session-ID` (RFC 7989), which a back-to-back agent passes on; empty when absent."""
    replaces: str = ""
    """The Call-ID that this call takes over (`Replaces`, RFC 3891) or joins (`Join`, RFC 3911); empty when none."""
    partial: bool = False
    """The INVITE was not seen: put together from what came later in the dialog, so parts may be missing or late."""


class CallAnswered(Sighting, frozen=True, kw_only=True):
    """The first 2xx to the INVITE: the two can talk now."""

    call: str
    callee: Claims
    """Who answered: `To`, and what the network asserts in the answer."""
    contact: str = ""
    focus: bool = False
    """`isfocus` in the Contact (RFC 4579): a conference server answered."""


class CallRefused(Sighting, frozen=True, kw_only=True):
    """A final answer, neither success nor challenge (3xx to 6xx; 487 when cancelled). A later 2xx overrules it."""

    call: str
    status: int
    """0 when only the caller's ACK of it was seen, so that it may also have been a challenge."""


class CallForwarded(Sighting, frozen=True, kw_only=True):
    """The call goes on to somebody else than was called: 3xx, 181, or REFER."""

    call: str
    to: tuple[str, ...]
    """URIs: the contacts of the redirect, or the `Refer-To`; empty when only a 181 tells of it."""
    how: Literal["redirect", "progress", "transfer"]
    by: Literal["caller", "callee"] = "callee"


class CallEnded(Sighting, frozen=True, kw_only=True):
    """A call is over that was answered; or that was not refused, when no answer was seen."""

    call: str
    by: Literal["caller", "callee", "unknown"]
    """Who hung up; `unknown` when the call expired unseen."""


class KeySource(StrEnum):
    """How a key travelled."""

    RTP = "rtp"
    INFO = "info"
    KPML = "kpml"
    NOTIFY = "notify"
    H245 = "h245"


class DigitDialled(Sighting, frozen=True, kw_only=True):
    """A key pressed during a call: often part of a PIN, so never printed, and dropped by `platforms`."""

    call: str
    digit: str
    """One of `0123456789*#ABCD`."""
    by: Literal["caller", "callee"]
    via: KeySource
    frayed: bool = False
    """Keys before this one may be missing: of the one before hardly anything was seen, or SIP's numbers have a gap."""
    missed: int = 0
    """So many keys are missing just before this one, where that is known; at most a few are told."""

    def __repr__(self) -> str:
        return f"DigitDialled(at={self.at}, call={self.call!r}, by={self.by!r}, via={self.via!r})"


class MeetingNamed(Sighting, frozen=True, kw_only=True):
    """Said by `platforms`: this call's target is itself a meeting (`98765@bridge.example.com`), no keys needed."""

    call: str
    meeting: MeetingRef


class DialInReached(Sighting, frozen=True, kw_only=True):
    """Said by `platforms`: this call goes to the access number of a platform, where keys will name the meeting."""

    call: str
    platform: str
    site: str


class KeyPressed(Sighting, frozen=True, kw_only=True):
    """Said by `platforms` for each key on a dial-in: what the caller has entered so far, without the digits.

    The meeting number is kept; of every other group of keys only its state and length.
    """

    call: str
    platform: str
    attempt: int
    """Counts the meeting numbers entered in this call, from 1; 0 while the first is still being typed."""
    meeting: MeetingRef | None
    """Of the current attempt; none until its number is complete."""
    slots: tuple[Slot, ...] = ()
    """What followed the meeting number in this attempt, in order."""
    via: KeySource = KeySource.RTP
    partial: bool = False
    """Keys of this call may be missing. The meeting is then the one of the calendars that fits but for one key, if
    there is one and no more; and no digits are called a wrong PIN."""


class RosterState(StrEnum):
    """How much a roster, or a part of one, says (RFC 4575, 4.4)."""

    FULL = "full"
    """Everything there is: who is not in it is not there."""
    PARTIAL = "partial"
    """What has changed."""
    DELETED = "deleted"
    """It is gone."""


class RosterEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One device by which a user of a conference takes part (RFC 4575, 5.7)."""

    entity: str = ""
    """Its URI; as a rule that of the device, not of the person."""
    state: RosterState = RosterState.FULL
    status: str = ""
    """`connected`, `on-hold`, `alerting`, `disconnected`, …, lower case; empty when the bridge does not say."""
    joined_by: str = ""
    """`dialed-in`, `dialed-out` or `focus-owner`."""
    joined_at: Nanoseconds | None = None
    """By the bridge's clock."""
    left_by: str = ""
    """`departed`, `booted`, `failed` or `busy`."""
    media: bool = False
    """It has a stream of some medium."""
    call: str = ""
    """The Call-ID of its call with the bridge, where the bridge tells it."""


class RosterUser(msgspec.Struct, frozen=True, kw_only=True):
    """One user of a conference, as its bridge tells (RFC 4575, 5.6). Not everybody in it is connected."""

    entity: str = ""
    """Their URI: of a caller by SIP mostly what `From` said; of one by telephone, the number."""
    display: str = ""
    aors: tuple[str, ...] = ()
    """Further URIs of theirs (`associated-aors`)."""
    roles: tuple[str, ...] = ()
    state: RosterState = RosterState.FULL
    endpoints: tuple[RosterEndpoint, ...] = ()


class RosterSeen(Sighting, frozen=True, kw_only=True):
    """A bridge tells a subscriber who is in a conference: one `conference-info` document (RFC 4575) of a NOTIFY."""

    call: str
    """The Call-ID of the subscription's dialog: one of its own, or that of a call within which was subscribed."""
    conference: str = ""
    """The conference's own URI; some bridges do not tell it here."""
    names: tuple[str, ...] = ()
    """Other URIs of it: that to which was subscribed, and those by which people take part."""
    version: int | None = None
    missed: bool = False
    """The version shows that documents between this one and the one before were not seen."""
    state: RosterState = RosterState.FULL
    whole: bool = True
    """The document was read to its end: only then is absence from a full one a sign."""
    lasts: int | None = None
    """Seconds for which the subscription goes on; 0 when it ends with this, none when that is not told."""
    subject: str = ""
    title: str = ""
    user_count: int | None = None
    """As the bridge counts; may be more than are listed."""
    locked: bool | None = None
    users: tuple[RosterUser, ...] = ()
    sent_from: str = ""
    """The IP address that tells it."""
    sent_to: str = ""
    meeting: MeetingRef | None = None
    """Said by `platforms`: the meeting that its URIs name."""


DecodedEvent: TypeAlias = (
    CallOffered | CallAnswered | CallRefused | CallForwarded | CallEnded | DigitDialled | RosterSeen
)
"""What decoders give."""

SignallingEvent: TypeAlias = (
    CallOffered
    | CallAnswered
    | CallRefused
    | CallForwarded
    | CallEnded
    | MeetingNamed
    | DialInReached
    | KeyPressed
    | RosterSeen
)
"""What platforms give: free of secrets, so it may be written down or sent elsewhere."""
