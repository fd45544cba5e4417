"""`make bench`: this program and its peers on the same captures, in pairs; checks what was found, then prints ratios.

A pair is one run of joinwatch and one of the peer, one right after the other, so that a machine whose speed drifts
slows both. Each figure is the median over the pairs; whole processes, start-up included. joinwatch decodes, correlates
and judges by every rule, and writes its journal; the peers do what they are made for, as said in `PEERS`.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.tunnels import TUNNELS, wrap
from bench.workloads import WORKLOADS, make

ROOT = Path(__file__).parents[1]
DATA = ROOT / "bench" / "data"
REPORT = ROOT / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program that reads captures."""

    name: str
    does: str
    command: Callable[[Path, Path], list[str]]
    """From the capture and an empty folder."""
    pairs: int
    too_slow: frozenset[str] = frozenset()
    """Workloads that it would need minutes for."""


def filter_of_joinwatch() -> str:
    """The very filter that joinwatch gives to libpcap."""
    from monitor.decoders import ASKS
    from monitor.sources.filters import filter_text

    return filter_text(ASKS)


PEERS = (
    Peer(
        "tcpdump",
        "reads the file with the same filter and throws the rest away: the floor",
        lambda capture, _: ["tcpdump", "-r", str(capture), "-w", "/dev/null", filter_of_joinwatch()],
        7,
    ),
    Peer(
        "tshark",
        "dissects, and prints Call-ID, From and To of each INVITE",
        lambda capture, _: [
            "tshark", "-r", str(capture), "-Y", 'sip.Method == "INVITE"', "-T", "fields",
            "-e", "sip.Call-ID", "-e", "sip.from.addr", "-e", "sip.to.addr",
        ],
        2,
    ),
    Peer(
        "sngrep",
        "lists the calls, with room for all of them (`-l 100000`)",
        lambda capture, _: ["sngrep", "-N", "-q", "-l", "100000", "-I", str(capture)],
        3,
        frozenset({"trunk"}),
    ),
    Peer(
        "suricata",
        "logs SIP as JSON",
        lambda capture, folder: [
            "suricata", "-r", str(capture), "-l", str(folder), "--runmode", "single",
            "--set", "app-layer.protocols.sip.enabled=yes",
        ],
        3,
    ),
)  # fmt: skip


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As for any user: Python may keep its bytecode, which the first run, that is not timed, then makes."""

PATIENCE_SECONDS = 60
"""After which a peer is stopped; what it needs is then told as more than this."""


@dataclass(frozen=True, slots=True)
class Run:
    """One whole process."""

    wall: float
    whole: bool = True
    """It came to its end."""


def timed(command: Sequence[str], folder: Path) -> Run:
    """Run a command to its end or to the end of our patience; raises CalledProcessError when it fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=ENVIRONMENT,
    ) as process:
        assert process.stderr is not None
        watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
        watchdog.start()
        errors = process.stderr.read()
        process.wait()
        watchdog.cancel()
    wall = time.perf_counter() - began
    if process.returncode == -signal.SIGKILL and wall >= PATIENCE_SECONDS:
        return Run(wall, whole=False)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return Run(wall)


LAUNCH = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak_mib_of(command: Sequence[str], folder: Path) -> float:
    """The most memory that a command ever has, launched by a small process: a child counts what its parent had, too."""
    launch = [sys.executable, "-c", LAUNCH, *command]
    done = subprocess.run(launch, check=True, capture_output=True, cwd=folder, env=ENVIRONMENT)
    return int(done.stdout) / (1024 if sys.platform != "darwin" else 1024 * 1024)


def joinwatch(folder: Path, capture: Path, journal: Path) -> list[str]:
    """The command that is measured: the whole way, with calendar, directory, policy and journal."""
    return [
        str(Path(sys.executable).with_name("joinwatch")), "replay", str(capture),
        "--meetings", str(folder / "meetings"), "--directory", str(folder / "directory.vcf"),
        "--policy", str(folder / "policy.toml"), "--json", str(journal),
    ]  # fmt: skip


def differences(journal: Path, truth: dict[str, object]) -> list[str]:
    """Where the journal does not say what the workload's truth says; a run that is wrong is not timed."""
    records = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    alerts: dict[str, int] = {}
    for record in {r["id"]: r for r in records if r["type"] == "alert"}.values():
        alerts[record["rule"]] = alerts.get(record["rule"], 0) + 1
    counts = records[-1]["counts"]
    found = {
        "packets": counts["frames"],
        "messages": counts["sip_messages"],
        "joins": sum(record["type"] == "join" for record in records),
        "alerts": alerts,
    }
    return [f"{key}: {found[key]!r}, truth {truth[key]!r}" for key in found if found[key] != truth[key]]


@dataclass(frozen=True, slots=True)
class Row:
    """One workload against one peer."""

    workload: str
    peer: str
    ours: float
    theirs: float
    ratio: float
    """Theirs to ours: how many times faster joinwatch is."""
    whole: bool
    """The peer came to its end each time; else its time and the ratio are lower bounds."""
    peak_mib: float


def made(name: str) -> tuple[Path, Path]:
    """The folder of a workload and the capture in it, which are made when they are not there."""
    folder = DATA / name
    if not (folder / "truth.json").is_file():
        say(f"{name}: making the capture")
        folder.mkdir(parents=True, exist_ok=True)
        make(name, folder)
    return folder, folder / f"{name}.pcap"


def checked(name: str, folder: Path, command: Sequence[str], journal: Path) -> float:
    """The most memory, in MiB, of a run that must find what the workload's truth says."""
    peak_mib = peak_mib_of(command, folder)
    wrong = differences(journal, json.loads((folder / "truth.json").read_text(encoding="utf-8")))
    if wrong:
        raise SystemExit(f"{name}: joinwatch found something else than is there: " + "; ".join(wrong))
    say(f"{name}: found what is there; {peak_mib:.0f} MiB")
    return peak_mib


def measure(name: str, peers: Sequence[Peer], pairs: int | None) -> list[Row]:
    """Check one workload, then time it against each peer."""
    folder, capture = made(name)
    journal = folder / "journal.jsonl"
    ours = joinwatch(folder, capture, journal)
    peak_mib = checked(name, folder, ours, journal)
    rows = []
    for peer in peers:
        if name in peer.too_slow:
            continue
        scratch = folder / peer.name
        scratch.mkdir(exist_ok=True)
        theirs = peer.command(capture, scratch)
        runs = []
        for _ in range(pairs or peer.pairs):
            runs.append((timed(ours, folder), timed(theirs, scratch)))
            if not runs[-1][1].whole:
                break
        rows.append(
            Row(
                name,
                peer.name,
                median(mine.wall for mine, _ in runs),
                median(other.wall for _, other in runs),
                median(other.wall / mine.wall for mine, other in runs),
                all(other.whole for _, other in runs),
                peak_mib,
            )
        )
        row = rows[-1]
        say(f"{name}: {peer.name} {row.theirs:.2f} s, joinwatch {row.ours:.2f} s, ratio {row.ratio:.2f}")
    return rows


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One workload inside one kind of tunnel, against the same without."""

    workload: str
    tunnel: str
    inside: float
    bare: float
    ratio: float
    """How many times longer it takes inside."""
    peak_mib: float


TUNNEL_PAIRS = 5


def measure_inside(name: str, tunnel: str, pairs: int | None) -> Wrapped:
    """Check one workload inside a tunnel, then time it against the same without. Its capture does not stay."""
    folder, capture = made(name)
    wrapped, journal = folder / f"{name}-{tunnel.lower()}.pcap", folder / "journal.jsonl"
    inside, bare = joinwatch(folder, wrapped, journal), joinwatch(folder, capture, journal)
    try:
        wrap(capture, tunnel, wrapped)
        peak_mib = checked(f"{name} in {tunnel}", folder, inside, journal)
        runs = [(timed(inside, folder).wall, timed(bare, folder).wall) for _ in range(pairs or TUNNEL_PAIRS)]
    finally:
        wrapped.unlink(missing_ok=True)
    row = Wrapped(
        name,
        tunnel,
        median(ours for ours, _ in runs),
        median(other for _, other in runs),
        median(ours / other for ours, other in runs),
        peak_mib,
    )
    say(f"{name} in {tunnel}: {row.inside:.2f} s, without {row.bare:.2f} s, ratio {row.ratio:.2f}")
    return row


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def version_of(program: str) -> str:
    """The first line that a program says of its version."""
    flag = "-V" if program == "sngrep" else "--version"
    done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0].strip()


def report(rows: Sequence[Row], peers: Sequence[Peer], missing: Sequence[str]) -> str:
    """The page docs/performance.md."""
    names = [peer.name for peer in peers]
    table = ["| workload | joinwatch | " + " | ".join(names) + " | peak memory |", "|---" * (len(names) + 3) + "|"]
    for workload in dict.fromkeys(row.workload for row in rows):
        mine = [row for row in rows if row.workload == workload]
        cells = []
        for name in names:
            row = next((row for row in mine if row.peer == name), None)
            more = "" if row is None or row.whole else "> "
            cells.append(f"{more}{row.theirs:.2f} s, **{more}{row.ratio:.2f}×**" if row else "–")
        ours = median(row.ours for row in mine)
        peak = max(row.peak_mib for row in mine)
        table.append(f"| {workload} | {ours:.2f} s | " + " | ".join(cells) + f" | {peak:.0f} MiB |")
    workloads = [
        f"* **{name}**: {(WORKLOADS[name].__doc__ or '').strip()}" for name in dict.fromkeys(r.workload for r in rows)
    ]
    did = [f"* {peer.name} ({version_of(peer.name)}): {peer.does}." for peer in peers]
    absent = [f"Not installed where this was measured, so not compared: {', '.join(missing)}.", ""] if missing else []
    return "\n".join(
        [
            "# Speed, measured",
            "",
            "Made by `make bench`; do not edit. Whole processes from start to exit, in pairs on the same files; the",
            "number in bold is the peer's time divided by ours, the median of the pairs: above 1, joinwatch is faster.",
            "Before anything is timed, joins and alerts are checked against the truth of the workload.",
            f"A peer that takes longer than {PATIENCE_SECONDS} s is stopped; its figures are then lower bounds: `>`.",
            "",
            *table,
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}.",
            "",
            "The workloads:",
            "",
            *workloads,
            "",
            "What the others do with them:",
            "",
            *did,
            "",
            *absent,
        ]
    )


TUNNELS_HEADING = "\n## Inside tunnels\n"


def report_inside(rows: Sequence[Wrapped]) -> str:
    """The last part of the page."""
    table = ["| workload | in | inside | without | ratio | peak memory |", "|---" * 6 + "|"]
    table += [
        f"| {row.workload} | {row.tunnel} | {row.inside:.2f} s | {row.bare:.2f} s | **{row.ratio:.2f}×** "
        f"| {row.peak_mib:.0f} MiB |"
        for row in rows
    ]
    return "\n".join(
        [
            TUNNELS_HEADING,
            "The same packets as a mirror sends them, in VXLAN or in ERSPAN of type II: each is 50 bytes longer, so",
            "that there is more to read as well. Whole processes in pairs, joinwatch against itself; the joins and",
            "alerts are checked first, and must be those of the workload. The goal is at most 3×.",
            "",
            *table,
            "",
        ]
    )


def main() -> int:
    """Measure what is asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Times joinwatch against its peers.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; all if none")
    parser.add_argument("--peers", help="comma-separated; all that are installed if not given")
    parser.add_argument("--pairs", type=int, help="pairs for each peer")
    parser.add_argument("--tunnels", action="store_true", help="only the workloads inside tunnels, without peers")
    parser.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md alone")
    options = parser.parse_args()
    unknown = set(options.workloads) - WORKLOADS.keys()
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    wanted = options.peers.split(",") if options.peers else [peer.name for peer in PEERS]
    peers = [peer for peer in PEERS if peer.name in wanted and shutil.which(peer.name)]
    missing = [peer.name for peer in PEERS if peer.name in wanted and not shutil.which(peer.name)]
    names = options.workloads or list(WORKLOADS)
    try:
        rows = [row for name in names if not options.tunnels for row in measure(name, peers, options.pairs)]
        inside = [measure_inside(name, tunnel, options.pairs) for name in names for tunnel in TUNNELS]
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}\n{error.stderr.decode(errors='replace')}") from None
    if options.tunnels:
        page = REPORT.read_text(encoding="utf-8").split(TUNNELS_HEADING)[0]
    else:
        page = report(rows, peers, missing)
    page += report_inside(inside)
    print(page)
    if not options.dry:
        REPORT.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
