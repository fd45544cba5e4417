"""Whether an address is of those that an operator names."""

import pytest

from monitor.model.networks import Networks

NAMED = Networks(["192.0.2.30", "198.51.100.0/28", "2001:db8::/48"])


@pytest.mark.parametrize("address", ["192.0.2.30", "198.51.100.15", "2001:db8::1", "::ffff:192.0.2.30"])
def test_an_address_that_is_named_or_in_a_network(address: str) -> None:
    assert address in NAMED


@pytest.mark.parametrize("address", ["192.0.2.31", "198.51.100.16", "2001:db9::1", "", "example.org", "192.0.2.30 "])
def test_any_other(address: str) -> None:
    assert address not in NAMED
