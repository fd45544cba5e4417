"""`joinwatch pseudonym`: what somebody is called in journals and pages that were written with `--pseudonyms`."""

import argparse
from pathlib import Path

from monitor.cli import DONE
from monitor.pipeline import load_expected


def run(options: argparse.Namespace) -> int:
    """One line a subject, in the order given."""
    from monitor.outputs.pseudonyms import Pseudonyms

    expected = load_expected(policy_file=Path(options.policy) if options.policy else None)
    known = Pseudonyms.of_file(Path(options.key), number_text=expected.number_text)
    for subject in options.subjects:
        print(known.of(subject))
    return DONE
