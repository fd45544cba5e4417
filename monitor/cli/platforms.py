"""`joinwatch platforms`: what is read of each platform."""

import argparse
import shutil
import textwrap

from monitor.cli import DONE
from monitor.model.policy import Policy
from monitor.platforms import Platforms


def run(options: argparse.Namespace) -> int:
    """One paragraph a platform: its hosts, and the grammar of its dial-in in words."""
    del options
    width = min(shutil.get_terminal_size().columns, 100)
    for platform in Platforms(Policy(), number_text=lambda _text: None).catalog:
        print(f"{platform.id}  {platform.title}")
        for label, text in (("hosts", ", ".join(platform.hosts)), ("dial-in", platform.words)):
            if text:
                print(textwrap.fill(text, width, initial_indent=f"    {label:8} ", subsequent_indent=" " * 13))
    return DONE
