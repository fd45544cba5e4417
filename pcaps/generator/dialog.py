"""The messages of one dialog, on every hop of its path, and the sound beside it; `Call` tells the story with them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol

from pcaps.generator.labels import Join, Mark
from pcaps.generator.media import Talker
from pcaps.generator.party import Party
from pcaps.generator.sip import REASONS, Headers, message, session
from pcaps.generator.wire import SECOND, Frame, Host, Stream


class Stage(Protocol):
    """The world in which a call happens, as far as the call needs it."""

    def at(self, text: str) -> int: ...
    def media_port(self) -> int: ...
    def datagram(
        self, at: int, source: Host, destination: Host, payload: bytes, ports: tuple[int, int] | None = None
    ) -> Frame: ...
    def again(self, frame: Frame, after: float = 0.5) -> Frame: ...
    def expect_join(self, join: Join) -> None: ...


Side = Literal["caller", "callee"]
HOP = 2_000_000
"""Nanoseconds from one host to the next."""
NOBODY = "0" * 32
"""The other half of a Session-ID that is not yet known (RFC 7989)."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One request and its answers (RFC 3261, section 17)."""

    method: str
    number: int
    by: Side
    branches: tuple[str, ...]
    path: tuple[Host, ...]
    """From the sender of the request to its receiver."""


class Dialog:
    """What both sides of a call say to each other, from the first host of a path to the last and back."""

    def __init__(
        self,
        world: Stage,
        caller: Party,
        target: str,
        path: tuple[Host, ...],
        *,
        at: int,
        random: Random,
        to: str,
        codec: str,
        session: str | None,
        stream: Stream | None,
        replaces: str,
        call_id: str,
    ) -> None:
        self.world, self.caller, self.path, self.codec = world, caller, path, codec
        self.now = at + random.randrange(SECOND // 4)
        self._random, self._stream, self._replaces = random, stream, replaces
        last = path[-1]
        self.target = target if target.startswith("sip") else f"sip:{target}@{last.hostport};user=phone"
        self.to = to or f"<{self.target.replace(f':{last.port};', ';') if '@' in self.target else self.target}>"
        self.call_id = call_id or f"{random.getrandbits(64):016x}@{path[0].ip}"
        self.tags: dict[Side, str] = {"caller": self._token(), "callee": self._token()}
        self.session = f"{random.getrandbits(128):032x}" if session is None else session
        self._sessions: dict[Side, str] = {
            "caller": self.session,
            "callee": f"{random.getrandbits(128):032x}" if self.session else "",
        }
        self._numbers: dict[Side, int] = {"caller": random.randrange(1, 200), "callee": 100}
        self._version = random.randrange(10_000, 99_999)
        self._ports: dict[Side, int] = {"caller": world.media_port(), "callee": world.media_port()}
        self._talkers: dict[Side, Talker] = {
            "caller": Talker(random, codec, self.now),
            "callee": Talker(random, codec, self.now),
        }
        self.invitation: Transaction | None = None
        self.offered: Mark | None = None
        self.answered: Mark | None = None
        self.last_key: Mark | None = None
        self.last_key_at = 0
        self.ended: Mark | None = None
        self.credentials = ""
        self.pressed: list[tuple[int, str]] = []
        """The last group of keys."""
        self.moved_to = ""
        """The conference's own URI, where a bridge tells it once it has let the caller in (RFC 4579)."""
        self._fork_of: Dialog | None = None

    def _identity_headers(self) -> list[tuple[str, str]]:
        caller = self.caller
        name, _, value = self.credentials.partition(": ")
        return [
            (name, value),
            ("P-Asserted-Identity", ", ".join(f"<{uri}>" for uri in caller.asserted)),
            ("P-Preferred-Identity", caller.preferred),
            ("Remote-Party-ID", caller.remote_party),
            ("Privacy", caller.privacy),
            *(("Diversion", value) for value in caller.diversion),
            *(("History-Info", value) for value in caller.history),
            ("Identity", caller.passport),
            ("Replaces", self._replaces),
            ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY"),
            ("Supported", "timer, replaces"),
        ]

    def _invited(self) -> Transaction:
        if self.invitation is None:
            raise ValueError("nobody was invited yet")
        return self.invitation

    def _transaction(self, method: str, by: Side) -> Transaction:
        self._numbers[by] += 1
        path = self.path if by == "caller" else self.path[::-1]
        branches = tuple(self._branch() for _ in path[1:])
        if self._fork_of and method == "INVITE":
            first = self._fork_of.invitation or Transaction(method, 0, by, branches, path)
            return Transaction(method, first.number, by, (first.branches[0], *branches[1:]), path)
        return Transaction(method, self._numbers[by], by, branches, path)

    def _send(
        self,
        transaction: Transaction,
        uri: str,
        extra: Headers = (),
        body: bytes = b"",
        content_type: str = "",
        *,
        tagged: bool = True,
    ) -> list[Mark]:
        """A request, on each hop of its way."""
        first = transaction.method in ("INVITE", "CANCEL") and (not self.answered or not tagged)
        marks: list[Mark] = []
        proxies = transaction.path[1:-1]
        for hop, (source, destination) in enumerate(zip(transaction.path, transaction.path[1:], strict=False)):
            headers = [("Via", via) for via in self._vias(transaction, hop)]
            headers.append(("Max-Forwards", str(70 - hop)))
            if proxies and first:
                headers += [("Record-Route", f"<sip:{proxy.hostport};lr>") for proxy in proxies[:hop][::-1]]
            elif proxies:
                headers += [("Route", f"<sip:{proxy.hostport};lr>") for proxy in proxies[hop:]]
            headers += self._dialog(transaction, to_tag=not first)
            if transaction.method in ("INVITE", "REFER", "UPDATE"):
                headers.append(("Contact", f"<{self._contact_uri(transaction.by)}>"))
            headers.append(("User-Agent", self._agent(transaction.by)))
            text = message(f"{transaction.method} {uri} SIP/2.0", [*headers, *extra], body, content_type)
            if not self._of_the_other(source, destination):
                marks.append(self._put(source, destination, text))
        return marks

    def _answer(
        self,
        transaction: Transaction,
        status: int,
        extra: Headers = (),
        body: bytes = b"",
        *,
        tag: bool = True,
        contact: bool = False,
        focus: str = "",
        hops: int = 0,
    ) -> list[Mark]:
        """A response, back over the hops by which the request came; `hops=1` for what the next host answers itself."""
        answerer: Side = "callee" if transaction.by == "caller" else "caller"
        marks: list[Mark] = []
        last = hops or len(transaction.path) - 1
        for hop in range(last - 1, -1, -1):
            source, destination = transaction.path[hop + 1], transaction.path[hop]
            headers = [("Via", via) for via in self._vias(transaction, hop)]
            headers += self._dialog(transaction, to_tag=tag)
            if contact:
                headers.append(("Contact", f"<{self._contact_uri(answerer)}>{focus}"))
                headers += [("Record-Route", f"<sip:{p.hostport};lr>") for p in transaction.path[1:-1][::-1]]
            if status != 100:
                headers.append(("Server", self._agent(answerer)))
            text = message(
                f"SIP/2.0 {status} {REASONS[status]}", [*headers, *extra], body, "application/sdp" if body else ""
            )
            if not self._of_the_other(source, destination):
                marks.append(self._put(source, destination, text))
        return marks

    def _of_the_other(self, source: Host, destination: Host) -> bool:
        """Whether this hop carries the other branch's messages and not this one's."""
        return self._fork_of is not None and self.path[0] in (source, destination)

    def _acknowledge(self, invited: Transaction | None = None) -> None:
        """The ACK for a 2xx: a transaction of its own, end to end."""
        invited = invited or self._invited()
        other: Side = "callee" if invited.by == "caller" else "caller"
        branches = tuple(self._branch() for _ in invited.path[1:])
        self._send(Transaction("ACK", invited.number, invited.by, branches, invited.path), self._contact_uri(other))

    def _acknowledge_refusal(self, invited: Transaction) -> None:
        """The ACK for anything else: hop by hop, with the branch of the INVITE (RFC 3261, section 17.1.1.3)."""
        for hop, (source, destination) in enumerate(zip(invited.path, invited.path[1:], strict=False)):
            headers = [("Via", self._vias(invited, hop)[0]), ("Max-Forwards", "70")]
            acknowledged = Transaction("ACK", invited.number, invited.by, invited.branches, invited.path)
            headers += self._dialog(acknowledged, to_tag=True)
            if not self._of_the_other(source, destination):
                self._put(source, destination, message(f"ACK {self.target} SIP/2.0", headers))

    def _vias(self, transaction: Transaction, hop: int) -> list[str]:
        """The hosts passed so far, newest first."""
        protocol = "TCP" if self._stream else "UDP"
        return [
            f"SIP/2.0/{protocol} {transaction.path[n].hostport};branch={transaction.branches[n]}"
            for n in range(hop, -1, -1)
        ]

    def _dialog(self, transaction: Transaction, *, to_tag: bool) -> list[tuple[str, str]]:
        other: Side = "callee" if transaction.by == "caller" else "caller"
        to = self._who(other) + (f";tag={self.tags[other]}" if to_tag else "")
        known = self._sessions[other] if to_tag else NOBODY
        return [
            ("From", f"{self._who(transaction.by)};tag={self.tags[transaction.by]}"),
            ("To", to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{transaction.number} {transaction.method}"),
            ("Session-ID", f"{self._sessions[transaction.by]};remote={known}" if self.session else ""),
        ]

    def _who(self, side: Side) -> str:
        return self.caller.address if side == "caller" else self.to

    def _contact_uri(self, side: Side) -> str:
        if side == "callee" and self.moved_to:
            return self.moved_to
        host = self.path[0] if side == "caller" else self.path[-1]
        user = self.caller.user if side == "caller" else self.target.removeprefix("sip:").partition("@")[0]
        return f"sip:{user}@{host.hostport}" + (";transport=tcp" if self._stream else "")

    def _agent(self, side: Side) -> str:
        return (side == "caller" and self.caller.agent) or (self.path[0] if side == "caller" else self.path[-1]).agent

    def _sdp(self, side: Side, **how: str) -> bytes:
        host = self.path[0] if side == "caller" else self.path[-1]
        return session(host.ip, self._ports[side], self.codec, self._version + (side == "callee"), **how)  # type: ignore[arg-type]

    def _key_info(self, by: Side, key: str) -> list[Mark]:
        """SIP INFO with `application/dtmf-relay`, as IOS and Asterisk send it."""
        other: Side = "callee" if by == "caller" else "caller"
        transaction = self._transaction("INFO", by)
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        frames = self._send(transaction, self._contact_uri(other), (), body, "application/dtmf-relay")
        self._answer(transaction, 200)
        return frames

    def _key_rtp(self, by: Side, key: str, lost: int = 0) -> list[Mark]:
        return [self._rtp(by, at, payload) for at, payload in list(self._talkers[by].key(self.now, key))[lost:]]

    def _rtp(self, by: Side, at: int, payload: bytes) -> Frame:
        other: Side = "callee" if by == "caller" else "caller"
        ends = (self.path[0], self.path[-1]) if by == "caller" else (self.path[-1], self.path[0])
        return self.world.datagram(at, *ends, payload, ports=(self._ports[by], self._ports[other]))

    def _put(self, source: Host, destination: Host, text: bytes) -> Mark:
        """One message on one hop."""
        self.now += HOP
        if self._stream:
            return self._stream.write(self.now, source, text)
        return self.world.datagram(self.now, source, destination, text)

    def _pass(self, seconds: float) -> None:
        """Time goes by, never quite evenly."""
        self.now += round(seconds * SECOND) + self._random.randrange(SECOND // 20)

    def _branch(self) -> str:
        return f"z9hG4bK{self._random.getrandbits(64):016x}"

    def _token(self) -> str:
        return f"{self._random.getrandbits(40):010x}"
