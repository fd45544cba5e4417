"""TLS of the web server: a context from what `web.yml` says, and whose certificate may come in."""

import ssl
from pathlib import Path
from typing import Any

from monitor.outputs.web_config import Tls

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_ASKED = {"VerifyClientCertIfGiven": ssl.CERT_OPTIONAL, "RequireAndVerifyClientCert": ssl.CERT_REQUIRED}


class Unusable(Exception):
    """A file that TLS cannot be made of."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.expected = expected


def context_of(tls: Tls) -> ssl.SSLContext:
    """Ready for connections; raises `Unusable`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(":".join(tls.cipher_suites) or "ECDHE+AESGCM:ECDHE+CHACHA20")
    if tls.curve:
        _prefer(context, tls.curve)
    context.set_alpn_protocols(["http/1.1"])
    for path in tls.files:
        _must_be_readable(path)
    try:
        # A key behind a password would have OpenSSL ask for it on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise Unusable(
            f"{tls.cert_file.name} and {tls.key_file.name} are not usable ({_reason(error)})",
            "a certificate and its own key, both in PEM, the key without a password",
        ) from None
    if tls.client_ca_file is not None:
        try:
            context.load_verify_locations(tls.client_ca_file)
        except ssl.SSLError as error:
            raise Unusable(
                f"{tls.client_ca_file.name} is not usable ({_reason(error)})", "certificates in PEM"
            ) from None
    context.verify_mode = _ASKED.get(tls.client_auth_type, ssl.CERT_NONE)
    return context


def may_enter(certificate: dict[str, Any] | None, allowed: tuple[str, ...]) -> bool:
    """Whether one of the names in this certificate is one of the allowed; anybody's is when none is named."""
    if not allowed:
        return True
    return any(name in allowed for _, name in (certificate or {}).get("subjectAltName", ()))


def _prefer(context: ssl.SSLContext, curve: str) -> None:
    """That curve alone. Some builds of Python's ssl know X25519, and cannot choose it."""
    try:
        context.set_ecdh_curve(curve)
    except (ssl.SSLError, ValueError):
        raise Unusable(
            f"{curve}, which this Python's ssl cannot choose", "[CurveP256], or no curve_preferences"
        ) from None


def _must_be_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}", "a file that this program may read") from None


def _reason(error: Exception) -> str:
    return (getattr(error, "reason", None) or "no PEM").replace("_", " ").lower()
