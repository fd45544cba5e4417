"""TCP segments (RFC 9293, section 3.1) and arithmetic on their sequence numbers."""

from struct import Struct
from typing import NamedTuple

from monitor.model.oddities import Malformed, Reason

FIN, SYN, RST, ACK, URG = 0x01, 0x02, 0x04, 0x10, 0x20

_HEADER = Struct("!4xIIBB").unpack_from


class Segment(NamedTuple):
    """What one TCP header says of the bytes behind it."""

    sequence: int
    acknowledged: int
    """Meaningful with the flag ACK only."""
    flags: int
    payload: bytes
    lost: int = 0
    """Bytes of payload that the snap length cut."""
    urgent: int = 0
    """How many bytes of the payload end with the urgent one; meaningful with the flag URG only."""


def segment_of(data: bytes, start: int, end: int, lost: int = 0) -> Segment:
    """The segment that these bytes are; `lost` more were behind them."""
    if end - start < 20:
        raise Malformed(Reason.TRUNCATED, end, "TCP header")
    sequence, acknowledged, offset, flags = _HEADER(data, start)
    payload = start + (offset >> 4) * 4
    if payload < start + 20:
        raise Malformed(Reason.BAD_LENGTH, start + 12, "TCP header shorter than 20 bytes")
    if payload > end + lost:
        raise Malformed(Reason.BAD_LENGTH, start + 12, "TCP header longer than the segment")
    urgent = (data[start + 18] << 8) | data[start + 19] if flags & URG else 0
    return Segment(sequence, acknowledged, flags, data[payload:end], min(lost, end + lost - payload), urgent)


def near(sequence: int, place: int) -> int:
    """The place in an endless stream, near another place, that a sequence number of 32 bits means."""
    return place + ((sequence - place + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
