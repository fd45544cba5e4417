"""What the talkers of a call send: RTP (RFC 3550), silence suppressed, and telephone-events (RFC 4733)."""

from collections.abc import Iterator
from random import Random
from struct import pack

KEYS = "0123456789*#ABCD"
EVENT_TYPE = 101
"""Payload type of telephone-events in every offer of this generator."""
CLOCK = 8000
PACKET = 20_000_000
"""20 ms of sound in nanoseconds; 160 ticks."""
TICKS = 160
CODECS = {"PCMU": (0, 160), "PCMA": (8, 160), "G729": (18, 20)}
"""Static payload type (RFC 3551) and bytes in 20 ms."""


class Talker:
    """One direction of a call's sound. Sends only while there is something to hear, so files stay small."""

    def __init__(self, random: Random, codec: str, started: int) -> None:
        self._random = random
        self._type, self._bytes = CODECS[codec]
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._base = random.getrandbits(31)
        self._started = started

    def speech(self, at: int, packets: int, *, silent: bool = False) -> Iterator[tuple[int, bytes]]:
        """A talkspurt; the first packet has the marker bit (RFC 3551, section 4.1)."""
        for n in range(packets):
            sound = b"\xd5" * self._bytes if silent else self._random.randbytes(self._bytes)
            yield at + n * PACKET, self._packet(self._type, self._ticks(at) + n * TICKS, n == 0, sound)

    def key(self, at: int, key: str, *, updates: int = 3) -> Iterator[tuple[int, bytes]]:
        """A key pressed and released: updates while it is down, then the end three times (RFC 4733, section 2.5.1.4).

        All packets of a key have the timestamp of its beginning.
        """
        event, ticks = KEYS.index(key), self._ticks(at)
        lengths = [(n + 1) * TICKS for n in range(updates)] + [(updates + 1) * TICKS] * 3
        for n, length in enumerate(lengths):
            ends = n >= updates
            body = bytes((event, 0x80 | 10 if ends else 10)) + length.to_bytes(2, "big")
            yield at + (n + 1) * PACKET, self._packet(EVENT_TYPE, ticks, n == 0, body)

    def _ticks(self, at: int) -> int:
        return (self._base + (at - self._started) * CLOCK // 1_000_000_000) & 0xFFFFFFFF

    def _packet(self, payload_type: int, ticks: int, marker: bool, payload: bytes) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        kind = marker << 7 | payload_type
        return pack("!BBHII", 0x80, kind, self._sequence, ticks & 0xFFFFFFFF, self._ssrc) + payload
