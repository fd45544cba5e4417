"""How a frame is wrapped, and by which bytes one can tell: for the packet filter, which then looks into such frames.

In: a frame. Out: a `Layout`, whose promise is that `Wire` opens every frame with the same marks in the same way, down
to the innermost IP header. It keeps it by watching which bytes the envelopes look at: what they give depends on nothing
else, so an envelope that is new needs no line here.
"""

from collections.abc import Sequence
from typing import Any, cast

from monitor.model.layouts import Layout, Mark
from monitor.model.oddities import Malformed
from monitor.wire import COUNTED, ENVELOPES, LINKS, MAX_DEPTH, PORTS, TUNNELS
from monitor.wire.envelope import IPV4, IPV6, Envelope
from monitor.wire.erspan import erspan
from monitor.wire.ip import IpPacket, ipv4_of, ipv6_of
from monitor.wire.mpls import mpls
from monitor.wire.udp import udp_of

MAX_MARKS = 64  # A mirror's frames have about fifteen.
_UDP_BYTES = 8
_TCP, _UDP = b"\x06", b"\x11"
_USUAL = b"\x08\x00\x45"

MASKS: dict[Envelope, Sequence[int]] = {
    mpls: (0xFF, 0xFF, 0x01, 0xFF),
    erspan: (0xF0, *[0xFF] * 9, 0x7C, 0x01),
}
"""Of an envelope's own bytes, over and over, the bits that it looks at, where others differ from frame to frame: those
of labels and VLANs. Of any other byte all eight may matter."""

TOTAL_LENGTH = (2, 3)
"""Bytes of an IPv4 header that `mpls` looks at; the mark of this length is stricter than it is."""


class _Unfixed(Exception):
    """How this frame is wrapped cannot be told by bytes at fixed places."""


class _Watched:
    """Bytes that remember which of them were looked at. They can nothing else, so that no look escapes."""

    __slots__ = ("_data", "seen")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.seen: set[int] = set()

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            self.seen.update(range(*place.indices(len(self._data))))
        else:
            self.seen.add(place)
        return self._data[place]


def layout_of(link: int, data: bytes) -> Layout | None:
    """How this frame is wrapped; none if it is broken, or wrapped in a way that no fixed bytes tell, or plain."""
    if link == 1 and data[12:15] == _USUAL and _is_bare(data):
        return None
    envelope = LINKS.get(link)
    if envelope is None:
        return None
    try:
        return _Opening(data).layout(envelope)
    except (Malformed, _Unfixed):
        return None


def _is_bare(data: bytes) -> bool:
    """Whether this usual frame has nothing but TCP or UDP in it: told quickly, for most are asked about in vain."""
    protocol = data[23:24]
    return protocol == _TCP or (protocol == _UDP and data[36:38] not in PORTS)


def _name_of(envelope: Envelope) -> str:
    return COUNTED.get(envelope, "").removeprefix("in_")


class _Opening:
    """One frame being opened, as `Wire` does it, and the marks on the way."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._names: list[str] = []
        self._marks: list[Mark] = []
        """Those of lengths have for a value the place that they count from, until it is known how far they must reach.
        """

    def layout(self, link: Envelope) -> Layout | None:
        """What marks the way from the link layer to the innermost IP header."""
        kind, start = self._behind(link, 0)
        for _ in range(MAX_DEPTH):
            if (envelope := ENVELOPES.get(kind)) is None:
                if kind not in (IPV4, IPV6):
                    return None
                ip = self._packet(kind, start)
                if (envelope := TUNNELS.get(ip.protocol)) is not None:
                    self._carry(kind, start, ip)
                    start = ip.start
                elif ip.protocol == _UDP[0] and (envelope := PORTS.get(ip.data[ip.start + 2 : ip.start + 4])):
                    self._carry(kind, start, ip)
                    start = self._carry_datagram(ip)
                else:
                    return self._whole(kind, start, ip)
            self._names.append(_name_of(envelope))
            kind, start = self._behind(envelope, start)
        return None

    def _behind(self, envelope: Envelope, start: int) -> tuple[int, int]:
        """What the envelope holds, and where; marked by all that it looked at."""
        watched = _Watched(self._data)
        try:
            kind, end = envelope(cast(Any, watched), start)
        except (AttributeError, TypeError):
            raise _Unfixed from None  # it does more than look at single bytes
        masks = MASKS.get(envelope, ())
        if envelope is mpls and kind == IPV4:
            watched.seen.difference_update(end + n for n in TOTAL_LENGTH)
        for at in sorted(watched.seen):
            self._mark(at, 1, masks[(at - start) % len(masks)] if masks and at < end else 0xFF)
        return kind, end

    def _packet(self, kind: int, start: int) -> IpPacket:
        """The packet here, without what moves its content or hides it: the filter passes all that has that."""
        ip = ipv4_of(self._data, start) if kind == IPV4 else ipv6_of(self._data, start)
        fixed = start + 4 * (self._data[start] & 0x0F) if kind == IPV4 else start + 40
        if ip.fragment is not None or ip.start != fixed:
            raise _Unfixed
        if kind == IPV4:
            self._mark(start, 1)
            self._marks.append(Mark(start + 2, 2, 0xFFFF, start, or_more=True))
        else:
            self._mark(start, 1, 0xF0)
            self._marks.append(Mark(start + 4, 2, 0xFFFF, start + 40, or_more=True))
        return ip

    def _carry(self, kind: int, start: int, ip: IpPacket) -> None:
        """That this packet is whole, and of its protocol. Of the innermost the filter asks that itself."""
        if kind == IPV4:
            self._mark(start + 6, 2, 0x3FFF)
            self._mark(start + 9, 1)
        else:
            self._mark(start + 6, 1)
        self._data = self._data[: ip.end]

    def _carry_datagram(self, ip: IpPacket) -> int:
        """Where the payload begins, which may end before the packet."""
        self._mark(ip.start + 2, 2)
        self._marks.append(Mark(ip.start + 4, 2, 0xFFFF, ip.start, or_more=True))
        start = ip.start + _UDP_BYTES
        self._data = self._data[: start + len(udp_of(ip).payload)]
        return start

    def _mark(self, at: int, size: int, mask: int = 0xFFFF) -> None:
        """These bytes must be as they are here, in the bits of the mask."""
        mask &= (1 << 8 * size) - 1
        self._marks.append(Mark(at, size, mask, int.from_bytes(self._data[at : at + size], "big") & mask))

    def _whole(self, kind: int, start: int, ip: IpPacket) -> Layout | None:
        """All of it: each length must reach to the end of the innermost ports at least."""
        if len(self._marks) > MAX_MARKS:
            return None
        reach = ip.start + _UDP_BYTES
        marks = tuple(mark._replace(value=reach - mark.value) if mark.or_more else mark for mark in self._marks)
        return Layout(tuple(filter(None, self._names)), marks, start, 4 if kind == IPV4 else 6)
