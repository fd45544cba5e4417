"""What a call's target looks like, without telling whose it is: the doctor's page is passed around."""

from monitor.outputs.safe import shown
from monitor.outputs.words import address

KEPT = 4
"""Digits of a number that are shown: country and area, or the first of a meeting's number."""
LONGEST = 40


def shape_of(target: str, *, people: bool = False) -> str:
    """`sip:+312xxxxxxxx@192.0.2.20`; with `people` the target as it is, but for anything like a passcode."""
    if people:
        return address(target)
    scheme, colon, rest = target.partition(":")
    if not colon:
        scheme, rest = "", target
    user, at, host = rest.partition(";")[0].rpartition("@")
    if not at and scheme == "tel":
        user, host = host, ""
    return shown(f"{scheme}{colon}{_hidden(user)}{at}{host}", LONGEST)


def _hidden(user: str) -> str:
    plus = "+" if user.startswith("+") else ""
    rest = user.removeprefix("+")
    if not rest:
        return ""
    kept = rest[:KEPT] if rest[:KEPT].isascii() and rest[:KEPT].isdecimal() else ""
    return f"{plus}{kept}{'x' * min(len(rest) - len(kept), 12)}" if kept else "(name)"
