"""From an alert's id back to the frames that show it, without a digit, a body or a token of them."""

import io
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.model.alerts import Alert
from monitor.model.evidence import Evidence, Fact
from monitor.model.problems import ConfigError
from monitor.outputs import frames, keys
from monitor.outputs.explain import explain, list_alerts
from monitor.outputs.frames import read_frames
from monitor.outputs.journal import Journal
from monitor.outputs.places import Places
from tests.outputs.outputs_samples import ENUMERATION, PIN_BYPASS, UNINVITED
from tests.outputs.test_outputs_injection import PAYLOADS, is_plain, planted

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

INVITE = (
    b"INVITE sip:81234567890.S3cr3t@bridge.example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1\r\n"
    b'From: "Anna \\\\x1b[31m" <sip:+31205550199@192.0.2.10>;tag=1\r\n'
    b"To: <sip:81234567890@bridge.example.com>\r\n"
    b"Call-ID: call-4@192.0.2.10\r\nCSeq: 1 INVITE\r\n"
    b"P-Asserted-Identity: <sip:+31205550199@192.0.2.10>\r\n"
    b'Authorization: Digest username="anna", response="S3cr3t"\r\n'
    b"Identity: eyJhbGciOiJFUzI1NiJ9.S3cr3t.sig;info=<https://cert.example>\r\n"
    b"Contact: <sip:anna:S3cr3t@192.0.2.10>\r\nContent-Length: 0\r\n\r\n"
)
INFO = (
    b"INFO sip:bridge.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK2\r\n"
    b"f: <sip:+31205550199@192.0.2.10>;tag=1\r\nt: <sip:bridge.example.com>;tag=2\r\n"
    b"i: call-4@192.0.2.10\r\nCSeq: 2 INFO\r\nContent-Type: application/dtmf-relay\r\nContent-Length: 24\r\n\r\n"
    b"Signal=7\r\nDuration=160\r\n"
)
KEY = struct.pack("!BBHIIBBH", 0x80, 101, 7, 1000, 0xDECAF, 7, 10, 160)


def ethernet(payload: bytes, port: int = 5060) -> bytes:
    udp = struct.pack("!HHHH", port, port, 8 + len(payload), 0) + payload
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\xc0\x00\x02\x0a", b"\xc6\x33\x64\x14"
    )
    frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + head + udp
    return frame.ljust(60, b"\0")


def written_capture(path: Path, payloads: Sequence[tuple[bytes, int]]) -> Path:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    packets = [ethernet(payload, port) for payload, port in payloads]
    records = [struct.pack("<IIII", 1_773_306_251 + n, 250_000, len(p), len(p)) + p for n, p in enumerate(packets)]
    path.write_bytes(head + b"".join(records))
    return path


def alert_about(capture: str, *numbers: int) -> Alert:
    evidence = tuple(Evidence(capture=capture, frame=number) for number in numbers)
    return replace(PIN_BYPASS, reasons=(Fact(fact="# alone was enough", evidence=evidence),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with three alerts, and the capture beside it."""
    written_capture(tmp_path / "trunk.pcap", [(INVITE, 5060), (INFO, 5060), (KEY, 4000), (KEY, 4000)])
    journal = Journal.to(str(tmp_path / "journal.jsonl"))
    for alert in (UNINVITED, alert_about("trunk.pcap", 1, 2, 3), ENUMERATION, replace(ENUMERATION, count=99)):
        journal.write(alert)
    journal.close()
    return tmp_path


def explained(alert_id: str, journal: Path, *captures: Path, tshark: str | None = "", width: int = 80) -> str:
    stream = io.StringIO()
    explain(alert_id, journal, captures, stream, timezone="Europe/Amsterdam", width=width, colour=False, tshark=tshark)
    return stream.getvalue()


def without_secrets(text: str) -> bool:
    return not any(secret in text for secret in ("S3cr3t", "Signal", "Seven", "Event ID", "Digest", "eyJ"))


@pytest.mark.parametrize(
    "how", ["none", pytest.param("pyshark", marks=needs_tshark), pytest.param("tshark", marks=needs_tshark)]
)
def test_an_alert_is_explained_with_its_frames(how: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "tshark":
        monkeypatch.setattr(frames, "_by_pyshark", lambda *_: 1 // 0)
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl", tshark="" if how == "none" else None)
    assert " HIGH  pin-bypass" in text
    assert "- # alone was enough [trunk.pcap:1,2,3]" in text
    assert "coverage partial: some of its signalling could not be read" in text
    assert "what to do: docs/runbooks/pin-bypass.md" in text
    assert "All times are those of Europe/Amsterdam." in text
    assert "frame 1, 2026-03-12 10:04:11.250000" in text
    assert "192.0.2.10 → 198.51.100.20" in text
    assert "Request-Line: INVITE sip:81234567890.***@bridge.example.com SIP/2.0" in text
    assert "P-Asserted-Identity: <sip:+31205550199@192.0.2.10>" in text
    assert "Contact: <sip:anna:***@192.0.2.10>" in text
    assert "Content-Type: application/dtmf-relay" in text
    assert "frame 3, " in text
    assert "frame 4, " not in text
    assert without_secrets(text)
    assert ("through pyshark reads" in text) is (how == "pyshark")
    assert ("tshark is not installed" in " ".join(text.split())) is (how == "none")
    assert ("failed: ZeroDivisionError" in text) is (how == "tshark")


@needs_tshark
def test_pyshark_and_tshark_read_the_same(folder: Path) -> None:
    tshark = shutil.which("tshark")
    assert tshark
    capture = folder / "trunk.pcap"
    assert frames._by_pyshark(capture, [1, 2, 3], tshark) == frames._by_tshark(capture, [1, 2, 3], tshark)


@needs_tshark
def test_a_key_stays_a_secret_where_signalling_names_it(tmp_path: Path) -> None:
    """With the payload type negotiated, tshark knows the telephone-event and could tell the key."""
    sdp = (
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr\r\n"
    )
    length = str(len(sdp)).encode()
    head = b"Content-Type: application/sdp\r\nContent-Length: " + length
    offer = INVITE.replace(b"Content-Length: 0", head) + sdp
    answer = b"SIP/2.0 200 OK\r\n" + offer.split(b"\r\n", 1)[1].replace(b"192.0.2.10\r\nt=", b"198.51.100.20\r\nt=")
    capture = written_capture(tmp_path / "trunk.pcap", [(offer, 5060), (answer, 5060), (KEY, 4000)])
    reading = read_frames(capture, [1, 3])
    said = str(reading.frames)
    assert "telephone-event: a digit (which one is not shown)" in said
    assert "audio 4000 RTP/AVP 0 101" in said
    assert without_secrets(said)


@needs_tshark
def test_a_damaged_capture_is_read_as_far_as_it_goes(folder: Path) -> None:
    capture = folder / "trunk.pcap"
    capture.write_bytes(capture.read_bytes()[:-20])
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl", tshark=None)
    assert "frame 3, " in text
    capture.write_bytes(b"no capture at all")
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl", tshark=None)
    assert "the capture cannot be opened" in text


@needs_tshark
def test_tshark_has_a_time_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "SECONDS", 0.001)
    tshark = shutil.which("tshark")
    assert tshark
    with pytest.raises(TimeoutError):
        frames._by_tshark(folder / "trunk.pcap", [1], tshark)


def test_what_takes_too_long_is_told_and_read_by_ourselves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> list[frames.Dissected]:
        raise TimeoutError

    monkeypatch.setattr(frames, "_by_pyshark", slow)
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl", tshark="/usr/bin/tshark")
    assert "took longer than 60 s" in text
    assert "as joinwatch reads it" in text


def test_the_start_of_an_id_is_enough(folder: Path) -> None:
    assert "pin-bypass" in explained(PIN_BYPASS.id[:5], folder / "journal.jsonl")


def test_a_rule_that_raised_one_alert_is_enough(folder: Path) -> None:
    assert " HIGH  pin-bypass" in explained("pin-bypass", folder / "journal.jsonl")


def test_a_rule_that_raised_several_is_not_guessed(tmp_path: Path) -> None:
    journal = Journal.to(str(tmp_path / "journal.jsonl"))
    for end in "ab":
        journal.write(replace(PIN_BYPASS, id=f"123{end}"))
    journal.close()
    with pytest.raises(ConfigError, match=r"2 alerts are of the rule 'pin-bypass'; expected one of them: 123a"):
        explained("pin-bypass", tmp_path / "journal.jsonl")


def test_the_alerts_of_a_journal_are_listed(folder: Path) -> None:
    stream = io.StringIO()
    list_alerts(folder / "journal.jsonl", stream, timezone="Europe/Amsterdam", width=80, colour=False)
    text = stream.getvalue()
    assert "3 alerts, times in Europe/Amsterdam" in text
    assert f"{PIN_BYPASS.id}  HIGH  pin-bypass, 2026-03-12 10:04:11" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_hash_key_is_shown_and_a_digit_is_not(folder: Path) -> None:
    hash_key = struct.pack("!BBHIIBBH", 0x80, 101, 8, 2000, 0xDECAF, 11, 10, 160)
    written_capture(folder / "trunk.pcap", [(KEY, 4000), (hash_key, 4000), (INFO, 5060)])
    for tshark in ["", *filter(None, [shutil.which("tshark")])]:
        text = explained("pin-bypass", folder / "journal.jsonl", tshark=tshark)
        assert "telephone-event: the key #" in text
        assert "telephone-event: a digit (which one is not shown)" in text
        assert "frame.number in {1, 2, 3}" in text
        assert ("frames 1 to 2: 1 digit, then #" in text) is bool(tshark)


def key_lines(*events: int) -> str:
    """What tshark says of keys of three packets each, which a mirror port has doubled."""
    return "".join(
        f"{10 * number + copy}\t{1000 * number}\t{event}\n"
        for number, event in enumerate(events, 1)
        for copy in range(6)
    )


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((2, 7, 11), ["frames 10 to 30: 2 digits, then #"]),
        ((2, 11, 11, 11), ["frames 10 to 20: 1 digit, then #", "frame 30: # alone", "frame 40: # alone"]),
        ((10, 1, 10, 3), ["frame 10: * alone", "frames 20 to 30: 1 digit, then *", "frame 40: 1 digit"]),
        ((16, 12, 200), []),
        ((), []),
    ],
)
def test_keys_are_counted_by_groups(
    events: tuple[int, ...], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, "no\tsense\n\n" + key_lines(*events), "")

    monkeypatch.setattr(subprocess, "run", answer)
    assert [keys.group_words(group) for group in keys.groups_of(tmp_path, "0x1", "tshark", (), 1)] == words


def test_a_tshark_that_cannot_count_costs_only_the_count(tmp_path: Path) -> None:
    assert keys.groups_of(tmp_path / "no.pcap", "0x1", str(tmp_path / "no-tshark"), (), 1) == []


def test_captures_of_one_name_are_told_apart_by_their_folders(folder: Path) -> None:
    for sensor in ("north", "south"):
        (folder / sensor).mkdir()
        written_capture(folder / sensor / "trunk.pcap", [(KEY, 4000)] * (1 if sensor == "north" else 5))
    (folder / "trunk.pcap").unlink()
    journal = folder / "journal.jsonl"
    for named in ([], [folder / "north", folder / "south"], [folder]):
        places = Places(named, journal)
        for sensor in ("north", "south"):
            assert places.of(f"{sensor}/trunk.pcap") == folder / sensor / "trunk.pcap"
    assert Places([], journal).of("trunk.pcap") is None
    assert Places([folder], journal).of("trunk.pcap") == folder / "north" / "trunk.pcap"


def test_the_last_word_on_an_alert_counts(folder: Path) -> None:
    assert "99 times" in explained(ENUMERATION.id, folder / "journal.jsonl")


def test_an_id_that_is_not_there_names_those_that_are(folder: Path) -> None:
    wrong = PIN_BYPASS.id[:-1] + ("0" if PIN_BYPASS.id[-1] != "0" else "1")
    with pytest.raises(ConfigError, match=rf"no alert '{wrong}'.*{PIN_BYPASS.id} \(pin-bypass, high\)"):
        explained(wrong, folder / "journal.jsonl")
    with pytest.raises(ConfigError, match="meeting-enumeration"):
        explained("zzz", folder / "journal.jsonl")


def test_a_start_of_several_ids_is_not_guessed(tmp_path: Path) -> None:
    journal = Journal.to(str(tmp_path / "journal.jsonl"))
    for end in "abc":
        journal.write(replace(PIN_BYPASS, id=f"123{end}"))
    journal.close()
    with pytest.raises(ConfigError, match=r"3 alerts begin with '12'.*123a"):
        explained("12", tmp_path / "journal.jsonl")


def test_a_journal_without_alerts_or_no_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for path in (tmp_path / "empty.jsonl", tmp_path):  # a file, and a folder as the daemon writes it
        with pytest.raises(ConfigError, match="no alert is in it"):
            explained("", path)
    with pytest.raises(ConfigError, match="cannot be read"):
        explained("1", tmp_path / "absent.jsonl")


def test_broken_lines_are_passed_over(folder: Path) -> None:
    journal = folder / "journal.jsonl"
    good = journal.read_bytes()
    broken = b'{"type":"alert","id":7}\n\xff\xfe"alert"\n[1,"alert"]\n' + b'"alert"' * 300_000 + b"\n"
    journal.write_bytes(broken + good + good[:100])
    assert "pin-bypass" in explained(PIN_BYPASS.id, journal)


def test_a_capture_that_is_not_here_is_told(folder: Path) -> None:
    (folder / "trunk.pcap").rename(folder / "other.pcap")
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl")
    assert "trunk.pcap: 3 frames, and the capture is not here" in text


def test_a_capture_is_found_where_somebody_says_it_is(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("captures")
    (folder / "trunk.pcap").rename(elsewhere / "trunk.pcap")
    for place in (elsewhere, elsewhere / "trunk.pcap"):
        assert "frame 1, " in explained(PIN_BYPASS.id, folder / "journal.jsonl", place)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.pcap",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\0b",
        "sub/trunk.pcap",
        "//secret.pcap",
        "sub/../../secret.pcap",
        "x" * 300,
    ],
)
def test_a_journal_cannot_lead_out_of_the_folder(name: str, folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (folder / "trunk.pcap").rename(folder / "secret.pcap")
    journal = Journal.to(str(inner / "journal.jsonl"))
    journal.write(alert_about(name, 1))
    journal.close()
    text = explained(PIN_BYPASS.id, inner / "journal.jsonl")
    assert "the capture is not here" in " ".join(text.split())


def test_frames_that_the_capture_does_not_have_are_told(folder: Path) -> None:
    journal = Journal.to(str(folder / "journal.jsonl"))
    journal.write(alert_about("trunk.pcap", 1, 400))
    journal.close()
    assert "Not in that capture: 400." in explained(PIN_BYPASS.id, folder / "journal.jsonl")


def test_only_some_of_a_flood_of_frames_are_opened(folder: Path) -> None:
    written_capture(folder / "trunk.pcap", [(KEY, 4000)] * 60)
    journal = Journal.to(str(folder / "journal.jsonl"))
    journal.write(alert_about("trunk.pcap", *range(1, 61)))
    journal.close()
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl")
    assert text.count("a digit (which one is not shown)") == frames.MAX_FRAMES
    assert "… and 36 more frames." in text


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_hostile_text_of_a_journal_escapes(payload: str, tmp_path: Path) -> None:
    journal = Journal.to(str(tmp_path / "journal.jsonl"))
    journal.write(replace(planted(PIN_BYPASS, payload), id="1234"))
    journal.close()
    text = explained("1234", tmp_path / "journal.jsonl")
    assert all(is_plain(char) for char in text.replace("\n", ""))
    assert len(text) < 10_000


@pytest.mark.parametrize(
    "payload", [INVITE[:40], b"SIP/2.0 200 OK", b"\x80" * 12, b"", b"\x1b]0;x\x07 SIP/2.0\r\n\x1b: \xff\r\n"]
)
def test_odd_frames_are_read_without_harm(payload: bytes, folder: Path) -> None:
    written_capture(folder / "trunk.pcap", [(payload, 5060)] * 3)
    text = explained(PIN_BYPASS.id, folder / "journal.jsonl")
    assert "frame 1, " in text
    assert all(is_plain(char) for char in text.replace("\n", ""))
