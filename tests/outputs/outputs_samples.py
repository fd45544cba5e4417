"""Records made by hand: a briefing, somebody who dialled in past the PIN, and before it a search for meetings."""

from datetime import UTC, datetime

from monitor.model.accounts import Accounts, Losses
from monitor.model.alerts import Alert, Coverage, RuleInfo, Severity, id_of
from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    Claims,
    DialInReached,
    Diversion,
    KeyPressed,
    MeetingNamed,
    RemoteParty,
    RosterEndpoint,
    RosterSeen,
    RosterUser,
)
from monitor.model.evidence import MINUTE, SECOND, Evidence, Fact, Nanoseconds
from monitor.model.invitations import Invitee, Occurrence, Person, Role
from monitor.model.meetings import Kind, MeetingRef, Method, Slot, SlotState
from monitor.model.oddities import Oddity, Reason
from monitor.model.roster import (
    Identity,
    Joined,
    Left,
    Overstayed,
    Participant,
    PinRefused,
    Stayed,
    Tried,
    Trust,
    Verdict,
)
from monitor.model.summary import CaptureReport, Damage, Summary
from monitor.outputs.records import Record

CAPTURE = "trunk-2026-03-12.pcapng"
TEN: Nanoseconds = int(datetime(2026, 3, 12, 9, tzinfo=UTC).timestamp()) * SECOND
"""Ten o'clock in Amsterdam."""

MEETING = MeetingRef(platform="webex", kind=Kind.NUMBER, value="27311234567")
ANNA = Person(name="Anna de Vries", addresses=("tel:+31205550101", "mailto:anna@ministry.example"))
BRAM = Person(name="Bram Jansen", addresses=("tel:+31205550102", "mailto:bram@ministry.example"))
ROOM = Person(name="Room 4.12", addresses=("sip:room412@ministry.example", "mailto:room412@ministry.example"))
BRIEFING = Occurrence(
    uid="briefing-41@ministry.example",
    start=TEN,
    end=TEN + 60 * MINUTE,
    summary="Briefing water safety",
    refs=(MEETING,),
    invitees=(
        Invitee(address="mailto:anna@ministry.example", name="Anna de Vries", role=Role.ORGANIZER),
        Invitee(address="mailto:bram@ministry.example", name="Bram Jansen"),
        Invitee(address="mailto:room412@ministry.example", name="Room 4.12", role=Role.ROOM),
        Invitee(address="mailto:carla@council.example", name="Carla Smit"),
    ),
    has_pin=True,
    classification="Dep.V.",
)


def seen(frame: int, capture: str = CAPTURE) -> Evidence:
    return Evidence(capture=capture, frame=frame)


def participant(
    number: int,
    subject: str,
    *people: Person,
    verdict: Verdict = Verdict.INVITED,
    method: Method = Method.PSTN,
    occurrence: Occurrence | None = BRIEFING,
    meeting: MeetingRef = MEETING,
    display: str = "",
    trust: Trust = Trust.ASSERTED,
    slots: tuple[Slot, ...] = (),
    after: int = 0,
) -> Participant:
    return Participant(
        id=id_of("participant", str(number)),
        meeting=meeting,
        occurrence=occurrence,
        series=(occurrence.uid,) if occurrence else (),
        identity=Identity(subject=subject, trust=trust, display=display),
        people=people,
        method=method,
        verdict=verdict,
        joined_at=TEN + after * SECOND,
        call=f"call-{number}@192.0.2.10",
        slots=slots,
        facts=(Fact(fact="the trunk asserts the number", evidence=(seen(number * 100),)),),
    )


EMPTY, RIGHT = Slot(state=SlotState.EMPTY), Slot(state=SlotState.RIGHT, length=8)
P_ANNA = participant(1, "tel:+31205550101", ANNA, slots=(EMPTY, RIGHT), after=-95)
P_BRAM = participant(2, "tel:+31205550102", BRAM, slots=(EMPTY, RIGHT), after=12)
P_ROOM = participant(3, "sip:room412@ministry.example", ROOM, method=Method.SIP, trust=Trust.CLAIMED, after=-240)
P_STRANGER = participant(
    4, "tel:+31205550199", verdict=Verdict.UNINVITED, display="Anna de Vries", slots=(EMPTY, EMPTY), after=251
)
P_GHOST = participant(5, "anonymous", verdict=Verdict.ANONYMOUS, trust=Trust.NONE, after=400)
P_LOST = participant(
    6,
    "tel:+31205550144",
    verdict=Verdict.UNSCHEDULED,
    occurrence=None,
    meeting=MeetingRef(platform="zoom", kind=Kind.NUMBER, value="81234567890"),
    after=1000,
)


def joined(who: Participant) -> Joined:
    return Joined(at=who.joined_at + 20 * SECOND, evidence=seen(int(who.call[5]) * 100 + 40), participant=who)


def left(who: Participant, minutes: int) -> Left:
    at = TEN + minutes * MINUTE
    return Left(at=at, evidence=seen(int(who.call[5]) * 100 + 90), participant=who, left_at=at)


UNINVITED = Alert(
    id=id_of("uninvited-participant", BRIEFING.id, P_STRANGER.identity.subject),
    rule="uninvited-participant",
    severity=Severity.HIGH,
    meeting=MEETING,
    occurrence=BRIEFING,
    series=BRIEFING.uid,
    subject="tel:+31205550199",
    summary="+31205550199 joined “Briefing water safety” and is not on its list",
    reasons=(
        Fact(fact="the trusted trunk 192.0.2.10 asserts +31205550199", evidence=(seen(401),)),
        Fact(fact="that is no address of the 4 invited, nor of their delegates"),
        Fact(fact="the call lived on for 20 s after its last key: admitted", evidence=(seen(421), seen(440))),
    ),
    confidence=Trust.ASSERTED,
    first_seen=P_STRANGER.joined_at,
    last_seen=P_STRANGER.joined_at,
)
PIN_BYPASS = Alert(
    id=id_of("pin-bypass", BRIEFING.id, P_STRANGER.identity.subject),
    rule="pin-bypass",
    severity=Severity.HIGH,
    meeting=MEETING,
    occurrence=BRIEFING,
    series=BRIEFING.uid,
    subject="tel:+31205550199",
    summary="+31205550199 joined “Briefing water safety” without the PIN",
    reasons=(
        Fact(
            fact="the invitation has a numeric PIN, and the call never contained it: # alone was enough",
            evidence=tuple(seen(n) for n in range(410, 422)),
        ),
    ),
    confidence=Trust.ASSERTED,
    coverage=Coverage.PARTIAL,
    first_seen=P_STRANGER.joined_at,
    last_seen=P_STRANGER.joined_at,
)
ENUMERATION = Alert(
    id=id_of("meeting-enumeration", "", "tel:+31205550199"),
    rule="meeting-enumeration",
    severity=Severity.HIGH,
    meeting=None,
    occurrence=None,
    subject="tel:+31205550199",
    summary="+31205550199 tried 12 meeting numbers, nearly consecutive, without success",
    reasons=(
        Fact(fact="12 meeting numbers within 8 minutes", evidence=tuple(seen(n) for n in (12, 40, 68, 96, 120))),
        Fact(fact="10 of them lie less than 10 apart", evidence=(seen(12), seen(40))),
    ),
    confidence=Trust.ASSERTED,
    first_seen=TEN - 40 * MINUTE,
    last_seen=TEN - 32 * MINUTE,
    count=8,
)
GHOST = Alert(
    id=id_of("anonymous-participant", BRIEFING.id, "5"),
    rule="anonymous-participant",
    severity=Severity.MEDIUM,
    meeting=MEETING,
    occurrence=BRIEFING,
    series=BRIEFING.uid,
    subject="anonymous",
    summary="somebody without a number joined “Briefing water safety”",
    reasons=(Fact(fact="From is anonymous, and nothing is asserted", evidence=(seen(500),)),),
    confidence=Trust.NONE,
    first_seen=P_GHOST.joined_at,
    last_seen=P_GHOST.joined_at,
)


def tried(number: int) -> Tried:
    return Tried(
        at=TEN - (40 - number) * MINUTE,
        evidence=seen(12 + 28 * number),
        meeting=MeetingRef(platform="webex", kind=Kind.NUMBER, value=str(27311234500 + number)),
        identity=Identity(subject="tel:+31205550199", trust=Trust.ASSERTED),
        origin="198.51.100.7",
        method=Method.PSTN,
        call=f"try-{number}@198.51.100.7",
        known=number == 3,
        slots=(EMPTY,),
        facts=(Fact(fact="the bridge hung up", evidence=(seen(13 + 28 * number),)),),
    )


WRONG_PIN = PinRefused(
    at=TEN - 20 * MINUTE,
    evidence=seen(380),
    meeting=MEETING,
    occurrence=BRIEFING,
    identity=Identity(subject="tel:+31205550199", trust=Trust.ASSERTED),
    origin="198.51.100.7",
    call="try-99@198.51.100.7",
    length=8,
)
ODDITIES = (
    Oddity(at=TEN, evidence=seen(77), protocol="sip", reason=Reason.BAD_SYNTAX, what="a header without a colon"),
    Oddity(at=TEN, evidence=seen(78), protocol="sip", reason=Reason.BAD_SYNTAX, what="a header without a colon"),
    Oddity(at=TEN, evidence=seen(79), protocol="tcp", reason=Reason.GAP, what="1,448 bytes are missing"),
)
SUMMARY = Summary(
    at=TEN + 61 * MINUTE,
    captures=(
        CaptureReport(
            capture=CAPTURE,
            frames=1_460_022,
            wanted=3_201,
            cut=3,
            first=TEN - 45 * MINUTE,
            last=TEN + 61 * MINUTE,
            damage=(
                Damage(capture=CAPTURE, frame=1_460_022, offset=310_551_120, what="ends in the middle of a frame"),
            ),
        ),
    ),
    counts={
        "frames": 1_460_022,
        "wanted": 3_201,
        "calls": 18,
        "joins": 5,
        "in_vlan": 3_201,
        "in_gre": 0,
        "streams_evicted": 0,
    },
    accounts=Accounts(frames=1_460_022, decoded=3_150, silent=49, undecoded=2, passed_over=1_456_821),
    losses=Losses(stream_gaps=2, stream_gap_bytes=1_400, cut_frames=3, dropped_by_system=12, damaged_places=1),
    envelopes={"gre": 0, "vlan": 3_201},
)
NOTHING = Summary(
    at=TEN,
    captures=(CaptureReport(capture="quiet.pcap", frames=400, wanted=0, first=TEN, last=TEN),),
    counts={"calls": 0},
    accounts=Accounts(frames=400, passed_over=400),
)

REPLAY: tuple[Record, ...] = (
    *(tried(number) for number in range(12)),
    ENUMERATION,
    WRONG_PIN,
    joined(P_ROOM),
    joined(P_ANNA),
    joined(P_BRAM),
    joined(P_STRANGER),
    UNINVITED,
    PIN_BYPASS,
    joined(P_GHOST),
    GHOST,
    *ODDITIES,
    joined(P_LOST),
    left(P_GHOST, 9),
    left(P_ANNA, 58),
    left(P_BRAM, 59),
    left(P_STRANGER, 60),
    Stayed(at=TEN, evidence=seen(440), participant=P_STRANGER, seconds=30),
    Overstayed(at=TEN + 91 * MINUTE, evidence=seen(390), participant=P_ROOM),
    SUMMARY,
)
"""A morning."""


def offered(number: int, caller: str, target: str, at: Nanoseconds) -> CallOffered:
    return CallOffered(
        at=at,
        evidence=seen(number),
        call=f"call-{number}@192.0.2.10",
        method=Method.SIP,
        target=target,
        addressed_to=target,
        caller=Claims(
            uri=caller,
            display="Anna",
            asserted=("tel:+31205550101",),
            preferred="sip:anna@ministry.example",
            remote_party=(RemoteParty(uri="sip:+31205550101@192.0.2.10", screen=True, privacy="off"),),
            privacy=("none",),
            history=(Diversion(uri="sip:bram@ministry.example", reason="user-busy"),),
            passport="eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7fX0.c2lnbmF0dXJl",
            user_agent="Phone 1.0",
            sent_from="192.0.2.10",
        ),
        sent_to="192.0.2.20",
        session="ab30317f1a784dc48ff824d0d3715d86",
    )


DECODE: tuple[Record, ...] = (
    offered(1, "sip:+31205550101@ministry.example", "sip:+31207654321@bridge.example.com", TEN),
    CallAnswered(at=TEN + 3 * SECOND, evidence=seen(9), call="call-1@192.0.2.10", callee=Claims(), focus=True),
    MeetingNamed(at=TEN + 3 * SECOND, evidence=seen(9), call="call-1@192.0.2.10", meeting=MEETING),
    DialInReached(at=TEN + 3 * SECOND, evidence=seen(9), call="call-1@192.0.2.10", platform="webex", site=""),
    *(
        KeyPressed(
            at=TEN + (4 + n) * SECOND,
            evidence=seen(10 + n),
            call="call-1@192.0.2.10",
            platform="webex",
            attempt=int(n > 10),
            meeting=MEETING if n > 10 else None,
            slots=(EMPTY,) if n > 11 else (),
        )
        for n in range(13)
    ),
    CallEnded(at=TEN + 783 * SECOND, evidence=seen(90), call="call-1@192.0.2.10", by="caller"),
    offered(2, "sip:bram@ministry.example", "sip:27311234567@bridge.example.com", TEN + 60 * SECOND),
    CallRefused(at=TEN + 63 * SECOND, evidence=seen(92), call="call-2@192.0.2.10", status=486),
    offered(
        3,
        "sip:anonymous@anonymous.invalid",
        "sip:a-rather-long-name-of-a-room@video.ministry.example",
        TEN + 99 * SECOND,
    ),
    CallForwarded(
        at=TEN + 100 * SECOND,
        evidence=seen(93),
        call="call-3@192.0.2.10",
        to=("sip:carla@council.example",),
        how="redirect",
    ),
    RosterSeen(
        at=TEN + 100 * SECOND,
        evidence=seen(94),
        call="call-1@192.0.2.10",
        conference="sip:27311234567@bridge.example.com",
        names=("sip:briefing@bridge.example.com",),
        version=1,
        lasts=3600,
        subject="Briefing water safety",
        user_count=2,
        locked=False,
        users=(
            RosterUser(
                entity="tel:+31205550199",
                display="Somebody",
                aors=("mailto:somebody@example.org",),
                roles=("participant",),
                endpoints=(
                    RosterEndpoint(
                        entity="sip:+31205550199@192.0.2.10",
                        status="connected",
                        joined_by="dialed-in",
                        joined_at=TEN + 3 * SECOND,
                        media=True,
                        call="call-1@192.0.2.10",
                    ),
                ),
            ),
        ),
        sent_from="192.0.2.20",
        sent_to="192.0.2.10",
        meeting=MEETING,
    ),
    *ODDITIES,
    SUMMARY,
)
"""The calls of a minute."""

RULES = tuple(
    RuleInfo(name=name, severities=(Severity.HIGH, Severity.LOW), attack="T1133", summary="raised when …")
    for name in ("uninvited-participant", "pin-bypass", "meeting-enumeration", "anonymous-participant")
)
PLATFORMS = ("webex", "zoom", "teams", "meet")
