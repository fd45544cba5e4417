"""Other lists while much is remembered: how long until they are in force, and how long anybody else waits at a time.

`python -m bench.anew [EVENTS]` (100,000) remembers so many events of a day of 10,000 authorised joins, has the lists
read anew, and says how long it took until they were in force, and the longest step of serve's loop: what arrives waits
as long. Exit code 1 when lists of before and behind, which are the same, do not say the same.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.day import expected_on_the_day, frames
from bench.workloads import Truth
from monitor.daemon.serve import Serve
from monitor.detections import rule_infos
from monitor.model.asks import Ask
from monitor.model.calls import SignallingEvent
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Expected, Signals, load_expected
from monitor.platforms import known_platforms

EVENTS = 100_000
AT_ONCE = 5_000


class Day:
    """Frames as they come."""

    reports: tuple[CaptureReport, ...] = ()

    def __iter__(self) -> Iterator[Frame]:
        """Of the whole day."""
        for number, (at, data) in enumerate(frames(Truth()), 1):
            yield Frame(at, "day", number, 1, data, len(data))

    def widen(self, ask: Ask) -> None:
        """Everything comes already."""


def events_of(expected: Expected) -> Iterator[SignallingEvent]:
    """What decoders say of that day."""
    signals = Signals(Day(), expected)
    for frame in signals.source:
        for event in signals.events_of(frame):
            if not isinstance(event, Oddity):
                yield event


def measure(folder: Path, count: int) -> bool:
    """Whether the same lists say the same."""
    for path, content in expected_on_the_day().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    def load() -> Expected:
        return load_expected([folder / "meetings"], [folder / "directory.vcf"], folder / "policy.toml")

    (folder / "state").mkdir()
    metrics = Metrics(rules=rule_infos(), platforms=known_platforms())
    serve = Serve(str(folder / "events.sock"), folder / "state", load, metrics)
    events = islice(events_of(serve.expected), count)
    while batch := list(islice(events, AT_ONCE)):
        serve.memory.add(batch)
    serve._rebuild()  # noqa: SLF001 - as at a start
    before, length = serve.standing, serve.ledger.place
    steps: list[float] = []
    begun, busy = time.monotonic(), time.process_time()
    wish = serve.wish_reload()
    while not wish.done():
        at = time.thread_time()
        serve.step(0.01)
        steps.append(time.thread_time() - at)
    took, busy = time.monotonic() - begun, time.process_time() - busy
    said = [line["type"] for line in serve.ledger.since(length)]
    same = said == ["reload"] and not list(serve.standing.lines_after(before, serve.correlator.now))
    sys.stdout.write(
        f"{serve.memory.held:,} events: in force after {took:.1f} s, {busy:.1f} s of them work; "
        f"{len(steps)} steps, the longest {max(steps) * 1000:.0f} ms; said the same: {same}\n"
    )
    serve.close()
    return same


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.exit(not measure(Path(place), int(sys.argv[1]) if sys.argv[1:] else EVENTS))
