"""`joinwatch purge`: everything that is older than so many days goes, of all kinds or of some."""

import argparse
import time
from pathlib import Path

from monitor.cli import DONE, FAILED, USAGE
from monitor.cli.forget import show
from monitor.cli.privacy import is_sure, log_of
from monitor.cli.speech import say
from monitor.daemon.forgetting import before
from monitor.daemon.ledger import SUFFIX
from monitor.daemon.requests import Purge
from monitor.daemon.retention import TYPES
from monitor.model.evidence import DAY, HOUR, Nanoseconds
from monitor.model.problems import ConfigError, Problem
from monitor.outputs.records import time_of

UNITS = {"h": HOUR, "d": DAY, "w": 7 * DAY}
MAX_COUNT = 1_000_000


def run(options: argparse.Namespace) -> int:
    """Erase what is older."""
    moment = time.time_ns() - age_of(options.older_than)
    settings, audit, reason = log_of(options)
    kinds = options.kind or [*TYPES, "others", "memory"]
    request = request_of(kinds, moment)
    state = Path(settings.state)
    if options.dry_run:
        counts: dict[str, int] = {}
        change = before(request.moments, request.others, counts)
        for path in sorted((state / "journal").glob(f"*{SUFFIX}")):
            with path.open("rb") as file:
                for line in file:
                    change(line)
        show(counts, f"before {time_of(moment)} would be erased")
        return DONE
    if not is_sure(f"Erase everything ({', '.join(kinds)}) from before {time_of(moment)}?", yes=options.yes):
        say("nothing was changed")
        return USAGE
    from monitor.cli.asking import carried_out

    about = f"{', '.join(kinds)} before {time_of(moment)}"
    if audit:
        audit.add("purge", about, reason, state="asked")
    answer = carried_out(settings, request)
    counts = dict(answer.counts)
    if audit:
        audit.add("purge", about, reason, state=answer.trouble or "done", erased=counts)
        if "audit" in kinds:
            counts["audit entries"] = audit.forget_before(time_of(moment))
    if answer.trouble:
        say(f"not everything could be erased: {answer.trouble}")
        return FAILED
    show(counts, f"before {time_of(moment)} erased")
    return DONE


def request_of(kinds: list[str], moment: Nanoseconds) -> Purge:
    """What a daemon is asked for."""
    at = time_of(moment)
    moments = {kind: at if name in kinds else "" for name, types in TYPES.items() for kind in types}
    return Purge(
        moments=moments, others=at if "others" in kinds else "", memory=max(moment, 1) if "memory" in kinds else 0
    )


def age_of(text: str) -> Nanoseconds:
    """`90d`, `26h`, `4w`; a ConfigError for anything else."""
    count, unit = text[:-1], text[-1:]
    if not (count.isascii() and count.isdecimal() and len(count) < 7 and unit in UNITS):
        expected = "a number and h, d or w, such as 90d"
        raise ConfigError([Problem(file="--older-than", line=0, found=repr(text), expected=expected)])
    return int(count) * UNITS[unit]
