"""To whom alerts are delivered: lines of the journal → Alertmanager, a webhook, syslog.

A sink speaks to one other side and remembers nothing that a restart may not forget, but for what `kept` gives. Whoever
calls it follows the journal, keeps the place, waits and tries again (`monitor.daemon.deliver`). `SINKS` names every
sink there is; a test sends hostile text through each of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from monitor.model.sinks import AlertmanagerSink, Sink, SyslogSink, WebhookSink
from monitor.outputs.mappings import Object

SINKS = ("alertmanager", "webhook", "syslog")


class Unreachable(Exception):
    """It cannot be delivered now; later it can, perhaps. Nothing is wrong with what was to be delivered."""

    def __init__(self, reason: str, *, done: int = 0, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        """In our own words."""
        self.done = done
        """So many lines of the batch are delivered all the same, from its beginning."""
        self.wait_seconds = wait_seconds
        """The other side asks to be left alone for so long."""


class Refused(Exception):
    """The other side is there and does not want this: trying for ever would keep everything behind it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Outlet(Protocol):
    """One other side, to which lines are delivered."""

    batch: int
    """The most lines that it takes at once."""

    def wants(self, said: Object) -> bool:
        """Whether this line is for it."""
        ...

    def deliver(self, lines: Sequence[Object]) -> None:
        """When it returns, all of them are delivered. Raises `Unreachable` and `Refused`."""
        ...

    def due(self) -> float:
        """Seconds until `again` must be called; 0 when it must be now."""
        ...

    def again(self) -> None:
        """Tell again what must be told regularly. Raises `Unreachable` and `Refused`."""
        ...

    def kept(self) -> dict[str, Any]:
        """What its next life must know."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


def outlet_of(settings: Sink, techniques: Mapping[str, str], kept: dict[str, Any] | None = None) -> Outlet:
    """The sink that the settings ask for; `kept` is of its life before. Raises `ConfigError` for files that are wrong.

    `techniques` are ATT&CK's by rule.
    """
    match settings:
        case AlertmanagerSink():
            from monitor.outputs.sinks.alertmanager import Alertmanager

            return Alertmanager(settings, kept or {})
        case WebhookSink():
            from monitor.outputs.sinks.webhook import Webhook

            return Webhook(settings, techniques)
        case SyslogSink():
            from monitor.outputs.sinks.syslog import Syslog

            return Syslog(settings, techniques)


def outgoing(said: Object, settings: Sink) -> Object:
    """The line as it may leave the house: with people only where that is allowed, and in the sink's language."""
    from monitor.outputs.sinks.people import withheld

    line = said if settings.people else withheld(said)
    if settings.language == "en":
        return line
    from monitor.outputs.sinks.dutch import in_dutch

    return in_dutch(line)


def is_wanted(said: Object, records: Sequence[str], settings: Sink) -> bool:
    """Whether a line is of a wanted type and severe enough."""
    from monitor.model.alerts import Severity

    if said.get("type") not in records:
        return False
    severity = said.get("severity")
    return severity not in list(Severity) or Severity(severity).rank >= settings.least.rank
