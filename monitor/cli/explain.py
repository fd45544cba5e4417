"""`joinwatch explain`: why an alert fired, back to the frames."""

import argparse
import sys
from pathlib import Path

from monitor.cli import DONE
from monitor.cli.replay import pseudonyms_of
from monitor.model.problems import ConfigError, Problem
from monitor.pipeline import load_expected


def run(options: argparse.Namespace) -> int:
    """Explain one alert of a journal, or list what it has."""
    from monitor.outputs.explain import explain, list_alerts

    expected = load_expected(policy_file=Path(options.policy) if options.policy else None)
    zone = expected.policy.timezone if options.policy else "UTC"
    journal = Path(options.journal)
    hidden = pseudonyms_of(options.pseudonyms, expected)
    if options.alert is None:
        list_alerts(journal, sys.stdout, timezone=zone, pseudonyms=hidden)
        return DONE
    captures = [Path(capture) for capture in options.captures]
    missing = [
        Problem(file=str(path), line=0, found="no such file or folder", expected="for --captures where captures lie")
        for path in captures
        if not path.exists()
    ]
    if missing:
        raise ConfigError(missing)
    explain(options.alert, journal, captures, sys.stdout, timezone=zone, pseudonyms=hidden)
    return DONE
