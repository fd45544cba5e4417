"""The books of a run: every frame of the captures is in exactly one class, and what is known to be lost stands beside.

The invariant, kept by `wire` and `decoders` and tested on every capture there is, whole, damaged and made up:

    frames + reported = passed_over + unreadable + decoded + undecoded + malformed + encrypted
                      + copies + repeated + silent + joined + incomplete

`reported` are messages that a capture agent put into frames of its own (HEP): each counts beside the frame that
brought it, for it may be known or unknown by itself.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from monitor.model.summary import CaptureReport

FRAME_CLASSES = (
    "passed_over",
    "unreadable",
    "decoded",
    "undecoded",
    "malformed",
    "encrypted",
    "copies",
    "repeated",
    "silent",
    "joined",
    "incomplete",
)
"""Every frame is in one of these."""


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the frames went."""

    frames: int = 0
    """All frames of all captures, as far as they were read."""
    reported: int = 0
    """Messages that capture agents reported in them."""

    passed_over: int = 0
    """No decoder asks for such: media, web traffic, and all else."""
    unreadable: int = 0
    """Of a link type that the packet filter cannot look into."""
    decoded: int = 0
    """Their datagram, or the stream that they are part of, was recognised by a decoder."""
    undecoded: int = 0
    """Nobody here knows their link type, their protocol, their datagram or their stream; or their RTP is no call's."""
    malformed: int = 0
    """A header on the way to the bytes is broken."""
    encrypted: int = 0
    """As a whole, by MACsec or WPA."""
    copies: int = 0
    """The same packet had come just before: what a mirror does."""
    repeated: int = 0
    """Of TCP, with bytes that had come before, or that are of no living stream."""
    silent: int = 0
    """Of TCP, without bytes: openings, acknowledgements, endings."""
    joined: int = 0
    """Fragments whose packet became whole; the packet counts as its last fragment."""
    incomplete: int = 0
    """Fragments whose packet never became whole."""

    @property
    def accounted(self) -> int:
        """Frames and reported messages that are in a class."""
        return sum(getattr(self, name) for name in FRAME_CLASSES)

    @property
    def open(self) -> int:
        """Those in no class: none when a run has come to its end; those in hand when it was interrupted."""
        return self.frames + self.reported - self.accounted


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """What is known to have been on the network and is not in the captures; there is more that nobody knows of."""

    stream_gaps: int = 0
    """Places where bytes of a TCP stream are missing."""
    stream_gap_bytes: int = 0
    missed_packets: int = 0
    """Of RTP and SIP, between others that count them."""
    cut_frames: int = 0
    """Cut by the snap length; counted among those that were looked at."""
    dropped_by_system: int = 0
    """Frames, as the capture itself tells (pcapng, `isb_osdrop`)."""
    dropped_by_interface: int = 0
    """Frames, as the capture itself tells (pcapng, `isb_ifdrop`)."""
    damaged_places: int = 0
    """Of the captures."""


def accounts_of(captures: "Iterable[CaptureReport]", counts: Mapping[str, int]) -> Accounts:
    """The books, out of what each stage has counted by itself."""
    captures = tuple(captures)
    frames = sum(report.frames for report in captures)
    wanted = sum(report.wanted for report in captures)
    unreadable = sum(report.unreadable for report in captures)
    reported, refused = counts["hep_messages"], counts["hep_refused"]
    unknown_datagrams = counts["datagrams_unknown"] + counts["rtp_unannounced"]
    known_datagrams = counts["datagrams"] + reported - unknown_datagrams - refused
    known_segments = counts["segments_known"] + counts["hep_segments"]
    unknown_segments = counts["segments_unknown"]
    unknown = (counts[name] for name in ("unknown_links", "unknown_ethertypes", "unknown_protocols"))
    return Accounts(
        frames=frames,
        reported=reported,
        passed_over=frames - wanted - unreadable,
        unreadable=unreadable,
        decoded=known_datagrams + known_segments,
        undecoded=sum(unknown) + unknown_datagrams + refused + unknown_segments,
        malformed=counts["malformed_frames"],
        encrypted=counts["encrypted_frames"],
        copies=counts["duplicates"],
        repeated=counts["segments"] - counts["segments_empty"] - known_segments - unknown_segments,
        silent=counts["segments_empty"],
        joined=counts["fragments_joined"],
        incomplete=counts["fragments_lost"],
    )


def losses_of(captures: "Iterable[CaptureReport]", counts: Mapping[str, int]) -> Losses:
    """What is known to be missing."""
    captures = tuple(captures)
    return Losses(
        stream_gaps=counts["stream_gaps"],
        stream_gap_bytes=counts["stream_gap_bytes"],
        missed_packets=counts.get("packets_missed", 0),
        cut_frames=sum(report.cut for report in captures),
        dropped_by_system=sum(report.dropped_by_system for report in captures),
        dropped_by_interface=sum(report.dropped_by_interface for report in captures),
        damaged_places=sum(len(report.damage) for report in captures),
    )


def envelopes_of(counts: Mapping[str, int]) -> dict[str, int]:
    """How often each envelope was opened, by its name: tags and tunnels, and the reports of capture agents."""
    found = {name.removeprefix("in_"): count for name, count in counts.items() if name.startswith("in_")}
    if "hep_messages" in counts:
        found["hep"] = counts["hep_messages"]
    return dict(sorted(found.items()))


def evictions_of(counts: Mapping[str, int]) -> dict[str, int]:
    """How many entries each table has forgotten before their time, by the table's name."""
    ending = "_evicted"
    return {name.removesuffix(ending): count for name, count in sorted(counts.items()) if name.endswith(ending)}
