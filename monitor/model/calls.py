"""What was said in signalling, whatever the protocol: calls offered, answered, forwarded, ended, and keys pressed.

Text is from the wire and hostile; it was decoded with `errors="backslashreplace"` and cut at `MAX_TEXT` characters.
No event holds a PIN, passcode or token: `DigitDialled` goes no further than `platforms`, which forgets it at once.
"""

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from monitor.model.evidence import Sighting
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


class CallForwarded(Sighting, frozen=True, kw_only=True):
    """The call goes on to somebody else than was called: 3xx, 181, or REFER."""

    call: str
    to: tuple[str, ...]
    """URIs: the contacts of the redirect, or the `Refer-To`; empty when only a 181 tells of it."""
    how: Literal["redirect", "progress", "transfer"]
    by: Literal["caller", "callee"] = "callee"


class CallEnded(Sighting, frozen=True, kw_only=True):
    """An answered call is over."""

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


DecodedEvent: TypeAlias = CallOffered | CallAnswered | CallRefused | CallForwarded | CallEnded | DigitDialled
"""What decoders give."""

SignallingEvent: TypeAlias = (
    CallOffered | CallAnswered | CallRefused | CallForwarded | CallEnded | MeetingNamed | DialInReached | KeyPressed
)
"""What platforms give: free of secrets, so it may be written down or sent elsewhere."""
