"""The journal: the contract's objects, a line each, by the shipped schema, whatever the wire said."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from monitor.model.evidence import SECOND
from monitor.model.problems import ConfigError
from monitor.outputs.journal import BATCH_BYTES, Journal, schema
from monitor.outputs.records import Mode, Record, object_of, time_of
from tests.outputs.outputs_samples import (
    DECODE,
    ENUMERATION,
    ODDITIES,
    P_STRANGER,
    PIN_BYPASS,
    REPLAY,
    SUMMARY,
    TEN,
    WRONG_PIN,
    joined,
    left,
    tried,
)

VALID = Draft202012Validator(json.loads(schema()))


def journal_of(records: tuple[Record, ...], mode: Mode = "replay") -> bytes:
    sink = io.BytesIO()
    journal = Journal(sink, mode)
    for record in records:
        journal.write(record)
    journal.close()
    return sink.getvalue()


def lines_of(records: tuple[Record, ...], mode: Mode = "replay") -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal_of(records, mode).splitlines()]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema()))


@pytest.mark.parametrize(("mode", "records"), [("replay", REPLAY), ("decode", DECODE)])
def test_every_line_follows_the_schema(mode: Mode, records: tuple[Record, ...]) -> None:
    lines = lines_of(records, mode)
    assert len(lines) > 10
    for line in lines:
        VALID.validate(line)


def test_the_schema_knows_every_kind_of_line_and_no_other() -> None:
    kinds = {line["type"] for line in lines_of(REPLAY) + lines_of(DECODE, "decode")}
    assert kinds == {"join", "leave", "attempt", "alert", "oddity", "summary", "call", "digits", "roster"}
    shapes = [shape.get("properties", {}).get("type", {}) for shape in VALID.schema["$defs"].values()]
    constants = {json.dumps(shape) for shape in shapes if "const" in shape}
    # What the daemon alone writes, its tests hold against the same schema.
    assert constants == {json.dumps({"const": kind}) for kind in kinds | {"reload", "erased"}}


def test_the_schema_is_strict() -> None:
    for line in lines_of(REPLAY) + lines_of(DECODE, "decode"):
        assert not VALID.is_valid({**line, "pin": "1234"})
        assert not VALID.is_valid({key: value for key, value in line.items() if key != "time"})


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("replay", {"join", "leave", "attempt", "alert", "oddity", "summary"}),
        ("decode", {"call", "digits", "roster", "oddity", "summary"}),
    ],
)
def test_each_command_keeps_its_own_kinds(mode: Mode, expected: set[str]) -> None:
    assert {line["type"] for line in lines_of(REPLAY + DECODE, mode)} == expected


def test_a_join_as_the_contract_has_it() -> None:
    said = object_of(joined(P_STRANGER))
    assert said is not None
    assert list(said)[:3] == ["type", "time", "id"]
    assert said["type"] == "join"
    assert said["meeting"] == {"uid": "briefing-41@ministry.example", "platform": "webex", "key": "number:27311234567"}
    assert (said["subject"], said["method"], said["verdict"]) == ("tel:+31205550199", "pstn", "uninvited")
    assert said["joined_at"] == "2026-03-12T09:04:11.000000Z"
    assert said["time"] == "2026-03-12T09:04:31.000000Z"
    assert said["evidence"] == [
        {"capture": "trunk-2026-03-12.pcapng", "frame": 400},
        {"capture": "trunk-2026-03-12.pcapng", "frame": 440},
    ]


def test_a_leave_has_the_id_of_its_join() -> None:
    come, gone = object_of(joined(P_STRANGER)), object_of(left(P_STRANGER, 60))
    assert come is not None
    assert gone is not None
    assert gone["id"] == come["id"]
    assert gone["left_at"] == "2026-03-12T10:00:00.000000Z"


def test_an_alert_as_the_contract_has_it() -> None:
    said = object_of(PIN_BYPASS)
    assert said is not None
    assert said["runbook"] == "docs/runbooks/pin-bypass.md"
    assert said["reasons"][0]["fact"].startswith("the invitation has a numeric PIN")
    assert said["reasons"][0]["evidence"][0] == {"capture": "trunk-2026-03-12.pcapng", "frame": 410}
    assert (said["confidence"], said["coverage"], said["count"]) == ("asserted", "partial", 1)
    campaign = object_of(ENUMERATION)
    assert campaign is not None
    assert campaign["meeting"] is None


def test_attempts_tell_a_wrong_pin_from_the_rest_and_no_digit() -> None:
    refused, other = object_of(WRONG_PIN), object_of(tried(3))
    assert refused is not None
    assert other is not None
    assert (refused["outcome"], refused["slots"]) == ("wrong pin", [{"state": "wrong", "length": 8}])
    assert (other["outcome"], other["known"]) == ("not admitted", True)


def test_the_passport_is_not_kept() -> None:
    text = journal_of(DECODE, "decode").decode()
    assert '"passport":true' in text
    assert "eyJ" not in text


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (TEN + 1_999, "2026-03-12T09:00:00.000001Z"),
        (-1, "1970-01-01T00:00:00.000000Z"),
        (2**80, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_799 * SECOND, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_times_are_rfc_3339_whatever_the_clock_said(at: int, expected: str) -> None:
    assert time_of(at) == expected


@given(st.integers(0, 4_000_000_000 * SECOND))
def test_times_agree_with_datetime(at: int) -> None:
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    assert datetime.fromisoformat(time_of(at)) == moment.replace(microsecond=at % SECOND // 1000)


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_of_the_wire_makes_one_line_of_json(text: str) -> None:
    line = journal_of((msgspec.structs.replace(ODDITIES[0], what=text),))
    assert line.count(b"\n") == 1
    assert line.isascii() or not re.search("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line.decode())
    VALID.validate(json.loads(line))
    assert msgspec.json.decode(line) == json.loads(line)


def test_lines_are_in_the_order_of_time_and_an_alert_tells_its_own() -> None:
    lines = lines_of(REPLAY)
    times = [line["time"] for line in lines if line["type"] in ("join", "attempt", "alert")]
    assert times == sorted(times)
    late = lines_of((SUMMARY, PIN_BYPASS))[1]
    assert late["time"] == "2026-03-12T10:01:00.000000Z"
    assert late["last_seen"] == "2026-03-12T09:04:11.000000Z"


def test_the_same_records_give_the_same_bytes() -> None:
    assert journal_of(REPLAY) == journal_of(REPLAY)
    assert journal_of(DECODE, "decode") == journal_of(DECODE, "decode")


class Reluctant(io.RawIOBase):
    """Takes at most 100 bytes at a time, as a pipe may."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def write(self, data: Any) -> int:
        self.calls.append(bytes(data[:100]))
        return len(self.calls[-1])


def test_a_sink_that_takes_little_gets_everything() -> None:
    sink = Reluctant()
    journal = Journal(sink)
    for record in REPLAY:
        journal.write(record)
    journal.close()
    assert b"".join(sink.calls) == journal_of(REPLAY)


class Counting(io.BytesIO):
    writes: list[bytes]

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data))
        return super().write(data)


def test_each_write_is_of_whole_lines_and_an_alert_waits_for_nothing() -> None:
    sink = Counting()
    sink.writes = []
    journal = Journal(sink)
    journal.write(ODDITIES[0])
    assert sink.writes == []
    journal.write(PIN_BYPASS)
    assert len(sink.writes) == 1
    assert sink.writes[0].count(b"\n") == 2
    while len(sink.writes) < 3:
        journal.write(ODDITIES[0])
    assert all(batch.endswith(b"\n") for batch in sink.writes)
    assert BATCH_BYTES <= len(sink.writes[-1]) < BATCH_BYTES + 1000


def test_a_journal_in_a_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for _ in range(2):
        journal = Journal.to(str(path))
        journal.write(SUMMARY)
        journal.close()
    assert path.read_bytes() == journal_of((SUMMARY,))


def test_a_file_that_cannot_be_written_is_the_operators_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Journal.to(str(tmp_path / "absent" / "journal.jsonl"))


def test_standard_output_stays_open(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    journal = Journal.to("-")
    journal.write(SUMMARY)
    journal.close()
    assert capfdbinary.readouterr().out == journal_of((SUMMARY,))
