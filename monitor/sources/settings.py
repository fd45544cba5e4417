"""The daemon's configuration file: TOML in, `Settings` out, or every mistake in it with its line."""

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from monitor.model.problems import ConfigError
from monitor.model.settings import Settings, address_of
from monitor.sources.contentlines import Mistakes, quoted, raw_of
from monitor.sources.fetching import check_fetch
from monitor.sources.policies import parsed
from monitor.sources.sinks import sinks_of
from monitor.sources.tomllines import Key, lines_of

PATHS = (
    "meetings",
    "directory",
    "policy",
    "state",
    "runtime",
    "web_config",
    "suppressions",
    "pseudonyms",
    "key",
    "ca_file",
    "cert_file",
    "key_file",
    "password_file",
    "bearer_token_file",
    "secret_file",
    "folder",
    "file",
    "textfile",
)
"""Keys whose values are paths, seen from the file's own folder."""
LEAST_JOURNAL = 128
PRIVILEGED = 1024
"""Ports below are for root."""


def load_settings(path: Path) -> Settings:
    """The configuration in this file; `ConfigError` with every mistake."""
    told = Mistakes(path)
    raw = raw_of(path, told, "a configuration in TOML", empty=True)
    text = raw.decode("utf-8", "replace") if raw is not None else ""
    document, read = parsed(text, told)
    lines = lines_of(read)

    def tell(key: Key, found: str, expected: str) -> None:
        while key and key not in lines:
            key = key[:-1]
        told.tell(lines.get(key, 0), found, expected)

    checked = _table((), document, Settings, path.parent, tell)
    capture = checked.get("capture", {})
    agents = capture.get("hep", {}).get("listen")
    if not told.problems and not capture.get("interfaces") and agents is None:
        tell(("capture",), "no interface", '[capture] with interfaces = ["eth1"]')
    if agents is not None and not (address_of(agents) or ("", 0))[1]:
        expected = "HOST:PORT, such as 0.0.0.0:9060 or [::]:9060"
        tell(("capture", "hep", "listen"), f"listen = {quoted(agents)}", expected)
    listen = checked.get("serve", {}).get("listen")
    address = address_of(listen) if listen is not None else None
    if listen is not None and address is None:
        expected = "HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464"
        tell(("serve", "listen"), f"listen = {quoted(listen)}", expected)
    elif address is not None and 0 < address[1] < PRIVILEGED:
        expected = f"a port from {PRIVILEGED} on: whoever listens there has given up every privilege"
        tell(("serve", "listen"), f"listen = {quoted(listen)}", expected)
    size = checked.get("journal", {}).get("max_mebibytes", 0)
    if 0 < size < LEAST_JOURNAL:
        expected = f"0 for no end, or at least {LEAST_JOURNAL}: two files of 64 MiB, of which one is being written"
        tell(("journal", "max_mebibytes"), f"max_mebibytes = {size}", expected)
    check_fetch(checked.get("fetch", {}), tell)
    if told.problems:
        raise ConfigError(told.problems)
    return msgspec.convert(checked, Settings)


def _table(
    key: Key, table: Mapping[str, Any], kind: type[msgspec.Struct], folder: Path, tell: Callable[[Key, str, str], None]
) -> dict[str, Any]:
    """The table with its paths made whole; what is wrong in it is told and left out."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for name, value in table.items():
        here = (*key, name)
        if name not in fields:
            from difflib import get_close_matches

            near = get_close_matches(name, fields, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            tell(here, f"unknown key {quoted(name)}", f"one of {', '.join(fields)}{meant}")
        elif here == ("sinks",):
            good[name] = sinks_of(here, value, lambda key, table, kind: _table(key, table, kind, folder, tell), tell)
        elif isinstance(fields[name], type) and issubclass(fields[name], msgspec.Struct):
            if isinstance(value, dict):
                good[name] = _table(here, value, fields[name], folder, tell)
            else:
                tell(here, f"{name} = {quoted(str(value))}", "a table")
        else:
            try:
                good[name] = msgspec.convert(_paths(name, value, folder), fields[name])
            except msgspec.ValidationError as error:
                tell(here, f"{name} = {quoted(str(value))}", _expected(fields[name], str(error)))
    return good


def _expected(kind: Any, trouble: str) -> str:
    """What msgspec wanted: of what has a closed list, the list, for msgspec names only what is not in it."""
    if trouble.startswith("Invalid enum value") and (choices := _choices(kind)):
        return f"one of {', '.join(choices)}"
    return trouble.removeprefix("Expected ").lower()


def _choices(kind: Any) -> list[str]:
    """The values of an enumeration or a literal, also within a tuple of them."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(one.value) for one in kind]
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    return [choice for inner in get_args(kind) for choice in _choices(inner)]


def _paths(name: str, value: Any, folder: Path) -> Any:
    if name not in PATHS:
        return value
    if isinstance(value, list):
        return [_paths(name, one, folder) for one in value]
    return str(folder / value) if isinstance(value, str) else value
