"""`make kills`: a hundred times kill -9, at random points, while intruders come in: no alert missing, none doubled.

Every round an intruder joins, by SIP or by telephone with `#` for the PIN, and somewhere between two of their packets
somebody is killed: decode, serve, or the whole tree, which is then started again as systemd would. While no process
holds the ring nothing is sent, since nothing can be seen then; how long that takes is measured: the goal is 3 seconds.
The next kill comes when the alerts of the one before were said: deaths at random points of calls, one at a time.
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


def run(kills: int, seed: int, folder: Path) -> int:
    """All rounds; the exit code."""
    chance = Random(seed)
    expected: set[tuple[str, str]] = set()
    gaps: list[float] = []
    with mirror(f"jwk{seed % 1000}") as port:
        daemon = Daemon(folder, [port.near]).start()
        try:
            for round_ in range(kills):
                by_phone = chance.random() < 0.5
                if by_phone:
                    number = f"+3120555{round_:04d}"
                    frames = intruder_by_phone(f"kill {seed} {round_}", number)
                    expected |= {("pin-bypass", f"tel:{number}"), ("uninvited-participant", f"tel:{number}")}
                else:
                    frames = intruder_by_sip(f"kill {seed} {round_}", f"mallory{round_}")
                    expected.add(("uninvited-participant", f"sip:mallory{round_}@elsewhere.example"))
                role, point = chance.choice(ROLES), chance.randrange(len(frames) + 1)
                port.play(frames[:point])
                time.sleep(chance.random() * 0.1)
                daemon.kill(role)
                if not role:
                    begun = time.monotonic()
                    daemon.start(ready=False)
                    daemon.wait(lambda: is_capturing(daemon.pid), "a ring")
                    gaps.append(time.monotonic() - begun)
                rest = frames[point:]
                port.play([(after - rest[0][0], frame) for after, frame in rest])
                if TRACE:
                    print(round_, role or "tree", point, len(frames), "phone" if by_phone else "sip", file=sys.stderr)
                settle(daemon, expected)
                print(f"\r{round_ + 1} of {kills} kills", end="", file=sys.stderr, flush=True)
        finally:
            daemon.stop()
        alerts = [line for line in daemon.journal() if line["type"] == "alert"]
        said = Counter((line["rule"], line["subject"], line["count"]) for line in alerts)
    found = {(rule, subject) for rule, subject, _ in said}
    missing = sorted(expected - found)
    doubled = sorted(key for key, count in said.items() if count > 1)
    others = sorted(found - expected)
    result = {
        "kills": kills,
        "alerts expected": len(expected),
        "missing": missing,
        "doubled": doubled,
        "others": others,
        "capturing again, median s": round(median(gaps), 2) if gaps else None,
        "capturing again, most s": round(max(gaps), 2) if gaps else None,
    }
    print("\n" + json.dumps(result, indent=1))
    return int(bool(missing or doubled or others or (gaps and max(gaps) > GOAL_SECONDS)))


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return run(options.kills, options.seed, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
