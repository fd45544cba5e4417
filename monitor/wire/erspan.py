"""ERSPAN, the remote mirror port (draft-foschiano-erspan-03): an Ethernet frame behind a header of its own, in GRE."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ETHERNET, NOTHING_KNOWN, cut, ip_version_of

_TYPE_II, _TYPE_III = 1, 2  # as their version field has it
_FRAME_ETHERNET, _FRAME_IP = 0, 2
_SUB_HEADER = 0x01


def erspan_i(data: bytes, start: int) -> tuple[int, int]:  # noqa: ARG001 - an envelope of no bytes
    """Type I: the frame follows GRE at once."""
    return ETHERNET, start


def erspan(data: bytes, start: int) -> tuple[int, int]:
    """Eight bytes of type II; of type III twelve, and eight more with the optional sub-header."""
    if len(data) < start + 8:
        raise cut(data, "ERSPAN header")
    version = data[start] >> 4
    if version == _TYPE_II:
        return ETHERNET, start + 8
    if version != _TYPE_III:
        raise Malformed(Reason.UNSUPPORTED, start, "ERSPAN version")
    if len(data) < start + 12:
        raise cut(data, "ERSPAN header")
    frame, inner = (data[start + 10] >> 2) & 0x1F, start + (20 if data[start + 11] & _SUB_HEADER else 12)
    if frame == _FRAME_IP:
        return ip_version_of(data, inner), inner
    return ETHERNET if frame == _FRAME_ETHERNET else NOTHING_KNOWN, inner
