"""Addresses and networks that an operator names, asked whether one of them holds an address."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

MAX_PEERS = 4096
"""Answers remembered on whether an address is of them: a site has a handful of peers, a flood has many."""


class Networks:
    """What `192.0.2.10` and `192.0.2.0/24` in a policy stand for; an IPv4-mapped IPv6 address is the IPv4 one."""

    def __init__(self, texts: Iterable[str]) -> None:
        networks = [ip_network(text, strict=False) for text in texts]
        hosts = frozenset(str(network[0]) for network in networks if network.num_addresses == 1)
        wide = [network for network in networks if network.num_addresses > 1]

        @lru_cache(maxsize=MAX_PEERS)
        def holds(address: str) -> bool:
            try:
                ip = ip_address(address)
            except ValueError:
                return False
            ip = getattr(ip, "ipv4_mapped", None) or ip
            return any(ip in network for network in networks)

        self.holds = holds
        self._hosts, self._only_hosts = hosts, not wide

    def __contains__(self, address: str) -> bool:
        # An IPv4 address is spelled in one way only, so that most answers need no look at its numbers.
        if address in self._hosts:
            return True
        return not (self._only_hosts and ":" not in address) and self.holds(address)
