"""What an organisation allows and whom it trusts; without a file: nothing is trusted, nothing is forbidden."""

import msgspec

from monitor.model.limits import Limits
from monitor.model.meetings import Method


class PlatformPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the organisation adds to what is publicly known of a platform."""

    hosts: tuple[str, ...] = ()
    """Host names of its links and SIP addresses, beside the public ones."""
    max_classification: str | None = None
    """The highest marking that a meeting on it may have."""


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which addresses on the own network mean what."""

    trusted_trunks: tuple[str, ...] = ()
    """Addresses or networks whose P-Asserted-Identity counts."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For counts. No rule asks for them yet."""
    hep_senders: tuple[str, ...] | None = None
    """Addresses or networks of the capture agents whose reports (HEP) are read. Without it a replay reads the reports
    of all, for somebody chose the capture, but never trusts them; the listener does not start."""
    web_front_ends: tuple[str, ...] = ()
    """Addresses or networks of web servers through which people join. No rule asks for them yet."""
    recorders: tuple[str, ...] = ()
    """Addresses or networks of the recorders that may be in a meeting: they are no participants."""
    external_trunks: tuple[str, ...] = ()
    """Addresses or networks from which no number of `internal_numbers` can come."""
    internal_numbers: tuple[str, ...] = ()
    """Prefixes in E.164 of the organisation's own numbers: `+3170426`."""
    bridges: dict[str, str] = {}
    """Address of a bridge or its SBC → platform."""
    access_numbers: dict[str, str] = {}
    """Number in E.164 that people dial to reach a platform's bridge → platform."""


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers in the rules' definitions, with their defaults."""

    admission_seconds: int = 20
    """A dial-in is admitted when the call lives this long after its last key."""
    duplicate_overlap_seconds: int = 30
    """Somebody is in a meeting twice when two of their calls are in it together for so long."""
    bruteforce_pins: int = 5
    """So many wrong PINs for one meeting are a campaign."""
    bruteforce_window_seconds: int = 3600
    """Within so long."""
    enumeration_meetings: int = 5
    """So many meeting numbers tried without success are a campaign."""
    enumeration_window_seconds: int = 86_400
    """Within so long, by one source."""
    enumeration_gap: int = 10
    """Meeting numbers this close together count as nearly consecutive."""
    early_minutes: int = 30
    """Whoever joins more than so long before the start comes too early."""
    late_minutes: int = 30
    """Whoever is still there so long after the end has stayed too long."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of it, as the TOML file has it."""

    timezone: str = "Europe/Amsterdam"
    """An IANA name: of times for which a calendar names no zone, and for *the same local date*."""
    country_code: str = "31"
    """Of numbers that are written with a leading 0."""
    classifications: tuple[str, ...] = (
        "Ongerubriceerd",
        "Dep.V.",
        "Stg. CONFIDENTIEEL",
        "Stg. GEHEIM",
        "Stg. ZEER GEHEIM",
    )
    """Low to high."""
    default_classification: str = "Ongerubriceerd"
    """Of a meeting whose invitation bears no marking."""
    allowed_methods: dict[str, tuple[Method, ...]] = {}
    """By classification; one that is absent has its default's, and where that is absent too, all."""
    platforms: dict[str, PlatformPolicy] = {}
    """What is added to a platform, by its name in `joinwatch platforms`."""
    site: Site = Site()
    """Addresses and numbers of the own network."""
    rules: Thresholds = Thresholds()
    """Thresholds of the rules."""
    limits: Limits = Limits()
    """How much is remembered: [limits.md](limits.md)."""

    def rank_of(self, classification: str) -> int:
        """Where a marking stands, low to high; -1 for one that the list does not have."""
        try:
            return self.classifications.index(classification)
        except ValueError:
            return -1

    def allows(self, method: Method, classification: str) -> bool:
        """Whether people may join a meeting of that classification in that way."""
        allowed = self.allowed_methods.get(classification, self.allowed_methods.get(self.default_classification))
        return allowed is None or method in allowed
