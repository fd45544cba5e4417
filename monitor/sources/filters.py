"""The packet filter: what decoders ask for comes in, an expression of pcap-filter(7) goes out.

Nearly every packet that meets it is media and not wanted, so the order of the tests is the speed: a few loads and
comparisons must be enough to drop one. Rules of BPF that the order depends on: a load beyond the packet's end drops
the packet, so a test that may do so comes after those that may not; and a keyword like `vlan` shifts every offset in
the text behind it, so that it comes last.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from monitor.model.asks import Ask
from monitor.model.layouts import Layout
from monitor.sources.instructions import MAX_INSTRUCTIONS, in_turn, within
from monitor.sources.looks import FirstLook, LayoutOf, Layouts
from monitor.sources.savefile import MAX_FRAME_BYTES
from monitor.sources.tags import TAG_ETHERTYPES, with_tags

LINKTYPE_ETHERNET = 1
LINKTYPE_LINUX_SLL = 113
LINKTYPE_LINUX_SLL2 = 276
ETHERTYPE_AT = {LINKTYPE_ETHERNET: 12, LINKTYPE_LINUX_SLL: 14, LINKTYPE_LINUX_SLL2: 0}
"""Link type → where a frame tells what is in it."""
TUNNEL_ETHERTYPES = (
    0x8847,
    0x8848,
    0x8864,
    0x88E5,
    0x88E7,
    0x8903,
    0x8909,
    0x8926,
    0x893F,
    0x894F,
    0x9200,
    0xD28B,
)
"""MPLS, PPPoE sessions, MACsec, MAC in MAC, Cisco's FabricPath, TrustSec and VN-Tag, 802.1BR, NSH, an old VLAN tag, and
Arista's timestamps: what is inside is for `wire` to find, so they pass as a whole."""
TUNNEL_PROTOCOLS = (4, 41, 47)
"""IP in IP, IPv6 in IP, and GRE, with ERSPAN."""
TUNNEL_PORTS = (2152, 4789, 4790, 6081, 7932, 8472, 37008)
"""GTP-U, VXLAN, its Generic Protocol Extension, GENEVE, HP ERM, VXLAN as Linux numbered it first, and TZSP."""
IPV6_EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
"""Next headers that hide the transport (RFC 8200, 4302, 6275, 7401, 5533), that of fragments among them."""
NETMASK_UNKNOWN = 0xFFFF_FFFF
"""A mirror port has no address, so no netmask."""
PPP_LINKS = (9, 50)
"""PPP, that libpcap looks into behind HDLC's address only; what has none, or Cisco's, passes as a whole."""
DATA_LINK_TYPES = {14: 12, 100: 11, 101: 12, 106: 19}
"""LINKTYPE_ of savefiles → DLT_ of libpcap, where they differ."""
LINK_TYPES = {kind: link for link, kind in DATA_LINK_TYPES.items()}
LINKTYPE_RAW = 101
MAX_WIDENED = 128
"""Asks added while reading; the oldest is forgotten, for each makes the filter longer for every packet."""
HEAD_BYTES = 4
HEAD_GAP = 0x0600_0000
PORT_GAP = 4000
"""Values further apart than this are tested in different groups."""
FEW = 3
NOTHING = "less 0"
"""A test that no packet passes."""


def filter_text(asks: Iterable[Ask], link: int = LINKTYPE_ETHERNET, *, tags: bool = True) -> str:
    """The filter that lets through what any of the asks wants, on that link.

    With `tags` it looks behind VLAN tags, which pcap-filter(7) knows on Ethernet alone; without, tagged frames pass.
    """
    packet = _packet(tuple(asks))
    others = [packet[1]]
    if link in ETHERTYPE_AT:
        passed = TUNNEL_ETHERTYPES if tags else TUNNEL_ETHERTYPES + TAG_ETHERTYPES
        others.append(_any_of(f"link[{ETHERTYPE_AT[link]}:2]", passed))
    if link in PPP_LINKS:
        others.append("link[0]!=0xff")
    if link == LINKTYPE_ETHERNET:
        others.append("(link[12:2]<0x600 and link[14:4]=0xaaaa0300)")  # LLC and SNAP (RFC 1042): few, and `wire` looks
    if tags:
        inner = " or ".join(packet)
        others.append(f"(vlan and ({inner} or (vlan and ({inner} or vlan))))")
    # What is IPv4 and was not wanted must not be asked all the rest.
    return f"{packet[0]} or (not ip and ({' or '.join(others)}))"


def packet_text(asks: Iterable[Ask], version: int) -> str:
    """The same for bare packets of one version of IP, as they are inside a tunnel; no other passes."""
    return _packet(tuple(asks))[version == 6]


def _packet(asks: Sequence[Ask]) -> tuple[str, str]:
    """A wanted packet of IPv4, and one of IPv6: by the asks, or since it hides what it carries, as fragments do."""
    udp_ports = sorted({port for ask in asks for port in ask.udp_ports} | set(TUNNEL_PORTS))
    tcp_ports = sorted({port for ask in asks for port in ask.tcp_ports})
    udp_heads = {head for ask in asks for head in ask.udp_heads}
    tcp_heads = {head for ask in asks for head in ask.tcp_heads}
    lengths = sorted({length for ask in asks for length in ask.rtp_payload_bytes})
    udp4, udp6 = (_udp(name, at, udp_ports, udp_heads, lengths) for name, at in (("udp", 0), ("ip6", 40)))
    tcp4, tcp6 = (_tcp(name, at, tcp_ports, tcp_heads) for name, at in (("tcp", 0), ("ip6", 40)))
    rest4 = f"(ip[9]!=17 and ((tcp and ({tcp4})) or {_any_of('ip[9]', TUNNEL_PROTOCOLS)}))"
    rest6 = f"(ip6[6]!=17 and ((ip6[6]=6 and ({tcp6})) or {_any_of('ip6[6]', TUNNEL_PROTOCOLS + IPV6_EXTENSIONS)}))"
    four = f"(ip and (ip[6:2]&0x3fff!=0 or (udp and ({udp4})) or {rest4}))"
    return four, f"(ip6 and ((ip6[6]=17 and ({udp6})) or {rest6}))"


def _udp(name: str, start: int, ports: Sequence[int], heads: Iterable[bytes], lengths: Sequence[int]) -> str:
    """A wanted datagram whose UDP header is `start` bytes into what `name` names."""
    tests = _ports(name, start, ports)
    tests += _heads(f"{name}[{start + 8}:4]", heads)
    if lengths:
        tests.append(_rtp(name, start, lengths))
    return " or ".join(tests) or NOTHING


def _tcp(name: str, start: int, ports: Sequence[int], heads: Iterable[bytes]) -> str:
    """A wanted segment; its payload begins where the data offset says (RFC 9293, 3.1)."""
    payload = f"(({name}[{start + 12}]&0xf0)>>2)" + (f"+{start}" if start else "")
    return " or ".join(_ports(name, start, ports) + _heads(f"{name}[{payload}:4]", heads)) or NOTHING


def _ports(name: str, start: int, ports: Sequence[int]) -> list[str]:
    """Either end has one of these ports."""
    return [_among(f"{name}[{start + side}:2]", sorted(ports), PORT_GAP) for side in (0, 2) if ports]


def _heads(load: str, heads: Iterable[bytes]) -> list[str]:
    """The payload begins with one of these."""
    numbers = sorted({int.from_bytes(head[:HEAD_BYTES], "big") for head in heads})
    return [_among(load, numbers, HEAD_GAP)] if numbers else []


def _among(load: str, numbers: Sequence[int], gap: int) -> str:
    """The load gives one of these, low to high: in groups, each behind a test of its range that most packets fail."""
    groups = [[numbers[0]]]
    for number in numbers[1:]:
        if number - groups[-1][-1] <= gap:
            groups[-1].append(number)
        else:
            groups.append([number])
    return "(" + " or ".join(_within(load, group) for group in groups) + ")"


def _within(load: str, group: Sequence[int]) -> str:
    """The load gives one of a group; a long one is halved until few comparisons are left."""
    if len(group) <= FEW:
        return _any_of(load, group)
    if len(group) <= 4 * FEW:
        return f"({load}>={group[0]:#x} and {load}<={group[-1]:#x} and {_any_of(load, group)})"
    middle = len(group) // 2
    low, high = _within(load, group[:middle]), _within(load, group[middle:])
    return f"(({load}<{group[middle]:#x} and {low}) or ({load}>={group[middle]:#x} and {high}))"


def _rtp(name: str, start: int, lengths: Sequence[int]) -> str:
    """RTP version 2 with a payload of these lengths behind its CSRC list and header extension (RFC 3550, 5.1, 5.3.1).

    A load of the extension's length may be beyond the end, so no other test may follow.
    """
    flags = f"{name}[{start + 8}]"
    length = f"{name}[{start + 4}:2]"
    sources = f"(({flags}&15)<<2)"
    extension = f"({name}[{start + 22}+{sources}:2]<<2)"
    bare = _any_of(length, [20 + wanted for wanted in lengths])
    listed = _any_of(f"{length}-20-{sources}", lengths)
    extended = _any_of(f"{length}-24-{sources}-{extension}", lengths)
    # Nearly all media has neither list nor extension, and is dropped by the first two tests.
    rest = f"({flags}&0x10=0 and {listed}) or ({flags}&0x10!=0 and {extended})"
    return f"(({flags}=0x80 and {bare}) or ({flags}>0x80 and {flags}<0xc0 and ({rest})))"


def _any_of(load: str, values: Iterable[int]) -> str:
    """The load gives one of these values."""
    return "(" + " or ".join(f"{load}={value:#x}" for value in values) + ")"


Judge: TypeAlias = Callable[[int, int, bytes, int], bool]
"""Whether a frame is wanted: its number, its link type, its bytes, and their number on the wire."""


class Filters:
    """The filters of one run: one program a link type, made when a frame of that type comes, made anew when widened.

    With `layout_of` they look into tunnels as well, once frames in such tunnels have been looked at.
    """

    def __init__(self, asks: Iterable[Ask], layout_of: LayoutOf | None = None) -> None:
        import cypcap  # not above: it costs start-up time that other commands need not pay

        self._cypcap: Any = cypcap
        self._asks = tuple(asks)
        self._layout_of = layout_of
        self._layouts = Layouts()
        self._widened: deque[Ask] = deque(maxlen=MAX_WIDENED)
        self._parts: dict[tuple[str, int], Any] = {}
        """What libpcap made: the program of a link type that looks into no tunnel, and that of bare packets."""
        self._programs: dict[int, Any] = {}
        self._followed: list[tuple[Any, int]] = []
        self._header = cypcap.Pkthdr()

    @property
    def looks(self) -> bool:
        """Whether looking at frames is of any use."""
        return self._layout_of is not None

    def widen(self, ask: Ask) -> None:
        """Let this through as well, from the next frame on."""
        if ask in self._asks or ask in self._widened:
            return
        self._widened.append(ask)
        self._parts.clear()
        self._renew()

    def look(self, link: int, data: bytes, length: int) -> Sequence[str]:
        """The envelopes around what is in this frame; from the next frame on, the filter may look into such ones."""
        layout = self._layout_of(link, data) if self._layout_of else None
        if layout is None:
            return ()
        of_use = self._layouts.has(link, layout) or self._passes_in_vain(link, layout, data, length)
        if of_use and self._layouts.add(link, layout):
            self._renew()
        return layout.envelopes

    def program(self, link: int) -> Any | None:
        """The filter for a link type of a savefile; none where libpcap cannot look into such frames."""
        if link not in self._programs:
            self._programs[link] = self._compiled(link)
        return self._programs[link]

    def wants(self, program: Any, data: bytes, length: int) -> bool:
        """Whether the filter lets these bytes through."""
        header = self._header
        header.caplen = len(data)  # never more than there are: libpcap believes it
        header.len = length
        return bool(program.offline_filter(header, data))

    @contextmanager
    def follow(self, path: str, first: FirstLook, judge: Judge) -> Iterator[tuple[int, Iterator[bytes]] | None]:
        """The snap length of a savefile, and its wanted frames as libpcap reads them; none where it cannot.

        It filters by itself from the end of the first look on. Widening and looking reach it too.
        """
        try:
            reader = self._cypcap.open_offline(path)
        except self._cypcap.Error:
            yield None
            return
        with reader:
            kind = int(reader.datalink())
            follower = (reader, LINK_TYPES.get(kind, kind))
            if self.program(follower[1]) is None:
                yield None
                return
            try:
                with suppress(self._cypcap.Error):  # damage, or a second link type: no more to follow
                    frames = chain(self._begin(follower, first, judge), map(itemgetter(1), reader))
                    yield int(reader.snapshot()), frames
            finally:
                if follower in self._followed:
                    self._followed.remove(follower)

    def _begin(self, follower: tuple[Any, int], first: FirstLook, judge: Judge) -> Iterator[bytes]:
        """The wanted frames among those of the first look, which libpcap gives unfiltered."""
        reader, link = follower
        packets = iter(reader)
        while first.goes_on and (packet := next(packets, None)):
            header, data = packet
            if judge(first.frames + 1, link, data, header.len):
                yield data
        reader.setfilter(self.program(link))
        self._followed.append(follower)

    def _renew(self) -> None:
        """Make the programs anew, each when it is needed."""
        self._programs.clear()
        for reader, link in self._followed:
            reader.setfilter(self.program(link))

    def _passes_in_vain(self, link: int, layout: Layout, data: bytes, length: int) -> bool:
        """Whether the filter lets this frame through, and would not if it knew the layout."""
        program, start = self.program(link), layout.packet_at
        if program is None or not self.wants(program, data, length):
            return False
        return not self.wants(self._inside(layout.version), data[start:], length - start)

    def _compiled(self, link: int) -> Any | None:
        """As many layouts as there is room for, the most frequent first."""
        bare = self._part("link", link)
        if bare is None:
            return None
        programs = [with_tags(bare) if link == LINKTYPE_ETHERNET else list(bare)]
        for layout in self._layouts.chosen(link):
            inner = within(layout, list(self._inside(layout.version)))
            if sum(map(len, programs)) + len(inner) <= MAX_INSTRUCTIONS:
                programs.append(inner)
        return self._cypcap.BpfProgram(in_turn(programs))

    def _inside(self, version: int) -> Any:
        """The program for bare packets of that version of IP."""
        return self._part("packet", version)

    def _part(self, what: str, which: int) -> Any | None:
        if (what, which) not in self._parts:
            asks = (*self._asks, *self._widened)
            link = which if what == "link" else LINKTYPE_RAW
            text = filter_text(asks, link, tags=False) if what == "link" else packet_text(asks, which)
            self._parts[what, which] = self._translated(text, link)
        return self._parts[what, which]

    def _translated(self, text: str, link: int) -> Any | None:
        try:
            kind = DATA_LINK_TYPES.get(link, link)
            return self._cypcap.compile(kind, MAX_FRAME_BYTES, text, True, NETMASK_UNKNOWN)
        except self._cypcap.Error:
            return None
