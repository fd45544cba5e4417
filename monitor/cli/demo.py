"""`joinwatch demo`: the bundled incident, replayed with its calendar, directory and policy."""

import argparse
import sys
from pathlib import Path

from monitor.cli.replay import check_results, replay
from monitor.pipeline import load_expected

STORY = """\
A ministry's telephone trunk, mirrored. Somebody outside tries meeting numbers
one after the other, finds one, dials in, types only # where the PIN is asked,
and listens. The captures and calendars are invented.
"""


def run(options: argparse.Namespace) -> int:
    """Replay the incident."""
    check_results(options)
    captures, config = bundled()
    print(STORY, end="", file=sys.stderr)  # The page begins with an empty line.
    expected = load_expected(
        [config / "meetings"], [config / "directory.vcf", config / "partners.csv"], config / "policy.toml"
    )
    policy = near(config / "policy.toml")
    return replay([near(captures / "incident.pcap")], expected, options, policy=str(policy))


def near(path: Path) -> Path:
    """The same as seen from here, where that is shorter: it will be shown to people."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def bundled() -> tuple[Path, Path]:
    """Folders of the incident: its captures, its configuration; inside an installed package or a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "example"
    if inside.is_dir():
        return inside / "pcaps", inside / "config"
    checkout = package.parent
    return checkout / "pcaps" / "incident", checkout / "config" / "example"
