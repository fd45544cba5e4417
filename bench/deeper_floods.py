"""Floods at what is kept further inside: halves of calls, rosters, second readings, reports of capture agents."""

from collections.abc import Iterator
from heapq import merge

from bench.sprayed import (
    LASTS,
    anybody,
    at_of,
    four,
    head_of,
    invites,
    ipv4,
    request,
    segment,
    sprayed,
    whole,
)
from bench.traffic import SECOND, START, TRUNK, Call, Ends, Timed, packed
from bench.workloads import ACCESS, BRIDGE, PBX, SITE, meeting_number
from pcaps.generator.hep import LOG, message
from pcaps.generator.wire import Host

_SIP = b"\x13\xc4\x13\xc4"

ROSTER = (
    '<?xml version="1.0"?><conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:29%09d@{site}" '
    'state="full" version="1"><users>{users}</users></conference-info>'
)
USER = (
    '<user entity="sip:u{n}-%09d@outside.example"><endpoint entity="{n}"><status>connected</status></endpoint></user>'
)
USERS = 5
"""Of each roster."""


def exchanges(ask: bytes, reply: bytes, numbers: int, count: int, to: str) -> Iterator[Timed]:
    """Requests from anybody, each with its answer a millisecond later; their templates have so many numbers."""
    there, back = len(ask % ((0,) * numbers)) + 8, len(reply % ((0,) * numbers)) + 8
    out, home = ipv4(there, 17), ipv4(back, 17)
    for n in range(count // 2):
        source, at, filled = anybody(n), at_of(2 * n, count), (n,) * numbers
        yield at, out + source + packed(to) + _SIP + there.to_bytes(2, "big") + b"\0\0" + ask % filled
        answer = home + packed(to) + source + _SIP + back.to_bytes(2, "big") + b"\0\0"
        yield at + 1_000_000, answer + reply % filled


def byes(count: int) -> Iterator[Timed]:
    """Requests within calls that nobody has seen, and nobody answers."""
    bye = whole(head_of("BYE sip:x SIP/2.0", "sip:x", "7 BYE", ";tag=b"))
    return sprayed(bye, four, count, BRIDGE)


def outbound(count: int) -> Iterator[Timed]:
    """Calls in the bridge's name to telephones, half of them answered, that lead to no meeting."""
    target = f"sip:+31205557001@{PBX}"
    ask = request("INVITE", target)
    reply = whole(head_of("SIP/2.0 200 OK", target, "1 INVITE", ";tag=b"))
    there, back = len(ask % four(0)) + 8, len(reply % four(0)) + 8
    bridge = packed(BRIDGE)
    for n in range(2 * count // 3):
        at, callee = at_of(n, 2 * count // 3), anybody(n)
        yield at, ipv4(there, 17) + bridge + callee + _SIP + there.to_bytes(2, "big") + b"\0\0" + ask % four(n)
        if n % 2:
            answer = ipv4(back, 17) + callee + bridge + _SIP + back.to_bytes(2, "big") + b"\0\0" + reply % four(n)
            yield at + 1000, answer


def waiting(count: int) -> Iterator[Timed]:
    """Callers whom the bridge's voice answers, and who press nothing."""
    target = f"sip:{ACCESS}@{BRIDGE};user=phone"
    reply = whole(head_of("SIP/2.0 200 OK", target, "1 INVITE", ";tag=b"))
    return exchanges(request("INVITE", target), reply, 4, count, BRIDGE)


def focuses(count: int) -> Iterator[Timed]:
    """Joins without a name, each in a meeting of its own whose bridge tells a URI for it."""
    target = f"sip:29%09d@{SITE}"
    anonymous = (
        "Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK%09d\r\nFrom: <sip:anonymous@anonymous.invalid>;tag=%09d\r\n"
        f"To: <{target}>{{to}}\r\nCall-ID: %09d@flood.example\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:%09d@{at}>{focus}\r\n"
    )
    ask = f"INVITE {target} SIP/2.0\r\n" + anonymous.format(to="", at="203.0.113.9", focus="")
    reply = "SIP/2.0 200 OK %09d\r\n" + anonymous.format(to=";tag=b", at=BRIDGE, focus=";isfocus")
    return exchanges(whole(ask), whole(reply), 6, count, BRIDGE)


def rosters(count: int) -> Iterator[Timed]:
    """NOTIFY of rosters, each of another source, conference and subscription."""
    body = ROSTER.format(site=SITE, users="".join(USER.format(n=n) for n in range(USERS)))
    head = head_of("NOTIFY sip:x SIP/2.0", "sip:x", "1 NOTIFY", ";tag=b")
    head += "Event: conference\r\nSubscription-State: active;expires=3600\r\n"
    notify = whole(head, body, "application/conference-info+xml")
    return sprayed(notify, lambda n: (n,) * (5 + USERS), count, PBX)


def copies(count: int) -> Iterator[Timed]:
    """INVITEs to real meetings, each once more with another caller in it."""
    target = f"sip:{ACCESS}@{BRIDGE};user=phone"
    one = request("INVITE", target)
    two = one.replace(b"<sip:+1555", b"<sip:+1777")
    length = len(one % four(0)) + 8
    for n in range(count // 2):
        head = ipv4(length, 17) + anybody(n) + packed(BRIDGE) + _SIP + length.to_bytes(2, "big") + b"\0\0"
        at = at_of(2 * n, count)
        yield at, head + one % four(n)
        yield at + 1_000_000, head + two % four(n)


def rewritten(count: int) -> Iterator[Timed]:
    """Connections on which a message begins, and comes once more with other bytes, as its end never does."""
    text = (head_of(f"INVITE sip:{ACCESS}@{BRIDGE} SIP/2.0", f"sip:{ACCESS}@{BRIDGE}", "1 INVITE") + "X: ").encode()
    for n in range(count // 4):
        at, source = at_of(4 * n, count), anybody(n)
        first = text % four(n)
        yield at, segment(source, 5_000, 0, 2)
        yield at + 1000, segment(source, 5_000, 1, 0x18, first + bytes(900))
        yield at + 2000, segment(source, 5_000, 1, 0x18, first.replace(b"+1555", b"+1777") + bytes(900))
        yield at + 3000, segment(source, 5_000, 1 + len(first) + 900, 0x18, b"more of it")


def agents(count: int) -> Iterator[Timed]:
    """Reports, each of another agent, of what is no signalling: half in datagrams, half in streams that go on."""
    one, two = Host("203.0.113.1"), Host("203.0.113.2")
    report = message(b"a line of a log", one, two, at=START, kind=LOG).replace(b"%", b"%%")
    udp = sprayed(report, lambda _: (), count // 2, BRIDGE, b"\x23\x64\x23\x64")
    for n, (at, frame) in enumerate(udp):
        yield at, frame
        if n % 2:
            source = anybody(n + 10**7)
            yield at + 1000, segment(source, 6_000, 0, 2)
            yield at + 2000, segment(source, 6_000, 1, 0x18, report[:-1])


def reports(count: int) -> Iterator[Timed]:
    """INVITEs to real meetings that capture agents report, each another call."""
    one, two = Host("203.0.113.1"), Host(BRIDGE)
    for n, (at, frame) in enumerate(invites(f"sip:{ACCESS}@{BRIDGE};user=phone", BRIDGE, count)):
        content = message(frame[42:], one, two, at=at)
        length = len(content) + 8
        udp = b"\x23\x64\x23\x64" + length.to_bytes(2, "big") + b"\0\0"
        yield at, ipv4(length, 17) + anybody(n) + packed(PBX) + udp + content


def pressers(count: int) -> Iterator[Timed]:
    """Calls to telephones in which a key is pressed: it may be that a bridge answers there."""
    target = f"sip:+31205557001@{PBX};user=phone"
    info = whole(
        head_of(f"INFO {target} SIP/2.0", target, "2 INFO", ";tag=b"), "Signal=1\r\n", "application/dtmf-relay"
    )
    half = count // 2
    asked = sprayed(request("INVITE", target), four, half, PBX)
    return merge(asked, ((at + 1000, frame) for at, frame in sprayed(info, four, half, PBX)), key=_time)


def asked(count: int) -> Iterator[Timed]:
    """REFER by somebody who is in a meeting, each for another party."""
    target = f"sip:{meeting_number(7)}@{SITE}"
    call = Call(n=10**8, at=START, caller=f"sip:x@{SITE}", target=target, callee=BRIDGE, lasts=LASTS * SECOND)
    ack = list(call.messages())[4][2].decode()
    refer = ack.replace("ACK sip", "REFER sip").replace("1 ACK", "1%09d REFER")
    refer = refer.replace("Content-Length", "Refer-To: <sip:+1555%09d@203.0.113.9>\r\nContent-Length")
    ends = Ends(TRUNK, BRIDGE, 5060, 5060)
    yield from list(call.datagrams())[:-2]
    for n in range(count):
        yield at_of(n, count) + 10 * SECOND, ends.datagram(refer.encode() % (n, n))


def _time(frame: Timed) -> int:
    return frame[0]
