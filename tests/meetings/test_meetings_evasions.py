"""What a caller may try in order not to be seen, or to be taken for somebody else."""

import pytest
from msgspec.structs import replace

from monitor.meetings.dial_ins import KEY_LIMIT
from monitor.model.calls import Diversion
from monitor.model.evidence import MINUTE, SECOND
from monitor.model.invitations import Person
from monitor.model.limits import Limits
from monitor.model.policy import Site
from monitor.model.roster import Joined, Left, PinRefused, Tried, Verdict
from tests.meetings.scene import ALICE, BRIDGE, EMPTY, POLICY, RIGHT, TRUNK, WEEKLY, WRONG, Scene, at, occurrence

TEN = at("10:00:00")
STRANGER = {"asserted": "tel:+31205550177"}
OTHER = replace(WEEKLY, value="27311234568")


def joins(scene: Scene) -> list[Joined]:
    return [c for c in scene.changes if isinstance(c, Joined)]


def kinds(scene: Scene, until: str = "10:50:00") -> list[str]:
    return [type(c).__name__ for c in scene.finish(at(until)) if type(c).__name__ != "Stayed"]


def test_to_wait_before_the_pin_hides_nothing_that_is_typed_then() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", **STRANGER)
    scene.keys(TEN + MINUTE, "a", WRONG)
    scene.keys(TEN + 2 * MINUTE, "a", WRONG, EMPTY)
    assert kinds(scene) == ["Joined", "PinRefused", "Joined", "Joined"]
    assert len({join.participant.id for join in joins(scene)}) == 1
    assert joins(scene)[-1].participant.slots == (WRONG, EMPTY)
    assert joins(scene)[-1].participant.joined_at == TEN + 2 * MINUTE
    assert scene.meetings.counts["joins"] == 1


def test_a_join_told_anew_is_one_participant() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", **STRANGER)
    scene.keys(TEN + MINUTE, "a", RIGHT)
    scene.meetings_until(TEN + 2 * MINUTE)
    scene.end(TEN + 5 * MINUTE, "a")
    changes = scene.finish(TEN + 6 * MINUTE)
    assert [type(c).__name__ for c in changes] == ["Joined", "Stayed", "Joined", "Stayed", "Left"]
    assert len(scene.meetings.admissions.presence.roster) == 0


def test_keys_after_the_right_pin_are_keys_in_the_meeting() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", EMPTY, RIGHT, **STRANGER)
    scene.keys(TEN + 5 * MINUTE, "a", EMPTY, RIGHT, EMPTY)
    assert kinds(scene) == ["Joined"]


def test_to_wait_between_numbers_does_not_hide_the_search() -> None:
    scene = Scene(occurrence(), occurrence(uid="other@example.org", refs=(OTHER,)))
    scene.offer(TEN, "a", **STRANGER)
    scene.reach(TEN, "a")
    for n in range(4):
        scene.keys(TEN + n * MINUTE, "a", meeting=replace(WEEKLY, value=f"2739999999{n}"), attempt=n + 1)
    scene.keys(TEN + 4 * MINUTE, "a", meeting=OTHER, attempt=5)
    scene.finish(TEN + 5 * MINUTE)
    assert [c.meeting.value[-1] for c in scene.changes if isinstance(c, Tried)] == ["0", "1", "2", "3"]
    assert joins(scene)[-1].participant.meeting == OTHER
    assert joins(scene)[-1].participant.verdict is Verdict.UNINVITED
    assert len([c for c in scene.changes if isinstance(c, Left)]) == 4


def test_who_presses_keys_for_ever_is_in_all_the_same() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", EMPTY, stays=False, **STRANGER)
    for seconds in range(10, 600, 10):
        scene.keys(TEN + seconds * SECOND, "a", EMPTY)
    (join,) = joins(scene)
    assert join.participant.joined_at == TEN + 3 * SECOND
    assert join.at <= join.participant.joined_at + KEY_LIMIT + 10 * SECOND


def test_a_session_that_two_callers_write_does_not_make_them_one() -> None:
    scene = Scene(occurrence())
    for call, number in (("a", "tel:+31205550101"), ("b", "tel:+31205550177")):
        scene.direct(TEN, call, session="00112233445566778899aabbccddeeff", asserted=number)
    assert [j.participant.verdict for j in joins(scene)] == [Verdict.INVITED, Verdict.UNINVITED]


@pytest.mark.parametrize("sent_from", ["192.0.2.77", "203.0.113.9"])
def test_a_session_links_the_two_faces_of_an_agent_but_no_call_from_outside(sent_from: str) -> None:
    policy = replace(POLICY, site=replace(POLICY.site, external_trunks=("203.0.113.0/24",)))
    scene = Scene(occurrence(), policy=policy)
    session = "00112233445566778899aabbccddeeff"
    scene.ring(TEN, "outer", session=session, sent_to="192.0.2.50", asserted="tel:+31205550101")
    scene.ring(TEN + 1, "inner", session=session, sent_from=sent_from, uri="sip:pilot@example.org")
    scene.answer(TEN + SECOND, "inner")
    scene.answer(TEN + SECOND, "outer")
    assert len(joins(scene)) == (1 if sent_from == "192.0.2.77" else 2)


def test_two_withheld_callers_are_not_one_because_neither_claims_anything() -> None:
    anonymous = "sip:anonymous@anonymous.invalid"
    policy = replace(POLICY, site=Site(trusted_trunks=("192.0.2.0/24",)))
    scene = Scene(occurrence(), policy=policy)
    scene.ring(TEN, "a", uri=anonymous, sent_to="192.0.2.50", asserted="tel:+31205550101")
    scene.ring(TEN + 1, "b", uri=anonymous, sent_from="192.0.2.50", asserted="tel:+31205550177")
    for call in ("a", "b"):
        scene.answer(TEN + SECOND, call)
    assert [j.participant.identity.subject for j in joins(scene)] == ["tel:+31205550101", "tel:+31205550177"]


def test_who_answers_the_bridge_cannot_write_whom_the_call_was_sent_on_to() -> None:
    scene = Scene(occurrence())
    history = (Diversion(uri="sip:+31205550101@example.org"),)
    scene.call_me(TEN, "a", "+31205550177", sent_from="203.0.113.9", history=history)
    (join,) = joins(scene)
    assert (join.participant.identity.subject, join.participant.verdict) == ("tel:+31205550177", Verdict.UNINVITED)


def test_what_the_bridge_says_of_itself_is_not_said_of_who_answers() -> None:
    policy = replace(POLICY, site=replace(POLICY.site, trusted_trunks=(TRUNK, BRIDGE), external_trunks=(BRIDGE,)))
    scene = Scene(occurrence(), policy=policy)
    scene.call_me(TEN, "a", "+31205550101", asserted=("tel:+31205550102",))
    (join,) = joins(scene)
    who = join.participant
    assert (who.identity.subject, who.claimed_people, who.stir, who.from_outside) == (
        "tel:+31205550102",
        (),
        None,
        False,
    )


def test_a_trunk_from_outside_is_known_behind_an_agent() -> None:
    policy = replace(POLICY, site=replace(POLICY.site, external_trunks=("203.0.113.0/24",)))
    scene = Scene(occurrence(), policy=policy)
    scene.ring(TEN, "outer", sent_from="203.0.113.9", sent_to=TRUNK)
    scene.ring(TEN + 1, "inner", sent_from=TRUNK, asserted="tel:+31205550199")
    scene.answer(TEN + SECOND, "inner")
    (join,) = joins(scene)
    assert join.participant.from_outside


def test_a_second_call_behind_the_name_of_the_first_is_seen() -> None:
    scene = Scene(occurrence(), occurrence(uid="other@example.org", refs=(OTHER,)))
    scene.direct(TEN, "a", asserted="tel:+31205550101")
    scene.ring(TEN + MINUTE, "a", OTHER, **STRANGER)
    scene.answer(TEN + MINUTE + SECOND, "a")
    scene.end(TEN + 2 * MINUTE, "a")
    assert kinds(scene, "10:20:00") == ["Joined", "Joined", "Left"]
    assert joins(scene)[1].participant.verdict is Verdict.UNINVITED


def test_a_search_behind_one_call_id_is_a_try_each() -> None:
    scene = Scene(occurrence())
    for n in range(4):
        scene.ring(TEN + n * SECOND, "a", replace(WEEKLY, value=f"2739999999{n}"), **STRANGER)
    scene.refuse(TEN + 9 * SECOND, "a")
    assert kinds(scene) == ["Tried"] * 4


def test_a_redirect_to_another_meeting_leads_there() -> None:
    scene = Scene(occurrence(), occurrence(uid="other@example.org", refs=(OTHER,)))
    scene.ring(TEN, "a", **STRANGER)
    scene.refuse(TEN + 1, "a", 302)
    scene.name(TEN + 2, "a", OTHER)
    scene.answer(TEN + SECOND, "a")
    (join,) = joins(scene)
    assert join.participant.meeting == OTHER


def test_every_wrong_pin_is_told_and_the_admission_too() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", *[WRONG] * 30, RIGHT, **STRANGER)
    scene.meetings_until(TEN + 2 * MINUTE)
    assert len([c for c in scene.changes if isinstance(c, PinRefused)]) == 30
    (join,) = joins(scene)
    facts = [fact.fact for fact in join.participant.facts]
    assert facts[1] == "called the access number of webex"
    assert facts[-2:] == ["entered the right PIN (4 digits)", "the call lived on for 20 s after the last key"]
    assert all(fact.evidence for fact in join.participant.facts)
    # The last key's own frame, not that of the last thing worth telling.
    assert join.participant.facts[-1].evidence[0].frame == scene.frame


def test_a_flood_of_ringing_calls_does_not_push_out_who_is_typing() -> None:
    scene = Scene(occurrence(), policy=replace(POLICY, limits=Limits(legs=100, strangers_ringing=100)))
    scene.offer(TEN, "late", **STRANGER)
    scene.answer(TEN, "late")
    scene.dial_in(TEN, "early", EMPTY, stays=False, **STRANGER)
    for n in range(1000):
        scene.offer(TEN + 4 * SECOND, f"stranger {n}", sent_from="203.0.113.7")
        scene.ring(TEN + 4 * SECOND, f"flood {n}", sent_from="203.0.113.7")
    scene.keys(TEN + 5 * SECOND, "late", EMPTY)
    scene.finish(TEN + MINUTE)
    assert {j.participant.call for j in joins(scene)} == {"early", "late"}
    assert scene.meetings.counts["legs_evicted"] > 800
    assert scene.meetings.counts["strangers_ringing_evicted"] > 800


def test_a_flood_that_is_over_leaves_nothing_behind() -> None:
    scene = Scene(occurrence())
    for n in range(300):
        scene.ring(TEN + n, f"refused {n}", **STRANGER)
        scene.refuse(TEN + n, f"refused {n}")
        scene.ring(TEN + n, f"silent {n}", **STRANGER)
        scene.direct(TEN + n, f"ended {n}", **STRANGER)
        scene.end(TEN + 2 * SECOND + n, f"ended {n}")
    scene.finish(at("12:00:00"))
    meetings = scene.meetings
    assert (
        len(meetings._legs)
        == len(meetings.admissions.presence.roster)
        == len(meetings.admissions.timers)
        == len(meetings._strangers)
        == 0
    )


def test_a_claim_in_from_hides_no_second_person() -> None:
    scene = Scene(occurrence(), people=(ALICE, Person(name="Eve", addresses=("tel:+31205550177",))))
    scene.direct(TEN, "a", uri="sip:+31205550101@example.org", **STRANGER)
    (join,) = joins(scene)
    assert (join.participant.people[0].name, join.participant.claimed_people[0].name) == ("Eve", "Alice")
