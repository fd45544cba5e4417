"""Where a fact was seen, and when."""

import msgspec

Nanoseconds = int
"""Since 1970, by the clock of the capture; packet time is the only time there is from `wire` to `detections`."""

SECOND: Nanoseconds = 1_000_000_000
MINUTE: Nanoseconds = 60 * SECOND
HOUR: Nanoseconds = 60 * MINUTE
DAY: Nanoseconds = 24 * HOUR


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where an analyst can see it with their own eyes."""

    capture: str
    """The capture's file name (no folder), or the interface's name."""
    frame: int
    """Counts from 1 in that capture, as Wireshark's frame numbers do."""
    reported_by: str = ""
    """The IP address of the agent that reported the packet (HEP), whose clock and content can be forged; else empty."""
    ambiguous: bool = False
    """The bytes can be read in two ways, since copies of them differ: this is what one of the readings says."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something seen on the wire at one moment."""

    at: Nanoseconds
    evidence: Evidence


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is so, in a sentence without names of secrets, and the frames that show it."""

    fact: str
    evidence: tuple[Evidence, ...] = ()
