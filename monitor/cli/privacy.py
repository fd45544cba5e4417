"""What `forget`, `purge`, `audit` and `explain` share: whose state it is, why somebody looks, and are they sure."""

import argparse
import sys
from pathlib import Path

from monitor.daemon.privacy import audit_of
from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import Settings
from monitor.outputs.audit import Audit


def settings_of(config: str) -> Settings:
    """The daemon's configuration; a ConfigError where its state folder is not there."""
    from monitor.sources.settings import load_settings

    settings = load_settings(Path(config))
    if not Path(settings.state).is_dir():
        found = f"there is no state folder {settings.state}"
        raise ConfigError(
            [Problem(file=config, line=0, found=found, expected="the configuration of a daemon that ran")]
        )
    return settings


def reasoned(audit: Audit | None, reason: str | None) -> str:
    """The reason; a ConfigError where one is demanded, and none is given."""
    if audit is not None and audit.demands_reasons and not (reason or "").strip():
        found = "no reason is given, and [audit] reasons = true demands one"
        raise ConfigError(
            [Problem(file="--reason", line=0, found=found, expected="--reason TEXT, such as a case number")]
        )
    return (reason or "").strip()


def log_of(options: argparse.Namespace) -> tuple[Settings, Audit | None, str]:
    """The configuration, its audit log, and why it is done."""
    settings = settings_of(options.config)
    audit = audit_of(settings)
    return settings, audit, reasoned(audit, options.reason)


def is_sure(question: str, *, yes: bool) -> bool:
    """Whether the operator says so; a ConfigError where there is nobody to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        found = "it must be confirmed, and there is no terminal to ask at"
        raise ConfigError(
            [Problem(file="--yes", line=0, found=found, expected="--yes, or --dry-run to see what would go")]
        )
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
