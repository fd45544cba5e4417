"""Every rule: what raises it, and the innocent neighbours that must not."""

from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from monitor.detections import RULES, Detections, rule_infos
from monitor.model.alerts import Alert, Severity
from monitor.model.evidence import DAY, HOUR, MINUTE, SECOND, Evidence
from monitor.model.invitations import Person
from monitor.model.limits import Limits
from monitor.model.meetings import Kind, MeetingRef, Method
from monitor.model.policy import PlatformPolicy, Policy, Site
from monitor.model.roster import Identity, PinRefused, RosterChange, Tried, Trust
from tests.meetings.scene import (
    ALICE,
    BOB,
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

TEN = at("10:00:00")
INVITED = {"asserted": "tel:+31205550101"}
STRANGER = {"asserted": "tel:+31205550177"}


def alerts_of(changes: Iterable[RosterChange], policy: Policy = POLICY) -> list[Alert]:
    """The last state of every alert, by first sight."""
    detections = Detections(policy)
    found: dict[str, Alert] = {}
    for change in changes:
        found.update((alert.id, alert) for alert in detections.judge(change))
    found.update((alert.id, alert) for alert in detections.finish())
    return list(found.values())


def rules_after(scene: Scene, until: int = at("11:00:00"), policy: Policy = POLICY) -> list[tuple[str, str]]:
    return [(alert.rule, alert.severity.value) for alert in alerts_of(scene.finish(until), policy)]


def test_every_rule_tells_what_it_is() -> None:
    infos = rule_infos()
    assert len(infos) == len(RULES) == len({info.name for info in infos})
    assert all(info.summary and info.severities for info in infos)


# ── uninvited, anonymous ──────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_not_on_the_list_is_uninvited() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **STRANGER)
    scene.direct(TEN, "b", **INVITED)
    (alert,) = alerts_of(scene.finish(at("10:59:00")))
    assert (alert.rule, alert.subject) == ("uninvited-participant", "tel:+31205550177")
    assert alert.confidence is Trust.ASSERTED
    assert all(fact.evidence for fact in alert.reasons)


def test_the_same_cause_raises_the_same_alert_and_counts() -> None:
    scene = Scene(occurrence())
    for minute in range(3):
        scene.direct(TEN + minute * MINUTE, f"call {minute}", **STRANGER)
        scene.end(TEN + minute * MINUTE + 20 * SECOND, f"call {minute}")
    (alert,) = alerts_of(scene.finish(at("10:59:00")))
    assert alert.count == 3
    assert alert.last_seen - alert.first_seen == 2 * MINUTE


def test_an_anonymous_leg_is_its_own_alert_each() -> None:
    scene = Scene(occurrence())
    for call in ("a", "b"):
        scene.direct(TEN, call, uri="sip:anonymous@anonymous.invalid")
    assert rules_after(scene) == [("anonymous-participant", "medium")] * 2


def test_an_anonymous_leg_in_a_classified_meeting_is_high() -> None:
    scene = Scene(occurrence(classification="Dep.V."))
    scene.direct(TEN, "a", uri="sip:anonymous@anonymous.invalid")
    assert rules_after(scene) == [("anonymous-participant", "high")]


def test_nobody_is_uninvited_where_no_calendar_knows_the_meeting() -> None:
    scene = Scene()
    scene.direct(TEN, "a", **STRANGER)
    assert rules_after(scene) == [("unscheduled-meeting", "low")]


# ── policy ────────────────────────────────────────────────────────────────────────────────────────────────────────

STRICT = replace(
    POLICY,
    allowed_methods={"Ongerubriceerd": tuple(Method), "Dep.V.": (Method.SIP, Method.WEB)},
    platforms={"webex": PlatformPolicy(max_classification="Dep.V.")},
)


@pytest.mark.parametrize(("marking", "expected"), [("Dep.V.", [("forbidden-join-method", "high")]), ("", [])])
def test_a_method_may_be_forbidden_by_the_marking(marking: str, expected: list[tuple[str, str]]) -> None:
    scene = Scene(occurrence(classification=marking), policy=STRICT)
    scene.dial_in(TEN, "a", EMPTY, RIGHT, **INVITED)
    assert rules_after(scene, policy=STRICT) == expected


@pytest.mark.parametrize(("marking", "raised"), [("Stg. GEHEIM", True), ("Dep.V.", False), ("", False)])
def test_a_marking_above_the_platform_is_critical_once_a_meeting(marking: str, raised: bool) -> None:
    scene = Scene(occurrence(classification=marking), policy=STRICT)
    scene.direct(TEN, "a", **INVITED)
    scene.direct(TEN, "b", asserted="tel:+31205550102")
    critical = [a for a in alerts_of(scene.finish(at("10:59:00")), STRICT) if a.severity is Severity.CRITICAL]
    assert [alert.rule for alert in critical] == ["classification-exceeds-platform"] * raised


# ── identity ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("claimed", "asserted", "raised"),
    [
        pytest.param(
            "sip:+31205550102@example.org", "tel:+31205550177", True, id="Bob's number in From, another's leg"
        ),
        pytest.param("sip:+31205550101@example.org", "tel:+31655501010", False, id="two numbers of one person"),
        pytest.param("sip:2102@example.org", "tel:+31205550101", False, id="an extension in From"),
        pytest.param("sip:+31205550177@example.org", "tel:+31205550101", False, id="From is nobody's"),
    ],
)
def test_a_borrowed_number_is_a_mismatch(claimed: str, asserted: str, raised: bool) -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", uri=claimed, asserted=asserted)
    assert (("identity-mismatch", "high") in rules_after(scene)) is raised


def test_an_inside_number_from_outside_is_a_mismatch() -> None:
    site = Site(trusted_trunks=(TRUNK,), external_trunks=("192.0.2.0/24",), internal_numbers=("+3120555010",))
    policy = replace(POLICY, site=site)
    scene = Scene(occurrence(), policy=policy)
    scene.direct(TEN, "a", **INVITED)
    assert rules_after(scene, policy=policy) == [("identity-mismatch", "high")]


# ── twice ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_legs_of_one_person_are_a_duplicate_after_thirty_seconds() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **INVITED)
    scene.direct(TEN + 10 * SECOND, "b", asserted="tel:+31655501010")
    assert rules_after(scene, at("10:59:00")) == [("duplicate-identity", "medium")]


def test_a_rejoin_soon_after_a_loss_is_no_duplicate() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **INVITED)
    scene.direct(TEN + MINUTE, "b", **INVITED)
    scene.end(TEN + MINUTE + 25 * SECOND, "a", by="callee")
    assert rules_after(scene, at("10:59:00")) == []


def test_a_shared_phone_may_be_in_once_for_each_of_its_people() -> None:
    shared = "tel:+31205550150"
    people = [replace(person, addresses=(*person.addresses, shared)) for person in (ALICE, BOB)]
    scene = Scene(occurrence(), people=people)
    for call in ("a", "b"):
        scene.direct(TEN, call, asserted=shared)
    assert rules_after(scene, at("10:59:00")) == []


# ── PIN ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("slots", "raised"),
    [
        pytest.param((EMPTY, EMPTY), True, id="# where the PIN is asked"),
        pytest.param((EMPTY,), True, id="# alone was enough"),
        pytest.param((EMPTY, RIGHT), False, id="# for the attendee number, then the PIN"),
        pytest.param((RIGHT,), False, id="the PIN at once"),
        pytest.param((EMPTY, WRONG, RIGHT), False, id="a typing error"),
        pytest.param((EMPTY, WRONG), False, id="another code was accepted: a host's own"),
        pytest.param((), False, id="nothing was asked"),
    ],
)
def test_an_empty_pin_that_lets_in_is_a_bypass(slots: tuple[object, ...], raised: bool) -> None:
    scene = Scene(occurrence())
    scene.dial_in(TEN, "a", *slots, **INVITED)  # type: ignore[arg-type]
    assert rules_after(scene, at("10:59:00")) == [("pin-bypass", "high")] * raised


def test_no_pin_no_bypass() -> None:
    scene = Scene(occurrence(has_pin=False))
    scene.dial_in(TEN, "a", EMPTY, EMPTY, **INVITED)
    assert rules_after(scene, at("10:59:00")) == []


def guesses(*sources: str, gap: int = MINUTE) -> list[RosterChange]:
    return [
        PinRefused(
            at=TEN + n * gap,
            evidence=Evidence(capture="test.pcap", frame=n + 1),
            meeting=WEEKLY,
            occurrence=occurrence(),
            identity=Identity(subject=source, trust=Trust.ASSERTED),
            origin=TRUNK,
            call=f"call {n}",
            length=4,
        )
        for n, source in enumerate(sources)
    ]


@pytest.mark.parametrize(
    ("sources", "gap", "raised"),
    [
        pytest.param(["tel:+31205550177"] * 5, MINUTE, True, id="five by one"),
        pytest.param([f"tel:+3120555017{n}" for n in range(5)], MINUTE, True, id="five by five"),
        pytest.param(["tel:+31205550177"] * 4, MINUTE, False, id="four"),
        pytest.param(["tel:+31205550177"] * 8, 20 * MINUTE, False, id="never five within the hour"),
    ],
)
def test_five_wrong_pins_within_an_hour_are_a_bruteforce(sources: list[str], gap: int, raised: bool) -> None:
    assert [a.rule for a in alerts_of(guesses(*sources, gap=gap))] == ["pin-bruteforce"] * raised


def test_typing_errors_before_the_right_pin_are_forgiven() -> None:
    scene = Scene(occurrence())
    for call, who in enumerate(("tel:+31205550101", "tel:+31205550102")):
        scene.dial_in(TEN + call * MINUTE, str(call), EMPTY, WRONG, WRONG, WRONG, RIGHT, asserted=who)
    assert rules_after(scene, at("10:59:00")) == []


# ── enumeration ───────────────────────────────────────────────────────────────────────────────────────────────────


def tries(
    numbers: Iterable[int], source: Callable[[int], str], gap: int = MINUTE, known: bool = False
) -> list[RosterChange]:
    return [
        Tried(
            at=TEN + n * gap,
            evidence=Evidence(capture="test.pcap", frame=n + 1),
            meeting=MeetingRef(platform="webex", kind=Kind.NUMBER, value=str(number)),
            identity=Identity(subject=source(n), trust=Trust.ASSERTED),
            origin=TRUNK,
            method=Method.PSTN,
            call=f"call {n}",
            known=known,
            expected=known,
        )
        for n, number in enumerate(numbers)
    ]


def one(_: int) -> str:
    return "tel:+31205550177"


def many(n: int) -> str:
    return f"tel:+3120555{n:04}"


SPREAD = [27311234567, 27390000000, 27512345678, 27444444444, 27300000001, 27600000000]
CLOSE = [27311234500, 27311234507, 27311234511, 27311234520, 27311234530]


@pytest.mark.parametrize(
    ("changes", "raised"),
    [
        pytest.param(tries(SPREAD[:5], one), True, id="five anywhere, one source"),
        pytest.param(tries(SPREAD[:4], one), False, id="four, one source"),
        pytest.param(tries(SPREAD, many), False, id="six anywhere, six sources"),
        pytest.param(tries(CLOSE, many), True, id="nearly consecutive, many sources"),
        pytest.param(tries(CLOSE[:4], many), False, id="four nearly consecutive"),
        pytest.param(tries([n * 3 for n in CLOSE], many), False, id="gaps too wide"),
        pytest.param(tries(CLOSE, one, gap=DAY), True, id="one a day, nearly consecutive"),
        pytest.param(tries(SPREAD, one, gap=7 * HOUR), False, id="never five within a day, anywhere"),
        pytest.param(tries([CLOSE[0]] * 9, one), False, id="the same again and again"),
        pytest.param(tries(CLOSE, one, known=True), False, id="expected in what they tried"),
    ],
)
def test_trying_numbers_is_enumeration(changes: list[RosterChange], raised: bool) -> None:
    assert [a.rule for a in alerts_of(changes)] == ["meeting-enumeration"] * raised


def test_one_campaign_is_one_alert_however_many_numbers() -> None:
    (alert,) = alerts_of(tries(range(27311234500, 27311234900, 3), one))
    assert alert.count == 134
    assert alert.first_seen == TEN
    assert alert.meeting is None


def test_three_wrong_numbers_before_joining_are_forgiven() -> None:
    scene = Scene(occurrence())
    changes = tries(CLOSE[:3], lambda _: "tel:+31205550101")
    scene.direct(TEN + HOUR, "a", **INVITED)
    changes += scene.finish(TEN + HOUR + MINUTE)
    changes += [replace(t, at=t.at + 2 * HOUR) for t in tries(CLOSE[3:], lambda _: "tel:+31205550101")]
    assert alerts_of(changes) == []


def test_a_flood_of_sources_keeps_the_tables_small() -> None:
    from monitor.detections.enumeration import MeetingEnumeration

    rule = MeetingEnumeration(replace(POLICY, limits=Limits(sources=50, tried_numbers=60)))
    for change in tries(range(27300000000, 27300000000 + 5000 * 13, 13), many, gap=SECOND):
        assert not list(rule.judge(change))
    assert len(rule._sources) <= 50
    assert len(rule._tried) <= 60
    assert sum(rule.counts.values()) > 9000


# ── schedule ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("09:31:00", []), ("09:20:00", [("outside-schedule", "low")]), ("11:29:00", [])],
)
def test_much_too_early_is_outside_the_schedule(clock: str, expected: list[tuple[str, str]]) -> None:
    scene = Scene(occurrence())
    scene.direct(at(clock), "a", **INVITED)
    scene.end(at(clock) + 10 * SECOND, "a")
    assert rules_after(scene, at("12:00:00")) == expected


def test_staying_half_an_hour_after_the_end_is_outside_the_schedule() -> None:
    scene = Scene(occurrence())
    scene.direct(TEN, "a", **INVITED)
    assert rules_after(scene, at("11:45:00")) == [("outside-schedule", "low")]


def test_an_uninvited_guest_outside_the_schedule_is_high() -> None:
    scene = Scene(occurrence())
    scene.direct(at("08:00:00"), "a", **STRANGER)
    scene.end(at("08:10:00"), "a")
    assert set(rules_after(scene)) == {("uninvited-participant", "high"), ("outside-schedule", "high")}


def test_a_cancelled_date_is_unscheduled() -> None:
    scene = Scene(occurrence(date="2024-05-07"))
    scene.direct(TEN, "a", **INVITED)
    assert rules_after(scene) == [("unscheduled-meeting", "low")]


# ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_alerts_are_the_same_in_every_run() -> None:
    def run() -> list[Alert]:
        scene = Scene(occurrence(), people=(ALICE, BOB, Person(name="Eve", addresses=("tel:+31205550177",))))
        scene.dial_in(TEN, "a", EMPTY, EMPTY, **STRANGER)
        return alerts_of(scene.finish(at("10:59:00")))

    assert run() == run()
    assert [a.rule for a in run()] == ["uninvited-participant", "pin-bypass"]


def test_wrong_pins_are_forgotten_when_there_are_too_many_meetings() -> None:
    from monitor.detections.bruteforce import PinBruteforce

    rule = PinBruteforce(replace(POLICY, limits=Limits(guessed_meetings=10)))
    for n in range(100):
        meeting = replace(WEEKLY, value=str(n))
        list(rule.judge(replace(guesses("tel:+31205550177")[0], meeting=meeting)))  # type: ignore[type-var]
    assert len(rule._wrong) == 10
    assert rule.counts == {"guessed_meetings_evicted": 90}
    assert WRONG.length == 4
