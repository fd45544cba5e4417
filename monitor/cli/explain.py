"""`joinwatch explain`: why an alert fired, back to the frames."""

import argparse
import sys
from pathlib import Path

from monitor.cli import DONE
from monitor.pipeline import load_expected


def run(options: argparse.Namespace) -> int:
    """Explain one alert of a journal."""
    from monitor.outputs.explain import explain

    zone = load_expected(policy_file=Path(options.policy)).policy.timezone if options.policy else "UTC"
    captures = [Path(capture) for capture in options.captures]
    explain(options.alert, Path(options.journal), captures, sys.stdout, timezone=zone)
    return DONE
