"""`make dashboards`: writes the dashboards; then, as root where Prometheus is, plays the day, asks every panel's query,
and draws docs/pictures.

    python -m deploy.grafana.proof [--minutes 18] [--scrape 15] [--pictures docs/pictures]
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.grafana.generator.__main__ import main as write
from deploy.grafana.proof import grafana
from deploy.grafana.proof.grafana import Span
from deploy.grafana.proof.prometheus import Prometheus, program, prometheus

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "deploy" / "prometheus"


def main(words: list[str]) -> int:
    """0 when every query gave data; 1 when one did not, or could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.proof", description=__doc__)
    parser.add_argument("--minutes", type=float, default=18.0, help="how long the day lasts")
    parser.add_argument("--scrape", type=int, default=15, help="seconds between two scrapes")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "pictures")
    given = parser.parse_args(words)
    write([])
    if program() is None or sys.platform != "linux" or os.geteuid() != 0:
        print("The dashboards are written. For the proof: root on Linux, and Prometheus (make counterparts).")  # noqa: T201
        return 0
    from deploy.grafana.proof.story import INSTANCE, on_stage

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            on_stage(folder / "daemon", given.minutes * 60) as (daemon, day),
            prometheus(folder / "prometheus", daemon.port, INSTANCE, given.scrape, RULES) as asked,
        ):
            daemon.start()
            asked.wait()
            begun = time.time()
            day.play()
            time.sleep(2 * given.scrape)
            span = Span(begun + 2 * given.scrape, time.time(), given.scrape)
            silent = _asked(grafana.read(), asked, span)
            _draw(asked, span, given.pictures)
    for one in silent:
        print(f"no data: {one}", file=sys.stderr)  # noqa: T201
    return 1 if silent else 0


def _asked(dashboards: Mapping[str, Mapping[str, Any]], asked: Prometheus, span: Span) -> list[str]:
    """Every query of every panel; the names of those that gave nothing."""
    silent, count = [], 0
    for name, dashboard in dashboards.items():
        for panel in grafana.panels(dashboard):
            for answer in grafana.ask(panel, asked, span):
                count += 1
                if not answer.series:
                    silent.append(f"{name}, {panel['title']}: {answer.expr}")
    print(f"{count} queries were asked; {len(silent)} gave nothing.")  # noqa: T201
    return silent


def _draw(asked: Prometheus, span: Span, folder: Path) -> None:
    from deploy.grafana.pictures.compose import picture
    from deploy.grafana.pictures.theme import DARK, LIGHT

    folder.mkdir(parents=True, exist_ok=True)
    for name, dashboard in grafana.read().items():
        for theme in (DARK, LIGHT):
            (folder / f"{name}-{theme.name}.png").write_bytes(picture(dashboard, asked, span, "All", theme))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
