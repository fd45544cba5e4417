"""The text of SIP messages (RFC 3261) and of the session descriptions in them (RFC 4566, RFC 3264)."""

from collections.abc import Iterable, Sequence

from pcaps.generator.media import CODECS, EVENT_TYPE

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    487: "Request Terminated",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}

Headers = Sequence[tuple[str, str]]


def message(start: str, headers: Iterable[tuple[str, str]], body: bytes = b"", content_type: str = "") -> bytes:
    """One message, with its length last."""
    lines = [start, *(f"{name}: {value}" for name, value in headers if value)]
    if body:
        lines.append(f"Content-Type: {content_type}")
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def session(ip: str, port: int, codec: str, version: int, *, direction: str = "sendrecv", events: bool = True) -> bytes:
    """An offer or answer with one codec and telephone-events."""
    codec_type = CODECS[codec][0]
    family = "IP6" if ":" in ip else "IP4"
    lines = [
        "v=0",
        f"o=- {version} {version} IN {family} {ip}",
        "s=-",
        f"c=IN {family} {ip}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {codec_type}" + (f" {EVENT_TYPE}" if events else ""),
        f"a=rtpmap:{codec_type} {codec}/8000",
    ]
    if events:
        lines += [f"a=rtpmap:{EVENT_TYPE} telephone-event/8000", f"a=fmtp:{EVENT_TYPE} 0-15"]
    lines += ["a=ptime:20", f"a={direction}"]
    return ("\r\n".join(lines) + "\r\n").encode()
