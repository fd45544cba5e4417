"""A sink with `language = "nl"`: what is told in Dutch, what stays as it is, and that nobody is named by it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from monitor.detections import rule_infos
from monitor.model.sinks import AlertmanagerSink, SyslogSink, WebhookSink
from monitor.outputs.journal import schema
from monitor.outputs.records import object_of
from monitor.outputs.safe import MAX_TEXT
from monitor.outputs.sinks.alertmanager import annotations_of
from monitor.outputs.sinks.dutch import dutch_texts, in_dutch
from monitor.outputs.sinks.syslog import Syslog
from monitor.outputs.sinks.webhook import Webhook, id_of_line
from tests.corpus import ROOT
from tests.outputs.outputs_samples import P_STRANGER, PIN_BYPASS, TEN, joined

URL = "http://192.0.2.1:9093"


def line_of(record: Any) -> dict[str, Any]:
    said = object_of(record, TEN)
    assert said is not None
    return msgspec.json.decode(msgspec.json.encode(said))


ALERT = line_of(PIN_BYPASS)


def annotations(**more: Any) -> dict[str, str]:
    return annotations_of(ALERT, AlertmanagerSink(url=URL, **more))


def test_every_rule_has_its_texts_without_what_only_prometheus_fills_in() -> None:
    texts = dutch_texts()
    assert list(texts) == [info.name for info in rule_infos()]
    for text in texts.values():
        assert "{{" not in text.summary + text.description
        assert "joinwatch explain" not in text.description
        assert not text.summary.endswith((".", ")"))
        assert text.description.endswith(".")


@pytest.mark.parametrize("rule", dutch_texts())
def test_every_link_leads_to_a_runbook_in_dutch(rule: str) -> None:
    told = in_dutch({**ALERT, "rule": rule, "runbook": f"docs/runbooks/{rule}.md"})
    page = (ROOT / told["runbook"]).read_text(encoding="utf-8")
    assert page.startswith(f"# {rule}\n")
    assert "## Wat er is gebeurd" in page


def test_without_people_nobody_is_named_and_the_id_leads_to_the_rest() -> None:
    said = annotations(language="nl")
    assert (
        said["summary"] == f"Een inbeller kwam binnen zonder pincode (webex); joinwatch explain {ALERT['id']} zegt meer"
    )
    assert said["description"] == dutch_texts()["pin-bypass"].description
    assert said["runbook"] == "docs/runbooks/nl/pin-bypass.md"
    for secret in ("5550199", "Briefing", "briefing", "192.0.2.10", "27311234567"):
        assert secret not in json.dumps(said)
    nowhere = annotations_of({**ALERT, "meeting": None}, AlertmanagerSink(url=URL, language="nl"))
    assert nowhere["summary"].startswith("Een inbeller kwam binnen zonder pincode; joinwatch explain ")


def test_with_people_it_says_who_and_where_and_the_facts_follow_in_english() -> None:
    said, english = annotations(language="nl", people=True), annotations(people=True)
    assert said["summary"] == "Een inbeller kwam binnen zonder pincode: tel:+31205550199, “Briefing water safety”"
    means = dutch_texts()["pin-bypass"].description
    assert said["description"] == f"{means} Vastgesteld (Engels): {english['description']}"
    same = set(english) - {"summary", "description", "runbook"}
    assert {name: said[name] for name in same} == {name: english[name] for name in same}


def test_the_default_is_english_as_before() -> None:
    assert annotations() == annotations(language="en")
    assert annotations()["runbook"] == "docs/runbooks/pin-bypass.md"
    assert annotations(people=True)["summary"] == ALERT["summary"]


def test_nobody_is_called_anonymous_and_a_meeting_without_title_has_its_number() -> None:
    told = in_dutch({**ALERT, "subject": "anonymous", "occurrence": None})
    assert told["summary"].startswith("Een inbeller kwam binnen zonder pincode: anoniem, webex ")
    assert in_dutch({**ALERT, "meeting": None, "occurrence": None})["summary"].endswith(": tel:+31205550199")


def test_what_nobody_has_translated_stays_as_it_is() -> None:
    foreign = {**ALERT, "rule": "of-tomorrow", "runbook": "docs/runbooks/of-tomorrow.md"}
    assert in_dutch(foreign) == foreign
    assert "Vastgesteld" not in annotations_of(foreign, AlertmanagerSink(url=URL, language="nl", people=True))
    join = line_of(joined(P_STRANGER))
    assert in_dutch(join) == join


def test_a_runbook_of_elsewhere_and_an_endless_title_do_no_harm() -> None:
    told = in_dutch({**ALERT, "runbook": "https://soc.example/x", "occurrence": {"summary": "x" * 5000}})
    assert told["runbook"] == "https://soc.example/x"
    assert len(told["summary"]) == MAX_TEXT


def test_a_webhook_follows_the_schema_and_keeps_its_id(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret of thirty-two characters", encoding="ascii")
    valid = Draft202012Validator(json.loads(schema()))
    for people in (True, False):
        settings = WebhookSink(url=URL, secret_file=str(tmp_path / "secret"), language="nl", people=people)
        said = json.loads(Webhook(settings, {}).body_of(ALERT))
        valid.validate(said)
        assert said["summary"].startswith("Een inbeller kwam binnen zonder pincode")
        assert said["runbook"] == "docs/runbooks/nl/pin-bypass.md"
        assert [said["id"], said["rule"], said["severity"]] == [ALERT["id"], ALERT["rule"], ALERT["severity"]]
        assert id_of_line(said) == id_of_line(ALERT)


@pytest.mark.parametrize("form", ["rfc5424", "cef", "ecs", "ocsf"])
def test_syslog_tells_it_in_each_form(form: str) -> None:
    settings = SyslogSink(address="tcp://192.0.2.1:601", language="nl", format=form)  # type: ignore[arg-type]
    text = Syslog(settings, {}).message_of(ALERT).decode("utf-8")
    assert "Een inbeller kwam binnen zonder pincode (webex)" in text
    assert "5550199" not in text
    if form != "rfc5424":
        assert "docs/runbooks/nl/pin-bypass.md" in text
