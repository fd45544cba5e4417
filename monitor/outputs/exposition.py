"""A registry told to whoever scrapes: Prometheus' text format, or OpenMetrics where that is asked for.

Only OpenMetrics has exemplars: the id of an alert beside the count of alerts, which leads to the journal.
"""

import time
from typing import TYPE_CHECKING

from monitor.outputs.web_client import Answer, Request, weighed

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SHARE = 0.125
"""Of one processor, which scrapes may take in the long run; whoever asks more often is told again what was told."""
OLD_SECONDS = 2.0
"""Nothing older than this is ever told again."""
CREDIT_SECONDS = 1.0
"""Of a processor, which may be taken at once."""


class Exposition:
    """What a registry says now, or said a moment ago."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        self._registry = registry
        self._made: dict[bool, tuple[float, bytes]] = {}
        self._credit, self._counted = CREDIT_SECONDS, time.monotonic()

    def __call__(self, request: Request) -> Answer:
        """The answer to a scrape."""
        openmetrics = wants_openmetrics(request.header(b"accept"))
        kind = OPENMETRICS if openmetrics else PLAIN
        return Answer(200, self._text(openmetrics=openmetrics), kind, (("Vary", "Accept"),))

    def _text(self, *, openmetrics: bool) -> bytes:
        now = time.monotonic()
        self._credit = min(CREDIT_SECONDS, self._credit + SHARE * (now - self._counted))
        self._counted = now
        made, text = self._made.get(openmetrics, (0.0, b""))
        if text and self._credit <= 0 and now - made < OLD_SECONDS:
            return text
        spent = time.thread_time()
        text = text_of(self._registry, openmetrics=openmetrics)
        self._credit = max(-CREDIT_SECONDS, self._credit - (time.thread_time() - spent))
        self._made[openmetrics] = (now, text)
        return text


def text_of(registry: "CollectorRegistry", *, openmetrics: bool = False) -> bytes:
    """Everything that the registry holds."""
    if openmetrics:
        from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

        made: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
        return made
    from prometheus_client import generate_latest

    return generate_latest(registry)


def wants_openmetrics(accepted: bytes) -> bool:
    """Whether an Accept header prefers OpenMetrics to plain text; who says nothing gets plain text."""
    weights: dict[bytes, float] = {}
    for name, weight in weighed(accepted):
        weights[name] = max(weight, weights.get(name, 0.0))
    wanted = weights.get(b"application/openmetrics-text", 0.0)
    return wanted > 0 and wanted >= weights.get(b"text/plain", 0.0)
