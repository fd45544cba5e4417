"""Sinks that are away while 1,000 alerts arise: a real Alertmanager and a real rsyslogd. What arrives, when, how often.

    make outage

deliver is killed at random meanwhile; afterwards rsyslogd is killed ten times while another 1,000 arrive.
"""

import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.daemon.receivers import alert, journal_of

ALERTS = 1000
WITHIN = 30.0
RSYSLOG = """global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imptcp")
template(name="t" type="string" string="%structured-data%\\n")
ruleset(name="r") {{ action(type="omfile" file="{folder}/written" template="t") }}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="r" supportOctetCountedFraming="on")
"""


def main() -> int:
    """Prints a line for each; 1 when something is missing, doubled or late."""
    programs = [shutil.which(name, path="/usr/bin:/usr/sbin") for name in ("prometheus-alertmanager", "rsyslogd")]
    if None in programs:
        print("there is no Alertmanager or no rsyslogd: make counterparts", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        return _measure(Path(name), *map(str, programs))


def _measure(folder: Path, alertmanager: str, rsyslogd: str) -> int:
    ports = {"am": _free_port(), "siem": _free_port()}
    state = folder / "state"
    state.mkdir()
    (folder / "am.yml").write_text("route: {receiver: soc}\nreceivers: [{name: soc}]\n", encoding="ascii")
    (folder / "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, port=ports["siem"]), encoding="ascii")
    (folder / "joinwatch.toml").write_text(
        f'state = "{state}"\n[capture]\ninterfaces = ["lo"]\n'
        f'[sinks.am]\nkind = "alertmanager"\nurl = "http://127.0.0.1:{ports["am"]}"\n'
        f'[sinks.siem]\nkind = "syslog"\naddress = "tcp://127.0.0.1:{ports["siem"]}"\n',
        encoding="ascii",
    )
    words = [f"--config.file={folder}/am.yml", f"--storage.path={folder}/am", "--cluster.listen-address="]
    alertmanager_words = [alertmanager, *words, f"--web.listen-address=127.0.0.1:{ports['am']}"]
    rsyslog_words = [rsyslogd, "-n", "-i", str(folder / "pid"), "-f", str(folder / "rsyslog.conf")]
    running = {name: _deliver(name, folder) for name in ports}
    late = []
    try:
        for first in range(0, ALERTS, 100):
            journal_of(state, [alert(n) for n in range(first, first + 100)])
            name = random.choice(list(ports))
            _kill(running[name])
            running[name] = _deliver(name, folder)
            time.sleep(0.5)
        time.sleep(10)  # pauses are at their longest then
        running["alertmanager"] = _quietly(alertmanager_words)
        late.append(_wait("alertmanager", lambda: _in_alertmanager(ports["am"]), ALERTS))
        running["rsyslogd"] = _quietly(rsyslog_words)
        late.append(_wait("rsyslogd", lambda: _in_file(folder / "written"), ALERTS))
        for first in range(ALERTS, 2 * ALERTS, 100):
            journal_of(state, [alert(n) for n in range(first, first + 100)])
            time.sleep(0.15)
            _kill(running["rsyslogd"])
            (folder / "pid").unlink(missing_ok=True)
            time.sleep(0.2)
            running["rsyslogd"] = _quietly(rsyslog_words)
            time.sleep(0.3)
        late.append(_wait("rsyslogd, killed 10 times", lambda: _in_file(folder / "written"), 2 * ALERTS))
    finally:
        for process in running.values():
            _kill(process)
    return int(any(late))


def _wait(what: str, seen: Callable[[], list[str]], wanted: int) -> bool:
    """Whether something is missing, doubled or late."""
    begun = time.monotonic()
    found: list[str] = []
    while len(set(found)) < wanted and time.monotonic() - begun < WITHIN:
        time.sleep(0.1)
        with suppress(OSError):
            found = seen()
    seconds = time.monotonic() - begun
    missing, doubled = wanted - len(set(found)), len(found) - len(set(found))
    print(f"{what}: {wanted} alerts, {missing} missing, {doubled} doubled, all there after {seconds:.1f} s")
    return bool(missing or doubled)


def _in_alertmanager(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=5) as answer:
        return [one["labels"]["alert_id"] for one in json.load(answer)]


def _in_file(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _deliver(name: str, folder: Path) -> subprocess.Popen[bytes]:
    return _quietly([sys.executable, "-m", "monitor.daemon", "deliver", name, str(folder / "joinwatch.toml")])


def _quietly(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
