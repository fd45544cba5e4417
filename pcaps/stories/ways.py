"""How people come in: ways that a marking forbids, marks above a platform's limit, and the same person twice."""

from pcaps.generator import Call, Host, World, phone
from pcaps.stories.town import (
    ACCESS,
    BRAM_SIP,
    BRIDGE,
    CARLA_SIP,
    DEPV,
    HARMLESS,
    MARKED,
    NUMBERS,
    PIN,
    POLICY_MEETING,
    PROXY,
    SBC,
    SECRET,
    SHARED_DESK,
    SITE,
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
BRAM_ADDRESS = "sip:bram.jansen@ministry.example"
CARLA_ADDRESS = "sip:carla.smit@justice.example"


def _forbidden(world: World, subject: str, call: Call) -> None:
    why = "the meeting is marked Dep.V., which nobody may join by telephone"
    must_alert(world, "forbidden-join-method", "high", subject, DEPV, why, call)


def invitee_by_telephone(world: World) -> None:
    """Bram, invited, dials into a meeting marked Dep.V., for which the policy allows no telephone."""
    call = dial_in(world, caller("bram"), "09:58", f"{DEPV.number}#", "#", f"{PIN}#")
    joined(call, tel("bram"), DEPV).until("10:50").hang_up()
    _forbidden(world, tel("bram"), call)


def outsider_by_telephone(world: World) -> None:
    """An outsider with the PIN dials into a meeting marked Dep.V.: uninvited, and by a way that is forbidden."""
    call = dial_in(world, caller("outsider"), "10:05", f"{DEPV.number}#", "#", f"{PIN}#")
    joined(call, tel("outsider"), DEPV, "uninvited").until("10:50").hang_up()
    _forbidden(world, tel("outsider"), call)
    uninvited(world, tel("outsider"), DEPV, call)


def two_invitees_by_telephone(world: World) -> None:
    """Bram and Carla both dial into it, Carla twice after a lost connection: one alert for each participant."""
    bram = dial_in(world, caller("bram"), "09:58", f"{DEPV.number}#", "#", f"{PIN}#")
    joined(bram, tel("bram"), DEPV).until("10:50").hang_up()
    _forbidden(world, tel("bram"), bram)
    carla = dial_in(world, caller("carla"), "09:59", f"{DEPV.number}#", "#", f"{PIN}#")
    joined(carla, tel("carla"), DEPV).until("10:20").hang_up()
    again = dial_in(world, caller("carla"), "10:21", f"{DEPV.number}#", "#", f"{PIN}#")
    joined(again, tel("carla"), DEPV).until("10:50").hang_up()
    _forbidden(world, tel("carla"), carla)


def allowed_by_sip(world: World) -> None:
    """Bram comes into the meeting marked Dep.V. from his SIP client, as he may."""
    joined(sip_in(world, BRAM_SIP, DEPV, "09:58"), BRAM_ADDRESS, DEPV, method="sip").until("10:55").hang_up()


def telephone_where_allowed(world: World) -> None:
    """Bram dials into a meeting without a marking."""
    joined(dial_in(world, caller("bram"), "09:58", *ALL_KEYS), tel("bram"), POLICY_MEETING).until("10:55").hang_up()


def telephone_never_admitted(world: World) -> None:
    """Bram dials the number of the meeting marked Dep.V., hears that he may not, and hangs up at the PIN."""
    dial_in(world, caller("bram"), "09:58", f"{DEPV.number}#", "#").hang_up(after=8)


# Above the platform's limit


def secret_in_the_description(world: World) -> None:
    """The description says `Rubricering: Stg. GEHEIM`; the platform may go up to Dep.V. Two people: one alert."""
    bram = joined(sip_in(world, BRAM_SIP, SECRET, "09:58"), BRAM_ADDRESS, SECRET, method="sip")
    bram.until("10:55").hang_up()
    carla = joined(sip_in(world, CARLA_SIP, SECRET, "09:59"), CARLA_ADDRESS, SECRET, method="sip")
    carla.until("10:55").hang_up()
    why = "the marking Stg. GEHEIM ranks above Dep.V., the platform's limit, and people joined"
    must_alert(world, "classification-exceeds-platform", "critical", BRAM_ADDRESS, SECRET, why, bram, carla, open=True)


def marking_in_the_title(world: World) -> None:
    """The title begins with `Stg. CONFIDENTIEEL`, and Carla dials in."""
    call = dial_in(world, caller("carla"), "09:58", f"{MARKED.number}#", "#", f"{PIN}#")
    joined(call, tel("carla"), MARKED).until("10:55").hang_up()
    why = "the marking Stg. CONFIDENTIEEL ranks above Dep.V., the platform's limit, and somebody joined"
    must_alert(world, "classification-exceeds-platform", "critical", tel("carla"), MARKED, why, call, open=True)


def words_that_contain_a_marking(world: World) -> None:
    """`Geheimhoudingsverklaringen`, `stagebegeleiding`, `Vertrouwelijkheid`, `departementale`: none is a marking."""
    call = dial_in(world, caller("bram"), "09:58", f"{HARMLESS.number}#", "#", f"{PIN}#")
    joined(call, tel("bram"), HARMLESS).until("10:55").hang_up()


def marking_at_the_limit(world: World) -> None:
    """Dep.V. is the platform's limit, and not above it."""
    joined(sip_in(world, CARLA_SIP, DEPV, "09:58"), CARLA_ADDRESS, DEPV, method="sip").until("10:55").hang_up()


def nobody_joins_the_secret_meeting(world: World) -> None:
    """Bram calls the meeting marked Stg. GEHEIM and is refused; nobody joins, so nothing was said on the platform."""
    world.call(BRAM_SIP, f"sip:{SECRET.number}@{SITE}", (SBC, BRIDGE), at="09:59").ring().refuse(403)


# Twice at once


def same_number_twice(world: World) -> None:
    """Two calls with Bram's number are in one meeting for ten minutes: one of them is somebody else."""
    first = joined(dial_in(world, caller("bram"), "09:58", *ALL_KEYS), tel("bram"), POLICY_MEETING)
    first.until("10:50").hang_up()
    second = joined(dial_in(world, caller("bram"), "10:10", *ALL_KEYS), tel("bram"), POLICY_MEETING)
    second.until("10:20").hang_up()
    why = "two admitted legs with one number overlap for ten minutes"
    must_alert(world, "duplicate-identity", "medium", tel("bram"), POLICY_MEETING, why, first, second)


def telephone_and_sip_client(world: World) -> None:
    """Carla's telephone and her SIP client are in one meeting for half an hour, by two calls that know nothing of
    each other.
    """
    first = joined(sip_in(world, CARLA_SIP, POLICY_MEETING, "09:58"), CARLA_ADDRESS, POLICY_MEETING, method="sip")
    first.until("10:50").hang_up()
    second = joined(dial_in(world, caller("carla"), "10:10", *ALL_KEYS), tel("carla"), POLICY_MEETING)
    second.until("10:40").hang_up()
    why = "two admitted legs of one person overlap for half an hour"
    must_alert(world, "duplicate-identity", "medium", tel("carla"), POLICY_MEETING, why, first, second, open=True)


def app_and_call_me(world: World) -> None:
    """Bram is in with his client, and has the bridge call his telephone for the sound: low, for it is mostly meant."""
    app = joined(sip_in(world, BRAM_SIP, POLICY_MEETING, "09:58"), BRAM_ADDRESS, POLICY_MEETING, method="sip")
    app.until("10:50").hang_up()
    audio = _called_by_the_bridge(world, "bram", "09:59")
    audio.until("10:49").hang_up()
    why = "an app and the call that the bridge made to the same person"
    must_alert(world, "duplicate-identity", "low", tel("bram"), POLICY_MEETING, why, app, audio, open=True)


def _called_by_the_bridge(world: World, who: str, at: str) -> Call:
    """The bridge calls a telephone: From is the meeting; the trunk asserts in the 200 who answered."""
    meeting = phone(ACCESS).but(uri=f"sip:{POLICY_MEETING.number}@{SITE}", asserted=(), user=POLICY_MEETING.number)
    call = world.call(meeting, NUMBERS[who], (BRIDGE, TRUNK), at=at, codec="G729").ring()
    call.answer(after=4, asserted=f"<sip:{NUMBERS[who]}@192.0.2.10;user=phone>")
    return joined(call, tel(who), POLICY_MEETING)


def called_by_the_bridge(world: World) -> None:
    """The bridge calls Carla at her number; she is the participant, with no keys and so no PIN."""
    _called_by_the_bridge(world, "carla", "09:58").until("10:50").hang_up("callee")


def lost_and_back(world: World) -> None:
    """Carla's connection is lost without a BYE; she is back 20 s before the bridge gives the old leg up."""
    lost = joined(dial_in(world, caller("carla"), "09:58", *ALL_KEYS), tel("carla"), POLICY_MEETING)
    lost.until("10:20:40").hang_up("callee", after=0.5)
    back = joined(dial_in(world, caller("carla"), "10:20:00", *ALL_KEYS), tel("carla"), POLICY_MEETING)
    back.until("10:55").hang_up()


def from_desk_to_mobile(world: World) -> None:
    """Anna dials in from her mobile, then puts down her desk phone 15 s later: two phones of one person."""
    desk = joined(dial_in(world, caller("anna"), "09:58", *ALL_KEYS), tel("anna"), POLICY_MEETING)
    mobile = joined(dial_in(world, caller("anna mobile"), "10:20:00", *ALL_KEYS), tel("anna mobile"), POLICY_MEETING)
    desk.now = mobile.last_key_at
    desk.hang_up(after=15)
    mobile.until("10:55").hang_up()


def _forks(world: World) -> tuple[Call, Call]:
    """A proxy sends the bridge's call to Anna's desk and her mobile (RFC 3261, section 16.6); the mobile answers."""
    desk, mobile = Host("192.0.2.31", agent="Deskphone/14"), Host("192.0.2.32", agent="Mobile-Client/3")
    meeting = phone(ACCESS).but(uri=f"sip:{POLICY_MEETING.number}@{SITE}", asserted=(), user=POLICY_MEETING.number)
    aor = f"sip:{NUMBERS['anna']}@ministry.example;user=phone"
    to_mobile = world.call(meeting, aor, (BRIDGE, PROXY, mobile), at="09:58", codec="G729")
    to_desk = world.call(meeting, aor, (BRIDGE, PROXY, desk), at="09:58", codec="G729", opens=False)
    to_desk.branch_of(to_mobile).invite().ring()
    to_mobile.ring().answer(after=5, asserted=f"<sip:{NUMBERS['anna']}@192.0.2.21;user=phone>")
    joined(to_mobile, tel("anna"), POLICY_MEETING)
    return to_mobile, to_desk


def forked(world: World) -> None:
    """A call by the bridge rings at Anna's desk and her mobile, which answers; the other branch is cancelled.
    Two branches, two tags, one Call-ID: one participant.
    """
    to_mobile, to_desk = _forks(world)
    to_desk.now = max(to_desk.now, to_mobile.now)
    to_desk.cancel(after=0.05)
    to_mobile.until("10:50").hang_up("callee")


def forked_and_answered_twice(world: World) -> None:
    """Both telephones answer within a moment; the desk's branch is hung up at once, and the mobile's goes on."""
    to_mobile, to_desk = _forks(world)
    to_desk.now = max(to_desk.now, to_mobile.now)
    to_desk.answer(after=0.02)
    to_desk.hang_up(after=0.05)
    to_mobile.until("10:50").hang_up("callee")


def held_and_resumed(world: World) -> None:
    """Bram puts the meeting on hold and takes it back; the session is refreshed; packets are sent again: one leg."""
    call = world.call(caller("bram"), ACCESS, (TRUNK, BRIDGE), at="09:58", codec="G729", opens=False)
    call.invite().again().ring(status=183).answer(after=0.8)
    for keys in ALL_KEYS:
        call.keys(keys, gap=0.2)
    joined(call, tel("bram"), POLICY_MEETING)
    call.reinvite(after=300, direction="sendonly").reinvite(after=120).reinvite("callee", after=900)
    call.until("10:50").hang_up()


def _two_legs(world: World, *, session: str | None) -> None:
    """The border controller ends the caller's call and makes its own: another Call-ID, other tags, relayed media."""
    outer = world.call(
        caller("carla"), ACCESS, (TRUNK, SBC), at="09:58", codec="G729", session="" if session == "" else None
    )
    inner = world.call(
        phone(NUMBERS["carla"], spelled=NUMBERS["carla"], trunk=SBC.ip),
        ACCESS,
        (SBC, BRIDGE),
        at=outer.now + 20_000_000,
        codec="G729",
        session=outer.session,
        opens=False,
    )
    inner.now = outer.now + 10_000_000
    inner.invite().ring(status=183)
    outer.now = inner.now
    outer.ring(after=0.01, status=183)
    inner.answer(after=0.8)
    outer.now = inner.now
    outer.answer(after=0.01)
    for keys in ALL_KEYS:
        outer.keys(keys, gap=0.25)
        inner.relay(outer)
    joined(outer, tel("carla"), POLICY_MEETING)
    outer.until("10:50").hang_up()
    inner.now = outer.now
    inner.hang_up(after=0.01)


def two_legs_of_one_call(world: World) -> None:
    """Both sides of a back-to-back agent are mirrored: two Call-IDs with one Session-ID (RFC 7989), one participant."""
    _two_legs(world, session=None)


def two_legs_without_session(world: World) -> None:
    """The same with an agent that knows no Session-ID: the legs share caller, number, moment and keys."""
    _two_legs(world, session="")


def transferred_to_mobile(world: World) -> None:
    """Anna takes the meeting from her desk phone to her mobile by an INVITE with Replaces (RFC 3891): she was and
    stays in, once.
    """
    desk = joined(dial_in(world, caller("anna"), "09:58", *ALL_KEYS), tel("anna"), POLICY_MEETING)
    world.labels.joins_complete = False
    desk.until("10:20")
    mobile = world.call(
        caller("anna mobile"), ACCESS, (TRUNK, BRIDGE), at="10:20", codec="G729", replaces=desk.replaces_value()
    )
    mobile.answer(after=0.2)
    desk.now = mobile.now
    desk.hang_up("callee", after=0.1)
    mobile.until("10:50").hang_up()


def desk_of_two(world: World) -> None:
    """The shared telephone is in, and so is Iris with her own: Joost may be at the shared one."""
    desk = dial_in(world, caller("desk"), "09:58", f"{SHARED_DESK.number}#", "#", f"{PIN}#")
    joined(desk, tel("desk"), SHARED_DESK).until("10:55").hang_up()
    iris = dial_in(world, caller("iris"), "10:00", f"{SHARED_DESK.number}#", "#", f"{PIN}#")
    joined(iris, tel("iris"), SHARED_DESK).until("10:55").hang_up()


def every_frame_twice(world: World) -> None:
    """The mirror port shows every frame on both sides of a router: other VLAN and MAC addresses, TTL one less."""
    world.span_copies = 1
    joined(dial_in(world, caller("bram"), "09:58", *ALL_KEYS), tel("bram"), POLICY_MEETING).until("10:50").hang_up()


SCENARIOS = {
    "forbidden-join-method/attack-invitee-by-telephone": invitee_by_telephone,
    "forbidden-join-method/attack-outsider-by-telephone": outsider_by_telephone,
    "forbidden-join-method/attack-two-invitees": two_invitees_by_telephone,
    "forbidden-join-method/benign-sip": allowed_by_sip,
    "forbidden-join-method/benign-telephone-allowed": telephone_where_allowed,
    "forbidden-join-method/benign-never-admitted": telephone_never_admitted,
    "classification-exceeds-platform/attack-description": secret_in_the_description,
    "classification-exceeds-platform/attack-title": marking_in_the_title,
    "classification-exceeds-platform/benign-words": words_that_contain_a_marking,
    "classification-exceeds-platform/benign-at-the-limit": marking_at_the_limit,
    "classification-exceeds-platform/benign-nobody-joins": nobody_joins_the_secret_meeting,
    "duplicate-identity/attack-same-number": same_number_twice,
    "duplicate-identity/attack-telephone-and-sip": telephone_and_sip_client,
    "duplicate-identity/attack-app-and-call-me": app_and_call_me,
    "duplicate-identity/benign-call-me": called_by_the_bridge,
    "duplicate-identity/benign-lost-and-back": lost_and_back,
    "duplicate-identity/benign-desk-to-mobile": from_desk_to_mobile,
    "duplicate-identity/benign-forked": forked,
    "duplicate-identity/benign-forked-twice": forked_and_answered_twice,
    "duplicate-identity/benign-reinvite": held_and_resumed,
    "duplicate-identity/benign-b2bua-session-id": two_legs_of_one_call,
    "duplicate-identity/benign-b2bua": two_legs_without_session,
    "duplicate-identity/benign-transfer": transferred_to_mobile,
    "duplicate-identity/benign-shared-desk": desk_of_two,
    "duplicate-identity/benign-every-frame-twice": every_frame_twice,
}
