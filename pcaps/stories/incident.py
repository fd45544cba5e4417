"""The incident that made this program necessary, on a ministry's own SIP trunk; every name and number is invented."""

from pcaps.generator import Call, Host, Party, World, phone, sip_user
from pcaps.generator.labels import Mark
from pcaps.stories.story import Story

TRUNK = Host("192.0.2.10", agent="Carrier-SBC/9.3")
BRIDGE = Host("198.51.100.20", agent="Webex-Edge-Audio")
CALL_CENTRE = Host("192.0.2.40", agent="ContactCentre/4.2")
ACCESS = "+31205550100"
DAY_BEFORE = "2024-05-13"

MEETING = "27311234567"
KEY = f"number:{MEETING}"
UID = "040000008200E00074C5B7101A82E00800000000D0E7C1A2B39ADA01000000000000000010000000A1B2C3D4E5F60718"
PIN = "85772699"
STANDUP = "27319876543"
STANDUP_KEY = f"number:{STANDUP}"
STANDUP_UID = "5c1d8f0e-6a1b-4f3e-9a53-27c0d9b0e5aa@ministry.example"
STANDUP_PIN = "24681357"

ANNA = phone("+31205550112", "Anna de Vries", spelled="0205550112")
BRAM = phone("+31205550114", "JANSEN B", spelled="31205550114")
CARLA = phone("+31205550121", "", spelled="0031205550121")
GRETA = phone("+493023125001", "Greta Vogel", spelled="00493023125001")
EVA = phone("+31205550131", "Eva Visser", spelled="+31205550131")
ROOM = sip_user("zaal-b1@ministry.example", "Zaal B1", agent="Room-Kit/RoomOS 11.14")
OUTSIDER = phone("+31205550177", "", spelled="0205550177")


def incident(world: World) -> None:
    """The day before and minutes before a meeting, one outside number tries meeting numbers one after the other; it
    finds the meeting, and during it dials in with `#` where the PIN is asked, is admitted and listens in silence.
    Those invited come in correctly beside it, by telephone and from a room system; so do unrelated calls.
    """
    searching = _search(world)
    _unrelated_calls(world)
    _standup(world)
    _those_invited(world)
    listening = _listen(world)
    outsider = "tel:+31205550177"
    world.expect_alert(
        "meeting-enumeration",
        "high",
        outsider,
        uid="",
        why="one number tried seven meeting numbers in a row within 24 h, and none of them let it in",
        marks=searching,
    )
    world.expect_alert(
        "pin-bypass",
        "high",
        outsider,
        uid=UID,
        why="the invitation has a numeric PIN; this call has `#` where the PIN is asked, and was admitted",
        marks=listening,
    )
    world.expect_alert(
        "uninvited-participant",
        "high",
        outsider,
        uid=UID,
        why="the number is of no organizer, attendee, delegate or room of this meeting",
        marks=listening,
    )
    world.expect_alert(
        "tainted-meeting",
        "high",
        outsider,
        uid=UID,
        why="the number of this meeting was hit by the enumeration before it took place",
        marks=searching,
        further=True,
    )
    world.expect_alert(
        "silent-listener",
        "high",
        outsider,
        uid=UID,
        why="uninvited, and sends nothing but telephone-events for 37 minutes",
        marks=listening,
        further=True,
    )


def dial_in(world: World, caller: Party, at: str, *, codec: str = "G729") -> Call:
    """A call to the access number, answered by the bridge, which plays its welcome."""
    call = world.call(caller, ACCESS, (TRUNK, BRIDGE), at=at, codec=codec)
    return call.ring(status=183).answer(after=0.8).talk("callee")


def _search(world: World) -> list[Mark]:
    """Seven numbers in three calls. The bridge hangs up after the third wrong one; the last number is the meeting's."""
    marks: list[Mark] = []
    for at, numbers in (
        (f"{DAY_BEFORE} 16:02:10", ("27311234560", "27311234561", "27311234562")),
        (f"{DAY_BEFORE} 16:03:40", ("27311234563", "27311234564", "27311234565")),
    ):
        call = dial_in(world, OUTSIDER, at)
        for number in numbers:
            call.keys(number + "#", gap=0.2)
            marks += call.shown()[-1:]
        call.hang_up("callee", after=4)
    call = dial_in(world, OUTSIDER, "09:51:30")
    call.keys("27311234566#", gap=0.2)
    marks += call.shown()[-1:]
    call.keys(MEETING + "#", gap=0.2)
    marks += call.shown()[-1:]
    call.hang_up("caller", after=6)
    return marks


def _listen(world: World) -> list[Mark]:
    """Meeting number, `#` for the attendee ID, `#` for the PIN, and then not a sound."""
    call = dial_in(world, OUTSIDER, "10:08:00")
    call.keys(MEETING + "#", gap=0.2).keys("#").keys("#")
    call.joins("tel:+31205550177", "uninvited", uid=UID, key=KEY)
    marks = call.shown()
    call.talk("callee", after=5).talk("callee", after=300).talk("callee", after=900)
    call.until("10:45:20").hang_up("caller")
    return marks


def _those_invited(world: World) -> None:
    anna = dial_in(world, ANNA, "09:57:02").keys(f"{MEETING}#").keys("#").keys(f"{PIN}#")
    anna.joins("tel:+31205550112", "invited", uid=UID, key=KEY).talk("caller").talk("callee")
    anna.until("11:01:10").hang_up("callee")

    room = world.call(ROOM, f"sip:{MEETING}@ministry.webex.com", (TRUNK, BRIDGE), at="09:58:40")
    room.ring().answer(focus=True).joins("sip:zaal-b1@ministry.example", "invited", uid=UID, key=KEY, method="sip")
    room.talk("caller").talk("callee").reinvite("callee", after=900).until("11:01:30").hang_up("caller")

    bram = dial_in(world, BRAM, "09:59:21").keys(f"{MEETING}#").keys("#").keys("85772669#").keys(f"{PIN}#", after=5)
    bram.joins("tel:+31205550114", "invited", uid=UID, key=KEY).talk("caller").keys("*6", after=400)
    bram.until("11:00:50").hang_up("callee")

    greta = dial_in(world, GRETA, "10:00:05").keys(f"*01*{MEETING}#{PIN}#*01*", gap=0.2)
    greta.joins("tel:+493023125001", "invited", uid=UID, key=KEY).talk("caller").until("11:01:00").hang_up("caller")

    lost = dial_in(world, CARLA, "10:01:12").keys(f"{MEETING}#").keys("#").keys(f"{PIN}#")
    lost.joins("tel:+31205550121", "invited", uid=UID, key=KEY).talk("caller")
    lost.until("10:20:10").hang_up("callee", after=14)
    back = dial_in(world, CARLA, "10:19:58").keys(f"{MEETING}#", gap=0.2).keys("#").keys(f"{PIN}#", gap=0.2)
    back.joins("tel:+31205550121", "invited", uid=UID, key=KEY).talk("caller").until("10:58:30").hang_up("caller")

    eva = dial_in(world, EVA, "10:03:30").keys(f"{MEETING}#").keys("#").keys(f"{PIN}#")
    eva.joins("tel:+31205550131", "invited", uid=UID, key=KEY).talk("caller").until("11:00:59").hang_up("callee")


def _standup(world: World) -> None:
    """The weekly stand-up of that day, whose override invites Carla; on other days she would be uninvited."""
    carla = dial_in(world, CARLA, "08:59:40").keys(f"{STANDUP}#").keys("#").keys(f"{STANDUP_PIN}#")
    carla.joins("tel:+31205550121", "invited", uid=STANDUP_UID, key=STANDUP_KEY).talk("caller")
    carla.until("09:15:00").hang_up("caller")


def _unrelated_calls(world: World) -> None:
    """A citizen in the menu of the call centre, typing a 9-digit number; a busy line; a call that nobody took."""
    citizen = phone("+31205550155", "", spelled="0205550155")
    menu = world.call(citizen, "+31205550190", (TRUNK, CALL_CENTRE), at="09:49:00", codec="G729")
    menu.ring().answer().talk("callee").keys("2").keys("123456782#", gap=0.2).keys("1").talk("callee")
    menu.until("09:56:30").hang_up("caller")
    world.call(citizen, "+31205550114", (TRUNK, CALL_CENTRE), at="09:59:50").refuse(486)
    world.call(phone("+31205550156"), "+31205550191", (TRUNK, CALL_CENTRE), at="10:30:00").ring().cancel(after=9)


INCIDENT = Story(
    path="incident/incident",
    tell=incident,
    day="2024-05-14",
    meetings=("../../config/example/meetings",),
    directory=("../../config/example/directory.vcf", "../../config/example/partners.csv"),
    policy="../../config/example/policy.toml",
)
