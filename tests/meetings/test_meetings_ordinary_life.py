"""What telephone exchanges do all day, and what must be seen of it: one participant, no more and no less."""

import pytest

from monitor.model.evidence import MINUTE, SECOND
from monitor.model.invitations import Invitee, Person
from monitor.model.roster import Joined, Left, Overstayed, RosterChange, Tried, Trust, Verdict
from tests.meetings.scene import ALICE, BOB, BRIDGE, EMPTY, RIGHT, TRUNK, WEEKLY, Scene, at, occurrence

TEN = at("10:00:00")
AGENT = "192.0.2.50"
"""A back-to-back agent between trunk and bridge."""
AS_ALICE = {"asserted": "tel:+31205550101"}
AS_BOB = {"asserted": "tel:+31205550102"}


def kinds(scene: Scene, until: str = "10:50:00") -> list[str]:
    """What was said of anybody, but for the length of a stay."""
    return [type(c).__name__ for c in scene.finish(at(until)) if type(c).__name__ != "Stayed"]


def joins(scene: Scene) -> list[Joined]:
    return [c for c in scene.changes if isinstance(c, Joined)]


def only(kind: type[RosterChange], scene: Scene) -> RosterChange:
    (change,) = [c for c in scene.changes if isinstance(c, kind)]
    return change


# ── hops, forks, halves ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_later_hop_may_know_who_calls() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "a", uri="sip:anonymous@anonymous.invalid", sent_from="203.0.113.9", sent_to=TRUNK)
    scene.offer(TEN + 1, "a", uri="sip:anonymous@anonymous.invalid", **AS_ALICE)
    scene.answer(TEN + SECOND, "a")
    (join,) = joins(scene)
    assert (join.participant.identity.subject, join.participant.identity.trust) == ("tel:+31205550101", Trust.ASSERTED)
    assert join.participant.facts[0].evidence[0].frame == 3


def test_a_later_hop_counts_before_keys_show_where_the_call_goes() -> None:
    scene = Scene(occurrence())
    scene.offer(TEN, "a", sent_from="203.0.113.9", sent_to=TRUNK)
    scene.offer(TEN + 1, "a", **AS_ALICE)
    scene.answer(TEN + SECOND, "a")
    scene.keys(TEN + 3 * SECOND, "a")
    assert kinds(scene) == ["Joined"]
    assert joins(scene)[0].participant.identity.subject == "tel:+31205550101"


def test_an_answer_overrules_a_refusal_of_another_fork() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "a", **AS_ALICE)
    scene.refuse(TEN + SECOND, "a", 486)
    scene.answer(TEN + 3 * SECOND, "a")
    scene.end(TEN + MINUTE, "a")
    assert kinds(scene) == ["Tried", "Joined", "Left"]


def test_an_agent_that_finds_its_first_way_busy_is_one_call() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "outer", sent_to=AGENT, **AS_ALICE)
    scene.ring(TEN + 1, "first", sent_from=AGENT)
    scene.refuse(TEN + 20 * SECOND, "first", 503)
    scene.ring(TEN + 21 * SECOND, "second", sent_from=AGENT, sent_to="198.51.100.21")
    scene.answer(TEN + 22 * SECOND, "second")
    scene.answer(TEN + 22 * SECOND, "outer")
    scene.end(TEN + MINUTE, "second", by="callee")
    scene.end(TEN + MINUTE, "outer", by="callee")
    assert kinds(scene) == ["Joined", "Left"]
    assert joins(scene)[0].participant.identity.subject == "tel:+31205550101"


def test_both_halves_refused_are_one_try() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "outer", sent_to=AGENT, **AS_ALICE)
    scene.ring(TEN + 1, "inner", sent_from=AGENT)
    scene.refuse(TEN + SECOND, "inner", 404)
    scene.refuse(TEN + SECOND, "outer", 404)
    assert kinds(scene) == ["Tried"]
    tried = only(Tried, scene)
    assert isinstance(tried, Tried)
    assert tried.identity.subject == "tel:+31205550101"


def test_keys_on_both_halves_count_once() -> None:
    scene = Scene(occurrence())
    scene.offer(TEN, "outer", sent_to=AGENT, **AS_ALICE)
    scene.reach(TEN, "outer")
    scene.offer(TEN + 1, "inner", sent_from=AGENT)
    scene.reach(TEN + 1, "inner")
    for second, slots in enumerate([(), (EMPTY,), (EMPTY, RIGHT)], start=2):
        for call in ("outer", "inner"):
            scene.keys(TEN + second * SECOND, call, *slots)
    scene.meetings_until(at("10:01:00"))
    scene.end(TEN + 5 * MINUTE, "inner")
    scene.end(TEN + 5 * MINUTE + SECOND, "outer")
    assert kinds(scene) == ["Joined", "Left"]
    left = only(Left, scene)
    assert isinstance(left, Left)
    assert left.left_at == TEN + 5 * MINUTE


def test_a_pilot_number_is_as_many_people_as_it_has_calls() -> None:
    scene = Scene(occurrence())
    for number in range(2):
        scene.ring(TEN + number, f"outer {number}", sent_to=AGENT, asserted="tel:+31205550150")
    for number in range(2):
        scene.ring(TEN + 10 + number, f"inner {number}", sent_from=AGENT)
    for call in ("inner 0", "inner 1", "outer 0", "outer 1"):
        scene.answer(TEN + SECOND, call)
    scene.end(TEN + MINUTE, "inner 0")
    scene.end(TEN + MINUTE, "outer 0")
    assert kinds(scene) == ["Joined", "Joined", "Left"]


# ── taking over ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_takes_the_meeting_to_another_telephone_stays_in() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "desk", **AS_ALICE)
    scene.offer(TEN + MINUTE, "mobile", asserted="tel:+31655501010", replaces="desk")
    scene.answer(TEN + MINUTE + SECOND, "mobile")
    scene.end(TEN + MINUTE + 2 * SECOND, "desk", by="callee")
    scene.end(TEN + 20 * MINUTE, "mobile")
    assert kinds(scene) == ["Joined", "Left"]
    left = only(Left, scene)
    assert isinstance(left, Left)
    assert left.left_at == TEN + 20 * MINUTE


@pytest.mark.parametrize(
    ("caller", "verdict"),
    [
        pytest.param({"asserted": "tel:+31205550177"}, Verdict.UNINVITED, id="a stranger"),
        pytest.param(AS_BOB, Verdict.INVITED, id="another of the invited"),
        pytest.param({"uri": "sip:anonymous@anonymous.invalid"}, Verdict.ANONYMOUS, id="somebody"),
        pytest.param(
            {"uri": "sip:+31205550101@example.org", "sent_from": "203.0.113.9"}, Verdict.INVITED, id="a mere claim"
        ),
    ],
)
def test_who_is_handed_the_call_of_another_has_joined(caller: dict[str, object], verdict: Verdict) -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **AS_ALICE)
    scene.offer(TEN + MINUTE, "b", replaces="a", **caller)  # type: ignore[arg-type]
    scene.answer(TEN + MINUTE + SECOND, "b")
    scene.end(TEN + MINUTE + 2 * SECOND, "a", by="callee")
    scene.end(TEN + 20 * MINUTE, "b")
    assert kinds(scene) == ["Joined", "Left", "Joined", "Left"]
    assert joins(scene)[1].participant.verdict is verdict


def test_the_outer_half_may_be_handed_over() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "outer", sent_to=AGENT, **AS_ALICE)
    scene.ring(TEN + 1, "inner", sent_from=AGENT)
    scene.answer(TEN + SECOND, "inner")
    scene.answer(TEN + SECOND, "outer")
    scene.offer(TEN + MINUTE, "b", replaces="outer", sent_to=AGENT, asserted="tel:+31205550177")
    scene.answer(TEN + MINUTE + SECOND, "b")
    scene.end(TEN + MINUTE + 2 * SECOND, "outer", by="callee")
    scene.end(TEN + 20 * MINUTE, "inner")
    scene.end(TEN + 20 * MINUTE, "b")
    assert kinds(scene) == ["Joined", "Left", "Joined", "Left"]
    assert joins(scene)[1].participant.identity.subject == "tel:+31205550177"


def test_to_write_replaces_is_not_enough() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **AS_ALICE)
    scene.offer(TEN + MINUTE, "b", replaces="a", sent_to="203.0.113.7", asserted="tel:+31205550177")
    scene.answer(TEN + MINUTE + SECOND, "b")
    assert kinds(scene) == ["Joined"]


@pytest.mark.parametrize("target", ["sip:+31205550177@example.org", "sip:+31205550177@example.org?Replaces=other"])
def test_who_is_called_in_by_a_transfer_has_joined(target: str) -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **AS_ALICE)
    scene.refer(TEN + MINUTE, "a", target)
    invitation = {"uri": "sip:bridge@example.webex.com", "sent_from": BRIDGE, "sent_to": TRUNK}
    scene.offer(TEN + MINUTE + SECOND, "b", target="sip:+31205550177@example.org", **invitation)  # type: ignore[arg-type]
    scene.answer(TEN + MINUTE + 5 * SECOND, "b", sent_from=TRUNK)
    scene.end(TEN + MINUTE + 6 * SECOND, "a")
    assert kinds(scene) == ["Joined", "Joined", "Left"]
    (_, join) = joins(scene)
    assert (join.participant.identity.subject, join.participant.verdict) == ("tel:+31205550177", Verdict.UNINVITED)
    assert all(fact.evidence for fact in join.participant.facts)


def test_a_call_of_the_bridge_may_be_picked_up_by_a_colleague() -> None:
    scene = Scene(occurrence())
    meeting = f"sip:{WEEKLY.value}@example.webex.com"
    scene.offer(TEN, "ringing", uri=meeting, sent_from=BRIDGE, sent_to=TRUNK, target="sip:+31205550101@example.org")
    scene.offer(TEN + 5 * SECOND, "pick-up", replaces="ringing", **AS_BOB)
    scene.answer(TEN + 6 * SECOND, "pick-up")
    scene.refuse(TEN + 7 * SECOND, "ringing", 487)
    assert kinds(scene) == ["Joined"]
    assert joins(scene)[0].participant.identity.subject == "tel:+31205550102"


# ── captures ──────────────────────────────────────────────────────────────────────────────────────────────────────


def from_answer(scene: Scene, when: int, call: str) -> None:
    """The offer as an answer tells of it, and the answer, in one frame."""
    target = f"sip:{WEEKLY.value}@example.webex.com"
    scene.offer(when, call, target=target, sent_from="203.0.113.9", uri="", partial=True)
    scene.name(when, call)
    scene.frame = 0
    scene.answer(when, call)


def test_an_invite_behind_its_own_answer_says_who_calls() -> None:
    scene = Scene(occurrence())
    from_answer(scene, TEN, "a")
    scene.ring(TEN + 1, "a", **AS_ALICE)
    assert kinds(scene) == ["Joined"]
    assert joins(scene)[0].participant.verdict is Verdict.INVITED


def test_a_capture_that_begins_with_the_answer_shows_a_join() -> None:
    scene = Scene(occurrence())
    from_answer(scene, TEN, "a")
    assert kinds(scene, until="10:00:00") == ["Joined"]


def test_a_capture_that_ends_too_early_leaves_open_who_was_admitted() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", EMPTY, stays=False, **AS_ALICE)
    assert kinds(scene, until="10:00:22") == []


def test_a_call_that_nobody_answers_was_in_vain() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "a", **AS_ALICE)
    assert kinds(scene, until="10:11:00") == ["Tried"]
    assert scene.meetings.counts["attempts"] == 1


def test_nobody_leaves_before_they_came() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **AS_ALICE)
    scene.feed_late_end(TEN - SECOND, "a")
    left = only(Left, scene)
    assert isinstance(left, Left)
    assert left.left_at == left.participant.joined_at


# ── which meeting ─────────────────────────────────────────────────────────────────────────────────────────────────

FOR_ALICE = (Invitee(address="mailto:alice@example.org"),)
FOR_BOB = (Invitee(address="mailto:bob@example.org"),)


def back_to_back() -> Scene:
    """Alice's meeting and then Bob's in one room."""
    return Scene(
        occurrence("09:00", "10:00", uid="first@example.org", invitees=FOR_ALICE),
        occurrence("10:00", "11:00", uid="second@example.org", invitees=FOR_BOB),
    )


@pytest.mark.parametrize(
    ("clock", "who", "verdict", "uid"),
    [
        pytest.param("09:10:00", AS_ALICE, Verdict.INVITED, "first@example.org", id="hers"),
        pytest.param("09:56:00", AS_BOB, Verdict.INVITED, "second@example.org", id="early for the next"),
        pytest.param("10:04:00", AS_ALICE, Verdict.INVITED, "first@example.org", id="back while it runs over"),
        pytest.param("10:20:00", AS_ALICE, Verdict.UNINVITED, "second@example.org", id="in the next one"),
        pytest.param("09:20:00", AS_BOB, Verdict.UNINVITED, "first@example.org", id="long before the next"),
    ],
)
def test_back_to_back_meetings_keep_their_own_lists(
    clock: str, who: dict[str, str], verdict: Verdict, uid: str
) -> None:
    scene = back_to_back()
    scene.direct(at(clock), "a", **who)
    (join,) = joins(scene)
    assert join.participant.occurrence is not None
    assert (join.participant.verdict, join.participant.occurrence.uid) == (verdict, uid)


@pytest.mark.parametrize(("who", "stays"), [(AS_ALICE, True), (AS_BOB, False)])
def test_who_stays_on_into_a_meeting_of_others_is_uninvited_there(who: dict[str, str], stays: bool) -> None:
    both = (*FOR_ALICE, *FOR_BOB)
    scene = Scene(
        occurrence("09:00", "10:00", uid="first@example.org", invitees=both),
        occurrence("10:00", "11:00", uid="second@example.org", invitees=FOR_BOB),
    )
    scene.direct(at("09:01:00"), "a", **who)
    overstayed = [c for c in scene.finish(at("10:45:00")) if isinstance(c, Overstayed)]
    assert [o.participant.verdict for o in overstayed] == [Verdict.UNINVITED] * stays


def test_a_meeting_within_a_whole_day_has_its_own_list() -> None:
    whole_day = occurrence("00:00", "23:59", uid="day@example.org", invitees=FOR_ALICE)
    scene = Scene(whole_day, occurrence("10:00", "11:00", uid="hour@example.org", invitees=FOR_BOB))
    for number, who in enumerate((AS_ALICE, AS_BOB)):
        scene.direct(TEN + number * SECOND, str(number), **who)
    assert [j.participant.verdict for j in joins(scene)] == [Verdict.INVITED] * 2


def test_a_whole_day_does_not_reach_into_the_next() -> None:
    scene = Scene(occurrence("00:00", "00:00", uid="day@example.org"))
    day = scene.occurrences[0]
    from msgspec.structs import replace

    scene = Scene(replace(day, end=at("00:00", "2024-05-15")))
    scene.direct(at("09:00", "2024-05-15"), "a", **AS_ALICE)
    assert joins(scene)[0].participant.verdict is Verdict.UNSCHEDULED


@pytest.mark.parametrize("clock", ["23:40", "00:30"])
def test_a_meeting_over_midnight_is_one(clock: str) -> None:
    from msgspec.structs import replace

    scene = Scene(replace(occurrence("23:30", "23:59"), end=at("01:00", "2024-05-15")))
    scene.direct(at(clock, "2024-05-14" if clock > "12" else "2024-05-15"), "a", **AS_ALICE)
    assert joins(scene)[0].participant.verdict is Verdict.INVITED


@pytest.mark.parametrize("date", ["2024-03-31", "2024-10-27"])
def test_the_night_when_clocks_change_has_one_date(date: str) -> None:
    scene = Scene(occurrence("09:00", "10:00", date=date))
    scene.direct(at("00:30", date), "a", **AS_ALICE)
    scene.direct(at("23:30", date), "b", **AS_BOB)
    assert [j.participant.verdict for j in joins(scene)] == [Verdict.INVITED] * 2


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_people_of_one_name_are_two() -> None:
    namesake = Person(name="Alice", addresses=("mailto:alice2@example.org", "tel:+31205550188"))
    scene = Scene(occurrence(), people=(ALICE, BOB, namesake))
    scene.direct(TEN, "a", **AS_ALICE)
    scene.direct(TEN, "b", asserted="tel:+31205550188")
    scene.finish(at("10:05:00"))
    assert [c.twins for c in scene.changes if type(c).__name__ == "Stayed"] == [(), ()]  # type: ignore[union-attr]
