"""`joinwatch audit`: whether the log of who looked is whole, and what stands in it."""

import argparse
import sys
from pathlib import Path

from monitor.cli import DONE, FAILED
from monitor.cli.privacy import settings_of
from monitor.cli.speech import say
from monitor.model.problems import ConfigError, Problem
from monitor.outputs.audit import Audit
from monitor.outputs.safe import shown
from monitor.outputs.words import many

SHOWN = 20
"""Broken places told one by one."""


def run(options: argparse.Namespace) -> int:
    """`verify` or `show`."""
    audit = _log(options)
    if options.what == "show":
        return _show(audit)
    verdict = audit.verify(options.expect or "")
    for broken in verdict.broken[:SHOWN]:
        say(f"{broken.place}: {broken.what}")
    if len(verdict.broken) > SHOWN:
        say(f"… and {len(verdict.broken) - SHOWN} more places")
    for note in verdict.notes:
        say(note)
    print(f"last {verdict.last}:{verdict.hash}")
    if verdict.broken:
        print(f"BROKEN: {many(len(verdict.broken), 'place')} in {many(verdict.entries, 'entry', 'entries')}")
        return FAILED
    print(f"whole: {many(verdict.entries, 'entry', 'entries')}, from {verdict.first} to {verdict.last}")
    return DONE


def _log(options: argparse.Namespace) -> Audit:
    key = b""
    if options.config:
        settings = settings_of(options.config)
        folder = Path(settings.state) / "audit"
        key_file = settings.audit.key
    else:
        folder, key_file = Path(options.folder or ""), None
    if options.key or key_file:
        from monitor.outputs.pseudonyms import key_in

        key = key_in(Path(options.key or key_file or ""))
    if not (options.config or options.folder) or not folder.is_dir():
        found = f"there is no audit log in {folder}" if options.folder or options.config else "no log is named"
        raise ConfigError([Problem(file="audit", line=0, found=found, expected="--config FILE, or the log's folder")])
    return Audit(folder, key)


def _show(audit: Audit) -> int:
    """One line an entry."""
    for entry in audit.entries():
        raw = entry.get("actor")
        actor = raw if isinstance(raw, dict) else {}
        who = actor.get("login") or actor.get("sudo_user") or actor.get("user") or actor.get("uid")
        known = ("number", "time", "actor", "action", "about", "reason", "previous", "hash", "signature")
        more = "  ".join(f"{name}={value}" for name, value in entry.items() if name not in known)
        reason = f"  “{entry['reason']}”" if entry.get("reason") else ""
        head = f"{entry.get('number')}  {entry.get('time')}  {who}  {entry.get('action')}  {entry.get('about')}"
        sys.stdout.write(shown(f"{head}{reason}  {more}".rstrip(), 2000) + "\n")
    return DONE
