"""A daemon that runs already: what it says of itself over HTTP, and what it journalled last."""

import os
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from monitor.daemon.ledger import SUFFIX, segments_in
from monitor.doctor.facts import DaemonFacts
from monitor.model.settings import address_of

PATIENCE_SECONDS = 3.0
MOST_BYTES = 8 * 1024 * 1024
"""Of an answer: thousands of series."""
TAIL_BYTES = 1024 * 1024
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
OURS = "joinwatch_build_info"


def daemon_facts(listen: str, state: Path) -> DaemonFacts | None:
    """What it says; none when it is not joinwatch that answers there, or nobody."""
    host, port = address_of(listen) or ("127.0.0.1", 0)
    host = LOOPBACK.get(host, host)
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    status, text = _asked(f"{address}/metrics")
    if status != 200 or OURS not in text:
        return None
    ready, reasons = _asked(f"{address}/-/ready")
    oddities, lines = _oddities_in(state / "journal")
    return DaemonFacts(
        address=address,
        ready=ready in (200, 404),  # a version that does not say
        reasons=tuple(line for line in reasons.splitlines() if line) if ready == 503 else (),
        series=series_in(text),
        oddities=oddities,
        lines=lines,
    )


def series_in(text: str) -> dict[str, float]:
    """Name with labels → value, of the text format of metrics."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(" # ")[0].rpartition(" ")
            try:
                found[name] = float(value)
            except ValueError:
                continue
    return found


def _asked(url: str) -> tuple[int, str]:
    """Status and text; 0 when nobody answers."""
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=PATIENCE_SECONDS) as answer:  # of our own making, and http alone
            return answer.status, answer.read(MOST_BYTES).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MOST_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return 0, ""


def _oddities_in(journal: Path) -> tuple[dict[str, int], int]:
    """Of its last megabyte: how many of which kind, and of how many lines."""
    import msgspec

    found: Counter[str] = Counter()
    lines = 0
    try:
        path = journal / f"{max(segments_in(journal)):08d}{SUFFIX}"
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES), os.SEEK_SET)
            tail = file.read(TAIL_BYTES).splitlines()
    except (OSError, ValueError):
        return {}, 0
    for line in tail:
        try:
            said = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.MsgspecError:
            continue
        lines += 1
        if said.get("type") == "oddity":
            found[f"{said.get('protocol')}: {said.get('reason')}"] += 1
    return dict(found), lines
