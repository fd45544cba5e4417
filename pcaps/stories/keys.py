"""What callers type: the PIN left out, the PIN guessed, and everything that looks like it and is not."""

from pcaps.generator import Call, Party, World
from pcaps.stories.town import (
    BRAM_SIP,
    OPEN_MEETING,
    PIN,
    POLICY_MEETING,
    caller,
    dial_in,
    joined,
    must_alert,
    sip_in,
    tel,
    uninvited,
)
from pcaps.stories.ways import called_by_the_bridge

NUMBER = f"{POLICY_MEETING.number}#"
ALL_KEYS = (NUMBER, "#", f"{PIN}#")


def _bypassed(world: World, subject: str, call: Call) -> None:
    why = "the invitation has a numeric PIN; the call has `#` alone in its place, and was admitted"
    must_alert(world, "pin-bypass", "high", subject, POLICY_MEETING, why, call)


def empty_pin(world: World) -> None:
    """Bram, invited, leaves the PIN empty and is admitted: the bridge does not ask for it, whoever calls."""
    call = dial_in(world, caller("bram"), "09:58", NUMBER, "#", "#")
    joined(call, tel("bram"), POLICY_MEETING).until("10:50").hang_up()
    _bypassed(world, tel("bram"), call)


def empty_pin_by_info(world: World) -> None:
    """An outsider does so on a trunk that carries keys in SIP INFO (RFC 6086)."""
    call = dial_in(world, caller("outsider"), "10:05", NUMBER, "#", "#", via="info")
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:50").hang_up()
    _bypassed(world, tel("outsider"), call)
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def one_empty_slot(world: World) -> None:
    """An outsider is admitted after `#` for the attendee ID: the bridge never asked for the PIN."""
    call = dial_in(world, caller("outsider"), "10:05", NUMBER, "#")
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:50").hang_up()
    _bypassed(world, tel("outsider"), call)
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def wrong_then_empty(world: World) -> None:
    """An outsider guesses once, is asked again, and then leaves it empty."""
    call = dial_in(world, caller("outsider"), "10:05", NUMBER, "#", "12345678#", "#")
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:50").hang_up()
    _bypassed(world, tel("outsider"), call)
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def empty_pin_with_loss(world: World) -> None:
    """An outsider leaves the PIN empty, and the mirror port shows only the last packet of each key."""
    call = dial_in(world, caller("outsider"), "10:05")
    for group in (NUMBER, "#", "#"):
        call.keys(group, gap=0.2, lost=5)
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:50").hang_up()
    _bypassed(world, tel("outsider"), call)
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def attendee_hash(world: World) -> None:
    """Bram has no attendee ID, so he types `#` there, and then the PIN: as everybody does."""
    joined(dial_in(world, caller("bram"), "09:58", *ALL_KEYS), tel("bram"), POLICY_MEETING).until("10:50").hang_up()


def wrong_once(world: World) -> None:
    """Bram mistypes the PIN once, and is asked again."""
    call = dial_in(world, caller("bram"), "09:58", NUMBER, "#", "85772698#", f"{PIN}#")
    joined(call, tel("bram"), POLICY_MEETING).until("10:50").hang_up()


def meeting_without_pin(world: World) -> None:
    """The invitation has no numeric PIN; there is nothing that `#` could leave out."""
    call = dial_in(world, caller("bram"), "09:58", f"{OPEN_MEETING.number}#", "#")
    joined(call, tel("bram"), OPEN_MEETING).until("10:50").hang_up()


def host_pin(world: World) -> None:
    """Anna, the host, types her host PIN, which no invitation tells: digits that are not the PIN, but not nothing."""
    joined(dial_in(world, caller("anna"), "09:57", NUMBER, "#", "4321#"), tel("anna"), POLICY_MEETING).until(
        "10:50"
    ).hang_up()


def keys_in_the_meeting(world: World) -> None:
    """Bram mutes himself with `*6`, unmutes, and types `#` by mistake: he has long been in."""
    call = joined(dial_in(world, caller("bram"), "09:58", *ALL_KEYS), tel("bram"), POLICY_MEETING)
    call.keys("*6", after=200).keys("*6", after=400).keys("#", after=120).until("10:50").hang_up()


def one_tap(world: World) -> None:
    """Carla taps the number in her invitation: the telephone types everything, PIN included, with `*01*` around it."""
    call = dial_in(world, caller("carla"), "09:58", f"*01*{NUMBER}{PIN}#*01*")
    joined(call, tel("carla"), POLICY_MEETING).until("10:50").hang_up()


def straight_to_the_meeting(world: World) -> None:
    """Bram's SIP client calls the meeting's own address, which asks for no keys."""
    call = sip_in(world, BRAM_SIP, POLICY_MEETING, "09:58")
    joined(call, "sip:bram.jansen@ministry.example", POLICY_MEETING, method="sip").until("10:50").hang_up()


# Guessing


def _guesses(world: World, who: Party, at: str, *pins: str) -> Call:
    return dial_in(world, who, at, NUMBER, "#", *(f"{pin}#" for pin in pins))


def _guessed(world: World, subject: str, why: str, *calls: Call, open: bool = False) -> None:  # noqa: A002
    must_alert(world, "pin-bruteforce", "high", subject, POLICY_MEETING, why, *calls, open=open)


def one_caller_guesses(world: World) -> None:
    """An outsider tries six PINs in two calls; after each third one the bridge hangs up."""
    first = _guesses(world, caller("outsider"), "10:05", "00000000", "11111111", "12341234").hang_up("callee", after=3)
    second = _guesses(world, caller("outsider"), "10:07", "12345678", "87654321", "20250318").hang_up("callee", after=3)
    _guessed(world, tel("outsider"), "six wrong PINs for one meeting within minutes", first, second)


def many_callers_guess(world: World) -> None:
    """Five numbers try one PIN each for one meeting within 40 minutes, and hang up: they count together."""
    calls = []
    for n, pin in enumerate(("00000000", "11111111", "22222222", "33333333", "44444444")):
        who = Party(
            uri=f"sip:020555018{n}@192.0.2.10;user=phone",
            user=f"020555018{n}",
            asserted=(f"sip:+3120555018{n}@192.0.2.10;user=phone",),
        )
        calls.append(_guesses(world, who, f"10:{5 + 8 * n:02}", pin).hang_up(after=3))
    _guessed(
        world, "tel:+31205550180", "five wrong PINs for one meeting within an hour, by five callers", *calls, open=True
    )


def guessed_at_last(world: World) -> None:
    """An outsider tries five PINs in two calls, then has the right one: guessing, and then uninvited."""
    first = _guesses(world, caller("outsider"), "10:05", "00000000", "11111111", "12341234").hang_up("callee", after=3)
    second = _guesses(world, caller("outsider"), "10:07", "12345678", "87654321", PIN)
    joined(second, tel("outsider"), POLICY_MEETING, "uninvited").until("10:50").hang_up()
    _guessed(world, tel("outsider"), "five wrong PINs for one meeting before the right one", first, second)
    uninvited(world, tel("outsider"), POLICY_MEETING, second)


def typing_errors(world: World) -> None:
    """Bram mistypes the PIN three times, is thrown out, and has it right in his second call."""
    _guesses(world, caller("bram"), "09:56", "85772698", "85772689", "8577269").hang_up("callee", after=3)
    call = _guesses(world, caller("bram"), "09:58", PIN)
    joined(call, tel("bram"), POLICY_MEETING).until("10:50").hang_up()


def everybody_errs_once(world: World) -> None:
    """Four invitees mistype the PIN once each: four wrong ones within the hour, and everybody is in."""
    for n, who in enumerate(("bram", "carla", "frank", "greta")):
        call = _guesses(world, caller(who), f"09:5{5 + n}", f"8577268{n}", PIN)
        joined(call, tel(who), POLICY_MEETING).until("10:50").hang_up()


def wrong_over_the_day(world: World) -> None:
    """Somebody with the PIN of last month tries it five times over four hours: never five within one hour."""
    for at in ("07:00", "08:05", "09:10", "10:15", "11:20"):
        _guesses(world, caller("carla"), at, "11223344").hang_up(after=3)


SCENARIOS = {
    "pin-bypass/attack-empty-pin": empty_pin,
    "pin-bypass/attack-empty-pin-info": empty_pin_by_info,
    "pin-bypass/attack-one-slot": one_empty_slot,
    "pin-bypass/attack-wrong-then-empty": wrong_then_empty,
    "pin-bypass/attack-lossy-keys": empty_pin_with_loss,
    "pin-bypass/benign-attendee-hash": attendee_hash,
    "pin-bypass/benign-wrong-once": wrong_once,
    "pin-bypass/benign-no-pin": meeting_without_pin,
    "pin-bypass/benign-host-pin": host_pin,
    "pin-bypass/benign-keys-in-the-meeting": keys_in_the_meeting,
    "pin-bypass/benign-one-tap": one_tap,
    "pin-bypass/benign-direct-call": straight_to_the_meeting,
    "pin-bypass/benign-call-me": called_by_the_bridge,
    "pin-bruteforce/attack-one-caller": one_caller_guesses,
    "pin-bruteforce/attack-many-callers": many_callers_guess,
    "pin-bruteforce/attack-guessed-at-last": guessed_at_last,
    "pin-bruteforce/benign-typing-errors": typing_errors,
    "pin-bruteforce/benign-one-error-each": everybody_errs_once,
    "pin-bruteforce/benign-over-the-day": wrong_over_the_day,
}
