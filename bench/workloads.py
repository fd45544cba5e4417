"""Large captures to measure with, made when they are needed: `python -m bench.workloads OUTDIR [NAME…]`.

Each workload is a folder with a capture, the calendar, directory and policy that belong to it, and `truth.json`, so
that a run is checked before it is timed. Frames are plain bytes: a million of them takes seconds. The same each time.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from heapq import merge
from pathlib import Path
from random import Random

from bench.traffic import (
    MILLISECOND,
    SECOND,
    START,
    TRUNK,
    Call,
    Direction,
    Ends,
    Timed,
    checksum,
    pressed,
    sound,
    write,
)
from pcaps.generator.calendar import Event, calendar_of

SITE = "ministry.webex.com"
ACCESS = "+31205550100"
PIN = "85772699"
BRIDGE, PBX = "198.51.100.20", "192.0.2.40"
MEETINGS, INVITED = 40, 10
"""So many meetings, with so many people each, every one of them in one meeting only."""


@dataclass(slots=True)
class Truth:
    """What a run must find."""

    packets: int = 0
    messages: int = 0
    calls: int = 0
    joins: int = 0
    alerts: dict[str, int] = field(default_factory=dict)
    uninvited: list[str] = field(default_factory=list)
    """Their subjects."""

    def admits(self, number: str) -> None:
        """Another join; one of somebody who is not invited has its alert."""
        self.joins += 1
        if number.startswith("+49"):
            self.uninvited.append(f"tel:{number}")
            self.alerts["uninvited-participant"] = len(self.uninvited)


def person(meeting: int, seat: int) -> str:
    """The number of somebody who is invited to this meeting and no other."""
    return f"+3120555{1000 + meeting * INVITED + seat}"


def outsider(n: int) -> str:
    """The number of somebody who is invited nowhere."""
    return f"+493023125{n:03}"


def meeting_number(n: int) -> str:
    """Eleven digits; far from each other."""
    return str(27_310_000_000 + n * 7_919)


# Workloads


def trunk(truth: Truth) -> Iterator[Timed]:
    """A trunk with 99 % media: 240 calls of a minute; every third dials into a meeting, each eighth of these uninvited.

    A third of the calls has G.729, the rest G.711; some ordinary calls have keys too.
    """
    random = Random("trunk")
    calls: list[tuple[Call, list[Direction]]] = []
    for n in range(240):
        call, keys = _trunk_call(n, random)
        port = call.media_port
        if call.callee == BRIDGE:
            truth.admits(call.caller)
        forth, back = Ends(TRUNK, call.callee, port, port + 2), Ends(call.callee, TRUNK, port + 2, port)
        calls.append((call, [Direction(forth, call.codec, random, keys), Direction(back, call.codec, random)]))
        truth.calls += 1
        truth.messages += 7
    messages = sorted((frame for call, _ in calls for frame in call.datagrams()), key=_time)
    yield from merge(sound(calls, 3_038, START + 900 * SECOND), messages, key=_time)


def _trunk_call(n: int, random: Random) -> tuple[Call, str]:
    """The n-th call of the trunk, and its keys."""
    port, codec = 16_384 + 8 * n, 18 if n % 3 == 1 else 8
    at = START + n * 2_250 * MILLISECOND + random.randrange(SECOND)
    caller, callee, target = f"+3120555{5000 + n}", PBX, f"sip:+3120555{7000 + n}@{PBX};user=phone"
    keys = "2471" if n % 8 == 1 else ""
    if n % 3 == 0:
        m = n // 3 % MEETINGS
        caller = outsider(n // 24) if n % 24 == 0 else person(m, n // 3 // MEETINGS)
        callee, target, keys = BRIDGE, f"sip:{ACCESS}@{BRIDGE};user=phone", f"{meeting_number(m)}##{PIN}#"
    call = Call(
        n=n, at=at, caller=caller, target=target, callee=callee, lasts=62 * SECOND, media_port=port, codec=codec
    )
    return call, keys


def _time(frame: Timed) -> int:
    return frame[0]


def _signalling_calls(truth: Truth, count: int, seconds: int, transport: str = "UDP") -> Iterator[Call]:
    """Ordinary calls; every twentieth goes to the SIP address of a meeting, twenty of these by outsiders."""
    joins, step = 0, count // 400
    for n in range(count):
        at = START + n * seconds * SECOND // count
        caller, callee, target = f"+3120555{5000 + n % 2000}", PBX, f"sip:+3120555{7000 + n % 2000}@{PBX};user=phone"
        if n % 20 == 10:
            m = joins % MEETINGS
            caller, callee = person(m, joins // MEETINGS % INVITED), BRIDGE
            if joins % step == step - 1 and joins // step < 20:
                caller = outsider(joins // step)
            target = f"sip:{meeting_number(m)}@{SITE}"
            truth.admits(caller)
            joins += 1
        truth.calls += 1
        truth.messages += 7
        yield Call(n=n, at=at, caller=caller, target=target, callee=callee, lasts=45 * SECOND, transport=transport)


def signalling(truth: Truth) -> Iterator[Timed]:
    """300,000 SIP messages and nothing else: 42,857 calls of seven messages in ten minutes."""
    frames = [frame for call in _signalling_calls(truth, 42_857, 600) for frame in call.datagrams()]
    frames.sort(key=_time)
    return iter(frames)


WINDOW = 100 * MILLISECOND
"""What was written to a connection within this time leaves together; no answer comes sooner than its end."""
SEGMENT = 1_460


def tcp(truth: Truth) -> Iterator[Timed]:
    """300,000 SIP messages over eight TCP connections, several in a segment and many cut in two."""
    written: dict[tuple[int, str, bool], list[bytes]] = {}
    for call in _signalling_calls(truth, 42_857, 600, "TCP"):
        for at, from_caller, text in call.messages():
            window = (at - START) // WINDOW
            written.setdefault((window, f"{call.callee} {call.n // 20 % 4}", not from_caller), []).append(text)
    connections: dict[str, tuple[Ends, Ends]] = {}
    for (window, name, back), texts in sorted(written.items(), key=lambda one: (one[0][0], one[0][2], one[0][1])):
        callee, port = name.split()
        at = START + (window + 1) * WINDOW + back * 50 * MILLISECOND + int(port) * MILLISECOND
        if name not in connections:
            forth, answer = Ends(TRUNK, callee, 40_000 + int(port), 5060), Ends(callee, TRUNK, 5060, 40_000 + int(port))
            connections[name] = forth, answer
            yield at - 3_000_000, forth.segment(b"", 0, flags=0x02)
            yield at - 2_000_000, answer.segment(b"", forth.sequence, flags=0x12)
            yield at - 1_000_000, forth.segment(b"", answer.sequence, flags=0x10)
        ours, theirs = connections[name][::-1] if back else connections[name]
        data = b"".join(texts)
        for n in range(0, len(data), SEGMENT):
            yield at + n, ours.segment(data[n : n + SEGMENT], theirs.sequence)
        yield at + len(data), theirs.segment(b"", ours.sequence, flags=0x10)


def _noise(count: int, seconds: int) -> Iterator[Timed]:
    """What else an enterprise sends: TLS, QUIC, DNS, HTTP, ICMP, ARP, of every size."""
    random = Random("noise")
    randrange = random.randrange
    pool = random.randbytes(65_536)
    records = []
    for _ in range(512):
        size = min(1_455, int(random.paretovariate(0.6) * 60))
        start = randrange(65_536 - size)
        record = b"\x17\x03\x03" + size.to_bytes(2, "big") + pool[start : start + size]
        records.append((record[:SEGMENT], checksum(record[:SEGMENT])))
    flows = [
        (Ends(f"10.1.{n % 250}.{2 + n % 91}", f"203.0.113.{1 + n % 250}", 49_152 + n, 443 if n % 5 else 80), n % 5)
        for n in range(2_000)
    ]
    requests = [(text, checksum(text)) for text in (_web_request(n) for n in range(64))]
    icmp = Ends("10.1.0.5", "10.1.0.1", 0x0800, 0)
    for n in range(count):
        at = START + n * seconds * SECOND // count
        ends, kind = flows[randrange(2_000)]
        dice = randrange(100)
        if dice < 62:
            payload, total = records[randrange(512)] if kind else requests[randrange(64)]
            yield at, ends.segment(payload, 77, total)
        elif dice < 88:
            size, start = 20 + randrange(1_230), randrange(60_000)
            yield at, ends.datagram(b"\x43" + pool[start : start + size])
        elif dice < 96:
            yield at, _dns(n, ends)
        elif dice < 98:
            yield at, icmp.link + icmp.ip(60, 1) + b"\x08\0" + _echo(n)
        else:
            yield at, b"\xff" * 6 + b"\x02\0\x0a\x01\0\x05\x08\x06\0\x01\x08\0\x06\x04\0\x01" + pool[:20] + b"\0" * 18


def _web_request(n: int) -> bytes:
    return (
        f"GET /page/{n}?q={n * 7919} HTTP/1.1\r\nHost: www{n % 9}.example.com\r\nUser-Agent: Mozilla/5.0\r\n"
        f"Accept: */*\r\nCookie: {'c' * (n * 9)}\r\n\r\n"
    ).encode()


def _dns(n: int, ends: Ends) -> bytes:
    name = f"host{n % 5_000}".encode()
    question = bytes((len(name),)) + name + b"\x07example\x03com\0\0\x01\0\x01"
    port = 49_152 + n % 16_000
    asks = b"\x02\0\x0a\x01\0\x01\x02\0" + ends.addresses[:4] + b"\x08\0"
    length = 12 + len(question) + 8
    head = ends.ip(20 + length, 17)
    udp = port.to_bytes(2, "big") + b"\0\x35" + length.to_bytes(2, "big") + b"\0\0"
    return asks + head + udp + (n & 0xFFFF).to_bytes(2, "big") + b"\x01\0\0\x01\0\0\0\0\0\0" + question


def _echo(n: int) -> bytes:
    body = b"\0\x07" + (n & 0xFFFF).to_bytes(2, "big") + b"abcdefghijklmnopqrstuvwabcdefghi"
    return (~checksum(b"\x08\0" + body) & 0xFFFF).to_bytes(2, "big") + body


def mixed(truth: Truth) -> Iterator[Timed]:
    """A million packets of an enterprise, of which one in a hundred is SIP, and 24 dial-ins with their keys."""
    frames = [frame for call in _signalling_calls(truth, 1_400, 600) for frame in call.datagrams()]
    for n in range(24):
        caller = outsider(100 + n) if n % 6 == 0 else person(n, 9)
        port = 20_000 + 8 * n
        call = Call(
            n=100_000 + n,
            at=START + 20 * n * SECOND,
            caller=caller,
            target=f"sip:{ACCESS}@{BRIDGE};user=phone",
            callee=BRIDGE,
            lasts=60 * SECOND,
            media_port=port,
        )
        frames += call.datagrams()
        frames += pressed(call, f"{meeting_number(n)}##{PIN}#", 77 + n, Ends(TRUNK, BRIDGE, port, port + 2))
        truth.admits(caller)
        truth.calls += 1
        truth.messages += 7
    frames.sort(key=_time)
    yield from merge(_noise(1_000_000 - len(frames), 645), frames, key=_time)


WORKLOADS: dict[str, Callable[[Truth], Iterator[Timed]]] = {
    "trunk": trunk,
    "signalling": signalling,
    "tcp": tcp,
    "mixed": mixed,
}


# What they are read with


def expected_files() -> dict[str, bytes]:
    """Calendar, directory and policy: the same for all."""
    files: dict[str, bytes] = {}
    cards: list[str] = []
    for m in range(MEETINGS):
        people = [
            (f"Person {m} {seat}", f"person-{m}-{seat}@ministry.example", person(m, seat)) for seat in range(INVITED)
        ]
        event = Event(
            uid=f"meeting-{m}@ministry.example",
            number=meeting_number(m),
            title=f"Meeting {m}",
            start="20250318T100000",
            end="20250318T110000",
            organizer=f"CN={people[0][0]}:mailto:{people[0][1]}",
            attendees=tuple(f"ROLE=REQ-PARTICIPANT;CN={name}:mailto:{mail}" for name, mail, _ in people),
            pin=PIN,
        )
        files[f"meetings/{m:02}.ics"] = calendar_of([event])
        for name, mail, number in people:
            cards += [
                "BEGIN:VCARD",
                "VERSION:3.0",
                f"FN:{name}",
                f"N:{name};;;;",
                f"EMAIL:{mail}",
                f"TEL:{number}",
                "END:VCARD",
            ]
    files["directory.vcf"] = ("\r\n".join(cards) + "\r\n").encode()
    files["policy.toml"] = (
        f'[platforms.webex]\nhosts = ["webex.com", "{SITE}"]\n\n[site]\ntrusted_trunks = ["{TRUNK}"]\n\n'
        f'[site.bridges]\n"{BRIDGE}" = "webex"\n\n[site.access_numbers]\n"{ACCESS}" = "webex"\n'
    ).encode()
    return files


def make(name: str, folder: Path) -> Truth:
    """One workload in a folder of its own: `NAME.pcap`, `meetings/`, `directory.vcf`, `policy.toml`, `truth.json`."""
    truth = Truth()
    for path, content in expected_files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    truth.packets = write(folder / f"{name}.pcap", WORKLOADS[name](truth))
    (folder / "truth.json").write_text(json.dumps(asdict(truth), indent=1) + "\n")
    return truth


def main(arguments: list[str]) -> int:
    """Makes those named, or all."""
    if not arguments or not set(arguments[1:]) <= WORKLOADS.keys():
        sys.stderr.write(f"usage: python -m bench.workloads OUTDIR [{'|'.join(WORKLOADS)}…]\n")
        return 2
    for name in arguments[1:] or WORKLOADS:
        truth = make(name, Path(arguments[0]) / name)
        sys.stdout.write(f"{name}: {truth.packets} packets, {truth.messages} messages, {truth.calls} calls, ")
        sys.stdout.write(f"{truth.joins} joins, {truth.alerts}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
