"""What a SIP, H.323 or telephone address leads to: a meeting, the voice of a bridge, or neither.

Comes in: a URI from the wire. Goes out: a `MeetingRef`, an `Entrance`, and the URI without its secrets.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from monitor.model.meetings import Kind, MeetingRef
from monitor.platforms.atlas import TAIL, Atlas
from monitor.platforms.catalog import AddressForm, Platform, expression

LOCAL = (Kind.PERSONAL, Kind.ROOM)
"""Names that somebody chose, so that another site may have the same."""
MAX_USER = 256
"""Characters of a user part that are looked at."""
MAX_BEHIND = 512
"""Characters behind the `@` of an ordinary address; what is longer is looked at, and not remembered."""

SCHEMES = ("sip:", "sips:", "tel:", "h323:")
SECRET_BEHIND = re.compile(r"((?:##)?\+?[0-9]{1,32})[.*#,pw].*", re.ASCII | re.DOTALL)
"""Digits, and behind them what a bridge would take for a PIN."""
BEHIND_ANYWHERE = re.compile(r"[0-9]{3,32}\*|[0-9]{9,32}\.", re.ASCII)
"""What is so likely a number with a PIN behind it that the host does not matter."""
SECRET_NAME = re.compile(r"pin|pass|pwd|token|code|postd", re.IGNORECASE)
"""Parameters that hold a secret; `postd` has the keys that a telephone presses once it is through (RFC 2806)."""
ESCAPES = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE)


class Uri(NamedTuple):
    """The parts of a URI that tell where a call goes."""

    user: str
    """Without password and parameters."""
    host: str
    is_phone: bool
    """Marked as a telephone number: `tel:`, `user=phone`, or a leading `+`."""


class Entrance(NamedTuple):
    """The voice of a bridge, which asks for the meeting's number."""

    platform: Platform
    site: str


def uri_of(text: str) -> Uri:
    """The parts of a `sip:`, `sips:`, `h323:` or `tel:` URI (RFC 3261, 19.1; RFC 3508; RFC 3966) or bare address."""
    scheme, colon, rest = text.strip("<> ").partition(":")
    if not colon or (scheme.isdigit() and scheme.isascii()):
        scheme, rest = "", text
    user, at, host = rest.partition("@")
    if not at:
        user, host = (rest, "") if scheme in ("tel", "TEL", "") or rest[:1] in "+0123456789" else ("", rest)
        if user.count(".") == 3 or ":" in user:
            user, host = "", rest  # an IPv4 address, not a telephone number
    is_phone = scheme == "tel" or user[:1] == "+" or "user=phone" in host
    if not user.isalnum():
        user = unescaped(user.partition(";")[0].partition(":")[0][:MAX_USER])
    return Uri(user, _host_alone(host), is_phone)


def _host_alone(host: str) -> str:
    """The host without port, parameters and headers."""
    if host[:1] == "[":
        return host[1:].partition("]")[0].lower()
    for end in ";?:>":
        if end in host:
            host = host.partition(end)[0]
    return host.lower()


class Addresses:
    """Reads the addresses of calls."""

    def __init__(self, atlas: Atlas, knows: Callable[[MeetingRef], bool]) -> None:
        self._atlas = atlas
        self._knows = knows
        self._numbers = atlas.numbers
        self._is_foreign = lru_cache(maxsize=1024)(self._leads_elsewhere)

    def is_ordinary(self, text: str) -> bool:
        """Whether an address surely leads to no meeting and hides no secret; what is left is looked at closely.

        Asked for every call, so it looks at no character by itself.
        """
        head, at, tail = text.partition("@")
        if head[-TAIL:] in self._numbers:
            return False
        user = head[5:]
        if not at:
            return user.isalnum() and head[:4] == "tel:"
        named = user.isalnum() or user.replace(".", "").isalpha()
        return named and len(tail) <= MAX_BEHIND and self._is_foreign(tail)

    def _leads_elsewhere(self, tail: str) -> bool:
        """Whether what stands behind the `@` is neither a platform's host nor a bridge, and says nothing else."""
        host = _host_alone(tail)
        return not ("?" in tail or self._atlas.at_host(host) or self._atlas.at_bridge(host))

    def goal_of_call(self, target: str, addressed_to: str, sent_to: str) -> MeetingRef | Entrance | None:
        """Where a call leads: its target says it, or else the address before a proxy rewrote it, or else the bridge."""
        uri = uri_of(target)
        goal = self.goal_of(uri) or self._meeting_at_bridge(uri, sent_to)
        if goal is None and addressed_to != target:
            before = uri_of(addressed_to)
            if before[:2] != uri[:2]:
                goal = self.goal_of(before) or self._meeting_at_bridge(before, "")
        if goal is None and (bridge := self._bridge_of(uri, sent_to)):
            return Entrance(bridge, "")
        return goal

    def goal_of(self, uri: Uri) -> MeetingRef | Entrance | None:
        """Where an address leads by its number or by the platform's own host."""
        atlas = self._atlas
        user = uri.user
        if user and (platform := atlas.by_number(user if user.isalnum() else dialled_of(user))):
            return Entrance(platform, "")
        for platform in atlas.at_host(uri.host) if uri.host else ():
            found = self._match(platform, uri)
            if found is not None:
                return found
        return None

    def _bridge_of(self, uri: Uri, sent_to: str) -> Platform | None:
        return self._atlas.at_bridge(uri.host) or self._atlas.at_bridge(sent_to)

    def _meeting_at_bridge(self, uri: Uri, sent_to: str) -> MeetingRef | Entrance | None:
        """The meeting that a bridge's address names; a telephone number is only the way to the bridge."""
        bridge = self._bridge_of(uri, sent_to)
        if bridge is None or uri.is_phone:
            return None
        forms = (form for form in bridge.addresses if not form.hosts and not form.needs_site)
        return next((found for form in forms if (found := self._read(bridge, form, uri, ""))), None)

    def _match(self, platform: Platform, uri: Uri) -> MeetingRef | Entrance | None:
        """The first form of the platform that fits an address at one of its hosts."""
        for form in platform.addresses:
            if form.hosts and not any(_is_below(uri.host, host) for host in form.hosts):
                continue
            found = self._read(platform, form, uri, self._atlas.site_of(platform, uri.host))
            if found is not None:
                return found
        return None

    def _read(self, platform: Platform, form: AddressForm, uri: Uri, site: str) -> MeetingRef | Entrance | None:
        match = expression(form.user).fullmatch(uri.user)
        if match is None or (form.needs_site and (not site or "." in site)):
            return None
        groups = match.groupdict()
        if form.ivr:
            return Entrance(platform, (groups.get("site") or "").lower())
        ref = next(refs_in(platform, groups, site), None)
        return None if form.only_known and ref is not None and not self._knows(ref) else ref

    def without_secrets(self, text: str, sent_to: str = "") -> str:
        """A URI as it may leave this stage: without password, and what stands behind a meeting's number."""
        head, at, tail = text.partition("@")
        scheme, colon, user = head.partition(":") if head[:5].lower().startswith(SCHEMES) else ("", "", head)
        if not at and scheme.lower() != "tel" and "#" not in text and "," not in text:
            return text
        user, _, parameters = user.partition(";")
        uri = uri_of(text)
        bridge = self._bridge_of(uri, sent_to)
        homes = (*self._atlas.at_host(uri.host), *((bridge,) if bridge else ()))
        kept = next(filter(None, (self._kept(platform, uri) for platform in homes)), "")
        user = uri.user if homes else user.partition(":")[0] if at else user  # sip:user:password@host
        if kept:
            user = kept
        elif homes or "," in user or "#" in user or BEHIND_ANYWHERE.match(user):
            user = SECRET_BEHIND.sub(r"\1", user.partition(",")[0], count=1)
        parameters = _harmless(";" + parameters) if parameters else ""
        return f"{scheme}{colon}{user}{parameters}{at}{_harmless(tail.partition('?')[0] if homes else tail)}"

    def _kept(self, platform: Platform, uri: Uri) -> str | None:
        """The user part up to the end of its last named group."""
        for form in platform.addresses:
            if form.hosts and not any(_is_below(uri.host, host) for host in form.hosts):
                continue
            match = expression(form.user).fullmatch(uri.user)
            if match is not None:
                ends = [match.end(name) for name in match.groupdict()]
                return uri.user[: max(ends)] if ends else uri.user
        return None


def _harmless(parameters: str) -> str:
    """What follows a host or number, without the parameters whose name tells of a secret."""
    if ";" not in parameters:
        return parameters
    first, *others = parameters.split(";")
    return ";".join([first, *(p for p in others if not SECRET_NAME.search(p.partition("=")[0]))])


def unescaped(text: str) -> str:
    """Percent-escapes decoded, once."""
    return ESCAPES.sub(_bytes_of, text) if "%" in text else text


def _bytes_of(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "backslashreplace")


def refs_in(platform: Platform, groups: dict[str, str | None], site: str) -> Iterator[MeetingRef]:
    """A reference for each named group that is a kind; the site only where the name means something only there."""
    for name, value in groups.items():
        if value and name != "site":
            kind = Kind(name)
            where = (groups.get("site") or site).lower() if kind in LOCAL and platform.has_sites else ""
            yield MeetingRef(platform=platform.id, kind=kind, value=canonical(kind, value), site=where)


def number_ref(platform: Platform, digits: str) -> MeetingRef:
    """The meeting that a platform knows by this number."""
    return MeetingRef(platform=platform.id, kind=Kind.NUMBER, value=digits)


def canonical(kind: Kind, value: str) -> str:
    """A name in its one spelling: digits alone for a number, lower case for the rest, a uuid without dashes."""
    if kind is Kind.NUMBER:
        return "".join(key for key in value if key in "0123456789")
    return value.lower().replace("-", "") if kind is Kind.UUID else value.lower()


def dialled_of(user: str) -> str:
    """A user part as a telephone would dial it: digits, and a leading `+`."""
    digits = "".join(key for key in user.partition(",")[0] if key in "0123456789")
    return "+" + digits if user[:1] == "+" else digits


def _is_below(host: str, suffix: str) -> bool:
    return host == suffix or host.endswith("." + suffix)
