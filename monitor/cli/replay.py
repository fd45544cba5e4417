"""`joinwatch replay`: captures, calendar, directory and policy in; who was where and should not have been, out."""

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli import ALERTED, DAMAGED, DONE, INTERRUPTED
from monitor.cli.speech import say
from monitor.model import settings
from monitor.model.alerts import Alert, Severity
from monitor.model.limits import Limits
from monitor.model.problems import ConfigError, Problem
from monitor.model.summary import Summary
from monitor.outputs.progress import Progress
from monitor.pipeline import Captured, Decode, Expected, Output, Record, Replay, captures_of, load_expected

if TYPE_CHECKING:
    from monitor.outputs.metrics import Metrics
    from monitor.outputs.pseudonyms import Pseudonyms
    from monitor.outputs.terminal import Terminal

STANDARD_INPUT = "-"
_NOBODY_IS_KNOWN = (
    "no --directory is given: invitations name mail addresses and calls have numbers, so whoever dials in is told as"
    " not invited, unless an invitation has their number"
)


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
    check_results(options)
    expected = load_expected(
        [Path(p) for p in options.meetings],
        [Path(p) for p in options.directory],
        Path(options.policy) if options.policy else None,
    )
    if options.meetings and not options.directory:
        say(_NOBODY_IS_KNOWN)
    return replay(options.captures, expected, options, policy=options.policy)


def check_results(options: argparse.Namespace) -> None:
    """A ConfigError with everything that is wrong with where results shall go, before anything is read or written."""
    problems: list[Problem] = []
    given = options.json if options.json != "-" else None
    checks = (
        (given, _check_journal),
        (options.metrics_textfile, _check_textfile),
        (options.metrics_listen, address_of),
    )
    for value, check in checks:
        try:
            if value is not None:
                check(value)
        except ConfigError as error:
            problems += error.problems
    if given and options.metrics_textfile and Path(given).resolve() == Path(options.metrics_textfile).resolve():
        found = "is given for --json and for --metrics-textfile"
        problems.append(Problem(file=given, line=0, found=found, expected="a file for each"))
    if problems:
        raise ConfigError(problems)


def _check_journal(path: str) -> None:
    from monitor.outputs.journal import may_write_journal

    may_write_journal(path)


def _check_textfile(path: str) -> None:
    from monitor.outputs.metrics import may_write_textfile

    may_write_textfile(path)


def replay(
    captures: Sequence[Path | str], expected: Expected, options: argparse.Namespace, *, policy: str | None = None
) -> int:
    """Replay these captures; what is done with the results stands in the options."""
    from monitor.outputs.journal import Journal
    from monitor.outputs.terminal import Terminal

    listen = address_of(options.metrics_listen) if options.metrics_listen else None
    source = captures_of(captures)
    worst = Worst()
    people = sys.stderr if options.json == "-" else sys.stdout
    more = explain_options(captures, policy, options.pseudonyms)
    limits = expected.policy.limits
    page = Terminal(
        people, timezone=expected.policy.timezone, journal=options.json, explain_options=more, limits=limits
    )
    outputs: list[Output] = [worst, page]
    told = pseudonymous(outputs, options.pseudonyms, expected)
    with ExitStack() as closing:
        pipeline = Replay(source, expected, told)
        metrics = metrics_of(pipeline, page, limits) if listen or options.metrics_textfile else None
        if metrics is not None:
            outputs.append(metrics)
        if metrics is not None and listen is not None:
            port = closing.enter_context(metrics.serving(*listen))
            say(f"metrics on http://{url_host(listen[0])}:{port}/metrics")
        if options.json:
            outputs.append(Journal.to(options.json))
        page.interrupted = True  # until the run has come to its end, whatever happens before
        try:
            summary, page.interrupted = read_to_the_end(pipeline, source)
        finally:
            close(outputs)
        if metrics is not None and options.metrics_textfile:
            metrics.write_textfile(options.metrics_textfile)
        if listen is not None and not page.interrupted:
            wait_for_interruption()
    return exit_code(summary, interrupted=page.interrupted, alerted=reached(worst, options.fail_on))


def close(outputs: Sequence[Output]) -> None:
    """Each of them, the last first, also when another fails: a full disk under the journal costs nobody the page."""
    with ExitStack() as closing:
        for output in outputs:
            closing.callback(output.close)


def pseudonyms_of(key_file: str | None, expected: Expected) -> "Pseudonyms | None":
    """What everybody is called under the key in that file; none where none is given."""
    if key_file is None:
        return None
    from monitor.outputs.pseudonyms import Pseudonyms

    policy = expected.policy
    return Pseudonyms.of_file(Path(key_file), number_text=expected.number_text, markings=policy.classifications)


def pseudonymous(outputs: list[Output], key_file: str | None, expected: Expected) -> Sequence[Output]:
    """The outputs as the pipeline gets them: behind pseudonyms, where a key is given."""
    known = pseudonyms_of(key_file, expected)
    if known is None:
        return outputs
    from monitor.outputs.pseudonyms import Veiled

    return [Veiled(outputs, known)]


def explain_options(captures: Sequence[Path | str], policy: str | None, key_file: str | None = None) -> list[str]:
    """What `joinwatch explain` must be told to find these captures again, and to show these times."""
    paths = [Path(capture) for capture in captures if str(capture) != STANDARD_INPUT]
    folders = dict.fromkeys(str(path if path.is_dir() else path.parent) for path in paths)
    words = [word for folder in folders if folder != "." for word in ("--captures", folder)]
    words += ["--policy", policy] if policy else []
    return [*words, "--pseudonyms", key_file] if key_file else words


def read_to_the_end(pipeline: Replay | Decode, source: Captured) -> tuple[Summary, bool]:
    """Run, with a progress bar; an interruption keeps what was found so far."""
    interrupted = False
    # Nearly everything made here dies young and in no circle: looking for circles every 700 objects costs a sixth.
    gc.set_threshold(50_000, 20, 20)
    with Progress(source.progress) as progress:
        try:
            pipeline.run(progress.tick)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        say("interrupted; these are the results so far")
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
    address = settings.address_of(text)
    if address is None:
        expected = "HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464"
        raise ConfigError([Problem(file="--metrics-listen", line=0, found=repr(text), expected=expected)])
    return address


def url_host(host: str) -> str:
    """As it stands in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def metrics_of(pipeline: Replay, page: "Terminal", limits: Limits) -> "Metrics":
    """Metrics with every series that this pipeline can ever count."""
    from monitor.detections import rule_infos
    from monitor.outputs.metrics import Metrics
    from monitor.platforms import known_platforms

    return Metrics(
        rules=rule_infos(),
        platforms=known_platforms(),
        counts=pipeline.summary().counts,
        limits=limits,
        sizes=lambda: {**pipeline.sizes(), **page.sizes},
    )


def wait_for_interruption() -> None:
    """Keep the metrics up after the end of the captures, so that somebody can read them."""
    say("the captures are read; serving metrics until Ctrl-C")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
