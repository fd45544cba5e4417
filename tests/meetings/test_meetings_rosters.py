"""What bridges tell of who is in: whose call was not seen is named, and whoever is known stays one person."""

from typing import Any

import pytest
from msgspec.structs import replace

from monitor.model.calls import CallAnswered, CallOffered, Claims, RosterEndpoint, RosterSeen, RosterState, RosterUser
from monitor.model.evidence import DAY, HOUR, MINUTE, SECOND
from monitor.model.limits import Limits
from monitor.model.meetings import MeetingRef, Method
from monitor.model.policy import Policy, Site
from monitor.model.roster import Joined, Left, Trust, Verdict
from tests.meetings.scene import ALICE, BRIDGE, POLICY, TRUNK, WEEKLY, Scene, at, occurrence

TEN = at("10:00")
OUTSIDER = "tel:+31205550177"
ANONYMOUS = "sip:anonymous1@anonymous.invalid"


def user(entity: str, status: str = "connected", *, call: str = "", **fields: Any) -> RosterUser:
    endpoint: dict[str, Any] = {"entity": entity, "status": status, "joined_by": "dialed-in", "call": call}
    endpoint |= {
        name: fields.pop(name) for name in list(fields) if name in RosterEndpoint.__struct_fields__ and name != "state"
    }
    return RosterUser(entity=entity, endpoints=(RosterEndpoint(**endpoint),), **fields)


def roster(
    scene: Scene,
    when: int,
    *users: RosterUser,
    state: RosterState = RosterState.FULL,
    source: str = BRIDGE,
    call: str = "subscription",
    meeting: MeetingRef | None = WEEKLY,
    **fields: Any,
) -> None:
    fields = {"conference": f"sip:{WEEKLY.value}@example.webex.com", **fields}
    scene.feed(
        RosterSeen(
            at=when,
            evidence=scene.seen(),
            call=call,
            users=users,
            state=state,
            sent_from=source,
            sent_to="192.0.2.21",
            meeting=meeting,
            **fields,
        )
    )


def told(scene: Scene) -> list[tuple[str, str]]:
    return [
        (type(change).__name__, change.participant.identity.subject)
        for change in scene.changes
        if isinstance(change, Joined | Left)
    ]


def joins(scene: Scene) -> list[Joined]:
    return [change for change in scene.changes if isinstance(change, Joined)]


@pytest.fixture
def scene() -> Scene:
    return Scene(occurrence())


def test_whose_call_was_not_seen_is_named_and_partial(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER), user("tel:+31205550101"))
    scene.meetings_until(TEN + 10 * SECOND)
    who = {join.participant.identity.subject: join.participant for join in joins(scene)}
    assert {subject: p.verdict for subject, p in who.items()} == {
        OUTSIDER: Verdict.UNINVITED,
        "tel:+31205550101": Verdict.INVITED,
    }
    outsider = who[OUTSIDER]
    assert (outsider.partial, outsider.joined_at, outsider.method) == (True, TEN, Method.PSTN)
    assert outsider.identity.trust is Trust.SCREENED
    assert outsider.facts[0].evidence[0].frame == 1


def test_the_end_of_the_capture_waits_for_nobody(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER))
    assert joins(scene) == []
    scene.finish(TEN + SECOND)
    assert told(scene) == [("Joined", OUTSIDER)]


def test_the_bridge_says_since_when(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER, joined_at=TEN - MINUTE), user("tel:+31205550101", joined_at=TEN + HOUR))
    scene.meetings_until(TEN + 10 * SECOND)
    assert [join.participant.joined_at for join in joins(scene)] == [TEN - MINUTE, TEN]


def test_who_comes_after_a_whole_list_is_not_partial(scene: Scene) -> None:
    roster(scene, TEN, user("tel:+31205550101"))
    roster(scene, TEN + MINUTE, user(OUTSIDER), state=RosterState.PARTIAL)
    roster(scene, TEN + 2 * MINUTE, user("tel:+31205550178"), state=RosterState.PARTIAL, missed=True)
    scene.finish(TEN + 5 * MINUTE)
    assert [join.participant.partial for join in joins(scene)] == [True, False, True]


@pytest.mark.parametrize("status", ["disconnected", "alerting", "dialing-in", "pending", "dialing-out"])
def test_who_is_not_connected_is_not_in(scene: Scene, status: str) -> None:
    roster(scene, TEN, user(OUTSIDER, status))
    assert not list(scene.finish(TEN + MINUTE))


@pytest.mark.parametrize("status", ["connected", "on-hold", "muted-via-focus", ""])
def test_who_is_connected_in_any_way_is_in(scene: Scene, status: str) -> None:
    roster(scene, TEN, user(OUTSIDER, status))
    scene.finish(TEN + MINUTE)
    assert told(scene) == [("Joined", OUTSIDER)]


# The same person in signalling and in the roster is one participant


def test_a_known_leg_is_found_by_its_call(scene: Scene) -> None:
    scene.direct(TEN, "leg", asserted="sip:+31205550101@example.net")
    roster(scene, TEN + MINUTE, user("sip:somebody@pbx.example", call="leg"))
    scene.finish(TEN + HOUR)
    assert told(scene) == [("Joined", "tel:+31205550101")]


@pytest.mark.parametrize("entity", ["tel:+31205550101", "sip:+31205550101@192.0.2.10;user=phone", "tel:+31655501010"])
def test_a_known_leg_is_found_by_any_spelling_or_number_of_its_person(scene: Scene, entity: str) -> None:
    scene.direct(TEN, "leg", asserted="sip:+31205550101@example.net")
    roster(scene, TEN + MINUTE, user(entity))
    roster(scene, TEN + 2 * MINUTE, user(entity))
    scene.finish(TEN + HOUR)
    assert told(scene) == [("Joined", "tel:+31205550101")]


def test_two_users_are_not_one_leg(scene: Scene) -> None:
    scene.direct(TEN, "leg", asserted="sip:+31205550101@example.net")
    roster(scene, TEN + MINUTE, user("tel:+31205550101"), user("sip:+31205550101@pc.example"))
    scene.finish(TEN + HOUR)
    assert len(joins(scene)) == 2


def test_a_roster_before_the_answer_names_nobody_twice(scene: Scene) -> None:
    scene.ring(TEN, "leg", asserted="sip:+31205550177@example.net")
    roster(scene, TEN + SECOND, user(OUTSIDER))
    scene.answer(TEN + 2 * SECOND, "leg")
    scene.finish(TEN + HOUR)
    assert told(scene) == [("Joined", OUTSIDER)]
    assert not joins(scene)[0].participant.partial


def test_who_still_types_is_not_in_by_the_roster(scene: Scene) -> None:
    scene.dial_in(TEN, "leg", stays=False, uri="sip:+31205550177@example.net")
    roster(scene, TEN + 4 * SECOND, user(OUTSIDER))
    scene.meetings_until(TEN + 15 * SECOND)
    assert joins(scene) == []
    scene.finish(TEN + HOUR)
    assert told(scene) == [("Joined", OUTSIDER)]
    assert joins(scene)[0].participant.call == "leg"


def test_a_dial_in_whose_keys_were_not_seen_is_in_where_the_bridge_says(scene: Scene) -> None:
    scene.offer(TEN - MINUTE, "leg", asserted="sip:+31205550177@example.net")
    scene.reach(TEN - MINUTE, "leg")
    scene.answer(TEN - MINUTE + SECOND, "leg")
    roster(scene, TEN, user(OUTSIDER))
    scene.meetings_until(TEN + MINUTE)
    (join,) = joins(scene)
    assert (join.participant.call, join.participant.identity.trust, join.participant.joined_at) == (
        "leg",
        Trust.ASSERTED,
        TEN,
    )
    scene.end(TEN + 2 * MINUTE, "leg")
    assert told(scene)[-1] == ("Left", OUTSIDER)


def partial_call(scene: Scene, when: int, call: str, uri: str) -> None:
    """A re-INVITE of a call whose beginning was not seen."""
    target = f"sip:{WEEKLY.value}@198.51.100.20:5060"
    scene.feed(
        CallOffered(
            at=when,
            evidence=scene.seen(),
            call=call,
            method=Method.SIP,
            target=target,
            addressed_to=target,
            caller=Claims(uri=uri, sent_from=TRUNK),
            sent_to=BRIDGE,
            partial=True,
        )
    )
    scene.name(when, call)
    scene.feed(CallAnswered(at=when + SECOND, evidence=scene.seen(), call=call, callee=Claims(sent_from=BRIDGE)))


def test_the_call_that_is_seen_later_is_theirs(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER))
    partial_call(scene, TEN + 5 * MINUTE, "leg", "sip:+31205550177@example.net")
    scene.meetings_until(TEN + 6 * MINUTE)
    assert told(scene) == [("Joined", OUTSIDER)]
    scene.end(TEN + 7 * MINUTE, "leg")
    assert told(scene) == [("Joined", OUTSIDER), ("Left", OUTSIDER)]


def test_the_call_that_the_bridge_names_is_theirs_whatever_it_claims(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER, call="leg"))
    partial_call(scene, TEN + 5 * MINUTE, "leg", "sip:extension7@pbx.example")
    scene.end(TEN + 7 * MINUTE, "leg")
    assert told(scene) == [("Joined", OUTSIDER), ("Left", OUTSIDER)]


def test_a_new_call_of_somebody_listed_is_a_second_leg(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER))
    scene.direct(TEN + 5 * MINUTE, "leg", asserted="sip:+31205550177@example.net")
    scene.finish(TEN + HOUR)
    assert told(scene) == [("Joined", OUTSIDER), ("Joined", OUTSIDER)]


def test_later_signalling_alone_makes_somebody_partial(scene: Scene) -> None:
    partial_call(scene, TEN, "leg", "sip:+31205550177@example.net")
    scene.finish(TEN + MINUTE)
    assert [join.participant.partial for join in joins(scene)] == [True]


def test_anonymous_users_are_counted_against_anonymous_legs(scene: Scene) -> None:
    scene.direct(TEN, "leg", uri="sip:anonymous@anonymous.invalid")
    roster(scene, TEN + MINUTE, user(ANONYMOUS), user("sip:anonymous2@anonymous.invalid"))
    scene.finish(TEN + HOUR)
    assert [join.participant.verdict for join in joins(scene)] == [Verdict.ANONYMOUS, Verdict.ANONYMOUS]
    assert joins(scene)[1].participant.call == "sip:anonymous2@anonymous.invalid"


# Leaving


def test_they_leave_when_the_bridge_says_so(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER))
    roster(scene, TEN + MINUTE, user(OUTSIDER, "disconnected"), state=RosterState.PARTIAL)
    assert told(scene) == [("Joined", OUTSIDER), ("Left", OUTSIDER)]
    roster(scene, TEN + 2 * MINUTE, user(OUTSIDER), state=RosterState.PARTIAL)
    scene.finish(TEN + HOUR)
    assert [kind for kind, _ in told(scene)] == ["Joined", "Left", "Joined"]
    first, second = joins(scene)
    assert first.participant.id != second.participant.id


def test_who_came_and_went_at_once_was_there(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER))
    roster(scene, TEN + SECOND, user(OUTSIDER, state=RosterState.DELETED), state=RosterState.PARTIAL)
    assert told(scene) == [("Joined", OUTSIDER), ("Left", OUTSIDER)]


def test_a_full_list_without_them_ends_it(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER), user("tel:+31205550101"))
    roster(scene, TEN + MINUTE, user("tel:+31205550101"))
    assert told(scene)[-1] == ("Left", OUTSIDER)


def test_a_list_that_is_cut_off_ends_nothing(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER), user("tel:+31205550101"))
    roster(scene, TEN + MINUTE, user("tel:+31205550101"), whole=False)
    assert [kind for kind, _ in told(scene)] == ["Joined", "Joined"]


def test_a_subscriber_who_is_told_less_ends_nothing(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER), user("tel:+31205550101"), call="chair")
    roster(scene, TEN + MINUTE, user("tel:+31205550101"), call="guest")
    assert [kind for kind, _ in told(scene)] == ["Joined", "Joined"]


def test_nobody_leaves_by_the_word_of_another_source(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER))
    scene.direct(TEN, "leg", asserted="sip:+31205550101@example.net")
    for number, state in enumerate((RosterState.FULL, RosterState.DELETED)):
        roster(scene, TEN + (number + 1) * MINUTE, source="203.0.113.66", state=state)
    roster(scene, TEN + 4 * MINUTE, user(OUTSIDER, "disconnected"), source="203.0.113.66")
    assert "Left" not in [kind for kind, _ in told(scene)]


def test_no_roster_ends_what_a_call_has_shown(scene: Scene) -> None:
    scene.direct(TEN, "leg", asserted="sip:+31205550101@example.net")
    roster(scene, TEN + MINUTE, user("tel:+31205550101", call="leg"))
    roster(scene, TEN + 2 * MINUTE, state=RosterState.DELETED)
    assert [kind for kind, _ in told(scene)] == ["Joined"]


def test_when_the_source_falls_silent_nobody_is_there_any_more(scene: Scene) -> None:
    roster(scene, TEN, user(OUTSIDER), lasts=600)
    scene.meetings_until(TEN + 9 * MINUTE)
    assert [kind for kind, _ in told(scene)] == ["Joined"]
    scene.meetings_until(TEN + 30 * MINUTE)
    (left,) = [change for change in scene.changes if isinstance(change, Left)]
    assert left.left_at == max(TEN, left.participant.joined_at)


@pytest.mark.parametrize("how", ["terminated", "call over"])
def test_the_end_of_the_last_subscription_ends_what_it_told(scene: Scene, how: str) -> None:
    roster(scene, TEN, user(OUTSIDER))
    if how == "terminated":
        roster(scene, TEN + MINUTE, state=RosterState.PARTIAL, lasts=0, whole=False)
    else:
        scene.end(TEN + MINUTE, "subscription")
    assert [kind for kind, _ in told(scene)] == ["Joined", "Left"]


def test_somebody_back_unseen_comes_in_again(scene: Scene) -> None:
    scene.direct(TEN, "leg", asserted="sip:+31205550177@example.net")
    roster(scene, TEN + MINUTE, user(OUTSIDER))
    scene.end(TEN + 2 * MINUTE, "leg")
    roster(scene, TEN + 2 * MINUTE + SECOND, user(OUTSIDER))
    roster(scene, TEN + 3 * MINUTE, user(OUTSIDER))
    scene.finish(TEN + 5 * MINUTE)
    assert [kind for kind, _ in told(scene)] == ["Joined", "Left", "Joined"]


def test_who_is_first_heard_of_when_they_go_was_there(scene: Scene) -> None:
    for subscription in ("chair", "guest"):
        gone = user(OUTSIDER, "disconnected", left_by="departed")
        roster(scene, TEN, gone, state=RosterState.PARTIAL, call=subscription)
    assert told(scene) == [("Joined", OUTSIDER), ("Left", OUTSIDER)]
    assert joins(scene)[0].participant.partial


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        pytest.param({"left_by": "failed"}, RosterState.PARTIAL, id="was never connected"),
        pytest.param({}, RosterState.PARTIAL, id="nobody says how"),
        pytest.param({"left_by": "departed"}, RosterState.FULL, id="may be long gone"),
    ],
)
def test_who_is_only_heard_of_as_gone_may_never_have_been_there(
    scene: Scene, fields: dict[str, str], state: RosterState
) -> None:
    roster(scene, TEN, user(OUTSIDER, "disconnected", **fields), state=state)
    scene.finish(TEN + HOUR)
    assert told(scene) == []


# No participants


def test_the_conference_itself_a_bridge_and_a_recorder_are_none() -> None:
    site = Site(trusted_trunks=(TRUNK,), bridges={BRIDGE: "webex", "198.51.100.21": "webex"}, recorders=("192.0.2.77",))
    scene = Scene(occurrence(), policy=Policy(site=site))
    roster(
        scene,
        TEN,
        user(f"sip:{WEEKLY.value}@example.webex.com", joined_by="focus-owner"),
        user("sip:cascade@198.51.100.21:5060", joined_by="dialed-out"),
        user("sip:recorder@192.0.2.77"),
        RosterUser(display="Only a Name", endpoints=(RosterEndpoint(status="connected"),)),
    )
    assert not list(scene.finish(TEN + HOUR))
    assert scene.meetings.counts["roster_users_unnamed"] == 1


def test_a_caller_cannot_hide_behind_the_name_of_the_conference(scene: Scene) -> None:
    roster(scene, TEN, user(f"sip:{WEEKLY.value}@example.webex.com"))
    scene.finish(TEN + HOUR)
    assert [join.participant.verdict for join in joins(scene)] == [Verdict.UNINVITED]


def test_an_alias_that_the_bridge_tells_is_invited(scene: Scene) -> None:
    roster(scene, TEN, user("sip:a.room@pbx.example", aors=("mailto:Alice@example.org",)))
    scene.finish(TEN + HOUR)
    (join,) = joins(scene)
    assert (join.participant.verdict, join.participant.people) == (Verdict.INVITED, (ALICE,))


# Trust and bounds


@pytest.mark.parametrize(
    ("entity", "source", "joined_by", "trust"),
    [
        (OUTSIDER, BRIDGE, "dialed-in", Trust.SCREENED),
        ("sip:x@outside.example", BRIDGE, "dialed-out", Trust.SCREENED),
        ("sip:x@outside.example", BRIDGE, "dialed-in", Trust.CLAIMED),
        (OUTSIDER, "203.0.113.66", "dialed-out", Trust.CLAIMED),
        (ANONYMOUS, BRIDGE, "dialed-in", Trust.NONE),
    ],
)
def test_who_vouches_for_a_user(scene: Scene, entity: str, source: str, joined_by: str, trust: Trust) -> None:
    roster(scene, TEN, user(entity, joined_by=joined_by), source=source)
    scene.finish(TEN + HOUR)
    assert [join.participant.identity.trust for join in joins(scene)] == [trust]


@pytest.mark.parametrize(
    ("entity", "method"),
    [
        ("tel:+31205550177", Method.PSTN),
        ("sip:+31205550177@192.0.2.10;user=phone", Method.PSTN),
        ("sip:x@outside.example", Method.SIP),
        ("h323:x@outside.example", Method.H323),
        ("xmpp:x@outside.example", Method.SIP),
    ],
)
def test_the_way_in_is_that_of_the_device(scene: Scene, entity: str, method: Method) -> None:
    roster(scene, TEN, user(entity))
    scene.finish(TEN + HOUR)
    assert [join.participant.method for join in joins(scene)] == [method]


def test_the_meeting_of_an_opaque_conference_is_that_of_its_calls(scene: Scene) -> None:
    scene.ring(TEN, "leg", asserted="sip:+31205550101@example.net")
    scene.feed(
        CallAnswered(
            at=TEN + SECOND,
            evidence=scene.seen(),
            call="leg",
            callee=Claims(sent_from=BRIDGE),
            contact="sip:conf-7a8b@198.51.100.20",
            focus=True,
        )
    )
    roster(scene, TEN + MINUTE, user(OUTSIDER), meeting=None, conference="sip:conf-7a8b@198.51.100.20")
    roster(scene, TEN + MINUTE, user("tel:+31205550178", call=""), meeting=None, conference="sip:x", call="leg")
    roster(scene, TEN + MINUTE, user("tel:+31205550179"), meeting=None, conference="sip:unknown@198.51.100.20")
    scene.finish(TEN + HOUR)
    assert {subject for _, subject in told(scene)} == {"tel:+31205550101", OUTSIDER, "tel:+31205550178"}
    assert scene.meetings.counts["rosters_unplaced"] == 1


def test_a_flood_of_a_strange_source_names_only_so_many(scene: Scene) -> None:
    users = [user(f"sip:u{n}@outside.example") for n in range(500)]
    roster(scene, TEN, *users, source="203.0.113.66")
    scene.finish(TEN + HOUR)
    assert len(joins(scene)) == 64
    assert scene.meetings.counts["roster_users_refused"] == 436


def limited(**limits: int) -> Policy:
    return replace(POLICY, limits=Limits(**limits))


@pytest.mark.parametrize("limits", [{"conferences": 3}, {"roster_users": 40}])
def test_what_a_strange_source_claims_makes_room_for_what_a_named_bridge_tells(limits: dict[str, int]) -> None:
    scene = Scene(occurrence(), policy=limited(**limits))
    roster(scene, TEN, user(OUTSIDER), call="first")
    for number in range(9):
        meeting = MeetingRef(platform="webex", kind=WEEKLY.kind, value=f"2731123456{number}")
        users = [user(f"sip:u{n}@{number}.example") for n in range(9)]
        roster(scene, TEN + number * SECOND, *users, meeting=meeting, call=f"s{number}", source="203.0.113.66")
    roster(scene, TEN + MINUTE, user(OUTSIDER), user("tel:+31205550102"), call="first")
    scene.finish(TEN + 2 * MINUTE)
    named = {join.participant.identity.subject for join in joins(scene) if join.participant.origin == BRIDGE}
    assert named == {OUTSIDER, "tel:+31205550102"}
    sizes, counts = scene.meetings.sizes, scene.meetings.counts
    assert all(sizes[table] <= most for table, most in limits.items())
    assert all(counts[f"{table}_evicted"] > 0 for table in limits)


def test_time_forgets_what_rosters_and_calls_have_left() -> None:
    scene = Scene(occurrence())
    scene.ring(TEN, "leg", asserted="sip:+31205550101@example.net")
    scene.feed(
        CallAnswered(at=TEN, evidence=scene.seen(), call="leg", callee=Claims(), contact="sip:conf@x", focus=True)
    )
    scene.direct(TEN, "nameless", uri="sip:anonymous@anonymous.invalid", privacy=("id",))
    scene.dial_in(TEN + SECOND, "waits", stays=False)
    scene.refer(TEN + 5 * SECOND, "leg", to="sip:somebody@example.net")
    scene.offer(TEN + 5 * SECOND, "rings")
    scene.offer(TEN + 5 * SECOND, "talks")
    scene.answer(TEN + 5 * SECOND, "talks")
    roster(scene, TEN + 6 * SECOND, user(OUTSIDER))
    unbounded = {"guest_lists"}
    assert [table for table, size in scene.meetings.sizes.items() if not size] == []
    for call in ("leg", "nameless", "waits"):
        scene.end(TEN + 7 * SECOND, call)
    scene.meetings_until(TEN + 3 * DAY)
    scene.meetings.expire(TEN + 3 * DAY)
    assert {table for table, size in scene.meetings.sizes.items() if size} == unbounded


def test_many_conferences_push_out_the_oldest() -> None:
    scene = Scene(occurrence(), policy=limited(conferences=3))
    for number in range(5):
        meeting = MeetingRef(platform="webex", kind=WEEKLY.kind, value=f"2731123456{number}")
        roster(scene, TEN + number * MINUTE, user(OUTSIDER), meeting=meeting, call=f"s{number}")
    assert scene.meetings.counts["conferences_evicted"] == 2
    scene.meetings_until(TEN + 5 * HOUR)
    assert [kind for kind, _ in told(scene)].count("Left") == 3
