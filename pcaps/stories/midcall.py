"""Captures that begin when everybody is in already: what is left to see is what calls and bridges say later.

The mix, drawn for each story from its seed; what bridges do, for which fifths are given, exactly so in 25 stories:

* two to four people who are invited, by telephone, by SIP or from a room, and in the attack one or two who are not:
  mostly outsiders by telephone who know number and PIN, else strangers by SIP, and now and then somebody withheld;
* four bridges of five have a subscriber (a recorder's portal, a wall board, the chair) who is told the roster: two of
  three are told the whole when they refresh their subscription, the third only what changes from then on; at a change
  some bridges list everybody, the others who has gone, and half of these say how; with or without Call-IDs and times
  of joining, in one of three spellings, under the meeting's own URI or one that means nothing by itself;
* three bridges of five put the conference's own URI into Contact once a caller by telephone is let in, as RFC
  4579 has it, so that later requests go there; the others stay who they were at the voice menu;
* of the calls, more than half are refreshed (RFC 4028) by re-INVITE or UPDATE, from either end; some are held and
  resumed, some press `*6` to be heard, some proxies look with OPTIONS whether they still live, and nearly all end.

The twin is the same story without those who are not invited. Nobody speaks: sound names nobody.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Literal, NamedTuple

from pcaps.generator import Call, Host, Member, Party, Subscription, World, phone, sip_user, withheld
from pcaps.generator.calendar import Event
from pcaps.generator.party import national
from pcaps.generator.roster import moment
from pcaps.stories.town import (
    BRAM_SIP,
    BRIDGE,
    CARLA_SIP,
    DAY,
    NUMBERS,
    OPEN_MEETING,
    PIN,
    POLICY_MEETING,
    PROXY,
    ROOM,
    SBC,
    SITE,
    STRANGER,
    TRUNK,
    dial_in,
    sip_in,
    tel,
)

Way = Literal["roster", "sip", "telephone"]

BEGINS = "10:20"
"""Everybody came between 9:55 and 10:15."""

WATCHER = Host("192.0.2.60", agent="RosterBoard/1.4")

GUESTS = ("anna", "bram", "greta", "frank", "carla")
BY_SIP = {"bram": BRAM_SIP, "carla": CARLA_SIP, "room": ROOM}
STRANGERS = (
    sip_user("guest@outside.example", "Guest", vouched=False),
    sip_user("listener@softphone.example", "Carla Smit", vouched=False),
)
OUTSIDERS = ("+31205550177", "+31205550178", "+493023125055", "+15555550123")


class Present(NamedTuple):
    """Somebody who is in when the capture begins."""

    subject: str
    is_invited: bool
    way: Way
    """What there is to name them by: a roster; or, where nobody is told one, their own call by SIP or by telephone."""


class MidCall(NamedTuple):
    """One capture, and its truth."""

    name: str
    capture: bytes
    present: tuple[Present, ...]


def stories(count: int) -> Iterator[tuple[MidCall, MidCall]]:
    """Attacks with their benign twins."""
    for seed in range(count):
        yield _story(seed, attacked=True), _story(seed, attacked=False)


def _story(seed: int, *, attacked: bool) -> MidCall:
    name = f"midcall-{seed}{'' if attacked else '-benign'}"
    world = World(name, day=DAY)
    # The shares of what decides are exact, not drawn: few stories must not be lucky or unlucky.
    has_roster, moves_callers = seed % 5 != 4, seed // 5 % 5 < 3
    told = _Telling(world, Random(f"midcall {seed}"), has_roster=has_roster, moves_callers=moves_callers)
    present = told.tell(attacked=attacked)
    world.begins = world.at(BEGINS)
    return MidCall(name, world.pcap(), present)


class _Person(NamedTuple):
    call: Call
    member: Member
    subject: str
    is_invited: bool
    until: str


class _Telling:
    """One story while it is told. Chance is drawn for every person, whether or not they are in the twin."""

    def __init__(self, world: World, chance: Random, *, has_roster: bool, moves_callers: bool) -> None:
        self.world, self.chance = world, chance
        self.has_roster, self.moves_callers = has_roster, moves_callers
        self.meeting: Event = chance.choice((POLICY_MEETING, OPEN_MEETING))
        self.names_calls = chance.random() < 0.5
        self.spelling = chance.choice(("tel", "user=phone", "national"))
        self.is_opaque = chance.random() < 0.2
        self.tells_since = chance.random() < 0.5

    def tell(self, *, attacked: bool) -> tuple[Present, ...]:
        """Everything that happens; gives who is in."""
        chance = self.chance
        people = [self._guest(who) for who in chance.sample(GUESTS, chance.randrange(2, 5))]
        if chance.random() < 0.4:
            people.append(self._guest("room"))
        for nth in range(chance.choice((1, 1, 2))):
            # Drawn in the twin as well, so that all the others do the same there.
            intruder, draws = self._intruder(nth), chance.getrandbits(64)
            if attacked:
                people.append(intruder(Random(draws)))
        for person in people:
            self._goes_on(person, Random(f"{person.subject}/{chance.getrandbits(32) if person.is_invited else 0}"))
        if self.has_roster:
            self._rosters(people, Random(chance.getrandbits(64)))
        return tuple(
            Present(
                person.subject,
                person.is_invited,
                "roster" if self.has_roster else "telephone" if person.call.last_key is not None else "sip",
            )
            for person in people
        )

    # Who is there

    def _guest(self, who: str) -> _Person:
        minute, until = self.chance.randrange(10), self.chance.randrange(45, 59)
        by_sip = who in BY_SIP and (who == "room" or self.chance.random() < 0.6)
        if by_sip:
            path = self.chance.choice(((SBC, BRIDGE), (SBC, PROXY, BRIDGE)))
            call = sip_in(self.world, BY_SIP[who], self.meeting, f"10:0{minute}", *path)
            uri = BY_SIP[who].uri
            subject = uri
            member = self._member(uri, BY_SIP[who].name, call)
        else:
            call = self._dial(phone(NUMBERS[who], spelled=national(NUMBERS[who])), minute)
            subject = tel(who)
            member = self._member(self._spelled(NUMBERS[who]), who.title(), call)
        return _Person(call, member, subject, True, f"10:{until}")

    def _intruder(self, nth: int) -> Callable[[Random], _Person]:
        kind = self.chance.random()
        number = self.chance.choice(OUTSIDERS[nth::2])
        stranger = STRANGERS[nth]

        def come(chance: Random) -> _Person:
            minute, until = chance.randrange(10, 15), f"10:{chance.randrange(45, 59)}"
            if kind < 0.6:
                call = self._dial(phone(number, spelled=national(number)), minute)
                return _Person(call, self._member(self._spelled(number), "", call), f"tel:{number}", False, until)
            if kind < 0.9:
                call = sip_in(self.world, stranger, self.meeting, f"10:{minute}", STRANGER, BRIDGE)
                return _Person(call, self._member(stranger.uri, stranger.name, call), stranger.uri, False, until)
            call = self._dial(withheld(), minute)
            uri = f"sip:anonymous{chance.randrange(1, 99)}@anonymous.invalid"
            return _Person(call, self._member(uri, "Anonymous", call), "anonymous", False, until)

        return come

    def _dial(self, who: Party, minute: int) -> Call:
        keys = (f"{self.meeting.number}#", "#") + ((f"{PIN}#",) if self.meeting.pin else ())
        call = dial_in(self.world, who, f"10:{minute:02}", *keys)
        if self.moves_callers:
            call.until("10:16").moved_to = f"sip:{self.meeting.number}@{BRIDGE.hostport}"
            call.reinvite("callee", after=1)
        return call

    def _spelled(self, number: str) -> str:
        match self.spelling:
            case "tel":
                return f"tel:{number}"
            case "user=phone":
                return f"sip:{number}@{BRIDGE.ip};user=phone"
            case _:
                return f"sip:{national(number)}@{TRUNK.ip};user=phone"

    def _member(self, uri: str, display: str, call: Call) -> Member:
        since = moment(call.answered.at) if self.tells_since and call.answered is not None else ""
        return Member(entity=uri, display=display, call=call.call_id if self.names_calls else "", since=since)

    # What is still to be seen

    def _goes_on(self, person: _Person, chance: Random) -> None:
        call = person.call
        refreshed = chance.choices(("re-INVITE", "UPDATE", ""), (50, 15, 35))[0]
        by: Literal["caller", "callee"] = chance.choice(("caller", "callee"))
        call.until(f"10:2{chance.randrange(1, 9)}")
        if refreshed == "re-INVITE":
            call.reinvite(by, after=chance.randrange(1, 59))
        elif refreshed:
            call.ask("UPDATE", by, after=chance.randrange(1, 59))
        if chance.random() < 0.3:
            call.ask("OPTIONS", "caller", after=20)
        if call.last_key is not None and chance.random() < 0.3:
            call.keys("*6", via="info", after=30)
        if chance.random() < 0.15:
            call.reinvite("caller", after=40, direction="sendonly").reinvite("caller", after=50)
        call.until(person.until)
        if chance.random() < 0.95:
            call.hang_up(after=chance.randrange(1, 50))

    def _rosters(self, people: list[_Person], chance: Random) -> None:
        """A subscriber from before; the whole list comes with the next refresh, changes at once."""
        uri = f"sip:{self.meeting.number}@{SITE}"
        names: tuple[str, ...] = ()
        if self.is_opaque:
            uri, names = f"sip:conf-{chance.getrandbits(32):08x}@{BRIDGE.ip}", (uri,)
        stream = self.world.connect(WATCHER, BRIDGE, at="09:59")
        told = self.world.subscription(WATCHER, BRIDGE, uri, at="10:00", stream=stream).subscribe()
        always_whole, says_how = chance.random() < 0.5, chance.random() < 0.5
        self._first(told, people, chance, names)
        here = sorted(people, key=lambda person: person.until)
        while here:
            gone = here.pop(0)
            if gone.call.ended is None or gone.call.ended.at <= told.now:
                continue
            at = gone.call.ended.at + 300_000_000
            left = gone.member.gone("departed" if says_how else "")
            if always_whole:
                told.notify(*(p.member for p in here), left, at=at, names=names)
            else:
                told.notify(left, at=at, state="partial", names=names)

    def _first(self, told: Subscription, people: list[_Person], chance: Random, names: tuple[str, ...]) -> None:
        told.notify(*(p.member for p in people), at=self.world.at("10:16"), names=names)
        refresh = self.world.at(f"10:{chance.randrange(22, 40)}")
        if chance.random() < 2 / 3:
            told.subscribe(at=refresh).notify(*(p.member for p in people), names=names)
