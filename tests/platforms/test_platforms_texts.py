"""Invitations as they come by mail, in several languages: their meetings and the PINs for telephones."""

import time
from collections.abc import Callable

import pytest

from monitor.model.calls import CallOffered, DialInReached
from monitor.model.policy import Policy
from monitor.platforms import Platforms
from monitor.platforms.catalog import shipped
from tests.platforms.platforms_kit import number_text, offered, platforms, written

MTID = "m0123456789abcdef0123456789abcdef"

WEBEX_EN = f"""
-- Do not delete or change any of the following text. --
When it's time, join your Webex meeting here.
Join meeting<https://ministry.webex.com/ministry/j.php?MTID={MTID}>
More ways to join:
Join from the meeting link
https://ministry.webex.com/ministry/j.php?MTID={MTID}

Join by meeting number
Meeting number (access code): 2731 123 4567
Meeting password: Kq3mPzRn2xY (57637966 when dialing from a phone or video system)

Tap to join from a mobile device (attendees only)
+31-20-555-0199,,27311234567#57637966# Netherlands Toll
Join by phone
+31-20-555-0199 Netherlands Toll
Join from a video system or application
Dial 27311234567@ministry.webex.com<sip:27311234567@ministry.webex.com>
You can also dial 173.243.2.68 and enter your meeting number.
"""
WEBEX_NL = f"""
Deelnemen aan vergadering: https://ministry.webex.com/ministry/j.php?MTID={MTID}
Vergadernummer (toegangscode): 2731 123 4567
Wachtwoord voor vergadering: Kq3mPzRn2xY (57637966 vanaf telefoons en videosystemen)
Deelnemen via telefoon +31-20-555-0199 Nederland (betaald)
"""
WEBEX_DE = f"""
Über Meeting-Link beitreten https://ministry.webex.com/ministry/j.php?MTID={MTID}
Meeting-Kennnummer (Zugriffscode): 2731 123 4567
Meeting Passwort: Kq3mPzRn2xY (57637966 bei der Einwahl von Telefonen und Videosystemen)
"""
WEBEX_HTML = f"""<table><tr><td><a href="https://ministry.webex.com/ministry/j.php?MTID={MTID}&amp;x=1">Join</a></td></tr>
<tr><td>Meeting number:</td><td><b>2731&nbsp;123&nbsp;4567</b></td></tr>
<tr><td>Numeric meeting password:</td><td>57637966</td></tr></table>"""
ZOOM_EN = """
Jan Jansen is inviting you to a scheduled Zoom meeting.
Join Zoom Meeting
https://us02web.zoom.us/j/81500000000?pwd=RmFrZVBhc3N3b3Jk.1

Meeting ID: 815 0000 0000
Passcode: 9kL!x2

---
One tap mobile
+31205550102,,81500000000#,,,,*471147# Netherlands
+31205550188,,81500000000#,,,,*471147# Netherlands
---
Dial by your location
• +31 20 555 0102 Netherlands
Meeting ID: 815 0000 0000
Passcode: 471147
Find your local number: https://us02web.zoom.us/u/kdAbCdEfG
Join by SIP
• 81500000000@zoomcrc.com
Join by H.323
• 162.255.37.11 (US West)
Meeting ID: 815 0000 0000
Passcode: 471147
"""
ZOOM_NL = """
Deelnemen aan Zoom vergadering
https://zoom.us/j/81500000000?pwd=x
Vergadering-ID: 815 0000 0000
Toegangscode: 471147
"""
ZOOM_FR = """
https://zoom.us/j/81500000000?pwd=x
ID de réunion: 815 0000 0000
Code secret: 471147
"""
TEAMS_EN = """
________________________________________________________________________________
Microsoft Teams meeting
Join: https://teams.microsoft.com/meet/312345678901?p=AbCdEf
Meeting ID: 312 345 678 901
Passcode: 4f8Gh2
________________________________
Dial in by phone
+31 20 555 0103,,123456789#<tel:+31205550103,,123456789#> Netherlands, Amsterdam
Find a local number<https://dialin.teams.microsoft.com/usp/pstnconferencing>
Phone conference ID: 123 456 789#
Join on a video conferencing device
Tenant key: ministry@m.webex.com<mailto:ministry@m.webex.com>
Video ID: 112 345 678 9
"""
TEAMS_NL = """
Microsoft Teams-vergadering
https://teams.microsoft.com/l/meetup-join/19%3ameeting_AbC%40thread.v2/0?context=%7b%22Tid%22%3a%22x%22%7d
Vergadering-id: 312 345 678 901
Toegangscode: 123456
Bel in via telefoon
+31 20 555 0103,,123456789# Nederland, Amsterdam
Telefoonvergadering-id: 123 456 789#
"""
MEET_EN = """
Standup
Google Meet joining info
Video call link: https://meet.google.com/abc-defg-hij
Or dial: \u202a(NL) +31 20 555 0104\u202c PIN: \u202a123 456 789\u202c#
More phone numbers: https://tel.meet/abc-defg-hij?pin=1234567890123
"""
JITSI_EN = """
You are invited to join a meeting. To join the video meeting, click this link:
https://meet.jit.si/Raadzaal
To join by phone instead, dial +31 20 555 0106 and enter this PIN: 123 456 7890#
Looking for a different dial-in number? See: https://meet.jit.si/static/dialInInfo.html?room=Raadzaal
"""
OWN_EN = """
Dial +31 20 555 0105
Conference number: 71234
PIN: 4711#
"""

INVITATIONS = {
    "webex en": (WEBEX_EN, "webex", {f"mtid:{MTID}", "number:27311234567"}, ["57637966"]),
    "webex nl": (WEBEX_NL, "webex", {f"mtid:{MTID}", "number:27311234567"}, ["57637966"]),
    "webex de": (WEBEX_DE, "webex", {f"mtid:{MTID}", "number:27311234567"}, ["57637966"]),
    "webex html": (WEBEX_HTML, "webex", {f"mtid:{MTID}", "number:27311234567"}, ["57637966"]),
    "zoom en": (ZOOM_EN, "zoom", {"number:81500000000"}, ["471147"]),
    "zoom nl": (ZOOM_NL, "zoom", {"number:81500000000"}, ["471147"]),
    "zoom fr": (ZOOM_FR, "zoom", {"number:81500000000"}, ["471147"]),
    "teams en": (TEAMS_EN, "teams", {"number:312345678901", "number:123456789", "number:1123456789"}, []),
    "teams nl": (TEAMS_NL, "teams", {"thread:19:meeting_abc@thread.v2", "number:312345678901", "number:123456789"}, []),
    "meet en": (MEET_EN, "meet", {"room:abc-defg-hij", "number:123456789", "number:1234567890123"}, []),
    "jitsi": (JITSI_EN, "jitsi", {"room:raadzaal", "number:1234567890"}, []),
    "own bridge": (OWN_EN, "generic", {"number:71234"}, ["4711"]),
}


@pytest.mark.parametrize(("text", "platform", "keys", "pins"), INVITATIONS.values(), ids=INVITATIONS)
def test_an_invitation_names_its_meeting(text: str, platform: str, keys: set[str], pins: list[str]) -> None:
    told = platforms().read_text(text)
    assert {(ref.platform, ref.key) for ref in told.refs} == {(platform, key) for key in keys}
    assert [[secret.matches(pin) for pin in pins] for secret in told.pins] == [
        [n == m for m in range(len(pins))] for n in range(len(pins))
    ]


@pytest.mark.parametrize(("text", "platform", "keys", "pins"), INVITATIONS.values(), ids=INVITATIONS)
def test_what_an_invitation_keeps_secret_is_not_written(
    text: str, platform: str, keys: set[str], pins: list[str]
) -> None:
    told = written([platforms().read_text(text)])
    for secret in (*pins, "Kq3mPz", "RmFrZVBhc3N3b3Jk", "AbCdEf", "9kL"):
        assert secret not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Meeting number (access code): 2731 123 4567", "webex number:27311234567"),
        ("Vergadernummer (toegangscode): 2731 123 4567", "webex number:27311234567"),
        ("Meeting-Kennnummer: 2731-123-4567", "webex number:27311234567"),
        ("Numéro de la réunion (code d’accès) : 2731 123 4567", "webex number:27311234567"),
        ("ミーティング番号: 2731 123 4567", "webex number:27311234567"),
        ("会议号：2731 123 4567", "webex number:27311234567"),
        ("Meeting ID: 815 0000 0000", "zoom number:81500000000"),
        ("Vergader-id: 815 0000 0000", "zoom number:81500000000"),
        ("ミーティング ID: 815 0000 0000", "zoom number:81500000000"),
        ("Conference ID: 123 456 789#", "teams number:123456789"),
        ("Telefoonvergadering-id: 123 456 789#", "teams number:123456789"),
        ("Telefonkonferenz-ID: 123 456 789#", "teams number:123456789"),
        ("Meeting ID: 312 345 678 901 2", "teams number:3123456789012"),
        ("Google Meet PIN: 123 456 789#", "meet number:123456789"),
        ("Vergadernummer: 71234", "generic number:71234"),
        ("tel:+31205550199,,*01*27311234567##*01*", "webex number:27311234567"),
        ("tel:%2B31205550199,,*01*27311234567%2357637966%23*01*", "webex number:27311234567"),
        ("+31 (0)20 555 0102,,81500000000#,,,,*471147#", "zoom number:81500000000"),
        ("X-MICROSOFT-CONFERENCETELURI:tel:+31205550177,,123456789#", "teams number:123456789"),
        ("tel:+31205550103,,123456789#", "teams number:123456789"),
        ("tel:+31205550199,,123456789#", "generic number:123456789"),
        ("ministry.webex.com/meet/jan", "webex personal:jan@ministry"),
        ("(https://meet.google.com/abc-defg-hij).", "meet room:abc-defg-hij"),
        ("[join](https://meet.google.com/abc-defg-hij)", "meet room:abc-defg-hij"),
        ("SIP: jan.jansen@ministry.webex.com", "webex personal:jan.jansen@ministry"),
    ],
)
def test_a_line_names_its_meeting(text: str, told: str) -> None:
    assert " ".join(f"{ref.platform} {ref.key}" for ref in platforms().read_text(text).refs) == told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "27311234567",
        "2731 123 4567",
        "Call me: +31 20 555 0101",
        "Invoice number: 27311234567",
        "Room 4.12, 3 persons, 14:00 - 15:30, 21-11-2026",
        "IBAN NL00 TEST 0123 4567 89",
        "Spin: 123456789",
        "PIN: 123 456 789#",
        "Meeting number: 27311234567x",
        "Meeting number: 27",
        "messenger@webex.com",
        "https://www.webex.com/downloads.html",
        "https://example.com/j/81500000000",
        "meeting id is to follow; order 815 0000 0000",
    ],
)
def test_a_number_alone_is_no_meeting(text: str) -> None:
    assert platforms().read_text(text).refs == ()


@pytest.mark.parametrize(
    "password", ["Kq3mPz", "4f8Gh2", "1234!ab", "12-ab-34", "1234.x", "47x", "a 4711", "4711_a", "12345678901234"]
)
def test_a_password_that_no_telephone_can_type_is_not_kept(password: str) -> None:
    text = f"https://zoom.us/j/81500000000\nPasscode: {password}\n"
    assert platforms().read_text(text).pins == ()


@pytest.mark.parametrize(
    ("platform", "language", "label"),
    [
        (name, language, label)
        for name, platform in shipped().items()
        for language, labels in platform.labels.number.items()
        for label in labels
    ],
)
def test_every_label_of_a_number_is_read(platform: str, language: str, label: str) -> None:
    link = {
        "webex": "https://ministry.webex.com/meet/jan",
        "zoom": "https://zoom.us/my/jan",
        "teams": "https://teams.microsoft.com/meet/312345678901",
        "meet": "https://meet.google.com/abc-defg-hij",
        "jitsi": "https://meet.jit.si/raadzaal",
        "generic": "https://bridge.example.net/meeting/99999",
    }[platform]
    told = platforms().read_text(f"{link}\n{label.capitalize()}: 273 112 3456\n")
    assert f"{platform} number:2731123456" in {f"{ref.platform} {ref.key}" for ref in told.refs}, language


@pytest.mark.parametrize(
    ("platform", "label"),
    [
        (name, label)
        for name, platform in shipped().items()
        for labels in platform.labels.pin.values()
        for label in labels
    ],
)
def test_every_label_of_a_pin_is_read(platform: str, label: str) -> None:
    told = platforms().read_text(f"{label.upper()}: 57637966\n")
    assert [secret.matches("57637966") for secret in told.pins] == [True]
    assert "57637966" not in written([told])


@pytest.mark.parametrize("label", ["Toegangscode", "Code d'accès", "Código de acceso", "PIN", "Passcode", "Access PIN"])
@pytest.mark.parametrize("link", ["https://zoom.us/j/81500000000\n", ""])
def test_what_may_be_a_long_pin_is_no_number(label: str, link: str) -> None:
    told = platforms().read_text(f"{link}{label}: 271828182\n")
    assert [secret.matches("271828182") for secret in told.pins] == [True]
    assert "271828182" not in written([told])


def test_an_invitation_teaches_its_access_number() -> None:
    stage = platforms()
    assert len(list(stage.place(offered("sip:+31205550199@sbc.example.com")))) == 1
    stage.read_text(WEBEX_EN)
    reached = list(stage.place(offered("sip:0205550199@sbc.example.com")))[1]
    assert isinstance(reached, DialInReached)
    assert reached.platform == "webex"
    assert stage.counts["access_numbers_learned"] == 1


def test_what_stood_on_the_wire_teaches_nothing() -> None:
    stage = platforms()
    one_tap = "tel:+31205550199,,*01*27311234567##*01*"
    assert [ref.key for ref in stage.refs_of(one_tap)] == ["number:27311234567"]
    list(stage.place(offered(one_tap)))
    assert dict(stage.learned) == {}


def test_what_was_learned_can_be_handed_on() -> None:
    reader = platforms()
    reader.read_text(WEBEX_EN)
    assert dict(reader.learned) == {"+31205550199": "webex"}
    stage = Platforms(Policy(), number_text=number_text, access_numbers=reader.learned)
    assert [type(event) for event in stage.place(offered("sip:0205550199@sbc.example.com"))] == [
        CallOffered,
        DialInReached,
    ]


def test_what_the_policy_says_of_an_access_number_stands() -> None:
    stage = platforms()
    stage.read_text("tel:+31205550102,,*01*27311234567##*01*")
    reached = list(stage.place(offered("sip:+31205550102@sbc.example.com")))[1]
    assert isinstance(reached, DialInReached)
    assert reached.platform == "zoom"


HOSTILE: dict[str, Callable[[int], str]] = {
    "digits": lambda n: "1" * n,
    "spaced digits": lambda n: "1 " * (n // 2),
    "labels": lambda n: "meeting number: 2731 123 4567\n" * (n // 30),
    "one-tap": lambda n: "+31205550199,,27311234567#" * (n // 26),
    "nearly one-tap": lambda n: "+31205550199,,,,,,,,,,,," * (n // 24),
    "pluses": lambda n: "+1 " * (n // 3),
    "commas": lambda n: "1," * (n // 2),
    "tags": lambda n: "<" * n,
    "open tag": lambda n: "<a " * (n // 3),
    "at signs": lambda n: "a@" * (n // 2),
    "links": lambda n: "https://ministry.webex.com/ministry/j.php?MTID=" * (n // 47),
    "links apart": lambda n: "https://ministry.webex.com/meet/jan " * (n // 36),
    "long link": lambda n: "https://zoom.us/j/" + "8" * n,
    "parameters": lambda n: "https://zoom.us/j/81500000000?" + "a=b&" * (n // 4),
    "escapes": lambda n: "https://zoom.us/j/" + "%31" * (n // 3),
    "entities": lambda n: "&amp;" * (n // 5),
    "ampersands": lambda n: "&" * n,
    "slashes": lambda n: "a./" * (n // 3),
    "wrapped": lambda n: "https://x.safelinks.protection.outlook.com/?url=" * (n // 48),
    "dots": lambda n: "https://" + "a." * (n // 2) + "/x",
    "dashes": lambda n: "1-" * (n // 2),
    "pin": lambda n: "pin: 4711 " * (n // 10),
}


@pytest.mark.parametrize("shape", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_is_read_in_linear_time(shape: Callable[[int], str]) -> None:
    stage = platforms()
    stage.read_text(shape(4096))

    def seconds(size: int) -> float:
        best = 9.0
        for _ in range(3):
            start = time.process_time()
            stage.read_text(shape(size))
            best = min(best, time.process_time() - start)
        return best

    small, large = seconds(8 * 1024), seconds(64 * 1024)
    assert large < 24 * max(small, 0.002)  # eight times the text; sixty-four times would be quadratic
