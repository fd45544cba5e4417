"""Evidence that proves less than other: what an agent reported, and what can be read in two ways."""

import io
import json

import pytest
from jsonschema import Draft202012Validator

from monitor.model.evidence import Evidence, Fact
from monitor.model.oddities import Oddity, Reason
from monitor.outputs.journal import Journal, schema
from monitor.outputs.words import frame, reason

SEEN = Evidence(capture="a.pcap", frame=1)
TOLD = Evidence(capture="a.pcap", frame=2, reported_by="192.0.2.30")
BOTH = Evidence(capture="a.pcap", frame=3, reported_by="192.0.2.30", ambiguous=True)


def written(evidence: Evidence) -> dict[str, object]:
    sink = io.BytesIO()
    journal = Journal(sink)
    journal.write(Oddity(at=0, evidence=evidence, protocol="hep", reason=Reason.GAP))
    journal.close()
    record = json.loads(sink.getvalue())
    Draft202012Validator(json.loads(schema())).validate(record)
    (found,) = record["evidence"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("evidence", "found"),
    [
        (SEEN, {"capture": "a.pcap", "frame": 1}),
        (TOLD, {"capture": "a.pcap", "frame": 2, "reported_by": "192.0.2.30"}),
        (BOTH, {"capture": "a.pcap", "frame": 3, "reported_by": "192.0.2.30", "ambiguous": True}),
    ],
)
def test_the_journal_says_so(evidence: Evidence, found: dict[str, object]) -> None:
    assert written(evidence) == found


def test_people_are_told() -> None:
    fact = Fact(fact="so it is", evidence=(SEEN, TOLD, TOLD, BOTH))
    assert reason(fact) == (
        "so it is [a.pcap:1, a.pcap:2 (reported by 192.0.2.30), a.pcap:3 (reported by 192.0.2.30, one of two readings)]"
    )
    assert frame(BOTH) == "a.pcap:3 (reported by 192.0.2.30, one of two readings)"
