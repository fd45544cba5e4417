"""Where the platforms live: hosts, bridges and access numbers, found in dictionaries before any expression is tried."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

import msgspec

from monitor.model.invitations import NumberText
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError, Problem
from monitor.platforms.catalog import FALLBACK, Platform, shipped

TAIL = 7
"""Digits at a number's end that are the same in every spelling of it."""
MAX_LEARNED = 10_000
"""Access numbers taken from invitations: more than all vendors together publish."""
MAX_HOST = 255
"""Octets of a host name (RFC 1035, section 2.3.4)."""


class Atlas:
    """The platforms, with what the policy adds, found by what stands on the wire."""

    def __init__(self, policy: Policy, number_text: NumberText, access_numbers: Mapping[str, str]) -> None:
        self.number_text = number_text
        self.platforms = _with_policy(policy)
        self.public = {name: platform.hosts for name, platform in shipped().items()}
        self.learned: dict[str, str] = {}
        """Access numbers taken from invitations, with their platform's id."""
        self._hosts: dict[str, tuple[Platform, ...]] = {}
        self._bridges: dict[str, Platform] = {}
        self.numbers: dict[str, dict[str, Platform]] = {}
        """Access numbers, by their last digits."""
        for platform in self.platforms.values():
            for host in platform.hosts:
                self._hosts[host] = (*self._hosts.get(host, ()), platform)
            for address in platform.dial_in.addresses:
                self._bridges[address] = platform
            for number in platform.dial_in.access_numbers:
                self._add_number(number, platform)
        for address, name in policy.site.bridges.items():
            self._bridges[bare(address)] = self.platforms[name]
        for number, name in policy.site.access_numbers.items():
            self._add_number(number, self.platforms[name])
        for number, name in access_numbers.items():
            if name in self.platforms:
                self.learn(number, self.platforms[name])
        self.at_host = lru_cache(maxsize=1024)(self._at_host)
        """The platforms whose host this is or is below, by the longest name that fits; cached, for few hosts recur."""

    def at_bridge(self, address: str) -> Platform | None:
        """The platform whose bridge has this address, by the policy or by what is public."""
        return self._bridges.get(bare(address) if ":" in address else address)

    def by_number(self, dialled: str) -> Platform | None:
        """The platform that one reaches by dialling this, in any spelling of an access number."""
        near = self.numbers.get(dialled[-TAIL:])
        if near is None:
            return None
        digits = dialled.lstrip("+")
        exact = near.get(digits) or near.get(digits.removeprefix("00"))
        if exact is not None:
            return exact
        whole = self.number_text(dialled)
        return near.get(whole.removeprefix("tel:+")) if whole else None

    def learn(self, number: str, platform: Platform) -> None:
        """An invitation says that this number leads to this platform; what policy or vendor say stands above it."""
        if len(self.learned) < MAX_LEARNED and self.by_number(number) is None:
            digits = self._add_number(number, platform)
            if digits:
                self.learned["+" + digits] = platform.id

    def site_of(self, platform: Platform, host: str) -> str:
        """The site or tenant that a host name tells; empty for the platform's own."""
        return platform.site_at(host, self.public[platform.id])

    def _add_number(self, number: str, platform: Platform) -> str:
        whole = self.number_text(number) or number
        digits = "".join(key for key in whole if key in "0123456789")
        if digits:
            self.numbers.setdefault(digits[-TAIL:], {})[digits] = platform
        return digits

    def _at_host(self, host: str) -> tuple[Platform, ...]:
        name = host[-MAX_HOST:].lower().rstrip(".")
        while name:
            found = self._hosts.get(name)
            if found is not None:
                return found
            name = name.partition(".")[2]
        return ()


def bare(address: str) -> str:
    """An address or host as it is compared: lower case, an IPv6 address in its shortest form and without brackets."""
    host = address.strip("[]").lower()
    try:
        return str(ip_address(host)) if ":" in host else host
    except ValueError:
        return host


def _with_policy(policy: Policy) -> dict[str, Platform]:
    """The shipped platforms with the policy's hosts; a `ConfigError` for a platform that there is not."""
    platforms = dict(shipped())
    named = [*policy.platforms, *policy.site.bridges.values(), *policy.site.access_numbers.values()]
    unknown = sorted(set(named) - set(platforms))
    if unknown:
        known = "one of " + ", ".join(sorted(platforms))
        raise ConfigError(
            Problem(file="policy", line=0, found=f"platform {name!r}", expected=known) for name in unknown
        )
    for name, addition in policy.platforms.items():
        hosts = dict.fromkeys((*platforms[name].hosts, *(host.lower().lstrip("*.") for host in addition.hosts)))
        platforms[name] = msgspec.structs.replace(platforms[name], hosts=tuple(hosts))
    assert FALLBACK in platforms  # noqa: S101 - a file of this package, not of the operator
    return platforms
