"""Who sent which bytes to whom, in order?

In: `Frame`, as it stands in a capture. Out: whole UDP datagrams and ordered TCP streams, without the copies that a
mirror port makes. To add an envelope, write its file and its line in one of the three tables.
"""

from collections.abc import Sequence
from struct import Struct
from typing import TypeAlias

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import Datagram, Frame, Packet, evidence_of
from monitor.wire import duplicates, fragments, streams
from monitor.wire.duplicates import Duplicates
from monitor.wire.envelope import IPV4, IPV6, MPLS, Envelope
from monitor.wire.fragments import Fragments
from monitor.wire.ip import IpPacket, ipv4_of, ipv6_of
from monitor.wire.link import cooked, cooked2, ethernet, loopback, raw, raw_ipv4, raw_ipv6
from monitor.wire.mpls import mpls
from monitor.wire.ppp import ppp, pppoe
from monitor.wire.streams import Streams
from monitor.wire.tcp import segment_of
from monitor.wire.vlan import vlan

LINKS: dict[int, Envelope] = {
    0: loopback,
    1: ethernet,
    9: ppp,
    12: raw,
    14: raw,
    101: raw,
    108: loopback,
    113: cooked,
    228: raw_ipv4,
    229: raw_ipv6,
    276: cooked2,
}
"""By link type: what a frame begins with."""

ENVELOPES: dict[int, Envelope] = {
    0x8100: vlan,
    0x88A8: vlan,
    0x9100: vlan,
    MPLS: mpls,
    0x8848: mpls,
    0x8864: pppoe,
}
"""By EtherType: what stands between a link layer and IP."""

TUNNELS: dict[int, Envelope] = {
    4: raw_ipv4,
    41: raw_ipv6,
}
"""By IP protocol: what carries another packet inside one."""

_HEADERS = {IPV4: ipv4_of, IPV6: ipv6_of}
MAX_DEPTH = 16  # envelopes and IP headers in one frame

COUNTS = (
    "datagrams",
    "datagrams_truncated",
    "duplicates",
    "unknown_links",
    "unknown_ethertypes",
    "unknown_protocols",
    "malformed_frames",
    *fragments.COUNTS,
    *streams.COUNTS,
)

TICK: Nanoseconds = max(streams.SKEW, duplicates.WINDOW)
_BACK: Nanoseconds = -SECOND  # Frames in a little disorder do not turn the clock back.
_TCP, _UDP = 6, 17
_LAYERS = {_TCP: "tcp", _UDP: "udp"}
_NOTHING: Sequence[Packet | Oddity] = ()
# Of an Ethernet frame: EtherType with IP version and header length, total length, identification, fragment field,
# protocol, addresses with ports, UDP length.
_PLAIN = Struct("!12x3sxH2sHxB2x12sH").unpack_from
_IPV4_WITHOUT_OPTIONS = b"\x08\x00\x45"
_IPV4, _VLAN = b"\x08\x00", b"\x81\x00"
_datagram = tuple.__new__  # A named tuple's own constructor costs 0.1 µs more.

Given: TypeAlias = Packet | Oddity


class Wire:
    """Everything between a frame and the bytes that one endpoint sent to another."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self._duplicates = Duplicates()
        self._fragments = Fragments(self.counts)
        self._streams = Streams(self.counts)
        self._ticked: Nanoseconds = 0

    def feed(self, frame: Frame) -> Sequence[Given]:
        """What this frame completes."""
        at, capture, number, link, data, length = frame
        if not _BACK < at - self._ticked < TICK:
            return self._tick(frame)
        # The usual frame, whole IPv4 without options in Ethernet with nothing in between, takes the short way.
        if link == 1 and len(data) >= 42:
            kind, total, mark, fragment, protocol, flow, udp_length = _PLAIN(data)
            if kind == _IPV4_WITHOUT_OPTIONS and not fragment & 0x3FFF and 28 <= total <= len(data) - 14:
                if protocol == _UDP and udp_length == total - 20:
                    payload = data[42 : 14 + total]
                    if self._duplicates.have((mark, flow, payload), at):
                        self.counts["duplicates"] += 1
                        return _NOTHING
                    self.counts["datagrams"] += 1
                    return (_datagram(Datagram, (at, capture, number, flow, payload, False)),)
                if protocol == _TCP:
                    return self._open_segment(frame, mark, flow, 14 + total)
            elif kind[:2] == _VLAN and data[16:18] == _IPV4:
                # Without its tag it is a usual frame, and copying it is quicker than the long way.
                return self.feed(Frame(at, capture, number, link, data[:12] + data[16:], length - 4))
        return self._open(frame)

    def finish(self) -> Sequence[Given]:
        """What was still waiting when the last capture ended."""
        self._fragments.finish()
        return self._streams.finish()

    def _tick(self, frame: Frame) -> Sequence[Given]:
        """Packet time has moved on (or back, with another capture): first what that frees, then the frame."""
        self._ticked = frame.at
        self._duplicates.advance()
        self._fragments.advance(frame.at)
        freed = self._streams.advance(frame[:3])
        given = self.feed(frame)
        return [*freed, *given] if freed else given

    def _open_segment(self, frame: Frame, mark: bytes, flow: bytes, end: int) -> Sequence[Given]:
        """The short way for TCP."""
        try:
            return self._segment(frame, mark, flow, frame.data, 34, end, 0)
        except Malformed:
            return self._open(frame)  # which says what is wrong

    def _open(self, frame: Frame) -> Sequence[Given]:
        """The long way: envelope by envelope, each of which may be broken."""
        link = LINKS.get(frame.link)
        if link is None:
            self.counts["unknown_links"] += 1
            return _NOTHING
        out: list[Given] = []
        layer = "link"
        try:
            kind, start = link(frame.data, 0)
            data = frame.data
            for _ in range(MAX_DEPTH):
                layer = "link"
                if (envelope := ENVELOPES.get(kind)) is not None:
                    kind, start = envelope(data, start)
                    continue
                if (header := _HEADERS.get(kind)) is None:
                    self.counts["unknown_ethertypes"] += 1
                    return out
                layer = "ip"
                ip = self._whole(frame, header(data, start), out)
                if ip is None:
                    return out
                if (tunnel := TUNNELS.get(ip.protocol)) is not None:
                    data = ip.data[: ip.end]
                    kind, start = tunnel(data, ip.start)
                    continue
                layer = _LAYERS.get(ip.protocol, layer)
                self._transport(frame, ip, out)
                return out
            raise Malformed(Reason.TOO_LARGE, start, "envelopes in one frame")
        except Malformed as wrong:
            self.counts["malformed_frames"] += 1
            out.append(_oddity(frame, layer, wrong.reason, wrong.what))
            return out

    def _whole(self, frame: Frame, ip: IpPacket, out: list[Given]) -> IpPacket | None:
        """The packet itself, or the one that its fragment completes, if any."""
        if ip.fragment is None:
            return ip
        if self._is_copy((ip.mark, ip.addresses, ip.data[ip.start : ip.end], ip.protocol), frame.at):
            return None
        whole, conflict = self._fragments.feed(frame[:3], ip, ip.fragment)
        if conflict:
            out.append(_oddity(frame, "ip", Reason.CONFLICT, "fragments overlap with different bytes"))
        return whole

    def _is_copy(self, parts: tuple[bytes | int, ...], at: Nanoseconds) -> bool:
        copy = self._duplicates.have(parts, at)
        self.counts["duplicates"] += copy
        return copy

    def _transport(self, frame: Frame, ip: IpPacket, out: list[Given]) -> None:
        """Adds what UDP and TCP carry."""
        if ip.protocol == _UDP:
            self._udp(frame, ip, out)
        elif ip.protocol == _TCP:
            # The header lies when a frame that nobody cut is too short; only what a snap length cut will never come.
            lost = ip.lost if frame.length > len(frame.data) else 0
            flow = ip.addresses + ip.data[ip.start : ip.start + 4]
            out.extend(self._segment(frame, ip.mark, flow, ip.data, ip.start, ip.end, lost))
        else:
            self.counts["unknown_protocols"] += 1

    def _segment(
        self, frame: Frame, mark: bytes, flow: bytes, data: bytes, start: int, end: int, lost: int
    ) -> Sequence[Given]:
        """What a TCP segment adds to its stream."""
        segment = segment_of(data, start, end, lost)
        if self._is_copy((mark, flow, data[start + 4 : end], _TCP), frame.at):
            return _NOTHING
        return self._streams.feed(frame[:3], flow, segment)

    def _udp(self, frame: Frame, ip: IpPacket, out: list[Given]) -> None:
        """The datagram (RFC 768). Its length decides, within the bytes; 0 means all (RFC 2675, section 4)."""
        data, start, end = ip.data, ip.start, ip.end
        if end - start < 8:
            raise Malformed(Reason.TRUNCATED, end, "UDP header")
        length = (data[start + 4] << 8) | data[start + 5]
        if 0 < length < 8:
            raise Malformed(Reason.BAD_LENGTH, start + 4, "UDP length shorter than the header")
        truncated = start + length > end if length else ip.lost > 0
        flow = ip.addresses + data[start : start + 4]
        payload = data[start + 8 : min(end, start + length) if length else end]
        if self._is_copy((ip.mark, flow, payload), frame.at):
            return
        self.counts["datagrams"] += 1
        self.counts["datagrams_truncated"] += truncated
        out.append(Datagram(frame.at, frame.capture, frame.number, flow, payload, truncated))


def _oddity(frame: Frame, protocol: str, reason: Reason, what: str) -> Oddity:
    return Oddity(at=frame.at, evidence=evidence_of(frame), protocol=protocol, reason=reason, what=what)
