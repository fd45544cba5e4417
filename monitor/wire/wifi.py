"""Wireless frames (IEEE 802.11), alone or behind a radiotap header, as a monitoring radio captures them."""

from monitor.model.oddities import Malformed, Reason
from monitor.wire.envelope import ENCRYPTED, NOTHING_KNOWN, cut, kind_at

_DATA = 0x08
_KIND, _NO_PAYLOAD, _QOS = 0x0C, 0x40, 0x80
_BOTH_WAYS, _MORE_PARTS, _PROTECTED, _ORDER = 0x03, 0x04, 0x40, 0x80
_AGGREGATE = 0x80
_PART = 0x0F
_MORE_FIELDS, _TIME, _FLAGS, _PADDED = 0x80, 0x01, 0x02, 0x20
MAX_FIELDS = 16  # words of presence bits; three are in use.


def wifi(data: bytes, start: int) -> tuple[int, int]:
    """A data frame: control, three or four addresses, LLC and SNAP (section 9.2). Any other kind holds no packet."""
    return _frame(data, start, padded=False)


def radiotap(data: bytes, start: int) -> tuple[int, int]:
    """The radio's notes (https://www.radiotap.org), which tell their length first, then the frame."""
    if len(data) < start + 8:
        raise cut(data, "radiotap header")
    length = data[start + 2] | data[start + 3] << 8
    if data[start] or length < 8:
        raise Malformed(Reason.BAD_VALUE, start, "radiotap header")
    return _frame(data, start + length, padded=_is_padded(data, start))


def _is_padded(data: bytes, start: int) -> bool:
    """Whether the radio padded the header of the frame to a multiple of four bytes."""
    present = data[start + 4]
    if not present & _FLAGS:
        return False
    at = start + 8
    for _ in range(MAX_FIELDS):
        if not data[at - 1 : at] or not data[at - 1] & _MORE_FIELDS:
            break
        at += 4
    if present & _TIME:
        at += -(at - start) % 8 + 8
    return bool(data[at : at + 1]) and bool(data[at] & _PADDED)


def _frame(data: bytes, start: int, *, padded: bool) -> tuple[int, int]:
    if len(data) < start + 24:
        raise cut(data, "wireless frame")
    control, flags = data[start], data[start + 1]
    if control & _KIND != _DATA or control & _NO_PAYLOAD:
        return NOTHING_KNOWN, start
    size = 24 + (6 if flags & _BOTH_WAYS == _BOTH_WAYS else 0)
    if flags & _PROTECTED:
        return ENCRYPTED, start + size
    if flags & _MORE_PARTS or data[start + 22] & _PART:
        return NOTHING_KNOWN, start  # in parts, that the radio puts together where anybody listens
    if control & _QOS:
        if len(data) < start + size + 2:
            raise cut(data, "wireless frame")
        if data[start + size] & _AGGREGATE:
            return NOTHING_KNOWN, start  # several in one (section 9.3.2.2)
        size += 6 if flags & _ORDER else 2
    if padded:
        size += -size % 4
    # What follows is LLC, as behind a length on a wire.
    if len(data) < start + size + 8:
        raise cut(data, "LLC header")
    return kind_at(b"\0\0" + data[start + size : start + size + 8], 0)[0], start + size + 8
