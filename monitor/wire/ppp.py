"""PPP (RFC 1661), alone, in PPPoE sessions (RFC 2516), or on a serial line beside Cisco's HDLC (RFC 1547, 4.3.1)."""

from monitor.wire.envelope import IPV4, IPV6, MPLS, NOTHING_KNOWN, cut, kind_at

_CARRIED = {0x0021: IPV4, 0x0057: IPV6, 0x0281: MPLS}


def ppp(data: bytes, start: int) -> tuple[int, int]:
    """Address and control where they are (RFC 1662), then the protocol, which may be one odd byte (RFC 1661, 6.5)."""
    if len(data) < start + 2:
        raise cut(data, "PPP header")
    if data[start] == 0xFF and data[start + 1] == 0x03:
        start += 2
        if len(data) < start + 2:
            raise cut(data, "PPP protocol")
    if data[start] & 0x01:
        return _CARRIED.get(data[start], NOTHING_KNOWN), start + 1
    return _CARRIED.get((data[start] << 8) | data[start + 1], NOTHING_KNOWN), start + 2


def pppoe(data: bytes, start: int) -> tuple[int, int]:
    """A frame of a session: version, type, code, session and length, then PPP."""
    if len(data) < start + 6:
        raise cut(data, "PPPoE header")
    return ppp(data, start + 6)


def hdlc(data: bytes, start: int) -> tuple[int, int]:
    """Cisco's HDLC (LINKTYPE_C_HDLC): address, control, EtherType."""
    if len(data) < start + 4:
        raise cut(data, "HDLC header")
    return kind_at(data, start + 2)


def serial(data: bytes, start: int) -> tuple[int, int]:
    """PPP or Cisco's HDLC, as the first byte tells (LINKTYPE_PPP_HDLC)."""
    return hdlc(data, start) if data[start : start + 1] in (b"\x0f", b"\x8f") else ppp(data, start)


def pppd(data: bytes, start: int) -> tuple[int, int]:
    """PPP with a direction in the place of HDLC's address (LINKTYPE_PPP_PPPD)."""
    if len(data) < start + 2:
        raise cut(data, "PPP header")
    return ppp(data, start + 2)
