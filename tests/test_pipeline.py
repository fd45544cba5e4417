"""The order of the stages, seen from outside: what is told of a run as a whole."""

from monitor.model.alerts import Alert
from monitor.model.summary import Summary
from monitor.pipeline import Record, Replay, captures_of
from tests.scenarios import PCAPS, expected_of

INCIDENT = PCAPS / "incident" / "incident.pcap"


class Kept:
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        """Nothing to do."""


def replayed(**missing: int) -> list[Record]:
    kept = Kept()
    pipeline = Replay(captures_of([INCIDENT]), expected_of(INCIDENT), [kept])
    pipeline.signals.wire.counts.update(missing)
    pipeline.run()
    pipeline.finish()
    return kept.records


def test_an_alert_says_when_part_of_the_traffic_is_missing() -> None:
    whole = {record.coverage.value for record in replayed() if isinstance(record, Alert)}
    gappy = {record.coverage.value for record in replayed(stream_gaps=1) if isinstance(record, Alert)}
    assert (whole, gappy) == ({"observed"}, {"partial"})


def test_the_summary_comes_last_and_adds_up() -> None:
    *_, last = replayed()
    assert isinstance(last, Summary)
    (report,) = last.captures
    assert report.frames == last.counts["frames"] == 1947
    assert last.counts["wanted"] == last.counts["sip_messages"] + last.counts["rtp_packets"]


def test_no_two_stages_count_under_one_name() -> None:
    pipeline = Replay(captures_of([INCIDENT]), expected_of(INCIDENT), [])
    signals = pipeline.signals
    stages = [signals.wire, signals.decoders, signals.platforms, pipeline.meetings, pipeline.detections]
    names = [name for stage in stages for name in stage.counts]
    assert len(names) == len(set(names))
