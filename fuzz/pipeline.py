"""The whole way: any capture through `replay` and `decode`, with the calendars of the example, into every output."""

import io
from functools import cache
from pathlib import Path

import msgspec

from fuzz.signalling import SIP_WORDS
from fuzz.target import target
from fuzz.wire import packets
from monitor.cli.demo import bundled
from monitor.model.asks import Ask
from monitor.model.packets import Frame
from monitor.model.summary import CaptureReport
from monitor.outputs.calls import CallList
from monitor.outputs.journal import Journal
from monitor.outputs.metrics import Metrics
from monitor.outputs.terminal import Terminal
from monitor.pipeline import Decode, Expected, Output, Replay, load_expected


@cache
def expected() -> Expected:
    """What the example's operator gives."""
    config: Path = bundled()[1]
    return load_expected([config / "meetings"], [config / "directory.vcf"], config / "policy.toml")


class Given:
    """Frames that are there already."""

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames
        self.reports = (CaptureReport(capture="a.pcap", frames=len(frames), wanted=len(frames)),)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._frames)

    def widen(self, ask: Ask) -> None:
        """All of them are given anyway."""


def replayed(frames: list[Frame], *, whole: bool) -> bytes:
    """The journal of a run that writes every output."""
    sink, page, calls = io.BytesIO(), io.StringIO(), io.StringIO()
    outputs: tuple[Output, ...] = (Journal(sink, "replay" if whole else "decode"), Metrics([], []))
    outputs += (Terminal(page, width=80, colour=False),) if whole else (CallList(calls, width=80, colour=False),)
    run = (Replay if whole else Decode)(Given(frames), expected(), outputs)  # type: ignore[arg-type]
    run.run()
    run.finish()
    for output in outputs:
        output.close()
    for line in sink.getvalue().splitlines():
        assert isinstance(msgspec.json.decode(line), dict)
    assert all(line.isprintable() for text in (page, calls) for line in text.getvalue().split("\n"))
    return sink.getvalue()


@target(
    "pipeline",
    *("pipeline", "meetings", "detections", "platforms", "decoders.sip_calls", "outputs.journal"),
    words=SIP_WORDS,
    max_bytes=8192,
)
def pipeline(data: bytes) -> None:
    """A conversation in frames: the same journal twice, and lines that a terminal shows."""
    frames = packets(data)
    assert replayed(frames, whole=True) == replayed(frames, whole=True)
    replayed(frames, whole=False)
