"""The one place that knows the order of the stages: it makes them, hands each what it needs, and carries the nouns on.

    sources → wire → decoders → platforms → meetings → detections → outputs

The same pipeline serves a replay and the daemon. It asks no clock: time is the time of the packets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from monitor.decoders import ASKS, Decoders
from monitor.detections import Detections
from monitor.meetings import Meetings
from monitor.model.accounts import accounts_of, envelopes_of, losses_of
from monitor.model.alerts import Alert, Coverage
from monitor.model.asks import Ask
from monitor.model.calls import DecodedEvent, SignallingEvent
from monitor.model.evidence import MINUTE, Nanoseconds
from monitor.model.invitations import Address, Calendar, Directory, NumberText, Occurrence, Person, Secret
from monitor.model.meetings import MeetingRef
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError, Problem
from monitor.model.roster import RosterChange
from monitor.model.summary import CaptureReport, Summary
from monitor.platforms import Platforms, known_platforms
from monitor.wire import ASKS as WIRE_ASKS
from monitor.wire import Wire

Record: TypeAlias = SignallingEvent | RosterChange | Alert | Oddity | Summary
"""Everything that leaves the house."""


Tick: TypeAlias = Callable[[], None]
"""Called now and then while a source is read, for a progress bar."""

TICK_MASK = 0x3F
"""A tick every 64 wanted frames: each may stand for thousands that the filter kept away."""


MISSING = ("datagrams_truncated", "stream_gaps", "streams_evicted", "fragments_expired", "fragments_evicted")
"""Counts of `wire` that tell of bytes which were on the network and are not in the capture."""


class Output(Protocol):
    """Who must know."""

    def write(self, record: Record) -> None:
        """Take one record; those that do not concern it are passed over."""

    def close(self) -> None:
        """No more will come."""


class Source(Protocol):
    """Where frames come from: capture files, later a live interface."""

    @property
    def reports(self) -> Sequence[CaptureReport]:
        """What was read of each capture."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """The frames that the filter lets through, in the order of time."""
        ...

    def widen(self, ask: Ask) -> None:
        """Let more through from now on."""


class NoCalendar:
    """No meeting is expected."""

    def around(self, meeting: MeetingRef, at: Nanoseconds) -> Sequence[Occurrence]:
        """Never any."""
        del meeting, at
        return ()

    def series_of(self, meeting: MeetingRef) -> Sequence[str]:
        """Never any."""
        del meeting
        return ()

    def knows_pin(self, meeting: MeetingRef, digits: str) -> bool | None:
        """Nobody knows."""
        del meeting, digits
        return None

    def named(self) -> Sequence[tuple[MeetingRef, tuple[Secret, ...]]]:
        """None is."""
        return ()


class NoDirectory:
    """Nobody is known by name."""

    def people_with(self, address: Address) -> Sequence[Person]:
        """Never anybody."""
        del address
        return ()


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator gave: who is expected, who is who, and what is allowed."""

    policy: Policy
    calendar: Calendar
    directory: Directory
    number_text: NumberText
    access_numbers: Mapping[str, str] = {}
    """Numbers that invitations name as the way in, and the platforms they lead to."""


def load_expected(
    meetings: Sequence[Path] = (), directories: Sequence[Path] = (), policy_file: Path | None = None
) -> Expected:
    """Read policy, calendars and directories; all their mistakes come together in one `ConfigError`.

    Where the policy itself cannot be used, calendars and directories are still read with a default one, so that the
    operator sees every mistake at once.
    """
    from monitor.sources.numbers import number_text_for  # Imported here, because `decode` and `--help` need none of it.

    problems: list[Problem] = []
    policy = Policy()
    if policy_file is not None:
        from monitor.sources.policies import load_policy

        try:
            policy = load_policy(policy_file, known_platforms=known_platforms())
        except ConfigError as error:
            problems.extend(error.problems)
    number_text = number_text_for(policy.country_code)
    calendar: Calendar = NoCalendar()
    directory: Directory = NoDirectory()
    reader = Platforms(policy, number_text=number_text)
    if meetings:
        from monitor.sources.calendars import load_calendars

        try:
            calendar = load_calendars(
                meetings,
                read_text=reader.read_text,
                number_text=number_text,
                timezone=policy.timezone,
                classifications=policy.classifications,
            )
        except ConfigError as error:
            problems.extend(error.problems)
    if directories:
        from monitor.sources.directories import load_directory

        try:
            directory = load_directory(directories, number_text=number_text)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return Expected(
        policy=policy,
        calendar=calendar,
        directory=directory,
        number_text=number_text,
        access_numbers=dict(reader.learned),
    )


class Signals:
    """sources → wire → decoders → platforms: what was said on the wire. All that `decode` and a sensor need.

    Calls that lead to no meeting are set aside unread, unless every call is asked for.
    """

    def __init__(self, source: Source, expected: Expected, *, every_call: bool = False) -> None:
        calendar = expected.calendar
        self.source = source
        limits = expected.policy.limits
        self.wire = Wire(hep_senders=expected.policy.site.hep_senders, widen=source.widen, limits=limits)
        self.platforms = Platforms(
            expected.policy,
            number_text=expected.number_text,
            pin_check=calendar.knows_pin,
            knows=lambda meeting: bool(calendar.series_of(meeting)),
            access_numbers=expected.access_numbers,
        )
        self.decoders = Decoders(source.widen, None if every_call else self.platforms.heeds, limits)
        self._packets_of, self._events_in = self.wire.feed, self.decoders.feed
        self.now: Nanoseconds = 0
        """The latest packet time so far."""
        self.expiring: list[Callable[[Nanoseconds], None]] = [self.platforms.expire]
        """Stages that forget what is over, about once a minute of packet time."""
        self._expire_at: Nanoseconds = 0

    def events_of(self, frame: Frame) -> Sequence[SignallingEvent | Oddity]:
        """What this frame says: mostly nothing."""
        at = frame.at
        if at > self.now:
            self.now = at
            if at >= self._expire_at:
                self._expire(at)
        # Once for every packet that the filter let through: a list is made only when there is something to put in it.
        found: Sequence[SignallingEvent | Oddity] = ()
        for packet in self._packets_of(frame):
            said = (packet,) if isinstance(packet, Oddity) else self._events_in(packet)
            if said:
                found = [*found, *self._placed(said)]
        return found

    def finish(self) -> Sequence[SignallingEvent | Oddity]:
        """What is left when there are no more frames: waiting bytes, unfinished conversations."""
        found: list[SignallingEvent | Oddity] = []
        for packet in self.wire.finish():
            found += self._placed((packet,) if isinstance(packet, Oddity) else self._events_in(packet))
        return [*found, *self._placed(self.decoders.finish())]

    def _expire(self, at: Nanoseconds) -> None:
        self._expire_at = at + MINUTE
        for expire in self.expiring:
            expire(at)

    def _placed(self, events: Iterable[DecodedEvent | Oddity]) -> Iterator[SignallingEvent | Oddity]:
        for event in events:
            if isinstance(event, Oddity):
                yield event
            else:
                yield from self.platforms.place(event)

    @property
    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`."""
        return {**self.wire.sizes, **self.decoders.sizes, **self.platforms.sizes}

    def coverage(self) -> Coverage:
        """How well signalling could be seen so far: partial as soon as any of it is known to be missing."""
        wire = self.wire.counts
        missing = self.decoders.losses.missed_ever or any(wire[count] for count in MISSING)
        return Coverage.PARTIAL if missing else Coverage.OBSERVED

    def summary(self, **counts: int) -> Summary:
        """What was read and what was not."""
        reports = tuple(self.source.reports)
        counts = {
            "frames": sum(report.frames for report in reports),
            "wanted": sum(report.wanted for report in reports),
            **self.wire.counts,
            **self.decoders.counts,
            **self.platforms.counts,
            **counts,
        }
        return Summary(
            at=self.now,
            captures=reports,
            counts=counts,
            accounts=accounts_of(reports, counts),
            losses=losses_of(reports, counts),
            envelopes=envelopes_of(counts),
        )


class Decode:
    """Signalling events only."""

    def __init__(self, source: Source, expected: Expected, outputs: Sequence[Output]) -> None:
        self.signals = Signals(source, expected, every_call=True)
        self.outputs = outputs

    def run(self, tick: Tick = lambda: None) -> None:
        """Read the source to its end."""
        for count, frame in enumerate(self.signals.source):
            if not count & TICK_MASK:
                tick()
            for event in self.signals.events_of(frame):
                self._write(event)

    def finish(self) -> Summary:
        """The last words, after the end or an interruption."""
        for event in self.signals.finish():
            self._write(event)
        summary = self.signals.summary()
        self._write(summary)
        return summary

    def _write(self, record: Record) -> None:
        for output in self.outputs:
            output.write(record)


class Replay:
    """The whole way, from frames to alerts."""

    def __init__(self, source: Source, expected: Expected, outputs: Sequence[Output]) -> None:
        self.signals = Signals(source, expected)
        self.meetings = Meetings(
            expected.calendar,
            expected.directory,
            expected.policy,
            expected.number_text,
            refs_of=self.signals.platforms.refs_of,
            lossy=lambda: self.signals.decoders.losses.are_felt,
        )
        self.signals.expiring.append(self.meetings.expire)
        self.detections = Detections(expected.policy, coverage=self.signals.coverage)
        self.outputs = outputs

    def run(self, tick: Tick = lambda: None) -> None:
        """Read the source to its end."""
        meetings, timers, events_of = self.meetings, self.meetings.timers, self.signals.events_of
        for count, frame in enumerate(self.signals.source):
            if not count & TICK_MASK:
                tick()
            if frame.at >= timers.due:
                self._judge(meetings.advance(frame.at))
            for event in events_of(frame):
                if isinstance(event, Oddity):
                    self._write(event)
                else:
                    self._judge(meetings.feed(event))

    def finish(self) -> Summary:
        """The last words, after the end or an interruption."""
        for event in self.signals.finish():
            if isinstance(event, Oddity):
                self._write(event)
            else:
                self._judge(self.meetings.feed(event))
        self._judge(self.meetings.finish(self.signals.now))
        for alert in self.detections.finish():
            self._write(alert)
        summary = self.summary()
        self._write(summary)
        return summary

    def summary(self) -> Summary:
        """What was read and found so far; every count is there from the start."""
        return self.signals.summary(**self.meetings.counts, **self.detections.counts)

    def sizes(self) -> dict[str, int]:
        """How full each table is, by its name in `Limits`: cheap enough for every scrape."""
        return {**self.signals.sizes, **self.meetings.sizes, **self.detections.sizes}

    def _judge(self, changes: Iterable[RosterChange]) -> None:
        for change in changes:
            self._write(change)
            for alert in self.detections.judge(change):
                self._write(alert)

    def _write(self, record: Record) -> None:
        for output in self.outputs:
            output.write(record)


class Captured(Source, Protocol):
    """Capture files: a source that knows how far it is."""

    def progress(self) -> tuple[int, int | None]:
        """Bytes read, and bytes to read when that is known."""
        ...


def captures_of(paths: Sequence[Path | str]) -> Captured:
    """Capture files, filtered for what `wire` and the decoders ask."""
    from monitor.sources.captures import Captures
    from monitor.wire.layers import layout_of

    return Captures(paths, (*ASKS, *WIRE_ASKS), layout_of)
