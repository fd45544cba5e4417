"""A real Prometheus, for as long as a `with` lasts: it scrapes the daemon and itself, and answers queries."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PROGRAM = "prometheus"
PLACES = "/usr/bin:/usr/local/bin"
PATIENCE = 30.0
JOB = "joinwatch"
CONFIGURATION = """\
global: {{scrape_interval: {seconds}s, scrape_timeout: {seconds}s, evaluation_interval: {seconds}s}}
rule_files: ["{rules}/*.rules.yml"]
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{target}"], labels: {{instance: {instance}}}}}]
  - job_name: prometheus
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class QueryError(Exception):
    """Prometheus does not take this query."""


class Prometheus:
    """One that runs: where it listens, and what it answers."""

    def __init__(self, port: int) -> None:
        self.port = port

    def wait(self) -> float:
        """Until it has scraped, and when that was: it looks for its targets only after 5 s."""
        end = time.monotonic() + PATIENCE
        while not (found := self.instant(f'timestamp(up{{job="{JOB}"}} == 1)', time.time())):
            if time.monotonic() > end:
                raise RuntimeError("Prometheus does not reach its target")
            time.sleep(0.1)
        return float(found[0]["value"][1])

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The `data` of an answer."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{json.load(error).get('error')}: {parameters.get('query', path)}") from None

    def instant(self, query: str, at: float) -> list[Any]:
        """The series of an instant vector."""
        answer = self.ask("query", query=query, time=at)
        if answer["resultType"] == "scalar":
            return [{"metric": {}, "value": answer["result"]}]
        return list(answer["result"])

    def over(self, query: str, begin: float, end: float, step: float) -> list[Any]:
        """The series of a range; at whole steps, as Grafana asks."""
        begin, end = begin // step * step, end // step * step
        return list(self.ask("query_range", query=query, start=begin, end=end, step=step)["result"])

    def exemplars(self, query: str, begin: float, end: float) -> list[Any]:
        """Alerts beside the counts."""
        return list(self.ask("query_exemplars", query=query, start=begin, end=end))


def program() -> str | None:
    """Where it is installed."""
    return shutil.which(PROGRAM, path=PLACES)


@contextmanager
def prometheus(
    folder: Path, target: int, instance: str, seconds: float, rules: Path | None = None
) -> Iterator[Prometheus]:
    """One with its data in that folder, which scrapes every so many whole seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    text = CONFIGURATION.format(
        seconds=int(seconds), rules=rules or folder, job=JOB, target=target, instance=instance, port=port
    )
    (folder / "prometheus.yml").write_text(text, encoding="utf-8")
    words = [
        str(program()),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=error",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own words
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_for(port, process, folder / "prometheus.log")
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Prometheus did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
