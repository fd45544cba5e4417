"""Why an alert was raised: from its line in the journal back to the frames that show it.

Also of a journal that somebody else sent: nothing in it is trusted, neither for the terminal nor as a path.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from monitor.model.alerts import Alert, Coverage, Severity
from monitor.model.evidence import SECOND, Fact, Nanoseconds
from monitor.model.invitations import Occurrence
from monitor.model.meetings import Kind, MeetingRef
from monitor.model.problems import ConfigError, Problem
from monitor.model.roster import Trust
from monitor.outputs.frames import MAX_FRAMES, OPTIONS, SECONDS, Dissected, Reading, read_frames
from monitor.outputs.keys import group_words, groups_of, stream_filter
from monitor.outputs.page import Page, severity_text
from monitor.outputs.places import Places
from monitor.outputs.report import alert_lines
from monitor.outputs.safe import shown
from monitor.outputs.words import clock, local, many, name, sentence, zone_of

MAX_LINE_BYTES = 1024 * 1024
"""Of one line of a journal; a longer one is none of ours."""
MAX_CAPTURES = 8
"""Captures opened for one alert."""
MAX_STREAMS = 4
"""Key streams of one capture that are counted: each is one more reading by tshark."""
ALERTS_LISTED = 200
_SSRC = re.compile(r"0x[0-9a-f]{8}")
LABELS = {"rtpevent": "key"}
HIDDEN = "The packets hold what the pseudonyms hide, so they are not opened here."
MAX_ALERTS = 100_000
"""Alerts of a journal that are told apart."""

if TYPE_CHECKING:
    from monitor.outputs.pseudonyms import Pseudonyms


class MeetingLine(msgspec.Struct, frozen=True):
    """A meeting as the journal has it."""

    uid: str | None
    platform: str
    key: str


class OccurrenceLine(msgspec.Struct, frozen=True):
    """An occurrence as the journal has it."""

    start: datetime
    end: datetime
    summary: str = ""
    classification: str = ""


class AlertLine(msgspec.Struct, frozen=True):
    """An alert as the journal has it."""

    type: str
    id: str
    rule: str
    severity: Severity
    meeting: MeetingLine | None
    subject: str
    summary: str
    reasons: tuple[Fact, ...]
    first_seen: datetime
    last_seen: datetime
    count: int
    occurrence: OccurrenceLine | None = None
    confidence: Trust = Trust.NONE
    coverage: Coverage = Coverage.OBSERVED
    runbook: str = ""


def explain(
    asked: str,
    journal: Path,
    captures: Sequence[Path] = (),
    stream: TextIO | None = None,
    *,
    timezone: str = "UTC",
    width: int | None = None,
    colour: bool | None = None,
    tshark: str | None = None,
    pseudonyms: "Pseudonyms | None" = None,
) -> str:
    """Shows why an alert was raised, and gives its id; a ConfigError when the journal has none that is asked for.

    Asked for by its id, an unambiguous start of it, or the name of its rule where the rule has raised no other.
    `tshark` is the program to use; by default the one on the path, and none for an empty string. With `pseudonyms`
    nobody is named, and so no packet is shown.
    """
    line = _found(asked, journal, pseudonyms)
    zone = zone_of(timezone)
    page = Page(sys.stdout if stream is None else stream, width=width, colour=colour)
    alert_lines(page, _alert_of(line), (), zone, told={})
    if line.runbook:
        page.line(f"  what to do: {name(line.runbook, 120)}")
    page.line(f"  All times are those of {name(timezone)}.")
    if pseudonyms is None:
        tshark = shutil.which("tshark") if tshark is None else tshark
        _frame_lines(page, line, Places(captures, journal), zone, tshark or "")
    else:
        page.line()
        page.line(HIDDEN)
    page.show()
    return line.id


def list_alerts(
    journal: Path,
    stream: TextIO | None = None,
    *,
    timezone: str = "UTC",
    width: int | None = None,
    colour: bool | None = None,
    pseudonyms: "Pseudonyms | None" = None,
) -> None:
    """Shows which alerts the journal has, most severe first; a ConfigError when there is none."""
    alerts = sorted(
        _alerts(journal, pseudonyms).values(), key=lambda line: (-line.severity.rank, line.first_seen, line.id)
    )
    if not alerts:
        raise ConfigError([_nothing_in(journal)])
    zone = zone_of(timezone)
    page = Page(sys.stdout if stream is None else stream, width=width, colour=colour)
    page.line(f"{many(len(alerts), 'alert')}, times in {name(timezone)}", style="bold")
    for line in alerts[:ALERTS_LISTED]:
        page.line()
        seen = clock(_nanoseconds(line.first_seen), zone)
        page.line(f"{name(line.id)}  {severity_text(line.severity)}  {name(line.rule)}, {seen}")
        page.hanging("  ", sentence(line.summary))
    if len(alerts) > ALERTS_LISTED:
        page.line(f"… and {len(alerts) - ALERTS_LISTED:,} more.")
    page.show()


def _lines(journal: Path, pseudonyms: "Pseudonyms | None") -> Iterator[AlertLine]:
    """Every alert of the journal; what is no alert of ours is passed over, also the half line of a run that died."""
    try:
        for part in files_of(journal):
            with part.open("rb") as file:
                while line := file.readline(MAX_LINE_BYTES):
                    # Joins tell who bears the names that stand in the sentences of alerts.
                    if b'"alert"' not in line and (pseudonyms is None or b'"join"' not in line):
                        continue
                    with suppress(msgspec.DecodeError, ValueError):
                        alert = _alert_in(line, pseudonyms)
                        if alert is not None and alert.type == "alert":
                            yield alert
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        expected = "the file that `joinwatch replay --json FILE` wrote"
        raise ConfigError([Problem(file=str(journal), line=0, found=found, expected=expected)]) from None


def _alert_in(line: bytes, pseudonyms: "Pseudonyms | None") -> AlertLine | None:
    if pseudonyms is None:
        return msgspec.json.decode(line, type=AlertLine)
    said = pseudonyms.object(msgspec.json.decode(line, type=dict[str, Any]), again=True)
    return msgspec.convert(said, AlertLine) if said.get("type") == "alert" else None


def files_of(journal: Path) -> list[Path]:
    """The files of a journal: one of a replay, the numbered ones in the folder of a daemon."""
    return (sorted(journal.glob("*.jsonl")) if journal.is_dir() else []) or [journal]


def _alerts(journal: Path, pseudonyms: "Pseudonyms | None" = None) -> dict[str, AlertLine]:
    """The newest line of each alert."""
    alerts: dict[str, AlertLine] = {}
    for line in _lines(journal, pseudonyms):
        if line.id in alerts or len(alerts) < MAX_ALERTS:
            alerts[line.id] = line
    return alerts


def _nothing_in(journal: Path) -> Problem:
    return Problem(file=str(journal), line=0, found="no alert is in it", expected="a journal of a run that raised one")


def _found(asked: str, journal: Path, pseudonyms: "Pseudonyms | None") -> AlertLine:
    """The newest line of the alert that is meant; with pseudonyms its own id is known too."""
    alerts = _alerts(journal, pseudonyms)
    if pseudonyms is not None and pseudonyms.id_of(asked) in alerts:
        asked = pseudonyms.id_of(asked)
    if asked in alerts:
        return alerts[asked]
    by_id = [alert for alert in alerts if asked and alert.startswith(asked)]
    meant = by_id or [alert for alert, line in alerts.items() if line.rule == asked]
    if len(meant) == 1:
        return alerts[meant[0]]
    asked = shown(asked, 64)
    if not alerts:
        raise ConfigError([_nothing_in(journal)])
    if meant:
        found = f"{len(meant)} alerts " + (f"begin with {asked!r}" if by_id else f"are of the rule {asked!r}")
        expected = f"one of them: {_listed(alerts, meant)}"
    else:
        close = get_close_matches(asked, list(alerts)[:1000], n=3, cutoff=0.5) or list(alerts)
        found, expected = f"no alert {asked!r}", f"an id, or the start of one, such as {_listed(alerts, close)}"
    raise ConfigError([Problem(file=str(journal), line=0, found=found, expected=expected)])


def _listed(alerts: dict[str, AlertLine], ids: Sequence[str]) -> str:
    return ", ".join(f"{name(one)} ({name(alerts[one].rule)}, {alerts[one].severity})" for one in ids[:4])


def _alert_of(line: AlertLine) -> Alert:
    """The noun again, as far as the journal keeps it."""
    uid = line.meeting.uid if line.meeting else None
    meeting = occurrence = None
    if line.meeting is not None:
        kind, _, value = line.meeting.key.partition(":")
        known = kind in list(Kind)
        meeting = MeetingRef(
            platform=line.meeting.platform,
            kind=Kind(kind) if known else Kind.NUMBER,
            value=value if known else line.meeting.key,
        )
    if line.occurrence is not None:
        occurrence = Occurrence(
            uid=uid or "",
            start=_nanoseconds(line.occurrence.start),
            end=_nanoseconds(line.occurrence.end),
            summary=line.occurrence.summary,
            classification=line.occurrence.classification,
        )
    return Alert(
        id=line.id,
        rule=line.rule,
        severity=line.severity,
        meeting=meeting,
        occurrence=occurrence,
        series=uid,
        subject=line.subject,
        summary=line.summary,
        reasons=line.reasons,
        confidence=line.confidence,
        coverage=line.coverage,
        first_seen=_nanoseconds(line.first_seen),
        last_seen=_nanoseconds(line.last_seen),
        count=max(line.count, 1),
    )


def _nanoseconds(moment: datetime) -> Nanoseconds:
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000


def _frame_lines(page: Page, line: AlertLine, places: Places, zone: tzinfo, tshark: str) -> None:
    """The frames of all reasons, each once, by capture."""
    wanted: dict[str, set[int]] = {}
    for fact in line.reasons:
        for seen in fact.evidence:
            wanted.setdefault(seen.capture, set()).add(seen.frame)
    for capture, numbers in list(wanted.items())[:MAX_CAPTURES]:
        page.line()
        path = places.of(capture)
        if path is None:
            page.line(f"{name(capture)}: {many(len(numbers), 'frame')}, and the capture is not here", style="bold")
            page.line("  Put it beside the journal, or name its folder with --captures.")
            continue
        reading = read_frames(path, numbers, tshark=tshark)
        page.line(f"{name(capture)}, as {name(reading.by, 120)} reads it", style="bold")
        for trouble in reading.trouble:
            page.line(f"  ({name(trouble, 200)})", style="yellow")
        for frame in reading.frames:
            _one_frame(page, frame, zone)
        missing = sorted(numbers - {frame.number for frame in reading.frames})
        if len(numbers) > MAX_FRAMES:
            page.line(f"  … and {len(numbers) - MAX_FRAMES} more frames.")
        elif missing:
            page.line(f"  Not in that capture: {', '.join(map(str, missing))}. Is it the same file?")
        _proof_lines(page, path, reading, tshark)


def _proof_lines(page: Page, path: Path, reading: Reading, tshark: str) -> None:
    """What else the key streams of these frames contain, and how to see all of it without us."""
    if not reading.frames:
        return
    streams = list(dict.fromkeys(ssrc for frame in reading.frames if (ssrc := _key_stream(frame))))[:MAX_STREAMS]
    for ssrc in streams if tshark else ():
        groups = groups_of(path, ssrc, tshark, OPTIONS, SECONDS)
        if groups:
            page.line()
            page.line(f"  all keys of the RTP stream {ssrc}, as tshark counts them")
            for group in groups:
                page.line(f"    {group_words(group)}")
    numbers = ", ".join(str(frame.number) for frame in reading.frames)
    page.line()
    page.hanging("  ", "To see it without joinwatch, which shows every key, also those of a PIN:")
    for wanted in (f"frame.number in {{{numbers}}}", *map(stream_filter, streams)):
        command = ("tshark", *OPTIONS, "-r", str(path), "-Y", wanted)
        page.whole(f"    {' '.join(shown(quote(word), 400) for word in command)}", style="dim")


def _key_stream(frame: Dissected) -> str:
    """The SSRC of a frame that holds a key; empty when it holds none."""
    layers = {layer.name: layer for layer in frame.layers}
    if "rtpevent" not in layers or "rtp" not in layers:
        return ""
    ssrc = dict(layers["rtp"].fields).get("SSRC", "")
    return ssrc if _SSRC.fullmatch(ssrc) else ""


def _one_frame(page: Page, frame: Dissected, zone: tzinfo) -> None:
    page.line()
    page.line(f"  frame {frame.number}{_heading(frame, zone)}")
    bare = [name(layer.name, 12) for layer in frame.layers if not layer.fields]
    if bare:
        page.labelled("    in", ", ".join(bare))
    for layer in frame.layers:
        if layer.name == "frame" or not layer.fields:
            continue
        if layer.name in ("ip", "ipv6", "udp", "tcp"):
            lines = [_ends(dict(layer.fields))]
        else:
            lines = [f"{label}: {name(value, 300)}" if label else name(value, 300) for label, value in layer.fields]
        page.labelled(f"    {name(LABELS.get(layer.name, layer.name), 6)}", "\n".join(lines))


def _heading(frame: Dissected, zone: tzinfo) -> str:
    """When it was, and how long it is."""
    said = dict(frame.layers[0].fields) if frame.layers else {}
    parts = []
    seconds, _, fraction = said.get("time", "").partition(".")
    if seconds.isascii() and seconds.isdecimal() and len(seconds) < 13:
        moment = local(int(seconds) * SECOND, zone).strftime("%Y-%m-%d %H:%M:%S")
        parts.append(f"{moment}.{name(fraction[:6], 6)}")
    if "bytes on the wire" in said:
        parts.append(f"{name(said['bytes on the wire'])} bytes")
    return "".join(f", {part}" for part in parts)


def _ends(said: dict[str, str]) -> str:
    """`192.0.2.10 → 198.51.100.20`, of addresses or of ports."""
    source = said.get("from") or said.get("from port") or "?"
    target = said.get("to") or said.get("to port") or "?"
    return f"{name(source)} → {name(target)}"
