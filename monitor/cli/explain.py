"""`joinwatch explain`: why an alert fired, back to the frames. Who looks into a daemon's journal is logged first."""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli import DONE
from monitor.cli.replay import pseudonyms_of
from monitor.model.problems import ConfigError, Problem
from monitor.pipeline import Expected, load_expected

if TYPE_CHECKING:
    from monitor.outputs.audit import Audit
    from monitor.outputs.pseudonyms import Pseudonyms

_PLAIN = re.compile(r"[a-z0-9-]{1,64}")
"""An id or a rule; what else is typed may be a name."""


def run(options: argparse.Namespace) -> int:
    """Explain one alert of a journal, or list what it has."""
    from monitor.outputs.explain import explain, list_alerts

    expected = load_expected(policy_file=Path(options.policy) if options.policy else None)
    zone = expected.policy.timezone if options.policy else "UTC"
    journal, audit, hidden = _source(options, expected)
    captures = [Path(capture) for capture in options.captures]
    missing = [
        Problem(file=str(path), line=0, found="no such file or folder", expected="for --captures where captures lie")
        for path in captures
        if not path.exists()
    ]
    if missing:
        raise ConfigError(missing)
    if audit is not None:
        _log(audit, options)
    if options.alert is None:
        list_alerts(journal, sys.stdout, timezone=zone, pseudonyms=hidden)
    else:
        explain(options.alert, journal, captures, sys.stdout, timezone=zone, pseudonyms=hidden)
    return DONE


def _source(options: argparse.Namespace, expected: Expected) -> "tuple[Path, Audit | None, Pseudonyms | None]":
    """The journal, the log of who looks into it if it is a daemon's, and whether people have names."""
    hidden = pseudonyms_of(options.pseudonyms, expected)
    if options.config:
        from monitor.cli.privacy import settings_of
        from monitor.daemon.privacy import audit_of
        from monitor.daemon.privacy import pseudonyms_of as pseudonyms_in

        settings = settings_of(options.config)
        journal = Path(options.journal) if options.journal else Path(settings.state) / "journal"
        return journal, audit_of(settings), hidden or pseudonyms_in(settings)
    if not options.journal:
        expects = "--journal FILE of a replay, or --config FILE of a daemon"
        raise ConfigError([Problem(file="explain", line=0, found="no journal is named", expected=expects)])
    from monitor.outputs.audit import beside

    return Path(options.journal), beside(Path(options.journal)), hidden


def _log(audit: "Audit", options: argparse.Namespace) -> None:
    """First the entry, then the look: who cannot be logged sees nothing."""
    from monitor.cli.privacy import reasoned

    reason = reasoned(audit, options.reason)
    asked = options.alert or ""
    about = asked if _PLAIN.fullmatch(asked) else audit.subject(asked)
    audit.add("explain" if asked else "list alerts", about, reason)
