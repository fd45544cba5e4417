"""The whole house: a mirror port, the daemon, Prometheus, Alertmanager and who is called; and when each knew.

`make e2e` runs it with the intervals of real life, `test_deploy_e2e.py` with short ones.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

from pcaps.generator import sip_user
from pcaps.generator.wire import SECOND
from pcaps.stories.town import BRIDGE, SBC, SITE
from tests.corpus import ROOT
from tests.daemon.stage import NUMBER, Daemon, Mirror, frames_of, mirror, today
from tests.deploy.servers import Alertmanager, Hook, Notice, Prometheus, alertmanager, moment, prometheus

RULES = ROOT / "deploy" / "prometheus"
ROUTES = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
UP = re.compile(r"\bup\b")
"""In the query of a rule that tells of a target that is gone."""


def shipped_rules() -> list[Path]:
    """Every rule file that is shipped, and no test of one."""
    return sorted(path for path in RULES.glob("*.y*ml") if "rules" in path.name and "test" not in path.name)


class Pace(NamedTuple):
    """How often each looks, and how long it waits."""

    scrape: str
    evaluate: str
    durations: dict[str, str] = {}  # noqa: RUF012 - a NamedTuple
    """Of Alertmanager's routes; those that are not named stay as shipped."""
    factor: int = 1
    """So many times faster than in life do alerts age."""
    longest: str = ""
    """The longest that a rule may wait before it fires, if not as long as it says."""

    @property
    def name(self) -> str:
        """As a report calls it."""
        return f"every {self.scrape}" + (f", {self.factor} times as fast" if self.factor > 1 else "")


class Watch:
    """One Prometheus with its Alertmanager and whom that calls."""

    def __init__(self, pace: Pace, prometheus: Prometheus, alertmanager: Alertmanager, hook: Hook) -> None:
        self.pace, self.prometheus, self.alertmanager, self.hook = pace, prometheus, alertmanager, hook

    def told(self, rule: str, status: str = "firing") -> list[Notice]:
        """What whoever is on call heard about a detection."""
        return self.hook.told(status, lambda notice: notice.rule == rule)

    def told_gone(self, status: str = "firing") -> list[Notice]:
        """What they heard about a sensor that cannot be scraped."""
        about = {rule["name"] for rule in self.prometheus.rules() if UP.search(rule["query"])}
        return self.hook.told(status, lambda notice: notice.name in about)

    def constant(self) -> set[str]:
        """Alerts that fire always, so that their absence is noticed."""
        return {rule["name"] for rule in self.prometheus.rules() if rule["query"].replace(" ", "") == "vector(1)"}

    def loud(self) -> list[str]:
        """What fires now and is no sign of life."""
        constant = self.constant()
        return [one["alertname"] for one in self.prometheus.firing() if one["alertname"] not in constant]

    def seconds(self, rule: str, since: float) -> dict[str, float]:
        """How long after a moment this detection was scraped, fired, and was told."""
        told = self.told(rule)
        found = {
            "scraped": self.prometheus.first(f'joinwatch_alerts_active{{rule="{rule}"}}', since),
            "firing": self.prometheus.firing_since(rule),
            "notified": told[0].at if told else None,
        }
        return {step: at - since for step, at in found.items() if at is not None}


@contextmanager
def watch(folder: Path, target: int, pace: Pace) -> Iterator[Watch]:
    """Prometheus and Alertmanager with what is shipped, at this pace."""
    hook = Hook()
    with ExitStack() as stack:
        stack.callback(hook.close)
        tells = stack.enter_context(alertmanager(folder / "alertmanager", ROUTES, hook, pace.durations))
        asks = stack.enter_context(
            prometheus(
                folder / "prometheus",
                target,
                tells.port,
                shipped_rules(),
                scrape=pace.scrape,
                evaluate=pace.evaluate,
                factor=pace.factor,
                longest=pace.longest,
            )
        )
        yield Watch(pace, asks, tells, hook)


class House(NamedTuple):
    """All of it, at work."""

    port: Mirror
    daemon: Daemon
    watches: list[Watch]


@contextmanager
def murmur(port: Mirror, seconds: float = 0.5) -> Iterator[None]:
    """What a mirror port brings when nobody meets: a broadcast now and then (ARP asks for a documentation address)."""
    ask = bytes.fromhex("ffffffffffff02000000000108060001080006040001020000000001c0000201000000000000c0000202")
    quiet = Event()

    def speak() -> None:
        while not quiet.wait(seconds):
            port.send([ask])

    speaker = Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        quiet.set()
        speaker.join()


@contextmanager
def house(folder: Path, name: str, paces: Sequence[Pace]) -> Iterator[House]:
    """One daemon on a mirror port of that name, and side by side whoever watches it."""
    with ExitStack() as stack:
        port = stack.enter_context(mirror(name))
        stack.enter_context(murmur(port))
        running = Daemon(folder / "sensor", [port.near])
        stack.callback(running.stop)
        running.start()
        watches = [
            stack.enter_context(watch(folder / f"watch{place}", running.port, pace)) for place, pace in enumerate(paces)
        ]
        yield House(port, running, watches)


def join_of_one_second(port: Mirror, running: Daemon, name: str, user: str) -> tuple[float, float]:
    """Somebody uninvited is let in by SIP, and hangs up a second later. When the answer was on the wire, and when the
    alert was in the journal.
    """
    world = today(name)
    who = sip_user(f"{user}@elsewhere.example", user)
    call = world.call(who, f"sip:{NUMBER}@{SITE}", (SBC, BRIDGE), at=time.time_ns() // SECOND * SECOND)
    call.answer(after=0.05, focus=True)
    inside = len(frames_of(world))
    call.hang_up(after=1)
    frames = [frame for _, frame in frames_of(world)]
    port.send(frames[:inside])
    answered = time.time()
    running.wait(lambda: written(running, "alert", answered), "an alert in the journal")
    journalled = time.time()
    time.sleep(max(0.0, answered + 1 - time.time()))
    port.send(frames[inside:])
    running.wait(lambda: written(running, "leave", answered), "a leave in the journal")
    return answered, journalled


def written(running: Daemon, kind: str, since: float, **labels: str) -> dict[str, Any] | None:
    """The first line of that kind since then."""
    for said in running.journal():
        if said["type"] == kind and labels.items() <= said.items() and moment(said["time"]) >= since - 1:
            return said
    return None
