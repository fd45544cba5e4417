"""How frames are wrapped: what passes from `wire`, which knows envelopes, to the packet filter, which knows bytes."""

from typing import NamedTuple


class Mark(NamedTuple):
    """A number in the headers of a frame that decides how the frame is read on."""

    at: int
    """Bytes from the start of the frame."""
    size: int
    """Its bytes: 1 or 2."""
    mask: int
    """Its bits that decide."""
    value: int
    or_more: bool = False
    """Of a length: this is the least that it may be."""


class Layout(NamedTuple):
    """One way in which frames are wrapped. Every frame that bears all the marks has its IP packet at that place."""

    envelopes: tuple[str, ...]
    """From the outside: `vlan`, `gre`, `erspan`, …; plain Ethernet and IP headers have no names here."""
    marks: tuple[Mark, ...]
    """In the order of the bytes."""
    packet_at: int
    """Where the innermost IP header begins."""
    version: int
    """Of that header: 4 or 6."""
