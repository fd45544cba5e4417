"""`make floods`: what somebody can send to fill every table at once, with people hidden in it who must still be found.

`python -m bench.floods [NAME[=PACKETS]…]` makes each flood as a capture, replays it as a whole process, and says how
long that took, how much memory, what was evicted, and whether every planted join was alerted; exit code 1 when a limit
is broken. The floods are plain bytes, the same each time, and go away when they are read.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import deeper_floods as deeper
from bench.sprayed import (
    LASTS,
    SDP,
    anybody,
    at_of,
    four,
    head_of,
    invites,
    ipv4,
    media_of,
    request,
    segment,
    sprayed,
    whole,
)
from bench.traffic import RTP, SECOND, START, TRUNK, Call, Ends, Timed, packed, pressed, write
from bench.workloads import ACCESS, BRIDGE, MEETINGS, PBX, PIN, SITE, expected_files, meeting_number, outsider

ROOT = Path(__file__).parents[1]
PLANTED = 100
"""Joins by outsiders, spread over each flood."""
MAX_SECONDS, MAX_MIB = 60.0, 256.0
MAX_RATIO = 2.0
"""Of the time that crafted keys take to that of ordinary ones."""
MAX_SERIES, MAX_SCRAPE = 2_000, 0.2

# The floods

ORDINARY = f"sip:+31205557001@{PBX};user=phone"


def direct(n: int) -> str:
    """A SIP address of a meeting that takes place."""
    return f"sip:{meeting_number(n)}@{SITE}"


def calls(count: int) -> Iterator[Timed]:
    """New Call-IDs, to a telephone."""
    return invites(ORDINARY, PBX, count)


def oddly_described_calls(count: int) -> Iterator[Timed]:
    """The same, with descriptions that take a closer look to find an address in them."""
    return invites(ORDINARY, PBX, count, SDP.replace("m=audio", "a=fingerprint:x\r\nm=audio"))


def callers(count: int) -> Iterator[Timed]:
    """New Call-IDs, to a real meeting."""
    return invites(direct(7), BRIDGE, count)


def diallers(count: int) -> Iterator[Timed]:
    """New Call-IDs, to the access number of the bridge."""
    return invites(f"sip:{ACCESS}@{BRIDGE};user=phone", BRIDGE, count)


def searchers(count: int) -> Iterator[Timed]:
    """Refused calls, each by another source to another meeting number: no source tries two."""
    head = head_of(f"INVITE sip:27%09d@{SITE} SIP/2.0", f"sip:27%09d@{SITE}", "1 INVITE")
    refusal = head_of("SIP/2.0 404 Not Found", f"sip:27%09d@{SITE}", "1 INVITE", ";tag=x")
    ask, no = whole(head), whole(refusal)
    there, back = len(ask % ((0,) * 6)) + 8, len(no % ((0,) * 5)) + 8
    udp = b"\x13\xc4\x13\xc4"
    for n in range(count // 2):
        source, at, number = anybody(n), at_of(2 * n, count), n * 997 % 10**9
        first = ask % (number, n, n, n, number, n)
        second = no % (n, n, n, number, n)
        yield at, ipv4(there, 17) + source + packed(BRIDGE) + udp + there.to_bytes(2, "big") + b"\0\0" + first
        yield at + 1000, ipv4(back, 17) + packed(BRIDGE) + source + udp + back.to_bytes(2, "big") + b"\0\0" + second


def answered(count: int) -> Iterator[Timed]:
    """Calls to a telephone that are answered and never end."""
    offer = invites(ORDINARY, PBX, count // 2)
    answer = whole(head_of("SIP/2.0 200 OK", ORDINARY, "1 INVITE", ";tag=b"), SDP)
    length = len(answer % ((0,) * 8)) + 8
    head, udp = ipv4(length, 17) + packed(PBX), b"\x13\xc4\x13\xc4" + length.to_bytes(2, "big") + b"\0\0"
    for n, (at, frame) in enumerate(offer):
        yield at, frame
        yield at + 1000, head + anybody(n) + udp + answer % (*four(n), *media_of(n + 10**6))


def names(count: int) -> Iterator[Timed]:
    """Joins: so many names in so many conferences, all at once."""
    for n in range(count // 2):
        number = f"28{n * 99_991 % 10**9:09}"
        call = Call(
            n=10**7 + n,
            at=at_of(2 * n, count),
            caller=f"sip:guest-{n}@name-{n % 9_973}.example",
            target=f"sip:{number}@{SITE}",
            callee=BRIDGE,
            lasts=LASTS * SECOND,
            written=f"sip:guest-{n}@name-{n % 9_973}.example",
        )
        messages = list(call.datagrams())
        yield messages[0]
        yield messages[0][0] + 1000, messages[3][1]


def registers(count: int) -> Iterator[Timed]:
    """REGISTER and OPTIONS."""
    yield from sprayed(request("REGISTER", f"sip:{PBX}", "Contact: <sip:x@203.0.113.9>\r\n"), four, count // 2, PBX)
    options = sprayed(request("OPTIONS", f"sip:{BRIDGE}"), lambda n: four(n + count), count // 2, BRIDGE)
    yield from ((at + LASTS * SECOND, frame) for at, frame in options)


def subscribers(count: int) -> Iterator[Timed]:
    """SUBSCRIBE and NOTIFY of keys, of calls that there are and are not."""
    event = 'Event: kpml;call-id="%09d@flood.example";local-tag=a;remote-tag=b\r\n'
    subscribe = request("SUBSCRIBE", f"sip:{BRIDGE}", event)
    notify = request("NOTIFY", f"sip:{BRIDGE}", "Event: kpml\r\n")
    half = count // 2
    yield from merge(
        sprayed(subscribe, lambda n: (n, n, n, n + 10**8, n), half, BRIDGE),
        sprayed(notify, lambda n: (n, n, n, n + 10**8), half, BRIDGE),
    )


def transfers(count: int) -> Iterator[Timed]:
    """REFER, in calls that there are: each asks for another party."""
    refer = request("REFER", direct(7), "Refer-To: <sip:+1555%09d@203.0.113.9>\r\n")
    half = count // 2
    return merge(invites(direct(7), BRIDGE, half), sprayed(refer, lambda n: (n, n, n, n, n), half, BRIDGE), key=_time)


def keys(count: int) -> Iterator[Timed]:
    """Telephone-events with SSRCs, ports and addresses of their own, most of them to where a call wants its media."""
    head = ipv4(24, 17)
    bridge = packed(BRIDGE)
    for n in range(count):
        source, ssrc = anybody(n), n * 2_654_435_761 & 0xFFFFFFFF
        ports = (n * 31 % 64_000 + 1_024).to_bytes(2, "big") + (16_386 + 8 * (n % 4_096)).to_bytes(2, "big")
        rtp = RTP.pack(0x80, 101, n & 0xFFFF, n * 160 & 0xFFFFFFFF, ssrc) + bytes((n % 10, 0x8A, 3, 32))
        yield at_of(n, count), head + source + bridge + ports + b"\0\x18\0\0" + rtp


def syns(count: int) -> Iterator[Timed]:
    """SYNs, each of another connection."""
    for n in range(count):
        yield at_of(n, count), segment(anybody(n), 1_024 + n % 60_000, n * 7, 2)


def starts(count: int) -> Iterator[Timed]:
    """Connections on which a message begins, and never goes on."""
    text = (head_of(f"INVITE {direct(7)} SIP/2.0", direct(7), "1 INVITE") + "X: ").encode()
    for n in range(count // 2):
        at = at_of(2 * n, count)
        yield at, segment(anybody(n), 2_000, 0, 2)
        yield at + 1000, segment(anybody(n), 2_000, 1, 0x18, text % four(n))


def heads(count: int) -> Iterator[Timed]:
    """Connections on which a head of nearly 64 KiB, or a body of nearly a megabyte, never ends."""
    start = (head_of(f"INVITE {direct(7)} SIP/2.0", direct(7), "1 INVITE") + "X: ").encode()
    body = (head_of(f"INVITE {direct(7)} SIP/2.0", direct(7), "1 INVITE") + "Content-Length: 1000000\r\n\r\n").encode()
    streams, more = count // 46, b"x" * 1_400
    for n in range(streams * 46):
        # All of them grow together, as whoever wants them all held has it.
        part, who = divmod(n, streams)
        first = (body if who % 32 == 31 else start) % four(who)
        before = 1 + (len(first) + (part - 1) * 1_400 if part else 0)
        yield at_of(n, count), segment(anybody(who), 3_000, before, 0x18, more if part else first)


def holes(count: int) -> Iterator[Timed]:
    """Connections on which everything but the first byte is there."""
    for n in range(count // 2):
        at = at_of(2 * n, count)
        yield at, segment(anybody(n), 4_000, 0, 2)
        yield at + 1000, segment(anybody(n), 4_000, 2, 0x18, b"INVITE sip:x SIP/2.0\r\nX: " + b"y" * 1_300)


def fragments(count: int) -> Iterator[Timed]:
    """First fragments whose rest never comes."""
    payload = b"\x13\xc4\x13\xc4\x0f\xa0\0\0" + b"INVITE " + b"x" * 1_401
    for n in range(count):
        head = ipv4(len(payload), 17, n & 0xFFFF, 0x2000)
        yield at_of(n, count), head + anybody(n) + packed(BRIDGE) + payload


def _time(frame: Timed) -> int:
    return frame[0]


def planted(count: int = PLANTED) -> Iterator[Timed]:
    """Joins by outsiders: half by SIP address, half by telephone and keys."""
    frames: list[Timed] = []
    for n in range(count):
        at, port = START + 5 * SECOND + n * (LASTS - 100) * SECOND // count, 16_384 + 8 * n
        target = f"sip:{ACCESS}@{BRIDGE};user=phone" if n % 2 else direct(n % MEETINGS)
        call = Call(n=n, at=at, caller=outsider(n), target=target, callee=BRIDGE, lasts=60 * SECOND, media_port=port)
        frames += call.datagrams()
        if n % 2:
            dialled = f"{meeting_number(n % MEETINGS)}##{PIN}#"
            frames += pressed(call, dialled, 77 + n, Ends(TRUNK, BRIDGE, port, port + 2))
    frames.sort(key=_time)
    return iter(frames)


@dataclass(frozen=True, slots=True)
class Flood:
    """What comes, and how many packets of it."""

    make: Callable[[int], Iterator[Timed]]
    packets: int


FLOODS: dict[str, Flood] = {
    "calls": Flood(calls, 1_000_000),
    "odd-calls": Flood(oddly_described_calls, 1_000_000),
    "callers": Flood(callers, 1_000_000),
    "diallers": Flood(diallers, 1_000_000),
    "searchers": Flood(searchers, 400_000),
    "answered": Flood(answered, 400_000),
    "names": Flood(names, 200_000),
    "registers": Flood(registers, 1_000_000),
    "subscribers": Flood(subscribers, 400_000),
    "transfers": Flood(transfers, 400_000),
    "keys": Flood(keys, 1_000_000),
    "syns": Flood(syns, 1_000_000),
    "starts": Flood(starts, 200_000),
    "heads": Flood(heads, 184_000),
    "holes": Flood(holes, 200_000),
    "fragments": Flood(fragments, 400_000),
    "byes": Flood(deeper.byes, 400_000),
    "outbound": Flood(deeper.outbound, 400_000),
    "waiting": Flood(deeper.waiting, 400_000),
    "focuses": Flood(deeper.focuses, 100_000),
    "rosters": Flood(deeper.rosters, 20_000),
    "copies": Flood(deeper.copies, 100_000),
    "rewritten": Flood(deeper.rewritten, 200_000),
    "agents": Flood(deeper.agents, 400_000),
    "reports": Flood(deeper.reports, 200_000),
    "pressers": Flood(deeper.pressers, 400_000),
    "asked": Flood(deeper.asked, 100_000),
}


def frames_of(name: str, packets: int = 0, people: int = PLANTED) -> Iterator[Timed]:
    """A flood of so many packets, with people in it."""
    flood = FLOODS[name]
    return merge(flood.make(packets or flood.packets), planted(people), key=_time)


# Runs

LAUNCH = """
import json, os, sys, time
began = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", 1, 0)])
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - began
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""
"""A small process starts the one that is measured: a child's peak counts what its parent had, too."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a flood cost, and what was found in it."""

    seconds: float
    worked: float
    """Seconds of the processor: what counts where other programs run, too."""
    mib: float
    found: int
    evicted: dict[str, int]

    @property
    def is_kept(self) -> bool:
        return self.worked <= MAX_SECONDS and self.mib <= MAX_MIB and self.found == PLANTED


def command(capture: Path, folder: Path, *more: str) -> list[str]:
    """The whole way, with calendar, directory, policy and journal."""
    return [
        sys.executable, "-m", "monitor", "replay", str(capture), "--meetings", str(folder / "meetings"), "--directory",
        str(folder / "directory.vcf"), "--policy", str(folder / "policy.toml"), *more,
    ]  # fmt: skip


def lay_out(folder: Path) -> None:
    """Calendar, directory and policy."""
    for path, content in expected_files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def run(capture: Path, folder: Path) -> Result:
    """One replay in a process of its own."""
    journal = folder / "journal.jsonl"
    launch = [sys.executable, "-c", LAUNCH, *command(capture, folder, "--json", str(journal))]
    done = subprocess.run(launch, check=True, capture_output=True, text=True, cwd=ROOT)
    code, seconds, worked, peak = json.loads(done.stdout)
    if code:
        raise SystemExit(f"{capture.name}: exit code {code}\n{done.stderr[-2000:]}")
    subjects: set[str] = set()
    counts: dict[str, int] = {}
    with journal.open("rb") as lines:
        for line in lines:
            if line.startswith(b'{"type":"alert"') and b"uninvited-participant" in line:
                subjects.add(json.loads(line)["subject"])
            elif line.startswith(b'{"type":"summary"'):
                counts = json.loads(line)["counts"]
    journal.unlink()
    found = len(subjects & {f"tel:{outsider(n)}" for n in range(PLANTED)})
    evicted = {name: count for name, count in counts.items() if "evicted" in name and count}
    return Result(seconds, worked, peak / 1024, found, evicted)


def main(arguments: list[str]) -> int:
    """Makes and replays those named, or all."""
    wanted = {name: packets for name, _, packets in (word.partition("=") for word in arguments or FLOODS)}
    if not (wanted.keys() <= FLOODS.keys() and all(p.isdecimal() for p in wanted.values() if p)):
        sys.stderr.write(f"usage: python -m bench.floods [{'|'.join(FLOODS)}[=PACKETS]…]\n")
        return 2
    kept = True
    print(f"{'flood':<14}{'packets':>10}{'seconds':>9}{'worked':>8}{'MiB':>6}{'found':>8}  evicted")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lay_out(folder)
        for name, fewer in wanted.items():
            capture = folder / f"{name}.pcap"
            packets = write(capture, frames_of(name, int(fewer or 0)))
            result = run(capture, folder)
            capture.unlink()
            kept = kept and result.is_kept
            told = ", ".join(f"{count:,} {what}" for what, count in result.evicted.items())
            cost = f"{result.seconds:>9.1f}{result.worked:>8.1f}{result.mib:>6.0f}"
            print(f"{name:<14}{packets:>10,}{cost}{result.found:>4}/{PLANTED}  {told}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
