"""HP's Encapsulated Remote Mirroring: a mirrored frame behind twelve bytes, in UDP."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ETHERNET, holds_ethernet

_HEADER = 12


def hp_erm(data: bytes, start: int) -> tuple[int, int]:
    """Twelve bytes that have no published meaning, so the frame itself must prove that it is one."""
    if not holds_ethernet(data, start + _HEADER):
        raise Malformed(Reason.BAD_VALUE, start + _HEADER, "no frame in HP ERM")
    return ETHERNET, start + _HEADER
