"""What a datagram or a segment seems to hold, by its first bytes: a guess that is right in the mass."""

from enum import StrEnum

METHODS = (
    b"ACK ", b"BYE ", b"CANCEL ", b"INFO ", b"INVITE ", b"MESSAGE ", b"NOTIFY ", b"OPTIONS ", b"PRACK ", b"PUBLISH ",
    b"REFER ", b"REGISTER ", b"SUBSCRIBE ", b"UPDATE ",
)  # fmt: skip
ANSWER = b"SIP/2.0 "
SIP_TLS_PORTS = (5061, 5062)
H225_PORT = 1720
HEP_HEAD = b"HEP3"
STUN_COOKIE = b"\x21\x12\xa4\x42"
_RTCP_TYPES = range(192, 224)
_HANDSHAKE, _APPLICATION = 0x16, 0x17


class Content(StrEnum):
    """What it is."""

    SIP = "SIP"
    SIP_TLS = "SIP over TLS"
    TLS = "TLS"
    DTLS = "DTLS"
    QUIC = "QUIC"
    RTP = "RTP"
    STUN = "STUN"
    H323 = "H.323"
    HEP = "HEP"


def is_sip(payload: bytes) -> bool:
    """Whether a SIP message begins here."""
    return payload.startswith(ANSWER) or (payload.startswith(METHODS) and b"SIP/2.0" in payload[:2048])


def content_of_datagram(payload: bytes, flow: bytes) -> Content | None:
    """Of UDP."""
    if len(payload) < 8:
        return None
    head = payload[0]
    if head & 0xC0 == 0x80:
        return Content.RTP if len(payload) >= 12 and payload[1] not in _RTCP_TYPES else None
    if is_sip(payload):
        return Content.SIP
    if payload[4:8] == STUN_COOKIE and head < 4:
        return Content.STUN
    if 20 <= head <= 25 and payload[1] == 0xFE:
        return Content.DTLS
    if payload.startswith(HEP_HEAD):
        return Content.HEP
    return Content.QUIC if 443 in ports_of(flow) else None


def content_of_segment(payload: bytes, flow: bytes) -> Content | None:
    """Of TCP."""
    if len(payload) < 4:
        return None
    if payload[0] in (_HANDSHAKE, _APPLICATION) and payload[1] == 3 and payload[2] <= 4:
        hello = b"\x03sip" in payload[:2048]  # ALPN (RFC 7301): `sip`, behind its length
        return Content.SIP_TLS if hello or any(port in SIP_TLS_PORTS for port in ports_of(flow)) else Content.TLS
    if is_sip(payload):
        return Content.SIP
    if payload[:2] == b"\x03\x00" and H225_PORT in ports_of(flow):  # TPKT (RFC 1006)
        return Content.H323
    return Content.HEP if payload.startswith(HEP_HEAD) else None


def ports_of(flow: bytes) -> tuple[int, int]:
    """Source and destination."""
    return flow[-4] << 8 | flow[-3], flow[-2] << 8 | flow[-1]
