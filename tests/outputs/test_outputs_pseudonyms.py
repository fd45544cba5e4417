"""Pseudonyms: of nobody who is in the captures, calendars and directories is anything left in any output."""

import io
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from monitor.cli import main
from monitor.model.problems import ConfigError
from monitor.outputs import OUTPUTS, Output
from monitor.outputs.calls import CallList
from monitor.outputs.journal import Journal
from monitor.outputs.metrics import Metrics
from monitor.outputs.pseudonyms import Pseudonyms, Veiled, key_in
from monitor.outputs.terminal import Terminal
from monitor.pipeline import Decode, Expected, Replay, captures_of
from pcaps.generator import Host
from pcaps.stories import town
from tests.outputs.outputs_samples import DECODE, PLATFORMS, REPLAY, RULES, SUMMARY
from tests.outputs.test_outputs_injection import planted
from tests.scenarios import expected_of, labelled, records_of

KEY = bytes(range(40))
CAPTURES = labelled()
GROUPS = 6
"""The captures in so many tests, so that several processes can share them."""


def people_of(expected: Expected) -> set[str]:
    """Every name, number and address that directory, calendar and the town's people have, in all their spellings."""
    from monitor.sources.directories import People

    everybody = expected.directory.everybody if isinstance(expected.directory, People) else ()
    texts = {text for person in everybody for text in (person.name, *person.addresses)}
    texts |= set(town.NUMBERS.values()) | {text for pair in town.MAIL.values() for text in pair}
    texts |= {ref.value for ref, _ in expected.calendar.named()}
    bare = {text.partition(":")[2] or text for text in texts}
    numbers = {text.lstrip("+") for text in bare if re.fullmatch(r"\+[0-9]+", text)}
    found = {*(text for text in bare if not text.startswith("+")), *numbers, *(number[-9:] for number in numbers)}
    return {text.casefold() for text in found if len(text) > 3}


def hosts() -> set[str]:
    return {host.ip for host in vars(town).values() if isinstance(host, Host)}


def told_of(capture: Path, expected: Expected) -> str:
    """Everything that every output tells."""
    known = Pseudonyms(KEY, number_text=expected.number_text, markings=expected.policy.classifications)
    page, calls = io.StringIO(), io.StringIO()
    replayed, decoded = io.BytesIO(), io.BytesIO()
    metrics = Metrics(RULES, PLATFORMS, counts=SUMMARY.counts)
    by_name: dict[str, tuple[Output, ...]] = {
        "journal": (Journal(replayed), Journal(decoded, "decode")),
        "metrics": (metrics,),
        "terminal": (Terminal(page, width=100, colour=False),),
        "calls": (CallList(calls, width=100, colour=False),),
    }
    assert set(by_name) == set(OUTPUTS)
    kinds: tuple[tuple[Any, list[Output]], ...] = (
        (Replay, [by_name["journal"][0], metrics, *by_name["terminal"]]),
        (Decode, [by_name["journal"][1], *by_name["calls"]]),
    )
    for kind, outputs in kinds:
        pipeline = kind(captures_of([capture]), expected, [Veiled(outputs, known)])
        pipeline.run()
        pipeline.finish()
        for output in outputs:
            output.close()
    lines = [*replayed.getvalue().splitlines(), *decoded.getvalue().splitlines()]
    assert lines
    texts = [metrics.text().decode(), *(_without_captures(json.loads(line)) for line in lines)]
    return "\n".join([*texts, _without(page.getvalue()), _without(calls.getvalue())]).casefold()


def _without_captures(said: Any) -> str:
    """What a line says; the names of captures and the times may hold anything."""
    if isinstance(said, dict):
        return " ".join(_without_captures(one) for name, one in said.items() if name not in ("capture", "time"))
    if isinstance(said, list):
        return " ".join(map(_without_captures, said))
    return str(said)


def _without(page: str) -> str:
    return re.sub(r"[\w-]+\.pcap\S*", "", page)


@pytest.mark.parametrize("group", range(GROUPS))
def test_of_nobody_in_the_labelled_scenarios_is_anything_told(group: int) -> None:
    for capture in CAPTURES[group::GROUPS]:
        expected = expected_of(capture)
        told = told_of(capture, expected)
        hits = [text for text in {*people_of(expected), *hosts()} if text in told]
        assert hits == [], capture


@pytest.mark.parametrize(
    "payload", ["Zebedee Quixano", "sip:zebedee@quixano.example", "tel:+31205559876", "192.0.2.251"]
)
def test_a_field_that_can_hold_somebody_is_hidden_whichever_it_is(payload: str) -> None:
    known = Pseudonyms(KEY)
    for record in (*REPLAY, *DECODE):
        names = {"capture", "platform", "rule", "classification", "protocol", "what"}
        told = msgspec.json.encode(_emptied(known.record(planted(record, payload)), names)).decode()
        for part in payload.removeprefix("sip:").removeprefix("tel:+31").split():
            assert part not in told, told


def _emptied(noun: Any, names: set[str]) -> Any:
    """Without the fields that keep what they hold, since it is ours or the operator's."""
    if isinstance(noun, msgspec.Struct):
        return {name: _emptied(getattr(noun, name), names) for name in noun.__struct_fields__ if name not in names}
    if isinstance(noun, dict):
        return {}
    return [_emptied(one, names) for one in noun] if isinstance(noun, (tuple, list)) else noun


def test_one_person_has_one_name_under_one_key_and_another_under_another() -> None:
    expected = expected_of(CAPTURES[0])
    known = Pseudonyms(KEY, number_text=expected.number_text)
    spellings = ["tel:+31205550112", "+31205550112", "sip:+31205550112@192.0.2.10;user=phone", "tel:0205550112"]
    assert len({known.of(spelling) for spelling in spellings}) == 1
    assert known.of(spellings[0]) != Pseudonyms(bytes(reversed(KEY))).of(spellings[0])
    assert known.of("Anna  de vries") == known.of("anna de Vries")
    assert known.of("SIP:Anna@Ministry.example:5060;x=y") == known.of("sip:anna@ministry.example")
    assert known.of("ip:2001:db8::1") == known.of("2001:0db8:0::1")
    assert known.of("anonymous") == "anonymous"
    assert known.of("sip:anonymous@anonymous.invalid") == "sip:anonymous"


def test_what_it_says_is_still_valid_and_still_tells_who_is_who() -> None:
    capture = next(path for path in CAPTURES if path.parent.name == "incident")
    expected = expected_of(capture)
    schema = Draft202012Validator(json.loads(files("monitor.outputs").joinpath("journal.schema.json").read_bytes()))
    plain, hidden = io.BytesIO(), io.BytesIO()
    known = Pseudonyms(KEY, number_text=expected.number_text)
    for sink, veil in ((plain, False), (hidden, True)):
        journal = Journal(sink)
        outputs: list[Output] = [journal]
        pipeline = Replay(captures_of([capture]), expected, [Veiled(outputs, known)] if veil else outputs)
        pipeline.run()
        pipeline.finish()
        journal.close()
    pairs = list(zip(records_of(plain.getvalue()), records_of(hidden.getvalue()), strict=True))
    for before, after in pairs:
        schema.validate(after)
        assert (before["type"], before["time"], before.get("evidence")) == (
            after["type"], after["time"], after.get("evidence"),
        )  # fmt: skip
        # The same by way of the journal: what `explain --pseudonyms` does with a journal that has names.
        if before["type"] == "alert":
            assert known.object(before)["subject"] == after["subject"] == known.of(before["subject"])
            assert known.object(before)["id"] == after["id"]
            assert known.object(after, again=True) == after


@pytest.mark.parametrize(
    ("content", "mode", "found"),
    [
        pytest.param(bytes(range(31)), 0o600, "holds 31 bytes", id="short"),
        pytest.param(bytes(range(32)), 0o640, "others may read it", id="group"),
        pytest.param(bytes(range(32)), 0o604, "others may read it", id="world"),
        pytest.param(bytes(64), 0o600, "no random key", id="zeros"),
        pytest.param(bytes(5000), 0o600, "more than 4096", id="long"),
    ],
)
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: bytes, mode: int, found: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=found):
        key_in(path)


def test_the_commands_take_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    journal = tmp_path / "incident.jsonl"
    assert main(["demo", "--pseudonyms", str(path), "--json", str(journal)]) == 0
    capsys.readouterr()
    assert main(["pseudonym", "--key", str(path), "tel:+31205550177"]) == 0
    outsider = capsys.readouterr().out.strip()
    assert outsider in journal.read_text()
    explain = ["explain", "pin-bypass", "--journal", str(journal), "--pseudonyms", str(path), "--captures", "pcaps"]
    assert main(explain) == 0
    told = capsys.readouterr().out
    assert outsider in told
    assert "so they are not opened here" in told
    assert "555" not in told
