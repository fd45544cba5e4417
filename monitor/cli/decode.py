"""`joinwatch decode`: the calls and keys of a capture, without calendar or rules."""

import argparse
import sys
from pathlib import Path

from monitor.cli.replay import close, exit_code, pseudonymous, read_to_the_end
from monitor.pipeline import Decode, Output, captures_of, load_expected


def run(options: argparse.Namespace) -> int:
    """Decode the captures of the command line."""
    from monitor.outputs.calls import CallList
    from monitor.outputs.journal import Journal, may_write_journal

    if options.json and options.json != "-":
        may_write_journal(options.json)
    expected = load_expected(policy_file=Path(options.policy) if options.policy else None)
    source = captures_of(options.captures)
    people = sys.stderr if options.json == "-" else sys.stdout
    page = CallList(people, timezone=expected.policy.timezone)
    outputs: list[Output] = [page]
    told = pseudonymous(outputs, options.pseudonyms, expected)
    if options.json:
        outputs.append(Journal.to(options.json, mode="decode"))
    page.interrupted = True  # until the run has come to its end, whatever happens before
    try:
        summary, page.interrupted = read_to_the_end(Decode(source, expected, told), source)
    finally:
        close(outputs)
    return exit_code(summary, interrupted=page.interrupted)
