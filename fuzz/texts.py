"""Texts that strangers write (links, invitations, dialled addresses, keys): they name meetings, and no secret leaks."""

from contextlib import suppress
from functools import cache

import msgspec

from fuzz.target import records_of, target
from monitor.meetings.stir import passport_of, stir_of
from monitor.model.calls import CallOffered, Claims, DigitDialled, KeySource
from monitor.model.evidence import Evidence
from monitor.model.meetings import Method
from monitor.model.policy import Policy
from monitor.outputs.safe import escaped_json, masked, shown
from monitor.platforms import Platforms
from monitor.platforms.texts import MAX_FOUND
from monitor.sources.markings import marked_for
from monitor.sources.numbers import canonical, number_text_for

SEEN = Evidence(capture="a.pcap", frame=1)
KEYS = "0123456789*#ABCD"
LADDER = ("Ongerubriceerd", "Dep.V.", "Stg. CONFIDENTIEEL", "Stg. GEHEIM", "Stg. ZEER GEHEIM", "TLP:RED", "Team (a+)+$")
TEXT_WORDS = (
    *(
        b"https://example.webex.com/meet/",
        b"https://zoom.us/j/",
        b"?pwd=",
        b"https://teams.microsoft.com/l/meetup-join/",
    ),
    *(b"tel:+31205550101,,123456789#", b"Meeting number: ", b"PIN: ", b"&amp;", b"&#x41;", b'<a href="', b"url="),
    *(b"https://eur01.safelinks.protection.outlook.com/?url=", b"https://urldefense.com/v3/__", b"__;!!", b"%3A%2F%2F"),
)


@cache
def number_text(text: str) -> str | None:
    """A number as the Dutch write it."""
    return number_text_for("31")(text)


def platforms() -> Platforms:
    """Those of a site with nothing of its own."""
    return Platforms(Policy(), number_text=number_text_for("31"))


@cache
def reader() -> Platforms:
    """One that reads every text: what it learns is bounded."""
    return platforms()


@target(
    "invitation-text",
    *("platforms.texts", "platforms.links", "platforms.atlas", "platforms.addresses", "platforms.catalog"),
    words=TEXT_WORDS,
)
def invitation_text(data: bytes) -> None:
    """The text of an invitation: a bounded number of meetings, and PINs that cannot be printed."""
    text = data.decode("utf-8", "replace")
    found = reader().read_text(text)
    assert len(found.refs) <= MAX_FOUND
    assert len(found.pins) <= MAX_FOUND
    assert len(reader().learned) < 100_000
    for ref in found.refs:
        assert 0 < len(ref.value) <= 1024
        assert ref == msgspec.json.decode(msgspec.json.encode(ref), type=type(ref))
    assert not any(char.isdecimal() and char > "9" for ref in found.refs for char in ref.value if ref.kind == "number")


@target("link", "platforms.links", words=TEXT_WORDS)
def link(data: bytes) -> None:
    """One link, however often it is wrapped."""
    refs = reader().refs_of(data.decode("utf-8", "backslashreplace"))
    assert len(refs) <= MAX_FOUND
    assert all(ref.value for ref in refs)


@target(
    "dial-in",
    *("platforms", "platforms.dial_in", "platforms.addresses"),
    words=(
        b"sip:+31207654321@gw.example",
        b"sip:98765@webex.com",
        b"123456789#",
        b"##",
        b"**",
        b";phone-context=",
        b"@zoomcrc.com",
    ),
)
def dial_in(data: bytes) -> None:
    """Calls to any address and keys pressed in them: nothing that is said of them holds a key."""
    stage = platforms()
    for number, (what, content) in enumerate(records_of(data), 1):
        text = content.decode("utf-8", "backslashreplace")[:1024]
        call = f"c{what >> 5}"
        if what & 0x10:
            for key in text[:64]:
                if key in KEYS:
                    event = DigitDialled(at=number, evidence=SEEN, call=call, digit=key, by="caller", via=KeySource.RTP)
                    for said in stage.place(event):
                        assert not isinstance(said, DigitDialled)
                        msgspec.json.encode(said)
            continue
        claims = Claims(uri=text if what & 1 else "", asserted=(text,) if what & 2 else (), sent_from="192.0.2.1")
        offered = CallOffered(
            at=number, evidence=SEEN, call=call, method=Method.SIP, target=text, addressed_to=text, caller=claims,
            sent_to="198.51.100.20",
        )  # fmt: skip
        for said in stage.place(offered):
            if isinstance(said, CallOffered):
                assert len(said.target) <= 2 * len(text) + 16
        stage.heeds(text, text, "192.0.2.1", "198.51.100.20")
    assert min(stage.counts.values()) >= 0


@target("number", "sources.numbers", words=(b"tel:", b"+31 (0)20 555 01 01", b";ext=", b"sip:", b"mailto:", b"0031"))
def number(data: bytes) -> None:
    """A telephone number in any spelling is `tel:` with ASCII digits, or none; a canonical address stays what it is."""
    text = data.decode("utf-8", "replace")
    found = number_text_for("31")(text)
    if found is not None:
        assert found.startswith("tel:+")
        assert found[5:].isascii()
        assert found[5:].isdecimal()
        assert len(found) <= 24
    once = canonical(text, number_text_for("31"))
    assert len(once) <= 4 * len(text) + 8


@target("marking", "sources.markings", words=(b"Dep.V.", b"Stg. GEHEIM", b"Rubricering: ", b"geen ", b"[TLP:RED]"))
def marking(data: bytes) -> None:
    """A marking in titles and texts is one of the policy's list, or none."""
    text = data.decode("utf-8", "replace")
    assert marked_for(LADDER)((text,), (text,)) in ("", *LADDER)


@target("passport", "meetings.stir", words=(b"eyJ", b".", b"==", b";info=", b"verstat=TN-Validation-Failed"))
def passport(data: bytes) -> None:
    """A PASSporT (RFC 8225) as a header carries it, and its claims alone."""
    from base64 import urlsafe_b64encode

    passport_of(data.decode("utf-8", "backslashreplace"))
    text = "e30." + urlsafe_b64encode(data).decode().rstrip("=") + ".sig;info=<https://example.com>"
    found = stir_of(Claims(passport=text, uri=data.decode("latin-1")[:64]), number_text_for("31"))
    if found is not None:
        assert len(found.attestation) <= 1
        with suppress(UnicodeEncodeError):  # A lone surrogate in JSON is replaced where it is written.
            msgspec.json.encode(found)


@target(
    "shown",
    "outputs.safe",
    words=(b"\x1b[31m", b"\xe2\x80\xae", b"sip:12345*678@x", b"?pwd=", b"eyJhbGciOiJFUzI1NiJ9."),
)
def shown_text(data: bytes) -> None:
    """Text on its way out: one line that a terminal shows and does not obey."""
    text = data.decode("utf-8", "surrogateescape")
    line = shown(masked(text))
    assert line.isprintable() or "\x20" in line
    assert len(line) <= 200
    assert "\x1b" not in line
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in escaped_json(text)
