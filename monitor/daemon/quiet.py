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
    """The file of suppressions, and those that are in force."""

    def __init__(self, path: str | None, say: Callable[[str], None]) -> None:
        self._path = Path(path) if path else None
        self._say = say
        self._now = Suppressions()

    def load(self) -> Suppressions:
        """As it is on disk; for any thread. Raises `ConfigError`."""
        if self._path is None:
            return Suppressions()
        from monitor.detections import rule_infos
        from monitor.platforms import known_platforms
        from monitor.sources.suppressions import load_suppressions

        rules = {rule.name for rule in rule_infos()}
        found = load_suppressions(self._path, rules=rules, platforms=known_platforms())
        for one in found.expired(datetime.now(UTC)):
            self._say(f"{self._path.name}:{one.line}: this suppression expired on {one.until}: its alerts are told")
        return found

    def take(self, suppressions: Suppressions) -> None:
        """These are in force from now on, which may be later than they were read, or those of an earlier life."""
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
