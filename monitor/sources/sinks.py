"""The tables `[sinks.NAME]` of the configuration: what must be right in them beyond names and types."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from monitor.model.sinks import SINK_KINDS
from monitor.sources.contentlines import quoted
from monitor.sources.tomllines import Key

MAX_SINKS = 16
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_SD_ID = re.compile(r"[A-Za-z0-9._-]{1,20}@[0-9.]{1,11}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]{1,2000}", re.ASCII)
BOUNDS = {
    "timeout_seconds": (1, 60),
    "resend_seconds": (10, 600),
    "facility": (0, 23),
    "max_bytes": (2048, 65536),
}

Tell = Callable[[Key, str, str], None]
Table = Callable[[Key, Mapping[str, Any], type[msgspec.Struct]], dict[str, Any]]


def sinks_of(key: Key, value: Any, table: Table, tell: Tell) -> dict[str, Any]:
    """The sinks, as far as they are right; what is wrong is told. `table` checks names and types."""
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
        tell(key, "sinks that are no tables", '[sinks.NAME] with kind = "alertmanager"')
        return {}
    if len(value) > MAX_SINKS:
        tell(key, f"{len(value)} sinks", f"at most {MAX_SINKS}")
    good: dict[str, Any] = {}
    for name, said in value.items():
        here = (*key, name)
        kind = SINK_KINDS.get(str(said.get("kind")))
        if not _NAME.fullmatch(name):
            tell(here, f"the name {quoted(name)}", "small letters, digits and dashes, at most 32")
        elif kind is None:
            found = f"kind = {quoted(str(said['kind']))}" if "kind" in said else "no kind"
            tell((*here, "kind"), found, f"one of {', '.join(SINK_KINDS)}")
        else:
            rest = {field: one for field, one in said.items() if field != "kind"}
            good[name] = {"kind": said["kind"], **table(here, rest, kind)}
            _check(here, good[name], set(rest), kind, tell)
    return good


def _check(here: Key, sink: dict[str, Any], given: set[str], kind: type[msgspec.Struct], tell: Tell) -> None:
    for needed in msgspec.structs.fields(kind):
        if needed.required and needed.name not in given:
            tell(here, f"no {needed.name}", f"{needed.name}, which every {sink['kind']} has")
    for field, (low, high) in BOUNDS.items():
        if field in sink and not low <= sink[field] <= high:
            tell((*here, field), f"{field} = {str(sink[field])[:20]}", f"a whole number from {low:,} to {high:,}")
    if "url" in sink and (wrong := _wrong_url(sink["url"])):
        tell((*here, "url"), f"url = {wrong}", "https://HOST:PORT/PATH or http://…, without user and password")
    if "address" in sink and not _is_address(sink["address"]):
        tell((*here, "address"), f"address = {quoted(sink['address'])}", "tcp://HOST:PORT or tls://HOST:PORT")
    if "sd_id" in sink and not _SD_ID.fullmatch(sink["sd_id"]):
        tell((*here, "sd_id"), f"sd_id = {quoted(sink['sd_id'])}", "name@NUMBER, such as joinwatch@32473")
    if "sensor" in sink and sink["sensor"] and not _PRINTABLE.fullmatch(sink["sensor"]):
        tell((*here, "sensor"), f"sensor = {quoted(sink['sensor'])}", "printable ASCII without spaces")
    if "password_file" in sink and "bearer_token_file" in sink:
        tell((*here, "bearer_token_file"), "a password and a token", "one of them")
    if bool(sink.get("username")) != ("password_file" in sink) and "url" in sink:
        tell(here, "a user without password, or a password without user", "username and password_file together")
    if "key_file" in sink and "cert_file" not in sink:
        tell((*here, "key_file"), "a key without certificate", "cert_file beside it")


def _wrong_url(url: str) -> str:
    """The URL as it may be repeated, when it cannot be used; empty when it can."""
    parts = _split(url)
    if parts is not None and (parts.username is not None or parts.password is not None):
        return "one with a user or password in it"  # Which is not repeated.
    good = parts is not None and parts.scheme in ("http", "https") and parts.hostname and not parts.fragment
    return "" if good else quoted(url)


def _is_address(address: str) -> bool:
    parts = _split(address)
    return (
        parts is not None
        and parts.scheme in ("tcp", "tls")
        and bool(parts.hostname and parts.port)
        and not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    )


def _split(url: str) -> SplitResult | None:
    """Its parts; none for what is no URL at all."""
    if not _PRINTABLE.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
