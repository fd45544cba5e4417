"""Who is in which meeting, where packets are lost: what is uncertain is marked, and raises nothing that is not so."""

from monitor.model.calls import KeyPressed
from monitor.model.evidence import MINUTE, SECOND
from monitor.model.meetings import Kind, MeetingRef
from monitor.model.roster import Joined, Left, Overstayed, Stayed, Tried
from tests.meetings.scene import EMPTY, RIGHT, TRUNK, WEEKLY, Scene, at, occurrence

TEN = at("10:00")
ELSEWHERE = "203.0.113.9"
MEETING = f"sip:{WEEKLY.value}@example.webex.com"


def lossy(scene: Scene) -> Scene:
    scene.meetings.admissions.lossy = lambda: True
    scene.meetings.admissions.presence.lossy = lambda: True
    return scene


def kinds(scene: Scene) -> list[str]:
    return [type(change).__name__ for change in scene.changes]


def joined(scene: Scene) -> list[Joined]:
    return [change for change in scene.changes if isinstance(change, Joined)]


def partial(scene: Scene, call: str, uri: str, sent_from: str) -> None:
    """A call of which the answer is the first that was seen."""
    scene.offer(TEN, call, target=MEETING, uri=uri, sent_from=sent_from, partial=True)
    scene.name(TEN, call)
    scene.frame -= 2
    scene.answer(TEN, call)
    scene.meetings_until(TEN + MINUTE)


def test_a_call_whose_invite_was_lost_is_a_join_in_part() -> None:
    scene = Scene(occurrence())
    partial(scene, "a", "sip:+31205550199@example.net", TRUNK)
    assert [change.participant.partial for change in joined(scene)] == [True]


def test_who_a_trusted_trunk_would_have_named_is_not_called_anonymous() -> None:
    for uri in ("sip:anonymous@anonymous.invalid", "sip:4114@192.0.2.10", "sip:4114@pbx.example.org"):
        scene = Scene(occurrence())
        partial(scene, "a", uri, TRUNK)
        assert kinds(scene) == []
        assert scene.meetings.counts["unknown_joins"] == 1
    scene = Scene(occurrence())
    partial(scene, "a", "sip:anonymous@anonymous.invalid", ELSEWHERE)
    assert len(joined(scene)) == 1


def test_an_empty_pin_waits_for_a_sign_of_life() -> None:
    scene = lossy(Scene(occurrence()))
    scene.dial_in(TEN, "a", EMPTY, EMPTY)
    assert kinds(scene) == []
    scene.end(TEN + 30 * MINUTE, "a")
    assert kinds(scene) == ["Joined", "Left"]
    assert joined(scene)[0].participant.joined_at < TEN + MINUTE


def test_the_right_pin_waits_for_nothing() -> None:
    scene = lossy(Scene(occurrence()))
    scene.dial_in(TEN, "a", EMPTY, RIGHT)
    assert kinds(scene)[0] == "Joined"


def test_a_call_that_expired_unseen_proves_nothing() -> None:
    scene = lossy(Scene(occurrence()))
    scene.dial_in(TEN, "a", EMPTY, EMPTY)
    scene.end(TEN + 30 * MINUTE, "a", by="unknown")
    assert not joined(scene)


def test_whoever_comes_back_is_twice_there_only_when_the_first_call_is_seen_to_end() -> None:
    scene = lossy(Scene(occurrence()))
    scene.direct(TEN, "a")
    scene.direct(TEN + MINUTE, "b")
    scene.meetings_until(TEN + 5 * MINUTE)
    assert not [change for change in scene.changes if isinstance(change, Stayed) and change.twins]
    scene.end(TEN + 6 * MINUTE, "a")
    (stayed,) = [change for change in scene.changes if isinstance(change, Stayed) and change.twins]
    assert stayed.twins[0].call == "a"
    assert isinstance(scene.changes[-1], Left)


def test_who_stays_on_is_told_when_they_are_seen_to_leave() -> None:
    scene = lossy(Scene(occurrence()))
    scene.direct(TEN, "a")
    scene.meetings_until(TEN + 150 * MINUTE)
    assert not [change for change in scene.changes if isinstance(change, Overstayed)]
    scene.end(TEN + 151 * MINUTE, "a")
    assert kinds(scene)[-2:] == ["Overstayed", "Left"]


def test_a_refusal_of_which_only_the_ack_was_seen_is_a_try_in_vain() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "a")
    scene.refuse(TEN + SECOND, "a", 0)
    assert kinds(scene) == []
    scene.meetings_until(TEN + MINUTE)
    assert kinds(scene) == ["Tried"]
    scene = Scene(occurrence())
    scene.ring(TEN, "a")
    scene.refuse(TEN + SECOND, "a", 0)  # a challenge
    scene.answer(TEN + 2 * SECOND, "a")
    scene.finish(TEN + MINUTE)
    assert not [change for change in scene.changes if isinstance(change, Tried)]


def test_a_number_that_may_lack_a_key_is_no_meeting_that_nobody_knows() -> None:
    scene = Scene(occurrence())
    scene.offer(TEN, "a")
    scene.reach(TEN, "a")
    scene.answer(TEN + SECOND, "a")
    strange = MeetingRef(platform="webex", kind=Kind.NUMBER, value="2731123456")
    pressed = KeyPressed(
        at=TEN + 2 * SECOND,
        evidence=scene.seen(),
        call="a",
        platform="webex",
        attempt=1,
        meeting=strange,
        partial=True,
    )
    scene.feed(pressed)
    scene.end(TEN + MINUTE, "a")
    assert kinds(scene) == []
