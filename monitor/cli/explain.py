"""`joinwatch explain`: why an alert fired, back to the frames."""

import argparse
import sys
from pathlib import Path

from monitor.cli import DONE


def run(options: argparse.Namespace) -> int:
    """Explain one alert of a journal."""
    from monitor.outputs.explain import explain

    explain(options.alert, Path(options.journal), [Path(p) for p in options.captures], sys.stdout)
    return DONE
