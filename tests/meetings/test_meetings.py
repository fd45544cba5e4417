"""Who is in which meeting: admission, identity, verdict, leaving."""

import pytest

from monitor.model.evidence import MINUTE, SECOND
from monitor.model.invitations import Invitee, Person, Role
from monitor.model.limits import Limits
from monitor.model.meetings import Method, SlotState
from monitor.model.policy import Policy, Site
from monitor.model.roster import Joined, Left, Overstayed, PinRefused, Stayed, Tried, Trust, Verdict
from tests.meetings.scene import (
    ALICE,
    BRIDGE,
    EMPTY,
    POLICY,
    RIGHT,
    TRUNK,
    WEEKLY,
    WRONG,
    Scene,
    at,
    occurrence,
)


def joined(scene: Scene) -> list[Joined]:
    return [c for c in scene.changes if isinstance(c, Joined)]


def test_a_dial_in_is_admitted_at_its_last_key_once_twenty_seconds_have_passed() -> None:
    scene = Scene(occurrence())
    scene.dial_in(at("10:00:00"), "a", EMPTY, RIGHT, asserted="sip:+31205550101@example.net")
    (join,) = joined(scene)
    assert join.participant.joined_at == at("10:00:04")
    assert join.at == at("10:00:24")
    assert join.participant.method is Method.PSTN
    assert join.participant.verdict is Verdict.INVITED
    assert join.participant.people == (ALICE,)
    assert [slot.state for slot in join.participant.slots] == [SlotState.EMPTY, SlotState.RIGHT]


def test_a_dial_in_that_ends_within_twenty_seconds_only_tried() -> None:
    scene = Scene(occurrence())
    scene.dial_in(at("10:00:00"), "a", EMPTY, stays=False)
    scene.end(at("10:00:22"), "a", by="callee")
    assert not joined(scene)
    (tried,) = scene.finish(at("10:05:00"))
    assert isinstance(tried, Tried)
    assert tried.known
    assert tried.meeting == WEEKLY


def test_each_further_number_in_a_call_is_another_try() -> None:
    scene = Scene(occurrence())
    scene.dial_in(at("10:00:00"), "a", stays=False)
    other = WEEKLY.__class__(platform="webex", kind=WEEKLY.kind, value="27311234568")
    scene.keys(at("10:00:10"), "a", meeting=None, attempt=2)
    scene.keys(at("10:00:11"), "a", meeting=other, attempt=2)
    scene.end(at("10:00:15"), "a")
    tried = [c for c in scene.finish(at("10:01:00")) if isinstance(c, Tried)]
    assert [t.meeting.value for t in tried] == ["27311234567", "27311234568"]
    assert not joined(scene)


def test_a_direct_call_is_admitted_at_its_answer_and_leaves_at_its_end() -> None:
    scene = Scene(occurrence())
    scene.direct(at("10:00:00"), "a", asserted="sip:+31205550102@example.net")
    scene.end(at("10:30:00"), "a")
    join, left = [c for c in scene.finish(at("10:40:00")) if not isinstance(c, Stayed)]
    assert isinstance(join, Joined)
    assert join.participant.joined_at == at("10:00:01")
    assert join.participant.method is Method.SIP
    assert isinstance(left, Left)
    assert left.participant.id == join.participant.id
    assert left.left_at == at("10:30:00")


@pytest.mark.parametrize("status", [403, 404, 486, 487, 603])
def test_a_refused_direct_call_tried(status: int) -> None:
    scene = Scene(occurrence())
    scene.offer(at("10:00"), "a", target="sip:27311234567@example.webex.com")
    scene.feed(_named("a", at("10:00")))
    scene.refuse(at("10:00:02"), "a", status)
    assert [type(c) for c in scene.changes] == [Tried]


def test_a_redirect_is_no_refusal() -> None:
    scene = Scene(occurrence())
    scene.offer(at("10:00"), "a")
    scene.feed(_named("a", at("10:00")))
    scene.refuse(at("10:00:01"), "a", 302)
    scene.answer(at("10:00:02"), "a")
    assert [type(c) for c in scene.changes] == [Joined]


def _named(call: str, when: int) -> "object":
    from monitor.model.calls import MeetingNamed
    from monitor.model.evidence import Evidence

    return MeetingNamed(at=when, evidence=Evidence(capture="test.pcap", frame=1), call=call, meeting=WEEKLY)


@pytest.mark.parametrize(
    ("claims", "subject", "trust"),
    [
        pytest.param(
            {"asserted": "tel:+31205550101"}, "tel:+31205550101", Trust.ASSERTED, id="asserted, trusted trunk"
        ),
        pytest.param(
            {"asserted": "tel:+31205550101", "sent_from": "203.0.113.9"},
            "tel:+31205550199",
            Trust.CLAIMED,
            id="asserted by a stranger is worth nothing",
        ),
        pytest.param({"uri": "sip:Bob@Example.ORG:5060"}, "sip:bob@example.org", Trust.CLAIMED, id="From alone"),
        pytest.param({"uri": "sip:anonymous@anonymous.invalid"}, "anonymous", Trust.NONE, id="anonymous"),
        pytest.param({"uri": "sip:Restricted@192.0.2.10"}, "anonymous", Trust.NONE, id="restricted"),
        pytest.param({"privacy": ("id",)}, "anonymous", Trust.NONE, id="withheld and nothing asserted"),
        pytest.param(
            {"privacy": ("id",), "asserted": "tel:+31205550101"},
            "tel:+31205550101",
            Trust.ASSERTED,
            id="withheld from the callee, asserted to us",
        ),
    ],
)
def test_identity_follows_the_order_of_trust(claims: dict[str, object], subject: str, trust: Trust) -> None:
    scene = Scene(occurrence())
    scene.direct(at("10:00:00"), "a", **claims)
    (join,) = joined(scene)
    assert (join.participant.identity.subject, join.participant.identity.trust) == (subject, trust)


def test_no_occurrence_on_that_date_is_unscheduled() -> None:
    scene = Scene(occurrence(date="2024-05-13"))
    scene.direct(at("10:00:00"), "a", asserted="tel:+31205550101")
    (join,) = joined(scene)
    assert join.participant.verdict is Verdict.UNSCHEDULED
    assert join.participant.occurrence is None
    assert join.participant.series == ("weekly@example.org",)


def test_the_occurrence_at_that_moment_is_preferred_to_another_of_the_same_date() -> None:
    morning, afternoon = occurrence("09:00", "10:00"), occurrence("14:00", "15:00")
    scene = Scene(morning, afternoon)
    scene.direct(at("13:45:00"), "a", asserted="tel:+31205550101")
    (join,) = joined(scene)
    assert join.participant.occurrence == afternoon


def test_delegates_rooms_and_second_phones_are_expected() -> None:
    room = Person(name="Room 1", addresses=("mailto:room1@example.org", "sip:room1@example.org"))
    deputy = Person(name="Dee", addresses=("mailto:dee@example.org", "tel:+31205550103"))
    bob = Person(
        name="Bob", addresses=("mailto:bob@example.org", "tel:+31205550102"), delegates=("mailto:dee@example.org",)
    )
    invitees = (*occurrence().invitees, Invitee(address="mailto:room1@example.org", role=Role.ROOM))
    scene = Scene(occurrence(invitees=invitees), people=(ALICE, bob, deputy, room))
    for call, who in enumerate(("tel:+31655501010", "tel:+31205550103", "sip:room1@example.org")):
        scene.direct(at("10:00:00") + call * SECOND, str(call), asserted=who)
    assert [j.participant.verdict for j in joined(scene)] == [Verdict.INVITED] * 3


def test_two_call_ids_of_one_call_are_one_participant() -> None:
    scene = Scene(occurrence())
    agent = "192.0.2.50"
    scene.offer(at("10:00:00"), "outer", asserted="tel:+31205550101", sent_to=agent)
    scene.feed(_named("outer", at("10:00:00")))
    scene.offer(at("10:00:00") + SECOND // 10, "inner", uri="sip:+31205550199@example.net", sent_from=agent)
    scene.feed(_named("inner", at("10:00:00") + SECOND // 10))
    scene.answer(at("10:00:02"), "inner")
    scene.answer(at("10:00:03"), "outer")
    scene.end(at("10:10:00"), "outer")
    scene.end(at("10:10:00"), "inner")
    kinds = [type(c) for c in scene.finish(at("10:20:00"))]
    assert kinds == [Joined, Stayed, Left]
    (join,) = joined(scene)
    assert join.participant.identity.subject == "tel:+31205550101"


def test_who_is_called_by_the_bridge_is_the_one_that_answers() -> None:
    scene = Scene(occurrence())
    scene.offer(
        at("10:00:00"),
        "callme",
        uri="sip:27311234567@example.webex.com",
        sent_from=BRIDGE,
        sent_to=TRUNK,
        target="sip:+31205550102@example.org",
    )
    scene.answer(at("10:00:05"), "callme", sent_from=TRUNK, asserted=("tel:+31205550102",))
    (join,) = joined(scene)
    assert join.participant.by_bridge
    assert join.participant.identity.subject == "tel:+31205550102"
    assert join.participant.verdict is Verdict.INVITED


def test_who_stays_long_after_the_end_is_told_once() -> None:
    scene = Scene(occurrence())
    scene.direct(at("10:00:00"), "a", asserted="tel:+31205550101")
    changes = scene.finish(at("12:30:00"))
    (stayed,) = [c for c in changes if isinstance(c, Overstayed)]
    assert stayed.at == at("11:00:00") + 30 * MINUTE


def test_a_wrong_pin_is_told_at_once_and_only_once() -> None:
    scene = Scene(occurrence())
    scene.dial_in(at("10:00:00"), "a", EMPTY, WRONG, RIGHT, asserted="tel:+31205550101")
    wrong = [c for c in scene.changes if isinstance(c, PinRefused)]
    assert [w.length for w in wrong] == [4]
    assert len(joined(scene)) == 1


def test_twins_are_told_with_a_stay() -> None:
    scene = Scene(occurrence())
    scene.direct(at("10:00:00"), "a", asserted="tel:+31205550101")
    scene.direct(at("10:00:10"), "b", asserted="tel:+31655501010")
    stays = [c for c in scene.finish(at("10:05:00")) if isinstance(c, Stayed)]
    assert [[t.call for t in s.twins] for s in stays] == [["b"], ["a"]]


def test_a_flood_of_calls_does_not_push_out_who_is_in() -> None:
    scene = Scene(occurrence(), policy=Policy(site=Site(trusted_trunks=(TRUNK,)), limits=Limits(legs=100)))
    scene.direct(at("10:00:00"), "guest", asserted="tel:+31205550101")
    for number in range(1000):
        scene.offer(at("10:00:01"), f"flood {number}", sent_to="203.0.113.7")
        scene.feed(_named(f"flood {number}", at("10:00:01")))
    scene.end(at("10:10:00"), "guest")
    assert [type(c) for c in scene.changes if not isinstance(c, Stayed)] == [Joined, Left]
    assert scene.meetings.counts["legs_evicted"] >= 900
    assert POLICY.rules.admission_seconds == 20
