"""Bad bytes are news, not accidents: what a decoder says of bytes that do not follow their protocol."""

from enum import StrEnum

from monitor.model.evidence import Sighting


class Reason(StrEnum):
    """Why bytes were refused. A closed list, so that it may be a metric label."""

    TRUNCATED = "truncated"
    """The bytes end where the protocol demands more."""
    BAD_VALUE = "bad value"
    """A field holds what its protocol does not allow."""
    BAD_SYNTAX = "bad syntax"
    """The grammar of a text protocol is broken."""
    BAD_LENGTH = "bad length"
    """A length field contradicts the bytes."""
    MISSING = "missing"
    """A mandatory field is absent."""
    CONFLICT = "conflict"
    """Two fields that must agree do not, or a field that must be single comes twice."""
    TOO_LARGE = "too large"
    """A limit of this program was reached; the rest was not read."""
    UNSUPPORTED = "unsupported"
    """Well formed, but of a version or kind that this program does not read."""
    GAP = "gap"
    """Bytes of a stream that the capture does not hold."""
    EVICTED = "evicted"
    """A table was full, and state was forgotten before its time."""


class Malformed(Exception):
    """The bytes do not follow their protocol."""

    def __init__(self, reason: Reason, offset: int, what: str = "") -> None:
        super().__init__(f"{reason} at byte {offset}" + (f": {what}" if what else ""))
        self.reason = reason
        self.offset = offset
        self.what = what
        """A few words for the analyst, of our own making: never bytes from the wire."""


class Oddity(Sighting, frozen=True, kw_only=True):
    """Bytes that did not follow their protocol; counted, journalled, and otherwise survived."""

    protocol: str
    """From a closed list (`sip`, `sdp`, `rtp`, `tcp`, `ip`, `link`, `capture`, …), so that it may be a metric label."""
    reason: Reason
    what: str = ""
