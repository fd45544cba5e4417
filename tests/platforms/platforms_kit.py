"""What the tests of the platforms share: a calendar of two sets, events, and a caller at a keypad."""

from collections.abc import Iterable, Mapping

import msgspec
import phonenumbers

from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallOffered,
    Claims,
    DialInReached,
    DigitDialled,
    KeyPressed,
    KeySource,
    SignallingEvent,
)
from monitor.model.evidence import SECOND, Evidence
from monitor.model.meetings import Kind, MeetingRef, Method
from monitor.model.policy import PlatformPolicy, Policy, Site
from monitor.platforms import Platforms

EVIDENCE = Evidence(capture="test.pcap", frame=1)
WEBEX_BRIDGE = "198.51.100.20"
OWN_BRIDGE = "198.51.100.30"
WEBEX_NUMBER = "+31207654321"
NUMBERS = {
    WEBEX_NUMBER: "webex",
    "+31205550102": "zoom",
    "+31205550103": "teams",
    "+31205550104": "meet",
    "+31205550105": "generic",
}
POLICY = Policy(
    platforms={
        "webex": PlatformPolicy(hosts=("webex.com", "ministry.webex.com", "meet.ministry.example")),
        "teams": PlatformPolicy(hosts=("interop.example.org",)),
        "jitsi": PlatformPolicy(hosts=("jitsi.ministry.example",)),
        "meet": PlatformPolicy(hosts=("gateway.example.org",)),
        "generic": PlatformPolicy(hosts=("bridge.example.net",)),
    },
    site=Site(bridges={WEBEX_BRIDGE: "webex", OWN_BRIDGE: "generic"}, access_numbers=NUMBERS),
)


def number_text(text: str) -> str | None:
    """Any spelling of a number as `tel:+E164`."""
    try:
        number = phonenumbers.parse(text, "NL")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return "tel:" + phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def numbered(platform: str, digits: str) -> MeetingRef:
    return MeetingRef(platform=platform, kind=Kind.NUMBER, value=digits)


def platforms(
    known: Iterable[MeetingRef] = (), pins: Mapping[MeetingRef, str] | None = None, policy: Policy = POLICY
) -> Platforms:
    """Platforms beside a calendar that knows these meetings and these PINs."""
    meetings, told = set(known), dict(pins or {})
    meetings.update(told)

    def pin_check(meeting: MeetingRef, digits: str) -> bool | None:
        return told[meeting] == digits if meeting in told else None

    return Platforms(policy, number_text=number_text, pin_check=pin_check, knows=meetings.__contains__)


def offered(target: str, *, to: str = "", call: str = "c", at: int = 0, sent_to: str = "192.0.2.9", caller: Claims = Claims()) -> CallOffered:  # noqa: B008, E501  # fmt: skip
    return CallOffered(
        at=at,
        evidence=EVIDENCE,
        call=call,
        method=Method.SIP,
        target=target,
        addressed_to=to or target,
        caller=caller,
        sent_to=sent_to,
    )


def answered(call: str = "c", at: int = 0, callee: Claims = Claims()) -> CallAnswered:  # noqa: B008
    return CallAnswered(at=at, evidence=EVIDENCE, call=call, callee=callee)


def ended(call: str = "c", at: int = 0) -> CallEnded:
    return CallEnded(at=at, evidence=EVIDENCE, call=call, by="caller")


def key(
    digit: str, *, call: str = "c", at: int = 0, via: KeySource = KeySource.RTP, by: str = "caller"
) -> DigitDialled:
    return DigitDialled(at=at, evidence=EVIDENCE, call=call, digit=digit, by=by, via=via)  # type: ignore[arg-type]


def typed(stage: Platforms, keys: str, *, call: str = "c", at: int = 0) -> list[SignallingEvent]:
    """What the stage says while these keys are pressed, a second apart; a comma is a pause of two more."""
    events: list[SignallingEvent] = []
    for pressed in keys:
        at += SECOND if pressed != "," else 2 * SECOND
        if pressed != ",":
            events.extend(stage.place(key(pressed, call=call, at=at)))
    return events


def dialled(stage: Platforms, number: str, keys: str) -> list[KeyPressed]:
    """What the stage says of keys after a call to this number was answered."""
    reached = list(stage.place(offered(f"sip:{number}@sbc.example.com")))
    assert any(isinstance(event, DialInReached) for event in reached)
    assert list(stage.place(answered())) == [answered()]
    events = typed(stage, keys)
    assert all(isinstance(event, KeyPressed) for event in events)
    return [event for event in events if isinstance(event, KeyPressed)]


def story(events: Iterable[KeyPressed]) -> list[str]:
    """The end of every attempt: `1 number:123456789 empty right(8)`."""
    last: dict[int, KeyPressed] = {event.attempt: event for event in events}
    return [
        " ".join(
            (
                str(n),
                e.meeting.key if e.meeting else "-",
                *(s.state + (f"({s.length})" if s.length else "") for s in e.slots),
            )
        )
        for n, e in last.items()
        if n
    ]


def written(events: Iterable[object]) -> str:
    """Everything that may be told of events: printed and serialised."""
    events = list(events)
    return repr(events) + msgspec.json.encode(events, enc_hook=repr).decode()
