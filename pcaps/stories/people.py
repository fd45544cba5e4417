"""Who comes in: invited or not, named or anonymous, as themselves or as somebody else."""

from base64 import urlsafe_b64encode
from json import dumps

from pcaps.generator import Host, Party, World, phone, sip_user, withheld
from pcaps.stories.town import (
    BRIDGE,
    CARLA_SIP,
    DELEGATED,
    DEPV,
    FOREIGN,
    FORWARDED,
    NUMBERS,
    OVERRIDE,
    PIN,
    POLICY_MEETING,
    PROXY,
    ROOM,
    SBC,
    SERIES,
    SHARED_DESK,
    STRANGER,
    TRUNK,
    caller,
    dial_in,
    joined,
    must_alert,
    sip_in,
    tel,
    uninvited,
)

NUMBER = f"{POLICY_MEETING.number}#"
ALL_KEYS = (NUMBER, "#", f"{PIN}#")


def outsider_with_the_pin(world: World) -> None:
    """An outside number knows meeting number and PIN, and is admitted: right keys do not make somebody invited."""
    call = dial_in(world, caller("outsider"), "10:05", *ALL_KEYS)
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:40").hang_up()
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def invited_to_another_occurrence(world: World) -> None:
    """Daan is a guest of the series on 25 March only, and comes on the 18th: each occurrence has its own list."""
    call = dial_in(world, caller("daan"), "10:02", f"{SERIES.number}#", "#", f"{PIN}#")
    joined(call, tel("daan"), SERIES, "uninvited").until("10:50").hang_up()
    uninvited(world, tel("daan"), SERIES, call)


def display_name_of_an_invitee(world: World) -> None:
    """A stranger on the internet calls the meeting's SIP address under the name of an invitee: names prove nothing."""
    stranger = sip_user("carla.smit@outside.example", "Carla Smit", vouched=False)
    call = sip_in(world, stranger, POLICY_MEETING, "10:03", STRANGER, BRIDGE)
    joined(call, "sip:carla.smit@outside.example", POLICY_MEETING, "uninvited", method="sip").until("10:30").hang_up()
    uninvited(world, "sip:carla.smit@outside.example", POLICY_MEETING, call)


def assertion_of_a_stranger(world: World) -> None:
    """A stranger writes an invitee's number as P-Asserted-Identity itself; from no trusted trunk, it does not count."""
    liar = phone(NUMBERS["outsider"], trunk=STRANGER.ip).but(
        asserted=(f"sip:{NUMBERS['carla']}@{STRANGER.ip};user=phone",)
    )
    call = dial_in(world, liar, "10:04", *ALL_KEYS, trunk=STRANGER)
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:30").hang_up()
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def over_ipv6(world: World) -> None:
    """An outsider calls the meeting's SIP address over IPv6, on a port that is not the usual one."""
    here, bridge = Host("2001:db8::66", port=5082), Host("2001:db8:1::20", port=5080, agent="Webex-Edge-Audio")
    outsider = sip_user("guest@outside.example", "", vouched=False)
    call = sip_in(world, outsider, POLICY_MEETING, "10:03", here, bridge)
    joined(call, "sip:guest@outside.example", POLICY_MEETING, "uninvited", method="sip").until("10:30").hang_up()
    uninvited(world, "sip:guest@outside.example", POLICY_MEETING, call)


def two_assertions_and_a_diversion(world: World) -> None:
    """Carla's call has come by way of another number: Diversion names that one, and P-Asserted-Identity has her SIP
    address and her number, both hers. Who sent a call on is not who calls.
    """
    party = caller("carla").but(
        asserted=(f"sip:{NUMBERS['carla']}@192.0.2.10;user=phone", f"tel:{NUMBERS['carla']}"),
        diversion=(f"<sip:{NUMBERS['outsider']}@192.0.2.10;user=phone>;reason=unconditional;counter=1",),
    )
    joined(dial_in(world, party, "09:58", *ALL_KEYS), tel("carla"), POLICY_MEETING).until("10:50").hang_up()


def number_spellings(world: World) -> None:
    """Invited people whose PBXs write From in every usual spelling, with nothing asserted: one E.164 number each."""
    spellings = (
        ("bram", "sip:0205550114@192.0.2.10;user=phone", "09:57"),
        ("carla", "sip:0031205550121@192.0.2.10", "09:58"),
        ("frank", "sip:+31205550130@192.0.2.10", "09:59"),
        ("greta", "tel:+49-30-23125-001", "10:00"),
        ("anna", "sip:+31(0)205550112@192.0.2.10;user=phone", "10:01"),
    )
    for who, uri, at in spellings:
        call = dial_in(world, Party(uri=uri, user="pbx"), at, *ALL_KEYS)
        joined(call, tel(who), POLICY_MEETING).until("10:50").hang_up("callee")


def delegate(world: World) -> None:
    """Frank has sent Eva in his place (DELEGATED-TO); she was invited by nobody else."""
    call = dial_in(world, caller("eva"), "09:59", f"{DELEGATED.number}#", "#", f"{PIN}#")
    joined(call, tel("eva"), DELEGATED).until("11:01").hang_up("callee")


def shared_phone(world: World) -> None:
    """The telephone that stands on the desk of two people, both invited; a call of theirs is one of either."""
    call = dial_in(world, caller("desk"), "09:58", f"{SHARED_DESK.number}#", "#", f"{PIN}#")
    joined(call, tel("desk"), SHARED_DESK).until("10:55").hang_up()


def room_system(world: World) -> None:
    """The invited room comes in by its SIP address, is lost, and comes back by its telephone line."""
    call = sip_in(world, ROOM, POLICY_MEETING, "09:55")
    joined(call, "sip:zaal-b1@ministry.example", POLICY_MEETING, method="sip").until("10:20").hang_up("callee")
    again = dial_in(world, caller("room", "Zaal B1"), "10:22", *ALL_KEYS)
    joined(again, tel("room"), POLICY_MEETING).until("11:00").hang_up()


def forwarded_invitation(world: World) -> None:
    """The invitation was forwarded to Daan, and the organizer's update (SEQUENCE 1) has him on the list."""
    call = dial_in(world, caller("daan"), "09:59", f"{FORWARDED.number}#", "#", f"{PIN}#")
    joined(call, tel("daan"), FORWARDED).until("10:45").hang_up()


def in_the_override(world: World) -> None:
    """Daan comes on 25 March, the one occurrence to which an override of the series invites him."""
    call = dial_in(world, caller("daan"), "2025-03-25 09:58", f"{OVERRIDE.number}#", "#", f"{PIN}#")
    joined(call, tel("daan"), OVERRIDE).until("2025-03-25 10:59").hang_up()


def mobile_phone(world: World) -> None:
    """Anna, the organizer, calls from her mobile: any number of hers is hers."""
    call = dial_in(world, caller("anna mobile"), "09:58", *ALL_KEYS)
    joined(call, tel("anna mobile"), POLICY_MEETING).until("10:59").hang_up()


def outsider_never_admitted(world: World) -> None:
    """An outsider who hangs up in the menu, one whose call is cancelled, and one who is refused: nobody came in."""
    dial_in(world, caller("outsider"), "10:05", NUMBER).hang_up(after=6)
    world.call(caller("outsider"), f"sip:{POLICY_MEETING.number}@ministry.webex.com", (SBC, BRIDGE), at="10:07").ring(
        after=0.3
    ).cancel()
    refused = world.call(
        caller("outsider"), f"sip:{POLICY_MEETING.number}@ministry.webex.com", (SBC, BRIDGE), at="10:09"
    )
    refused.refuse(403)


# Anonymous


def anonymous(world: World) -> None:
    """A caller without a number knows the PIN and is admitted."""
    call = dial_in(world, withheld(), "10:05", *ALL_KEYS)
    joined(call, "anonymous", POLICY_MEETING, "anonymous").until("10:40").hang_up()
    _anonymous(world, "medium", call)


def two_anonymous_legs(world: World) -> None:
    """Two callers without a number, of whom nobody can say whether they are one: an alert for each leg."""
    for at, party in (("10:05", withheld()), ("10:08", withheld().but(uri="sip:unavailable@192.0.2.10"))):
        call = dial_in(world, party, at, *ALL_KEYS)
        joined(call, "anonymous", POLICY_MEETING, "anonymous").until("10:40").hang_up()
        _anonymous(world, "medium", call)


def anonymous_in_a_classified_meeting(world: World) -> None:
    """An anonymous SIP call into a meeting marked Dep.V.: the same, but high."""
    call = sip_in(world, withheld(), DEPV, "10:05")
    joined(call, "anonymous", DEPV, "anonymous", method="sip").until("10:40").hang_up()
    why = "admitted without any usable identity, to a meeting that is classified"
    must_alert(world, "anonymous-participant", "high", "anonymous", DEPV, why, call)


def _anonymous(world: World, severity: str, call: object) -> None:
    why = "admitted without any usable identity: From is anonymous and nothing is asserted"
    must_alert(world, "anonymous-participant", severity, "anonymous", POLICY_MEETING, why, call)  # type: ignore[arg-type]


def withheld_but_asserted(world: World) -> None:
    """Carla withholds her number (`Privacy: id`); the trusted trunk still asserts it, so the monitor knows her."""
    call = dial_in(world, withheld(NUMBERS["carla"]), "09:58", *ALL_KEYS)
    joined(call, tel("carla"), POLICY_MEETING).until("10:50").hang_up()


def withheld_but_screened(world: World) -> None:
    """The same with an older exchange: Remote-Party-ID with `screen=yes` (draft-ietf-sip-privacy)."""
    old = withheld().but(
        remote_party=f"<sip:{NUMBERS['bram']}@192.0.2.10;user=phone>;party=calling;screen=yes;privacy=full"
    )
    call = dial_in(world, old, "09:58", *ALL_KEYS)
    joined(call, tel("bram"), POLICY_MEETING).until("10:50").hang_up()


def anonymous_never_admitted(world: World) -> None:
    """An anonymous caller who gives up when asked for the PIN, and one who is refused: nobody came in."""
    dial_in(world, withheld(), "10:05", NUMBER, "#").hang_up(after=9)
    world.call(withheld(), f"sip:{POLICY_MEETING.number}@ministry.webex.com", (SBC, BRIDGE), at="10:08").refuse(603)


# Somebody else's name

PASSPORT_HOLDER = "https://certificates.example.org/carrier.pem"


def passport(number: str, attestation: str) -> str:
    """An Identity header (RFC 8224) with a SHAKEN PASSporT (RFC 8588). Its signature is of the right length only."""
    head = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": PASSPORT_HOLDER}
    claims = {
        "attest": attestation,
        "dest": {"tn": ["31205550100"]},
        "iat": 1742288400,
        "orig": {"tn": number.removeprefix("+")},
        "origid": "123e4567-e89b-12d3-a456-426655440000",
    }
    parts = [dumps(part, separators=(",", ":")).encode() for part in (head, claims)] + [bytes(range(64))]
    token = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{token};info=<{PASSPORT_HOLDER}>;alg=ES256;ppt=shaken"


def _mismatch(world: World, who: str, why: str, call: object) -> None:
    must_alert(world, "identity-mismatch", "high", tel(who), POLICY_MEETING, why, call)  # type: ignore[arg-type]


def outsider_as_an_invitee(world: World) -> None:
    """From has the number of Bram, who is invited; the trunk asserts that it is the outsider: two alerts about him."""
    call = dial_in(world, phone(NUMBERS["outsider"], "Bram Jansen", spelled=NUMBERS["bram"]), "10:05", *ALL_KEYS)
    joined(call, tel("outsider"), POLICY_MEETING, "uninvited").until("10:40").hang_up()
    uninvited(world, tel("outsider"), POLICY_MEETING, call)
    _mismatch(world, "outsider", "From has the number of a person whose number the asserted one is not", call)


def invitee_as_another(world: World) -> None:
    """Carla, invited, calls with the number of Bram in From: expected, but not under that name."""
    call = dial_in(world, phone(NUMBERS["carla"], spelled="0205550114"), "10:05", *ALL_KEYS)
    joined(call, tel("carla"), POLICY_MEETING).until("10:40").hang_up()
    _mismatch(world, "carla", "From has the number of a person whose number the asserted one is not", call)


def internal_number_from_abroad(world: World) -> None:
    """The number of Bram, of the ministry's own range, arrives on the trunk from abroad: it cannot be his telephone."""
    spoofed = phone(NUMBERS["bram"], trunk=FOREIGN.ip, vouched=False)
    call = dial_in(world, spoofed, "10:05", *ALL_KEYS, trunk=FOREIGN)
    joined(call, tel("bram"), POLICY_MEETING).until("10:40").hang_up()
    _mismatch(world, "bram", "a number of an internal range arrived on an external trunk", call)


def attested_by_a_gateway_only(world: World) -> None:
    """The carrier attests only where the call entered its network (C), yet the number is one of the directory."""
    party = phone(NUMBERS["carla"]).but(passport=passport(NUMBERS["carla"], "C"))
    call = dial_in(world, party, "10:05", *ALL_KEYS)
    joined(call, tel("carla"), POLICY_MEETING).until("10:40").hang_up()
    _mismatch(world, "carla", "the number is in the directory, and its attestation is C", call)


def verification_failed(world: World) -> None:
    """The trusted trunk says of Frank's number that its verification failed (`verstat`)."""
    party = phone(NUMBERS["frank"]).but(
        asserted=(f"sip:{NUMBERS['frank']};verstat=TN-Validation-Failed@192.0.2.10;user=phone",)
    )
    call = dial_in(world, party, "10:05", *ALL_KEYS)
    joined(call, tel("frank"), POLICY_MEETING).until("10:40").hang_up()
    _mismatch(world, "frank", "the number is in the directory, and its verification failed", call)


def passport_of_another(world: World) -> None:
    """The PASSporT was made for a call of the outsider; the call says that it is Carla's."""
    party = phone(NUMBERS["carla"]).but(passport=passport(NUMBERS["outsider"], "A"))
    call = dial_in(world, party, "10:05", *ALL_KEYS)
    joined(call, tel("carla"), POLICY_MEETING).until("10:40").hang_up()
    _mismatch(world, "carla", "the PASSporT is about another number", call)


def extension_in_from(world: World) -> None:
    """A PBX writes the extension in From, and the trunk asserts the whole number: an extension is nobody's number."""
    call = dial_in(world, phone(NUMBERS["bram"], "Bram Jansen", spelled="4114"), "09:58", *ALL_KEYS)
    joined(call, tel("bram"), POLICY_MEETING).until("10:50").hang_up()


def two_numbers_of_one_person(world: World) -> None:
    """Anna's mobile shows her desk number in From (one-number service); both are hers."""
    call = dial_in(world, phone(NUMBERS["anna mobile"], spelled="0205550112"), "09:58", *ALL_KEYS)
    joined(call, tel("anna mobile"), POLICY_MEETING).until("10:50").hang_up()


def attested_in_full(world: World) -> None:
    """One call with full attestation (A) of its own number, one with none at all, which is normal."""
    party = phone(NUMBERS["carla"], spelled="0205550121").but(passport=passport(NUMBERS["carla"], "A"))
    joined(dial_in(world, party, "09:58", *ALL_KEYS), tel("carla"), POLICY_MEETING).until("10:50").hang_up()
    joined(dial_in(world, caller("frank"), "09:59", *ALL_KEYS), tel("frank"), POLICY_MEETING).until("10:50").hang_up()


def through_a_proxy(world: World) -> None:
    """Carla's SIP call, seen on both sides of a proxy that asks for credentials first: one call, one participant."""
    call = world.call(
        CARLA_SIP, f"sip:{POLICY_MEETING.number}@ministry.webex.com", (TRUNK, PROXY, BRIDGE), at="09:57", codec="G729"
    )
    call.challenge(401, realm="ministry.webex.com").ring().answer(focus=True)
    joined(call, "sip:carla.smit@justice.example", POLICY_MEETING, method="sip").until("10:55").hang_up()


SCENARIOS = {
    "uninvited-participant/attack-outsider-with-the-pin": outsider_with_the_pin,
    "uninvited-participant/attack-another-occurrence": invited_to_another_occurrence,
    "uninvited-participant/attack-display-name": display_name_of_an_invitee,
    "uninvited-participant/attack-untrusted-assertion": assertion_of_a_stranger,
    "uninvited-participant/attack-ipv6": over_ipv6,
    "uninvited-participant/benign-diversion": two_assertions_and_a_diversion,
    "uninvited-participant/benign-number-spellings": number_spellings,
    "uninvited-participant/benign-delegate": delegate,
    "uninvited-participant/benign-shared-phone": shared_phone,
    "uninvited-participant/benign-room-system": room_system,
    "uninvited-participant/benign-forwarded-invitation": forwarded_invitation,
    "uninvited-participant/benign-override": in_the_override,
    "uninvited-participant/benign-mobile-phone": mobile_phone,
    "uninvited-participant/benign-never-admitted": outsider_never_admitted,
    "anonymous-participant/attack-withheld": anonymous,
    "anonymous-participant/attack-two-legs": two_anonymous_legs,
    "anonymous-participant/attack-classified": anonymous_in_a_classified_meeting,
    "anonymous-participant/benign-asserted": withheld_but_asserted,
    "anonymous-participant/benign-screened": withheld_but_screened,
    "anonymous-participant/benign-never-admitted": anonymous_never_admitted,
    "identity-mismatch/attack-outsider-as-invitee": outsider_as_an_invitee,
    "identity-mismatch/attack-invitee-as-another": invitee_as_another,
    "identity-mismatch/attack-internal-from-abroad": internal_number_from_abroad,
    "identity-mismatch/attack-attestation-c": attested_by_a_gateway_only,
    "identity-mismatch/attack-verification-failed": verification_failed,
    "identity-mismatch/attack-passport-of-another": passport_of_another,
    "identity-mismatch/benign-extension": extension_in_from,
    "identity-mismatch/benign-two-numbers": two_numbers_of_one_person,
    "identity-mismatch/benign-full-attestation": attested_in_full,
    "identity-mismatch/benign-proxy-hops": through_a_proxy,
}
