"""The small world that all scenarios share: its people, its meetings, its hosts, and what its policy allows."""

from pcaps.generator import Call, Host, Party, World, phone, sip_user
from pcaps.generator.calendar import Event, calendar_of
from pcaps.generator.party import national

TRUNK = Host("192.0.2.10", agent="Carrier-SBC/9.3")
"""The carrier's border controller, whose assertions count."""
FOREIGN = Host("192.0.2.11", agent="Transit-SBC/2.0")
"""A trunk from abroad, declared external: no internal number can come from it, and its assertions do not count."""
SBC = Host("192.0.2.20", agent="Ministry-SBC/12.1")
PROXY = Host("192.0.2.21", agent="Ministry-Proxy/5.7")
BRIDGE = Host("198.51.100.20", agent="Webex-Edge-Audio")
STRANGER = Host("203.0.113.66", agent="softphone/1.0")
"""Somebody on the internet, trusted by nobody."""
CALL_CENTRE = Host("192.0.2.40", agent="ContactCentre/4.2")
ACCESS = "+31205550100"
SITE = "ministry.webex.com"
PIN = "85772699"

NUMBERS = {
    "anna": "+31205550112",
    "anna mobile": "+31205550153",
    "bram": "+31205550114",
    "carla": "+31205550121",
    "daan": "+31205550122",
    "frank": "+31205550130",
    "eva": "+31205550131",
    "desk": "+31205550140",
    "iris": "+31205550141",
    "joost": "+31205550142",
    "room": "+31205550150",
    "greta": "+493023125001",
    "hugo": "+442079460123",
    "outsider": "+31205550177",
}
"""`desk` is the shared telephone of Iris and Joost; the outsider is in no directory."""


def tel(who: str) -> str:
    """The subject of whoever calls from that telephone."""
    return f"tel:{NUMBERS[who]}"


def caller(who: str, name: str = "") -> Party:
    """That telephone behind the carrier's trunk: From as dialled nationally, the number asserted in E.164."""
    return phone(NUMBERS[who], name, spelled=national(NUMBERS[who]))


ROOM = sip_user("zaal-b1@ministry.example", "Zaal B1", agent="Room-Kit/RoomOS 11.14")
BRAM_SIP = sip_user("bram.jansen@ministry.example", "Bram Jansen", agent="Desktop-Client/44.3")
CARLA_SIP = sip_user("carla.smit@justice.example", "Carla Smit", agent="Desktop-Client/44.3")

MAIL = {
    "anna": ("Anna de Vries", "anna.devries@ministry.example"),
    "bram": ("Bram Jansen", "bram.jansen@ministry.example"),
    "carla": ("Carla Smit", "carla.smit@justice.example"),
    "daan": ("Daan Bakker", "daan.bakker@defence.example"),
    "frank": ("Frank Meijer", "frank.meijer@finance.example"),
    "eva": ("Eva Visser", "eva.visser@finance.example"),
    "iris": ("Iris Mulder", "iris.mulder@ministry.example"),
    "joost": ("Joost Kok", "joost.kok@ministry.example"),
    "greta": ("Greta Vogel", "greta.vogel@ministerium.example"),
    "hugo": ("Hugo Ward", "hugo.ward@office.example"),
    "room": ("Zaal B1", "zaal-b1@ministry.example"),
}


def invited(*names: str) -> tuple[str, ...]:
    """ATTENDEE lines without what stands before the semicolon."""
    lines = []
    for name in names:
        full, mail = MAIL[name]
        kind = "CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT" if name == "room" else "ROLE=REQ-PARTICIPANT;RSVP=TRUE"
        lines.append(f"{kind};CN={full}:mailto:{mail}")
    return tuple(lines)


ANNA = "CN=Anna de Vries:mailto:anna.devries@ministry.example"
DELEGATION = (
    "ROLE=REQ-PARTICIPANT;PARTSTAT=DELEGATED;"
    'DELEGATED-TO="mailto:eva.visser@finance.example";CN=Frank Meijer:mailto:frank.meijer@finance.example',
    "ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;"
    'DELEGATED-FROM="mailto:frank.meijer@finance.example";CN=Eva Visser:mailto:eva.visser@finance.example',
)


def meeting(
    name: str, number: str, title: str, start: str, end: str, attendees: tuple[str, ...], **more: object
) -> Event:
    """One event of Anna's, with the usual PIN."""
    event = {"organizer": ANNA, "pin": PIN} | more
    return Event(
        uid=f"{name}@ministry.example",
        number=number,
        title=title,
        start=start,
        end=end,
        attendees=attendees,
        **event,  # type: ignore[arg-type]
    )


DAY = "2025-03-18"
"""A Tuesday, before the clocks change on 30 March."""
TEN, ELEVEN = "20250318T100000", "20250318T110000"
USUAL = invited("bram", "carla", "greta", "frank", "room")

POLICY_MEETING = meeting("policy", "27310400011", "Beleidsoverleg", TEN, ELEVEN, USUAL)
OPEN_MEETING = meeting("open", "27310500027", "Open inloop", TEN, ELEVEN, USUAL, pin="")
DELEGATED = meeting("delegated", "27310600038", "Financieel kader", TEN, ELEVEN, DELEGATION)
SERIES = meeting(
    "series",
    "27310700046",
    "Weekoverleg",
    "20250311T100000",
    "20250311T110000",
    invited("bram", "carla"),
    properties=("RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=8", "EXDATE;TZID=Europe/Amsterdam:20250408T100000"),
)
OVERRIDE = meeting(
    "series",
    SERIES.number,
    "Weekoverleg, met gast",
    "20250325T100000",
    "20250325T110000",
    invited("bram", "carla", "daan"),
    properties=("RECURRENCE-ID;TZID=Europe/Amsterdam:20250325T100000",),
    sequence=1,
)
MOVED = meeting(
    "series",
    SERIES.number,
    "Weekoverleg (verplaatst)",
    "20250417T140000",
    "20250417T150000",
    invited("bram", "carla"),
    properties=("RECURRENCE-ID;TZID=Europe/Amsterdam:20250415T100000",),
    sequence=1,
)
DEPV = meeting("depv", "27310800059", "Dep.V. - Crisisoverleg", TEN, ELEVEN, USUAL)
SECRET = meeting(
    "secret", "27310900065", "Overleg", TEN, ELEVEN, USUAL, text="Rubricering: Stg. GEHEIM\nAgenda volgt apart."
)
MARKED = meeting("marked", "27311000073", "Stg. CONFIDENTIEEL: voorbereiding", TEN, ELEVEN, USUAL)
HARMLESS = meeting(
    "harmless",
    "27311100082",
    "Geheimhoudingsverklaringen en stagebegeleiding",
    TEN,
    ELEVEN,
    USUAL,
    text="Vertrouwelijkheid van personeelsdossiers; de departementale secretaris licht toe.",
)
LONDON = meeting(
    "london",
    "27311200094",
    "Joint call",
    "20250318T090000",
    "20250318T100000",
    invited("hugo", "bram"),
    zone="Europe/London",
)
SHARED_DESK = meeting("shared", "27311300108", "Roosteroverleg", TEN, ELEVEN, invited("iris", "joost"))
FORWARDED = meeting("forwarded", "27311400115", "Inkoop", TEN, ELEVEN, invited("bram"))
FORWARDED_AGAIN = meeting("forwarded", "27311400115", "Inkoop", TEN, ELEVEN, invited("bram", "daan"), sequence=1)
CANCELLED = meeting(
    "cancelled", "27311500129", "Borrel", TEN, ELEVEN, invited("bram", "carla"), status="CANCELLED", sequence=1
)
NIGHT = meeting("night", "27311600137", "Nachtdienst", "20250320T001500", "20250320T010000", invited("bram", "carla"))
MORNING = tuple(
    meeting(
        f"morning-{n}",
        f"2732{n}00{141 + 23 * n}",
        f"Intake {n + 1}",
        "20250319T090000",
        "20250319T120000",
        invited("eva", "carla"),
    )
    for n in range(6)
)

CALENDARS: dict[str, tuple[Event, ...]] = {
    "policy": (POLICY_MEETING,),
    "open": (OPEN_MEETING,),
    "delegated": (DELEGATED,),
    "series": (SERIES, OVERRIDE, MOVED),
    "depv": (DEPV,),
    "secret": (SECRET,),
    "marked": (MARKED,),
    "harmless": (HARMLESS,),
    "london": (LONDON,),
    "shared": (SHARED_DESK,),
    "forwarded-1": (FORWARDED,),
    "forwarded-2": (FORWARDED_AGAIN,),
    "cancelled": (CANCELLED,),
    "night": (NIGHT,),
    **{event.uid.partition("@")[0]: (event,) for event in MORNING},
}

CARDS = (
    ("anna", "de Vries;Anna;;;", ("020-5550112", "+31 20 555 01 53"), ""),
    ("bram", "Jansen;Bram;;;", ("+31 (0)20 555 0114",), "bram.jansen@ministry.example"),
    ("carla", "Smit;Carla;;;", ("+31 20 555 0121",), "carla.smit@justice.example"),
    ("daan", "Bakker;Daan;;;", ("+31 20 555 0122",), ""),
    ("frank", "Meijer;Frank;;;", ("+31 20 555 0130",), ""),
    ("eva", "Visser;Eva;;;", ("+31 20 555 0131",), ""),
    ("iris", "Mulder;Iris;;;", ("+31 20 555 0140", "+31 20 555 0141"), ""),
    ("joost", "Kok;Joost;;;", ("+31 20 555 0140", "+31 20 555 0142"), ""),
    ("greta", "Vogel;Greta;;;", ("+49 30 23125-001",), ""),
    ("hugo", "Ward;Hugo;;;", ("+44 20 7946 0123",), ""),
    ("room", ";Zaal B1;;;", ("+31 20 555 0150",), "zaal-b1@ministry.example"),
)

POLICY = """# What the scenarios are read with.

[allowed_methods]
"Ongerubriceerd" = ["pstn", "sip", "h323", "web"]
"Dep.V." = ["sip", "h323", "web"]

[platforms.webex]
hosts = ["webex.com", "ministry.webex.com"]
max_classification = "Dep.V."

[site]
trusted_trunks = ["192.0.2.10", "192.0.2.20", "192.0.2.21", "198.51.100.20"]
external_trunks = ["192.0.2.11"]
internal_numbers = ["+3120555011"]

[site.bridges]
"198.51.100.20" = "webex"

[site.access_numbers]
"+31205550100" = "webex"
"""


def directory() -> bytes:
    """The people as a vCard file (RFC 2426)."""
    lines: list[str] = []
    for who, name, numbers, address in CARDS:
        full, mail = MAIL[who]
        lines += ["BEGIN:VCARD", "VERSION:3.0", f"FN:{full}", f"N:{name}", f"EMAIL;TYPE=INTERNET,WORK:{mail}"]
        lines += [f"TEL;TYPE=WORK,VOICE:{number}" for number in numbers]
        lines += [f"IMPP;X-SERVICE-TYPE=SIP:sip:{address}"] if address else []
        lines.append("END:VCARD")
    return ("\r\n".join(lines) + "\r\n").encode()


def world_files() -> dict[str, bytes]:
    """Calendar, directory and policy, by their path below `pcaps/scenarios/world/`."""
    files = {f"meetings/{name}.ics": calendar_of(events) for name, events in CALENDARS.items()}
    return files | {"directory.vcf": directory(), "policy.toml": POLICY.encode()}


def dial_in(world: World, who: Party, at: str, *keys: str, trunk: Host = TRUNK, via: str = "rtp") -> Call:
    """A call to the access number; then each group of keys, 4 seconds after the one before."""
    call = world.call(who, ACCESS, (trunk, BRIDGE), at=at, codec="G729").ring(status=183).answer(after=0.8)
    for group in keys:
        call.keys(group, gap=0.2, via="info" if via == "info" else "rtp")
    return call


def joined(call: Call, subject: str, event: Event, verdict: str = "invited", *, method: str = "pstn") -> Call:
    """Says that this call is now in this meeting."""
    return call.joins(subject, verdict, uid=event.uid, key=f"number:{event.number}", method=method)


def sip_in(world: World, who: Party, event: Event, at: str, *path: Host) -> Call:
    """A call straight to the meeting's SIP address, answered by the conference."""
    call = world.call(who, f"sip:{event.number}@{SITE}", path or (SBC, BRIDGE), at=at, codec="G729")
    return call.ring().answer(focus=True)


def must_alert(
    world: World,
    rule: str,
    severity: str,
    subject: str,
    event: Event | None,
    why: str,
    *calls: Call,
    open: bool = False,  # noqa: A002
) -> None:
    """Says that this alert must be raised, shown by these calls.

    `open`: the rules leave open which of several subjects is named. Then `subject` is that of the first of a campaign,
    the younger of two legs, or the address behind invented names.
    """
    marks = [mark for call in calls for mark in call.shown()]
    world.expect_alert(rule, severity, subject, uid=event.uid if event else "", why=why, marks=marks, open=open)


def uninvited(world: World, subject: str, event: Event, call: Call, why: str = "") -> None:
    """Says that this call brought in somebody who is not on the list."""
    why = why or "this address is of no organizer, attendee, delegate or room of this occurrence"
    must_alert(world, "uninvited-participant", "high", subject, event, why, call)
