"""Telephone numbers and addresses in the one spelling that the whole house compares: text in, canonical address out.

A number stands in a directory, an invitation, a policy and a SIP header, and never twice the same way. `phonenumbers`
knows the plan of every country; it is imported at the first number that needs it, for most come as `+31205550123`.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from monitor.model.invitations import Address, NumberText

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

MAX_CHARACTERS = 256
"""Of a text that may hold a number: longer than any URI with a number and its parameters in use."""
REMEMBERED = 65_536
"""Texts whose number is remembered: every number of a large organisation and of a busy trunk's day."""
FEWEST_DIGITS, MOST_DIGITS = 7, 15
"""Of an E.164 number with its country code (E.164, 6.1); below the first it is an extension."""

_PLAIN = re.compile(r"(?:tel:)?\+([1-9][0-9]{6,14})", re.ASCII)
_WRITTEN = re.compile(r"\+?[0-9]{1,24}", re.ASCII)
_SEPARATORS = dict.fromkeys(
    map(ord, " \t\r\n-.()/'\u00a0\u00ad\u2007\u2009\u200b\u200e\u200f\u202a\u202c\u202d\u202f\u2060\u2066\u2069\ufeff")
)
"""Visual separators (RFC 3966, 5.1.1), and the invisible characters that copying from a contact card leaves."""
_SEPARATORS |= dict.fromkeys(range(0x2010, 0x2016))  # hyphens and dashes that word processors put in
_EXTENSION = re.compile(
    r"(?:[;,]?\s?ext(?:ension|\.)?\s?=?\s?|\s?(?:x|#|tst\.?|toestel)\s?)[0-9]{1,8}$", re.ASCII | re.IGNORECASE
)
_TWO_DIGIT_CODES = frozenset(
    map(str, (20, 27, *range(30, 35), 36, *range(39, 42), *range(43, 50), *range(51, 59), *range(60, 67)))
) | frozenset(map(str, (81, 82, 84, 86, *range(90, 96), 98)))


def number_text_for(country_code: str) -> NumberText:
    """What reads a number as people of that country write it, and gives `tel:+E164`; none for what is no number."""

    @lru_cache(maxsize=REMEMBERED)
    def remembered(text: str) -> Address | None:
        plain = _PLAIN.fullmatch(text)
        if plain and not _has_trunk_zero(plain[1]):
            return f"tel:+{plain[1]}"
        return _number_in(text, country_code)

    def number_text(text: str) -> Address | None:
        # Whoever writes long texts without a number would fill the memory of those that are one.
        return remembered(text) if len(text) <= MAX_CHARACTERS else None

    return number_text


def canonical(address: str, number_text: NumberText) -> Address:
    """An address as somebody wrote it, in the one spelling: `tel:+E164`, `sip:user@host`, `mailto:addr`.

    A SIP address whose user is a number is that number, whatever gateway stands behind the `@`; what is no address
    of these three kinds comes back in lower case, so that it equals only itself.
    """
    text = address.strip()
    scheme, colon, rest = text.partition(":")
    match scheme.lower() if colon else "":
        case "mailto":
            return "mailto:" + unquote(rest.partition("?")[0]).strip().lower()
        case "sip" | "sips":
            return number_text(text) or f"sip:{_aor(rest)}"
        case "tel":
            return number_text(text) or "tel:" + rest.partition(";")[0].translate(_SEPARATORS).lower()
        case _:
            if "@" in text and not colon:
                return f"mailto:{text.lower()}"
            return number_text(text) or text.lower()


def _aor(rest: str) -> str:
    """The address of record in a SIP URI (RFC 3261, 19.1.1): user and host, without password, port and parameters."""
    user, at, host = rest.partition("?")[0].rpartition("@")
    host = host.partition(";")[0].strip().lower()
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].rstrip(". ")
    if not at:
        return host
    return unquote(user.partition(";")[0].partition(":")[0]).strip().lower() + f"@{host}"


def _number_in(text: str, country_code: str) -> Address | None:
    """The number in a text that is one: as printed, as a `tel:` URI, or the user part of a SIP URI."""
    written, context = _written_in(text)
    if not _WRITTEN.fullmatch(written):
        return None
    if context and not written.startswith("+"):
        written = context + written
    return _e164(written, country_code)


def _written_in(text: str) -> tuple[str, str]:
    """The number as written without its separators, and the `phone-context` (RFC 3966, 5.1.5) if it is a prefix."""
    if "<" in text:
        text = text.partition("<")[2].partition(">")[0]
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips"):
        user, at, _host = rest.rpartition("@")
        if not at:
            return "", ""
        text = unquote(user).partition(":")[0]
    elif colon and scheme.lower() in ("tel", "callto", "fax"):
        text = unquote(rest)
    text, *params = text.split(";")
    context = ""
    for param in params:
        name, _, value = param.partition("=")
        if name.strip().lower() == "phone-context" and value.strip().startswith("+"):
            context = value.translate(_SEPARATORS)
    if context and not _WRITTEN.fullmatch(context):
        context = ""
    return _EXTENSION.sub("", text).translate(_SEPARATORS), context


def _e164(written: str, country_code: str) -> Address | None:
    """A number of digits and perhaps a plus, as E.164."""
    digits = written.removeprefix("+")
    if not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS + 4:  # room for a prefix such as 0011
        return None
    if written.startswith("+"):
        return _international(digits)
    national = _national(digits, country_code)
    if national is None and digits.startswith("00"):
        return _international(digits[2:])
    return national


def _international(digits: str) -> Address | None:
    """A number with its country code, which its author vouches for; only a trunk zero after the code is taken out."""
    if _has_trunk_zero(digits):
        import phonenumbers

        try:
            digits = _digits_of(phonenumbers.parse(f"+{digits}"))
        except phonenumbers.NumberParseException:
            return None
    if digits.startswith("0") or not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS:
        return None
    return f"tel:+{digits}"


def _national(digits: str, country_code: str) -> Address | None:
    """A number as dialled in that country: with its trunk or international prefix, or with neither if that is valid.

    Last comes E.164 that lost its plus, as trunks send it: it must be a number that its country has.
    """
    import phonenumbers

    code = int(country_code) if country_code.isdecimal() and country_code.isascii() else 0
    region = phonenumbers.region_code_for_country_code(code)
    for text, place in ((digits, region), (f"+{digits}", None)):
        try:
            number = phonenumbers.parse(text, place)
        except phonenumbers.NumberParseException:
            continue
        trunk = place and digits[0] == "0" != digits[1] and phonenumbers.is_possible_number(number)
        if trunk or phonenumbers.is_valid_number(number):
            found = _digits_of(number)
            return f"tel:+{found}" if FEWEST_DIGITS <= len(found) <= MOST_DIGITS else None
    return None


def _digits_of(number: "PhoneNumber") -> str:
    """Country code and national number, without the plus."""
    import phonenumbers

    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def _has_trunk_zero(digits: str) -> bool:
    """Whether a zero follows the country code (E.164 gives 1 to 3 digits, none a prefix of another)."""
    size = 1 if digits[:1] in ("1", "7") else 2 if digits[:2] in _TWO_DIGIT_CODES else 3
    return digits[size : size + 1] == "0"
