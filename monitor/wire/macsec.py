"""MACsec (IEEE 802.1AE): readable where it only protects integrity, and opaque where it encrypts."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ENCRYPTED, cut, kind_at

_VERSION, _CHANNEL, _ENCRYPTION, _CHANGED = 0x80, 0x20, 0x08, 0x04


def macsec(data: bytes, start: int) -> tuple[int, int]:
    """Control, association, length and packet number; the channel where a flag says so (section 9.3)."""
    if len(data) < start + 8:
        raise cut(data, "MACsec header")
    control = data[start]
    if control & _VERSION:
        raise Malformed(Reason.UNSUPPORTED, start, "MACsec version")
    inner = start + (14 if control & _CHANNEL else 6)
    if control & (_ENCRYPTION | _CHANGED):
        return ENCRYPTED, inner
    if len(data) < inner + 2:
        raise cut(data, "MACsec header")
    return kind_at(data, inner)
