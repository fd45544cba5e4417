"""Packets that a mirror port gives twice or three times: on their way in and out of a switch, or on two taps."""

from collections.abc import Hashable

from monitor.model.evidence import SECOND, Nanoseconds
from monitor.model.limits import Limits

WINDOW: Nanoseconds = SECOND // 20  # A copy comes within 50 ms; SIP repeats itself after 500 ms at the earliest.

COUNTS = ("recent_packets_evicted",)


class Duplicates:
    """Remembers each packet for 50 ms to 100 ms of packet time, in two generations that take turns.

    It keeps `hash` of the packet's parts, each of them bytes, instead of the parts: 64 bits of SipHash, keyed anew in
    each process, so that nobody can craft two packets that are taken for one, and no content is held.
    """

    def __init__(self, counts: dict[str, int], most: int = Limits().recent_packets) -> None:
        self._counts = counts
        self._most = most
        self._young: dict[int, Nanoseconds] = {}
        self._old: dict[int, Nanoseconds] = {}

    def advance(self) -> None:
        """Called when packet time has moved on by the window, or back: the old generation is forgotten."""
        self._old, self._young = self._young, {}

    def __len__(self) -> int:
        return max(len(self._young), len(self._old))

    def have(self, parts: Hashable, at: Nanoseconds) -> bool:
        """True when the same came less than 50 ms ago; the third copy too is measured against the first."""
        if len(self._young) >= self._most:
            self._counts["recent_packets_evicted"] += len(self._old)
            self.advance()
        young = self._young
        name = hash(parts)
        first = young.get(name)
        if first is None:
            first = self._old.get(name)
        if first is not None and abs(at - first) <= WINDOW:
            return True
        young[name] = at
        return False
