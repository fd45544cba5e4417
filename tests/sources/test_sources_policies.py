"""The policy file: what it gives, and where its keys stand."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.meetings import Method
from monitor.model.policy import Policy
from monitor.model.problems import ConfigError
from monitor.sources.policies import load_policy
from monitor.sources.tomllines import lines_of

WHOLE = """\
timezone = "Europe/Amsterdam"
country_code = "31"
classifications = ["Ongerubriceerd", "Dep.V.", "Stg. CONFIDENTIEEL", "Stg. GEHEIM", "Stg. ZEER GEHEIM"]  # low to high
default_classification = "Ongerubriceerd"

[allowed_methods]                      # by classification; absent = the default's
"Ongerubriceerd" = ["pstn", "sip", "h323", "web"]
"Dep.V." = ["sip", "h323", "web"]

[platforms.webex]
hosts = ["webex.com", "ministry.webex.com"]
max_classification = "Dep.V."

[site]
trusted_trunks = ["192.0.2.10", "2001:db8::/32"]
trusted_proxies = []
web_front_ends = ["198.51.100.30"]
recorders = ["192.0.2.77"]
external_trunks = ["203.0.113.0/24"]
internal_numbers = ["+3120555"]
[site.bridges]
"198.51.100.20" = "webex"
[site.access_numbers]
"+31205550199" = "webex"

[rules]
early_minutes = 0
bruteforce_pins = 3
"""


def load(folder: Path, text: str | bytes) -> Policy:
    path = folder / "policy.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_policy(path, known_platforms=("webex", "zoom"))


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "\ufeff"])
def test_an_empty_policy_is_the_default(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Policy()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_whole_policy(tmp_path: Path, newline: str) -> None:
    policy = load(tmp_path, WHOLE.replace("\n", newline))
    assert policy.timezone == "Europe/Amsterdam"
    assert policy.allows(Method.PSTN, "Ongerubriceerd")
    assert not policy.allows(Method.PSTN, "Dep.V.")
    assert policy.platforms["webex"].max_classification == "Dep.V."
    assert policy.site.trusted_trunks == ("192.0.2.10", "2001:db8::/32")
    assert policy.site.access_numbers == {"+31205550199": "webex"}
    assert policy.rules.early_minutes == 0
    assert policy.rules.bruteforce_pins == 3
    assert policy.rules.late_minutes == 30


def test_platforms_are_not_checked_where_none_are_known(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('[platforms.own]\nhosts = ["meet.example.org"]\n')
    assert load_policy(path).platforms["own"].hosts == ("meet.example.org",)


def test_the_list_of_another_organisation(tmp_path: Path) -> None:
    text = (
        'classifications = ["CLEAR", "AMBER"]\ndefault_classification = "CLEAR"\n[allowed_methods]\n"AMBER" = ["web"]\n'
    )
    policy = load(tmp_path, text)
    assert policy.rank_of("AMBER") == 1
    assert not policy.allows(Method.SIP, "AMBER")


def test_every_mistake_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "timezone = Europe/Amsterdam\n"
        "timezon = 'x'\n"
        "country_code = 31\n"
        "\n"
        "[site]\n"
        "trusted_trunks = [\n"
        "  '192.0.2.10',  # right\n"
        "  '192.0.2.300',\n"
        "]\n"
        "recorders = ['192.0.2.77'\n"
        "trusted_proxies = []\n"
        "[rules]\n"
        "early_minutes = -1\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3, 8, 10, 13]


def test_the_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file or directory; expected a policy in TOML"):
        load_policy(tmp_path / "none.toml")


def test_lines_of_everything() -> None:
    text = (
        'a.b = 1\n"c d" = """\nlong\n"""\n[t]\nx = [1, # one\n 2,\n [3,\n 4]]\n'
        "y = { p = 1.5, 'q' = 1979-05-27 07:32:00 }\n[[m]]\nz = 1\n[[m]]\nz = 2\n[m.n]\nw = 1\n"
    )
    assert tomllib.loads(text)["m"][1]["n"] == {"w": 1}
    lines = lines_of(text)
    assert {key: lines[key] for key in [("a",), ("a", "b"), ("c d",), ("t",), ("t", "x", 1), ("t", "x", 2, 1)]} == {
        ("a",): 1,
        ("a", "b"): 1,
        ("c d",): 2,
        ("t",): 5,
        ("t", "x", 1): 7,
        ("t", "x", 2, 1): 9,
    }
    assert (lines["t", "y", "q"], lines["m", 0, "z"], lines["m", 1, "z"], lines["m", 1, "n", "w"]) == (10, 12, 14, 16)


@given(
    st.lists(
        st.sampled_from([*WHOLE.split("\n"), "x = [", "]", "y = '''", "'''", "a.b = {c = 1}", "[[m]]", "z ="]),
        max_size=20,
    )
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_heap_of_lines_is_a_policy_or_told_mistakes_within_the_file(tmp_path: Path, lines: list[str]) -> None:
    try:
        load(tmp_path, "\n".join(lines))
    except ConfigError as error:
        told = error.problems
    else:
        told = ()
    assert all(0 <= problem.line <= len(lines) and problem.expected for problem in told)


@given(st.binary(max_size=100))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_policy_or_told_mistakes(tmp_path: Path, raw: bytes) -> None:
    try:
        told = [repr(load(tmp_path, raw))]
    except ConfigError as error:
        told = [problem.expected for problem in error.problems]
    assert all(told)
