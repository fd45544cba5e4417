"""What a meeting is called on the wire, and the keys that were entered to reach it."""

from enum import StrEnum

import msgspec


class Method(StrEnum):
    """How somebody came in."""

    PSTN = "pstn"
    SIP = "sip"
    H323 = "h323"
    WEB = "web"

    @property
    def words(self) -> str:
        """As people say it."""
        return {"pstn": "telephone", "sip": "SIP", "h323": "H.323", "web": "web"}[self.value]


class Kind(StrEnum):
    """What sort of name a meeting is called by."""

    NUMBER = "number"
    UUID = "uuid"
    MTID = "mtid"
    PERSONAL = "personal"
    THREAD = "thread"
    ROOM = "room"
    BRIDGE_DID = "bridge_did"


class MeetingRef(msgspec.Struct, frozen=True, kw_only=True):
    """A name by which a platform knows a meeting. One meeting may have several. Never holds a passcode."""

    platform: str
    """The platform's id: the name of its data file, from a closed list."""
    kind: Kind
    value: str
    """Normalised: digits alone for a number, lower case for the rest."""
    site: str = ""
    """Tenant or site, where the name means something only there; empty where it is unique on the platform."""

    @property
    def key(self) -> str:
        """As written in the journal: `number:27311234567`, or `personal:jan@ministry` with its site."""
        return f"{self.kind}:{self.value}" + (f"@{self.site}" if self.site else "")


class SlotState(StrEnum):
    """What was typed where the bridge asked for an attendee number or a PIN."""

    EMPTY = "empty"
    """`#` alone."""
    FILLED = "filled"
    """Some digits; whether they are right is unknown."""
    RIGHT = "right"
    """The PIN of the invitation."""
    WRONG = "wrong"
    """Digits, but not the PIN of the invitation."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One group of keys after the meeting number, ended by `#`: its state, never its digits."""

    state: SlotState
    length: int = 0
    """How many digits."""
