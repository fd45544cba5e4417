"""The tricks, one by one. `a` is the INVITE that counts, `b` one of the same length that leads nowhere."""

from functools import partial

from pcaps.evasions import (
    ACK,
    BRAM,
    FIN,
    RST,
    SYN,
    URG,
    WHO,
    Tap,
    answer,
    both,
    by_tcp,
    by_udp,
    within,
)

AT = 40
"""A place within the meeting's address in the start line, and in that of the decoy."""
PLAIN = {"ambiguous": False}


def tell_all() -> None:
    """Fills the table."""
    overlaps()
    cuts()
    ends_and_beginnings()
    gaps()
    headers()
    claims()
    fragments()
    datagrams()
    twins()


def overlaps() -> None:
    """Bytes that come twice with different content."""
    by_tcp(
        "tcp-decoy-first", "A decoy whose TTL does not reach, then the INVITE.", lambda t, a, b: both(t, b, a, ttl=2)
    )
    by_tcp("tcp-decoy-second", "The INVITE, then a decoy that comes too late.", lambda t, a, b: both(t, a, b))
    by_tcp(
        "tcp-bad-checksum", "A decoy with a wrong checksum, then the INVITE.", lambda t, a, b: both(t, b, a, wrong=True)
    )
    by_tcp("tcp-ipv6", "The same over IPv6.", lambda t, a, b: both(t, b, a, wrong=True), six=True)
    by_tcp(
        "tcp-every-frame-twice",
        "The same, mirrored with and without a VLAN tag.",
        lambda t, a, b: both(t, b, a),
        vlan=True,
    )
    by_tcp(
        "tcp-no-handshake",
        "The same in a connection whose start was not seen.",
        lambda t, a, b: both(t, b, a),
        greets=False,
    )

    def left(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b[:AT], 0)
        t.tcp(a[10:], 10)

    by_tcp("tcp-overlap-left", "The second segment begins within the first.", left)

    def right(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b[20:], 20)
        t.tcp(a[:60], 0)
        t.wait(0.2)
        t.tcp(a, 0)

    by_tcp("tcp-overlap-right", "The second segment ends within the first, which came early.", right)

    def whole(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(a[:10], 0)
        t.tcp(b[12:60], 12)
        t.tcp(a[10:], 10)

    by_tcp("tcp-overlap-whole", "A later segment covers one that waits, on both sides.", whole)

    def middle(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b, 0)
        t.tcp(a[5:45], 5)

    by_tcp("tcp-overlap-middle", "A later segment lies within one that was received.", middle)

    def held(t: Tap, a: bytes, b: bytes, first: bool = True) -> None:
        t.tcp((b if first else a)[7:], 7)
        t.tcp((a if first else b)[7:], 7)
        t.tcp(a[:7], 0)

    by_tcp("tcp-held-decoy-first", "Both copies wait behind a hole, the decoy first.", held)
    by_tcp("tcp-held-decoy-second", "Both copies wait behind a hole, the decoy second.", partial(held, first=False))

    def long_decoy(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b + b"X" * 400, 0, wrong=True)
        t.wait(0.2)
        t.tcp(a, 0)

    by_tcp(
        "tcp-long-decoy", "The decoy is longer than the INVITE, so the rest of the stream overlaps it, too.", long_decoy
    )

    def three(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b, 0, ttl=2)
        t.tcp(b.replace(b"reception-desk", b"voicemail-box7"), 0, ttl=2)
        t.wait(0.2)
        t.tcp(a, 0)

    by_tcp("tcp-three-copies", "Two decoys, then the INVITE.", three)

    def between(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b, 0, ttl=2)
        t.tcp(a, 0)
        t.tcp(b.replace(b"reception-desk", b"voicemail-box7"), 0, ttl=2)

    by_tcp("tcp-between-decoys", "The INVITE between two decoys.", between)

    def with_more(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b[:60], 0, wrong=True)
        t.tcp(a[:100], 0)
        t.tcp(a[100:], 100)

    by_tcp("tcp-retransmission-with-more", "The second copy brings more bytes than the decoy had.", with_more)

    def garbage(t: Tap, a: bytes, _b: bytes) -> None:
        both(t, b"\x80" + b"\0" * (len(a) - 1), a, wrong=True)

    by_tcp("tcp-garbage-first", "Bytes of no protocol in the place of the INVITE.", garbage)

    def status(t: Tap, there: bytes, end: int) -> None:
        busy = there.replace(b"200 OK", b"486 No")
        t.tcp(busy, back=True, ack=end, wrong=True)
        t.wait(0.2)
        t.tcp(there, back=True, ack=end)

    by_tcp(
        "tcp-answer-busy-first",
        "A refusal that does not arrive, then the answer.",
        lambda t, a, _: t.tcp(a, 0),
        answers=status,
    )

    def garbled(t: Tap, there: bytes, end: int) -> None:
        t.tcp(b"\0" * len(there), back=True, ack=end, wrong=True)
        t.wait(0.2)
        t.tcp(there, back=True, ack=end)

    by_tcp(
        "tcp-answer-garbage-first", "Garbage in the place of the answer.", lambda t, a, _: t.tcp(a, 0), answers=garbled
    )


def cuts() -> None:
    """Segments cut small, in any order, and around the end of the numbers."""

    def tiny(t: Tap, a: bytes, _b: bytes, backwards: bool = False) -> None:
        for place in sorted(range(len(a)), reverse=backwards):
            t.tcp(a[place : place + 1], place)

    by_tcp("tcp-tiny", "One byte a segment.", tiny, **PLAIN)
    by_tcp("tcp-tiny-backwards", "One byte a segment, the last first.", partial(tiny, backwards=True), **PLAIN)

    def tiny_doubled(t: Tap, a: bytes, b: bytes) -> None:
        for place in range(len(a)):
            t.tcp(b[place : place + 1], place, wrong=True)
            t.tcp(a[place : place + 1], place)

    by_tcp("tcp-tiny-decoys", "One byte a segment, each behind a decoy.", tiny_doubled)

    def tiny_garbage(t: Tap, a: bytes, _b: bytes) -> None:
        for place in range(0, len(a), 3):
            t.tcp(b"\0\0\0"[: len(a) - place], place, ttl=3)
            t.tcp(a[place : place + 3], place)

    by_tcp("tcp-tiny-garbage", "Three bytes a segment, each behind garbage.", tiny_garbage)

    def shuffled(t: Tap, a: bytes, _b: bytes) -> None:
        for place in sorted(range(0, len(a), 16), key=lambda one: one * 7 % 113):
            t.tcp(a[place : place + 16], place)

    by_tcp("tcp-shuffled", "Small segments in disorder.", shuffled, **PLAIN)

    def two(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a[:AT], 0)
        t.tcp(a[AT:], AT)

    by_tcp("tcp-wrap", "The sequence numbers wrap within the INVITE.", two, first=2**32 - AT, **PLAIN)
    by_tcp("tcp-wrap-decoy", "They wrap where copies differ.", lambda t, a, b: both(t, b, a), first=2**32 - AT)


def ends_and_beginnings() -> None:
    """FIN, RST and SYN that the other end never takes, or that mean what they say."""

    def split(t: Tap, a: bytes, _b: bytes, **forged: int | bool) -> None:
        t.tcp(a[:AT], 0)
        t.tcp(seq=int(forged.pop("at", AT)), wrong=True, **forged)  # type: ignore[arg-type]
        t.wait(float(forged.get("ttl", 0)) and 20)
        t.tcp(a[AT:], AT)

    by_tcp("tcp-forged-fin", "A FIN with a wrong checksum within the INVITE.", partial(split, flags=FIN | ACK))
    by_tcp("tcp-forged-rst", "A RST with a wrong checksum within the INVITE.", partial(split, flags=RST))
    by_tcp("tcp-forged-rst-patient", "The same, and 20 seconds before the rest.", partial(split, flags=RST, ttl=2))
    by_tcp(
        "tcp-rst-in-window",
        "A RST whose number is near, which ends nothing (RFC 5961).",
        partial(split, flags=RST, at=900),
    )
    by_tcp("tcp-rst-out-of-window", "A RST with a number from elsewhere.", partial(split, flags=RST, at=-5000), **PLAIN)
    by_tcp("tcp-rst-from-there", "A forged RST of the other side.", partial(split, flags=RST, at=0, back=True))
    by_tcp(
        "tcp-forged-syn",
        "A SYN within the INVITE, which ends nothing (RFC 5961).",
        partial(split, flags=SYN, at=3_000_000),
    )
    by_tcp("tcp-syn-in-window", "A SYN within the INVITE whose number is near.", partial(split, flags=SYN, at=AT + 500))
    by_tcp("tcp-syn-at-next", "A SYN within the INVITE with the very next number.", partial(split, flags=SYN, at=AT))

    def second_syn(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(seq=5000, flags=SYN, wrong=True)
        t.tcp(a, 0)

    by_tcp("tcp-second-syn", "Behind the handshake a SYN with another number.", second_syn)

    def syn_with_decoy(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(a[:AT], 0)
        t.tcp(b, 700_000, flags=SYN, wrong=True)
        t.tcp(a[AT:], AT)

    by_tcp("tcp-syn-with-decoy", "A SYN that brings a decoy within the INVITE.", syn_with_decoy)

    def fast_open(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a, -1, flags=SYN)
        t.tcp(seq=-1, back=True, flags=SYN | ACK, ack=len(a))

    by_tcp("tcp-fast-open", "The INVITE comes with the SYN (RFC 7413).", fast_open, greets=False, **PLAIN)

    def refused_fast_open(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b, -1, flags=SYN)
        t.tcp(seq=-1, back=True, flags=SYN | ACK)
        t.wait(0.1)
        t.tcp(a, 0)

    by_tcp(
        "tcp-fast-open-refused",
        "A decoy with the SYN, which is not taken; then the INVITE.",
        refused_fast_open,
        greets=False,
    )

    def before_syn(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b, 400_000, wrong=True)
        t.wait(1)
        t.greet()
        t.tcp(a, 0)

    by_tcp("tcp-data-before-syn", "Bytes before there is a connection.", before_syn, greets=False)

    def with_fin(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a, 0, flags=FIN | ACK)

    by_tcp("tcp-fin-with-data", "The INVITE comes with a FIN.", with_fin)

    def early_fin(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(seq=AT, flags=FIN | ACK, ttl=2)
        t.tcp(a, 0)

    by_tcp("tcp-fin-ahead", "A forged FIN ahead of the bytes that it would end.", early_fin)

    def reuse(t: Tap, a: bytes, _b: bytes, step: int = 9_000_000, flags: int = FIN | ACK) -> None:
        before = b"OPTIONS sip:x@192.0.2.21 SIP/2.0\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        t.tcp(before, 0)
        t.tcp(seq=len(before), flags=flags)
        t.wait(2)
        t.first, t.peer = (t.first + step) % 2**32, t.peer + step
        t.greet()
        t.tcp(a, 0)

    by_tcp("tcp-port-reuse", "The next connection on the same ports.", reuse, **PLAIN)
    by_tcp("tcp-port-reuse-below", "Its numbers lie before the old ones.", partial(reuse, step=-600_000), **PLAIN)
    by_tcp("tcp-port-reuse-near", "Its numbers lie just behind the old ones.", partial(reuse, step=700), **PLAIN)
    by_tcp("tcp-port-reuse-after-rst", "The old one ended with RST.", partial(reuse, flags=RST), **PLAIN)
    by_tcp("tcp-port-reuse-unended", "The old one did not end.", partial(reuse, flags=ACK), **PLAIN)

    def simultaneous(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(seq=-1, flags=SYN)
        t.tcp(seq=-1, back=True, flags=SYN)
        t.tcp(seq=-1, flags=SYN | ACK)
        t.tcp(seq=-1, back=True, flags=SYN | ACK)
        t.tcp(a, 0)

    by_tcp(
        "tcp-simultaneous-open", "Both sides open the connection (RFC 9293, 3.5).", simultaneous, greets=False, **PLAIN
    )


def gaps() -> None:
    """Holes that a monitor gives up and an endpoint does not."""

    def ahead(t: Tap, a: bytes, b: bytes, far: int = 300_000, seconds: float = 8) -> None:
        t.tcp(b, far, wrong=True)
        t.wait(seconds)
        t.tcp(b"\r\n", far + 1000, wrong=True)
        t.tcp(a, 0)

    by_tcp("tcp-far-ahead", "A forged segment far ahead, and patience.", ahead)
    by_tcp("tcp-ahead", "A forged segment a little ahead, and patience.", partial(ahead, far=700))
    by_tcp("tcp-beyond-window", "A forged segment beyond any window.", partial(ahead, far=5_000_000, seconds=1))

    def within_message(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(a[:AT], 0)
        t.tcp(b, 60_000, wrong=True)
        t.wait(8)
        t.tcp(a[AT:], AT)

    by_tcp("tcp-ahead-within", "The same within the INVITE.", within_message)

    def acknowledged(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b, 2000, wrong=True)
        t.tcp(back=True, ack=2000 + len(b), wrong=True)
        for _ in range(70):
            t.tcp(b"\r\n" * 2, -4)
        t.tcp(a, 0)

    by_tcp("tcp-forged-acknowledgement", "A forged segment ahead, and a forged acknowledgement of it.", acknowledged)


def headers() -> None:
    """What an endpoint drops for its header alone."""
    old, new = (b"\x01\x01\x08\x0a" + at.to_bytes(4, "big") + b"\0\0\0\1" for at in (1, 9_000_000))

    def stamped(t: Tap, a: bytes, b: bytes) -> None:
        t.tcp(b"\r\n\r\n", -4, options=new)
        t.tcp(b, 0, options=old)
        t.tcp(a, 0, options=new)

    by_tcp("tcp-old-timestamp", "A decoy with an old timestamp (RFC 7323, PAWS).", stamped)
    signed = b"\x13\x12" + b"\xaa" * 16 + b"\0\0"
    by_tcp(
        "tcp-signature",
        "A decoy with a signature nobody asked for (RFC 2385).",
        lambda t, a, b: both(t, b, a, options=signed),
    )
    by_tcp("tcp-no-ack", "A decoy without ACK.", lambda t, a, b: both(t, b, a, flags=0))
    by_tcp("tcp-null-and-all", "A decoy with FIN, URG and PSH.", lambda t, a, b: both(t, b, a, flags=FIN | URG))
    by_tcp("tcp-short-header", "A decoy whose header is too short.", lambda t, a, b: both(t, b, a, words=3), **PLAIN)

    def keep_alive(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a[:AT], 0)
        t.tcp(back=True, ack=AT)
        t.wait(10)
        t.tcp(b"\xff", AT - 1)
        t.tcp(a[AT:], AT)

    by_tcp("tcp-keep-alive", "A keep-alive with a byte of garbage within the INVITE.", keep_alive, **PLAIN)

    def probe(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a[:AT], 0)
        t.tcp(back=True, ack=AT, window=0)
        for _ in range(3):
            t.wait(1)
            t.tcp(a[AT : AT + 1], AT)
            t.tcp(back=True, ack=AT, window=0)
        t.tcp(a[AT:], AT)

    by_tcp("tcp-zero-window", "Probes of a closed window within the INVITE.", probe, **PLAIN)

    def urgent(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a[:20] + b"9" + a[20:], 0, flags=ACK | URG, urgent=21)
        t.first += 1

    by_tcp("tcp-urgent", "An urgent byte within the address, which is not handed over with the rest.", urgent)


def claims() -> None:
    """Copies in which somebody else calls."""
    people = ((WHO.decode(), "uninvited"), (BRAM.decode(), "invited"))
    meeting = {"decoy": b"27310400011@ministry.webex.com"}
    by_tcp(
        "tcp-caller-invited-first",
        "A copy in which an invitee calls, then one of a guest.",
        lambda t, a, b: both(t, b, a),
        decoy_who=BRAM,
        joins=people,
        **meeting,
    )
    by_tcp(
        "tcp-caller-invited-second",
        "A copy of a guest, then one in which an invitee calls.",
        lambda t, a, b: both(t, a, b),
        decoy_who=BRAM,
        joins=people,
        **meeting,
    )
    by_udp(
        "udp-caller-invited-first",
        "The same in datagrams.",
        lambda t, a, b: (t.say(b, ttl=2), t.wait(0.2), t.say(a)),
        decoy_who=BRAM,
        joins=people,
        **meeting,
    )


def fragments() -> None:
    """IP fragments."""

    def parts(t: Tap, a: bytes, _b: bytes, size: int = 160, backwards: bool = False) -> None:
        whole = t.udp(a)
        for place in sorted(range(0, len(whole), size), reverse=backwards):
            t.part(whole, place, min(place + size, len(whole)))

    by_udp("ip-fragments", "The INVITE in three fragments.", parts, **PLAIN)
    by_udp("ip-last-first", "The last one first.", partial(parts, backwards=True), **PLAIN)
    by_udp("ip-tiny", "Eight bytes a fragment.", partial(parts, size=8), **PLAIN)
    by_udp("ip-tiny-vlan", "Each of them mirrored twice.", partial(parts, size=64), vlan=True, **PLAIN)
    by_udp("ip6-fragments", "Over IPv6.", partial(parts, size=160), six=True, **PLAIN)

    def atomic(t: Tap, a: bytes, _b: bytes) -> None:
        t.ip(t.udp(a), 17, ident=9)

    by_udp("ip6-atomic", "An atomic fragment (RFC 6946).", atomic, six=True, **PLAIN)

    def overlap(t: Tap, a: bytes, b: bytes, first: bool = True, ttl: int = 64) -> None:
        real, false = t.udp(a), t.udp(b)
        t.part(false if first else real, 0, 160, ttl=ttl)
        t.part(real if first else false, 0, 160)
        t.part(real, 160, len(real))

    by_udp("ip-decoy-first", "Two first fragments, the decoy first.", overlap)
    by_udp("ip-decoy-second", "Two first fragments, the decoy second.", partial(overlap, first=False))
    by_udp("ip-decoy-ttl", "The decoy's TTL does not reach.", partial(overlap, ttl=2))
    by_udp("ip6-decoy-first", "Two first fragments over IPv6, where RFC 5722 drops both.", overlap, six=True)

    def teardrop(t: Tap, a: bytes, b: bytes) -> None:
        real, false = t.udp(a), t.udp(b)
        t.part(real, 0, 160)
        t.part(false, 24, 64)
        t.part(real, 160, len(real))

    by_udp("ip-teardrop", "A fragment within another.", teardrop)

    def reused(t: Tap, a: bytes, b: bytes, complete: bool = False, late: float = 0.2) -> None:
        real, false = t.udp(a), t.udp(b)
        t.part(false, 0, 160, ttl=2)
        t.part(false, 160, len(real))
        t.wait(late)
        t.part(real, 0, 160)
        if complete:
            t.part(real, 160, len(real))

    by_udp("ip-id-reused-half", "A whole decoy whose first half does not reach; then the true first half.", reused)
    by_udp("ip-id-reused-later", "The same, and 20 seconds between.", partial(reused, late=20))
    by_udp(
        "ip-id-reused-whole",
        "A whole decoy, then the whole INVITE under the same identification.",
        partial(reused, complete=True),
    )

    def open_reuse(t: Tap, a: bytes, b: bytes) -> None:
        real, false = t.udp(a), t.udp(b)
        t.part(false, 160, len(real), ttl=2)
        t.wait(1)
        t.part(real, 0, 160)
        t.part(real, 160, len(real))

    by_udp("ip-id-reused-open", "The rest of a decoy waits when the INVITE comes.", open_reuse)

    def lengths(t: Tap, a: bytes, _b: bytes, longer: bool = True) -> None:
        real = t.udp(a)
        false = real + bytes(400) if longer else real[:240]
        t.ip(false[160:], 17, ident=7, offset=160, ttl=2)
        t.part(real, 0, 160)
        t.part(real, 160, len(real))

    by_udp("ip-longer-end", "Two last fragments; the forged one makes the packet longer.", lengths)
    by_udp(
        "ip-shorter-end", "Two last fragments; the forged one makes the packet shorter.", partial(lengths, longer=False)
    )

    def beyond(t: Tap, a: bytes, _b: bytes) -> None:
        real = t.udp(a)
        t.part(real, 0, 160)
        t.ip(bytes(64), 17, ident=7, offset=65_528)
        t.part(real, 160, len(real))

    by_udp("ip-beyond", "A fragment beyond the largest packet.", beyond, **PLAIN)

    def again(t: Tap, a: bytes, _b: bytes) -> None:
        real = t.udp(a)
        for _ in range(3):
            t.part(real, 0, 160)
            t.wait(0.1)
        t.part(real, 160, len(real))

    by_udp("ip-copies", "Equal copies of a fragment.", again, **PLAIN)

    def protocol(t: Tap, a: bytes, b: bytes) -> None:
        real, false = t.udp(a), t.udp(b)
        t.part(false, 0, 160, protocol=6)
        t.part(real, 0, 160)
        t.part(real, 160, len(real))

    by_udp("ip-other-protocol", "A fragment of another protocol with the same identification.", protocol, **PLAIN)

    def header_alone(t: Tap, a: bytes, _b: bytes) -> None:
        real = t.udp(a)
        t.part(real, 0, 8)
        t.part(real, 8, len(real))

    by_udp("ip-header-alone", "The first fragment holds the UDP header alone.", header_alone, **PLAIN)


def datagrams() -> None:
    """Datagrams of which one does not arrive."""

    def pair(t: Tap, a: bytes, b: bytes, **options: int | bool) -> None:
        t.say(b, **options)  # type: ignore[arg-type]
        t.wait(0.2)
        t.say(a)

    by_udp("udp-decoy-first", "A decoy whose TTL does not reach.", partial(pair, ttl=2))
    by_udp("udp-bad-checksum", "A decoy with a wrong checksum.", partial(pair, wrong=True))
    by_udp("udp-decoy-second", "The decoy comes second.", lambda t, a, b: pair(t, b, a))
    by_udp(
        "udp-other-branch",
        "The decoy has another branch.",
        lambda t, a, b: pair(t, a, b.replace(b"z9hG4bKtrick", b"z9hG4bKdecoy")),
    )
    by_udp(
        "udp-trailing-bytes",
        "More bytes in the packet than in the datagram.",
        lambda t, a, _: t.ip(t.udp(a, extra=b"X" * 40), 17),
        **PLAIN,
    )

    def ended(t: Tap, a: bytes, b: bytes) -> None:
        t.say(b)
        t.say(answer(b"200 OK", b), back=True)
        t.say(within(b"BYE", b, 2))
        t.wait(1)
        t.say(a.replace(b"CSeq: 1 ", b"CSeq: 3 "))

    by_udp("udp-call-id-reused", "The Call-ID of a call that is over.", ended, **PLAIN)


def twins() -> None:
    """What is odd and honest: nobody comes in who should not, and nothing is ambiguous."""
    bram = {"who": BRAM, "joins": ((BRAM.decode(), "invited"),), "ambiguous": False}

    def again(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(a[:200], 0)
        t.wait(0.2)
        t.tcp(a[100:], 100)
        t.wait(0.2)
        t.tcp(a, 0)

    by_tcp("benign-retransmission", "An invitee's INVITE, sent again and cut at other places.", again, **bram)
    by_tcp(
        "benign-offload",
        "Checksums are unfinished, for the capture was made by the sender.",
        lambda t, a, _: (t.tcp(a, 0, wrong=True), t.wait(0.3), t.tcp(a, 0, wrong=True)),
        **bram,
    )

    def alive(t: Tap, a: bytes, _b: bytes) -> None:
        t.tcp(b"\r\n\r\n", 0)
        t.tcp(back=True, ack=4)
        for _ in range(3):
            t.wait(60)
            t.tcp(b"\0", 3)
            t.tcp(back=True, ack=4)
        t.tcp(a, 4)
        t.first += 4

    by_tcp("benign-keep-alive", "Keep-alives with a byte of garbage.", alive, **bram)
    by_tcp(
        "benign-from-the-middle",
        "The capture begins within a connection.",
        lambda t, a, _: (t.tcp(b"old\r\n\r\n", -7), t.tcp(a, 0)),
        greets=False,
        **bram,
    )
    by_tcp(
        "benign-tiny",
        "Small segments, some sent again.",
        lambda t, a, _: [t.tcp(a[p : p + 90], p) for p in (0, 60, 120, 60, 180, 240, 300, 330, 390)],
        **bram,
    )

    def fragmented(t: Tap, a: bytes, _b: bytes) -> None:
        whole = t.udp(a)
        for _ in range(2):
            t.part(whole, 0, 160)
            t.part(whole, 160, len(whole))
            t.wait(0.5)

    by_udp(
        "benign-fragments",
        "A fragmented INVITE and its retransmission under the same identification.",
        fragmented,
        **bram,
    )
    by_udp(
        "benign-retransmitted",
        "An INVITE over UDP and its retransmissions.",
        lambda t, a, _: [(t.say(a), t.wait(0.5)) for _ in range(3)],
        **bram,
    )
