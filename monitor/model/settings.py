"""What the daemon's configuration file may say, and its defaults. Paths in it are seen from the file's own folder."""

from typing import Annotated, Literal

import msgspec

from monitor.model.fetching import Fetch
from monitor.model.sinks import Sink

AtLeastZero = msgspec.Meta(ge=0, le=36_525)


class HepSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where capture agents send what they see (HEP3). Whose reports are read is in the policy: `[site] hep_senders`."""

    listen: str | None = None
    """`HOST:PORT`, an IPv6 host in brackets, of UDP and TCP; `0.0.0.0` or `[::]` for all addresses. Usual is port 9060.
    Without it nobody listens."""


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is captured."""

    interfaces: tuple[str, ...] = ()
    """Names, as `ip link` shows them: those that a mirror port feeds. Without any there must be `[capture.hep]`."""
    ring_mebibytes: Annotated[int, msgspec.Meta(ge=1, le=4_095)] = 64
    """Of each interface: what arrives while a decoder is busy waits here. The kernel has no rings of 4 GiB."""
    promiscuous: bool = True
    """Whether frames for others are taken, as a mirror's are. Without, the adapter drops all but our own."""
    backend: Literal["ring", "libpcap"] | None = None
    """What captures: the kernel's own ring, which is Linux's, or libpcap, which is anywhere. By default what there is.
    """
    hep: HepSettings = HepSettings()


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told to whom."""

    listen: str = "127.0.0.1:9464"
    """Where Prometheus scrapes: `HOST:PORT`, an IPv6 host in brackets."""
    web_config: str | None = None
    """The exporters' `web.yml`: TLS and basic authentication."""
    reload: bool = False
    """Whether whoever reaches that port may have the lists read anew, by POST to `/-/reload`."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large the journal may become. Whole files go, the oldest first, and those that every sink has read before all
    others.
    """

    max_mebibytes: Annotated[int, msgspec.Meta(ge=0, le=1024 * 1024 * 1024)] = 0
    """All files together, from 128 on; beyond it they go even unread by a sink, which is counted and told. 0: no end.
    """


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days each kind of record is kept, counted from the time in it; 0 keeps it for ever.

    Looked after once an hour. What is over its time is overwritten in its place, and a file goes when all of it is.
    """

    alerts: Annotated[int, AtLeastZero] = 365
    """Long enough for an incident that is found late, and its report."""
    joins: Annotated[int, AtLeastZero] = 90
    """Who was in which meeting, and left."""
    attempts: Annotated[int, AtLeastZero] = 30
    """Who tried, and was not admitted."""
    calls: Annotated[int, AtLeastZero] = 30
    """Who called what. The daemon writes no such lines so far."""
    rosters: Annotated[int, AtLeastZero] = 30
    """Whom a bridge named as being in a conference. The daemon writes no such lines so far."""
    oddities: Annotated[int, AtLeastZero] = 14
    """They name nobody, and a flood of them is large."""
    others: Annotated[int, AtLeastZero] = 90
    """Summaries, coverage, and whatever else is told."""
    audit: Annotated[int, AtLeastZero] = 1095
    """Who looked and who erased: longer than what they looked at."""
    memory_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 31)] = 26
    """Signalling events, in order to judge anew. With less than 26, rules that look back a day see less."""


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log of who looked at personal data, gave it out or erased it."""

    enabled: bool = True
    """Whether there is one."""
    reasons: bool = False
    """Whether `explain`, `forget` and `purge` demand `--reason TEXT`."""
    key: str | None = None
    """A file of 32 random bytes or more that signs each entry; only its owner may read it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of it, as the TOML file has it."""

    meetings: tuple[str, ...] = ()
    """iCalendar files, or folders of them: who is expected. Watched for changes."""
    directory: tuple[str, ...] = ()
    """vCard and CSV files, or folders of them: who is who. Watched for changes."""
    policy: str | None = None
    """The policy: what is allowed and who is trusted, in TOML. Watched for changes."""
    state: str = "/var/lib/joinwatch"
    """Memory and journal: the only folder that is written."""
    runtime: str = "/run/joinwatch"
    """Where the processes meet."""
    user: str | None = None
    """Whose name root's processes take when everything is open."""
    suppressions: str | None = None
    """Which alerts are not told for a while, who has decided so, and why: TOML."""
    pseudonyms: str | None = None
    """A file with a key of 32 random bytes or more: everybody is called by a keyed digest in all that is told."""
    capture: CaptureSettings = CaptureSettings()
    """What is captured."""
    serve: ServeSettings = ServeSettings()
    """Metrics and health over HTTP."""
    journal: JournalSettings = JournalSettings()
    """How large the journal may become."""
    retention: RetentionSettings = RetentionSettings()
    """How long what names people is kept."""
    audit: AuditSettings = AuditSettings()
    """The log of who looked."""
    fetch: Fetch = Fetch()
    """Whom to ask for calendars and people."""
    sinks: dict[str, Sink] = {}
    """To whom alerts are delivered, by names of your choice; each is a process of its own, and none is the default."""


def address_of(text: str) -> tuple[str, int] | None:
    """Host and port of `HOST:PORT`, an IPv6 host in brackets; none when it is no such thing."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        return None
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    return None if ":" in host else (host or "127.0.0.1", int(port))
