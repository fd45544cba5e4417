"""Links of every family of the data files, each with one that is nearly so."""

import pytest

from monitor.platforms.catalog import shipped
from tests.platforms.platforms_kit import platforms

UUID = "0123456789abcdef0123456789abcdef"
MTID = "m" + UUID
CHECKSUM = "a" * 40
APP = "https://ministry.webex.com/webappng/sites"
TEAMS = "https://teams.microsoft.com/l/meetup-join"
BBB = "https://bbb.example.org/bigbluebutton/api"

FAMILIES: dict[tuple[str, str], tuple[dict[str, str], tuple[str, ...]]] = {
    ("webex", "meeting page, its phone list and its mobile view, by mtid"): (
        {
            f"https://ministry.webex.com/ministry/j.php?MTID={MTID}": f"mtid:{MTID}",
            f"HTTPS://Ministry.WEBEX.com/ministry/onstage/g.php?PRID=1&MTID=E{UUID.upper()}&PW=s3cret": f"mtid:e{UUID}",
            f"https://ministry.webex.com/ministry/globalcallin.php?MTID={MTID}": f"mtid:{MTID}",
        },
        (
            f"https://ministry.webex.com/ministry/j.php?MTID={MTID}0",
            f"https://ministry.webex.com/ministry/j.php?MTID={UUID}",
            f"https://ministry.webex.com.example/ministry/j.php?MTID={MTID}",
            f"https://notwebex.com/ministry/j.php?MTID={MTID}",
            f"https://ministry.webex.com/ministry/j.html?MTID={MTID}",
            f"https://ministry.webex.com/ministry/j.php#MTID={MTID}",
        ),
    ),
    ("webex", "URL API, by number"): (
        {"https://ministry.webex.com/ministry/m.php?AT=JM&MK=27311234567&PW=1": "number:27311234567"},
        (
            "https://ministry.webex.com/ministry/m.php?AT=JM&MK=2731123",
            "https://ministry.webex.com/m.php?MK=27311234567",
        ),
    ),
    ("webex", "web app and its meeting information, by uuid"): (
        {
            f"{APP}/ministry/meeting/info/{UUID}?MTID={MTID}": f"uuid:{UUID} mtid:{MTID}",
            f"https://ministry.my.webex.com/wbxmjs/joinservice/sites/ministry/meeting/download/{UUID}": f"uuid:{UUID}",
        },
        (
            f"https://ministry.webex.com/webappng/sites/ministry/meeting/info/{UUID}0",
            "https://ministry.webex.com/webappng",
        ),
    ),
    ("webex", "short link, by uuid"): (
        {
            "https://ministry.webex.com/m/01234567-89ab-cdef-0123-456789abcdef": f"uuid:{UUID}",
            f"https://ministry.webex.com/m/{UUID}": f"uuid:{UUID}",
        },
        ("https://ministry.webex.com/m/01234567",),
    ),
    ("webex", "personal room"): (
        {
            "https://ministry.webex.com/meet/Jan.Jansen": "personal:jan.jansen@ministry",
            "https://ministry.my.webex.com/join/jan.jansen/": "personal:jan.jansen@ministry",
            "https://meet.ministry.example/meet/jan": "personal:jan@meet.ministry.example",
        },
        (
            "https://ministry.webex.com/meet/",
            "https://ministry.webex.com/meeting/jan",
            "https://ministry.example/meet/jan",
        ),
    ),
    ("zoom", "meeting or webinar, by number"): (
        {
            "https://zoom.us/j/81500000000?pwd=abc.1": "number:81500000000",
            "https://us02web.zoom.us/w/81500000000": "number:81500000000",
            "https://ministry.zoomgov.com/wc/join/1612345678": "number:1612345678",
            "https://ministry.zoom-x.de/j/61500000000/": "number:61500000000",
            "https://zoom.us/wc/81500000000/join": "number:81500000000",
        },
        ("https://zoom.us/j/815000000001", "https://zoom.us/j/8150000", "https://zoom.us.example/j/81500000000"),
    ),
    ("zoom", "personal link"): (
        {"https://ministry.zoom.us/my/Jan.Jansen?pwd=x": "personal:jan.jansen"},
        ("https://zoom.us/my/", "https://zoom.us/profile/jan"),
    ),
    ("teams", "long link, by thread"): (
        {
            TEAMS + "/19%3ameeting_AbC-dEf_1%40thread.v2/0?context=%7b%22Tid%22%3a%22x%22%7d": (
                "thread:19:meeting_abc-def_1@thread.v2"
            ),
            "https://gov.teams.microsoft.us/l/meetup-join/19:meeting_a@thread.skype/0": (
                "thread:19:meeting_a@thread.skype"
            ),
        },
        (
            TEAMS + "/19%3achannel_abc%40thread.v2/0",
            TEAMS + "/19%253ameeting_abc%2540thread.v2/0",
        ),
    ),
    ("teams", "short link, by meeting id"): (
        {
            "https://teams.microsoft.com/meet/312345678901?p=Abc": "number:312345678901",
            "https://teams.live.com/meet/9312345678901": "number:9312345678901",
            "https://teams.cloud.microsoft/meet/312345678901": "number:312345678901",
        },
        ("https://teams.microsoft.com/meet/3123", "https://microsoft.com/meet/312345678901"),
    ),
    ("meet", "meeting code"): (
        {
            "https://meet.google.com/abc-defg-hij?authuser=0": "room:abc-defg-hij",
            "meet.google.com/_meet/abc-defg-hij": "room:abc-defg-hij",
        },
        ("https://meet.google.com/abc-defg-hijk", "https://meet.google.com/landing", "https://google.com/abc-defg-hij"),
    ),
    ("meet", "alias of the organisation"): (
        {"https://meet.google.com/lookup/Standup": "personal:standup"},
        ("https://meet.google.com/lookup/",),
    ),
    ("meet", "phone list, with the universal PIN"): (
        {
            "https://tel.meet/abc-defg-hij?pin=1234567890123": "room:abc-defg-hij number:1234567890123",
            "https://tel.meet/abc-defg-hij?pin=1": "room:abc-defg-hij",
        },
        ("https://tel.meet/abcdefghij?pin=1234567890123",),
    ),
    ("jitsi", "JaaS room, below its application"): (
        {f"https://8x8.vc/vpaas-magic-cookie-{UUID}/Raadzaal": f"room:raadzaal@vpaas-magic-cookie-{UUID}"},
        (f"https://8x8.vc/vpaas-magic-cookie-{UUID}/",),
    ),
    ("jitsi", "room"): (
        {
            "https://meet.jit.si/Raadzaal?jwt=x#config.x=1": "room:raadzaal",
            "https://jitsi.ministry.example/Raad%20zaal": "room:raad zaal@jitsi.ministry.example",
        },
        (
            "https://meet.jit.si/",
            "https://meet.jit.si/static/close.html",
            "https://meet.jit.si/libs/app.js",
            "https://jit.si/a",
        ),
    ),
    ("jitsi", "signalling of a room: BOSH and websocket"): (
        {"https://meet.jit.si/http-bind?room=raadzaal&token=x": "room:raadzaal"},
        ("https://meet.jit.si/http-bind/x?room=raadzaal",),
    ),
    ("jitsi", "conference mapper, by number or by room"): (
        {
            "https://jitsi.ministry.example/conferenceMapper?conference=raadzaal%40conference.example": (
                "room:raadzaal@jitsi.ministry.example"
            ),
            "https://jitsi.ministry.example/conferenceMapper?id=1234567890": "number:1234567890",
        },
        ("https://other.example/conferenceMapper?id=1234567890",),
    ),
    ("jitsi", "page with the numbers of a room"): (
        {"https://meet.jit.si/static/dialInInfo.html?room=Raadzaal": "room:raadzaal"},
        ("https://meet.jit.si/static/dialInInfo.html",),
    ),
    ("generic", "BigBlueButton API: join, getMeetingInfo, end"): (
        {
            f"{BBB}/join?fullName=x&meetingID=Raad+1&password=p&checksum={CHECKSUM}": "room:raad+1",
            f"{BBB}/getMeetingInfo?meetingID=abc&checksum={CHECKSUM}": "room:abc",
        },
        (
            "https://bbb.example.org/bigbluebutton/api/getMeetings?checksum=1",
            "https://bbb.example.org/bbb/api/join?meetingID=a",
        ),
    ),
    ("generic", "Greenlight room"): (
        {"https://bridge.example.net/b/jan-abc-def": "room:jan-abc-def"},
        ("https://other.example.net/b/jan-abc-def", "https://bridge.example.net/b/jan"),
    ),
    ("generic", "Greenlight 3 room"): (
        {"https://bridge.example.net/rooms/jan-abc-def-ghi/join": "room:jan-abc-def-ghi"},
        ("https://other.example.net/rooms/jan-abc-def-ghi/join",),
    ),
    ("generic", "Cisco Meeting Server: guest link"): (
        {"https://join.example.org/invited.sf?secret=AbC&id=71234": "number:71234"},
        ("https://join.example.org/invited.sf?secret=1", "https://join.example.org/invited.php?id=71234"),
    ),
    ("generic", "Cisco Meeting Server: web app"): (
        {"https://bridge.example.net/?id=71234&secret=x": "number:71234"},
        ("https://other.example.net/?id=71234", "https://bridge.example.net/?id=7x"),
    ),
    ("generic", "Cisco Meeting Server: meeting page"): (
        {"https://bridge.example.net/meeting/71234?secret=x": "number:71234"},
        ("https://other.example.net/meeting/71234", "https://bridge.example.net/meeting/7"),
    ),
    ("generic", "Pexip: client API"): (
        {"https://pexip.example.org/api/client/v2/conferences/Raadzaal/request_token": "room:raadzaal"},
        ("https://pexip.example.org/api/client/v1/conferences/raadzaal",),
    ),
    ("generic", "Pexip: web app"): (
        {"https://bridge.example.net/webapp/home?conference=raadzaal&pin=1": "room:raadzaal"},
        ("https://other.example.net/webapp/home?conference=raadzaal", "https://bridge.example.net/webapp/home?pin=1"),
    ),
    ("generic", "Pexip: web app, alias in the path"): (
        {"https://bridge.example.net/webapp2/conference/raadzaal": "room:raadzaal"},
        ("https://bridge.example.net/webapp2/conference/",),
    ),
}
WRAPPED = {
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fministry.webex.com%2Fministry%2Fj.php%3FMTID%3D"
    + MTID
    + "&data=05%7C01%7C&sdata=x&reserved=0": f"mtid:{MTID}",
    "https://eur01.safelinks.protection.outlook.com/ap/t-59584e83/?url=https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join"
    "%2F19%253ameeting_abc%2540thread.v2%2F0%3Fcontext%3Dx&data=1": "thread:19:meeting_abc@thread.v2",
    f"https://urldefense.com/v3/__https://ministry.webex.com/ministry/j.php?MTID={MTID}__;!!abc!def$": f"mtid:{MTID}",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__ministry.webex.com_ministry_j.php-3FMTID-3D"
    + MTID
    + "&d=x": f"mtid:{MTID}",
    "https://www.google.com/url?q=https://zoom.us/j/81500000000%3Fpwd%3Dx&sa=D": "number:81500000000",
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2Fzoom.us%2Fj"
    "%2F81500000000__%3B!!a!b%24&data=1": "number:81500000000",
}


def keys_of(link: str) -> str:
    return " ".join(ref.key for ref in platforms().refs_of(link))


def test_every_family_of_links_has_its_samples() -> None:
    assert set(FAMILIES) == {(name, form.reads) for name, platform in shipped().items() for form in platform.links}


@pytest.mark.parametrize(
    ("platform", "link", "told"),
    [(platform, link, told) for (platform, _), (fitting, _) in FAMILIES.items() for link, told in fitting.items()],
)
def test_a_link_names_its_meeting(platform: str, link: str, told: str) -> None:
    assert keys_of(link) == told
    assert {ref.platform for ref in platforms().refs_of(link)} == {platform}


@pytest.mark.parametrize("link", [link for _, (_, others) in FAMILIES.items() for link in others])
def test_a_link_that_is_nearly_so_names_none(link: str) -> None:
    assert keys_of(link) == ""


@pytest.mark.parametrize(("link", "told"), WRAPPED.items())
def test_a_link_is_unwrapped(link: str, told: str) -> None:
    assert keys_of(link) == told


def test_a_link_wrapped_without_end_names_none() -> None:
    link = "https://zoom.us/j/81500000000"
    for _ in range(20):
        link = "https://www.google.com/url?q=" + link.replace("%", "%25").replace("&", "%26").replace("?", "%3F")
    assert keys_of(link) == ""


@pytest.mark.parametrize("host", ["ministry.webex.com:443", "jan@ministry.webex.com", "MINISTRY.webex.com."])
def test_a_host_is_the_same_in_any_spelling(host: str) -> None:
    assert keys_of(f"https://{host}/meet/jan") == "personal:jan@ministry"
