"""Every spelling of a number and of an address."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.numbers import canonical, number_text_for


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+31205550123", "tel:+31205550123"),
        ("+31 (0)20 555 0123", "tel:+31205550123"),
        ("+310205550123", "tel:+31205550123"),
        ("0031205550123", "tel:+31205550123"),
        ("020-555 01 23", "tel:+31205550123"),
        ("(020) 5550123", "tel:+31205550123"),
        ("31205550123", "tel:+31205550123"),
        ("tel:+31-20-555-0123;ext=7", "tel:+31205550123"),
        ("tel:020-5550123;phone-context=+31", "tel:+31205550123"),
        ("tel:5550123;phone-context=+3120", "tel:+31205550123"),
        ("sip:+31205550123@gw.example.net;user=phone", "tel:+31205550123"),
        ("sip:%2B31205550123@gw.example.net", "tel:+31205550123"),
        ("sip:0205550123;phone-context=+31@gw.example.net;user=phone", "tel:+31205550123"),
        ("<sips:+31205550123:secret@gw.example.net>;tag=1", "tel:+31205550123"),
        ("020 555 0123 ext. 45", "tel:+31205550123"),
        ("\u202a+31 20 555 0123\u202c", "tel:+31205550123"),
        ("+1-555-0100", "tel:+15550100"),
        ("004930901820", "tel:+4930901820"),
        ("+39 06 6981 2345", "tel:+390669812345"),
        ("1001", None),
        ("sip:1001@pbx.example.net", None),
        ("sip:anonymous@anonymous.invalid", None),
        ("jan@example.org", None),
        ("", None),
        ("+", None),
        ("000000000000", None),
        ("٠٢٠٥٥٥٠١٢٣", None),
        ("+31205550123" * 20, None),
        ("+3120555012345678", None),
    ],
)
def test_every_spelling_of_a_number_is_the_same_number(text: str, number: str | None) -> None:
    assert number_text_for("31")(text) == number


@given(st.one_of(st.text(max_size=40), st.from_regex(r"(sips?:|tel:|)[+0-9()%;=@. -]{0,30}", fullmatch=True)))
@settings(max_examples=300)
def test_any_text_is_a_number_of_e164_or_none(text: str) -> None:
    number_text = number_text_for("31")
    number = number_text(text)
    assert number is None or re.fullmatch(r"tel:\+[1-9][0-9]{6,14}", number)
    assert number is None or number_text(number) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("(202) 555-0101", "tel:+12025550101"),
        ("1 202 555 0101", "tel:+12025550101"),
        ("011 31 20 555 0123", "tel:+31205550123"),
        ("0031 20 555 0123", "tel:+31205550123"),
        ("555-0100", None),
    ],
)
def test_a_number_is_read_as_in_its_country(text: str, number: str | None) -> None:
    assert number_text_for("1")(text) == number


@pytest.mark.parametrize("country_code", ["", "x", "999", "+31"])
def test_an_odd_country_code_raises_nothing(country_code: str) -> None:
    assert number_text_for(country_code)("+31205550123") == "tel:+31205550123"
    assert number_text_for(country_code)("abc") is None


@pytest.mark.parametrize(
    ("address", "spelling"),
    [
        ("MAILTO:Jan@Example.org", "mailto:jan@example.org"),
        ("mailto:jan%2Bwork@example.org?subject=x", "mailto:jan+work@example.org"),
        ("Jan@Example.org", "mailto:jan@example.org"),
        ("sip:Jan@Example.org:5061;transport=tls", "sip:jan@example.org"),
        ("sips:jan:secret@example.org.", "sip:jan@example.org"),
        ("sip:jan@[2001:db8::1]:5060", "sip:jan@[2001:db8::1]"),
        ("sip:0205550123@gw.example.net", "tel:+31205550123"),
        ("tel:+31 20 555 0123", "tel:+31205550123"),
        ("tel:1234", "tel:1234"),
        ("020 555 0123", "tel:+31205550123"),
        ("urn:uuid:ABC", "urn:uuid:abc"),
    ],
)
def test_an_address_has_one_spelling(address: str, spelling: str) -> None:
    number_text = number_text_for("31")
    assert canonical(address, number_text) == spelling
    assert canonical(spelling, number_text) == spelling


@given(
    st.from_regex(r"(mailto:|sips?:|tel:|)[A-Za-z0-9.+@:;=\[\] -]{0,30}", fullmatch=True)
    | st.text(st.characters(exclude_characters="%?"), max_size=40)  # an escape is resolved once, so it is not its own
)
def test_the_one_spelling_is_its_own(text: str) -> None:
    number_text = number_text_for("31")
    once = canonical(text, number_text)
    assert canonical(once, number_text) == once
