"""What is counted, in the metrics as in the summary: closed lists that nothing in the code falls out of."""

import ast
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from monitor.detections import rule_infos
from monitor.model.oddities import Oddity, Reason
from monitor.outputs.metrics import OTHER, PROTOCOLS, Metrics
from monitor.pipeline import Record, Replay, captures_of, load_expected
from monitor.platforms import known_platforms
from tests.corpus import CORPUS
from tests.scenarios import PCAPS, expected_of

ROOT = Path(__file__).parents[1] / "monitor"
SAYERS = {"oddity_of": 1, "eviction_of": 1, "_oddity": 1}
"""Which argument of these is a protocol, where it is written out."""
NAMES = ("protocol", "layer", "PACKAGE", "PROTOCOL")
"""What a protocol is called elsewhere."""


def protocols_in(tree: ast.AST) -> Iterator[str]:
    """Every protocol that the code of a stage can put into an oddity."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if name in SAYERS and len(args) > SAYERS[name]:
                match args[SAYERS[name]]:
                    case ast.Constant(value=str(protocol)):
                        yield protocol
            case ast.Call(func=ast.Name(id="Oddity"), keywords=keywords):
                for keyword in keywords:
                    match keyword:
                        case ast.keyword(arg="protocol", value=ast.Constant(value=str(protocol))):
                            yield protocol
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(protocol))) if name in NAMES:
                yield protocol
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(protocol))) if name in NAMES:
                yield protocol


def test_the_metrics_know_every_protocol_of_the_code() -> None:
    stages = [path for stage in ("wire", "decoders", "sources") for path in (ROOT / stage).rglob("*.py")]
    found = {name for path in stages for name in protocols_in(ast.parse(path.read_text()))}
    assert {"ip", "link", "tcp", "udp", "sip", "sdp", "rtp", "hep"} <= found
    assert found <= set(PROTOCOLS)


def values_of(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


class Kept:
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        """Nothing to do."""


def test_metrics_and_summary_agree_and_no_series_appears_later() -> None:
    captures = [PCAPS / "incident" / "incident.pcap", *sorted(CORPUS.glob("encapsulation/*.*cap"))]
    kept = Kept()
    pipeline = Replay(captures_of(captures), load_expected(), [kept])
    metrics = Metrics(rules=rule_infos(), platforms=known_platforms(), counts=pipeline.summary().counts)
    pipeline.outputs = [kept, metrics]
    before = values_of(metrics)
    pipeline.run()
    summary = pipeline.finish()
    values = values_of(metrics)
    assert values.keys() == before.keys()

    def total(name: str) -> float:
        return sum(value for key, value in values.items() if key[0] == f"joinwatch_{name}_total")

    assert total("packets") == summary.accounts.frames
    assert total("frames") == summary.accounts.frames + summary.accounts.reported
    assert total("envelopes") == sum(summary.envelopes.values())
    assert total("evictions") == sum(count for name, count in summary.counts.items() if name.endswith("_evicted"))
    oddities = [record for record in kept.records if isinstance(record, Oddity)]
    assert total("oddities") == len(oddities)
    assert not any(values["joinwatch_oddities_total", OTHER, reason] for reason in Reason)
    known = total("events") + total("oddities") + len([key for key in kept.records if key is summary])
    alerts = [record for record in kept.records if type(record).__name__ == "Alert"]
    assert known + len(alerts) == len(kept.records)


def test_what_is_shown_of_the_incident_is_what_its_records_say() -> None:
    incident = PCAPS / "incident" / "incident.pcap"
    kept = Kept()
    pipeline = Replay(captures_of([incident]), expected_of(incident), [kept])
    pipeline.run()
    summary = pipeline.finish()
    assert summary is kept.records[-1]
    assert summary.accounts.passed_over + summary.counts["wanted"] == summary.accounts.frames == 1947
