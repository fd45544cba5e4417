"""The call flows that the RFCs print: one call for the reader of the RFC is one call here."""

import pytest

from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    DigitDialled,
    KeySource,
)
from monitor.model.oddities import Oddity
from tests.corpus import CORPUS, needs_corpus
from tests.decoders.calls_scene import Line, answer, flow, invite, steps_of

pytestmark = needs_corpus

MESSAGES = CORPUS / "messages"


def story_of(line: Line) -> str:
    """What was said, in few words."""
    words: list[str] = []
    for event in line.said:
        match event:
            case CallOffered():
                words.append("offered" + (" replacing" if event.replaces else ""))
            case CallAnswered():
                words.append("answered" + (" by focus" if event.focus else ""))
            case CallRefused():
                words.append(f"refused {event.status}")
            case CallForwarded():
                words.append(f"{event.how} by {event.by}")
            case CallEnded():
                words.append(f"ended by {event.by}")
            case DigitDialled():
                words.append(f"key of {event.by}")
            case Oddity():
                words.append("odd")
    return ", ".join(words)


STORIES = {
    "rfc3515-refer/4.1": "",
    "rfc3515-refer/4.2": "",
    "rfc3665-basic-call-flows/2.1": "",
    "rfc3665-basic-call-flows/2.5": "",
    "rfc3665-basic-call-flows/3.1-": "offered, answered, ended by callee",
    "rfc3665-basic-call-flows/3.2": "offered, answered, ended by callee",
    "rfc3665-basic-call-flows/3.3": "offered, answered",
    "rfc3665-basic-call-flows/3.4": "offered, offered, answered, ended by callee",
    "rfc3665-basic-call-flows/3.5": "offered, answered, ended by caller",
    "rfc3665-basic-call-flows/3.6": "offered, refused 302, redirect by callee, answered, ended by callee",
    "rfc3665-basic-call-flows/3.7": "offered, answered, ended by caller",
    "rfc3665-basic-call-flows/3.8": "offered, refused 487",
    "rfc3665-basic-call-flows/3.9": "offered, refused 486",
    "rfc3665-basic-call-flows/3.10": "offered, refused 480",
    "rfc3665-basic-call-flows/3.11": "offered, refused 480",
    "rfc3666-sip-to-pstn/2.1": "offered, answered, ended by caller",
    "rfc3666-sip-to-pstn/2.2": "offered, answered, ended by caller",
    "rfc3666-sip-to-pstn/2.3": "offered, refused 503, answered, ended by caller",
    "rfc3666-sip-to-pstn/2.4": "offered, answered, ended by callee",
    "rfc3666-sip-to-pstn/2.5": "offered, refused 487",
    "rfc3666-sip-to-pstn/2.6": "offered, refused 404",
    "rfc3666-sip-to-pstn/2.7": "offered, refused 480",
    "rfc3911-join/8.1": (
        "offered, odd, odd, refused 0, offered replacing, offered, odd, odd, refused 302, redirect by callee, "
        "answered by focus, transfer by callee, offered, answered by focus"
    ),
    "rfc3911-join/8.2": "offered replacing, refused 486",
    "rfc4579-conference/5.1-": "offered, answered by focus, odd",
    "rfc4579-conference/5.5": "",
    "rfc4579-conference/5.11": "",
    "rfc5359-service-flows/2.1-": "offered, answered, ended by caller",
    "rfc5359-service-flows/2.3": (
        "offered, answered, offered replacing, answered, ended by caller, offered replacing, answered, ended by callee"
    ),
    "rfc5359-service-flows/2.5": (
        "offered, answered, offered, answered, offered replacing, answered, ended by callee, ended by callee"
    ),
    "rfc5359-service-flows/2.7": "offered, progress by callee, answered, ended by caller",
    "rfc5359-service-flows/2.9": "offered, refused 487, progress by callee, answered, ended by caller",
    "rfc5359-service-flows/2.11": "offered, answered, offered replacing, answered by focus",
    "rfc5359-service-flows/2.13": ("offered, refused 305, redirect by callee, refused 403, answered, ended by callee"),
    "rfc5359-service-flows/2.15": (
        "offered, answered, offered replacing, answered, ended by caller, offered replacing, answered, ended by callee"
    ),
    "rfc5359-service-flows/2.17": "offered, refused 486, offered, answered",
}
"""3665, 3.4, tries the first proxy under a Call-ID of its own. The REFERs of RFC 5359 lost their Refer-To in print. Two
answers of RFC 3911, 8.1, have a CSeq that no machine can read, so the ACK and a later dialog must do without them."""


@pytest.mark.parametrize("name", STORIES)
def test_a_flow_tells_its_story_once(name: str) -> None:
    (path,) = MESSAGES.glob(f"{name}*.txt")
    line = Line()
    for step in steps_of(path):
        line.udp(step.payload, step.ends)
    assert story_of(line) == STORIES[name]


@pytest.mark.parametrize("name", [name for name in STORIES if "3911" not in name])
def test_retransmissions_and_copies_add_nothing_to_a_flow(name: str) -> None:
    (path,) = MESSAGES.glob(f"{name}*.txt")
    line = Line()
    steps = steps_of(path)
    for number, step in enumerate(steps):
        line.udp(step.payload, step.ends)
        line.udp(step.payload, step.ends)
        if number:
            line.udp(steps[number - 1].payload, steps[number - 1].ends)
    assert story_of(line) == STORIES[name]


def test_a_proxy_tells_who_an_anonymous_caller_is() -> None:
    """RFC 3325, 10.1: the identity stands in the INVITE that the proxy sends on."""
    (path,) = MESSAGES.glob("rfc3325*/10.1*.txt")
    line = Line()
    for number, step in enumerate(steps_of(path)):
        line.udp(step.payload, flow(f"192.0.2.{max(1, number - 1)}", "198.51.100.1"))
    first, second = line.said
    assert isinstance(first, CallOffered)
    assert isinstance(second, CallOffered)
    assert first.caller.asserted == ()
    assert second.caller.asserted == ("sip:fluffy@cisco.com", "tel:+14085264000")
    assert second.caller.privacy == ("id",)


def test_keys_by_kpml_in_a_dialog_apart_belong_to_the_call() -> None:
    """RFC 4730, 10.1: an application asks the gateway for the keys of a call that it is no party to."""
    (path,) = MESSAGES.glob("rfc4730*/10.1*.txt")
    line = Line()
    ends = {
        "call": "12345592@subA.example.com",
        "caller": "<sip:phn@example.com>;tag=jfh21",
        "callee": "<sip:gw@subA.example.com>;tag=onjwe2",
    }
    line.up(invite(**(ends | {"callee": "<sip:gw@subA.example.com>"})))
    line.down(answer(200, **ends))
    for step in steps_of(path):
        line.udp(step.payload, step.ends)
    pressed = [event for event in line.said if isinstance(event, DigitDialled)]
    assert line.keys == "4336"
    assert {(one.call, one.by, one.via) for one in pressed} == {(ends["call"], "callee", KeySource.KPML)}
