"""Looking for meetings by trying their numbers, and what only looks like it."""

from pcaps.generator import Call, Party, World, phone, sip_user, withheld
from pcaps.stories.town import (
    BRIDGE,
    CALL_CENTRE,
    MORNING,
    PIN,
    POLICY_MEETING,
    SBC,
    SITE,
    STRANGER,
    TRUNK,
    caller,
    dial_in,
    joined,
    must_alert,
    tel,
)

NUMBER = f"{POLICY_MEETING.number}#"
ALL_KEYS = (NUMBER, "#", f"{PIN}#")


def _found(world: World, subject: str, why: str, *calls: Call, open: bool = False) -> None:  # noqa: A002
    must_alert(world, "meeting-enumeration", "high", subject, None, why, *calls, open=open)


def _tried(world: World, who: Party, at: str, *numbers: str) -> Call:
    """Wrong numbers in one call; the bridge hangs up after the last."""
    return dial_in(world, who, at, *(f"{number}#" for number in numbers)).hang_up("callee", after=3)


def _called(world: World, who: Party, number: str, at: str) -> Call:
    """A SIP call to a meeting that there is not."""
    return world.call(who, f"sip:{number}@{SITE}", (STRANGER, BRIDGE), at=at).refuse(404)


def by_keypad(world: World) -> None:
    """An outside number tries six numbers far from each other, in two calls: a list, not typing errors."""
    first = _tried(world, caller("outsider"), "10:05", "26410001733", "27955512009", "23308841270")
    second = _tried(world, caller("outsider"), "10:07", "25117730984", "28802214456", "24663390127")
    _found(
        world, tel("outsider"), "one number tried six meeting numbers within a day, and none let it in", first, second
    )


def by_sip_address(world: World) -> None:
    """A scanner on the internet calls six SIP addresses one after the other."""
    scanner = sip_user("100@203.0.113.66", vouched=False, agent="friendly-caller")
    calls = [_called(world, scanner, f"2731040{n:04}", f"10:0{n}:{7 * n:02}") for n in range(1, 7)]
    _found(world, "sip:100@203.0.113.66", "one source called six SIP addresses of meetings in vain", *calls)


def by_sip_address_under_many_names(world: World) -> None:
    """The same with a new name in From each time, and numbers far from each other; the address it comes from stays."""
    numbers = ("26410001733", "27955512009", "23308841270", "25117730984", "28802214456", "24663390127")
    calls = [
        _called(world, sip_user(f"{name}@{SITE}", vouched=False), number, f"10:0{n}:11")
        for n, (name, number) in enumerate(zip(("anna", "1000", "guest", "zaal", "test", "x7"), numbers, strict=True))
    ]
    _found(
        world,
        "ip:203.0.113.66",
        "one address called six SIP addresses in vain, each time by a new name",
        *calls,
        open=True,
    )


def by_many_sources(world: World) -> None:
    """Six telephones try one number each; the numbers are nearly consecutive, so they are one campaign."""
    numbers = ("24551100310", "24551100312", "24551100317", "24551100325", "24551100326", "24551100333")
    calls = [
        _tried(world, phone(f"+3120555018{n}", spelled=f"020555018{n}"), f"10:{5 + 6 * n:02}", number)
        for n, number in enumerate(numbers)
    ]
    _found(
        world,
        "tel:+31205550180",
        "six nearly consecutive meeting numbers were tried in vain, from six telephones",
        *calls,
        open=True,
    )


def by_nobody(world: World) -> None:
    """A caller without a number tries six consecutive numbers in two calls: a campaign, whoever it is."""
    first = _tried(world, withheld(), "10:05", "24551100710", "24551100711", "24551100712")
    second = _tried(world, withheld(), "10:07", "24551100713", "24551100714", "24551100715")
    _found(
        world, "anonymous", "six consecutive meeting numbers were tried in vain by an anonymous caller", first, second
    )


def low_and_slow(world: World) -> None:
    """Two consecutive numbers a day for three days, each day from the same outside number: slow, and still one
    campaign.
    """
    calls = [
        _tried(
            world,
            caller("outsider"),
            f"2025-03-{18 + day} 21:0{day}",
            f"245511008{2 * day:02}",
            f"245511008{2 * day + 1:02}",
        )
        for day in range(3)
    ]
    _found(world, tel("outsider"), "six consecutive meeting numbers were tried in vain within three days", *calls)


def over_tcp(world: World) -> None:
    """The scanner keeps one TCP connection; several messages travel in one segment, and some are cut in two."""
    scanner = sip_user("100@203.0.113.66", vouched=False, agent="friendly-caller")
    stream = world.connect(STRANGER, BRIDGE, at="10:00")
    start, calls = world.at("10:00:01"), []
    for n in range(1, 7):
        calls.append(
            world.call(
                scanner,
                f"sip:2731040{n:04}@{SITE};transport=tcp",
                (STRANGER, BRIDGE),
                at=start,
                stream=stream,
                opens=False,
            )
        )
        calls[-1].now = start + n * 1_000_000
    for call in calls:
        call.invite()
    for n, call in enumerate(calls):
        call.now = start + 500_000_000 + n * 300_000
        call.refuse(404, after=0)
    _found(world, "sip:100@203.0.113.66", "one source called six SIP addresses of meetings in vain, over TCP", *calls)


def three_wrong_then_joined(world: World) -> None:
    """Bram mistypes the number three times, is thrown out, and then joins."""
    _tried(world, caller("bram"), "09:55", "27310400012", "27310400001", "27301400011")
    joined(dial_in(world, caller("bram"), "09:57", *ALL_KEYS), tel("bram"), POLICY_MEETING).until("10:50").hang_up()


def everybody_mistypes_once(world: World) -> None:
    """Five invitees on one trunk mistype the number once each, each in another place, and then join."""
    wrong = ("27310400811", "27310480011", "37310400011", "27360400011", "27310470011")
    for n, who in enumerate(("anna", "bram", "carla", "frank", "greta")):
        call = dial_in(world, caller(who), f"09:5{4 + n}", f"{wrong[n]}#", *ALL_KEYS)
        joined(call, tel(who), POLICY_MEETING).until("10:50").hang_up()


def assistant(world: World) -> None:
    """Eva looks into six meetings to which she is invited, one after the other, and is let into each."""
    for n, event in enumerate(MORNING):
        call = dial_in(world, caller("eva"), f"2025-03-19 09:{5 + 8 * n:02}", f"{event.number}#", "#", f"{PIN}#")
        joined(call, tel("eva"), event).until(f"2025-03-19 09:{9 + 8 * n:02}").hang_up()


def call_centre(world: World) -> None:
    """Six citizens type 9-digit numbers in the menu of the call centre, nearly consecutive: no meetings at all."""
    for n in range(6):
        who = phone(f"+3120555018{n}", spelled=f"020555018{n}")
        call = world.call(who, "+31205550190", (TRUNK, CALL_CENTRE), at=f"10:{10 + n}", codec="G729")
        call.ring().answer().keys(f"12345678{n}#", gap=0.2).hang_up(after=40)


def bridge_out_of_order(world: World) -> None:
    """The bridge answers 503; Carla's client tries her six meetings once each. They are hers: she is invited to all."""
    carla = sip_user("carla.smit@justice.example", "Carla Smit", agent="Desktop-Client/44.3")
    for n, event in enumerate(MORNING):
        world.call(carla, f"sip:{event.number}@{SITE}", (SBC, BRIDGE), at=f"2025-03-19 09:0{n}").refuse(503)


SCENARIOS = {
    "meeting-enumeration/attack-keypad": by_keypad,
    "meeting-enumeration/attack-sip": by_sip_address,
    "meeting-enumeration/attack-sip-names": by_sip_address_under_many_names,
    "meeting-enumeration/attack-distributed": by_many_sources,
    "meeting-enumeration/attack-anonymous": by_nobody,
    "meeting-enumeration/attack-low-and-slow": low_and_slow,
    "meeting-enumeration/attack-sip-over-tcp": over_tcp,
    "meeting-enumeration/benign-three-wrong": three_wrong_then_joined,
    "meeting-enumeration/benign-one-error-each": everybody_mistypes_once,
    "meeting-enumeration/benign-assistant": assistant,
    "meeting-enumeration/benign-call-centre": call_centre,
    "meeting-enumeration/benign-out-of-order": bridge_out_of_order,
}
