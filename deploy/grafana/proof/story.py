"""A working day in short: what comes over a mirror port, and what befalls the daemon that listens there.

Everything is said by the real daemon; nothing is made up behind it. The acts have their places on a line from 0 to 1,
so that the same day lasts five seconds in a test, and as long as it should for the pictures.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from bench.workloads import _noise
from pcaps.generator import Call, Party, phone, sip_user, withheld
from pcaps.generator.wire import SECOND
from pcaps.stories.town import ACCESS, BRAM_SIP, BRIDGE, CARLA_SIP, NUMBERS, PIN, SBC, SITE, STRANGER, TRUNK
from tests.daemon.receivers import SECRET, Receiver
from tests.daemon.stage import NUMBER, Daemon, Mirror, frames_of, lists_of_now, mirror, today

INSTANCE = "sensor-1"
"""What the demo's monitor is called."""
UNKNOWN = "27310499001"
"""A meeting in no calendar."""
OUTSIDER = "+31205550177"
WRONG = ("00000000", "11111111", "12341234", "24681012", "12345678", "87654321", "20250318", "98765432")
RING_MEBIBYTES = 4
"""Small: it holds what comes while nobody reads for 0.6 s, and no more."""
ABSENT_SECONDS = 1.2
COLLEAGUES = 60
"""Ordinary calls, all day long."""
NOISE_PER_SECOND = 40
"""Frames that the packet filter keeps out: of the web, and media."""
NATURAL_SECONDS = 300.0
"""A day that lasts longer has people who press their keys as slowly as people do."""


class Day:
    """The acts of the day, played over the mirror port of one daemon."""

    def __init__(self, daemon: Daemon, port: Mirror, sink: Receiver, seconds: float) -> None:
        self.seconds = seconds
        self._pace = min(1.0, seconds / NATURAL_SECONDS)
        self._daemon, self._port, self._sink = daemon, port, sink
        self._world = today("day")  # one for all: its calls have ports of their own
        self._begin = time.time_ns() // SECOND * SECOND
        self._over = threading.Event()
        self._frames: list[tuple[float, bytes]] = []
        self._deeds: list[tuple[float, Callable[[], None]]] = []
        self._write()

    def play(self) -> None:
        """From the first act to the last."""
        begun = time.monotonic()
        noise = threading.Thread(target=self._murmur, args=(begun,), name="noise", daemon=True)
        noise.start()
        deeds = sorted(self._deeds, key=lambda deed: deed[0])
        frames = self._frames
        while (deeds or frames) and time.monotonic() - begun < self.seconds:
            passed = time.monotonic() - begun
            while frames and frames[0][0] <= passed:
                self._send(frames.pop(0)[1])
            while deeds and deeds[0][0] <= passed:
                deeds.pop(0)[1]()
            time.sleep(0.01)
        time.sleep(max(0.0, begun + self.seconds - time.monotonic()))
        self._over.set()
        noise.join()

    def _write(self) -> None:
        """Who comes, who goes, and what breaks."""
        stay = 0.35 * self.seconds
        for at in (0.04, 0.48):  # the meeting, and the one after it
            self._joins(at, phone(NUMBERS["anna"]), stay, f"{NUMBER}#", f"{PIN}#")
            self._calls(at + 0.02, BRAM_SIP, NUMBER, stay)
            self._calls(at + 0.03, CARLA_SIP, NUMBER, stay)
        self._calls(0.10, phone(NUMBERS["eva"]), UNKNOWN, stay)
        self._calls(0.14, withheld(), NUMBER, 0.1 * self.seconds)
        for at, name in ((0.20, "passer-by"), (0.66, "another")):
            self._calls(at, sip_user(f"{name}@elsewhere.example"), NUMBER, 1.0)
        for n in range(8):
            self._vain(0.25 + 0.012 * n, n)
        for at, pins in ((0.35, WRONG[:4]), (0.40, WRONG[4:])):
            self._joins(at, phone(OUTSIDER), 2 * self._pace, f"{NUMBER}#", *(f"{pin}#" for pin in pins))
        self._joins(0.52, phone(OUTSIDER), 0.3 * self.seconds, f"{NUMBER}#", "#")
        self._calls(0.56, sip_user("mallory@elsewhere.example", "Bram Jansen"), NUMBER, 0.25 * self.seconds)
        for n in range(COLLEAGUES):
            self._calls(n / COLLEAGUES, phone(f"+3120555{5000 + n}"), "", 0.05 * self.seconds)
        self._frames = frames_of(self._world)
        self._befalls()

    def _befalls(self) -> None:
        """What breaks, and is mended."""
        for n in range(12):
            self._at(0.30 + 0.02 * n, partial(self._send, _broken(n)))
        calendar = Path(self._daemon.folder / "lists" / "now.ics")
        whole = calendar.read_bytes()
        self._at(0.60, lambda: self._daemon.kill("decode"))
        self._at(0.62, lambda: setattr(self._sink, "mode", 503))
        self._at(0.72, lambda: setattr(self._sink, "mode", "ok"))
        self._at(0.64, lambda: _write(calendar, whole.replace(b"DTSTART:2", b"DTSTART:x2")))
        self._at(0.70, lambda: _write(calendar, whole))
        self._at(0.80, self._overwhelm)
        self._at(0.88, lambda: self._port.set("down"))
        self._at(0.91, lambda: self._port.set("up"))

    def _overwhelm(self) -> None:
        """For a moment nobody reads, and the ring is small."""
        decoder = self._daemon.pid_of("decode")
        if not decoder:
            return
        os.kill(decoder, signal.SIGSTOP)
        until, n = time.monotonic() + ABSENT_SECONDS, 0
        while time.monotonic() < until:
            self._send(_broken(n := n + 1))
            time.sleep(0.002)
        with suppress(ProcessLookupError):
            os.kill(decoder, signal.SIGCONT)

    def _calls(self, at: float, who: Party, number: str, stays: float) -> None:
        """A call to that meeting; without a number, to a colleague."""
        target = f"sip:{number}@{SITE}" if number else "sip:+31205557001@192.0.2.40;user=phone"
        path = (SBC, BRIDGE) if number else (TRUNK, SBC)
        call = self._world.call(who, target, path, at=self._moment(at))
        call.ring(after=0.05).answer(after=0.1, focus=bool(number)).hang_up(after=max(0.2, stays))

    def _joins(self, at: float, who: Party, stays: float, *keys: str) -> None:
        """Somebody dials in and enters keys."""
        call: Call = self._world.call(who, ACCESS, (TRUNK, BRIDGE), at=self._moment(at), codec="G729")
        call.ring(after=0.05).answer(after=0.1)
        for group in keys:
            call.keys(group, after=4 * self._pace, gap=0.2 * self._pace)
        call.hang_up("callee" if stays <= 2 else "caller", after=max(0.2, stays))

    def _vain(self, at: float, n: int) -> None:
        """A number that is no meeting's is tried."""
        scanner = sip_user("100@203.0.113.66", vouched=False, agent="friendly-caller")
        target = f"sip:2731040{n + 1:04}@{SITE}"
        self._world.call(scanner, target, (STRANGER, BRIDGE), at=self._moment(at)).refuse(404, after=0.05)

    def _moment(self, at: float) -> int:
        return self._begin + int(at * self.seconds * SECOND)

    def _at(self, at: float, deed: Callable[[], None]) -> None:
        self._deeds.append((at * self.seconds, deed))

    def _send(self, frame: bytes) -> None:
        with suppress(OSError):  # the port is down
            self._port.send([frame])

    def _murmur(self, begun: float) -> None:
        """What an enterprise sends besides, more by day than in the morning."""
        frames = [frame for _, frame in _noise(2_000, 10)]
        n = 0
        while not self._over.wait(0.1):
            passed = (time.monotonic() - begun) / self.seconds
            for _ in range(int(NOISE_PER_SECOND * (0.04 + 0.12 * passed * (1 - passed) * 4))):
                self._send(frames[n % len(frames)])
                n += 1


def _broken(n: int) -> bytes:
    """SIP that is none, towards the bridge."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    text = (
        f"INVITE sip:{UNKNOWN}@{SITE} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bK{n}\r\n"
        f"From: <sip:x@elsewhere.example>;tag={n}\r\nTo: <sip:y@elsewhere.example>\r\nCall-ID: broken{n}\r\n"
        "CSeq: none INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="203.0.113.66", dst=BRIDGE.ip)
    return bytes(frame / UDP(sport=5060, dport=5060) / text.encode())


def _write(path: Path, text: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(text)
    draft.replace(path)


@contextmanager
def on_stage(folder: Path, seconds: float, name: str = "tap") -> Iterator[tuple[Daemon, Day]]:
    """A daemon that is to be started, its mirror port and its sink; and the day that it will have."""
    sink = Receiver()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text(SECRET, encoding="ascii")
    with mirror(name) as port:
        lists = lists_of_now(folder / "lists", admission_seconds=max(1, min(10, round(10 * seconds / NATURAL_SECONDS))))
        daemon = Daemon(folder, [port.near], lists=lists, capture={"ring_mebibytes": RING_MEBIBYTES})
        with daemon.config.open("a", encoding="utf-8") as config:
            config.write(f'[sinks.soc]\nkind = "webhook"\nurl = "{sink.url}"\nsecret_file = "secret"\n')
        try:
            yield daemon, Day(daemon, port, sink, seconds)
        finally:
            daemon.stop()
            sink.close()
