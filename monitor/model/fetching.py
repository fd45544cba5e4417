"""What the configuration may say of fetchers: programs of their own that ask a server for lists and write files."""

from typing import Annotated

import msgspec


def _from(low: int, high: int) -> msgspec.Meta:
    return msgspec.Meta(ge=low, le=high)


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is asked, as whom, and how often."""

    url: str = ""
    """Empty: nobody is asked, and this fetcher is off."""
    username: str = ""
    """A name; of a directory its DN: `cn=reader,dc=ministry,dc=example`."""
    password_file: str | None = None
    """Its first line; for its owner alone. A credential of systemd with the same name comes first."""
    ca_file: str | None = None
    """Certificates (PEM) that sign the server's; by default the system's."""
    plaintext: bool = False
    """Whether password and lists may travel where anybody can read and change them."""
    interval_seconds: Annotated[int, _from(60, 86_400)] = 600
    """From one fetch to the next; a tenth more or less, at random."""
    timeout_seconds: Annotated[int, _from(1, 600)] = 60
    """Of one fetch."""
    max_mebibytes: Annotated[int, _from(1, 256)] = 64
    """Of one list."""
    textfile: str | None = None
    """Where to write metrics, for node_exporter: a file that ends in `.prom`."""


class CalendarServer(Server, frozen=True, kw_only=True):
    """A calendar server that speaks CalDAV (RFC 4791). `url` is its root."""

    calendars: dict[str, str] = {}
    """File names without `.ics`, and the calendars below `url`: `{ board = "/board/meetings/" }`."""
    folder: str = ""
    """Where the files go; name it in `meetings`."""
    past_days: Annotated[int, _from(1, 366)] = 7
    """Meetings that were, so that whoever is still in one is judged by its list."""
    future_days: Annotated[int, _from(1, 366)] = 60
    """Meetings to come, so that a number tried today is known for that of a meeting next month."""


class PeopleServer(Server, frozen=True, kw_only=True):
    """A directory server that speaks LDAP (RFC 4511). `url` is `ldaps://HOST` or, with StartTLS, `ldap://HOST`."""

    base: str = ""
    """Below which people are: `ou=people,dc=ministry,dc=example`."""
    filter: str = "(objectClass=person)"
    """Which of them (RFC 4515)."""
    file: str = ""
    """A CSV file; name it in `directory`."""
    max_people: Annotated[int, _from(1, 1_000_000)] = 200_000
    """A longer list is not taken."""


class Fetch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both are off until they have a `url`, and each is started by itself: `joinwatch fetch calendars`, `… people`."""

    calendars: CalendarServer = CalendarServer()
    """Meetings, by CalDAV."""
    people: PeopleServer = PeopleServer()
    """The directory, by LDAP."""
