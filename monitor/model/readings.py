"""A call that can be read in two ways is followed under two names: its Call-ID, and that with the reading's number."""

_MARK = " (reading "  # No Call-ID has a space in it (RFC 3261, section 25.1).


def name_of(call: str, reading: int) -> str:
    """The name of a call in another reading: the second, the third, …"""
    return f"{call}{_MARK}{reading})"


def reading_of(name: str) -> int:
    """Which reading a name stands for; 1 for a Call-ID as it is."""
    number = name.rpartition(_MARK)[2][:-1] if _MARK in name else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1


def call_of(name: str) -> str:
    """The call that a name stands for, in whichever reading: two names of one call are never two calls."""
    return name.partition(_MARK)[0]
