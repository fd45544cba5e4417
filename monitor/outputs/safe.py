"""Text from the wire → text that a terminal or a log shows and never obeys; secrets that slipped into it are masked.

Everything here takes time linear in its input: each pattern's repetitions are bounded.
"""

import re
import unicodedata
from functools import lru_cache

MAX_TEXT = 1024
"""Characters kept of one value in the journal: as much as a decoder keeps (`monitor.model.calls.MAX_TEXT`)."""
MAX_MARKS = 2
"""Combining marks kept on one letter: Vietnamese needs two, a flood that climbs over its neighbours needs more."""
MASK = "***"

_UNSAFE = (
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls, among them ESC and the one-byte CSI
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible: soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidirectional overrides and isolates
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # fillers, variation selectors, byte order mark, no characters
    "\ud800-\udfff"  # lone surrogates
    "\ue000-\uf8ff"  # private use
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff"  # tags, more selectors, private planes
)
# What few texts need is left to `re` to compile when the first of them comes.
_NOT_SHOWN = f"[{_UNSAFE}]"
_SURROGATE = "[\ud800-\udfff]"
# A parameter whose name says what it holds; Webex and Zoom links carry `pwd=`.
_PARAMETER = r"(?i)\b(pwd|passwd|password|passcode|passphrase|pin|token|secret|tk|pw|zak)(=|%3d)[^\s&;,<>\"'?]{1,1024}"
# `sip:user:password@host` (RFC 3261, 19.1.1 allows it and advises against it).
_USERINFO = r"(?i)\b(sips?:[^\s@:;<>]{1,256}):[^\s@<>]{1,256}@"
# `meeting.passcode@bridge`, `meeting**passcode@bridge` and `number,,pin#`: the habit of several platforms.
_BEHIND_NUMBER = re.compile(
    r"(?i)\b((?:sips?|h323):\+?[0-9]{4,20})[.*,#pwx][^\s@;<>]{1,256}(?=(?:;[^\s@<>]{0,256})?@)"
    r"|\b(tel:\+?[0-9]{4,20})[.*,#pwx][^\s@;<>]{1,256}"
)
# A PASSporT or another JSON Web Token (RFC 8225): parts of base64url, of which the first begins with `{"`.
_JWT = r"\beyJ[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,4096}){0,4}"


def masked(text: str) -> str:
    """The text without what looks like a passcode, password or token: a last defence, for decoders drop them first."""
    # Each pattern is tried only on a text that holds what it cannot do without, for most texts hold none of it.
    if "=" in text or "%3" in text:
        text = re.sub(_PARAMETER, rf"\1\2{MASK}", text)
    if ":" in text:
        if "@" in text and text.count(":") > 1:
            text = re.sub(_USERINFO, rf"\1:{MASK}@", text)
        text = _BEHIND_NUMBER.sub(rf"\1\2.{MASK}", text)
    if "eyJ" in text:
        text = re.sub(_JWT, MASK, text)
    return text


def cut(text: str, limit: int) -> str:
    """At most so many characters, the last an ellipsis when something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def encodable(text: str) -> str:
    """The text as valid Unicode: a lone surrogate becomes its escape, in letters."""
    if text.isascii():
        return text
    return re.sub(_SURROGATE, _in_letters, text)


def escaped_json(line: str) -> str:
    """A line of JSON in which no character does anything to a terminal or ends a line; it means the same."""
    return line if line.isascii() and line.isprintable() else re.sub(_NOT_SHOWN, _in_json, line)


@lru_cache(maxsize=4096)
def shown(text: str, limit: int = 200) -> str:
    """One line that any terminal can show: what has no shape of its own stands there as an escape, in letters."""
    text = cut(text, limit)
    if text.isascii() and text.isprintable():
        return text
    return cut("".join(_visible(text)), limit)


def _visible(text: str) -> list[str]:
    """Each character as it may be shown."""
    found: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category[0] == "M" else 0
        if re.match(_NOT_SHOWN, char) or category in ("Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp"):
            found.append(_code(char))
        elif category == "Zs":
            found.append(" ")
        elif not marks or (found and marks <= MAX_MARKS):
            found.append(char)
    return found


def _code(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_letters(match: re.Match[str]) -> str:
    return _code(match[0])


def _in_json(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
