"""A small world for tests of meetings and rules: a calendar, a directory, and events by hand."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.meetings import Meetings
from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    Claims,
    DialInReached,
    KeyPressed,
    MeetingNamed,
    SignallingEvent,
)
from monitor.model.evidence import SECOND, Evidence
from monitor.model.invitations import Address, Invitee, Occurrence, Person, Role
from monitor.model.meetings import Kind, MeetingRef, Method, Slot, SlotState
from monitor.model.policy import Policy, Site
from monitor.model.roster import RosterChange

ZONE = ZoneInfo("Europe/Amsterdam")
TRUNK = "192.0.2.10"
BRIDGE = "198.51.100.20"
WEEKLY = MeetingRef(platform="webex", kind=Kind.NUMBER, value="27311234567")
ALICE = Person(name="Alice", addresses=("mailto:alice@example.org", "tel:+31205550101", "tel:+31655501010"))
BOB = Person(name="Bob", addresses=("mailto:bob@example.org", "tel:+31205550102"))


def at(clock: str, date: str = "2024-05-14") -> int:
    """Nanoseconds of a local time."""
    return int(datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=ZONE).timestamp()) * SECOND


def number_text(text: str) -> str | None:
    """Only E.164, as it comes."""
    digits = text.partition(":")[2].partition("@")[0] if ":" in text else text
    return f"tel:{digits}" if digits.startswith("+") and digits[1:].isdecimal() else None


class Book:
    """A calendar in memory."""

    def __init__(self, *occurrences: Occurrence, pin: str = "1234") -> None:
        self.occurrences = occurrences
        self.pin = pin

    def around(self, meeting: MeetingRef, at: int) -> Sequence[Occurrence]:
        return [o for o in self.occurrences if meeting in o.refs and abs(o.start - at) < 36 * 3600 * SECOND]

    def series_of(self, meeting: MeetingRef) -> Sequence[str]:
        return [o.uid for o in self.occurrences if meeting in o.refs]

    def knows_pin(self, meeting: MeetingRef, digits: str) -> bool | None:
        told = any(meeting in o.refs and o.has_pin for o in self.occurrences)
        return digits == self.pin if told else None


class People:
    """A directory in memory."""

    def __init__(self, *people: Person) -> None:
        self.people = people

    def people_with(self, address: Address) -> Sequence[Person]:
        return [
            p for p in self.people if address in p.addresses or any(address.startswith(f"tel:{r}") for r in p.ranges)
        ]


def occurrence(start: str = "10:00", end: str = "11:00", date: str = "2024-05-14", **fields: object) -> Occurrence:
    """One meeting, at local times."""
    given = {
        "uid": "weekly@example.org",
        "summary": "Weekly",
        "refs": (WEEKLY,),
        "has_pin": True,
        "invitees": (
            Invitee(address="mailto:alice@example.org", role=Role.ORGANIZER),
            Invitee(address="mailto:bob@example.org"),
        ),
        **fields,
    }
    return Occurrence(start=at(start, date), end=at(end, date), **given)  # type: ignore[arg-type]


POLICY = Policy(site=Site(trusted_trunks=(TRUNK,), bridges={BRIDGE: "webex"}))


class Scene:
    """Feeds events into `Meetings` and keeps what changes."""

    def __init__(
        self, *occurrences: Occurrence, people: Iterable[Person] = (ALICE, BOB), policy: Policy = POLICY
    ) -> None:
        self.occurrences = occurrences
        self.meetings = Meetings(Book(*occurrences), People(*people), policy, number_text, refs_of=self._refs_of)
        self.changes: list[RosterChange] = []
        self.frame = 0

    @staticmethod
    def _refs_of(uri: str) -> tuple[MeetingRef, ...]:
        return (WEEKLY,) if WEEKLY.value in uri else ()

    def feed(self, event: SignallingEvent) -> None:
        self.changes.extend(self.meetings.advance(event.at))
        self.changes.extend(self.meetings.feed(event))

    def feed_late_end(self, when: int, call: str) -> None:
        """A packet whose time lies before that of others already read."""
        self.changes.extend(self.meetings.feed(CallEnded(at=when, evidence=self.seen(), call=call, by="caller")))

    def meetings_until(self, at: int) -> None:
        """Time passes."""
        self.changes.extend(self.meetings.advance(at))

    def finish(self, at: int) -> list[RosterChange]:
        self.changes.extend(self.meetings.finish(at))
        return self.changes

    def seen(self) -> Evidence:
        self.frame += 1
        return Evidence(capture="test.pcap", frame=self.frame)

    def offer(self, when: int, call: str, *, asserted: str = "", **fields: object) -> None:
        claims = {
            "uri": "sip:+31205550199@example.net",
            "asserted": (asserted,) if asserted else (),
            "sent_from": TRUNK,
        }
        offered = {"target": "sip:+31205550100@example.org", "sent_to": BRIDGE, "method": Method.SIP}
        for name, value in fields.items():
            (claims if name in Claims.__struct_fields__ else offered)[name] = value
        self.feed(
            CallOffered(
                at=when,
                evidence=self.seen(),
                call=call,
                addressed_to=str(offered["target"]),
                caller=Claims(**claims),  # type: ignore[arg-type]
                **offered,  # type: ignore[arg-type]
            )
        )

    def answer(self, when: int, call: str, **claims: object) -> None:
        callee = Claims(**{"sent_from": BRIDGE, **claims})  # type: ignore[arg-type]
        self.feed(CallAnswered(at=when, evidence=self.seen(), call=call, callee=callee))

    def keys(self, when: int, call: str, *slots: Slot, meeting: MeetingRef | None = WEEKLY, attempt: int = 1) -> None:
        pressed = {"call": call, "platform": "webex", "attempt": attempt, "meeting": meeting, "slots": slots}
        self.feed(KeyPressed(at=when, evidence=self.seen(), **pressed))  # type: ignore[arg-type]

    def dial_in(self, when: int, call: str, *slots: Slot, stays: bool = True, **caller: object) -> None:
        """A whole dial-in: offered, answered, the number, the slots; 30 s are let pass when it stays."""
        self.offer(when, call, **caller)  # type: ignore[arg-type]
        self.feed(DialInReached(at=when, evidence=self.seen(), call=call, platform="webex", site=""))
        self.answer(when + SECOND, call)
        self.keys(when + 2 * SECOND, call)
        for count in range(1, len(slots) + 1):
            self.keys(when + (2 + count) * SECOND, call, *slots[:count])
        if stays:
            self.changes.extend(self.meetings.advance(when + 40 * SECOND))

    def direct(self, when: int, call: str, **caller: object) -> None:
        """A call to the meeting's own SIP address, answered at once."""
        self.ring(when, call, **caller)
        self.answer(when + SECOND, call)

    def ring(self, when: int, call: str, meeting: MeetingRef = WEEKLY, **caller: object) -> None:
        """A call to the meeting's own SIP address, not yet answered."""
        self.offer(when, call, target=f"sip:{meeting.value}@example.webex.com", **caller)  # type: ignore[arg-type]
        self.name(when, call, meeting)

    def name(self, when: int, call: str, meeting: MeetingRef = WEEKLY) -> None:
        self.feed(MeetingNamed(at=when, evidence=self.seen(), call=call, meeting=meeting))

    def reach(self, when: int, call: str) -> None:
        self.feed(DialInReached(at=when, evidence=self.seen(), call=call, platform="webex", site=""))

    def call_me(self, when: int, call: str, number: str, **callee: object) -> None:
        """The bridge calls somebody, who answers after five seconds."""
        meeting = f"sip:{WEEKLY.value}@example.webex.com"
        self.offer(when, call, uri=meeting, sent_from=BRIDGE, sent_to=TRUNK, target=f"sip:{number}@example.org")
        self.answer(when + 5 * SECOND, call, **{"sent_from": TRUNK, **callee})

    def refer(self, when: int, call: str, to: str, by: str = "caller") -> None:
        forwarded = {"call": call, "to": (to,), "how": "transfer", "by": by}
        self.feed(CallForwarded(at=when, evidence=self.seen(), **forwarded))  # type: ignore[arg-type]

    def end(self, when: int, call: str, by: str = "caller") -> None:
        self.feed(CallEnded(at=when, evidence=self.seen(), call=call, by=by))  # type: ignore[arg-type]

    def refuse(self, when: int, call: str, status: int = 404) -> None:
        self.feed(CallRefused(at=when, evidence=self.seen(), call=call, status=status))


EMPTY = Slot(state=SlotState.EMPTY)
RIGHT = Slot(state=SlotState.RIGHT, length=4)
WRONG = Slot(state=SlotState.WRONG, length=4)
