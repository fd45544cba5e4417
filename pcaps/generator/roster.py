"""A bridge that tells a subscriber who is in a conference (RFC 4575, RFC 6665): SUBSCRIBE, and a NOTIFY each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Protocol
from xml.sax.saxutils import escape, quoteattr

from pcaps.generator.labels import Mark
from pcaps.generator.sip import message
from pcaps.generator.wire import SECOND, Frame, Host, Stream

NAMESPACE = "urn:ietf:params:xml:ns:conference-info"
HOP = 2_000_000


class Network(Protocol):
    """Where the messages go."""

    def datagram(
        self, at: int, source: Host, destination: Host, payload: bytes, ports: tuple[int, int] | None = None
    ) -> Frame: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user of a conference, as its bridge lists them."""

    entity: str
    display: str = ""
    device: str = ""
    """The URI of their endpoint; that of the user when empty."""
    status: str = "connected"
    joined_by: str = "dialed-in"
    call: str = ""
    """The Call-ID of their call, where the bridge tells it."""
    since: str = ""
    """When they joined, in the words of XML Schema."""
    left_by: str = ""
    roles: tuple[str, ...] = ()

    def gone(self, left_by: str = "departed") -> Member:
        """The same, after hanging up; some bridges do not say how."""
        return replace(self, status="disconnected", left_by=left_by)

    def xml(self) -> str:
        """As a `user` element."""
        roles = "".join(f"<entry>{escape(role)}</entry>" for role in self.roles)
        info = f"<call-info><sip><call-id>{escape(self.call)}</call-id></sip></call-info>" if self.call else ""
        lines = [
            f"<user entity={quoteattr(self.entity)}>",
            f"<display-text>{escape(self.display)}</display-text>" if self.display else "",
            f"<roles>{roles}</roles>" if roles else "",
            f"<endpoint entity={quoteattr(self.device or self.entity)}><status>{self.status}</status>",
            f"<joining-method>{self.joined_by}</joining-method>" if self.joined_by else "",
            f"<joining-info><when>{self.since}</when></joining-info>" if self.since else "",
            f"<disconnection-method>{self.left_by}</disconnection-method>" if self.left_by else "",
            '<media id="1"><type>audio</type><status>sendrecv</status></media>',
            f"{info}</endpoint></user>",
        ]
        return "".join(line for line in lines if line)


class Subscription:
    """One watcher's subscription to one conference."""

    def __init__(
        self,
        network: Network,
        watcher: Host,
        bridge: Host,
        conference: str,
        random: Random,
        *,
        at: int,
        stream: Stream | None = None,
    ) -> None:
        """`stream`: a connection for what does not fit a datagram (RFC 3261, 18.1.1)."""
        self.network, self.watcher, self.bridge, self.conference = network, watcher, bridge, conference
        self.now = at
        self._random, self._stream = random, stream
        self._tags = (f"{random.getrandbits(40):010x}", f"{random.getrandbits(40):010x}")
        self._call = f"{random.getrandbits(64):016x}@{watcher.ip}"
        self._asked, self._told, self._version = random.randrange(1, 90), random.randrange(100, 200), 0

    def subscribe(self, *, at: int = 0, lasts: int = 3600) -> Subscription:
        """SUBSCRIBE, or its refreshing, and the answer."""
        self.now = max(self.now, at)
        self._asked += 1
        # The first one has no tag in To, for there is no dialog yet.
        headers = self._headers("SUBSCRIBE", self._asked, by_bridge=False)
        extra = [("Event", "conference"), ("Accept", "application/conference-info+xml"), ("Expires", str(lasts))]
        self._send(self.watcher, self.bridge, f"SUBSCRIBE {self.conference} SIP/2.0", [*headers, *extra])
        self._send(self.bridge, self.watcher, "SIP/2.0 200 OK", [*headers, ("Expires", str(lasts))])
        return self

    def notify(
        self,
        *members: Member,
        at: int = 0,
        state: str = "full",
        count: int | None = None,
        lasts: int = 3600,
        names: Sequence[str] = (),
    ) -> Mark:
        """NOTIFY with who is there, and its answer. `lasts=0` ends the subscription."""
        self.now = max(self.now, at)
        self._told += 1
        self._version += 1
        headers = self._headers("NOTIFY", self._told, by_bridge=True)
        active = f"active;expires={lasts}" if lasts else "terminated;reason=noresource"
        body = self._document(members, state, count, names).encode()
        target = f"NOTIFY sip:watcher@{self.watcher.hostport} SIP/2.0"
        extra = [("Event", "conference"), ("Subscription-State", active)]
        frame = self._send(self.bridge, self.watcher, target, [*headers, *extra], body)
        self._send(self.watcher, self.bridge, "SIP/2.0 200 OK", headers)
        return frame

    def _document(self, members: Sequence[Member], state: str, count: int | None, names: Sequence[str]) -> str:
        uris = "".join(f"<entry><uri>{escape(name)}</uri><purpose>participation</purpose></entry>" for name in names)
        about = f"<conference-description><conf-uris>{uris}</conf-uris></conference-description>" if uris else ""
        counted = f"<conference-state><user-count>{count}</user-count></conference-state>" if count is not None else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\r\n'
            f'<conference-info xmlns="{NAMESPACE}" entity={quoteattr(self.conference)} state="{state}" '
            f'version="{self._version}">{about}{counted}<users>{"".join(m.xml() for m in members)}</users>'
            "</conference-info>\r\n"
        )

    def _headers(self, method: str, number: int, *, by_bridge: bool) -> list[tuple[str, str]]:
        bridge = f"<{self.conference}>;tag={self._tags[1]}"
        watcher = f"<sip:watcher@{self.watcher.ip}>;tag={self._tags[0]}"
        sender = self.bridge if by_bridge else self.watcher
        carrier, branch = "TCP" if self._stream else "UDP", self._random.getrandbits(64)
        to = watcher if by_bridge else bridge if self._version else f"<{self.conference}>"
        return [
            ("Via", f"SIP/2.0/{carrier} {sender.hostport};branch=z9hG4bK{branch:016x}"),
            ("Max-Forwards", "70"),
            ("From", bridge if by_bridge else watcher),
            ("To", to),
            ("Call-ID", self._call),
            ("CSeq", f"{number} {method}"),
            ("Contact", f"<{self.conference}>;isfocus" if by_bridge else f"<sip:watcher@{self.watcher.hostport}>"),
        ]

    def _send(
        self, source: Host, destination: Host, start: str, headers: list[tuple[str, str]], body: bytes = b""
    ) -> Mark:
        self.now += HOP
        text = message(start, headers, body, "application/conference-info+xml")
        if self._stream is not None:
            return self._stream.write(self.now, source, text)
        return self.network.datagram(self.now, source, destination, text)


def moment(at: int) -> str:
    """Nanoseconds since 1970 as XML Schema writes them, in UTC."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
