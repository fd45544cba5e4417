"""`joinwatch rules`: what each rule means."""

import argparse
import shutil
import textwrap

from monitor.cli import DONE
from monitor.detections import rule_infos


def run(options: argparse.Namespace) -> int:
    """One paragraph a rule: name, severity, ATT&CK technique, and when it is raised."""
    del options
    width = min(shutil.get_terminal_size().columns, 100)
    for info in rule_infos():
        severities = " or ".join(info.severities)
        attack = f"  ATT&CK {info.attack}" if info.attack else ""
        print(f"{info.name}  ({severities}){attack}")
        print(textwrap.fill(info.summary, width, initial_indent="    ", subsequent_indent="    "))
    return DONE
