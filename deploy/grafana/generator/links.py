"""Ways on: from a dashboard to the others, from an alert to its runbook and to its lines in the journal."""

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import quote

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

TAG = "joinwatch"
MEETINGS, SENSOR, INCIDENT = "joinwatch-meetings", "joinwatch-sensor", "joinwatch-incident"
"""Their uids, for ever: other people's links hold them."""
SETTINGS = Path(__file__).resolve().parents[2] / "catalogue" / "settings.toml"
RUNBOOKS = "https://joinwatch.example/docs/runbooks"
INDEX = "joinwatch-*"
"""Of Elasticsearch."""
STREAM = '{service="joinwatch"}'
"""Of Loki."""


def runbooks() -> str:
    """Where they can be read, unless somebody says otherwise in the dashboard's settings."""
    if SETTINGS.exists():
        return str(tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["runbooks"]).rstrip("/")
    return RUNBOOKS


def to_others() -> list[Builder[model.DashboardLink]]:
    """To every dashboard of joinwatch, at the same time and for the same sensor."""
    others = build.DashboardLink("joinwatch").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    others.as_dropdown(False).include_vars(True).keep_time(True).icon("dashboard").tooltip("The other dashboards")
    return [others]


def to_incident(rule: str) -> tuple[str, str]:
    """Everything about one rule at this time."""
    return (
        "What happened around it",
        f"/d/{INCIDENT}?var-rule={rule}&${{datasource:queryparam}}&${{job:queryparam}}&${{instance:queryparam}}"
        "&${__url_time_range}",
    )


def to_runbook(rule: str) -> tuple[str, str]:
    """What to do about it."""
    return "Runbook: what to do", f"${{runbooks}}/{rule}.md"


def to_journal(condition: dict[str, str]) -> list[tuple[str, str]]:
    """The lines of the journal that say so, wherever they are kept: those alone name who it was."""
    logql = STREAM + " | json" + "".join(f' | {name}="{value}"' for name, value in condition.items())
    lucene = " AND ".join(f'{name}:"{value}"' for name, value in condition.items())
    return [
        ("Journal in Loki", _explore("${loki}", {"expr": logql, "queryType": "range"})),
        (
            "Journal in Elasticsearch",
            _explore("${elasticsearch}", {"query": lucene, "metrics": [_LOGS], "bucketAggs": [], "timeField": "time"}),
        ),
    ]


_LOGS = {"id": "1", "type": "logs"}


def _explore(datasource: str, query: dict[str, object]) -> str:
    pane = {
        "datasource": datasource,
        "queries": [{"refId": "A", "datasource": {"uid": datasource}, **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = json.dumps({"journal": pane}, separators=(",", ":"))
    # What Grafana fills in stays as it is.
    parts = re.split(r"(\$\{[^}]*\})", text)
    return "/explore?schemaVersion=1&orgId=1&panes=" + "".join(
        part if part.startswith("${") else quote(part, safe="") for part in parts
    )


def data_links(*links: tuple[str, str]) -> list[dict[str, object]]:
    """As a field has them."""
    return [{"title": title, "url": url, "targetBlank": not url.startswith("/d/")} for title, url in links]
