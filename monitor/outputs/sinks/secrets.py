"""Files with secrets, and TLS: read once, at the start. What is wrong with them is the operator's to mend."""

import ssl
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from pathlib import Path

from monitor.model.problems import ConfigError, Problem
from monitor.model.sinks import HttpSink, SinkSettings

MAX_SECRET = 64 * 1024


def secret_in(path: str, what: str) -> bytes:
    """The first line of a file; a `ConfigError` where there is none."""
    try:
        with Path(path).open("rb") as file:
            secret = file.read(MAX_SECRET).split(b"\n", 1)[0].strip()
    except OSError as error:
        raise _wrong(path, (error.strerror or "unreadable").lower(), what) from None
    if not secret:
        raise _wrong(path, "an empty line", what)
    if not all(0x20 <= byte < 0x7F for byte in secret):
        raise _wrong(path, "a character that is no printable ASCII", what)
    return secret


def signing_key(path: str) -> bytes:
    """The key of a webhook's signature (Standard Webhooks): 24 to 64 bytes, behind `whsec_` in base64."""
    secret = secret_in(path, "the secret of a webhook")
    if secret.startswith(b"whsec_"):
        try:
            secret = b64decode(secret.removeprefix(b"whsec_"), validate=True)
        except NotBase64:
            raise _wrong(path, "whsec_ and something that is no base64", "whsec_ and base64") from None
    if not 24 <= len(secret) <= 64:
        raise _wrong(path, f"a secret of {len(secret)} bytes", "24 to 64 bytes: openssl rand -base64 32")
    return secret


def authorization(settings: HttpSink) -> str:
    """The value of the header; empty without one."""
    if settings.bearer_token_file:
        return "Bearer " + secret_in(settings.bearer_token_file, "a bearer token").decode()
    if settings.password_file:
        password = secret_in(settings.password_file, "a password")
        return "Basic " + b64encode(settings.username.encode() + b":" + password).decode()
    return ""


def tls_of(settings: SinkSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, the other side's certificate and name checked: there is no switch that turns this off."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise _wrong(settings.ca_file or "", _said(error), "certificates in PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise _wrong(
                settings.cert_file, _said(error), "a certificate and its key in PEM, without password"
            ) from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "no certificate, or not the key's"
    return (getattr(error, "strerror", None) or str(error)).lower()


def _wrong(path: str, found: str, expected: str) -> ConfigError:
    return ConfigError([Problem(file=path, line=0, found=found, expected=expected)])
