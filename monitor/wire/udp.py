"""UDP headers (RFC 768)."""

from typing import NamedTuple

from monitor.model.oddities import Malformed, Reason
from monitor.model.packets import Flow
from monitor.wire.ip import IpPacket


class UdpPacket(NamedTuple):
    """What an IP packet and its UDP header say of the bytes behind them."""

    mark: bytes
    flow: Flow
    payload: bytes
    truncated: bool


def udp_of(ip: IpPacket) -> UdpPacket:
    """The datagram in this packet. Its length decides, within the bytes; 0 means all (RFC 2675, section 4)."""
    data, start, end = ip.data, ip.start, ip.end
    if end - start < 8:
        raise Malformed(Reason.TRUNCATED, end, "UDP header")
    length = (data[start + 4] << 8) | data[start + 5]
    if 0 < length < 8:
        raise Malformed(Reason.BAD_LENGTH, start + 4, "UDP length shorter than the header")
    truncated = start + length > end if length else ip.lost > 0
    payload = data[start + 8 : min(end, start + length) if length else end]
    return UdpPacket(ip.mark, ip.addresses + data[start : start + 4], payload, truncated)
