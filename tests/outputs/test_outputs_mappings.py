"""ECS, OCSF and CEF: values that their specifications allow, and nothing that the journal does not say."""

import re
from typing import Any

import pytest

from monitor.outputs.mappings.cef import cef_of
from monitor.outputs.mappings.ecs import ecs_of
from monitor.outputs.mappings.ocsf import ocsf_of
from monitor.outputs.records import object_of
from monitor.outputs.sinks.people import withheld
from tests.outputs.outputs_samples import GHOST, ODDITIES, P_ANNA, PIN_BYPASS, REPLAY, TEN, joined, left, tried

TECHNIQUES = {"pin-bypass": "T1078.001", "anonymous-participant": "T1133"}
ECS_CATEGORIES = {  # ECS 8.11, categorization fields: category → the types that it expects
    "authentication": {"start", "end", "info"},
    "intrusion_detection": {"allowed", "denied", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "session": {"start", "end", "info"},
}


def line(record: Any) -> dict[str, Any]:
    said = object_of(record, TEN)
    assert said is not None
    return said


EVERY = [line(record) for record in REPLAY if object_of(record, TEN) is not None]


@pytest.mark.parametrize("said", EVERY, ids=[str(said["type"]) for said in EVERY])
def test_every_document_of_ecs_keeps_to_its_words(said: dict[str, Any]) -> None:
    document = ecs_of(said, TECHNIQUES, "hague-1")
    event = document["event"]
    assert document["@timestamp"] == said["time"]
    assert document["ecs"] == {"version": "8.11.0"}
    assert event["kind"] in {"alert", "event"}
    for category in event.get("category", []):
        assert set(event["type"]) <= ECS_CATEGORIES[category]
    assert event.get("outcome", "success") in {"success", "failure", "unknown"}
    known = {"event", "observer", "rule", "threat", "service", "network", "user", "source", "related", "joinwatch"}
    assert set(document) <= known | {"@timestamp", "ecs", "message"}


def test_an_alert_in_ecs() -> None:
    document = ecs_of(line(PIN_BYPASS), TECHNIQUES, "hague-1")
    assert document["event"] == {
        "kind": "alert",
        "category": ["intrusion_detection"],
        "type": ["info"],
        "action": "pin-bypass",
        "module": "joinwatch",
        "dataset": "joinwatch.alert",
        "id": PIN_BYPASS.id,
        "severity": 73,
        "start": "2026-03-12T09:04:11.000000Z",
        "end": "2026-03-12T09:04:11.000000Z",
        "reason": "the invitation has a numeric PIN, and the call never contained it: # alone was enough",
    }
    assert document["threat"] == {
        "framework": "MITRE ATT&CK",
        "technique": {"id": ["T1078"], "subtechnique": {"id": ["T1078.001"]}},
    }
    assert document["user"] == {"id": "tel:+31205550199", "name": "+31205550199"}
    assert document["rule"]["name"] == "pin-bypass"


@pytest.mark.parametrize("said", EVERY, ids=[str(said["type"]) for said in EVERY])
def test_every_event_of_ocsf_has_what_its_class_requires(said: dict[str, Any]) -> None:
    event = ocsf_of(said, TECHNIQUES, "hague-1")
    for required in ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"):
        assert required in event
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["metadata"]["version"] == "1.3.0"
    assert {"name", "vendor_name"} <= set(event["metadata"]["product"])
    assert event["class_uid"] // 1000 == event["category_uid"]
    match event["class_uid"]:
        case 2004:
            assert {"uid", "title"} <= set(event["finding_info"])
        case 3002:
            assert {"user", "service"} <= set(event)
        case other:
            assert other == 0
    for observable in event.get("observables", []):
        assert {"name", "type_id", "value"} <= set(observable)
        found: Any = event
        for part in observable["name"].split("."):
            found = found[part.removesuffix("[]")]
            found = found[0] if part.endswith("[]") else found
        assert found == observable["value"]


def test_an_alert_that_is_seen_again_updates_the_finding() -> None:
    first = ocsf_of(line(GHOST), TECHNIQUES, "")
    again = ocsf_of(line(GHOST) | {"count": 2}, TECHNIQUES, "")
    assert (first["activity_id"], first["type_uid"], first["severity_id"]) == (1, 200401, 3)
    assert (again["activity_id"], again["type_uid"]) == (2, 200402)
    assert first["finding_info"]["uid"] == again["finding_info"]["uid"] == GHOST.id


def test_who_comes_and_goes_is_a_session_and_an_authentication() -> None:
    came, went = line(joined(P_ANNA)), line(left(P_ANNA, 58))
    assert ecs_of(came, {}, "")["event"]["category"] == ["session"]
    assert [ocsf_of(said, {}, "")["activity_id"] for said in (came, went)] == [1, 2]
    assert ocsf_of(came, {}, "")["session"] == ocsf_of(went, {}, "")["session"]
    assert ocsf_of(line(tried(4)), {}, "")["status_id"] == 2
    assert ocsf_of(line(ODDITIES[0]), {}, "")["class_uid"] == 0


def test_cef_has_its_head_and_its_escapes() -> None:
    said = line(PIN_BYPASS) | {"summary": "a|b\\c=d\ne", "subject": "sip:a=b@example.com"}
    text = cef_of(said, "hague-1")
    head = re.split(r"(?<!\\)\|", text, maxsplit=7)
    assert head[:5] == ["CEF:0", "joinwatch", "joinwatch", head[3], "pin-bypass"]
    assert head[5] == r"a\|b\\c=d\\x0ae"
    assert head[6] == "8"
    assert r"suser=sip:a\=b@example.com" in head[7]
    assert r"msg=a|b\\c\=d\\x0ae" in head[7]
    assert "cs1=webex cs1Label=platform" in head[7]
    assert f"rt={1773306251000} cat=alert externalId={PIN_BYPASS.id} cnt=1" in head[7]


def test_without_leave_no_line_holds_anybody() -> None:
    people = (
        "5550",
        "Anna",
        "Bram",
        "mailto",
        "ministry",
        "sip:room",
        "27311234567",
        "198.51.100.7",
        "Briefing",
        "briefing",
    )
    for said in EVERY:
        if said["type"] == "summary":
            continue
        for document in (withheld(said), ecs_of(withheld(said), {}, ""), ocsf_of(withheld(said), {}, "")):
            text = repr(document)
            assert not [name for name in people if name in text], said["type"]
