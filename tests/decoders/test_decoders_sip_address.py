"""Addresses and URIs, right and wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.sip_address import MAX_PARAMS, Address, Uri, params_of, parse_address, parse_uri


@pytest.mark.parametrize(
    ("value", "display", "uri", "params"),
    [
        ("<sip:a@example.com>", "", "sip:a@example.com", {}),
        ("sip:a@example.com;tag=1", "", "sip:a@example.com", {"tag": "1"}),
        ("<sip:a@example.com;x=1>;tag=2", "", "sip:a@example.com;x=1", {"tag": "2"}),
        ('"A \\"B\\" <C>, D;" <sip:a@example.com> ; TAG = x', 'A "B" <C>, D;', "sip:a@example.com", {"tag": "x"}),
        ("Alice Example<sip:a@example.com>", "Alice Example", "sip:a@example.com", {}),
        ('""<sip:a@example.com>', "", "sip:a@example.com", {}),
        ("José <sip:a@example.com>", "José", "sip:a@example.com", {}),
        ('"Mr. J. User <sip:j.user@example.com>', "Mr. J. User", "sip:j.user@example.com", {}),
        ("A <sip:a@example.com", "A", "sip:a@example.com", {}),
        ("< sip:a@example.com >", "", "sip:a@example.com", {}),
        ('<sip:a@example.com>;x="1;2\\"";y;;x=3', "", "sip:a@example.com", {"x": '1;2"', "y": ""}),
        ('<sip:a@example.com>;x="1;y=2', "", "sip:a@example.com", {"x": '"1', "y": "2"}),
        ("<tel:+31-20-555-0100>;tag=1", "", "tel:+31-20-555-0100", {"tag": "1"}),
        ("*", "", "*", {}),
        ("", "", "", {}),
    ],
)
def test_an_address_is_read(value: str, display: str, uri: str, params: dict[str, str]) -> None:
    assert parse_address(value) == Address(display, uri, params)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:a@example.com", Uri("sip", "a", "example.com", None, {})),
        ("SIPS:a@EXAMPLE.com.:5061", Uri("sips", "a", "example.com", 5061, {})),
        ("sip:example.com", Uri("sip", "", "example.com", None, {})),
        ("sip:a:secret@example.com", Uri("sip", "a", "example.com", None, {})),
        ("sip:a%40b@example.com?Subject=x", Uri("sip", "a@b", "example.com", None, {})),
        ("sip:a@[2001:DB8::1]:5060;transport=tcp", Uri("sip", "a", "2001:db8::1", 5060, {"transport": "tcp"})),
        ("sip:a@[2001:db8::1", Uri("sip", "a", "2001:db8::1", None, {})),
        (
            "sip:+31205550100@gw.example.com;user=phone",
            Uri("sip", "+31205550100", "gw.example.com", None, {"user": "phone"}),
        ),
        ("sip:a;x=y?z@example.com;lr", Uri("sip", "a;x=y?z", "example.com", None, {"lr": ""})),
        ("sip:a@example.org@example.com", Uri("sip", "a@example.org", "example.com", None, {})),
        ("sip:a@example.com;x=b@example.org", Uri("sip", "a", "example.com", None, {"x": "b@example.org"})),
        ("sip:a@example.com:99999", Uri("sip", "a", "example.com", None, {})),
        ("sip:a@example.com:٣", Uri("sip", "a", "example.com", None, {})),
        ("tel:+31-20-(555).0100;phone-context=x", Uri("tel", "+31-20-(555).0100", "", None, {"phone-context": "x"})),
        ("h323:98765@bridge.example.com", Uri("h323", "98765", "bridge.example.com", None, {})),
        ("a@example.com", Uri("", "a", "example.com", None, {})),
        ("bridge.example.com:5060", Uri("", "", "bridge.example.com", 5060, {})),
        ("isbn:2983792873", Uri("isbn", "2983792873", "", None, {})),
        ("", Uri("", "", "", None, {})),
    ],
)
def test_a_uri_is_read(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri


def test_a_password_is_not_kept() -> None:
    assert "1234" not in repr(parse_uri("sip:a:1234@example.com"))


def test_parameters_are_bounded() -> None:
    assert len(params_of(";".join(f"p{n}=1" for n in range(9999)))) == MAX_PARAMS
    assert len(params_of(";".join(f'p{n}="1"' for n in range(9999)))) == MAX_PARAMS


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text(alphabet='"<>;=,@:?%\\ a1[]', max_size=60)))
def test_any_text_is_read(text: str) -> None:
    address = parse_address(text)
    assert all(name == name.lower() and name for name in address.params)
    uri = parse_uri(address.uri)
    assert uri.port is None or 0 < uri.port < 65536
    assert len(uri.user) + len(uri.host) <= 4 * len(text) + 4
