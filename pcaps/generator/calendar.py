"""iCalendar files as Outlook writes them for a Webex meeting (RFC 5545): CRLF, folded lines, escaped text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_LINE = 75
"""Octets of one line (RFC 5545, section 3.1)."""
ZONES = """BEGIN:VTIMEZONE
TZID:Europe/Amsterdam
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Europe/London
BEGIN:DAYLIGHT
TZOFFSETFROM:+0000
TZOFFSETTO:+0100
TZNAME:BST
DTSTART:19700329T010000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
TZNAME:GMT
DTSTART:19701025T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One VEVENT: a meeting, or the override of one of its instances."""

    uid: str
    number: str
    title: str
    start: str
    """Local time, `20250318T100000`."""
    end: str
    organizer: str
    attendees: tuple[str, ...]
    """Whole property values: `CN=Bram Jansen:mailto:…`, with their parameters before."""
    pin: str = ""
    zone: str = "Europe/Amsterdam"
    text: str = ""
    """What stands above the platform's own text."""
    properties: tuple[str, ...] = ()
    """More lines: RRULE, EXDATE, RECURRENCE-ID, CATEGORIES, …"""
    status: str = "CONFIRMED"
    sequence: int = 0

    @property
    def lines(self) -> list[str]:
        """The component, unfolded."""
        link = f"https://ministry.webex.com/ministry/j.php?MTID=m{int(self.number):032x}"
        return [
            "BEGIN:VEVENT",
            f"UID:{self.uid}",
            "DTSTAMP:20250301T090000Z",
            f"DTSTART;TZID={self.zone}:{self.start}",
            f"DTEND;TZID={self.zone}:{self.end}",
            *self.properties,
            f"SEQUENCE:{self.sequence}",
            f"SUMMARY:{escaped(self.title)}",
            f"ORGANIZER;{self.organizer}",
            *(f"ATTENDEE;{attendee}" for attendee in self.attendees),
            f"DESCRIPTION:{escaped(self._description(link))}",
            f"LOCATION:{link}",
            f"STATUS:{self.status}",
            "TRANSP:OPAQUE",
            "END:VEVENT",
        ]

    def _description(self, link: str) -> str:
        spaced = f"{self.number[:4]} {self.number[4:7]} {self.number[7:]}"
        keys = f"{self.number}#{self.pin}#" if self.pin else f"{self.number}##"
        lines = [self.text, ""] if self.text else []
        lines += ["Join from the meeting link", link, "", "Join by meeting number"]
        lines.append(f"Meeting number (access code): {spaced}")
        if self.pin:
            lines.append(f"Meeting password: Wq8tRz3nVb5 ({self.pin} when dialing from a phone or video system)")
        lines += ["", "Tap to join from a mobile device (attendees only)"]
        lines.append(f"+31-20-555-0100,,{keys} Netherlands Toll")
        lines += ["", "Join from a video system or application", f"Dial {self.number}@ministry.webex.com"]
        return "\n".join(lines)


def escaped(text: str) -> str:
    """A TEXT value (RFC 5545, section 3.3.11)."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def folded(line: str) -> str:
    """No line longer than 75 octets, and no character cut in two."""
    parts, part, room = [], "", MAX_LINE
    for character in line:
        if len((part + character).encode()) > room:
            parts.append(part)
            part, room = "", MAX_LINE - 1
        part += character
    return "\r\n ".join([*parts, part])


def calendar_of(events: Sequence[Event]) -> bytes:
    """One file: a meeting and its overrides."""
    method = "CANCEL" if events[0].status == "CANCELLED" else "REQUEST"
    head = ["BEGIN:VCALENDAR", "PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN", "VERSION:2.0"]
    lines: Iterable[str] = [
        *head,
        f"METHOD:{method}",
        *ZONES.split("\n"),
        *(line for event in events for line in event.lines),
        "END:VCALENDAR",
    ]
    return "".join(folded(line) + "\r\n" for line in lines).encode()
