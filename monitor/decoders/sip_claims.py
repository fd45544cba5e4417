"""Who the two sides of a SIP call say they are, and who the network says they are; read once an offer and an answer."""

from typing import Final

from monitor.decoders.sip_address import params_of, parse_address
from monitor.decoders.sip_head import Head
from monitor.model.calls import Claims, Diversion, RemoteParty

MAX_VALUES = 16
"""Values kept of a header that may be repeated: RFC 3325 allows two identities; no honest call is diverted so often."""

_YES: Final = "yes"


def claims_of(head: Head, header: str, sent_from: str) -> Claims:
    """What this message tells of the side that `header` (`from` or `to`) names, sent from an address of the network."""
    first = head.first
    display, uri = party_in(first(header))
    user_agent = first("user-agent") or first("server")
    if head.plain:
        return Claims(uri=uri, display=display, asserted=asserted_in(head), user_agent=user_agent, sent_from=sent_from)
    privacy = first("privacy")
    return Claims(
        uri=uri,
        display=display,
        asserted=asserted_in(head),
        preferred=uri_of(first("p-preferred-identity")),
        remote_party=_remote_parties_of(head) if first("remote-party-id") else (),
        privacy=tuple(word.strip().lower() for word in privacy.split(";")[:MAX_VALUES]) if privacy else (),
        history=_history_of(head),
        passport=first("identity"),
        user_agent=user_agent,
        sent_from=sent_from,
    )


def asserted_in(head: Head) -> tuple[str, ...]:
    """The URIs of `P-Asserted-Identity` (RFC 3325, 9.1), in order."""
    return uris_in(head, "p-asserted-identity")


def uris_in(head: Head, header: str) -> tuple[str, ...]:
    """The URIs of a header that may be repeated."""
    return tuple([uri for value in head.all(header)[:MAX_VALUES] if (uri := uri_of(value))])


def uri_of(value: str) -> str:
    """The URI of one address; empty when there is none."""
    left = value.find("<")
    if left >= 0 and '"' not in value and (right := value.find(">", left)) > 0:
        return value[left + 1 : right].strip()
    return party_in(value)[1] if value else ""


def party_in(value: str) -> tuple[str, str]:
    """Display name and URI of one address; a short way for `Name <uri>;…` and `"Name" <uri>;…`, as nearly all are."""
    left = value.find("<")
    right = value.find(">", left)
    if 0 <= left < right:
        before = value[:left].strip()
        if '"' not in before:
            return before, value[left + 1 : right].strip()
        if before[0] == '"' and "\\" not in before and before.find('"', 1) == len(before) - 1:
            return before[1:-1], value[left + 1 : right].strip()
    party = parse_address(value)
    return party.display, party.uri


def tag_of(value: str) -> str:
    """The `tag` of From or To, which tells the dialogs of a call apart; empty when there is none."""
    at = value.rfind(";tag=")
    # The ordinary spelling is worth a short way: this is read for most messages.
    if at > value.rfind(">") and '"' not in value[at:]:
        tag = value[at + 5 :]
        return tag.partition(";")[0].strip() if ";" in tag else tag.strip()
    if "tag" not in value.lower():
        return ""
    return parse_address(value).params.get("tag", "")


def session_of(head: Head) -> str:
    """The sender's half of Session-ID (RFC 7989, 5)."""
    return head.first("session-id").partition(";")[0].strip()


def taken_over_by(head: Head) -> str:
    """The Call-ID that this call replaces (RFC 3891) or joins (RFC 3911); empty when none."""
    return (head.first("replaces") or head.first("join")).partition(";")[0].strip()


def _remote_parties_of(head: Head) -> tuple[RemoteParty, ...]:
    parties = map(parse_address, head.all("remote-party-id")[:MAX_VALUES])
    return tuple(
        RemoteParty(
            uri=party.uri,
            screen=party.params.get("screen", "").lower() == _YES,
            privacy=party.params.get("privacy", "").lower(),
        )
        for party in parties
    )


def _history_of(head: Head) -> tuple[Diversion, ...]:
    """Diversion is written newest first (RFC 5806, 5); History-Info oldest first (RFC 7044, 5), so it is turned round.

    Where both tell of the same hops, the two lists stand one behind the other: who compares looks for a person in them.
    """
    hops: list[Diversion] = []
    if head.first("diversion"):
        parties = map(parse_address, head.all("diversion")[:MAX_VALUES])
        hops += (Diversion(uri=party.uri, reason=party.params.get("reason", "").lower()) for party in parties)
    if head.first("history-info"):
        entries = [parse_address(value).uri.partition("?") for value in head.all("history-info")[:MAX_VALUES]]
        hops += (Diversion(uri=uri, reason=_reason_in(headers)) for uri, _, headers in reversed(entries))
    return tuple(hops)


def _reason_in(headers: str) -> str:
    """The Reason that a History-Info entry carries in its URI: `Reason=SIP%3Bcause%3D302`."""
    for pair in headers.split("&", MAX_VALUES):
        name, _, value = pair.partition("=")
        if name.lower() == "reason":
            plain = value.replace("%3B", ";").replace("%3b", ";").replace("%3D", "=").replace("%3d", "=")
            return params_of(plain.partition(";")[2]).get("cause", "") or plain
    return ""


def branch_of(via: str) -> str:
    """The `branch` of a Via, which names one transaction on one hop (RFC 3261, 8.1.1.7); empty when there is none."""
    _, found, rest = via.partition("branch=")
    return rest.partition(";")[0].partition(",")[0].strip()[:64] if found else ""
