"""Keys at the voice of a bridge: the meeting's number is kept, of all else only what it was."""

import pytest
from msgspec.structs import replace

from monitor.model.calls import CallRefused, DialInReached, KeyPressed, KeySource
from monitor.model.evidence import HOUR
from monitor.model.limits import Limits
from monitor.platforms import EXPIRY
from tests.platforms.platforms_kit import (
    EVIDENCE,
    NUMBERS,
    POLICY,
    WEBEX_NUMBER,
    answered,
    dialled,
    ended,
    key,
    numbered,
    offered,
    platforms,
    story,
    typed,
    written,
)

ACCESS = {platform: number for number, platform in NUMBERS.items()}
WEBEX = numbered("webex", "27311234567")
ZOOM = numbered("zoom", "81500000000")
TEAMS = numbered("teams", "123456789")
MEET = numbered("meet", "987654321")
OWN = numbered("generic", "71234")
PINS = {WEBEX: "57637966", ZOOM: "471147", OWN: "4711"}
KNOWN = (TEAMS, MEET)


@pytest.mark.parametrize(
    ("platform", "keys", "told"),
    [
        pytest.param("webex", "27311234567##57637966#", ["1 number:27311234567 empty right(8)"], id="right PIN"),
        pytest.param(
            "webex", "27311234567##1111#57637966#", ["1 number:27311234567 empty wrong(4) right(8)"], id="wrong, right"
        ),
        pytest.param("webex", "27311234567###", ["1 number:27311234567 empty empty"], id="nothing for the PIN"),
        pytest.param("webex", "27311234567#", ["1 number:27311234567"], id="no PIN asked"),
        pytest.param("webex", "27311234567", ["1 number:27311234567"], id="the bridge's time-out ends the number"),
        pytest.param("webex", "2731123456##", ["1 number:2731123456 empty"], id="an unknown number is a number"),
        pytest.param(
            "webex",
            "27311234568#27311234567##57637966#",
            ["1 number:27311234568", "2 number:27311234567 empty right(8)"],
            id="number wrong, then right",
        ),
        pytest.param(
            "webex",
            "27311234568##27311234567##57637966#",
            ["1 number:27311234568 empty", "2 number:27311234567 empty right(8)"],
            id="number wrong and nothing, then right",
        ),
        pytest.param(
            "webex",
            "".join(f"2731123456{n}#" for n in range(1, 6)),
            [f"{n} number:2731123456{n}" for n in range(1, 6)],
            id="five numbers in one call",
        ),
        pytest.param(
            "webex", "27311234567#27311234568#", ["1 number:27311234567 wrong(11)"], id="after a known number no other"
        ),
        pytest.param("webex", "*01*27311234567##*01*", ["1 number:27311234567 empty"], id="one-tap"),
        pytest.param(
            "webex", ",,*01*27311234567#57637966#*01*", ["1 number:27311234567 right(8)"], id="one-tap with PIN"
        ),
        pytest.param(
            "webex", "*01*27311234567##*01*#", ["1 number:27311234567 empty"], id="the prefix again enters nothing"
        ),
        pytest.param("webex", "27311234567#*998877#", ["1 number:27311234567 filled(6)"], id="host key"),
        pytest.param(
            "webex", "27311234567##57637966#*6*6", ["1 number:27311234567 empty right(8)"], id="muted in the meeting"
        ),
        pytest.param("webex", "27311234567##*6#", ["1 number:27311234567 empty"], id="a command is no PIN"),
        pytest.param(
            "webex", "27311234567##*657637966#", ["1 number:27311234567 empty right(8)"], id="muted before the PIN"
        ),
        pytest.param("webex", "123#27311234567#", ["1 number:27311234567"], id="too short a number is none"),
        pytest.param("webex", "A27311234567B#", ["1 number:27311234567"], id="keys of the fourth column"),
        pytest.param("webex", "#" * 3, [], id="nothing but hashes"),
        pytest.param("webex", "1" * 40 + "#", [], id="far too long"),
        pytest.param(
            "webex", "27311234567#" + "1" * 40 + "#", ["1 number:27311234567 wrong(40)"], id="far too long a PIN"
        ),
        pytest.param("zoom", "81500000000#,,,,*471147#", ["1 number:81500000000 right(6)"], id="zoom: one-tap"),
        pytest.param("zoom", "81500000000##471147#", ["1 number:81500000000 empty right(6)"], id="zoom: as asked"),
        pytest.param(
            "zoom",
            "81500000000##*111111#471147#",
            ["1 number:81500000000 empty wrong(6) right(6)"],
            id="zoom: wrong, right",
        ),
        pytest.param(
            "zoom",
            "81500000009##1234567890#",
            ["1 number:81500000009 empty filled(10)"],
            id="zoom: a passcode as long as a number",
        ),
        pytest.param(
            "zoom",
            "81500000009##81500000000##471147#",
            ["1 number:81500000009 empty", "2 number:81500000000 empty right(6)"],
            id="zoom: wrong, right number",
        ),
        pytest.param("teams", "123456789#", ["1 number:123456789"], id="teams"),
        pytest.param("teams", "123456789#*4711#", ["1 number:123456789 filled(4)"], id="teams: organiser"),
        pytest.param("meet", "987654321#", ["1 number:987654321"], id="meet"),
        pytest.param("generic", "71234", ["1 number:71234"], id="own bridge: complete at its length"),
        pytest.param("generic", "71234#", ["1 number:71234"], id="own bridge: the number's own hash is no empty PIN"),
        pytest.param("generic", "71234##", ["1 number:71234 empty"], id="own bridge: nothing for the PIN"),
        pytest.param("generic", "712344711#", ["1 number:71234 right(4)"], id="own bridge: PIN without hash before"),
        pytest.param(
            "generic", "71235#71234#4711#", ["1 number:71235", "2 number:71234 right(4)"], id="own bridge: wrong, right"
        ),
        pytest.param(
            "generic", "71235#4711#", ["1 number:71235 filled(4)"], id="own bridge: what may be a PIN is no number"
        ),
        pytest.param(
            "generic",
            "71235#71236#71237#",
            ["1 number:71235", "2 number:71236", "3 number:71237"],
            id="own bridge: numbers alike",
        ),
        pytest.param("generic", "71235##71236#", ["1 number:71235 empty filled(5)"], id="own bridge: asked for a PIN"),
    ],
)
def test_keys_tell_the_meeting_and_what_else_was_entered(platform: str, keys: str, told: list[str]) -> None:
    assert story(dialled(platforms(KNOWN, PINS), ACCESS[platform], keys)) == told


def test_every_key_is_told_and_none_is_named() -> None:
    pressed = dialled(platforms(KNOWN, PINS), WEBEX_NUMBER, "27311234567##57637966#")
    assert [event.attempt for event in pressed] == [0] * 10 + [1] * 12
    assert "57637966" not in written(pressed)


def test_a_number_is_none_before_it_is_complete() -> None:
    pressed = dialled(platforms(), WEBEX_NUMBER, "27311234567#")
    assert [event.meeting for event in pressed] == [None] * 11 + [WEBEX]


def test_a_known_number_may_begin_a_longer_one() -> None:
    short = numbered("zoom", "815000000")
    pressed = dialled(platforms([short]), ACCESS["zoom"], "81500000000#471147#")
    assert story(pressed)[0] == "1 number:81500000000 filled(6)"


def test_a_breakout_room_is_its_number_and_one_more_digit() -> None:
    pressed = dialled(platforms([OWN, numbered("generic", "712341")]), ACCESS["generic"], "712341#")
    assert story(pressed) == ["1 number:712341"]


def test_keys_that_travel_twice_over_are_told_with_how_they_travelled() -> None:
    stage = platforms(KNOWN, PINS)
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com")))
    vias = [KeySource.INFO if n % 2 else KeySource.RTP for n in range(12)]
    events = [e for n, via in enumerate(vias) for e in stage.place(key("27311234567#"[n], via=via))]
    assert [e.via for e in events if isinstance(e, KeyPressed)] == vias
    assert story(e for e in events if isinstance(e, KeyPressed)) == ["1 number:27311234567"]


def test_keys_of_the_bridge_are_no_entry() -> None:
    stage = platforms(KNOWN, PINS)
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com")))
    assert list(stage.place(key("1", by="callee"))) == []
    assert story(e for e in typed(stage, "27311234567#") if isinstance(e, KeyPressed)) == ["1 number:27311234567"]


def test_keys_of_a_direct_call_go_nowhere() -> None:
    stage = platforms(KNOWN, PINS)
    list(stage.place(offered("sip:27311234567@ministry.webex.com")))
    assert typed(stage, "57637966#") == []


def test_an_ended_call_is_forgotten() -> None:
    stage = platforms(KNOWN, PINS)
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com")))
    typed(stage, "273112")
    list(stage.place(ended()))
    assert typed(stage, "34567#") == []


def test_a_refused_call_loses_its_keys_and_may_still_be_answered() -> None:
    stage = platforms(KNOWN, PINS)
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com")))
    typed(stage, "273")
    list(stage.place(CallRefused(at=5, evidence=EVIDENCE, call="c", status=486)))
    list(stage.place(answered(at=6)))
    assert story(e for e in typed(stage, "27311234567#") if isinstance(e, KeyPressed)) == ["1 number:27311234567"]


def test_a_dial_in_expires_by_packet_time() -> None:
    stage = platforms(KNOWN, PINS)
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com", call="old")))
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com", call="new", at=EXPIRY + HOUR)))
    assert stage.counts["dial_ins_expired"] == 1
    assert typed(stage, "1", call="old", at=EXPIRY + HOUR) == []


def test_a_flood_of_offers_pushes_out_no_answered_call() -> None:
    stage = platforms(KNOWN, PINS, policy=replace(POLICY, limits=Limits(dial_ins_offered=10)))
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com")))
    list(stage.place(answered()))
    for n in range(100):
        list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com", call=f"flood-{n}")))
    assert stage.counts["dial_ins_offered_evicted"] == 90
    assert story(e for e in typed(stage, "27311234567#") if isinstance(e, KeyPressed)) == ["1 number:27311234567"]


def test_slots_without_end_are_counted() -> None:
    stage = platforms(KNOWN, PINS)
    pressed = dialled(stage, WEBEX_NUMBER, "27311234567#" + "#" * 100)
    assert len(pressed[-1].slots) == 64
    assert stage.counts["slots_lost"] == 36


class TestUnknownBridge:
    """A number that is nobody's we know: a bridge that no policy names, or a bank."""

    def test_a_known_meeting_shows_that_it_is_a_bridge(self) -> None:
        stage = platforms(KNOWN, PINS)
        assert len(list(stage.place(offered("sip:+31205550177@sbc.example.com")))) == 1
        list(stage.place(answered()))
        events = typed(stage, "*01*27311234567##57637966#")
        assert isinstance(events[0], DialInReached)
        assert events[0].platform == "webex"
        assert story(e for e in events if isinstance(e, KeyPressed)) == ["1 number:27311234567 empty right(8)"]
        assert stage.counts["unknown_bridges"] == 1

    def test_any_other_number_stays_inside_and_is_counted_once(self) -> None:
        stage = platforms(KNOWN, PINS)
        list(stage.place(offered("sip:+31205550177@sbc.example.com")))
        assert typed(stage, "123456780#987654320#") == []
        assert stage.counts["unknown_bridges"] == 1

    def test_a_short_number_is_nothing(self) -> None:
        stage = platforms(KNOWN, PINS)
        assert typed(stage, "2255#71234#") == []
        assert stage.counts["unknown_bridges"] == 0

    def test_a_meeting_tried_after_others_is_seen(self) -> None:
        events = typed(platforms(KNOWN, PINS), "111#222222222#123456789#")
        assert [type(event) for event in events] == [DialInReached, KeyPressed]


def test_a_keypad_shows_no_digits() -> None:
    stage = platforms(KNOWN, PINS)
    dialled(stage, WEBEX_NUMBER, "27311234567#57637")
    typed(stage, "445566", call="bank")
    assert "57637" not in repr(vars(stage))
    assert "445566" not in repr(vars(stage))


# ── keys that were not seen ──────────────────────────────────────────────────────────────────────────────────────────


def lossy(keys: str, *, counted: bool) -> list[str]:
    """What is told of keys of which those in brackets are lost; `counted` as SIP's numbers do it, else as RTP does."""
    stage = platforms(KNOWN, PINS)
    reached = list(stage.place(offered(f"sip:{ACCESS['webex']}@sbc.example.com")))
    assert any(isinstance(event, DialInReached) for event in reached)
    list(stage.place(answered()))
    events: list[KeyPressed] = []
    missed, inside = 0, False
    for at, pressed in enumerate(keys):
        if pressed in "[]":
            inside = pressed == "["
        elif inside:
            missed += 1
        else:
            one = replace(key(pressed, at=at), frayed=missed > 0, missed=missed if counted else 0)
            events.extend(event for event in stage.place(one) if isinstance(event, KeyPressed))
            missed = 0
    assert events[-1].partial is ("[" in keys)
    return story(events)


@pytest.mark.parametrize(
    ("keys", "counted", "told"),
    [
        pytest.param("2731[1]234567##57637966#", False, ["1 number:27311234567 empty right(8)"], id="one, anywhere"),
        pytest.param("2[73]1123456[7]###", True, ["1 number:27311234567 empty empty"], id="three, where they were"),
        pytest.param("27[3]112[3]4567##", False, ["1 number:271124567 empty"], id="two, anywhere: no guess"),
        pytest.param("27311234567##5763[7]966#", False, ["1 number:27311234567 empty filled(7)"], id="of the PIN"),
        pytest.param(
            "27311234567##5763[7]966#", True, ["1 number:27311234567 empty filled(8)"], id="of the PIN, known"
        ),
        pytest.param("27311234567#[#]#", True, ["1 number:27311234567 empty"], id="no room for a PIN"),
        pytest.param("27311234567##[5763]#", True, ["1 number:27311234567 empty filled(4)"], id="room for a PIN"),
    ],
)
def test_a_number_is_mended_when_one_meeting_fits_and_a_pin_is_not_called_wrong(
    keys: str, counted: bool, told: list[str]
) -> None:
    assert lossy(keys, counted=counted) == told


def test_a_number_that_fits_two_meetings_is_not_mended() -> None:
    other = numbered("webex", "27311234568")
    stage = platforms((WEBEX, other))
    list(stage.place(offered(f"sip:{ACCESS['webex']}@sbc.example.com")))
    list(stage.place(answered()))
    events: list[KeyPressed] = []
    for pressed in "2731123456":
        events.extend(event for event in stage.place(key(pressed)) if isinstance(event, KeyPressed))
    events.extend(e for e in stage.place(replace(key("#"), frayed=True, missed=1)) if isinstance(e, KeyPressed))
    assert events[-1].meeting is None
