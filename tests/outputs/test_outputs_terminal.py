"""The page for people: who was where, what is wrong with it, and what could not be seen; readable at 80 columns."""

import io
import re
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from monitor.model.accounts import FRAME_CLASSES, Accounts, Losses
from monitor.model.alerts import Severity
from monitor.model.evidence import MINUTE
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from monitor.model.roster import Verdict
from monitor.model.summary import CaptureReport, Summary
from monitor.outputs.books import CLASSES, ENVELOPES
from monitor.outputs.calls import AT_ONCE, MAX_CALLS, CallList
from monitor.outputs.records import Record
from monitor.outputs.terminal import Terminal
from monitor.outputs.words import clock, lasted, many, zone_of
from monitor.wire import COUNTED
from tests.outputs.outputs_samples import (
    ANNA,
    DECODE,
    ENUMERATION,
    GHOST,
    NOTHING,
    ODDITIES,
    P_ANNA,
    P_STRANGER,
    PIN_BYPASS,
    REPLAY,
    SUMMARY,
    TEN,
    UNINVITED,
    joined,
    left,
    offered,
    participant,
    seen,
)

AMSTERDAM = "Europe/Amsterdam"


def page_of(
    *records: Record,
    journal: str | None = None,
    width: int | None = 80,
    colour: bool | None = False,
    explain_options: Sequence[str] = (),
) -> str:
    stream = io.StringIO()
    terminal = Terminal(
        stream, timezone=AMSTERDAM, width=width, colour=colour, journal=journal, explain_options=explain_options
    )
    for record in records:
        terminal.write(record)
    terminal.close()
    return stream.getvalue()


def calls_of(*records: Record, width: int | None = 80) -> str:
    stream = io.StringIO()
    calls = CallList(stream, timezone=AMSTERDAM, width=width, colour=False)
    for record in records:
        calls.write(record)
    calls.close()
    return stream.getvalue()


def test_a_morning_at_80_columns() -> None:
    page = page_of(*REPLAY)
    assert all(len(line) <= 80 for line in page.splitlines())
    assert "Briefing water safety\n2026-03-12 10:00–11:00 · webex number 27311234567 · Dep.V.\n" in page
    anna = r"^Anna de Vries +telephone +09:58:25 +10:58:00 +yes, invited\n\+31205550101 +with PIN$"
    assert re.search(anna, page, re.MULTILINE)
    assert re.search(r"^\+31205550199 +telephone +10:04:11 +11:00:00 +NO, not invited\n", page, re.MULTILINE)
    assert re.search(r"^anonymous +telephone +10:06:40 +10:09:00 +NO, anonymous$", page, re.MULTILINE)
    assert re.search(r"^Room 4.12 +SIP +09:56:00 +still in +yes, invited$", page, re.MULTILINE)
    assert "Invited, and not seen here: Carla Smit." in page
    assert "A meeting that no calendar knows" in page
    assert "Not admitted: 12 tries by 1 source for 12 meeting numbers; 1 wrong PIN." in page
    assert "Alerts: 3 high, 1 medium" in page
    assert "trunk-2026-03-12.pcapng:12,40" in page
    assert re.search(r"^sip +bad syntax +2 +trunk-2026-03-12.pcapng:77", page, re.MULTILINE)
    assert "Damaged: trunk-2026-03-12.pcapng after frame 1,460,022" in page
    assert "1,460,022 frames" in page


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    for page in (page_of(*REPLAY, width=width), calls_of(*DECODE, width=width)):
        assert max(len(line) for line in page.splitlines() if "joinwatch explain" not in line) <= width


def test_a_display_name_is_only_what_somebody_says() -> None:
    page = page_of(joined(P_STRANGER))
    assert "says “Anna de Vries”" in page


def test_most_severe_first_then_oldest() -> None:
    worst = replace(GHOST, id="f" * 16, severity=Severity.CRITICAL, rule="classification-exceeds-platform")
    page = page_of(GHOST, UNINVITED, PIN_BYPASS, ENUMERATION, worst)
    order = re.findall(r"^ (CRITICAL|HIGH|MEDIUM)  (\S+)$", page, re.MULTILINE)
    assert [severity for severity, _ in order] == ["CRITICAL", "HIGH", "HIGH", "HIGH", "MEDIUM"]
    assert order[1] == ("HIGH", "meeting-enumeration")


def test_an_alert_seen_again_is_shown_once_with_its_last_word() -> None:
    page = page_of(ENUMERATION, replace(ENUMERATION, count=40))
    assert page.count("meeting-enumeration") == 1
    assert "40 times" in page


def test_reasons_of_two_alerts_are_told_once() -> None:
    page = page_of(UNINVITED, replace(PIN_BYPASS, reasons=(*PIN_BYPASS.reasons, *UNINVITED.reasons[1:])))
    assert page.count("the call lived on for 20 s") == 1
    assert re.search("- and . reasons? given above with (pin-bypass|uninvited-participant)", page)


def test_the_hint_can_be_copied_whole() -> None:
    path = "/var/lib/joinwatch/a-rather-long-folder/of somebody/who-likes-long-names/journal.jsonl"
    command = f"joinwatch explain {UNINVITED.id} --journal"
    assert "run this again with --json FILE" in page_of(UNINVITED)
    assert command not in page_of(UNINVITED)
    assert f"{command} FILE\n" in page_of(UNINVITED, journal="-")
    assert f"{command} '{path}'\n" in page_of(UNINVITED, journal=path)
    options = ["--captures", "last night's"]
    assert f"""{command} j --captures 'last night'"'"'s'\n""" in page_of(
        UNINVITED, journal="j", explain_options=options
    )


def test_the_hint_is_for_the_worst_alert_and_stands_once() -> None:
    page = page_of(replace(UNINVITED, severity=Severity.LOW), PIN_BYPASS, journal="j")
    assert page.count("joinwatch explain") == 1
    assert f"joinwatch explain {PIN_BYPASS.id}" in page
    assert all(re.search(rf"^  id +{alert.id}$", page, re.MULTILINE) for alert in (UNINVITED, PIN_BYPASS))


def test_meetings_are_named_as_people_name_them() -> None:
    page = page_of(replace(UNINVITED, summary="joined webex number:27311234567", reasons=()))
    assert "joined webex number 27311234567" in page
    assert "number:" not in page


def test_half_a_run_is_told_on_its_page() -> None:
    stream = io.StringIO()
    for made in (Terminal(stream, width=80), CallList(stream, width=80)):
        made.interrupted = True
        made.write(SUMMARY)
        made.close()
    assert stream.getvalue().count("Interrupted: the captures were not read to their end.") == 2


def test_people_of_the_directory_are_named_in_alerts() -> None:
    who = participant(7, "tel:+31205550101", ANNA, verdict=Verdict.UNINVITED)
    page = page_of(joined(who), replace(UNINVITED, subject="tel:+31205550101"))
    assert "Anna de Vries, +31205550101 (a trusted trunk vouches for it)" in page


def test_times_are_those_of_the_policys_zone() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, timezone="America/New_York", width=80, colour=False)
    terminal.write(joined(P_ANNA))
    terminal.close()
    assert "2026-03-12 05:00–06:00" in stream.getvalue()
    assert "04:58:25" in stream.getvalue()


def test_another_day_is_told() -> None:
    page = page_of(joined(P_ANNA), left(P_ANNA, 24 * 60))
    assert "2026-03-13" in page


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        pytest.param(Summary(at=TEN, captures=(), counts={}), "there is not one frame", id="nothing read"),
        pytest.param(NOTHING, "no signalling that joinwatch can read", id="nothing looked at"),
        pytest.param(
            replace(NOTHING, captures=(CaptureReport(capture="a.pcap", frames=9, wanted=3),)),
            "not one call that could be read",
            id="no call",
        ),
        pytest.param(
            replace(NOTHING, captures=(CaptureReport(capture="a.pcap", frames=9, wanted=3),), counts={"calls": 7}),
            "7 calls went by, and none was admitted to a meeting of a known platform",
            id="calls to nowhere",
        ),
    ],
)
def test_no_alert_never_reads_as_no_intrusion(summary: Summary, said: str) -> None:
    page = page_of(summary)
    assert page.lstrip().startswith("No meeting and no alert. That is no proof that nobody was there.")
    assert said in " ".join(page.split())
    assert "encrypted signalling" in page
    assert "from outside" in page


def test_a_meeting_without_alert_has_the_same_warning() -> None:
    page = page_of(joined(P_ANNA), SUMMARY)
    assert "No alert. That is no proof that nobody was there." in page
    assert "a capture is damaged" in page
    assert "No alert" not in page_of(joined(P_STRANGER), UNINVITED, SUMMARY)


def test_what_was_lost_is_told_when_there_is_no_alert() -> None:
    evicted = Oddity(at=TEN, evidence=seen(5), protocol="tcp", reason=Reason.EVICTED)
    page = page_of(ODDITIES[2], evicted, NOTHING)
    assert "parts of streams are missing" in page
    assert "tables were full" in page


def test_colour_is_added_to_words_and_never_instead() -> None:
    plain, coloured = page_of(*REPLAY), page_of(*REPLAY, colour=True)
    assert "\x1b[" not in plain
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == plain.split()


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Tty()
    terminal = Terminal(stream)
    terminal.write(joined(P_STRANGER))
    terminal.close()
    assert ("\x1b[" in stream.getvalue()) is expected
    assert max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()) == 100


def test_a_stream_that_knows_only_ascii_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    terminal = Terminal(stream, width=80)
    terminal.write(joined(replace(P_STRANGER, identity=replace(P_STRANGER.identity, display="Zoë"))))
    terminal.close()
    assert b'says "Zo\\xeb"' in raw.getvalue()


def test_the_same_records_give_the_same_page() -> None:
    assert page_of(*REPLAY) == page_of(*REPLAY)
    assert calls_of(*DECODE) == calls_of(*DECODE)


def test_a_crowd_is_cut_and_the_unexpected_are_kept() -> None:
    crowd = [joined(participant(n, f"tel:+3120555{n:04d}", ANNA, after=n)) for n in range(500)]
    page = page_of(*crowd, joined(participant(999, "tel:+31205559999", verdict=Verdict.UNINVITED, after=600)))
    assert "+31205559999" in page
    assert "… and 441 more; the journal has them all." in page


def test_memory_has_a_limit() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, width=80)
    record = joined(P_ANNA)
    for n in range(Limits().page_participants + 5):
        terminal.write(replace(record, participant=replace(P_ANNA, id=str(n))))
    terminal.close()
    assert "earlier participants that this page has no room for: 5 invited" in " ".join(stream.getvalue().split())


def test_calls_have_a_line_each() -> None:
    page = calls_of(*DECODE)
    assert "3 calls, 2026-03-12, times in Europe/Amsterdam" in page
    assert re.search(r"^10:00:00 +\+31205550101@\S+ +\+31207654321@\S+ +answered +13:00 +13$", page, re.MULTILINE)
    assert re.search(r"^10:01:00 +bram@\S+ +27311234567@\S+ +refused 486$", page, re.MULTILINE)
    assert re.search(r"^10:01:39 +anonymous@\S+ +a-rather-long\S+ +forwarded$", page, re.MULTILINE)


def test_no_call_is_not_no_conversation() -> None:
    assert "No call could be read. Calls in encrypted signalling (SIP over TLS) cannot be seen." in " ".join(
        calls_of(NOTHING).split()
    )


def test_many_calls_are_shown_before_the_end() -> None:
    stream = io.StringIO()
    calls = CallList(stream, width=80)
    for n in range(MAX_CALLS + 1):
        calls.write(offered(n, "sip:a@ministry.example", "sip:b@ministry.example", TEN + n * MINUTE))
    assert stream.getvalue().count("no answer") == AT_ONCE
    calls.close()
    assert stream.getvalue().count("no answer") == MAX_CALLS + 1


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [(0, "0:00"), (42 * 10**9, "0:42"), (723 * 10**9, "12:03"), (3730 * 10**9, "1:02:10"), (-5, "0:00")],
)
def test_durations(nanoseconds: int, expected: str) -> None:
    assert lasted(nanoseconds) == expected


@pytest.mark.parametrize("at", [-(2**80), -1, 0, 2**63, 2**80])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "nowhere/at-all", "../../etc/passwd", ""])
def test_any_clock_in_any_zone_can_be_shown(at: int, zone: str) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", clock(at, zone_of(zone)))


def test_numbers_have_their_words() -> None:
    assert [many(1, "call"), many(1200, "call"), many(2, "try", "tries")] == ["1 call", "1,200 calls", "2 tries"]


def test_the_books_are_on_the_page() -> None:
    page = page_of(*REPLAY)
    books = " ".join(page[page.index("Frames: ") :].split())
    assert books == (
        "Frames: 1,460,022 = 3,150 decoded + 49 TCP without content + 2 known to no decoder + 1,456,821 passed over, "
        "since no decoder asks for such. Around them: VLAN 3,201. Missing: 1,400 bytes in 2 gaps of TCP streams, "
        "the ends of 3 frames, cut by the snap length, 12 frames that the capturing system dropped, "
        "what stood at 1 damaged place."
    )
    assert "Missing: nothing, as far as can be known." in page_of(NOTHING)


def test_books_that_do_not_add_up_say_so() -> None:
    torn = replace(NOTHING, accounts=Accounts(frames=400, decoded=399))
    assert "1 not accounted for" in page_of(torn)


def test_every_class_and_every_envelope_has_a_name_for_people() -> None:
    assert set(CLASSES) == set(FRAME_CLASSES)
    assert set(ENVELOPES) == {name.removeprefix("in_") for name in COUNTED.values()} | {"hep"}


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (replace(NOTHING, accounts=Accounts(frames=400, encrypted=400)), "400 frames were encrypted as a whole"),
        (replace(NOTHING, losses=Losses(dropped_by_system=1)), "frames were dropped before they came into it"),
    ],
)
def test_blindness_is_told_where_there_is_no_alert(summary: Summary, said: str) -> None:
    assert said in " ".join(page_of(summary).split())
