"""What the daemon's configuration file may say, and its defaults. Paths in it are seen from the file's own folder."""

import msgspec


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is captured."""

    interfaces: tuple[str, ...] = ()
    """Names, as `ip link` shows them: those that a mirror port feeds."""
    ring_mebibytes: int = 64
    """Of each interface: what arrives while a decoder is busy waits here."""
    promiscuous: bool = True


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told to whom."""

    listen: str = "127.0.0.1:9464"
    """Where Prometheus scrapes."""
    web_config: str | None = None
    """The exporters' `web.yml`: TLS and basic authentication."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of it, as the TOML file has it."""

    meetings: tuple[str, ...] = ()
    directory: tuple[str, ...] = ()
    policy: str | None = None
    state: str = "/var/lib/joinwatch"
    """Memory and journal: the only folder that is written."""
    runtime: str = "/run/joinwatch"
    """Where the processes meet."""
    user: str | None = None
    """Whose name root's processes take when everything is open."""
    capture: CaptureSettings = CaptureSettings()
    serve: ServeSettings = ServeSettings()
