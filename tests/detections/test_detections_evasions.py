"""What a rule must see although somebody tries to get past it, and what it must let be."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from monitor.detections import Detections
from monitor.detections.enumeration import MAX_CREDIT, MAX_TRIES
from monitor.model.alerts import Alert, Severity
from monitor.model.evidence import DAY, HOUR, MINUTE, SECOND
from monitor.model.limits import Limits
from monitor.model.meetings import Method, Slot, SlotState
from monitor.model.roster import Identity, RosterChange, Stir, Tried, Trust
from tests.detections.test_detections import SPREAD, STRICT, alerts_of, guesses, tries
from tests.meetings.scene import ALICE, BOB, EMPTY, POLICY, RIGHT, WEEKLY, WRONG, Scene, at, occurrence

TEN = at("10:00:00")
INVITED = {"asserted": "tel:+31205550101"}
STRANGER = {"asserted": "tel:+31205550177"}
ANONYMOUS = {"uri": "sip:anonymous@anonymous.invalid"}
FEW_KEYS = Slot(state=SlotState.WRONG, length=1)


def rules(changes: Iterable[RosterChange]) -> list[str]:
    return [alert.rule for alert in alerts_of(changes)]


def rules_after(scene: Scene, clock: str = "10:59:00") -> list[str]:
    return rules(scene.finish(at(clock)))


# ── pin-bypass ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("slots", "raised"),
    [
        pytest.param((EMPTY, FEW_KEYS), True, id="a key pressed in the meeting afterwards"),
        pytest.param((EMPTY, EMPTY, WRONG), True, id="both left empty, then something typed"),
        pytest.param((WRONG, EMPTY), True, id="an attendee number, then nothing"),
        pytest.param((EMPTY, WRONG, EMPTY), True, id="a guess, then nothing"),
        pytest.param((EMPTY, WRONG), False, id="the host's own code"),
        pytest.param((EMPTY, EMPTY, RIGHT), False, id="asked again, then right"),
        pytest.param((FEW_KEYS,), False, id="only a slip"),
    ],
)
def test_what_is_typed_around_an_empty_pin_does_not_hide_it(slots: tuple[Slot, ...], raised: bool) -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", *slots, **INVITED)  # type: ignore[arg-type]
    assert ("pin-bypass" in rules_after(scene)) is raised


def test_to_wait_before_leaving_the_pin_empty_is_a_bypass() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", **INVITED)
    scene.keys(TEN + MINUTE, "a", EMPTY)
    assert rules_after(scene) == ["pin-bypass"]


def test_the_pin_of_a_series_counts_on_every_date() -> None:
    scene = Scene(occurrence(date="2024-05-13"))
    scene.dial_in(TEN, "a", EMPTY, **INVITED)
    assert rules_after(scene) == ["pin-bypass", "unscheduled-meeting"]


def test_to_wait_between_guesses_is_a_bruteforce() -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", **INVITED)
    for n in range(1, 6):
        scene.keys(TEN + n * MINUTE, "a", *[WRONG] * n)
    assert rules_after(scene) == ["pin-bruteforce"]


# ── pin-bruteforce ────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_campaigns_on_one_meeting_are_two_alerts() -> None:
    first = guesses(*["tel:+31205550177"] * 5)
    second = [replace(c, at=c.at + 5 * HOUR) for c in guesses(*["tel:+31205550178"] * 5)]  # type: ignore[type-var]
    alerts = alerts_of([*first, *second])
    assert [(a.subject, a.count) for a in alerts] == [("tel:+31205550177", 5), ("tel:+31205550178", 5)]


def test_a_campaign_that_runs_into_the_next_meeting_is_one_alert() -> None:
    later = occurrence("11:00", "12:00")
    changes = [
        replace(c, occurrence=occurrence() if n < 4 else later)  # type: ignore[type-var]
        for n, c in enumerate(guesses(*["tel:+31205550177"] * 8))
    ]
    (alert,) = alerts_of(changes)
    assert alert.count == 8


# ── meeting-enumeration ───────────────────────────────────────────────────────────────────────────────────────────


def join_of(scene: Scene, when: int, call: str, **caller: object) -> list[RosterChange]:
    """What a short join says."""
    before = len(scene.changes)
    scene.direct(when, call, **caller)
    scene.end(when + 10 * SECOND, call)
    return scene.changes[before:]


def test_one_known_number_does_not_pardon_a_whole_search() -> None:
    scene = Scene(occurrence())
    numbers = [27300000000 + n * 1_000_003 for n in range(12)]
    changes: list[RosterChange] = []
    for round_ in range(4):
        when = TEN + round_ * 10 * MINUTE
        for change in tries(numbers[round_ * 3 : round_ * 3 + 3], lambda _: "tel:+31205550101"):
            changes.append(replace(change, at=when))  # type: ignore[type-var]
        changes += join_of(scene, when + MINUTE, f"join {round_}", **INVITED)
    assert rules(changes) == ["meeting-enumeration"]


def test_a_join_of_what_no_calendar_has_pardons_nothing() -> None:
    scene = Scene()
    changes: list[RosterChange] = []
    for n, change in enumerate(tries(SPREAD[1:], lambda _: "tel:+31205550177")):
        changes += join_of(scene, TEN + n * MINUTE, f"join {n}", **STRANGER)
        changes.append(change)
    assert "meeting-enumeration" in rules(changes)


def test_who_is_refused_once_and_then_let_in_tried_nothing_in_vain() -> None:
    scene = Scene(occurrence())
    changes = tries([int(WEEKLY.value), *SPREAD[1:4]], lambda _: "tel:+31205550101")
    changes += join_of(scene, TEN + HOUR, "join", **INVITED)
    changes += [replace(c, at=c.at + 2 * HOUR) for c in tries(SPREAD[4:5], lambda _: "tel:+31205550101")]  # type: ignore[type-var]
    assert rules(changes) == []


def by_name(n: int, when: int = TEN, origin: str = "203.0.113.9") -> Tried:
    """A direct call under a name of its own, for a number far from every other."""
    (tried,) = tries([27300000000 + n * 1_000_003], lambda _: f"sip:user{n}@example.net")
    assert isinstance(tried, Tried)
    identity = Identity(subject=f"sip:user{n}@example.net", trust=Trust.CLAIMED)
    return replace(tried, at=when + n, identity=identity, origin=origin, method=Method.SIP)


def test_names_of_the_invited_buy_no_endless_search() -> None:
    people = [replace(ALICE, name=f"P{n}", addresses=(f"tel:+312055501{n:02}",)) for n in range(100)]
    invitees = tuple(replace(occurrence().invitees[0], address=p.addresses[0]) for p in people)
    scene = Scene(occurrence(invitees=invitees), people=people)
    for n in range(100):
        host = {"uri": f"sip:+312055501{n:02}@example.net", "sent_from": "203.0.113.9"}
        scene.direct(TEN + n * SECOND, f"join {n}", **host)
        scene.end(TEN + n * SECOND + SECOND // 2 + SECOND, f"join {n}")
    changes = [*scene.changes, *(by_name(n, TEN + 5 * MINUTE) for n in range(MAX_TRIES))]
    assert "meeting-enumeration" in rules(changes)
    assert MAX_CREDIT + POLICY.rules.enumeration_meetings < MAX_TRIES


def test_credit_is_for_a_day() -> None:
    scene = Scene(occurrence())
    host = {"uri": "sip:+31205550101@example.net", "sent_from": "203.0.113.9"}
    for n in range(20):
        scene.direct(TEN + n * SECOND, f"join {n}", **host)
    changes = [*scene.changes, *(by_name(n, TEN + 2 * DAY) for n in range(5))]
    assert "meeting-enumeration" in rules(changes)


def test_nameless_searches_by_two_trunks_are_two_campaigns() -> None:
    changes: list[RosterChange] = []
    for trunk in ("192.0.2.10", "192.0.2.11"):
        for n, change in enumerate(tries(SPREAD[:5], lambda _: "anonymous")):
            shifted = replace(change.meeting, value=str(SPREAD[n] + int(trunk[-1]) * 5_000))  # type: ignore[union-attr]
            changes.append(replace(change, meeting=shifted, origin=trunk))  # type: ignore[type-var]
    assert rules(changes) == ["meeting-enumeration"] * 2


# ── identity-mismatch, duplicate-identity ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("originator", "raised"),
    [
        pytest.param("tel:+31655501010", False, id="another number of the same person"),
        pytest.param("tel:+31205550199", False, id="the number in From"),
        pytest.param("tel:+31205550177", True, id="a stranger's"),
    ],
)
def test_a_passport_may_be_for_either_number_of_the_caller(originator: str, raised: bool) -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **INVITED)
    (joined,) = scene.changes
    who = replace(joined.participant, stir=Stir(attestation="A", originator=originator))  # type: ignore[union-attr]
    assert rules([replace(joined, participant=who)]) == ["identity-mismatch"] * raised  # type: ignore[type-var]


def test_a_call_of_the_bridge_that_a_deputy_answers_is_no_mismatch() -> None:
    scene = Scene(occurrence())
    scene.call_me(TEN, "a", "+31205550101", asserted=("tel:+31205550102",))
    assert rules_after(scene) == []


def test_a_namesake_does_not_excuse_a_borrowed_number() -> None:
    namesake = replace(ALICE, addresses=("tel:+31205550177",))
    scene = Scene(occurrence(), people=(ALICE, BOB, namesake))
    scene.direct(TEN, "a", uri="sip:+31205550101@example.org", **STRANGER)
    assert "identity-mismatch" in rules_after(scene)


def test_anonymous_legs_are_told_apart_by_every_rule() -> None:
    scene = Scene(occurrence(classification="Dep.V."), policy=STRICT)
    for call in ("a", "b"):
        scene.dial_in(TEN, call, EMPTY, **ANONYMOUS)
    alerts = alerts_of(scene.finish(at("10:59:00")), STRICT)
    assert sorted(a.rule for a in alerts) == sorted(
        ["anonymous-participant", "forbidden-join-method", "pin-bypass"] * 2
    )


# ── outside-schedule ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_frame_of_leaving_shows_how_long_they_stayed() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **INVITED)
    scene.end(at("12:00:00"), "a")
    (alert,) = alerts_of(scene.finish(at("12:30:00")))
    facts = {reason.fact: reason.evidence for reason in alert.reasons}
    assert facts["left 60 minutes after the end"][0].frame == scene.frame
    assert alert.last_seen == at("12:00:00")
    assert alert.count == 2


def test_who_is_invited_to_the_next_meeting_too_may_stay() -> None:
    scene = Scene(occurrence(), occurrence("11:00", "12:00", uid="next@example.org"))
    scene.direct(TEN, "a", **INVITED)
    scene.end(at("12:10:00"), "a")
    assert rules_after(scene, "13:00:00") == []


# ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_alert_keeps_its_first_reasons_and_its_latest() -> None:
    scene = Scene(occurrence())
    for n in range(40):
        scene.direct(TEN + n * MINUTE, f"call {n}", **STRANGER)
        scene.end(TEN + n * MINUTE + 20 * SECOND, f"call {n}")
    last = scene.frame
    (alert,) = alerts_of(scene.finish(at("10:59:00")))
    frames = {e.frame for reason in alert.reasons for e in reason.evidence}
    assert alert.count == 40
    assert {1, last - 3} <= frames
    assert len(alert.reasons) <= 32
    assert all(reason.evidence for reason in alert.reasons)


def test_an_alert_that_becomes_worse_is_told_at_once() -> None:
    scene = Scene(occurrence(), policy=POLICY)
    scene.direct(TEN, "a", **INVITED)
    scene.call_me(TEN + SECOND, "b", "+31205550101", asserted=("tel:+31205550101",))
    scene.direct(TEN + 10 * SECOND, "c", **INVITED)
    scene.direct(TEN + 20 * SECOND, "d", **INVITED)
    detections = Detections(POLICY)
    told: list[Alert] = [a for change in scene.finish(at("10:59:00")) for a in detections.judge(change)]
    assert [a.severity for a in told if a.rule == "duplicate-identity"][:2] == [Severity.LOW, Severity.LOW]
    scene.end(at("10:20:00"), "b")
    assert max(told, key=lambda a: a.severity.rank).rule == "duplicate-identity"


def test_what_rules_forget_is_counted() -> None:
    detections = Detections(replace(POLICY, limits=Limits(sources=3)))
    before = detections.counts
    for n in range(10):
        list(detections.judge(by_name(n, origin=f"203.0.113.{n}")))
    assert before["sources_evicted"] == 0
    assert detections.counts["sources_evicted"] >= 7
    assert before.keys() == detections.counts.keys() >= {"guessed_meetings_evicted", "alerts_evicted"}
