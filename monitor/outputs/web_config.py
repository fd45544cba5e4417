"""`web.yml` in, as Prometheus' exporters have it: TLS, headers, users; or every mistake in it, with its line.

The keys are those of the exporter toolkit (https://prometheus.io/docs/prometheus/latest/configuration/https/), as far
as Python's TLS can do what they say; what it cannot do is a mistake, and never quietly less than was asked for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from monitor.model.problems import ConfigError, Problem

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 64 * 1024
MAX_MISTAKES = 50
MAX_DEPTH = 12
MAX_USERS = 1000
MAX_TEXT = 4096
MAX_COST = 15
"""Of bcrypt: a check takes about two seconds there, and each step doubles it."""
VERSIONS = ("TLS12", "TLS13")
CLIENT_AUTH = ("NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
"""Go knows two more, which ask for a certificate and do not look who made it; OpenSSL through Python does not."""
HEADERS = (
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
)
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_AEAD = {"AES_128_GCM_SHA256": "AES128-GCM-SHA256", "AES_256_GCM_SHA384": "AES256-GCM-SHA384"}
_ECDHE = {**_AEAD, "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305"}
CIPHERS = {
    f"TLS_ECDHE_{key}_WITH_{name}": f"ECDHE-{key}-{ours}" for key in ("ECDSA", "RSA") for name, ours in _ECDHE.items()
}
"""Go's names of the suites of TLS 1.2 that are safe, and OpenSSL's."""
NOT_CHOSEN = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""The suites of TLS 1.3 are all safe, and nobody chooses among them; nor does Go."""

_BCRYPT = re.compile(r"\$2[aby]\$([0-3][0-9])\$[./A-Za-z0-9]{53}", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,6})(ms|s|m)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How connections are encrypted, and which clients are let in."""

    cert_file: Path
    key_file: Path
    client_auth_type: str = "NoClientCert"
    client_ca_file: Path | None = None
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    """OpenSSL's names."""
    prefer_server_cipher_suites: bool = True
    curve: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are read again when they change."""
        return (self.cert_file, self.key_file, *([self.client_ca_file] if self.client_ca_file else []))


class WebConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `web.yml`; without one, this as it is."""

    tls: Tls | None = None
    headers: Mapping[str, str] = {}
    users: Mapping[str, bytes] = {}
    """Names and bcrypt hashes; everybody is let in when there are none."""
    request_interval: float = 0.0
    """Seconds between requests in the long run; 0 for no limit."""
    request_burst: int = 0
    notes: tuple[str, ...] = ()
    """What is understood and not done."""


Told: TypeAlias = Callable[["yaml.Node", str, str], None]
Reader: TypeAlias = Callable[["yaml.Node", Told], Any]


def load_web_config(path: Path) -> WebConfig:
    """The configuration in this file, its certificates tried; `ConfigError` with every mistake."""
    problems: list[Problem] = []

    def tell(line: int, found: str, expected: str) -> None:
        if len(problems) < MAX_MISTAKES:
            problems.append(Problem(file=str(path), line=line, found=found, expected=expected))

    def tell_at(node: "yaml.Node", found: str, expected: str) -> None:
        tell(node.start_mark.line + 1, found, expected)

    root = _composed(path, tell)
    config = WebConfig()
    if root is not None:
        given = _table(root, _TOP, tell_at)
        tls = _tls_of(given.get("tls_server_config"), root, path.parent, tell_at)
        server = given.get("http_server_config") or {}
        limit = given.get("rate_limit") or {}
        config = WebConfig(
            tls=tls,
            headers=server.get("headers") or {},
            users=given.get("basic_auth_users") or {},
            request_interval=limit.get("interval") or 0.0,
            request_burst=limit.get("burst") or 1,
            notes=("HTTP/2 is not spoken, HTTP/1.1 is",) if server.get("http2") else (),
        )
    if problems:
        raise ConfigError(problems)
    return config


def _composed(path: Path, tell: Callable[[int, str, str], None]) -> "yaml.Node | None":
    """The document, as YAML has it: nothing is made of it yet."""
    import yaml

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        tell(0, f"cannot be read: {error.strerror}", "a web configuration in YAML")
        return None
    if len(raw) > MAX_BYTES:
        tell(0, f"more than {MAX_BYTES // 1024} KiB", "a web configuration in YAML")
        return None
    try:
        if (odd := _oddity_of(yaml.scan(raw, yaml.SafeLoader))) is not None:
            tell(*odd)
            return None
        node: yaml.Node | None = yaml.compose(raw, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        tell(line, f"no YAML: {error.problem or 'it cannot be read'}", "a web configuration in YAML")
        return None
    except (yaml.YAMLError, RecursionError, ValueError):
        tell(0, "no YAML", "a web configuration in YAML")
        return None
    return node


def _oddity_of(tokens: "Iterable[yaml.Token]") -> tuple[int, str, str] | None:
    """What the reader of YAML may not be given: an alias may stand for itself, or for ten that stand for ten each; and
    each bracket in a bracket costs it more than the one before.
    """
    import yaml

    opening = (
        yaml.FlowSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.BlockMappingStartToken,
        yaml.BlockSequenceStartToken,
    )
    closing = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
    depth = 0
    for token in tokens:
        depth += isinstance(token, opening) - isinstance(token, closing)
        line = token.start_mark.line + 1
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            return line, "an anchor or an alias", "everything written out"
        if depth > MAX_DEPTH:
            return line, "one inside the other, too deep", "a web configuration in YAML"
    return None


def _entries(node: "yaml.Node", told: Told) -> Iterator[tuple[str, "yaml.Node", "yaml.Node"]]:
    """Name, key and value of each entry of a mapping; nothing for `key:` with nothing behind it."""
    import yaml

    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return
    if not isinstance(node, yaml.MappingNode):
        told(node, "no mapping", "keys with values, `key: value`")
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if not name or len(name) > MAX_TEXT:
            told(key, "no name", "a key")
        elif name in seen:
            told(key, f"{_short(name)} a second time", "each key once")
        else:
            seen.add(name)
            yield name, key, value


def _table(node: "yaml.Node", readers: Mapping[str, Reader], told: Told) -> dict[str, Any]:
    """The known keys with their values; what is wrong is told and left out."""
    found: dict[str, Any] = {}
    for name, key, value in _entries(node, told):
        if name in readers:
            read = readers[name](value, told)
            if read is not None:
                found[name] = read
        else:
            near = get_close_matches(name[:64], readers, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            told(key, f"unknown key {_short(name)}", f"one of {', '.join(readers)}{meant}")
    return found


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _text(node: "yaml.Node", told: Told) -> str | None:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith(":null"):
            return None
        if node.tag.endswith(":str") and len(node.value) <= MAX_TEXT:
            return str(node.value)
    told(node, "no text", "a text; in quotes, if it looks like a number")
    return None


def _flag(node: "yaml.Node", told: Told) -> bool | None:
    if node.tag.endswith(":bool"):
        return node.value.lower() in ("true", "yes", "on")
    told(node, "no boolean", "true or false")
    return None


def _number(node: "yaml.Node", told: Told) -> int | None:
    if node.tag.endswith(":int") and node.value.isascii() and node.value.isdecimal() and len(node.value) <= 6:
        return int(node.value)
    told(node, "no number", "a whole number from 0 to 999999")
    return None


def _duration(node: "yaml.Node", told: Told) -> float | None:
    match = _DURATION.fullmatch(str(node.value))
    if match is None:
        told(node, "no duration", "such as 200ms, 1s or 1m")
        return None
    return int(match[1]) * _SECONDS[match[2]]


def _one_of(*values: str, because: str = "") -> Reader:
    def read(node: "yaml.Node", told: Told) -> str | None:
        text = _text(node, told)
        if text is None or text in values:
            return text
        told(node, _short(text), f"one of {', '.join(values)}{because}")
        return None

    return read


def _texts(node: "yaml.Node", told: Told) -> list[tuple[str, "yaml.Node"]]:
    import yaml

    if not isinstance(node, yaml.SequenceNode):
        told(node, "no list", "a list of texts")
        return []
    return [(text, one) for one in node.value if (text := _text(one, told))]


def _ciphers(node: "yaml.Node", told: Told) -> tuple[str, ...]:
    for name, one in (texts := _texts(node, told)):
        if name not in CIPHERS and name not in NOT_CHOSEN:
            told(one, _short(name), f"one of {', '.join((*CIPHERS, *NOT_CHOSEN))}")
    return tuple(CIPHERS[name] for name, _ in texts if name in CIPHERS)


def _curve(node: "yaml.Node", told: Told) -> str | None:
    texts = _texts(node, told)
    if len(texts) == 1 and texts[0][0] in CURVES:
        return CURVES[texts[0][0]]
    told(node, f"{len(texts)} curves", f"exactly one of {', '.join(CURVES)}: that is all that can be set here")
    return None


def _header(name: str) -> Reader:
    allowed = {"X-Frame-Options": ("deny", "sameorigin"), "X-Content-Type-Options": ("nosniff",)}.get(name, ())

    def read(node: "yaml.Node", told: Told) -> str | None:
        text = _text(node, told)
        if text is None:
            return None
        if not (text.isascii() and text.isprintable()):
            told(node, "what no header can hold", "printable ASCII on one line")
            return None
        if allowed and text and text.lower() not in allowed:
            told(node, _short(text), f"one of {', '.join(allowed)}")
            return None
        return text.strip()

    return read


def _users(node: "yaml.Node", told: Told) -> dict[str, bytes]:
    users: dict[str, bytes] = {}
    for name, key, value in _entries(node, told):
        # Whatever stands there is a secret, or was meant to be none: it is not repeated.
        match = _BCRYPT.fullmatch(str(value.value))
        if ":" in name or not name.isprintable():
            told(key, "a name that no browser can send", "a name without a colon")
        elif match is None:
            told(value, f"no bcrypt hash for {_short(name)}", 'what `htpasswd -nBC 10 ""` prints behind the colon')
        elif not 4 <= int(match[1]) <= MAX_COST:
            told(
                value,
                f"a bcrypt cost of {int(match[1])} for {_short(name)}",
                f"a cost from 4 to {MAX_COST}; 10 is usual",
            )
        elif len(users) >= MAX_USERS:
            told(key, f"more than {MAX_USERS} users", "fewer")
            break
        else:
            users[name] = match[0].encode()
    return users


def _inline(node: "yaml.Node", told: Told) -> None:
    told(node, "a certificate or key in the configuration itself", "cert_file, key_file or client_ca_file")


_TLS: dict[str, Reader] = {
    "cert_file": _text,
    "key_file": _text,
    "client_auth_type": _one_of(*CLIENT_AUTH, because=": whoever is asked for a certificate is checked"),
    "client_ca_file": _text,
    "client_allowed_sans": lambda node, told: tuple(text for text, _ in _texts(node, told)),
    "min_version": _one_of(*VERSIONS, because=": what is older is broken"),
    "max_version": _one_of(*VERSIONS),
    "cipher_suites": _ciphers,
    "prefer_server_cipher_suites": _flag,
    "curve_preferences": _curve,
    "cert": _inline,
    "key": _inline,
    "client_ca": _inline,
}
_SERVER: dict[str, Reader] = {
    "http2": _flag,
    "headers": lambda node, told: _table(node, {name: _header(name) for name in HEADERS}, told),
}
_LIMIT: dict[str, Reader] = {"interval": _duration, "burst": _number}
_TOP: dict[str, Reader] = {
    "tls_server_config": lambda node, told: (node, _table(node, _TLS, told)),
    "http_server_config": lambda node, told: _table(node, _SERVER, told),
    "basic_auth_users": _users,
    "rate_limit": lambda node, told: _table(node, _LIMIT, told),
}


KEYS = {
    "tls_server_config": "TLS; without it, plain HTTP.",
    "tls_server_config.cert_file": "The certificate, with those between it and its authority (PEM). Needed with TLS.",
    "tls_server_config.key_file": "Its key (PEM). Needed with TLS.",
    "tls_server_config.client_auth_type": f"Whether clients need a certificate: {', '.join(CLIENT_AUTH)}. The first is"
    " the default.",
    "tls_server_config.client_ca_file": "Certificates (PEM) of the authority that clients' must be of.",
    "tls_server_config.client_allowed_sans": "Names (SAN), one of which a client's certificate must have.",
    "tls_server_config.min_version": f"{' or '.join(VERSIONS)}; the default is {VERSIONS[0]}.",
    "tls_server_config.max_version": f"{' or '.join(VERSIONS)}; the default is {VERSIONS[1]}.",
    "tls_server_config.cipher_suites": f"Of TLS 1.2, by Go's names: {', '.join(CIPHERS)}.",
    "tls_server_config.prefer_server_cipher_suites": "Whether our order counts, and not the client's; `true`.",
    "tls_server_config.curve_preferences": f"One of {', '.join(CURVES)}, as a list.",
    "tls_server_config.cert": "Not taken: a certificate stands in a file.",
    "tls_server_config.key": "Not taken: a key stands in a file.",
    "tls_server_config.client_ca": "Not taken: it stands in a file.",
    "http_server_config.http2": "Understood; HTTP/1.1 is spoken, whatever it says.",
    "http_server_config.headers": f"Headers of each answer: {', '.join(HEADERS)}.",
    "basic_auth_users": f'Names, and bcrypt hashes of their passwords (`htpasswd -nBC 10 ""`), of a cost from 4 to'
    f" {MAX_COST}; at most {MAX_USERS:,}.",
    "rate_limit.interval": "Time between requests in the long run: `200ms`, `1s`, `1m`; without it, no limit.",
    "rate_limit.burst": "How many may come at once all the same; 1.",
}
"""Every key, and what it says: `docs/configuration.md` is made of it."""


def _tls_of(
    given: tuple["yaml.Node", dict[str, Any]] | None, root: "yaml.Node", folder: Path, told: Told
) -> Tls | None:
    """The table, its paths made whole; tried, so that what is told is told before somebody connects."""
    node, table = given or (root, {})
    if not table:
        return None
    if not (table.get("cert_file") and table.get("key_file")):
        told(node, "no certificate and key", "cert_file and key_file, both")
        return None
    verified = table.get("client_auth_type") == "RequireAndVerifyClientCert"
    if table.get("client_auth_type", "NoClientCert") != "NoClientCert" and not table.get("client_ca_file"):
        told(node, "no authority that clients' certificates must be of", "client_ca_file")
    elif table.get("client_ca_file") and table.get("client_auth_type", "NoClientCert") == "NoClientCert":
        told(node, "client_ca_file, and no client is asked", "client_auth_type: RequireAndVerifyClientCert")
    if table.get("client_allowed_sans") and not verified:
        told(node, "client_allowed_sans", "beside it client_auth_type: RequireAndVerifyClientCert")
    if table.get("min_version", "TLS12") > table.get("max_version", "TLS13"):
        told(node, "a min_version above max_version", "TLS12 and TLS13")
        return None
    authority = table.pop("client_ca_file", None)
    tls = Tls(
        cert_file=folder / table.pop("cert_file"),
        key_file=folder / table.pop("key_file"),
        client_ca_file=folder / authority if authority else None,
        curve=table.pop("curve_preferences", None),
        **table,
    )
    from monitor.outputs.web_tls import Unusable, context_of

    try:
        context_of(tls)
    except Unusable as error:
        told(node, str(error), error.expected)
    return tls
