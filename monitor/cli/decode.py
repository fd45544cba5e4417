"""`joinwatch decode`: the calls and keys of a capture, without calendar or rules."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from monitor.cli.replay import exit_code, read_to_the_end
from monitor.pipeline import Decode, Output, captures_of, load_expected


def run(options: argparse.Namespace) -> int:
    """Decode the captures of the command line."""
    from monitor.outputs.calls import CallList
    from monitor.outputs.journal import Journal

    expected = load_expected(policy_file=Path(options.policy) if options.policy else None)
    source = captures_of(options.captures)
    people = sys.stderr if options.json == "-" else sys.stdout
    with ExitStack() as closing:
        outputs: list[Output] = [CallList(people, timezone=expected.policy.timezone)]
        if options.json:
            outputs.append(Journal.to(options.json, mode="decode"))
        for output in outputs:
            closing.callback(output.close)
        summary, interrupted = read_to_the_end(Decode(source, expected, outputs), source)
    return exit_code(summary, interrupted=interrupted)
