"""What the daemon answers over HTTP: metrics, whether it is well and ready, and to be told to read its lists anew."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from monitor.daemon.vitals import Vitals
from monitor.model.problems import Problem
from monitor.outputs.exposition import Exposition
from monitor.outputs.metrics import Metrics
from monitor.outputs.web import Later, Routes
from monitor.outputs.web_client import Answer, Request, plainly
from monitor.outputs.web_page import landing

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LINKS = (
    ("/metrics", "what was counted, for Prometheus"),
    ("/-/healthy", "whether it goes on at all"),
    ("/-/ready", "whether it hears and writes, and if not, why"),
)


def routes_of(metrics: Metrics, vitals: Vitals, reload: "Callable[[], Future[Sequence[Problem]]] | None") -> Routes:
    """Every path. `reload` promises what is wrong with the lists; none when nobody may ask for it over HTTP."""
    from prometheus_client import ProcessCollector

    ProcessCollector(registry=metrics.registry)
    metrics.registry.register(vitals)

    def healthy(_: Request) -> Answer:
        if vitals.is_moving:
            return plainly(200, "joinwatch is healthy.")
        return plainly(503, "The loop that writes the journal hangs.")

    def ready(_: Request) -> Answer:
        reasons = vitals.reasons()
        return plainly(503, *reasons) if reasons else plainly(200, "joinwatch is ready.")

    def reloaded(request: Request) -> Answer | Later:
        if reload is None:
            return plainly(403, "Reloading over HTTP is off; [serve] reload = true allows it.")
        if request.header(b"sec-fetch-site") not in (b"", b"none", b"same-origin"):
            return plainly(403, "A page of another site asks for this.")
        return Later(reload(), told)

    def told(problems: Sequence[Problem]) -> Answer:
        if problems:
            # Whoever may ask for a reload may not know who is in the lists.
            return plainly(500, *(problem.for_log for problem in problems), "The lists of before stay in use.")
        return plainly(200, "The lists were read anew.")

    return {
        "/": {"GET": lambda _: landing(LINKS, vitals.reasons())},
        "/metrics": {"GET": Exposition(metrics.registry)},
        "/-/healthy": {"GET": healthy},
        "/-/ready": {"GET": ready},
        "/-/reload": {"POST": reloaded, "PUT": reloaded},
    }


class WebCounts:
    """What clients of the web server did, as a metric."""

    def __init__(self, counts: Callable[[], dict[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> "Iterator[Metric]":
        """What a registry asks for at each scrape."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(
            "joinwatch_http", "What HTTP clients did, and what became of it.", labels=["event"]
        )
        for event, count in self._counts().items():
            family.add_metric([event], count)
        yield family
