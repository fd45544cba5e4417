"""What holds whatever happens: for any order of invitees and people, any events, and any floods."""

import sys
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.detections import Detections
from monitor.model.alerts import Alert
from monitor.model.evidence import MINUTE, SECOND
from monitor.model.invitations import Invitee, Occurrence, Person
from monitor.model.meetings import Slot
from monitor.model.roster import Joined, Left
from tests.detections.test_detections import STRICT, alerts_of, tries
from tests.meetings.scene import ALICE, BOB, BRIDGE, EMPTY, POLICY, RIGHT, TRUNK, WEEKLY, WRONG, Scene, at, occurrence

TEN = at("10:00:00")
SHARED = "tel:+31205550150"
PEOPLE = (
    replace(ALICE, addresses=(*ALICE.addresses, SHARED)),
    replace(BOB, addresses=(*BOB.addresses, SHARED), delegates=("mailto:dee@example.org",)),
    Person(name="Dee", addresses=("mailto:dee@example.org", "tel:+31205550103")),
    Person(name="Eve", addresses=("mailto:eve@example.org", "tel:+31205550177")),
    Person(name="Eve", addresses=("mailto:eve2@example.org", "tel:+31205550178")),
    Person(name="Room", addresses=("mailto:room@example.org",), ranges=("+312055502",)),
)
NUMBERS = ("+31205550101", "+31205550102", "+31205550103", "+31205550150", "+31205550177", "+31205550178",
           "+31205550201", "+31205550999")  # fmt: skip
INVITEES = tuple(Invitee(address=f"mailto:{name}@example.org") for name in ("alice", "bob", "room"))
OCCURRENCES = (
    occurrence("09:00", "10:00", invitees=INVITEES, classification="Dep.V."),
    occurrence("10:00", "11:00", uid="second@example.org", invitees=INVITEES[:1]),
    occurrence("10:00", "11:00", uid="third@example.org", invitees=INVITEES[1:]),
    occurrence("00:00", "23:00", uid="day@example.org", invitees=INVITEES[2:]),
)
SLOTS: tuple[Slot, ...] = (EMPTY, WRONG, RIGHT)

shuffled_people = st.permutations(PEOPLE)
shuffled_occurrences = st.tuples(*(st.permutations(o.invitees) for o in OCCURRENCES)).flatmap(
    lambda lists: st.permutations([replace(o, invitees=tuple(i)) for o, i in zip(OCCURRENCES, lists, strict=True)])
)


def told(scene: Scene) -> list[tuple[object, ...]]:
    """The alerts without the invitation, which lists its people in the order of its file."""
    return [
        (a.id, a.rule, a.severity, a.subject, a.summary, a.reasons, a.first_seen, a.last_seen, a.count)
        for a in alerts_of(scene.finish(at("13:00:00")), STRICT)
    ]


def a_day(occurrences: list[Occurrence], people: list[Person]) -> Scene:
    """Every number at every hour, by telephone and directly."""
    scene = Scene(*sorted(occurrences, key=lambda o: (o.start, o.end, o.uid)), people=people, policy=STRICT)
    scene.offer(TEN, "borrowed", uri=f"sip:{SHARED[4:]}@example.org", asserted="tel:+31205550177")
    scene.name(TEN, "borrowed")
    scene.answer(TEN, "borrowed")
    for n, number in enumerate(NUMBERS * 2):
        when = at("08:20:00") + n * 11 * MINUTE
        if n % 3:
            scene.dial_in(when, f"call {n}", SLOTS[n % 3], asserted=f"tel:{number}")
        else:
            scene.direct(when, f"call {n}", asserted=f"tel:{number}")
    return scene


TRUTH = told(a_day(list(OCCURRENCES), list(PEOPLE)))


@settings(max_examples=25, deadline=None)
@given(shuffled_occurrences, shuffled_people)
def test_a_shuffled_invitee_list_gives_the_same_alerts(occurrences: list[Occurrence], people: list[Person]) -> None:
    assert told(a_day(occurrences, people)) == TRUTH
    assert len({alert[1] for alert in TRUTH}) >= 5


# ── any events ────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS = ("offer", "ring", "reach", "answer", "keys", "refuse", "end", "refer", "call_me", "replace", "redirect")
steps = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from("abc"),
        st.sampled_from(NUMBERS),
        st.integers(0, 40),
        st.lists(st.sampled_from(SLOTS), max_size=3),
    ),
    max_size=40,
)


def play(plan: list[tuple[str, str, str, int, list[Slot]]]) -> Scene:
    """Anything after anything."""
    scene, now = Scene(*OCCURRENCES, people=PEOPLE, policy=STRICT), TEN
    for what, call, number, seconds, slots in plan:
        now += seconds * SECOND
        caller = {"asserted": f"tel:{number}", "session": call, "sent_to": BRIDGE if seconds % 2 else TRUNK}
        match what:
            case "offer":
                scene.offer(now, call, **caller)  # type: ignore[arg-type]
            case "ring":
                scene.ring(now, call, WEEKLY, **caller)
            case "reach":
                scene.reach(now, call)
            case "answer":
                scene.answer(now, call)
            case "keys":
                scene.keys(now, call, *slots, meeting=WEEKLY if seconds % 5 else None, attempt=1 + seconds % 3)
            case "refuse":
                scene.refuse(now, call, 486)
            case "end":
                scene.end(now, call)
            case "refer":
                scene.refer(now, call, f"sip:{number}@example.org", by="caller")
            case "call_me":
                scene.call_me(now, call, number)
                now += 5 * SECOND
            case "replace":
                scene.offer(now, call + call, replaces=call, **caller)  # type: ignore[arg-type]
                scene.answer(now, call + call)
            case _:
                scene.refuse(now, call, 302)
                scene.name(now, call, replace(WEEKLY, value="27311234568"))
    scene.finish(now + MINUTE)
    return scene


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whatever_happens_the_roster_adds_up(plan: list[tuple[str, str, str, int, list[Slot]]]) -> None:
    scene = play(plan)
    present: dict[str, Joined] = {}
    for change in scene.changes:
        if isinstance(change, Joined):
            assert all(fact.evidence for fact in change.participant.facts)
            present[change.participant.id] = change
        elif isinstance(change, Left):
            assert present.pop(change.participant.id).participant is change.participant
            assert change.left_at >= change.participant.joined_at
    assert len(scene.meetings.admissions.presence.roster) == len(present)
    assert all(one.at <= next_.at for one, next_ in pairwise(scene.changes))


@settings(max_examples=50, deadline=None)
@given(steps)
def test_whatever_happens_alerts_have_frames_and_come_again_the_same(
    plan: list[tuple[str, str, str, int, list[Slot]]],
) -> None:
    def run() -> list[Alert]:
        return alerts_of(play(plan).changes, STRICT)

    alerts = run()
    assert alerts == run()
    assert all(alert.reasons and all(reason.evidence for reason in alert.reasons) for alert in alerts)
    assert all(alert.first_seen <= alert.last_seen for alert in alerts)


# ── floods ────────────────────────────────────────────────────────────────────────────────────────────────────────


def steps_of(calls: int) -> int:
    """Functions called on the whole way of so many calls of one caller through one agent: joins, tries and twins."""
    scene, detections = Scene(occurrence()), Detections(POLICY)
    steps = 0

    def count(_frame: object, _event: str, _arg: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    for n in range(calls):
        when = TEN + n * SECOND // 1000
        scene.ring(when, f"outer {n}", sent_to="192.0.2.50", asserted="tel:+31205550101", session=f"{n % 7}")
        scene.ring(when, f"inner {n}", sent_from="192.0.2.50", session=f"{n % 7}")
        scene.answer(when, f"inner {n}")
        scene.ring(when, f"refused {n}", replace(WEEKLY, value=str(27300000000 + n)), asserted=f"tel:+3120556{n:05}")
        scene.refuse(when, f"refused {n}")
    for change in (*scene.finish(TEN + 30 * MINUTE), *tries(range(calls), lambda n: f"tel:+3120557{n:05}")):
        list(detections.judge(change))
    sys.setprofile(None)
    return steps


def test_a_flood_costs_each_call_the_same() -> None:
    # Counted, not timed: a busy machine must not fail it.
    assert steps_of(900) < 3.5 * steps_of(300)
