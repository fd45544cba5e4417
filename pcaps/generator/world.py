"""A place and a day: hosts, calls and connections, and at the end one capture with its labels."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from pcaps.generator.call import Call
from pcaps.generator.labels import Alert, Join, Labels, Mark, toml_of
from pcaps.generator.party import Party
from pcaps.generator.roster import Subscription
from pcaps.generator.wire import MICROSECOND, SECOND, Frame, Host, Stream, pcap_of

FIRST_MEDIA_PORT = 16_384


class World:
    """Everything that happens within one capture. Seeded by its name: the same story, the same bytes."""

    def __init__(self, name: str, *, day: str, zone: str = "Europe/Amsterdam", vlan: int | None = None) -> None:
        self.name = name
        self.labels = Labels()
        self.span_copies = 0
        """How often the mirror port shows each frame once more, 30 microseconds later."""
        self.begins = 0
        """When the capture begins; what happened before is not in it."""
        self._day = day
        self._zone = ZoneInfo(zone)
        self._vlan = vlan
        self._frames: list[Frame] = []
        self._streams: list[Stream] = []
        self._calls = self._subscriptions = 0
        self._port = FIRST_MEDIA_PORT

    def at(self, text: str) -> int:
        """Local time, `10:01`, `10:01:30` or `2024-05-13 16:20`, in nanoseconds since 1970."""
        moment = datetime.fromisoformat(text if "-" in text else f"{self._day} {text}").replace(tzinfo=self._zone)
        return int(moment.timestamp()) * SECOND

    def random(self, what: str) -> Random:
        """Chance of its own for each thing, so that a change to one leaves the others as they were."""
        return Random(f"{self.name}/{what}")

    def media_port(self) -> int:
        """An even port nobody has yet (RFC 3550, section 11)."""
        self._port += 2
        return self._port

    def call(
        self,
        caller: Party,
        target: str,
        path: Sequence[Host],
        *,
        at: str | int,
        to: str = "",
        codec: str = "PCMA",
        session: str | None = None,
        stream: Stream | None = None,
        replaces: str = "",
        call_id: str = "",
        opens: bool = True,
    ) -> Call:
        """Somebody calls `target` (a number, or a SIP URI) from the first host of the path to the last.

        Hosts between are proxies: one Call-ID on each hop. `opens=False` leaves the sending of the INVITE to the story.
        """
        self._calls += 1
        call = Call(
            self,
            caller,
            target,
            tuple(path),
            at=self.at(at) if isinstance(at, str) else at,
            random=self.random(f"call {self._calls}"),
            to=to,
            codec=codec,
            session=session,
            stream=stream,
            replaces=replaces,
            call_id=call_id,
        )
        if opens:
            call.invite()
        return call

    def connect(self, opener: Host, listener: Host, *, at: str, port: int = 40_001) -> Stream:
        """A TCP connection for SIP."""
        stream = Stream(opener, listener, port, self.at(at))
        self._streams.append(stream)
        return stream

    def subscription(
        self, watcher: Host, bridge: Host, conference: str, *, at: str, stream: Stream | None = None
    ) -> Subscription:
        """Somebody who is told by the bridge who is in the conference."""
        self._subscriptions += 1
        random = self.random(f"subscription {self._subscriptions}")
        return Subscription(self, watcher, bridge, conference, random, at=self.at(at), stream=stream)

    def datagram(
        self, at: int, source: Host, destination: Host, payload: bytes, ports: tuple[int, int] | None = None
    ) -> Frame:
        """One UDP datagram; by default between the SIP ports."""
        frame = Frame(at, source, destination, *(ports or (source.port, destination.port)), payload)
        self._frames.append(frame)
        return frame

    def again(self, frame: Frame, after: float = 0.5) -> Frame:
        """A retransmission: the same bytes once more (RFC 3261, section 17.1.1.2: after T1, half a second)."""
        ports = (frame.source_port, frame.destination_port)
        return self.datagram(
            frame.at + round(after * SECOND), frame.source, frame.destination, frame.payload, ports=ports
        )

    def expect_alert(
        self,
        rule: str,
        severity: str,
        subject: str,
        *,
        uid: str,
        why: str,
        marks: Sequence[Mark],
        further: bool = False,
        open: bool = False,  # noqa: A002
    ) -> None:
        """Says that this alert must be raised."""
        alert = Alert(rule=rule, severity=severity, subject=subject, uid=uid, why=why, marks=tuple(marks), open=open)
        (self.labels.further if further else self.labels.alerts).append(alert)

    def expect_join(self, join: Join) -> None:
        """Says that this join must be seen."""
        self.labels.joins.append(join)

    def pcap(self) -> bytes:
        """The capture; gives every frame its number."""
        frames = self._frames + [frame for stream in self._streams for frame in stream.frames()]
        for _ in range(self.span_copies):
            frames += [_copy_of(frame) for frame in frames if not frame.copy]
        frames = sorted((frame for frame in frames if frame.at >= self.begins), key=lambda frame: frame.at)
        for number, frame in enumerate(frames, 1):
            frame.number = number
        return pcap_of(frames, self._vlan)

    def toml(self, **head: str | Sequence[str]) -> str:
        """The labels; after `pcap`, for they name frames."""
        return toml_of(self.labels, head, [_toml_time(join.at) for join in self.labels.joins])


def _copy_of(frame: Frame) -> Frame:
    return Frame(
        frame.at + 30 * MICROSECOND,
        frame.source,
        frame.destination,
        frame.source_port,
        frame.destination_port,
        frame.payload,
        frame.segment,
        copy=True,
    )


def _toml_time(at: int) -> str:
    moment = datetime.fromtimestamp(at // SECOND, UTC).replace(microsecond=at % SECOND // MICROSECOND)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
