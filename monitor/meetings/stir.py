"""What a call says by STIR about its calling number: attestation, originator, the carrier's own verification.

Signatures are not verified here: certificates would have to be fetched, and this program never connects anywhere. So
a PASSporT is believed no further than the trusted trunk that passed it on, and only *against* a caller, never for one.
"""

from binascii import Error, a2b_base64

import msgspec

from monitor.model.calls import Claims
from monitor.model.invitations import Address, NumberText
from monitor.model.roster import Stir

MAX_PASSPORT = 8192
"""Characters of an `Identity` header that are read: a SHAKEN PASSporT has some 500."""

VERIFICATION_FAILED = "verstat=tn-validation-failed"
"""As a parameter of the asserted URI (3GPP TS 24.229, 7.2A.20; carriers append the attestation)."""


class Originator(msgspec.Struct):
    """The claim `orig` of RFC 8225, section 5.2.1."""

    tn: str = ""


class Passport(msgspec.Struct):
    """The claims of a SHAKEN PASSporT (RFC 8225, RFC 8588) that tell who calls; others are passed over."""

    attest: str = ""
    orig: Originator = msgspec.field(default_factory=Originator)


def stir_of(claims: Claims, number_text: NumberText) -> Stir | None:
    """What STIR says of the calling number; none when it says nothing that can be read."""
    failed = any(VERIFICATION_FAILED in uri.lower() for uri in (*claims.asserted, claims.uri))
    passport = passport_of(claims.passport)
    if passport is None:
        return Stir(failed=True) if failed else None
    return Stir(attestation=passport.attest.upper()[:1], originator=_number(passport, number_text), failed=failed)


def passport_of(identity: str) -> Passport | None:
    """The claims in an `Identity` header (RFC 8224, section 4); none for a compact form or anything unreadable."""
    parts = identity[:MAX_PASSPORT].partition(";")[0].strip().split(".")
    if len(parts) != 3 or not parts[1]:
        return None
    text = parts[1].replace("-", "+").replace("_", "/")
    try:
        return msgspec.json.decode(a2b_base64(text + "=" * (-len(text) % 4)), type=Passport)
    except (Error, ValueError, msgspec.DecodeError, RecursionError):
        return None


def _number(passport: Passport, number_text: NumberText) -> Address | None:
    # RFC 8225, section 5.2.1: `tn` is in the canonical form of RFC 8224, digits of E.164 without a plus.
    digits = passport.orig.tn.removeprefix("+")
    return number_text("+" + digits) if digits.isascii() and digits.isdecimal() else None
