"""All examinations in their order: what the operator named comes in, `Facts` go out.

Nothing here fails for want of a privilege: what cannot be examined is said, and the rest is.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from monitor.doctor import links, machine
from monitor.doctor.daemons import daemon_facts
from monitor.doctor.facts import Facts, LinkFacts
from monitor.doctor.findings import Unexamined
from monitor.doctor.listening import Tick, hear_captures, listen, sample_elsewhere, sample_of
from monitor.doctor.lists import list_facts, read_lists
from monitor.doctor.places import place_facts
from monitor.model.problems import ConfigError
from monitor.model.settings import Settings, address_of
from monitor.outputs.words import many
from monitor.pipeline import Expected, captures_of

OWN_TABLES = ("capture", "serve")
PLACES = ("url", "address", "server", "host")
PORTS = {"http": 80, "https": 443, "ldap": 389, "ldaps": 636, "syslog": 514}
MAX_SINKS = 32


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator named."""

    captures: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    config: str | None = None
    meetings: tuple[str, ...] = ()
    directory: tuple[str, ...] = ()
    policy: str | None = None
    seconds: float = 10.0
    connect: bool = False
    people: bool = False


class Examination:
    """One visit."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.facts = Facts(live=not wish.captures, show_people=wish.people)
        self.examined: list[str] = []
        self._missed: list[Unexamined] = []
        self._settings: Settings | None = None

    def run(self, tick: Tick, read: Callable[[], None]) -> Facts:
        """Everything. `tick` is told how listening goes on, `read` that a capture is being read.

        Raises `ConfigError` for a capture or configuration that is not there.
        """
        facts, wish = self.facts, self.wish
        if wish.config is not None:
            self._configuration(Path(wish.config))
        settings = self._settings
        meetings = [Path(path) for path in (*wish.meetings, *(settings.meetings if settings else ()))]
        directory = [Path(path) for path in (*wish.directory, *(settings.directory if settings else ()))]
        chosen = wish.policy or (settings.policy if settings else None)
        policy = Path(chosen) if chosen else None
        expected, problems = read_lists(meetings, directory, policy)
        facts.clock = machine.clock_facts()
        at = until = facts.clock.now
        if wish.captures:
            self._captures(expected, read)
            firsts = [report.first for report in facts.reports if report.first is not None]
            at = min(firsts, default=at)
            until = max((report.last for report in facts.reports if report.last is not None), default=at)
        else:
            self._live(expected, tick)
        if facts.hearing is not None:
            facts.joinings = facts.hearing.joinings(expected)
        facts.lists = list_facts(expected, problems, at, until, meetings=meetings, directory=directory, policy=policy)
        if meetings or directory or policy:
            self.examined.append(
                f"lists: {facts.lists.invitations:,} invitations, {facts.lists.names:,} names of meetings,"
                f" {facts.lists.soon:,} meetings within the week"
            )
        facts.unexamined = tuple(self._missed)
        return facts

    def _miss(self, what: str, why: str) -> None:
        self._missed.append(Unexamined(what=what, why=why))

    def _configuration(self, path: Path) -> None:
        """The daemon's file, and what in this machine it speaks of."""
        from monitor.sources.settings import load_settings

        facts = self.facts
        if not path.is_file():
            load_settings(path)  # says what is wrong
        try:
            settings = load_settings(path)
        except ConfigError as error:
            facts.config_problems = error.problems
            self._miss("what the configuration names", "it has mistakes; mend them, and ask again")
            return
        self._settings = settings
        facts.promiscuous = settings.capture.promiscuous
        facts.ring_bytes = settings.capture.ring_mebibytes * 1024 * 1024 * len(settings.capture.interfaces)
        facts.memory_bytes = machine.memory_bytes()
        facts.user_unknown = machine.unknown_user(settings.user)
        facts.places = tuple(place_facts(settings))
        facts.daemon = daemon_facts(settings.serve.listen, Path(settings.state))
        port = machine.port_facts(settings.serve)
        facts.port = msgspec.structs.replace(port, by_us=facts.daemon is not None)
        self.examined.append(f"configuration: {path}, its folders, its port {settings.serve.listen}")
        if facts.daemon is not None:
            self.examined.append(f"daemon: answers at {facts.daemon.address}")
        else:
            why = "it answers by TLS, or to a password alone" if facts.port.by_us else "none answers: it is not started"
            self._miss("the daemon", f"{why} ({settings.serve.listen})")
        self._sinks(path)

    def _sinks(self, path: Path) -> None:
        """Everything in the file that looks like a place to connect to, except our own."""
        with path.open("rb") as file:
            document = tomllib.load(file)
        places = list(sinks_in(document))[:MAX_SINKS]
        found = [machine.reached(key, host, port, attempt=self.wish.connect) for key, host, port in places]
        self.facts.sinks = tuple(found)
        if found and not self.wish.connect:
            self._miss(many(len(found), "sink"), "nothing is connected to, unless with --connect")

    def _captures(self, expected: Expected, read: Callable[[], None]) -> None:
        facts, wish = self.facts, self.wish
        captures_of(list(wish.captures))  # says what is wrong with the paths, before anything is read
        if any(path == "-" for path in wish.captures):
            self._miss("the sample of all frames", "standard input can be read once only; give a file")
        else:
            facts.sample = sample_of(wish.captures)
        facts.hearing, facts.reports = hear_captures(wish.captures, expected, read)
        frames = sum(report.frames for report in facts.reports)
        self.examined.append(
            f"captures: {frames:,} frames, {facts.hearing.frames:,} wanted, {facts.hearing.messages:,} messages of SIP,"
            f" {len(facts.hearing.calls):,} calls, {facts.hearing.calls_in:,} that reached a meeting"
        )
        if facts.sample is not None and frames > facts.sample.frames:
            self.examined.append(f"of these, the first {facts.sample.frames:,} also by what they are not")

    def _live(self, expected: Expected, tick: Tick) -> None:
        facts, wish = self.facts, self.wish
        names = tuple(dict.fromkeys(wish.interfaces or (self._settings.capture.interfaces if self._settings else ())))
        facts.privileges = machine.privilege_facts()
        facts.host_addresses = links.host_addresses()
        facts.links = tuple(links.link_facts(name) for name in names)
        if not names:
            return
        self.examined.append("interfaces: " + "; ".join(map(_described, facts.links)))
        ready = [link.name for link in facts.links if link.exists and link.up and link.link is not None]
        if not facts.privileges.may_capture:
            self._miss("traffic", f"packets may not be captured: {facts.privileges.refused} (run it as root)")
        elif ready:
            self._listen(ready, expected, tick)

    def _listen(self, names: Sequence[str], expected: Expected, tick: Tick) -> None:
        from monitor.sources.live.blocks import RingError

        facts, seconds = self.facts, self.wish.seconds
        before = {name: links.counters_of(name) for name in names}
        try:
            heard = listen(names, seconds, expected, tick, promiscuous=facts.promiscuous)
        except RingError as error:
            self._miss("traffic", str(error))
            return
        facts.seconds, facts.sample, facts.hearing = round(heard.seconds, 1), heard.sample, heard.hearing
        facts.dropped, facts.lag = heard.dropped, heard.lag
        facts.links = tuple(_grown(link, before.get(link.name)) for link in facts.links)
        self.examined.append(
            f"traffic: {heard.sample.frames:,} frames within {facts.seconds:g} s,"
            f" {heard.hearing.messages:,} messages of SIP, {len(heard.hearing.calls):,} calls,"
            f" {heard.hearing.calls_in:,} that reached a meeting"
        )
        if not facts.hears() and not heard.sample.sip:
            others = [name for name in links.interfaces() if name not in names]
            facts.elsewhere = sample_elsewhere(others, seconds)
            if facts.elsewhere:
                self.examined.append(f"shortly also: {', '.join(facts.elsewhere)}")


def sinks_in(document: Mapping[str, Any], key: str = "") -> Iterator[tuple[str, str, int]]:
    """Key, host and port of everything that looks like a place to connect to."""
    for name, value in document.items():
        here = f"{key}.{name}" if key else name
        if isinstance(value, dict):
            if key or name not in OWN_TABLES:
                yield from sinks_in(value, here)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, dict):
                    yield from sinks_in(one, here)
        elif isinstance(value, str) and key and name in PLACES and (place := place_of(value, document)):
            yield here, *place


def place_of(value: str, beside: Mapping[str, Any]) -> tuple[str, int] | None:
    """Host and port of a URL, of `HOST:PORT`, or of a host whose port stands beside it."""
    try:
        url = urlsplit(value)
        if url.hostname and (port := url.port or PORTS.get(url.scheme)):
            return url.hostname, port
    except ValueError:
        return None
    if found := address_of(value):
        return found
    port = beside.get("port")
    return (value, port) if isinstance(port, int) and 0 < port < 65536 else None


def _grown(link: LinkFacts, before: dict[str, int] | None) -> LinkFacts:
    """With what its counters grew by, and as it is now: listening makes it promiscuous."""
    if before is None:
        return link
    after = links.counters_of(link.name)
    return msgspec.structs.replace(link, growth={name: after[name] - count for name, count in before.items()})


def _described(link: LinkFacts) -> str:
    if not link.exists:
        return f"{link.name} (not there)"
    state = "down" if not link.up else "up" if link.carrier else "no carrier"
    speed = f", {link.speed_megabits:,} Mbit/s" if link.speed_megabits else ""
    vlan = f", VLAN {link.vlan} of {link.parent}" if link.vlan is not None else ""
    return f"{link.name} ({state}{speed}, MTU {link.mtu:,}{vlan})"
