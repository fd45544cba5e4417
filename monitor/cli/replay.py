"""`joinwatch replay`: captures, calendar, directory and policy in; who was where and should not have been, out."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli import ALERTED, DAMAGED, DONE, INTERRUPTED
from monitor.model.alerts import Alert, Severity
from monitor.model.problems import ConfigError, Problem
from monitor.model.summary import Summary
from monitor.outputs.progress import Progress
from monitor.pipeline import Captured, Decode, Expected, Output, Record, Replay, captures_of, load_expected

if TYPE_CHECKING:
    from monitor.outputs.metrics import Metrics


class Worst:
    """The most severe alert of a run."""

    def __init__(self) -> None:
        self.rank = -1

    def write(self, record: Record) -> None:
        """Look at alerts only."""
        if isinstance(record, Alert):
            self.rank = max(self.rank, record.severity.rank)

    def close(self) -> None:
        """Nothing to do."""


def run(options: argparse.Namespace) -> int:
    """Replay the captures of the command line."""
    expected = load_expected(
        [Path(p) for p in options.meetings],
        [Path(p) for p in options.directory],
        Path(options.policy) if options.policy else None,
    )
    return replay(options.captures, expected, options)


def replay(captures: Sequence[Path | str], expected: Expected, options: argparse.Namespace) -> int:
    """Replay these captures; what is done with the results stands in the options."""
    from monitor.outputs.journal import Journal
    from monitor.outputs.terminal import Terminal

    listen = address_of(options.metrics_listen) if options.metrics_listen else None
    source = captures_of(captures)
    worst = Worst()
    people = sys.stderr if options.json == "-" else sys.stdout
    outputs: list[Output] = [worst, Terminal(people, timezone=expected.policy.timezone, journal=options.json)]
    with ExitStack() as closing:
        if options.json:
            outputs.append(Journal.to(options.json))
        pipeline = Replay(source, expected, outputs)
        metrics = metrics_of(pipeline) if listen or options.metrics_textfile else None
        if metrics is not None:
            outputs.append(metrics)
        if metrics is not None and listen is not None:
            port = closing.enter_context(metrics.serving(*listen))
            print(f"joinwatch: metrics on http://{listen[0]}:{port}/metrics", file=sys.stderr)
        try:
            summary, interrupted = read_to_the_end(pipeline, source)
        finally:
            for output in outputs:
                output.close()
        if metrics is not None and options.metrics_textfile:
            metrics.write_textfile(options.metrics_textfile)
        if listen is not None and not interrupted:
            wait_for_interruption()
    return exit_code(summary, interrupted=interrupted, alerted=reached(worst, options.fail_on))


def read_to_the_end(pipeline: Replay | Decode, source: Captured) -> tuple[Summary, bool]:
    """Run, with a progress bar; an interruption keeps what was found so far."""
    interrupted = False
    with Progress(source.progress) as progress:
        try:
            pipeline.run(progress.tick)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        print("joinwatch: interrupted; these are the results so far", file=sys.stderr)
    return pipeline.finish(), interrupted


def exit_code(summary: Summary, *, interrupted: bool = False, alerted: bool = False) -> int:
    """What the shell is told: the most urgent thing first."""
    if interrupted:
        return INTERRUPTED
    if alerted:
        return ALERTED
    return DAMAGED if any(report.damage for report in summary.captures) else DONE


def reached(worst: Worst, fail_on: str | None) -> bool:
    """Whether an alert was at least that severe."""
    return fail_on is not None and worst.rank >= Severity(fail_on).rank


def address_of(text: str) -> tuple[str, int]:
    """`HOST:PORT`, with an IPv6 host in brackets; a ConfigError otherwise."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or not 0 <= int(port) <= 65535:
        expected = "HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464"
        raise ConfigError([Problem(file="--metrics-listen", line=0, found=repr(text), expected=expected)])
    return host.strip("[]") or "127.0.0.1", int(port)


def metrics_of(pipeline: Replay) -> "Metrics":
    """Metrics with every series that this pipeline can ever count."""
    from monitor.detections import rule_infos
    from monitor.outputs.metrics import Metrics
    from monitor.platforms import known_platforms

    return Metrics(rules=rule_infos(), platforms=known_platforms(), counts=pipeline.summary().counts)


def wait_for_interruption() -> None:
    """Keep the metrics up after the end of the captures, so that somebody can read them."""
    print("joinwatch: the captures are read; serving metrics until Ctrl-C", file=sys.stderr)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
