"""Calendars from a server that speaks CalDAV (RFC 4791): the invitations of some weeks, as they stand there.

The library asks and reads the XML; here is bounded what it may read, and whom it may ask: no proxy of the environment,
no redirect, no netrc, nobody but the server that is configured.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from monitor.fetch.keeping import Trouble
from monitor.fetch.secrets import password_in
from monitor.model.fetching import CalendarServer

MAX_ENTRIES = 100_000
PART_BYTES = 64 * 1024


def calendars_of(server: CalendarServer, now: datetime | None = None) -> Iterator[tuple[str, list[str]]]:
    """Each calendar's name, and its entries as iCalendar text. Raises `Trouble`."""
    try:
        from caldav.davclient import DAVClient
        from caldav.lib.error import DAVError
    except ImportError:
        raise Trouble("the library caldav is not there: pip install 'joinwatch[fetch]'") from None
    password = password_in(server.password_file) if server.password_file else None
    moment = now or datetime.now(UTC)
    since, until = moment - timedelta(days=server.past_days), moment + timedelta(days=server.future_days)
    client: Any = DAVClient(
        url=server.url,
        username=server.username or None,
        password=password,
        timeout=server.timeout_seconds,
        ssl_verify_cert=server.ca_file or True,
        enable_rfc6764=False,
    )
    with client:
        for name, place in sorted(server.calendars.items()):
            _bound(client.session, server)
            try:
                calendar = client.calendar(url=urljoin(server.url, place))
                found = calendar.search(start=since, end=until, event=True, expand=False, post_filter=False)
                yield name, _texts_of(found)
            except Trouble:
                raise
            except DAVError as error:
                raise Trouble(f"calendar {name}: {_words_of(error)}") from None
            except Exception as error:
                # What a server says is hostile to the library, too, which may fail of it in any way.
                raise Trouble(f"calendar {name}: {_words_of(error)}") from None


def _texts_of(found: Any) -> list[str]:
    if len(found) > MAX_ENTRIES:
        raise Trouble(f"more than {MAX_ENTRIES:,} entries")
    texts = {}
    for one in found:
        text = one.data if isinstance(one.data, str) else bytes(one.data).decode("utf-8", "replace")
        if not text.lstrip().startswith("BEGIN:VCALENDAR"):
            raise Trouble("an answer that is no calendar")
        texts[str(one.url)] = "\r\n".join(text.strip().splitlines()) + "\r\n"
    return [texts[url] for url in sorted(texts)]  # in an order of its own, so that nothing new looks like nothing new


def _bound(session: Any, server: CalendarServer) -> None:
    """Answers are read up to a size and a time; a redirect is none."""
    session.trust_env = False
    whole = type(session).request
    end, most = time.monotonic() + server.timeout_seconds, server.max_mebibytes * 1024 * 1024

    def request(*words: Any, **named: Any) -> Any:
        answer = whole(session, *words, **{**named, "stream": True, "allow_redirects": False})
        content = bytearray()
        try:
            if 300 <= answer.status_code < 400:
                raise Trouble("it sends us elsewhere (a redirect), which is not followed")
            for part in answer.iter_content(PART_BYTES):
                content += part
                if len(content) > most:
                    raise Trouble(f"more than {server.max_mebibytes} MiB")
                if time.monotonic() > end:
                    raise Trouble(f"it takes longer than {server.timeout_seconds} s")
        finally:
            answer.close()
        answer._content, answer._content_consumed = bytes(content), True  # noqa: SLF001 - as `content` leaves it
        return answer

    session.request = request


def _words_of(error: Exception) -> str:
    """What went wrong, without URLs and contents: the kind of it, which is telling enough."""
    text = str(error).lower()
    if type(error).__name__ == "AuthorizationError" or "unauthorized" in text:
        return "it does not accept our name and password"
    if "certificate" in text:
        return "its certificate is not one that we trust"
    if "timed out" in text or "timeout" in text:
        return "it does not answer in time"
    return f"it is away, or its answer cannot be used ({type(error).__name__})"
