"""What the daemon's configuration may say of sinks: to whom alerts are delivered, each in a table `[sinks.NAME]`."""

from typing import Literal, TypeAlias

import msgspec

from monitor.model.alerts import Severity

RecordType: TypeAlias = Literal["alert", "join", "leave", "attempt", "oddity"]
Language: TypeAlias = Literal["en", "nl"]


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every sink has. Each is off until its table is there."""

    people: bool = False
    """Whether names, numbers, addresses and meetings leave the house this way; without, an id leads to the journal."""
    least: Severity = Severity.LOW
    """Alerts below are not delivered."""
    language: Language = "en"
    """Of an alert's summary and description, and of the runbook that it leads to."""
    sensor: str = ""
    """The name of this monitor, where there are several; by default the host's, and none for Alertmanager."""
    timeout_seconds: int = 10
    """Of one delivery, from its first byte to the end of the answer."""
    ca_file: str | None = None
    """Certificates (PEM) that sign the other side's; by default the system's."""
    cert_file: str | None = None
    """Our own certificate and key (PEM), for TLS with client certificates."""
    key_file: str | None = None
    """The key of `cert_file`, where it does not stand in the same file."""


class HttpSink(SinkSettings, frozen=True, kw_only=True):
    """What is delivered by HTTP."""

    url: str
    """`https://HOST/PATH` or `http://…`; no user or password in it."""
    username: str = ""
    """For basic authentication, with `password_file`."""
    password_file: str | None = None
    """A file with the password on its first line."""
    bearer_token_file: str | None = None
    """A file with a token, in place of user and password."""


class AlertmanagerSink(HttpSink, frozen=True, kw_only=True, tag="alertmanager", tag_field="kind"):
    """One Alertmanager; several are several sinks, and all get all. `url` is its root: `http://am.example:9093`."""

    resend_seconds: int = 60
    """How often what is active is told again, for an Alertmanager that starts anew has forgotten it."""


class WebhookSink(HttpSink, frozen=True, kw_only=True, tag="webhook", tag_field="kind"):
    """Whoever takes signed JSON by POST."""

    secret_file: str
    """The shared secret of the signature: `whsec_` and base64, or 24 to 64 bytes as they are."""
    format: Literal["journal", "ecs", "ocsf"] = "journal"
    """A line of the journal as it is, or its mapping."""
    records: tuple[RecordType, ...] = ("alert",)
    """What is delivered."""


class SyslogSink(SinkSettings, frozen=True, kw_only=True, tag="syslog", tag_field="kind"):
    """A collector of syslog."""

    address: str
    """`tcp://HOST:PORT` or `tls://HOST:PORT`."""
    format: Literal["rfc5424", "cef", "ecs", "ocsf"] = "rfc5424"
    """A sentence with structured data, or a mapping."""
    records: tuple[RecordType, ...] = ("alert",)
    """What is delivered."""
    facility: int = 13
    """RFC 5424, table 1; 13 is *log audit*."""
    sd_id: str = "joinwatch@32473"
    """Of the structured data: `name@NUMBER`, the number an enterprise's of IANA; 32473 is that of examples."""
    max_bytes: int = 8192
    """Of one message. Longer ones lose their reasons first."""


Sink: TypeAlias = AlertmanagerSink | WebhookSink | SyslogSink
SINK_KINDS: dict[str, type[AlertmanagerSink] | type[WebhookSink] | type[SyslogSink]] = {
    "alertmanager": AlertmanagerSink,
    "webhook": WebhookSink,
    "syslog": SyslogSink,
}
