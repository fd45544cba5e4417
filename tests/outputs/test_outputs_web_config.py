"""`web.yml`: what it may say, and every mistake in it told at once, with its line and without its secrets."""

import ssl
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.problems import ConfigError
from monitor.outputs.web_config import load_web_config
from tests.outputs.web_stage import Authority, authority, hashed

__all__ = ["authority"]

TABLES = "tls_server_config, http_server_config, basic_auth_users, rate_limit"


def written(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_web_config(written(folder, text))
    return [(problem.line, problem.found, problem.expected) for problem in caught.value.problems]


def test_a_whole_configuration_is_read(tmp_path: Path, authority: Authority) -> None:
    authority.issue("scraper", "DNS:prometheus.example.com")
    config = load_web_config(
        written(
            authority.folder,
            f"""
            tls_server_config:
              cert_file: server.crt
              key_file: {authority.folder}/server.key
              client_auth_type: RequireAndVerifyClientCert
              client_ca_file: ca.crt
              client_allowed_sans: [prometheus.example.com]
              min_version: TLS13
              cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]
              curve_preferences: [CurveP256]
            http_server_config:
              http2: true
              headers:
                Strict-Transport-Security: max-age=31536000
                X-Frame-Options: ""
            basic_auth_users:
              anna: {hashed("geheim")}
            rate_limit: {{interval: 100ms, burst: 20}}
            """,
        )
    )
    assert config.tls is not None
    assert config.tls.files == tuple(authority.folder / name for name in ("server.crt", "server.key", "ca.crt"))
    assert config.tls.cipher_suites == ("ECDHE-ECDSA-AES256-GCM-SHA384",)
    assert config.headers == {"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": ""}
    assert list(config.users) == ["anna"]
    assert (config.request_interval, config.request_burst) == (0.1, 20)
    assert config.notes == ("HTTP/2 is not spoken, HTTP/1.1 is",)


def test_a_curve_that_this_python_cannot_choose_is_a_mistake_of_the_file(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: ssl.SSLContext, name: str) -> None:
        raise ssl.SSLError(name)

    monkeypatch.setattr(ssl.SSLContext, "set_ecdh_curve", unknown)
    text = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  curve_preferences: [X25519]\n"
    [(line, found, expected)] = mistakes(authority.folder, text)
    assert line == 2
    assert found == "X25519, which this Python's ssl cannot choose"
    assert expected == "[CurveP256], or no curve_preferences"


@pytest.mark.parametrize("text", ["", "# nothing", "basic_auth_users:\n", "http_server_config: {}\n"])
def test_who_says_nothing_gets_nothing(tmp_path: Path, text: str) -> None:
    config = load_web_config(written(tmp_path, text))
    assert (config.tls, dict(config.users), dict(config.headers)) == (None, {}, {})


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """tls_server_confg: {}
http_server_config:
  http2: maybe
  headers:
    X-Frame-Options: allow
    X-Content-Type-Options: nosniff
    Strict-Transport-Security: "a\\r\\nX-Injected: yes"
basic_auth_users:
  anna: hunter2
  "bram:x": $2b$04$abcdefghijklmnopqrstuuWuJ9N.Yb1Hh3DqFnCkz0xhZNkzmYj7S
  carla: $2b$31$abcdefghijklmnopqrstuuWuJ9N.Yb1Hh3DqFnCkz0xhZNkzmYj7S
  anna: again
rate_limit:
  interval: 1 second
  burst: -1
""",
    )
    assert found == [
        (1, "unknown key 'tls_server_confg'", f"one of {TABLES} (did you mean tls_server_config?)"),
        (3, "no boolean", "true or false"),
        (5, "'allow'", "one of deny, sameorigin"),
        (7, "what no header can hold", "printable ASCII on one line"),
        (9, "no bcrypt hash for 'anna'", 'what `htpasswd -nBC 10 ""` prints behind the colon'),
        (10, "a name that no browser can send", "a name without a colon"),
        (11, "a bcrypt cost of 31 for 'carla'", "a cost from 4 to 15; 10 is usual"),
        (12, "'anna' a second time", "each key once"),
        (14, "no duration", "such as 200ms, 1s or 1m"),
        (15, "no number", "a whole number from 0 to 999999"),
    ]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        pytest.param("a: &x [1]\nb: *x\n", 1, "an anchor or an alias", id="aliases"),
        pytest.param("a: [\n", 2, "no YAML", id="torn"),
        pytest.param("\tkey: value\n", 1, "no YAML", id="tab"),
        pytest.param("[" * 40000, 1, "one inside the other", id="deep"),
        pytest.param("- a\n- b\n", 1, "no mapping", id="a list"),
        pytest.param("a: 1\n---\nb: 2\n", 2, "no YAML", id="two documents"),
        pytest.param("#" * 70000, 0, "more than 64 KiB", id="large"),
        pytest.param("!!python/object/apply:os.system ['true']", 1, "no mapping", id="python"),
        pytest.param("\x01", 0, "no YAML", id="control"),
    ],
)
def test_what_is_no_configuration_is_told(tmp_path: Path, text: str, line: int, found: str) -> None:
    told = mistakes(tmp_path, text)
    assert told[0][0] == line
    assert told[0][1].startswith(found)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_web_config(tmp_path / "web.yml")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param(["cert_file: server.crt"], "no certificate and key", id="half"),
        pytest.param(["cert_file: nowhere.crt", "key_file: server.key"], "nowhere.crt cannot be read", id="absent"),
        pytest.param(["cert_file: server.crt", "key_file: ca.key"], "server.crt and ca.key are not usable", id="other"),
        pytest.param(
            ["cert_file: ca.key", "key_file: server.key"], "ca.key and server.key are not", id="no certificate"
        ),
        pytest.param([*("cert_file: server.crt", "key_file: server.key"), "min_version: TLS10"], "'TLS10'", id="old"),
        pytest.param(
            [*("cert_file: server.crt", "key_file: server.key"), "cert: abc"], "a certificate or key in", id="in"
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "client_auth_type: RequestClientCert"],
            "'RequestClientCert'",
            id="asks and does not look",
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "client_auth_type: RequireAndVerifyClientCert"],
            "no authority",
            id="whose",
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "client_ca_file: ca.crt"],
            "client_ca_file, and no client is asked",
            id="an authority for nothing",
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "client_allowed_sans: [x]"],
            "client_allowed_sans",
            id="names of nobody",
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "min_version: TLS13", "max_version: TLS12"],
            "a min_version above max_version",
            id="crossed",
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"],
            "'TLS_RSA_WITH_RC4_128_SHA'",
            id="broken cipher",
        ),
        pytest.param(
            ["cert_file: server.crt", "key_file: server.key", "curve_preferences: [X25519, CurveP256]"],
            "2 curves",
            id="curves",
        ),
    ],
)
def test_tls_that_cannot_be_had_is_told(authority: Authority, lines: list[str], found: str) -> None:
    told = mistakes(authority.folder, "tls_server_config:\n" + "".join(f"  {line}\n" for line in lines))
    assert len(told) == 1
    assert found in told[0][1]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_a_mistake(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "web.yml"
    path.write_bytes(raw)
    problems = None
    try:
        load_web_config(path)
    except ConfigError as error:
        problems = error.problems
    assert problems is None or problems
