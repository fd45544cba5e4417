"""Writes the pages that are made of the code: `python -m docs.make [--check]`.

`--check` writes nothing, and fails when a page is not what the code says. What the pages tell of a key, a rule or a
metric is its docstring or its help, so that whoever adds one documents it where it stands.
"""

import ast
import inspect
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from msgspec import inspect as types

from monitor.detections import RULES
from monitor.model.alerts import Severity
from monitor.model.fetching import CalendarServer, Fetch, PeopleServer, Server
from monitor.model.limits import BOUNDS, MIB, Limits
from monitor.model.meetings import Method
from monitor.model.policy import PlatformPolicy, Policy, Site, Thresholds
from monitor.model.roster import Verdict
from monitor.model.settings import Settings
from monitor.model.sinks import AlertmanagerSink, HttpSink, SinkSettings, SyslogSink, WebhookSink
from monitor.model.suppressions import Suppression
from monitor.outputs.metrics import Metrics
from monitor.platforms import known_platforms
from monitor.sources.policies import THRESHOLDS
from monitor.sources.settings import PATHS
from monitor.sources.sinks import BOUNDS as SINK_BOUNDS
from monitor.sources.sinks import MAX_SINKS
from monitor.sources.suppressions import CONDITIONS, MANDATORY

if TYPE_CHECKING:
    from prometheus_client.core import Metric

DOCS = Path(__file__).parent
Structure = type[msgspec.Struct]
MADE = "<!-- Made by `make docs`; do not edit. -->"
ATTACK = "https://attack.mitre.org/techniques/"
ENDLESS = 2**30
"""A bound this high is there for the machine alone."""


# Docstrings


def documented(structure: type) -> dict[str, str]:
    """The docstring of each field, those of the classes before it first."""
    found: dict[str, str] = {}
    for kind in reversed(structure.__mro__[:-1]):
        if kind is not structure and "__struct_fields__" not in vars(kind):
            continue
        if kind.__module__.startswith("monitor."):
            body = _class_in(kind)
            found |= dict(_fields_in(body))
    return found


def _class_in(kind: type) -> ast.ClassDef:
    source = ast.parse(Path(inspect.getfile(kind)).read_text(encoding="utf-8"))
    return next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)


def _fields_in(structure: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(structure.body, [*structure.body[1:], ast.Pass()], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = text.value if isinstance(text, ast.Expr) else None
            yield field.target.id, inspect.cleandoc(str(said.value)) if isinstance(said, ast.Constant) else ""


def _cell(text: str) -> str:
    """A docstring as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _docstring(thing: object) -> str:
    text = inspect.getdoc(thing) or ""
    assert text, f"{thing} has no docstring"
    return text


def _table(*rows: Iterable[str]) -> str:
    head, *rest = (list(row) for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rest)).replace("  |", " |")


# rules.md

RULES_INTRO = """\
# Rules

{made}

What each rule of `joinwatch rules` means. One cause raises one alert; later sightings update it. No single header that
a caller can write raises or clears an alert by itself. Every alert carries its reasons, each with the frames that show
it, the confidence in the identity, and the coverage at that time ([the words](concepts.md)). Thresholds are settings of
the policy ([`[rules]`](configuration.md#rules)). What to do about an alert is in its runbook.
"""


RULES_END = """
## What no rule says yet

A call to somebody invited that is forwarded to somebody else; the reading of many meetings' pages on the web; a meeting
that takes place under a number that was found before; more people connected than are invited; a roster and calls that
disagree; somebody who sends no sound; bots that take notes, and recordings; a lock or a lobby that somebody passes.

What makes the monitor itself blind is told by [metrics](metrics.md) and by alert rules of Prometheus with their
[runbooks](runbooks), not by a rule here.
"""


def rules_page() -> str:
    """`docs/rules.md`."""
    rows = [
        (f"[`{rule.info.name}`](#{rule.info.name})", " or ".join(rule.info.severities), rule.info.summary)
        for rule in RULES
    ]
    thresholds = documented(Thresholds)
    parts = [RULES_INTRO.format(made=MADE), _table(("rule", "severity", "raised when"), *rows)]
    for rule in RULES:
        info = rule.info
        facts = [f"* Severity: {_severities(info.severities)}."]
        if info.attack:
            place = info.attack.replace(".", "/")
            facts.append(f"* ATT&CK: [{info.attack}]({ATTACK}{place}/).")
        facts += [
            f"* Threshold: `{name}` = {getattr(Thresholds(), name):,}. {thresholds[name]}"
            for name in _thresholds_of(rule)
        ]
        facts.append(f"* What to do: [runbook](runbooks/{info.name}.md).")
        about = _docstring(rule)
        parts += [f"\n## {info.name}\n", f"{about}\n", *facts]
    return "\n".join([*parts, RULES_END])


def _severities(severities: tuple[Severity, ...]) -> str:
    return severities[0] if len(severities) == 1 else f"{severities[0]} as a rule, else {' or '.join(severities[1:])}"


def _thresholds_of(rule: type) -> list[str]:
    """Those that the rule asks for, in the order of the policy, and by which its changes of the roster are made."""
    asked = {node.attr for node in ast.walk(_class_in(rule)) if isinstance(node, ast.Attribute)}
    by_name = {"OutsideSchedule": {"late_minutes"}, "DuplicateIdentity": {"duplicate_overlap_seconds"}}
    asked |= by_name.get(rule.__name__, set())  # That somebody has overstayed, or is in twice, is told by `meetings`.
    return [name for name in Thresholds.__struct_fields__ if name in asked]


# metrics.md

METRICS_INTRO = """\
# Metrics

{made}

What `/metrics` of the daemon ([paths](http.md)), `--metrics-listen` and `--metrics-textfile` of a replay, and the
`textfile` of a fetcher tell. Every series of a closed list is there at zero from the start, so `increase()` sees the
first alert. All label values come from closed lists or from the operator's own configuration: no person, number,
address, call or meeting is in one. Times are seconds since 1970; of alerts and events they are packet time.
"""
ELSEWHERE = {
    "rule": "those of [rules](rules.md), and `other`",
    "platform": "those of `joinwatch platforms`, and `other`",
    "class": "[what became of a frame](what-it-sees.md#where-the-frames-of-a-capture-went)",
    "what": "the counts of the journal's summary, which may change with any version",
    "table": "those of [limits.md](limits.md); of `joinwatch_metrics_evictions_total` the metrics' own, `alerts` and"
    " `participants`",
    "envelope": "those of [what it sees](what-it-sees.md#envelopes)",
    "interface": "those of `[capture]`",
    "sink": "the names of `[sinks.NAME]`",
    "version": "joinwatch's own",
}
"""Where the values of a label are told, of those that have many or are the operator's."""


def metrics_page() -> str:
    """`docs/metrics.md`."""
    sections = {
        "Of the daemon and of a replay": families(),
        "Of the daemon alone": daemon_families(),
        "Of a fetcher": fetcher_families(),
    }
    found = [family for section in sections.values() for family in section]
    assert len({family.name for family in found}) == len(found)
    parts = [METRICS_INTRO.format(made=MADE)]
    for heading, section in sections.items():
        rows = [
            (f"`{_name_of(family)}`", family.type, ", ".join(f"`{label}`" for label in _labels_of(family)), about)
            for family in section
            for about in [_cell(family.documentation)]
        ]
        parts.append(f"## {heading}\n\n{_table(('name', 'type', 'labels', 'tells'), *rows)}\n")
    parts.append("`process_*` are the usual ones of the process that answers.\n")
    labels = sorted({label for family in found for label in _labels_of(family)})
    values = [(f"`{label}`", _values_of(label, found)) for label in labels]
    parts.append(f"## Labels\n\n{_table(('label', 'values'), *values)}\n")
    return "\n".join(parts)


def families() -> list["Metric"]:
    """What is told wherever metrics are."""
    from monitor.detections import rule_infos
    from monitor.pipeline import Replay, captures_of, load_expected

    counts = Replay(captures_of([]), load_expected(), []).summary().counts
    return list(Metrics(rules=rule_infos(), platforms=known_platforms(), counts=counts).collect())


def daemon_families() -> list["Metric"]:
    """What the daemon adds, of one interface and one sink."""
    from monitor.daemon.endpoints import WebCounts
    from monitor.daemon.messages import Traffic
    from monitor.daemon.quiet import Quiet
    from monitor.daemon.spool import SinkVitals
    from monitor.daemon.vitals import Vitals
    from monitor.outputs.web import COUNTS

    class Told(Vitals):
        """Vitals that have heard of one interface."""

        @property
        def traffic(self) -> dict[str, Traffic]:
            return {"eth1": Traffic(received=0, dropped=0, taken=0, up=True)}

    with tempfile.TemporaryDirectory() as folder:
        sinks = list(SinkVitals(Path(folder), ["soc"], Path(folder)).collect())
    web = WebCounts(lambda: dict.fromkeys(COUNTS, 0))
    return [*Told(["eth1"]).collect(), *web.collect(), *sinks, *Quiet(None, print).collect()]


def fetcher_families() -> list["Metric"]:
    """What a fetcher writes for node_exporter."""
    from prometheus_client.parser import text_string_to_metric_families

    from monitor.fetch.runs import Outcome, What, write_textfile

    found: dict[str, Metric] = {}
    with tempfile.TemporaryDirectory() as folder:
        for what in get_args(What):
            path = Path(folder) / f"{what}.prom"
            write_textfile(path, what, Outcome())
            for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
                found.setdefault(family.name, family).samples.extend(family.samples)
    return list(found.values())


def _name_of(family: "Metric") -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels_of(family: "Metric") -> list[str]:
    return list(dict.fromkeys(label for sample in family.samples for label in sample.labels))


def _values_of(label: str, found: Iterable["Metric"]) -> str:
    """All of them, but for labels whose values are told elsewhere or are the operator's."""
    if label in ELSEWHERE:
        return ELSEWHERE[label]
    if label == "severity":
        return ", ".join(f"`{severity}`" for severity in Severity)
    by_family = {
        _name_of(family): tuple(dict.fromkeys(sample.labels[label] for sample in family.samples))
        for family in found
        if label in _labels_of(family)
    }
    # Named for each metric where two share a label and mean different things by it.
    told = {values: f" (`{name}`)" if len(set(by_family.values())) > 1 else "" for name, values in by_family.items()}
    return "; ".join(", ".join(f"`{value}`" for value in values) + name for values, name in told.items())


# configuration.md

CONFIGURATION_INTRO = """\
# Configuration

{made}

Four files, three of them TOML. `joinwatch check FILE` reads each as its user does, and tells every mistake with its
line and what was expected. Unknown keys are mistakes. Every key may be left out unless *needed* stands as its default.
Units are in the keys' names; a path is seen from the folder of the file that names it.

| file | who reads it | says |
|---|---|---|
| [`joinwatch.toml`](#joinwatchtoml) | `joinwatch watch`, `fetch`, `doctor` | what is watched, told and kept |
| [policy](#policy) | everything: `--policy FILE` | what is allowed, who is trusted |
| [suppressions](#suppressions) | the daemon | which alerts are kept quiet, by whom, until when |
| [`web.yml`](#webyml) | the daemon | TLS and passwords of `/metrics` |

"""
EXAMPLE = """\
```toml
meetings = ["meetings"]
directory = ["people.vcf"]
policy = "policy.toml"

[capture]
interfaces = ["eth1"]
```
"""
POLICY_EXAMPLE = """\
```toml
[site]
trusted_trunks = ["192.0.2.10"]

[site.access_numbers]
"+31205550100" = "webex"
```
"""
SUPPRESSION_EXAMPLE = """\
```toml
[[suppression]]
rule = "pin-bypass"
meeting = "number:27311234567"
until = 2026-12-31
owner = "Anna de Vries, SOC"
reason = "the bridge of this room asks for no PIN until it is replaced"
```
"""
WEB_EXAMPLE = """\
```yaml
tls_server_config:
  cert_file: server.crt
  key_file: server.key
basic_auth_users:
  prometheus: $2y$10$…
```
"""


def configuration_page() -> str:
    """`docs/configuration.md`."""
    parts = [
        CONFIGURATION_INTRO.format(made=MADE) + "## joinwatch.toml\n",
        "The daemon's. The smallest one:\n",
        EXAMPLE,
        _keys_of(Settings, without={"sinks"}),
        *_nested_in(Settings, ""),
        f"### [sinks.NAME]\n\nTo whom alerts are delivered: [sinks.md](sinks.md). At most {MAX_SINKS}, each a table"
        " under a name of your choice, of small letters, digits and dashes. Of every kind:\n",
        _table(_HEAD, _KIND, *_rows(SinkSettings, {}, SINK_BOUNDS)) + "\n",
        "Of `alertmanager` and `webhook`:\n",
        _keys_of(HttpSink, without=set(SinkSettings.__struct_fields__), bounds=SINK_BOUNDS),
    ]
    for kind, base in ((AlertmanagerSink, HttpSink), (WebhookSink, HttpSink), (SyslogSink, SinkSettings)):
        name = kind.__name__.removesuffix("Sink").lower()
        parts += [
            f"Of `{name}`. {_cell(_docstring(kind))}\n",
            _keys_of(kind, without=set(base.__struct_fields__), bounds=SINK_BOUNDS),
        ]
    parts += [
        "### [fetch.calendars] and [fetch.people]\n\nWhom `joinwatch fetch` asks: [lists.md](lists.md). Of both:\n",
        _keys_of(Server),
    ]
    for server, name in ((CalendarServer, "calendars"), (PeopleServer, "people")):
        own = _keys_of(server, without=set(Server.__struct_fields__))
        parts.append(f"Of `{name}`. {_cell(_docstring(server))}\n\n{own}")
    return "\n".join([*parts, *_policy_parts(), *_suppression_parts(), *_web_parts()])


def _nested_in(kind: Structure, before: str) -> Iterator[str]:
    """A section for each table in a table; `fetch` has one of its own."""
    for name, value, _ in _fields(kind):
        if isinstance(value, types.StructType) and value.cls is not Fetch:
            yield _section(value.cls, f"[{before}{name}]")
            yield from _nested_in(value.cls, f"{before}{name}.")


def _policy_parts() -> list[str]:
    allowed = "### [allowed_methods]\n\n" + documented(Policy)["allowed_methods"]
    methods = ", ".join(f"`{method}`" for method in Method)
    return [
        "## Policy\n\n" + _docstring(sys.modules[Policy.__module__]) + "\n",
        POLICY_EXAMPLE,
        _keys_of(Policy, without={"allowed_methods", "platforms"}),
        f"{allowed} Methods are {methods}.\n",
        "### [platforms.NAME]\n\n" + _docstring(PlatformPolicy) + " Names are those of `joinwatch platforms`.\n",
        _keys_of(PlatformPolicy),
        _section(Site, "[site]"),
        _section(Thresholds, "[rules]", THRESHOLDS),
        "### [limits]\n\nHow much is remembered of what comes from the wire: [limits.md](limits.md).\n",
    ]


def _suppression_parts() -> list[str]:
    docs = documented(Suppression)
    rows = []
    for name, kind, default in _fields(Suppression):
        if name != "line":
            is_condition = name in CONDITIONS
            needed = "*needed*" if name in MANDATORY else "*one of these*" if is_condition else _shown(default)
            rows.append((f"`{name}`", _type(kind), needed, _cell(docs[name])))
    return [
        "## Suppressions\n\nWhat an organisation has decided not to be told for a while. Each is a table:"
        " [sinks.md](sinks.md#suppressions).\n",
        SUPPRESSION_EXAMPLE,
        _table(_HEAD, *rows) + "\n",
    ]


def _web_parts() -> list[str]:
    from monitor.outputs.web_config import KEYS

    rows = [(f"`{key}`", _cell(about)) for key, about in KEYS.items()]
    return [
        "## web.yml\n\nAs Prometheus' exporters have it, as far as Python's TLS can do what it says:"
        " [http.md](http.md#tls-and-passwords).\n",
        WEB_EXAMPLE,
        _table(("key", ""), *rows) + "\n",
    ]


_HEAD = ("key", "value", "default", "")
_KIND = ("`kind`", "`alertmanager`, `webhook` or `syslog`", "*needed*", "What the sink is.")
Bounds = Mapping[str, tuple[int, int]]


def _section(kind: Structure, heading: str, bounds: Bounds | None = None) -> str:
    return f"### {heading}\n\n{_docstring(kind)}\n\n{_keys_of(kind, bounds=bounds)}"


def _keys_of(kind: Structure, *, without: set[str] | None = None, bounds: Bounds | None = None) -> str:
    return _table(_HEAD, *_rows(kind, without or set(), bounds or {})) + "\n"


def _rows(kind: Structure, without: Iterable[str], bounds: Bounds) -> list[tuple[str, str, str, str]]:
    docs = documented(kind)
    rows = []
    for name, value, default in _fields(kind):
        if name not in without and not isinstance(value, types.StructType):
            assert docs[name], f"{kind.__name__}.{name} has no docstring"
            what = _type(value, bounds.get(name))
            what = what.replace("text", "path") if name in PATHS else what
            rows.append((f"`{name}`", what, _shown(default), _cell(docs[name])))
    return rows


def _fields(kind: Structure) -> Iterator[tuple[str, types.Type, Any]]:
    """Name, type and default of each key."""
    told = types.type_info(kind)
    assert isinstance(told, types.StructType)
    for field in told.fields:
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield field.name, field.type, default


def _type(kind: types.Type, bounds: tuple[int, int] | None = None) -> str:
    match kind:
        case types.BoolType():
            return "`true` or `false`"
        case types.IntType(ge=low, le=high):
            low, high = bounds or (low, high)
            if low is None or high is None:
                return "a whole number"
            return f"{low:,} to {high:,}" if high < ENDLESS else f"{low:,} or more"
        case types.StrType():
            return "text"
        case types.DateType():
            return "a day"
        case types.LiteralType(values=values):
            return _either(values)
        case types.EnumType(cls=cls):
            return _either([member.value for member in cls])
        case types.UnionType(types=options):
            return " or ".join(_type(option) for option in options if not isinstance(option, types.NoneType))
        case types.VarTupleType(item_type=item):
            what = _type(item)
            return "list of texts" if what == "text" else f"list of {what}"
        case types.DictType():
            return "table of texts"
        case _:
            raise TypeError(f"no words for {kind}")


def _either(values: Iterable[object]) -> str:
    *most, last = (f"`{value}`" for value in values)
    return f"{', '.join(most)} or {last}" if most else last


def _shown(default: Any) -> str:
    """A default as one would write it."""
    match default:
        case msgspec.NODEFAULT:
            return "*needed*"
        case bool():
            return f"`{str(default).lower()}`"
        case Severity() | Verdict():
            return f'`"{default.value}"`'
        case int():
            return f"{default:,}"
        case str() if default:
            return f'`"{default}"`'
        case tuple() if default:
            return "`[" + ", ".join(f'"{one}"' for one in default) + "]`"
        case _:
            return "none"


# limits.md

LIMITS_INTRO = """\
# How much is remembered

{made}

Whatever grows with what comes from the wire has a limit, which the policy's `[limits]` may change.
The rule for all of them: what is known good is kept, and strangers wait. Lives are packet time.

`joinwatch_table_entries{{table}}` and `joinwatch_table_limit{{table}}` tell how full each is, and
`joinwatch_evictions_total{{table}}` (`<table>_evicted` in the summary) what it had to forget.

```toml
[limits]
calls = 100_000
calls_aside_bytes = 134_217_728
```
"""
LIMITS_END = """
What one call, connection, message or packet may have, how many ports are asked of the packet filter, and
the few caches of what was worked out before (some thousand entries each) have constants in the code.

`make floods` fills these tables, with people hidden in it who must still be found.
"""


def limits_page() -> str:
    """`docs/limits.md`: of each table what it holds, how long, and what happens when it is full."""
    rows = []
    for name, text in documented(Limits).items():
        what, _, rest = text.partition("\n\n")
        life, _, full = rest.partition("\n")
        default = getattr(Limits(), name)
        size = f"{default // MIB} MiB" if name.endswith("_bytes") else f"{default:,}"
        cells = (what, life.removeprefix("Life: "), full.removeprefix("Full: "))
        assert all(cells), f"{name} does not say what it holds, how long, and what when it is full"
        holds, lives, then = (_cell(cell).rstrip(".") for cell in cells)
        rows.append((f"`{name}`", holds, size, lives, then))
    assert [row[0].strip("`") for row in rows] == list(BOUNDS)
    table = _table(("table", "holds", "at most", "life", "when full"), *rows)
    return f"{LIMITS_INTRO.format(made=MADE)}\n{table}\n{LIMITS_END}"


# All of them

PAGES = {
    "rules.md": rules_page,
    "metrics.md": metrics_page,
    "configuration.md": configuration_page,
    "limits.md": limits_page,
}


def main(arguments: list[str]) -> int:
    """Write every page, or tell which is not what the code says."""
    stale = [name for name, page in PAGES.items() if not _is_page(DOCS / name, page())]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/{name} is not what the code says; `make docs` writes it anew", file=sys.stderr)
        return bool(stale)
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"docs/{name}")
    return 0


def _is_page(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
