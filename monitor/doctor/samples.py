"""A sample of frames as they come, unfiltered: what kind of traffic is this, and is it what a mirror gives?"""

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import TypeVar

from monitor.doctor.contents import Content, content_of_datagram, content_of_segment
from monitor.doctor.openings import ESP, TCP, UDP, Opened, opened
from monitor.model.evidence import Nanoseconds
from monitor.model.oddities import Malformed
from monitor.model.packets import Frame
from monitor.wire.duplicates import WINDOW, Duplicates
from monitor.wire.tcp import segment_of
from monitor.wire.udp import udp_of

Key = TypeVar("Key", bound=Hashable)
MOST = 20_000
"""Entries of each table of a sample: addresses, conversations, media streams. What comes beyond is not looked at."""
A_STREAM = 8
"""Packets of one RTP source that make a stream: fewer may be chance."""
USUAL_FRAME = 1518


class Sample:
    """Counts of one sample. Public for the checks to read."""

    def __init__(self) -> None:
        self.frames = 0
        self.octets = 0
        self.cut = 0
        """Frames that the snap length cut."""
        self.snap = 0
        """Bytes that are left of the longest of these."""
        self.longest = 0
        """Bytes on the wire."""
        self.merged = 0
        """TCP segments longer than any frame on a network of that kind: put together by an adapter or its driver."""
        self.first: Nanoseconds | None = None
        self.last: Nanoseconds | None = None
        self.group = 0
        """Frames for everybody or a group: they arrive at any port."""
        self.receivers: Counter[bytes] = Counter()
        """Hardware addresses of single receivers."""
        self.housekeeping: Counter[str] = Counter()
        self.stopped: Counter[str] = Counter()
        """Frames that nobody here can open, by what stopped it."""
        self.encrypted: Counter[str] = Counter()
        self.envelopes: Counter[str] = Counter()
        self.vlans: Counter[int] = Counter()
        """By the outermost tag; 0 for frames without."""
        self.ends: Counter[tuple[str, str]] = Counter()
        """Of tunnels: name, and address to which it goes."""
        self.versions: Counter[int] = Counter()
        self.transports: Counter[str] = Counter()
        self.contents: Counter[Content] = Counter()
        self.sip_vlans: Counter[int] = Counter()
        self.ports: Counter[str] = Counter()
        """`udp 4500`: the lower of the two, which is the server's more often than not."""
        self.copies = 0
        self.packets = 0
        """IP packets that were compared for copies."""
        self._recent: dict[str, int] = {"recent_packets_evicted": 0}
        self._duplicates = Duplicates(self._recent)
        self._window: Nanoseconds = 0
        self._conversations: dict[bytes, int] = {}
        self._media: Counter[bytes] = Counter()

    def add(self, frame: Frame) -> None:
        """One more."""
        self.frames += 1
        self.octets += frame.length
        self.first = frame.at if self.first is None else min(self.first, frame.at)
        self.last = frame.at if self.last is None else max(self.last, frame.at)
        self.longest = max(self.longest, frame.length)
        if frame.length > len(frame.data):
            self.cut += 1
            self.snap = max(self.snap, len(frame.data))
        if frame.link == 1 and len(frame.data) >= 6:
            if frame.data[0] & 1:
                self.group += 1
            else:
                _count(self.receivers, frame.data[:6])
        found = opened(frame.link, frame.data)
        self.envelopes.update(found.envelopes)
        self.vlans[found.vlans[0] if found.vlans else 0] += 1
        for end in found.ends:
            _count(self.ends, end)
        if found.ip is None:
            self._unopened(found)
        else:
            self._packet(frame, found)

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return (self.last - self.first) / 1e9 if self.first is not None and self.last is not None else 0.0

    @property
    def streams(self) -> int:
        """Of media."""
        return sum(count >= A_STREAM for count in self._media.values())

    @property
    def conversations(self) -> tuple[int, int]:
        """Of TCP with data: how many there are, and how many of which only one side was ever seen."""
        sides = [seen for seen in self._conversations.values() if seen & 0b1100]
        return len(sides), sum(seen & 0b11 != 0b11 for seen in sides)

    @property
    def sip(self) -> int:
        """Packets with SIP that can be read."""
        return self.contents[Content.SIP]

    def top_ports(self, most: int = 4) -> str:
        """`udp 443 (1,200), tcp 22 (30)`."""
        return ", ".join(named(self.ports or self.transports, most))

    def _unopened(self, found: Opened) -> None:
        if found.encrypted:
            self.encrypted[found.encrypted] += 1
        elif found.housekeeping:
            self.housekeeping[found.housekeeping] += 1
        else:
            _count(self.stopped, found.stopped)

    def _packet(self, frame: Frame, found: Opened) -> None:
        ip = found.ip
        assert ip is not None  # noqa: S101 - the caller looked
        self.versions[found.version] += 1
        if ip.protocol == ESP:
            self.encrypted["IPsec"] += 1
        if abs(frame.at - self._window) >= WINDOW:
            self._window = frame.at
            self._duplicates.advance()
        self.packets += 1
        # Behind the header alone: a copy may have been routed, and its header's checksum is another.
        self.copies += self._duplicates.have((ip.mark, ip.addresses, ip.data[ip.start : ip.end]), frame.at)
        if ip.fragment is not None and ip.fragment.offset:
            self.transports["fragment"] += 1
            return
        vlan = found.vlans[0] if found.vlans else 0
        try:
            if ip.protocol == UDP:
                self.transports["udp"] += 1
                _, flow, payload, _ = udp_of(ip)
                content = content_of_datagram(payload, flow)
                self._say(flow, content, "udp", vlan)
                if content is Content.RTP:
                    _count(self._media, flow + payload[8:12])
            elif ip.protocol == TCP:
                self.transports["tcp"] += 1
                self._segment(ip.addresses + ip.data[ip.start : ip.start + 4], ip.data, ip.start, ip.end, vlan)
            else:
                self.transports[f"IP protocol {ip.protocol}"] += 1
        except Malformed:
            self.transports["broken"] += 1

    def _segment(self, flow: bytes, data: bytes, start: int, end: int, vlan: int) -> None:
        segment = segment_of(data, start, end)
        self.merged += len(segment.payload) > USUAL_FRAME
        half = (len(flow) - 4) // 2
        here, there = flow[:half] + flow[-4:-2], flow[half:-4] + flow[-2:]
        side = 0b01 if here < there else 0b10
        name = here + there if here < there else there + here
        if name in self._conversations or len(self._conversations) < MOST:
            seen = self._conversations.get(name, 0)
            self._conversations[name] = seen | side | (side << 2 if segment.payload else 0)
        self._say(flow, content_of_segment(segment.payload, flow), "tcp", vlan)

    def _say(self, flow: bytes, content: Content | None, transport: str, vlan: int) -> None:
        source, destination = flow[-4] << 8 | flow[-3], flow[-2] << 8 | flow[-1]
        _count(self.ports, f"{transport} {min(source, destination)}")
        if content is not None:
            self.contents[content] += 1
            if content is Content.SIP:
                self.sip_vlans[vlan] += 1


def named(counts: Counter[str], most: int = 4) -> Iterator[str]:
    """`ARP (12)`, most frequent first."""
    for name, count in counts.most_common(most):
        yield f"{name} ({count:,})"


def _count(counts: "Counter[Key]", key: Key) -> None:
    if key in counts or len(counts) < MOST:
        counts[key] += 1
