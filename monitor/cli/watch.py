"""`joinwatch watch`: the daemon on a mirror port, until it is told to end."""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from monitor.cli import DONE, FAILED
from monitor.cli.speech import say
from monitor.model.problems import ConfigError
from monitor.model.settings import Settings

TRIES, PAUSE = 20, 0.1
"""An earlier life that was killed a moment ago may still hold the port."""


def run(options: argparse.Namespace) -> int:
    """Read the configuration, open the interfaces, and keep everybody alive."""
    from monitor.daemon.privileges import Unprivileged
    from monitor.daemon.quiet import check_outwards
    from monitor.daemon.roles import alone, capture_and_tree, web_of
    from monitor.sources.settings import load_settings

    config = Path(options.config).absolute()
    settings = load_settings(config)
    if options.role is None:
        # What is wrong with the lists, or with where they are served, is told now, by the one who was started, and not
        # by a child in a log.
        _wait_for(lambda: web_of(settings, {}).close())
        check_lists(config, settings)
        check_outwards(settings)
    if os.name != "posix":
        say("watch needs Linux, or macOS; elsewhere, `joinwatch replay` reads what tcpdump writes")
        return FAILED
    from monitor.sources.live.blocks import RingError

    try:
        if options.role is None:
            capture_and_tree(settings, config)
        else:
            return alone(options.role, settings, config)
    except (RingError, Unprivileged) as error:
        say(str(error))
        return FAILED
    return DONE


def check_lists(config: Path, settings: Settings) -> None:
    """Raises `ConfigError` for lists with which no daemon could start: broken, and none of before are kept."""
    from monitor.daemon.last_lists import LastLists
    from monitor.daemon.lists import Lists, read_by
    from monitor.daemon.quiet import Quiet

    try:
        read_by(Lists(config, settings).load, Quiet(settings.suppressions, lambda _: None).load)
    except ConfigError:
        if LastLists(Path(settings.state)).load() is None:
            raise


def _wait_for(attempt: Callable[[], None]) -> None:
    """Raises the last `ConfigError` when it never works."""
    for left in reversed(range(TRIES)):
        try:
            return attempt()
        except ConfigError:
            if not left:
                raise
            time.sleep(PAUSE)
    return None
