"""What the packet filter lets through, decoded as the daemon does it, and what can be told of it."""

from collections import Counter
from collections.abc import Sequence

from monitor.doctor.contents import ANSWER, is_sip, ports_of
from monitor.doctor.facts import Joining
from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallOffered,
    CallRefused,
    DialInReached,
    KeyPressed,
    MeetingNamed,
    SignallingEvent,
)
from monitor.model.evidence import HOUR, MINUTE, SECOND, Nanoseconds
from monitor.model.meetings import MeetingRef
from monitor.model.oddities import Oddity
from monitor.model.packets import Datagram, Frame, StreamData, destination_of, source_of, text_of
from monitor.pipeline import Expected, Signals, Source

FEW_WITNESSES = 3
MOST = 5_000
"""Entries of each table."""
BROUGHT_ABOUT = (b"ACK ", b"BYE ", b"PRACK ")
USUAL_PORTS = (5060, 5061, 5080)


class Hearing:
    """Counts of what was heard. Public for the checks to read."""

    def __init__(self) -> None:
        self.frames = 0
        """That the filter let through."""
        self.requests = 0
        self.responses = 0
        self.ports: Counter[int] = Counter()
        """Of SIP: the usual one of the two where there is one, else the receiver's of a request."""
        self.plain_media = 0
        """Session descriptions with media that can be read."""
        self.secure_media = 0
        """Those whose media is encrypted."""
        self.key_events = 0
        """Those that offer keys as telephone-events."""
        self.addresses: set[str] = set()
        """Of those who speak SIP."""
        self.ways: Counter[tuple[str, str]] = Counter()
        """Messages from one to another."""
        self.witnesses: Counter[tuple[str, str]] = Counter()
        """Those of them that show that the other has spoken: answers, and requests that only an answer brings about."""
        self.versions: Counter[int] = Counter()
        self.calls: dict[str, str] = {}
        """Call-ID → the target, as it was dialled."""
        self.answered: dict[str, Nanoseconds] = {}
        """Call-ID → when it was last known to be busy with entering: its answer, or its last key."""
        self.ended: dict[str, Nanoseconds] = {}
        self.refused = 0
        self.now: Nanoseconds = 0
        self.dial_ins: set[str] = set()
        self.keyed: set[str] = set()
        """Dial-ins in which keys were heard."""
        self.reached: dict[tuple[str, MeetingRef], Nanoseconds] = {}
        """Meetings, and when a call first reached them."""
        self.unvouched: Counter[str] = Counter()
        """Senders whose asserted identities do not count, for no policy trusts them."""
        self.oddities: Counter[str] = Counter()
        self.counts: dict[str, int] = {}
        """Totals of the stages."""

    @property
    def messages(self) -> int:
        """Of SIP: by the decoders' own count, which knows what a stream holds."""
        return max(self.counts.get("sip_messages", 0), self.requests + self.responses)

    @property
    def calls_in(self) -> int:
        """Calls that reached a meeting."""
        return len({call for call, _ in self.reached})

    @property
    def one_sided(self) -> tuple[list[tuple[str, str]], int]:
        """Who was heard speaking to somebody whose part of it was not heard; and how many pairs there are."""
        heard = {way for way, count in self.witnesses.items() if count >= FEW_WITNESSES}
        pairs = {frozenset(way) for way in heard}
        return sorted(way for way in heard if not self.ways[way[::-1]]), len(pairs)

    def packet(self, packet: Datagram | StreamData) -> None:
        """What goes to the decoders."""
        payload = packet.payload
        if not payload[:1].isalpha() or not is_sip(payload):
            return
        answer = payload.startswith(ANSWER)
        self.requests += not answer
        self.responses += answer
        flow = packet.flow
        way = text_of(source_of(flow)), text_of(destination_of(flow))
        if len(self.addresses) < MOST:
            self.addresses.update(way)
        if way in self.ways or len(self.ways) < MOST:
            self.ways[way] += 1
            self.witnesses[way] += answer or payload.startswith(BROUGHT_ABOUT)
        self.versions[4 if len(flow) == 12 else 6] += 1
        source, destination = ports_of(flow)
        if len(self.ports) < MOST:
            usual = next((port for port in (source, destination) if port in USUAL_PORTS), None)
            self.ports[usual or (source if answer else destination)] += 1
        if b"m=audio" in payload:
            secure = b"RTP/SAVP" in payload
            self.secure_media += secure
            self.plain_media += not secure
            self.key_events += b"telephone-event" in payload

    def event(self, event: SignallingEvent | Oddity) -> None:
        """What the stages said."""
        match event:
            case CallOffered() if len(self.calls) < MOST:
                self.calls.setdefault(event.call, event.addressed_to or event.target)
                if event.caller.asserted and event.caller.sent_from:
                    self.unvouched[event.caller.sent_from] += 1
            case CallAnswered() if len(self.answered) < MOST:
                self.answered.setdefault(event.call, event.at)
            case CallEnded() if len(self.ended) < MOST:
                self.ended.setdefault(event.call, event.at)
            case CallRefused():
                self.refused += event.status != 0
            case DialInReached() if len(self.dial_ins) < MOST:
                self.dial_ins.add(event.call)
            case MeetingNamed():
                self._reach(event.call, event.meeting, event.at)
            case KeyPressed() if len(self.keyed) < MOST:
                self.keyed.add(event.call)
                if event.call in self.answered:
                    self.answered[event.call] = event.at
                if event.meeting is not None:
                    self._reach(event.call, event.meeting, event.at)
            case Oddity():
                self.oddities[f"{event.protocol}: {event.reason}"] += 1
            case _:
                pass

    def _reach(self, call: str, meeting: MeetingRef, at: Nanoseconds) -> None:
        if len(self.reached) < MOST:
            self.reached.setdefault((call, meeting), at)

    def joinings(self, expected: Expected) -> tuple[Joining, ...]:
        """Each meeting that was reached, as the calendars see it."""
        least = expected.policy.rules.admission_seconds * SECOND
        return tuple(
            _joining(meeting, at, expected, admitted=self._lasted(call) >= least)
            for (call, meeting), at in self.reached.items()
        )

    def _lasted(self, call: str) -> Nanoseconds:
        """After its answer or its last key; -1 of a call that was not answered."""
        begun = self.answered.get(call)
        return -1 if begun is None else self.ended.get(call, self.now) - begun


def _joining(meeting: MeetingRef, at: Nanoseconds, expected: Expected, *, admitted: bool) -> Joining:
    rules = expected.policy.rules
    near = expected.calendar.around(meeting, at)
    early, late = rules.early_minutes * MINUTE, rules.late_minutes * MINUTE
    best = min(near, key=lambda one: abs(at - one.start), default=None)
    return Joining(
        at=at,
        known=bool(expected.calendar.series_of(meeting)),
        expected=any(one.start - early <= at <= one.end + late for one in near),
        admitted=admitted,
        occurrence=best.id if best else "",
        offset=at - best.start if best else None,
    )


class Ear(Signals):
    """The stages up to the platforms, with somebody who listens along."""

    def __init__(self, source: Source, expected: Expected) -> None:
        super().__init__(source, expected, every_call=True)
        self.hearing = Hearing()

    def events_of(self, frame: Frame) -> Sequence[SignallingEvent | Oddity]:
        """What this frame says, told to `hearing`."""
        self.now = max(self.now, frame.at)
        hearing = self.hearing
        hearing.now = self.now
        hearing.frames += 1
        for packet in self.wire.feed(frame):
            if isinstance(packet, Oddity):
                hearing.event(packet)
                continue
            if isinstance(packet, Datagram | StreamData):
                hearing.packet(packet)
            for event in self._placed(self.decoders.feed(packet)):
                hearing.event(event)
        return ()

    def finished(self) -> Hearing:
        """All that was heard."""
        for event in self.finish():
            self.hearing.event(event)
        self.hearing.counts = {**self.wire.counts, **self.decoders.counts, **self.platforms.counts}
        return self.hearing


def whole_hours(offset: Nanoseconds) -> tuple[int, Nanoseconds]:
    """The nearest whole number of hours, and what is left."""
    hours = round(offset / HOUR)
    return hours, offset - hours * HOUR
