"""Which meetings a link means. Comes in: a link as it stood in a text or a request. Goes out: its `MeetingRef`s."""

from collections.abc import Iterator

from monitor.model.meetings import MeetingRef
from monitor.platforms.addresses import refs_in, unescaped
from monitor.platforms.atlas import Atlas
from monitor.platforms.catalog import LinkForm, Platform, expression

MAX_LINK = 8192
"""Characters of a link that are looked at: four times the longest wrapped link in use."""
MAX_PARAMETERS = 64
MAX_WRAPPINGS = 4
"""Mail filters put their own link around the one before; more than these in a row is no mail."""
MAX_REFS = 8

SAFELINKS = "safelinks.protection.outlook.com"
URL_DEFENSE = ("urldefense.com", "urldefense.us", "urldefense.proofpoint.com")
REDIRECTS = {"www.google.com": "q", "www.google.nl": "q", "google.com": "q", "l.facebook.com": "u"}
"""Hosts whose `/url` says in one parameter where it goes."""


class Links:
    """Reads links."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._anywhere = [
            (platform, form) for platform in atlas.platforms.values() for form in platform.links if form.anywhere
        ]

    def refs_of(self, link: str) -> tuple[MeetingRef, ...]:
        """The meetings that a link names, however many mail filters have wrapped it; none for any other link."""
        for _ in range(MAX_WRAPPINGS):
            host, path, query = parts_of(link[:MAX_LINK])
            inner = _unwrapped(link[:MAX_LINK], host, path, query)
            if inner is None:
                return tuple(dict.fromkeys(self._refs_at(host, path, query)))[:MAX_REFS]
            link = inner
        return ()

    def _refs_at(self, host: str, path: str, query: dict[str, str]) -> Iterator[MeetingRef]:
        for platform in self._atlas.at_host(host):
            forms = (form for form in platform.links if not form.hosts or host in form.hosts)
            readings = (tuple(self._read(platform, form, host, path, query)) for form in forms)
            yield from next(filter(None, readings), ())  # the first form that fits: the files put the particular first
        for platform, form in self._anywhere:
            yield from self._read(platform, form, host, path, query)

    def _read(
        self, platform: Platform, form: LinkForm, host: str, path: str, query: dict[str, str]
    ) -> Iterator[MeetingRef]:
        if any(name not in query for name in form.query):
            return
        match = expression(form.path).fullmatch(path)
        if match is None:
            return
        groups = match.groupdict()
        for name, pattern in form.query.items():
            match = expression(pattern).fullmatch(query[name])
            if match is None:
                return
            groups.update(match.groupdict())
        for name, pattern in form.optional.items():
            match = expression(pattern).fullmatch(query.get(name, ""))
            if match is not None:
                groups.update(match.groupdict())
        yield from refs_in(platform, groups, self._atlas.site_of(platform, host))


def parts_of(link: str) -> tuple[str, str, dict[str, str]]:
    """Host in lower case without user and port, path and parameters unescaped once; the fragment is no part of it."""
    _, scheme, rest = link.partition("://")
    rest = (rest if scheme else link).partition("#")[0]
    rest, _, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
    return host, unescaped(slash + path) or "/", _parameters(query)


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]:
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(unescaped(name.removeprefix("amp;")).lower(), unescaped(value))
    return found


def _unwrapped(link: str, host: str, path: str, query: dict[str, str]) -> str | None:
    """The link inside a mail filter's or search engine's own; none when this is no such wrapping."""
    if host.endswith(SAFELINKS):
        return query.get("url")
    if host in URL_DEFENSE:
        if path.startswith("/v2/") and "u" in query:  # `-3A` for `%3A`, `_` for `/`
            return unescaped(query["u"].replace("-", "%").replace("_", "/"))
        _, start, inner = link.partition("/v3/__")
        return inner.partition("__;")[0] if start else None
    if path == "/url" and host in REDIRECTS:
        return query.get(REDIRECTS[host])
    return None
