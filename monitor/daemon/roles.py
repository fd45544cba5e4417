"""The three roles as processes, from their first line to their last."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.daemon import decode
from monitor.daemon.privileges import become, die_with_parent, drop_capabilities, leave_no_core
from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import Settings, address_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from monitor.outputs.web import Routes, Web

CAPTURE_SOCKET, EVENTS_SOCKET = "capture.sock", "events.sock"


def say(text: str) -> None:
    """One line for the log; never anything from the wire."""
    print(f"joinwatch: {text}", file=sys.stderr, flush=True)  # noqa: T201


def capture_and_tree(settings: Settings, config: Path, decoder: Sequence[str] | None = None) -> int:
    """The whole tree: rings opened, privileges dropped, branches grown. Raises `RingError`.

    `decoder` is another program than our own to decode; it gets the same two words.
    """
    from monitor.daemon.capture import Capture
    from monitor.daemon.tree import Branch, command_of, grow

    runtime = Path(settings.runtime)
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(settings.state).mkdir(mode=0o700, parents=True, exist_ok=True)
    ring_bytes = settings.capture.ring_mebibytes * 1024 * 1024
    capture_at, events_at = str(runtime / CAPTURE_SOCKET), str(runtime / EVENTS_SOCKET)
    capture = Capture(
        settings.capture.interfaces, capture_at, ring_bytes=ring_bytes, promiscuous=settings.capture.promiscuous
    )
    leave_no_core()
    if settings.user is not None:
        import pwd

        entry = pwd.getpwnam(settings.user)
        for place in (runtime, Path(settings.state), Path(capture_at)):
            os.chown(place, entry.pw_uid, entry.pw_gid)
        become(entry.pw_uid, entry.pw_gid)
    drop_capabilities()
    say(f"capturing on {', '.join(settings.capture.interfaces)}")
    branches = [
        Branch("serve", command_of("serve", str(config))),
        Branch("decode", [*(decoder or command_of("decode")), capture_at, events_at]),
    ]
    branches += [Branch(f"deliver {name}", command_of("deliver", name, str(config))) for name in settings.sinks]
    grow(capture, branches, say)
    return 0


def serve(config: Path) -> int:
    """Correlate, remember, tell; until ended."""
    from monitor.daemon.endpoints import WebCounts, routes_of
    from monitor.daemon.serve import Serve
    from monitor.daemon.spool import SinkVitals
    from monitor.daemon.vitals import Vitals
    from monitor.detections import rule_infos
    from monitor.outputs.metrics import Metrics
    from monitor.outputs.web_client import Busy
    from monitor.pipeline import load_expected
    from monitor.platforms import known_platforms
    from monitor.sources.settings import load_settings

    settings = load_settings(config)
    leave_no_core()
    drop_capabilities()
    metrics = Metrics(rules=rule_infos(), platforms=known_platforms())

    def load():  # type: ignore[no-untyped-def]
        return load_expected(
            [Path(path) for path in settings.meetings],
            [Path(path) for path in settings.directory],
            Path(settings.policy) if settings.policy else None,
        )

    vitals = Vitals(settings.capture.interfaces)
    served: Serve | None = None

    def reload() -> "Future[Sequence[Problem]]":
        if served is None:
            raise Busy("It is starting: the lists are being read as it is.")
        return served.wish_reload()

    routes = routes_of(metrics, vitals, reload if settings.serve.reload else None)
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with web_of(settings, routes) as web:
        metrics.registry.register(WebCounts(lambda: web.counts))
        metrics.registry.register(SinkVitals(Path(settings.state), settings.sinks, Path(settings.state) / "journal"))
        served = Serve(str(Path(settings.runtime) / EVENTS_SOCKET), Path(settings.state), load, metrics, vitals)
        while not ended:
            served.step()
        served.close()
    return 0


def web_of(settings: Settings, routes: "Routes") -> "Web":
    """The web server that the settings ask for; listens, and answers when it is started. Raises `ConfigError`."""
    from monitor.outputs.web import Web

    host, port = address_of(settings.serve.listen) or ("127.0.0.1", 0)
    config = Path(settings.serve.web_config) if settings.serve.web_config else None
    return Web(host, port, routes, config=config, say=say)


def main(words: Sequence[str]) -> int:
    """`decode CAPTURE-SOCKET EVENTS-SOCKET`, `serve CONFIG`, or `deliver SINK CONFIG`."""
    die_with_parent()
    match words:
        case ["decode", capture, events]:
            return decode.run(capture, events)
        case ["serve", config]:
            return _unless_mistaken(lambda: serve(Path(config)))
        case ["deliver", name, config]:
            from monitor.daemon import deliver

            return _unless_mistaken(lambda: deliver.run(name, Path(config), say))
        case _:
            say("these are joinwatch's inner processes; `joinwatch watch` starts them")
            return 2


def _unless_mistaken(role: Callable[[], int]) -> int:
    """Run it; mistakes of the operator are told in the log."""
    try:
        return role()
    except ConfigError as error:
        for problem in error.problems:
            say(f"{problem.file}:{problem.line}: {problem.found}; expected {problem.expected}")
        return 2
