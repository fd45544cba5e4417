"""The three roles as processes, from their first line to their last."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from monitor.daemon import decode
from monitor.daemon.landlock import write_only_below
from monitor.daemon.notify import Heard, Notify
from monitor.daemon.obituary import leave_only_a_place
from monitor.daemon.privileges import (
    PARENT,
    UNCONFINED,
    Unprivileged,
    become,
    confine_capture,
    confine_serve,
    confine_tree,
    die_with_parent,
    drop_capabilities,
    give_to,
    is_linux,
    is_orphan,
    leave_no_core,
)
from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import Settings, address_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from monitor.daemon.capture import Capture
    from monitor.outputs.web import Routes, Web

CAPTURE_SOCKET, EVENTS_SOCKET = "capture.sock", "events.sock"
SERVE_ALIVE = "serve.alive"
ROLES = ("capture", "decode", "serve")


def say(text: str) -> None:
    """One line for the log; never anything from the wire."""
    print(f"joinwatch: {text}", file=sys.stderr, flush=True)  # noqa: T201


def capture_and_tree(settings: Settings, config: Path, decoder: Sequence[str] | None = None) -> int:
    """The whole tree: rings opened, privileges dropped, branches grown. Raises `RingError`.

    `decoder` is another program than our own to decode; it gets the same two words.
    """
    from monitor.daemon.tree import Branch, command_of, grow

    notify = Notify()
    capture = _capture_of(settings, notify)
    settle(settings)
    confine_tree()
    capture_at, events_at = _sockets_of(settings)
    branches = [
        Branch("serve", command_of("serve", str(config)), Heard(Path(settings.runtime) / SERVE_ALIVE)),
        Branch("decode", [*(decoder or command_of("decode")), capture_at, events_at]),
    ]
    branches += [Branch(f"deliver {name}", command_of("deliver", name, str(config))) for name in settings.sinks]
    grow(capture, branches, say, notify)
    return 0


def alone(role: str, settings: Settings, config: Path) -> int:
    """One role and no tree: somebody else keeps all of them alive, as systemd does. Raises `RingError`."""
    if role == "capture":
        return capture_alone(settings)
    if role == "decode":
        from monitor.daemon.tree import command_of

        settle(settings, folders=False)
        words = command_of("decode", *_sockets_of(settings))
        os.execv(words[0], words)  # noqa: S606 - our own program, without what the command line has loaded
    return serve(config)


def capture_alone(settings: Settings) -> int:
    """Rings opened, every privilege dropped; then whoever decodes gets them. Raises `RingError`."""
    notify = Notify()
    capture = _capture_of(settings, notify)
    settle(settings)
    if not write_only_below(()):
        say("capture: this kernel has no Landlock; where it writes is left to its permissions")
    confine_capture(capture.mute, sending=(2, *notify.descriptors))
    ended = _until_told()
    notify.ready()
    while not ended():
        capture.step(0.5)
        notify.alive()
    notify.ending()
    capture.close()
    return 0


def _capture_of(settings: Settings, notify: Notify) -> "Capture":
    from monitor.daemon.capture import Capture

    _make_folders(settings)
    capture = Capture(
        settings.capture.interfaces,
        _sockets_of(settings)[0],
        ring_bytes=settings.capture.ring_mebibytes * 1024 * 1024,
        promiscuous=settings.capture.promiscuous,
        backend=settings.capture.backend,
        hep=address_of(settings.capture.hep.listen or ""),
        notify=notify,
    )
    agents = [f"what capture agents send to {settings.capture.hep.listen}"] if settings.capture.hep.listen else []
    say(f"capturing on {', '.join((*settings.capture.interfaces, *agents))}")
    if not is_linux():
        say(UNCONFINED)
    return capture


def _sockets_of(settings: Settings) -> tuple[str, str]:
    """Where capture and serve are to be met."""
    runtime = Path(settings.runtime)
    return str(runtime / CAPTURE_SOCKET), str(runtime / EVENTS_SOCKET)


def _make_folders(settings: Settings) -> None:
    for folder in (settings.runtime, settings.state):
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)


def settle(settings: Settings, *, folders: bool = True) -> None:
    """Nobody in particular from here on: no root, no groups, no capability, and files for nobody else.

    Raises `ConfigError` when there is no such user.
    """
    leave_no_core()
    if settings.user is not None and os.getuid() == 0:
        import pwd

        try:
            entry = pwd.getpwnam(settings.user)
        except KeyError:
            found, expected = f"user = {settings.user!r}, whom this machine does not know", "a user of this machine"
            raise ConfigError([Problem(file="configuration", line=0, found=found, expected=expected)]) from None
        for folder in (settings.runtime, settings.state) if folders else ():
            give_to(entry.pw_uid, entry.pw_gid, Path(folder))
        become(entry.pw_uid, entry.pw_gid)
    elif os.getuid() == 0 and os.getppid() != int(os.environ.get(PARENT, "0")):
        say('this runs as root, and need not: name a user, as in user = "joinwatch"')
    drop_capabilities()


def _until_told() -> Callable[[], bool]:
    """Whether it is time to end: SIGTERM says so, or the tree that started it is gone."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    signal.signal(signal.SIGINT, lambda number, _: told.append(number))
    return lambda: bool(told) or is_orphan()


def serve(config: Path) -> int:
    """Correlate, remember, tell; until ended."""
    from monitor.daemon.beginning import Beginning
    from monitor.daemon.endpoints import WebCounts, routes_of
    from monitor.daemon.ledger import Place
    from monitor.daemon.lists import Lists
    from monitor.daemon.privacy import audit_of, digest_of, hiding
    from monitor.daemon.quiet import Quiet
    from monitor.daemon.reading import First
    from monitor.daemon.room import Room
    from monitor.daemon.serve import Serve
    from monitor.daemon.spool import SinkVitals
    from monitor.daemon.vitals import Vitals
    from monitor.daemon.watching import Watching
    from monitor.detections import rule_infos
    from monitor.outputs.metrics import Metrics
    from monitor.outputs.web_client import Busy
    from monitor.platforms import known_platforms
    from monitor.sources.settings import load_settings

    settings = load_settings(config)
    notify = Notify()
    _make_folders(settings)
    settle(settings)
    os.environ["SQLITE_TMPDIR"] = settings.state
    metrics = Metrics(rules=rule_infos(), platforms=known_platforms())

    lists = Lists(config, settings)
    beginning = Beginning(Path(settings.state), say)
    watching = Watching(lambda: lists.paths())
    vitals = Vitals(settings.capture.interfaces, notify.alive)
    served: Serve | None = None

    def reload() -> "Future[Sequence[Problem]]":
        if served is None:
            raise Busy("It is starting: the lists are being read as it is.")
        return served.wish_reload()

    routes = routes_of(metrics, vitals, reload if settings.serve.reload else None)
    ended = _until_told()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hung_up: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: hung_up.append(number))
    listening = web_of(settings, routes)
    if not write_only_below([Path(settings.state), Path(settings.runtime)]):
        say("serve: this kernel has no Landlock; where it writes is left to its permissions")
    confine_serve()
    with listening as web:
        metrics.registry.register(WebCounts(lambda: web.counts))
        metrics.registry.register(SinkVitals(Path(settings.state), settings.sinks, Path(settings.state) / "journal"))
        quiet = Quiet(settings.suppressions, say)
        metrics.registry.register(quiet)

        def taken(lists: First) -> None:
            quiet.take(lists.suppressions)
            beginning.keep(lists)

        served = Serve(
            str(Path(settings.runtime) / EVENTS_SOCKET),
            Path(settings.state),
            lists.load,
            metrics,
            vitals,
            keeping=settings.retention,
            audit=audit_of(settings),
            digest=lambda: digest_of(lists.settings, config),
            hide=hiding(settings, beginning.policy_of(settings)),
            suppressions=quiet.load,
            needs_restart=lambda: lists.needs_restart,
            say=say,
            last=lambda: beginning.last(quiet),
            taken=taken,
        )
        memory = served.memory
        needed = lambda: Place.of(memory.fact("journal"))  # noqa: E731
        room = Room(Path(settings.state), settings.journal.max_mebibytes, settings.sinks, needed, say)
        Thread(target=watching.run, args=(served.wish_reload,), name="watching", daemon=True).start()
        notify.ready()
        while not ended():
            if hung_up:
                hung_up.clear()
                served.wish_reload()
            served.step()
            room.step()
        notify.ending()
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
    leave_only_a_place(words[0] if words else "nobody")
    match words:
        case ["decode", capture, events]:
            return _unless_mistaken(lambda: decode.run(capture, events))
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
            say(problem.for_log)
        return 2
    except Unprivileged as error:
        say(str(error))
        return 1
