"""The other side of the house, for real: Prometheus, Alertmanager, and somebody whom Alertmanager calls.

Each has its own folder, port and process, and speaks on the loopback alone. Of the shipped files only addresses and
durations are changed, and `changed` says which.
"""

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.daemon.stage import free_port

PLACES = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
PATIENCE = 20.0
DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def program(*names: str) -> str | None:
    """Where the first of these programs is."""
    return next((found for name in names if (found := shutil.which(name, path=PLACES))), None)


def missing_servers() -> str:
    """Why no run is possible here; empty when one is."""
    if program("prometheus") is None:
        return "there is no prometheus: make counterparts"
    if program("prometheus-alertmanager", "alertmanager") is None:
        return "there is no Alertmanager: make counterparts"
    return ""


def seconds_of(duration: str) -> float:
    """`1m30s` as a number."""
    return sum(int(many) * UNITS[unit] for many, unit in DURATION.findall(duration))


class Notice(NamedTuple):
    """What Alertmanager told about one alert, and when."""

    at: float
    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    begun: str
    """Since when Alertmanager says that it fires: the same for as long as it is the same alert."""

    @property
    def name(self) -> str:
        """Of the alert."""
        return self.labels["alertname"]

    @property
    def rule(self) -> str:
        """The detection that it is about; none of an alert about the monitor itself."""
        return self.labels.get("rule", "")


class Hook:
    """Whom Alertmanager calls: takes its webhook (version 4) and keeps what it says."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.mistakes: list[str] = []
        """Requests that no webhook of Alertmanager would send."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        """One notification, of a group of alerts."""
        now, said = time.time(), json.loads(body)
        if said.get("version") != "4":
            self.mistakes.append(body.decode(errors="replace"))
            return
        receiver = path.strip("/")
        for one in said["alerts"]:
            kept = (one["status"], one["labels"], one["annotations"], one["startsAt"])
            self.notices.append(Notice(now, receiver, *kept))

    def told(self, status: str, wanted: Callable[[Notice], bool]) -> list[Notice]:
        """What was told of such alerts."""
        return [one for one in list(self.notices) if one.status == status and wanted(one)]

    def close(self) -> None:
        """Takes no more."""
        self._server.shutdown()
        self._server.server_close()


class Server:
    """A program that answers HTTP, in a life that a test may end and begin again."""

    ready = "/-/ready"

    def __init__(self, words: Sequence[str], port: int, folder: Path) -> None:
        self.words, self.port, self.folder = list(words), port, folder
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """A life begins; returns when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.words, cwd=self.folder, stdout=log, stderr=log)
        wait(self.is_ready, f"{Path(self.words[0]).name} that is ready", self.log)

    def is_ready(self) -> bool:
        """By its own word."""
        with suppress(OSError), urllib.request.urlopen(self.url + self.ready, timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        """-9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def ask(self, path: str, **words: str | float) -> Any:
        """What it answers."""
        query = "?" + urllib.parse.urlencode(words) if words else ""
        with urllib.request.urlopen(self.url + path + query, timeout=5) as answer:
            return json.load(answer)


class Prometheus(Server):
    """Debian's, with the shipped rules."""

    def samples(self, series: str, since: float) -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Each series' own samples, with their own times."""
        span = f"{max(1, round(time.time() - since + 1))}s"
        for one in self.ask("/api/v1/query", query=f"{series}[{span}]")["data"]["result"]:
            yield one["metric"], [(float(at), float(value)) for at, value in one["values"]]

    def first(self, series: str, since: float) -> float | None:
        """When a sample was first above zero."""
        times = [at for _, found in self.samples(series, since) for at, value in found if value > 0 and at >= since]
        return min(times, default=None)

    def firing(self) -> list[dict[str, str]]:
        """The labels of what fires now."""
        alerts = self.ask("/api/v1/alerts")["data"]["alerts"]
        return [one["labels"] for one in alerts if one["state"] == "firing"]

    def firing_since(self, rule: str) -> float | None:
        """The first evaluation that found it. Not by the series ALERTS, which a new life writes one round late."""
        for one in self.ask("/api/v1/alerts")["data"]["alerts"]:
            if one["state"] == "firing" and one["labels"].get("rule") == rule:
                return moment(one["activeAt"])
        return None

    def rules(self) -> list[dict[str, Any]]:
        """Every alerting rule that it has loaded, with its health."""
        groups = self.ask("/api/v1/rules", type="alert")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def is_scraped(self, job: str) -> bool:
        """Whether a target of that job is up."""
        found = self.ask("/api/v1/targets")["data"]["activeTargets"]
        return any(one["health"] == "up" for one in found if one["labels"]["job"] == job)


class Alertmanager(Server):
    """Debian's, with the shipped configuration."""


def moment(text: str) -> float:
    """Seconds since 1970, of a time with any number of decimals."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")


def wait(until: Callable[[], Any], what: str, log: Path | None = None, seconds: float = PATIENCE) -> Any:
    """What it gives when it gives anything; fails, with the end of the log, when it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError):
            if given := until():
                return given
        time.sleep(0.05)
    told = log.read_text(encoding="utf-8", errors="replace")[-3000:] if log and log.exists() else ""
    raise AssertionError(f"there never was {what} within {seconds:.0f} s {told}")


@contextmanager
def alertmanager(folder: Path, shipped: Path, hook: Hook, durations: dict[str, str]) -> Iterator[Alertmanager]:
    """An Alertmanager with the shipped configuration, which calls the hook, each receiver by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "alertmanager.yml"
    said = readdressed(yaml.safe_load(shipped.read_text(encoding="utf-8")), hook.port, durations)
    config.write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True), encoding="utf-8")
    for beside in shipped.parent.glob("*.tmpl"):
        shutil.copy(beside, folder)
    words = [program("prometheus-alertmanager", "alertmanager") or "", f"--config.file={config}"]
    words += [
        f"--storage.path={folder / 'data'}",
        "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    made = Alertmanager(words, port, folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def readdressed(said: dict[str, Any], port: int, durations: dict[str, str]) -> dict[str, Any]:
    """The same configuration, every receiver a webhook here, and these durations wherever they stand."""
    for receiver in said["receivers"]:
        kinds = [key for key in receiver if key.endswith("_configs")]
        resolved = [one.get("send_resolved", True) for key in kinds for one in receiver[key]]
        for key in kinds:
            del receiver[key]
        if kinds:
            hook = {"url": f"http://127.0.0.1:{port}/{receiver['name']}", "send_resolved": any(resolved)}
            receiver["webhook_configs"] = [hook]
    routes = [said["route"]]
    while routes:
        route = routes.pop()
        route.update({key: value for key, value in durations.items() if key in route or route is said["route"]})
        routes += route.get("routes", [])
    said.get("global", {}).pop("smtp_smarthost", None)
    return said


@contextmanager
def prometheus(
    folder: Path,
    target: int,
    alerts: int,
    rules: Sequence[Path],
    *,
    scrape: str,
    evaluate: str,
    factor: int = 1,
    longest: str = "",
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the daemon as job `joinwatch` and tells an Alertmanager; its rules are `hurried`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "prometheus.yml"
    files = []
    for rule in rules:
        said = yaml.safe_load(rule.read_text(encoding="utf-8"))
        (folder / rule.name).write_text(
            yaml.safe_dump(hurried(said, factor, longest), sort_keys=False), encoding="utf-8"
        )
        files.append(rule.name)
    document = {
        "global": {"scrape_interval": scrape, "evaluation_interval": evaluate, "external_labels": {"site": "here"}},
        "rule_files": files,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "joinwatch",
                "scrape_timeout": min(scrape, "10s", key=seconds_of),
                "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
            }
        ],
    }
    config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    words = [program("prometheus") or "", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    made = Prometheus([*words, f"--web.listen-address=127.0.0.1:{port}"], port, folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def hurried(said: dict[str, Any], factor: int, longest: str) -> dict[str, Any]:
    """The same rules, in a world that lives so many times faster: every duration in an expression is that much shorter,
    and none waits longer than `longest`.
    """
    for group in said["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if factor > 1:
                rule["expr"] = _faster(rule["expr"], factor)
            for key in ("for", "keep_firing_for"):
                if longest and key in rule:
                    rule[key] = min(rule[key], longest, key=seconds_of)
    return said


def _faster(expr: str, factor: int) -> str:
    def shorter(found: re.Match[str]) -> str:
        return f"{found['before']}{max(1, round(seconds_of(found['span']) / factor))}s"

    def sooner(found: re.Match[str]) -> str:
        return f"{found['before']}{float(found['seconds']) / factor:g}"

    expr = re.sub(r"(?P<before>\[|offset )(?P<span>(?:\d+[smhd])+)", shorter, expr)
    return re.sub(r"(?P<before>time\(\) - (?:[^<>]|> 0\))*[<>] )(?P<seconds>\d+)", sooner, expr)
