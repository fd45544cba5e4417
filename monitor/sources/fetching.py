"""The tables `[fetch.…]` of the configuration: what must be right in them beyond names and types."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from monitor.sources.contentlines import quoted
from monitor.sources.tomllines import Key

MAX_CALENDARS = 1000
SCHEMES = {"calendars": ("https", "http"), "people": ("ldaps", "ldap")}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]{1,2000}", re.ASCII)

Tell = Callable[[Key, str, str], None]


def check_fetch(tables: Mapping[str, Any], tell: Tell) -> None:
    """Tells what is wrong with either of them."""
    for name, schemes in SCHEMES.items():
        table = tables.get(name, {})
        if table.get("url"):
            _check_server(("fetch", name), table, schemes, tell)
            (_check_calendars if name == "calendars" else _check_people)(("fetch", name), table, tell)


def _check_server(key: Key, table: Mapping[str, Any], schemes: tuple[str, str], tell: Tell) -> None:
    safe, plain = schemes
    if not is_url(table["url"], schemes):
        # A URL that is none may be one with a password in it, so it is not repeated.
        tell((*key, "url"), "a url that cannot be used", f"{safe}://HOST/… without user and password")
    elif key[-1] == "calendars" and table["url"].startswith("http:") and not table.get("plaintext"):
        tell((*key, "url"), f"{plain}://", f"{safe}://, or plaintext = true if anybody may read and change it")
    if bool(table.get("username")) != bool(table.get("password_file")):
        tell(key, "a user without password, or a password without user", "username and password_file together")
    if table.get("textfile") and not table["textfile"].endswith(".prom"):
        tell((*key, "textfile"), f"textfile = {quoted(table['textfile'])}", "a file that ends in .prom")


def _check_calendars(key: Key, table: Mapping[str, Any], tell: Tell) -> None:
    if not table.get("folder"):
        tell(key, "no folder", "folder, where the calendars are written")
    named = table.get("calendars", {})
    if not 1 <= len(named) <= MAX_CALENDARS:
        tell((*key, "calendars"), f"{len(named)} calendars", 'calendars = { board = "/board/meetings/" }')
    for name, place in named.items():
        if not _NAME.fullmatch(name):
            tell((*key, "calendars"), f"the name {quoted(name)}", "letters, digits, dashes and underscores")
        if not _PRINTABLE.fullmatch(place) or not is_within(table["url"], place):
            tell((*key, "calendars"), f"{name} = {quoted(place)}", "a calendar of the server that `url` names")


def _check_people(key: Key, table: Mapping[str, Any], tell: Tell) -> None:
    if not table.get("file", "").lower().endswith(".csv"):
        tell((*key, "file"), f"file = {quoted(table.get('file', ''))}", "file, that ends in .csv")
    if not table.get("base"):
        tell(key, "no base", 'base = "ou=people,dc=ministry,dc=example"')


def is_url(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether it names a server, and no user."""
    if not _PRINTABLE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment


def is_within(url: str, place: str) -> bool:
    """Whether a place, seen from this URL, is of the same server: nobody else gets its password."""
    try:
        whole = urlsplit(urljoin(url, place))
        return (whole.scheme, whole.netloc) == urlsplit(url)[:2] and not whole.fragment
    except ValueError:
        return False
