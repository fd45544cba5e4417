"""From a packet to whoever is on call, through real servers: `make e2e`; writes docs/end-to-end.md.

One daemon on a mirror port of its own; three times Prometheus with Alertmanager, which scrape it every 15, 30 and 60
seconds with the shipped rules. Needs root (a veth pair) and Debian's servers. Takes about half an hour, most of it the
quarter of an hour that an alert is news.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from platform import machine, python_version
from signal import SIGTERM, signal
from subprocess import run

from tests.deploy.house import Pace, house, shipped_rules
from tests.deploy.servers import missing_servers, program
from tests.deploy.story import STEPS, Line, Story

REPORT = Path(__file__).parents[1] / "docs" / "end-to-end.md"
PACES = [Pace(scrape, scrape) for scrape in ("15s", "30s", "60s")]
SILENCE = 180.0
LONGEST = 1500.0
"""Seconds: the longest that anything may take to be told, the end of an alert above all."""
HEAD = """# From a packet to whoever is on call, measured

Made by `make e2e`; do not edit. One daemon on a mirror port, three Prometheus side by side that scrape and evaluate
every 15, 30 and 60 s, each with an Alertmanager of its own that calls a webhook. The {rules} alerting rules and the
routes are those that are shipped; of them only addresses are changed. Seconds are counted from the last packet that
lets somebody in, or from the moment at which something was done.

* *journal*: the alert is in the journal. *scraped*: the time of the first sample that shows it. *firing*: the first
  evaluation that finds it. *notified*: the webhook has it.
* A sensor that hears nothing and is well was watched for {silence:.0f} s first: no rule fired.
* In “while all were dead” each Prometheus was killed (-9), somebody came in, the daemon was killed as soon as the
  journal had it, and all were started again. That alert was told, and the one before was told neither as over nor as
  new.

| what happens | watched | journal | scraped | firing | notified |
|---|---|---|---|---|---|
"""
TAIL = """
What is fresh is news for a quarter of an hour; then it is told to be over. That says nothing of the intruder: the
runbook does. `group_wait` and `group_interval` of the shipped routes are in every number under *notified*.

{date}, {cores} cores (load {load:.1f}), {machine}, Python {python}, {servers}.
"""


def main() -> int:
    """0 when all came true; 1 with what did not."""
    if why := missing_servers():
        print(why, file=sys.stderr)
        return 1
    begun = time.monotonic()
    signal(SIGTERM, lambda *_: sys.exit(1))  # so that whatever was started ends

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:7.1f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory() as folder, house(Path(folder), "jwe2e", PACES) as whole:
        story = Story(whole, LONGEST, say)
        _play(story, say)
        rules = len(whole.watches[0].prometheus.rules())
    REPORT.write_text(report(story.lines, rules), encoding="utf-8")
    say(f"written: {REPORT.name}")
    return 0


def _play(story: Story, say: Callable[[str], None]) -> None:
    say(f"rules: {', '.join(path.name for path in shipped_rules())}")
    story.silence(SILENCE)
    say(f"silence for {SILENCE:.0f} s: nothing fired")
    story.one_second()
    story.dead_together()
    story.over()
    story.missing()


def report(lines: list[Line], rules: int) -> str:
    """The page."""
    rows = [_row(line) for line in lines]
    servers = ", ".join(
        f"{name} {_version(path)}"
        for name in ("prometheus", "prometheus-alertmanager")
        if (path := program(name)) is not None
    )
    tail = TAIL.format(
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        machine=machine(),
        python=python_version(),
        servers=servers,
    )
    return HEAD.format(rules=rules, silence=SILENCE) + "\n".join(rows) + "\n" + tail


def _row(line: Line) -> str:
    cells = [f"{line.seconds[step]:.1f} s" if step in line.seconds else "" for step in STEPS]
    return f"| {' | '.join([line.act, line.pace, *cells])} |"


def _version(path: str) -> str:
    told = run([path, "--version"], capture_output=True, text=True, check=True)
    return (told.stdout + told.stderr).split("version ")[1].split()[0]


if __name__ == "__main__":
    sys.exit(main())
