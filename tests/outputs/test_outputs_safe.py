"""Text from the wire loses its power over terminals, and secrets that slipped into it are masked."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.outputs.safe import MASK, encodable, escaped_json, masked, shown


@given(st.text(alphabet=st.characters(codec=None), max_size=300), st.integers(1, 80))
def test_what_is_shown_is_one_short_line_without_power(text: str, limit: int) -> None:
    found = shown(text, limit)
    assert len(found) <= limit
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in found)
    assert shown(found, limit) == found


@given(st.text(alphabet=st.characters(codec=None)))
def test_every_text_can_be_encoded(text: str) -> None:
    assert encodable(text).encode("utf-8").decode("utf-8") == encodable(text)


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="escape"),
        pytest.param("a\x9b2Jb", "a\\x9b2Jb", id="one-byte CSI"),
        pytest.param("a\r\nb", "a\\x0d\\x0ab", id="line ends"),
        pytest.param("invoice\u202egpj.exe", "invoice\\u202egpj.exe", id="bidirectional override"),
        pytest.param("an\u200bna", "an\\u200bna", id="zero width"),
        pytest.param("a\u3164b", "a\\u3164b", id="a letter that looks like nothing"),
        pytest.param("a\U000e0041b", "a\\U000e0041b", id="tag"),
        pytest.param("z" + "\u0301" * 50 + "y", "z\u0301\u0301y", id="marks that climb"),
        pytest.param("a\u00a0b\u2003c", "a b c", id="odd blanks"),
        pytest.param("\ud83d", "\\ud83d", id="half a character"),
    ],
)
def test_what_has_power_stands_there_in_letters(hostile: str, harmless: str) -> None:
    assert shown(hostile) == harmless


@pytest.mark.parametrize("text", ["Zoë Müller", "नमस्ते", "שלום", "日本語", "Nguyễn", "a\u0323\u0302", "😀", "a — “b”…"])
def test_peoples_names_stay_as_they_are(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "leaky",
    [
        "https://meet.example.com/j/81234567890?pwd=S3cr3tS3cr3t&from=x",
        "https://meet.example.com/join?PIN=S3cr3tS3cr3t",
        "sip:room;token=S3cr3tS3cr3t@bridge.example.com",
        "sip:anna:S3cr3tS3cr3t@ministry.example",
        "<sip:81234567890.S3cr3tS3cr3t@zoom.example.com>",
        "sip:81234567890.S3cr3tS3cr3t;user=phone@zoom.example.com",
        "sips:81234567890**S3cr3tS3cr3t@bridge.example.com",
        "tel:+31205550101,,S3cr3tS3cr3t#",
        "eyJhbGciOiJFUzI1NiJ9.S3cr3tS3cr3t.c2ln;info=<https://cert.example>",
        "passcode%3DS3cr3tS3cr3t",
    ],
)
def test_secrets_are_masked(leaky: str) -> None:
    assert "S3cr3tS3cr3t" not in masked(leaky)
    assert MASK in masked(leaky)


@pytest.mark.parametrize(
    "harmless",
    [
        "",
        "tel:+31205550101",
        "sip:jan.jansen@ministry.example;transport=tls",
        "sip:27311234567@bridge.example.com",
        "sip:10000.example.com;transport=tcp",
        "<sip:+31205550101;phone-context=+31@192.0.2.10:5060>;tag=1",
        "the invitation has a PIN: it was not typed",
    ],
)
def test_addresses_are_not_masked(harmless: str) -> None:
    assert masked(harmless) == harmless


def test_json_means_the_same_when_escaped() -> None:
    import json

    line = json.dumps("a\x7f\x9b\u2028\u202e\U000e0041é", ensure_ascii=False)
    assert json.loads(escaped_json(line)) == json.loads(line)
    assert not any(char in escaped_json(line) for char in "\x7f\x9b\u2028\u202e\U000e0041")


@pytest.mark.parametrize(
    "piece", ["sip:", "sip:1234567890.", "pwd=", "eyJeyJeyJ.", "a:", "sip:a:b", "sip:a", "tel:1111,", "=%3d"]
)
def test_no_text_makes_masking_slow(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))
    start = time.perf_counter()
    masked(text)
    assert time.perf_counter() - start < 1.0
