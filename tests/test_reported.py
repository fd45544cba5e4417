"""Meetings of which a capture agent tells (HEP), beside the mirror port or instead of it: the same joins and alerts."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.pipeline import Expected
from pcaps.generator.hep import AGENT, reported
from tests.scenarios import expected_of, journal_of, labelled, name_of, records_of

FOLDERS = {capture.parent: capture for capture in reversed(labelled())}
"""The first capture of each rule, and the incident."""
WHERE = frozenset({"evidence", "facts", "reasons", "time", "last_seen"})
"""What depends on which frame showed it."""


def listing(capture: Path, *senders: str) -> Expected:
    """What is expected, with these agents in the policy."""
    expected = expected_of(capture)
    site = msgspec.structs.replace(expected.policy.site, hep_senders=senders)
    return msgspec.structs.replace(expected, policy=msgspec.structs.replace(expected.policy, site=site))


def replayed(capture: Path, folder: Path, content: bytes, expected: Expected) -> bytes:
    copy = folder / capture.name
    copy.write_bytes(content)
    return journal_of(copy, expected=expected)


def said_in(journal: bytes) -> list[dict[str, Any]]:
    """Every record but the summary, without where it was seen."""
    found = [{k: v for k, v in r.items() if k not in WHERE} for r in records_of(journal) if r["type"] != "summary"]
    return sorted(found, key=msgspec.json.encode)


@pytest.mark.parametrize("capture", FOLDERS.values(), ids=name_of)
def test_what_an_agent_reports_is_as_what_was_seen_but_for_its_mark(capture: Path, tmp_path: Path) -> None:
    seen = journal_of(capture, expected=expected_of(capture))
    told = replayed(capture, tmp_path, reported(capture.read_bytes()), listing(capture, AGENT.ip))
    mark = f',"reported_by":"{AGENT.ip}"'.encode()
    lines = [line for line in told.replace(mark, b"").splitlines() if not line.startswith(b'{"type":"summary"')]
    assert lines == [line for line in seen.splitlines() if not line.startswith(b'{"type":"summary"')]
    assert mark in told


@pytest.mark.parametrize("capture", FOLDERS.values(), ids=name_of)
def test_a_call_that_is_both_seen_and_reported_is_one_call(capture: Path, tmp_path: Path) -> None:
    seen = journal_of(capture, expected=expected_of(capture))
    both = replayed(capture, tmp_path, reported(capture.read_bytes(), besides=True), listing(capture, AGENT.ip))
    assert said_in(both) == said_in(seen)


INCIDENT = next(capture for capture in labelled() if capture.name == "incident.pcap")


def joins_of(journal: bytes) -> list[dict[str, Any]]:
    return [record for record in records_of(journal) if record["type"] == "join"]


def test_a_trunk_in_a_report_is_trusted_only_if_the_policy_names_the_agent(tmp_path: Path) -> None:
    content = reported(INCIDENT.read_bytes())
    named = joins_of(replayed(INCIDENT, tmp_path, content, listing(INCIDENT, "192.0.2.0/27")))
    anybody = joins_of(replayed(INCIDENT, tmp_path, content, expected_of(INCIDENT)))
    assert "asserted" in {join["identity"]["trust"] for join in named}
    assert anybody
    assert {join["identity"]["trust"] for join in anybody} <= {"claimed", "none"}
    assert all("reported_by" in seen for join in anybody for fact in join["facts"][:1] for seen in fact["evidence"])


def test_an_agent_that_the_policy_does_not_name_is_not_heard(tmp_path: Path) -> None:
    expected = listing(INCIDENT, "192.0.2.99")
    records = records_of(replayed(INCIDENT, tmp_path, reported(INCIDENT.read_bytes()), expected))
    oddities = [record for record in records if record["type"] == "oddity"]
    assert not [record for record in records if record["type"] in ("join", "alert")]
    assert {(oddity["protocol"], oddity["evidence"][0]["reported_by"]) for oddity in oddities} == {("hep", AGENT.ip)}
    assert records[-1]["counts"]["hep_unlisted"] > 10 * len(oddities), "told once an hour"
    assert records[-1]["counts"]["hep_messages"] == 0
