"""People from a directory server that speaks LDAP (RFC 4511), as rows of a directory in CSV.

Nothing is put into the filter but what its operator wrote; referrals, to servers that nobody named, are not followed.
"""

import csv
import io
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from monitor.fetch.keeping import Trouble
from monitor.fetch.secrets import password_in
from monitor.model.fetching import PeopleServer
from monitor.model.invitations import NumberText

PAGE = 500
HEADER = "name,email,phone,sip\n"
NAMES, MAILS = ("displayName", "cn"), ("mail", "proxyAddresses")
NUMBERS = ("telephoneNumber", "mobile", "ipPhone", "otherTelephone", "otherMobile")
SIPS = ("msRTCSIP-PrimaryUserAddress", "proxyAddresses", "ipPhone")
MAX_VALUES = 64
"""Of one person, of each kind."""
MAX_VALUE = 256


def people_of(server: PeopleServer, number_text: NumberText) -> list[str]:
    """A row of CSV for each person that has an address. Raises `Trouble`."""
    try:
        import ldap3
        from ldap3.core.exceptions import LDAPException
    except ImportError:
        raise Trouble("the library ldap3 is not there: pip install 'joinwatch[fetch]'") from None
    parts = urlsplit(server.url)
    is_ldaps = parts.scheme == "ldaps"
    port = parts.port or (636 if is_ldaps else 389)
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=server.ca_file)
    asked = ldap3.Server(
        parts.hostname,
        port=port,
        use_ssl=is_ldaps,
        tls=None if server.plaintext and not is_ldaps else tls,
        get_info=ldap3.NONE,
        connect_timeout=min(server.timeout_seconds, 10),
        allowed_referral_hosts=[],
    )
    password = password_in(server.password_file) if server.password_file else None
    connection = ldap3.Connection(
        asked,
        user=server.username or None,
        password=password,
        auto_referrals=False,
        read_only=True,
        check_names=False,
        raise_exceptions=True,
        receive_timeout=server.timeout_seconds,
    )
    try:
        connection.open()
        if not is_ldaps and not server.plaintext:
            connection.start_tls()
        connection.bind()
        return sorted(row for row in (row_of(found, number_text) for found in _found(connection, server)) if row)
    except Trouble:
        raise
    except LDAPException as error:
        raise Trouble(_words_of(error)) from None
    except Exception as error:
        # What a server says is hostile to the library, too, which may fail of it in any way.
        raise Trouble(f"its answer cannot be used ({type(error).__name__})") from None
    finally:
        _close(connection)


def _found(connection: Any, server: PeopleServer) -> Iterator[Mapping[str, Any]]:
    end, most, size = time.monotonic() + server.timeout_seconds, server.max_mebibytes * 1024 * 1024, 0
    asked = connection.extend.standard.paged_search(
        search_base=server.base,
        search_filter=server.filter,
        attributes=sorted({*NAMES, *MAILS, *NUMBERS, *SIPS}),
        paged_size=PAGE,
        generator=True,
    )
    count = 0
    for entry in asked:
        if entry.get("type") != "searchResEntry":
            continue
        count += 1
        values = entry["raw_attributes"]
        size += sum(len(value) for several in values.values() for value in several)
        if count > server.max_people or size > most:
            raise Trouble(f"more than {server.max_people:,} people, or {server.max_mebibytes} MiB")
        if time.monotonic() > end:
            raise Trouble(f"it takes longer than {server.timeout_seconds} s")
        yield values


def row_of(values: Mapping[str, Iterable[bytes]], number_text: NumberText) -> str:
    """One person as a row of CSV; empty for who has no address at all."""
    named = {name.lower(): [_text(value) for value in several][:MAX_VALUES] for name, several in values.items()}

    def all_of(names: tuple[str, ...]) -> list[str]:
        return [value for name in names for value in named.get(name.lower(), []) if value and len(value) <= MAX_VALUE]

    name = next(iter(all_of(NAMES)), "").lstrip("#=+-@\t ")
    mails = [value[5:] if value[:5].lower() == "smtp:" else value for value in all_of(MAILS)]
    mails = [value for value in mails if _is_mail(value)]
    numbers = [number.removeprefix("tel:") for value in all_of(NUMBERS) if (number := number_text(value))]
    sips = [value for value in all_of(SIPS) if value.lower().startswith("sip:") and _is_mail(value[4:])]
    if not (mails or numbers or sips):
        return ""
    row = io.StringIO()
    fields = [name, *("|".join(dict.fromkeys(several)) for several in (mails, numbers, sips))]
    csv.writer(row, lineterminator="\n").writerow(fields)
    return row.getvalue()


def _text(value: bytes) -> str:
    """On one line, whatever stands in it."""
    return " ".join("".join(c if c.isprintable() else " " for c in value.decode("utf-8", "replace")).split())


def _is_mail(text: str) -> bool:
    user, at, domain = text.partition("@")
    return bool(user and at and domain) and text.isascii() and not set(text) & set(' <>,;:"()|\\') and "@" not in domain


def _words_of(error: Exception) -> str:
    """The kind of it; never what the server says, which may be anything."""
    name, text = type(error).__name__, str(error).lower()
    if name == "LDAPInvalidCredentialsResult":
        return "it does not accept our name and password"
    if "certificate" in text:
        return "its certificate is not one that we trust"
    if "Socket" in name or "timeout" in text:
        return f"it is away, or does not answer in time ({name})"
    return f"it refuses what we ask ({name})"


def _close(connection: Any) -> None:
    with suppress(Exception):  # nothing more is asked of it
        connection.unbind()
    # ldap3 closes no socket whose TLS never came about.
    with suppress(Exception):
        connection.socket.close()
