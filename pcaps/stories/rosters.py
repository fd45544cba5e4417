"""Bridges that tell who is in: people whose own calls the capture does not have, and people who must not be doubled."""

from pcaps.generator import Host, Join, Member, Stream, Subscription, World
from pcaps.generator.calendar import Event
from pcaps.generator.labels import Mark
from pcaps.stories.town import (
    BRIDGE,
    CARLA_SIP,
    NUMBERS,
    OPEN_MEETING,
    POLICY_MEETING,
    ROOM,
    SBC,
    SITE,
    TRUNK,
    caller,
    dial_in,
    joined,
    sip_in,
    tel,
)

WATCHER = Host("192.0.2.60", agent="RosterBoard/1.4")
ANNA = Member(entity=tel("anna"), display="Anna")
OUTSIDER = Member(entity=f"sip:{NUMBERS['outsider']}@{BRIDGE.ip};user=phone")
FOCUS = Member(entity=f"sip:{OPEN_MEETING.number}@{SITE}", joined_by="focus-owner", roles=("focus",))


def watched(world: World, event: Event, at: str, stream: Stream | None = None) -> Subscription:
    """Somebody who is told who is in."""
    return world.subscription(WATCHER, BRIDGE, f"sip:{event.number}@{SITE}", at=at, stream=stream).subscribe()


def listed(world: World, subject: str, event: Event, verdict: str, mark: Mark, *, method: str = "pstn") -> None:
    """Says that this notification is the first that is seen of somebody."""
    world.expect_join(
        Join(
            call="",
            subject=subject,
            method=method,
            verdict=verdict,
            uid=event.uid,
            key=f"number:{event.number}",
            at=mark.at,
            marks={"listed": mark},
        )
    )


def seen_in_a_roster_only(world: World) -> None:
    """The capture begins when an outsider is in already, by telephone: only the bridge's roster has the number."""
    world.begins = world.at("10:20")
    roster = watched(world, POLICY_MEETING, "10:25").notify
    first = roster(ANNA, OUTSIDER, count=2)
    for subject, verdict in ((tel("anna"), "invited"), (tel("outsider"), "uninvited")):
        listed(world, subject, POLICY_MEETING, verdict, first)
    roster(OUTSIDER.gone(), at=world.at("10:40"), state="partial")
    roster(ANNA.gone(), at=world.at("10:58"), state="partial")
    why = "the bridge lists a number that is of nobody on the list of this occurrence"
    world.expect_alert("uninvited-participant", "high", tel("outsider"), uid=POLICY_MEETING.uid, why=why, marks=[first])


def anonymous_in_a_roster(world: World) -> None:
    """The bridge lists somebody without a name beside an invitee whose call is in the capture."""
    call = dial_in(world, caller("anna"), "10:02", f"{OPEN_MEETING.number}#", "#")
    joined(call, tel("anna"), OPEN_MEETING)
    nobody = Member(entity="sip:anonymous1@anonymous.invalid", display="Anna", device="tel:anonymous")
    told = watched(world, OPEN_MEETING, "10:05")
    frame = told.notify(ANNA, nobody)
    listed(world, "anonymous", OPEN_MEETING, "anonymous", frame)
    told.notify(nobody.gone(), at=world.at("10:50"), state="partial")
    call.until("10:55").hang_up()
    why = "the bridge lists a user of whom it says nothing but that they are anonymous"
    world.expect_alert("anonymous-participant", "medium", "anonymous", uid=OPEN_MEETING.uid, why=why, marks=[frame])


def rosters_beside_calls(world: World) -> None:
    """Three invitees come by calls that the capture has, and the bridge lists them in other spellings, again and again,
    beside itself: each is one person.
    """
    anna = joined(dial_in(world, caller("anna"), "10:02", f"{OPEN_MEETING.number}#", "#"), tel("anna"), OPEN_MEETING)
    carla = sip_in(world, CARLA_SIP, OPEN_MEETING, "10:03", SBC, BRIDGE)
    joined(carla, CARLA_SIP.uri, OPEN_MEETING, method="sip")
    room = sip_in(world, ROOM, OPEN_MEETING, "10:04", SBC, BRIDGE)
    joined(room, ROOM.uri, OPEN_MEETING, method="sip")
    members = (
        Member(entity=f"sip:0205550112@{TRUNK.ip};user=phone"),
        Member(entity="sip:Carla.Smit@Justice.example:5060", display="Carla Smit"),
        Member(entity="sip:room-kit@192.0.2.99", display="Zaal B1", call=room.call_id),
    )
    stream = world.connect(WATCHER, BRIDGE, at="10:02")
    told = watched(world, OPEN_MEETING, "10:02:03", stream)
    # Carla's call is answered a moment after the bridge has listed her; Anna is still typing at the first.
    told.notify(members[0], FOCUS)
    told.notify(members[1], at=world.at("10:03"), state="partial")
    told.notify(*members[:2], FOCUS, at=world.at("10:20"))
    told.notify(members[2], at=world.at("10:21"), state="partial")
    room.until("10:50").hang_up()
    told.notify(*members[:2], members[2].gone(), at=world.at("10:50:30"))
    for call in (anna, carla):
        call.until("10:57").hang_up()
    told.notify(at=world.at("10:58"), state="deleted", lasts=0)


SCENARIOS = {
    "uninvited-participant/attack-roster-only": seen_in_a_roster_only,
    "anonymous-participant/attack-roster": anonymous_in_a_roster,
    "duplicate-identity/benign-roster": rosters_beside_calls,
}
