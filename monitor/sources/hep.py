"""Capture agents that send here: what a socket receives comes in, `Frame`s go out, as a mirror port would show them.

A HEP3 message becomes the datagram that carried it, or would have: IPv4 or IPv6 (LINKTYPE_IPV4, LINKTYPE_IPV6), UDP,
message. So `wire` opens it like any other, and a file of such frames can be read by every tool. What is in the message
is for `wire`; here it is only cut out of its TCP stream, and nobody is served whom the operator does not name.

There is no thread: a loop calls `poll`, or waits for `fileno` among its own descriptors. The sockets may be another
process's (`sockets_of`), which has opened them while it could: then nothing is asked of the system here but to read,
and to accept.
"""

import selectors
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from ipaddress import ip_address
from struct import Struct, pack, unpack
from time import monotonic, time_ns
from typing import Final, Self, TypeAlias

import msgspec

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.networks import Networks
from monitor.model.packets import Frame
from monitor.model.problems import ConfigError, Problem

LINKTYPE_IPV4: Final = 228
LINKTYPE_IPV6: Final = 229
MAGIC: Final = b"HEP3"
HEAD_BYTES: Final = 6
MAX_MESSAGE: Final = 0xFFFF - 28
"""What an IPv4 datagram can carry: 65,507 bytes."""
MAX_CONNECTIONS: Final = 64
"""At once; an agent has one."""
MAX_CONNECTIONS_EACH: Final = 4
"""From one address: one, and those that it has forgotten to close."""
MESSAGE_SECONDS: Final = 10.0
"""A message that has begun must be complete by then, or its connection is closed."""
IDLE_SECONDS: Final = 3600.0
"""A connection that says nothing for so long is closed; agents connect again."""
MAX_AT_ONCE: Final = 256
"""Frames that one `poll` gives at most, about: the loop has other work too."""
READ_BYTES: Final = 64 * 1024
RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Asked of the kernel, for the moments when the loop is busy; it may give less."""
SO_TIMESTAMPNS: Final = 35
"""Of <asm-generic/socket.h>: the kernel tells when each datagram arrived, whoever reads it how late."""
SO_MEMINFO: Final = 55
"""Of the same: nine numbers, the last of which counts datagrams that found the buffer full."""
_meminfo = Struct("=9I")
_timespec = Struct("@ll")
EXTRA_BYTES: Final = socket.CMSG_SPACE(_timespec.size)
COUNTS: Final = (
    "hep_received",
    "hep_connections",
    "hep_refused_sender",
    "hep_refused_busy",
    "hep_dropped_not_hep3",
    "hep_dropped_too_long",
    "hep_dropped_too_slow",
    "hep_dropped_incomplete",
    "hep_dropped_kernel",
    "hep_closed_idle",
)

Address: TypeAlias = tuple[str, int]
Do: TypeAlias = Callable[[list[Frame]], None]
"""What to do when a socket has something: it adds to the frames."""


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where agents are listened to, and who they are."""

    address: str = "127.0.0.1"
    """An IPv4 or IPv6 address of this machine; `::` or `0.0.0.0` for all of one kind."""
    port: int = 9060
    """Of UDP and TCP; 0 for any that is free."""
    senders: tuple[str, ...] | None = None
    """Addresses or networks of the agents: `[site] hep_senders`. Nobody else is served."""


class _Connection:
    """One agent's TCP connection, and what has come of its next message."""

    __slots__ = ("_begun", "_held", "heard", "peer", "socket")

    def __init__(self, accepted: socket.socket, peer: Address, now: float) -> None:
        self.socket = accepted
        self.peer = peer
        self.heard = self._begun = now
        """When something came last, and when the message began that is not complete."""
        self._held = bytearray()

    @property
    def held(self) -> bool:
        """A message has begun and is not complete."""
        return bool(self._held)

    def is_slow(self, now: float) -> bool:
        """The message should have been complete by now."""
        return self.held and now - self._begun > MESSAGE_SECONDS

    def take(self, data: bytes, now: float) -> tuple[list[bytes], str]:
        """The messages that are complete now, and why the connection cannot go on, if so."""
        held = self._held
        if not held:
            self._begun = now
        held += data
        self.heard = now
        messages: list[bytes] = []
        while len(held) >= HEAD_BYTES:
            length = (held[4] << 8) | held[5]
            if held[:4] != MAGIC or length < HEAD_BYTES:
                return messages, "hep_dropped_not_hep3"
            if length > MAX_MESSAGE:
                return messages, "hep_dropped_too_long"
            if len(held) < length:
                break
            messages.append(bytes(held[:length]))
            del held[:length]
            self._begun = now
        return messages, ""


class HepListener:
    """One UDP and one TCP socket, and the connections of agents."""

    def __init__(
        self,
        listening: Listening,
        *,
        name: str = "hep",
        sockets: tuple[socket.socket, socket.socket] | None = None,
        before: tuple[int, int] = (0, 0),
        now: Callable[[], Nanoseconds] | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Opens the sockets, unless they are given; `ConfigError` where nobody may send, or the address cannot be had.

        `before` is what an earlier reader of these sockets told by `told`. `now` is the time that a frame gets, else
        that of its arrival as far as the kernel tells it; `seconds` only go on, whatever somebody does to the clock.
        """
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self.name = name
        self._now, self._seconds = now or time_ns, seconds
        self._is_stamped = now is None
        if not listening.senders:
            raise _refused("no agent may report", '[site] hep_senders = ["192.0.2.30"], the addresses of the agents')
        self._senders = Networks(listening.senders)
        self._number, self._dropped_before = before
        self._tcp: OrderedDict[socket.socket, _Connection] = OrderedDict()
        """The connections, the one silent longest first."""
        self._udp, self._listener = sockets or sockets_of(listening.address, listening.port)
        self._here = self._udp.getsockname()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._udp, selectors.EVENT_READ, self._receive)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def port(self) -> int:
        """The port of both sockets."""
        return int(self._here[1])

    @property
    def accepting(self) -> int:
        """The descriptor on which connections are accepted, for whoever confines system calls."""
        return self._listener.fileno()

    def fileno(self) -> int:
        """A descriptor that is readable when `poll` has something to do, where the system has such (epoll, kqueue)."""
        return int(self._selector.fileno())

    def poll(self, timeout: float = 0.0) -> list[Frame]:
        """What has come; waits for it at most so many seconds."""
        frames: list[Frame] = []
        for key, _ in self._selector.select(timeout):
            do: Do = key.data
            do(frames)
        self._close_late()
        self.counts["hep_dropped_kernel"] = max(0, self._dropped() - self._dropped_before)
        return frames

    @property
    def told(self) -> tuple[int, int]:
        """Frames given so far, and datagrams that the kernel dropped: for the next reader of these sockets."""
        return self._number, self._dropped_before + self.counts["hep_dropped_kernel"]

    def __iter__(self) -> Iterator[Frame]:
        """Everything that comes, for ever; for a loop that has nothing else to do."""
        while self._selector.get_map() is not None:
            yield from self.poll(1.0)

    def close(self) -> None:
        """Gives everything back."""
        for connection in list(self._tcp.values()):
            self._close(connection)
        self._udp.close()
        self._listener.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, frames: list[Frame]) -> None:
        """Datagrams, as many as wait."""
        for _ in range(MAX_AT_ONCE):
            try:
                message, extra, _, sender = self._udp.recvmsg(0xFFFF, EXTRA_BYTES, socket.MSG_DONTWAIT)
            except OSError:  # none waits, or the system tells of an earlier one that it could not
                return
            peer = (_plain(sender[0]), sender[1])
            if peer[0] not in self._senders:
                self.counts["hep_refused_sender"] += 1
            elif message[:4] != MAGIC:
                self.counts["hep_dropped_not_hep3"] += 1
            elif len(message) > MAX_MESSAGE:
                self.counts["hep_dropped_too_long"] += 1
            else:
                frames.append(self._frame(message, peer, self._arrival(extra)))

    def _accept(self, _frames: list[Frame]) -> None:
        """Those who connect: agents, up to the limits."""
        for _ in range(MAX_CONNECTIONS):
            try:
                accepted, sender = self._listener.accept()
            except OSError:  # no more, or gone already, or no descriptor is free
                return
            peer = (_plain(sender[0]), sender[1])
            if peer[0] not in self._senders:
                self.counts["hep_refused_sender"] += 1
                accepted.close()
            elif len(self._tcp) >= MAX_CONNECTIONS or self._connections_of(peer[0]) >= MAX_CONNECTIONS_EACH:
                self.counts["hep_refused_busy"] += 1
                accepted.close()
            else:
                connection = self._tcp[accepted] = _Connection(accepted, peer, self._seconds())
                self._selector.register(accepted, selectors.EVENT_READ, partial(self._read, connection))
                self.counts["hep_connections"] += 1

    def _connections_of(self, address: str) -> int:
        return sum(connection.peer[0] == address for connection in self._tcp.values())

    def _read(self, connection: _Connection, frames: list[Frame]) -> None:
        """What this agent has sent, once; what is left is read in the next turn, after the others'."""
        try:
            data = connection.socket.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection, "hep_dropped_incomplete" if connection.held else "")
            return
        self._tcp.move_to_end(connection.socket)
        messages, wrong = connection.take(data, self._seconds())
        frames += [self._frame(message, connection.peer, self._now()) for message in messages]
        if wrong:
            self._close(connection, wrong)

    def _frame(self, message: bytes, peer: Address, at: Nanoseconds) -> Frame:
        """The message in the headers that it came with, or would have come with."""
        self.counts["hep_received"] += 1
        self._number += 1
        data = _packet(peer, (_plain(self._here[0]), self._here[1]), message, self._number)
        link = LINKTYPE_IPV4 if data[0] >> 4 == 4 else LINKTYPE_IPV6
        return Frame(at, self.name, self._number, link, data, len(data))

    def _arrival(self, extra: Sequence[tuple[int, int, bytes]]) -> Nanoseconds:
        """When a datagram came, as the kernel has noted beside it; now, where it does not."""
        if self._is_stamped:
            for level, kind, content in extra:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(content) == _timespec.size:
                    seconds, nanoseconds = _timespec.unpack(content)
                    return int(seconds) * SECOND + int(nanoseconds)
        return self._now()

    def _dropped(self) -> int:
        """Datagrams that found the buffer full, where the kernel tells (Linux, from 4.12 on)."""
        if sys.platform != "linux":
            return 0
        try:
            told = self._udp.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _meminfo.size)
        except OSError:
            return 0
        return int(_meminfo.unpack(told)[-1]) if len(told) == _meminfo.size else 0

    def _close_late(self) -> None:
        """Agents that begin a message and do not end it, and those that have fallen silent."""
        now = self._seconds()
        for connection in [c for c in self._tcp.values() if c.is_slow(now)]:
            self._close(connection, "hep_dropped_too_slow")
        while self._tcp:
            oldest = next(iter(self._tcp.values()))
            if now - oldest.heard < IDLE_SECONDS:
                return
            self._close(oldest, "hep_closed_idle")

    def _close(self, connection: _Connection, why: str = "") -> None:
        if why:
            self.counts[why] += 1
        del self._tcp[connection.socket]
        self._selector.unregister(connection.socket)
        connection.socket.close()


def sockets_of(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """One of UDP and one of TCP with the same number of port; `ConfigError` where they cannot be had."""
    try:
        return _opened(address, port)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is no IP address"
        expected = "an address of this machine and a port that is free"
        raise _refused(f"{address} port {port}: {reason}", expected) from None


def _opened(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    for tries_left in reversed(range(8)):  # A free port of UDP may be taken in TCP.
        udp, tcp = (socket.socket(family, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
        try:
            for each in (udp, tcp):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                if family == socket.AF_INET6:
                    each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # `::` is IPv4 as well.
                each.setblocking(False)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sys.platform == "linux":
                udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            udp.bind((address, port))
            tcp.bind((address, udp.getsockname()[1]))
            tcp.listen(MAX_CONNECTIONS)
        except OSError:
            udp.close()
            tcp.close()
            if port or not tries_left:
                raise
        else:
            return udp, tcp
    raise AssertionError("the last try returns or raises")


def _plain(address: str) -> str:
    """An address as a policy has it: without zone, IPv4 also where it comes as IPv6."""
    ip = ip_address(address.partition("%")[0])
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def _packet(sender: Address, receiver: Address, message: bytes, number: int) -> bytes:
    """IP, UDP, message. UDP has no checksum, as in tunnels (RFC 768, RFC 6935): the kernel has checked the real one.

    A socket for all addresses does not tell which of them a datagram was sent to: that is the unspecified one.
    """
    source, target = ip_address(sender[0]), ip_address(receiver[0])
    if source.version != target.version:
        target = type(source)(0)
    udp = pack("!HHHH", sender[1], receiver[1], 8 + len(message), 0)
    ends = source.packed + target.packed
    if source.version == 6:
        return pack("!IHBB", 6 << 28, len(udp) + len(message), 17, 64) + ends + udp + message
    head = pack("!BBHHHBBH", 0x45, 0, 28 + len(message), number & 0xFFFF, 0, 64, 17, 0) + ends
    return head[:10] + _checksum(head) + head[12:] + udp + message


def _checksum(head: bytes) -> bytes:
    """Of an IPv4 header (RFC 791, section 3.1; RFC 1071)."""
    total: int = sum(unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return (~(total + (total >> 16)) & 0xFFFF).to_bytes(2, "big")


def _refused(found: str, expected: str) -> ConfigError:
    return ConfigError([Problem(file="HEP listener", line=0, found=found, expected=expected)])
