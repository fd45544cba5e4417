"""`make kills`: a hundred times kill -9, at random points, while intruders come in: no alert missing, none doubled.

Every round an intruder joins, by SIP or by telephone with `#` for the PIN, and somewhere between two of their packets
somebody is killed: decode, serve, or the whole tree, which is then started again as systemd would, with what systemd
keeps for it. The packets go on meanwhile. How long it takes until the tree decodes again is measured: the goal is 3
seconds. The next kill comes when the alerts of the one before were said: deaths at random points of calls, one at a
time. With `--nobody-keeps` it is as where no systemd is: nothing is sent then while nobody has a ring, and what the
last milliseconds before the death have brought is lost with it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from statistics import median
from threading import Thread
from typing import Any

from tests.daemon.stage import Daemon, intruder_by_phone, intruder_by_sip, mirror

ROLES = ("decode", "serve", "")
GOAL_SECONDS = 3.0
TRACE = bool(os.environ.get("TRACE"))


def is_capturing(trunk: int) -> bool:
    """Whether that process holds a packet socket (packet(7)); those of an earlier life do not count."""
    rows = Path("/proc/net/packet").read_text(encoding="ascii").splitlines()[1:]
    ours = {str(link.readlink()) for link in Path(f"/proc/{trunk}/fd").iterdir()}
    return any(f"socket:[{row.split()[-1]}]" in ours for row in rows)


def settle(daemon: Daemon, expected: set[tuple[str, str]], seconds: float = 12.0) -> None:
    """Until the alerts of this round were said, or never will be: the next death shall find everybody well."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not expected <= {*daemon.alerts()}:
        time.sleep(0.1)
    with suppress(Exception):
        daemon.wait(lambda: daemon.pid_of("decode") and daemon.pid_of("serve"), "everybody")


def until_decoding(daemon: Daemon, dead: int, begun: float, again: list[float]) -> None:
    """Notes how long it took since then until another decoder is at work."""
    with suppress(Exception):
        daemon.wait(lambda: daemon.pid_of("decode") != dead and daemon.is_decoding, "a decoder at work", 30)
        again.append(time.monotonic() - begun)


def intruder(round_: int, seed: int, *, by_phone: bool) -> tuple[list[tuple[float, bytes]], set[tuple[str, str]]]:
    """Their packets, and the alerts that must come."""
    if not by_phone:
        said = {("uninvited-participant", f"sip:mallory{round_}@elsewhere.example")}
        return intruder_by_sip(f"kill {seed} {round_}", f"mallory{round_}"), said
    number = f"+3120555{round_:04d}"
    said = {("pin-bypass", f"tel:{number}"), ("uninvited-participant", f"tel:{number}")}
    return intruder_by_phone(f"kill {seed} {round_}", number), said


def run(kills: int, seed: int, folder: Path, *, kept: bool = True, backend: str = "ring") -> dict[str, Any]:
    """All rounds; what came of them. Of what libpcap captures nobody can keep anything."""
    kept = kept and backend == "ring"
    chance = Random(seed)
    expected: set[tuple[str, str]] = set()
    gaps: list[float] = []
    again: list[float] = []
    with mirror(f"jwk{seed % 1000}") as port:
        daemon = Daemon(folder, [port.near], kept=kept, capture={"backend": backend}).start()
        try:
            for round_ in range(kills):
                by_phone = chance.random() < 0.5
                frames, said = intruder(round_, seed, by_phone=by_phone)
                expected |= said
                role, point = chance.choice(ROLES), chance.randrange(len(frames) + 1)
                port.play(frames[:point])
                time.sleep(chance.random() * 0.1)
                dead = daemon.pid_of("decode")
                daemon.kill(role)
                begun = time.monotonic()
                watch = Thread(target=until_decoding, args=(daemon, dead, begun, again))
                if not role:
                    daemon.start(ready=False)
                watch.start()
                if not role and not kept:
                    daemon.wait(lambda: is_capturing(daemon.pid), "a ring")
                    gaps.append(time.monotonic() - begun)
                rest = frames[point:]
                port.play([(after - rest[0][0], frame) for after, frame in rest])
                settle(daemon, expected)
                watch.join()
                if TRACE:
                    missing = len(expected - {*daemon.alerts()})
                    way = "phone" if by_phone else "sip"
                    print(round_, role or "tree", point, len(frames), way, f"missing {missing}", file=sys.stderr)
                print(f"\r{round_ + 1} of {kills} kills", end="", file=sys.stderr, flush=True)
        finally:
            daemon.stop()
        alerts = [line for line in daemon.journal() if line["type"] == "alert"]
    counted = Counter((line["rule"], line["subject"], line["count"]) for line in alerts)
    found = {(rule, subject) for rule, subject, _ in counted}
    return {
        "kills": kills,
        "alerts expected": len(expected),
        "missing": sorted(expected - found),
        "doubled": sorted(key for key, count in counted.items() if count > 1),
        "others": sorted(found - expected),
        "nobody captured, median s": round(median(gaps), 2) if gaps else 0,
        "nobody captured, most s": round(max(gaps), 2) if gaps else 0,
        "decoding again, median s": round(median(again), 2),
        "decoding again, most s": round(max(again), 2),
    }


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nobody-keeps", action="store_true", help="as where no systemd is")
    parser.add_argument("--backend", choices=("ring", "libpcap"), default="ring")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(options.kills, options.seed, Path(folder), kept=not options.nobody_keeps, backend=options.backend)
    print("\n" + json.dumps(result, indent=1))
    bad = result["missing"] or result["doubled"] or result["others"] or result["nobody captured, most s"] > GOAL_SECONDS
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
