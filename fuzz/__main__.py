"""`python -m fuzz [SECONDS] [TARGET...]`: each target for so many seconds under atheris, then a table.

Crashes are written to `fuzz/crashes/`; the exit code is 1 when there are any. `--grow` keeps the few new inputs that
reach the most code in the corpus.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from fuzz.target import CORPUS
from fuzz.targets import TARGETS

CRASHES = Path(__file__).parent / "crashes"
ONE_INPUT_SECONDS = 10
"""An input that takes longer is a hang."""
MEMORY_MIB = 1024
GROWN_FILES, GROWN_BYTES = 24, 2048
"""New inputs kept for a target, and bytes of one: the whole corpus stays below 1 MB."""
NO_ATHERIS = """\
There is no atheris for Python {version} on {platform}: it comes as wheels for Linux on x86-64, for some versions of
Python only. The corpus runs without it: `make test`. To fuzz, use one that has it: `make fuzz PYTHON=python3.11
VENV=.venv-fuzz`.
"""


class Outcome(NamedTuple):
    """What came of one target."""

    target: str
    executions: int
    coverage: int
    crashes: int
    said: str
    """The last words of a crash."""


def words_of(words: tuple[bytes, ...]) -> str:
    """A dictionary as libFuzzer reads it."""
    return "".join('"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in word)) for word in words if word)


def fuzzed(name: str, seconds: int, grow: bool) -> Outcome:
    """Runs one target in a process of its own."""
    corpus, before = CORPUS / name, set(CRASHES.glob(f"{name}-*"))
    with tempfile.TemporaryDirectory(prefix="joinwatch-fuzz-") as folder:
        found = Path(folder, "found")
        found.mkdir()
        command = [sys.executable, "-m", "fuzz.one", name, str(found), str(corpus), "-print_final_stats=1"]
        command += [f"-max_total_time={seconds}", f"-timeout={ONE_INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MIB}"]
        command += [f"-artifact_prefix={CRASHES}/{name}-", f"-max_len={TARGETS[name].max_bytes}"]
        if TARGETS[name].words:
            Path(folder, "words").write_text(words_of(TARGETS[name].words), encoding="ascii")
            command.append(f"-dict={Path(folder, 'words')}")
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if grow:
            keep(found, corpus, command[:4])
    crashes = len(set(CRASHES.glob(f"{name}-*")) - before)
    executions = re.findall(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
    coverage = re.findall(r"cov: (\d+)", ran.stderr)
    # Python says what was raised on standard output; of a hang or too much memory, libFuzzer on standard error.
    lines = [line for line in (ran.stdout.strip() or ran.stderr).splitlines() if line.strip()]
    said = "" if not crashes and ran.returncode == 0 else "\n".join(lines[-12:])
    failed = crashes or int(ran.returncode != 0)
    return Outcome(name, int(executions[-1]) if executions else 0, int(coverage[-1]) if coverage else 0, failed, said)


def keep(found: Path, corpus: Path, command: list[str]) -> None:
    """The smallest of the new inputs that together reach more code than the corpus does."""
    with tempfile.TemporaryDirectory(prefix="joinwatch-fuzz-") as folder:
        merged = Path(folder, "merged")
        shutil.copytree(corpus, merged)
        old = {path.name for path in merged.iterdir()}
        subprocess.run([*command, str(merged), str(found), "-merge=1"], capture_output=True, check=False)
        new = sorted((p for p in merged.iterdir() if p.name not in old), key=lambda path: path.stat().st_size)
        room = GROWN_FILES - sum(path.name.startswith("found-") for path in corpus.iterdir())
        for path in [path for path in new if path.stat().st_size <= GROWN_BYTES][: max(0, room)]:
            shutil.copy(path, corpus / f"found-{path.name[:12]}")


def main() -> int:
    """Fuzz what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="; ".join(TARGETS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time")
    parser.add_argument("--grow", action="store_true", help="keep new inputs in the corpus")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    try:
        import atheris  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.stderr.write(NO_ATHERIS.format(version=version, platform=sys.platform))
        return 1
    CRASHES.mkdir(exist_ok=True)
    print(f"{'target':<20} {'executions':>12} {'coverage':>9} {'crashes':>8}")
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        running = [pool.submit(fuzzed, name, options.seconds, options.grow) for name in options.targets or TARGETS]
        outcomes = []
        for one in running:
            outcome = one.result()
            outcomes.append(outcome)
            print(
                f"{outcome.target:<20} {outcome.executions:>12,} {outcome.coverage:>9,} {outcome.crashes:>8}",
                flush=True,
            )
            if outcome.said:
                print(outcome.said, flush=True)
    total = sum(outcome.crashes for outcome in outcomes)
    print(f"{'all':<20} {sum(outcome.executions for outcome in outcomes):>12,} {'':>9} {total:>8}")
    if total:
        print(f"\nThe inputs are in {CRASHES}. When mended, move each into fuzz/corpus/TARGET/, where it stays a test.")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
