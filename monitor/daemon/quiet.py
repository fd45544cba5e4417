"""Suppressions in the daemon: read with the lists, told when they are expired, counted for whoever scrapes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.model.settings import Settings
from monitor.model.suppressions import Suppressions

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Quiet:
    """The file of suppressions, as it was read last."""

    def __init__(self, path: str | None, say: Callable[[str], None]) -> None:
        self._path = Path(path) if path else None
        self._say = say
        self._now = Suppressions()

    def load(self) -> Suppressions:
        """As it is on disk. Raises `ConfigError`, and those of before stay."""
        if self._path is not None:
            from monitor.detections import rule_infos
            from monitor.platforms import known_platforms
            from monitor.sources.suppressions import load_suppressions

            rules = {rule.name for rule in rule_infos()}
            self._now = load_suppressions(self._path, rules=rules, platforms=known_platforms())
            for one in self._now.expired(datetime.now(UTC)):
                self._say(f"{self._path.name}:{one.line}: this suppression expired on {one.until}: its alerts are told")
        return self._now

    def go_on_with(self, suppressions: Suppressions) -> None:
        """Those of before, while the file is broken."""
        self._now = suppressions

    def collect(self) -> "Iterator[Metric]":
        """What a registry asks for at each scrape."""
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily("joinwatch_suppressions", "By whether they still count.", labels=["state"])
        expired = len(self._now.expired(datetime.now(UTC)))
        family.add_metric(["active"], len(self._now.entries) - expired)
        family.add_metric(["expired"], expired)
        yield family


def check_outwards(settings: Settings) -> None:
    """What is wrong with the files of sinks, told before anything starts: a `ConfigError`."""
    from monitor.outputs.sinks import outlet_of

    for sink in settings.sinks.values():
        outlet_of(sink, {}).close()
