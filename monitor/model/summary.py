"""What was read, and what was not: said at the end of every run, adding up."""

import msgspec

from monitor.model.accounts import Accounts, Losses
from monitor.model.evidence import Nanoseconds


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a capture is broken; everything before it, and after it where possible, was read."""

    capture: str
    frame: int
    """The last frame that could be read before it."""
    offset: int
    """Bytes from the start of the (uncompressed) capture."""
    what: str
    """In a few words: `ends in the middle of a frame: 60 of 1514 bytes are there`."""


class CaptureReport(msgspec.Struct, frozen=True, kw_only=True):
    """One capture, read to its end or to where it is broken."""

    capture: str
    frames: int
    """All frames of the capture."""
    wanted: int
    """Those that the filter let through."""
    unreadable: int = 0
    """Those of a link type that no filter can look into."""
    dropped_by_system: int = 0
    """Frames that the capturing system dropped before this capture, as it says itself (pcapng, `isb_osdrop`)."""
    dropped_by_interface: int = 0
    """The same of the interface (`isb_ifdrop`)."""
    cut: int = 0
    """Wanted frames that the snap length cut."""
    first: Nanoseconds | None = None
    last: Nanoseconds | None = None
    damage: tuple[Damage, ...] = ()
    envelopes: dict[str, int] = {}
    """Of its first 512 frames, how many were in which kind of tag or tunnel: `vlan`, `vxlan`, `erspan`, …"""


class Summary(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last record of a run."""

    at: Nanoseconds
    captures: tuple[CaptureReport, ...]
    counts: dict[str, int]
    """By name from a closed list: `frames`, `wanted`, `duplicates`, `datagrams`, `sip_messages`, `calls`, `joins`, …"""
    accounts: Accounts = Accounts()
    """Where the frames went."""
    losses: Losses = Losses()
    """What is known to be missing."""
    envelopes: dict[str, int] = {}
    """How often each kind of tag and tunnel was opened; every name is there."""
