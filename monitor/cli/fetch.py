"""`joinwatch fetch`: a program of its own that asks a calendar or directory server and writes files."""

import argparse
import os
from pathlib import Path

from monitor.cli import DAMAGED, DONE, FAILED
from monitor.cli.speech import say
from monitor.model.problems import ConfigError, Problem


def run(options: argparse.Namespace) -> int:
    """Once, or until told to end."""
    from monitor.fetch.runs import Fetcher
    from monitor.sources.settings import load_settings

    config = Path(options.config).absolute()
    settings = load_settings(config)
    _leave_no_core()
    fetcher = Fetcher(options.what, settings, say, accept_shrink=options.accept_shrink)
    if not fetcher.server.url:
        expected = f"[fetch.{options.what}] with url = …, for without it nobody is asked"
        raise ConfigError([Problem(file=str(config), line=0, found="no server", expected=expected)])
    if not options.once:
        fetcher.run()
    outcome = fetcher.fetch()
    if outcome.trouble:
        return FAILED
    return DAMAGED if outcome.left_out else DONE


def _leave_no_core() -> None:
    """Memory with a password in it must not become a file; what is written is for this user and the daemon's group."""
    import resource

    os.umask(os.umask(0o077) | 0o027)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
