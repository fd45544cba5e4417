"""Who sent which bytes to whom, in order?

In: `Frame`, as it stands in a capture. Out: whole UDP datagrams and ordered TCP streams, without the copies that a
mirror port makes. To add an envelope, write its file, its line in one of the four tables, and its name in `COUNTED`.
"""

from collections.abc import Sequence
from struct import Struct
from typing import TypeAlias

from monitor.model.asks import Ask
from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import Datagram, Frame, Packet, evidence_of
from monitor.wire import agents, duplicates, fragments, hep, streams
from monitor.wire.agents import Agents, Widen
from monitor.wire.arista import arista
from monitor.wire.bridge import backbone, extender
from monitor.wire.cisco import fabricpath, trustsec, vn_tag
from monitor.wire.duplicates import Duplicates
from monitor.wire.envelope import (
    ENCRYPTED,
    ERSPAN,
    ERSPAN_I,
    ETHERNET,
    FURTHER_TAGS,
    IPV4,
    IPV6,
    MPLS,
    NSH,
    TAGS,
    Envelope,
)
from monitor.wire.erspan import erspan, erspan_i
from monitor.wire.fragments import Fragments
from monitor.wire.geneve import geneve
from monitor.wire.gre import gre
from monitor.wire.gtp import gtp
from monitor.wire.hep import Key
from monitor.wire.hp_erm import hp_erm
from monitor.wire.ip import IpPacket, ipv4_of, ipv6_of
from monitor.wire.ip_in_ip import ipv4_inside, ipv6_inside
from monitor.wire.link import cooked, cooked2, ethernet, loopback, raw, raw_ipv4, raw_ipv6
from monitor.wire.macsec import macsec
from monitor.wire.mpls import mpls
from monitor.wire.nsh import nsh
from monitor.wire.ppp import hdlc, ppp, pppd, pppoe, serial
from monitor.wire.streams import Streams
from monitor.wire.tcp import segment_of
from monitor.wire.tzsp import tzsp
from monitor.wire.udp import UdpPacket, udp_of
from monitor.wire.vlan import qinq, vlan
from monitor.wire.vxlan import vxlan
from monitor.wire.wifi import radiotap, wifi

LINKS: dict[int, Envelope] = {
    0: loopback,
    1: ethernet,
    9: ppp,
    12: raw,
    14: raw,
    50: serial,
    51: pppoe,
    101: raw,
    104: hdlc,
    105: wifi,
    108: loopback,
    113: cooked,
    127: radiotap,
    166: pppd,
    228: raw_ipv4,
    229: raw_ipv6,
    276: cooked2,
}
"""By link type: what a frame begins with."""

ENVELOPES: dict[int, Envelope] = {
    **dict.fromkeys(TAGS, vlan),
    FURTHER_TAGS: qinq,
    MPLS: mpls,
    0x8848: mpls,
    0x8864: pppoe,
    0x880B: ppp,
    0x8903: fabricpath,
    0x8909: trustsec,
    0x8926: vn_tag,
    0x893F: extender,
    0x88E5: macsec,
    0x88E7: backbone,
    0xD28B: arista,
    NSH: nsh,
    ETHERNET: ethernet,
    ERSPAN_I: erspan_i,
    ERSPAN: erspan,
    0x22EB: erspan,
}
"""By EtherType: what stands between a link layer, or a tunnel, and IP."""

TUNNELS: dict[int, Envelope] = {
    4: ipv4_inside,
    41: ipv6_inside,
    47: gre,
}
"""By IP protocol: what carries another packet inside one."""

PORTS: dict[bytes, Envelope] = {
    b"\x08\x68": gtp,  # 2152
    b"\x12\xb5": vxlan,  # 4789
    b"\x12\xb6": vxlan,  # 4790, the Generic Protocol Extension's
    b"\x17\xc1": geneve,  # 6081
    b"\x1e\xfc": hp_erm,  # 7932
    b"\x21\x18": vxlan,  # 8472, Linux's before there was a number
    b"\x90\x90": tzsp,  # 37008
}
"""By destination port of UDP, as it stands: what may carry a packet. A port is a hint; what the envelope refuses, or
holds no sound IP header, is a datagram like any other."""

COUNTED: dict[Envelope, str] = {
    arista: "in_arista",
    backbone: "in_mac_in_mac",
    cooked: "in_linux_cooked",
    cooked2: "in_linux_cooked",
    erspan: "in_erspan",
    erspan_i: "in_erspan",
    extender: "in_8021br",
    fabricpath: "in_fabricpath",
    geneve: "in_geneve",
    gre: "in_gre",
    gtp: "in_gtp",
    hdlc: "in_hdlc",
    hp_erm: "in_hp_erm",
    ipv4_inside: "in_ip_in_ip",
    ipv6_inside: "in_ip_in_ip",
    loopback: "in_loopback",
    macsec: "in_macsec",
    mpls: "in_mpls",
    nsh: "in_nsh",
    ppp: "in_ppp",
    pppd: "in_ppp",
    pppoe: "in_pppoe",
    qinq: "in_qinq",
    radiotap: "in_wifi",
    raw: "in_raw_ip",
    raw_ipv4: "in_raw_ip",
    raw_ipv6: "in_raw_ip",
    serial: "in_ppp",
    trustsec: "in_trustsec",
    tzsp: "in_tzsp",
    vlan: "in_vlan",
    vn_tag: "in_vn_tag",
    vxlan: "in_vxlan",
    wifi: "in_wifi",
}
"""Under which name an envelope is counted, each time that one is opened. Ethernet has none: nearly all is in it."""

_HEADERS = {IPV4: ipv4_of, IPV6: ipv6_of}
MAX_DEPTH = 16  # envelopes and IP headers in one frame

COUNTS = (
    "datagrams",
    "datagrams_read_otherwise",
    "datagrams_truncated",
    "duplicates",
    "unknown_links",
    "unknown_ethertypes",
    "unknown_protocols",
    "encrypted_frames",
    "malformed_frames",
    "segments_empty",
    *sorted(set(COUNTED.values())),
    *duplicates.COUNTS,
    *fragments.COUNTS,
    *streams.COUNTS,
    *agents.COUNTS,
)

ASKS: tuple[Ask, ...] = (hep.ASK,)
"""What `wire` itself wants of the packet filter, beside the tunnels that always pass."""

TICK: Nanoseconds = max(streams.SKEW, duplicates.WINDOW)
_BACK: Nanoseconds = -SECOND  # Frames in a little disorder do not turn the clock back.
_TCP, _UDP = 6, 17
_NOTHING: Sequence[Packet | Oddity] = ()
# Of an Ethernet frame: EtherType with IP version and header length, total length, identification, fragment field,
# protocol, addresses with ports, UDP length, first byte of what UDP carries.
_PLAIN = Struct("!12x3sxH2sHxB2x12sH2xB").unpack_from
_IPV4_WITHOUT_OPTIONS = b"\x08\x00\x45"
_LONG_WAY = PORTS.keys() | {port.to_bytes(2, "big") for port in hep.PORTS}
_HEP = hep.MAGIC[0]  # Neither RTP nor a usual method of SIP begins with it.
_HEP_HEADS = frozenset(hep.MAGIC[:size] for size in range(len(hep.MAGIC) + 1))
_PORT_HEADS = frozenset(port[0] for port in _LONG_WAY)  # One byte rules out nearly all at a third of the cost of two.
_IPV4, _VLAN = b"\x08\x00", b"\x81\x00"
_datagram = tuple.__new__  # A named tuple's own constructor costs 0.1 µs more.

Given: TypeAlias = Packet | Oddity


class Wire:
    """Everything between a frame and the bytes that one endpoint sent to another."""

    def __init__(
        self,
        hep_senders: Sequence[str] | None = None,
        hep_key: Key | None = None,
        widen: Widen | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`hep_senders` may report what they saw, and without it everybody; `widen` asks the packet filter for more."""
        limits = limits or Limits()
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self._duplicates = Duplicates(self.counts, limits.recent_packets)
        self._fragments = Fragments(self.counts, limits)
        self._streams = Streams(self.counts, limits)
        self._agents = Agents(self.counts, hep_senders, hep_key, widen, limits)
        self._ticked: Nanoseconds = 0

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {
            "recent_packets": len(self._duplicates),
            **self._fragments.sizes,
            **self._streams.sizes,
            **self._agents.sizes,
        }

    def feed(self, frame: Frame) -> Sequence[Given]:
        """What this frame completes."""
        at, capture, number, link, data, length = frame
        if not _BACK < at - self._ticked < TICK:
            return self._tick(frame)
        # The usual frame, whole IPv4 without options in Ethernet with nothing in between, takes the short way.
        if link == 1 and len(data) >= 43:
            kind, total, mark, fragment, protocol, flow, udp_length, first = _PLAIN(data)
            if kind == _IPV4_WITHOUT_OPTIONS and not fragment & 0x3FFF and 28 <= total <= len(data) - 14:
                if (
                    protocol == _UDP
                    and udp_length == total - 20
                    and first != _HEP
                    and not (data[36] in _PORT_HEADS and flow[-2:] in _LONG_WAY)
                ):
                    payload = data[42 : 14 + total]
                    if self._duplicates.have((mark, flow, payload), at):
                        self.counts["duplicates"] += 1
                        return _NOTHING
                    self.counts["datagrams"] += 1
                    return (_datagram(Datagram, (at, capture, number, flow, payload, False, "", False)),)
                if protocol == _TCP:
                    return self._open_segment(frame, mark, flow, 14 + total)
            elif kind[:2] == _VLAN and data[16:18] == _IPV4:
                # Without its tag it is a usual frame, and copying it is quicker than the long way.
                self.counts["in_vlan"] += 1
                return self.feed(Frame(at, capture, number, link, data[:12] + data[16:], length - 4))
        return self._open(frame)

    def finish(self) -> Sequence[Given]:
        """What was still waiting when the last capture ended."""
        self._fragments.finish()
        others = self._others() if self._fragments.others else ()
        return [*others, *self._agents.stream(self._streams.finish())]

    def _tick(self, frame: Frame) -> Sequence[Given]:
        """Packet time has moved on (or back, with another capture): first what that frees, then the frame."""
        self._ticked = frame.at
        self._duplicates.advance()
        self._fragments.advance(frame.at)
        self._agents.advance(frame.at)
        others = self._others() if self._fragments.others else ()
        freed = [*others, *self._agents.stream(self._streams.advance(frame[:3]))]
        given = self.feed(frame)
        return [*freed, *given] if freed else given

    def _open_segment(self, frame: Frame, mark: bytes, flow: bytes, end: int) -> Sequence[Given]:
        """The short way for TCP."""
        try:
            return self._segment(frame, mark, flow, frame.data, 34, end, 0)
        except Malformed:
            return self._open(frame)  # which says what is wrong

    def _open(self, frame: Frame) -> Sequence[Given]:
        """The long way, and what fragments make of a packet in another reading."""
        given = self._opened(frame)
        return [*given, *self._others()] if self._fragments.others else given

    def _opened(self, frame: Frame) -> Sequence[Given]:
        """The long way: envelope by envelope, each of which may be broken."""
        link = LINKS.get(frame.link)
        if link is None:
            self.counts["unknown_links"] += 1
            return _NOTHING
        out: list[Given] = []
        layer = "link"
        opened: list[Envelope] = []
        held: UdpPacket | None = None  # by its port an envelope, until an IP header in it proves that it is
        proven = 0
        try:
            data = frame.data
            kind, start = link(data, 0)
            opened.append(link)
            for _ in range(MAX_DEPTH):
                layer = "link"
                if (envelope := ENVELOPES.get(kind)) is not None:
                    kind, start = envelope(data, start)
                    opened.append(envelope)
                    continue
                if (header := _HEADERS.get(kind)) is None:
                    self.counts["encrypted_frames" if kind == ENCRYPTED else "unknown_ethertypes"] += 1
                    return out
                layer = "ip"
                ip = header(data, start)
                held = None
                whole = self._whole(frame, ip, out)
                if whole is None:
                    return out
                if (tunnel := TUNNELS.get(whole.protocol)) is not None:
                    data = whole.data[: whole.end]
                    kind, start = tunnel(data, whole.start)
                    opened.append(tunnel)
                elif whole.protocol == _UDP:
                    layer = "udp"
                    udp = udp_of(whole)
                    if (carrier := PORTS.get(udp.flow[-2:])) is None:
                        self._deliver(frame, udp, out)
                        return out
                    held, data, proven = udp, udp.payload, len(opened)
                    kind, start = carrier(data, 0)
                    opened.append(carrier)
                else:
                    layer = "tcp"
                    self._transport(frame, whole, out)
                    return out
            raise Malformed(Reason.TOO_LARGE, start, "envelopes in one frame")
        except Malformed as wrong:
            if held is not None:
                del opened[proven:]
                self._deliver(frame, held, out)
            else:
                self.counts["malformed_frames"] += 1
            if held is None or wrong.reason is Reason.TOO_LARGE:
                out.append(_oddity(frame, layer, wrong.reason, wrong.what))
            return out
        finally:
            for envelope in opened:
                if (name := COUNTED.get(envelope)) is not None:
                    self.counts[name] += 1

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

    def _others(self) -> list[Given]:
        """Packets whose fragments differ, in their other reading."""
        others, self._fragments.others = self._fragments.others, []
        out: list[Given] = []
        for seen, ip in others:
            at, capture, number = seen
            out.append(
                _oddity(Frame(at, capture, number, 0, b"", 0), "ip", Reason.CONFLICT, "fragments make two packets")
            )
            try:
                if ip.protocol == _UDP:
                    _, flow, payload, _ = udp_of(ip)
                    self.counts["datagrams_read_otherwise"] += 1
                    out += self._agents.datagram(Datagram(*seen, flow, payload, ambiguous=True))
                elif ip.protocol == _TCP:
                    segment = segment_of(ip.data, ip.start, ip.end)
                    out += self._streams.feed(seen, ip.addresses + ip.data[ip.start : ip.start + 4], segment)
                    self.counts["segments"] -= 1  # The frames were counted.
            except Malformed:
                continue  # One of the two readings must be sound, and need not be this one.
        return out

    def _is_copy(self, parts: tuple[bytes | int, ...], at: Nanoseconds) -> bool:
        copy = self._duplicates.have(parts, at)
        self.counts["duplicates"] += copy
        return copy

    def _transport(self, frame: Frame, ip: IpPacket, out: list[Given]) -> None:
        """Adds what TCP carries."""
        if ip.protocol != _TCP:
            self.counts["unknown_protocols"] += 1
            return
        # The header lies when a frame that nobody cut is too short; only what a snap length cut will never come.
        lost = ip.lost if frame.length > len(frame.data) else 0
        flow = ip.addresses + ip.data[ip.start : ip.start + 4]
        out.extend(self._segment(frame, ip.mark, flow, ip.data, ip.start, ip.end, lost))

    def _segment(
        self, frame: Frame, mark: bytes, flow: bytes, data: bytes, start: int, end: int, lost: int
    ) -> Sequence[Given]:
        """What a TCP segment adds to its stream."""
        segment = segment_of(data, start, end, lost)
        if self._is_copy((mark, flow, data[start + 4 : end], _TCP), frame.at):
            return _NOTHING
        if not segment.payload:
            self.counts["segments_empty"] += 1
        given = self._streams.feed(frame[:3], flow, segment)
        if given and (segment.payload[:4] in _HEP_HEADS or len(given) > 1 or flow in self._agents.streams):
            begins = self._streams.begins_with(flow, given)
            return list(self._agents.stream(given, flow if begins else None))
        return given

    def _deliver(self, frame: Frame, udp: UdpPacket, out: list[Given]) -> None:
        """Adds a datagram, unless it is a copy."""
        if self._is_copy(udp[:3], frame.at):
            return
        self.counts["datagrams"] += 1
        self.counts["datagrams_truncated"] += udp.truncated
        out.extend(self._agents.datagram(Datagram(frame.at, frame.capture, frame.number, *udp[1:])))


def _oddity(frame: Frame, protocol: str, reason: Reason, what: str) -> Oddity:
    return Oddity(at=frame.at, evidence=evidence_of(frame), protocol=protocol, reason=reason, what=what)
