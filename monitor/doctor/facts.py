"""What examinations found out: facts without judgement."""

from typing import TYPE_CHECKING, Any

import msgspec

from monitor.doctor.findings import Unexamined
from monitor.model.evidence import Nanoseconds
from monitor.model.policy import Policy
from monitor.model.problems import Problem
from monitor.model.summary import CaptureReport

if TYPE_CHECKING:
    from monitor.doctor.hearing import Hearing
    from monitor.doctor.samples import Sample


class LinkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One interface."""

    name: str
    exists: bool = True
    up: bool = True
    """An operator has not switched it off."""
    carrier: bool = True
    """A cable, and somebody at its other end."""
    promiscuous: bool = False
    """Somebody has it so at this moment."""
    mtu: int = 1500
    speed_megabits: int | None = None
    vlan: int | None = None
    """Of a sub-interface: the one VLAN that reaches it."""
    parent: str = ""
    """The interface that a sub-interface is part of."""
    link: int | None = None
    """The link type of its frames; none where they cannot be read."""
    addresses: tuple[str, ...] = ()
    offloads: dict[str, bool] = {}
    """`gro`, `lro`, as far as the driver tells."""
    growth: dict[str, int] = {}
    """By how much each of the kernel's counters grew while it was listened to; empty when it was not."""


class PrivilegeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether packets may be captured here."""

    may_capture: bool
    refused: str = ""
    """What the kernel said."""
    user: str = ""
    user_id: int = 0
    capable: bool = False
    """CAP_NET_RAW is effective."""
    bounded: bool = False
    """CAP_NET_RAW cannot be had any more: it is not in the bounding set."""
    no_new_privileges: bool = False
    seccomp: str = ""
    """Why decoders cannot be confined; empty when they can."""


class PlaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that the daemon writes, or a file that it reads."""

    role: str
    """`state`, `runtime`, `meetings`, …: the key of the configuration."""
    path: str
    exists: bool = True
    trouble: str = ""
    """Why it cannot be used: what the system says; empty when it can."""
    full: bool = False
    """That is for want of room."""
    free_bytes: int | None = None
    free_files: int | None = None
    user: str = ""
    """Who it is that cannot."""


class PortFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where `/metrics` shall be, or is."""

    address: str
    trouble: str = ""
    """What the system says when one wants to listen there; empty when one can."""
    taken: bool = False
    owner: str = ""
    """The program that has it, where that can be seen."""
    by_us: bool = False
    """It is joinwatch that answers there."""


class ClockFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of this machine."""

    now: Nanoseconds
    synchronised: bool | None = None
    """Whether the kernel believes that a time server holds it; none where it does not say."""


class SinkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the configuration wants alerts to go."""

    key: str
    """Of the configuration: `sinks.alertmanager.url`."""
    place: str
    """Host and port."""
    trouble: str = ""
    tried: bool = False


class DaemonFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a running daemon says of itself."""

    address: str
    ready: bool
    reasons: tuple[str, ...] = ()
    series: dict[str, float] = {}
    """The series of `/metrics`, by name and labels."""
    oddities: dict[str, int] = {}
    """Protocol and reason of the journal's last oddities, and how many."""
    lines: int = 0
    """Lines of the journal's end that were read."""


class ListFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Calendars, directory and policy."""

    problems: tuple[Problem, ...] = ()
    policy: Policy
    policy_given: bool = False
    meetings_given: bool = False
    directory_given: bool = False
    at: Nanoseconds
    """The time for which the calendars were asked: of the capture, or now."""
    invitations: int = 0
    """Meetings in the files, by their text."""
    names: int = 0
    """Numbers and links of meetings that a platform recognised."""
    names_with_pin: int = 0
    on: int = 0
    """Occurrences while the capture was made, or now."""
    soon: int = 0
    """Occurrences in the next seven days."""
    last: Nanoseconds | None = None
    """End of the latest occurrence before `at`; only looked for when there is none soon."""
    following: Nanoseconds | None = None
    """Start of the next occurrence after those seven days; likewise."""
    invitees: int = 0
    """Different people invited soon."""
    reachable: int = 0
    """Those of them of whom the directory has a telephone number."""
    numbers: tuple[str, ...] = ()
    """Access numbers that policy and invitations name."""


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting that somebody called or entered the number of, as the calendars see it."""

    at: Nanoseconds
    known: bool
    """Some invitation has this meeting, whenever it is."""
    expected: bool
    """It is on at that moment, or nearly."""
    admitted: bool = False
    """The call was answered, and went on so long that it was let in."""
    occurrence: str = ""
    offset: Nanoseconds | None = None
    """After the start of the nearest occurrence; none when there is none near."""


class Facts(msgspec.Struct, kw_only=True):
    """All of it. What was not examined has its neutral value, and a line in `unexamined`."""

    live: bool = False
    """Interfaces are examined, not captures."""
    seconds: float = 0.0
    """How long was listened."""
    promiscuous: bool = True
    """As the configuration wants it."""
    show_people: bool = False
    links: tuple[LinkFacts, ...] = ()
    host_addresses: frozenset[str] = frozenset()
    privileges: PrivilegeFacts | None = None
    places: tuple[PlaceFacts, ...] = ()
    port: PortFacts | None = None
    clock: ClockFacts | None = None
    sinks: tuple[SinkFacts, ...] = ()
    memory_bytes: int | None = None
    """That the machine could still give."""
    ring_bytes: int = 0
    """That the configuration wants for rings."""
    user_unknown: str = ""
    """The configuration's user, when the machine has no such."""
    config_problems: tuple[Problem, ...] = ()
    lists: ListFacts | None = None
    joinings: tuple[Joining, ...] = ()
    reports: tuple[CaptureReport, ...] = ()
    sample: "Sample | None" = None
    """Frames as they came, unfiltered."""
    hearing: "Hearing | None" = None
    """What the packet filter let through, decoded."""
    elsewhere: "dict[str, Sample]" = {}
    """Short samples of interfaces that are not watched."""
    dropped: int = 0
    """Wanted frames that did not fit the ring while it was listened to."""
    lag: Nanoseconds | None = None
    """By how much packet time differs from the clock."""
    daemon: DaemonFacts | None = None
    unexamined: tuple[Unexamined, ...] = ()

    def hears(self) -> bool:
        """Whether any signalling was decoded."""
        return self.hearing is not None and self.hearing.messages > 0


def as_json(struct: msgspec.Struct) -> dict[str, Any]:
    """For one line of JSON."""
    made: dict[str, Any] = msgspec.to_builtins(struct)
    return made
